"""Where the teacher is: headers and keys from the environment, and several places of one model, some of them down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from projects import KEY
from provider import Fault, Provider, completion, error
from teachers import MESSAGES, ask, settings

from stages.agent.loop import Reply
from stages.params import DeploymentParams, Params
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import ProviderError, TeacherError
from stages.teacher.teacher import Teacher

DEAD = "http://127.0.0.1:9/v1"

pytestmark = pytest.mark.usefixtures("environment")


def places(*given: DeploymentParams, model: str = "openai/test", **changes: object) -> Params:
    return settings(model, deployments=given, **changes)


def ask_at_once(folder: Path, chosen: Params, count: int, workers: int = 8) -> tuple[Teacher, list]:
    """As `ask`, by several workers."""
    waiting, outcomes = iter(range(count)), []

    async def work(asked: Teacher) -> None:
        for sample in waiting:
            outcomes.extend(await asyncio.gather(asked.ask(MESSAGES, sample), return_exceptions=True))

    async def ask_all(asked: Teacher) -> None:
        await asyncio.gather(*(work(asked) for _ in range(workers)))

    with Journal(folder) as journal:
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        asyncio.run(ask_all(asked))
    return asked, outcomes


def written(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


# Headers


def test_headers_have_their_values_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TEAM", "blue-team-7f3a")
    monkeypatch.setenv("GATEWAY_PASS", "open sesame")
    with Provider(lambda request: "x") as provider:
        headers = {"X-Team": "TEAM", "X-Gateway": "GATEWAY_PASS"}
        _, [reply] = ask(tmp_path, settings(url=provider.url, headers=headers))
        assert reply.text == "x"
        [sent] = provider.headers
    assert (sent["x-team"], sent["x-gateway"]) == ("blue-team-7f3a", "open sesame")
    assert not written(tmp_path, "blue-team-7f3a") and not written(tmp_path, "open sesame")


def test_a_header_is_no_part_of_a_request(tmp_path, monkeypatch):
    with Provider(lambda request: "x") as provider:
        ask(tmp_path, settings(url=provider.url))
        monkeypatch.setenv("TEAM", "blue-team-7f3a")
        asked, [reply] = ask(tmp_path, settings(url=provider.url, headers={"X-Team": "TEAM"}))
        assert (reply.text, asked.hits, len(provider.seen)) == ("x", 1, 1)


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_header_without_value_is_refused_before_any_call(tmp_path, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("TEAM", value)
    with Provider(lambda request: "x") as provider:
        asked, [failure] = ask(tmp_path, settings(url=provider.url, headers={"X-Team": "TEAM"}))
        assert provider.seen == [] and asked.asked == 0
    assert isinstance(failure, TeacherError)
    assert str(failure) == "runtime.teacher.headers.X-Team: no value; set the environment's TEAM"


@pytest.mark.parametrize("value", ["two\r\nX-Forged: lines", "schlüssel-0123"])
def test_a_value_that_no_header_can_have_is_refused_without_showing_it(tmp_path, monkeypatch, value):
    monkeypatch.setenv("TEAM", value)
    with Provider(lambda request: "x") as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url, headers={"X-Team": "TEAM"}))
        assert provider.seen == []
    assert isinstance(failure, TeacherError) and "$TEAM cannot be sent" in str(failure)
    assert value not in str(failure) and "Forged" not in str(failure)


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_the_value_of_a_header_that_a_server_echoes_is_neither_shown_nor_kept(tmp_path, monkeypatch, status, capfd):
    """Its variable's name says nothing of a secret; that it is sent as a header does."""
    monkeypatch.setenv("TEAM", "blue-team-7f3a")
    echo = error(status, "no entry for blue-team-7f3a") if status != 200 else "Finish(answer=blue-team-7f3a)"
    with Provider(lambda request: echo) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url, headers={"X-Team": "TEAM"}, retries=0))
        assert provider.headers[0]["x-team"] == "blue-team-7f3a"
    assert isinstance(failure, ProviderError | TeacherError) and "$TEAM" in str(failure)
    assert "blue-team-7f3a" not in "".join([str(failure), *capfd.readouterr()])
    assert not written(tmp_path, "blue-team-7f3a")


# Several places


def test_each_place_gets_its_share_of_the_requests(tmp_path):
    with Provider(lambda request: "x") as large, Provider(lambda request: "x") as small:
        chosen = places(DeploymentParams(large.url, weight=4), DeploymentParams(small.url, weight=1))
        asked, replies = ask_at_once(tmp_path, chosen, 300)
        assert all(isinstance(reply, Reply) for reply in replies)
        assert len(large.seen) + len(small.seen) == asked.asked == 300  # each request once
        assert 25 <= len(small.seen) <= 110  # 60 expected; five standard deviations are 35
        sent = {"model": "test", "messages": MESSAGES, "temperature": 1.0, "max_tokens": 256}
        for request in large.seen + small.seen:
            assert {name: value for name, value in request.items() if name != "seed"} == sent


@pytest.mark.parametrize("fault", [None, error(500, "down"), error(429, "slow", Retry_After="1000"), Fault(200, "")])
def test_a_place_that_fails_does_not_stop_the_others(tmp_path, fault):
    """None is a place where nobody listens; a place that asks for a quarter of an hour holds up no request."""
    with Provider(lambda request: "x") as good, Provider(lambda request: fault) as bad:
        chosen = places(DeploymentParams(good.url), DeploymentParams(bad.url if fault else DEAD), retries=9)
        asked, replies = ask_at_once(tmp_path, chosen, 60)
        assert len(replies) == 60 and all(isinstance(reply, Reply) for reply in replies)
        assert len(good.seen) == 60
        assert asked.retried <= 30  # it rests after a few failures


def test_a_place_that_hangs_rests_too(tmp_path):
    with Provider(lambda request: "x") as good, Provider(lambda request: Fault(hang=True)) as bad:
        chosen = places(DeploymentParams(good.url), DeploymentParams(bad.url), timeout_s=2.0, retries=9)
        asked, replies = ask_at_once(tmp_path, chosen, 60)
        assert all(isinstance(reply, Reply) for reply in replies) and len(good.seen) == 60
        assert asked.retried <= 30


def test_the_failure_of_all_places_is_named_as_the_last_one_was(tmp_path):
    chosen = places(DeploymentParams(DEAD), DeploymentParams("http://127.0.0.1:8/v1"), retries=0)
    asked, failures = ask_at_once(tmp_path, chosen, 40, workers=1)
    assert {failure.kind for failure in failures} == {"connection"} and len(failures) == 40
    assert "all deployments rest after failures; the last said: " in str(failures[-1])


@pytest.mark.parametrize("status", [401, 403])  # after a 403 litellm rests no place
def test_a_place_with_a_wrong_key_is_left_out_and_named_once(tmp_path, capfd, status):
    with Provider(lambda request: "x") as good, Provider(lambda request: error(status, f"bad key {KEY}")) as bad:
        asked, replies = ask_at_once(tmp_path, places(DeploymentParams(bad.url), DeploymentParams(good.url)), 60)
        assert all(isinstance(reply, Reply) for reply in replies) and len(good.seen) == 60
        assert len(bad.seen) <= 8  # those in flight
    said = capfd.readouterr().err
    assert said.count("runtime.teacher.deployments[0] is left out: ") == 1 and KEY not in said


def test_places_that_all_refuse_end_the_run(tmp_path):
    with Provider(lambda request: error(401, "bad key")) as one, Provider(lambda request: error(403, "no")) as two:
        chosen = places(DeploymentParams(one.url), DeploymentParams(two.url))
        _, failures = ask_at_once(tmp_path, chosen, 1)
        assert isinstance(failures[0], TeacherError) and (len(one.seen), len(two.seen)) == (1, 2)  # and the probe


def test_a_place_that_refuses_everything_with_a_400_is_left_out_and_named_once(tmp_path, capfd):
    """As Google does where a key is wrong. The probe is asked there, not of the place that answers."""
    with Provider(lambda request: "x") as good, Provider(lambda request: error(400, "API key not valid")) as bad:
        asked, replies = ask_at_once(tmp_path, places(DeploymentParams(bad.url), DeploymentParams(good.url)), 60)
        assert all(isinstance(reply, Reply) for reply in replies) and len(good.seen) == 60
        assert len(bad.seen) <= 8 + 1  # those in flight, and the probe
    assert capfd.readouterr().err.count("runtime.teacher.deployments[0] is left out: ") == 1


def test_a_refused_request_is_refused_once_by_one_place(tmp_path):
    long = Fault(400, {"error": {"message": "maximum context length is 9", "code": "context_length_exceeded"}})
    with Provider(lambda request: long) as one, Provider(lambda request: long) as two:
        chosen = places(DeploymentParams(one.url), DeploymentParams(two.url))
        _, [failure] = ask_at_once(tmp_path, chosen, 1)
        assert failure.kind == "refused" and len(one.seen) + len(two.seen) == 1


def test_each_place_has_its_own_key_and_name_of_the_model(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND", "sk-second-0123456789")
    with Provider(lambda request: "x") as one, Provider(lambda request: "x") as two:
        other = DeploymentParams(two.url, model="hosted_vllm/test-awq", key="SECOND")
        asked, replies = ask_at_once(tmp_path, places(DeploymentParams(one.url), other), 40)
        assert all(isinstance(reply, Reply) for reply in replies)
        assert {request["model"] for request in one.seen} == {"test"} and set(one.keys) == {f"Bearer {KEY}"}
        assert {request["model"] for request in two.seen} == {"test-awq"}
        assert set(two.keys) == {"Bearer sk-second-0123456789"}
    assert not written(tmp_path, "sk-second-0123456789")
    with Journal(tmp_path) as journal:
        assert len(journal) == 40
    asked, replies = ask_at_once(tmp_path, settings(), 40)
    assert asked.hits == 40  # where they were made is no part of them


def test_a_model_without_a_price_is_known_by_the_place_that_serves_it(tmp_path, monkeypatch, capfd):
    """litellm tells by the host that DeepSeek is asked; a proxy stands here for the way there."""
    with Provider(lambda request: "x") as provider:
        monkeypatch.setenv("HTTP_PROXY", provider.url.removesuffix("/v1"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
        _, [reply] = ask(tmp_path, places(DeploymentParams("http://api.deepseek.com/v1"), model="ours/unpriced"))
        assert reply.text == "x" and [request["model"] for request in provider.seen] == ["ours/unpriced"]
        assert provider.headers[0]["host"] == "api.deepseek.com"
    assert capfd.readouterr().err.count("litellm knows no price of ours/unpriced: ") == 1


def test_what_several_places_cost_is_counted(tmp_path):
    with Provider(lambda request: completion("x", model="gpt-4o-mini")) as one:
        chosen = places(DeploymentParams(one.url), DeploymentParams(one.url), model="openai/gpt-4o-mini")
        asked, _ = ask_at_once(tmp_path, chosen, 10)
    assert asked.spent_usd == pytest.approx(10 * (7 * 0.15e-6 + 3 * 0.6e-6), abs=1e-7)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            DeploymentParams(DEAD, key="SECOND"),
            "deployments[1].key: no key; set the environment's SECOND",
        ),
        (DeploymentParams(DEAD, model="nonsense/test"), "runtime.teacher.deployments[1].model is 'nonsense/test'"),
        (DeploymentParams(model="groq/llama-3.3-70b-versatile"), "no key; set the environment's GROQ_API_KEY"),
    ],
)
def test_a_place_without_key_or_model_is_refused_before_any_call(tmp_path, second, said):
    with Provider(lambda request: "x") as provider:
        _, [failure] = ask(tmp_path, places(DeploymentParams(provider.url), second))
        assert provider.seen == []
    assert isinstance(failure, TeacherError) and said in str(failure) and "\n" not in str(failure)


# Limits


def test_each_try_waits_for_its_turn(tmp_path):
    """The server's clock says it: no two requests come closer than the limit spreads them, retries included."""
    with Provider(lambda request: "x", [error(500, "down")] * 3) as provider:
        chosen = settings(url=provider.url, requests_per_minute=600)
        asked, replies = ask_at_once(tmp_path, chosen, 9)
        assert [type(reply) for reply in replies] == [Reply] * 9 and len(provider.times) == 12
        assert provider.times[-1] - provider.times[1] >= 10 * 0.1 - 0.05  # the first one opens litellm


def test_a_stop_ends_the_wait_for_a_turn(tmp_path):
    async def stopped(asked: Teacher) -> list:
        waiting = [asyncio.create_task(asked.ask(MESSAGES, sample)) for sample in range(4)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        asked.stop("enough")
        return await asyncio.gather(*waiting, return_exceptions=True)

    with Provider(lambda request: "x") as provider, Journal(tmp_path) as journal:
        chosen = settings(url=provider.url, requests_per_minute=1)
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        outcomes = asyncio.run(stopped(asked))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Reply", "Stopped", "Stopped", "Stopped"]
        assert len(provider.seen) == asked.asked == 1
