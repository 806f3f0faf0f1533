"""A process of its own for solvers: what hangs, dies or eats memory there is killed and replaced, and costs one call.

The worker has an empty environment, its own session, limits on memory, files and core dumps, and the parent's clock.
It runs one of the functions of stages/tools/solvers.py at a time, on arguments that the parent has parsed and checked.
It bounds time and memory and is no sandbox: the code in it can read files as the user can. Nothing that a model wrote
is code there. It starts at the first call.

Pebble's pool (5.2.3) was measured in its place: its worker keeps the parent's environment in /proc, one that blocks
signals is killed 3 s late (0.1 s here), and a question of z3's took 6 to 24 % longer.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

RECYCLE = 500  # calls; a solver's leaks stay small
START_SECONDS = 60.0  # for a process and the imports of its first call
MAX_REPLY = 1_000_000  # bytes
PROGRAM = Path(__file__).with_name("solvers.py")


class WorkerError(Exception):
    """A call ended without an answer: `reason` is time, memory or death. The next call has a new process."""

    def __init__(self, function: str, reason: str):
        super().__init__(f"{function}: no answer from the worker, {reason}")
        self.reason = reason


def call(function: str, argument: object, seconds: float) -> object:
    """What this function of solvers.py returns for an argument in this process's worker; both are JSON values.

    Raises:
        WorkerError: not done after `seconds`, or out of memory, or the worker died.
        RuntimeError: the function raised; it should not, on an argument that was checked.
    """
    return _worker.call(function, argument, seconds)


class Worker:
    """One process at a time, started when it is needed: `python -I program`, which answers as solvers.py does."""

    def __init__(self, program: Path = PROGRAM):
        self.program = program
        self.process: subprocess.Popen | None = None
        self.line: socket.socket | None = None  # to the process
        self.calls = 0
        self.ready: set[str] = set()
        self.lock = threading.Lock()

    def call(self, function: str, argument: object, seconds: float) -> object:
        with self.lock:
            if self.calls == RECYCLE or self.process is not None and self.process.poll() is not None:
                self.close()
            if function not in self.ready:
                self._load(function)
            self.calls += 1
            return self._ask(function, {"function": function, "argument": argument, "seconds": seconds}, seconds)

    def _load(self, function: str) -> None:
        """Start the process where there is none and import what the function needs; this is not the call's time."""
        try:
            self._ask(function, {"load": function}, START_SECONDS)
        except WorkerError as error:
            message = f"the worker does not start ({error.reason}); `python -I {self.program}` shows why"
            raise RuntimeError(message) from None
        self.ready.add(function)

    def close(self) -> None:
        """Kill the process with all that it may have started, and leave no zombie."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.line.close()
        self.process, self.calls, self.ready = None, 0, set()

    def _ask(self, function: str, request: dict, seconds: float) -> object:
        if self.process is None:
            self._start()
        try:
            reply = json.loads(self._exchange(json.dumps(request).encode() + b"\n", seconds))
            outcome, value = reply["outcome"], reply["value"]
        except TimeoutError:
            self.close()
            raise WorkerError(function, "time") from None
        except (OSError, EOFError, ValueError, LookupError, TypeError):
            self.close()
            raise WorkerError(function, "death") from None
        except BaseException:  # interrupted: the answer would be taken for that of the next call
            self.close()
            raise
        if outcome == "memory":
            self.close()
            raise WorkerError(function, "memory")
        if outcome == "raised":
            raise RuntimeError(f"{function} raised in the worker: {value}")
        return value

    def _start(self) -> None:
        self.line, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(self.program)],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )

    def _exchange(self, request: bytes, seconds: float) -> bytes:
        """The line that answers a line; EOFError where it does not end, TimeoutError after this many seconds."""
        deadline = time.monotonic() + seconds
        self.line.settimeout(seconds)
        self.line.sendall(request)  # the time-out is for all of it, as sendall has it, and for one part below
        reply = b""
        while not reply.endswith(b"\n"):
            self.line.settimeout(max(deadline - time.monotonic(), 1e-6))  # 0 would be: do not wait, and another error
            part = self.line.recv(65536)
            reply += part
            if not part or len(reply) > MAX_REPLY:
                raise EOFError
        return reply


def _after_fork() -> None:
    """A forked child must not talk to its parent's worker: it lets go of it and starts its own."""
    global _worker
    if _worker.process is not None:
        _worker.process.returncode = 0  # it is not ours to wait for
    _worker = Worker()


_worker = Worker()
atexit.register(lambda: _worker.close())
os.register_at_fork(after_in_child=_after_fork)
