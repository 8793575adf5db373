# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masks of scores, and other steps of a score function."""
import re
from dataclasses import replace

from .case import Case


class Masks(Case):
    """A case that has scores."""

    def position_condition(self, s, t, depth=0):
        """A condition of positions as a user may write it."""
        rng = self.rng
        i, j = f"index({s})", f"index({t})"
        if depth < 2 and rng.random() < 0.4:
            a, b = self.position_condition(s, t, depth + 1), self.position_condition(s, t, depth + 1)
            return rng.choice([f"({a} && {b})", f"({a} || {b})", f"(!{a} || {b})", f"!({a} && !{b})"])
        k = rng.randint(0, 9)
        return rng.choice([
            f"({j} <= {i})", f"({j} < {i} + {k + 1})", f"({i} - {j} <= {k})", f"(abs({i} - {j}) <= {k})",
            f"({j} < {k})", f"({j} >= {i} - {k})", f"({i} + {j} >= {k})", f"({i} != {j})", f"({i} + {k} > {j})",
            f"(2 * {j} <= 3 * {i} + {k})", f"(min({i}, {k}) <= {j})", f"(max({j} - {k}, 0) <= {i})", f"(floor({j} / 4) == floor({i} / 4))",
            f"({j} == {i} || {j} < {k})"])

    def mask(self, x, s, t):
        """keep(...) or drop(...) for scores x of rows s and columns t."""
        rng = self.rng
        batch = [a for a in x.axes if not a.matrix]
        some = tuple(a for a in batch if rng.random() < 0.6)
        one = some[:1]
        T, S = x.axis(t), x.axis(s)
        plain = "prime" not in t and "prime" not in s
        choice = rng.choice(["causal", "right", "window", "padding", "padding_bool", "documents", "bool", "bool_batch", "user", "user", "keys", "score"])
        if choice == "causal":
            return f"keep(causal({s}, {t}))"
        if choice == "right":
            return f"keep(causal({s}, {t}, bottom_right))"
        if choice == "window":
            return f"keep(window({s}, {t}, {rng.randint(0, 8)}, {rng.randint(0, 5)}))"
        if choice == "padding":
            lengths = self.leaf(one, rng.choice(["std::int64_t", "std::int32_t"]), "lengths", f"{T.number}")
            return rng.choice([f"drop(padding({t}, {lengths.text}))", f"keep(index({t}) < {lengths.text})"])
        if choice == "padding_bool":
            return f"drop({self.leaf(self.shuffled(one + (T,)), 'bool', 'conditions').text})"
        if choice == "documents":
            kind = rng.choice(["std::int64_t", "std::int32_t"])
            a, b = self.leaf(one + (S,), kind, "ids", "3"), self.leaf(one + (T,), kind, "ids", "3")
            return f"keep(same_document({a.text}, {b.text}))"
        if choice == "bool":
            return f"{rng.choice(['keep', 'drop'])}({self.leaf((S, T), 'bool', 'conditions').text})"
        if choice == "bool_batch":
            return f"keep({self.leaf(self.shuffled(some + (S, T)), 'bool', 'conditions').text})"
        if choice == "keys":
            return f"drop({self.leaf((T,), 'bool', 'conditions').text} && index({s}) > {rng.randint(0, 3)})"
        if choice == "score" and plain:
            limit = self.leaf((T,), "float")
            return f"keep({limit.text} < {rng.choice(['1.f', '0.5f'])})"
        return f"{rng.choice(['keep', 'keep', 'drop'])}({self.position_condition(s, t)})"

    def condition_first(self, condition, x):
        """x's axes after where(condition of positions, x, ...)."""
        order = list(dict.fromkeys(re.findall(r"index\((\w+|prime\(\w+\))\)", condition)))
        return tuple(x.axis(n) for n in order) + tuple(a for a in x.axes if a.name not in order)

    def score_step(self, x, s, t):
        """One elementwise step of the score function."""
        rng = self.rng
        batch = [a for a in x.axes if not a.matrix]
        some = tuple(a for a in batch if rng.random() < 0.5)
        S, T = x.axis(s), x.axis(t)
        kind = rng.choices([x.kind, "float", "double"], [80, 17, 3])[0]
        choice = rng.choice(["mask", "mask", "mask", "fill", "cap", "alibi", "bias", "bias_turned", "bias_row", "bias_column", "scale_head", "number", "relative", "temperature", "where"])
        if choice == "mask":
            return self.masked(x, self.mask(x, s, t))
        if choice == "fill":
            return self.masked(x, self.mask(x, s, t), rng.choice(["-1e4f", "-30.f", "-1e9f"] if x.kind != "f16" else ["-1e4f", "-30.f"]))
        if choice == "cap":
            c = rng.choice(["5.f", "2.f", "20.0"])
            return self.unary(rng.choice(["tanh({x} / %s) * %s", "%s * tanh({x} / %s)"]) % (c, c), x)
        if choice == "alibi" and batch:
            slope = self.leaf(tuple(rng.sample(batch, 1)), "float", "small")
            d = rng.choice([f"(index({t}) - index({s}))", f"abs(index({s}) - index({t}))"])
            return self.binary("({x} %s {y} * %s)" % (rng.choice("+-"), d), x, slope)
        if choice in ("bias", "bias_turned"):
            axes = self.shuffled(some + ((S, T) if choice == "bias" else (T, S)))
            bias = self.leaf(axes, kind, "bias")
            if choice == "bias_turned":
                bias = self.transpose(bias)
            if x.row == "?" or (x.row and (x.row, x.column) != (s, t)):
                return x
            return self.binary("({x} + {y})", *((x, bias) if rng.random() < 0.7 else (bias, x)))
        if choice == "bias_row":
            return self.binary("({x} + {y})", x, self.leaf(some + (S,), kind))
        if choice == "bias_column":
            return self.binary("({x} + {y})", x, self.leaf(some + (T,), kind, "bias"))
        if choice == "scale_head" and batch:
            return self.binary("({x} * {y})", x, self.leaf(tuple(rng.sample(batch, 1)), "float", "positive"))
        if choice == "number":
            return self.unary(rng.choice(["({x} + 0.5f)", "({x} - 1)", "max({x}, -4.f)", "min({x}, 6.0)", "-{x}", "({x} / 1.5f)", "silu({x})", "gelu({x})"]), x)
        if choice == "relative":
            return self.unary("({x} - 0.05f * abs(index(%s) - index(%s)))" % (s, t), x)
        if choice == "temperature":
            return self.binary("({x} / {y})", x, self.leaf((S,), "float", "positive"))
        if choice == "where":
            # the condition's dims come first
            condition = self.position_condition(s, t)
            x = self.bound_to_a_name(x)
            return replace(self.unary("where(%s, {x}, {x} * 0.5f)" % condition, x), axes=self.condition_first(condition, x))
        return x
