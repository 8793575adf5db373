# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of an expression: its dims with their extents, its row and column, its element type."""
from dataclasses import dataclass

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
