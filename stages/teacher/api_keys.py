"""Keys and passwords in the environment: nothing that is shown or kept may hold one, whoever wrote it.

A provider's error message may quote the key it refused, and a server may echo it in an answer.
"""

from __future__ import annotations

import os
import re
from functools import cache
from urllib.parse import quote

_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_SHORTEST = 8  # characters; a shorter value stands in texts by chance
_NAMED: set[str] = set()  # variables whose names do not say it, and that hold a secret all the same
_LOGIN = re.compile(r"(://)[^/@\s]*+@")


def guard(variable: str) -> None:
    """Hide the value of this variable too, whatever its name."""
    _NAMED.add(variable)


def held(text: str) -> str:
    """The name of a variable of the environment whose key stands in the text; empty where none does."""
    return next((name for name, value in _keys() if value in text), "")


def hidden(text: str) -> str:
    """The text with `$NAME` for each key of the environment, and with no name or password in a URL."""
    for name, value in _keys():
        text = text.replace(value, f"${name}")
    return _LOGIN.sub(r"\1", text)


def _keys() -> list[tuple[str, str]]:
    """Names and values, as they are and as a URL writes them; the longest first, as one may be part of another."""
    found = {
        (name, form)
        for name in os.environ  # each value is decoded when it is read: only those that are wanted are
        if name in _NAMED or _says_secret(name)
        for value in (os.environ[name],)
        if len(value) >= _SHORTEST
        for form in (value, quote(value, safe=""))
    }
    return sorted(found, key=lambda pair: (-len(pair[1]), pair))


@cache
def _says_secret(name: str) -> bool:
    """Whether a variable's name says that it holds a key; asked of the whole environment at each answer."""
    return any(mark in name.upper() for mark in _MARKS)
