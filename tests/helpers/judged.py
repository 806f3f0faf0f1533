"""Two problems, the turns of right chains on them, and the chain and verdict of any turns."""

from __future__ import annotations

import json

from stages.agent.loop import Attempt, Reply
from stages.records.problem import Problem
from stages.verdicts.verdict import verdict

PENS = Problem("p/1", "math", "arithmetic", "p", "A box holds 12 pens. How many pens are 7 boxes and 3 pens?", "87")
RED = Problem(
    "p/2",
    "logic",
    "deduction",
    "p",
    "Leo is a rompus. Each rompus is a zumpus. Each zumpus is not red. Each wug is red. Is it true that Leo is red?",
    "False",
)
RIGHT = ["Multiply(a=12, b=7)", "Add(a=84, b=3)", 'Finish(answer="87")']
DERIVED = ['Derive(fact="Leo is a zumpus")', 'Derive(fact="Leo is not red")', 'Finish(answer="False")']


def chain(problem, texts, max_steps=14, max_errors=3, cut=False, sample=0):
    """The chain that the agent makes of these turns; `cut`: the last one was ended by the token limit."""
    attempt = Attempt(problem, max_steps, max_errors, examples=0, teacher="t", sample=sample)
    for index, text in enumerate(texts):
        assert not attempt.stop, f"the chain ended before {text}"
        attempt.advance(Reply(text, cut=cut and index == len(texts) - 1))
    assert attempt.stop
    return attempt.chain()


def judged(problem, texts, tolerance=0.0, **limits):
    return verdict(chain(problem, texts, **limits), tolerance)


def row_of(problem, texts, sample=0):
    return json.loads(json.dumps(chain(problem, texts, sample=sample).row()))
