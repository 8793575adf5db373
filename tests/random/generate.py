#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes random typed expressions of the language as C++ test files.

The generator tracks dims, extents, row and column and element type as the language defines them, so that what it writes
is valid. Seeds are fixed: one seed, one set of files.

    generate.py FOLDER [--kind expressions|scores|chains] --cases 216 --per-file 12 --seed 1 [--list]
"""
import argparse
import os
import random
import sys

sys.dont_write_bytecode = True
from expressions.anything import Anything
from expressions.attention import Attention
from expressions.chains import Chains
from expressions.scores import Scores

HEADER = """// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Written by generate.py; {kind} {first} to {last} of seed {seed}.
#include "{header}"

namespace {{
using namespace attend;
using namespace attend::dims;
using namespace attend::literals;
using namespace attend::random_test;

"""


def drawn_again(seed, attempt):
    """What `attempt` makes of a seed; again where the walk led nowhere."""
    for number in range(100):
        try:
            text = attempt(random.Random(f"{seed}.{number}"))
        except (AssertionError, StopIteration):
            continue
        if text:
            return text
    raise SystemExit(f"no valid expression for {seed}")


def expression(seed, number):
    """Expression `number`: two of three are attention, one is anything."""
    def attempt(rng):
        case = Attention(rng) if number % 3 else Anything(rng)
        x = case.attention() if number % 3 else case.anything()
        if len(x.axes) <= 5 and len(set(x.names())) == len(x.axes):
            return case.write(number, x)
    return drawn_again(f"{seed}.{number}", attempt)


def score(seed, number):
    """Attention `number` whose score function is random."""
    return drawn_again(f"scores.{seed}.{number}", lambda rng: Scores(rng).attention(number))


def chain(seed, number):
    """Chain `number` of affine maps."""
    return drawn_again(f"chains.{seed}.{number}", lambda rng: Chains(rng).chain(number))


KINDS = {"expressions": (expression, "harness.hpp"), "scores": (score, "scores.hpp"), "chains": (chain, "harness.hpp")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--kind", choices=KINDS, default="expressions")
    parser.add_argument("--cases", type=int, default=216)
    parser.add_argument("--per-file", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the files' names only")
    given = parser.parse_args()
    make, header = KINDS[given.kind]
    for first in range(0, given.cases, given.per_file):
        last = min(first + given.per_file, given.cases)
        path = os.path.join(given.folder, f"{given.kind}_{first // given.per_file:02}.cpp")
        if given.list:
            print(path)
            continue
        body = HEADER.format(kind=given.kind, header=header, first=first, last=last - 1, seed=given.seed)
        body += "\n".join(make(given.seed, i) + "\n" for i in range(first, last)) + "\n} // namespace\n"
        os.makedirs(given.folder, exist_ok=True)
        if not os.path.exists(path) or open(path).read() != body:
            with open(path, "w") as f:
                f.write(body)


if __name__ == "__main__":
    main()
