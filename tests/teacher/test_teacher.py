"""The teacher: litellm against a real HTTP server that fails in every way; each failure is named, or ends the run."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import KEY
from provider import Fault, Provider, completion, error
from teachers import MESSAGES, ask, settings

from stages import params
from stages.agent.loop import Reply
from stages.problems import sources
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import ProviderError, TeacherError
from stages.teacher.simulated import provider as simulated
from stages.teacher.teacher import Stopped, Teacher

pytestmark = pytest.mark.usefixtures("environment")


def test_a_reply_has_text_tokens_and_cost(tmp_path):
    with Provider(lambda request: completion("Add(a=1, b=2)", model="gpt-4o-mini")) as provider:
        asked, [reply] = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url))
    assert reply == Reply("Add(a=1, b=2)", 7, 3, pytest.approx(7 * 0.15e-6 + 3 * 0.6e-6, abs=1e-8), cut=False)
    assert (asked.asked, asked.hits, asked.spent_usd) == (1, 0, reply.cost_usd)


def test_the_request_is_what_params_say(tmp_path):
    with Provider(lambda request: "x") as provider:
        ask(tmp_path, settings(url=provider.url, temperature=0.5, seed=10, extra={"presence_penalty": 0.5}), 3)
        ask(tmp_path, settings(url=provider.url, top_p=0.9, seed=None))
    sent, other = provider.seen
    assert sent == {
        "model": "test",
        "messages": MESSAGES,
        "temperature": 0.5,
        "max_tokens": 256,
        "seed": 13,
        "presence_penalty": 0.5,
    }
    assert other["top_p"] == 0.9 and "seed" not in other
    assert provider.keys == [f"Bearer {KEY}"] * 2


def test_a_known_request_is_not_sent_again_and_any_other_is(tmp_path):
    with Provider(lambda request: f"seed {request.get('seed')}") as provider:
        for _ in range(2):
            _, replies = ask(tmp_path, settings(url=provider.url), 0, 1)
            assert [reply.text for reply in replies] == ["seed 1", "seed 2"]
        assert len(provider.seen) == 2
        changes = [{"temperature": 0.9}, {"max_tokens": 9}, {"extra": {"n_probs": 1}}, {"seed": None}, {"top_p": 0.1}]
        for number, change in enumerate(changes, start=3):
            ask(tmp_path, settings(url=provider.url, **change))
            assert len(provider.seen) == number
        ask(tmp_path, settings(url=provider.url), messages=[*MESSAGES, {"role": "user", "content": "?"}])
        assert len(provider.seen) == 8


def test_torn_at_any_byte_of_its_last_record_the_journal_asks_that_again_and_nothing_else(tmp_path):
    async def ask_three(folder: Path, chosen: params.Params) -> list[str]:
        with Journal(folder) as journal:
            asked = Teacher(chosen.generate, chosen.runtime, journal)
            return [(await asked.ask(MESSAGES, sample)).text for sample in (0, 1, 2)]

    async def tear(chosen: params.Params, provider: Provider) -> None:
        await ask_three(tmp_path / "whole", chosen)
        (shard,) = (tmp_path / "whole").glob("*.jsonl")
        content = shard.read_bytes()
        for end in range(content.rindex(b"\n", 0, -1) + 1, len(content) + 1):
            torn = tmp_path / str(end)
            torn.mkdir()
            (torn / shard.name).write_bytes(content[:end])
            before = len(provider.seen)
            assert await ask_three(torn, chosen) == ["seed 1", "seed 2", "seed 3"]
            whole = end >= len(content) - 1  # at most the line's end is missing
            assert [request["seed"] for request in provider.seen[before:]] == ([] if whole else [3])

    with Provider(lambda request: f"seed {request['seed']}") as provider:
        asyncio.run(tear(settings(url=provider.url), provider))


def test_how_to_run_is_no_part_of_a_request(tmp_path):
    with Provider(lambda request: "x") as provider:
        ask(tmp_path, settings(url=provider.url))
    _, replies = ask(tmp_path, settings(url="http://127.0.0.1:9/v1", timeout_s=1.0, retries=9, concurrency=1))
    assert [reply.text for reply in replies] == ["x"]


FAULTS = {
    "rate_limit": error(429, "slow down"),
    "server_error": error(500, "internal"),
    "overloaded": error(529, "overloaded"),
    "unavailable": error(503, "down"),
    "error in a 200": error(200, "overloaded"),
    "html": Fault(200, "<html>Bad gateway</html>", {"Content-Type": "text/html"}),
    "truncated": Fault(200, '{"id": "chatcmpl-1", "choi'),
    "no body": Fault(200, ""),
    "content null": Fault(200, completion(None)),
    "empty": Fault(200, completion(" ")),
    "no choices": Fault(200, {**completion("x"), "choices": []}),
    "hang": Fault(hang=True),
    "trickle": Fault(trickle=True),
}


ENDLESS = ("hang", "trickle")


@pytest.fixture
def warm(tmp_path):
    """litellm takes its time over the first request, which a limit of half a second would not give it."""
    with Provider(lambda request: "x") as provider:
        ask(tmp_path / "warm", settings(url=provider.url))


@pytest.mark.parametrize("name", FAULTS)
def test_a_passing_fault_costs_another_try_and_nothing_else(tmp_path, warm, name):
    with Provider(lambda request: "Finish(answer=3)", [FAULTS[name]] * 2) as provider:
        asked, [reply] = ask(tmp_path, settings(url=provider.url, timeout_s=0.5 if name in ENDLESS else 30.0))
        assert reply.text == "Finish(answer=3)"
        assert len(provider.seen) == 3
        assert (asked.asked, asked.retried) == (1, 2)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rate_limit", "rate_limit"),
        ("server_error", "server_error"),
        ("overloaded", "server_error"),
        ("error in a 200", "bad_answer"),
        ("html", "bad_answer"),
        ("truncated", "bad_answer"),
        ("no body", "bad_answer"),
        ("content null", "bad_answer"),
        ("empty", "bad_answer"),
        ("no choices", "bad_answer"),
        ("hang", "timeout"),
        ("trickle", "timeout"),
    ],
)
def test_a_lasting_fault_is_the_providers_named_and_not_kept(tmp_path, warm, name, kind):
    with Provider(lambda request: FAULTS[name]) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url, timeout_s=0.5 if name in ENDLESS else 30.0, retries=2))
        assert isinstance(failure, ProviderError) and failure.kind == kind
        assert len(provider.seen) == 3
    with Journal(tmp_path) as journal:
        assert len(journal) == 0


def test_no_server_is_a_failed_connection(tmp_path):
    _, [failure] = ask(tmp_path, settings(url="http://127.0.0.1:9/v1", retries=1))
    assert isinstance(failure, ProviderError) and failure.kind == "connection"


def test_an_answer_cut_by_the_token_limit_is_the_models(tmp_path):
    with Provider(lambda request: completion("", "length")) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url))
    assert reply.text == "" and reply.cut


@pytest.mark.parametrize(("status", "requests"), [(401, 1), (402, 1), (404, 1), (403, 2), (400, 2), (422, 2), (410, 2)])
def test_what_no_try_can_mend_ends_the_run_at_once_in_one_line(tmp_path, status, requests):
    """Where a status says nothing of whose fault it is, the second request is the probe."""
    with Provider(lambda request: error(status, f"no good, key {KEY}")) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url))
        assert len(provider.seen) == requests
    assert isinstance(failure, TeacherError)
    assert str(failure).startswith("generate.teacher.model openai/test: ") and "\n" not in str(failure)
    assert KEY not in str(failure)


def test_a_spent_account_ends_the_run_though_it_is_a_429(tmp_path):
    spent = Fault(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    with Provider(lambda request: spent) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url))
    assert isinstance(failure, TeacherError) and len(provider.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"message": "The prompt triggered Azure OpenAI's content management policy", "code": "content_filter"},
        {"message": "This model's maximum context length is 100 tokens", "code": "context_length_exceeded"},
    ],
)
def test_a_refusal_for_content_or_length_ends_one_chain_even_as_the_first_answer(tmp_path, body):
    with Provider(lambda request: Fault(400, {"error": body})) as provider:
        _, failures = ask(tmp_path, settings(url=provider.url), 0, 1)
        assert len(provider.seen) == 2  # each is tried once
    assert [type(failure) for failure in failures] == [ProviderError] * 2 and {f.kind for f in failures} == {"refused"}


def test_an_answer_that_the_content_filter_took_is_refused(tmp_path):
    with Provider(lambda request: completion("x", "content_filter")) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url))
        assert failure.kind == "refused" and len(provider.seen) == 1


def test_one_refused_request_after_good_ones_is_that_requests_fault(tmp_path):
    answers = {1: "x", 2: error(400, "strange request"), 3: error(400, "maximum context length is 100 tokens")}
    with Provider(lambda request: answers[request["seed"]]) as provider:
        _, [reply, strange, long] = ask(tmp_path, settings(url=provider.url), 0, 1, 2)
        assert reply.text == "x" and len(provider.seen) == 3
    assert (strange.kind, long.kind) == ("refused", "refused")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (settings("nonsense/model"), "generate.teacher.model is 'nonsense/model'; litellm knows no such model"),
        (settings("groq/llama-3.3-70b-versatile"), "no key; set the environment's GROQ_API_KEY"),
        (settings("anthropic/claude-3-5-haiku-latest"), "no key; set the environment's ANTHROPIC_API_KEY"),
    ],
)
def test_an_unknown_model_or_a_missing_key_is_refused_before_any_call(tmp_path, chosen, said):
    _, [failure] = ask(tmp_path, chosen)
    assert isinstance(failure, TeacherError) and said in str(failure)


def test_a_parameter_that_the_provider_does_not_take_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    _, [failure] = ask(tmp_path, settings("anthropic/claude-3-5-haiku-latest", "http://127.0.0.1:9"))
    assert isinstance(failure, TeacherError) and "['seed']" in str(failure) and "seed: null" in str(failure)


def test_a_local_server_needs_no_key(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with Provider(lambda request: "x") as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url))
    assert reply.text == "x"


@pytest.mark.parametrize("name", ["api_key", "extra_headers", "model", "stream", "api_base", "seed"])
def test_extra_parameters_cannot_hold_keys_or_what_has_its_own_place(tmp_path, name):
    with pytest.raises(TeacherError, match=f"generate.teacher.extra.{name} cannot be set there"):
        ask(tmp_path, settings(extra={name: "x"}))


def test_known_calls_need_no_key_no_server_and_no_litellm(tmp_path):
    with Provider(lambda request: "x") as provider:
        ask(tmp_path, settings(url=provider.url))
    script = (
        "import sys; from pathlib import Path; from teachers import ask, settings\n"
        "teacher, [reply] = ask(Path(sys.argv[1]), settings())\n"
        "assert reply.text == 'x' and teacher.hits == 1\n"
        "assert 'litellm' not in sys.modules and 'openai' not in sys.modules\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=env, check=True)


def test_caps_stop_before_the_next_call_and_known_ones_go_on(tmp_path):
    with Provider(lambda request: completion("x", model="gpt-4o-mini")) as provider:
        _, outcomes = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url, max_new_calls=2), 0, 1, 2, 0)
        assert [type(outcome) for outcome in outcomes] == [Reply, Reply, Stopped, Reply]
        assert "runtime.max_new_calls = 2 is reached; raise it" in str(outcomes[2])
        _, outcomes = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url, budget_usd=1e-6), 0, 1, 2, 3)
        assert [type(outcome) for outcome in outcomes] == [Reply, Reply, Reply, Stopped]
        assert "runtime.budget_usd = 1e-06 is spent; raise it" in str(outcomes[3])
        assert len(provider.seen) == 3


def test_an_answer_that_cannot_be_used_is_billed_and_counts(tmp_path):
    with Provider(lambda request: completion(None, model="gpt-4o-mini")) as provider:
        asked, [outcome] = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url, budget_usd=5e-6, retries=9), 0)
        assert type(outcome) is Stopped and "runtime.budget_usd = 5e-06 is spent" in str(outcome)
        assert len(provider.seen) == 2 and asked.spent_usd >= 5e-6  # 2.85e-6 each


def test_the_simulated_teacher_is_asked_through_litellm_and_its_rates_are_part_of_the_request(tmp_path):
    chosen = settings("simulated/teacher")
    problems = sources.load("train", chosen.problems)
    messages = [MESSAGES[0], {"role": "user", "content": problems[0].question}]

    async def ask_twice(rates: params.ErrorRates) -> tuple[int, str]:
        generate = dataclasses.replace(chosen.generate, simulated=rates)
        asked = Teacher(generate, chosen.runtime, journal, lambda: simulated.register(problems))
        texts = {(await asked.ask(messages, 0)).text for _ in range(2)}
        assert asked.spent_usd == 0.0 and len(texts) == 1
        return asked.asked, texts.pop()

    with Journal(tmp_path) as journal:
        right = params.ErrorRates(0.0, 0.0, 0.0)
        assert asyncio.run(ask_twice(right)) == (1, problems[0].solution[0].text())
        assert asyncio.run(ask_twice(right)) == (0, problems[0].solution[0].text())
        assert asyncio.run(ask_twice(params.ErrorRates(0.0, 1.0, 0.0)))[0] == 1


def test_a_fault_of_the_simulated_teacher_ends_the_run_instead_of_being_tried_again(tmp_path):
    chosen = settings("simulated/teacher")
    with Journal(tmp_path) as journal:
        asked = Teacher(chosen.generate, chosen.runtime, journal, lambda: simulated.register([]))
        with pytest.raises(TeacherError):
            asyncio.run(asked.ask([MESSAGES[0]], 0))  # no question
    assert asked.retried == 0


def test_no_key_is_written_anywhere(tmp_path):
    with Provider(lambda request: "x", [error(429, f"your key {KEY} is busy")]) as provider:
        ask(tmp_path, settings(url=provider.url), 0, 1)
    contents = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert contents and not any(KEY.encode() in content for content in contents)
