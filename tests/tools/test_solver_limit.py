"""The limit of a check is the one that is asked for, in z3's own steps."""

from __future__ import annotations

import pytest

from stages.tools import worker
from stages.tools.fol import toolkit as fol
from stages.tools.fol.reading import parse

PIGEONS, HOLES = 8, 7


def pigeonholes() -> list:
    """Eight pigeons, each in one of seven holes, and no two in one: the others entail that the last is not so.

    z3 needs between 100,000 and 200,000 steps for it.
    """
    somewhere = [" ∨ ".join(f"In(p{p}, h{h})" for h in range(HOLES)) for p in range(PIGEONS)]
    alone = [f"¬(In(p{a}, h{h}) ∧ In(p{b}, h{h}))" for h in range(HOLES) for a in range(PIGEONS) for b in range(a)]
    return [parse(text) for text in (*somewhere, *alone)]


@pytest.mark.parametrize(("limit", "outcome"), [(fol.RLIMIT, "True"), (fol.RLIMIT // 20, "Undecided")])
def test_a_problem_is_solved_within_the_limit_and_undecided_below_it(limit, outcome):
    *premises, last = pigeonholes()
    argument = {"premises": premises, "conclusion": ["¬", last], "rlimit": limit}
    assert worker.call("entails", argument, 60.0)["outcome"] == outcome
