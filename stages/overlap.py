"""Whether a training question is too close to one that the students are tested on: shared n-grams of words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

_WORD = re.compile(r"\w+(?:[.,]\d+)*")

Gram = tuple[str, ...]


def grams(question: str, n: int) -> set[Gram]:
    """Runs of `n` words, case and punctuation ignored, numbers kept; a shorter question is one run."""
    words = _WORD.findall(question.lower())
    return {tuple(words[start : start + n]) for start in range(max(1, len(words) - n + 1))}


def too_close(questions: dict[str, str], tested: Iterable[str], n: int, most: float) -> dict[str, float]:
    """Id -> share of n-grams in common with the closest tested question, where that share is `most` or more.

    The share is of the question with fewer n-grams, so that a tested question that stands whole inside a longer
    training question counts as 1; the same words are 1 whatever n is. A share of 0 is never too close.
    """
    sizes: list[int] = []
    holders: dict[Gram, list[int]] = defaultdict(list)
    for index, question in enumerate(tested):
        found = grams(question, n)
        sizes.append(len(found))
        for gram in found:
            holders[gram].append(index)
    close = {}
    for name, question in questions.items():
        found = grams(question, n)
        shared = Counter(index for gram in found for index in holders.get(gram, ()))
        share = max((count / min(len(found), sizes[index]) for index, count in shared.items()), default=0.0)
        if share and share >= most:
            close[name] = share
    return close
