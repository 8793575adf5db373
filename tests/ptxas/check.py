#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles kernels and reads what ptxas and the machine code say of them.

    check.py [--memo FILE] [--cuobjdump PROGRAM] FILE.cu -- NVCC FLAGS...

Every kernel must keep all it has in registers (no stack frame, no spills), use no more of them than the blocks that its
tuning wants on a multiprocessor leave it, and have no shared memory but what the launch asks for. With cuobjdump also:
products on the tensor cores, copies of 16 bytes to shared memory, matrices loaded from it, nothing in local memory.
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


def tuning(name):
    """Rows, keys, warps, blocks on a multiprocessor and head dim, as the kernel's mangled name has them."""
    found = re.search(r"attention_tilesILi(\d+)ELi(\d+)ELi(\d+)ELi(\d+)EEELi(\d+)E", name)
    return tuple(map(int, found.groups())) if found else None


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
    rows, keys, warps, blocks, head_dim = tiles
    most = min(255, REGISTERS // (32 * warps * blocks) // 8 * 8)
    used = number(r"Used (\d+) registers", text)
    what = f"{machine} head dim {head_dim} tiles {rows} x {keys}"
    if used == 0:
        wrong.append(f"{what}: no report of registers")
    if used > most:
        wrong.append(f"{what}: {used} registers, at most {most} for {blocks} blocks on a multiprocessor")
    for kind, pattern in (("stack frame", r"(\d+) bytes stack frame"), ("spill stores", r"(\d+) bytes spill stores"),
                          ("spill loads", r"(\d+) bytes spill loads"), ("static shared memory", r"(\d+) bytes smem")):
        if bytes_ := number(pattern, text):
            wrong.append(f"{what}: {bytes_} bytes of {kind}")
    return wrong, f"{what}: {used} registers of {most}, {(rows + 2 * keys) * head_dim * size} bytes of shared memory"


def judge_code(listing, instructions):
    """What is wrong with the machine code."""
    wrong = []
    parts = re.split(r"Function : (\w+)", listing)
    if len(parts) < 3:
        return ["no machine code"]
    for name, code in zip(parts[1::2], parts[2::2]):
        what = f"head dim {tuning(name)[4]}" if tuning(name) else name
        wrong += [f"{what}: no {kind}" for kind, pattern in instructions.items() if not re.search(pattern, code)]
        if re.search(r"\b(LDL|STL)\b", code):
            wrong.append(f"{what}: local memory")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memo", help="file that remembers the last success")
    parser.add_argument("--cuobjdump", help="the program that lists machine code")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("command", nargs="+", help="nvcc and its flags, after --")
    arguments = parser.parse_args()

    of_f32 = arguments.file.stem.endswith("f32")
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
            of_kernel, line = judge(*kernel, 4 if of_f32 else 2)
            wrong += of_kernel
            lines.append(line)
        wrong += [line for line in output.splitlines() if "warning" in line]
        if arguments.cuobjdump:
            folder_of_tools = str(pathlib.Path(arguments.cuobjdump).parent)
            environment = {**os.environ, "PATH": folder_of_tools + os.pathsep + os.environ.get("PATH", "")}
            listing = subprocess.run([arguments.cuobjdump, "-sass", str(made)], capture_output=True, text=True, env=environment)
            wrong += judge_code(listing.stdout, INSTRUCTIONS | (OF_F32 if of_f32 else OF_16_BITS))
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
