"""Where problems come from: params.problems names a list of sources for each use.

DVC watches the folder data/sources. A file elsewhere is read as well, and a line says that its changes run nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from stages.params import CorpusParams, FoldParams, ParamsError, ProblemsParams
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
FOLDED = ("asdiv", "mawps")  # cut by problems.fold: train reads what is not held, the tested uses what is held
REDRAWN = ("asdiv", "gsm8k", "mawps")  # take redraws: so many problems more from each, with other numbers


def load(use: str, problems: ProblemsParams) -> list[Problem]:
    """The problems of one use, in the order of params.yaml; a question stands once (the first is kept), as does an id.

    Raises:
        ParamsError: an entry names no source, or a key that its source does not take.
        JsonlError: a problem file or one of its rows cannot be used.
        InputError: answers of a file of one's own are not read by the grader.
    """
    return _once(entries(use, problems), "; `python -m stages.problems.gold` lists them all")


def load_corpus(corpus: CorpusParams, fold: FoldParams | None) -> list[Problem]:
    """The problems that the from-scratch student reads beside the built-in ones, as of the use `train`.

    Raises:
        ParamsError, JsonlError: as for `load`.
    """
    return _once(_entries("train", "generate.corpus.problems", corpus.problems, fold))


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
    yield from _entries(use, f"problems.{use}", getattr(problems, use), problems.fold)


def _entries(
    use: str, name: str, given: tuple[dict, ...], fold: FoldParams | None
) -> Iterator[tuple[str, dict, list[Problem]]]:
    taken: dict[str, str] = {}  # id -> the question that has it
    for index, entry in enumerate(given):
        key = f"{name}[{index}]"
        yield key, entry, _named(key, *_source(use, key, entry, fold), taken)


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


def _source(use: str, key: str, entry: dict, fold: FoldParams | None) -> tuple[list[Problem], list[Problem]]:
    """The problems of an entry, and those of its whole file."""
    source = entry.get("source")
    if source in BUILTIN:
        check_keys(key, entry, {"n": int, "seed": int}, {"variant": builtin.VARIANTS[source]})
        made = builtin.problems(source, use, entry["n"], entry["seed"], entry.get("variant", "plain"))
        # The parts are disjoint by construction; this says so where the problems are made.
        assert all(builtin.part(problem.question) in builtin.PARTS[use] for problem in made)
        return made, made
    if source == "jsonl":
        check_keys(key, entry, {"path": str}, {"n": int, "seed": int})
        whole = jsonl.read(Path(entry["path"]))
        return drawn(whole, entry.get("n"), entry.get("seed", 0)), whole
    if source in PUBLISHED:
        return _published(use, key, entry, fold)
    raise ParamsError(f"{key}.source is {source!r}; it takes {', '.join((*BUILTIN, *PUBLISHED, 'jsonl'))}")


def _published(use: str, key: str, entry: dict, fold: FoldParams | None) -> tuple[list[Problem], list[Problem]]:
    """Read, then cut to the fold, then drawn, then multiplied: the last two by the entry's own seed."""
    module, choices = PUBLISHED[entry["source"]]
    needed = {name: choices[name] for name in choices if name == "split"}
    optional = {"path": str, "n": int, "seed": int, **choices}
    optional |= {"redraws": int} if entry["source"] in REDRAWN else {}
    check_keys(key, entry, needed, optional)
    if "redraws" in entry and use != "train":
        raise ParamsError(f"{key}.redraws: only training problems are multiplied; take it out")
    options = {name: entry[name] for name in choices if name in entry}
    seed = entry.get("seed", 0)
    whole = module.read(path=Path(entry["path"]) if "path" in entry else None, **options)
    # A redraw may hit another published problem, and that one may be tested: MAWPS repeats stories with other numbers.
    taken = {words(problem) for problem in whole}
    found = whole
    if fold and entry["source"] in FOLDED:
        found = folded(whole, fold.of, fold.hold, use != "train", fold.seed, fold.by)
    found = drawn(found, entry.get("n"), seed)
    more = [other for one in found for other in redrawn(one, entry.get("redraws", 0), seed)]
    return found + [other for other in more if words(other) not in taken], whole


def say_unwatched(key: str, path: Path) -> None:
    """Say on stderr that DVC does not see a change of this file, where it is outside the watched folder."""
    if Path("dvc.yaml").exists() and not path.resolve().is_relative_to(WATCHED.resolve()):
        print(
            f"{key}: {path} is outside {WATCHED}, the folder that DVC watches, so a change of it runs nothing again; "
            "move it there",
            file=sys.stderr,
        )


def check_keys(key: str, entry: dict, needed: dict[str, type | tuple], optional: dict[str, type | tuple]) -> None:
    """Refuse an entry with a key that its source does not take, without one that it needs, or of a wrong value.

    What a key takes is a type, or the texts that are allowed.
    """
    takes = {"source": str, **optional, **needed}
    for name, value in entry.items():
        if name not in takes:
            raise ParamsError(f"params.yaml: unknown key {key}.{name}; known here: {', '.join(takes)}")
        kind = takes[name]
        if not (value in kind if isinstance(kind, tuple) else type(value) is kind):
            known = ", ".join(kind) if isinstance(kind, tuple) else kind.__name__
            raise ParamsError(f"params.yaml: {key}.{name} is {value!r}; it takes {known}")
        if name in ("n", "redraws") and value < 1:
            raise ParamsError(f"params.yaml: {key}.{name} is {value}; it takes 1 or more")
    for name in needed:
        if name not in entry:
            raise ParamsError(f"params.yaml: missing key {key}.{name}")
