"""What the students' chains say: metrics by model and task, and the points of the plots."""

from __future__ import annotations

from collections import Counter

from stages.records.chain import FAILURES
from stages.records.problem import TASKS
from stages.report.intervals import mcnemar, paired_difference, wilson

PREDICTIONS = "data/predictions.jsonl"
HEADLINE = ("accuracy", "accuracy_low", "accuracy_high", "n", "cut")  # of a model and task; the gains stand beside them
GAINS = (("dpo", "base"), ("dpo", "sft"))


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
