"""The error model: how someone who half understands would solve a problem that has a reference solution.

Misconceptions are systematic: a trap in the wording is fallen for with a fixed rate, always in the same way. Slips are
random: a wrong operand, tool or order, a skipped step, a malformed call, an unknown tool, a premature or a wrong
answer. A student that imitates this and decodes greedily keeps the misconceptions (they are the mode) and loses the
slips (they average out), which is what leaves preference training something to repair.
"""

from __future__ import annotations

import random
from fractions import Fraction

from stages.params import ErrorRates
from stages.records.chain import Call, Step, Value, number_text
from stages.records.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.run import run_call

# Part of every request to the simulated teacher: with a new number the journal's answers of the old model do not count.
VERSION = 1

SLIPS = ("operand", "tool", "skip", "order", "malformed", "unknown", "premature")
UNKNOWN_TOOLS = {
    "arithmetic": ("Sum", "Minus", "Times", "Solve"),
    "deduction": ("Conclude", "Prove", "Search"),
    "fol": ("Assume", "Prove", "Follows"),
}
GUESSES = {"math": None, "logic": ("True", "False", "Unknown")}


def errant_texts(problem: Problem, seed: str, rates: ErrorRates) -> list[str]:
    """The turns of one attempt at `problem`, the last a `Finish`; the same for the same arguments.

    The calls are run on the way, so that a wrong number is carried on as a person would carry it, and a call that the
    tool refuses is put right in the next turn.
    """
    rng = random.Random(f"{seed}|{problem.question}")
    fooled = problem.misconception and rng.random() < rates.misconception
    calls = problem.misconception if fooled else problem.solution
    walk = _Walk(problem, calls, rng)
    order = list(range(len(calls) - 1))
    for place, index in enumerate(order):
        if rng.random() >= rates.slip:
            walk.take(index)
            continue
        kind = rng.choice(SLIPS)
        if kind == "order" and place + 1 < len(order):
            order[place], order[place + 1] = order[place + 1], order[place]
            if walk.take(order[place]).error:  # refused, as it needs the call it was put before: made again after it
                order.insert(place + 2, order[place])
        else:
            walk.slip(index, kind)
        if walk.ended:
            return walk.texts
    if rng.random() < rates.overshoot:
        walk.overshoot()
    walk.finish(slip=rng.random() < rates.slip)
    return walk.texts


class _Walk:
    """A pass over the calls of a solution, with the results that the errors made on the way led to."""

    def __init__(self, problem: Problem, calls: tuple[Call, ...], rng: random.Random):
        self.problem, self.calls, self.rng = problem, calls, rng
        self.tools = TOOLKITS[problem.toolkit].tools
        self.state = TOOLKITS[problem.toolkit].open(problem.question)
        self.texts: list[str] = []
        self.last = ""  # the latest result
        self.expected: dict[Fraction, Fraction] = {}  # result in the solution -> result in this walk
        self.pending: list[int] = []  # skipped calls, made up for when a later one is refused
        self.answers = _results(problem, calls)
        self.ended = False

    def say(self, text: str) -> Step:
        self.texts.append(text)
        step = run_call(text, self.tools, self.state)
        if step.result:
            self.last = step.result
        return step

    def carried(self, call: Call) -> Call:
        """The call with every number that an earlier error changed."""
        return Call(call.tool, {name: self._carry(value) for name, value in call.arguments.items()})

    def _carry(self, value: Value) -> Value:
        return self.expected.get(value, value) if isinstance(value, Fraction) else value

    def take(self, index: int) -> Step:
        """The call as it should be; where a skipped one is missing, that one first."""
        step = self.say(self.carried(self.calls[index]).text())
        if step.error and self.pending:
            while self.pending:
                self.say(self.carried(self.calls[self.pending.pop(0)]).text())
            step = self.say(self.carried(self.calls[index]).text())
        self._note(index, step)
        return step

    def _note(self, index: int, step: Step) -> None:
        if step.result and self.answers[index] is not None:
            try:
                self.expected[self.answers[index]] = number(step.result)
            except ValueError:
                pass

    def slip(self, index: int, kind: str) -> None:
        """Make one mistake at call `index`. What the tool refuses is repaired at once; what it accepts stays."""
        call = self.carried(self.calls[index])
        if kind == "skip":
            self.pending.append(index)
            return
        if kind == "premature":
            guesses = GUESSES[self.problem.task]
            answer = self.rng.choice(guesses) if guesses else self.last
            if answer:
                self.say(Call("Finish", {"answer": answer}).text())
                self.ended = True
                return
        text = {"operand": self._operand, "tool": self._tool, "unknown": self._unknown}.get(kind, self._malformed)(call)
        step = self.say(text)
        if step.error:
            self.take(index)
        else:
            self._note(index, step)

    def _operand(self, call: Call) -> str:
        name = self.rng.choice(list(call.arguments))
        value = call.arguments[name]
        if isinstance(value, Fraction):
            value += self.rng.choice((-1, 1))
        elif isinstance(value, str):
            value = " ".join([*value.split()[:-1], self.rng.choice(self.problem.question.split()).strip(".?")])
        return Call(call.tool, {**call.arguments, name: value}).text()

    def _tool(self, call: Call) -> str:
        kinds = list(self.tools[call.tool].parameters.values())
        others = [
            tool
            for tool in self.tools.values()
            if tool.name not in (call.tool, "Reasoning", "Finish") and list(tool.parameters.values()) == kinds
        ]
        if not others:
            return self._unknown(call)
        tool = self.rng.choice(others)
        return Call(tool.name, dict(zip(tool.parameters, call.arguments.values(), strict=True))).text()

    def _unknown(self, call: Call) -> str:
        return Call(self.rng.choice(UNKNOWN_TOOLS[self.problem.toolkit]), call.arguments).text()

    def _malformed(self, call: Call) -> str:
        text = call.text()
        return self.rng.choice((text[:-1], text.replace("=", " ", 1), text.replace("(", " ", 1)))

    def overshoot(self) -> None:
        """One call too many: on the latest number and a number of the question, or a look-up that is not needed."""
        if self.problem.task == "math":
            numbers = [word.strip("$%.?,") for word in self.problem.question.split()]
            numbers = [word for word in numbers if word.isdigit()]
            if self.last and numbers:
                tool = self.rng.choice(("Add", "Subtract"))
                self.say(Call(tool, {"a": number(self.last), "b": number(self.rng.choice(numbers))}).text())
                self.expected[number(str(self.calls[-1].arguments["answer"]))] = number(self.last)
        else:
            look_ups = [call for call in self.calls if call.tool == "Recall"] or self.calls[:-1]
            self.say(self.rng.choice(look_ups).text())

    def finish(self, slip: bool) -> None:
        """The answer; with a slip another label, or a number that is one off."""
        answer = self.calls[-1].arguments["answer"]
        if self.problem.task == "math":
            value = self._carry(number(str(answer)))
            answer = number_text(value + self.rng.choice((-1, 1)) if slip else value)
        elif slip:
            answer = self.rng.choice([guess for guess in GUESSES["logic"] if guess != answer])
        self.say(Call("Finish", {"answer": answer}).text())


def _results(problem: Problem, calls: tuple[Call, ...]) -> list[Fraction | None]:
    """The number each call of the solution gives, None where it gives no number."""
    state = TOOLKITS[problem.toolkit].open(problem.question)
    tools = TOOLKITS[problem.toolkit].tools
    results: list[Fraction | None] = []
    for call in calls[:-1]:
        try:
            results.append(number(tools[call.tool].run(state, **call.arguments)))
        except ValueError:
            results.append(None)
    return results
