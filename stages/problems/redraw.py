"""More training problems from one: its numbers drawn anew in the question and in the reference solution, honestly.

A number is drawn only where it surely is the same in both: it stands once in the question, in digits or spelled (`two`
to `ninety-nine`), and once in the calls, where nothing else can be meant (an earlier result, another word, 7 days of a
week). Other operands must be earlier results, words of the question such as `twice`, or its own 0 and 1; they stay. A
spelled number stays spelled, so that a student learns from the draws which word is which number. The tools' arithmetic
gives the new results; each keeps its kind: whole or of as few decimal places, positive, zero or negative, of similar
size. Sums and products take their operands in one order, which sources write as it comes, so that a student learns no
chance order. Everything else is refused, as a wrong problem is worse than one problem less.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

from stages.records.chain import Call, number_text
from stages.records.numbers import SPELLED, SPELLED_NUMBER, WORDS
from stages.records.problem import Problem, text_key
from stages.tools.arithmetic.expression import add, divide, multiply
from stages.tools.calls import number
from stages.tools.tool import ToolError

TRIES = 400  # draws for one new problem
MAX_TIMES = 10  # a result is at most so many times as large as the one it stands for
# What the tools of the same name do, without the way through text and back.
OPERATIONS = {"Add": add, "Subtract": lambda a, b: add(a, -b), "Multiply": multiply, "Divide": divide}

_MARK = "-redrawn-"
_PLAIN = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,6})?|[0-9]{1,9}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}")
_SPAN = re.compile(r"(?<![\w.,:/-])(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?![\w/:]|[.,][0-9]|-[0-9])")

_BY_VALUE = {value: word for word, value in SPELLED.items() if " " not in word}

# What a number may mean beside what the question says, where one of these words stands in it.
_MEANT = {
    2: "half halves average sides perimeter rectangle rectangular both",
    3: "third thirds triangle triangular",
    4: "quarter quarters square fourth",
    7: "week weeks weekly",
    10: "dime dimes decade decades",
    12: "year years yearly annual annually month months dozen dozens foot feet inch inches",
    24: "day days daily hour hours",
    25: "quarter quarters",
    30: "month months",
    52: "year years week weeks",
    60: "minute minutes hour hours second seconds",
    100: "percent percentage cent cents meter meters centimeters century",
    365: "year years",
}

# Where an operand is taken from: an earlier result, a numeral of the question, or a fixed number.
Operand = tuple[str, int | Fraction]
ORDER = ("result", "numeral", "fixed")  # of the operands of a sum or product, and numerals as they stand in the text


@dataclass(frozen=True)
class Numeral:
    """A number of the question, in digits or spelled: where it stands, how it is written, and its value."""

    start: int
    text: str
    value: Fraction

    @property
    def places(self) -> int:
        return len(self.text.partition(".")[2])

    def written(self, value: Fraction) -> str:
        """Another value in this numeral's form: spelled, or with its decimal places and thousands separators."""
        if self.text[0].isalpha():
            word = _BY_VALUE[int(value)].replace("-", " " if " " in self.text else "-")
            return word.capitalize() if self.text[0].isupper() else word
        unit = 10**self.places
        whole, part = divmod(int(value * unit), unit)
        digits = f"{whole:,}" if "," in self.text else "" if self.text.startswith(".") else str(whole)
        return f"{digits}.{part:0{self.places}d}" if self.places else digits


@dataclass(frozen=True)
class Program:
    """A solution with its operands by where they come from, and what it gave for the problem as published."""

    numerals: tuple[Numeral, ...]
    tools: tuple[str, ...]
    operands: tuple[tuple[Operand, Operand], ...]
    results: tuple[Fraction, ...]


def redrawn(problem: Problem, count: int, seed: int) -> list[Problem]:
    """Up to `count` different problems with other numbers; none where the numbers cannot be linked surely.

    The draws depend on the seed and the problem alone.
    """
    program = linked(problem)
    if program is None:
        return []
    rng = random.Random(f"{seed} {problem.id} {problem.question}")
    made: dict[str, Problem] = {}
    for _ in range(TRIES * count):
        if len(made) == count:
            break
        values = [drawn_value(numeral, rng) for numeral in program.numerals]
        other = _applied(problem, program, values)
        if other is not None and text_key(other.question) != text_key(problem.question):
            made.setdefault(text_key(other.question), replace(other, id=f"{problem.id}{_MARK}{len(made) + 1}"))
    return list(made.values())


def family(problem: Problem) -> str:
    """The id of the problem that this one was drawn from; its own where it was not."""
    return problem.id.partition(_MARK)[0]


def marked(name: str, number: int) -> str:
    """The id `name` in the `number`-th file that has it on a question of its own: `gsm8k/test/00000@2`."""
    first, mark, rest = name.partition(_MARK)
    return name if number == 1 else f"{first}@{number}{mark}{rest}"


def linked(problem: Problem) -> Program | None:
    """The solution as a program over the question's numerals, where each operand's origin is certain; else None."""
    # Every number of the question must be read, and every call be one of the four operations.
    *calls, finish = problem.solution or (Call("Finish", {}),)
    stated = [(match.start(), match[0]) for match in _SPAN.finditer(problem.question)]
    if not calls or any(call.tool not in OPERATIONS for call in calls) or len(stated) != _written(problem.question):
        return None
    if not all(_PLAIN.fullmatch(text) for _, text in stated):
        return None
    numerals = [Numeral(start, text, number(text.replace(",", ""))) for start, text in stated]
    numerals += [
        Numeral(match.start(), match[0], _spelled(match)) for match in SPELLED_NUMBER.finditer(problem.question)
    ]
    # What a value may come from: a numeral (`times`), a word such as twice (`words`), or a meaning near a numeral.
    times = Counter(numeral.value for numeral in numerals)
    starts = {numeral.value: numeral.start for numeral in numerals}
    said = set(re.findall(r"[a-z]+", SPELLED_NUMBER.sub("", problem.question).lower()))
    words = {WORDS[word] for word in said & WORDS.keys()}
    words |= {1 / value for value in words if value < 1}  # half of it: times 1/2, or divided by 2
    near = {meaning for numeral in numerals for meaning in _derived(numeral.value)}
    # Call by call: where does each operand come from? Give up where two answers are possible.
    results: list[Fraction] = []
    origins: list[tuple[Operand, Operand]] = []
    used: dict[Fraction, int] = {}
    for call in calls:
        pair = []
        for value in (call.arguments["a"], call.arguments["b"]):
            # Exactly one origin, which the question or the results have once, and no second meaning.
            holds = (value in results) + (value in times) + (value in words)
            if holds != 1 or times[value] > 1 or results.count(value) > 1 or value in words and value in near:
                return None
            if value in used or value in times and said.intersection(_MEANT.get(value, "").split()):
                return None
            if value in results:
                pair.append(("result", results.index(value)))
            elif value in words or value < 2 and value.denominator == 1:
                pair.append(("fixed", value))
            else:
                pair.append(("numeral", used.setdefault(value, len(used))))
        # Operands of sums and products are put into one order.
        if call.tool in ("Add", "Multiply"):
            values = list(used)
            pair.sort(key=lambda at: (ORDER.index(at[0]), starts[values[at[1]]] if at[0] == "numeral" else at[1]))
        origins.append(tuple(pair))
        results.append(OPERATIONS[call.tool](call.arguments["a"], call.arguments["b"]))
    # The last result must be the answer, and every result must be writable.
    chosen = tuple(next(numeral for numeral in numerals if numeral.value == value) for value in used)
    if not chosen or number(str(finish.arguments["answer"])) != results[-1] or any(map(_endless, results)):
        return None
    return Program(chosen, tuple(call.tool for call in calls), tuple(origins), tuple(results))


def drawn_value(numeral: Numeral, rng: random.Random) -> Fraction:
    """A number of as many digits, before and behind the point; not 0 and, where it is whole, not 1."""
    unit = 10**numeral.places
    digits = len(str(int(numeral.value * unit)))
    least = 1 if numeral.places else 2
    return Fraction(rng.randint(max(least, 10 ** (digits - 1)), 10**digits - 1), unit)


def _applied(problem: Problem, program: Program, values: list[Fraction]) -> Problem | None:
    """The problem with these values for its numerals; None where a result is not of the kind it was."""
    if len(set(values)) < len(values):
        return None
    calls, results = [], []
    for tool, pair, before in zip(program.tools, program.operands, program.results, strict=True):
        a, b = (results[at] if kind == "result" else values[at] if kind == "numeral" else at for kind, at in pair)
        try:
            result = OPERATIONS[tool](a, b)
        except ToolError:
            return None
        if not _same_kind(before, result):
            return None
        calls.append(Call(tool, {"a": a, "b": b}))
        results.append(result)
    question = problem.question
    for numeral, value in sorted(zip(program.numerals, values, strict=True), key=lambda pair: -pair[0].start):
        end = numeral.start + len(numeral.text)
        question = question[: numeral.start] + numeral.written(value) + question[end:]
    if len(set(_values(question))) < len(set(_values(problem.question))):
        return None  # a drawn number equals one that stays
    gold = number_text(results[-1])
    solution = (*calls, Call("Finish", {"answer": gold}))
    return replace(problem, question=question, gold=gold, solution=solution)


def _same_kind(before: Fraction, now: Fraction) -> bool:
    if before.denominator == 1 and now.denominator > 1:
        return False
    if (before > 0) != (now > 0) or (before < 0) != (now < 0) or _endless(now):
        return False
    if len(number_text(now).partition(".")[2]) > len(number_text(before).partition(".")[2]):
        return False
    if 0 < before < 1:
        return now < 1
    return abs(now) <= MAX_TIMES * max(1, abs(before))


def _endless(value: Fraction) -> bool:
    return "/" in number_text(value)


def _written(question: str) -> int:
    """Everything that a reader may take for a number in digits; more than `_SPAN` finds where one is part of a word."""
    return len(re.findall(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+", question))


def _values(question: str) -> list[Fraction]:
    in_digits = [number(match[0].replace(",", "")) for match in _SPAN.finditer(question)]
    return in_digits + [_spelled(match) for match in SPELLED_NUMBER.finditer(question)]


def _spelled(match: re.Match) -> Fraction:
    return Fraction(SPELLED[match[0].lower()])


def _derived(value: Fraction) -> set[Fraction]:
    """What a solution may have made of a stated number without a call: a share of 100, and what is left of 1 or 100."""
    hundredth = value / 100
    return {hundredth, 1 - hundredth, 1 + hundredth, 100 - value, 100 + value, 1 - value}
