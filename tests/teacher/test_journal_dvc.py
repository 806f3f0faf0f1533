"""DVC and the journal together: whatever DVC does to its outputs, no call is asked twice, as the provider counts them.

Each test works in its own copy of a project whose first version was made and pushed: ten problems, two samples, three
calls a chain. The generate stage is the real one; `after` stands for what follows it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, small_params
from projects import KEY, play
from provider import Provider

pytestmark = pytest.mark.timeout(600)  # several runs of dvc each

CALLS, A_SAMPLE = 60, 30
AFTER = {
    "cmd": "python -c \"import shutil; shutil.copyfile('data/chains.jsonl', 'data/after.jsonl')\"",
    "deps": ["data/chains.jsonl"],
    "outs": ["data/after.jsonl"],
}


class Project:
    def __init__(self, folder: Path, provider: Provider):
        self.folder, self.provider = folder, provider
        self.counted = len(provider.seen)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("STEPCALL", "DVC"))}
        who = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        path = f"{Path(sys.executable).parent}:{env['PATH']}"
        self.env = env | who | {"PATH": path, "GIT_CONFIG_GLOBAL": "/dev/null", "OPENAI_API_KEY": KEY}
        self.env.pop("PYTHONPATH", None)  # the project's own stages/

    def run(self, *command: str, status: int | None = 0) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (self.folder / name).write_text(text.replace(old, new))

    def asked(self) -> int:
        """The calls that the provider saw since the last time."""
        before, self.counted = self.counted, len(self.provider.seen)
        return self.counted - before

    def journal(self) -> set[str]:
        lines = [line for path in (self.folder / ".journal").glob("*.jsonl") for line in path.read_text().splitlines()]
        keys = [row["key"] for row in map(json.loads, lines) if "key" in row]
        assert len(set(keys)) == len(keys)
        return set(keys)

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()


@pytest.fixture(scope="module")
def answering() -> threading.Event:
    """While it is not set, the provider takes requests and answers none."""
    event = threading.Event()
    event.set()
    return event


@pytest.fixture(scope="module")
def provider(answering) -> Iterator[Provider]:
    def answer(request: dict) -> str:
        answering.wait()
        return play(request)

    with Provider(answer) as provider:
        yield provider


@pytest.fixture(scope="module")
def first(tmp_path_factory, provider) -> Project:
    """The first version, made, committed and pushed."""
    folder = tmp_path_factory.mktemp("first") / "project"
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", ".dvcignore", ".gitattributes"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "params.yaml").write_text(small_params())
    project = Project(folder, provider)
    project.edit("params.yaml", "model: simulated/teacher", "model: openai/test")
    project.edit("params.yaml", "samples: 3", "samples: 2")
    project.edit("params.yaml", "builtin/math, n: 12,", "builtin/math, n: 6,")
    project.edit("params.yaml", "builtin/logic, n: 12,", "builtin/logic, n: 4,")
    project.edit("params.yaml", "api_base: null", f"api_base: {provider.url}")
    shutil.copytree(ROOT / "data" / "sources", folder / "data" / "sources")
    generate = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["generate"]
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"generate": generate, "after": AFTER}}))
    project.run("git", "init", "-q", "-b", "main")
    project.run("dvc", "init", "-q")
    project.run("dvc", "remote", "add", "-d", "store", str(folder.parent / "store"))
    project.run("dvc", "repro")
    assert project.asked() == CALLS == len(project.journal())
    project.commit("The first version")
    project.run("dvc", "push")
    return project


@pytest.fixture
def project(first, tmp_path) -> Project:
    shutil.copytree(first.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", first.provider)


@pytest.fixture
def clone(first, tmp_path) -> Project:
    """What git brings to another machine: no journal and no data."""
    project = Project(tmp_path / "clone", first.provider)
    subprocess.run(["git", "clone", "-q", str(first.folder), str(project.folder)], check=True)
    return project


def test_a_branch_switch_with_dvc_checkout_keeps_what_the_other_branch_bought(project):
    project.run("git", "switch", "-qc", "hot")
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.5")
    project.run("dvc", "repro")
    assert project.asked() == CALLS and len(project.journal()) == 2 * CALLS
    project.commit("hot")
    project.run("git", "switch", "-q", "main")
    project.run("dvc", "checkout")
    assert "up to date" in project.run("dvc", "status")
    assert len(project.journal()) == 2 * CALLS
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.5")  # the other branch's, asked for on this one
    project.run("dvc", "repro")
    assert project.asked() == 0
    assert project.lock() == project.run("git", "show", "hot:dvc.lock")


def test_a_branch_switch_without_dvc_checkout_leaves_no_history_in_the_hashes(project):
    project.run("git", "switch", "-qc", "more")
    project.edit("params.yaml", "samples: 2", "samples: 3")
    project.run("dvc", "repro")
    project.commit("more")
    assert project.asked() == A_SAMPLE
    project.run("git", "switch", "-q", "main")
    project.run("dvc", "repro")
    assert project.asked() == 0 and project.run("git", "status", "--short") == ""


def test_what_a_crashed_run_bought_survives_dvc_checkout_and_dvc_exp_run(project):
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.9")
    project.edit("params.yaml", "max_new_calls: 100000", "max_new_calls: 20")
    assert "max_new_calls = 20 is reached" in project.run("dvc", "repro", status=None)
    assert project.asked() == 20
    project.run("dvc", "checkout", "-f")
    project.edit("params.yaml", "max_new_calls: 20", "max_new_calls: 100000")
    project.run("dvc", "exp", "run")
    assert project.asked() == CALLS - 20


def test_a_temporary_experiment_buys_into_the_same_journal(project):
    project.run("dvc", "exp", "run", "--temp", "-S", "generate.samples=3")
    assert project.asked() == A_SAMPLE and len(project.journal()) == CALLS + A_SAMPLE
    project.edit("params.yaml", "samples: 2", "samples: 3")
    project.run("dvc", "repro")
    assert project.asked() == 0


def test_a_colleague_who_pulls_asks_for_what_is_new_only(clone):
    clone.run("dvc", "pull")
    clone.edit("params.yaml", "samples: 2", "samples: 3")
    clone.run("dvc", "repro")
    assert clone.asked() == A_SAMPLE


def test_a_colleague_who_did_not_pull_is_stopped_before_the_first_call(clone):
    clone.edit("params.yaml", "samples: 2", "samples: 3")
    said = clone.run("dvc", "repro", "--pull", status=None)
    assert "dvc.lock lists calls of openai/test that are not here" in said and clone.asked() == 0
    clone.run("dvc", "pull", "data/calls")
    clone.run("dvc", "repro", "generate")
    assert clone.asked() == A_SAMPLE


def test_a_forced_run_asks_nothing_and_changes_nothing(project):
    project.run("dvc", "repro", "--force")
    assert project.asked() == 0 and project.run("git", "status", "--short") == ""


def test_a_comment_in_the_code_asks_nothing_and_runs_nothing_behind(project):
    for name in ("generate", "teacher/journal/journal"):
        project.edit(f"stages/{name}.py", "\nfrom __future__", "\n# A comment.\nfrom __future__")
    said = project.run("dvc", "repro")
    assert "Running stage 'generate'" in said and "Running stage 'after'" not in said
    assert project.asked() == 0


def test_a_torn_last_line_of_the_journal_is_known_from_the_snapshot(project):
    shard = max((project.folder / ".journal").glob("*.jsonl"), key=lambda path: path.stat().st_size)
    lines = shard.read_bytes().splitlines(keepends=True)
    while b'"key"' not in lines[-1]:
        lines.pop()
    shard.write_bytes(b"".join(lines)[:-40])
    project.run("dvc", "repro", "--force")
    assert project.asked() == 0 and project.run("git", "status", "--short") == ""
    assert len(project.journal()) == CALLS


def test_a_second_run_is_refused_while_the_child_of_a_killed_dvc_still_buys(project, answering):
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.8")
    project.edit("params.yaml", "timeout_s: 30", "timeout_s: 300")
    answering.clear()
    dvc = subprocess.Popen(["dvc", "repro"], cwd=project.folder, env=project.env, start_new_session=True)
    try:
        wait_for(lambda: len(project.provider.seen) == project.counted + 8)  # all that may be in flight
        dvc.send_signal(signal.SIGKILL)
        dvc.wait()
        said = project.run("dvc", "repro", status=None)
        assert "is buying calls through this journal; wait for it, or end it with `kill" in said
    finally:
        answering.set()
    wait_for(lambda: not in_use(project.folder / ".journal"))
    project.run("dvc", "repro")
    assert project.asked() == CALLS == len(project.journal()) - CALLS


def in_use(folder: Path) -> bool:
    """Whether a run holds the journal."""
    with open(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_for(seen) -> None:
    deadline = time.monotonic() + 300
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)
