"""Whether a training question is too close to one that the students are tested on.

By shared n-grams of words, and by being the same text with other numbers and names. Built-in questions are made of the
same templates on purpose, and their parts are disjoint by construction: the second rule is not for them.

generate decides once, for all that trains: what is left out is asked of no teacher, has no chain in data/chains.jsonl,
also none that was made elsewhere, and no conversation in data/corpus.jsonl. So no student ever sees it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stages.params import OverlapParams, ProblemsParams
from stages.problems.sources import load
from stages.records.chain import Chain
from stages.records.numbers import WORDS
from stages.records.problem import Problem

TESTED = ("dev", "heldout", "ood")  # uses that no training problem may be close to
NGRAMS, OTHER_NUMBERS = "shared_ngrams", "other_numbers"  # why a problem is too close

_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # signs without width, which part words for a program only
_BEGINS = re.compile(r"(?:^|[.?!:;\"'])\s*$")  # what stands before the first word of a sentence
_NUMBER = re.compile(r"[0-9][0-9.,]*")

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


def contaminated(train: list[tuple[str, str, str]], tested: list[Problem], settings: OverlapParams) -> dict[str, str]:
    """Id -> why it is too close to a tested problem, for training problems as (id, source, question).

    Case, punctuation and spaces, also those inside words, make no other question: `3cm` is `3 cm`.
    """
    questions = {name: _plain(question) for name, _, question in train}
    tested_texts = [_plain(problem.question) for problem in tested]
    reasons = dict.fromkeys(too_close(questions, tested_texts, settings.ngram, settings.share), NGRAMS)
    letters = set(map(_letters, tested_texts))
    reasons |= {name: NGRAMS for name, question in questions.items() if _letters(question) in letters}
    own = {name: questions[name] for name, source, _ in train if not source.startswith("builtin/")}
    published = [_plain(problem.question) for problem in tested if not problem.source.startswith("builtin/")]
    return {**dict.fromkeys(same_text(own, published), OTHER_NUMBERS), **reasons}


def _plain(question: str) -> str:
    """The text without what one cannot see: one spelling of each letter, no signs without width."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", question))


def _letters(question: str) -> str:
    """All words as one, so that no space counts."""
    return "".join(_WORD.findall(question.lower()))


@dataclass(frozen=True)
class Overlap:
    """Which training problems are too close to tested ones, by id with the reason, and which of them are left out."""

    reasons: dict[str, str]
    out: frozenset[str]

    def metrics(self) -> dict:
        """`contamination`: what is left out; `too_close`: all that is, by reason, what is only reported too."""
        counts = Counter(self.reasons.values())
        return {"contamination": len(self.out), "too_close": {why: counts[why] for why in (NGRAMS, OTHER_NUMBERS)}}

    def said(self) -> str:
        """The reasons for what is left out, with the first ids."""
        parts = []
        for why, words in ((NGRAMS, "by shared words"), (OTHER_NUMBERS, "by all but numbers and names")):
            names = [name for name in self.reasons if name in self.out and self.reasons[name] == why]
            if names:
                more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
                parts.append(f"{len(names):,} {words} ({', '.join(names[:5])}{more})")
        return ", ".join(parts)


def overlap(train: Iterable[Problem | Chain], tested: list[Problem], settings: OverlapParams) -> Overlap:
    """The decision on what may be trained on: problems, and chains made elsewhere (each stands for its problem).

    With `other_numbers: report` only what shares words is left out.
    """
    asked: dict[str, tuple[str, str]] = {}
    for one in train:
        asked.setdefault(one.problem_id if isinstance(one, Chain) else one.id, (one.source, one.question))
    reasons = contaminated([(name, *said) for name, said in asked.items()], tested, settings)
    drop = (NGRAMS, OTHER_NUMBERS) if settings.other_numbers == "drop" else (NGRAMS,)
    return Overlap(reasons, frozenset(name for name, why in reasons.items() if why in drop))


def tested(problems: ProblemsParams) -> list[Problem]:
    """All problems that students are tested on, for choosing settings too."""
    return [problem for use in TESTED for problem in load(use, problems)]


def same_text(questions: dict[str, str], tested: Iterable[str]) -> list[str]:
    """Ids of the questions that are one of the tested ones but for numbers and names."""
    tested = list(tested)
    names = _names([*questions.values(), *tested])
    texts = {_masked(question, names) for question in tested}
    return [name for name, question in questions.items() if _masked(question, names) in texts]


def _names(questions: list[str]) -> set[str]:
    """Words that are capital inside a sentence, and nowhere written small: Joan, Friday; lower case."""
    capital, small = set(), set()
    for question in questions:
        for match in _WORD.finditer(question):
            word = match[0]
            if not word[0].isupper():
                small.add(word)
            elif not _BEGINS.search(question, max(0, match.start() - 4), match.start()):
                capital.add(word.lower())
    return capital - small


def _masked(question: str, names: set[str]) -> Gram:
    """The words with `#` for a number, written in digits or as a word, and `@` for a name."""
    words = []
    for word in _WORD.findall(question.lower()):
        words.append("#" if _NUMBER.fullmatch(word) or word in WORDS else "@" if word in names else word)
    return tuple(words)
