"""How a command ends: interrupted, with a full disk, with a wrong argument. Real processes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, small_params, small_settings
from students import corpus_of

from stages.records import schema

ENV = os.environ | {"PYTHONPATH": str(ROOT)}
# Where pytest runs in the background, Ctrl-C is ignored by what it starts.
START = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def script(text: str, *arguments: object, **how: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", START + text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENV, **how)


def test_ctrl_c_says_that_nothing_was_written(tmp_path):
    done = script("import os\nfrom stages.records.command import run\nrun(lambda: os.kill(os.getpid(), signal.SIGINT))")
    assert (done.returncode, done.stderr) == (130, "error: interrupted; nothing was written\n")


def test_ctrl_c_says_what_was_written_before_it(tmp_path):
    text = (
        "import os\nfrom stages.records.command import run\nfrom stages.records.files import replace_file\n"
        "def main():\n    replace_file('data/pairs.jsonl', '')\n    os.kill(os.getpid(), signal.SIGINT)\nrun(main)"
    )
    done = script(text, cwd=tmp_path)
    assert done.stderr == "error: interrupted; written before that: data/pairs.jsonl\n"


def test_ctrl_c_of_a_training_keeps_nothing_and_says_so(tmp_path):
    params = small_params().replace("    steps: 60\n", "    steps: 60000\n")
    (tmp_path / "params.yaml").write_text(params.replace("progress: false", "progress: true"))
    schema.write(tmp_path / "data/corpus.jsonl", corpus_of(small_settings()), "corpus")
    text = START + "sys.argv = ['train', 'base']\nrunpy.run_module('stages.train', run_name='__main__')"
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path, stderr=said, env=ENV)
        deadline = time.monotonic() + 200
        while "/60000 " not in (tmp_path / "said").read_text():
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "error: interrupted; nothing was written\n" in (tmp_path / "said").read_text()
    assert os.listdir(tmp_path / "models") == [".base.lock"] and not (tmp_path / "metrics").exists()


def test_a_full_disk_behind_a_librarys_own_error_is_one_line(tmp_path):
    text = (
        "import errno\nfrom stages.records.command import run\ndef main():\n    try:\n"
        "        raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    finally:\n        raise ValueError('I/O operation on closed file')\nrun(main)"  # as pyarrow does
    )
    done = script(text)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "a temporary file in " in done.stderr and "No space left on device" in done.stderr


def test_an_error_of_ours_is_not_taken_for_a_full_disk():
    done = script("from stages.records.command import run\nrun(lambda: 1 / 0)")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("lines", [1, 5000])
def test_an_output_that_takes_no_more_is_one_line(lines):
    with open("/dev/full", "w") as full:
        code = f"from stages.records.command import run\nrun(lambda: print('x\\n' * {lines}))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENV)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: standard output, or a temporary file in ")


COMMANDS = [f"stages.{name}" for name in ("generate", "verify", "pair", "train", "eval")]
COMMANDS += ["stages.problems.gold", "stages.report.pool", "stages.teacher.journal"]


@pytest.mark.parametrize("module", COMMANDS)
def test_a_wrong_argument_is_one_line_and_help_is_there(tmp_path, module):
    (tmp_path / "params.yaml").write_text(small_params())

    def ended(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=ENV)

    wrong = ended("--no-such-thing")
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1
    assert wrong.stderr.startswith("error: ") and f"`python -m {module} --help`" in wrong.stderr
    right = ended("--help")
    assert right.returncode == 0 and right.stdout.startswith(f"usage: python -m {module}")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
