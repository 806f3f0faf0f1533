"""Answers in a mathematician's notation, `\\frac{\\sqrt{3}}{2}` or `x \\le 3`, compared by Math-Verify.

Math-Verify reads generously and computes without bound: it rounds, drops units, takes `\\sin 30^\\circ` for 30 radians
and needs seconds for `9^{9^9}` [measured, 0.9.0]. So it is handed a few known commands, short numbers and small
exponents only; its decimals are made exact; it must give the same answer in both directions; and it runs in the
killable worker. What it does not know, refuses or is too slow for is undecided.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod

from stages.tools import worker
from stages.verdicts.quantities import rewritten

SECONDS = 5.0  # of one comparison; of 3,000 random texts within the limits below, 4 took over 1 s
MAX_LENGTH = 100
MAX_POWERS = 4
MAX_EXPANSION = 6  # product of the exponents of brackets: `(a+b+c+d+f)^9` took 3 s, twice in a text 124 s
_PLAIN = {"π": "\\pi ", "√": "\\sqrt ", "∞": "\\infty ", "∪": "\\cup ", "≤": "\\le ", "≥": "\\ge ", "·": "\\cdot "}
_WORDS = re.compile(r"(?<![a-z\\])(sqrt(?=\()|pi(?![a-z]))")
_ROOT = re.compile(r"\\sqrt ?(?:\(([^()]*)\)|([0-9]++|[a-z](?![a-z])))")
_COMMAND = re.compile(
    r"\\(?:frac|dfrac|tfrac|sqrt|pi|infty|cup|cap|times|cdot|div|pm|le|leq|ge|geq|lt|gt|in|log|ln|[{}])(?![a-z])"
)
_NOTATION = re.compile(
    r"(?:[0-9]{1,12}+(?![0-9])|[a-z](?![a-z])|[ .,+\-*/(){}\[\]=<>|_]"
    r"|\^(?:[0-9](?![0-9])|[a-z](?![a-z])|\{-?[0-9a-z]{1,2}\}|\{[0-9]/[0-9]\}))*"
)
_POWER_OF_POWER = re.compile(r"\^(?:[0-9a-z]|\{[^{}]{0,5}\})\^")
_RELATION = re.compile(r"[=<>]|\\(?:le|ge|lt|gt)")
_HARD_TO_SOLVE = re.compile(r"\\(?:sqrt|log|ln)|\^\{?-?[0-9a-z]{2}")  # over 30 s for `\\sqrt{x + \\sqrt{x}} = 3`
_EXPANSION = re.compile(r"[)}]\^\{?-?([0-9]{1,2})")


def same(answer: str, gold: str) -> bool | None:
    """Whether two plain texts are the same mathematical object; None where either is none that is surely read."""
    texts = _latex(answer), _latex(gold)
    return None if None in texts or not any("\\" in text or "^" in text for text in texts) else _compared(*texts)


def _latex(text: str) -> str | None:
    """The text as LaTeX that Math-Verify may see; None for sentences, unknown commands and what could take long."""
    text = rewritten(text)
    for sign, command in _PLAIN.items():
        text = text.replace(sign, command)
    text = _ROOT.sub(r"\\sqrt{\1\2}", _WORDS.sub(r"\\\1 ", text))
    bare = _COMMAND.sub(" ", text)
    bounded = 0 < len(text) <= MAX_LENGTH and text.count("^") <= MAX_POWERS
    bounded = bounded and prod(map(int, _EXPANSION.findall(text))) <= MAX_EXPANSION
    bounded = bounded and _POWER_OF_POWER.search(text) is None
    bounded = bounded and not (_RELATION.search(text) and _HARD_TO_SOLVE.search(text))
    return text if bounded and _NOTATION.fullmatch(bare) else None


@lru_cache(maxsize=4096)
def _compared(a: str, b: str) -> bool | None:
    try:
        return worker.call("same_notation", [a, b], SECONDS)
    except worker.WorkerError:
        return None
