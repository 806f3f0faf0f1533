"""BIG-bench logical deduction: which statement about the order of three, five or seven objects is true.

The options stand in the question, one a line, and gold is the letter. The toolkit is fol: a model states the order as
premises and asks for an option; a letter is grounded where the last question came out True. There are no reference
solutions. Two published forms are read: Logic-LM's (context, question, options, answer) and BIG-bench Hard's (input,
target), which is the hub's.
"""

from __future__ import annotations

import re
from pathlib import Path

from stages.problems.jsonl import JsonlError
from stages.problems.published.options import asked
from stages.problems.published.rows import rows, text
from stages.records.problem import Problem

HUB = {"path": "lukaemon/bbh", "revision": "982bb89fd79532a8ac676a61fc42eb1aeec63f99", "split": "test"}
NAMES = tuple(f"logical_deduction_{count}_objects" for count in ("three", "five", "seven"))  # configurations on the hub
FORM = "input and target"
_OPTION = re.compile(r"^\(([A-Z])\) ", re.M)


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    hubs = [HUB] if path and not path.is_dir() else [{**HUB, "name": name} for name in NAMES]
    found = [row for hub in hubs for row in rows(path, hub)]
    return [problem(index, where, row) for index, (where, row) in enumerate(found)]


def problem(index: int, where: str, row: dict) -> Problem:
    """One published row; those without an id are counted from 0."""
    if "input" in row:
        name, question = f"{index:05d}", text(where, row, "input", FORM)
        answer = text(where, row, "target", FORM).strip("()")
        letters = _OPTION.findall(question)
        if answer not in letters:
            raise JsonlError(f"{where}: target is {answer[:40]!r}; it takes a letter: {', '.join(letters)}")
    else:
        name, asks, options, answer = asked(where, row)
        question = "\n".join([asks, *(f"{letter}) {option}" for letter, option in options.items())])
    return Problem(f"logical_deduction/{name}", "logic", "fol", "logical_deduction", question, answer)
