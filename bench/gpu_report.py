# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results on a CUDA device as text: one table in Markdown."""
import statistics

from report import advantage, aligned, cell, label

NAMES = {"flash": "SDPA flash", "cudnn": "SDPA cuDNN", "flex": "FlexAttention"}

CONVENTIONS = """\
TFLOP/s of 4 D operations for every score that the mask keeps. Shapes are batch x heads x queries and keys x head dim;
16k tokens but for 32x8x128x64; 16 heads, 8 where the head dim is 256; 16:2 are two heads of keys and values. f32 under "SDPA flash" is PyTorch's
memory-efficient kernel. Times are of a graph of calls, between events; "ours / best peer" is the ratio of speeds, above
1 where ours is faster.
"""


def rate(row, column):
    """Operations a second."""
    return row["kept_flops"] / row["medians"][column]


def line(results, row):
    """A case."""
    matmul = next(iter(row["ceilings"].values()), None)
    cells = [cell(row, column, lambda _, c=column: f"{rate(row, c) / 1e12:.0f}") for column in results["columns"]]
    matmul = matmul if row["dtype"] != "f32" else None
    share = f"{100 * rate(row, 'ours') / matmul:.0f} %" if matmul and "ours" in row["medians"] else "-"
    return [label(row), *cells, share, advantage(results, row)]


def failures(results):
    """What was asked of a side and failed, the first of each."""
    found = {}
    for row in results["cases"]:
        for column, why in row["errors"].items():
            if not why.startswith("not offered") and column not in results["peers_missing"]:
                found.setdefault((column, why), row["name"])
    return [f"{NAMES.get(column, column)} failed at {name}: {why}  " for (column, why), name in found.items()]


def timed(results):
    """What was timed, and how."""
    matmuls = [x for row in results["cases"] for x in row["ceilings"].values()]
    text = []
    if matmuls:
        least, middle, most = (f(matmuls) / 1e12 for f in (min, statistics.median, max))
        text.append(f"Matrix product of bf16, 8192 x 8192 x 8192, by PyTorch in between: {middle:.0f} TFLOP/s, "
                    f"from {least:.0f} to {most:.0f}.  ")
    text.append(f"{results['rounds']} rounds of at least {results['seconds']} s a turn, all taking turns; medians.  ")
    text.append(CONVENTIONS)
    names = [NAMES.get(column, column) for column in results["columns"]]
    header = ["TFLOP/s", *names, "share of the matrix product", "ours / best peer"]
    return "\n".join([*text, aligned(header, [line(results, row) for row in results["cases"]])])


def table(results):
    """All of it."""
    m = results["machine"]
    text = [f"# {m['chip']}, {results['date']}\n"]
    text.append(f"Driver {m['driver']}, which takes CUDA {m['driver_takes_CUDA']}; "
                f"ours built with CUDA {m['built_with_CUDA']}.  ")
    text.append(f"Peers: {', '.join(results['peers'].values()) or 'none'}.  ")
    for column, why in results["peers_missing"].items():
        text.append(f"Missing: {NAMES[column]} ({why}).  ")
    for part, said in results["checks"].items():
        text.append(f"{part}: {said}.  ")
    if results["cases"]:
        text.append(timed(results))
    text += failures(results)
    if results["skipped"]:
        text.append(f"Skipped, for want of time: {', '.join(results['skipped'])}.")
    return "\n".join(text).rstrip() + "\n"
