"""FOLIO: premises in English with first-order formulas, and a conclusion that is True, False or Unknown by them.

The publishers' `Uncertain` is Unknown. Both published forms are read: premises as a list, or as the lines of a text.
Logic-LM's form is read too: the premises as one context, and lettered options; its question is posed in the words of
the others, so that a program for it and the published row are about one problem.
A reference solution states the premises' formulas and asks for the conclusion's; the train file of version 0.0 has no
conclusion formulas, so its problems have no solutions (Yale-LILY/FOLIO, issue 6).
"""

from __future__ import annotations

import re
from pathlib import Path

from stages.problems.jsonl import JsonlError
from stages.problems.published.options import asked, label
from stages.problems.published.rows import rows, text
from stages.records.chain import Call
from stages.records.problem import Problem
from stages.tools.deduction.english import sentences
from stages.tools.fol.formula import FormulaError
from stages.tools.fol.formula import text as formula_text
from stages.tools.fol.reading import parse
from stages.tools.fol.toolkit import open_fol
from stages.tools.tool import ToolError

HUB = {
    "path": "tasksource/folio",
    "revision": "295b95fb4fe9be4ff3f933b73142d142cf6b2c97",
    "data_files": {"train": "folio_v2_train.jsonl", "validation": "folio_v2_validation.jsonl"},
}
SPLITS = ("train", "validation")
LABELS = {"True": "True", "False": "False", "Unknown": "Unknown", "Uncertain": "Unknown"}
FORM = "premises, conclusion and label"
ASKS = "Is the following statement true, false or unknown?"
_ABBREVIATED = re.compile(r"(?:^|[\s(])(?:Mrs?|Ms|Dr|Prof|St|Jr|Sr|No|vs|Mt|[A-Z])\.$")


def read(split: str, path: Path | None = None) -> list[Problem]:
    """The split's problems in the published order; ids count rows from 0.

    Raises:
        JsonlError, ParamsError: as for `published.rows`.
    """
    found = enumerate(rows(path, {**HUB, "split": split}))
    return [problem(f"folio/{split}/{index:05d}", where, row) for index, (where, row) in found]


def problem(name: str, where: str, row: dict) -> Problem:
    """One published row; `where` names it in messages."""
    premises, conclusion = _lines(where, row, "premises"), " ".join(text(where, row, "conclusion", FORM).split())
    published = text(where, row, "label", FORM)
    if published not in LABELS:
        raise JsonlError(f"{where}: label is {published[:40]!r}; it takes {', '.join(LABELS)}")
    gold = LABELS[published]
    question = "\n".join([*premises, f"{ASKS} {conclusion}"])
    solution, doubt = (), ""
    if row.get("conclusion-FOL"):
        formulas = _lines(where, row, "premises-FOL")
        solution, doubt = reference(formulas, text(where, row, "conclusion-FOL", FORM), gold)
    return Problem(name, "logic", "fol", "folio", question, gold, solution, doubt=doubt)


def lettered(where: str, row: dict) -> Problem:
    """One row of Logic-LM's dev set, or of the programs for it; `where` names it in messages."""
    name, _, options, answer = asked(where, row)
    gold = LABELS[label(where, options, answer, tuple(LABELS))]
    _, mark, conclusion = text(where, row, "question", "id, context, question, options and answer").partition("? ")
    if not mark or not conclusion.strip():
        raise JsonlError(f"{where}: question is no `... true, false, or uncertain? <statement>`")
    question = "\n".join([*_sentences(row["context"]), f"{ASKS} {' '.join(conclusion.split())}"])
    return Problem(f"folio/{name}", "logic", "fol", "folio", question, gold)


def _sentences(context: str) -> list[str]:
    """The sentences of a context; what starts small or with a digit, or follows an abbreviation, goes on with one."""
    lines: list[str] = []
    for part in sentences(context):
        if lines and (_ABBREVIATED.search(lines[-1]) or part[0].islower() or part[0].isdigit()):
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _lines(where: str, row: dict, key: str) -> list[str]:
    found = row.get(key)
    found = found.split("\n") if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
        raise JsonlError(f"{where}: {key} is no list of texts and no text of lines; a row has {FORM}")
    lines = [" ".join(line.split()) for line in found if line.strip()]
    if not lines:
        raise JsonlError(f"{where}: {key} is empty; a row has {FORM}")
    return lines


def reference(premises: list[str], conclusion: str, gold: str) -> tuple[tuple[Call, ...], str]:
    """Premises stated once each, in the tool's own spelling, then the question; or no call, and why there is none."""
    state, calls = open_fol(""), []
    try:
        for premise in dict.fromkeys(formula_text(parse(premise, conventions=True)) for premise in premises):
            state.premise(premise)
            calls.append(Call("Premise", {"formula": premise}))
        asked = formula_text(parse(conclusion, conventions=True))
    except (FormulaError, ToolError):
        return (), "a formula is not understood"
    return (*calls, Call("Entails", {"formula": asked}), Call("Finish", {"answer": gold})), ""
