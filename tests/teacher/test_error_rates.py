"""The error model does what its rates say: how often, which slips, and by which seed."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import product

import pytest

from stages.params import ErrorRates
from stages.problems import builtin
from stages.records.chain import Call
from stages.teacher.simulated.error_model import SLIPS, _Walk, errant_texts
from stages.tools import TOOLKITS
from stages.tools.run import run_call

MATH = builtin.problems("builtin/math", "train", 1200, 5)
PLAIN = [problem for problem in MATH if not problem.misconception]
FOOLED = [problem for problem in MATH if problem.misconception]


def near(met: int, tries: int, share: float) -> bool:
    """Within four standard deviations of a binomial count."""
    return abs(met - tries * share) <= 4 * (tries * share * (1 - share)) ** 0.5 + 1


def solution(problem) -> list[str]:
    return [call.text() for call in problem.solution]


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_trap_is_fallen_for_at_its_rate(share):
    wrong = [[call.text() for call in problem.misconception] for problem in FOOLED]
    met = sum(errant_texts(p, "s", ErrorRates(share, 0.0, 0.0)) == w for p, w in zip(FOOLED, wrong, strict=True))
    assert near(met, len(FOOLED), share)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_one_call_too_many_is_made_at_its_rate(share):
    longer = 0
    for problem in PLAIN:
        texts = errant_texts(problem, "s", ErrorRates(0.0, 0.0, share))
        assert len(texts) - len(problem.solution) in (0, 1)
        longer += len(texts) > len(problem.solution)
    assert near(longer, len(PLAIN), share)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_slips_are_made_at_their_rate_in_each_call_and_in_the_answer(share):
    """A chain of n turns, its answer among them, has none with the chance (1 - share) ** n."""
    clean = sum(errant_texts(problem, "s", ErrorRates(0.0, share, 0.0)) == solution(problem) for problem in PLAIN)
    chances = [(1 - share) ** len(problem.solution) for problem in PLAIN]
    deviation = sum(chance * (1 - chance) for chance in chances) ** 0.5
    assert abs(clean - sum(chances)) <= 4 * deviation


def test_the_answer_itself_slips_by_one():
    one_off = 0
    for problem in PLAIN:
        texts = errant_texts(problem, "s", ErrorRates(0.0, 0.3, 0.0))
        if texts[:-1] == solution(problem)[:-1] and texts[-1] != solution(problem)[-1]:
            answer = int(float(texts[-1].removeprefix('Finish(answer="').removesuffix('")')))
            one_off += abs(answer - float(problem.gold)) <= 1
    assert one_off > 50


def test_every_kind_of_slip_occurs():
    seen = Counter()
    for problem in PLAIN:
        texts, right = errant_texts(problem, "s", ErrorRates(0.0, 0.3, 0.0)), solution(problem)
        seen["malformed"] += any(not text.endswith(")") or "(" not in text or "=" not in text for text in texts)
        seen["unknown"] += any(text.startswith(("Sum(", "Minus(", "Times(", "Solve(")) for text in texts)
        seen["premature"] += len(texts) < len(right) and texts[-1].startswith("Finish")
        seen["order"] += sorted(texts) == sorted(right) and texts != right
        names = [text.partition("(")[0] for text in texts]
        seen["tool"] += len(texts) == len(right) and names != [text.partition("(")[0] for text in right]
        seen["operand"] += len(texts) == len(right) and texts[:-1] != right[:-1]
    assert all(seen[kind] for kind in set(SLIPS) - {"skip"}), seen


def test_another_seed_is_another_attempt_and_another_question_too():
    rates = ErrorRates(0.3, 0.3, 0.3)
    attempts = [[errant_texts(problem, seed, rates) for problem in PLAIN[:200]] for seed in ("a", "b", "a")]
    assert attempts[0] == attempts[2]
    assert sum(one != two for one, two in zip(*attempts[:2], strict=True)) > 50


def test_a_wrong_operand_is_one_more_or_one_less():
    """Where a chain differs from the solution in one number of its first call, both ways occur."""
    changes = Counter()
    for problem in PLAIN:
        text = errant_texts(problem, "s", ErrorRates(0.0, 0.5, 0.0))[0]
        first = problem.solution[0]
        for name, value in first.arguments.items():
            if isinstance(value, Fraction):
                for change in (-1, 1):
                    changed = Call(first.tool, {**first.arguments, name: value + change})
                    changes[change] += text == changed.text()
    assert changes[-1] > 10 and changes[1] > 10


def test_another_tool_is_another_tool():
    for place, problem in enumerate(PLAIN[:300]):
        walk = _Walk(problem, problem.solution, random.Random(place))
        for call in problem.solution[:-1]:
            assert walk._tool(call).partition("(")[0] != call.tool


def test_a_call_that_needs_a_skipped_one_is_made_again_behind_it():
    again = 0
    for problem, seed in product(builtin.problems("builtin/logic", "train", 600, 5), "abcdef"):
        right = solution(problem)
        state = TOOLKITS[problem.toolkit].open(problem.question)
        texts = errant_texts(problem, seed, ErrorRates(0.0, 0.3, 0.0))
        steps = [run_call(text, TOOLKITS[problem.toolkit].tools, state) for text in texts]
        refused = [(place, step.text) for place, step in enumerate(steps) if step.error and step.text in right]
        again += sum(any(step.text == text and not step.error for step in steps[place:]) for place, text in refused)
    assert again > 50  # some chains end before, by another slip
