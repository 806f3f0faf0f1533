"""What a problem's text says, as far as judging formulas needs it: its statements, what it asks, and its words.

Sentences in the English of the deduction toolkit are understood; others are compared word by word. What follows from
such a comparison is either sure or left open, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from stages.tools.deduction.english import NO_NAME, read_question, read_sentence, sentences
from stages.tools.deduction.vocabulary import IRREGULAR, Literal, Reading, Vocabulary

_OPTION = re.compile(r"\(?([A-Z])[).:] ?(\S.*)")
_WORD = re.compile(r"[^\W_]++(?:'[^\W_]++)*")
_NAME_PART = re.compile(r"[A-Z]?[a-z]++|[A-Z]++(?![a-z])|[A-Z]|[0-9]++")
_FOREIGN_SCRIPT = re.compile(r"(?![A-Za-zÀ-ɏḀ-ỿ])[^\W\d_]")
_NOT_TRUE = re.compile(r"\b(?:false|not|cannot|except|incorrect|untrue|could|can|may|might|possibl[ey])\b|n't\b")
# Words that a text has whatever it is about.
_COMMON = NO_NAME.union(
    "true false unknown uncertain following statement statements above information based question which".split()
)


@dataclass(frozen=True)
class Asked:
    """A statement that the problem asks about: its question's, or an option's.

    `told` is True or False where a statement of the problem is surely this one, or its negation: both are understood,
    or both have the same words.
    """

    text: str = ""
    told: str = ""
    understood: bool = False

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(_words(self.text)) - _COMMON


@dataclass(frozen=True)
class Story:
    """A problem's text. Each statement is counted once, however often and in whatever words understood it is made."""

    statements: int = 0  # lines that end as sentences, without the line that asks and what says nothing
    different: int = 0  # of these, understood ones: so many premises that are not equivalent state them
    whole: bool = False  # whether every sentence is understood
    asked: Asked = Asked()
    asks_false: bool = False  # the question is "is it false that ..."
    options: dict[str, Asked] = field(default_factory=dict)
    asks_true: bool = True  # the right option is surely the one that is true, not the false or a possible one
    words: frozenset[str] = frozenset()  # all, in lower case
    said: tuple[tuple[str, ...], ...] = ()  # the words of each sentence that states something

    @cached_property
    def _content(self) -> frozenset[str]:
        """The words that tell what the text is about."""
        content = self.words - _COMMON
        return content | frozenset(map(_singular, content))

    @cached_property
    def comparable(self) -> bool:
        """Whether names can be expected to have the text's words: not where it is empty or in another script."""
        return bool(self._content) and not any(map(_FOREIGN_SCRIPT.search, self._content))

    def speaks_of(self, name: str) -> bool:
        """Whether the name shares a word with the text, or a word's first three letters."""
        parts = [part for part in name_parts(name) if part not in _COMMON]
        starts = {word[:3] for word in self._content if len(word) > 2 and not word.isdigit()}
        parts = [part for part in [*parts, "".join(parts)] if len(part) > 1]  # `HasBSc`: sc, bsc
        return any(part in self._content or part[:3] in starts for part in parts)

    def asks_of(self, name: str) -> bool:
        """Whether the name is made of words of the question, or of an option, but for endings.

        Not where one statement has them all: premises that state it should have the name then.
        """
        parts = [part for part in name_parts(name) if part not in _COMMON]
        questions = [_words(one.text) for one in (self.asked, *self.options.values())]
        return any(_made_of(parts, words) for words in questions) and not any(_made_of(parts, s) for s in self.said)


def name_parts(name: str) -> list[str]:
    """`LikesLogic`, `likes_logic` -> likes, logic"""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return [part.lower() for part in _NAME_PART.findall(plain)]


@lru_cache(maxsize=64)
def read_story(question: str) -> Story:
    """The text of a problem, whose last line asks; lettered options may follow it, one a line."""
    lines = [line.strip() for line in question.splitlines() if line.strip()]
    options: dict[str, str] = {}
    while lines and (match := _OPTION.fullmatch(lines[-1])):
        options = {match[1]: match[2], **options}
        del lines[-1]
    if len(options) < 2:
        lines += [f"{letter}) {option}" for letter, option in options.items()]
        options = {}
    elif lines and lines[-1].lower() == "options:":
        del lines[-1]
    *told, asks = lines or [""]
    parts = sentences(asks) or [""]
    first = next((place for place, part in enumerate(parts) if part.endswith("?")), len(parts) - 1)
    said = [*(part for line in told for part in sentences(line)), *parts[:first]]
    asked, asks_false = _asked(parts[first:])
    texts = [asked, *options.values()]
    readings = {text: read_sentence(text) for text in (*told, *said, *texts)}
    spelled = Vocabulary([reading for reading in readings.values() if reading]).spelled
    clauses = {text: _clause(reading, spelled) for text, reading in readings.items() if reading}
    stated = {clauses.get(line) or tuple(_words(line)) for line in told if line.endswith((".", "!"))}
    stated = {key for key in stated if isinstance(key, tuple) or not any(part.negated() in key for part in key)}
    heard = [_heard(text, said, clauses) for text in texts]
    return Story(
        len(stated),
        sum(not isinstance(key, tuple) for key in stated),
        bool(said) and all(text in clauses for text in said),
        heard[0],
        asks_false,
        dict(zip(options, heard[1:], strict=True)),
        _NOT_TRUE.search(parts[first].lower()) is None,
        frozenset(_words(question)),
        tuple(tuple(_words(sentence)) for sentence in said),
    )


def _asked(parts: list[str]) -> tuple[str, bool]:
    """The statement that a question asks about, and whether it asks if that is false."""
    question, rest = parts[0], " ".join(parts[1:])
    statement, asks_false = read_question(question) or ("", False)
    return statement or rest or question, asks_false


def _clause(reading: Reading, spelled: object) -> frozenset[Literal]:
    """What a sentence says as a set of which one holds: a rule and its contraposition are one."""
    return frozenset([*(spelled(part).negated() for part in reading.conditions), spelled(reading.conclusion)])


def _heard(text: str, said: list[str], clauses: dict[str, frozenset[Literal]]) -> Asked:
    """The statement that is asked about, held against all that the problem says."""
    clause, words = clauses.get(text), _words(text)
    if clause is None:
        return Asked(text, "True" if words and words in map(_words, said) else "")
    stated = [clauses[sentence] for sentence in said if sentence in clauses]
    told = {"True"} if clause in stated else set()
    told |= {"False"} if len(clause) == 1 and frozenset(part.negated() for part in clause) in stated else set()
    return Asked(text, told.pop() if len(told) == 1 else "", True)


def _made_of(parts: list[str], words: Sequence[str]) -> bool:
    """Whether the parts of a name, or all of them run together (`HasMSc`), are words of a sentence."""
    stems = set(map(_stem, words))
    return bool(parts) and ("".join(parts) in words or stems.issuperset(map(_stem, parts)))


def _words(text: str) -> list[str]:
    return [word.removesuffix("'s") for word in _WORD.findall(_folded(text.replace("’", "'")))]


def _folded(text: str) -> str:
    """In lower case and without accents."""
    if text.isascii():
        return text.lower()
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(sign))


def _stem(word: str) -> str:
    """Without the endings of plurals and tenses, roughly: hosts, hosted, hosting -> host"""
    word = _singular(word)
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2 and not word.endswith("ss"):
            word = word.removesuffix(ending)
            break
    return re.sub("i$", "y", word).removesuffix("e")


def _singular(word: str) -> str:
    """Of plurals that share few letters with their singular: men -> man, people -> person"""
    return f"{word[:-2]}an" if word.endswith("men") else IRREGULAR.get(word, word)
