#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the Python original and this library's example side by side: 64 sentences of 120 tokens, f32, two threads.

    pip install torch sentence-transformers
    python_side.py MODEL_FOLDER [--ours PATH_OF_THE_SENTENCE_EXAMPLE] [--rounds 5]

Both go from the same texts to their embeddings. The two take turns, a few runs each, so that what else the machine
does meets both; the medians and their ratio are printed.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import time


def timed_texts(folder):
    """The texts that `sentence --bench` times: 64 of 118 words that are one token each."""
    pieces = (pathlib.Path(folder) / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = [piece for piece in pieces if re.fullmatch("[a-z]{3,}", piece)]
    return [" ".join(words[7919 * (118 * text + i) % len(words)] for i in range(118)) for text in range(64)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("model", help="folder of the model")
    arguments.add_argument("--ours", help="the sentence example's program")
    arguments.add_argument("--rounds", type=int, default=5, help="turns of each side")
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()

    # before torch is imported, for its thread pools and ours
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import sentence_transformers
    import torch

    torch.set_num_threads(arguments.threads)
    model = sentence_transformers.SentenceTransformer(arguments.model, device="cpu")
    model.max_seq_length = 256
    texts = timed_texts(arguments.model)
    tokens = {len(ids) for ids in model.tokenizer(texts)["input_ids"]}
    assert tokens == {120}, tokens

    def python():
        start = time.perf_counter()
        model.encode(texts, batch_size=64)
        return 1000 * (time.perf_counter() - start)

    def ours():
        command = [arguments.ours, "--model", arguments.model, "--bench", "3"]
        return [float(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]

    python()  # warms up
    of_python, of_ours = [], []
    for turn in range(arguments.rounds):
        of_python += [python() for _ in range(3)]
        line = f"turn {turn + 1}: original {statistics.median(of_python[-3:]):8.1f} ms"
        if arguments.ours:
            of_ours += ours()
            line += f"   ours {statistics.median(of_ours[-3:]):8.1f} ms"
        print(line, flush=True)
    median, best = statistics.median(of_python), min(of_python)
    print(f"original: median {median:.1f} ms, best {best:.1f} ms")
    if arguments.ours:
        print(f"ours:     median {statistics.median(of_ours):.1f} ms, best {min(of_ours):.1f} ms")
        print(f"original / ours: {median / statistics.median(of_ours):.2f} of medians, {best / min(of_ours):.2f} of bests")


if __name__ == "__main__":
    main()
