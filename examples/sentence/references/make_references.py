#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes references.json: what the Python original makes of a set of texts.

    pip install torch sentence-transformers
    make_references.py MODEL_FOLDER [--output references.json]

MODEL_FOLDER holds model.safetensors, tokenizer.json, vocab.txt and their configuration. The file has

- texts: each with its token ids (at most 256) and its embedding (384 numbers, f32),
- characters: for each block of 4096 code points a 64-bit FNV-1a hash of the ids of "a" + character + "b", all
  characters of the block in order, so that a test covers every character there is.
"""
import argparse
import json
import pathlib

import sentence_transformers
import tokenizers
import torch
import transformers

LONGEST = 256

TEXTS = [
    # plain English
    "A cat sits on the mat.",
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
    "the quick brown fox jumps over the lazy dog",
    "a",
    # what holds no word at all
    "",
    " \t\r\n ",
    "\u0000\u200b\ufeff\ufffd",
    # capitals, digits, punctuation, symbols
    "HELLO, World!!! (You can't do that?)",
    "e-mail: someone@example.org; cost: $3.50 (+/- 5%) ~ 100^2 = 10_000 `code` <b>|</b>",
    "\u201cCurly\u201d \u2018quotes\u2019 \u2014 dashes \u2013 ellipsis\u2026 \u00bfqu\u00e9? \u00a1s\u00ed! \u00a7 12 \u2030 \u2022",
    "3.14159 1,000,000 0x1F 12:30 2024-02-29 1st 2nd",
    # accents, composed and decomposed; letters that are no accented ones; case that is not one to one
    "Caf\u00e9 cr\u00e8me br\u00fbl\u00e9e \u00e0 la ma\u00eetresse",
    "Cafe\u0301 cre\u0300me bru\u0302le\u0301e a\u0300 la mai\u0302tresse",
    "Stra\u00dfe, STRASSE, \u1e9e, \u0152uvre, \u00c6ther, \u0141\u00f3d\u017a, \u00d8rsted, \u0110or\u0111e",
    "\u0130stanbul \u0131\u015f\u0131k I\u0307 \u01c4 \u01c5 \ufb01ne \uff26\uff55\uff4c\uff4c width",
    "na\u00efve co\u00f6perate Z\u0351\u0343\u030a\u0300a\u0301\u0302\u0303l\u0334g\u0335o\u0336",
    # other writings
    "\u0424\u0438\u043b\u043e\u0441\u043e\u0444\u0438\u044f \u0438 \u0451\u043b\u043a\u0438, \u0439\u043e\u0434!",
    "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5, \u1f08\u03c1\u03b9\u03c3\u03c4\u03bf\u03c4\u03ad\u03bb\u03b7\u03c2 \u039f\u0394\u039f\u03a3",
    "\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8\u3002 English\u4e2d\u6587mixed",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002\u30ab\u30bf\u30ab\u30ca\u3001\u3072\u3089\u304c\u306a",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4.",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u0643\u064e\u064a\u0652\u0641\u064e \u062d\u064e\u0627\u0644\u064f\u0643\u064e\u061f",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e\u0964 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "Ti\u1ebfng Vi\u1ec7t c\u00f3 nhi\u1ec1u d\u1ea5u thanh \u0111i\u1ec7u",
    # emoji with joiners and variation selectors; mathematics; private use; rare planes
    "I \u2764\ufe0f this \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "\u222b f(x) dx \u2264 \u2211 \u221e \u2260 \u211d\u00b2 \U0001d404=mc\u00b2 \u03b1\u03b2\u03b3",
    "\ue000private\uf8ff \U00020000\U0002a6df \U0001b000 \ua9bd\u166d\u1734",
    "soft\u00adhyphen zero\u200bwidth no\u00a0break ideographic\u3000space line\u2028separator next\u0085line tab\tstop",
    # unknown and long words
    "supercalifragilisticexpialidocious antidisestablishmentarianism floccinaucinihilipilification",
    "x" * 100,
    "x" * 101,
    "\u00e9" * 100 + " " + "\u00e9" * 101,
    "pneumono" * 20 + " after a very long word",
    # the vocabulary's own special pieces, as text
    "[CLS] a [MASK] in the [SEP] middle[PAD] [UNK] [mask] [unused1]",
    # longer texts: 254 words fill the 256 tokens exactly, more are cut off
    " ".join(f"word number {n}," for n in range(40)),
    " ".join(["word"] * 254),
    " ".join(["word"] * 255),
    " ".join(f"Sentence {n} says that attention is a weighted mean of values." for n in range(40)),
    "\u4e2d" * 300,
]


def fnv1a(numbers):
    result = 0xCBF29CE484222325
    for number in numbers:
        result = ((result ^ number) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return result


def hashes_of_characters(tokenizer):
    result = []
    for begin in range(0, 0x110000, 4096):
        characters = [chr(c) for c in range(begin, begin + 4096) if not 0xD800 <= c < 0xE000]
        ids = tokenizer([f"a{c}b" for c in characters])["input_ids"] if characters else []
        result.append(f"{fnv1a(number for row in ids for number in row):016x}")
    return result


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("model", help="folder of the model")
    arguments.add_argument("--output", default=pathlib.Path(__file__).with_name("references.json"), type=pathlib.Path)
    arguments = arguments.parse_args()

    model = sentence_transformers.SentenceTransformer(arguments.model, device="cpu")
    model.max_seq_length = LONGEST
    tokenizer = model.tokenizer
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()

    texts = []
    embeddings = model.encode(TEXTS, batch_size=1, convert_to_numpy=True)
    for text, embedding in zip(TEXTS, embeddings):
        ids = tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"]
        texts.append({"text": text, "ids": ids, "embedding": [float(f"{x:.7g}") for x in embedding]})

    with arguments.output.open("w", encoding="ascii", newline="\n") as file:
        file.write("{\n")
        versions = {m.__name__: m.__version__ for m in (sentence_transformers, tokenizers, torch, transformers)}
        file.write(f'"made_by": {json.dumps(versions)},\n')
        file.write(f'"longest": {LONGEST},\n"texts": [\n')
        file.write(",\n".join(json.dumps(text, separators=(",", ":")) for text in texts))
        file.write('\n],\n"characters": [\n')
        file.write(",\n".join(json.dumps(h) for h in hashes_of_characters(tokenizer)))
        file.write("\n]\n}\n")


if __name__ == "__main__":
    main()
