"""The live line: everything a run counts, on a terminal in one place, elsewhere as plain lines."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
from types import SimpleNamespace

import pytest
from projects import CHAINS, TURNS, play
from provider import Provider, error

from stages.records import progress
from stages.teacher.progress import Progress

LINE = (
    rf"{CHAINS}/{CHAINS} chains \[\d\d:\d\d<00:00, +[\d.]+(chain/s|s/chain), {CHAINS * TURNS} calls asked, 0 known, "
    rf"{CHAINS * TURNS * 10 / 1000:.2f}k tokens, \$0\.0000\]"
)


def chain(tokens: int) -> SimpleNamespace:
    return SimpleNamespace(prompt_tokens=tokens - 1, completion_tokens=1)


def teacher(**counts: object) -> SimpleNamespace:
    return SimpleNamespace(**({"asked": 0, "hits": 0, "retried": 0, "spent_usd": 0.0} | counts))


def test_the_line_says_what_was_done_what_it_cost_and_what_is_left():
    shown = Progress(1000, teacher(asked=1234, hits=5, retried=7, spent_usd=0.25), shown=True)
    shown.bar.start_t -= 20
    for _ in range(40):
        shown.made(chain(300))
    for kind in ("timeout", "rate_limit", "timeout"):
        shown.failure(kind)
    shown.count()
    assert re.fullmatch(
        r"generate: 40/1000 chains \[00:20<08:0\d, +(1\.9\d|2\.00)chain/s, 1,234 calls asked, 5 known, "
        r"1 rate_limit, 2 timeout, 7 tried again, 12\.0k tokens, \$0\.2500\]",
        str(shown.bar),
    )
    shown.bar.close()


def test_known_chains_do_not_promise_a_fast_end():
    asked = teacher()
    shown = Progress(10_000, asked, shown=True)
    for _ in range(4000):  # known, in the first second
        shown.made(chain(10))
    asked.asked = 1
    shown.bar.start_t -= 200
    for _ in range(200):
        shown.made(chain(10))
    shown.count()
    assert re.search(r"4200/10000 chains \[03:2\d<1:3[67]:\d\d, +(1\.0\d|0\.9\d)?", str(shown.bar))
    assert "1.00s/chain" in str(shown.bar) or "1.00chain/s" in str(shown.bar)
    shown.bar.close()


def test_a_run_that_waits_says_so_again_and_again(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_S", 0.01)

    async def wait() -> str:
        said = ""
        async with Progress(3, teacher(), shown=True):
            while said.count("generate: 0/3 chains") < 4:  # no chain ends, and lines come
                await asyncio.sleep(0.01)
                said += capsys.readouterr().err
        return said

    asyncio.run(asyncio.wait_for(wait(), 60))


def test_without_a_terminal_lines_are_plain(project, capfd):
    project.edit("progress: false", "progress: true")
    with Provider(play) as provider:
        project.at(provider)
        project.run()
    said = capfd.readouterr().err
    (line,) = [line for line in said.splitlines() if f"{CHAINS}/{CHAINS} chains" in line]
    assert re.fullmatch(f"generate: {LINE}", line)
    assert "\r" not in said and "\x1b" not in said


def test_progress_false_says_nothing(project, capfd):
    with Provider(play) as provider:
        project.at(provider)
        project.run()
    assert "chain" not in capfd.readouterr().err


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
    (live,) = [line for line in lines if "calls asked" in line and "\r" in line]  # however often it was drawn
    last = live.split("\r")[-1]
    assert f" {CHAINS - 2}/{CHAINS} [" in last
    assert all(len(drawn.replace("\x1b[A", "")) <= columns for drawn in live.split("\r"))
    if columns == 200:
        assert "2 server_error" in last and "tokens, $0.0000" in last
    assert any(line.startswith("error: data/chains.jsonl: 2 of 72 chains are missing") for line in lines)


def test_a_bar_is_lines_in_a_log_and_nothing_where_it_is_not_wanted(capsys, monkeypatch):
    """As training and eval draw it."""
    monkeypatch.setattr(progress, "LOG_S", 0.0)
    for shown in (True, False):
        with progress.bar(3, "step", shown, "sft") as drawn:
            for _ in range(3):
                drawn.set_postfix(loss="0.5", refresh=False)
                drawn.update()
        said = capsys.readouterr().err
        assert "\r" not in said and [line.split("steps")[0] for line in said.splitlines()] == (
            ["sft: 0/3 ", "sft: 1/3 ", "sft: 2/3 ", "sft: 3/3 ", "sft: 3/3 "] if shown else []
        )
        assert not shown or said.splitlines()[-1].endswith("loss=0.5]")


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
