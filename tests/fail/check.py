#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a file that holds one mistake and reads what the compiler says about it.

    check.py [--memo FILE] FILE.cpp -- COMPILER FLAGS...

The file says what it expects, in comments beside the bad line:

    // expected-error: operator*(x, y) requires ...     the sentence, literally or as a regular expression
    // expected-note: column_of_x<d>                    a word that must appear: a dim, an extent; one a line

It passes if there is exactly one error, with the sentence and every word, traced back to the file, in at most 20 lines.
Words are looked for in the messages, not in the source lines that a compiler quotes, and without namespaces.
A file without expected-error is a control: it must compile, and silently.
"""
import argparse
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import memo  # noqa: E402

LONGEST = 20


def expected(source, kind):
    return [text.strip() for text in re.findall(rf"//\s*expected-{kind}:(.*)", source)]


def without_quotes(lines):
    """The messages without the source lines that g++ and clang mark by a bar and nvcc underlines by a caret."""
    kept = []
    for line in lines:
        if re.match(r"^\s*\^\s*$", line):
            kept = kept[:-1]
        elif not re.match(r"^\s*\d*\s+\|", line):
            kept.append(line)
    return kept


def normal(text):
    """One line, one space, no namespaces, no type suffixes: the compilers differ in these."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\b(?:attend|detail|dims|rule)::", "", text)
    text = re.sub(r"\b(\d+)(?:[lL]|ul|UL)\b", r"\1", text)
    return re.sub(r"\s*([<>,])\s*", r"\1", text)


def has_word(text, word):
    start = r"(?<!\w)" if re.match(r"\w", word) else ""
    end = r"(?!\w)" if re.search(r"\w$", word) else ""
    return re.search(start + re.escape(word) + end, text) is not None


def has_sentence(text, sentence):
    if normal(sentence) in text:
        return True
    try:
        return re.search(sentence, text) is not None
    except re.error:
        return False


def judge(path, source, compiled, output):
    """What is wrong with the compiler's answer, in sentences."""
    sentences = expected(source, "error")
    lines = output.strip().splitlines()
    if not sentences:
        return [] if compiled and not lines else ["a control must compile without a word"]
    if compiled:
        return ["the mistake compiles"]
    messages = without_quotes(lines)
    text = normal("\n".join(messages))
    errors = [line for line in messages if re.search(r"\berror( #[\w-]+)?:", line)]
    wrong = []
    if len(errors) != 1:
        wrong.append(f"one mistake must be one error, here are {len(errors)}")
    wrong += [f"the sentence is missing: {sentence}" for sentence in sentences if not has_sentence(text, sentence)]
    wrong += [f"the word is missing: {word}" for word in expected(source, "note") if not has_word(text, normal(word))]
    if path.name not in text:
        wrong.append("the message does not lead to the file with the mistake")
    if len(lines) > LONGEST:
        wrong.append(f"{len(lines)} lines, at most {LONGEST} are wanted")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memo", help="file that remembers the last success")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("command", nargs="+", help="the compiler and its flags, after --")
    arguments = parser.parse_args()

    kept = memo.Memo(arguments.memo, arguments.command, memo.identity(arguments.command[0])) if arguments.memo else None
    lines = kept.read() if kept else None
    if lines is not None:
        print(f"passed before with {lines} lines, and nothing has changed since")
        return 0

    result = subprocess.run([*arguments.command, str(arguments.file)], capture_output=True, text=True)
    output = result.stdout + result.stderr
    wrong = judge(arguments.file, arguments.file.read_text(), result.returncode == 0, output)
    print(output)
    for sentence in wrong:
        print(f"FAILED: {sentence}")
    if wrong:
        return 1
    if kept:
        files = memo.dependencies(arguments.command, arguments.file)
        kept.write([*files, __file__, memo.__file__], len(output.strip().splitlines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
