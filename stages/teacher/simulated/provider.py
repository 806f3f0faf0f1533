"""The simulated teacher: litellm's custom provider `simulated/teacher`, so that the default run needs no key.

It is asked by the same loop as any real provider and sees only the messages. It looks the problem up by the
question (the first user message) and plays the error model's next turn for the request's seed.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from stages.agent.native import native_call
from stages.params import ErrorRates
from stages.records.chain import Call, Message
from stages.records.problem import Problem
from stages.teacher.provider import SIMULATED, install
from stages.teacher.simulated.error_model import VERSION, errant_texts
from stages.tools import TOOLKITS
from stages.tools.calls import CallError, parse


def question_of(messages: list[Message]) -> str:
    """The question of a conversation: its first user message."""
    return next(message["content"] for message in messages if message["role"] == "user")


def turn_of(messages: list[Message]) -> int:
    """Which turn of its chain comes after these messages, from 0."""
    return sum(message["role"] == "assistant" for message in messages)


def _call(problem: Problem | None, text: str) -> Call | None:
    """A turn as a native call; None for a text that is none, which is said as it is."""
    try:
        return problem and parse(text, TOOLKITS[problem.toolkit].tools)
    except CallError:
        return None


def parameters(rates: ErrorRates) -> dict:
    """What a request carries beside the usual parameters; all of it enters the journal's key."""
    return {**dataclasses.asdict(rates), "error_model": VERSION}


def register(problems: list[Problem]) -> None:
    """Install the teacher of these problems into litellm under `simulated/`; a later call replaces it.

    The request carries the error rates and the seed as `misconception`, `slip`, `overshoot` and `seed`; slips scale
    with the temperature, misconceptions do not.
    """
    import litellm

    known = {problem.question: problem for problem in problems}
    attempt = lru_cache(maxsize=4096)(lambda question, *how: errant_texts(known[question], *how))
    words = lru_cache(maxsize=4096)(lambda text: len(text.split()))

    class Provider(litellm.CustomLLM):
        async def acompletion(self, *, model, messages, model_response, optional_params, **_rest):
            temperature = optional_params.get("temperature", 1.0)
            rates = ErrorRates(
                optional_params["misconception"],
                min(1.0, optional_params["slip"] * temperature),
                min(1.0, optional_params["overshoot"] * temperature),
            )
            problem, text = known.get(question_of(messages)), 'Reasoning(thought="I know no solution of this problem.")'
            if problem is not None and problem.solution:
                texts = attempt(problem.question, f"{optional_params.get('seed')} {temperature}", rates)
                text = texts[min(turn_of(messages), len(texts) - 1)]
            model_response.model = model
            call = _call(problem, text) if optional_params.get("tools") else None
            answer = model_response.choices[0]
            if call is None:
                answer.message.content, answer.finish_reason = text, "stop"
            else:
                native = native_call(call, f"call{len(messages):05}")
                function = {"name": native["name"], "arguments": native["arguments"]}
                answer.message.tool_calls = [litellm.ChatCompletionMessageToolCall(function, native["id"])]
                answer.finish_reason = "tool_calls"
            prompt = sum(map(words, (message["content"] for message in messages)))
            completion = len(text.split())
            model_response.usage = litellm.Usage(prompt, completion, prompt + completion)
            return model_response

    install(litellm, SIMULATED, Provider())
