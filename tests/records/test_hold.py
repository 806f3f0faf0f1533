"""One process an output: real processes, real locks, and what is left when one is killed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, small_params

from stages.records import files
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
    said = f"error: {output}: process {first.pid} is making it; wait for it, or end it with `kill {first.pid}`\n"
    assert (second.returncode, second.stderr) == (1, said)
    assert help_text.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process_however_that_ends(tmp_path, number):
    with Holder(tmp_path / "out") as first:
        with pytest.raises(FileError, match=f"process {first.pid} is making it"):
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


def test_nothing_is_left_of_a_lock_and_git_and_dvc_take_none(tmp_path):
    script = HOLD.replace("time.sleep(120)", "")
    subprocess.run([sys.executable, "-c", script, tmp_path / "models" / "base"], check=True, capture_output=True)
    assert list((tmp_path / "models").iterdir()) == []
    for name in ("data/.pairs.jsonl.lock", "models/.base.lock", "data/.pairs.jsonl.part"):
        assert subprocess.run(["git", "check-ignore", "-q", "--no-index", name], cwd=ROOT).returncode == 0
    assert ".*.lock" in (ROOT / ".dvcignore").read_text().splitlines()


def test_a_process_on_another_machine_is_named_with_it(tmp_path):
    hold(tmp_path / "out")
    path = tmp_path / ".out.lock"
    path.write_text("4711 node7\n")
    with pytest.raises(FileError, match=r"process 4711 on node7 is making it; .* `kill 4711` on node7"):
        files._locked(path, tmp_path / "out")
    for begun in ("", "47", "4711 node"):  # not yet written, or cut by a full disk
        path.write_text(begun)
        with pytest.raises(FileError, match="another process is making it; wait for it"):
            files._locked(path, tmp_path / "out")


RACE = """
import os, sys
from pathlib import Path
from stages.records.files import FileError, _locked
path, mark = Path(sys.argv[1]), sys.argv[1] + ".mark"
held = 0
while held < 400:
    try:
        lock = _locked(path, path)
    except FileError:
        continue
    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))  # fails where two hold it
    held += 1
    os.unlink(mark)
    path.unlink()
    os.close(lock)
"""


def test_never_do_two_processes_hold_a_lock_whose_file_comes_and_goes(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path / "lock")]
    racers = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [racer.communicate(timeout=120)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], ends


def test_a_file_system_without_locks_is_named_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    def refused(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)  # no such file system can be had here
    hold(tmp_path / "out")
    assert capsys.readouterr().err == (
        f"{tmp_path}/out: No locks available on this file system; start no second run beside this one\n"
    )
