"""What the user gave and cannot be used: one exception, said in one line.

There are three kinds of error, and they never mix. What the user gave is an `InputError`; it ends the stage. What a
model does wrong is a step of its chain (agent/loop.py). What a provider does wrong is raised by the teacher, tried
again and counted (teacher/provider.py).
"""

from __future__ import annotations


class InputError(Exception):
    """Something the user gave cannot be used. The message is one line: what, where, what to do."""


def printable(text: str) -> str:
    """The text in one line a terminal only shows: a model's or a server's words may hold its escape sequences."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def brief(error: Exception, most: int = 120) -> str:
    """What a library's error says, in one line of at most so many characters."""
    return " ".join(str(error).split())[:most]
