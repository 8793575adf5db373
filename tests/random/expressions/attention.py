# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention in its many spellings: how heads are stored, where the scale stands, what surrounds the softmax."""
from dataclasses import replace

from .masks import Masks
from .typed import Axis, Expr


class Attention(Masks):
    """An attention, now and then with more before and after it."""

    def attention(self):
        rng = self.rng
        kind = self.pick_float()
        head = rng.choice([4, 8, 16, 32, 64]) if rng.random() < 0.65 else None
        style = rng.choice(["heads", "heads", "heads", "plain", "batch", "grouped", "grouped_split", "multi_query", "self", "self_one", "packed", "sliced", "cache", "cross_dims", "many_heads", "decode", "user"])
        s, t, d, e = "s", "t", "d", "e"
        ax = lambda *names: self.axes(*names, d=head)
        values = ("e",) if rng.random() < 0.6 else ("d",)
        if style == "heads":
            q, k, v = ax("b", "n", "s", "d"), ax("b", "n", "t", "d"), ax("b", "n", "t", *values)
        elif style == "plain":
            q, k, v = ax("s", "d"), ax("t", "d"), ax("t", *values)
        elif style == "batch":
            q, k, v = ax("b", "s", "d"), ax("b", "t", "d"), ax("b", "t", *values)
        elif style in ("grouped", "grouped_split"):
            q, k, v = ax("b", "g", "r", "s", "d"), ax("b", "g", "t", "d"), ax("b", "g", "t", *values)
        elif style == "multi_query":
            q, k, v = ax("b", "n", "s", "d"), ax("b", "t", "d"), ax("b", "t", *values)
        elif style == "cache":
            q, k, v = ax("b", "n", "s", "d"), ax("b", "n", "d", "t"), ax("b", "n", "t", *values)
        elif style == "decode":
            return self.decode(kind, ax, values)
        elif style == "user":
            q, k, v = ax("b", "head", "word", "d"), ax("b", "head", "t", "d"), ax("b", "head", "t", *values)
            s = "word"
        elif style == "cross_dims":
            q, k, v = ax("n", "s", "d"), ax("b", "t", "d"), ax("b", "n", "t", *values)
        elif style == "many_heads":
            q, k, v = ax("b", "g", "n", "s", "d"), ax("b", "n", "t", "d"), ax("g", "n", "t", *values)
        else:
            q = k = v = ax("b", "n", "s", "d") if style in ("self", "packed") else ax("b", "s", "d")
            if style == "sliced" and not head:
                head = 8
            t = "s"
        if style == "grouped_split":
            per = rng.choice([2, 3, 4])
            whole = tuple(Axis("n", f"({per}*g_)") if a.name == "g" else a for a in q if a.name != "r")
            q = self.split(self.leaf(self.shuffled(whole), kind), "n", [Axis("g", "g_"), Axis("r", f"{per}_c")])
            self.extents.pop("r_", None)
        elif style == "packed":
            heads = rng.choice([1, 2, 3])
            self.extents.pop("n_", None)
            width = f"{3 * heads * head}_c" if head else f"({3 * heads}*d_)"
            x = self.leaf(self.axes("b", "s") + (Axis("c", width),), kind)
            parts = [Axis("part", "3_c"), Axis("n", f"{heads}_c"), Axis("d", f"{head}_c" if head else "d_")]
            rng.random()
            text = f"split({x.text}, c, part = 3_c, n = {heads}_c, d)"
            self.lines.append(f"auto const packed = {text};")
            axes = (x.axes[0], x.axes[1], parts[1], parts[2])
            q, k, v = (Expr(f"at(packed, part, {i})", axes, kind, "s", "d") for i in range(3))
        elif style == "sliced":
            x = self.leaf(self.axes("b", "s") + (Axis("c", f"{3 * head}_c"),), kind)
            axes = x.axes[:2] + (Axis("d", f"{head}_c"),)
            q, k, v = (Expr(f"rename(slice({x.text}, c, {i * head}_c, {(i + 1) * head}_c), c, d)", axes, kind, "s", "d") for i in range(3))
        else:
            q = self.leaf(self.shuffled(q), kind)
        if style == "self_one" and rng.random() < 0.5:
            k = v = q
        elif style not in ("packed", "sliced"):
            k = self.leaf(self.shuffled(k), kind)
            if t != "s" and rng.random() < 0.15:
                v = tuple(a for a in v if not a.matrix) + tuple(reversed([a for a in v if a.matrix]))
            v = self.leaf(self.shuffled(v), kind if rng.random() < 0.9 else "float")
            if v.row != t and t != "s":
                v = self.transpose(v)
        scale = rng.choice(["0.25f", "0.125", "0.3f"])
        place = rng.choice(["q", "k", "scores", "scores", "divide", "both", "none"])
        if place in ("q", "both"):
            q = self.scaled(q, scale)
        if place == "k":
            k = self.scaled(k, scale)
        turned = k if style == "cache" else self.transpose(k)
        if t == "s":
            x = self.multiply(q, turned)
            t = x.column
            if rng.random() < 0.3:
                renamed = replace(k, text=f"rename({k.text}, s, prime(s))", axes=tuple(replace(a, name="prime(s)") if a.name == "s" else a for a in k.axes))
                x = self.contract(q, renamed, "d")
        else:
            how = rng.choice(["product", "product", "product", "contract", "contract_swapped", "turned"])
            if how == "product":
                x = self.multiply(q, turned)
            elif how == "contract":
                x = self.contract(q, k, "d")
            elif how == "contract_swapped":
                x = self.contract(k, q, "d")
            else:
                x = self.transpose(self.multiply(self.transpose(turned) if style == "cache" else k, self.transpose(q)))
        if place == "scores":
            x = self.scaled(x, scale)
        elif place == "divide":
            x = self.unary("({x} / %s)" % rng.choice(["4.f", "8", "2.5"]), x)
        for _ in range(rng.choice([0, 1, 1, 2, 2, 3])):
            x = self.score_step(x, s, t)
        if not x.oriented and rng.random() < 0.3:
            x = replace(x, text=f"oriented({x.text}, {s}, {t})", row=s, column=t)
        return self.attend(x, v, s, t)

    def decode(self, kind, ax, values):
        """One query a head: no row dim at all."""
        rng = self.rng
        q = self.leaf(self.shuffled(ax("b", "n", "d")), kind)
        k, v = self.leaf(self.shuffled(ax("b", "n", "t", "d")), kind), self.leaf(self.shuffled(ax("b", "n", "t", *values)), kind)
        x = self.contract(q, k, "d") if rng.random() < 0.5 else self.contract(k, q, "d")
        if rng.random() < 0.7:
            x = self.scaled(x, "0.25f")
        if rng.random() < 0.5:
            lengths = self.leaf((x.axis("b"),), "std::int64_t", "lengths", x.axis("t").number)
            x = self.masked(x, rng.choice(["drop(padding(t, %s))", "keep(index(t) < %s)"]) % lengths.text)
        if rng.random() < 0.4:
            x = self.binary("({x} + {y})", x, self.leaf((x.axis("n"), x.axis("t")), kind, "bias"))
        w = replace(x, text=f"softmax({x.text}, t)")
        return self.contract(w, v, "t") if rng.random() < 0.7 else self.contract(v, w, "t")

    def attend(self, x, v, s, t):
        rng = self.rng
        how = rng.choice(["softmax"] * 8 + ["hand", "hand", "lse", "late", "late", "sigmoid", "relu", "linear"])
        policy = rng.choice(["", "", "", "zeros", "uniform", "nan"])
        late = None
        if how == "softmax":
            w = self.softmax(x, t, policy)
        elif how in ("hand", "late", "lse"):
            self.spelled_out = True
            self.lines.append(f"auto const scores = {x.text};")
            x = replace(x, text="scores")
            if how == "lse":
                w = self.unary("exp({x} - logsumexp({x}, %s))" % t, x)
            elif how == "hand":
                self.lines.append(f"auto const terms = exp(scores - max(scores, {t}));")
                w = self.unary("(terms / sum(terms, %s))" % t, x)
            else:
                shift = rng.choice([f"exp(scores - max(scores, {t}))", "exp(scores)"]) if x.kind != "f16" else f"exp(scores - max(scores, {t}))"
                self.lines.append(f"auto const terms = {shift};")
                w, late = replace(x, text="terms"), f"sum(terms, {t})"
        elif how == "sigmoid":
            w = self.unary("sigmoid({x})", x)
        elif how == "relu":
            w = self.unary("relu({x})", x)
        else:
            w = x
        if how == "softmax" and rng.random() < 0.15:
            w = self.unary("dropout({x}, %s, %d)" % (rng.choice(["0.1", "0.5", "0.25"]), rng.randint(1, 10**6)), w)
        if rng.random() < 0.1:
            return w
        if how == "softmax" and rng.random() < 0.15:
            self.lines.append(f"auto const weights = {w.text};")
            w = replace(w, text="weights")
            self.second = "weights"
        if how == "lse" and rng.random() < 0.5:
            self.second = f"logsumexp(scores, {t})"
        source = next(a.name for a in v.axes if a.base == t.replace("prime(", "").strip(")"))
        if source != t:
            product = w.oriented and rng.random() < 0.8
            if product:
                out = self.multiply(w, v)
            else:
                renamed = replace(v, text=f"rename({v.text}, {source}, {t})", axes=tuple(replace(a, name=t) if a.name == source else a for a in v.axes))
                out = self.contract(w, renamed, t)
        elif w.oriented and w.column == t and rng.random() < 0.6:
            out = self.multiply(w, v)
        elif rng.random() < 0.7:
            out = self.contract(w, v, t)
        else:
            out = self.contract(v, w, t)
        if late:
            out = self.unary("({x} / %s)" % late, out)
        return self.after(out)

    def after(self, x):
        """What follows attention: scaling, residuals, heads merged, an output layer."""
        rng = self.rng
        matrix = [a for a in x.axes if a.matrix]
        for _ in range(rng.choice([0, 0, 1, 2])):
            choice = rng.choice(["scale", "residual", "merge", "layer", "activation", "cast", "gate"])
            if choice == "scale":
                x = self.scaled(x, "0.5f")
            elif choice == "activation":
                x = self.unary(rng.choice(["gelu({x})", "relu({x})", "tanh({x})", "({x} + 1.f)"]), x)
            elif choice == "cast":
                kind = rng.choice(["float", "bf16", "double"])
                x = self.unary("cast<%s>({x})" % kind, x, kind)
            elif choice in ("residual", "gate") and len(matrix) == 2:
                axes = self.shuffled(x.axes)
                y = self.leaf(axes, x.kind)
                if x.oriented and y.oriented and (x.row, x.column) != (y.row, y.column):
                    y = self.transpose(y)
                x = self.binary("({x} + {y})" if choice == "residual" else "hadamard({x}, {y})", x, y)
            elif choice == "merge":
                heads = [a.name for a in x.axes if a.name in ("n", "g")]
                width = [a.name for a in x.axes if a.name in ("d", "e")]
                if len(heads) == 1 and width and not x.has("c"):
                    x = self.merge(x, [heads[0], width[0]], "c")
            elif choice == "layer" and len(x.matrix()) == 2:
                column = x.column if x.oriented else x.matrix()[-1]
                if x.has("f") or "prime" in column:
                    continue
                weight = self.leaf((x.axis(column),) + self.axes("f"), x.kind, "small")
                x = self.multiply(x, weight) if x.oriented else self.contract(x, weight, column)
                if rng.random() < 0.7:
                    x = self.binary("({x} + {y})", x, self.leaf(self.axes("f"), x.kind))
            matrix = [a for a in x.axes if a.matrix]
        return x
