"""The provider: one request through litellm, and what comes back as a reply or as one of two errors.

What the provider does wrong is raised: `ProviderError` ends one chain, `TeacherError` the run. What the model does
wrong is a reply like any other (stages/teacher/reply.py). Nothing here is tried twice; that is the teacher's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import random
import sys
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

from stages.agent import native as wire
from stages.agent.loop import Reply
from stages.params import DeploymentParams, RuntimeParams
from stages.records.chain import readable
from stages.teacher.api_keys import guard
from stages.teacher.reply import Doubtful, ProviderError, TeacherError, read_answer, read_failure

SIMULATED, LOCAL = "simulated/", "local/"
OURS = (SIMULATED, LOCAL)  # they run here: no key, no price, and a failure is of the run
VOUCHED = 16  # refusals in a row that one good answer vouches for: they are these requests' own
FREE = (
    *("input_cost_per_token", "output_cost_per_token"),
    *("cache_creation_input_token_cost", "cache_read_input_token_cost"),
)
REST_S = 5.0  # of a deployment that failed, where others go on
NOTHING = "(empty)"  # sent for a turn in which the model said nothing: providers refuse one without text


def imported_litellm():
    """litellm, which downloads no price list when it is imported, and keeps no log of answers."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    # It prepares a record of each answer for callbacks, of which there are none: a sixth of a simulated call.
    with suppress(ImportError):  # an inner part of litellm; without this line a call only takes longer
        from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

        GLOBAL_LOGGING_WORKER.ensure_initialized_and_enqueue = lambda async_coroutine: async_coroutine.close()
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
    """Let litellm answer models of a prefix by a handler of ours, a `litellm.CustomLLM`; a later one replaces it."""
    name = prefix.rstrip("/")
    others = [entry for entry in litellm.custom_provider_map if entry["provider"] != name]
    litellm.custom_provider_map = [*others, {"provider": name, "custom_handler": handler}]
    litellm.utils.custom_llm_setup()


def _ours(litellm, name: str) -> Callable[..., Awaitable]:
    """The handler that is installed for a model of ours, called as `litellm.acompletion` is.

    litellm would call the same function with the same arguments; its way there takes 3 of 4 ms of a simulated call.
    """
    prefix, _, model = name.partition("/")
    handler = next(one["custom_handler"] for one in litellm.custom_provider_map if one["provider"] == prefix)

    def complete(messages: list, timeout: float, max_retries: int, **parameters: object) -> Awaitable:
        response = litellm.ModelResponse()
        return handler.acompletion(
            model=model, messages=messages, model_response=response, optional_params=parameters, timeout=timeout
        )

    return complete


@dataclass
class _Place:
    """Where the model is: what litellm is told about it, its key among it, which stands nowhere else.

    `vouched`: refusals that are still taken for their requests' own. `hopeless`: why it is left out.
    """

    name: str
    parameters: dict
    weight: float = 1.0
    rests_until: float = 0.0  # of the event loop's clock
    vouched: int = 0
    hopeless: TeacherError | None = None


class Provider:
    """`await provider.answer(request)` is one request, asked once, after `provider.open()`.

    `prepare` is called by `open`. Of several deployments each request goes to one, by weight. One that fails rests for
    a while; one that refuses every request (a wrong key) is left out.
    """

    def __init__(self, model: str, runtime: RuntimeParams, prepare: Callable[[], None], form: str):
        self.model, self.place, self.prepare, self.local = model, runtime.teacher, prepare, model.startswith(LOCAL)
        # A model of our own is busy, never silent: what waits behind other batches would only be asked again.
        self.timeout_s = math.inf if self.local else runtime.timeout_s
        self.form = form  # text or tools, as the requests are
        self._litellm = None
        self._complete: Callable[..., Awaitable] | None = None
        self._places: list[_Place] = []
        self._chance = random.Random(0)
        self._judging = asyncio.Lock()
        self._said_unread = False

    @property
    def opened(self) -> bool:
        return bool(self._places)

    def open(self) -> None:
        """Import litellm and make it quiet; refuse a model or a missing key or header before the first call."""
        litellm = self._litellm = imported_litellm()
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        logging.getLogger("LiteLLM").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", "Pydantic serializer warnings")  # they quote what a server sent
        self.prepare()
        if self.model.startswith(OURS):
            self._complete = _ours(litellm, self.model)
            places = [_Place(self.model, {})]
        else:
            self._complete = litellm.acompletion
            given = self.place.deployments or (DeploymentParams(self.place.api_base),)
            headers = self._headers()
            places = [self._opened(index, deployment, headers) for index, deployment in enumerate(given)]
        self._places = places
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

    def _opened(self, index: int, deployment: DeploymentParams, headers: dict[str, str]) -> _Place:
        litellm, model, key = self._litellm, self.model, "generate.teacher.model"
        name = f"runtime.teacher.deployments[{index}]"
        if deployment.model is not None:
            model, key = deployment.model, f"{name}.model"
        provider = provider_of(litellm, key, model, deployment.api_base)
        place = {"model": model}
        if self.form == "tools":
            place |= wire.parameters(litellm, model)
        if deployment.api_base is not None:
            place["api_base"] = deployment.api_base
        if deployment.key is not None:
            guard(deployment.key)
            place["api_key"] = os.environ.get(deployment.key, "").strip()
            if not place["api_key"]:
                raise TeacherError(f"{name}.key: no key; set the environment's {deployment.key}")
        else:
            missing = litellm.validate_environment(model)["missing_keys"]
            if len(missing) == 1 and missing[0].endswith("_API_KEY"):  # others may find theirs in files, as AWS does
                if deployment.api_base is None:
                    raise TeacherError(f"{key} {model}: no key; set the environment's {missing[0]}")
                place["api_key"] = "none"  # a local server takes any, but the client wants one
        if headers:
            place["extra_headers"] = headers
        if price_of(litellm, model) is None:
            print(
                f"generate: litellm knows no price of {model}: its calls count as free, "
                "and runtime.max_new_calls is the only cap",
                file=sys.stderr,
            )
            # Said to be free, so that litellm does not search its whole price list for it at every call: 1 ms.
            litellm.register_model({model: dict.fromkeys(FREE, 0.0) | {"litellm_provider": provider, "mode": "chat"}})
        return _Place(name, place, deployment.weight)

    async def answer(self, request: dict) -> Reply:
        """The reply to a request of the journal's form.

        Raises:
            ProviderError: no answer to this request.
            TeacherError: no request can be answered.
        """
        place = self._picked()
        try:
            reply = await self._ask(request, place)
        except ProviderError as error:
            reply = error
        except Exception as error:  # litellm wraps most, and lets the rest of what a provider's module raises through
            reply = self._read(error)
            if isinstance(reply, Doubtful):
                reply = await self._judged(reply, request, place)
        if not isinstance(reply, Reply):
            raise self._failed(place, reply)
        place.vouched = VOUCHED
        return reply

    def _picked(self) -> _Place:
        """One of the places that are there and do not rest."""
        left = [place for place in self._places if place.hopeless is None]
        if not left:
            raise self._places[0].hopeless
        now = asyncio.get_running_loop().time()
        free = [place for place in left if place.rests_until <= now]
        if not free:
            said = f"all deployments rest after failures; the last said: {self._last}"
            raise ProviderError(self._last.kind, said, min(place.rests_until for place in left) - now)
        return self._chance.choices(free, [place.weight for place in free])[0]

    def _failed(self, place: _Place, failure: ProviderError | TeacherError) -> ProviderError | TeacherError:
        """What is raised of a failure: where there are other places they go on, and so does the run."""
        if isinstance(failure, TeacherError):
            first, place.hopeless = place.hopeless is None, failure
            if all(place.hopeless for place in self._places):
                return failure
            if first:
                print(f"generate: {place.name} is left out: {failure}", file=sys.stderr)
            return ProviderError("server_error", str(failure))
        if failure.again and len(self._places) > 1:
            place.rests_until = asyncio.get_running_loop().time() + max(REST_S, failure.wait_s)
            failure.wait_s, self._last = 0.0, failure  # another place need not wait as it asked
        return failure

    async def _ask(self, request: dict, place: _Place) -> Reply:
        """Ask once; raises what litellm raises, and ProviderError for an answer that cannot be used."""
        try:
            async with asyncio.timeout(self.timeout_s):  # litellm's own ends no answer that trickles in
                response = await self._complete(
                    messages=[self._sendable(message) for message in request["messages"]],
                    timeout=self.timeout_s,
                    max_retries=0,
                    **place.parameters,
                    **wire.asked(request["tools"]),
                    **request["sampling"],
                )
        except TimeoutError:
            raise ProviderError("timeout", f"no answer within {self.timeout_s:g} s") from None
        most = request["sampling"]["max_tokens"]
        return read_answer(response, with_calls=request["tools"] is not None, empty=self.local, max_tokens=most)

    def _sendable(self, message: dict) -> dict:
        content = readable(message["content"])
        silent = message["role"] == "assistant" and not content.strip() and "tool_calls" not in message
        return {**message, "content": NOTHING if silent and not self.model.startswith(OURS) else content}

    def _read(self, error: Exception) -> Reply | ProviderError | TeacherError:
        return read_failure(error, self._litellm, self.model, self.model.startswith(OURS))

    async def _judged(self, failure: Doubtful, request: dict, place: _Place) -> ProviderError | TeacherError:
        """Whose failure it is: this request's where the place has just answered another one, or answers a probe."""
        async with self._judging:  # the first of many asks for all
            hopeless = place.hopeless or (None if place.vouched else await self._probed(failure, request, place))
            if hopeless is not None:
                return hopeless
            place.vouched = max(0, place.vouched - 1)
        if failure.kind != "refused" and not self._said_unread:
            self._said_unread = True
            print(f"generate: {failure}; such a request is not asked again in this run", file=sys.stderr)
        return failure

    async def _probed(self, failure: Doubtful, request: dict, place: _Place) -> TeacherError | None:
        """Ask the same with another question: model, key, parameters, tools and system message are on trial.

        So what a run happens to ask, and what an earlier one has asked, decides nothing.
        """
        system = list(takewhile(lambda message: message["role"] == "system", request["messages"]))
        probe = {**request, "messages": [*system, {"role": "user", "content": "Say ok."}]}
        try:
            reply = await self._ask(probe, place)
        except ProviderError as strange:
            reply = strange if strange.kind == "timeout" else Reply("", cost_usd=strange.cost_usd)
        except Exception as error:
            reply = self._read(error)
        if isinstance(reply, Reply):
            place.vouched = VOUCHED
            failure.cost_usd += reply.cost_usd
        if isinstance(reply, Doubtful):
            return reply.of_all
        return reply if isinstance(reply, TeacherError) else None
