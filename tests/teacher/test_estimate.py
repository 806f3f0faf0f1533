"""--estimate: what is known is free, what is left is like what was seen, and nothing is asked, needed or written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from projects import CHAINS, TURNS, Project, play
from provider import Provider

from stages import generate
from stages.records.errors import InputError
from stages.teacher.journal.journal import Journal


@pytest.fixture
def estimated(project, capsys, monkeypatch):
    """What --estimate says, and that nothing else happened: no file, no key, no server."""

    def run() -> str:
        before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")}
        capsys.readouterr()
        with monkeypatch.context() as without:
            without.delenv("OPENAI_API_KEY")
            generate.main(["--estimate"])
        assert {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")} == before
        return capsys.readouterr().out

    return run


def bought(project: Project) -> None:
    with Provider(play) as provider:
        project.at(provider)
        project.run()


def asks(said: str) -> tuple[int, int, int]:
    """Calls, prompt tokens and completion tokens that a run would ask for."""
    line = re.search(r"^asks +about ([\d,]+) calls: ([\d,]+) prompt tokens, ([\d,]+) completion tokens$", said, re.M)
    return tuple(int(number.replace(",", "")) for number in line.groups())


def test_with_no_journal_the_assumption_is_stated(project, estimated, monkeypatch):
    import litellm

    monkeypatch.delitem(
        litellm.model_cost, "openai/test", raising=False
    )  # a run in this process may have said it is free
    said = estimated()
    assert f"chains   {CHAINS}: 24 problems x 3 samples; 0 known whole, 0 in part, {CHAINS} not begun" in said
    assert said.count("(assumed: the solution's calls + 1, or 6; 4 characters a token; 40 tokens a turn)") == 2
    assert "cost     unknown: litellm's price table has no price a token of openai/test" in said
    calls, prompt, completion = asks(said)
    assert 3 * CHAINS < calls < 12 * CHAINS and prompt > 300 * calls and completion == 40 * calls


def test_what_is_known_is_free(project, estimated):
    bought(project)
    said = estimated()
    assert f"{CHAINS} known whole, 0 in part, 0 not begun" in said
    assert f"known    {CHAINS * TURNS} calls, which are free" in said
    assert asks(said) == (0, 0, 0) and "cost     about $0.0000: nothing to ask" in said
    shutil.rmtree(project.folder / ".journal")
    assert estimated() == said  # from data/calls alone


def test_what_is_left_is_like_what_the_journal_holds(project, estimated):
    bought(project)
    more = 24 * 2 * TURNS
    project.edit("samples: 3", "samples: 5")
    said = estimated()
    assert asks(said) == (more, 7 * more, 3 * more)
    assert "math     24 chains to finish, 3.0 calls each, 7 and 3 tokens a call (as 36 chains in the journal)" in said
    project.edit("samples: 5", "samples: 3")
    project.edit("temperature: 1.0", "temperature: 0.5")  # every request is new, and the chains are alike
    assert asks(estimated()) == (CHAINS * TURNS, CHAINS * TURNS * 7, CHAINS * TURNS * 3)


def test_a_chain_that_is_known_in_part_asks_for_the_rest(project, estimated):
    project.edit("max_new_calls: 100000", "max_new_calls: 100")
    with pytest.raises(InputError, match="max_new_calls"):
        bought(project)
    said = estimated()
    left = CHAINS * TURNS - 100
    assert "known    100 calls" in said and asks(said) == (left, 7 * left, 3 * left)
    assert "limit    the run would stop at runtime.max_new_calls = 100" in said
    with Journal(project.folder / ".journal"):
        assert "known    100 calls" in generate_says(project)  # beside a run that buys


def generate_says(project: Project) -> str:
    command = [sys.executable, "-m", "stages.generate", "--estimate"]
    done = subprocess.run(command, cwd=project.folder, env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dollars_are_litellms_prices(project, estimated):
    project.edit("model: openai/test", "model: openai/gpt-4o-mini")
    project.edit("budget_usd: 1.0", "budget_usd: 0.001")
    said = estimated()
    _, prompt, completion = asks(said)
    dollars = prompt * 0.15e-6 + completion * 0.6e-6
    assert f"cost     about ${dollars:.4f}: $0.15 and $0.6 a million prompt and completion tokens in litellm's" in said
    assert "limit    the run would stop at runtime.budget_usd = 0.001" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    api_base: null", "    api_base: https://api.deepseek.com/v1"),
        ("    deployments: []", "    deployments: [{model: openai/test, api_base: 'http://127.0.0.1:9/v1'}]"),
    ],
)
def test_a_model_that_litellm_knows_by_its_place_is_estimated(project, estimated, old, new):
    project.edit("model: openai/test", "model: ours/unpriced-too")
    project.edit(old, new)
    assert "cost     unknown: litellm's price table has no price a token of ours/unpriced-too" in estimated()


def test_a_model_that_does_not_exist_is_refused(project, estimated):
    project.edit("model: openai/test", "model: nonsense/test")
    with pytest.raises(InputError, match="generate.teacher.model is 'nonsense/test'; litellm knows no such model"):
        estimated()


def test_one_sample_foretells_three(project, estimated):
    project.edit("model: openai/test", "model: simulated/teacher")
    project.edit("samples: 3", "samples: 1")
    project.run()
    project.edit("samples: 1", "samples: 3")
    calls, prompt, completion = asks(estimated())
    before = project.metrics()
    project.run()
    after = project.metrics()
    assert calls == pytest.approx(after["teacher_calls"], rel=0.15)
    assert prompt == pytest.approx(after["prompt_tokens"] - before["prompt_tokens"], rel=0.15)
    assert completion == pytest.approx(after["completion_tokens"] - before["completion_tokens"], rel=0.15)


def test_help_is_there(project):
    command = [sys.executable, "-m", "stages.generate", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--estimate" in done.stdout
