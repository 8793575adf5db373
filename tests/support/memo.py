# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a test of the compiler itself remembers: it need not run again while nothing it read has changed."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def identity(program):
    """A compiler by its path, size and time: it is replaced when these change."""
    path = os.path.realpath(shutil.which(program) or program)
    stat = os.stat(path)
    return [path, stat.st_size, int(stat.st_mtime)]


def dependencies(command, source):
    """The project's files that `source` includes, itself among them; the systems' headers are left out."""
    reading = [word for word in command if word not in ("-c", "-o", os.devnull)]
    result = subprocess.run([*reading, "-MM", str(source)], capture_output=True, text=True)
    if result.returncode != 0 or ":" not in result.stdout:
        return [str(source)]
    rule = result.stdout.replace("\\\n", " ").split(":", 1)[1]
    return [word.replace("\\ ", " ") for word in re.findall(r"(?:[^\s\\]|\\.)+", rule)]


class Memo:
    """A result kept in a file with the digests of all it came from."""

    def __init__(self, path, *key):
        self.path = pathlib.Path(path)
        self.key = json.loads(json.dumps(key))

    def read(self):
        """The result, or None if there is none or something it came from has changed."""
        try:
            kept = json.loads(self.path.read_text())
            if kept["key"] == self.key and all(digest(path) == was for path, was in kept["files"].items()):
                return kept["result"]
        except (OSError, ValueError, KeyError):
            pass
        return None

    def write(self, files, result):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files = {str(path): digest(path) for path in files}
        self.path.write_text(json.dumps({"key": self.key, "files": files, "result": result}, indent=1))
