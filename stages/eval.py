"""How well the students solve problems that no stage before has seen, and how much better one is than another.

In: models/{base,sft,dpo}; the heldout and ood problems of params.yaml.
Out: data/predictions.jsonl; metrics/eval.json and metrics/eval_ood.json, what runs are compared by, with all other
figures in metrics/details/; the plots' data in metrics/plots/.
Run: python -m stages.eval; `--use dev` prints the table for the dev problems and writes nothing.

Every student meets the same problems with the same agent, tools and verifier as the teacher did.
"""

from __future__ import annotations

import json
from pathlib import Path

from stages import params
from stages.params import Params
from stages.records import schema
from stages.records.chain import Chain
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.problem import Problem
from stages.report.metrics import PREDICTIONS, metrics, plots, split
from stages.report.tables import closing, table, warning
from stages.verdicts.verdict import verdict

METRICS = {"heldout": "metrics/eval.json", "ood": "metrics/eval_ood.json"}
DETAILS = {"heldout": "metrics/details/eval.json", "ood": "metrics/details/eval_ood.json"}
ACCURACY, FAILURE = "metrics/plots/accuracy.json", "metrics/plots/failures.json"


def predictions(model: str, use: str, chains: list[Chain], tolerance: float) -> list[dict]:
    """Rows of predictions.jsonl, by problem id: what one student did on the problems of one use, and the verdict."""
    rows = []
    for chain in sorted(chains, key=lambda chain: chain.problem_id):
        judged, row = verdict(chain, tolerance), chain.row()
        kept = {name: row[name] for name in ("problem_id", "task", "question", "gold", "steps", "answer", "stop")}
        judged = {name: judged[name] for name in ("verdict", "failure", "answer_right")}
        rows.append({"model": model, "use": use, **kept, **judged, "tokens": chain.completion_tokens})
    return rows


def solve(settings: Params, problems: dict[str, list[Problem]]) -> list[dict]:
    """Predictions of every model of `eval.models` on the problems of each use; one model in memory at a time."""
    import torch

    from stages.agent.decode import solve_all
    from stages.students.load import load_student, pick_device

    torch.set_num_threads(settings.train.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    rows = []
    for name in settings.eval.models:
        model, tokenizer = load_student(f"models/{name}", pick_device(settings.runtime.device))
        for use, of_use in problems.items():
            chains = solve_all(
                model,
                tokenizer,
                of_use,
                settings.agent,
                settings.eval.batch,
                settings.eval.max_tokens,
                name=f"{name} {use}",
                progress=settings.runtime.progress,
            )
            rows += predictions(name, use, chains, settings.verify.tolerance)
    return rows


def main() -> None:
    command = parser("stages.eval", __doc__.split("\n")[0])
    command.add_argument("--use", choices=("dev",), help="print the table for these problems and write nothing")
    use = command.parse_args().use
    from stages.problems.sources import load
    from stages.records.files import hold, replace_file, write_metrics

    settings = params.load()
    if not use:
        hold(PREDICTIONS)
    for name in settings.eval.models:
        if not Path("models", name, "config.json").is_file():  # else it would be asked of the hub
            raise InputError(f"models/{name}: no student there; make it with `dvc repro train@{name}`")
    problems = {name: load(name, settings.problems) for name in ((use,) if use else METRICS)}
    problems = {name: of_use for name, of_use in problems.items() if of_use}
    rows = solve(settings, problems)
    measured = {name: metrics([row for row in rows if row["use"] == name]) for name in problems}
    if not use:
        schema.write(PREDICTIONS, rows, "predictions")
        for name in METRICS:
            for path, figures in zip((METRICS[name], DETAILS[name]), split(measured.get(name, {})), strict=True):
                write_metrics(path, figures)
        for path, points in zip((ACCURACY, FAILURE), plots(measured), strict=True):
            replace_file(path, "[\n" + ",\n".join(json.dumps(point) for point in points) + "\n]\n")
    for name in problems:
        cut = warning(name, measured[name], settings.eval.max_tokens)
        print(f"\n{name} problems\n\n{table(measured[name])}" + (f"\n\n{cut}" if cut else ""))
    print(f"\n{closing(measured, 'nothing is written' if use else f'{len(rows):,} chains in {PREDICTIONS}')}")


if __name__ == "__main__":
    run(main)
