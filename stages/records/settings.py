"""A YAML text as pydantic's dataclasses; what is wrong with it is one line that names the key."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from stages.records.errors import InputError

MOST_PARTS = 100_000  # of the text as JSON, aliases written in full: a few bytes of them grow to 10^8 values
Section = typing.TypeVar("Section")


class ParamsError(InputError):
    """params.yaml cannot be used; the message names the key."""


def settings(kind: type[Section], text: str, path: str | Path) -> Section:
    """The sections of a text; `path` is what an error names.

    Raises:
        ParamsError: it is no YAML, or a key is unknown, missing, of a wrong type or out of range.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        parts = json.JSONEncoder(default=str).iterencode(YAML(typ="safe", pure=True).load(text))
        written = "".join(islice(parts, MOST_PARTS))
        whole = next(parts, None) is None
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # ruamel wraps not all of its own
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not whole:
        raise ParamsError(f"{path}: too many values, aliases counted in full; write fewer")
    try:
        return TypeAdapter(kind).validate_json(written)  # JSON, as a strict tuple takes no list from Python
    except ValidationError as error:
        raise ParamsError(f"{path}: {fault(kind, error)}") from None


def fault(kind: type, errors: ValidationError) -> str:
    """The first thing that is wrong, by its key; a misspelt key before the one that is missing for it."""
    error = min(errors.errors(include_url=False), key=lambda one: one["type"] != "unexpected_keyword_argument")
    place, reason, said = error["loc"], error["type"], error["msg"].removeprefix("Value error, ")
    if place[-1:] == ("[key]",):  # the name could be a key that was written into the file
        place, reason = place[:-2], "value_error"
        said = "has a name that no header can have; write letters, digits and -"
    key = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(map(str, place)))
    if reason == "unexpected_keyword_argument":
        return f"unknown key {key}; known here: {', '.join(_known(kind, place[:-1]))}"
    if reason == "missing":
        return f"missing key {key}"
    if reason == "value_error":  # ours
        return f"{key} {said}".strip()
    value = error["input"]
    if isinstance(value, str) and key.startswith("runtime.teacher."):
        return f"{key}: {said}"  # as above
    shown = f"{value!r} ({type(value).__name__})" if len(repr(value)) <= 60 else f"a {type(value).__name__}"
    return f"{key or 'the file'} is {shown}: {said}"


def _known(section: type, place: tuple) -> list[str]:
    """The keys that the section at a place in this one takes."""
    for name in place:
        if isinstance(name, str):
            kind = typing.get_type_hints(section)[name]
            # A list of sections, or a section that may be null.
            section = next((part for part in typing.get_args(kind) if dataclasses.is_dataclass(part)), kind)
    return [field.name for field in dataclasses.fields(section)]
