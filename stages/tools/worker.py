"""A process of its own for solvers: what hangs, dies or eats memory there is killed and replaced, and costs one call.

The worker has an empty environment, its own session, limits on memory, files and core dumps, and the parent's clock.
It runs one of the functions of FUNCTIONS at a time, on arguments that the parent has parsed and checked. It bounds time
and memory and is no sandbox: the code in it can read files as the user can. Nothing that a model wrote is code there.

The same file is both sides: imported, it starts `python -I worker.py` at the first call; started, it serves.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

RECYCLE = 500  # calls; a solver's leaks stay small
START_SECONDS = 60.0  # for a process and the imports of its first call
MAX_REPLY = 1_000_000  # bytes
MAX_MEMORY = 1 << 30  # bytes of address space
HEAD = struct.Struct("!I")


class WorkerError(Exception):
    """A call ended without an answer: `reason` is time, memory or death. The next call has a new process."""

    def __init__(self, function: str, reason: str):
        super().__init__(f"{function}: no answer from the worker, {reason}")
        self.reason = reason


def call(function: str, argument: object, seconds: float) -> object:
    """What FUNCTIONS[function](argument) returns in this process's worker; both are JSON values.

    Raises:
        WorkerError: not done after `seconds`, or out of memory, or the worker died.
        RuntimeError: the function raised; it should not, on an argument that was checked.
    """
    return _worker.call(function, argument, seconds)


class Worker:
    """One process at a time, started when it is needed. `program` is run by `python -I` and ends in `serve()`."""

    def __init__(self, program: Path = Path(__file__)):
        self.program = program
        self.process: subprocess.Popen | None = None
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
            self.forget()

    def forget(self) -> None:
        """Let go of the process without touching it."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.stdout.close()
            if self.process.returncode is None:
                self.process.returncode = 0  # after a fork: it is not ours to wait for
        self.process, self.calls, self.ready = None, 0, set()

    def _ask(self, function: str, request: dict, seconds: float) -> object:
        if self.process is None:
            self.process = _start(self.program)
        deadline = time.monotonic() + seconds
        try:
            body = json.dumps(request).encode()
            self._send(HEAD.pack(len(body)) + body, deadline)
            (length,) = HEAD.unpack(self._receive(HEAD.size, deadline))
            if length > MAX_REPLY:
                raise EOFError
            reply = json.loads(self._receive(length, deadline))
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

    def _send(self, message: bytes, deadline: float) -> None:
        file = self.process.stdin.fileno()
        while message:
            _wait(file, select.POLLOUT, deadline)
            message = message[os.write(file, message) :]

    def _receive(self, length: int, deadline: float) -> bytes:
        file = self.process.stdout.fileno()
        parts = b""
        while len(parts) < length:
            _wait(file, select.POLLIN, deadline)
            part = os.read(file, length - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts


def _start(program: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-I", "-B", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        env={},
        start_new_session=True,
    )
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _wait(file: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(file, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _after_fork() -> None:
    """A forked child must not talk to its parent's worker: it lets go of it and starts its own."""
    global _worker
    _worker.forget()
    _worker = Worker()


_worker = Worker()
atexit.register(lambda: _worker.close())
os.register_at_fork(after_in_child=_after_fork)


# The other side: what runs in the worker.


def _entails(argument: dict) -> dict:
    """Whether the premises entail the conclusion or its negation, by bounded checks of z3.

    `argument`: premises and conclusion, closed formulas as `stages.tools.formula` has them, and the limit of one check
    in z3's own units (`rlimit`), which unlike seconds do not depend on the machine's load. Out: `outcome`; where it is
    True or False, `alone`: whether it holds without premises, and `stated`: whether one premise says just that; where
    it is Unknown, `telling`: how many premises could be false.
    """
    import z3

    thing, names = z3.DeclareSort("thing"), {}
    make = {"¬": z3.Not, "∧": z3.And, "∨": z3.Or, "⊕": z3.Xor, "→": z3.Implies, "↔": z3.BoolRef.__eq__}

    def named(kind: str, name: str, declare: Callable) -> object:
        # Names by order of first use: the solver sees the same text whatever a model calls things.
        if (kind, name) not in names:
            names[kind, name] = declare(f"{kind}{len(names)}")
        return names[kind, name]

    def built(formula: list, bound: dict) -> z3.BoolRef:
        kind, *parts = formula
        if kind in ("∀", "∃"):
            variable = z3.Const(f"variable{len(bound)}", thing)
            inner = built(parts[1], {**bound, parts[0]: variable})
            return z3.ForAll([variable], inner) if kind == "∀" else z3.Exists([variable], inner)
        if kind in ("is", "="):
            terms = [
                bound[name] if name in bound else named("constant", name, lambda new: z3.Const(new, thing))
                for name in (parts if kind == "=" else parts[1:])
            ]
            if kind == "=":
                return terms[0] == terms[1]
            sorts = [thing] * len(terms) + [z3.BoolSort()]
            return named("predicate", parts[0], lambda new: z3.Function(new, *sorts))(*terms)
        joined = [built(part, bound) for part in parts]
        return make[kind](*joined)

    def check(formulas: list, share: int = 1) -> str:
        # Instances from models first: 1,000 random problems need 13,000 steps at most; instances from patterns ran into
        # 2,000,000 on two of them. Not z3.Solver(): its strategies went on for 12 s beyond that limit.
        for options, limit in (({"smt.ematching": False}, argument["rlimit"] // 10), ({}, argument["rlimit"])):
            solver = z3.SimpleSolver()
            solver.set(rlimit=limit // share, **options)
            solver.add(*formulas)
            outcome = str(solver.check())
            if outcome != "unknown":
                break
        return outcome

    premises = [built(formula, {}) for formula in argument["premises"]]
    conclusion = built(argument["conclusion"], {})
    against = check([*premises, z3.Not(conclusion)])
    beside = check([*premises, conclusion]) if against != "unknown" else "unknown"
    if "unknown" in (against, beside):
        return {"outcome": "Undecided"}
    if against == beside == "unsat":
        return {"outcome": "Inconsistent"}
    if against == beside:
        return {"outcome": "Unknown", "telling": sum(check([z3.Not(part)], 40) != "unsat" for part in premises)}
    claim = conclusion if against == "unsat" else z3.Not(conclusion)
    alone = check([z3.Not(claim)]) == "unsat"
    stated = any(check([z3.Xor(premise, claim)], 40) == "unsat" for premise in premises)
    return {"outcome": "True" if against == "unsat" else "False", "alone": alone, "stated": stated}


# name -> (the module that the first call imports beforehand, the function)
FUNCTIONS: dict[str, tuple[str, Callable]] = {"entails": ("z3", _entails)}


def serve() -> None:
    """Answer requests until the parent closes its end. What libraries print goes nowhere."""
    for limit, value in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1, 2):
        os.dup2(nowhere, file)
    while head := requests.read(HEAD.size):
        request = json.loads(requests.read(*HEAD.unpack(head)))
        body = json.dumps(_answer(request)).encode()
        replies.write(HEAD.pack(len(body)) + body)
        replies.flush()


def _answer(request: dict) -> dict:
    try:
        if "load" in request:
            importlib.import_module(FUNCTIONS[request["load"]][0])
            return {"outcome": "done", "value": None}
        _bound_processor(request["seconds"])
        return {"outcome": "done", "value": FUNCTIONS[request["function"]][1](request["argument"])}
    except MemoryError:
        return {"outcome": "memory", "value": None}
    except Exception as error:
        full = "out of memory" in str(error)  # a z3.Z3Exception
        return {"outcome": "memory" if full else "raised", "value": f"{type(error).__name__}: {error}"[:200]}


def _bound_processor(seconds: float) -> None:
    """End this process some seconds of processor time after the call should have ended, in case its parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve()
