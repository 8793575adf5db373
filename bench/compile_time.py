#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the planner adds to the compile time of the largest example: compile_time.cpp as written and planned.

    bench/compile_time.py [--build build/bench]... [--optimise LEVEL]... [--rounds N] [--results FOLDER]

Compilers and flags are those of the benchmarks' builds, the optimisation as asked for. All kinds take turns; medians of
processor time (user and system), which a busy machine changes less than time on the clock. Writes a table and JSON.
"""
import argparse
import datetime
import json
import pathlib
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile

import compare
import report

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {
    "includes": ["-DCOMPILED=0"],
    "as written": ["-DCOMPILED=1"],
    "planned": ["-DCOMPILED=2"],
    "as written, extents known": ["-DCOMPILED=1", "-DKNOWN_SIDE"],
    "planned, extents known": ["-DCOMPILED=2", "-DKNOWN_SIDE"],
}


def command_of(build, optimise):
    """The compiler of a build and the flags that it has for the image module."""
    units = json.loads((build / "compile_commands.json").read_text())
    unit = next(u for u in units if u["file"].endswith("bench/image_module.cpp"))
    words = shlex.split(unit["command"])
    words = words[next(i for i, word in enumerate(words) if "++" in word):]  # behind ccache
    kept = [word for word in words[:words.index("-o")] if not word.startswith("-O")]
    return [*kept, optimise, "-c"]


def seconds(command):
    """Processor time of a command and what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measured(command, rounds, folder):
    """The median of each kind."""
    times = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, flags in KINDS.items():
            times[kind].append(seconds([*command, *flags, "-o", folder + "/unit.o", str(HERE / "compile_time.cpp")]))
    return {kind: statistics.median(values) for kind, values in times.items()}


def table(rows):
    """A line for each compiler and optimisation."""
    header = ["compiler", "", "includes", "as written", "planned", "adds", "as written, extents known", "planned", "adds"]

    def line(row):
        s = row["seconds"]
        cells = [row["compiler"], row["optimise"], f"{s['includes']:.1f}"]
        for ending in ("", ", extents known"):
            written, planned = s["as written" + ending], s["planned" + ending]
            cells += [f"{written:.1f}", f"{planned:.1f}", f"{100 * (planned / written - 1):.0f} %"]
        return cells

    return report.aligned(header, [line(row) for row in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, action="append", help="a configured build of the benchmarks (build/bench)")
    parser.add_argument("--optimise", action="append", help="as in -OLEVEL; 1 and 3 where nothing is said")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results", help="folder of the table and the figures")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for build in chosen.build or [HERE.parent / "build" / "bench"]:
            for optimise in ["-O" + level for level in chosen.optimise or ["1", "3"]]:
                command = command_of(build, optimise)
                version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
                print(f"  {command[0]} {optimise}", file=sys.stderr, flush=True)
                rows.append({"compiler": pathlib.Path(command[0]).name, "version": version, "optimise": optimise,
                             "seconds": measured(command, chosen.rounds, folder)})
    results = {"date": datetime.date.today().isoformat(), "machine": compare.machine(), "rounds": chosen.rounds, "cases": rows}
    text = table(rows)
    print(text)
    compare.write(results, chosen.results, f"{results['machine']['cpu']} compile time",
                  "Seconds of processor time to compile an evaluation of the image module, eight heads\n\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
