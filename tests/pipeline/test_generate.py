"""generate: what a version is made of decides its bytes, and what is known is asked of nobody again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from projects import CHAINS, KEY, TURNS, play
from provider import Provider, completion, error

from stages.records.errors import InputError


def test_all_chains_are_made_in_order_and_every_call_once(project):
    with Provider(play) as provider:
        project.at(provider)
        project.run()
        assert max(provider.answered.values()) == 1 and len(provider.seen) == CHAINS * TURNS
        assert provider.most_in_flight <= 8
    rows = [json.loads(line) for line in open("data/chains.jsonl")]
    places = [(row["problem_id"], row["sample"]) for row in rows]
    problems = list(dict.fromkeys(problem for problem, _ in places))
    assert places == [(problem, sample) for problem in problems for sample in range(3)] and len(rows) == CHAINS
    ends = {(row["sample"], row["answer"], row["stop"], len(row["steps"])) for row in rows}
    assert ends == {(0, "1", "finish", 3), (1, "2", "finish", 3), (2, "3", "finish", 3)}
    assert rows[0]["steps"][1]["failure"] == "bad_arguments"
    made = project.metrics()
    version = made.pop("version")
    assert made == {
        "chains": 72,
        "problems": 24,
        "teacher_calls": 216,
        "journal_hits": 0,
        "provider_failures": 0,
        "prompt_tokens": 7 * 216,
        "completion_tokens": 3 * 216,
        "cost_usd": 0.0,
        "models": {
            "openai/test": {
                "calls": 216,
                "prompt_tokens": 7 * 216,
                "completion_tokens": 3 * 216,
                "cost_usd": 0.0,
            },
        },
        "contamination": 0,
        "too_close": {"shared_ngrams": 0, "other_numbers": 0},
        "corpus": {
            "conversations": 300,
            "contamination": 0,
            "too_close": {"shared_ngrams": 0, "other_numbers": 0},
        },
    }
    assert len(version) == 16


def test_the_cost_by_model_is_that_of_this_versions_calls_whatever_else_the_journal_holds(project):
    project.edit("model: openai/test", "model: openai/gpt-4o-mini")
    with Provider(lambda request: completion(play(request), model="gpt-4o-mini")) as provider:
        project.at(provider)
        project.run()
        first = project.outputs()
        dollars = 216 * (7 * 0.15e-6 + 3 * 0.6e-6)
        cost = pytest.approx(dollars, abs=1e-6)
        tokens = {"prompt_tokens": 7 * 216, "completion_tokens": 3 * 216}
        assert project.metrics()["models"] == {"openai/gpt-4o-mini": {"calls": 216, **tokens, "cost_usd": cost}}
        assert project.metrics()["cost_usd"] == cost
        project.edit("temperature: 1.0", "temperature: 0.5")
        project.run()
        assert project.metrics()["models"]["openai/gpt-4o-mini"]["cost_usd"] == cost
        project.edit("temperature: 0.5", "temperature: 1.0")
        project.run()
        assert project.outputs() == first


def test_the_closing_line_counts_the_chains_that_were_cut(project, capsys):
    with Provider(lambda request: completion("Add(a=1", "length")) as provider:
        project.at(provider)
        project.run()
    assert f"; {CHAINS} chains were cut by generate.teacher.max_tokens; " in capsys.readouterr().out


def test_the_bytes_do_not_depend_on_the_order_of_completion(project, tmp_path):
    outputs = []
    for concurrency in (1, 16):
        project.edit("concurrency: 8", f"concurrency: {concurrency}")
        with Provider(play) as provider:
            project.at(provider)
            project.run()
        outputs.append(project.outputs())
        project.edit(f"concurrency: {concurrency}", "concurrency: 8")
        for name in ("data", "metrics", ".journal"):
            shutil.rmtree(tmp_path / name)
    assert outputs[0] == outputs[1]


def test_more_samples_ask_for_those_only_and_the_way_back_for_none(project):
    with Provider(play) as provider:
        project.at(provider)
        project.run()
        small = project.outputs()
        project.run()
        assert project.outputs() == small and len(provider.seen) == CHAINS * TURNS  # forced: the same bytes
        project.edit("samples: 3", "samples: 5")
        project.run()
        large = project.outputs()
        asked_now = len(provider.seen) - CHAINS * TURNS
        assert asked_now == 24 * 2 * TURNS
        made = project.metrics()
        assert (made["teacher_calls"], made["journal_hits"]) == (asked_now, CHAINS * TURNS)
        calls = {name for name in small if name.startswith("data/calls/")}
        assert all(large[name] == small[name] for name in calls)  # files are added, none changes
        assert len({name for name in large if name.startswith("data/calls/")} - calls) == 4
        project.edit("samples: 5", "samples: 3")
        project.run()
        assert project.outputs() == small
        project.edit("temperature: 1.0", "temperature: 0.5")
        project.run()
        project.edit("temperature: 0.5", "temperature: 1.0")
        before = len(provider.seen)
        project.run()
        assert project.outputs() == small and len(provider.seen) == before


def test_a_colleague_with_the_calls_repeats_the_run_with_no_key_and_no_server(project, monkeypatch):
    with Provider(play) as provider:
        project.at(provider)
        project.run()
    made = project.outputs()
    shutil.rmtree(project.folder / ".journal")
    (project.folder / "data/chains.jsonl").unlink()
    monkeypatch.delenv("OPENAI_API_KEY")
    project.run()
    assert project.outputs() == made


def test_calls_that_dvc_lock_lists_and_that_are_not_here_are_not_bought_again(project, monkeypatch):
    def lock(model: str) -> None:
        (project.folder / "dvc.lock").write_text(
            "schema: '2.0'\nstages:\n  generate:\n    cmd: python -m stages.generate\n    params:\n      params.yaml:\n"
            f"        generate:\n          samples: 3\n          teacher:\n            model: {model}\n"
            "    outs:\n    - path: data/calls\n      md5: 1.dir\n"
        )

    with Provider(play) as provider:
        project.at(provider)
        lock("openai/test")
        with pytest.raises(InputError, match="run `dvc pull data/calls` first, or set STEPCALL_BUY=1"):
            project.run()
        assert provider.seen == []
        lock("openai/another")  # calls that could answer nothing here
        project.run()
        shutil.rmtree(project.folder / ".journal")
        shutil.rmtree(project.folder / "data")
        lock("openai/test")
        monkeypatch.setenv("STEPCALL_BUY", "1")
        project.run()
        assert len(provider.seen) == 2 * CHAINS * TURNS


def test_no_key_is_in_any_file(project):
    with Provider(play, [error(429, f"{KEY} is busy")]) as provider:
        project.at(provider)
        project.run()
    contents = [path.read_bytes() for path in project.folder.rglob("*") if path.is_file()]
    assert len(contents) > 5 and not any(KEY.encode() in content for content in contents)


def test_the_default_teacher_needs_no_key_and_a_second_run_gives_the_same_bytes(project, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    project.edit("model: openai/test", "model: simulated/teacher")
    project.run()
    made = project.outputs()
    assert project.metrics()["chains"] == CHAINS and project.metrics()["cost_usd"] == 0
    stops = {json.loads(line)["stop"] for line in open("data/chains.jsonl")}
    assert "finish" in stops
    shutil.rmtree(project.folder / ".journal")
    shutil.rmtree(project.folder / "data")
    project.run()
    assert project.outputs() == made


DVC = """
stages:
  generate:
    cmd: {python} -m stages.generate
    params: [agent, generate, problems.train]
    outs:
    - data/calls: {{persist: true}}
    - data/chains.jsonl
    metrics:
    - metrics/generate.json: {{cache: false, persist: true}}
"""


def test_dvc_sees_the_same_hashes_however_a_version_is_made_again(project, tmp_path):
    """Forced, after a change and back, and from nothing in a clone that has only what git brings."""

    def run(*command: str, folder: Path = tmp_path) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
        env |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    project.edit("model: openai/test", "model: simulated/teacher")
    (tmp_path / "dvc.yaml").write_text(DVC.format(python=sys.executable))
    (tmp_path / ".gitignore").write_text("/data/\n")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    project.edit("samples: 3", "samples: 2")
    run("dvc", "repro", "-q")
    project.edit("samples: 2", "samples: 3")
    run("dvc", "repro", "-q")
    lock = (tmp_path / "dvc.lock").read_text()
    assert project.metrics()["journal_hits"] > 0
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x")
    assert "0 calls asked now" in run("dvc", "repro", "--force")
    assert (tmp_path / "dvc.lock").read_text() == lock
    run("git", "clone", "-q", str(tmp_path), str(tmp_path / "clone"))
    assert " 0 known before" in run("dvc", "repro", folder=tmp_path / "clone")
    assert run("git", "status", "--short", folder=tmp_path / "clone") == ""
