"""The deduction toolkit: look facts and rules up, apply one rule a call.

Forward chaining over the problem's own sentences, open world: nothing is false because it is missing, a negation is a
fact of its own. A call is refused while a condition is not known, so a chain cannot skip a step of its proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from stages.tools.calls import clipped
from stages.tools.deduction.english import MAX_LENGTH, read_question, read_sentence, sentences
from stages.tools.deduction.vocabulary import VARIABLE, Literal, Reading, Vocabulary
from stages.tools.tool import Tool, ToolError, toolkit

MAX_SENTENCES = 500
MAX_LITERALS = 20_000  # of all rules, each written out for every individual


class Rule(NamedTuple):
    """`sentence` is the rule as the problem states it; `VARIABLE` stands for any individual."""

    conditions: tuple[Literal, ...]
    conclusion: Literal
    sentence: str


@dataclass(frozen=True)
class Theory:
    """What a problem's text says: never changed, shared by all chains on the problem."""

    given: dict[Literal, str]  # fact -> its sentence, in the problem's order
    rules: tuple[Rule, ...]
    goal: Literal | None  # the asked literal; None where no question was understood
    asked_false: bool  # the question asks "is it false that"
    unread: tuple[str, ...]  # sentences that were not understood
    vocabulary: Vocabulary

    @cached_property
    def instances(self) -> dict[Literal, list[tuple[Literal, ...]]]:
        """Each conclusion that a rule can give about the problem's individuals -> the conditions of each way to it."""
        ways: dict[Literal, list[tuple[Literal, ...]]] = {}
        for rule in self.rules:
            general = any(VARIABLE in literal for literal in rule.conditions)
            for individual in self.vocabulary.individuals.values() if general else (VARIABLE,):
                conclusion = _about(rule.conclusion, individual)
                ways.setdefault(conclusion, []).append(tuple(_about(part, individual) for part in rule.conditions))
        return ways

    @cached_property
    def conditions(self) -> frozenset[Literal]:
        """Everything that is a condition of some rule."""
        return frozenset(part for ways in self.instances.values() for conditions in ways for part in conditions)

    @cached_property
    def relevant(self) -> frozenset[Literal]:
        """The goal, its negation and everything that a derivation of one of them could pass through."""
        found: set[Literal] = set()
        to_visit = [] if self.goal is None else [self.goal, self.goal.negated()]
        while to_visit:
            literal = to_visit.pop()
            if literal not in found:
                found.add(literal)
                to_visit.extend(part for conditions in self.instances.get(literal, ()) for part in conditions)
        return frozenset(found)

    @cached_property
    def closure(self) -> frozenset[Literal]:
        """Everything given or derivable, in time linear in the rule instances; both sides of a contradiction too."""
        waiting: dict[Literal, list[list]] = {}
        to_add = list(self.given)
        for conclusion, ways in self.instances.items():
            for conditions in ways:
                instance = [len(set(conditions)), conclusion]
                for condition in set(conditions):
                    waiting.setdefault(condition, []).append(instance)
        found: set[Literal] = set()
        while to_add:
            literal = to_add.pop()
            if literal in found:
                continue
            found.add(literal)
            for instance in waiting.get(literal, ()):
                instance[0] -= 1
                if instance[0] == 0:
                    to_add.append(instance[1])
        return frozenset(found)


class Deduction:
    """The state of one chain: the theory and what the chain has derived from it so far, in order."""

    def __init__(self, theory: Theory) -> None:
        self.theory = theory
        self.given, self.rules, self.unread = theory.given, theory.rules, theory.unread
        self.goal, self.asked_false = theory.goal, theory.asked_false
        self.derived: list[Literal] = []
        self.known = set(theory.given)

    def closure(self) -> frozenset[Literal]:
        """Everything given or derivable."""
        return self.theory.closure

    def gold(self) -> str:
        """True, False or Unknown, as forward chaining decides the question."""
        if self.goal is None:
            raise ToolError('no question is understood; write one like "Is it true that Leo is red?"')
        return next((answer for answer in ("True", "False") if self._claimed(answer) in self.closure()), "Unknown")

    def rests_on(self, answer: str) -> bool:
        """Whether what is known now supports the answer (True, False or Unknown).

        Unknown is supported when the question is not decided and no rule could fire that might still matter.
        """
        if self.goal is None:
            return False
        if answer in ("True", "False"):
            return self._claimed(answer) in self.known
        undecided = self.goal not in self.known and self.goal.negated() not in self.known
        return answer == "Unknown" and undecided and not self.pending()

    def pending(self) -> list[Literal]:
        """What one rule would give now and might matter to the question.

        That is what a derivation of the goal or its negation could pass through, and what is said of the individuals
        of the question and is a condition of any rule.
        """
        if self.goal is None:
            return []
        asked = {self.goal.subject, self.goal.object}
        theory = self.theory
        return [
            conclusion
            for conclusion, ways in theory.instances.items()
            if conclusion not in self.known
            and (conclusion in theory.relevant or conclusion.subject in asked and conclusion in theory.conditions)
            and conclusion.negated() not in self.known
            and any(self.known.issuperset(conditions) for conditions in ways)
        ]

    def results_used(self, answer: str) -> bool:
        """Whether every derived fact led to the goal; an Unknown rests on all that was derived."""
        if self.goal is None or answer == "Unknown":
            return True
        needed = {self.goal, self.goal.negated()}
        for literal in reversed(self.derived):
            if literal not in needed:
                return False
            for conditions in self.theory.instances[literal]:
                needed.update(conditions if self.known.issuperset(conditions) else ())
        return True

    def _claimed(self, answer: str) -> Literal:
        """The literal that is known if the answer, True or False, is right."""
        return self.goal if (answer == "True") != self.asked_false else self.goal.negated()

    def read(self, fact: str) -> Literal:
        """The literal of a fact that a model wrote; ToolError where it is not understood."""
        reading = read_sentence(fact)
        if reading is None or reading.conditions:
            raise ToolError(f'"{clipped(fact)}" is not understood; write one fact, such as "Leo is not red"')
        return self.theory.vocabulary.spelled(reading.conclusion)

    def recall(self, about: str) -> str:
        """The known facts about that individual and the rules with that property or verb among their conditions."""
        name = " ".join(about.lower().rstrip(". ").split())
        name = name.removeprefix("is ").removeprefix("not ").removeprefix("never ")
        if not name:
            raise ToolError("about is empty; name an individual or a property")
        vocabulary = self.theory.vocabulary
        found = []
        individual = vocabulary.individual(name)
        if individual:
            found += [sentence for fact, sentence in self.given.items() if individual in fact]
            found += [_sentence(fact) for fact in self.derived if individual in fact]
        topic = vocabulary.property(name) or vocabulary.verb(name)
        if topic:
            found += [r.sentence for r in self.rules if any(topic in (c.verb, c.object) for c in r.conditions)]
        return " ".join(found) or f'Nothing is said about "{clipped(about)}".'

    def check(self, fact: str) -> str:
        """True if the fact is known, False if its negation is, Unknown if neither is known so far."""
        literal = self.read(fact)
        return "True" if literal in self.known else "False" if literal.negated() in self.known else "Unknown"

    def derive(self, fact: str) -> str:
        """Add the fact if one rule gives it from what is known; ToolError otherwise."""
        literal = self.read(fact)
        text = clipped(literal.text())
        if literal in self.known:
            raise ToolError(f'"{text}" is known already; derive a new fact or finish')
        if literal.negated() in self.known:
            raise ToolError(f'"{text}" contradicts "{literal.negated().text()}", which is known')
        ways = self.theory.instances.get(literal)
        if not ways:
            raise ToolError(f'no rule gives "{text}"; derive what a rule concludes from known facts')
        missing = min(([part for part in way if part not in self.known] for way in ways), key=len)
        if missing:
            raise ToolError(f'"{text}" needs "{missing[0].text()}", which is not known yet')
        self.known.add(literal)
        self.derived.append(literal)
        return literal.text()


def open_theory(question: str) -> Deduction:
    """Read the problem's text. ToolError where it is too long; a sentence that is not understood goes to `unread`."""
    return Deduction(_theory(question))


@lru_cache(maxsize=64)
def _theory(question: str) -> Theory:
    if len(question) > MAX_SENTENCES * MAX_LENGTH:
        limit = MAX_SENTENCES * MAX_LENGTH
        raise ToolError(f"the problem has {len(question):,} characters, limit {limit:,}; shorten it")
    parts = sentences(question)
    if len(parts) > MAX_SENTENCES:
        raise ToolError(f"the problem has {len(parts)} sentences, limit {MAX_SENTENCES}; shorten it")
    readings: list[tuple[str, Reading]] = []
    unread: list[str] = []
    goal: Reading | None = None
    asked_false = False
    awaited: bool | None = None  # after "is the following statement ...": whether it asks "is it false"
    for sentence in parts:
        asked = read_question(sentence) if awaited is None else (sentence, awaited)
        awaited = None
        if asked and not asked[0]:
            awaited = asked[1]
            continue
        reading = read_sentence(asked[0] if asked else sentence)
        if reading and not asked:
            readings.append((sentence, reading))
        elif reading and goal is None and not reading.conditions:
            goal, asked_false = reading, asked[1]
        else:
            unread.append(sentence)
    return settled(readings, goal, asked_false, tuple(unread))


def settled(readings: list[tuple[str, Reading]], goal: Reading | None, asked_false: bool, unread: tuple) -> Theory:
    """The theory of sentences with their readings. ToolError where it is too large to write out."""
    vocabulary = Vocabulary([reading for _, reading in readings] + ([goal] if goal else []))
    spelled = vocabulary.spelled
    given: dict[Literal, str] = {}
    rules = []
    for sentence, (conditions, conclusion) in readings:
        if conditions:
            rules.append(Rule(tuple(map(spelled, conditions)), spelled(conclusion), sentence))
        else:
            given.setdefault(spelled(conclusion), sentence)
    literals = sum(len(rule.conditions) + 1 for rule in rules) * len(vocabulary.individuals)
    if literals > MAX_LITERALS:
        size = f"{len(rules)} rules and {len(vocabulary.individuals)} individuals: {literals:,} literals"
        raise ToolError(f"the problem has {size}, limit {MAX_LITERALS:,}; shorten it")
    return Theory(given, tuple(rules), spelled(goal.conclusion) if goal else None, asked_false, unread, vocabulary)


def _about(literal: Literal, individual: str) -> Literal:
    subject, verb, object_, positive = literal
    if subject == VARIABLE:
        return Literal(individual, verb, individual if object_ == VARIABLE else object_, positive)
    return Literal(subject, verb, individual, positive) if object_ == VARIABLE else literal


def _sentence(literal: Literal) -> str:
    text = literal.text()
    return f"{text[0].upper()}{text[1:]}."


RECALL = Tool(
    "Recall",
    {"about": "text"},
    "Lists the known facts about an individual, or the rules that have a property among their conditions.",
    'Recall(about="rompus")',
    lambda state, about: state.recall(about),
)
DERIVE = Tool(
    "Derive",
    {"fact": "text"},
    "Applies one rule of the problem to known facts and records the new fact.",
    'Derive(fact="Leo is not red")',
    lambda state, fact: state.derive(fact),
)
CHECK = Tool(
    "Check",
    {"fact": "text"},
    "Says whether a fact is True or False by what is known so far, or Unknown; derives nothing.",
    'Check(fact="Leo is red")',
    lambda state, fact: state.check(fact),
)
DEDUCTION = toolkit("deduction", open_theory, [RECALL, DERIVE, CHECK])
