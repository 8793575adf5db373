#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what a file costs a compiler beyond what its includes cost, in processor time.

    measure.py --target MS [--limit MS] --yardstick FILE.cpp MS [--memo FILE] FILE.cpp -- COMPILER FLAGS...

The difference is divided by the number in the file's comment `// expressions: N`, one if there is none. The same
file with only its #include lines is the base.

Machines differ by half, and so does one machine from minute to minute. The figure is therefore given for a machine on
which the compiler takes the yardstick's milliseconds for the yardstick's file at -O2: the three take turns, and the
middle one of several turns counts, more of them while it is above the target. Fails above the limit, twice the target.
"""
import argparse
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import memo  # noqa: E402

FEWEST, MOST = 3, 7


def processor_ms(command):
    """User and system time of the command and all it starts, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure(command, source, yardstick, per, target):
    """(the figure, the includes alone, the whole, how many milliseconds here are one of the yardstick's machine), the
    times in milliseconds of that machine."""
    includes = [line for line in source.read_text().splitlines() if re.match(r"\s*#\s*include\b", line)]
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder) / "includes.cpp"
        base.write_text("\n".join(includes) + "\n")
        yardstick_file, yardstick_ms = yardstick
        output = ["-c", "-o", str(pathlib.Path(folder) / "unit.o")]
        turns = []
        while len(turns) < MOST:
            here = processor_ms([command[0], "-std=c++20", "-O2", *output, yardstick_file]) / float(yardstick_ms)
            empty = processor_ms([*command, *output, str(base)]) / here
            whole = processor_ms([*command, *output, str(source)]) / here
            turns.append(((whole - empty) / per, empty, whole, here))
            middle = sorted(turns)[len(turns) // 2]
            if len(turns) >= FEWEST and len(turns) % 2 and middle[0] <= target:
                break
    return middle


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--yardstick", nargs=2, metavar=("FILE", "MS"), required=True)
    parser.add_argument("--memo", help="file that remembers the last success")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("command", nargs="+", help="the compiler and its flags, after --")
    arguments = parser.parse_args()
    target = arguments.target
    limit = arguments.limit or 2 * target

    count = re.search(r"//\s*expressions:\s*(\d+)", arguments.file.read_text())
    per = int(count.group(1)) if count else 1
    kept = memo.Memo(arguments.memo, arguments.command, target, limit, arguments.yardstick, memo.identity(arguments.command[0])) \
        if arguments.memo else None
    sentence = kept.read() if kept else None
    if sentence:
        print(f"{sentence} (measured before, and nothing has changed since)")
        return 0

    try:
        each, empty, whole, here = measure(arguments.command, arguments.file, arguments.yardstick, per, target)
    except subprocess.CalledProcessError as error:
        print(f"FAILED: the compiler refuses it: {error}")
        return 1
    sentence = (f"{arguments.file.name}: {each:.0f} ms each of {per} expression{'s' if per > 1 else ''} "
                f"(whole file {whole:.0f} ms, its includes {empty:.0f} ms), "
                f"one of them {here:.2f} here; target {target:.0f}, limit {limit:.0f}")
    print(sentence)
    if each > limit:
        print("FAILED: above the limit")
        return 1
    if kept:
        kept.write([*memo.dependencies(arguments.command, arguments.file), arguments.yardstick[0], __file__, memo.__file__],
                   sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
