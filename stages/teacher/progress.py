"""What a run of generate has done so far, on stderr: beside the bar what was asked, what failed, and what it cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from stages.records.chain import Chain
from stages.records.progress import bar

if TYPE_CHECKING:
    from stages.teacher.teacher import Teacher


class Progress:
    """`async with Progress(total, teacher, shown) as progress`, and a call for each chain that ended."""

    def __init__(self, total: int, teacher: Teacher, shown: bool):
        self.teacher = teacher
        self.done = self.known = self.tokens = 0
        self.failed: Counter[str] = Counter()
        self.bar = bar(total, "chain", shown, "generate")

    def made(self, chain: Chain) -> None:
        self.done += 1
        self.known += not self.teacher.asked
        self.tokens += chain.prompt_tokens + chain.completion_tokens

    def failure(self, kind: str) -> None:
        """A chain that is missing at the end, and why."""
        self.failed[kind] += 1

    async def __aenter__(self) -> Progress:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._looking.cancel()
        self.count()
        self.bar.close()

    async def _look(self) -> None:
        """Again and again, also while no chain ends: a run that waits for a slow provider says so."""
        while not self.bar.disable:
            await asyncio.sleep(self.bar.mininterval)
            self.count()
            self.bar.refresh()

    def count(self) -> None:
        """Bring the bar up to date, most wanted first, as a narrow terminal shows the line's beginning."""
        # The chains that were known take no time: they are no part of the rate, or it would promise a fast end.
        self.bar.n, self.bar.initial = self.done, self.known
        parts = [f"{self.teacher.asked:,} calls asked", f"{self.teacher.hits:,} known"]
        parts += [f"{count:,} {kind}" for kind, count in sorted(self.failed.items())]
        if self.teacher.retried:
            parts.append(f"{self.teacher.retried:,} tried again")
        parts += [f"{self.bar.format_sizeof(self.tokens)} tokens", f"${self.teacher.spent_usd:,.4f}"]
        self.bar.set_postfix_str(", ".join(parts), refresh=False)
