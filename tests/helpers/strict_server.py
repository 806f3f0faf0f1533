"""A server that is strict about native calls, and a chain through teacher, journal and litellm against it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from provider import Provider, completion, error
from teachers import settings

from stages.agent import native as wire
from stages.agent.loop import solve
from stages.params import AgentParams
from stages.records.chain import Chain
from stages.records.problem import Problem
from stages.teacher.journal.journal import Journal
from stages.teacher.teacher import Teacher

PROBLEM = Problem("p1", "math", "arithmetic", "test", "Tom has 3 apples and buys 4. How many?", "7")
LIMITS = AgentParams(max_steps=6, max_errors=3, examples=0)
FINISH = completion(None, "tool_calls", calls=[("end", "Finish", '{"answer": "7"}')])


def what_a_provider_refuses(request: dict) -> str:
    """What is wrong with a request in the eyes of a strict server; empty where nothing is."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in request["messages"]:
        if type(message.get("content")) is not str:
            return "content is no text"
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "a result without its call"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without results: {waiting}"
        for call in message.get("tool_calls", ()):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            if call["id"] in seen or not 0 < len(call["id"]) <= 4000 or not call["id"].isprintable():
                return f"the id {call['id'][:80]!r}"
            if not 0 < len(name) <= 64 or not set(name) <= set(map(chr, range(128))) or not name.isidentifier():
                return f"the name {name!r}"
            try:
                if type(json.loads(arguments, parse_constant=int)) is not dict:  # int("NaN") is a ValueError
                    return "arguments that are no object"
            except ValueError:
                return "arguments that are no JSON"
            seen.add(call["id"])
            waiting.append(call["id"])
    return f"calls without results: {waiting}" if waiting else ""


def solved(folder: Path, url: str | None, form: str, problem: Problem = PROBLEM, **changes: object) -> Chain:
    """The chain of one attempt through teacher, journal and litellm."""
    chosen = settings(url=url, wire=form, **changes)
    with Journal(folder) as journal:
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        tools = wire.offered(problem.toolkit, form)

        async def ask(messages, sample):
            return await asked.ask(messages, sample, tools=tools)

        return asyncio.run(solve(problem, 0, ask, LIMITS, asked.model, form))


def after(first: object, folder: Path, **changes: object) -> tuple[Chain, list[dict]]:
    """The chain whose first turn is this answer and whose second is `Finish`; and the requests, all strictly right."""

    def answer(request: dict) -> object:
        fault = what_a_provider_refuses(request)
        if fault:
            return error(400, fault)
        if request["messages"][-1]["content"] == "Say ok.":  # whether it answers anything that can be read
            return "ok"
        return first if len(request["messages"]) == 2 else FINISH

    with Provider(answer) as provider:
        chain = solved(folder, provider.url, "tools", retries=0, **changes)
    assert [what_a_provider_refuses(request) for request in provider.seen] == [""] * len(provider.seen)
    return chain, provider.seen
