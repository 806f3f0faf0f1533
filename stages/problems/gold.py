"""Gold answers are checked before they are used: a reference solution must be a chain that the verdict calls correct.

A problem whose source gives a solution that is not is left out of training (generate asks no teacher about it), as its
gold, its text or its solution is wrong and nobody knows which. In dev, heldout and ood it stays, so that figures remain
comparable with published ones. A problem of a source that gives no solution is unchecked, and stays everywhere. A gold
that the grader does not read is left out likewise; in a file of one's own it is refused (readable.py).

In: params.yaml (problems). Out: a table, and the ids of what is not confirmed. Run: python -m stages.problems.gold
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import chain as chained

from tabulate import tabulate

from stages import params
from stages.params import ProblemsParams
from stages.problems.readable import reads
from stages.problems.sources import USES, entries
from stages.records.chain import Chain
from stages.records.command import parser, run
from stages.records.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.tools.tool import ToolError
from stages.verdicts.verdict import verdict

UNREAD = "the answer is not surely read"
SHOWN = 10  # ids of a reason in the table; --json has all


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


def reports(problems: ProblemsParams) -> list[dict]:
    """One report an entry of params.problems: counts, and the ids of what is not verified by reason."""
    made = []
    for use in USES:
        for key, entry, found in entries(use, problems):
            reasons = defaultdict(list)
            for problem in found:
                if reason := doubt(problem):
                    reasons[reason].append(problem.id)
            doubted = {*chained(*reasons.values())}
            given = {problem.id for problem in found if problem.solution or problem.doubt}
            made.append(
                {
                    "entry": key,
                    "source": entry["source"],
                    "problems": len(found),
                    "with_solution": len(given),
                    "verified": len(given - doubted),
                    "left_out_of_training": len(doubted) if use == "train" else 0,
                    "not_verified": dict(sorted(reasons.items(), key=lambda reason: (-len(reason[1]), reason[0]))),
                }
            )
    return made


def table(made: list[dict]) -> str:
    """The reports as text: a line an entry, then a line a reason."""
    heads = ("entry", "source", "problems", "with solution", "verified", "not verified")
    rows = []
    for report in made:
        doubted = report["with_solution"] - report["verified"]
        share = f" ({report['verified'] / report['with_solution']:.2%})" if report["with_solution"] else ""
        counts = (report["problems"], report["with_solution"], f"{report['verified']:,}{share}", doubted)
        texts = (f"{count:,}" if isinstance(count, int) else count for count in counts)
        rows.append((report["entry"], report["source"], *texts))
    lines = [tabulate(rows, heads, tablefmt="plain", disable_numparse=True)]
    for report in made:
        for reason, ids in report["not_verified"].items():
            more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
            lines.append(f"\n{report['entry']}: {len(ids):,}: {reason}\n  {', '.join(ids[:SHOWN])}{more}")
    return "\n".join(lines)


def main() -> None:
    """Print the reports of params.yaml's problems."""
    command = parser("stages.problems.gold", __doc__.split("\n")[0])
    command.add_argument("--json", action="store_true", help="print everything as JSON, with all ids")
    arguments = command.parse_args()
    made = reports(params.load().problems)
    print(json.dumps(made, indent=1, ensure_ascii=False) if arguments.json else table(made))


if __name__ == "__main__":
    run(main)
