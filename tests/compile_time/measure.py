#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what a file costs a compiler beyond what its includes cost, in processor time.

    measure.py --target MS [--limit MS] [--memo FILE] FILE.cpp -- COMPILER FLAGS...

The difference is divided by the number in the file's comment `// expressions: N`, one if there is none. The same
file with only its #include lines is the base. Each is the least of several runs, more of them while the figure is
above the target: other work on the machine only ever adds. Fails above the limit, which is twice the target.
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

FEWEST, MOST = 2, 7


def processor_ms(command):
    """User and system time of the command and all it starts, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure(command, source, per, target):
    """(the figure, the includes alone, the whole), milliseconds."""
    includes = [line for line in source.read_text().splitlines() if re.match(r"\s*#\s*include\b", line)]
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder) / "includes.cpp"
        base.write_text("\n".join(includes) + "\n")
        empty = whole = float("inf")
        output = ["-c", "-o", str(pathlib.Path(folder) / "unit.o")]
        for run in range(MOST):
            empty = min(empty, processor_ms([*command, *output, str(base)]))
            whole = min(whole, processor_ms([*command, *output, str(source)]))
            if run + 1 >= FEWEST and (whole - empty) / per <= target:
                break
    return (whole - empty) / per, empty, whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--memo", help="file that remembers the last success")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("command", nargs="+", help="the compiler and its flags, after --")
    arguments = parser.parse_args()
    target = arguments.target
    limit = arguments.limit or 2 * target

    count = re.search(r"//\s*expressions:\s*(\d+)", arguments.file.read_text())
    per = int(count.group(1)) if count else 1
    kept = memo.Memo(arguments.memo, arguments.command, target, limit, memo.identity(arguments.command[0])) \
        if arguments.memo else None
    sentence = kept.read() if kept else None
    if sentence:
        print(f"{sentence} (measured before, and nothing has changed since)")
        return 0

    try:
        each, empty, whole = measure(arguments.command, arguments.file, per, target)
    except subprocess.CalledProcessError as error:
        print(f"FAILED: the compiler refuses it: {error}")
        return 1
    sentence = (f"{arguments.file.name}: {each:.0f} ms each of {per} expression{'s' if per > 1 else ''} "
                f"(whole file {whole:.0f} ms, its includes {empty:.0f} ms); target {target:.0f}, limit {limit:.0f}")
    print(sentence)
    if each > limit:
        print("FAILED: above the limit")
        return 1
    if kept:
        kept.write([*memo.dependencies(arguments.command, arguments.file), __file__, memo.__file__], sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
