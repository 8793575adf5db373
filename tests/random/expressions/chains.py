# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains of affine maps, whose products the planner puts into another order than the one they are written in."""
from dataclasses import replace

from .case import Case
from .typed import Axis


class Chains(Case):
    """Data of some rows through two to four linear maps of known widths, with offsets and scales between them."""

    def map(self, x, width, to):
        """x times a matrix, scaled and with an offset now and then, on either side."""
        rng = self.rng
        inner, outer = Axis(x.column, f"{x.axis(x.column).number}_c"), Axis(to, f"{width}_c")
        turned = rng.random() < 0.3
        matrix = self.leaf((outer, inner) if turned else (inner, outer), x.kind, "small")
        y = self.multiply(x, self.transpose(matrix) if turned else matrix)
        if rng.random() < 0.3:
            y = self.scaled(y, rng.choice(["0.5f", "3", "-2.f", "0.125"]))
        if rng.random() < 0.6:
            along = [outer] + [a for a in x.axes if not a.matrix and rng.random() < 0.15]
            offset = self.leaf(self.shuffled(along), x.kind)
            how = rng.choice(["({x} + {y})", "({x} + {y})", "({x} - {y})", "({x} - (-{y}))"])
            y = self.binary(how, y, offset) if rng.random() < 0.7 else replace(y, text=f"({offset.text} + {y.text})")
        return y

    def chain(self, number):
        rng = self.rng
        batch = rng.choice([[], ["b"], ["b"], ["b", "n"]])
        widths = [rng.choice([16, 24, 40, 48, 56]) for _ in range(rng.choice([2, 3, 3, 4]))] + [rng.choice([1, 2, 3, 5, 8])]
        if rng.random() < 0.3:  # narrow in between, which is cheap as it is written
            widths[rng.randrange(1, len(widths))] = 4
        kind = rng.choices(["float", "double", "bf16", "f16"], [60, 20, 12, 8])[0]
        x = self.leaf(self.axes(*batch, "s", "c", c=widths[0]), kind)
        for to, width in zip(rng.sample(["e", "f", "w", "h"], len(widths) - 1), widths[1:]):
            x = self.map(x, width, to)
        end = rng.choice(["", "", "softmax", "sum", "unary"])
        if end == "softmax":
            x = self.softmax(x, x.column)
        elif end == "sum":
            x = self.reduce("sum", x, rng.choice(x.names()))
        elif end == "unary":
            x = self.unary(rng.choice(["tanh({x})", "gelu({x})", "max({x}, 0.1f)"]), x)
        return self.write(number, x, "chain")
