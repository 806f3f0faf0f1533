"""What a tool is, and the two tools that every toolkit has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from stages.records.chain import Value, number_text


class ToolError(Exception):
    """A tool refused a well-formed call; the message is shown to the model and says what would be accepted."""


@dataclass(frozen=True)
class Tool:
    """A callable function offered to the model.

    `parameters` maps each name to its type: `number` (an exact Fraction), `text` (str), `texts` (tuple of str) or
    `value` (number or text). `run(state, **arguments)` returns the result as text or raises ToolError; it may change
    `state`, and does so only when it returns. It must be deterministic: verify runs every call again.
    """

    name: str
    parameters: dict[str, str]
    description: str
    example: str
    run: Callable[..., str]

    def signature(self) -> str:
        """`Add(a: number, b: number)`"""
        return f"{self.name}({', '.join(f'{name}: {kind}' for name, kind in self.parameters.items())})"


@dataclass(frozen=True)
class Toolkit:
    """The tools of a kind of problem. `open(question)` reads the problem's text into the state its tools share."""

    name: str
    tools: dict[str, Tool]
    open: Callable[[str], object]


def toolkit(name: str, open_state: Callable[[str], object], tools: list[Tool]) -> Toolkit:
    """A toolkit of these tools, `Reasoning` and `Finish`."""
    return Toolkit(name, {tool.name: tool for tool in [*tools, REASONING, FINISH]}, open_state)


def _reasoning(_state: object, thought: str) -> str:
    if not thought.strip():
        raise ToolError("thought is empty; write one reasoning step")
    return "Recorded."


def _finish(_state: object, answer: Value) -> str:
    """The answer as text; the agent ends the chain with it."""
    text = number_text(answer) if isinstance(answer, Fraction) else str(answer).strip()
    if not text:
        raise ToolError("answer is empty; give the final answer")
    return text


REASONING = Tool(
    "Reasoning",
    {"thought": "text"},
    "Records one reasoning step; computes nothing.",
    'Reasoning(thought="First find the cost of one box.")',
    _reasoning,
)
FINISH = Tool(
    "Finish",
    {"answer": "value"},
    "Ends the chain and gives the final answer.",
    'Finish(answer="42")',
    _finish,
)
