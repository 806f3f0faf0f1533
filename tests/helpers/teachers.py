"""A teacher of its own for a test: its parameters, and what it answered or raised."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

from conftest import small_settings

from stages import params
from stages.teacher.journal.journal import Journal
from stages.teacher.teacher import Teacher

MESSAGES = [{"role": "system", "content": "Solve it."}, {"role": "user", "content": "1 + 2?"}]


def settings(model: str = "openai/test", url: str | None = None, **changes: object) -> params.Params:
    """The small params with another teacher; `changes` go to the teacher's or the runtime's parameters."""
    small = small_settings()
    names = {field.name for field in dataclasses.fields(params.TeacherParams)}
    of_teacher = {"model": model} | {name: value for name, value in changes.items() if name in names}
    of_place = {field.name for field in dataclasses.fields(params.ProviderParams)}
    place = {"api_base": url} | {name: value for name, value in changes.items() if name in of_place}
    of_runtime = {name: value for name, value in changes.items() if name not in names | of_place}
    of_runtime["teacher"] = dataclasses.replace(small.runtime.teacher, **place)
    return dataclasses.replace(
        small,
        generate=dataclasses.replace(small.generate, teacher=dataclasses.replace(small.generate.teacher, **of_teacher)),
        runtime=dataclasses.replace(small.runtime, **of_runtime),
    )


def ask(folder: Path, chosen: params.Params, *samples: int, messages: list | None = None) -> tuple[Teacher, list]:
    """A teacher that was asked for these samples, one after another, and its replies or what it raised."""

    async def ask_all(asked: Teacher) -> list:
        outcomes = []
        for sample in samples or (0,):
            outcomes += await asyncio.gather(asked.ask(messages or MESSAGES, sample), return_exceptions=True)
        return outcomes

    with Journal(folder) as journal:
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        return asked, asyncio.run(ask_all(asked))
