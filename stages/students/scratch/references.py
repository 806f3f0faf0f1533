"""Numbers by reference: what the from-scratch student writes in place of a number that it was told.

`Add(a=12, b=30)` becomes `Add(a=<|1|>, b=<|2|>)` where 12 and 30 are the first two numbers of the question, and
`Finish(answer=42)` becomes `Finish(answer=<|r1|>)` where 42 is the first result. Chains, verdicts and pairs keep the
numbers: marks stand only in the text that the student reads and writes. Published solvers put slots in place of the
numbers before the model sees the problem; here it reads the numbers, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stages.records.chain import Message, number_text
from stages.records.numbers import FRACTION, NUMERAL, ONES, SPELLED, TENS, exact

ORDINALS = [f"<|{place}|>" for place in range(1, 10)]  # the last stands before all numbers that follow, too
RESULTS = [f"<|r{place}|>" for place in range(1, 10)]
MORE = "<|more|>"  # read before a number larger than the one before it, never written
NUMBER_WORDS = {word: value for word, value in SPELLED.items() if word in (*ONES, *TENS)}
STRIPPED = ".,;:?!()"

_NUMBER = re.compile(r"(?<![\w.|])-?[0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?(?![\w|]|\.[0-9])")
_PART = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)?")


def stated(question: str) -> dict[str, str]:
    """The numbers that the chat template counts in a question, by their marks, each as a call writes it.

    >>> stated("Tom has 1,200 pens, two boxes and 1/2 a pie")
    {'<|1|>': '1200', '<|2|>': '2', '<|3|>': '0.5'}

    A third that is published as a float is a third, as in the reference solution:

    >>> stated("0.3333333333333333 of a pie")
    {'<|1|>': '1/3'}
    """
    words = [word for word in question.split(" ") if _is_counted(word)]
    values = {mark: _value(word) for mark, word in zip(ORDINALS, words, strict=False)}
    return {mark: value for mark, value in values.items() if value}


def _is_counted(word: str) -> bool:
    """What the template does (stages/students/scratch/tokenizer.py), again."""
    return any(digit in word for digit in "0123456789") or _plain(word).split("-")[0] in NUMBER_WORDS


def _plain(word: str) -> str:
    return word.lower().strip(STRIPPED)


def _value(word: str) -> str:
    """The number in a counted word, "" where it holds none that a call could write."""
    if _plain(word) in SPELLED:
        return str(SPELLED[_plain(word)])
    found = FRACTION.search(word) or NUMERAL.search(word)
    value = exact(found[0].replace(",", "")) if found else None
    return "" if value is None else number_text(value)


def references(messages: list[Message]) -> dict[str, str]:
    """What each mark stands for in a turn that follows these messages."""
    *_, known = _known(messages)
    return known


def refer(messages: list[Message]) -> list[Message]:
    """The messages, in the assistant's turns marks in place of the numbers that stand in the messages before."""
    return [
        {**message, "content": _marked(message["content"], known)} if message["role"] == "assistant" else message
        for message, known in zip(messages, _known(messages), strict=False)
    ]


def _known(messages: list[Message]) -> Iterator[dict[str, str]]:
    """What each mark stands for: before the first message, and after each."""
    known: dict[str, str] = {}
    yield known
    before = ""
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "tool" or (role == "user" and before == "assistant"):
            free = next((mark for mark in RESULTS if mark not in known), None)
            if free and _NUMBER.fullmatch(content):
                known = known | {free: content}
        elif role == "user":
            known = stated(content)
        before = role
        yield known


def _marked(turn: str, known: dict[str, str]) -> str:
    """The newest result that is the number, else the first of the question's; equal numbers in turn."""
    marks = [mark for mark in (*reversed(RESULTS), *ORDINALS) if mark in known]
    used: set[str] = set()

    def referred(found: re.Match) -> str:
        fitting = [mark for mark in marks if known[mark] == found[0]]
        if not fitting:
            return found[0] if found.re is _PART else _PART.sub(referred, found[0])
        chosen = next((mark for mark in fitting if mark not in used), fitting[0])
        used.add(chosen)
        return chosen

    return _NUMBER.sub(referred, turn)
