"""Whether a training question is too close to one that the students are tested on.

By shared n-grams of words, and by being the same text with other numbers and names. Built-in questions are made of the
same templates on purpose, and their parts are disjoint by construction: the second rule is not for them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from stages.numerals import WORDS
from stages.params import InputError, PairParams, Params, ParamsError
from stages.problems.problem import Problem
from stages.problems.sources import load, load_base

TESTED = ("dev", "heldout", "ood")  # uses that no training problem may be close to
NGRAMS, OTHER_NUMBERS = "shared_ngrams", "other_numbers"  # why a problem is too close

_WORD = re.compile(r"\w+(?:[.,]\d+)*")

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


def contaminated(train: list[tuple[str, str, str]], tested: list[Problem], settings: PairParams) -> dict[str, str]:
    """Id -> why it is too close to a tested problem, for training problems as (id, source, question)."""
    tested_texts = [problem.question for problem in tested]
    questions = {name: question for name, _, question in train}
    reasons = dict.fromkeys(too_close(questions, tested_texts, settings.ngram, settings.max_overlap), NGRAMS)
    own = {name: question for name, source, question in train if not source.startswith("builtin/")}
    published = [problem.question for problem in tested if not problem.source.startswith("builtin/")]
    return {**dict.fromkeys(same_text(own, published), OTHER_NUMBERS), **reasons}


def dropped(reasons: dict[str, str], settings: PairParams) -> set[str]:
    """The ids that training leaves out: all, or with `other_numbers: report` only those that share n-grams."""
    return {name for name, why in reasons.items() if why == NGRAMS or settings.other_numbers == "drop"}


def tested(settings: Params) -> list[Problem]:
    """All problems that students are tested on, for choosing settings too."""
    return [problem for use in TESTED for problem in load(use, settings.problems)]


def untested(problems: list[Problem], settings: Params) -> list[Problem]:
    """The problems to ask a teacher about: none that is too close to a tested one, so that nothing learns from it.

    Built-in ones stay; pair drops what it finds among them.
    """
    own = _own(problems)
    if not own:
        return problems
    out = dropped(contaminated(own, tested(settings), settings.pair), settings.pair)
    return [problem for problem in problems if problem.id not in out]


def base_overlap(settings: Params) -> dict[str, int]:
    """How many problems of `train.base.problems` there are, and how many of them are too close to a tested one.

    They cannot be dropped as those of `problems.train` are: what the base student reads would depend on what is
    tested, and every change of that would train all students anew. So they are refused, or with `report` counted.

    Raises:
        ParamsError: a fold of a cross-validation is read while another one is tested.
        InputError: there are such problems, and `pair.other_numbers` is drop.
    """
    if not settings.train.base.problems:
        return {}
    _check_folds(settings)
    problems = load_base(settings.train.base)
    reasons = contaminated(_own(problems), tested(settings), settings.pair)
    counts = Counter(reasons.values())
    if reasons and settings.pair.other_numbers == "drop":
        names = [problem.id for problem in problems if problem.id in reasons]
        more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
        raise InputError(
            f"train.base.problems: {len(names):,} of {len(problems):,} problems are too close to tested ones "
            f"({counts[NGRAMS]:,} share words, {counts[OTHER_NUMBERS]:,} are one with other numbers): "
            f"{', '.join(names[:10])}{more}; take other ones, or only count them with pair.other_numbers: report"
        )
    return {"problems": len(problems), NGRAMS: counts[NGRAMS], OTHER_NUMBERS: counts[OTHER_NUMBERS]}


def _check_folds(settings: Params) -> None:
    """The train part of a fold holds the tested problems of every other: three folds to set, one easily forgotten."""
    for place, entry in enumerate(settings.train.base.problems):
        if entry.get("use") != "train":
            continue
        for use in TESTED:
            for index, other in enumerate(getattr(settings.problems, use)):
                same = all(entry.get(name) == other.get(name) for name in ("source", "part"))
                for name in ("folds", "fold", "seed", "by") if same and other.get("use") == "test" else ():
                    if entry.get(name) != other.get(name):
                        key, tested = f"train.base.problems[{place}].{name}", f"problems.{use}[{index}]"
                        raise ParamsError(
                            f"params.yaml: {key} is {entry.get(name)!r}, but {tested}.{name} is {other.get(name)!r}, "
                            "so it holds tested problems; give both the same"
                        )


def _own(problems: list[Problem]) -> list[tuple[str, str, str]]:
    return [(p.id, p.source, p.question) for p in problems if not p.source.startswith("builtin/")]


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
