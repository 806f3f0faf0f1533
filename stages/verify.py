"""Which chains are correct, and what explains the others.

In: data/chains.jsonl. Out: data/verdicts.jsonl; metrics/verify.json, what runs are compared by, and the other figures
in metrics/details/verify.json. Run: python -m stages.verify
"""

from __future__ import annotations

from collections import Counter, defaultdict

from stages import params
from stages.records import schema
from stages.records.chain import FAILURES, Chain
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.problem import TASKS
from stages.tools import TOOLKITS
from stages.tools.run import chain_from_row
from stages.verdicts.answers import canonical_number
from stages.verdicts.perturb import agreement, outputs
from stages.verdicts.verdict import verdict, worked

CHAINS, VERDICTS = "data/chains.jsonl", "data/verdicts.jsonl"
METRICS, DETAILS = "metrics/verify.json", "metrics/details/verify.json"
NOT_COMPARED = ("failures", "checks", "perturbation")  # the figures that stand in DETAILS


def verdicts(rows: list[dict], tolerance: float, redraws: int = 0) -> list[dict]:
    """One verdict a chain, in the order of their ids. A row whose columns contradict each other is not reproduced.

    `redraws` > 0 compares each problem's right chains with so many other sets of numbers in the question.

    Raises:
        InputError: a chain names a toolkit that does not exist.
    """
    made, chains = [], []
    for row in sorted(rows, key=lambda row: row["chain_id"]):
        if row["toolkit"] not in TOOLKITS:
            known = ", ".join(TOOLKITS)
            raise InputError(f"{CHAINS}: chain {row['chain_id']}: no toolkit {row['toolkit']!r}; known: {known}")
        chain = chain_from_row(row)
        agrees = {**chain.row(), "chain_id": row["chain_id"]} == row
        made.append({**verdict(chain, tolerance, agrees), "chain_id": row["chain_id"]})
        chains.append(chain)
    if redraws:
        _perturb(chains, made, redraws)
    return made


def _perturb(chains: list[Chain], made: list[dict], redraws: int) -> None:
    """Fill the column `perturbation` of the right and reproduced arithmetic chains."""
    given = defaultdict(list)
    for chain, row in zip(chains, made, strict=True):
        if chain.toolkit == "arithmetic" and row["answer_right"] and row["reproduced"]:
            answer = canonical_number(chain.answer)
            given[chain.problem_id].append((row, outputs(chain.question, worked(chain.steps), answer, redraws)))
    for pairs in given.values():
        for (row, _), word in zip(pairs, agreement([numbers for _, numbers in pairs]), strict=True):
            row["perturbation"] = word


def metrics(rows: list[dict], made: list[dict]) -> dict:
    """Counts of verdicts and failures, the share of correct chains by task, and how often each check fired.

    `cost_per_correct_usd`: what all chains cost, for each correct one; null where none is.
    A check that fires on many finished chains with the right answer (`right`) finds luck, or is itself wrong.
    """
    tasks = {row["chain_id"]: row["task"] for row in rows}
    counts = Counter(row["verdict"] for row in made)
    failures = Counter(row["failure"] for row in made)
    shares = {
        task: [row["verdict"] == "correct" for row in made if tasks[row["chain_id"]] == task]
        for task in TASKS
        if task in tasks.values()
    }
    finished = [row for row in made if row["finished"]]
    checks = [name for name in (*schema.HARD_CHECKS, *schema.SOFT_CHECKS) if name not in ("finished", "answer_right")]
    return {
        "chains": len(made),
        **{word: counts[word] for word in schema.VERDICTS},
        "cost_per_correct_usd": sum(row["cost_usd"] for row in rows) / counts["correct"] if counts["correct"] else None,
        "correct_share": {task: sum(correct) / len(correct) for task, correct in shares.items()},
        "failures": {name: failures[name] for name in FAILURES},
        "checks": {
            name: {
                "right": sum(row["answer_right"] and not row[name] for row in finished),
                "other": sum(not row["answer_right"] and not row[name] for row in finished),
            }
            for name in checks
        },
        "perturbation": {word: sum(row["perturbation"] == word for row in made) for word in schema.PERTURBATIONS[1:]},
    }


def closing(figures: dict) -> str:
    """The line that the stage ends with."""
    shares = ", ".join(f"{task} {100 * share:.1f} %" for task, share in figures["correct_share"].items())
    often = Counter(figures["failures"]).most_common(3)
    return (
        f"verify: {figures['chains']:,} chains: {figures['correct']:,} correct ({shares or 'no task'}), "
        f"{figures['incorrect']:,} incorrect, {figures['undecided']:,} undecided; most frequent failures: "
        + (", ".join(f"{failure} {count:,}" for failure, count in often if count) or "none")
    )


def main() -> None:
    parser("stages.verify", __doc__.split("\n")[0]).parse_args()
    from stages.records.files import hold, write_metrics

    settings = params.load().verify
    hold(VERDICTS)
    rows = schema.read(CHAINS, "chains")
    made = verdicts(rows, settings.tolerance, settings.perturb)
    schema.write(VERDICTS, made, "verdicts")
    figures = metrics(rows, made)
    write_metrics(METRICS, {name: value for name, value in figures.items() if name not in NOT_COMPARED})
    write_metrics(DETAILS, {name: figures[name] for name in NOT_COMPARED})
    print(closing(figures))


if __name__ == "__main__":
    run(main)
