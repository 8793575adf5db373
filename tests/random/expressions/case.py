# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A test case under construction: extents, leaves, the operations of the language, and the C++ of it all."""
import re
from dataclasses import replace

from .typed import MATRIX, Axis, Expr, fresh, is_float, join_orientation, joined_type, natural, unite


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

    # --- output -------------------------------------------------------------------------------------------------
    def declarations(self, text):
        """The lines that declare what `text` uses: extents and what is made of them."""
        lines, needed = [], text
        for line in reversed(self.leaves + self.lines):
            name = line.split()[2]
            if re.search(rf"\b{name}\b", needed):
                lines.insert(0, line)
                needed += line.partition("=")[2]
        used = [v for v in self.extents if re.search(rf"\b{v}\b", needed)]
        return [self.extent_drawn(v, used) for v in used] + lines

    def extent_drawn(self, variable, used):
        """One extent; `used` are all of them."""
        kind, least = self.extents[variable]
        matrix = sum(1 for v in used if self.extents[v][0] == "matrix")
        return f"long const {variable} = draw.{kind}({least}{f', {matrix}' if kind == 'matrix' else ''});"

    def write(self, number, x, kind="expression"):
        out = self.declarations(f"{x.text} {self.second}")
        if self.spelled_out:
            out.append("draw.spelled_out();")
        out.append(f"draw.check<{len(x.axes)}>({', '.join(filter(None, [x.text, self.second]))});")
        return "\n".join([f"void {kind}_{number:03}(drawing& draw) {{", *("  " + line for line in out), "}",
                          f"TEST(random_{kind}s, {number:03}) {{ run({number}, {kind}_{number:03}); }}"])
