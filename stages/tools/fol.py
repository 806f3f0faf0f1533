"""The fol toolkit: state the problem's premises as first-order formulas, ask what they entail.

Classical logic, open world, z3 in the worker. A question has five outcomes: True, False, Unknown, Inconsistent (the
premises contradict each other) and Undecided (a limit was reached), and Undecided is never shown as Unknown. The
limits count z3's own steps, so an outcome does not depend on the machine or its load; the clock is only a backstop.
"""

from __future__ import annotations

from functools import lru_cache

from stages.tools import worker
from stages.tools.english import read_sentence
from stages.tools.formula import Formula, FormulaError, parse, text
from stages.tools.symbols import Symbols
from stages.tools.tool import Tool, ToolError, toolkit

MAX_PREMISES = 60
MAX_TEXT = 20_000  # characters of all premises
RLIMIT = 2_000_000  # z3's steps for one check, about 0.6 s; FOLIO's own formulas need 20,000
SECONDS = 10.0  # the backstop


class Fol:
    """The state of one chain: the premises it has stated, and the last entailment it asked for."""

    def __init__(self, statements: int = 0, told: str = "") -> None:
        self.statements = statements  # that the problem makes, as far as its text shows them
        self.told = told  # True or False, where a statement of the problem is what it asks, or its negation
        self.symbols = Symbols()
        self.premises: list[Formula] = []
        self.asked = 0
        self.finding: dict | None = None  # of the last question; None when a premise came after it

    def premise(self, formula: str) -> str:
        """State a premise; its canonical text. ToolError where it does not fit those before."""
        read = _read(formula)
        if read in self.premises:
            raise ToolError("this premise is stated already; state the next one, or ask what follows")
        if len(self.premises) == MAX_PREMISES or sum(map(len, map(text, [*self.premises, read]))) > MAX_TEXT:
            raise ToolError(f"at most {MAX_PREMISES} premises of {MAX_TEXT:,} characters together; ask what follows")
        try:
            self.symbols.admit(read)
        except FormulaError as error:
            raise ToolError(str(error)) from None
        self.premises.append(read)
        self.finding = None
        return text(read)

    def entails(self, formula: str) -> str:
        """The outcome for a formula in the names of the premises."""
        read = _read(formula)
        if not self.premises:
            raise ToolError("no premise is stated yet; state what the problem says with Premise")
        try:
            predicates, constants = self.symbols.check(read)
        except FormulaError as error:
            raise ToolError(str(error)) from None
        _refuse_unknown(predicates, self.symbols.predicates, "predicate")
        finding = _finding(tuple(self.premises), read)
        if finding["outcome"] == "Unknown":
            _refuse_unknown(constants, self.symbols.constants, "name")
        self.finding = finding
        self.asked += 1
        return finding["outcome"]

    def objection(self, answer: str) -> str:
        """Why what was stated and asked does not support the answer (True, False or Unknown); empty where it does."""
        if self.finding is None:
            return "nothing was asked after the last premise"
        if self.finding["outcome"] != answer or answer not in ("True", "False", "Unknown"):
            return f"the last question came out {self.finding['outcome']}"
        if answer == "Unknown" and self.finding["telling"] < self.statements:
            return f"{self.finding['telling']} premises say something, the problem makes {self.statements} statements"
        if answer != "Unknown" and self.finding["alone"]:
            return "the formula asked for, or its negation, is true whatever the premises say"
        if answer not in ("Unknown", self.told) and self.finding["stated"]:
            return "one premise says just what was asked for, or its negation"
        return ""

    def rests_on(self, answer: str) -> bool:
        """Whether the answer (True, False or Unknown) is what the stated premises entail, by a proof worth the name."""
        return not self.objection(answer)

    def results_used(self, answer: str) -> bool:
        """Whether no question but the last was asked; an answer rests on all premises."""
        return self.asked == 1


def _read(formula: str) -> Formula:
    try:
        return parse(formula)
    except FormulaError as error:
        raise ToolError(str(error)) from None


def _refuse_unknown(names: object, known: dict, kind: str) -> None:
    for name in names:
        if name not in known:
            listed = ", ".join(list(known)[:20]) or "none"
            raise ToolError(f"the {kind} {name} stands in no premise; the premises have: {listed}")


@lru_cache(maxsize=4_096)
def _search(premises: tuple[Formula, ...], conclusion: Formula) -> dict:
    return worker.call("entails", {"premises": premises, "conclusion": conclusion, "rlimit": RLIMIT}, SECONDS)


def _finding(premises: tuple[Formula, ...], conclusion: Formula) -> dict:
    try:
        return _search(premises, conclusion)
    except worker.WorkerError:  # not remembered: another try may come to an end
        return {"outcome": "Undecided"}


def open_fol(question: str) -> Fol:
    """A state for a problem; its statements are the lines that end as sentences, without the last one, which asks.

    Lines that say the same in the English of the deduction toolkit are one statement, as they are one premise.
    """
    *lines, asked = [line.strip() for line in question.splitlines() if line.strip()] or [""]
    said = {line: read_sentence(line) for line in lines if line.endswith((".", "!"))}
    asks = read_sentence(asked.rpartition("?")[2])
    told = ""
    if asks and not asks.conditions:
        facts = {reading.conclusion for reading in said.values() if reading and not reading.conditions}
        told = "True" if asks.conclusion in facts else "False" if asks.conclusion.negated() in facts else ""
    return Fol(len({reading or line for line, reading in said.items()}), told)


PREMISE = Tool(
    "Premise",
    {"formula": "text"},
    "States one sentence of the problem as a first-order formula with ∀ ∃ ¬ ∧ ∨ → ↔ ⊕ =.",
    'Premise(formula="∀x (Student(x) → ¬Likes(x, rina))")',
    lambda state, formula: state.premise(formula),
)
ENTAILS = Tool(
    "Entails",
    {"formula": "text"},
    "Says whether a formula is True or False by all premises stated, or Unknown, Inconsistent or Undecided.",
    'Entails(formula="¬Student(rina)")',
    lambda state, formula: state.entails(formula),
)
FOL = toolkit("fol", open_fol, [PREMISE, ENTAILS])
