"""Limits: how many requests and tokens a minute a provider is sent, spread evenly.

A burst of a whole minute's allowance is within most limits on paper and refused by many in fact, as they count by the
second. Tokens are only known afterwards, so a request starts on an estimate, which its actual usage corrects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from stages.agent.loop import Reply
from stages.params import ProviderParams

MINUTE_S = 60.0
TOKENS_A_CHARACTER = 0.25  # of a prompt, until the first answers say it


class Pace:
    """So many units a minute, evenly: in any 60 s at most that many start, and one more request. None: no limit."""

    def __init__(self, a_minute: int | None):
        self.seconds = 0.0 if a_minute is None else MINUTE_S / a_minute
        self._free = float("-inf")  # when the next may start

    def wait_s(self, now: float) -> float:
        """Seconds until the next may start."""
        return max(0.0, self._free - now)

    def start(self, now: float, units: float) -> None:
        self._free = max(now, self._free) + units * self.seconds

    def correct(self, units: float) -> None:
        """So many units more than `start` was told were used, or fewer."""
        self._free += units * self.seconds


class Limits:
    """`await limits.turn(messages, pause)` returns when the request may be sent, in the order of asking.

    It returns the tokens that the request is expected to cost, which `used` takes back with the reply. A request that
    failed counts as expected.
    """

    def __init__(self, provider: ProviderParams, max_tokens: int):
        self._requests, self._tokens = Pace(provider.requests_per_minute), Pace(provider.tokens_per_minute)
        self._queue = asyncio.Lock()
        # Sums over the answers so far; one made-up answer stands first
        self._characters, self._prompt_tokens = 4000, 4000 * TOKENS_A_CHARACTER
        self._answers, self._completion_tokens = 1, max_tokens

    async def turn(self, messages: list[dict], pause: Callable[[float], Awaitable[None]]) -> float:
        """`pause` sleeps, or raises what ends the wait."""
        clock = asyncio.get_running_loop().time
        async with self._queue:
            while wait := max(self._requests.wait_s(clock()), self._tokens.wait_s(clock())):
                await pause(wait)  # an answer may move it meanwhile
            expected = self._expected(messages)  # by what the answers said while it waited
            self._requests.start(clock(), 1)
            self._tokens.start(clock(), expected)
        return expected

    def used(self, messages: list[dict], expected: float, reply: Reply) -> None:
        """What the request cost; a server that does not say leaves the estimate as it is."""
        if not reply.prompt_tokens:
            return
        self._tokens.correct(reply.prompt_tokens + reply.completion_tokens - expected)
        self._characters += characters(messages)
        self._prompt_tokens += reply.prompt_tokens
        self._answers += 1
        self._completion_tokens += reply.completion_tokens

    def _expected(self, messages: list[dict]) -> float:
        """Prompt and completion by the answers so far. litellm's counter takes milliseconds a prompt, this none."""
        of_prompt = characters(messages) * self._prompt_tokens / self._characters
        return of_prompt + self._completion_tokens / self._answers


def characters(messages: list[dict]) -> int:
    """Of the texts alone: what a provider's form of a conversation adds, its first answers say."""
    return sum(len(message["content"] or "") for message in messages)
