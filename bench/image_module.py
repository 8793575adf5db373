#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cross-attention from an image by PyTorch, measured and answering as bench_image; also its operands and its truth.

    image_module.py pytorch|compiled FOLDER [--heads 8|1] [--threads N] [--seconds S]      prints a JSON object
"""
import argparse
import json
import os
import pathlib
import time

import numpy

import peers
import resident

IMAGES, COLOURS, FEATURES, TOKENS = 3, 3, 512, 5
SCALE = FEATURES**-0.5
LAYERS = {  # (output features, input features), and what PyTorch appends for a convolution
    "proj_in": (FEATURES, COLOURS, 1, 1),
    "query": (FEATURES, FEATURES),
    "key": (FEATURES, FEATURES),
    "value": (FEATURES, FEATURES),
    "output": (FEATURES, FEATURES),
    "proj_out": (COLOURS, FEATURES, 1, 1),
}


def write_operands(folder, size):
    """A normally distributed image and context, and parameters as PyTorch initialises them, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = numpy.random.default_rng(0)
    save = lambda name, x: numpy.save(folder / f"{name}.npy", x.astype(numpy.float32))
    save("image", draw.standard_normal((IMAGES, COLOURS, size, size), dtype=numpy.float32))
    save("context", draw.standard_normal((IMAGES, TOKENS, FEATURES)))
    for name, shape in LAYERS.items():
        bound = shape[1] ** -0.5
        save(f"module.{name}.weight", draw.uniform(-bound, bound, shape))
        save(f"module.{name}.bias", draw.uniform(-bound, bound, shape[0]))


def flops(heads, size):
    """Operations of the formula, step after step as it is written."""
    pixels = IMAGES * size * size
    products = 2 * COLOURS * FEATURES + 2 * FEATURES**2 + 2 * TOKENS * FEATURES  # for each pixel, in pairs
    return 2.0 * (pixels * products + 2 * IMAGES * TOKENS * FEATURES**2) + 5.0 * pixels * heads * TOKENS


def least_bytes(heads, size):
    """What has to be read and written at least: the image twice, the weights of attention once."""
    return 4.0 * IMAGES * size * size * (2 * COLOURS + heads * TOKENS)


def errors(folder, name, heads):
    """The largest errors of a side's image and weights, against float64 at some thousand pixels."""
    read = lambda what: numpy.load(folder / f"{what}.npy", mmap_mode="r")
    image, weights = read(f"{name}-image"), read(f"{name}-weights")
    pixels = image.shape[2] * image.shape[3]
    some = numpy.random.default_rng(1).choice(pixels, size=min(pixels, 2048), replace=False)
    expected_image, expected_weights = exact(folder, heads, some)
    flat = image.reshape(IMAGES, COLOURS, pixels)[:, :, some]
    largest = lambda found, expected: float(abs(found - expected).max())
    return {"image": largest(flat, expected_image), "weights": largest(weights[:, :, some], expected_weights)}


def exact(folder, heads, pixels):
    """Image (b, c, t) and weights (b, n, t, s) in float64 at the given pixels; no pixel needs another."""
    read = lambda name: numpy.load(folder / f"{name}.npy").astype(numpy.float64)
    linear = lambda name, x: x @ read(f"module.{name}.weight").reshape(LAYERS[name][:2]).T + read(f"module.{name}.bias")
    split = lambda x: x.reshape(IMAGES, -1, heads, FEATURES // heads).transpose(0, 2, 1, 3)
    image, context = read("image").reshape(IMAGES, COLOURS, -1)[:, :, pixels], read("context")
    query = split(linear("query", linear("proj_in", image.transpose(0, 2, 1))))
    key, value = split(linear("key", context)), split(linear("value", context))
    weights = numpy.exp(query @ key.transpose(0, 1, 3, 2) * SCALE)
    weights /= weights.sum(axis=3, keepdims=True)
    merged = (weights @ value).transpose(0, 2, 1, 3).reshape(IMAGES, -1, FEATURES)
    return linear("proj_out", linear("output", merged)).transpose(0, 2, 1), weights


def cross_attention(heads):
    """The module as it is usually written."""
    import torch
    from torch import nn

    class CrossAttention(nn.Module):
        """Every pixel asks, the tokens answer."""

        def __init__(self):
            super().__init__()
            for name, (out, into, *pixel) in LAYERS.items():
                setattr(self, name, nn.Conv2d(into, out, 1) if pixel else nn.Linear(into, out))

        def forward(self, image, context):
            """The image anew, and the weights of attention."""
            size = image.shape[2:]
            x = self.proj_in(image).flatten(2).transpose(1, 2)  # b c h w -> b (h w) c
            query, key, value = self.query(x), self.key(context), self.value(context)
            if heads == 1:
                weights = torch.softmax(torch.einsum("b i c, b j c -> b i j", query, key) * SCALE, dim=-1)
                x = torch.einsum("b i j, b j c -> b i c", weights, value)
            else:
                query, key, value = (y.unflatten(2, (heads, -1)).transpose(1, 2) for y in (query, key, value))
                weights = torch.softmax(torch.einsum("b n i d, b n j d -> b n i j", query, key) * SCALE, dim=-1)
                x = torch.einsum("b n i j, b n j d -> b n i d", weights, value).transpose(1, 2).flatten(2)
            x = self.output(x).transpose(1, 2).unflatten(2, size)  # b (h w) c -> b c h w
            return self.proj_out(x), weights

    return CrossAttention()


def timed(call):
    """The seconds of a call, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def measured(arguments):
    """Times, peak memory, and the version; both results go to files."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    before = resident.of("VmRSS")
    resident.forget_peak()

    read = lambda name: torch.from_numpy(numpy.load(arguments.folder / f"{name}.npy"))
    image, context = read("image"), read("context")
    module = cross_attention(arguments.heads)
    module.load_state_dict({name: read(f"module.{name}") for name in module.state_dict()})
    if arguments.side == "compiled":
        module = torch.compile(module)
    call = lambda: module(image, context)
    first, results = timed(call)
    warm = []
    while len(warm) < 2 or sum(warm) < arguments.seconds:
        del results  # so that a call's results do not meet those of the call before
        seconds, results = timed(call)
        warm.append(seconds)
    peak = resident.of("VmHWM")

    pixels = image.shape[2] * image.shape[3]
    result, weights = results
    for what, x in {"image": result, "weights": weights.reshape(IMAGES, -1, pixels, TOKENS)}.items():
        numpy.save(arguments.folder / f"{arguments.side}-{what}.npy", x.numpy())
    return {"first": first, "warm": warm, "before": before, "peak": peak, "version": f"PyTorch {torch.__version__}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=("pytorch", "compiled"))
    parser.add_argument("folder", type=pathlib.Path, help="operands and parameters; results go there too")
    parser.add_argument("--heads", type=int, choices=(8, 1), default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1, help="least time of the warm calls together, which are two at least")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before a library reads it
    answers = peers.answers_alone()
    try:
        print(json.dumps(measured(arguments)), file=answers)
    except Exception as error:  # whatever a library throws is its answer
        print(json.dumps({"error": peers.words_of(error)}), file=answers)


if __name__ == "__main__":
    main()
