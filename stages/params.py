"""params.yaml as frozen dataclasses, one a section: each key with its type and its range.

No default stands here: params.yaml states every value, so that what DVC compares is all there is. A new key is a line
here and a line there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from stages.records.settings import ParamsError, settings


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


Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Count = Annotated[Whole, Field(ge=0)]
Positive = Annotated[Whole, Field(ge=1)]
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

    of: Annotated[Whole, Field(ge=2)]
    hold: Count
    by: Literal["words", "row"] = "words"  # what is never parted: problems of the same words; or nothing, as published
    seed: Whole = 1  # which problems make a fold

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
    seed: Whole | None
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
    seed: Whole
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
    seed: Whole
    lucky: bool
    max_length: Positive


@_section
class TinyParams:
    architecture: Literal["llama", "recurrent"]
    width: Whole
    layers: Whole
    heads: Whole
    hidden: Whole
    vocabulary: Whole
    positions: Whole
    copy: float
    ordinals: bool
    dropout: Share


@_section
class LoraParams:
    rank: Count
    alpha: Whole
    dropout: float


@_section
class BaseParams:
    steps: Whole
    batch_tokens: Whole
    learning_rate: float
    warmup: Whole


@_section
class SftParams:
    steps: Whole
    batch: Positive
    learning_rate: NotNegative
    warmup: Whole


@_section
class DpoParams:
    start: Literal["base", "sft"]
    beta: NotNegative
    sft_weight: NotNegative
    steps: Whole
    batch: Positive
    learning_rate: NotNegative
    warmup: Whole


@_section
class TrainParams:
    student: str
    seed: Whole
    threads: Positive
    precision: Literal["auto", "fp32", "bf16"]
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
    max_new_calls: Whole
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
    return settings(Params, text, path)
