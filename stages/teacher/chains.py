"""All chains of some problems: many under way at once, each ended by an answer, a failure, or the end of the run."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from stages.agent import native as wire
from stages.agent.loop import solve
from stages.params import Params
from stages.records.chain import Chain
from stages.records.errors import InputError
from stages.records.problem import Problem
from stages.teacher.calls import Place
from stages.teacher.progress import Progress
from stages.teacher.provider import ProviderError
from stages.teacher.teacher import Stopped, Teacher

STOPPED, REFUSED = "not_asked", "refused"  # beside the kinds of ProviderError


@dataclass
class Run:
    """What a run made: chains and the keys of their calls by place, why the others are missing, and what stopped it.

    `refusal` is what the provider said as it refused the last one of those it refused.
    """

    chains: dict[Place, Chain] = field(default_factory=dict)
    calls: dict[Place, list[str]] = field(default_factory=dict)
    missing: dict[Place, str] = field(default_factory=dict)
    refusal: str = ""
    error: InputError | None = None


async def make_chains(problems: list[Problem], settings: Params, teacher: Teacher) -> Run:
    """All chains of these problems, each problem once before any twice; `runtime.concurrency` calls are in flight.

    Twice as many chains are under way, so that those which wait for a tool, the disk or another try leave no gap.

    Raises:
        InputError: the run cannot go on (no key, no such model, a full disk); calls in flight were waited for and kept.
    """
    run, form = Run(), settings.generate.teacher.wire
    listening = wire.Listening(teacher.model, form)
    places = [(place, sample) for sample in range(settings.generate.samples) for place in range(len(problems))]
    waiting = iter(places)
    limits = settings.runtime.teacher
    failed_in_a_row = 0
    progress = Progress(len(places), teacher, settings.runtime.progress)

    async def work() -> None:
        nonlocal failed_in_a_row
        for place, sample in waiting:
            if run.error or teacher.interrupted:
                return
            await asyncio.sleep(0)  # a chain of known calls never waits, and signals need a turn
            keys: list[str] = []
            until = asyncio.get_running_loop().time() + limits.chain_timeout_s
            tools = wire.offered(problems[place].toolkit, form)
            ask = listening.to(partial(teacher.ask, used=keys, tools=tools, until=until), problems[place].toolkit)
            try:
                chain = await solve(problems[place], sample, ask, settings.agent, teacher.model, form)
                run.chains[place, sample], run.calls[place, sample] = chain, keys
                progress.made(chain)
                if not teacher.bought.isdisjoint(keys):  # a chain of known calls says nothing about the provider
                    failed_in_a_row = 0
            except Stopped:
                run.missing[place, sample] = STOPPED
            except ProviderError as failure:
                run.missing[place, sample] = failure.kind
                progress.failure(failure.kind)
                if failure.kind == REFUSED:
                    run.refusal = str(failure)
                failed_in_a_row += failure.again  # one that no second try mends is of this request
                if failed_in_a_row >= limits.max_failures:
                    teacher.stop(f"{failed_in_a_row} chains in a row failed at the provider, the last with: {failure}")
            except InputError as error:
                run.error = run.error or error
                teacher.stop(str(error))

    workers = [work() for _ in range(min(2 * settings.runtime.concurrency, len(places)))]
    with _draining(teacher):
        async with progress:
            await asyncio.gather(*workers)
    if run.error:
        raise run.error
    run.missing |= {place: STOPPED for place in places if place not in run.chains and place not in run.missing}
    return run


@contextmanager
def _draining(teacher: Teacher) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run when the calls in flight are answered and kept; the second one ends it at once."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def stop(number: signal.Signals) -> None:
        teacher.interrupted = True
        teacher.stop(f"{number.name}: the calls in flight are kept, then the run ends")
        print(f"\ngenerate: {teacher.stopped}; again to end it at once", file=sys.stderr)
        release()

    def release() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        release()
