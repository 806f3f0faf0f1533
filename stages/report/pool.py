"""One table over several runs that tested different problems: the folds of a cross-validation.

In: data/predictions.jsonl of each revision (a commit, tag, branch or experiment), from DVC's cache or the remote; or
files of that form. Out: the table, and with --out FILE its figures as JSON. Held-out problems only.
With --source NAME, those of this source alone.
Run: python -m stages.report.pool mawps-0 mawps-1 mawps-2 mawps-3 mawps-4
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages.records import schema
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.files import write_metrics
from stages.records.problem import text_key
from stages.report.intervals import wilson
from stages.report.metrics import PREDICTIONS, metrics
from stages.report.tables import markdown, table

GAINS = (("sft", "base"), ("dpo", "base"), ("dpo", "sft"))


def pooled(parts: dict[str, list[dict]]) -> dict:
    """What metrics/eval.json says, over the held-out rows of all parts; `answer_accuracy` has its interval too.

    `parts` has by part its n and the two accuracies of each model. A problem counts once, so an interval knows nothing
    of how much one training differs from the next; how far the parts lie apart shows some of it.

    Raises:
        InputError: a part has no held-out row or other models than the first, or a problem stands in two.
    """
    models: dict[str, set[str]] = {}
    holders: dict[tuple[str, str], str] = {}
    for name, rows in parts.items():
        models[name] = {row["model"] for row in rows}
        first = next(iter(models))
        if not rows:
            raise InputError(
                f"{name}: no such held-out prediction; name a run that tested some, and a source of theirs"
            )
        if models[name] != models[first]:
            said = [", ".join(sorted(models[part])) for part in (name, first)]
            raise InputError(f"{name}: its students are {said[0]}, those of {first} {said[1]}; pool runs of the same")
        for problem, question in {(row["problem_id"], text_key(row["question"])) for row in rows}:
            other = holders.setdefault((problem, question), name)  # files of one set count their rows alike
            if other != name:
                raise InputError(
                    f"{name}: problem {problem} stands in {other} too; pool runs that tested different ones"
                )
    measured = {name: _measured(rows, name) for name, rows in parts.items()}
    whole = _measured([row for rows in parts.values() for row in rows], "all of them")
    by_part = {}
    for name, of_part in measured.items():
        kept = {
            model: {key: of_part[model]["all"][key] for key in ("accuracy", "answer_accuracy")}
            for model in of_part
            if model != "gain"
        }
        by_part[name] = {"n": len({row["problem_id"] for row in parts[name]}), **kept}
    return {**whole, "parts": by_part}


def _measured(rows: list[dict], name: str) -> dict:
    try:
        measured = metrics(rows, GAINS)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    for of_model in (value for model, value in measured.items() if model != "gain"):
        for task, summary in of_model.items():
            if task != "failures":
                right = wilson(round(summary["answer_accuracy"] * summary["n"]), summary["n"])
                summary |= {"answer_accuracy_low": right.low, "answer_accuracy_high": right.high}
    return measured


def text(measured: dict) -> str:
    """The tables of eval, and one of right answers with their intervals, by part and in all."""
    whole = {name: value for name, value in measured.items() if name != "parts"}
    models = [name for name in whole if name != "gain"]
    rows = []
    for name, part in measured["parts"].items():
        rows.append([name, str(part["n"]), *(f"{100 * part[model]['answer_accuracy']:.1f} %" for model in models)])
    cells = []
    for model in models:
        share, low, high = (100 * whole[model]["all"]["answer_accuracy" + end] for end in ("", "_low", "_high"))
        cells.append(f"{share:.1f} % [{low:.1f}, {high:.1f}]")
    rows.append(["all", str(whole[models[0]]["all"]["n"]), *cells])
    return f"{table(whole)}\n\n{markdown(['right answers, 95 % interval', 'n', *models], rows)}"


def read(place: str) -> list[dict]:
    """The held-out rows of a file, or of data/predictions.jsonl in a revision.

    Raises:
        InputError: there is no such file or revision, or what it holds is neither in the cache nor in the remote.
        SchemaError: a row does not fit.
    """
    if Path(place).is_file():
        rows = schema.read(place, "predictions")
    else:
        rows = schema.parse(_of_revision(place), f"{PREDICTIONS} of {place}", "predictions")
    return [row for row in rows if row["use"] == "heldout"]


def _of_revision(revision: str) -> bytes:
    import dvc.api
    from dvc.exceptions import DvcException

    try:
        return dvc.api.read(PREDICTIONS, rev=revision, mode="rb")
    except (DvcException, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{revision}: no file, and {PREDICTIONS} cannot be read from a revision of that name ({said}); "
            f"get it with `dvc pull`, or an experiment with `dvc exp pull <git remote> {revision}`"
        ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    command = parser("stages.report.pool", __doc__.split("\n")[0])
    command.add_argument(
        "places", nargs="+", metavar="REV", help="a commit, tag, branch, experiment or predictions file"
    )
    command.add_argument("--out", metavar="FILE", help="write the figures there as JSON, as metrics/eval.json has them")
    command.add_argument(
        "--source", metavar="NAME", help="only problems of this source, as mawps, where runs test several"
    )
    asked = command.parse_args(arguments)
    twice = next((place for place in asked.places if asked.places.count(place) > 1), None)
    if twice:
        raise InputError(f"{twice}: named twice; name each run once")
    parts = {place: read(place) for place in asked.places}
    if asked.source:
        # A published problem's id starts with its source (stages/problems).
        parts = {
            place: [row for row in rows if row["problem_id"].startswith(f"{asked.source}/")]
            for place, rows in parts.items()
        }
    measured = pooled(parts)
    if asked.out:
        write_metrics(asked.out, measured)
    print(text(measured))


if __name__ == "__main__":
    run(main)
