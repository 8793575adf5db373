#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times this library beside others: same shapes, threads and machine, all taking turns, ceilings measured in between.

    make bench [BENCH_FLAGS='--quick --only forward/f32']

Prints one table and writes it, with every median as JSON, to bench/results/. Each case goes several rounds; in a round
the ceilings, every build of ours and every peer have one turn. A ratio is the median of the rounds' ratios, so that a
machine that drifts meets both sides alike.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import extras
import report
from workers import HERE, Ours, Peer

PEERS = ("pytorch", "flex", "onnxruntime", "openvino")
KINDS = ("forward", "score", "decode", "short", "phase")


def common_options(description, rounds, seconds):
    """A parser of what every comparison takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", action="append", default=[], type=pathlib.Path, metavar="FOLDER",
                        help="build folder of ours; several make several columns, the first is compared")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each side ({rounds})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"least time of a turn ({seconds})")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--quick", action="store_true", help="one round of small cases, short turns")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results", help="folder for table and JSON")
    parser.add_argument("--cache", type=pathlib.Path, default=HERE.parent / "build" / "bench-cache",
                        help="folder for what peers compile and for inputs")
    return parser


def options():
    """What the command line asks for."""
    parser = common_options(__doc__.splitlines()[0], rounds=5, seconds=0.3)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1], help="numbers of workers (2 1)")
    chosen = parser.parse_args()
    chosen.build = chosen.build or [HERE.parent / "build" / "bench"]
    if chosen.quick:
        chosen.rounds, chosen.threads, chosen.seconds = 1, chosen.threads[:1], 0.05
    return chosen


def listing(program):
    """What a build says of itself: its compiler and all its cases."""
    return json.loads(subprocess.run([program, "--list"], check=True, capture_output=True).stdout)


def small(case):
    """Whether a case belongs to a quick run."""
    return case["flops"] < 5e9 and case["keys"] <= 16384


def plain_of(case, cases):
    """The plain attention that a score function is compared with."""
    if case["kind"] != "score":
        return None
    same = ("dtype", "batch", "heads", "queries", "keys", "depth")
    return next(other for other in cases if other["kind"] == "forward" and other["score"] == "full"
                and all(other[key] == case[key] for key in same))


def ceilings_of(case, ceilings):
    """The ceilings that a case is seen beside: bandwidth for what is read once, operations for the rest."""
    if case["kind"] == "decode":
        return [ceiling for ceiling in ceilings if ceiling["bytes"] > 0]
    best = [ceiling for ceiling in ceilings if ceiling["name"].endswith(f"/{case['dtype']}")]
    return best or [ceiling for ceiling in ceilings if ceiling["name"].endswith("/f32")]


def measured(case, plain, ceilings, ours, peers, rounds, gauge=None):
    """All rounds of a case: a list of seconds for every column, every ceiling and every column's plain attention.

    The ceilings are measured by the gauge, else by the first of ours.
    """
    seconds, beside, base, errors = {}, {}, {}, {}

    def turn(worker, what, into, name):
        if worker.column in errors:
            return
        answer = worker.time(what)
        if "error" in answer:
            errors[worker.column] = answer["error"]
            into.pop(name, None)
        else:
            into.setdefault(name, []).append(answer["seconds"])

    for _ in range(rounds):
        for ceiling in ceilings:
            turn(gauge or ours[0], ceiling, beside, ceiling["name"])
        for worker in [*ours, *(peers if case["kind"] != "phase" else [])]:
            turn(worker, case, seconds, worker.column)
            if plain:  # only those who could do the case
                turn(worker, plain, base, worker.column)
    return {"seconds": seconds, "ceilings": beside, "plain": base, "errors": errors}


def rates(case, plain, ceilings, first, found):
    """Medians, and the ratios to the first column that the table shows, each the median of the rounds' own."""
    kept = ("name", "kind", "dtype", "score", "depth", "kept", "flops", "bytes")
    row = {key: case[key] for key in kept if key in case}
    row["medians"] = {column: statistics.median(all_) for column, all_ in found["seconds"].items()}
    row["errors"] = found["errors"]
    row["rounds"] = found["seconds"]
    row["ceilings"] = {}
    for ceiling in ceilings:
        times = found["ceilings"].get(ceiling["name"], [])
        if times:
            row["ceilings"][ceiling["name"]] = max(ceiling["flops"], ceiling["bytes"]) / statistics.median(times)
    row["times_as_fast"] = {}
    for column, times in found["seconds"].items():
        if column != first and first in found["seconds"]:
            row["times_as_fast"][column] = statistics.median(b / a for a, b in zip(found["seconds"][first], times))
    if plain:
        scale = plain["kept"] / case["kept"]
        row["over_plain"] = {
            column: statistics.median(scale * a / b for a, b in zip(times, found["plain"][column]))
            for column, times in found["seconds"].items() if found["plain"].get(column)
        }
    return row


def machine():
    """What the figures were measured on."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GiB": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def write(results, folder, of, text):
    """Writes table and JSON under the same name: the date's and that of what was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub("[^a-z0-9]+", "-", of.lower()).strip("-")
    path = folder / f"{results['date']}-{slug}"
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return path


def main():
    chosen = options()
    builds = [listing(folder / "bin" / "bench") for folder in chosen.build]
    cases = builds[0]["cases"]
    ceilings = [case for case in cases if case["kind"] == "ceiling"]
    wanted = [case for case in cases if case["kind"] in KINDS and re.search(chosen.only, case["name"])
              and (small(case) or not chosen.quick)]
    for case in cases:
        case["constants"] = builds[0]["scores"]

    columns = [build["compiler"] for build in builds]
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "ours": [{key: build[key] for key in ("compiler", "flags", "vectors")} for build in builds],
        "peers": {},
        "peers_missing": {},
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
        "threads": chosen.threads,
        "columns": [*columns, *PEERS],
        "cases": [],
    }
    chosen.cache.mkdir(parents=True, exist_ok=True)
    for threads in chosen.threads:
        ours = [Ours(column, folder / "bin" / "bench", f"--threads={threads}", f"--benchmark_min_time={chosen.seconds}")
                for column, folder in zip(columns, chosen.build)]
        peers = [Peer(name, threads, chosen.seconds, chosen.cache) for name in PEERS]
        try:
            for i, case in enumerate(wanted):
                print(f"  {threads} threads, {i + 1} of {len(wanted)}: {case['name']}", file=sys.stderr, flush=True)
                plain, beside = plain_of(case, cases), ceilings_of(case, ceilings)
                found = measured(case, plain, beside, ours, peers, chosen.rounds)
                row = rates(case, plain, beside, columns[0], found)
                results["cases"].append({"threads": threads, **row})
                results["peers"].update({worker.column: worker.version for worker in peers})
                results["peers_missing"] = {worker.column: worker.refusal for worker in peers if worker.refusal}
                # so that a run cut short leaves what it had
                write(results, chosen.results, results["machine"]["cpu"], report.table(results))
        finally:
            for worker in [*ours, *peers]:
                worker.end()
    results.update(extras.all_of(chosen))
    text = report.table(results)
    path = write(results, chosen.results, results["machine"]["cpu"], text)
    print(text)
    plot = [sys.executable, HERE / "plot.py", path.with_suffix(".json")]
    if subprocess.run(plot, stderr=subprocess.DEVNULL).returncode:
        print("  no plot: matplotlib is missing or failed", file=sys.stderr)
    print(f"Written to {path}.md and {path.name}.json", file=sys.stderr)


if __name__ == "__main__":
    main()
