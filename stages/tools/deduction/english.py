"""Reads the English of logic problems: the facts, rules and questions of built-in problems, ProntoQA and ProofWriter.

A sentence is walked word by word, in linear time; nothing is evaluated. What is not surely understood is not read at
all: a wrong reading would make wrong verdicts, while an unread sentence is listed in `Deduction.unread`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from stages.tools.deduction.vocabulary import VARIABLE, Literal, Reading, base_form

MAX_LENGTH = 300  # characters of a sentence
_PRONOUN = "*"  # it, they: someone or something that was spoken of before

_TEXT = re.compile(r"\w++(?:['-]\w++)*(?:[\s,]++\w++(?:['-]\w++)*)*")
_ASKED = re.compile(r"is it (true or false|true|false) (?:that )?(.+)\?", re.IGNORECASE | re.DOTALL)
_CONTRACTIONS = {"isn't": "is not", "aren't": "are not", "doesn't": "does not", "don't": "do not"}
_SOME = {"someone", "something", "somebody", "anyone", "anything", "anybody"}
_EVERYONE = {"everyone", "everything", "everybody", *_SOME}
_PRONOUNS = {"it", "they", "he", "she", "them", "him", "her"}
_EVERY = {"each", "every", "any", "all", "no", "a", "an"}
_VERBS = {"is", "are", "does", "do"}
_NOT = {"not", "never"}
_KINDS = {"things", "people", "ones", "thing", "person", "one"}
# Words that are never part of a name: a sentence that has one where a name should stand says something else.
NO_NAME = frozenset(
    """, the and or if then that who which what was were be been being am did has have had will would can could
    may might must shall should some most many few several both either neither nor but than as of in on at by to
    for from with about into only also there here this these those when while because unless until whether so more
    less nothing nobody none perhaps maybe probably usually often sometimes always nearly almost two""".split()
).union(_EVERY, _EVERYONE, _PRONOUNS, _VERBS, _NOT)


def sentences(text: str) -> list[str]:
    """The text cut after every `.`, `?` and `!` that ends a word, and at line ends."""
    return [part for line in text.splitlines() for part in re.split(r"(?<=[.?!])\s+", line.strip()) if part]


def read_sentence(sentence: str) -> Reading | None:
    """What the sentence says, or None where it is not understood."""
    return None if len(sentence) > MAX_LENGTH else _read(sentence)


@lru_cache(maxsize=20_000)
def _read(sentence: str) -> Reading | None:
    words = _words(sentence)
    if not words:
        return None
    first = words[0].lower()
    if first == "if":
        return _if_rule(words[1:])
    if first in _EVERY:
        return _every_rule(words[1:], first)
    if first in _EVERYONE or not {"are", "do"}.isdisjoint(map(str.lower, words)):
        return _every_rule(words)
    fact = _literal(words)
    return None if fact is None or {VARIABLE, _PRONOUN} & set(_terms(fact)) else Reading((), fact)


def read_question(sentence: str) -> tuple[str, bool] | None:
    """The asked statement and whether the question asks "is it false"; an empty statement: the next sentence is it."""
    asked = _ASKED.fullmatch(sentence)
    if asked:
        return asked[2], asked[1].lower() == "false"
    lower = sentence.lower()
    if lower.startswith("true or false:"):
        return sentence[len("true or false:") :].strip(), False
    if lower.endswith("?") and "following statement" in lower:
        return "", "false" in lower and "true" not in lower
    return None


def _words(sentence: str) -> list[str]:
    """The words and commas of the sentence; none where it holds other signs."""
    text = sentence.strip().rstrip(".!? ").replace("’", "'")
    if not _TEXT.fullmatch(text):
        return []
    words = text.replace(",", " , ").split()
    if "'" in text:
        words = [part for word in words for part in _CONTRACTIONS.get(word.lower(), word).split()]
    return words


def _if_rule(words: list[str]) -> Reading | None:
    lower = [word.lower() for word in words]
    mark = "then" if "then" in lower else ","
    if mark not in lower:
        return None
    cut = len(lower) - 1 - lower[::-1].index(mark)
    conclusion = _literal(words[cut + 1 :])
    conditions = _conditions(words[:cut])
    if conclusion is None or not conditions:
        return None
    terms = [term for literal in conditions for term in _terms(literal)]
    if terms.count(VARIABLE) > 1 or VARIABLE in _terms(conclusion):
        return None  # a second `someone` may be someone else
    if _PRONOUN in (*terms, *_terms(conclusion)):
        named = set(terms) - {_PRONOUN}
        meant = VARIABLE if VARIABLE in named else named.pop() if len(named) == 1 else None
        if meant is None:
            return None
        conditions = [_replaced(literal, _PRONOUN, meant) for literal in conditions]
        conclusion = _replaced(conclusion, _PRONOUN, meant)
    return Reading(tuple(conditions), conclusion)


def _conditions(words: list[str]) -> list[Literal]:
    """Conditions joined by `and` or commas; one without a subject ("and not cold") takes that of the one before."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "," or word.lower() == "and":
            parts.append([])
        else:
            parts[-1].append(word)
    literals: list[Literal] = []
    for part in filter(None, parts):
        literal = _literal(part)
        if literal is None and literals:
            before = literals[-1].subject
            literal = _literal(["it", *part]) or _literal(["it", "is", *part])
            if literal and before != VARIABLE:
                literal = literal._replace(subject=before)
        if literal is None:
            return []
        literals.append(literal)
    return literals


def _every_rule(words: list[str], quantifier: str = "") -> Reading | None:
    """`each`: `rompus [that is shy] is red`, `rompus likes the cat`; ``: `red, cold things are round`."""
    lower = [word.lower() for word in words]
    relative = next((i for i, word in enumerate(lower) if word in ("that", "who", "which")), None)
    verb = next((i for i in range(len(lower) - 1, 0, -1) if lower[i] in _VERBS), None)
    if verb is None and relative is None and quantifier not in ("a", "an"):
        verb = 1  # but `a dog chases the cat` tells of one dog
    if verb is None or len(words) < 3:
        return None
    conditions = _noun_phrase(lower[: verb if relative is None else relative], lower[verb] in ("are", "do"))
    if relative is not None:
        if verb < relative + 2 or conditions is None:
            return None
        conditions += (clause := _conditions(["it", *words[relative + 1 : verb]]))
        if not clause:
            return None
        if conditions[0].object in ("each person", "many people"):
            del conditions[0]
    conclusion = _literal(["it", *words[verb:]])
    if not conditions or conclusion is None or VARIABLE in (conclusion.object, *(part.object for part in conditions)):
        return None
    if quantifier == "no":
        if not conclusion.positive:
            return None
        conclusion = conclusion.negated()
    conditions = [_replaced(literal, _PRONOUN, VARIABLE) for literal in conditions]
    return Reading(tuple(conditions), _replaced(conclusion, _PRONOUN, VARIABLE))


def _noun_phrase(lower: list[str], plural: bool) -> list[Literal] | None:
    """The conditions on the individual that a rule's subject names: `rompuses`, `red, cold things`, `everything`."""
    if len(lower) == 1 and lower[0] in (*_EVERYONE, "thing", "things", "one", "ones"):
        return []
    if len(lower) > 1 and lower[-1] in _KINDS:
        properties = [word for word in lower[:-1] if word not in (",", "and")]
        if not NO_NAME.isdisjoint(properties):
            return None
        return [Literal(VARIABLE, "is", word) for word in properties]
    if not _is_name(lower):
        return None
    return [Literal(VARIABLE, "is", f"{'many' if plural else 'each'} {' '.join(lower)}")]


def _literal(words: list[str]) -> Literal | None:
    """`Leo is not red`, `the cat does not chase the dog`, `they see the cow`; None where it is none of these."""
    lower = [word.lower() for word in words]
    verb = next((i for i, word in enumerate(lower) if word in _VERBS), None)
    if verb is None:
        return _relation(words, lower)
    positive = not (verb + 1 < len(lower) and lower[verb + 1] in _NOT)
    rest = words[verb + 1 if positive else verb + 2 :]
    subject = _individual(words[:verb])
    if subject is None or not rest:
        return None
    if lower[verb] in ("is", "are"):
        property_ = _property([word.lower() for word in rest], lower[verb] == "are")
        return property_ and Literal(subject, "is", property_, positive)
    object_ = _individual(rest[1:])
    if positive or object_ is None or subject == object_ == _PRONOUN or rest[0].lower() in NO_NAME:
        return None
    return Literal(subject, rest[0].lower(), object_, False)


def _relation(words: list[str], lower: list[str]) -> Literal | None:
    """`the bald eagle [never] chases the cat`: the object starts at the last `the`, or is the last word."""
    start = len(lower) - 1 - lower[::-1].index("the") if "the" in lower[1:] else len(lower) - 1
    positive = "never" not in lower[: start - 1]
    end = start - 1 if positive else start - 2
    if end < 1 or not positive and lower[end] != "never":
        return None
    subject, object_, verb = _individual(words[:end]), _individual(words[start:]), lower[start - 1]
    if subject is None or object_ is None or subject == object_ == _PRONOUN or verb in NO_NAME:
        return None
    if lower[:end] != ["they"]:
        if not verb.endswith("s"):
            return None
        verb = base_form(verb)
    return Literal(subject, verb, object_, positive)


def _individual(words: list[str]) -> str | None:
    """`Leo`, `the bald eagle`, or the marks of `someone` and `it`."""
    if len(words) == 1:
        word = words[0].lower()
        if word in _SOME:
            return VARIABLE
        if word in _PRONOUNS:
            return _PRONOUN
    if words and words[0].lower() == "the":
        rest = [word.lower() for word in words[1:]]
        return f"the {' '.join(rest)}" if _is_name(rest) else None
    return " ".join(words) if _is_name([word.lower() for word in words]) else None


def _property(lower: list[str], plural: bool) -> str | None:
    if lower[0] in ("a", "an"):
        return " ".join(lower) if _is_name(lower[1:]) else None
    return (f"perhaps {' '.join(lower)}" if plural else " ".join(lower)) if _is_name(lower) else None


def _is_name(lower: list[str]) -> bool:
    return 1 <= len(lower) <= 3 and NO_NAME.isdisjoint(lower)


def _terms(literal: Literal) -> tuple[str, ...]:
    """Who the literal speaks of."""
    return (literal.subject,) if literal.verb == "is" else (literal.subject, literal.object)


def _replaced(literal: Literal, old: str, new: str) -> Literal:
    subject, verb, object_, positive = literal
    return Literal(new if subject == old else subject, verb, new if object_ == old else object_, positive)
