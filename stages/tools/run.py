"""One turn of a model: its text parsed, its call run, everything that can go wrong recorded; and a chain read back."""

from __future__ import annotations

import dataclasses

from stages.records.chain import Chain, Step, turns
from stages.tools import TOOLKITS
from stages.tools.calls import CallError, parse
from stages.tools.tool import Tool, ToolError


def run_call(text: str, tools: dict[str, Tool], state: object) -> Step:
    """Parse one turn's text and run its call; every way the model can fail becomes a step with an error."""
    try:
        call = parse(text, tools)
    except CallError as error:
        return Step(text, None, error=f"Error: {error}", failure=error.failure)
    try:
        return Step(text, call, result=tools[call.tool].run(state, **call.arguments))
    except ToolError as error:
        return Step(text, call, error=f"Error: {error}", failure="tool_error")


def chain_from_row(row: dict) -> Chain:
    """Read a chain back from a validated row of chains.jsonl; `chain_from_row(chain.row()).row() == chain.row()`.

    Calls are parsed again from the model's own text, never taken from the `arguments` column.
    """
    tools = TOOLKITS[row["toolkit"]].tools
    steps = []
    for step in row["steps"]:
        try:
            call = parse(step["text"], tools)
        except CallError:
            call = None
        steps.append(Step(step["text"], call, step["result"], step["error"], step["failure"]))
    prompt = tuple(row["messages"][: len(row["messages"]) - len(turns(steps))])
    fields = {field.name for field in dataclasses.fields(Chain)} - {"prompt", "steps"}
    return Chain(prompt=prompt, steps=tuple(steps), **{name: row[name] for name in fields})
