"""Logic programs that models wrote for ProofWriter and ProntoQA, run by the engine of the deduction toolkit.

A program has sections `Facts:`, `Rules:` and `Query:` with one entry a line, and may declare its `Predicates:`. `$x` is
whoever the program names, what follows `:::` is a remark, a negation may be written `!`, `¬`, `~` or `Not(...)`:

    Sees(Cat, Cow, True) ::: The cat sees the cow.
    Sees($x, Cow, True) && Green($x, False) >>> Kind($x, True)

A program is run only as it stands: where one entry is not surely understood (no True or False, a variable without $),
it cannot be run, since a guess would give its answer to somebody else.
"""

from __future__ import annotations

import re
from itertools import product

from stages.tools.deduction import Deduction, settled
from stages.tools.tool import ToolError
from stages.tools.vocabulary import Literal, Reading

MAX_LENGTH = 20_000
MAX_INSTANCES = 2_000  # of all entries, their variables replaced by individuals

_SECTION = re.compile(r"(Predicates|Facts|Rules|Query):")
_NEGATED = re.compile(r"[!¬~]\s*+(.*)|[Nn]ot\s++(.*)|[Nn]ot\s*+\((.*)\)")
_LITERAL = re.compile(r"(\w++)\s*+\(([^(),]++),(?:([^(),]++),)?\s*+(True|False)\s*+\)")
_TERM = re.compile(r"\$?\w[\w '-]*")


class ProgramError(Exception):
    """A program cannot be run; the message names the entry and what is wrong with it."""


def run(program: str) -> str:
    """True, False or Unknown: the value of the program's query by forward chaining.

    Raises:
        ProgramError: the program is not in the form above, or too large.

    >>> run("Facts:\\nCold(Bob, True)\\nRules:\\nCold($x, True) >>> Kind($x, False)\\nQuery:\\nKind(Bob, False)")
    'True'
    """
    if len(program) > MAX_LENGTH:
        raise ProgramError(f"the program has {len(program):,} characters, limit {MAX_LENGTH:,}")
    entries = [(section, entry, _literals(entry)) for section, entry in _entries(program)]
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


def _entries(program: str) -> list[tuple[str, str]]:
    section, found = "", []
    for line in program.splitlines():
        entry = line.split(":::")[0].strip()
        heading = _SECTION.fullmatch(entry)
        if heading:
            section = heading[1]
        elif entry and section != "Predicates":
            if not section:
                raise ProgramError(f"`{entry[:60]}` stands before the first section")
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
