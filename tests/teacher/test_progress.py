"""The live line: everything a run counts, on a terminal in one place, elsewhere as plain lines."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
import time
from types import SimpleNamespace

import pytest
from projects import CHAINS, TURNS, play
from provider import Provider, error

from stages.teacher import progress as progress_module
from stages.teacher.progress import Progress

LINE = (
    rf"{CHAINS}/{CHAINS} chains, [\d.]+ chains/s, {CHAINS * TURNS} calls asked, 0 known, "
    rf"{CHAINS * TURNS * 10 / 1000:.1f}k tokens, \$0\.0000"
)


def chain(tokens: int) -> SimpleNamespace:
    return SimpleNamespace(prompt_tokens=tokens - 1, completion_tokens=1)


def teacher(**counts: object) -> SimpleNamespace:
    return SimpleNamespace(**({"asked": 0, "hits": 0, "retried": 0, "spent_usd": 0.0} | counts))


def test_the_line_says_what_was_done_what_it_cost_and_what_is_left():
    shown = Progress(1000, teacher(asked=1234, hits=5, retried=7, spent_usd=0.25), shown=False)
    begun = time.monotonic()
    for _ in range(40):
        shown.made(chain(300))
    for kind in ("timeout", "rate_limit", "timeout"):
        shown.failure(kind)
    said = shown.text(begun + 20)
    assert re.fullmatch(
        r"40/1,000 chains, 8 min left, 2\.0 chains/s, 1,234 calls asked, 5 known, 1 rate_limit, 2 timeout, "
        r"7 tried again, 12\.0k tokens, \$0\.2500",
        said,
    )


def test_the_rate_is_that_of_the_last_minute_so_known_chains_do_not_promise_a_fast_end():
    shown = Progress(10_000, teacher(), shown=False)
    begun = time.monotonic()
    for _ in range(4000):  # known, in the first second
        shown.made(chain(10))
    for second in range(2, 200):
        shown.made(chain(10))
        said = shown.text(begun + second)
    assert "1.0 chains/s" in said and "97 min left" in said


def test_a_run_that_waits_says_so_again_and_again(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "PLAIN_S", 0.01)

    async def wait() -> str:
        said = ""
        async with Progress(3, teacher(), shown=True):
            while said.count("generate: 0/3 chains") < 4:  # no chain ends, and lines come
                await asyncio.sleep(0.01)
                said += capsys.readouterr().err
        return said

    asyncio.run(asyncio.wait_for(wait(), 60))


def test_without_a_terminal_lines_are_plain(project):
    project.edit("progress: false", "progress: true")
    with Provider(play) as provider:
        project.at(provider)
        said = project.start().communicate(timeout=120)[1]
    (line,) = [line for line in said.splitlines() if "chains/s" in line and f"{CHAINS}/{CHAINS}" in line]
    assert re.fullmatch(f"generate: {LINE}", line)
    assert "\r" not in said and "\x1b" not in said


def test_progress_false_says_nothing(project):
    with Provider(play) as provider:
        project.at(provider)
        said = project.start().communicate(timeout=120)[1]
    assert "chains/s" not in said


@pytest.mark.parametrize("columns", [200, 60])
def test_on_a_terminal_one_line_lives(project, columns):
    import fcntl
    import struct
    import subprocess
    import termios

    project.edit("progress: false", "progress: true")
    project.edit("retries: 2", "retries: 0")
    faults = [error(500, "down")] * 2
    with Provider(play, faults) as provider:
        project.at(provider)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "stages.generate"],
            cwd=project.folder,
            env=project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            said += part
        assert process.wait() == 1
    lines = said.decode().replace("\r\n", "\n").split("\n")
    (live,) = [line for line in lines if "chains" in line and "\r" in line]  # however often it was drawn
    last = live.split("\r")[-1]
    assert f"{CHAINS - 2}/{CHAINS} chains" in last
    assert all(len(drawn.replace("\x1b[A", "")) <= columns for drawn in live.split("\r"))
    if columns == 200:
        assert "2 server_error" in last and "tokens, $0.0000" in last
    assert any(line.startswith("error: data/chains.jsonl: 2 of 72 chains are missing") for line in lines)


def test_a_run_goes_on_when_nobody_reads_its_progress(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)

    async def work() -> str:
        async with Progress(1, teacher(), shown=True) as shown:
            shown.made(chain(10))
        return "done"

    with open(writer, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        assert asyncio.run(work()) == "done"
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # what is left in the buffer goes nowhere
