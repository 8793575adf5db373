# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results as text: one table in Markdown, a part for each kind of case."""

NAMES = {"pytorch": "PyTorch SDPA", "flex": "FlexAttention", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}

CONVENTIONS = """\
Shapes are batch x heads[:key-value heads] x queries[:keys] x head dim; 4 B H S S D operations, half of them if causal.
"ours / best peer" is the ratio of speeds, above 1 where ours is faster.
"""


def aligned(header, rows):
    """A Markdown table whose columns line up as plain text too."""
    lines = [header, *rows]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(header))]
    pad = lambda line: "| " + " | ".join(
        str(x).ljust(w) if i == 0 else str(x).rjust(w) for i, (x, w) in enumerate(zip(line, widths))) + " |"
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([pad(header), rule, *map(pad, rows)]) + "\n"


def names_of(results):
    """The columns' headings."""
    ours = len(results["ours"])
    heading = [f"ours, {column}" if ours > 1 else "ours" for column in results["columns"][:ours]]
    return heading + [NAMES[column] for column in results["columns"][ours:]]


def cell(row, column, number):
    """A figure of a column, or why there is none."""
    if column in row["medians"]:
        return number(row["medians"][column])
    error = row["errors"].get(column, "not offered")
    return "-" if error.startswith("not offered") else "missing" if error.startswith("ModuleNotFound") else "failed"


def advantage(results, row):
    """How many times as fast as the best peer ours is, as measured side by side."""
    peers = [column for column in results["columns"][len(results["ours"]):] if column in row["times_as_fast"]]
    return f"{min(row['times_as_fast'][column] for column in peers):.2f}" if peers else "-"


def part(results, kind, threads, header, line):
    """The rows of a kind for a number of threads as a table, or nothing where there are none."""
    rows = [line(row) for row in results["cases"] if row["kind"] == kind and row["threads"] == threads]
    return aligned(header, rows) + "\n" if rows else ""


def label(row):
    """A case without its kind."""
    return row["name"].split("/", 1)[1].replace("/", " ")


def forward(results, threads):
    """GFLOP/s of whole sequences."""
    def line(row):
        peak = next(iter(row["ceilings"].values()), None)
        ours = row["medians"].get(results["columns"][0])
        share = f"{100 * row['flops'] / ours / peak:.0f} %" if peak and ours else "-"
        cells = [cell(row, column, lambda x: f"{row['flops'] / x / 1e9:.1f}") for column in results["columns"]]
        peak = f"{peak / 1e9:.1f}" if peak else "-"
        return [label(row), *cells, peak, share, advantage(results, row)]

    header = ["GFLOP/s", *names_of(results), "FMA peak", "share of peak", "ours / best peer"]
    return part(results, "forward", threads, header, line)


def score(results, threads):
    """Picoseconds a kept score, and in parentheses that over plain attention's."""
    def line(row):
        shown = [*results["columns"][:len(results["ours"])], "flex"]
        over = row.get("over_plain", {})
        text = lambda column: cell(row, column, lambda x: f"{1e12 * x / row['kept']:.0f}") + (
            f" ({over[column]:.2f} x)" if column in over else "")
        return [label(row), *map(text, shown), advantage(results, row)]

    names = names_of(results)[:len(results["ours"])]
    header = ["ps a kept score (over plain)", *names, NAMES["flex"], "ours / FlexAttention"]
    return part(results, "score", threads, header, line)


def decode(results, threads):
    """GB/s of keys and values read."""
    def line(row):
        ours = row["medians"].get(results["columns"][0])
        cells = [cell(row, column, lambda x: f"{row['bytes'] / x / 1e9:.2f}") for column in results["columns"]]
        read, copy = (row["ceilings"].get(f"ceiling/{name}") for name in ("read", "copy"))
        share = f"{100 * row['bytes'] / ours / read:.0f} %" if read and ours else "-"
        bandwidths = [f"{x / 1e9:.2f}" if x else "-" for x in (read, copy)]
        return [label(row), *cells, *bandwidths, share, advantage(results, row)]

    header = ["GB/s of K and V", *names_of(results), "read", "copy", "share of read", "ours / best peer"]
    return part(results, "decode", threads, header, line)


def short(results, threads):
    """Milliseconds of many queries of few keys."""
    def line(row):
        cells = [cell(row, column, lambda x: f"{1e3 * x:.2f}") for column in results["columns"]]
        return [label(row), *cells, advantage(results, row)]

    return part(results, "short", threads, ["ms, few keys", *names_of(results), "ours / best peer"], line)


def phases(results, threads):
    """The steps of the fused kernel, each alone in the cache: what the whole can reach, and which step keeps it from more."""
    steps = ("scores", "softmax", "output")
    rows = []
    for depth in sorted({row["depth"] for row in results["cases"] if row["kind"] == "phase"}):
        found = {row["score"]: row for row in results["cases"]
                 if row["kind"] == "phase" and row["threads"] == threads and row["depth"] == depth}
        for column in results["columns"][:len(results["ours"])]:
            seconds = {step: found[step]["medians"].get(column) for step in steps if step in found}
            if len(seconds) < len(steps) or None in seconds.values():
                continue
            peak = next(iter(found["scores"]["ceilings"].values()))
            share = lambda flops, time: f"{100 * flops / time / peak:.0f} %"
            total, flops = sum(seconds.values()), sum(row["flops"] for row in found.values())
            rows.append([f"D {depth}, {column}", *(share(found[step]["flops"], seconds[step]) for step in ("scores", "output")),
                         f"{100 * seconds['softmax'] / total:.0f} %", share(flops, total)])
    header = ["f32, in the cache", "q k, of FMA peak", "p v, of FMA peak", "softmax, of the time", "all three, of FMA peak"]
    return aligned(header, rows) + "\n" if rows else ""


def memory(results):
    """Peak memory of one head by length."""
    if not results.get("memory"):
        return ""
    mib = lambda x: f"{x / 2**20:.1f}"
    rows = [[row["length"], mib(row["growth"]), mib(row["operands"]), mib(row["growth"] - row["operands"]),
             mib(4 * row["length"] ** 2)] for row in results["memory"]]
    header = ["keys and queries", "peak growth, MiB", "operands and result", "beyond them", "all scores would be"]
    return "## Memory of one head, f32, D 64\n\n" + aligned(header, rows) + "\n"


def accuracy(results):
    """Errors against float64."""
    if not results.get("accuracy"):
        return ""
    figures = [(side, what) for side in ("ours", "pytorch") for what in ("max", "mean")]
    text = lambda row, side, what: f"{row[side][what]:.2e}" if side in row else "missing"
    rows = [[row["name"], *(text(row, *figure) for figure in figures)] for row in results["accuracy"]]
    header = ["against float64", "ours, max", "ours, mean", "PyTorch, max", "PyTorch, mean"]
    return "## Absolute error against the float64 oracle\n\n" + aligned(header, rows) + "\n"


def table(results):
    """All of it."""
    m = results["machine"]
    peers = [version for column, version in results["peers"].items() if column not in results["peers_missing"]]
    text = [f"# {m['cpu']}, {m['cores']} cores, {results['date']}\n"]
    for build in results["ours"]:
        text.append(f"Ours: {build['compiler']}, `{build['flags']}`, {build['vectors']}.  ")
    text.append(f"Peers: {', '.join(peers) or 'none'}.  ")
    for column, why in results["peers_missing"].items():
        text.append(f"Missing: {NAMES[column]} ({why}).  ")
    text.append(f"{results['rounds']} rounds of at least {results['seconds']} s a turn, all taking turns; medians.  ")
    text.append(CONVENTIONS)
    for threads in results["threads"]:
        parts = "".join(f(results, threads) for f in (forward, phases, score, decode, short))
        if parts:
            text.append(f"## {threads} {'thread' if threads == 1 else 'threads'}\n\n{parts}")
    return "\n".join(text) + memory(results) + accuracy(results)
