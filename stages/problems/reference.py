"""Gold answers are checked before they are used: a reference solution must be a chain that the verdict calls correct.

A problem whose source gives a solution that is not is left out of training (generate asks no teacher about it), as its
gold, its text or its solution is wrong and nobody knows which. In dev, heldout and ood it stays, so that figures remain
comparable with published ones. A problem of a source that gives no solution is unchecked, and stays everywhere. A gold
that the grader does not read is left out likewise; in a file of one's own it is refused (golds.py).
`python -m stages.problems.validate` lists them all.
"""

from __future__ import annotations

from stages.chain import Chain
from stages.problems.golds import reads
from stages.problems.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.tools.tool import ToolError
from stages.verdict import verdict

UNREAD = "the answer is not surely read"


def doubt(problem: Problem) -> str:
    """Why gold is not confirmed by the source's own solution, or not read; "" where it is, and where none is to run.

    A solution must give gold exactly, whatever `verify.tolerance` allows a model.
    """
    if problem.doubt:
        return problem.doubt
    if not reads(problem.gold, problem.task):
        return UNREAD
    if not problem.solution:
        return ""
    try:
        chain = solved(problem)
    except ToolError as error:
        return f"the toolkit refuses the question: {error}"
    errors = [step.error for step in chain.steps if step.error]
    if errors:
        return f"a call is refused: {errors[0].removeprefix('Error: ')}"
    row = verdict(chain, 0.0)
    return "" if row["verdict"] == "correct" else f"the solution is {row['verdict']}: {row['failure']}"


def confirmed(problems: list[Problem]) -> list[Problem]:
    """The problems without doubt. Built-in ones are not run again: tests do that, for all their generators."""
    return [problem for problem in problems if problem.source.startswith("builtin/") or not doubt(problem)]


def solved(problem: Problem) -> Chain:
    """The reference solution as a chain, as if a model had written its calls."""
    toolkit = TOOLKITS[problem.toolkit]
    state = toolkit.open(problem.question)
    steps = tuple(run_call(call.text(), toolkit.tools, state) for call in problem.solution)
    return problem.chain(
        teacher="reference",
        sample=0,
        prompt=(),
        steps=steps,
        answer=steps[-1].result,
        stop="finish",
    )
