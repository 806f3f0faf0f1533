"""Rows of published data sets: from a local file in the published form, from the hub at a pinned revision, or from a
folder that is a copy of the hub's repository.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from stages.params import ParamsError
from stages.problems import jsonl
from stages.problems.jsonl import JsonlError
from stages.records.chain import number_text
from stages.records.errors import brief
from stages.records.numbers import exact, spread
from stages.records.schema import json_value

Rows = list[tuple[str, dict]]  # each with its place, for messages


def rows(path: Path | None, hub: dict) -> Rows:
    """The rows of a file, JSON lines or one JSON array, or of a folder as the hub has it; without a path, of the hub.

    `hub` is what `datasets.load_dataset` takes: path, revision, split and, where there are any, name and data_files.

    Raises:
        JsonlError: the file cannot be read, or a row is no object.
        ParamsError: the hub's copy, or the folder, cannot be read.
    """
    if path is None:
        return _hub_rows(hub, "the hub's copy cannot be read")
    if path.is_dir():
        return _hub_rows(_in_folder(path, hub), "the folder is no copy of the hub's repository")
    content = jsonl.file_text(path)
    return _array_rows(path, content) if content.lstrip().startswith("[") else list(jsonl.rows(path).values())


def _array_rows(path: Path, content: str) -> Rows:
    """The objects of an array, counted from 1."""
    try:
        found = json_value(content)
    except (ValueError, RecursionError) as error:
        raise JsonlError(f"{path}: no JSON array: {brief(error)}") from None
    for number, row in enumerate(found, start=1):
        if not isinstance(row, dict):
            raise JsonlError(f"{path} row {number}: no JSON object: a {type(row).__name__}")
    return [(f"{path} row {number}", row) for number, row in enumerate(found, start=1)]


def _in_folder(folder: Path, hub: dict) -> dict:
    """`hub`, with the folder in its place. Without the card that names configurations, one is a folder of that name."""
    local = {**hub, "path": str(folder)}
    if "name" in local and not (folder / "README.md").is_file():
        local["path"] = str(folder / local.pop("name"))
    return local


def _hub_rows(hub: dict, fault: str) -> Rows:
    import datasets

    try:
        published = datasets.load_dataset(**hub)
    except Exception as error:  # no network, no such split, a cache that is broken: datasets raises a dozen kinds
        message = f"{hub['path']}: {fault} ({brief(error)}); give a local file as problems.*.path"
        raise ParamsError(message) from None
    return [(f"{hub['path']} {hub['split']} row {index}", row) for index, row in enumerate(published)]


def text(where: str, row: dict, key: str, form: str) -> str:
    """The text under a key, without spaces around it; `form` says in the message what a row has."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise JsonlError(f"{where}: {key} is missing or no text; a row has {form}")
    return value.strip()


def number_gold(where: str, row: dict, key: str, form: str) -> str:
    """The number under a key as a gold answer, whether it is published as a number or as a text.

    A float that is no fraction of a small denominator stays the decimal it is: what it stands for is nearby.
    """
    value = row.get(key)
    made = None if isinstance(value, bool) else exact(str(value))
    if made is None:
        raise JsonlError(f"{where}: {key} is {str(value)[:40]!r}, no number; a row has {form}")
    decimal = f"{Decimal(str(value)):f}" if "/" not in str(value) else ""
    return decimal if spread(decimal) and exact(decimal) == made == Fraction(decimal) else number_text(made)
