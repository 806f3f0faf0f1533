"""Logic programs that models wrote for ProofWriter, ProntoQA and FOLIO, as chains of calls of the fol toolkit.

A program for ProofWriter or ProntoQA has sections `Facts:`, `Rules:` and `Query:` with one entry a line, and may
declare its `Predicates:`. `$x` is anybody, what follows `:::` is a remark, a negation may be written `!`, `¬`, `~` or
`Not(...)`:

    Sees(Cat, Cow, True) ::: The cat sees the cow.
    Sees($x, Cow, True) && Green($x, False) >>> Kind($x, True)

A program for FOLIO has sections `Premises:` and `Conclusion:` with a formula a line:

    ∀x (Dog(x) → Mammal(x)) ::: Every dog is a mammal.

As a chain a program states its facts and rules, asks its query, and finishes with what that comes out as. What is not
surely understood (no True or False, a variable without $) is a turn as it stands, which is no call: such a program has
no value, and its chain no answer, since a guess would give its answer to somebody else. What the toolkit refuses stays
refused. Premises that contradict each other, or a limit of the solver, leave a program without a value too.

ProntoQA asks for True or False only. A value Unknown is neither, so it is a wrong answer here. Published figures count
it otherwise: Logic-LM's solver says A (True) for this set where the query is derived and B (False) in every other case,
so an Unknown is right there where gold is False.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stages.problems.jsonl import JsonlError
from stages.problems.published import folio, prontoqa, proofwriter
from stages.problems.published.rows import rows
from stages.records.chain import Call, Chain, Step, readable
from stages.records.problem import LABELS, Problem
from stages.teacher.imported import Written
from stages.tools import TOOLKITS
from stages.tools.deduction.english import sentences
from stages.tools.run import run_call

MAX_LENGTH = 20_000
SETS = {"ProntoQA": prontoqa.problem, "ProofWriter": proofwriter.problem, "FOLIO": folio.lettered}

_FILE = re.compile(f"({'|'.join(SETS)})_[a-z]+_(.+)")  # ProntoQA_dev_text-davinci-003.json
_SECTION = re.compile(r"(Predicates|Facts|Rules|Query|Premises|Conclusion):")
_OF_FORMULAS = {"Premises": "Premise", "Conclusion": "Entails"}
_NEGATED = re.compile(r"[!¬~]\s*+(.*)|[Nn]ot\s++(.*)|[Nn]ot\s*+\((.*)\)")
_LITERAL = re.compile(r"(\w++)\s*+\(([^(),]++),(?:([^(),]++),)?\s*+(True|False)\s*+\)")
_TERM = re.compile(r"\$?\w[\w '-]*")


class _NotUnderstood(Exception):
    """An entry is in none of the forms above."""


class _Literal(NamedTuple):
    predicate: str
    terms: list[str]
    positive: bool


def read(path: Path) -> Iterator[Written]:
    """The programs of a file, which is named as it was published, `<set>_<split>_<model>.json`.

    Raises:
        JsonlError: the file has another name or cannot be read, or a row is not in the published form.
    """
    named = _FILE.fullmatch(path.stem)
    if named is None:
        form = "ProntoQA_dev_<model>, ProofWriter_dev_<model> or FOLIO_dev_<model>, as Logic-LM publishes them"
        raise JsonlError(f"{path}: the file's name does not say set and model; name it {form}")
    for where, row in rows(path, {}):
        programs = row.get("raw_logic_programs")
        if not isinstance(programs, list) or len(programs) != 1 or not isinstance(programs[0], str):
            raise JsonlError(f"{where}: raw_logic_programs is no list of one text")
        if len(programs[0]) > MAX_LENGTH:
            raise JsonlError(f"{where}: the program has {len(programs[0]):,} characters, limit {MAX_LENGTH:,}")
        yield Written(SETS[named[1]](where, row), named[2], readable(programs[0]))


def posed(problem: Problem) -> Problem:
    """The problem as the fol toolkit reads it: a sentence a line, and last the line that asks. The words are the same.

    It has no solution: the set's own is one of the deduction toolkit. FOLIO's problems are posed so already.
    """
    if problem.toolkit == "fol":
        return problem
    lines = sentences(problem.question)
    asks = next((place for place, line in enumerate(lines) if line.endswith("?")), len(lines) - 1)
    question = "\n".join([*lines[:asks], " ".join(lines[asks:])])
    return replace(problem, toolkit="fol", question=question, solution=(), doubt="")


def chain(problem: Problem, program: str, model: str) -> Chain:
    """The program as the chain of the calls that it makes; `problem` is a posed one."""
    tools, state = TOOLKITS["fol"].tools, TOOLKITS["fol"].open(problem.question)
    # A query is put to all the rest.
    ordered = sorted(_entries(program), key=lambda found: found[0] in ("Query", "Conclusion"))
    steps = [_step(section, entry, tools, state) for section, entry in ordered]
    answer = _value(steps)
    if answer:
        steps.append(run_call(Call("Finish", {"answer": answer}).text(), tools, state))
    return problem.chain(
        teacher=model,
        sample=0,
        prompt=(),
        steps=tuple(steps),
        answer=answer,
        stop="finish" if answer else "max_tokens",
    )


def _value(steps: list[Step]) -> str:
    """What the one query comes out as; empty where there are more or none, or an entry is not understood."""
    outcomes = [step.result for step in steps if step.call and step.call.tool == "Entails"]
    understood = all(step.failure in ("", "tool_error") for step in steps)
    return outcomes[0] if len(outcomes) == 1 and outcomes[0] in LABELS and understood else ""


def _step(section: str, entry: str, tools: dict, state: object) -> Step:
    if section in _OF_FORMULAS:
        return run_call(Call(_OF_FORMULAS[section], {"formula": entry}).text(), tools, state)
    try:
        call = _call(section, entry)
    except _NotUnderstood:
        step = run_call(entry, tools, state)
        return step if step.error else replace(step, result="", error=step.result, failure="malformed_call")
    return run_call(call.text(), tools, state)


def _call(section: str, entry: str) -> Call:
    conditions, arrow, conclusion = entry.partition(">>>")
    literals = [_literal(part.strip()) for part in ([*conditions.split("&&"), conclusion] if arrow else [entry])]
    if not section or section == "Query" and (arrow or "$" in entry):  # a query is one literal without a variable
        raise _NotUnderstood
    return Call("Entails" if section == "Query" else "Premise", {"formula": _formula(literals)})


def _formula(literals: list[_Literal]) -> str:
    """An entry in the signs of the fol toolkit, names as the program spells them: `∀x (Cold(x) → ¬Kind(x))`."""
    variables = list(dict.fromkeys(term for part in literals for term in part.terms if term[0] == "$"))
    names = {variable: "xyzuvw"[place : place + 1] or f"x{place}" for place, variable in enumerate(variables)}
    *conditions, conclusion = (_atom(part, names) for part in literals)
    body = f"{' ∧ '.join(conditions)} → {conclusion}" if conditions else conclusion
    return "".join(f"∀{name} " for name in names.values()) + (f"({body})" if names else body)


def _atom(literal: _Literal, names: dict[str, str]) -> str:
    terms = [names.get(term) or re.sub("[ ']+", "_", term) for term in literal.terms]
    return f"{'' if literal.positive else '¬'}{literal.predicate}({', '.join(terms)})"


def _entries(program: str) -> list[tuple[str, str]]:
    """The entries with their sections, none for what stands before the first one; predicates are left out."""
    section, found = "", []
    for line in program.splitlines():
        entry = line.split(":::")[0].strip()
        heading = _SECTION.fullmatch(entry)
        if heading:
            section = heading[1]
        elif entry and section != "Predicates":
            found.append((section, entry))
    return found


def _literal(text: str) -> _Literal:
    negated = _NEGATED.fullmatch(text)
    match = _LITERAL.fullmatch(next(filter(None, negated.groups()), "").strip() if negated else text)
    if match is None:
        raise _NotUnderstood
    predicate, first, second, value = match.groups()
    terms = [term.strip() for term in (first, second) if term is not None]
    if not all(_TERM.fullmatch(term) and len(term) > 1 for term in terms):
        raise _NotUnderstood
    return _Literal(predicate, terms, (value == "True") == (negated is None))
