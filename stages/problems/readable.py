"""Gold answers that the grader reads: a number, numbers in brackets, a label, an option's letter, notation.

A gold that is not read equals only an answer of the same words: every other right answer stays undecided, after it was
paid for. So a common form that surely means a readable one is read where a file of one's own is, and what is left is
refused before anything is asked or decoded. What may mean two things is refused: `No` says False or Unknown.
Published sets are compared with published figures and keep theirs; see gold.doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stages.records.errors import InputError
from stages.records.problem import LABELS, Problem
from stages.verdicts import notation
from stages.verdicts.answers import canonical_number, equal
from stages.verdicts.groups import group

SHOWN = 5  # ids in the message
FORMS = f"a number (14, 1,500, 1/3, $5), {', '.join(LABELS)}, or an option's letter"

_STATED = re.compile(r"(?:the )?(?:final )?answer(?: is|:)(.*)|A:(.*)", re.IGNORECASE)


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

    >>> stated("3 + 4 = 7\\n#### 7", "math"), stated("yes", "logic"), stated("14 or so", "math")
    ('7', 'True', '14 or so')
    """
    whole, *marked = _parts(answer)
    if not marked and reads(whole, task):
        return answer
    for part in (*marked, whole):  # the grader reads a marked answer in a text too, and gold is the answer alone
        made = LABELS[0] if task == "logic" and part.casefold().strip(" .") == "yes" else part
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
