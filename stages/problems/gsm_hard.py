"""GSM-Hard: GSM8K's test questions with large numbers; for testing only, without reference solutions.

Its published solutions are Python code, which is neither run nor translated here. Some answers are negative or long
decimals, as nobody checked what the larger numbers mean; floats of many places that are fractions are read as these.
"""

from __future__ import annotations

from pathlib import Path

from stages.problems.problem import Problem
from stages.problems.published import number_gold, rows, text

# The hub calls the one part there is `train`.
HUB = {
    "path": "reasoning-machines/gsm-hard",
    "revision": "960448f73503112d4226baeb8eb41d3fb5ae2506",
    "split": "train",
}
FORM = "input and target"


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    made = []
    for index, (where, row) in enumerate(rows(path, HUB)):
        question, gold = text(where, row, "input", FORM), number_gold(where, row, "target", FORM)
        made.append(Problem(f"gsm_hard/{index:05d}", "math", "arithmetic", "gsm_hard", question, gold))
    return made
