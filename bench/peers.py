#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times one case at a time by another library: reads a case as JSON a line, answers with a JSON object a line.

    peers.py pytorch|flex|onnxruntime|openvino [--threads N] [--seconds S]

The first line says which version answers. Where a few queries are decoded, they are given as the library likes them
best: heads that share keys and values become rows of one head, which without a mask is the same sum.
"""
import argparse
import contextlib
import json
import math
import os
import sys
import time

DTYPES = {"f32": "float32", "bf16": "bfloat16"}


def shapes(case):
    """The extents of queries and of keys, heads before rows; where queries are decoded, the heads of a group are rows."""
    together = case["heads"] // case["groups"] if case["kind"] == "decode" else 1
    heads, rows = case["heads"] // together, together * case["queries"]
    return (case["batch"], heads, rows, case["depth"]), (case["batch"], case["groups"], case["keys"], case["depth"])


def grouped(case):
    """Whether several heads of queries share one of keys and values."""
    of_query, of_key = shapes(case)
    return of_query[1] != of_key[1]


def torch_operands(case, device):
    """Normally distributed query, key and value as PyTorch's tensors."""
    import torch

    torch.manual_seed(0)
    of_query, of_key = shapes(case)
    dtype = getattr(torch, DTYPES[case["dtype"]])
    return [torch.randn(shape, dtype=torch.float32, device=device).to(dtype) for shape in (of_query, of_key, of_key)]


class PyTorch:
    """torch.nn.functional.scaled_dot_product_attention."""

    device = "cpu"

    def __init__(self, threads):
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.version = f"PyTorch {torch.__version__}"

    def prepare(self, case):
        """A function that computes the case once."""
        import torch

        if case["score"] not in ("full", "causal"):
            raise NotImplementedError(case["score"])
        query, key, value = torch_operands(case, self.device)
        attention = torch.nn.functional.scaled_dot_product_attention
        return lambda: attention(query, key, value, is_causal=case["score"] == "causal", enable_gqa=grouped(case))


class Flex(PyTorch):
    """torch.nn.attention.flex_attention, compiled for each case's own shape."""

    def __init__(self, threads):
        super().__init__(threads)
        import torch._dynamo

        self.version = self.version.replace("PyTorch", "FlexAttention of PyTorch")
        torch._dynamo.config.recompile_limit = 1000  # beyond it, cases would run uncompiled

    def prepare(self, case):
        """A function that computes the case once; its block mask is made here, outside of what is timed."""
        import torch
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        query, key, value = torch_operands(case, self.device)
        constants, name = case["constants"], case["score"]
        cap, window, document = constants["cap"], case["window"], constants["document"]
        heads = case["heads"]
        slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)], device=self.device)
        documents = torch.arange(max(case["queries"], case["keys"]), device=self.device) // document
        scores = {
            "softcap": lambda x, b, h, i, j: cap * torch.tanh(x / cap),
            "alibi": lambda x, b, h, i, j: x + slopes[h] * (j - i),
        }
        scores["alibi-window"] = scores["alibi"]
        masks = {
            "causal": lambda b, h, i, j: j <= i,
            "window": lambda b, h, i, j: (j <= i) & (i - j <= window),
            "documents": lambda b, h, i, j: documents[i] == documents[j],
        }
        masks["alibi-window"] = masks["window"]
        mask = None
        if name in masks:
            mask = create_block_mask(masks[name], None, None, case["queries"], case["keys"], device=self.device)
        compiled = torch.compile(flex_attention, dynamic=False)
        return lambda: compiled(query, key, value, score_mod=scores.get(name), block_mask=mask, enable_gqa=grouped(case))


class OnnxRuntime:
    """The operator com.microsoft.MultiHeadAttention in a model of one node, its result in memory given beforehand."""

    def __init__(self, threads):
        import onnxruntime

        self.threads = threads
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def prepare(self, case):
        """A function that computes the case once."""
        import numpy
        import onnxruntime
        from onnx import TensorProto, helper

        if case["dtype"] != "f32":
            raise NotImplementedError("f32 only")
        if case["score"] not in ("full", "causal"):
            raise NotImplementedError(case["score"])
        (batch, heads, rows, depth), (_, _, keys, _) = shapes(case)
        extents = {"query": rows, "key": keys, "value": keys, "out": rows}
        values = {
            name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, length, heads * depth])
            for name, length in extents.items()
        }
        node = helper.make_node(
            "MultiHeadAttention",
            ["query", "key", "value"],
            ["out"],
            domain="com.microsoft",
            num_heads=heads,
            scale=1 / math.sqrt(depth),
            unidirectional=int(case["score"] == "causal"),
        )
        inputs = ("query", "key", "value")
        graph = helper.make_graph([node], "attention", [values[name] for name in inputs], [values["out"]])
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        draw = numpy.random.default_rng(0)
        binding = session.io_binding()
        for name in inputs:
            x = draw.standard_normal((batch, extents[name], heads * depth), dtype=numpy.float32)
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(x))
        out = numpy.empty((batch, rows, heads * depth), numpy.float32)
        binding.bind_ortvalue_output("out", onnxruntime.OrtValue.ortvalue_from_numpy(out))
        return lambda: session.run_with_iobinding(binding)


class OpenVino:
    """The operation ScaledDotProductAttention in a model of one node."""

    def __init__(self, threads):
        import openvino

        self.threads = threads
        self.has_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.version = f"OpenVINO {openvino.__version__.split('-')[0]}"
        if not self.has_bf16:
            self.version += " (on this processor bf16 by f32)"

    def prepare(self, case):
        """A function that computes the case once."""
        import numpy
        import openvino
        from openvino import opset13

        if case["score"] not in ("full", "causal"):
            raise NotImplementedError(case["score"])
        of_query, of_key = shapes(case)
        kind = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}[case["dtype"]]
        query, key, value = (opset13.parameter(shape, kind) for shape in (of_query, of_key, of_key))
        node = opset13.scaled_dot_product_attention(query, key, value, causal=case["score"] == "causal")
        model = openvino.Model([opset13.result(node)], [query, key, value], "attention")
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": case["dtype"] if self.has_bf16 else "f32",
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        draw = numpy.random.default_rng(0)
        request = compiled.create_infer_request()
        for i, shape in enumerate((of_query, of_key, of_key)):
            x = draw.standard_normal(shape, dtype=numpy.float32)
            if case["dtype"] == "f32":
                tensor = openvino.Tensor(x)
            else:
                tensor = openvino.Tensor(kind, shape)
                tensor.data.view(numpy.uint16)[...] = x.view(numpy.uint32) >> 16
            request.set_input_tensor(i, tensor)
        return request.infer


PEERS = {"pytorch": PyTorch, "flex": Flex, "onnxruntime": OnnxRuntime, "openvino": OpenVino}


def mean_seconds(call, seconds):
    """The mean time of a call over as many calls as fill the seconds, and their number."""
    calls, start = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed / calls, calls


def words_of(error):
    """One short line on what went wrong."""
    if isinstance(error, NotImplementedError):
        return f"not offered: {error}"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:160]


def serve(peer, seconds, answer, measure):
    """Answers case after case; those asked for last stay ready, the case and the one it is compared with."""
    ready = {}
    for line in sys.stdin:
        case = json.loads(line)
        try:
            if case["name"] not in ready:
                while len(ready) > 1:
                    del ready[next(iter(ready))]
                call = peer.prepare(case)
                call()
                ready[case["name"]] = call
            mean, calls = measure(ready[case["name"]], seconds)
            answer({"seconds": mean, "calls": calls})
        except Exception as error:  # whatever a library throws is its answer
            answer({"error": words_of(error)})


def answers_alone():
    """Where answers go; what libraries print goes elsewhere."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def main(peers=PEERS, measure=mean_seconds):
    """Serves one of the peers, its functions timed by `measure`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=peers)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3, help="least time measured for an answer")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before a library reads it

    answers = answers_alone()

    def answer(words):
        answers.write(json.dumps(words) + "\n")

    try:
        peer = peers[arguments.peer](arguments.threads)
    except Exception as error:
        answer({"error": words_of(error)})
        return
    answer({"version": peer.version})
    with contextlib.suppress(KeyboardInterrupt):
        serve(peer, arguments.seconds, answer, measure)


if __name__ == "__main__":
    main()
