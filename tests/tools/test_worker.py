"""The worker: what hangs, dies, prints or eats memory in it costs one call, and the next call finds a new one."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT

from stages.tools import solvers, worker
from stages.tools.worker import Worker, WorkerError

BOUND = 0.2  # seconds that a call may run over its time
ENTAILED = {"premises": [["is", "P", "a"]], "conclusion": ["is", "P", "a"], "rlimit": 100_000}

# A worker with hostile functions, beside those of the real one.
PROGRAM = f"""
import ctypes, importlib.util, os, resource, signal, subprocess, sys, time

spec = importlib.util.spec_from_file_location("solvers", {str(worker.PROGRAM)!r})
solvers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(solvers)


def hang(_):
    while True:
        pass

def deaf(_):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    time.sleep(1_000)

def bomb(size):
    return len(bytearray(size))

def grow(_):
    kept = []
    while True:
        kept.append("x" * 1_000_000)

def noise(_):
    print("noise")
    sys.stdout.flush()
    sys.stderr.write("noise")
    for file in (0, 1, 2):
        try:
            os.write(file, b"noise" * 100_000)
        except OSError:
            pass
    os.system("echo noise; echo noise >&2; cat")
    return "done"

def write(path):
    try:
        with open(path, "w") as file:
            file.write("x")
    except OSError as error:
        return type(error).__name__

def raises(text):
    raise ValueError(text)

functions = {{
    "echo": lambda argument: argument,
    "hang": hang,
    "deaf": deaf,
    "bomb": bomb,
    "grow": grow,
    "die": lambda code: os._exit(code),
    "abort": lambda _: os.abort(),
    "crash": lambda _: ctypes.string_at(0),
    "exit": lambda _: sys.exit(0),
    "noise": noise,
    "write": write,
    "raises": raises,
    "long": lambda size: "x" * size,
    "no json": lambda _: object(),
    "environment": lambda _: dict(os.environ),
    "process": lambda _: [os.getpid(), os.getsid(0), os.getpgid(0)],
    "limits": lambda names: [resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in names],
    "spawn": lambda _: subprocess.Popen(["/bin/sleep", "1000"]).pid,
    "stdin": lambda _: sys.stdin.read(),
}}
solvers.FUNCTIONS.update({{name: ("json", function) for name, function in functions.items()}})
solvers.serve()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("worker") / "hostile.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def hostile(program):
    made = Worker(program)
    yield made
    made.close()


def ask(hostile, function, argument=None, seconds=20.0):
    return hostile.call(function, argument, seconds)


def refused(hostile, function, argument=None, seconds=20.0):
    with pytest.raises(WorkerError) as error:
        ask(hostile, function, argument, seconds)
    assert "\n" not in str(error.value)
    return error.value.reason


def is_alive(pid):
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


@pytest.mark.parametrize("value", [None, 1.5, "é\u2028\x00\ud800", [1, [2, {"a": "b"}]], "x" * 900_000, ""])
def test_a_value_comes_back_as_it_was(hostile, value):
    assert ask(hostile, "echo", value) == value


@pytest.mark.parametrize("function", ["hang", "deaf"])
def test_a_hang_is_killed_in_time_and_the_next_call_is_answered(hostile, function):
    times = []
    for _ in range(3):  # the best of three: other processes may hold the processor
        pid = ask(hostile, "process")[0]
        hostile.ready.add(function)  # only the call is timed, not the start of a process
        start = time.monotonic()
        assert refused(hostile, function, seconds=0.3) == "time"
        times.append(time.monotonic() - start)
        assert not Path(f"/proc/{pid}").exists()  # no zombie either
        assert ask(hostile, "echo", "again") == "again"
    assert 0.3 <= min(times) < 0.3 + BOUND


def test_a_worker_that_is_stopped_counts_as_hanging(hostile):
    pid = ask(hostile, "process")[0]
    os.kill(pid, signal.SIGSTOP)
    assert refused(hostile, "process", seconds=0.3) == "time"
    assert not Path(f"/proc/{pid}").exists()


def test_a_request_that_a_stopped_worker_does_not_read_times_out_too(hostile):
    os.kill(ask(hostile, "process")[0], signal.SIGSTOP)
    hostile.ready.add("echo")
    assert refused(hostile, "echo", "x" * 1_000_000, seconds=0.3) == "time"


@pytest.mark.parametrize(("function", "argument"), [("bomb", 10**12), ("bomb", 1 << 30), ("grow", None)])
def test_a_memory_bomb_is_told_from_a_hang(hostile, function, argument):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(hostile, function, argument) == "memory"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
    assert ask(hostile, "echo", 1) == 1


@pytest.mark.parametrize(
    ("function", "argument"),
    [("die", 0), ("die", 1), ("abort", None), ("crash", None), ("exit", None), ("no json", None), ("long", 2_000_000)],
)
def test_a_death_in_the_middle_of_a_call_is_one_error_and_a_new_worker(hostile, function, argument):
    pid = ask(hostile, "process")[0]
    assert refused(hostile, function, argument) == "death"
    assert not Path(f"/proc/{pid}").exists()
    assert ask(hostile, "echo", 1) == 1


def test_a_worker_that_died_between_two_calls_is_replaced_silently(hostile):
    pid = ask(hostile, "process")[0]
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    assert ask(hostile, "process")[0] != pid


def test_what_is_printed_never_reaches_the_answers(hostile):
    assert ask(hostile, "noise") == "done"
    assert ask(hostile, "stdin") == ""
    assert ask(hostile, "echo", "after") == "after"


def test_the_worker_sees_no_environment(hostile, monkeypatch):
    monkeypatch.setenv("STEPCALL_MARKER_KEY", "sk-marker-123")
    seen = ask(hostile, "environment")
    assert "sk-marker-123" not in str(seen) and set(seen) <= {"LC_CTYPE"}
    pid = ask(hostile, "process")[0]
    assert b"sk-marker-123" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_worker_has_a_session_of_its_own_and_limits(hostile):
    pid, session, group = ask(hostile, "process")
    assert pid == session == group != os.getpid()
    assert ask(hostile, "limits", ["AS", "CORE", "FSIZE", "NOFILE"]) == [solvers.MAX_MEMORY, 0, 0, 16]


def test_the_worker_cannot_write_a_file(hostile, tmp_path):
    assert ask(hostile, "write", str(tmp_path / "left")) == "OSError"


def test_what_a_function_started_dies_with_the_worker(hostile):
    child = ask(hostile, "spawn")
    assert is_alive(child)
    hostile.close()
    assert ends(child)


def test_a_function_that_raises_is_our_mistake_and_says_so(hostile):
    pid = ask(hostile, "process")[0]
    with pytest.raises(RuntimeError, match="^raises raised in the worker: ValueError: bad$"):
        ask(hostile, "raises", "bad")
    with pytest.raises(RuntimeError) as error:
        ask(hostile, "raises", "x" * 5_000)
    assert len(str(error.value)) < 300
    assert ask(hostile, "process")[0] == pid


def test_a_program_that_cannot_start_is_told_from_a_dead_call(tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit(1)")
    with pytest.raises(RuntimeError, match=r"the worker does not start \(death\); `python -I .*broken.py` shows why"):
        Worker(tmp_path / "broken.py").call("echo", None, 1.0)
    with pytest.raises(RuntimeError, match="nothing raised in the worker: KeyError"):
        worker.call("nothing", None, 1.0)


def test_a_worker_is_replaced_after_many_calls(hostile, monkeypatch):
    monkeypatch.setattr(worker, "RECYCLE", 5)
    pids = [ask(hostile, "process")[0] for _ in range(12)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [5, 5, 2]
    assert not any(Path(f"/proc/{pid}").exists() for pid in set(pids[:10]))


def test_an_interrupted_call_leaves_no_answer_for_the_next(hostile):
    ask(hostile, "echo")

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(hostile, "hang")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hostile.process is None
    assert ask(hostile, "echo", "mine") == "mine"


def test_threads_get_their_own_answers(hostile):
    answers = {}

    def many(thread):
        answers[thread] = [ask(hostile, "echo", [thread, call]) for call in range(50)]

    threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {thread: [[thread, call] for call in range(50)] for thread in range(4)}


def test_a_forked_child_starts_its_own_worker():
    """Two processes that write into one pipe would read each other's answers."""
    assert worker.call("entails", ENTAILED, 20.0)["outcome"] == "True"
    parents = worker._worker.process.pid
    child = os.fork()
    if not child:
        try:
            fresh = worker._worker.process is None
            answer = worker.call("entails", ENTAILED, 20.0)["outcome"]
            own = worker._worker.process.pid
            worker._worker.close()
            os._exit(0 if fresh and answer == "True" and own != parents else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_alive(parents)
    assert worker.call("entails", ENTAILED, 20.0)["outcome"] == "True"
    assert worker._worker.process.pid == parents


def script(code):
    """What a Python of its own prints for this code, started in the project's folder."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


START = """
import os, signal, sys
from stages.tools import solvers, worker
argument = {"premises": [["is", "P", "a"]], "conclusion": ["is", "P", "a"], "rlimit": 100_000}
print(worker.call("entails", argument, 20.0)["outcome"], worker._worker.process.pid, flush=True)
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1 / 0", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_no_worker_outlives_its_parent(end):
    done = script(START + end)
    outcome, pid = done.stdout.split()
    assert outcome == "True"
    assert ends(int(pid))
    assert "ResourceWarning" not in done.stderr and "Exception ignored" not in done.stderr


def test_importing_the_tools_starts_nothing_and_loads_no_solver():
    done = script("""
        import sys
        from stages.tools import TOOLKITS, worker
        print(worker._worker.process, sorted({"z3", "math_verify", "sympy"} & set(sys.modules)), "fol" in TOOLKITS)
    """)
    assert done.stdout == "None [] True\n", done.stderr


def test_ten_thousand_calls_do_not_grow_the_parent(hostile):
    ask(hostile, "echo", "x" * 10_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        ask(hostile, "echo", "x" * 1_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 5_000  # KiB
