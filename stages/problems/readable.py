"""Gold answers that the grader reads: a number, numbers in brackets, a label, an option's letter, notation.

A gold that is not read equals only an answer of the same words: every other right answer stays undecided, after it was
paid for. So a common form that surely means a readable one is read where a file of one's own is, and what is left is
refused before anything is asked or decoded. What may mean two things is refused: `No` says False or Unknown, `1.5M`
may be a concentration. Published sets are compared with published figures and keep theirs; see reference.doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from stages.records.chain import number_text
from stages.records.errors import InputError
from stages.records.numbers import SPELLED
from stages.records.problem import LABELS, Problem
from stages.verdicts import notation
from stages.verdicts.answers import canonical_number, equal
from stages.verdicts.groups import group

SHOWN = 5  # ids in the message
MAX_WORDS = 200  # characters of a number in words
FORMS = f"a number (14, 1,500, 1/3, $5), {', '.join(LABELS)}, or an option's letter"

_STATED = re.compile(r"(?:the )?(?:final )?answer(?: is|:)(.*)|A:(.*)", re.IGNORECASE)
_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
_SCALED = re.compile(
    r"([$€]?)((?:[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(?:\.[0-9]{1,6})?)(k|m|mn|b|bn)", re.IGNORECASE
)
_SURE = ("k", "bn", "mn")  # without a currency before it
_WORDS = SPELLED | {"zero": 0, "one": 1}
_JOINED = re.compile(r",?(?: and)? ")


def reads(gold: str, task: str) -> bool:
    """Whether the grader reads a gold answer, so that an answer in other words can be right or wrong."""
    if not gold.strip():
        return False
    if task == "logic":
        return any(equal(known, gold, task) is not None for known in (LABELS[0], "A"))
    plain = " ".join(gold.casefold().split())
    return (
        canonical_number(gold) is not None
        or equal("A", gold, task) is not None
        or group(plain) is not None
        or notation.same(plain, plain) is True
    )


def stated(answer: str, task: str) -> str:
    """The gold answer that a text surely states; the text itself where it is read as it stands, or not at all.

    >>> stated("3 + 4 = 7\\n#### 7", "math"), stated("fourteen", "math"), stated("$1.5M", "math")
    ('7', '14', '$1500000')
    >>> stated("yes", "logic"), stated("No", "logic"), stated("14 or so", "math")
    ('True', 'No', '14 or so')
    """
    if task == "math" and (scaled := _scaled(answer)):  # before the rest, to which `1.5bn` is 1.5 of a unit
        return scaled
    whole, *marked = _parts(answer)
    if not marked and reads(whole, task):
        return answer
    for part in (*marked, whole):  # the grader reads a marked answer in a text too, and gold is the answer alone
        made = _translated(part, task)
        if reads(made, task):
            return made
    return answer


def _parts(answer: str) -> Iterable[str]:
    """The whole; and what a solution says is its answer: after `####`, in `\\boxed{}`, on a last line `Answer: 7`."""
    yield answer
    if answer.count("####") == 1:
        yield answer.partition("####")[2].strip()
    if answer.count("\\boxed{") == 1:
        yield _in_braces(answer.partition("\\boxed{")[2])
    lines = [_STATED.fullmatch(line.strip()) for line in answer.split("\n")]
    if lines[-1] and not any(lines[:-1]):
        yield lines[-1][lines[-1].lastindex].strip().removesuffix(".")


def _in_braces(text: str) -> str:
    """What stands before the brace that closes one opened before the text; "" where none does."""
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return text[:place]
    return ""


def _translated(text: str, task: str) -> str:
    word = " ".join(text.casefold().split()).removesuffix(".")
    if task == "logic":
        return LABELS[0] if word == "yes" else text
    value = _cardinal(word) if len(word) <= MAX_WORDS else None
    return (_scaled(text) or text) if value is None else str(value)


def _scaled(text: str) -> str:
    """`$1.5M` as `$1500000`, `3k` as `3000`; "" for all else, also where it may be a unit."""
    match = _SCALED.fullmatch(text.strip())
    if match is None or not (match[1] or match[3] in _SURE):
        return ""
    return match[1] + number_text(Fraction(match[2].replace(",", "")) * _SCALES[match[3].casefold()])


def _cardinal(text: str) -> int | None:
    """`fourteen`, `two hundred and five`, `a thousand`; None for all else, also `a dozen` and `one and a half`."""
    for word, scale in (("million", 10**6), ("thousand", 10**3), ("hundred", 100)):
        head, found, rest = text.partition(f" {word}")
        if found:
            many = 1 if head == "a" else _cardinal(head)
            few = _cardinal(_JOINED.sub("", rest, count=1)) if rest else 0
            return None if many is None or few is None or few >= scale else many * scale + few
    return _WORDS.get(text)


def refuse(place: str, problems: list[Problem], hint: str = "") -> None:
    """One error on all of one's own problems whose gold is not read; `place` is where they come from.

    Raises:
        InputError: there are such problems.
    """
    unread = [problem for problem in problems if not reads(problem.gold, problem.task)]
    if unread:
        names = [f"{problem.id} ({' '.join(problem.gold.split())[:40]!r})" for problem in unread[:SHOWN]]
        more = f" and {len(unread) - SHOWN:,} more" if len(unread) > SHOWN else ""
        raise InputError(
            f"{place}: {len(unread):,} of {len(problems):,} answers are not surely read, so nothing could be judged by "
            f"them: {', '.join(names)}{more}; write {FORMS}, or leave these rows out{hint}"
        )
