#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes random typed expressions of the language as C++ test files.

The generator tracks dims, extents, row and column and element type as the language defines them, so that what it writes
is valid. Seeds are fixed: one seed, one set of files.

    generate.py FOLDER --cases 216 --per-file 12 --seed 1 [--list]
"""
import argparse
import os
import random
import re
from dataclasses import dataclass, field, replace

MATRIX = ["s", "t", "d", "e", "c", "f", "h", "w", "word"]
BATCH = ["b", "n", "g", "r", "head"]
FLOAT_RANK = {"bf16": 3, "f16": 3, "float": 4, "double": 5}


def is_float(kind):
    return kind in FLOAT_RANK


def joined_type(a, b):
    """The element type of an operation on tensors of a and b."""
    rank = {"bool": 0, "std::int32_t": 1, "std::int64_t": 2, **FLOAT_RANK}
    if {a, b} == {"bf16", "f16"}:
        return "float"
    return a if rank[a] >= rank[b] else b


@dataclass(frozen=True)
class Axis:
    name: str  # s, or prime(s)
    extent: str  # a C++ expression, or 16_c

    @property
    def matrix(self):
        return self.base in MATRIX

    @property
    def base(self):
        return self.name.replace("prime(", "").replace(")", "")

    @property
    def number(self):
        return self.extent.removesuffix("_c")


@dataclass(frozen=True)
class Expr:
    text: str
    axes: tuple
    kind: str  # element type
    row: str = ""  # both empty: no orientation; "?": the operands disagree
    column: str = ""

    def has(self, name):
        return any(a.name == name for a in self.axes)

    def axis(self, name):
        return next(a for a in self.axes if a.name == name)

    def names(self):
        return [a.name for a in self.axes]

    def matrix(self):
        return [a.name for a in self.axes if a.matrix]

    @property
    def oriented(self):
        return self.row not in ("", "?")


def natural(axes):
    m = [a.name for a in axes if a.matrix]
    return (m[0], m[1]) if len(m) == 2 else ("", "")


def unite(*lists):
    axes = []
    for a in lists:
        for axis in a:
            known = [x for x in axes if x.name == axis.name]
            assert not known or known[0].number == axis.number, "extents disagree"
            if not known:
                axes.append(axis)
    return tuple(axes)


def join_orientation(x, y):
    a, b = (x.row, x.column), (y.row, y.column)
    if a == b or b == ("", ""):
        return a
    if a == ("", ""):
        return b
    return ("?", "?")


def fresh(name, taken):
    while name in taken:
        name = f"prime({name})"
    return name


class Case:
    """One test: extents, leaves and an expression of them."""

    def __init__(self, rng):
        self.rng = rng
        self.extents = {}  # variable -> how it is drawn
        self.leaves = []
        self.lines = []
        self.spelled_out = False
        self.second = ""  # another result of the same evaluation

    # --- extents and leaves -------------------------------------------------------------------------------------
    def extent(self, name, static=None, at_least=0):
        if static:
            return f"{static}_c"
        variable = f"{name}_"
        kind = "matrix" if name in MATRIX else "batch"
        self.extents.setdefault(variable, [kind, 0])
        self.extents[variable][1] = max(self.extents[variable][1], at_least)
        return variable

    def axes(self, *names, **static):
        return tuple(Axis(n, self.extent(n, static.get(n))) for n in names)

    def bound_to_a_name(self, x):
        """x under a name, for expressions that use it more than once."""
        if x.text.isidentifier():
            return x
        name = f"y{len(self.lines)}"
        self.lines.append(f"auto const {name} = {x.text};")
        return replace(x, text=name)

    def nonempty(self, text):
        for variable in self.extents:
            if variable in text:
                self.extents[variable][1] = 1

    def leaf(self, axes, kind, content="numbers", argument=""):
        name = f"x{len(self.leaves)}"
        given = ", ".join(([argument] if argument else []) + [f"{a.name} = {a.extent}" for a in axes])
        self.leaves.append(f"auto const {name} = draw.{content}<{kind}>({given});")
        return Expr(name, tuple(axes), kind, *natural(axes))

    def shuffled(self, axes):
        """Another storage order with the matrix dims in the order given: rows and columns stay."""
        order = list(axes)
        self.rng.shuffle(order)
        matrix = iter([a for a in axes if a.matrix])
        return tuple(next(matrix) if a.matrix else a for a in order)

    def pick_float(self):
        return self.rng.choices(["float", "bf16", "f16", "double"], [50, 26, 12, 12])[0]

    # --- the language -------------------------------------------------------------------------------------------
    def binary(self, how, x, y, kind=None):
        axes = unite(x.axes, y.axes)
        return Expr(how.format(x=x.text, y=y.text), axes, kind or joined_type(x.kind, y.kind), *join_orientation(x, y))

    def unary(self, how, x, kind=None):
        return replace(x, text=how.format(x=x.text), kind=kind or x.kind)

    def scaled(self, x, number):
        styles = ["{x} * %s" % number, "%s * {x}" % number]
        return self.unary("(" + self.rng.choice(styles) + ")", x)

    def transpose(self, x):
        return replace(x, text=f"transpose({x.text})", row=x.column, column=x.row)

    def multiply(self, x, y):
        """x * y of two oriented matrices."""
        assert x.oriented and y.oriented and len(x.matrix()) == 2 and len(y.matrix()) == 2
        assert x.column.replace("prime(", "").strip(")") == y.row.replace("prime(", "").strip(")")
        taken = set(x.names()) | set(y.names())
        inner = x.column
        if x.column != y.row and y.has(x.column):
            inner = fresh(f"prime({x.column})", taken)
        column = fresh(f"prime({y.column})", taken | {inner}) if y.column == x.row else y.column
        ax = [replace(a, name=inner) if a.name == x.column else a for a in x.axes]
        ay = [replace(a, name=column) if a.name == y.column else replace(a, name=inner) if a.name == y.row else a for a in y.axes]
        return Expr(f"({x.text} * {y.text})", self.contracted(ax, ay, [inner]), joined_type(x.kind, y.kind), x.row, column)

    def contracted(self, ax, ay, over):
        unite(ax, ay)
        others = [a for a in ay if a.name not in over and a.name not in [q.name for q in ax]]
        brought = [a for a in others if a.matrix]
        result, placed = [], False
        for a in ax:
            if a.name not in over:
                result.append(a)
            elif not placed:
                result += brought
                placed = True
        return tuple(result + [a for a in others if not a.matrix])

    def contract(self, x, y, *over):
        return Expr(f"contract({x.text}, {y.text}, {', '.join(over)})", self.contracted(x.axes, y.axes, over), joined_type(x.kind, y.kind))

    def reduce(self, how, x, *over):
        axes = tuple(a for a in x.axes if a.name not in over)
        if len(over) == 1 and x.column == over[0] and self.rng.random() < 0.4:
            text = f"{how}({x.text})"
        else:
            text = f"{how}({x.text}, {', '.join(over)})"
        kind = x.kind if is_float(x.kind) or how not in ("mean", "logsumexp") else "float"
        return Expr(text, axes, kind, *natural(axes))

    def softmax(self, x, over, policy=""):
        row, column = x.row, x.column
        default = x.column == over and self.rng.random() < 0.5
        if row == "" and len(x.matrix()) == 2 and over in x.matrix():
            row, column = next(m for m in x.matrix() if m != over), over
        rest = [] if default else [over]
        if policy:
            rest.append(f"empty_row::{policy}")
        return replace(x, text=f"softmax({', '.join([x.text] + rest)})", row=row, column=column)

    def kept(self, row, column, axes, row_name="", column_name=""):
        return (row, column) if row in [a.name for a in axes] and column in [a.name for a in axes] else natural(axes)

    def split(self, x, name, parts):
        """parts: list of axes; the last one's extent is left to be inferred now and then."""
        axes = []
        for a in x.axes:
            axes += parts if a.name == name else [a]
        shown = [f"{p.name} = {p.extent}" for p in parts]
        if self.rng.random() < 0.5:
            shown[-1] = parts[-1].name
            if not parts[-1].extent.endswith("_c") or not x.axis(name).extent.endswith("_c"):
                axes = [replace(a, extent=a.number) if a.name == parts[-1].name else a for a in axes]
                self.nonempty(" ".join(p.number for p in parts[:-1]))
        axes = tuple(axes)
        return Expr(f"split({x.text}, {name}, {', '.join(shown)})", axes, x.kind, *self.kept(x.row, x.column, axes))

    def merge(self, x, parts, name):
        extents = [x.axis(p).extent for p in parts]
        static = all(e.endswith("_c") for e in extents)
        total = "*".join(e.removesuffix("_c") for e in extents)
        merged = Axis(name, f"{eval(total)}_c" if static else f"({total})")
        last = max(range(len(x.axes)), key=lambda i: (x.axes[i].name == parts[-1]))
        axes = tuple(merged if i == last else a for i, a in enumerate(x.axes) if i == last or a.name not in parts)
        return Expr(f"merge({x.text}, {', '.join(parts)}, {name})", axes, x.kind, *natural(axes))

    def masked(self, x, mask, fill=""):
        more = f", {fill}" if fill else ""
        return self.unary("masked({x}, %s%s)" % (mask, more), x, x.kind if is_float(x.kind) else "float")

    # --- masks --------------------------------------------------------------------------------------------------
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

    # --- attention ----------------------------------------------------------------------------------------------
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

    # --- anything -----------------------------------------------------------------------------------------------
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

    # --- output -------------------------------------------------------------------------------------------------
    def write(self, number, x):
        lines, needed = [], f"{x.text} {self.second}"
        for line in reversed(self.leaves + self.lines):
            name = line.split()[2]
            if re.search(rf"\b{name}\b", needed):
                lines.insert(0, line)
                needed += line.partition("=")[2]
        used = [v for v in self.extents if re.search(rf"\b{v}\b", needed)]
        matrix = sum(1 for v in used if self.extents[v][0] == "matrix")
        out = [f"void expression_{number:03}(drawing& draw) {{"]
        for v in used:
            kind, least = self.extents[v]
            out.append(f"  long const {v} = draw.{kind}({least}{f', {matrix}' if kind == 'matrix' else ''});")
        out += ["  " + line for line in lines]
        if self.spelled_out:
            out.append("  draw.spelled_out();")
        out.append(f"  draw.check<{len(x.axes)}>({', '.join(filter(None, [x.text, self.second]))});")
        out.append("}")
        out.append(f"TEST(random_expressions, {number:03}) {{ run({number}, expression_{number:03}); }}")
        return "\n".join(out)


HEADER = """// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Written by generate.py; expressions {first} to {last} of seed {seed}.
#include "harness.hpp"

namespace {{
using namespace attend;
using namespace attend::dims;
using namespace attend::literals;
using namespace attend::random_test;

"""


def make(seed, number):
    """Expression `number`: two of three are attention, one is anything. Drawn again where the walk led nowhere."""
    for attempt in range(100):
        rng = random.Random(f"{seed}.{number}.{attempt}")
        case = Case(rng)
        try:
            x = case.attention() if number % 3 else case.anything()
        except (AssertionError, StopIteration):
            continue
        if len(x.axes) <= 5 and len(set(x.names())) == len(x.axes):
            return case.write(number, x)
    raise SystemExit(f"no valid expression for number {number}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--cases", type=int, default=216)
    parser.add_argument("--per-file", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the files' names only")
    given = parser.parse_args()
    for first in range(0, given.cases, given.per_file):
        last = min(first + given.per_file, given.cases)
        path = os.path.join(given.folder, f"expressions_{first // given.per_file:02}.cpp")
        if given.list:
            print(path)
            continue
        body = HEADER.format(first=first, last=last - 1, seed=given.seed)
        body += "\n".join(make(given.seed, i) + "\n" for i in range(first, last)) + "\n} // namespace\n"
        os.makedirs(given.folder, exist_ok=True)
        if not os.path.exists(path) or open(path).read() != body:
            with open(path, "w") as f:
                f.write(body)


if __name__ == "__main__":
    main()
