# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that time one case on request; only the one whose turn it is runs, the others are stopped."""
import json
import math
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


class Worker:
    """One process of a column of the table, spoken to by a line each way."""

    patience = 900  # seconds for an answer, compiling included
    deadline = math.inf  # by time.monotonic(): no answer is waited for any longer

    def __init__(self, column, command, environment=None):
        self.column, self.command, self.environment = column, command, environment
        self.process, self.refusal = None, None
        self.version = column

    def start(self):
        """Starts the process and stops it until its first turn."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(self.environment or {})},
            start_new_session=True,
        )

    def signal(self, what):
        """Sends a signal to the process and those it started."""
        try:
            os.killpg(self.process.pid, what)
        except ProcessLookupError:
            pass

    def answer(self):
        """The next line of the process as an object; an error where it ends or takes too long."""
        patience = min(self.patience, max(self.deadline - time.monotonic(), 0))
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.end()
            return {"error": "took too long"}
        line = self.process.stdout.readline()
        if not line:
            self.end()
            return {"error": "ended without an answer"}
        return json.loads(line)

    def ask(self, line):
        """Lets the process run until it has answered the line."""
        if self.refusal:
            return {"error": self.refusal}
        if self.process is None:
            self.start()
            if not self.greeted():
                return {"error": self.refusal}
        else:
            self.signal(signal.SIGCONT)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            answer = self.answer()
        except BrokenPipeError:
            self.end()
            answer = {"error": "ended without an answer"}
        if self.process:
            self.signal(signal.SIGSTOP)
        return answer

    def greeted(self):
        """Whether the process is there to answer."""
        return True

    def end(self):
        """Ends the process; the next question starts another."""
        if self.process:
            self.signal(signal.SIGKILL)
            self.process.wait()
        self.process = None


class Ours(Worker):
    """A build of the benchmark program."""

    def __init__(self, column, program, *settings, environment=None):
        super().__init__(column, [program, "--serve", *settings], environment)

    def time(self, case):
        """The answer for a case."""
        return self.ask(case["name"])


class Peer(Worker):
    """Another library."""

    def __init__(self, column, threads, seconds, cache, script="peers.py"):
        script = [sys.executable, str(HERE / script), column]
        compiled = cache / f"{threads}-threads"  # the number of threads is part of what is compiled
        environment = {"TORCHINDUCTOR_CACHE_DIR": str(compiled), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        super().__init__(column, [*script, f"--threads={threads}", f"--seconds={seconds}"], environment)

    def greeted(self):
        """Whether the library is there; its version is kept, or why it is not."""
        greeting = self.answer()
        self.version = greeting.get("version", self.version)
        self.refusal = greeting.get("error")
        return not self.refusal

    def time(self, case):
        """The answer for a case."""
        return self.ask(json.dumps(case))
