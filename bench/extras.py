# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured once and not in turns: peak memory by length, errors against float64."""
import json
import re
import subprocess
import sys

from workers import HERE

LENGTHS = [1024 * 2**i for i in range(7)]


def memory(chosen):
    """Peak memory of one head for each length, a process each."""
    lengths = LENGTHS[:3] if chosen.quick else LENGTHS
    program = chosen.build[0] / "bin" / "bench_memory"
    rows = []
    for length in lengths:
        if not re.search(chosen.only, f"memory/{length}"):
            continue
        print(f"  memory/{length}", file=sys.stderr, flush=True)
        command = [program, str(length), str(chosen.threads[0])]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return rows


def accuracy(chosen):
    """Errors of ours and of PyTorch on the same inputs, for each case that the accuracy program has."""
    program = chosen.build[0] / "bin" / "bench_accuracy"
    names = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    folder = chosen.cache / "accuracy"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        if not re.search(chosen.only, f"accuracy/{name}") or chosen.quick and "4096" in name:
            continue
        print(f"  accuracy/{name}", file=sys.stderr, flush=True)
        subprocess.run([program, name, folder], check=True)
        command = [sys.executable, HERE / "errors.py", name, folder]
        counted = subprocess.run(command, capture_output=True, text=True)
        rows.append(json.loads(counted.stdout) if counted.returncode == 0 else {"name": name, "error": counted.stderr})
    return rows


def all_of(chosen):
    """Both."""
    return {"memory": memory(chosen), "accuracy": accuracy(chosen)}
