#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts the errors of ours and of PyTorch on one case against the float64 oracle.

    errors.py NAME FOLDER      FOLDER as bench_accuracy wrote it; prints a JSON object
"""
import json
import pathlib
import sys

import numpy


def errors(result, expected):
    """The largest and the mean absolute error, and the root mean square of what was expected."""
    error = numpy.abs(result.astype(numpy.float64) - expected)
    return {"max": error.max(), "mean": error.mean(), "rms": numpy.sqrt(numpy.mean(expected**2))}


def by_pytorch(name, read):
    """PyTorch's result on the same inputs."""
    import torch

    dtype = torch.bfloat16 if name.startswith("bf16/") else torch.float32
    query, key, value = (torch.from_numpy(read(x)).to(dtype) for x in "qkv")
    attention = torch.nn.functional.scaled_dot_product_attention
    with torch.inference_mode():
        return attention(query, key, value, is_causal="/causal/" in name).float().numpy()


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    read = lambda x: numpy.load(folder / f"{x}.npy")
    expected = read("oracle")
    found = {"name": name, "ours": errors(read("ours"), expected)}
    try:
        found["pytorch"] = errors(by_pytorch(name, read), expected)
    except ImportError as error:
        found["error"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
