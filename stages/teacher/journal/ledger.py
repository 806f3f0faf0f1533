"""What the files of a journal, or of a snapshot of one, hold: read and checked, never written.

So a journal can be looked into while a run writes it, and an estimate needs no lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from sys import intern
from typing import NamedTuple

from stages.records.errors import InputError
from stages.teacher.journal.record import Line, lines_of, system_line

SYSTEMS = "systems.jsonl"  # a snapshot's system messages
MERGED = ""  # the version line behind calls that were merged: known before anything that is bought here


class Call(NamedTuple):
    """A call in memory: its answer, and where its line lies. `version`: how many were finished when it was bought."""

    response: str
    model: str
    shard: Path
    offset: int
    length: int
    system: str | None
    version: int


class Fault(NamedTuple):
    """A line that cannot be read."""

    path: Path
    number: int
    reason: str


class Ledger:
    """Calls by key, system messages by name, finished versions, and the lines that cannot be read.

    A call that stands twice has its later answer; `replaced` counts the earlier lines.
    """

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.systems: dict[str, str] = {}
        self.finished: dict[str, dict] = {}
        self.versions = 0  # lines that finish one
        self.replaced = 0
        self.faults: list[Fault] = []

    def __len__(self) -> int:
        return len(self.calls)

    def get(self, key: str) -> dict | None:
        """The answer to a request, or None where it was never asked."""
        call = self.calls.get(key)
        return None if call is None else json.loads(call.response)

    def read(self, path: Path) -> Iterator[Line]:
        """Take in a file, line by line as the caller goes on."""
        for line in lines_of(path, self.systems):
            entry = line.entry
            if entry is None:
                self.faults.append(Fault(path, line.number, line.fault))
            elif "version" in entry:
                self.finished[entry["version"]] = entry
                self.versions += 1
            elif "key" in entry:
                self.replaced += entry["key"] in self.calls
                length = len(line.content.rstrip(b"\n")) + 1
                model, system = intern(entry["request"]["model"]), entry["request"]["system"]
                system = None if system is None else intern(system)
                call = Call(line.response, model, path, line.offset, length, system, self.versions)
                self.calls[entry["key"]] = call
            yield line

    def read_all(self, place: Path) -> Ledger:
        """Take in a file, or each file of a folder; where a folder is not there it holds nothing."""
        for path in files_of(place):
            for _ in self.read(path):
                pass
        return self

    def lines(self, keys: Iterable[str]) -> Iterator[bytes]:
        """The lines of these calls as they lie in the files, in this order."""
        with contextlib.ExitStack() as stack:
            files: dict[Path, int] = {}
            for key in keys:
                call = self.calls[key]
                if call.shard not in files:
                    files[call.shard] = stack.enter_context(open(call.shard, "rb")).fileno()
                # A last line whose end was torn off is whole without it.
                yield os.pread(files[call.shard], call.length, call.offset).rstrip(b"\n") + b"\n"

    def whole_file(self, keys: list[str], written: set[str]) -> Iterator[bytes]:
        """The lines of these calls, each system message before the first call that names it, but those `written`."""
        for key, line in zip(keys, self.lines(keys), strict=True):
            system = self.calls[key].system
            if system is not None and system not in written:
                written.add(system)
                yield system_line(self.systems[system])
            yield line

    def totals(self, keys: Iterable[str]) -> dict[str, dict]:
        """{model: {calls, prompt_tokens, completion_tokens, cost_usd}} of these calls, each counted once."""
        totals: dict[str, dict] = {}
        for key in sorted(set(keys)):  # sorted: a sum of floats depends on the order
            call, answer = self.calls[key], json.loads(self.calls[key].response)
            total = totals.setdefault(call.model, {"calls": 0} | dict.fromkeys(_SUMMED, 0))
            total["calls"] += 1
            for name in _SUMMED:
                total[name] += answer[name]
        for total in totals.values():
            total["cost_usd"] = round(total["cost_usd"], 8)
        return dict(sorted(totals.items()))


_SUMMED = ("prompt_tokens", "completion_tokens", "cost_usd")


def files_of(place: Path) -> list[Path]:
    """The file, or the folder's files in the order to read them: a snapshot's system messages stand before its calls.

    Raises:
        InputError: it is there, and is neither.
    """
    if place.is_file():
        return [place]
    if place.exists() and not place.is_dir():
        raise InputError(f"{place}: neither a file nor a folder")
    return sorted(place.glob("*.jsonl"), key=lambda path: (path.name != SYSTEMS, path.name))
