"""One turn of a model: its text parsed, its call run, everything that can go wrong recorded."""

from __future__ import annotations

from stages.chain import Step
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
