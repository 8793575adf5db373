# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention whose score function is random: everything that one fused kernel computes around a product of q and k."""
from dataclasses import replace

from .case import Case
from .typed import Expr, unite

STYLES = {  # dims of q, k and v
    "heads": ("b n s d", "b n t d", "b n t e"),
    "one_head": ("b s d", "b t d", "b t e"),
    "plain": ("s d", "t d", "t e"),
    "grouped": ("b g r s d", "b g t d", "b g t e"),
    "multi_query": ("b n s d", "b t d", "b t e"),
    "other_batch": ("n s d", "b t d", "b n t e"),
    "cache": ("b n s d", "b n d t", "b n t e"),
    "decode": ("b n d", "b n t d", "b n t e"),
}


class Scores(Case):
    """softmax(f(q k), t) v with a random f, and what may stand between the softmax and the values."""

    def extent_drawn(self, variable, used):
        kind = {"s_": "queries", "t_": "keys", "d_": "depth", "e_": "depth"}.get(variable, "batch")
        return f"long const {variable} = draw.{kind}({self.extents[variable][1]});"

    def attention(self, number):
        rng = self.rng
        kind = ["float", "bf16", "f16"][number % 3]
        style = rng.choices(list(STYLES), [5, 1, 1, 2, 2, 1, 2, 2])[0]
        self.axes("b", "g", "n", "r", "s", "t")  # batch first: it says how large the others may be
        head = rng.choice([8, 16, 64]) if rng.random() < 0.3 else None
        q, k, v = (self.leaf(self.shuffled(self.axes(*dims.split(), d=head)), kind, content)
                   for dims, content in zip(STYLES[style], ["numbers", "numbers", "values"]))
        if style == "decode" or rng.random() < 0.3:
            x = self.contract(*rng.choice([(q, k), (k, q)]), "d")
        else:
            x = self.multiply(q, k if k.column == "t" else self.transpose(k))
        x = self.unary(rng.choice(["({x} / 4)", "(0.25f * {x})", "({x} * 0.125)", "({x} / 2.5f)"]), x)
        self.dropped = self.finite = False  # whether some scores are minus infinity by now; whether a tensor may bring more
        for _ in range(rng.choice([1, 2, 2, 3, 3, 4])):
            x = self.step(x)
        self.finite = False
        self.lines.append(f"auto const scores = {x.text};")
        return self.write(number, replace(x, text="scores"), v, style)

    # --- the score function: each step uses x once, and what is minus infinity does not turn into plus -----
    def step(self, x):
        rng = self.rng
        how = rng.choices(["mask", "number", "term", "where"], [9, 5, 7, 3])[0]
        if how == "mask":
            mask = "%s(%s)" % (rng.choice(["keep", "keep", "drop"]), self.along_keys(self.condition(x), x).text)
            fill = rng.choice(["", "", "", "", "-1e4f", "-30", "0"])
            self.dropped = self.dropped or not fill
            return self.masked(x, mask, fill)
        if how == "number":
            forms = ["({x} + 0.5f)", "({x} / 1.5f)", "(tanh({x} / 5) * 5.f)", "(20 * tanh({x} * 0.05f))", "max({x}, -4.f)", "min({x}, 6)", "min(max({x}, -3), 3.f)",
                     "relu({x})", "silu({x})", "gelu({x})", "gelu_tanh({x})", "(6 * sigmoid({x}))", "(4.f * erf({x} * 0.5f))", "exp({x} * 0.25f)", "(1 / (abs({x}) + 0.5f))"]
            turning = ["(1 - {x})", "-{x}", "abs({x})", "(3 * sin({x}))", "log(abs({x}) + 0.5f)", "sqrt(abs({x}) + 0.25f)", "pow(abs({x}) + 0.25f, 1.5f)"]
            return self.unary(rng.choice(forms if self.dropped else forms + turning), x)
        if how == "term":
            forms = ["({x} + {y})"] * 4 + ["({x} - {y})", "({y} + {x})", "({x} / (abs({y}) + 0.5f))", "max({x}, {y})", "min({y}, {x})"]
            turning = ["({y} - {x})", "hadamard({x}, {y})", "hadamard({y}, {x})"]
            form = rng.choice(forms if self.dropped else forms + turning)
            self.finite = self.dropped and form not in ("({x} + {y})", "({y} + {x})")
            return self.binary(form, x, self.term(x))
        form = rng.choice(["where({c}, {x}, {y})", "where({c}, {y}, {x})"])
        return self.where(form, self.condition(x), x, self.term(x, 1) if rng.random() < 0.5 else None)

    def where(self, form, c, x, y):
        y = y or Expr(self.rng.choice(["0", "-2.f", "0.5"]), (), x.kind)
        return Expr(form.format(c=c.text, x=x.text, y=y.text), unite(c.axes, x.axes, y.axes), x.kind, "?", "?")

    def some(self, x, without=(), share=0.5):
        """Some of x's dims, at least one, in any order."""
        axes = [a for a in x.axes if a.name not in without]
        chosen = [a for a in axes if self.rng.random() < share] or [self.rng.choice(axes)]
        return self.shuffled(chosen) if self.rng.random() < 0.6 else tuple(self.rng.sample(chosen, len(chosen)))

    def tensor(self, x, content="numbers", without=(), share=0.5):
        # What a mask dropped stays so whatever is added to it, NaN as well: that is a law, and not the sum of the two.
        if (content == "numbers" and self.dropped) or (content == "bias" and self.finite):
            content = "values"
        return self.leaf(self.some(x, without, share), self.rng.choices(["float", "bf16", "f16"], [5, 3, 2])[0], content)

    def term(self, x, depth=0):
        """Numbers of positions and tensors, without the product."""
        rng = self.rng
        how = rng.choice(["tensor", "bias", "distance", "slope"] if depth > 1 else ["tensor", "bias", "bias", "distance", "slope", "slope", "function", "where", "pair", "table"])
        if how == "tensor":
            return self.tensor(x)
        if how == "bias":
            return self.tensor(x, "bias")
        if how == "distance":
            return self.unary(rng.choice(["(0.05f * {x})", "({x} / 16)", "({x} * 0.1)"]), self.position(x), "float")
        if how == "slope":
            return self.binary("hadamard({x}, {y})", self.tensor(x, "small", ("t",) if len(x.axes) > 1 else ()), self.position(x))
        if how == "function":
            return self.unary(rng.choice(["exp({x} * 0.1f)", "tanh({x})", "cos({x})", "sigmoid({x})", "abs({x})", "min({x}, 2.f)", "max({x}, -1)", "exp(-abs({x}))"]),
                              self.term(x, depth + 1))
        if how == "where":
            return self.where("where({c}, {x}, {y})", self.condition(x, 1), self.term(x, depth + 1), None)
        if how == "table":
            ids, n = self.position(x), rng.choice([1, 8, 33])
            batch = tuple(a for a in x.axes if not a.matrix and rng.random() < 0.4)
            table = self.leaf(self.shuffled(batch + self.axes("w", w=n)), rng.choice(["float", "bf16"]), "bias")
            return Expr(f"gather({table.text}, cast<std::int32_t>(min(max({ids.text}, 0), {n - 1})), w)", unite(ids.axes, batch), table.kind, "?", "?")
        return self.binary(rng.choice(["({x} + {y})", "({x} - {y})", "hadamard({x}, {y})", "max({x}, {y})", "min({x}, {y})"]), self.term(x, depth + 1), self.term(x, depth + 1))

    def position(self, x, depth=0):
        """Whole numbers of positions."""
        rng = self.rng
        name = rng.choices(x.names(), [3 if a.matrix else 1 for a in x.axes])[0]
        k = rng.choice([1, 2, 3, 5, 8, 30, 130])
        here = Expr(f"index({name})", (x.axis(name),), "std::int64_t")
        how = rng.choice(["plain", "shifted", "block", "remainder", "from_end", "limited", "ids"] + (["difference"] * 7 + ["sum"] if depth < 1 else []))
        if how == "shifted":
            return self.unary(rng.choice(["({x} + %d)", "({x} - %d)", "(%d - {x})"]) % k, here)
        if how == "block":
            return self.unary("floor({x} / %d)" % rng.choice([2, 4, 16, 64]), here)
        if how == "remainder":
            n = rng.choice([2, 4, 8])
            return self.unary(f"({{x}} - {n} * floor({{x}} / {n}))", here)
        if how == "from_end":
            return self.unary(f"(length({name}) - 1 - {{x}})", here)
        if how == "limited":
            return self.unary(rng.choice(["min({x}, %d)", "max({x} - %d, 0)"]) % k, here)
        if how == "ids":
            return self.leaf(self.some(x, share=0.3), rng.choice(["std::int32_t", "std::int64_t"]), "ids", rng.choice(["3", "40", "300"]))
        if how in ("difference", "sum"):
            forms = ["({x} - {y})", "({x} - {y})", "abs({x} - {y})", "(2 * {x} - 3 * {y})"] if how == "difference" else ["({x} + {y})", "min({x}, {y})", "max({x}, {y})"]
            return self.binary(rng.choice(forms), here, self.position(x, depth + 1))
        return here

    # --- conditions -------------------------------------------------------------------------------------------------
    def along_keys(self, c, x):
        """A mask has to depend on the keys."""
        if c.has("t"):
            return c
        return self.binary(self.rng.choice(["({x} && {y})", "({x} || {y})"]), c, self.key_condition(x))

    def key_condition(self, x):
        T = x.axis("t")
        how = self.rng.choice(["first", "flags", "period"])
        if how == "flags":
            return self.leaf((T,), "bool", "conditions")
        text = f"(index(t) < {self.rng.choice([1, 4, 100, 200])})" if how == "first" else "(index(t) - 4 * floor(index(t) / 4) != 1)"
        return Expr(text, (T,), "bool")

    def condition(self, x, depth=0):
        rng = self.rng
        if depth < 2 and rng.random() < 0.4:
            form = rng.choice(["({x} && {y})", "({x} && {y})", "({x} || {y})", "(!{x} || {y})", "!({x} && !{y})"])
            return self.binary(form, self.condition(x, depth + 1), self.condition(x, depth + 1))
        T, S, batch = x.axis("t"), [a for a in x.axes if a.name == "s"], tuple(a for a in x.axes if not a.matrix)
        how = rng.choice(["positions"] * 4 + ["numbers", "flags", "flags", "lengths", "lengths", "keys"] + (["causal", "causal", "causal", "window", "documents"] if S else []))
        if how == "causal":
            return Expr(rng.choice(["causal(s, t)", "causal(s, t)", "causal(s, t, bottom_right)"]), (*S, T), "bool")
        if how == "window":
            return Expr(f"window(s, t, {rng.choice([0, 2, 20, 140])}, {rng.choice([0, 0, 3, 50])})", (*S, T), "bool")
        if how == "documents":
            some = tuple(a for a in batch if rng.random() < 0.5)
            q, k = (self.leaf(some + (a,), "std::int64_t", "documents") for a in (*S, T))
            return self.binary("same_document({x}, {y})", q, k, "bool")
        if how == "lengths" and batch:
            n = self.leaf(self.shuffled(rng.sample(batch, 1)), rng.choice(["std::int32_t", "std::int64_t"]), "lengths", T.extent)
            return Expr(rng.choice(["!padding(t, %s)", "(index(t) < %s)", "(%s > index(t))", "padding(t, %s)"]) % n.text, unite(n.axes, (T,)), "bool")
        if how == "flags":
            return self.leaf(self.some(x), "bool", "conditions")
        if how == "numbers":
            return self.unary(rng.choice(["({x} < 1.f)", "({x} >= -0.5f)", "(0 != {x})"]), self.tensor(x, share=0.3), "bool")
        if how == "keys":
            return self.key_condition(x)
        a = self.position(x)
        sign = rng.choice(["<", "<=", ">", ">=", "<=", "==", "!="])
        if rng.random() < 0.4:
            return self.binary("({x} %s {y})" % sign, a, self.position(x), "bool")
        return self.unary("({x} %s %d)" % (sign, rng.choice([0, 1, 3, 9, 50, 150])), a, "bool")

    # --- weights and results ------------------------------------------------------------------------------------
    def write(self, number, x, v, style):
        rng = self.rng
        results = []
        if style != "plain" and rng.random() < 0.08:  # no softmax: its mask leaves zeros
            w = rng.choice([lambda: self.unary("sigmoid({x})", x), lambda: self.where("where({c}, {x}, {y})", self.condition(x), x, Expr("0", (), x.kind))])()
        else:
            w = self.weights(x)
            if rng.random() < 0.35:
                results.append("logsumexp(scores, t)")
        if rng.random() < 0.3:
            self.lines.append(f"auto const weights = {w.text};")
            w = replace(w, text="weights")
            results.append("weights")
        product = w.oriented and w.column == "t" and v.row == "t" and rng.random() < 0.6
        out = self.multiply(w, v) if product else self.contract(*rng.choice([(w, v), (w, v), (v, w)]), "t")
        lines = self.declarations(f"{out.text} {' '.join(results)}")
        lines.append(f"draw.check({', '.join([out.text] + results)});")
        return "\n".join([f"void score_{number:03}(score_drawing& draw) {{", *("  " + line for line in lines), "}",
                          f"TEST(random_scores, {number:03}) {{ run({number}, score_{number:03}); }}"])

    def weights(self, x):
        rng = self.rng
        how = rng.choice(["", "", "zeros", "uniform", "uniform", "nan", "sink"])
        if how == "sink" and len(x.axes) > 1:
            w = replace(x, text=f"softmax(scores, t, sink({self.tensor(x, 'factors', without=('t',)).text}))", row="?", column="?")
        else:
            w = self.softmax(x, "t", "" if how == "sink" else how)
        after = rng.choices(["nothing", "dropout", "gain", "gate", "divided", "own_gain"], [10, 5, 2, 2, 1, 1])[0]
        if after == "dropout":
            return self.unary("dropout({x}, %s, %d)" % (rng.choice(["0.1", "0.5", "0.0"]), rng.randint(1, 10**6)), w)
        # finite factors: they may be taken out of the sum, and of what is masked none is read
        if after == "gain":
            return self.binary("hadamard({x}, {y})", w, self.tensor(x, "factors", share=0.6))
        if after == "gate" and len(x.axes) > 1:
            return self.binary("hadamard({y}, {x})", w, self.tensor(x, "factors", without=("t",)))
        if after == "divided" and len(x.axes) > 1:
            return self.binary("({x} / (abs({y}) + 1))", w, self.tensor(x, "factors", without=("t",)))
        if after == "own_gain":
            return replace(w, text=f"hadamard({w.text}, sigmoid(logsumexp(scores, t)))")
        return w
