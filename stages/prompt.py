"""What the model reads before its first turn: what it may do, the tools, worked examples, the problem."""

from __future__ import annotations

from functools import cache

from stages.chain import Message
from stages.problems.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.tool import Tool

INSTRUCTIONS = """\
Solve the problem step by step by calling functions. In each turn write exactly one call of a function below, \
as Name(parameter=value), and nothing else; the result is sent to you in the next message. \
Numbers are written bare, as 12, -3, 0.5 or 10/3, texts in double quotes. End with Finish. """
ANSWERS = {
    "math": "The answer is a number.",
    "logic": "The answer is True, False or Unknown; Unknown says that neither what is asked nor its negation follows.",
}


def tool_text(tool: Tool) -> str:
    """A tool in three lines: signature, sentence, example call."""
    return f"{tool.signature()}\n  {tool.description}\n  Example: {tool.example}"


@cache
def system_text(toolkit: str, task: str, examples: int) -> str:
    """The system message of a toolkit, for one task, with `examples` worked examples."""
    blocks = [INSTRUCTIONS + ANSWERS[task], "", "Functions:", *map(tool_text, TOOLKITS[toolkit].tools.values())]
    if examples:
        blocks += ["Worked examples:", *worked_examples(toolkit, examples)]
    return "\n".join(blocks)


def worked_examples(toolkit: str, count: int) -> list[str]:
    """Worked examples, made by running reference solutions of built-in problems kept apart from every use."""
    from stages.agent import Attempt, Reply
    from stages.problems.builtin import example_problems

    texts = []
    for problem in example_problems(toolkit, count):
        attempt = Attempt(problem, max_steps=len(problem.solution), max_errors=1, examples=0)
        for call in problem.solution:
            attempt.advance(Reply(call.text()))
        lines = [
            ("> " if message["role"] == "assistant" else "") + message["content"] for message in attempt.messages[1:]
        ]
        texts.append("\n".join(lines))
    return texts


def prompt_messages(problem: Problem, examples: int) -> tuple[Message, ...]:
    """System and user message of a problem."""
    return (
        {"role": "system", "content": system_text(problem.toolkit, problem.task, examples)},
        {"role": "user", "content": problem.question},
    )
