"""The teacher: one function from messages to a reply, through the journal, the caps and the provider.

A request that the journal knows costs nothing and needs no key and no import of litellm. Any other is asked of the
provider (stages/teacher/provider.py), with back-off, and its answer is on disk before the chain goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from functools import partial

from stages.agent.loop import Reply, reply_from_row
from stages.params import GenerateParams, RuntimeParams
from stages.records.chain import Message
from stages.teacher.api_keys import held
from stages.teacher.journal.journal import Journal
from stages.teacher.journal.record import canonical, request_key
from stages.teacher.limits import Limits
from stages.teacher.provider import LOCAL, SIMULATED, Provider, ProviderError, TeacherError
from stages.teacher.simulated import provider as simulated

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0  # of the back-off; it doubles in between
PATIENCE_S = 300.0  # a provider that asks for a longer wait is out of quota, not busy
RESERVED = (
    *("api_base", "api_key", "base_url", "extra_headers", "headers", "max_tokens", "messages", "model", "n", "sample"),
    *("parallel_tool_calls", "seed", "stream", "temperature", "timeout", "tool_choice", "tools", "top_p"),
)


class Stopped(Exception):
    """This request is new, and the run asks nothing more: a cap was reached or it was told to stop."""


class Teacher:
    """`await teacher.ask(messages, sample)` is the model's next turn.

    `prepare` is called once, before the first request that the journal does not know. `asked`, `hits`, `retried` and
    `spent_usd` count this run; `stopped` says why nothing more is asked, or is empty.
    """

    def __init__(
        self,
        generate: GenerateParams,
        runtime: RuntimeParams,
        journal: Journal,
        prepare: Callable[[], None] = lambda: None,
    ):
        self.model, self.runtime, self.journal = generate.teacher.model, runtime, journal
        self.provider = Provider(self.model, runtime, prepare, generate.teacher.wire)
        self.limits = Limits(runtime.teacher, generate.teacher.max_tokens)
        self.asked = self.hits = self.retried = 0
        self.spent_usd = 0.0
        self.stopped = ""
        self.bought: set[str] = set()  # keys of this run's calls
        self.interrupted = False  # by a signal: not even known calls are looked up any more
        self._stop = asyncio.Event()
        self._in_flight = asyncio.Semaphore(runtime.concurrency)
        self._opening = asyncio.Lock()
        self._jitter = random.Random(0)
        self._seed = generate.teacher.seed
        self._sampling = {"temperature": generate.teacher.temperature, "max_tokens": generate.teacher.max_tokens}
        if generate.teacher.top_p != 1.0:  # 1.0 changes nothing, and some providers refuse it beside a temperature
            self._sampling["top_p"] = generate.teacher.top_p
        for name in generate.teacher.extra:
            if name in RESERVED:
                raise TeacherError(f"params.yaml: generate.teacher.extra.{name} cannot be set there; {_instead(name)}")
        self._sampling |= generate.teacher.extra
        key = held(canonical([self.model, generate.teacher.extra]))
        if key:
            raise TeacherError(f"params.yaml: generate.teacher holds the value of ${key}; {_instead('api_key')}")
        if self.model.startswith(SIMULATED):
            self._sampling |= simulated.parameters(generate.simulated)
        if self.model.startswith(LOCAL):
            from stages.teacher import local

            if generate.teacher.wire == "tools":
                raise TeacherError("params.yaml: generate.teacher.wire: a local model takes no tools; set it to text")
            if generate.teacher.extra:
                extra = ", ".join(generate.teacher.extra)
                raise TeacherError(f"params.yaml: generate.teacher.extra: a local model takes no {extra}; take it out")
            self._sampling |= local.parameters(self.model)

    def stop(self, reason: str) -> None:
        """Ask nothing more; calls in flight are waited for and kept, waits between tries end."""
        self.stopped = self.stopped or reason
        self._stop.set()

    async def ask(
        self,
        messages: list[Message],
        sample: int,
        used: list[str] | None = None,
        until: float = math.inf,
        tools: list[dict] | None = None,
    ) -> Reply:
        """The reply to `messages`, with `tools` (see `wire.offered`) to call; the key of the call is added to `used`.

        Nothing is asked, or waited for, past `until` (of the event loop's clock); a call in flight then is kept.

        Raises:
            ProviderError: no answer after all tries; the next run asks again.
            Stopped: the answer would have to be bought, and the run buys nothing more.
            TeacherError: no request can be answered.
        """
        sampling = self._sampling if self._seed is None else {**self._sampling, "seed": self._seed + sample}
        request = {"messages": messages, "model": self.model, "sample": sample, "sampling": sampling, "tools": tools}
        key = request_key(request)
        answer = self.journal.get(key)
        if answer is None:
            reply = await self._buy(request, until)
            await self.journal.append(request, key, reply.row())
            self.bought.add(key)
        else:
            self.hits += 1
            reply = reply_from_row(answer)
        if used is not None:
            used.append(key)
        return reply

    async def _buy(self, request: dict, until: float) -> Reply:
        tries, untold, silent = 0, 0, 0
        while True:
            try:
                async with self._in_flight:  # a call that waits for its next try is not in flight: another goes on
                    return await self._try(request, tries == 0, until)
            except ProviderError as failure:
                self.spent_usd += failure.cost_usd
                tries += 1
                if failure.reply is not None:  # it would only be paid for again: this is what the model does here
                    silent += 1
                    if silent > 1 or tries > self.runtime.retries:
                        return failure.reply
                over = not failure.again or tries > self.runtime.retries or failure.wait_s > PATIENCE_S
                if over or self.stopped:
                    raise
                last = failure
            self.retried += 1
            if last.wait_s:  # what it asked for, spread: or all workers would come back in the same moment
                wait_s = last.wait_s * self._jitter.uniform(1.0, 1.25)
            else:
                wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**untold) * self._jitter.uniform(0.5, 1.5)
                untold += 1
            await self._pause(wait_s, until, last)

    async def _try(self, request: dict, first: bool, until: float) -> Reply:
        expected = await self.limits.turn(request["messages"], partial(self._pause, until=until))
        if first:
            await self._open()
        self._check_caps(first)
        if first:
            self._check_time(until)
            self.asked += 1
        reply = await self.provider.answer(request)
        self.limits.used(request["messages"], expected, reply)
        self.spent_usd += reply.cost_usd
        return reply

    async def _open(self) -> None:
        """Opening takes seconds; a signal that came meanwhile is heard before any of the requests goes on."""
        async with self._opening:
            if self.stopped:  # by a chain whose opening failed: no other one tries it again
                raise Stopped(self.stopped)
            if not self.provider.opened:
                self.provider.open()
                await asyncio.sleep(0.001)  # after a sleep of 0 the loop would go on here before it reads the signal

    def _check_caps(self, first: bool) -> None:
        """Raises Stopped where this try may not be made; one that is no first try is part of a call that is counted."""
        if first and self.asked >= self.runtime.max_new_calls:
            self.stop(f"runtime.max_new_calls = {self.runtime.max_new_calls} is reached; raise it")
        if self.spent_usd >= self.runtime.budget_usd:
            said = f"runtime.budget_usd = {self.runtime.budget_usd:g} is spent"
            self.stop(f"{said}; raise it, or run again to spend as much again")
        if self.stopped:
            raise Stopped(self.stopped)

    def _check_time(self, until: float, last: ProviderError | None = None) -> None:
        if asyncio.get_running_loop().time() > until:
            limit = f"runtime.teacher.chain_timeout_s = {self.runtime.teacher.chain_timeout_s:g} is over"
            raise ProviderError("timeout", f"{limit}; the last failure: {last}" if last else limit)

    async def _pause(self, seconds: float, until: float, last: ProviderError | None = None) -> None:
        """Sleep, unless the run stops or the chain's time is over by then."""
        self._check_time(until - seconds, last)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
            raise Stopped(self.stopped)


def _instead(name: str) -> str:
    if name in ("api_key", "headers", "extra_headers"):
        return "keys come from the environment only" + ("" if name == "api_key" else ", by runtime.teacher.headers")
    return "runtime.teacher.api_base does that" if name in ("api_base", "base_url") else "it has its own place, or none"
