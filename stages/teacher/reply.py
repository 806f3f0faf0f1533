"""What came back of one request, read: the model's turn, or a failure that says whose it is.

A turn is what the model ended itself, what the limit of tokens cut, and what it wrote so badly that its provider
refused it. A failure is the provider's: passing, of this one request, or (`TeacherError`) of every request.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import PurePath
from traceback import extract_tb

from stages.agent import native as wire
from stages.agent.loop import Reply
from stages.records.errors import InputError, printable
from stages.teacher.api_keys import held, hidden

LONGEST_ANSWER = 200_000  # characters; a server that ignores max_tokens would fill journal and prompts
MOST_TOKENS = 10**9  # that a server may say it read or wrote

# Why an answer ended, as providers spell it, in small letters. litellm makes "stop" of every reason that it does not
# know, "error" and "abort" too, and keeps the provider's word beside it. What stands in no list is no end of a model.
ENDS = frozenset(
    "stop end_turn stop_sequence stop_sequence_reached eos eos_token end_of_text endoftext complete completed finish "
    "finished normal tool_calls tool_call tool_use function_call".split()
)
CUTS = frozenset(
    "length max_tokens max_output_tokens max_completion_tokens max_new_tokens max_length maximum_tokens model_length "
    "length_limit token_limit context_length model_context_window_exceeded error_limit continuation pause_turn "
    "compaction".split()
)
MISCALLS = frozenset(  # Gemini, Bedrock: the model wrote a call that is none, or one that nobody offered
    "malformed_function_call unexpected_tool_call too_many_tool_calls malformed_response malformed_model_output "
    "malformed_tool_use".split()
)

REFUSALS = ("content_filter", "content management policy", "context_length", "context length", "moderation", "flagged")
MISCALLED = (  # how a provider words that the model's call cannot be read; the turn is the model's all the same
    *("tool_use_failed", "failed to call a function", "tool call validation failed", "output_parse_failed"),  # Groq
    *("failed to generate tool call", "failed to generate tool_call"),  # Cerebras
    "model produced invalid sequence as part of tooluse",  # Bedrock
    "no valid tool call or response generated",  # Cohere
    *("error parsing tool call: raw=", "failed to parse input at pos ", "failed to parse tool call arguments"),
)
# What litellm's own code raises where it meets an answer of another shape than it knows.
BUGS = (AttributeError, LookupError, TypeError, ValueError, NameError, AssertionError, RecursionError)


class TeacherError(InputError):
    """No call can succeed: the model, its key or its parameters are wrong. The message names what to change."""


@dataclass(eq=False)
class ProviderError(Exception):
    """The provider did not answer one request.

    `kind` is rate_limit, server_error, timeout, connection, bad_answer (an error in a 200, no text, half an answer) or
    refused (this request). `again`: another try may be answered. `wait_s` is what its Retry-After asked for, `cost_usd`
    what an answer that cannot be used is billed at. `reply` is the model's turn where one more try gives no better.
    """

    kind: str
    message: str
    wait_s: float = 0.0
    cost_usd: float = 0.0
    reply: Reply | None = None

    def __str__(self) -> str:
        return self.message

    @property
    def again(self) -> bool:
        return self.kind != "refused"


class Doubtful(ProviderError):
    """A failure that no second try mends, of this request or of every one: `of_all` is raised in the latter case."""

    again = False

    def __init__(self, kind: str, message: str, of_all: TeacherError):
        super().__init__(kind, message)
        self.of_all = of_all


def read_answer(response: object, with_calls: bool, empty: bool, max_tokens: int) -> Reply:
    """The turn in litellm's response, which holds what the server sent. `empty`: nothing is a turn, too.

    Raises:
        ProviderError: the server broke off or filtered it, or it cannot be used.
    """
    if not response.choices:
        raise ProviderError("bad_answer", "an answer without choices")
    cost = response._hidden_params.get("response_cost") or 0.0
    cost = round(cost, 8) if 0.0 <= cost < MOST_TOKENS else 0.0

    def useless(kind: str, why: str, reply: Reply | None = None) -> ProviderError:
        return ProviderError(kind, why, cost_usd=cost, reply=reply)

    choice, usage = response.choices[0], response.get("usage")
    message, reason = choice.message, _reason(choice, response)
    if choice.finish_reason == "content_filter" or "filter" in reason:
        raise useless("refused", "the provider's content filter took the answer")
    if reason not in ENDS | CUTS | MISCALLS:
        raise useless("bad_answer", f"the server broke the answer off (finish_reason: {printable(reason)[:80]})")
    try:
        calls = wire.calls_of(message) if with_calls else ()
    except ValueError as error:
        raise useless("bad_answer", str(error)) from None
    written = _count(usage and usage.completion_tokens)
    text = message.content or ""
    silent = not (wire.after_thoughts(text).strip() or calls)
    cut = reason in CUTS or silent and written >= max_tokens  # thoughts count, and some servers call this a stop
    reply = Reply(text, _count(usage and usage.prompt_tokens), written, cost, cut, calls)
    if why := _unfit(reply):
        raise useless("bad_answer", why)
    if silent and not (cut or empty or reason in MISCALLS):
        if text.strip() or _thought(message, usage):
            raise useless("bad_answer", "thoughts and no answer", reply)
        raise useless("bad_answer", "an empty answer")
    return reply


def _reason(choice: object, response: object) -> str:
    """Why the answer ended, in the provider's word; where it gave none, litellm's "stop" stands."""
    beside = getattr(choice, "provider_specific_fields", None)
    native = beside.get("native_finish_reason") if isinstance(beside, dict) else None
    # OpenRouter passes on the word of the provider behind it beside its own, which is one of five; litellm puts its
    # own in the same place where it is "error".
    ours = response._hidden_params.get("custom_llm_provider") != "openrouter"
    if native in (None, "") or not (ours or native == "error" or str(native).lower() in CUTS | MISCALLS):
        native = choice.finish_reason
    return str(native).lower()


def _thought(message: object, usage: object) -> bool:
    """Whether the model reasoned before it said nothing."""
    details = getattr(usage, "completion_tokens_details", None)
    shown = getattr(message, "reasoning_content", None) or getattr(message, "thinking_blocks", None)
    return bool(shown) or _count(getattr(details, "reasoning_tokens", None)) > 0


def _unfit(reply: Reply) -> str:
    """Why a reply can be no turn; empty where it can."""
    said = reply.text + wire.said(reply.calls)
    if len(said) > LONGEST_ANSWER:
        return f"an answer of {len(said):,} characters, limit {LONGEST_ANSWER:,}"
    key = held(said)
    return f"an answer that holds the value of ${key}" if key else ""


def _count(said: object) -> int:
    """A number of tokens; 0 for what cannot be one, so that a strange server spoils no row of chains.jsonl."""
    return said if isinstance(said, int) and 0 <= said < MOST_TOKENS else 0


def read_failure(error: Exception, litellm, model: str, ours: bool) -> Reply | ProviderError | TeacherError:
    """What litellm raised, as one of our kinds. Where it gives no status, a 200 held an error. `ours`: it runs here."""
    known, said = litellm.exceptions, _said(error)
    status = getattr(error, "status_code", None)
    headers = getattr(error, "litellm_response_headers", None)
    if type(status) is not int or status == 422 and not headers:  # litellm makes a 422, or any code, of such a 200
        status = None
    fatal = TeacherError(f"generate.teacher.model {model}: {said}; {_advice(error, status)}")
    if ours:
        return fatal
    body = _body(error)
    words = f"{error} {body}".lower()
    if status not in (401, 402, 404, 429):
        written = _miscalled(body, words)
        if written is not None:
            return written
    if isinstance(error, known.ContextWindowExceededError | known.ContentPolicyViolationError):
        return ProviderError("refused", said)
    if status == 413 or status in (400, 403) and any(mark in words for mark in REFUSALS):
        return ProviderError("refused", said)
    if isinstance(error, known.UnsupportedParamsError) or status in (401, 402, 404):
        return fatal
    if status == 429:
        return fatal if "insufficient_quota" in words else ProviderError("rate_limit", said, _wait_s(error))
    if isinstance(error, known.Timeout) or status == 408:
        return ProviderError("timeout", said)
    if unread := _unread(error):
        said = f"litellm {version('litellm')} cannot read what came back ({unread})"
        said += "; take another version of it, or openai/MODEL with api_base"
        return Doubtful("bad_answer", said, TeacherError(f"generate.teacher.model {model}: {said}"))
    if status is None:
        return ProviderError("bad_answer", said)
    if 400 <= status < 500 and status != 409:
        return Doubtful("refused", said, fatal)
    if isinstance(error, known.APIConnectionError) or "connect" in said.lower():
        return ProviderError("connection", said)
    if status == 500 and not headers:  # litellm's own: a 200 that is no JSON, half of it, or nothing
        return ProviderError("bad_answer", said)
    return ProviderError("server_error", said, _wait_s(error))


def _miscalled(body: dict, words: str) -> Reply | ProviderError | None:
    """The model's turn where the provider refused it for the call in it; its text where the provider tells it."""
    told = body.get("failed_generation")
    if told is None and not any(mark in words for mark in MISCALLED):
        return None
    message = str(body.get("message") or "")
    if told is None:
        told = message.partition("error parsing tool call: raw='")[2].rpartition("', err=")[0]  # Ollama
        told = told or message.partition("Failed to parse input at pos ")[2].partition(": ")[2]  # llama.cpp
    reply = Reply(told if isinstance(told, str) else json.dumps(told))
    why = _unfit(reply)
    return ProviderError("bad_answer", why) if why else reply


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, the nearest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _body(error: Exception) -> dict:
    """The error that the provider sent, as an object; {} where it sent none. litellm keeps it here or there."""
    for cause in _chain(error):
        body = getattr(cause, "body", None)
        if not isinstance(body, dict):
            text = str(cause)
            try:
                body, _ = json.JSONDecoder().raw_decode(text, max(0, text.find("{")))
            except (ValueError, RecursionError):
                continue
        if isinstance(body, dict):
            return body["error"] if isinstance(body.get("error"), dict) else body
    return {}


def _unread(error: Exception) -> str:
    """What broke inside litellm's own code, and where; empty where nothing did. Half a JSON is not meant: it passes."""
    others = (cause for cause in _chain(error) if type(cause).__module__.partition(".")[0] != "litellm")
    cause = next((cause for cause in others if type(cause) is not Exception), None)  # litellm wraps in this, too
    if not isinstance(cause, BUGS) or isinstance(cause, json.JSONDecodeError | UnicodeError):
        return ""
    frames = [frame for frame in extract_tb(cause.__traceback__) if "litellm" in PurePath(frame.filename).parts]
    at = f", in {'/'.join(PurePath(frames[-1].filename).parts[-3:])}" if frames else ""
    what = " ".join(str(cause).split())
    return printable(hidden(f"{type(cause).__name__}: {what[:120]}{at}"))


def _said(error: Exception) -> str:
    """The provider's words in one line of at most 200 characters, with no key of the environment in it."""
    text = " ".join(str(error).split()).replace(f"litellm.{type(error).__name__}: ", "")
    return printable(hidden(text).partition(" Traceback (most recent")[0][:200])


def _advice(error: Exception, status: int | None) -> str:
    if status == 401:
        return "set its key in the environment"
    if type(error).__name__ == "UnsupportedParamsError":
        return "change generate.teacher (seed: null where the provider takes none)"
    return "change generate.teacher, runtime.teacher or the account"


def _wait_s(error: Exception) -> float:
    """Seconds that Retry-After asks for, as a number or a date; 0 where it is not there."""
    headers: Mapping[str, str] = getattr(error, "litellm_response_headers", None) or {}
    said = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(said))
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    return 0.0
