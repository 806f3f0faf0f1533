"""The fol toolkit: state the problem's premises as first-order formulas, ask what they entail.

Classical logic, open world, z3 in the worker. A question has five outcomes: True, False, Unknown, Inconsistent (the
premises contradict each other) and Undecided (a limit was reached), and Undecided is never shown as Unknown. The
limits count z3's own steps, so an outcome does not depend on the machine or its load; the clock is only a backstop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from stages.tools import worker
from stages.tools.fol.formula import Formula, FormulaError, taken_apart, text
from stages.tools.fol.reading import parse
from stages.tools.fol.story import Asked, Story, name_parts, read_story
from stages.tools.fol.symbols import Symbols, signature
from stages.tools.tool import Tool, ToolError, toolkit

MAX_PREMISES = 60
MAX_PARTS = 200  # of all premises, taken apart
MAX_TEXT = 20_000  # characters of all premises
RLIMIT = 2_000_000  # z3's steps for one check, about 0.6 s; FOLIO's own formulas need 20,000
SECONDS = 10.0  # the backstop
LABELS = {"true": "True", "false": "False", "unknown": "Unknown", "uncertain": "Unknown"}  # and how options write them
NOTHING_TOLD = Story()


class Fol:
    """The state of one chain: the premises it has stated, and the last entailment it asked for."""

    def __init__(self, story: Story = NOTHING_TOLD) -> None:
        self.story = story
        self.symbols = Symbols()
        self.alike = False  # whether names of the premises may be two spellings of one
        self.premises: list[Formula] = []
        self.asked = 0
        self.question: Formula | None = None  # the last one
        self.finding: dict | None = None  # of the last question; None when a premise came after it

    def premise(self, formula: str) -> str:
        """State a premise; its canonical text, with a hint where a name may be another's second spelling.

        Raises:
            ToolError: the premise is refused; never for how a name looks.
        """
        read = _read(formula)
        if read in self.premises:
            raise ToolError("this premise is stated already; state the next one, or ask what follows")
        if len(self.premises) == MAX_PREMISES or sum(map(len, map(text, [*self.premises, read]))) > MAX_TEXT:
            raise ToolError(f"at most {MAX_PREMISES} premises of {MAX_TEXT:,} characters together; ask what follows")
        try:
            found = self.symbols.admit(read)
        except FormulaError as error:
            raise ToolError(str(error)) from None
        self.alike = self.alike or bool(found)
        self.premises.append(read)
        self.finding = None
        hints = "".join(
            f" ({new} looks like {old}: if both are one, state it again with one name)" for new, old in found
        )
        return text(read) + hints

    def entails(self, formula: str) -> str:
        """The outcome for a formula in the names of the premises and the question."""
        read = _read(formula)
        if not self.premises:
            raise ToolError("no premise is stated yet; state what the problem says with Premise")
        try:
            predicates, constants = self.symbols.check(read)
        except FormulaError as error:
            raise ToolError(str(error)) from None
        for new, old in self.symbols.like(predicates, constants):
            raise ToolError(f"{new} looks like {old}; use one spelling, or names that differ more")
        finding = _finding(tuple(self.premises), read)
        if finding["outcome"] not in ("True", "False"):  # a proof holds whatever the names
            self._refuse_unknown(predicates, self.symbols.predicates, "predicate")
        if finding["outcome"] == "Unknown":
            self._refuse_unknown(constants, self.symbols.constants, "name")
        self.finding, self.question = finding, read
        self.asked += 1
        return finding["outcome"]

    def _refuse_unknown(self, names: Iterable[str], known: dict, kind: str) -> None:
        """A name of the question's own words needs no premise: that nothing is said of it may be why it is Unknown."""
        for name in names:
            if name not in known and not self.story.asks_of(name):
                listed = ", ".join(list(known)[:20]) or "none"
                raise ToolError(f"the {kind} {name} stands in no premise; the premises have: {listed}")

    def rests_on(self, answer: str) -> bool:
        """Whether the answer (True, False, Unknown, or an option's letter) is what the stated premises entail, by a
        proof worth the name."""
        return not self.objection(answer) and not self.doubt(answer)

    def objection(self, answer: str) -> str:
        """Why what was stated and asked surely does not support the answer; empty where it does or may."""
        return next((reason for sure, reason in self._reasons(answer) if sure), "")

    def doubt(self, answer: str) -> str:
        """Why it is not sure that what was stated and asked supports the answer."""
        return next((reason for sure, reason in self._reasons(answer) if not sure), "")

    def _reasons(self, answer: str) -> Iterator[tuple[bool, str]]:
        """What speaks against the answer, and whether it does so surely."""
        if self.finding is None:
            yield True, "nothing was asked after the last premise"
            return
        outcome, (asked, outcomes) = self.finding["outcome"], self._accepted(answer)
        if outcome not in outcomes:
            yield True, f"the last question came out {outcome}"
            return
        if asked is self.story.options.get(answer) and not self.story.asks_true:
            yield False, "the right option may be the false one, or one that is possible"
        yield from self._about(answer)
        if outcome == "Unknown":
            yield from self._incomplete()
            return
        if self.finding["alone"]:
            yield True, "the formula asked for, or its negation, is true whatever the premises say"
        told = bool(asked.told) and self._answer_told(answer, asked) == answer
        all_understood = self.story.whole and asked.understood
        if self.finding["stated"] and not told:
            yield all_understood, "one premise says just what was asked for, or its negation"
        elif self.finding["part"] and not told and all_understood and _is_fact(self.question):
            yield True, "one premise says what was asked for and more, and no sentence of the problem does"

    def _accepted(self, answer: str) -> tuple[Asked, tuple[str, ...]]:
        """The statement that the answer is about, and the outcomes of a question about it that support the answer."""
        story = self.story
        option = story.options.get(answer)
        if option is None and len(answer) == 1 and answer.isupper():
            return Asked(), ("True",)  # options that the text does not show one a line
        if option is not None and (label := LABELS.get(option.text.strip(". ").lower())) is None:
            return option, ("True",) if story.asks_true else ("True", "False", "Unknown")
        answer = answer if option is None else label
        if answer not in LABELS.values():
            return story.asked, ()
        # "Is it false that P?" is answered True by ¬P, which is true, and by P, which is false.
        return story.asked, ("True", "False") if story.asks_false and answer != "Unknown" else (answer,)

    def _answer_told(self, answer: str, asked: Asked) -> str:
        """The answer that follows from what the problem says of the very statement that is asked about."""
        option = self.story.options.get(answer)
        if option is asked:
            return answer if asked.told == "True" else ""
        told = {"True": "False", "False": "True"}[asked.told] if self.story.asks_false else asked.told
        return answer if option and LABELS.get(option.text.strip(". ").lower()) == told else told

    def _about(self, answer: str) -> Iterator[tuple[bool, str]]:
        """Whether premises and question speak of the problem: a proof about anything proves nothing."""
        story = self.story
        if not story.comparable:
            return
        predicates, constants = signature(self.question)
        asked = {*predicates, *constants}
        if not any(map(story.speaks_of, asked)):
            yield False, "no name of the last question shares a word with the problem"
        if len(own := story.options.get(answer, Asked()).words) and constants:
            others = frozenset().union(*(option.words for option in story.options.values())) - own
            parts = {part for name in constants for part in name_parts(name)}
            if parts & others and not parts & own:
                yield True, "the last question is about another option"

    def _incomplete(self) -> Iterator[tuple[bool, str]]:
        """Unknown comes out of every premise that was left out, so each statement of the problem takes a premise."""
        finding, story = self.finding, self.story
        if self.alike:
            yield False, "it may be Unknown because two names are spellings of one"
        told = finding["different"]
        if told < story.statements:
            sure = finding["different_parts"] < story.different
            yield sure, f"{told} premises say something, the problem makes {story.statements} statements"

    def results_used(self, answer: str) -> bool:
        """Whether no question but the last was asked; an answer rests on all premises."""
        return self.asked == 1


def _is_fact(formula: Formula) -> bool:
    return formula[0] == "is" or formula[0] == "¬" and formula[1][0] == "is"


def _read(formula: str) -> Formula:
    try:
        return parse(formula)
    except FormulaError as error:
        raise ToolError(str(error)) from None


@lru_cache(maxsize=4_096)
def _search(premises: tuple[Formula, ...], conclusion: Formula) -> dict:
    parts = tuple(part for premise in premises for part in taken_apart(premise))
    parts = parts if len(parts) <= MAX_PARTS else premises
    argument = {"premises": premises, "parts": parts, "conclusion": conclusion, "rlimit": RLIMIT}
    return worker.call("entails", argument, SECONDS)


def _finding(premises: tuple[Formula, ...], conclusion: Formula) -> dict:
    try:
        return _search(premises, conclusion)
    except worker.WorkerError:  # not remembered: another try may come to an end
        return {"outcome": "Undecided"}


def open_fol(question: str) -> Fol:
    """A state for a problem."""
    return Fol(read_story(question))


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
