"""params.yaml as frozen dataclasses, one a section: unknown keys and wrong types are refused by name.

No default stands here: params.yaml states every value, so that what DVC compares is all there is.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import re
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages import ranges

MAX_VALUES = 10_000  # in the whole file
MAX_DEPTH = 100  # of lists and objects in brackets


class InputError(Exception):
    """Something the user gave cannot be used. The message is one line: what, where, what to do."""


class ParamsError(InputError):
    """params.yaml cannot be used; the message names the key."""


@dataclass(frozen=True)
class ProblemsParams:
    train: tuple[dict, ...]
    dev: tuple[dict, ...]
    heldout: tuple[dict, ...]
    ood: tuple[dict, ...]


@dataclass(frozen=True)
class AgentParams:
    max_steps: int
    max_errors: int
    examples: int


@dataclass(frozen=True)
class TeacherParams:
    model: str
    wire: str
    temperature: float
    top_p: float
    max_tokens: int
    seed: int | None
    extra: dict


@dataclass(frozen=True)
class ErrorRates:
    misconception: float
    slip: float
    overshoot: float


@dataclass(frozen=True)
class GenerateParams:
    samples: int
    teacher: TeacherParams
    simulated: ErrorRates
    chains: tuple[dict, ...]


@dataclass(frozen=True)
class VerifyParams:
    tolerance: float
    perturb: int


@dataclass(frozen=True)
class PairParams:
    kinds: tuple[str, ...]
    per_problem: int
    seed: int
    lucky: bool
    max_length: int
    ngram: int
    max_overlap: float
    other_numbers: str


@dataclass(frozen=True)
class TinyParams:
    architecture: str
    width: int
    layers: int
    heads: int
    hidden: int
    vocabulary: int
    positions: int
    copy: float
    ordinals: bool
    dropout: float


@dataclass(frozen=True)
class LoraParams:
    rank: int
    alpha: int
    dropout: float


@dataclass(frozen=True)
class BaseParams:
    math: int
    logic: int
    problems: tuple[dict, ...]
    seed: int
    rates: ErrorRates
    steps: int
    batch_tokens: int
    learning_rate: float
    warmup: int


@dataclass(frozen=True)
class SftParams:
    per_problem: int
    steps: int
    batch: int
    learning_rate: float
    warmup: int


@dataclass(frozen=True)
class DpoParams:
    start: str
    beta: float
    sft_weight: float
    steps: int
    batch: int
    learning_rate: float
    warmup: int


@dataclass(frozen=True)
class TrainParams:
    student: str
    seed: int
    threads: int
    max_length: int
    tiny: TinyParams
    lora: LoraParams
    base: BaseParams
    sft: SftParams
    dpo: DpoParams


@dataclass(frozen=True)
class EvalParams:
    models: tuple[str, ...]
    batch: int
    max_tokens: int


@dataclass(frozen=True)
class DeploymentParams:
    """One of several places of the same model; what it does not say is as for a single place."""

    api_base: str | None = None
    model: str | None = None
    key: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class ProviderParams:
    """Where the teacher is and how fast it may be asked. `headers` and `key` name variables of the environment."""

    api_base: str | None
    headers: dict
    deployments: tuple[DeploymentParams, ...]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    chain_timeout_s: float
    max_failures: int


@dataclass(frozen=True)
class RuntimeParams:
    concurrency: int
    max_new_calls: int
    budget_usd: float
    timeout_s: float
    retries: int
    teacher: ProviderParams
    device: str
    progress: bool


@dataclass(frozen=True)
class Params:
    problems: ProblemsParams
    agent: AgentParams
    generate: GenerateParams
    verify: VerifyParams
    pair: PairParams
    train: TrainParams
    eval: EvalParams
    runtime: RuntimeParams


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing or no YAML, or a key is unknown, missing, of a wrong type or out of range.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if _depth(text) > MAX_DEPTH:
            raise ParamsError(f"{path}: more than {MAX_DEPTH} brackets are open at once; close them")
        tree = YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file in {Path.cwd()}; run in the project's folder") from None
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # ruamel wraps not all of its own
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    _check_size(tree, path)
    if isinstance(tree, dict) and isinstance(tree.get("runtime"), dict) and "api_base" in tree["runtime"]:
        raise ParamsError(f"{path}: runtime.api_base has moved; write it as runtime.teacher.api_base")
    params = _build(Params, tree, "", path)
    if fault := ranges.fault(params):
        raise ParamsError(f"{path}: {fault}")
    return params


def _depth(text: str) -> int:
    """The most brackets that are open at once, those in texts counted too: ruamel takes seconds for some thousand."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[{\]}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _check_size(tree: object, path: Path) -> None:
    """Refuse what a few bytes grow to: eight lists, each of nine aliases of the one before, print as 10^8 values."""
    waiting, count = [tree], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        if count > MAX_VALUES:
            raise ParamsError(f"{path}: more than {MAX_VALUES:,} values, aliases counted in full; write fewer")
        if isinstance(value, int) and value.bit_length() > 64:
            raise ParamsError(f"{path}: a number has {value.bit_length()} bits, limit 64; write a smaller one")


def _build(kind: object, value: object, key: str, path: Path) -> object:
    """`value` as `kind`, a dataclass or a plain type; `key` is the dotted name in messages."""
    if dataclasses.is_dataclass(kind):
        fields = typing.get_type_hints(kind)
        if not isinstance(value, dict):
            raise ParamsError(f"{path}: {key or 'the file'} is {_said(value)}; it takes keys: {', '.join(fields)}")
        prefix = f"{key}." if key else ""
        for name in value:
            if name not in fields:
                raise ParamsError(f"{path}: unknown key {prefix}{name}; known here: {', '.join(fields)}")
        for field in dataclasses.fields(kind):
            if field.name not in value and field.default is dataclasses.MISSING:
                raise ParamsError(f"{path}: missing key {prefix}{field.name}")
        return kind(**{name: _build(fields[name], given, prefix + name, path) for name, given in value.items()})
    if isinstance(kind, types.UnionType):
        if value is None and type(None) in kind.__args__:
            return None
        return _build(next(part for part in kind.__args__ if part is not type(None)), value, key, path)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{path}: {key} is {_said(value)}; it takes a list")
        part = typing.get_args(kind)[0]
        return tuple(_build(part, entry, f"{key}[{index}]", path) for index, entry in enumerate(value))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # `type`, as True is an int to isinstance
        raise ParamsError(f"{path}: {key} is {_said(value)}; it takes {_NAMES[kind]}")
    if kind is float and not abs(value) < float("inf"):
        raise ParamsError(f"{path}: {key} is {value}; it takes a finite number")
    return value


_NAMES = {int: "an integer", float: "a number", str: "a text", bool: "true or false", dict: "keys and values"}


def _said(value: object) -> str:
    return f"{value!r} ({type(value).__name__})" if len(repr(value)) <= 60 else f"a {type(value).__name__}"


def printable(text: str) -> str:
    """The text in one line a terminal only shows: a model's or a server's words may hold its escape sequences."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def brief(error: Exception, most: int = 120) -> str:
    """What a library's error says, in one line of at most so many characters."""
    return " ".join(str(error).split())[:most]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` says what it takes")


def parser(module: str, says: str) -> argparse.ArgumentParser:
    """The parser of a command `python -m <module>`: a wrong argument is an InputError, one line like any other."""
    return _Parser(prog=f"python -m {module}", description=says)


def run(main: Callable[[], None], kept: str = "") -> None:
    """Run a stage's `main`: an InputError, or a disk that cannot be written, ends it with one line and exit code 1.

    `kept`: what holds of an interrupted run; else it says which files were replaced by then.
    Refuses to run code that is not the checkout's: after a plain `pip install .`, DVC would hash the edited file in
    the checkout, run the installed copy, and lock the new hash as done.
    """
    try:
        installed = Path(__file__).resolve().parent
        if Path("dvc.yaml").exists() and Path("stages").is_dir() and installed != Path("stages").resolve():
            raise InputError(
                f"the code that runs is {installed}, not this checkout's stages/; "
                "install the checkout with `pip install -e .`"
            )
        main()
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"error: {printable(str(error))}")
    except KeyboardInterrupt:
        from stages.files import written

        made = f"written before that: {', '.join(written)}" if written else "nothing was written"
        print(f"error: interrupted; {kept or made}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
    except Exception as error:
        fault = _of_disk(error)
        if fault is None:
            raise
        place = fault.filename
        if place is None:  # our own files are named where they are written
            place = f"standard output, or a temporary file in {os.environ.get('TMPDIR', '/tmp')}"
            _drop_output()
        sys.exit(f"error: {place}: {fault.strerror or fault}; every file is whole, the old one or the new one")


def _of_disk(error: BaseException) -> OSError | None:
    """The error itself, where it is the system's; or a full disk on which a library stumbled, as pyarrow does."""
    if isinstance(error, OSError) and (error.filename or error.errno):
        return error
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return error
        error = error.__cause__ or error.__context__
    return None


def _drop_output() -> None:
    """What is still buffered goes nowhere: at its end Python would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
