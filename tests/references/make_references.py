#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes what PyTorch makes, in float64, of the modules that tests/run/rows_*.cpp evaluate: one .safetensors file each.

    pip install torch safetensors
    make_references.py [--output FOLDER]

Inputs and parameters are drawn here by the rule of examples/random_parameters.hpp, bit for bit; every file holds some of
its inputs, so that a test sees whether they are the same. Of large results only samples are written, with their positions.
"""
import argparse
import math
import pathlib

import numpy
import torch
from safetensors.torch import save_file
from torch.nn import functional

U64 = numpy.uint64


def mersenne_twister(seed, count):
    """The first words of std::mt19937_64: Matsumoto and Nishimura, 2000."""
    size, middle = 312, 156
    state = numpy.empty(size, U64)
    x = seed
    for i in range(size):
        if i:
            x = (6364136223846793005 * (x ^ (x >> 62)) + i) % 2**64
        state[i] = x
    blocks = []
    upper, lower, matrix = U64(0xFFFFFFFF80000000), U64(0x7FFFFFFF), U64(0xB5026F5AA96619E9)

    def twist(first, second, other):
        y = (first & upper) | (second & lower)
        return other ^ (y >> U64(1)) ^ ((y & U64(1)) * matrix)

    for _ in range(-(-count // size)):
        new = numpy.empty_like(state)
        new[:middle] = twist(state[:middle], state[1:middle + 1], state[middle:])
        new[middle:-1] = twist(state[middle:-1], state[middle + 1:], new[:middle - 1])
        new[-1] = twist(state[-1], new[0], new[middle - 1])
        state = new
        y = state ^ ((state >> U64(29)) & U64(0x5555555555555555))
        y = y ^ ((y << U64(17)) & U64(0x71D67FFFEDA60000))
        y = y ^ ((y << U64(37)) & U64(0xFFF7EEE000000000))
        blocks.append(y ^ (y >> U64(43)))
    return numpy.concatenate(blocks)[:count]


def drawn(seed, reach, *shape):
    """examples::drawn: uniform in [-reach, reach), computed in f32."""
    f32 = numpy.float32
    unit = mersenne_twister(seed, math.prod(shape)).astype(f32) * f32(2.0**-64)
    unit = numpy.minimum(unit, numpy.nextafter(f32(1), f32(0)))
    return torch.from_numpy(((f32(2) * unit - f32(1)) * f32(reach)).astype(numpy.float64).reshape(shape))


def parameters(seed, shapes):
    """examples::random_parameters: by name, one stream after the other."""
    reach = lambda shape: 2.0 ** math.ceil(-math.log2(math.prod(shape[1:])) / 2)  # noqa: E731
    return {name: drawn(seed + i, reach(shape), *shape) for i, (name, shape) in enumerate(shapes.items())}


def dropout(x, p, seed):
    """attend::dropout: Philox4x32-10 (Salmon et al., 2011), word i for element i; kept where its top 24 bits reach p."""
    if x.ndim == 4:  # weights (b, n, s, t) are an expression of (b, s, n, t), and draws are counted in its order
        return dropout_in_order(x.transpose(1, 2), p, seed).transpose(1, 2)
    return dropout_in_order(x, p, seed)


def dropout_in_order(x, p, seed):
    low = U64(0xFFFFFFFF)
    position = numpy.arange(x.numel(), dtype=U64)
    block = position >> U64(2)
    counter = [block & low, block >> U64(32), numpy.zeros_like(block), numpy.zeros_like(block)]
    key = [seed % 2**32, seed >> 32]
    for _ in range(10):
        left, right = counter[0] * U64(0xD2511F53), counter[2] * U64(0xCD9E8D57)
        counter = [(right >> U64(32)) ^ counter[1] ^ U64(key[0]), right & low,
                   (left >> U64(32)) ^ counter[3] ^ U64(key[1]), left & low]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    words = numpy.choose((position & U64(3)).astype(int), counter)
    kept = torch.from_numpy((words >> U64(8)) >= U64(math.ceil(p * 2**24))).reshape(x.shape)
    return torch.where(kept, x / (1 - p), 0.0)


def split_heads(x, heads):
    """(b, s, heads * d) -> (b, heads, s, d)"""
    batch, rows, inner = x.shape
    return x.reshape(batch, rows, heads, inner // heads).transpose(1, 2)


def merge_heads(x):
    """(b, heads, s, d) -> (b, s, heads * d)"""
    batch, heads, rows, d = x.shape
    return x.transpose(1, 2).reshape(batch, rows, heads * d)


def modules():
    ids = torch.tensor([[100, 200, 300, 300, 0], [22, 33, 44, 0, 0], [66, 55, 66, 30, 0]])
    table = drawn(1, 2, 301, 512)
    p = parameters(2, {"query": (512, 512), "key": (512, 512), "value": (512, 512), "output.weight": (512, 512), "output.bias": (512,)})
    x = functional.embedding(ids, table)
    padding = ids == 0
    out = {"row_1": x[:, :, :32], "row_2": padding.long()}

    single, several = drawn(7, 2, 3, 5, 5), drawn(8, 2, 3, 8, 5, 5)
    rows = torch.tensor([0, 1, 997, 4095, 4096, 131071, 200003, 262143])
    cross = drawn(9, 2, 3, 262144, 5)[:, rows]
    out["row_3.rows"] = rows
    out["row_3.self"] = single.masked_fill(padding[:, None, :], -math.inf).softmax(-1)
    out["row_3.cross"] = cross.masked_fill(padding[:, None, :], -math.inf).softmax(-1)
    out["row_4"] = several.masked_fill(padding[:, None, None, :], -math.inf).softmax(-1)
    all_of_one = padding | (torch.arange(3) == 1)[:, None]  # every token of the second sentence is padding
    out["row_5"] = single.masked_fill(all_of_one[:, None, :], -math.inf).softmax(-1)  # NaN there
    out["row_6"] = single.masked_fill(all_of_one[:, None, :], -1e9).softmax(-1)

    q, k, v = (functional.linear(x, p[name]) for name in ("query", "key", "value"))
    weights = (q @ k.transpose(-2, -1) / math.sqrt(512)).masked_fill(padding[:, None, :], -math.inf).softmax(-1)
    out["row_7.weights"] = weights
    out["row_7.output"] = functional.linear(weights @ v, p["output.weight"], p["output.bias"])

    q, k, v = (split_heads(y, 8) for y in (q, k, v))
    out["row_9"] = q[:, :2]
    scores = q @ k.transpose(-2, -1) / math.sqrt(64)
    out["row_10"] = scores
    weights = scores.masked_fill(padding[:, None, None, :], -math.inf).softmax(-1)
    dropped = dropout(weights, 0.3, 99)
    out["row_11"] = dropped
    out["row_12"] = functional.linear(merge_heads(weights @ v), p["output.weight"], p["output.bias"])
    out["row_12.dropout"] = functional.linear(merge_heads(dropped @ v), p["output.weight"], p["output.bias"])
    return out


def self_attention():
    x = drawn(1, 2, 1, 10, 64)
    p = parameters(2, {"to_qkv": (1536, 64), "to_out.weight": (64, 512), "to_out.bias": (64,)})
    mask = torch.tensor([[1, 1, 0, 1, 1, 1, 0, 1, 1, 1]]).bool()  # of the keys: kept where true
    qkv = functional.linear(x, p["to_qkv"])
    q, k, v = (split_heads(y, 8) for y in qkv.chunk(3, dim=-1))
    scores = q @ k.transpose(-2, -1) * 64**-0.5
    module = lambda s: functional.linear(merge_heads(s.softmax(-1) @ v), p["to_out.weight"], p["to_out.bias"])  # noqa: E731
    return {"input": x, "row_26": qkv[:, :2], "row_27": k[:, :, :2], "row_28": scores, "row_29": module(scores),
            "row_30": dropout(module(scores), 0.1, 5), "row_31": module(scores.masked_fill(~mask[:, None, None, :], -math.inf))}


def cross_attention():
    x, context = drawn(1, 2, 1, 10, 64), drawn(2, 2, 1, 20, 77)
    p = parameters(3, {"to_q": (512, 64), "to_k": (512, 77), "to_v": (512, 77), "to_out.weight": (64, 512), "to_out.bias": (64,)})
    q, k, v = (split_heads(functional.linear(y, p[name]), 8) for name, y in (("to_q", x), ("to_k", context), ("to_v", context)))
    weights = (q @ k.transpose(-2, -1) * 64**-0.5).softmax(-1)
    return {"input": x, "context": context, "row_33": functional.linear(merge_heads(weights @ v), p["to_out.weight"], p["to_out.bias"])}


def vision_block():
    x = drawn(1, 2, 3, 196, 768)
    p = parameters(2, {"norm.weight": (768,), "norm.bias": (768,), "qkv": (2304, 768), "proj.weight": (768, 768), "proj.bias": (768,)})
    patches = slice(130, 134)
    y = functional.layer_norm(x, (768,), p["norm.weight"], p["norm.bias"])
    q, k, v = functional.linear(y, p["qkv"]).reshape(3, 196, 3, 8, 96).permute(2, 0, 3, 1, 4)
    weights = (q * 96**-0.5 @ k.transpose(-2, -1)).softmax(-1)
    projected = lambda w: functional.linear(merge_heads(w @ v), p["proj.weight"], p["proj.bias"])  # noqa: E731
    return {"input": x[:, patches, :32], "row_40.norm": y[:, patches, :192], "row_41": projected(weights)[:, patches],
            "row_40.weights": weights[:, :, 130:131], "row_40.training": dropout(projected(dropout(weights, 0.1, 7)), 0.1, 8)[:, patches]}


def image_cross_attention():
    image, context = drawn(1, 2, 3, 3, 512, 512), drawn(2, 2, 3, 5, 512)
    linear = lambda name: {f"{name}.weight": (512, 512), f"{name}.bias": (512,)}  # noqa: E731
    p = parameters(3, {"proj_in.weight": (512, 3, 1, 1), "proj_in.bias": (512,), **linear("query"), **linear("key"), **linear("value"),
                       **linear("output"), "proj_out.weight": (3, 512, 1, 1), "proj_out.bias": (3,)})
    # pixels depend on no other: the module of some of them, as an image of one row; a third lies in the corner of 64 x 64
    generator = numpy.random.default_rng(0)
    places = numpy.concatenate([[[0, 0], [0, 511], [511, 0], [511, 511]], generator.integers(0, 64, (10, 2)), generator.integers(0, 512, (18, 2))])
    places = torch.from_numpy(places)
    sampled = image[:, :, places[:, 0], places[:, 1]][:, :, None, :]
    stages = slice(0, 2)  # pixels of which every stage is written
    out = {"places": places, "pixels": sampled[:, :, 0], "context": context[:, :, :16]}

    def queries(x):
        features = functional.conv2d(x, p["proj_in.weight"], p["proj_in.bias"])
        batch, channels, height, width = features.shape
        tokens = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # b c h w -> b (h w) c
        return features, tokens, functional.linear(tokens, p["query.weight"], p["query.bias"])

    k, v = (functional.linear(context, p[f"{name}.weight"], p[f"{name}.bias"]) for name in ("key", "value"))

    def painted(attended, like):
        y = functional.linear(attended, p["output.weight"], p["output.bias"])
        y = y.reshape(like.shape[0], *like.shape[2:], 512).permute(0, 3, 1, 2)  # b (h w) c -> b c h w
        return functional.conv2d(y, p["proj_out.weight"], p["proj_out.bias"])

    def eight_heads(q, which=slice(None)):
        heads = [split_heads(y, 8) for y in (q, k[which], v[which])]
        weights = (heads[0] @ heads[1].transpose(-2, -1) * 512**-0.5).softmax(-1)
        return merge_heads(weights @ heads[2]), weights

    def one_head(q, which=slice(None)):
        weights = (q @ k[which].transpose(-2, -1) * 512**-0.5).softmax(-1)
        return weights @ v[which], weights

    features, tokens, q = queries(sampled)
    out |= {"row_13": features[:, :, :, stages], "row_14": tokens[:, stages], "row_15.query": q[:, stages], "row_15.key": k[:, :2], "row_15.value": v[:, :2]}
    attended, weights = eight_heads(q)
    out |= {"row_17.weights": weights, "row_18": attended[:, stages], "row_19.image": painted(attended, sampled)}
    attended, weights = one_head(q)
    out |= {"row_20.weights": weights, "row_20.image": painted(attended, sampled)}

    # of the whole image, means over bands of 8 rows: of the colours, and of the number of the token that weights choose
    means = {name: [[] for _ in range(3)] for name in ("row_19.image_means", "row_19.token_means", "row_20.image_means", "row_20.token_means")}
    for b in range(3):
        for band in image[b:b + 1].split(8, dim=2):
            q = queries(band)[2]
            for row, module in (("row_19", eight_heads), ("row_20", one_head)):
                attended, weights = module(q, slice(b, b + 1))
                means[f"{row}.image_means"][b].append(painted(attended, band).mean((0, 2, 3)))
                means[f"{row}.token_means"][b].append((weights @ torch.arange(5.0, dtype=torch.float64))[0].mean(-1))
    return out | {name: torch.stack([torch.stack(bands) for bands in images]) for name, images in means.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    folder = parser.parse_args().output
    torch.set_num_threads(1)
    for module in (modules, self_attention, cross_attention, vision_block, image_cross_attention):
        save_file({name: x.contiguous() for name, x in module().items()}, folder / f"{module.__name__}.safetensors")


if __name__ == "__main__":
    main()
