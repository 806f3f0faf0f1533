"""What a file between two stages must look like, and the one way to write and to read it.

Files are JSON lines: UTF-8, one object a line, keys in the schema's order, no NaN, so that equal rows give equal bytes.
A bad file or row is refused as a whole, on reading and on writing, with one error that names file, column and rows;
a file is replaced only when the new one is complete and on disk. A new file is one more entry in `schemas`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from stages.records.chain import FAILURES, STEP_FAILURES, STOPS
from stages.records.errors import InputError, brief, printable
from stages.records.files import replace_file, to_bytes
from stages.records.problem import TASKS

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema

VERDICTS = ("correct", "incorrect", "undecided")
HARD_CHECKS = ("finished", "reproduced", "called", "answer_right", "grounded")  # all hold for a correct chain
# Recorded, never decide.
SOFT_CHECKS = ("valid_calls", "not_repeated", "results_used", "numbers_grounded", "question_numbers_used")
PERTURBATIONS = ("", "agrees", "disagrees")  # with other numbers in the question, against the problem's other chains
KINDS = ("chain", "step")
USES = ("heldout", "ood")
MESSAGE_KEYS = ("role", "content")
STEP_KEYS = ("text", "tool", "arguments", "result", "error", "failure")


class SchemaError(InputError):
    """A file, or rows to be written to it, do not fit its schema; the message names file, column and first bad rows."""


@cache
def schemas() -> dict[str, DataFrameSchema]:
    """The schema of each file: its columns in the order in which they are written.

    `metadata` says which stage makes the file and which columns identify a row.
    """
    from pandera.pandas import DataFrameSchema

    # `type`, not isinstance: True is an int there.
    text = _column("a text", lambda value: type(value) is str)
    name = _column("a text that is not empty", lambda value: type(value) is str and value.strip() != "")
    count = _column("an integer, 0 or more", lambda value: type(value) is int and value >= 0)
    dollars = _column(
        "a finite number, 0 or more",
        lambda value: type(value) in (int, float) and math.isfinite(value) and value >= 0,
    )
    flag = _column("true or false", lambda value: type(value) is bool)
    messages = _column("a list, not empty, of {role: system, user or assistant; content: a text}", _are_messages)
    steps = _column(
        f"a list of {{{', '.join(STEP_KEYS)}}}, texts all but arguments (an object of texts)",
        lambda value: type(value) is list and all(map(_is_step, value)),
    )
    task, stop, failure, verdict = _one_of(TASKS), _one_of(STOPS), _one_of(("", *FAILURES)), _one_of(VERDICTS)

    chains = {
        "chain_id": name,
        "problem_id": name,
        "task": task,
        "toolkit": name,
        "source": text,
        "question": name,
        "gold": name,
        "teacher": text,
        "sample": count,
        "messages": messages,
        "steps": steps,
        "answer": text,
        "stop": stop,
        "prompt_tokens": count,
        "completion_tokens": count,
        "cost_usd": dollars,
    }
    corpus = {"problem_id": name, "sample": count, "task": task, "messages": messages}
    verdicts = {
        "chain_id": name,
        "problem_id": name,
        "verdict": verdict,
        "failure": failure,
        **dict.fromkeys((*HARD_CHECKS, *SOFT_CHECKS), flag),
        "perturbation": _one_of(PERTURBATIONS),
    }
    pairs = {
        "pair_id": name,
        "problem_id": name,
        "task": task,
        "kind": _one_of(KINDS),
        "prompt": messages,
        "chosen": messages,
        "rejected": messages,
        "chosen_chain_id": name,
        "rejected_chain_id": name,
        "failure": failure,
    }
    demonstrations = {
        "chain_id": name,
        "problem_id": name,
        "task": task,
        "prompt": messages,
        "completion": messages,
    }
    predictions = {
        "model": name,
        "use": _one_of(USES),
        "problem_id": name,
        "task": task,
        "question": name,
        "gold": name,
        "steps": steps,
        "answer": text,
        "stop": stop,
        "verdict": verdict,
        "failure": failure,
        "answer_right": flag,
        "tokens": count,
    }

    def schema(stage: str, columns: dict[str, Column], *ids: str) -> DataFrameSchema:
        return DataFrameSchema(columns, _once(ids), strict=True, metadata={"stage": stage, "ids": ids})

    return {
        "chains": schema("generate", chains, "chain_id"),
        "corpus": schema("generate", corpus, "problem_id", "sample"),
        "verdicts": schema("verify", verdicts, "chain_id"),
        "pairs": schema("pair", pairs, "pair_id"),
        "demonstrations": schema("pair", demonstrations, "chain_id"),
        "predictions": schema("eval", predictions, "model", "use", "problem_id"),
    }


def _column(words: str, fits: Callable[[object], bool]) -> Column:
    """A column whose values all fit. Pandera's own checks raise on a list, and skip None, where a text should be."""
    from pandera.pandas import Check, Column

    return Column(object, Check(fits, element_wise=True, error=f"not {words}", ignore_na=False), nullable=True)


def _one_of(values: tuple[str, ...]) -> Column:
    words = "one of " + ", ".join(value or '""' for value in values)
    return _column(words, lambda value: type(value) is str and value in values)


def _once(ids: tuple[str, ...]) -> object:
    """No two rows have the same ids; compared as texts, as what stands there may be of any type."""
    from pandera.pandas import Check

    return Check(
        lambda table: ~table[[name for name in ids if name in table]].astype(str).duplicated(),
        error=f"{', '.join(ids)} stands twice",
        ignore_na=False,
    )


def _are_messages(value: object) -> bool:
    return (
        type(value) is list
        and bool(value)
        and all(
            type(message) is dict
            and message.keys() == {"role", "content"}
            and message["role"] in ("system", "user", "assistant")
            and type(message["content"]) is str
            for message in value
        )
    )


def _is_step(step: object) -> bool:
    return (
        type(step) is dict
        and step.keys() == set(STEP_KEYS)
        and type(step["arguments"]) is dict
        and all(type(text) is str for text in step["arguments"].values())
        and all(type(step[key]) is str for key in STEP_KEYS if key != "arguments")
        and step["failure"] in ("", *STEP_FAILURES)
        and bool(step["failure"]) == bool(step["error"])
    )


def read(path: str | Path, file: str) -> list[dict]:
    """The rows of a file, in its order, checked by the schema of `file`.

    Raises:
        SchemaError: the file is missing, a line is not a JSON object, or a row does not fit.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise SchemaError(f"{path}: no such file; make it with `dvc repro {_stage(file)}`") from None
    return parse(content, str(path), file)


def parse(content: bytes, name: str, file: str) -> list[dict]:
    """The rows of a file's content, as `read`; `name` is what messages call it.

    Raises:
        SchemaError: a line is not a JSON object, or a row does not fit.
    """
    lines = content.split(b"\n")  # never splitlines: U+2028 may stand inside a text
    if lines[-1] == b"":
        lines.pop()
    rows, bad = [], []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json_row(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
            bad.append(f"line {number}: not a JSON object in UTF-8: {brief(error)}")
    bad = bad or _misfits(rows, schemas()[file])
    if bad:
        raise SchemaError(f"{name}: {_listed(bad, '; ')}; make it again with `dvc repro {_stage(file)}`")
    return rows


def write(path: str | Path, rows: list[dict], file: str) -> None:
    """Write rows as they stand, keys in the schema's order; whatever goes wrong, the old file stays.

    Raises:
        SchemaError: a row does not fit.
        FileError: the file cannot be written.
    """
    bad = _misfits(rows, schemas()[file])
    if bad:
        raise SchemaError(f"{path}: not written: {_listed(bad, '; ')}")
    columns = list(schemas()[file].columns)
    ordered = ({column: _ordered(column, row[column]) for column in columns} for row in rows)
    # Line by line: the text of 100,000 chains is 0.4 GB, and its bytes as much again.
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ordered)
    replace_file(path, map(to_bytes, lines))


def _stage(file: str) -> str:
    return schemas()[file].metadata["stage"]


def json_row(line: str) -> dict:
    """The object on a line; ValueError or RecursionError for a key given twice, NaN, or what is not an object."""
    row = json_value(line)
    if type(row) is not dict:
        raise ValueError(f"a {type(row).__name__}")
    return row


def json_value(text: str) -> object:
    """What a JSON text holds; ValueError or RecursionError for a key given twice and NaN too."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=refuse_constant)


def _object(pairs: list[tuple[str, object]]) -> dict:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def refuse_constant(constant: str) -> None:
    """For `json.loads`, which would take NaN and Infinity."""
    raise ValueError(f"{constant} is no JSON number")


def _ordered(column: str, value: object) -> object:
    """Objects in a list with their keys in one order; dollars as a float, so that the column has one type."""
    if type(value) is list:
        keys = STEP_KEYS if column == "steps" else MESSAGE_KEYS
        return [{key: part[key] for key in keys} for part in value]
    return float(value) if column == "cost_usd" else value


class _Missing:
    """Stands in a cell whose row lacks the column."""

    def __repr__(self) -> str:
        return "missing"


def _misfits(rows: list[dict], schema: DataFrameSchema) -> list[str]:
    """What does not fit, one text a column."""
    if not rows:
        return []
    import pandas
    from pandera.errors import SchemaErrors

    present, missing = dict.fromkeys(chain.from_iterable(rows)), _Missing()
    cells = {name: [row.get(name, missing) for row in rows] for name in present}
    frame = pandas.DataFrame({name: pandas.Series(values, dtype=object) for name, values in cells.items()})
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as found:
        return [printable(_misfit(error, rows, schema)) for error in found.schema_errors]
    return []


def _misfit(error: object, rows: list[dict], schema: DataFrameSchema) -> str:
    """One failed check of pandera's in words, with the rows where it failed."""
    reason, cases = error.reason_code.name, error.failure_cases
    if reason == "COLUMN_NOT_IN_DATAFRAME":
        return f"column {cases}: missing"
    if reason == "COLUMN_NOT_IN_SCHEMA":
        return f"column {cases}: unknown; known: {', '.join(schema.columns)}"
    column = error.schema.name  # None where it is the ids that stand twice
    places = []
    for index in dict.fromkeys(cases["index"]):
        row = rows[index]
        ids = " ".join(str(row.get(name, f"no {name}"))[:80] for name in schema.metadata["ids"])
        found = f" has {repr(row.get(column, _Missing()))[:60]}" if column else ""
        places.append(f"line {index + 1} ({ids}){found}")
    return f"{f'column {column}: ' if column else ''}{error.check.error}: {_listed(places, ', ')}"


def _listed(parts: list[str], separator: str) -> str:
    """The first three, and how many more there are."""
    rest = [f"and {len(parts) - 3} more"] if len(parts) > 3 else []
    return separator.join([*parts[:3], *rest])
