"""A call on paper: its request's key, and the line of JSON that keeps request and answer, written and read back.

A line is one of
    {"check", "key", "request", "response"}       a call; its request names its system message by `system`
    {"system", "text"}                            a system message, once a file, before the first call that names it;
                                                  of requests with tools, [message, tools] as one JSON text
    {"journal_hits", "teacher_calls", "version"}  a version was finished; see `Journal.finish`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from stages.records.files import to_bytes

_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

WITH_SYSTEM = "with system"  # the tools of a request whose line names them together with its system message


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, no NaN."""
    return _ENCODE(value)


def request_key(request: dict) -> str:
    """sha256 of `canonical(request)`, in hex; a request has messages, model, sample, sampling and tools.

    The system message stands first in the text and is the same in thousands of requests, so its part of the hash is
    computed once.
    """
    head, *rest = request["messages"]
    if not _is_system(head):
        return hashlib.sha256(to_bytes(canonical(request))).hexdigest()
    digest = _opening(head["content"]).copy()
    digest.update(b"," if rest else b"")
    digest.update(to_bytes(canonical({**request, "messages": rest}).removeprefix('{"messages":[')))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _opening(system: str) -> hashlib._Hash:
    return hashlib.sha256(to_bytes('{"messages":[' + canonical({"role": "system", "content": system})))


def _is_system(message: dict) -> bool:
    return message["role"] == "system" and message.keys() == {"role", "content"}


def system_name(text: str) -> str:
    """What stands for a system message in the lines of calls."""
    return hashlib.sha256(to_bytes(text)).hexdigest()[:16]


def system_line(text: str) -> bytes:
    return to_bytes(canonical({"system": system_name(text), "text": text}) + "\n")


def call_line(request: dict, key: str, response: str) -> tuple[bytes, str | None]:
    """The line of a call, and its system message where it has one, which must stand before it in the same file."""
    head, *rest = request["messages"]
    text, name = None, None
    if _is_system(head):
        text = head["content"]
        request = {**request, "messages": rest}
        if request["tools"] is not None:
            text = canonical([text, request["tools"]])
            request["tools"] = WITH_SYSTEM
        name = system_name(text)
    kept = canonical({"check": _check(key, response), "key": key, "request": {**request, "system": name}})
    return to_bytes(f'{kept[:-1]},"response":{response}}}\n'), text


def _check(key: str, response: str) -> str:
    """Guards the answer as the key guards the request: neither DVC nor a disk tells when a byte of it changes."""
    return hashlib.sha256(to_bytes(key + response)).hexdigest()[:16]


class Line(NamedTuple):
    """A line of a file: its number from 1, where it begins, its bytes, what it says, or else what is wrong with it.

    `response` is the answer of a call as the journal keeps it.
    """

    number: int
    offset: int
    content: bytes
    entry: dict | None
    fault: str
    response: str = ""


def lines_of(path: Path, systems: dict[str, str]) -> Iterator[Line]:
    """The lines of a file, read and checked: a torn one, or one that does not fit its key, has a fault and no entry.

    System messages are added to `systems`.
    """
    offset = 0
    with open(path, "rb") as file:
        for number, content in enumerate(file, start=1):
            entry, response, fault = None, "", ""
            try:
                entry, response = _read(content, systems)
            except _Misfit as misfit:
                fault = str(misfit)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                fault = "no line of a journal" if content.endswith(b"\n") else "torn, or just being written"
            yield Line(number, offset, content, entry, fault, response)
            offset += len(content)


_VERSION = {"journal_hits": int, "teacher_calls": int, "version": str}
_ANSWER = {"text": str, "prompt_tokens": int, "completion_tokens": int, "cost_usd": float, "cut": bool}
_CALL = {"id": str, "name": str, "arguments": str}


def _is_answer(response: dict) -> bool:
    """Whether an answer has the types of a reply: a snapshot may come from anyone, checks that fit included."""
    types = _types(response)
    if types.pop("calls", list) is not list or any(_types(call) != _CALL for call in response.get("calls", ())):
        return False
    return types == _ANSWER and (
        response["prompt_tokens"] >= 0 and response["completion_tokens"] >= 0 and response["cost_usd"] >= 0
    )


def _types(row: dict) -> dict[str, type]:
    return {name: type(value) for name, value in row.items()}


@lru_cache(maxsize=64)
def _parted(text: str) -> list:
    return json.loads(text)


class _Misfit(Exception):
    """A line whose parts contradict each other; says which."""


def _read(content: bytes, systems: dict[str, str]) -> tuple[dict, str]:
    """What a line says, and a call's answer."""
    entry = json.loads(content)
    if "key" in entry:
        request = dict(entry["request"])
        system = request.pop("system")
        if system is not None and system not in systems:
            raise _Misfit("its system message does not stand before it")
        if system is not None:
            text = systems[system]
            if request["tools"] == WITH_SYSTEM:
                text, request["tools"] = _parted(text)
            request["messages"] = [{"role": "system", "content": text}, *request["messages"]]
        if type(request["model"]) is not str or request_key(request) != entry["key"]:
            raise _Misfit("its key does not fit its request")
        response = canonical(entry["response"])
        if not _is_answer(entry["response"]) or _check(entry["key"], response) != entry["check"]:
            raise _Misfit("its check does not fit its answer")
        return entry, response
    if "system" in entry:
        if system_name(entry["text"]) != entry["system"]:
            raise _Misfit("its name does not fit its text")
        systems[entry["system"]] = entry["text"]
    elif _types(entry) != _VERSION:
        raise _Misfit("no line of a journal")
    return entry, ""
