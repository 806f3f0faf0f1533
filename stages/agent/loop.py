"""The agent: ask the model, parse one call, run it, record the step, repeat until `Finish` or a limit.

There are two kinds of error and they never mix. What the model does wrong (text that is no call, a tool's refusal)
becomes a step that it is shown; what the provider does wrong is raised by `ask` and ends the attempt without a chain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stages.agent.native import native_turn, turn_text
from stages.agent.prompt import prompt_messages
from stages.params import AgentParams
from stages.records.chain import Chain, Message, Step
from stages.records.problem import Problem
from stages.tools import TOOLKITS
from stages.tools.run import run_call


@dataclass(frozen=True)
class Reply:
    """One turn of a model. `cut`: it was ended by the limit of tokens a call, not by the model.

    `calls` are native tool calls as the provider sent them, {"id", "name", "arguments"}; `text` is what stood beside.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    cut: bool = False
    calls: tuple[dict[str, str], ...] = ()

    def row(self) -> dict:
        """The reply as the journal keeps it; `calls` only where there are any."""
        row = dataclasses.asdict(self)
        return row if self.calls else {name: value for name, value in row.items() if name != "calls"}


def reply_from_row(row: dict) -> Reply:
    """Read a reply back from the journal; `reply_from_row(reply.row()) == reply`."""
    return Reply(**{**row, "calls": tuple(row.get("calls", ()))})


class Attempt:
    """A chain in the making: `messages` is what the model sees next, `stop` is empty while the attempt goes on.

    `messages` is in the wire form, `text` or `tools`; the chain is in the text form always.
    """

    def __init__(
        self,
        problem: Problem,
        max_steps: int,
        max_errors: int,
        examples: int,
        teacher: str = "",
        sample: int = 0,
        wire: str = "text",
    ):
        self.problem, self.teacher, self.sample = problem, teacher, sample
        self.max_steps, self.max_errors = max_steps, max_errors
        self.toolkit = TOOLKITS[problem.toolkit]
        self.state = self.toolkit.open(problem.question)
        self.prompt = prompt_messages(problem, examples)
        self.messages: list[Message] = list(prompt_messages(problem, examples, wire))
        self.steps: list[Step] = []
        self.replies: list[Reply] = []
        self.answer = self.stop = ""

    def advance(self, reply: Reply) -> None:
        """Take the model's turn: run its call, record the step, and set `stop` where the chain ends."""
        tools = self.toolkit.tools
        step = run_call(turn_text(reply.text, reply.calls, tools), tools, self.state)
        self.steps.append(step)
        self.replies.append(reply)
        self.messages.extend(native_turn(reply.text, reply.calls, step, self.messages, tools))
        if not step.error and step.call.tool == "Finish":
            self.answer, self.stop = step.result, "finish"
        elif reply.cut:
            self.stop = "max_tokens"
        elif step.error and len(self.steps) >= self.max_errors and all(s.error for s in self.steps[-self.max_errors :]):
            self.stop = "max_errors"
        elif len(self.steps) >= self.max_steps:
            self.stop = "max_steps"

    def chain(self) -> Chain:
        """The finished chain."""
        return self.problem.chain(
            teacher=self.teacher,
            sample=self.sample,
            prompt=self.prompt,
            steps=tuple(self.steps),
            answer=self.answer,
            stop=self.stop,
            prompt_tokens=sum(reply.prompt_tokens for reply in self.replies),
            completion_tokens=sum(reply.completion_tokens for reply in self.replies),
            cost_usd=round(sum(reply.cost_usd for reply in self.replies), 8),
        )


async def solve(
    problem: Problem,
    sample: int,
    ask: Callable[[list[Message], int], Awaitable[Reply]],
    agent: AgentParams,
    teacher: str,
    wire: str = "text",
) -> Chain:
    """One chain: `ask(messages, sample)` returns the model's next turn, or raises what the provider did wrong."""
    attempt = Attempt(problem, agent.max_steps, agent.max_errors, agent.examples, teacher, sample, wire)
    while not attempt.stop:
        attempt.advance(await ask(attempt.messages, sample))
    return attempt.chain()
