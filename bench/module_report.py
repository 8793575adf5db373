# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole modules as text: a table in Markdown for each."""
from report import aligned, cell

NAMES = {
    "ours": "ours",
    "as_written": "ours, as written",
    "ours_bf16": "ours, bf16",
    "pytorch": "PyTorch",
    "compiled": "PyTorch, torch.compile",
    "transformers": "sentence-transformers",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino_bf16": "OpenVINO, bf16",
}
OURS = ("ours", "as_written", "ours_bf16")
PRECISIONS = {"": "f32", "_bf16": "bf16"}  # by how a column ends

CONVENTIONS = """\
A first call plans, compiles and allocates; the others are warm. "Its time / ours" is the median of the rounds' own ratios, above 1
where ours is faster; memory is the peak of what is resident, above the process with its libraries loaded but neither
operands nor parameters, and in all.
"""


def ms(seconds):
    """Seconds as milliseconds, a short time with decimals."""
    return f"{1e3 * seconds:.0f}" if seconds > 0.02 else f"{1e3 * seconds:.2f}"


def mib(x):
    """Bytes as MiB."""
    return f"{x / 2**20:.0f}"


def growth(row, column):
    """The peak above the process before it had operands."""
    return row["memory"][column]["peak"] - row["memory"][column]["before"]


def sides(row):
    """The columns that the case was asked of and that offer it."""
    return [column for column in NAMES if column in row["medians"] or not not_offered(row, column)]


def not_offered(row, column):
    """Whether a column has no such thing."""
    return row["errors"].get(column, "not offered").startswith("not offered")


def best_of(row, ending, figure):
    """The least of the figures of the peers of one precision and whose it is, or nothing without peers."""
    found = [(figure(column), column) for column in row["medians"] if column not in OURS and ending_of(column) == ending]
    return min(found, default=None)


def ending_of(column):
    """What says a column's precision."""
    return next(ending for ending in reversed(PRECISIONS) if column.endswith(ending))


def refusals(row):
    """What was asked of a side in vain."""
    return "".join(f"{NAMES[column]}: {why}.  \n" for column, why in row["errors"].items())


def ratios(row):
    """Ours beside the best peer of each precision."""
    text = []
    for ending, precision in PRECISIONS.items():
        ours = f"ours{ending}"
        time = best_of(row, ending, lambda x: row["times_as_fast"].get(x, float("inf")))
        memory = best_of(row, ending, lambda x: growth(row, x))
        if time and ours in row["medians"]:
            mine = row["times_as_fast"].get(ours, 1)  # beside f32
            text.append(f"Ours in {precision} takes {mine / time[0]:.2f} times the time of the best peer in {precision} "
                        f"({NAMES[time[1]]}) and {growth(row, ours) / memory[0]:.2f} times the memory of the one with least "
                        f"({NAMES[memory[1]]}).  ")
    return "\n".join(text)


def ceilings(row):
    """What the machine could do."""
    peak, copy = (row["ceilings"].get(f"ceiling/{name}") for name in ("multiply-add/f32", "copy"))
    if not peak or not copy:
        return ""
    text = (f"Ceilings in between: {peak / 1e9:.0f} GFLOP/s of multiply-adds, {copy / 1e9:.1f} GB/s of copying. The formula's "
            f"{row['flops'] / 1e9:.0f} GFLOP, step after step, take {ms(row['flops'] / peak)} ms at that peak")
    if row["bytes"]:
        text += (f"; to read the operands and write both results, {mib(row['bytes'])} MiB, takes at least "
                 f"{ms(row['bytes'] / copy)} ms. A plan that needs fewer operations than the formula can pass the peak")
    return text + ".  "


def image(row):
    """Cross-attention from an image."""
    def line(column):
        if column not in row["medians"]:
            return [NAMES[column], *["-"] * 4, cell(row, column, str), *["-"] * 4]
        seconds, memory, error = row["medians"][column], row["memory"][column], row["errors_of"][column]
        peak = next(iter(row["ceilings"].values()), None)
        return [NAMES[column], ms(memory["first"]), ms(seconds), f"{row['flops'] / seconds / 1e9:.0f}",
                f"{100 * row['flops'] / seconds / peak:.0f} %" if peak else "-", ratio(row, column), mib(growth(row, column)),
                mib(memory["peak"]), f"{error['image']:.1e}", f"{error['weights']:.1e}"]

    heads = "eight heads" if row["heads"] == 8 else "one head"
    header = ["f32", "first call, ms", "warm, ms", "GFLOP/s as written", "of FMA peak", "its time / ours", "peak growth, MiB",
              "peak in all, MiB", "error of image", "error of weights"]
    title = f"## Cross-attention from an image, (3, 3, {row['size']}, {row['size']}) and 5 tokens, {heads}\n"
    return "\n".join([title, aligned(header, map_(line, row)), ceilings(row), ratios(row), refusals(row)]).rstrip() + "\n"


def sentence(row):
    """A batch of sentences."""
    def line(column):
        if column not in row["medians"]:
            return [NAMES[column], *["-"] * 3, cell(row, column, str), *["-"] * 5]
        seconds, memory = row["medians"][column], row["memory"][column]
        peak = next(iter(row["ceilings"].values()), None)
        return [NAMES[column], ms(seconds), f"{row['flops'] / seconds / 1e9:.0f}",
                f"{100 * row['flops'] / seconds / peak:.0f} %" if peak else "-", ratio(row, column), mib(growth(row, column)),
                mib(memory["peak"]), f"{row['errors_of'][column]:.1e}", str(memory.get("batch", "its own")),
                str(memory.get("streams", "its own"))]

    begin = "token ids" if row["name"].endswith("ids") else "texts, tokenizing included"
    header = ["f32", "warm, ms", "GFLOP/s", "of FMA peak", "its time / ours", "peak growth, MiB", "peak in all, MiB",
              "1 - cosine", "sentences a batch", "batches at once"]
    title = f"## MiniLM-L6, 64 sentences of 122 tokens, from {begin}\n"
    return "\n".join([title, aligned(header, map_(line, row)), ceilings(row), ratios(row), refusals(row)]).rstrip() + "\n"


def map_(line, row):
    """The lines of all sides."""
    return [line(column) for column in sides(row)]


def ratio(row, column):
    """How much longer a side takes than ours."""
    return "1" if column == "ours" else f"{row['times_as_fast'][column]:.2f}" if column in row["times_as_fast"] else "-"


def table(results):
    """All of it."""
    m, build = results["machine"], results["ours"]
    text = [f"# Modules: {m['cpu']}, {m['cores']} cores, {m['memory_GiB']} GiB, {results['date']}\n"]
    text.append(f"Ours: {build['compiler']}, `{build['flags']}`, {build['vectors']}.  ")
    text.append(f"Peers: {', '.join(dict.fromkeys(results['peers'].values())) or 'none'}.  ")
    many = lambda n, what: f"{n} {what}" if n == 1 else f"{n} {what}s"
    text.append(f"{many(results['threads'], 'thread')}, {many(results['rounds'], 'round')} of at least {results['seconds']} s a "
                "turn, all taking turns; medians.  ")
    text.append(CONVENTIONS)
    parts = {"image": image, "sentence": sentence}
    return "\n".join([*text, *(parts[row["kind"]](row) for row in results["cases"])])
