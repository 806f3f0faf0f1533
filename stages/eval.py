"""How well the students solve problems that no stage before has seen, and how much better one is than another.

In: models/{base,sft,dpo}; the heldout and ood problems of params.yaml.
Out: data/predictions.jsonl; metrics/eval.json and metrics/eval_ood.json, what runs are compared by, with all other
figures in metrics/details/; the plots' data in metrics/plots/.
Run: python -m stages.eval; `--use dev` prints the table for the dev problems and writes nothing.

Every student meets the same problems with the same agent, tools and verifier as the teacher did.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from stages import params, schema
from stages.chain import FAILURES, Chain
from stages.params import InputError, Params
from stages.problems.problem import TASKS, Problem
from stages.statistics import mcnemar, paired_difference, wilson
from stages.verdict import verdict

PREDICTIONS, METRICS = "data/predictions.jsonl", {"heldout": "metrics/eval.json", "ood": "metrics/eval_ood.json"}
DETAILS = {"heldout": "metrics/details/eval.json", "ood": "metrics/details/eval_ood.json"}
HEADLINE = ("accuracy", "accuracy_low", "accuracy_high", "n", "cut")  # of a model and task; the gains stand beside them
MANY_CUT = 0.05  # of a model's chains: then the limit decides a part of the comparison
ACCURACY, FAILURE = "metrics/plots/accuracy.json", "metrics/plots/failures.json"
GAINS = (("dpo", "base"), ("dpo", "sft"))


def predictions(model: str, use: str, chains: list[Chain], tolerance: float) -> list[dict]:
    """Rows of predictions.jsonl, by problem id: what one student did on the problems of one use, and the verdict."""
    rows = []
    for chain in sorted(chains, key=lambda chain: chain.problem_id):
        judged, row = verdict(chain, tolerance), chain.row()
        kept = {name: row[name] for name in ("problem_id", "task", "question", "gold", "steps", "answer", "stop")}
        judged = {name: judged[name] for name in ("verdict", "failure", "answer_right")}
        rows.append({"model": model, "use": use, **kept, **judged, "tokens": chain.completion_tokens})
    return rows


def metrics(rows: list[dict], gains: tuple[tuple[str, str], ...] = GAINS) -> dict:
    """The metrics of one use: each model by task, its failures, and the paired differences `gains`.

    Raises:
        ValueError: the models did not meet the same problems.
    """
    models = {name: [row for row in rows if row["model"] == name] for name in dict.fromkeys(r["model"] for r in rows)}
    if len({tuple(row["problem_id"] for row in own) for own in models.values()}) > 1:
        raise ValueError("models are compared on the same problems in the same order")
    tasks = [task for task in TASKS if any(row["task"] == task for row in rows)]
    measured: dict = {}
    for model, own in models.items():
        measured[model] = {task: _summary(_of(own, task)) for task in (*tasks, "all")}
        counts = Counter(row["failure"] for row in own)
        measured[model]["failures"] = {failure: counts[failure] for failure in FAILURES}
    measured["gain"] = {task: {} for task in (*tasks, "all")}
    for better, worse in gains:
        if better in models and worse in models:
            for task in measured["gain"]:
                gain = _gain(_of(models[better], task), _of(models[worse], task))
                name = f"{better}_minus_{worse}"
                measured["gain"][task] |= {name + suffix: value for suffix, value in gain.items()}
    return measured


def _of(rows: list[dict], task: str) -> list[dict]:
    return [row for row in rows if task in ("all", row["task"])]


def _summary(rows: list[dict]) -> dict:
    """`valid_calls`: share of turns that are a call which ran; `steps` and `tokens`: means of a chain.

    `cut`: share of chains that ended as a turn, or what the model reads, reached its limit of tokens.
    """
    n, turns = len(rows), sum(len(row["steps"]) for row in rows)
    accuracy = wilson(sum(row["verdict"] == "correct" for row in rows), n)
    return {
        "accuracy": accuracy.estimate,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "answer_accuracy": sum(row["answer_right"] for row in rows) / n,
        "n": n,
        "valid_calls": sum(not step["error"] for row in rows for step in row["steps"]) / max(1, turns),
        "unfinished": sum(row["stop"] != "finish" for row in rows) / n,
        "cut": sum(row["stop"] == "max_tokens" for row in rows) / n,
        "steps": turns / n,
        "tokens": sum(row["tokens"] for row in rows) / n,
    }


def _gain(better: list[dict], worse: list[dict]) -> dict[str, float]:
    one, two = ([row["verdict"] == "correct" for row in rows] for rows in (better, worse))
    difference = paired_difference(one, two)
    return {"": difference.estimate, "_low": difference.low, "_high": difference.high, "_p": mcnemar(one, two)}


def split(measured: dict) -> tuple[dict, dict]:
    """What runs are compared by, which is a DVC metric and a column of `dvc metrics show` each, and all the rest."""
    headline, details = {}, {}
    for model, of_model in measured.items():
        if model == "gain":
            headline[model] = of_model
            continue
        headline[model], details[model] = {}, {}
        for task, figures in of_model.items():
            if task == "failures":
                details[model][task] = figures
                continue
            headline[model][task] = {name: figures[name] for name in HEADLINE}
            details[model][task] = {name: value for name, value in figures.items() if name not in HEADLINE}
    return headline, details


def plots(measured: dict[str, dict]) -> tuple[list[dict], list[dict]]:
    """Rows for `dvc plots`: accuracy with its interval by problems and model, and the held-out failures by model."""
    accuracy, failures = [], []
    for use, of_use in measured.items():
        for model, of_model in of_use.items():
            for task in (task for task in TASKS if model != "gain" and task in of_model):
                problems = task if use == "heldout" else f"{task} ({use})"
                summary = of_model[task]
                shares = {name: round(summary[name], 4) for name in ("accuracy", "accuracy_low", "accuracy_high")}
                accuracy.append({"problems": problems, "model": model, **shares, "n": summary["n"]})
            if use == "heldout" and model != "gain":
                n = of_model["all"]["n"]
                for failure, count in of_model["failures"].items():
                    failures.append({"model": model, "failure": failure, "count": count, "share": round(count / n, 4)})
    return accuracy, failures


def table(measured: dict) -> str:
    """The metrics of one use as two Markdown tables: strict accuracy with gains, and how the students went about it."""
    models = [name for name in measured if name != "gain"]
    gains = [name.removesuffix("_p") for name in measured["gain"]["all"] if name.endswith("_p")]
    lines = [
        _line("correct, 95 % interval", "n", *models, *(name.replace("_minus_", " - ") for name in gains)),
        _line(*["---"] * (2 + len(models) + len(gains))),
    ]
    for task, gain in measured["gain"].items():
        summaries = [measured[model][task] for model in models]
        cells = [_range(s["accuracy"], s["accuracy_low"], s["accuracy_high"]) for s in summaries]
        cells += [_range(*(gain[name + end] for end in ("", "_low", "_high")), gain[name + "_p"]) for name in gains]
        lines.append(_line(task, str(summaries[0]["n"]), *cells))
    columns = ("right answers", "valid calls", "unfinished", "steps", "tokens")
    lines += ["", _line("all problems", *columns, "most frequent failures"), _line(*["---"] * (2 + len(columns)))]
    for model in models:
        whole, failures = measured[model]["all"], Counter(measured[model]["failures"])
        shares = [f"{100 * whole[name]:.1f} %" for name in ("answer_accuracy", "valid_calls", "unfinished")]
        often = ", ".join(f"{failure} {count}" for failure, count in failures.most_common(3) if count)
        lines.append(_line(model, *shares, f"{whole['steps']:.1f}", f"{whole['tokens']:.0f}", often or "none"))
    return "\n".join(lines)


def warning(use: str, measured: dict, max_tokens: int) -> str:
    """The line beside the table where chains were often cut: a row then says how long a model may write. Else empty."""
    shares = {name: of_model["all"]["cut"] for name, of_model in measured.items() if name != "gain"}
    often = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items() if share > MANY_CUT)
    if not often:
        return ""
    return (
        f"eval: chains on {use} problems that were cut by eval.max_tokens: {max_tokens} (or where the model reads no "
        f"further): {often}. These rows compare that limit: raise it"
    )


def closing(measured: dict[str, dict], done: str) -> str:
    """The line that the stage ends with."""
    said = []
    for use, of_use in measured.items():
        models = {name: of_model["all"] for name, of_model in of_use.items() if name != "gain"}
        shares = ", ".join(f"{name} {100 * whole['accuracy']:.1f} %" for name, whole in models.items())
        said.append(f"{shares} correct of {next(iter(models.values()))['n']:,} {use} problems")
    return f"eval: {'; '.join(said) or 'no problem'}; {done}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _range(share: float, low: float, high: float, p: float | None = None) -> str:
    if p is None:
        return f"{100 * share:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    chance = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    return f"{100 * share:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}], {chance}"


def solve(settings: Params, problems: dict[str, list[Problem]]) -> list[dict]:
    """Predictions of every model of `eval.models` on the problems of each use; one model in memory at a time."""
    import torch

    from stages.student.decode import solve_all
    from stages.student.load import load_student, pick_device

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
    parser = params.parser("stages.eval", __doc__.split("\n")[0])
    parser.add_argument("--use", choices=("dev",), help="print the table for these problems and write nothing")
    use = parser.parse_args().use
    from stages.files import hold, replace_file, write_metrics
    from stages.problems.sources import load

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
    params.run(main)
