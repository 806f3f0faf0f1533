"""The answer in a text as chat models write it: `**Answer:** 18`, `\\[ \\boxed{18} \\]`, a heading with 18 below it.

Only what marks an answer is taken away: a tag, a heading or last line that announces it, a mathematician's delimiters,
one box, emphasis. What is left is read by others (quantities.py, sets.py, notation.py), and a sentence around a marked
number as far as it neither holds a number nor doubts this one. Every pattern runs in linear time on a bounded text.
"""

from __future__ import annotations

import re

MAX_LENGTH = 2_000  # characters of a text in which an answer is looked for

_ANNOUNCED = re.compile(
    r"[#>*_ ]*+(?:the )?(?:final )?(?:answer|ans|result)[*_ ]*+(?:[:=][*_ ]*+(.{1,400}+)|[:=]?[*_ ]*+)"
    r"|#{1,6}+ ?(?=[-$(\\]?[0-9\\])(.{1,400}+)"
)
_TAG = re.compile(r"<(answer|final_answer|final|result|solution)>([^<>]{1,400}+)</\1>")
_HOPE = re.compile(r"\.? ?i hope it is correct\.?$")
_STYLE = re.compile(r"\\(?:text|textbf|textit|mathbf|mathrm|mathit|emph|fbox) ?\{([^{}]{0,200}+)\}")
_DOLLARS = re.compile(r"(?<![\\$\w])\$(?! )((?:[^$\\]|\\.){1,200})(?<! )\$(?![$\w])")
_EMPHASIS = [
    re.compile(rf"(?<![\w\\{mark[0]}]){re.escape(mark)}(?![ {mark[0]}])([^{mark[0]}]{{1,200}}+)(?<! )"
               rf"{re.escape(mark)}(?![\w{mark[0]}])")
    for mark in ("**", "__", "*", "_", "`")
]  # fmt: skip
_BOX = "\\boxed{"
_DIGIT = re.compile(r"[0-9]")
_LEADS = re.compile(r"(?:^|[:=]|\b(?:is|are|was|were|equals)) ?$")
_WORDS = re.compile(r"[^\W\d_][^\d_(){}\[\]<>=*/\\+^]*+")
# Words that deny what follows them or leave it open.
_DOUBTS = re.compile(
    r"\b(?:not|no|never|nor|neither|cannot|without|except|but|if|unless|until|before|would|could|should|may|might|maybe"
    r"|perhaps|probably|about|around|almost|nearly|approximately|roughly|least|most|over|under|above|below|more|less"
    r"|fewer|than|between|or|wrong|incorrect|instead|half|twice|double|minus|plus|times|negative|to)\b|n't\b|\?"
)


def stated(text: str) -> str:
    """A text in lower case without what marks it as an answer, on one line; where nothing does, as it is."""
    if len(text) > MAX_LENGTH:
        return text
    text = _HOPE.sub("", _announced(text))
    tags = _TAG.findall(text)
    text = tags[0][1] if len(tags) == 1 else text
    for sign in ("\\[", "\\]", "\\(", "\\)", "$$"):
        text = text.replace(sign, " ")
    text = " ".join(_STYLE.sub(r" \1", text).split())
    return _emphasised(_DOLLARS.sub(r"\1", _boxed(text)))


def _announced(text: str) -> str:
    """What stands behind or below the one line that announces the answer, where it is the last."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    heads = [(place, match) for place, line in enumerate(lines) if (match := _ANNOUNCED.fullmatch(line))]
    if len(heads) != 1:
        return text
    (place, match), *_ = heads
    behind, below = (match[1] or match[2] or "").strip("*_ "), lines[place + 1 :]
    if bool(behind) == bool(below) or len(below) > 1:
        return text
    return f"answer: {behind or below[0]}"


def _boxed(text: str) -> str:
    """The content of the one box, with the words around it where they hold no number."""
    before, sign, rest = text.partition(_BOX)
    end = _closing(rest)
    if not sign or _BOX in rest or end is None:
        return text
    inside, after = rest[:end], rest[end + 1 :]
    if before.endswith("$") and after.startswith("$"):
        before, after = before[:-1], after[1:]
    if _DOUBTS.search(before):
        return f"{before}{inside}{after}"
    return _marked(before, inside, after) or inside


def _closing(text: str) -> int | None:
    """The place of the bracket that closes a group whose opening bracket was read."""
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if not depth:
            return place
    return None


def _emphasised(text: str) -> str:
    """The text without emphasis; `tom has **18** plums` as `tom has: 18 plums`, where that is the only number."""
    marked = None
    for pattern in _EMPHASIS:
        spans = [match for match in pattern.finditer(text) if _DIGIT.search(match[1])]
        text = pattern.sub(lambda match: match[0] if _DIGIT.search(match[1]) else match[1], text)
        if not spans:
            continue
        if marked is not None or len(spans) > 1:
            return text
        (match,) = [match for match in pattern.finditer(text)]
        before, after = text[: match.start()], text[match.end() :]
        marked = _marked(before, match[1], after)
        if marked is None:
            return text
        text = marked
    return text


def _marked(before: str, inside: str, after: str) -> str | None:
    """The text around a marked number so that it is read; None where that holds a number, a sign or a doubt."""
    if _DIGIT.search(before + after) or _DOUBTS.search(before):
        return None
    if not _DIGIT.search(inside) or _LEADS.search(before):
        return f"{before}{inside}{after}"
    return f"{before.rstrip(' ,:')}: {inside}{after}" if _WORDS.fullmatch(before) else None
