"""What the model reads before its first turn: what it may do, the tools, worked examples, the problem."""

from __future__ import annotations

from functools import cache

from stages.agent.native import native_call, native_turn
from stages.problems.builtin import example_problems
from stages.records.chain import Message
from stages.records.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.tools.tool import Tool

INSTRUCTIONS = {
    "text": """\
Solve the problem step by step by calling functions. In each turn write exactly one call of a function below, \
as Name(parameter=value), and nothing else; the result is sent to you in the next message. \
Numbers are written bare, as 12, -3, 0.5 or 10/3, texts in double quotes. End with Finish. """,
    "tools": """\
Solve the problem step by step by calling functions. In each turn make exactly one call of a function, \
and write nothing else; the result is sent to you in the next message. \
A number that is no decimal is written as a fraction in quotes, as "10/3". End with Finish. """,
}
ANSWERS = {
    "math": "The answer is a number.",
    "logic": "The answer is True, False or Unknown; Unknown says that neither what is asked nor its negation follows.",
}


def tool_text(tool: Tool) -> str:
    """A tool in three lines: signature, sentence, example call."""
    return f"{tool.signature()}\n  {tool.description}\n  Example: {tool.example}"


@cache
def system_text(toolkit: str, task: str, examples: int, wire: str = "text") -> str:
    """The system message of a toolkit, for one task, with `examples` worked examples.

    In the wire form `tools` it lists no functions: they stand in the request, with description and example.
    """
    blocks = [INSTRUCTIONS[wire] + ANSWERS[task]]
    if wire == "text":
        blocks += ["", "Functions:", *map(tool_text, TOOLKITS[toolkit].tools.values())]
    if examples:
        blocks += ["Worked examples:", *worked_examples(toolkit, examples, wire)]
    return "\n".join(blocks)


def worked_examples(toolkit: str, count: int, wire: str = "text") -> list[str]:
    """Worked examples, made by running reference solutions of built-in problems kept apart from every use."""
    tools, texts = TOOLKITS[toolkit].tools, []
    for problem in example_problems(toolkit, count):
        state = TOOLKITS[toolkit].open(problem.question)
        messages = [{"role": "user", "content": problem.question}]
        for call in problem.solution:
            step = run_call(call.text(), tools, state)
            calls = (native_call(call),) if wire == "tools" else ()
            messages += native_turn("", calls, step, messages, tools)
        texts.append("\n".join(map(_example_line, messages)))
    return texts


def _example_line(message: Message) -> str:
    if message["role"] != "assistant":
        return message["content"]
    calls = [f"{call['function']['name']} {call['function']['arguments']}" for call in message.get("tool_calls", ())]
    return f"> {calls[0] if calls else message['content']}"


def prompt_messages(problem: Problem, examples: int, wire: str = "text") -> tuple[Message, ...]:
    """System and user message of a problem."""
    return (
        {"role": "system", "content": system_text(problem.toolkit, problem.task, examples, wire)},
        {"role": "user", "content": problem.question},
    )
