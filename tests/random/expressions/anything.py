# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Expressions of any kind, grown one operation after another."""
from dataclasses import replace

from .masks import Masks
from .typed import BATCH, MATRIX, Axis, Expr, fresh, is_float, natural, unite


class Anything(Masks):
    """A few random operations on a random leaf."""

    def anything(self):
        rng = self.rng
        kind = self.pick_float()
        names = rng.sample(["b", "n"], rng.choice([0, 1, 1, 2])) + rng.sample(["s", "t", "d", "e"], rng.choice([1, 2, 2, 2, 3]))
        rng.shuffle(names)
        static = {"d": rng.choice([8, 16])} if rng.random() < 0.4 else {}
        x = self.leaf(self.axes(*names, **static), kind)
        done = 0
        wanted = rng.choice([2, 3, 3, 4, 5, 6])
        for _ in range(60):
            if done >= wanted:
                break
            y = self.step(x)
            if y is not None and y.text != x.text and len(y.text) < 420:
                x, done = y, done + 1
        return x

    def companion(self, x, kind=None, extra=True):
        """A new leaf with some of x's dims, in another order, now and then one more."""
        rng = self.rng
        axes = [a for a in x.axes if rng.random() < 0.6]
        spare = [n for n in ["b", "n", "g"] if not x.has(n)]
        if extra and spare and rng.random() < 0.2 and len(x.axes) < 5:
            axes += self.axes(rng.choice(spare))
        axes = list(self.shuffled(axes))
        return self.leaf(tuple(axes), kind or (x.kind if is_float(x.kind) and rng.random() < 0.7 else self.pick_float()))

    def whole_step(self, x):
        """Whole numbers stay whole under + - * min max, sums and products, and become floats elsewhere."""
        rng = self.rng
        choice = rng.choice(["whole", "whole", "float", "sum", "positions", "contract", "divide"])
        if choice == "whole":
            return self.unary(rng.choice(["({x} * 3 - 2)", "max({x}, 1)", "-{x}", "abs({x} - 1)", "min({x}, 4)"]), x)
        if choice == "sum" and x.axes:
            over = rng.choice(x.names())
            self.nonempty(x.axis(over).extent)
            return self.reduce(rng.choice(["sum", "sum", "max", "min", "mean"]), x, over)
        if choice == "positions" and x.axes:
            return self.unary("({x} + index(%s) * 2)" % rng.choice(x.names()), x, "std::int64_t")
        if choice == "contract" and x.axes:
            over = rng.choice(x.names())
            shared = [a for a in x.axes if a.name == over or rng.random() < 0.4]
            y = self.leaf(tuple(shared), rng.choice(["std::int32_t", "std::int64_t"]), "ids", "5")
            return self.contract(x, y, over)
        if choice == "divide":
            return self.unary("({x} / 3)", x, "float")
        return replace(x, text=f"cast<float>({x.text})", kind="float")

    def step(self, x):
        rng = self.rng
        choice = rng.choice([
            "unary", "unary", "unary", "arithmetic", "arithmetic", "arithmetic", "number", "reduce", "reduce", "softmax", "transpose", "rename", "merge", "slice", "at",
            "product", "product", "contract", "contract", "position", "where", "where", "gather", "dropout", "cast", "split", "masked", "normalise", "self_binary", "minmax",
            "oriented", "pow", "two_reduce", "condition"])
        m, names = x.matrix(), x.names()
        if not is_float(x.kind):
            if x.kind == "bool":
                text, kind = rng.choice([("cast<float>(%s)", "float"), ("where(%s, 1.f, 0.1)", "float"), ("where(%s, 3, 1)", "std::int64_t")])
                return replace(x, text=text % x.text, kind=kind)
            return self.whole_step(x)
        if choice == "unary":
            return self.unary(rng.choice([
                "exp({x} * 0.25f)", "tanh({x})", "sigmoid({x})", "relu({x})", "gelu({x})", "gelu_tanh({x})", "silu({x})", "erf({x})", "abs({x})", "-{x}", "sin({x})", "cos({x})",
                "log(abs({x}) + 0.5f)", "sqrt(abs({x}) + 0.25f)", "rsqrt(abs({x}) + 1.f)", "floor({x} * 3.f)"]), x)
        if choice == "arithmetic":
            y = self.companion(x)
            how = rng.choice(["({x} + {y})", "({x} - {y})", "({y} - {x})", "hadamard({x}, {y})", "hadamard({y}, {x})", "({x} / (abs({y}) + 0.5f))"])
            if how.startswith("({y}") or how.startswith("hadamard({y}"):
                z = self.binary(how.replace("{x}", "{z}").replace("{y}", "{x}").replace("{z}", "{y}"), y, x)
                return z
            return self.binary(how, x, y)
        if choice == "number":
            return self.unary(rng.choice(["({x} * 0.5f)", "({x} / 3)", "(2 - {x})", "({x} + 1.5)", "(1.5f * {x})", "(1 / (abs({x}) + 1.f))"]), x)
        if choice == "minmax":
            return self.binary(rng.choice(["max({x}, {y})", "min({x}, {y})"]), x, self.companion(x))
        if choice == "pow":
            return self.unary(rng.choice(["pow(abs({x}) + 0.25f, 1.5f)", "pow({x}, 2)"]), x)
        if choice == "self_binary":
            z = self.bound_to_a_name(x)
            return self.unary(rng.choice(["({x} * 0.5f - tanh({x}))", "hadamard({x}, sigmoid({x}))", "where({x} > 0, {x}, 0.1f * {x})", "max({x}, -{x})"]), z)
        if choice in ("reduce", "two_reduce") and names:
            over = rng.sample(names, 2) if choice == "two_reduce" and len(names) > 2 else [rng.choice(names)]
            how = rng.choice(["sum", "mean", "max", "min", "logsumexp"])
            if how in ("mean",):
                self.nonempty(" ".join(x.axis(o).extent for o in over))
            return self.reduce(how, x, *over)
        if choice == "softmax" and names:
            return self.softmax(x, rng.choice(names if rng.random() < 0.3 or not m else m), rng.choice(["", "", "uniform"]))
        if choice == "normalise" and m:
            over = rng.choice(m)
            self.nonempty(x.axis(over).extent)
            y = self.bound_to_a_name(x).text
            z = self.bound_to_a_name(replace(x, text=f"({y} - mean({y}, {over}))")).text
            form = rng.choice([f"({z} / sqrt(mean(hadamard({z}, {z}), {over}) + 1e-5f))", f"hadamard({z}, rsqrt(mean(pow({z}, 2), {over}) + 1e-3f))", f"({y} - max({y}, {over}))"])
            return replace(x, text=form)
        if choice == "transpose" and x.oriented:
            return self.transpose(x)
        if choice == "oriented" and len(m) >= 2 and x.row != "?":
            r, c = rng.sample(m, 2)
            return replace(x, text=f"oriented({x.text}, {r}, {c})", row=r, column=c)
        if choice == "rename" and names:
            old = rng.choice(names)
            pool = [n for n in (MATRIX if x.axis(old).matrix else BATCH) if not x.has(n) and f"{n}_" not in self.extents]
            new = rng.choice(pool) if pool and rng.random() < 0.6 else fresh(f"prime({old})", set(names))
            axes = tuple(replace(a, name=new) if a.name == old else a for a in x.axes)
            swap = lambda n: new if n == old else n
            return Expr(f"rename({x.text}, {old}, {new})", axes, x.kind, swap(x.row), swap(x.column))
        if choice == "merge" and len(names) >= 2 and not x.has("c"):
            parts = rng.sample(names, 2)
            return self.merge(x, parts, "c")
        if choice == "split":
            if len(x.axes) > 4:
                return None
            heads = rng.choice([2, 3, 4])
            base = rng.choice([n for n in ["h", "w"] if not x.has(n)] or [""])
            if not base or x.has("g"):
                return None
            wide = Axis("c", f"({heads}*{self.extent(base)})")
            if x.has("c"):
                return None
            y = self.split(self.leaf(tuple(a for a in x.axes if not a.matrix) + (wide,), x.kind), "c", [Axis("g", f"{heads}_c"), Axis(base, f"{base}_")])
            return self.binary("({x} + {y})", x, y) if len(m) <= 1 else None
        if choice == "slice" and names:
            name = rng.choice(names)
            n = x.axis(name).number
            axes = tuple(replace(a, extent=f"(({n}) - ({n})/4 - ({n})/3)") if a.name == name else a for a in x.axes)
            return Expr(f"slice({x.text}, {name}, ({n})/3, ({n}) - ({n})/4)", axes, x.kind, x.row, x.column)
        if choice == "at" and len(names) > 1:
            name = rng.choice(names)
            n = x.axis(name).number
            if "(" in n:
                return None
            self.nonempty(n)
            axes = tuple(a for a in x.axes if a.name != name)
            return Expr(f"at({x.text}, {name}, ({n} - 1)/2)", axes, x.kind, *self.kept(x.row, x.column, axes))
        if choice == "product" and x.oriented and len(m) == 2:
            new = [n for n in ["f", "e", "t", "h"] if not x.has(n)][:1]
            inner = x.column
            if not new or "prime" in inner:
                return None
            batch = tuple(a for a in x.axes if not a.matrix and rng.random() < 0.4)
            other = self.axes(new[0])
            turned = rng.random() < 0.4
            y = self.leaf(self.shuffled(batch + ((other + (x.axis(inner),)) if turned else ((x.axis(inner),) + other))), x.kind)
            return self.multiply(x, self.transpose(y) if turned else y)
        if choice == "contract" and names:
            over = rng.sample(names, min(len(names), rng.choice([1, 1, 1, 2])))
            shared = [a for a in x.axes if a.name in over or rng.random() < 0.3]
            spare = [n for n in ["f", "e", "h"] if not x.has(n)]
            if spare and rng.random() < 0.8:
                shared += self.axes(spare[0])
            rng.shuffle(shared)
            y = self.leaf(tuple(shared), x.kind if rng.random() < 0.8 else self.pick_float())
            return self.contract(x, y, *over) if rng.random() < 0.6 else self.contract(y, x, *over)
        if choice == "position" and names:
            i = rng.choice(names)
            j = rng.choice(names)
            return self.unary(rng.choice(["({x} + 0.1f * index(%s))" % i, "({x} - (index(%s) - index(%s)) / 4)" % (i, j), "({x} * cos(0.5f * cast<float>(index(%s))))" % i
                                          if not x.axis(i).matrix else "hadamard({x}, cos(0.5f * index(%s)))" % i, "({x} / (index(%s) + 1))" % i]), x)
        if choice == "where" and names:
            i, j = rng.choice(names), rng.choice(names)
            condition = rng.choice([self.position_condition(i, j) if i != j else f"(index({i}) < 3)", ""])
            if not condition:
                y = self.companion(x, extra=False)
                condition = rng.choice([f"({y.text} < 0.5f)", f"({y.text} >= 0)"])
                if y.oriented and (x.row, x.column) != (y.row, y.column) and x.row:
                    return None
                if y.oriented:
                    return None
            # the condition's dims come first
            if "index" in condition:
                axes = self.condition_first(condition, x)
            else:
                axes = unite(y.axes, x.axes)
            x = self.bound_to_a_name(x)
            form = rng.choice(["where(%s, {x}, 0.25f)", "where(%s, {x}, {x} * 2)", "where(%s, -1, {x})"])
            return replace(self.unary(form % condition, x), axes=axes)
        if choice == "masked" and len(m) == 2 and len(names) <= 4:
            return self.masked(x, self.mask(x, m[0], m[1])) if rng.random() < 0.5 else self.masked(x, self.mask(x, m[1], m[0]), "-2.f")
        if choice == "gather" and not x.has("f"):
            spare = [n for n in ["h", "word", "w"] if not x.has(n)]
            if not spare or not m:
                return None
            looked_up = rng.choice(m)
            if "(" in x.axis(looked_up).extent:
                return None
            self.nonempty(x.axis(looked_up).extent)
            some = tuple(a for a in x.axes if a.name != looked_up and rng.random() < 0.2)
            ids = self.leaf(some + self.axes(spare[0]), rng.choice(["std::int32_t", "std::int64_t"]), "ids", x.axis(looked_up).number)
            axes = unite(ids.axes, tuple(a for a in x.axes if a.name != looked_up))
            text = f"gather({x.text}, {ids.text})" if m[0] == looked_up and rng.random() < 0.5 else f"gather({x.text}, {ids.text}, {looked_up})"
            return Expr(text, axes, x.kind, *natural(axes))
        if choice == "dropout":
            return self.unary("dropout({x}, %s, %d)" % (rng.choice(["0.1", "0.5", "0.0", "0.75"]), rng.randint(1, 10**9)), x)
        if choice == "cast":
            kind = rng.choice(["float", "double", "bf16", "f16", "std::int32_t"])
            return replace(self.unary("cast<%s>({x})" % kind, x), kind=kind)
        if choice == "condition":
            y = self.companion(x, extra=False)
            how = rng.choice(["({x} < {y})", "({x} >= {y})", "(!({x} <= {y}))", "({x} > 0 && {y} > 0)"])
            return self.binary(how, x, y, "bool")
        return None
