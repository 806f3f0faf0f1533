"""The chain: what one attempt at one problem left behind, failed steps included.

Everything later (messages, verdicts, pairs, training text) is derived from these records, so they
keep what the model wrote letter by letter and every number exactly (`fractions.Fraction`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction

from stages.records.files import to_bytes

Value = Fraction | str | tuple  # tuple: a list argument, of Values
Message = dict  # {"role": ..., "content": ...}, texts; on its way to a provider also tool_calls or tool_call_id

# How a chain can end. `finish`: the model gave its answer; the others are limits of params.agent.
STOPS = ("finish", "max_steps", "max_errors", "max_tokens")

# What can be wrong with one step: the text is no call, no such tool, the arguments do not fit it, the tool refused.
STEP_FAILURES = ("malformed_call", "unknown_tool", "bad_arguments", "tool_error")

# Everything that explains a chain's verdict (DESIGN, section 5); "" for a correct chain.
FAILURES = (
    *STEP_FAILURES,
    "no_tool_call",
    "ungrounded",
    "repeated_call",
    "out_of_steps",
    "no_answer",
    "wrong_answer",
    "undecided",
)


def number_text(number: Fraction) -> str:
    """Exact text of a number: an integer, a terminating decimal of at most 12 places, else `p/q` in lowest terms.

    >>> number_text(Fraction(7, 2)), number_text(Fraction(-10, 3)), number_text(Fraction(12))
    ('3.5', '-10/3', '12')
    """
    if number.denominator == 1:
        return str(number.numerator)
    places, rest = 0, number.denominator
    for prime in (2, 5):
        exponent = 0
        while rest % prime == 0:
            rest //= prime
            exponent += 1
        places = max(places, exponent)
    if rest != 1 or places > 12:
        return f"{number.numerator}/{number.denominator}"
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def value_text(value: Value) -> str:
    """A value as the argument of a call: numbers bare, texts in double quotes, lists in brackets."""
    if isinstance(value, Fraction):
        return number_text(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return "[" + ", ".join(value_text(part) for part in value) + "]"


def readable(text: str) -> str:
    """The text with half surrogate pairs, which a model's JSON may hold and no request or tokenizer takes, as `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class Call:
    """A tool name and its typed constant arguments, in the order the model wrote them."""

    tool: str
    arguments: dict[str, Value]

    def text(self) -> str:
        """The call in its canonical text form, `Tool(name=constant, ...)`; `tools.calls.parse` reads it back."""
        return f"{self.tool}({', '.join(f'{name}={value_text(value)}' for name, value in self.arguments.items())})"


@dataclass(frozen=True)
class Step:
    """One turn: the model's text, the call parsed from it, and the tool's result or the error shown to the model.

    `call` is None where the text could not be parsed. Exactly one of `result` and `error` is non-empty, and
    `failure` (one of STEP_FAILURES) is set with `error`.
    """

    text: str
    call: Call | None
    result: str = ""
    error: str = ""
    failure: str = ""

    def row(self) -> dict:
        """The step as chains.jsonl keeps it: arguments as exact texts, so that the column has one type."""
        arguments = {} if self.call is None else self.call.arguments
        return {
            "text": self.text,
            "tool": "" if self.call is None else self.call.tool,
            "arguments": {n: v if isinstance(v, str) else value_text(v) for n, v in arguments.items()},
            "result": self.result,
            "error": self.error,
            "failure": self.failure,
        }


@dataclass(frozen=True)
class Chain:
    """One attempt at one problem. `prompt` holds the messages before the model's first turn."""

    problem_id: str
    task: str
    toolkit: str
    source: str
    question: str
    gold: str
    teacher: str
    sample: int
    prompt: tuple[Message, ...]
    steps: tuple[Step, ...]
    answer: str
    stop: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def chain_id(self) -> str:
        """Problem, sample and 8 hex digits of the teacher and content: equal chains of one sample share it."""
        content = json.dumps([self.teacher, self.sample, [step.text for step in self.steps]], ensure_ascii=False)
        digest = hashlib.sha256(to_bytes(content)).hexdigest()
        return f"{self.problem_id}#{self.sample}-{digest[:8]}"

    def messages(self) -> list[Message]:
        """The conversation in the text form: the prompt, then the model's turns and the tools' replies."""
        return [*self.prompt, *turns(self.steps)]

    def row(self) -> dict:
        """The chain as one row of chains.jsonl: what it holds, with the prompt and the turns as messages."""
        row = {"chain_id": self.chain_id, **vars(self), "messages": self.messages()}
        del row["prompt"]
        row["steps"] = [step.row() for step in self.steps]
        return row


def turns(steps: tuple[Step, ...] | list[Step]) -> list[Message]:
    """Steps as alternating messages; nothing follows `Finish`.

    A tool's reply has the role `user`: every chat template and every provider takes it, so a chain reads the same for
    a teacher behind an API and for a student behind a template.
    """
    messages = []
    for step in steps:
        messages.append({"role": "assistant", "content": step.text})
        if step.call is None or step.call.tool != "Finish" or step.error:
            messages.append({"role": "user", "content": step.error or step.result})
    return messages
