"""data/corpus.jsonl: what the from-scratch student reads first, made by the error model and not filtered.

Seeds and rates are those of params.generate.corpus, and no teacher is called. Built-in problems come from the part of
`train`, so no dev or held-out question is among them.
"""

from __future__ import annotations

from collections import Counter

from stages.params import CorpusParams, ErrorRates, FoldParams
from stages.problems import builtin
from stages.problems.gold import confirmed
from stages.problems.redraw import family
from stages.problems.sources import load_corpus
from stages.records.chain import Message, turns
from stages.records.errors import InputError
from stages.records.problem import Problem
from stages.teacher.simulated.error_model import errant_texts
from stages.tools import TOOLKITS
from stages.tools.run import run_call

Attempt = tuple[Problem, str]  # a problem, and the seed by which the error model plays it


def attempts(settings: CorpusParams, fold: FoldParams | None = None) -> list[Attempt]:
    """The attempts of the corpus by problem: built-in ones, then those of `problems` that have a solution.

    Raises:
        ParamsError, JsonlError: as for `sources.load`.
        InputError: `problems` holds no problem with a confirmed solution.
    """
    seed = f"base {settings.seed}"
    made = []
    for task, count in (("math", settings.math), ("logic", settings.logic)):
        if count:
            made += [(problem, seed) for problem in builtin.problems(f"builtin/{task}", "train", count, settings.seed)]
    if settings.problems:
        made += _evenly(readable(settings, fold), seed)
    return made


def rows(played: list[Attempt], rates: ErrorRates) -> list[dict]:
    """The rows of corpus.jsonl, by problem id; `sample` counts the attempts at a problem."""
    samples: Counter[str] = Counter()
    made = []
    for problem, seed in played:
        row = {"problem_id": problem.id, "sample": samples[problem.id], "task": problem.task}
        samples[problem.id] += 1
        made.append({**row, "messages": conversation(problem, seed, rates)})
    return sorted(made, key=lambda row: (row["problem_id"], row["sample"]))


def _evenly(problems: list[Problem], seed: str) -> list[Attempt]:
    """Repeat problems with few redraws, with other seeds, so that every original problem has the same weight."""
    families = Counter(map(family, problems))
    most: dict[str, int] = {}
    for name, size in families.items():
        source = name.partition("/")[0]
        most[source] = max(size, most.get(source, 1))
    return [
        (problem, seed if time == 0 else f"{seed} again {time}")
        for problem in problems
        for time in range(most[problem.id.partition("/")[0]] // families[family(problem)])
    ]


def readable(settings: CorpusParams, fold: FoldParams | None = None) -> list[Problem]:
    """The problems of `problems` that have a solution which gives their gold; the error model plays no others."""
    found = load_corpus(settings, fold)
    solved = [problem for problem in confirmed(found) if problem.solution]
    if not solved:
        raise InputError(
            f"generate.corpus.problems: none of {len(found)} problems has a solution that gives its gold; "
            "name a source with solutions"
        )
    return solved


def conversation(problem: Problem, seed: str, rates: ErrorRates) -> list[Message]:
    """The question and the turns of one attempt; no system message, as the from-scratch student reads none."""
    tools, state = TOOLKITS[problem.toolkit].tools, TOOLKITS[problem.toolkit].open(problem.question)
    steps = [run_call(text, tools, state) for text in errant_texts(problem, seed, rates)]
    return [{"role": "user", "content": problem.question}, *turns(steps)]
