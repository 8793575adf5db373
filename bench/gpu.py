#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests the library on a CUDA device and times it beside PyTorch, in under nine minutes.

    make gpu                      builds the programs into build/gpu/bin, then runs this
    python3 bench/gpu.py          where build/gpu/bin was copied from such a machine: wants no package but PyTorch

Three parts, each with a limit of its own: the device tests against the oracle, a few of them under compute-sanitizer,
and times by CUDA events. Prints one table last and writes it, with all medians as JSON, to bench/results/. Fails where a
test or a check does; without a device it says so and ends well.
"""
import argparse
import concurrent.futures
import datetime
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import gpu_report
from compare import listing, measured, rates, write
from workers import HERE, Ours, Peer

BEGIN = time.monotonic()
LIMITS = {"tests": 120, "checks": 100, "times": 300}  # seconds for each part
ALL = 520  # and for all of it, the rest of nine minutes being for what does not look at a clock
PEERS = ("flash", "cudnn", "flex")
MATMUL = {"name": "ceiling/matmul", "kind": "ceiling", "rows": 8192, "flops": 2 * 8192**3, "bytes": 0}

# compute-sanitizer's tool, the program, and part of the names of its tests
CHECKS = (
    ("memcheck", "device.attention", ""),
    ("memcheck", "device.passes", ""),
    ("memcheck", "device.rows", "softmax"),
    ("memcheck", "device.products", "bias"),
    ("memcheck", "device.evaluation", ""),
    ("memcheck", "device.fused_bf16", "bf16 80"),
    ("memcheck", "device.fused_f32", "256"),
    ("racecheck", "device.rows", "softmax"),
    ("racecheck", "device.fused_bf16", "64 causal"),
    ("racecheck", "device.fused_f16", "128 window"),
    ("racecheck", "device.fused_f32", "64 full"),
)


def say(words):
    """A line of progress."""
    print(f"[{time.monotonic() - BEGIN:4.0f} s] {words}", flush=True)


def options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build = HERE.parent / "build"
    parser.add_argument("--programs", type=pathlib.Path, default=build / "gpu" / "bin", metavar="FOLDER")
    parser.add_argument("--parts", nargs="+", choices=LIMITS, default=list(LIMITS), help="of the three (all)")
    parser.add_argument("--only", default="", metavar="REGEX", help="time only cases whose name matches")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (3)")
    parser.add_argument("--seconds", type=float, default=0.05, help="least time of a turn (0.05)")
    parser.add_argument("--limit", type=float, default=1, metavar="FACTOR", help="of the parts' limits (1)")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results", help="folder for table and JSON")
    parser.add_argument("--cache", type=pathlib.Path, default=build / "bench-cache", help="for what peers compile")
    return parser.parse_args()


def libraries():
    """The environment in which the loader finds cuBLASLt: the toolkit's, or that of PyTorch's wheels."""
    folders = [pathlib.Path(os.environ[name]) / "lib64" for name in ("CUDA_PATH", "CUDA_HOME") if name in os.environ]
    folders.append(pathlib.Path("/usr/local/cuda/lib64"))
    wheels = importlib.util.find_spec("nvidia")
    for folder in wheels.submodule_search_locations if wheels else ():
        folders += [pathlib.Path(folder) / "cu13" / "lib", pathlib.Path(folder) / "cublas" / "lib"]
    found = [str(folder) for folder in folders if (folder / "libcublasLt.so.13").exists()]
    return {"LD_LIBRARY_PATH": ":".join(filter(None, [os.environ.get("LD_LIBRARY_PATH"), *found]))} if found else {}


def run(command, environment, limit):
    """Exit status and output of a command; without a status where it ran out of time."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env={**os.environ, **environment})
    try:
        output, _ = process.communicate(timeout=max(limit, 1))
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0]


def device_of(program, environment):
    """What the program says of the device; ends this one where the program is not there or cannot be loaded."""
    if not program.exists():
        sys.exit(f"{program} is not there: `make gpu` builds it where the packages are that the library needs; "
                 f"copy {program.parent} to the machine with the device")
    status, output = run([program, "--device"], environment, 120)
    if status != 0:
        sys.exit(f"{program} does not run here: {output.strip() or status}")
    return json.loads(output.splitlines()[-1])


def tests(programs, environment, limit):
    """Runs all device tests side by side; what failed, and a word on the whole."""
    found = sorted(programs.glob("device.*"))
    passed, failed = 0, []
    with concurrent.futures.ThreadPoolExecutor(len(found) or 1) as pool:
        ran = {pool.submit(run, [program], environment, limit): program.name for program in found}
        for future in concurrent.futures.as_completed(ran):
            name, (status, output) = ran[future], future.result()
            lines = output.strip().splitlines() or [""]
            say(f"{name}: {'out of time' if status is None else lines[-1]}")
            count = re.search(r"(\d+) passed", lines[-1])
            passed += int(count.group(1)) if count else 0
            if status != 0:
                words = [line for line in lines if "FAILED" in line][:5] or [f"exit {status}: {lines[-1]}"]
                failed += [f"{name}: {line[:300]}" for line in words]
    return failed, f"{passed} passed" + (f", {len(failed)} or more failed" if failed else "")


def checks(programs, environment, limit):
    """Runs the small tests under compute-sanitizer; what failed, and a word on each tool."""
    homes = [os.environ[name] for name in ("CUDA_PATH", "CUDA_HOME") if name in os.environ] + ["/usr/local/cuda"]
    folders = [os.environ.get("PATH", ""), *(f"{home}/bin" for home in homes)]
    checker = shutil.which("compute-sanitizer", path=os.pathsep.join(folders))
    if not checker:
        return [], {"compute-sanitizer": "not on this machine"}
    end = time.monotonic() + limit
    flags = ("--error-exitcode", "9")
    command = lambda tool, program, part: [checker, "--tool", tool, *flags, programs / program, *([part] if part else [])]
    _, output = run(command("memcheck", "device.passes", "a number"), environment, 60)
    if "ERROR SUMMARY" not in output or "not supported" in output.lower():
        words = [line.strip("= ") for line in output.splitlines() if "rror" in line or "not supported" in line.lower()]
        why = words[0] if words else "no summary"
        return [], {"compute-sanitizer": f"refused here ({why[:120]})"}

    failed, said = [], {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        one = lambda check: run(command(*check), environment, end - time.monotonic())
        ran = {pool.submit(one, check): check for check in CHECKS}
        for future in concurrent.futures.as_completed(ran):
            (tool, program, part), (status, output) = ran[future], future.result()
            how = "out of time" if status is None else "clean" if status == 0 else "FAILED"
            say(f"{tool} {program} {part}: {how}")
            said.setdefault(tool, []).append(how)
            if how == "FAILED":
                words = [line for line in output.splitlines() if line.startswith("=========") or "FAILED" in line]
                failed += [f"{tool} {program} {part}: {line[:300]}" for line in words[:8] or output.splitlines()[-3:]]
    counts = lambda all_: ", ".join(f"{all_.count(how)} {how}" for how in sorted(set(all_)))
    return failed, {tool: counts(all_) for tool, all_ in said.items()}


def flexible(case):
    """Whether FlexAttention, which compiles each of its cases for long, takes part: all scores at 4k."""
    return case["dtype"] == "bf16" and case["keys"] == 4096 and case["depth"] < 256


def times(chosen, results, environment, limit):
    """Times every case, those that compile for long last; writes what there is after each."""
    end = time.monotonic() + limit
    program = chosen.programs / "bench_gpu"
    listed = listing(program)
    wanted = [case for case in listed["cases"] if re.search(chosen.only, case["name"])]
    cases = [{**case, "constants": listed["scores"]} for case in wanted]
    ours = Ours("ours", program, "--seconds", str(chosen.seconds), environment=environment)
    peers = {name: Peer(name, 4, chosen.seconds, chosen.cache, "gpu_peers.py") for name in PEERS}
    path, rows = None, {}
    for worker in (ours, *peers.values()):
        worker.patience, worker.deadline = 90, end
    try:
        for case in sorted(cases, key=flexible):
            left = end - time.monotonic()
            if left < (30 if flexible(case) else 8):
                results["skipped"].append(case["name"])
                continue
            beside = [peers[name] for name in PEERS if name != "flex" or flexible(case)]
            found = measured(case, None, [MATMUL], [ours], beside, chosen.rounds, gauge=peers["flash"])
            for worker in (ours, *beside):
                if "cuda" in found["errors"].get(worker.column, "").lower():
                    worker.end()  # CUDA answers nothing more in a process in which a kernel has failed
            row = rates(case, None, [MATMUL], "ours", found)
            rows[case["name"]] = {**row, "kept_flops": 4 * case["depth"] * case["kept"]}
            results["cases"] = [rows[other["name"]] for other in cases if other["name"] in rows]
            results["peers"] = {name: worker.version for name, worker in peers.items() if worker.version != name}
            results["peers_missing"] = {name: worker.refusal for name, worker in peers.items() if worker.refusal}
            path = write(results, chosen.results, results["machine"]["chip"], gpu_report.table(results))
            say(" | ".join(gpu_report.line(results, rows[case["name"]])))
    finally:
        for worker in (ours, *peers.values()):
            worker.end()
    return path, [f"{row['name']}: {row['errors']['ours']}" for row in rows.values() if "ours" in row["errors"]]


def driver():
    """The driver's version."""
    try:
        question = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(question, capture_output=True, text=True, timeout=30).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def main():
    chosen = options()
    environment = libraries()
    device = device_of(chosen.programs / "bench_gpu", environment)
    failed, path = [], None
    limit = lambda part: chosen.limit * min(LIMITS[part], ALL - (time.monotonic() - BEGIN))
    if "error" in device:
        say(f"no CUDA device here ({device['error']}): the tests only say so, and nothing is timed")
        failed, _ = tests(chosen.programs, environment, limit("tests"))
    else:
        results = {
            "date": datetime.date.today().isoformat(),
            "machine": {**device, "driver": driver()},
            "checks": {},
            "rounds": chosen.rounds,
            "seconds": chosen.seconds,
            "ours": ["ours"],
            "columns": ["ours", *PEERS],
            "peers": {},
            "peers_missing": {},
            "skipped": [],
            "cases": [],
        }
        say(f"{device['chip']}, driver {results['machine']['driver']}")
        if "tests" in chosen.parts:
            failed, results["checks"]["Device tests"] = tests(chosen.programs, environment, limit("tests"))
        if "checks" in chosen.parts:
            wrong, said = checks(chosen.programs, environment, limit("checks"))
            failed += wrong
            results["checks"].update(said)
            say("; ".join(f"{tool}: {words}" for tool, words in said.items()))
        if "times" in chosen.parts:
            path, wrong = times(chosen, results, environment, limit("times"))
            failed += wrong
        text = gpu_report.table(results)
        if path:
            write(results, chosen.results, device["chip"], text)
        print("\n" + text)
        if path:
            say(f"written to {path}.md and {path.name}.json")
    for line in failed:
        print(f"FAILED {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
