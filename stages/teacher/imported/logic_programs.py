"""Logic programs that models wrote for ProofWriter, ProntoQA and FOLIO: run, and as chains of calls.

A program for ProofWriter or ProntoQA is run by the engine of the deduction toolkit. It has sections `Facts:`, `Rules:`
and `Query:` with one entry a line, and may declare its `Predicates:`. `$x` is whoever the program names, what follows
`:::` is a remark, a negation may be written `!`, `¬`, `~` or `Not(...)`:

    Sees(Cat, Cow, True) ::: The cat sees the cow.
    Sees($x, Cow, True) && Green($x, False) >>> Kind($x, True)

A program for FOLIO has sections `Premises:` and `Conclusion:` with a formula a line, and is run by the fol toolkit:

    ∀x (Dog(x) → Mammal(x)) ::: Every dog is a mammal.

A program is run only as it stands: where one entry is not surely understood (no True or False, a variable without $, a
free variable in a formula), it cannot be run, since a guess would give its answer to somebody else. Premises that
contradict each other, or a limit of the solver, leave it without a value too.

As a chain a program states its facts and rules to the fol toolkit, asks its query, and finishes with the value that it
has when it is run. What is not understood is a turn as it stands, which is no call; what the toolkit refuses stays
refused. A program that cannot be run has no value, and its chain no answer.

ProntoQA asks for True or False only. A value Unknown is neither, so it is a wrong answer here. Published figures count
it otherwise: Logic-LM's solver says A (True) for this set where the query is derived and B (False) in every other case,
so an Unknown is right there where gold is False.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from stages.problems.jsonl import JsonlError
from stages.problems.published import folio, prontoqa, proofwriter
from stages.problems.published.rows import rows
from stages.records.chain import Call, Chain, Step, readable
from stages.records.problem import LABELS, Problem
from stages.tools import TOOLKITS
from stages.tools.deduction.english import sentences
from stages.tools.deduction.toolkit import Deduction, settled
from stages.tools.deduction.vocabulary import Literal, Reading
from stages.tools.fol.formula import FormulaError
from stages.tools.fol.reading import parse
from stages.tools.fol.toolkit import open_fol
from stages.tools.run import run_call
from stages.tools.tool import ToolError

MAX_LENGTH = 20_000
MAX_INSTANCES = 2_000  # of all entries, their variables replaced by individuals
SETS = {"ProntoQA": prontoqa.problem, "ProofWriter": proofwriter.problem, "FOLIO": folio.lettered}

_FILE = re.compile(f"({'|'.join(SETS)})_[a-z]+_(.+)")  # ProntoQA_dev_text-davinci-003.json
_SECTION = re.compile(r"(Predicates|Facts|Rules|Query|Premises|Conclusion):")
_OF_FORMULAS = {"Premises": "Premise", "Conclusion": "Entails"}
_NEGATED = re.compile(r"[!¬~]\s*+(.*)|[Nn]ot\s++(.*)|[Nn]ot\s*+\((.*)\)")
_LITERAL = re.compile(r"(\w++)\s*+\(([^(),]++),(?:([^(),]++),)?\s*+(True|False)\s*+\)")
_TERM = re.compile(r"\$?\w[\w '-]*")


class ProgramError(Exception):
    """A program cannot be run; the message names the entry and what is wrong with it."""


@dataclass(frozen=True)
class Program:
    """A model's program for a problem, which is posed as its set has it."""

    problem: Problem
    model: str
    text: str


def read(path: Path) -> Iterator[Program]:
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
        yield Program(SETS[named[1]](where, row), named[2], readable(programs[0]))


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
    try:
        answer = run(program, problem.question)
        steps.append(run_call(Call("Finish", {"answer": answer}).text(), tools, state))
    except ProgramError:
        answer = ""
    return problem.chain(
        teacher=model,
        sample=0,
        prompt=(),
        steps=tuple(steps),
        answer=answer,
        stop="finish" if answer else "max_tokens",
    )


def _step(section: str, entry: str, tools: dict, state: object) -> Step:
    if section in _OF_FORMULAS:
        return run_call(Call(_OF_FORMULAS[section], {"formula": entry}).text(), tools, state)
    try:
        formula = _formula(_literals(entry))
    except ProgramError:
        step = run_call(entry, tools, state)
        return step if step.error else replace(step, result="", error=step.result, failure="malformed_call")
    call = Call("Entails" if section == "Query" else "Premise", {"formula": formula})
    return run_call(call.text(), tools, state)


def _formula(literals: list[Literal]) -> str:
    """An entry in the signs of the fol toolkit, names as the program spells them: `∀x (Cold(x) → ¬Kind(x))`."""
    variables = list(dict.fromkeys(term for part in literals for term in _terms(part) if term[0] == "$"))
    names = {variable: "xyzuvw"[place : place + 1] or f"x{place}" for place, variable in enumerate(variables)}
    *conditions, conclusion = (_atom(part, names) for part in literals)
    body = f"{' ∧ '.join(conditions)} → {conclusion}" if conditions else conclusion
    return "".join(f"∀{name} " for name in names.values()) + (f"({body})" if names else body)


def _atom(literal: Literal, names: dict[str, str]) -> str:
    terms = [names.get(term) or re.sub("[ ']+", "_", term) for term in _terms(literal)]
    predicate = literal.object if literal.verb == "is" else literal.verb
    return f"{'' if literal.positive else '¬'}{predicate}({', '.join(terms)})"


def run(program: str, question: str = "") -> str:
    """True, False or Unknown: the value of the program's query by forward chaining, or of its formulas by the solver.

    `question` is the posed problem's: a conclusion may have names that stand in no premise where they stand there.

    Raises:
        ProgramError: the program is not in the form above, too large, or contradicts itself.

    >>> run("Facts:\\nCold(Bob, True)\\nRules:\\nCold($x, True) >>> Kind($x, False)\\nQuery:\\nKind(Bob, False)")
    'True'
    """
    if len(program) > MAX_LENGTH:
        raise ProgramError(f"the program has {len(program):,} characters, limit {MAX_LENGTH:,}")
    found, entries = _entries(program), []
    for section, entry in found:
        if not section:
            raise ProgramError(f"`{entry[:60]}` stands before the first section")
    if found and all(section in _OF_FORMULAS for section, _ in found):
        return _concluded(found, question)
    for section, entry in found:
        entries.append((section, entry, _literals(entry)))
    terms = dict.fromkeys(term.lower() for _, _, literals in entries for part in literals for term in _terms(part))
    individuals = [term for term in terms if term[0] != "$"]
    readings: list[tuple[str, Reading]] = []
    queries = []
    for section, entry, literals in entries:
        instances = _written_out(literals, individuals, MAX_INSTANCES - len(readings))
        if section != "Query":
            readings += [(entry, instance) for instance in instances]
        elif len(literals) > 1 or "$" in entry:
            raise ProgramError(f"`{entry[:60]}` is no query; it is one literal without a variable")
        else:
            queries += instances
    if len(queries) != 1:
        raise ProgramError(f"the program has {len(queries)} queries; one is asked")
    try:
        return Deduction(settled(readings, queries[0], False, ())).gold()
    except ToolError as error:
        raise ProgramError(str(error)) from None


def _concluded(entries: list[tuple[str, str]], question: str) -> str:
    """What the premises entail of the one conclusion."""
    state = open_fol(question)
    conclusions = [entry for section, entry in entries if section == "Conclusion"]
    if len(conclusions) != 1:
        raise ProgramError(f"the program has {len(conclusions)} conclusions; one is asked")
    for entry in [*dict.fromkeys(entry for section, entry in entries if section == "Premises"), *conclusions]:
        try:
            if entry is conclusions[0]:
                outcome = state.entails(entry)
            elif parse(entry) not in state.premises:
                state.premise(entry)
        except (FormulaError, ToolError) as error:
            raise ProgramError(f"`{entry[:60]}`: {error}") from None
    if outcome not in LABELS:
        raise ProgramError(f"the conclusion comes out {outcome}")
    return outcome


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


def _literals(entry: str) -> list[Literal]:
    """Conditions and conclusion of an entry, with its variables as they are written."""
    conditions, arrow, conclusion = entry.partition(">>>")
    return [_literal(part.strip()) for part in ([*conditions.split("&&"), conclusion] if arrow else [entry])]


def _literal(text: str) -> Literal:
    negated = _NEGATED.fullmatch(text)
    match = _LITERAL.fullmatch(next(filter(None, negated.groups()), "").strip() if negated else text)
    if match is None:
        raise ProgramError(f"`{text[:60]}` is no literal such as Cold(Bob, True) or Sees(Cat, Cow, False)")
    predicate, first, second, value = match.groups()
    terms = [term.strip() for term in (first, second) if term is not None]
    if not all(_TERM.fullmatch(term) and len(term) > 1 for term in terms):
        raise ProgramError(f"`{text[:60]}` has a term that is no name such as Bob and no variable such as $x")
    positive = (value == "True") == (negated is None)
    return Literal(terms[0], predicate if second else "is", terms[1] if second else predicate, positive)


def _terms(literal: Literal) -> tuple[str, ...]:
    return (literal.subject,) if literal.verb == "is" else (literal.subject, literal.object)


def _written_out(literals: list[Literal], individuals: list[str], limit: int) -> list[Reading]:
    """The last literal under the others as conditions, once for each way to put individuals for the variables."""
    variables = list(dict.fromkeys(term for part in literals for term in _terms(part) if term[0] == "$"))
    if len(individuals) ** len(variables) > limit:
        raise ProgramError(f"the program has more than {MAX_INSTANCES:,} instances of its rules")
    readings = []
    for chosen in product(individuals, repeat=len(variables)):
        meant = dict(zip(variables, chosen, strict=True))
        *conditions, conclusion = (
            part._replace(subject=meant.get(part.subject, part.subject), object=meant.get(part.object, part.object))
            for part in literals
        )
        readings.append(Reading(tuple(conditions), conclusion))
    return readings
