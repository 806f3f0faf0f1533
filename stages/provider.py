"""The provider: one request through litellm, and what comes back as a reply or as one of two errors.

What the provider does wrong is raised: `ProviderError` ends one chain, `TeacherError` the run. What the model does
wrong is a reply like any other. Nothing here is tried twice; that is the teacher's.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gc
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from stages import wire
from stages.agent import Reply
from stages.chain import readable
from stages.keys import guard, held, hidden
from stages.params import DeploymentParams, InputError, RuntimeParams, printable

SIMULATED, LOCAL = "simulated/", "local/"
OURS = (SIMULATED, LOCAL)  # they run here: no key, no price, and a failure is of the run
LONGEST_ANSWER = 200_000  # characters; a server that ignores max_tokens would fill journal and prompts
MOST_TOKENS = 10**9  # that a server may say it read or wrote
REFUSALS = ("content_filter", "content management policy", "context_length", "context length")  # beside litellm's own
FREE = (
    *("input_cost_per_token", "output_cost_per_token"),
    *("cache_creation_input_token_cost", "cache_read_input_token_cost"),
)


class TeacherError(InputError):
    """No call can succeed: the model, its key or its parameters are wrong. The message names what to change."""


class ProviderError(Exception):
    """The provider did not answer one request.

    `kind` is rate_limit, server_error, timeout, connection, bad_answer (an error in a 200, no text) or refused (this
    request, for its content or length; not tried again). `wait_s` is what its Retry-After asked for, `cost_usd` what
    an answer that cannot be used is billed at.
    """

    def __init__(self, kind: str, message: str, wait_s: float = 0.0, cost_usd: float = 0.0):
        super().__init__(message)
        self.kind = kind
        self.wait_s = wait_s
        self.cost_usd = cost_usd


def imported_litellm():
    """litellm, which downloads no price list when it is imported."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    return litellm


def provider_of(litellm, key: str, model: str, api_base: str | None) -> str:
    """What litellm calls the provider of a model.

    Raises:
        TeacherError: it knows none; the message names the `key` of params.yaml.
    """
    try:
        return litellm.get_llm_provider(model, api_base=api_base)[1]
    except litellm.exceptions.BadRequestError:
        raise TeacherError(
            f"params.yaml: {key} is {model!r}; litellm knows no such model; write "
            "provider/model, as groq/llama-3.3-70b-versatile (list: docs.litellm.ai/docs/providers)"
        ) from None


def price_of(litellm, model: str) -> dict | None:
    """The model's entry in litellm's price table, None where it has none."""
    return litellm.model_cost.get(model) or litellm.model_cost.get(model.partition("/")[2])


def install(litellm, prefix: str, handler: object) -> None:
    """Let litellm answer models of a prefix by a handler of ours; a later one replaces it."""
    name = prefix.rstrip("/")
    others = [entry for entry in litellm.custom_provider_map if entry["provider"] != name]
    litellm.custom_provider_map = [*others, {"provider": name, "custom_handler": handler}]
    litellm.utils.custom_llm_setup()


class Provider:
    """`await provider.answer(request)` is one request, asked once, after `provider.open()`.

    `prepare` is called by `open`. `answered` counts the answers. Of several deployments litellm's Router takes one for
    each request, by weight, and rests one that fails; one that refuses every request (a wrong key) is left out.
    """

    def __init__(self, model: str, runtime: RuntimeParams, prepare: Callable[[], None], form: str):
        self.model, self.place, self.prepare, self.local = model, runtime.teacher, prepare, model.startswith(LOCAL)
        # A model of our own is busy, never silent: what waits behind other batches would only be asked again.
        self.timeout_s = math.inf if self.local else runtime.timeout_s
        self.form = form  # text or tools, as the requests are
        self.answered = 0
        self._litellm = None
        self._request: Callable[..., Awaitable] | None = None
        self._router = None
        self._left: set[str] = set()  # the deployments that are not left out
        self._last = ProviderError("connection", "no deployment was asked")

    @property
    def opened(self) -> bool:
        return self._request is not None

    def open(self) -> None:
        """Import litellm and make it quiet; refuse a model or a missing key or header before the first call."""
        litellm = self._litellm = imported_litellm()
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        for name in ("LiteLLM", "LiteLLM Router"):
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", "Pydantic serializer warnings")  # they quote what a server sent
        self.prepare()
        if self.model.startswith(OURS):
            # Without an entry litellm searches its price list by pattern, several times a call: 1.8 ms a call, not 1.3
            provider = {"litellm_provider": self.model.partition("/")[0], "mode": "chat"}
            litellm.register_model({self.model: dict.fromkeys(FREE, 0.0) | provider})
            self._request = partial(litellm.acompletion, model=self.model)
        else:
            given = self.place.deployments or (DeploymentParams(self.place.api_base),)
            headers = self._headers()
            places = [self._parameters(index, deployment, headers) for index, deployment in enumerate(given)]
            if len(places) == 1:
                self._request = partial(litellm.acompletion, **places[0])
            else:
                self._open_router(places, [deployment.weight for deployment in given])
        gc.freeze()  # litellm and the journal's index are a million objects: searched for garbage, 0.2 ms a call

    def _headers(self) -> dict[str, str]:
        headers = {}
        for header, variable in self.place.headers.items():
            guard(variable)
            where = f"runtime.teacher.headers.{header}"
            headers[header] = os.environ.get(variable, "").strip()
            if not headers[header]:
                raise TeacherError(f"{where}: no value; set the environment's {variable}")
            if not (headers[header].isascii() and headers[header].isprintable()):
                raise TeacherError(f"{where}: ${variable} cannot be sent; it takes one line of plain ASCII")
        return headers

    def _parameters(self, index: int, deployment: DeploymentParams, headers: dict[str, str]) -> dict:
        """What litellm is told about a place, its key among it, which stands nowhere else."""
        litellm, model, key, place = self._litellm, self.model, "generate.teacher.model", {}
        if deployment.model is not None:
            model, key = deployment.model, f"runtime.teacher.deployments[{index}].model"
        provider = provider_of(litellm, key, model, deployment.api_base)
        if self.form == "tools":
            place |= wire.parameters(litellm, model)
        if deployment.api_base is not None:
            place["api_base"] = deployment.api_base
        if deployment.key is not None:
            guard(deployment.key)
            place["api_key"] = os.environ.get(deployment.key, "").strip()
            if not place["api_key"]:
                where = f"runtime.teacher.deployments[{index}].key"
                raise TeacherError(f"{where}: no key; set the environment's {deployment.key}")
        else:
            missing = litellm.validate_environment(model)["missing_keys"]
            if len(missing) == 1 and missing[0].endswith("_API_KEY"):  # others may find theirs in files, as AWS does
                if deployment.api_base is None:
                    raise TeacherError(f"{key} {model}: no key; set the environment's {missing[0]}")
                place["api_key"] = "none"  # a local server takes any, but the client wants one
        if headers:
            place["extra_headers"] = headers
        self._say_unpriced(model, provider)
        return {"model": model, **place}

    def _say_unpriced(self, model: str, provider: str) -> None:
        if price_of(self._litellm, model) is None:
            print(
                f"generate: litellm knows no price of {model}: its calls count as free, "
                "and runtime.max_new_calls is the only cap",
                file=sys.stderr,
            )
            # Said to be free, so that litellm does not search its whole price list for it at every call: 0.4 ms.
            self._litellm.register_model(
                {model: dict.fromkeys(FREE, 0.0) | {"litellm_provider": provider, "mode": "chat"}}
            )

    def _open_router(self, places: list[dict], weights: list[float]) -> None:
        names = [f"deployment {index}" for index in range(len(places))]
        self._router = self._litellm.Router(
            model_list=[
                {"model_name": self.model, "litellm_params": {**place, "weight": weight}, "model_info": {"id": name}}
                for name, place, weight in zip(names, places, weights, strict=True)
            ],
            num_retries=0,  # a second try is the teacher's, which counts and paces it
        )
        self._left = set(names)
        self._request = partial(self._router.acompletion, model=self.model)

    async def answer(self, request: dict) -> Reply:
        """The reply to a request of the journal's form.

        Raises:
            ProviderError: no answer to this request.
            TeacherError: no request can be answered.
        """
        picked = {} if self._router is None else {"metadata": {}}  # the Router notes there which deployment it took
        try:
            # litellm's own limit of time ends no answer that trickles in; it comes first, as the Router learns from it
            async with asyncio.timeout(self.timeout_s * 1.1):
                response = await self._request(
                    messages=[{**message, "content": readable(message["content"])} for message in request["messages"]],
                    timeout=self.timeout_s,
                    max_retries=0,
                    **picked,
                    **wire.asked(request["tools"]),
                    **request["sampling"],
                )
        except TimeoutError:
            raise ProviderError("timeout", f"no answer within {self.timeout_s:g} s") from None
        except Exception as error:  # litellm wraps most, and lets the rest of what a provider's module raises through
            failure = self._failure(error)
            raise failure if self._router is None else self._of_one(failure, error, picked["metadata"]) from None
        reply = _reply(response, with_calls=request["tools"] is not None, empty=self.local)
        self.answered += 1
        return reply

    def _of_one(self, failure: Exception, error: Exception, picked: dict) -> ProviderError | TeacherError:
        """A failure where there are other deployments: they go on, and so does the run."""
        if getattr(error, "cooldown_time", None) is not None:
            said = f"all deployments rest after failures; the last said: {self._last}"
            return ProviderError(self._last.kind, said, float(error.cooldown_time))
        if isinstance(failure, TeacherError):
            name = picked.get("model_info", {}).get("id")
            if name in self._left:
                self._left.discard(name)
                self._router.delete_deployment(name)
                if self._left:
                    number = name.rpartition(" ")[2]
                    print(f"generate: runtime.teacher.deployments[{number}] is left out: {failure}", file=sys.stderr)
            if not self._left:
                return failure
            failure = ProviderError("server_error", str(failure))
        if failure.kind != "refused":
            self._last = failure = ProviderError(failure.kind, str(failure))  # another place need not wait as it asked
        return failure

    def _failure(self, error: Exception) -> ProviderError | TeacherError:
        """The error in our two kinds. Where litellm gives no status, a 200 held an error."""
        known, said = self._litellm.exceptions, _said(error)
        status = getattr(error, "status_code", None)
        headers = getattr(error, "litellm_response_headers", None)
        if type(status) is not int or status == 422 and not headers:  # litellm makes a 422, or any code, of such a 200
            status = None
        fatal = TeacherError(f"generate.teacher.model {self.model}: {said}; {_advice(error, status)}")
        if self.model.startswith(OURS):
            return fatal
        words = f"{error} {getattr(error, 'body', None)}".lower()
        if isinstance(error, known.ContextWindowExceededError | known.ContentPolicyViolationError):
            return ProviderError("refused", said)
        if status == 400 and any(mark in words for mark in REFUSALS):
            return ProviderError("refused", said)
        if isinstance(error, known.UnsupportedParamsError) or status in (401, 402, 403, 404):
            return fatal
        if status == 429:
            return fatal if "insufficient_quota" in words else ProviderError("rate_limit", said, _wait_s(error))
        if isinstance(error, known.Timeout) or status == 408:
            return ProviderError("timeout", said)
        if status is None:
            return ProviderError("bad_answer", said)
        if 400 <= status < 500 and status != 409:  # the first request fails: all would; later: it is this one
            return ProviderError("refused", said) if self.answered else fatal
        if isinstance(error, known.APIConnectionError) or "connect" in said.lower():
            return ProviderError("connection", said)
        if status == 500 and not headers:  # litellm's own: a 200 that is no JSON, half of it, or nothing
            return ProviderError("bad_answer", said)
        return ProviderError("server_error", said, _wait_s(error))


def _reply(response: object, with_calls: bool, empty: bool) -> Reply:
    """litellm's response, which holds what the server sent.

    Nothing is a failure, unless the tokens were used up; or `empty`: it is our own model, and it said nothing.
    """
    if not response.choices:
        raise ProviderError("bad_answer", "an answer without choices")
    cost = response._hidden_params.get("response_cost") or 0.0
    cost = round(cost, 8) if 0.0 <= cost < MOST_TOKENS else 0.0

    def useless(kind: str, why: str) -> ProviderError:
        return ProviderError(kind, why, cost_usd=cost)

    choice, usage = response.choices[0], response.get("usage")
    text, cut = choice.message.content or "", choice.finish_reason == "length"
    if choice.finish_reason == "content_filter":
        raise useless("refused", "the provider's content filter took the answer")
    try:
        calls = wire.calls_of(choice.message) if with_calls else ()
    except ValueError as error:
        raise useless("bad_answer", str(error)) from None
    said = text + wire.said(calls)
    if not (text.strip() or cut or calls or empty):
        raise useless("bad_answer", "an empty answer")
    if len(said) > LONGEST_ANSWER:
        raise useless("bad_answer", f"an answer of {len(said):,} characters, limit {LONGEST_ANSWER:,}")
    if key := held(said):
        raise useless("bad_answer", f"an answer that holds the value of ${key}")
    return Reply(
        text=text,
        prompt_tokens=_count(usage and usage.prompt_tokens),
        completion_tokens=_count(usage and usage.completion_tokens),
        cost_usd=cost,
        cut=cut,
        calls=calls,
    )


def _count(said: object) -> int:
    """A number of tokens; 0 for what cannot be one, so that a strange server spoils no row of chains.jsonl."""
    return said if isinstance(said, int) and 0 <= said < MOST_TOKENS else 0


def _said(error: Exception) -> str:
    """The provider's words in one line of at most 200 characters, with no key of the environment in it."""
    text = str(error).partition("\n\nLiteLLM: model group")[0]  # what the Router adds
    text = " ".join(text.split()).replace(f"litellm.{type(error).__name__}: ", "")
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
