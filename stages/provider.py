"""The provider: one request through litellm, and what comes back as a reply or as one of two errors.

What the provider does wrong is raised: `ProviderError` ends one chain, `TeacherError` the run. What the model does
wrong is a reply like any other. Nothing here is tried twice; that is the teacher's.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping

from stages.agent import Reply
from stages.chain import readable
from stages.keys import held, hidden
from stages.params import InputError, RuntimeParams, printable

SIMULATED = "simulated/"
LONGEST_ANSWER = 200_000  # characters; a server that ignores max_tokens would fill journal and prompts
MOST_TOKENS = 10**9  # that a server may say it read or wrote
FREE = (
    *("input_cost_per_token", "output_cost_per_token"),
    *("cache_creation_input_token_cost", "cache_read_input_token_cost"),
)


class TeacherError(InputError):
    """No call can succeed: the model, its key or its parameters are wrong. The message names what to change."""


class ProviderError(Exception):
    """The provider did not answer one request.

    `kind` is rate_limit, server_error, timeout, connection, bad_answer (an error in a 200, no text) or refused (this
    request, for its content or length; not tried again). `wait_s` is what its Retry-After asked for.
    """

    def __init__(self, kind: str, message: str, wait_s: float = 0.0):
        super().__init__(message)
        self.kind = kind
        self.wait_s = wait_s


class Provider:
    """`await provider.answer(request)` is one request, asked once, after `provider.open()`.

    `prepare` is called by the first `open`. `answered` counts the answers.
    """

    def __init__(self, model: str, runtime: RuntimeParams, prepare: Callable[[], None] = lambda: None):
        self.model, self.runtime, self.prepare = model, runtime, prepare
        self.answered = 0
        self._litellm = None
        self._place: dict[str, str] = {} if runtime.api_base is None else {"api_base": runtime.api_base}

    def open(self) -> None:
        """Import litellm and make it quiet; refuse a model or a missing key before the first call."""
        if self._litellm is not None:
            return
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download of a price list at import
        import litellm

        self._litellm = litellm
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        logging.getLogger("LiteLLM").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", "Pydantic serializer warnings")  # they quote what a server sent
        if self.model.startswith(SIMULATED):
            # Without an entry litellm searches its price list by pattern, several times a call: 1.8 ms a call, not 1.3
            price = dict.fromkeys(FREE, 0.0)
            litellm.register_model({self.model: {**price, "litellm_provider": "simulated", "mode": "chat"}})
            self.prepare()
            return
        self.prepare()
        try:
            litellm.get_llm_provider(self.model, api_base=self.runtime.api_base)
        except litellm.exceptions.BadRequestError:
            raise TeacherError(
                f"params.yaml: generate.teacher.model is {self.model!r}; litellm knows no such model; write "
                "provider/model, as groq/llama-3.3-70b-versatile (list: docs.litellm.ai/docs/providers)"
            ) from None
        missing = litellm.validate_environment(self.model)["missing_keys"]
        if len(missing) == 1 and missing[0].endswith("_API_KEY"):  # others may find theirs in files, as AWS does
            if self.runtime.api_base is None:
                raise TeacherError(f"generate.teacher.model {self.model}: no key; set the environment's {missing[0]}")
            self._place["api_key"] = "none"  # a local server takes any, but the client wants one
        price = litellm.model_cost.get(self.model) or litellm.model_cost.get(self.model.partition("/")[2])
        if price is None:
            print(
                f"generate: litellm knows no price of {self.model}: its calls count as free, "
                "and runtime.max_new_calls is the only cap",
                file=sys.stderr,
            )

    async def answer(self, request: dict) -> Reply:
        """The reply to a request of the journal's form.

        Raises:
            ProviderError: no answer to this request.
            TeacherError: no request can be answered.
        """
        try:
            async with asyncio.timeout(self.runtime.timeout_s):  # litellm's own ends no answer that trickles in
                response = await self._litellm.acompletion(
                    model=self.model,
                    messages=[{**message, "content": readable(message["content"])} for message in request["messages"]],
                    timeout=self.runtime.timeout_s,
                    max_retries=0,
                    **self._place,
                    **request["sampling"],
                )
        except TimeoutError:
            raise ProviderError("timeout", f"no answer within {self.runtime.timeout_s:g} s") from None
        except Exception as error:  # litellm wraps most, and lets the rest of what a provider's module raises through
            raise self._failure(error) from None
        reply = _reply(response)
        self.answered += 1
        return reply

    def _failure(self, error: Exception) -> ProviderError | TeacherError:
        """The error in our two kinds. Where litellm gives no status, a 200 held an error."""
        known, said = self._litellm.exceptions, _said(error)
        status = getattr(error, "status_code", None)
        headers = getattr(error, "litellm_response_headers", None)
        if type(status) is not int or status == 422 and not headers:  # litellm makes a 422, or any code, of such a 200
            status = None
        fatal = TeacherError(f"generate.teacher.model {self.model}: {said}; {_advice(error, status)}")
        if self.model.startswith(SIMULATED):
            return fatal
        if isinstance(error, known.ContextWindowExceededError | known.ContentPolicyViolationError):
            return ProviderError("refused", said)
        if isinstance(error, known.UnsupportedParamsError) or status in (401, 402, 403, 404):
            return fatal
        if status == 429:
            spent = "insufficient_quota" in f"{error} {getattr(error, 'body', None)}"
            return fatal if spent else ProviderError("rate_limit", said, _wait_s(error))
        if isinstance(error, known.Timeout) or status == 408:
            return ProviderError("timeout", said)
        if status is None:
            return ProviderError("bad_answer", said)
        if 400 <= status < 500 and status != 409:  # the first request fails: all would; later: it is this one
            return ProviderError("refused", said) if self.answered else fatal
        if isinstance(error, known.APIConnectionError) or "connect" in said.lower():
            return ProviderError("connection", said)
        return ProviderError("server_error", said, _wait_s(error))


def _reply(response: object) -> Reply:
    """litellm's response, which holds what the server sent; no text is a failure unless the tokens were used up."""
    if not response.choices:
        raise ProviderError("bad_answer", "an answer without choices")
    choice, usage = response.choices[0], response.get("usage")
    text, cut = choice.message.content or "", choice.finish_reason == "length"
    if choice.finish_reason == "content_filter":
        raise ProviderError("refused", "the provider's content filter took the answer")
    if not text.strip() and not cut:
        raise ProviderError("bad_answer", "an empty answer")
    if len(text) > LONGEST_ANSWER:
        raise ProviderError("bad_answer", f"an answer of {len(text):,} characters, limit {LONGEST_ANSWER:,}")
    if key := held(text):
        raise ProviderError("bad_answer", f"an answer that holds the value of ${key}")
    cost = response._hidden_params.get("response_cost") or 0.0
    return Reply(
        text=text,
        prompt_tokens=_count(usage and usage.prompt_tokens),
        completion_tokens=_count(usage and usage.completion_tokens),
        cost_usd=round(cost, 8) if 0.0 <= cost < MOST_TOKENS else 0.0,
        cut=cut,
    )


def _count(said: object) -> int:
    """A number of tokens; 0 for what cannot be one, so that a strange server spoils no row of chains.jsonl."""
    return said if isinstance(said, int) and 0 <= said < MOST_TOKENS else 0


def _said(error: Exception) -> str:
    """The provider's words in one line of at most 200 characters, with no key of the environment in it."""
    text = " ".join(str(error).split()).replace(f"litellm.{type(error).__name__}: ", "")
    return printable(hidden(text).partition(" Traceback (most recent")[0][:200])


def _advice(error: Exception, status: int | None) -> str:
    if status == 401:
        return "set its key in the environment"
    if type(error).__name__ == "UnsupportedParamsError":
        return "change generate.teacher (seed: null where the provider takes none)"
    return "change generate.teacher, runtime.api_base or the account"


def _wait_s(error: Exception) -> float:
    """Seconds that Retry-After asks for, as a number or a date; 0 where it is not there."""
    headers: Mapping[str, str] = getattr(error, "litellm_response_headers", None) or {}
    said = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(said))
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    return 0.0
