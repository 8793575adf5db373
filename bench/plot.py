#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the peak memory of a run as SVG beside its JSON.

    plot.py RESULTS.json
"""
import json
import pathlib
import sys


def memory(rows, path):
    """Peak memory over length, both logarithmic, with what operands take and what all scores would."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "attend"  # the same file from the same figures
    import matplotlib.pyplot as plt

    lengths = [row["length"] for row in rows]
    mib = lambda bytes_: [x / 2**20 for x in bytes_]
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    axes.loglog(lengths, mib(4 * n * n for n in lengths), "--", color="0.6", label="one f32 for every score")
    axes.loglog(lengths, mib(row["growth"] for row in rows), "o-", color="tab:blue", label="peak growth, measured")
    axes.loglog(lengths, mib(row["operands"] for row in rows), ":", color="tab:orange", label="q, k, v and result")
    axes.set_xticks(lengths, [f"{n // 1024}k" for n in lengths])
    axes.minorticks_off()
    axes.set_xlabel("queries and keys, one head, f32, D 64")
    axes.set_ylabel("MiB")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main():
    path = pathlib.Path(sys.argv[1])
    rows = json.loads(path.read_text(encoding="utf-8")).get("memory")
    if rows:
        memory(rows, path.with_name(path.stem + "-memory.svg"))


if __name__ == "__main__":
    main()
