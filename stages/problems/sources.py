"""Where problems come from: params.problems names a list of sources for each use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stages.params import ParamsError, ProblemsParams
from stages.problems import builtin, gsm8k, jsonl
from stages.problems.problem import Problem, text_key

USES = ("train", "dev", "heldout", "ood")
BUILTIN = ("builtin/math", "builtin/logic")


def load(use: str, problems: ProblemsParams) -> list[Problem]:
    """The problems of one use, in the order of params.yaml; a question stands once (the first is kept).

    Raises:
        ParamsError: an entry names no source, or a key that its source does not take.
        JsonlError: a problem file or one of its rows cannot be used.
    """
    seen: dict[str, Problem] = {}
    for _, _, found in entries(use, problems):
        for problem in found:
            seen.setdefault(text_key(problem.question), problem)
    return list(seen.values())


def entries(use: str, problems: ProblemsParams) -> Iterator[tuple[str, dict, list[Problem]]]:
    """Each entry of a use: its key, the entry, and all its problems."""
    for index, entry in enumerate(getattr(problems, use)):
        key = f"problems.{use}[{index}]"
        yield key, entry, _source(use, key, entry)


def _source(use: str, key: str, entry: dict) -> list[Problem]:
    source = entry.get("source")
    if source in BUILTIN:
        _check(key, entry, {"n": int, "seed": int}, {"variant": str})
        if entry.get("variant", "plain") not in builtin.VARIANTS[source]:
            raise ParamsError(f"{key}.variant is {entry['variant']!r}; it takes {', '.join(builtin.VARIANTS[source])}")
        made = builtin.problems(source, use, entry["n"], entry["seed"], entry.get("variant", "plain"))
        # The parts are disjoint by construction; this says so where the problems are made.
        assert all(builtin.part(problem.question) in builtin.PARTS[use] for problem in made)
        return made
    if source == "jsonl":
        _check(key, entry, {"path": str}, {"n": int, "seed": int})
        return jsonl.read(Path(entry["path"]), entry.get("n"), entry.get("seed", 0))
    if source == "gsm8k":
        _check(key, entry, {"split": str}, {"path": str, "n": int, "seed": int})
        if entry["split"] not in gsm8k.SPLITS:
            raise ParamsError(f"{key}.split is {entry['split']!r}; it takes {', '.join(gsm8k.SPLITS)}")
        path = Path(entry["path"]) if "path" in entry else None
        return gsm8k.read(entry["split"], path, entry.get("n"), entry.get("seed", 0))
    raise ParamsError(f"{key}.source is {source!r}; it takes {', '.join((*BUILTIN, 'gsm8k', 'jsonl'))}")


def _check(key: str, entry: dict, needed: dict[str, type], optional: dict[str, type]) -> None:
    for name in entry:
        if name != "source" and name not in needed and name not in optional:
            raise ParamsError(
                f"params.yaml: unknown key {key}.{name}; known here: source, {', '.join((*needed, *optional))}"
            )
    for name in needed:
        if name not in entry:
            raise ParamsError(f"params.yaml: missing key {key}.{name}")
    for name, kind in {**needed, **optional}.items():
        if name in entry and type(entry[name]) is not kind:
            raise ParamsError(f"params.yaml: {key}.{name} is {entry[name]!r}; it takes {kind.__name__}")
    if "n" in entry and entry["n"] < 1:
        raise ParamsError(f"params.yaml: {key}.n is {entry['n']}; it takes 1 or more")
