"""One process an output: real processes, real locks, and what is left when one is killed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, small_params

from stages.records.files import FileError, hold

HOLD = (
    "import sys, time; from stages.records.files import hold; "
    "hold(sys.argv[1]); print('held', flush=True); time.sleep(120)"
)


class Holder:
    """Another process that makes this output, until it is killed."""

    def __init__(self, output: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(output)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self) -> subprocess.Popen:
        return self.process

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()


def stage(folder: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("stages.verify", "data/verdicts.jsonl"),
        ("stages.pair", "data/pairs.jsonl"),
        ("stages.train base", "models/base"),
        ("stages.train dpo", "models/dpo"),
        ("stages.eval", "data/predictions.jsonl"),
    ],
)
def test_a_second_run_of_a_stage_ends_with_one_line_that_names_the_first(tmp_path, command, output):
    (tmp_path / "params.yaml").write_text(small_params())
    with Holder(tmp_path / output) as first:
        second = stage(tmp_path, *command.split())
        help_text = stage(tmp_path, *command.split(), "--help")
    said = f"error: {output}: process {first.pid} on {socket.gethostname()} is making it; wait for it, or end it\n"
    assert (second.returncode, second.stderr) == (1, said)
    assert help_text.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process_however_that_ends(tmp_path, number):
    with Holder(tmp_path / "out") as first:
        with pytest.raises(FileError, match=f"process {first.pid} on .* is making it"):
            hold(tmp_path / "out")
        first.send_signal(number)
        first.wait()
        hold(tmp_path / "out")


def test_another_output_beside_it_is_free_and_the_own_one_may_be_held_twice(tmp_path):
    with Holder(tmp_path / "base"):
        hold(tmp_path / "sft")
        hold(tmp_path / "sft")
    with pytest.raises(AssertionError):
        Holder(tmp_path / "sft")


def test_git_and_dvc_take_no_lock():
    for name in ("data/.pairs.jsonl.lock", "models/.base.lock", "data/.pairs.jsonl.part"):
        assert subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT).returncode == 0
    assert ".*.lock" in (ROOT / ".dvcignore").read_text().splitlines()


def test_what_the_first_wrote_is_told_where_it_is_whole(tmp_path):
    path = tmp_path / ".out.lock"
    with Holder(tmp_path / "out"):
        path.write_text("process 4711 on node7\n")
        with pytest.raises(FileError, match="process 4711 on node7 is making it; wait for it, or end it"):
            hold(tmp_path / "out")
        for begun in ("", "process 47", "process 4711 on"):  # not yet written, or cut by a full disk
            path.write_text(begun)
            with pytest.raises(FileError, match="another process is making it; wait for it"):
                hold(tmp_path / "out")


def test_a_file_system_without_locks_is_named_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    def refused(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)  # no such file system can be had here
    hold(tmp_path / "out")
    assert capsys.readouterr().err == (
        f"{tmp_path}/out: No locks available on this file system; start no second run beside this one\n"
    )
