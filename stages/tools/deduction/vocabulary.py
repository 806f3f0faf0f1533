"""Literals, and the one spelling that each individual, property and verb of a problem has in them."""

from __future__ import annotations

from typing import NamedTuple

VARIABLE = "?"  # the one individual a rule speaks of without naming it: someone, something

IRREGULAR = {"people": "person", "children": "child", "mice": "mouse", "geese": "goose", "feet": "foot"}


class Literal(NamedTuple):
    """A fact or a condition. `verb` is "is" (then `object` is a property: "red", "a rompus") or a verb's base form."""

    subject: str
    verb: str
    object: str
    positive: bool = True

    def negated(self) -> Literal:
        """The opposite literal."""
        return Literal(self.subject, self.verb, self.object, not self.positive)

    def text(self) -> str:
        """The canonical sentence without its period: "Leo is not red", "the cat does not chase the dog"."""
        if self.verb == "is":
            return f"{self.subject} is {'' if self.positive else 'not '}{self.object}"
        verb = _third_person(self.verb) if self.positive else f"does not {self.verb}"
        return f"{self.subject} {verb} {self.object}"


class Reading(NamedTuple):
    """What a sentence says: a conclusion under conditions; a fact has none.

    Properties are still as the sentence has them, with what it shows of their kind as first word: "a rompus", "each
    rompus" (a noun), "many rompuses" (a plural), "perhaps shy" (an adjective or a plural); `Vocabulary` settles them.
    """

    conditions: tuple[Literal, ...]
    conclusion: Literal


class Vocabulary:
    """The individuals and properties of one problem, each with the one spelling that its literals use."""

    def __init__(self, readings: list[Reading]) -> None:
        self.individuals: dict[str, str] = {}  # "bald eagle" -> "the bald eagle", "leo" -> "Leo"
        self.nouns: dict[str, str] = {}  # "impus" -> "an impus"
        self.adjectives: dict[str, str] = {}
        self.verbs: dict[str, str] = {}
        self._spelled: dict[str, str] = {}  # property as a sentence has it -> as literals have it
        properties = []
        for reading in readings:
            for literal in (*reading.conditions, reading.conclusion):
                self._meet(literal.subject)
                if literal.verb == "is":
                    properties.append(literal.object)
                else:
                    self._meet(literal.object)
                    self.verbs[literal.verb] = literal.verb
        for kinds in (("a", "an"), ("each",), ("many",), ("perhaps",)):
            for property_ in properties:
                kind, _, name = property_.partition(" ")
                if kind in kinds:
                    self._spelled[property_] = self._settled(kind, name)
        for property_ in properties:
            if property_ not in self._spelled:
                self.adjectives[property_] = self._spelled[property_] = property_

    def _meet(self, individual: str) -> None:
        if individual != VARIABLE:
            self.individuals.setdefault(individual.lower().removeprefix("the "), individual)

    def _settled(self, kind: str, name: str) -> str:
        """The spelling of a property by what a sentence shows of its kind; surer kinds come first."""
        if kind in ("many", "perhaps"):
            forms = _singulars(name)
            known = next((form for form in (*forms, name) if form in self.nouns), None)
            if known:
                return self.nouns[known]
            if kind == "perhaps" and not forms:
                return self.adjectives.setdefault(name, name)
            name = forms[0] if forms else name
        article = kind if kind in ("a", "an") else "an" if name[0] in "aeiou" else "a"
        return self.nouns.setdefault(name, f"{article} {name}")

    def spelled(self, literal: Literal) -> Literal:
        """The literal in the problem's spelling, as far as the problem has its words in any case, article or number."""
        subject, verb, object_, positive = literal
        subject = self.individual(subject) or subject
        if verb == "is":
            return Literal(subject, verb, self._spelled.get(object_) or self.property(object_) or object_, positive)
        return Literal(subject, verb, self.individual(object_) or object_, positive)

    def individual(self, written: str) -> str | None:
        """The problem's individual of that name; None where the problem has none."""
        return self.individuals.get(written.lower().removeprefix("the "))

    def property(self, written: str) -> str | None:
        """The problem's property of that name, whatever the article and number; None where the problem has none."""
        kind, _, name = written.lower().partition(" ")
        is_noun = kind in ("a", "an")
        name = name if is_noun or kind == "perhaps" else written.lower()
        first, second = (self.nouns, self.adjectives) if is_noun else (self.adjectives, self.nouns)
        if name in first or name in second:
            return first.get(name) or second[name]
        return next((self.nouns[form] for form in _singulars(name) if form in self.nouns), None)

    def verb(self, written: str) -> str | None:
        """The problem's verb of that name, in its base form; None where the problem has none."""
        base = written.lower().removeprefix("does ").removeprefix("not ")
        return self.verbs.get(base) or self.verbs.get(base_form(base))


def base_form(verb: str) -> str:
    """chases -> chase, watches -> watch, carries -> carry"""
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "zzes", "oes")) else verb[:-1]


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("ch", "sh", "ss", "x", "zz", "o")) else "s")


def _singulars(plural: str) -> list[str]:
    """Possible singulars, the likeliest first: rompuses -> rompus, rompuse; wolves -> wolf, wolfe, wolve."""
    head, _, word = plural.rpartition(" ")
    if word in IRREGULAR:
        forms = [IRREGULAR[word]]
    elif word.endswith("men"):
        forms = [word[:-2] + "an"]
    elif word.endswith("ies"):
        forms = [word[:-3] + "y", word[:-1]]
    elif word.endswith("ves"):
        forms = [word[:-1], word[:-3] + "f", word[:-3] + "fe"]
    elif word.endswith(("ouses", "auses")):
        forms = [word[:-1], word[:-2]]
    elif word.endswith(("uses", "sses", "xes", "zes", "ches", "shes", "oes")):
        forms = [word[:-2], word[:-1]]
    elif word.endswith("s") and not word.endswith(("ss", "ous", "us", "is")):
        forms = [word[:-1], word[:-2]] if word.endswith("es") else [word[:-1]]
    else:
        forms = []
    return [f"{head} {form}" if head else form for form in forms if form]
