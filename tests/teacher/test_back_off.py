"""Between two tries: how long a request waits, what ends the wait, and who goes on meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
import time

import pytest
from provider import Provider, error
from teachers import MESSAGES, ask, settings

from stages.problems import sources
from stages.teacher import teacher
from stages.teacher.chains import STOPPED, make_chains
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import ProviderError
from stages.teacher.teacher import Stopped, Teacher

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize("said", ["1", "Wed, 21 Oct 2065 07:28:00 GMT"])
def test_retry_after_is_honoured(tmp_path, said):
    if said != "1":  # a date: too far ahead to wait for
        with Provider(lambda request: "x", [error(429, "quota", Retry_After=said)]) as provider:
            _, [failure] = ask(tmp_path, settings(url=provider.url))
        assert isinstance(failure, ProviderError) and len(provider.seen) == 1
        return
    with Provider(lambda request: "x", [error(429, "slow down", Retry_After=said)]) as provider:
        start = time.monotonic()
        _, [reply] = ask(tmp_path, settings(url=provider.url))
        assert reply.text == "x" and 1.0 <= time.monotonic() - start


def test_those_who_are_told_to_wait_do_not_come_back_in_the_same_moment(tmp_path):
    """None earlier than it was told; up to a quarter of the time later, each by its own draw."""
    waits = []

    class Watched(Teacher):
        async def _pause(self, seconds, until, last=None):
            waits.append(seconds)

    with Provider(lambda request: "x", [error(429, "slow down", Retry_After="40")] * 12) as provider:
        with Journal(tmp_path) as journal:
            chosen = settings(url=provider.url, concurrency=12)
            asked = Watched(chosen.generate, chosen.runtime, journal)

            async def ask_all() -> None:
                await asyncio.gather(*(asked.ask(MESSAGES, sample) for sample in range(12)))

            asyncio.run(ask_all())
    assert len(waits) == asked.retried == 12
    assert all(40.0 <= wait_s <= 50.0 for wait_s in waits)
    assert max(waits) - min(waits) > 4.0 and len(set(waits)) == 12


def test_a_stop_ends_the_wait_between_two_tries(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "FIRST_WAIT_S", 60.0)

    async def stopped(asked: Teacher, provider: Provider) -> None:
        waiting = asyncio.create_task(asked.ask(MESSAGES, 0))
        while asked.retried == 0:
            await asyncio.sleep(0.01)
        asked.stop("enough")
        with pytest.raises(Stopped, match="enough"):
            await waiting

    with Provider(lambda request: error(500, "down")) as provider, Journal(tmp_path) as journal:
        chosen = settings(url=provider.url)
        start = time.monotonic()
        asyncio.run(stopped(Teacher(chosen.generate, chosen.runtime, journal), provider))
        assert time.monotonic() - start < 20


def test_waits_that_the_provider_asked_for_do_not_lengthen_its_own(tmp_path):
    """After twelve of them one of 0.01 s would be one of 40 s, for which this chain has no time."""

    async def within_a_while(asked: Teacher, provider: Provider) -> str:
        await asked.ask(MESSAGES, 0)
        provider.faults = [*[error(429, "slow down", Retry_After="0.001")] * 12, error(500, "down")]
        until = asyncio.get_running_loop().time() + 15
        return (await asked.ask(MESSAGES, 1, until=until)).text

    with Provider(lambda request: f"seed {request['seed']}") as provider, Journal(tmp_path) as journal:
        chosen = settings(url=provider.url, retries=20)
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        assert asyncio.run(within_a_while(asked, provider)) == "seed 2" and asked.retried == 13


def test_twice_as_many_chains_are_under_way_as_calls(tmp_path):
    """Where each waits for its second try, the next requests are those of as many other chains again, and no more."""
    with Provider(lambda request: 'Finish(answer="1")', [error(429, "slow down", Retry_After="1")] * 6) as provider:
        chosen = settings(url=provider.url, concurrency=3)
        with Journal(tmp_path) as journal:
            asked = Teacher(chosen.generate, chosen.runtime, journal)
            run = asyncio.run(make_chains(sources.load("train", chosen.problems), chosen, asked))
        assert not run.missing
        names = [json.dumps(request, sort_keys=True) for request in provider.seen]
        assert len(set(names[:6])) == 6 and names[6] in names[:6]


def test_a_signal_while_litellm_is_opened_comes_before_the_first_call(tmp_path):
    with Provider(lambda request: "x") as provider, Journal(tmp_path) as journal:
        chosen = settings(url=provider.url)
        asked = Teacher(chosen.generate, chosen.runtime, journal, lambda: signal.raise_signal(signal.SIGTERM))
        run = asyncio.run(make_chains(sources.load("train", chosen.problems), chosen, asked))
        assert provider.seen == [] and asked.asked == 0
    assert run.chains == {} and set(run.missing.values()) == {STOPPED}
