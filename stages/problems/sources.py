"""Where problems come from: params.problems names a list of sources for each use.

DVC watches the folder data/sources. A file elsewhere is read as well, and a line says that its changes run nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from stages.params import CorpusParams, ParamsError, ProblemsParams
from stages.problems import builtin, jsonl, readable
from stages.problems.published import (
    asdiv,
    folio,
    gsm8k,
    gsm_hard,
    logical_deduction,
    mawps,
    prontoqa,
    proofwriter,
    svamp,
)
from stages.problems.redraw import marked, redrawn
from stages.records.problem import Problem, drawn, folded, text_key, words

WATCHED = Path("data/sources")  # a dep of generate and eval in dvc.yaml
USES = ("train", "dev", "heldout", "ood")
BUILTIN = ("builtin/math", "builtin/logic")
# Published sets: the module that reads each, and its keys beside path, n and seed with what they take.
PUBLISHED = {
    "asdiv": (asdiv, {"part": asdiv.PARTS}),
    "folio": (folio, {"split": folio.SPLITS}),
    "gsm8k": (gsm8k, {"split": gsm8k.SPLITS}),
    "gsm_hard": (gsm_hard, {}),
    "logical_deduction": (logical_deduction, {}),
    "mawps": (mawps, {"part": mawps.PARTS}),
    "prontoqa": (prontoqa, {}),
    "proofwriter": (proofwriter, {}),
    "svamp": (svamp, {}),
}
FOLDED = ("asdiv", "mawps")  # take folds, fold and use: one fold of a cross-validation
FOLDED_BY = ("words", "row")  # what is never parted: the problems of the same words; or nothing, as published folds
FOLD_USES = {"train": "test", "test": "train"}  # each with what it leaves out
REDRAWN = ("asdiv", "gsm8k", "mawps")  # take redraws: so many problems more from each, with other numbers


def load(use: str, problems: ProblemsParams) -> list[Problem]:
    """The problems of one use, in the order of params.yaml; a question stands once (the first is kept), as does an id.

    Raises:
        ParamsError: an entry names no source, or a key that its source does not take.
        JsonlError: a problem file or one of its rows cannot be used.
        InputError: answers of a file of one's own are not read by the grader.
    """
    return _once(entries(use, problems), "; `python -m stages.problems.gold` lists them all")


def load_corpus(corpus: CorpusParams) -> list[Problem]:
    """The problems that the from-scratch student reads beside the built-in ones; from the parts of `train`.

    What the fold of one entry holds back no other entry brings in: MAWPS and ASDiv-A share some hundred questions. A
    fold `by` row holds back its rows and not their words.

    Raises:
        ParamsError, JsonlError: as for `load`.
    """
    found = _once(_entries("train", "generate.corpus.problems", corpus.problems))
    cut = [entry for entry in corpus.problems if "folds" in entry and entry.get("by") != "row"]
    back = [{**entry, "use": FOLD_USES[entry["use"]]} for entry in cut]
    plain = [{key: value for key, value in entry.items() if key not in ("n", "redraws")} for entry in back]
    parts = _entries("train", "generate.corpus.problems", plain)
    held = {words(problem) for _, _, problems in parts for problem in problems}
    return [problem for problem in found if words(problem) not in held]


def _once(found: Iterator[tuple[str, dict, list[Problem]]], hint: str = "") -> list[Problem]:
    seen: dict[str, Problem] = {}
    own: dict[str, list[Problem]] = {}
    for key, entry, problems in found:
        if "path" in entry:
            say_unwatched(f"{key}.path", Path(entry["path"]))
        if entry["source"] == "jsonl":
            own[entry["path"]] = own.get(entry["path"], []) + problems
        for problem in problems:
            seen.setdefault(text_key(problem.question), problem)
    readable.refuse(", ".join(own), [problem for problems in own.values() for problem in problems], hint)
    return list(seen.values())


def entries(use: str, problems: ProblemsParams) -> Iterator[tuple[str, dict, list[Problem]]]:
    """Each entry of a use: its key, the entry, and all its problems, under ids that no other question has."""
    yield from _entries(use, f"problems.{use}", getattr(problems, use))


def _entries(use: str, name: str, given: tuple[dict, ...]) -> Iterator[tuple[str, dict, list[Problem]]]:
    taken: dict[str, str] = {}  # id -> the question that has it
    for index, entry in enumerate(given):
        key = f"{name}[{index}]"
        yield key, entry, _named(key, *_source(use, key, entry), taken)


def _named(key: str, found: list[Problem], whole: list[Problem], taken: dict[str, str]) -> list[Problem]:
    """The problems of an entry; where an entry before has their ids on other questions, all get `@2`, or `@3`, ...

    Published sets count their rows, so two files of one set count alike. The whole files are compared, so that an id
    does not depend on which problems are drawn.
    """
    texts: dict[str, str] = {}
    for problem in (*whole, *found):
        text = text_key(problem.question)
        if texts.setdefault(problem.id, text) != text:
            raise ParamsError(f"{key}: id {problem.id} stands on two different questions; ids in a file must differ")
    for number in count(1):
        names = {marked(name, number): text for name, text in texts.items()}
        if all(taken.get(name, text) == text for name, text in names.items()):
            break
    taken.update(names)
    return [replace(problem, id=marked(problem.id, number)) for problem in found]


def _source(use: str, key: str, entry: dict) -> tuple[list[Problem], list[Problem]]:
    """The problems of an entry, and those of its whole file."""
    source = entry.get("source")
    if source in BUILTIN:
        check_keys(key, entry, {"n": int, "seed": int}, {"variant": str})
        if entry.get("variant", "plain") not in builtin.VARIANTS[source]:
            raise ParamsError(f"{key}.variant is {entry['variant']!r}; it takes {', '.join(builtin.VARIANTS[source])}")
        made = builtin.problems(source, use, entry["n"], entry["seed"], entry.get("variant", "plain"))
        # The parts are disjoint by construction; this says so where the problems are made.
        assert all(builtin.part(problem.question) in builtin.PARTS[use] for problem in made)
        return made, made
    if source == "jsonl":
        check_keys(key, entry, {"path": str}, {"n": int, "seed": int})
        whole = jsonl.read(Path(entry["path"]))
        return drawn(whole, entry.get("n"), entry.get("seed", 0)), whole
    if source in PUBLISHED:
        return _published(use, key, entry)
    raise ParamsError(f"{key}.source is {source!r}; it takes {', '.join((*BUILTIN, *PUBLISHED, 'jsonl'))}")


def _published(use: str, key: str, entry: dict) -> tuple[list[Problem], list[Problem]]:
    """Read, then cut to a fold, then drawn, then multiplied: each of the draws is by the entry's seed."""
    module, choices = PUBLISHED[entry["source"]]
    needed = {"split": str} if "split" in choices else {}
    optional = {"path": str, "n": int, "seed": int}
    optional |= {"part": str} if "part" in choices else {}
    optional |= {"folds": int, "fold": int, "use": str, "by": str} if entry["source"] in FOLDED else {}
    optional |= {"redraws": int} if entry["source"] in REDRAWN else {}
    check_keys(key, entry, needed, optional)
    for name, allowed in choices.items():
        if name in entry and entry[name] not in allowed:
            raise ParamsError(f"{key}.{name} is {entry[name]!r}; it takes {', '.join(allowed)}")
    _check_fold(key, entry)
    if "redraws" in entry and use != "train":
        raise ParamsError(f"{key}.redraws: only training problems are multiplied; take it out")
    options = {name: entry[name] for name in choices if name in entry}
    seed = entry.get("seed", 0)
    whole = module.read(path=Path(entry["path"]) if "path" in entry else None, **options)
    # A redraw may hit another published problem, and that one may be tested: MAWPS repeats stories with other numbers.
    taken = {words(problem) for problem in whole}
    found = whole
    if "folds" in entry:
        held = entry["use"] == "test"
        found = folded(whole, entry["folds"], entry["fold"], held, seed, entry.get("by", "words"))
    found = drawn(found, entry.get("n"), seed)
    more = [other for one in found for other in redrawn(one, entry.get("redraws", 0), seed)]
    return found + [other for other in more if words(other) not in taken], whole


def _check_fold(key: str, entry: dict) -> None:
    given = [name for name in ("folds", "fold", "use", "by") if name in entry]
    if not given:
        return
    for name in ("folds", "fold", "use", "seed"):
        if name not in entry:
            raise ParamsError(f"params.yaml: missing key {key}.{name}; {given[0]} takes folds, fold, use and seed")
    if entry["folds"] < 2:
        raise ParamsError(f"params.yaml: {key}.folds is {entry['folds']}; it takes 2 or more")
    if not 0 <= entry["fold"] < entry["folds"]:
        raise ParamsError(f"params.yaml: {key}.fold is {entry['fold']}; it takes 0 to {entry['folds'] - 1}")
    for name, allowed in (("use", ("train", "test")), ("by", FOLDED_BY)):
        if name in entry and entry[name] not in allowed:
            raise ParamsError(f"params.yaml: {key}.{name} is {entry[name]!r}; it takes {', '.join(allowed)}")


def say_unwatched(key: str, path: Path) -> None:
    """Say on stderr that DVC does not see a change of this file, where it is outside the watched folder."""
    if Path("dvc.yaml").exists() and not path.resolve().is_relative_to(WATCHED.resolve()):
        print(
            f"{key}: {path} is outside {WATCHED}, the folder that DVC watches, so a change of it runs nothing again; "
            "move it there",
            file=sys.stderr,
        )


def check_keys(key: str, entry: dict, needed: dict[str, type], optional: dict[str, type]) -> None:
    """Refuse an entry with a key that its source does not take, without one that it needs, or of a wrong type."""
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
    for name in ("n", "redraws"):
        if name in entry and entry[name] < 1:
            raise ParamsError(f"params.yaml: {key}.{name} is {entry[name]}; it takes 1 or more")
