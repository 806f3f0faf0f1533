"""params.yaml as frozen dataclasses, one a section: each key with its type and its range.

No default stands here: params.yaml states every value, so that what DVC compares is all there is. A new key is a line
here and a line there.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from stages.records.errors import InputError

MOST_VALUES = 10_000  # in the whole file, aliases counted in full
MOST_BRACKETS = 100  # open at once; the YAML reader takes seconds for some thousand


class ParamsError(InputError):
    """params.yaml cannot be used; the message names the key."""


def _different(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError("names one twice")
    return values


def _plain_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^@?#\s]+", url) or not url.isprintable():
        raise ValueError("is no plain URL; write http(s)://host/path, its key comes from the environment")
    return url


def _variable(name: str) -> str:
    if not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
        raise ValueError("takes the name of an environment variable, as TEAM_KEY, never a value")
    return name


Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
Url = Annotated[str, AfterValidator(_plain_url)]
Variable = Annotated[str, AfterValidator(_variable)]
Entries = tuple[dict, ...]  # of sources; problems/sources.py and teacher/imported read them

_section = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))


@_section
class FoldParams:
    """One of `of` folds of a cross-validation, for each source that is cut: train reads all but it, tests read it."""

    of: Annotated[int, Field(ge=2)]
    hold: Count
    by: Literal["words", "row"] = "words"  # what is never parted: problems of the same words; or nothing, as published
    seed: int = 1  # which problems make a fold

    @model_validator(mode="after")
    def _there_is_such_a_fold(self):
        if self.hold >= self.of:
            raise ValueError(f"has hold {self.hold}; of {self.of} folds it takes 0 to {self.of - 1}")
        return self


@_section
class OverlapParams:
    """When a training problem is too close to a tested one."""

    ngram: Positive
    share: Share
    other_numbers: Literal["drop", "report"]


@_section
class ProblemsParams:
    train: Entries
    dev: Entries
    heldout: Entries
    ood: Entries
    fold: FoldParams | None
    overlap: OverlapParams


@_section
class AgentParams:
    max_steps: Positive
    max_errors: Positive
    examples: Count


@_section
class TeacherParams:
    model: str
    wire: Literal["text", "tools"]
    temperature: NotNegative
    top_p: Share
    max_tokens: Positive
    seed: int | None
    extra: dict


@_section
class ErrorRates:
    misconception: Share
    slip: Share
    overshoot: Share


@_section
class CorpusParams:
    """What the from-scratch student reads first: how many built-in problems of each task, and further sources."""

    math: Count
    logic: Count
    problems: Entries
    seed: int
    rates: ErrorRates


@_section
class GenerateParams:
    samples: Count
    teacher: TeacherParams
    simulated: ErrorRates
    chains: Entries
    corpus: CorpusParams

    @model_validator(mode="after")
    def _something_is_made(self):
        if not self.samples and not self.chains:
            raise ValueError("is empty: samples is 0 and chains names none; write 1 or more samples")
        return self


@_section
class VerifyParams:
    tolerance: NotNegative
    perturb: Count


@_section
class PairParams:
    kinds: Annotated[tuple[Literal["chain", "step"], ...], Field(min_length=1), AfterValidator(_different)]
    per_problem: Positive
    demonstrations: Positive
    seed: int
    lucky: bool
    max_length: Positive


@_section
class TinyParams:
    architecture: Literal["llama", "recurrent"]
    width: int
    layers: int
    heads: int
    hidden: int
    vocabulary: int
    positions: int
    copy: float
    ordinals: bool
    dropout: Share


@_section
class LoraParams:
    rank: Count
    alpha: int
    dropout: float


@_section
class BaseParams:
    steps: int
    batch_tokens: int
    learning_rate: float
    warmup: int


@_section
class SftParams:
    steps: int
    batch: Positive
    learning_rate: NotNegative
    warmup: int


@_section
class DpoParams:
    start: Literal["base", "sft"]
    beta: NotNegative
    sft_weight: NotNegative
    steps: int
    batch: Positive
    learning_rate: NotNegative
    warmup: int


@_section
class TrainParams:
    student: str
    seed: int
    threads: Positive
    max_length: Positive
    tiny: TinyParams
    lora: LoraParams
    base: BaseParams
    sft: SftParams
    dpo: DpoParams

    @model_validator(mode="after")
    def _a_tiny_student_can_learn(self):
        if self.student != "tiny":
            return self
        if self.tiny.architecture == "recurrent" and self.lora.rank:
            raise ValueError(
                f"has lora.rank {self.lora.rank}, and LoRA leaves the GRUs of a recurrent student as they are "
                "(train.tiny.architecture); write 0"
            )
        return self


@_section
class EvalParams:
    models: Annotated[tuple[Literal["base", "sft", "dpo"], ...], Field(min_length=1), AfterValidator(_different)]
    batch: Positive
    max_tokens: Positive


@_section
class DeploymentParams:
    """One of several places of the same model; what it does not say is as for a single place."""

    api_base: Url | None = None
    model: str | None = None
    key: Variable | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0


@_section
class ProviderParams:
    """Where the teacher is and how fast it may be asked. `headers` and `key` name variables of the environment."""

    api_base: Url | None
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_!#$%&'*+.^`|~-]+$")], Variable]
    deployments: tuple[DeploymentParams, ...]
    requests_per_minute: Positive | None
    tokens_per_minute: Positive | None
    chain_timeout_s: Seconds
    max_failures: Positive

    @model_validator(mode="after")
    def _one_place_or_several(self):
        if self.api_base is not None and self.deployments:
            raise ValueError("has both api_base and deployments; leave one of them")
        return self


@_section
class RuntimeParams:
    concurrency: Positive
    max_new_calls: int
    budget_usd: NotNegative
    timeout_s: Seconds
    retries: Count
    teacher: ProviderParams
    device: str
    progress: bool


@_section
class Params:
    problems: ProblemsParams
    agent: AgentParams
    generate: GenerateParams
    verify: VerifyParams
    pair: PairParams
    train: TrainParams
    eval: EvalParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _a_tiny_student_reads_something(self):
        corpus = self.generate.corpus
        if self.train.student == "tiny" and not (corpus.math or corpus.logic or corpus.problems):
            raise ValueError("generate.corpus: all of it is empty; a tiny student reads math, logic or problems")
        return self


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing or no YAML, or a key is unknown, missing, of a wrong type or out of range.
    """
    path = Path(path)
    try:
        return checked(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file in {Path.cwd()}; run in the project's folder") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from None


def checked(text: str, path: str | Path) -> Params:
    """The parameters of a text; `path` is what an error names.

    Raises:
        ParamsError: as for `load`.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if _depth(text) > MOST_BRACKETS:
            raise ParamsError(f"{path}: more than {MOST_BRACKETS} brackets are open at once; close them")
        tree = YAML(typ="safe", pure=True).load(text)
        _check_size(tree, path)
        written = json.dumps(tree, default=str)
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # ruamel wraps not all of its own
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return TypeAdapter(Params).validate_json(written)  # JSON, as a strict tuple takes no list from Python
    except ValidationError as error:
        raise ParamsError(f"{path}: {_fault(error.errors(include_url=False))}") from None


def _fault(errors: list[dict]) -> str:
    """The first thing that is wrong, by its key; a misspelt key before the one that is missing for it."""
    error = min(errors, key=lambda one: one["type"] != "unexpected_keyword_argument")
    place, kind, said = error["loc"], error["type"], error["msg"].removeprefix("Value error, ")
    if place[-1:] == ("[key]",):  # the name could be a key that was written into the file
        place, kind, said = place[:-2], "value_error", "has a name that no header can have; write letters, digits and -"
    key = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(map(str, place)))
    if kind == "unexpected_keyword_argument":
        return f"unknown key {key}; known here: {', '.join(_known(place[:-1]))}"
    if kind == "missing":
        return f"missing key {key}"
    if kind == "value_error":  # ours
        return f"{key} {said}".strip()
    value = error["input"]
    if isinstance(value, str) and key.startswith("runtime.teacher."):
        return f"{key}: {said}"  # as above
    shown = f"{value!r} ({type(value).__name__})" if len(repr(value)) <= 60 else f"a {type(value).__name__}"
    return f"{key or 'the file'} is {shown}: {said}"


def _known(place: tuple) -> list[str]:
    """The keys that a section takes."""
    section = Params
    for name in place:
        if isinstance(name, str):
            kind = typing.get_type_hints(section)[name]
            # A list of sections, or a section that may be null.
            section = next((part for part in typing.get_args(kind) if dataclasses.is_dataclass(part)), kind)
    return [field.name for field in dataclasses.fields(section)]


def _depth(text: str) -> int:
    """The most brackets that are open at once, those in texts counted too: ruamel takes seconds for some thousand."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[{\]}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _check_size(tree: object, path: str | Path) -> None:
    """Refuse what a few bytes grow to: eight lists, each of nine aliases of the one before, print as 10^8 values."""
    waiting, count = [tree], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        if count > MOST_VALUES:
            raise ParamsError(f"{path}: more than {MOST_VALUES:,} values, aliases counted in full; write fewer")
        if isinstance(value, int) and value.bit_length() > 64:
            raise ParamsError(f"{path}: a number has {value.bit_length()} bits, limit 64; write a smaller one")
