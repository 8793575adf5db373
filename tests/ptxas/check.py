#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles kernels and reads what ptxas and the machine code say of them.

    check.py [--memo FILE] [--cuobjdump PROGRAM] FILE.cu -- NVCC FLAGS...

Every kernel must keep all it has in registers (no stack frame, no spills) and have no shared memory but what the launch
asks for. Those of warps use no more registers than the blocks that their tuning wants on a multiprocessor leave them. Those
of warpgroups use what a thread of the launch has, none of their products is made to wait for the one before (C75xx), and
compiled for other machines they are empty, which is how a launch tells. With cuobjdump also: products on the tensor cores,
copies to shared memory, matrices loaded from it, nothing in local memory; and of warpgroups, that registers are dealt out
as designed, that all exponentials of a step stand between its two waits, where products run under them, and how many
instructions a score takes there.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import memo  # noqa: E402

REGISTERS = 65536  # of a multiprocessor
INSTRUCTIONS = {
    "copies of 16 bytes to shared memory": r"\bLDGSTS\.E\.[\w.]*\b128\b",
    "matrices loaded from shared memory": r"\bLDSM\.16\.M88\.4",
}
OF_16_BITS = {
    "products on the tensor cores": r"\bHMMA\.16816\.F32",
    "transposed matrices loaded from shared memory": r"\bLDSM\.16\.MT88\.4",
}
OF_F32 = {"products on the tensor cores": r"\bHMMA\.1688\.F32\.TF32"}


# Between the two waits of a step, where nothing is masked; a file's name begins with what it has. Without a functor five:
# the maximum, the multiply-add before the exponential, the exponential, the sum, and a half for the row's reductions.
MOST_A_SCORE = {"plain": 5.1, "causal": 5.1, "alibi": 9.5, "softcap": 23}


class Warps:
    """Of kernels of warps what the mangled name tells: rows, keys, warps, blocks on a multiprocessor and head dim."""

    pattern = r"attention_tilesILi(\d+)ELi(\d+)ELi(\d+)ELi(\d+)EEELi(\d+)E"

    def __init__(self, rows, keys, warps, blocks, head_dim):
        self.text = f"head dim {head_dim} tiles {rows} x {keys}"
        self.most = min(255, REGISTERS // (32 * warps * blocks) // 8 * 8)
        self.blocks, self.tile_elements = blocks, (rows + 2 * keys) * head_dim

    def judge(self, machine, used, size):
        wrong = [f"{used} registers, at most {self.most} for {self.blocks} blocks on a multiprocessor"] if used > self.most else []
        return wrong, f"{used} registers of {self.most}, {self.tile_elements * size} bytes of shared memory"

    def judge_code(self, code, stem):
        instructions = INSTRUCTIONS | (OF_F32 if stem.endswith("f32") else OF_16_BITS)
        return [f"no {kind}" for kind, pattern in instructions.items() if not re.search(pattern, code)]


class Warpgroups:
    """Of kernels of warpgroups: depth, width, keys, consumers and registers of a thread that copies and one that multiplies."""

    pattern = r"warpgroup_tilesILi(\d+)ELi(\d+)ELi(\d+)ELi(\d+)ELi(\d+)ELi(\d+)EE"

    def __init__(self, depth, width, keys, consumers, of_producer, of_consumer):
        self.text = f"warpgroups, head dims {depth} and {width}, tiles {64 * consumers} x {keys}"
        self.keys, self.width, self.registers = keys, width, (of_producer, of_consumer)
        self.of_launch = REGISTERS // (128 * (consumers + 1)) // 8 * 8
        self.pool = self.of_launch * (consumers + 1) - of_producer - consumers * of_consumer

    def judge(self, machine, used, size):
        if machine != "sm_90a":
            return ([f"{used} registers where it should be empty"] if used > 64 else []), "empty"
        wrong = [f"{used} registers, not the launch's {self.of_launch}"] if used != self.of_launch else []
        if self.pool < 0:
            wrong.append(f"its warpgroups ask for {-self.pool} registers more a thread than the launch has")
        return wrong, f"{used} registers, then {self.registers[0]} and {self.registers[1]}"

    def judge_code(self, code, stem):
        operations = [x.strip() for x in re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P[0-9T]+ )?([A-Z][^;]*);", code, re.MULTILINE)]
        if not any(x.startswith("HGMMA") for x in operations):
            return []  # compiled for another machine
        kinds = {f"products of {n} columns": rf"HGMMA\.64x{n}x16\.F32" for n in (self.keys, self.width)}
        kinds |= {"tiles loaded": r"UTMALDG\.5D", "tiles stored": r"UTMASTG\.5D"}
        kinds |= {f"change to {n} registers": rf"USETMAXREG\.\w+\.CTAPOOL .*{n:#x}\b" for n in self.registers}
        wrong = [f"no {kind}" for kind, pattern in kinds.items() if not any(re.match(pattern, x) for x in operations)]

        scores = self.keys // 2  # of a thread
        waits = [(i, int(x[-1])) for i, x in enumerate(operations) if x.startswith("WARPGROUP.DEPBAR")]
        steps = [operations[i:j] for (i, first), (j, second) in zip(waits, waits[1:]) if (first, second) == (1, 0)]
        if len(steps) != 2:
            return wrong + [f"{len(steps)} steps, not one with masks and one without"]
        for step in steps:
            found = sum(x.startswith("MUFU.EX2") for x in step)
            if found < scores:
                wrong.append(f"{found} exponentials between the waits of a step, not {scores}")
        taken = min(map(len, steps)) / scores
        most = next(n for stem_begins, n in MOST_A_SCORE.items() if stem.startswith(stem_begins)) + (0.5 if scores <= 40 else 0)
        if taken > most:
            wrong.append(f"{taken:.2f} instructions a score, at most {most}")
        return wrong


def tuning(name):
    """What a kernel's mangled name tells."""
    for kind in (Warps, Warpgroups):
        if found := re.search(kind.pattern, name):
            return kind(*map(int, found.groups()))
    return None


def entries(report):
    """Of each kernel what ptxas says of it."""
    parts = re.split(r"Compiling entry function '(\w+)' for '(\w+)'", report)
    return [(parts[i], parts[i + 1], parts[i + 2]) for i in range(1, len(parts), 3)]


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def judge(name, machine, text, size):
    wrong = []
    tiles = tuning(name)
    if tiles is None:
        return [f"{name}: the name has no tuning"], ""
    what = f"{machine} {tiles.text}"
    used = number(r"Used (\d+) registers", text)
    if used == 0:
        wrong.append(f"{what}: no report of registers")
    found, line = tiles.judge(machine, used, size)
    wrong += [f"{what}: {sentence}" for sentence in found]
    for kind, pattern in (("stack frame", r"(\d+) bytes stack frame"), ("spill stores", r"(\d+) bytes spill stores"),
                          ("spill loads", r"(\d+) bytes spill loads"), ("static shared memory", r"(\d+) bytes smem")):
        if bytes_ := number(pattern, text):
            wrong.append(f"{what}: {bytes_} bytes of {kind}")
    return wrong, f"{what}: {line}"


def judge_code(listing, stem):
    """What is wrong with the machine code."""
    wrong = []
    parts = re.split(r"Function : (\w+)", listing)
    if len(parts) < 3:
        return ["no machine code"]
    for name, code in zip(parts[1::2], parts[2::2]):
        tiles = tuning(name)
        wrong += [f"{tiles.text}: {sentence}" for sentence in tiles.judge_code(code, stem)]
        if re.search(r"\b(LDL|STL)\b", code):
            wrong.append(f"{tiles.text}: local memory")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memo", help="file that remembers the last success")
    parser.add_argument("--cuobjdump", help="the program that lists machine code")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("command", nargs="+", help="nvcc and its flags, after --")
    arguments = parser.parse_args()

    stem = arguments.file.stem
    kept = memo.Memo(arguments.memo, arguments.command, memo.identity(arguments.command[0]), bool(arguments.cuobjdump)) if arguments.memo else None
    lines = kept.read() if kept else None
    if lines is not None:
        print("\n".join(lines), "\nas before, and nothing has changed since")
        return 0

    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "kernels.cubin"
        result = subprocess.run([*arguments.command, "-cubin", "-Xptxas=-v", "-o", str(made), str(arguments.file)], capture_output=True, text=True)
        output = result.stdout + result.stderr
        if result.returncode != 0:
            print(output, "FAILED: the file does not compile", sep="\n")
            return 1
        wrong, lines = [], []
        kernels = entries(output)
        if not kernels:
            wrong.append("no kernel")
        for kernel in kernels:
            of_kernel, line = judge(*kernel, 4 if stem.endswith("f32") else 2)
            wrong += of_kernel
            lines.append(line)
        wrong += [line for line in output.splitlines() if "warning" in line or re.search(r"\(C75\d\d\)", line)]
        if arguments.cuobjdump:
            folder_of_tools = str(pathlib.Path(arguments.cuobjdump).parent)
            environment = {**os.environ, "PATH": folder_of_tools + os.pathsep + os.environ.get("PATH", "")}
            listing = subprocess.run([arguments.cuobjdump, "-sass", str(made)], capture_output=True, text=True, env=environment)
            wrong += judge_code(listing.stdout, stem)
    print("\n".join(lines))
    for sentence in wrong:
        print(f"FAILED: {sentence}")
    if wrong:
        return 1
    if kept:
        files = memo.dependencies(arguments.command, arguments.file)
        kept.write([*files, __file__, memo.__file__], lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
