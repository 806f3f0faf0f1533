"""What a run of generate has done so far, on stderr: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from stages.records.chain import Chain

if TYPE_CHECKING:
    from stages.teacher.teacher import Teacher

LIVE_S, PLAIN_S = 0.5, 15.0  # between two looks at a run; it may wait for a slow provider meanwhile
MEMORY_S = 60.0  # rate and time left are those of the last minute: known chains take no time at all


class Progress:
    """`async with Progress(total, teacher, shown) as progress`, and a call for each chain that ended."""

    def __init__(self, total: int, teacher: Teacher, shown: bool):
        self.total, self.teacher, self.shown = total, teacher, shown
        self.done = self.tokens = 0
        self.failed: Counter[str] = Counter()
        self._ended: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def made(self, chain: Chain) -> None:
        self.done += 1
        self.tokens += chain.prompt_tokens + chain.completion_tokens

    def failure(self, kind: str) -> None:
        """A chain that is missing at the end, and why."""
        self.failed[kind] += 1

    async def __aenter__(self) -> Progress:
        if self.shown:
            self._bar = _bar(self.total) if sys.stderr.isatty() else None
            self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self.shown:
            self._looking.cancel()
            self._show()
            if self._bar is not None:
                self._bar.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(PLAIN_S if self._bar is None else LIVE_S)
            self._show()

    def _show(self) -> None:
        text = self.text(time.monotonic())
        with contextlib.suppress(OSError):  # nobody reads any more; what is being bought is worth going on
            if self._bar is None:
                print(f"generate: {text}", file=sys.stderr, flush=True)
            else:
                self._bar.n = self.done
                self._bar.set_description_str(text)

    def text(self, now: float) -> str:
        """The line, most wanted first, as a narrow terminal shows its beginning."""
        self._ended.append((now, self.done))
        while len(self._ended) > 2 and self._ended[1][0] <= now - MEMORY_S:
            self._ended.popleft()
        before, done_before = self._ended[0]
        rate = (self.done - done_before) / max(now - before, 1e-9)
        left = self.total - self.done - sum(self.failed.values())
        parts = [f"{self.done:,}/{self.total:,} chains"]
        if left and rate:
            parts.append(f"{_duration(left / rate)} left")
        parts.append(f"{rate:.1f} chains/s")
        parts.append(f"{self.teacher.asked:,} calls asked, {self.teacher.hits:,} known")
        parts += [f"{count:,} {kind}" for kind, count in sorted(self.failed.items())]
        if self.teacher.retried:
            parts.append(f"{self.teacher.retried:,} tried again")
        return ", ".join([*parts, f"{_short(self.tokens)} tokens", f"${self.teacher.spent_usd:,.4f}"])


def _bar(total: int) -> object:
    from tqdm import tqdm

    return tqdm(total=total, bar_format="{bar:10} {desc}", dynamic_ncols=True, leave=True)


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{hours:.1f} h"


def _short(number: int) -> str:
    """
    >>> _short(950), _short(12_345), _short(2_500_000)
    ('950', '12.3k', '2.5M')
    """
    return f"{number / 1e6:.1f}M" if number >= 1e6 else f"{number / 1e3:.1f}k" if number >= 1e3 else str(number)
