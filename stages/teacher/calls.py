"""data/calls: exactly the calls that one version of the chains used; and nothing bought a second time."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from pathlib import Path

from stages.records.errors import InputError, brief
from stages.records.problem import Problem
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import OURS

CALLS = Path("data/calls")
BLOCK = 50  # problems a file of data/calls: small enough to change little, large enough to be few

Place = tuple[int, int]  # the problem's place in the list, and the sample


def call_files(problems: list[Problem], calls: dict[Place, list[str]]) -> dict[str, list[str]]:
    """The files of data/calls and the keys in each: a source's problems by fifties, each sample apart.

    So more samples, or more problems of a source, add files and change none (or one).
    """
    ranks, seen = [], Counter()
    for problem in problems:
        slug = re.sub(r"[^a-z0-9]+", "-", problem.source.lower()).strip("-")[:60] or "problems"
        ranks.append((slug, seen[slug] // BLOCK))
        seen[slug] += 1
    files = defaultdict(list)
    for (place, sample), keys in sorted(calls.items()):
        slug, block = ranks[place]
        files[f"{slug}-{block:04d}-{sample:02d}.jsonl"].extend(keys)
    return dict(files)


def guard_money(model: str, journal: Journal) -> None:
    """Refuse to buy what dvc.lock says was bought, by the same teacher, and is only not here.

    Raises:
        InputError: data/calls is in dvc.lock, and neither it nor the journal holds a call.
    """
    if len(journal) or model.startswith(OURS) or os.environ.get("STEPCALL_BUY") == "1":
        return
    if Path("dvc.lock").exists() and _locked_model(Path("dvc.lock")) == model:
        raise InputError(
            f"{CALLS}: dvc.lock lists calls of {model} that are not here, and all would be bought again; "
            f"run `dvc pull {CALLS}` first, or set STEPCALL_BUY=1 to buy them"
        )


def _locked_model(lock: Path) -> str | None:
    """The teacher's model of the version in dvc.lock; None where that lists no data/calls."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        locked = YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8")) or {}
        stage = locked.get("stages", {}).get("generate", {})
        if str(CALLS) not in (out["path"] for out in stage.get("outs", ())):
            return None
        return stage["params"]["params.yaml"]["generate"]["teacher"]["model"]
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = f"{lock}: not as DVC writes it ({brief(error)}); restore it with `git checkout {lock}`"
        raise InputError(said) from None
