"""Ranges of the values in params.yaml."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.params import Params, ProviderParams


def fault(params: Params) -> str:
    """What is wrong with a value, which its type does not say: the first that fails by its key; "" where none does."""
    generate, pair, train, rates = params.generate, params.pair, params.train, params.train.base.rates
    at_least_one = {
        "agent.max_steps": params.agent.max_steps,
        "agent.max_errors": params.agent.max_errors,
        **({} if generate.chains else {"generate.samples": generate.samples}),
        "generate.teacher.max_tokens": generate.teacher.max_tokens,
        "pair.per_problem": pair.per_problem,
        "pair.max_length": pair.max_length,
        "pair.ngram": pair.ngram,
        "train.threads": train.threads,
        "train.max_length": train.max_length,
        "train.sft.batch": train.sft.batch,
        "train.dpo.batch": train.dpo.batch,
        "eval.batch": params.eval.batch,
        "eval.max_tokens": params.eval.max_tokens,
        "runtime.concurrency": params.runtime.concurrency,
        "runtime.teacher.max_failures": params.runtime.teacher.max_failures,
    }
    shares = {
        "pair.max_overlap": pair.max_overlap,
        "generate.teacher.top_p": generate.teacher.top_p,
        **{f"generate.simulated.{name}": rate for name, rate in dataclasses.asdict(generate.simulated).items()},
        "train.tiny.dropout": train.tiny.dropout,
        **{f"train.base.rates.{name}": rate for name, rate in dataclasses.asdict(rates).items()},
    }
    not_negative = {
        "agent.examples": params.agent.examples,
        "generate.samples": generate.samples,
        "generate.teacher.temperature": generate.teacher.temperature,
        "verify.tolerance": params.verify.tolerance,
        "verify.perturb": params.verify.perturb,
        "train.base.math": train.base.math,
        "train.base.logic": train.base.logic,
        "train.sft.learning_rate": train.sft.learning_rate,
        "train.dpo.learning_rate": train.dpo.learning_rate,
        "train.dpo.beta": train.dpo.beta,
        "train.dpo.sft_weight": train.dpo.sft_weight,
        "train.lora.rank": train.lora.rank,
        "runtime.budget_usd": params.runtime.budget_usd,
        "runtime.retries": params.runtime.retries,
    }
    above_zero = {
        "runtime.timeout_s": params.runtime.timeout_s,
        "runtime.teacher.chain_timeout_s": params.runtime.teacher.chain_timeout_s,
    }
    choices = {
        "generate.teacher.wire": ((generate.teacher.wire,), ("text", "tools")),
        "pair.kinds": (pair.kinds, ("chain", "step")),
        "pair.other_numbers": ((pair.other_numbers,), ("drop", "report")),
        "train.dpo.start": ((train.dpo.start,), ("base", "sft")),
        "train.tiny.architecture": ((train.tiny.architecture,), ("llama", "recurrent")),
        "eval.models": (params.eval.models, ("base", "sft", "dpo")),
    }
    if wrong := _fault_of_provider(params.runtime.teacher):
        return wrong
    for key, value in at_least_one.items():
        if value < 1:
            return f"{key} is {value}; it takes 1 or more"
    for key, value in shares.items():
        if not 0 <= value <= 1:
            return f"{key} is {value}; it takes a number from 0 to 1"
    for key, value in not_negative.items():
        if value < 0:
            return f"{key} is {value}; it takes 0 or more"
    for key, value in above_zero.items():
        if not value > 0:
            return f"{key} is {value}; it takes more than 0"
    if train.student == "tiny" and not (train.base.math or train.base.logic or train.base.problems):
        return "train.base.math, logic and problems are all empty; a tiny student reads one of them"
    if train.student == "tiny" and train.tiny.architecture == "recurrent" and train.lora.rank:
        return (
            f"train.lora.rank is {train.lora.rank}; LoRA leaves the GRUs of a recurrent student as they are "
            "(train.tiny.architecture), so write 0"
        )
    for key, (values, allowed) in choices.items():
        if not values or not set(values) <= set(allowed) or len(set(values)) < len(values):
            return f"{key} is {', '.join(values) or 'empty'}; it takes {', '.join(allowed)}"
    return ""


def _fault_of_provider(provider: ProviderParams) -> str:
    """Where a value could be a key that was written into the file, the message does not show it."""
    key = "runtime.teacher"
    if provider.api_base is not None and provider.deployments:
        return f"{key}.api_base and {key}.deployments are both given; leave one of them"
    places = [(f"{key}.deployments[{index}]", place) for index, place in enumerate(provider.deployments)]
    for name, url in [(key, provider.api_base), *((name, place.api_base) for name, place in places)]:
        if url is not None and (
            not url.startswith(("http://", "https://")) or set(url) & set("@?#") or not url.isprintable()
        ):
            return f"{name}.api_base is no plain URL; write http(s)://host/path, its key comes from the environment"
    for header in provider.headers:
        if not isinstance(header, str) or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", header, re.ASCII):
            return f"{key}.headers has a name that no header can have; write letters, digits and -"
    variables = [(f"{key}.headers.{header}", name) for header, name in provider.headers.items()]
    variables += [(f"{name}.key", place.key) for name, place in places if place.key is not None]
    for name, variable in variables:
        if not isinstance(variable, str) or not re.fullmatch("[A-Z_][A-Z0-9_]*", variable):
            return f"{name} takes the name of an environment variable, as TEAM_KEY, never a value"
    for name, place in places:
        if place.weight <= 0:
            return f"{name}.weight is {place.weight}; it takes a number above 0"
    for name in ("requests_per_minute", "tokens_per_minute"):
        limit = getattr(provider, name)
        if limit is not None and limit < 1:
            return f"{key}.{name} is {limit}; it takes 1 or more, or null for no limit"
    return ""
