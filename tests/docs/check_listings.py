#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every C++ listing of the given pages is a region of a file that is compiled, word for word.

    check_listings.py ROOT PAGE.md...

Just before a ```cpp block stands where it comes from:     <!-- examples/quickstart.cpp:formula -->
and in that file the region lies between these comments:   // [formula]   and   // [/formula]
Indentation that all lines of the region share is dropped. Without a region the listing is the whole file but for its
licence line.
"""
import pathlib
import re
import sys
import textwrap

COMPILED = ("examples/", "tests/", "bench/", "include/", "codegen/", "kernels/")


def region(root, place):
    """The text a marker names; raises ValueError with a sentence."""
    name, _, tag = place.partition(":")
    if not name.startswith(COMPILED) or not (root / name).is_file():
        raise ValueError(f"{name} is no file that is compiled")
    text = (root / name).read_text()
    if not tag:
        return re.sub(r"\A// SPDX-[^\n]*\n", "", text)
    found = re.findall(rf"^[ \t]*// \[{re.escape(tag)}\]\n(.*?)^[ \t]*// \[/{re.escape(tag)}\]", text, re.S | re.M)
    if len(found) != 1:
        raise ValueError(f"{name} has {len(found)} regions called {tag}")
    # A region may hold others; their marks are not part of the listing.
    return textwrap.dedent(re.sub(r"^[ \t]*// \[/?\w+\]\n", "", found[0], flags=re.M))


def check(root, page):
    """(number of listings, what is wrong)"""
    lines = page.read_text().splitlines()
    count, wrong = 0, []
    for number, line in enumerate(lines):
        if not re.match(r"```\s*(cpp|c\+\+|cuda)\b", line):
            continue
        count += 1
        where = f"{page.name}:{number + 1}"
        above = next((text for text in reversed(lines[:number]) if text.strip()), "")
        marker = re.fullmatch(r"\s*<!--\s*(\S+)\s*-->\s*", above)
        if not marker:
            wrong.append(f"{where}: no <!-- file:region --> before the listing")
            continue
        end = next((i for i in range(number + 1, len(lines)) if lines[i].startswith("```")), len(lines))
        try:
            source = region(root, marker.group(1)).strip("\n").splitlines()
        except ValueError as error:
            wrong.append(f"{where}: {error}")
            continue
        listing = "\n".join(lines[number + 1:end]).strip("\n").splitlines()
        if [text.rstrip() for text in listing] != [text.rstrip() for text in source]:
            first = next((i for i, (a, b) in enumerate(zip(listing, source)) if a.rstrip() != b.rstrip()),
                         min(len(listing), len(source)))
            at = lambda text: text[first] if first < len(text) else "(end)"  # noqa: E731
            wrong.append(f"{where}: differs from {marker.group(1)} in line {first + 1}:\n"
                         f"  page: {at(listing)}\n  file: {at(source)}")
    return count, wrong


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = []
    for page in map(pathlib.Path, sys.argv[2:]):
        count, found = check(root, page)
        print(f"{page.name}: {count} listings")
        wrong += found
    for sentence in wrong:
        print(f"FAILED: {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
