"""Limits: no minute holds more requests or tokens than allowed, and no more is held back than needed.

The event loop of these tests has a clock of its own, which jumps to the next timer: hours pass in milliseconds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import selectors

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from stages.agent.loop import Reply
from stages.params import ProviderParams
from stages.teacher.limits import MINUTE_S, Limits, Pace

UNLIMITED = ProviderParams(None, {}, (), None, None, 3600.0, 64)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where nothing is ready, the time of the next timer comes at once."""

    def __init__(self):
        loop = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list:
                loop.now += timeout or 0.0
                return super().select(0)

        self.now = 0.0
        super().__init__(Selector())

    def time(self) -> float:
        return self.now


def run(main):
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


@dataclasses.dataclass(frozen=True)
class Load:
    """What a run asks: prompts of up to 8,000 characters, of so many tokens each, and answers of up to `max_tokens`."""

    workers: int
    calls: int
    latency_s: float
    limits: ProviderParams
    max_tokens: int = 256
    seed: int = 0
    a_character: float = 0.25


def starts(load: Load) -> list[tuple[float, int]]:
    """When each call of the load was sent, and what it cost."""
    chance, sent = random.Random(load.seed), []
    waiting = iter(range(load.calls))

    async def work(limits: Limits) -> None:
        clock = asyncio.get_running_loop().time
        for _ in waiting:
            length, said = chance.randint(1, 8000), chance.randint(1, load.max_tokens)
            messages = [{"role": "user", "content": "x" * length}]
            expected = await limits.turn(messages, asyncio.sleep)
            reply = Reply("x", max(1, round(length * load.a_character)), said)
            sent.append((clock(), reply.prompt_tokens + said))
            await asyncio.sleep(chance.uniform(0, 2 * load.latency_s))
            limits.used(messages, expected, reply)

    async def main() -> None:
        limits = Limits(load.limits, load.max_tokens)
        await asyncio.gather(*(work(limits) for _ in range(load.workers)))

    run(main())
    return sent


def fullest(sent: list[tuple[float, int]], of: int) -> int:
    """The most requests (of 0) or tokens (of 1) that were sent in any 60 s, both ends included."""
    first, most, total = 0, 0, 0
    for time, tokens in sent:
        total += (1, tokens)[of]
        while sent[first][0] < time - MINUTE_S:
            total -= (1, sent[first][1])[of]
            first += 1
        most = max(most, total)
    return most


@examples(50)
@given(
    limit=st.integers(1, 3000),
    workers=st.integers(1, 64),
    latency=st.floats(0.0, 30.0),
    calls=st.integers(1, 300),
    seed=st.integers(0, 99),
)
def test_no_minute_holds_more_requests_than_the_limit_and_one(limit, workers, latency, calls, seed):
    limits = dataclasses.replace(UNLIMITED, requests_per_minute=limit)
    sent = starts(Load(workers, calls, latency, limits, seed=seed))
    assert len(sent) == calls and fullest(sent, 0) <= limit + 1


@pytest.mark.parametrize("limit", [1, 60, 1000])
def test_requests_are_spread_evenly_and_none_is_held_back_in_vain(limit):
    limits = dataclasses.replace(UNLIMITED, requests_per_minute=limit)
    sent = starts(Load(32, 200, 0.0, limits))
    gaps = [later - earlier for (earlier, _), (later, _) in zip(sent, sent[1:], strict=False)]
    assert sent[0][0] == 0.0 and gaps == pytest.approx([MINUTE_S / limit] * 199)


def test_a_slow_provider_is_not_slowed_further():
    limits = dataclasses.replace(UNLIMITED, requests_per_minute=6000, tokens_per_minute=10**9)
    limited, free = (starts(Load(4, 100, 10.0, chosen)) for chosen in (limits, UNLIMITED))
    assert limited[-1][0] < free[-1][0] + 1.0


@examples(50)
@given(
    limit=st.integers(10_000, 2_000_000),
    workers=st.integers(1, 64),
    latency=st.floats(0.0, 20.0),
    seed=st.integers(0, 99),
    a_character=st.floats(0.05, 1.5),
)
def test_no_minute_holds_more_tokens_than_the_limit_and_what_was_in_flight(limit, workers, latency, seed, a_character):
    """A wrong estimate is found out by the answers, so only calls in flight at once can exceed the limit by it."""
    limits = dataclasses.replace(UNLIMITED, tokens_per_minute=limit)
    sent = starts(Load(workers, 300, latency, limits, seed=seed, a_character=a_character))
    dearest = max(tokens for _, tokens in sent)
    assert fullest(sent, 1) <= limit + (workers + 1) * dearest


@pytest.mark.parametrize("a_character", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("latency", [0.2, 5.0])
def test_the_tokens_sent_come_near_the_limit_whatever_the_first_estimate(a_character, latency):
    limit = 500_000
    limits = dataclasses.replace(UNLIMITED, tokens_per_minute=limit)
    sent = starts(Load(300, 3000, latency, limits, a_character=a_character))
    rate = sum(tokens for _, tokens in sent) / sent[-1][0] * MINUTE_S
    assert 0.9 * limit < rate < 1.05 * limit


def test_calls_that_grow_dear_are_slowed_though_the_earlier_ones_were_cheap():
    async def main() -> float:
        limits = Limits(dataclasses.replace(UNLIMITED, tokens_per_minute=6000), max_tokens=300)
        clock, messages = asyncio.get_running_loop().time, [{"role": "user", "content": "x"}]
        for completion in [1] * 100 + [299] * 50:
            expected = await limits.turn(messages, asyncio.sleep)
            if completion == 1:
                begin = clock()
            limits.used(messages, expected, Reply("x", 1, completion))
        return clock() - begin

    assert run(main()) >= 49 * 300 / 100  # 100 tokens a second


def test_both_limits_hold_at_once():
    limits = dataclasses.replace(UNLIMITED, requests_per_minute=100, tokens_per_minute=100_000)
    sent = starts(Load(16, 400, 0.5, limits))
    assert fullest(sent, 0) <= 101 and fullest(sent, 1) <= 100_000 + 17 * 2256


def test_a_server_that_does_not_say_what_it_used_is_held_to_the_estimate():
    async def main() -> float:
        limits = Limits(dataclasses.replace(UNLIMITED, tokens_per_minute=600), max_tokens=50)
        for _ in range(10):
            messages = [{"role": "user", "content": "x" * 200}]  # 50 tokens, and 50 of the answer
            limits.used(messages, await limits.turn(messages, asyncio.sleep), Reply("x"))
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(9 * 10.0)


def test_a_wait_that_is_ended_leaves_the_turn_to_the_next():
    async def main() -> list[str]:
        limits = Limits(dataclasses.replace(UNLIMITED, requests_per_minute=1), max_tokens=50)
        await limits.turn([], asyncio.sleep)
        turns = []

        async def refuse(seconds: float) -> None:
            raise RuntimeError("no time left")

        async def one(name: str, pause) -> None:
            await limits.turn([], pause)
            turns.append(f"{name} at {asyncio.get_running_loop().time():.0f}")

        await asyncio.gather(
            *(one("a", refuse), one("b", asyncio.sleep), one("c", asyncio.sleep)), return_exceptions=True
        )
        return turns

    assert run(main()) == ["b at 60", "c at 120"]


def test_what_was_not_used_is_no_credit_for_a_burst():
    pace = Pace(60)
    pace.start(0.0, 100)
    pace.correct(-1000)
    pace.start(5.0, 1)
    assert pace.wait_s(5.0) == 1.0
