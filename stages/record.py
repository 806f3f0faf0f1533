"""A call on paper: its request's key, and the line of JSON that keeps request and answer, written and read back.

A line is one of
    {"check", "key", "request", "response"}       a call; its request names its system message by `system`
    {"system", "text"}                            a system message, once a file, before the first call that names it
    {"journal_hits", "teacher_calls", "version"}  a version was finished; see `Journal.finish`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_bytes(text: str) -> bytes:
    """UTF-8; half a surrogate pair becomes `\\udxxx`, which JSON reads back as it was."""
    return text.encode("utf-8", "backslashreplace")


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
        name = system_name(text)
        request = {**request, "messages": rest}
    kept = canonical({"check": _check(key, response), "key": key, "request": {**request, "system": name}})
    return to_bytes(f'{kept[:-1]},"response":{response}}}\n'), text


def _check(key: str, response: str) -> str:
    """Guards the answer as the key guards the request: neither DVC nor a disk tells when a byte of it changes."""
    return hashlib.sha256(to_bytes(key + response)).hexdigest()[:16]


def entries(path: Path, systems: dict[str, str]) -> Iterator[tuple[int, bytes, dict | None]]:
    """The lines of a file with their offsets, read and checked; None for one that is torn or does not fit its key.

    System messages are added to `systems`.
    """
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            yield offset, line, _entry(line, systems)
            offset += len(line)


_ANSWER = {"text": str, "prompt_tokens": int, "completion_tokens": int, "cost_usd": float, "cut": bool}


def _is_answer(response: dict) -> bool:
    """Whether an answer has the types of a reply: a snapshot may come from anyone, checks that fit included."""
    return {name: type(value) for name, value in response.items()} == _ANSWER and (
        response["prompt_tokens"] >= 0 and response["completion_tokens"] >= 0 and response["cost_usd"] >= 0
    )


def _entry(line: bytes, systems: dict[str, str]) -> dict | None:
    try:
        entry = json.loads(line)
        if "key" in entry:
            request = dict(entry["request"])
            system = request.pop("system")
            if system is not None:
                request["messages"] = [{"role": "system", "content": systems[system]}, *request["messages"]]
            fits = request_key(request) == entry["key"] and _is_answer(entry["response"])
            return entry if fits and _check(entry["key"], canonical(entry["response"])) == entry["check"] else None
        if "system" in entry:
            if system_name(entry["text"]) != entry["system"]:
                return None
            systems[entry["system"]] = entry["text"]
            return entry
        return entry if entry.keys() == {"version", "teacher_calls", "journal_hits"} else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
