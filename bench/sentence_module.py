#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MiniLM-L6 on a batch of sentences by other libraries, asked and answering as peers.py; also what they all read.

    sentence_module.py transformers|onnxruntime|openvino|openvino_bf16 [--threads N] [--seconds S]
    sentence_module.py write --model FOLDER --into FOLDER      texts, ids, the model as ONNX, and the truth in float64

A case is named `sentence/ids` or, where tokenizing is timed too, `sentence/texts`; `batch` is how many sentences go
through the model at once, `streams` how many batches are under way at a time, each with its share of the threads. The embeddings
go beside what was read.
"""
import argparse
import concurrent.futures
import pathlib
import queue
import re
import sys

import numpy

import peers

SENTENCES, TOKENS = 64, 122  # with [CLS] and [SEP]
LAYERS, FEATURES, HEADS, HIDDEN = 6, 384, 12, 1536
INPUTS = ("input_ids", "attention_mask")


def texts_of(vocabulary):
    """Texts of words that are one token each."""
    pieces = vocabulary.read_text(encoding="utf-8").split("\n")
    words = [piece for piece in pieces if re.fullmatch("[a-z]{3,}", piece)]
    each = TOKENS - 2
    return [" ".join(words[7919 * (each * text + i) % len(words)] for i in range(each)) for text in range(SENTENCES)]


def flops():
    """Operations of the linear maps and of attention, embeddings and norms aside."""
    of_token = 4 * FEATURES**2 + 2 * FEATURES * HIDDEN + 2 * TOKENS * FEATURES
    return 2.0 * SENTENCES * TOKENS * LAYERS * of_token


def error(folder, name):
    """How far a side's embeddings turn from float64's: the largest 1 - cosine."""
    found, expected = (numpy.load(folder / f"{x}.npy").astype(numpy.float64) for x in (name, "float64"))
    length = lambda x: numpy.linalg.norm(x, axis=1)
    return float((1 - (found * expected).sum(axis=1) / (length(found) * length(expected))).max())


def original(folder, **settings):
    """The model as sentence-transformers has it."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", **settings)


def write(model, folder):
    """Everything that the sides read, and float64's embeddings."""
    import onnxruntime.transformers.optimizer as optimizer
    import torch

    class Embedding(torch.nn.Module):
        """Ids and mask in, embeddings out, pooled and normalised."""

        def __init__(self):
            super().__init__()
            # its attention in steps, which is what optimisers look for in a graph
            self.whole = original(model, model_kwargs={"attn_implementation": "eager"})

        def forward(self, input_ids, attention_mask):
            """The embeddings (b, c)."""
            return self.whole({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    folder.mkdir(parents=True, exist_ok=True)
    texts = texts_of(model / "vocab.txt")
    (folder / "texts.txt").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    embedding = Embedding().eval()
    ids = embedding.whole.tokenizer(texts, return_tensors="pt")["input_ids"]
    assert ids.shape == (SENTENCES, TOKENS), ids.shape
    numpy.save(folder / "ids.npy", ids.numpy().astype(numpy.int32))
    torch.onnx.export(
        embedding,
        (ids[:2], torch.ones_like(ids[:2])),
        folder / "model.onnx",
        dynamo=False,
        opset_version=18,
        input_names=list(INPUTS),
        output_names=["embedding"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in INPUTS},
    )
    fused = optimizer.optimize_model(str(folder / "model.onnx"), "bert", HEADS, FEATURES)
    fused.save_model_to_file(str(folder / "fused.onnx"))
    with torch.inference_mode():
        numpy.save(folder / "float64.npy", embedding.double()(ids, torch.ones_like(ids)).numpy())


class Side:
    """A library: what `prepare` gives embeds the case's sentences, a batch after the other."""

    name: str

    def prepare(self, case):
        """A function that computes the case once; its embeddings have gone to a file."""
        folder, kind = pathlib.Path(case["folder"]), case["name"].split("/")[1]
        call = getattr(self, f"of_{kind}")(case, folder)
        numpy.save(folder / f"{self.name}-{kind}.npy", call())
        return call

    def of_ids(self, case, folder):
        """A function that embeds ids that are there."""
        ids = numpy.load(folder / "ids.npy").astype(numpy.int64)
        parts = [ids[i:i + case["batch"]] for i in range(0, len(ids), case["batch"])]
        embed = self.loaded(case, folder)
        if case["streams"] == 1:
            return lambda: numpy.concatenate([embed(part) for part in parts])
        streams = concurrent.futures.ThreadPoolExecutor(case["streams"])
        return lambda: numpy.concatenate(list(streams.map(embed, parts)))

    def of_texts(self, case, folder):
        """A function that embeds texts."""
        raise NotImplementedError("from texts")

    def loaded(self, case, folder):
        """A function that embeds ids (b, s), by as many threads at a time as there are streams."""
        raise NotImplementedError


class SentenceTransformers(Side):
    """The model's original, in PyTorch."""

    name = "transformers"

    def __init__(self, threads):
        import sentence_transformers
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.version = f"sentence-transformers {sentence_transformers.__version__} on PyTorch {torch.__version__}"
        self.model = None

    def ready(self, case):
        """The model, loaded once."""
        self.model = self.model or original(case["model"])
        return self.model

    def loaded(self, case, folder):
        import torch

        model = self.ready(case)

        def embed(ids):
            ids = torch.from_numpy(ids)
            return model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"].numpy()

        return embed

    def of_texts(self, case, folder):
        model, texts = self.ready(case), (folder / "texts.txt").read_text(encoding="utf-8").splitlines()
        return lambda: model.encode(texts, batch_size=case["batch"], show_progress_bar=False)


class OnnxRuntime(Side):
    """The exported model, `graph` saying whether fused by the library's own optimiser of BERT models beforehand."""

    name = "onnxruntime"

    def __init__(self, threads):
        import onnxruntime

        self.threads = threads
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def loaded(self, case, folder):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads // case["streams"]
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(folder / f"{case['graph']}.onnx", options, ["CPUExecutionProvider"])
        return lambda ids: session.run(None, dict(zip(INPUTS, (ids, numpy.ones_like(ids)))))[0]


class OpenVino(Side):
    """The exported model, compiled for the very shape of a batch."""

    name, precision = "openvino", "f32"

    def __init__(self, threads):
        import openvino

        self.threads = threads
        self.version = f"OpenVINO {openvino.__version__.split('-')[0]}"
        able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self.precision == "bf16" and "BF16" not in able:
            raise NotImplementedError("bf16 on this processor")

    def loaded(self, case, folder):
        import openvino

        core = openvino.Core()
        model = core.read_model(folder / "model.onnx")
        model.reshape({name: [case["batch"], TOKENS] for name in INPUTS})
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": case["streams"],
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        compiled = core.compile_model(model, "CPU", settings)
        idle = queue.SimpleQueue()
        for _ in range(case["streams"]):
            idle.put(compiled.create_infer_request())

        def embed(ids):
            request = idle.get()
            try:
                return request.infer(dict(zip(INPUTS, (ids, numpy.ones_like(ids)))), share_inputs=True)[0].copy()
            finally:
                idle.put(request)

        return embed


class OpenVinoBf16(OpenVino):
    """The same, told to multiply bf16."""

    name, precision = "openvino_bf16", "bf16"


SIDES = {side.name: side for side in (SentenceTransformers, OnnxRuntime, OpenVino, OpenVinoBf16)}


def main():
    if sys.argv[1:2] != ["write"]:
        return peers.main(SIDES)
    parser = argparse.ArgumentParser(description="Writes what the sides read.")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of the model")
    parser.add_argument("--into", type=pathlib.Path, required=True, help="folder for what is written")
    arguments = parser.parse_args(sys.argv[2:])
    return write(arguments.model, arguments.into)


if __name__ == "__main__":
    main()
