"""Reference solutions of deduction problems: the calls that derive what a question asks, by the engine's own rules.

The engine reads the question as a model's tools do. Where it does not understand a sentence, or its own answer is not
gold, there is no solution and a doubt that says so.
"""

from __future__ import annotations

from stages.records.chain import Call
from stages.tools.deduction.toolkit import Deduction, open_theory
from stages.tools.deduction.vocabulary import Literal
from stages.tools.tool import ToolError


def proof(question: str, gold: str) -> tuple[tuple[Call, ...], str]:
    """The calls to gold, ended by Check and Finish, and ""; or no call, and why there is none."""
    try:
        state = open_theory(question)
    except ToolError:
        return (), "the toolkit refuses the question"
    if state.unread or state.goal is None:
        return (), "a sentence is not understood"
    if state.gold() != gold:
        return (), f"forward chaining gives {state.gold()} where gold is {gold}"
    calls = [Call("Derive", {"fact": fact}) for fact in _chained(state, gold)]
    calls.append(Call("Check", {"fact": state.goal.text()}))
    return (*calls, Call("Finish", {"answer": gold})), ""


def _chained(state: Deduction, gold: str) -> list[str]:
    """For an Unknown all that could matter; else the shortest way there that forward chaining meets first."""
    if gold == "Unknown":
        while waiting := state.pending():
            state.derive(waiting[0].text())
        return [literal.text() for literal in state.derived]
    instances = state.theory.instances
    known, reasons = set(state.given), dict[Literal, tuple[Literal, ...]]()
    while not known & {state.goal, state.goal.negated()}:
        level = {}
        for conclusion, ways in instances.items():
            way = next((conditions for conditions in ways if known.issuperset(conditions)), None)
            if conclusion not in known and way is not None:
                level[conclusion] = way
        reasons |= level
        known |= level.keys()
    order: list[Literal] = []
    _before(next(literal for literal in (state.goal, state.goal.negated()) if literal in known), reasons, order)
    return [literal.text() for literal in order]


def _before(literal: Literal, reasons: dict[Literal, tuple[Literal, ...]], order: list[Literal]) -> None:
    """Appends what the literal rests on, then the literal; a given fact has no reason and is left out."""
    waiting = [literal]
    while waiting:
        last = waiting[-1]
        missing = [part for part in reasons.get(last, ()) if part in reasons and part not in order]
        if missing:
            waiting.append(missing[0])
            continue
        waiting.pop()
        if last in reasons and last not in order:
            order.append(last)
