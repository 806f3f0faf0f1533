"""What students learn from: correct beside incorrect chains of a problem (dpo), and correct ones alone (sft).

In: data/chains.jsonl, data/verdicts.jsonl, the tokenizer in models/base.
Out: data/pairs.jsonl, as trl's DPOTrainer reads it; data/demonstrations.jsonl, as its SFTTrainer does;
metrics/pair.json. Run: python -m stages.pair

Two kinds of pair. `chain`: all turns of a correct and of an incorrect chain. `step`: the one turn at which an
incorrect chain leaves every correct one, beside the turn that a correct chain takes there. A demonstration is a correct
chain. Nothing is made of an undecided chain, nothing is cut to length, and no chain is of a problem that the students
are tested on (generate). With `pair.lucky` a problem without a correct chain gives its right answers, however found,
beside its wrong ones.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from stages import params
from stages.params import PairParams
from stages.records import schema
from stages.records.chain import Message
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.problem import TASKS
from stages.students.fitting import usable

CHAINS, VERDICTS, TOKENIZER = "data/chains.jsonl", "data/verdicts.jsonl", "models/base"
PAIRS, DEMONSTRATIONS, METRICS = "data/pairs.jsonl", "data/demonstrations.jsonl", "metrics/pair.json"
# What the student writes in a row, and the column that says which chain it comes from.
SIDES = {"chosen": "chosen_chain_id", "rejected": "rejected_chain_id"}
COMPLETION = {"completion": "chain_id"}


class PairError(InputError):
    """The chains and verdicts give no pairs, or do not belong together."""


@dataclass(frozen=True)
class Side:
    """A chain as one side of a pair: the model's turns and the tool's replies between them, after the prompt."""

    chain_id: str
    failure: str
    prompt: list[Message]
    turns: list[Message]
    calls: list[object]  # what each of the model's turns says, written differently or not
    failed: list[bool]  # of each of the model's turns

    def texts(self) -> tuple[str, ...]:
        return tuple(message["content"] for message in (*self.prompt, *self.turns))


def side(row: dict, verdict: dict) -> Side:
    """What a chain leaves for pairing. A reply after its last turn (it ended at a limit) belongs to nothing."""
    steps = row["steps"]
    count = 2 * len(steps) - (row["stop"] == "finish")
    start = len(row["messages"]) - count
    calls = [(s["tool"], sorted(s["arguments"].items())) if s["tool"] else s["text"].strip() for s in steps]
    return Side(
        chain_id=row["chain_id"],
        failure=verdict["failure"],
        prompt=row["messages"][:start],
        turns=row["messages"][start : start + 2 * len(steps) - 1],
        calls=calls,
        failed=[bool(step["error"]) for step in steps],
    )


@dataclass(frozen=True)
class Candidate:
    """A possible pair."""

    kind: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    good: Side
    bad: Side

    def texts(self) -> str:
        """The pair's identity: what a student would read, whichever chains it comes from."""
        return json.dumps([self.kind, self.prompt, self.chosen, self.rejected])


def candidates(kind: str, good: list[Side], bad: list[Side]) -> list[Candidate]:
    """All pairs of a kind that one problem's correct (`good`) and incorrect (`bad`) chains allow.

    A turn with a failed call is never the chosen turn, and a chain with failed calls is the chosen chain only where
    the problem has no correct chain with fewer.
    """
    if kind == "chain":
        fewest = min((sum(one.failed) for one in good), default=0)
        return [
            Candidate("chain", one.prompt, one.turns, two.turns, one, two)
            for one, two in product(good, bad)
            if one.prompt == two.prompt and one.turns != two.turns and sum(one.failed) == fewest
        ]
    taken = {}  # texts up to a turn of a correct chain -> calls that correct chains make there
    for one in good:
        for index, call in enumerate(one.calls):
            taken.setdefault(_before(one, index), []).append(call)
    made = []
    for one, two in product(good, bad):
        if one.prompt != two.prompt:
            continue
        shared = next((i for i, (a, b) in enumerate(zip(one.turns, two.turns, strict=False)) if a != b), None)
        if shared is None or shared % 2 or one.failed[shared // 2]:
            continue  # no turn of the model differs, or the correct chain itself fails there
        if two.calls[shared // 2] in taken[_before(two, shared // 2)]:
            continue  # a correct chain makes the same call: it is not what went wrong
        prompt = [*one.prompt, *one.turns[:shared]]
        made.append(Candidate("step", prompt, [one.turns[shared]], [two.turns[shared]], one, two))
    return made


def _before(one: Side, index: int) -> tuple[str, ...]:
    return one.texts()[: len(one.prompt) + 2 * index]


def choose(possible: list[Candidate], count: int, rng: random.Random) -> list[Candidate]:
    """At most `count`, spread over different rejected chains first, then over failures, then over chosen chains."""
    waiting = rng.sample(possible, len(possible))
    used, chosen = Counter(), []
    while waiting and len(chosen) < count:
        best = min(  # the first of equals, so the draw above breaks ties
            waiting,
            key=lambda c: (used[c.bad.chain_id], used[c.bad.failure], used[c.good.chain_id]),
        )
        waiting.remove(best)
        chosen.append(best)
        used.update((best.bad.chain_id, best.bad.failure, best.good.chain_id))
    return chosen


def pairs(chains: list[dict], verdicts: list[dict], settings: PairParams) -> tuple[list[dict], int]:
    """The rows of pairs.jsonl by id, and how many possible pairs were left out as another one reads the same.

    Every problem draws from its own seed, so that one more problem changes no other's pairs.

    Raises:
        PairError: a chain has no verdict.
    """
    judged = {verdict["chain_id"]: verdict for verdict in verdicts}
    good, bad = defaultdict(list), defaultdict(list)
    lucky = defaultdict(set)
    tasks = {}
    for row in sorted(chains, key=lambda row: row["chain_id"]):
        if row["chain_id"] not in judged:
            raise PairError(f"{VERDICTS}: no verdict on chain {row['chain_id']}; run `dvc repro verify`")
        verdict = judged[row["chain_id"]]
        tasks[row["problem_id"]] = row["task"]
        sides = {"correct": good, "incorrect": bad}.get(verdict["verdict"])
        if sides is not None and row["steps"]:
            sides[row["problem_id"]].append(side(row, verdict))
        if settings.lucky and verdict["verdict"] == "incorrect" and verdict["answer_right"]:
            lucky[row["problem_id"]].add(row["chain_id"])
    for problem_id in lucky.keys() - good.keys():
        good[problem_id] = [one for one in bad[problem_id] if one.chain_id in lucky[problem_id]]
        bad[problem_id] = [one for one in bad[problem_id] if one.chain_id not in lucky[problem_id]]
    rows, duplicates = [], 0
    for problem_id, kind in product(sorted(good), settings.kinds):
        possible = candidates(kind, good[problem_id], bad[problem_id])
        different = {candidate.texts(): candidate for candidate in reversed(possible)}  # of equal ones the first stays
        duplicates += len(possible) - len(different)
        ordered = sorted(different.values(), key=lambda c: (c.good.chain_id, c.bad.chain_id))
        rng = random.Random(f"{settings.seed} {kind} {problem_id}")
        for candidate in choose(ordered, settings.per_problem, rng):
            rows.append(_row(candidate, problem_id, tasks[problem_id]))
    return sorted(rows, key=lambda row: row["pair_id"]), duplicates


def _row(candidate: Candidate, problem_id: str, task: str) -> dict:
    digest = hashlib.sha256(candidate.texts().encode()).hexdigest()[:8]
    return {
        "pair_id": f"{problem_id}/{candidate.kind}-{digest}",
        "problem_id": problem_id,
        "task": task,
        "kind": candidate.kind,
        "prompt": candidate.prompt,
        "chosen": candidate.chosen,
        "rejected": candidate.rejected,
        "chosen_chain_id": candidate.good.chain_id,
        "rejected_chain_id": candidate.bad.chain_id,
        "failure": candidate.bad.failure,
    }


def demonstrations(chains: list[dict], verdicts: list[dict], per_problem: int) -> list[dict]:
    """Rows of demonstrations.jsonl, in the order of the chains: at most `per_problem` different correct ones a problem.

    Those with the fewest failed calls come first, then the shortest.
    """
    judged = {verdict["chain_id"]: verdict for verdict in verdicts}
    problems: dict[str, dict[tuple, dict]] = {}
    for row in chains:
        if judged[row["chain_id"]]["verdict"] == "correct":
            content = tuple(step["text"] for step in row["steps"])
            problems.setdefault(row["problem_id"], {}).setdefault(content, row)
    kept = set()
    for rows in problems.values():
        ranked = sorted(rows.values(), key=lambda row: (sum(bool(s["error"]) for s in row["steps"]), len(row["steps"])))
        kept.update(row["chain_id"] for row in ranked[:per_problem])
    made = []
    for row in chains:
        if row["chain_id"] in kept:
            one = side(row, judged[row["chain_id"]])
            named = {name: row[name] for name in ("chain_id", "problem_id", "task")}
            made.append({**named, "prompt": one.prompt, "completion": one.turns})
    return made


def metrics(rows: list[dict], counts: list[dict[str, int]], dropped: dict[str, int]) -> dict:
    """What was made, from how many problems, how long in tokens (means), and what was dropped for which reason."""
    made = Counter((row["task"], row["kind"]) for row in rows)
    return {
        "pairs": {task: {kind: made[task, kind] for kind in schema.KINDS} for task in TASKS},
        "problems_covered": len({row["problem_id"] for row in rows}),
        "mean_tokens": {
            name: sum(count[name] for count in counts) / max(1, len(counts)) for name in ("prompt", *SIDES)
        },
        "dropped": dropped,
    }


def closing(rows: list[dict], shown: list[dict], dropped: dict[str, int]) -> str:
    """The line that the stage ends with."""
    made = Counter(f"{row['task']} {row['kind']}" for row in rows)
    problems = len({row["problem_id"] for row in rows})
    left = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    by_task = ", ".join(f"{name} {count:,}" for name, count in sorted(made.items()))
    made_of = f"{len(rows):,} pairs of {problems:,} problems: {by_task}"
    return f"pair: {made_of}; {len(shown):,} demonstrations; dropped: {left}"


def main() -> None:
    parser("stages.pair", __doc__.split("\n")[0]).parse_args()
    from stages.records.files import hold, write_metrics
    from stages.students.load import load_tokenizer

    settings = params.load().pair
    hold(PAIRS)
    if not Path(TOKENIZER, "tokenizer.json").is_file():  # else it would be asked of the hub
        raise PairError(f"{TOKENIZER}: no tokenizer there; make it with `dvc repro train@base`")
    chains, verdicts = schema.read(CHAINS, "chains"), schema.read(VERDICTS, "verdicts")
    tokenizer = load_tokenizer(TOKENIZER)

    made, duplicates = pairs(chains, verdicts, settings)
    kept = usable(tokenizer, made, SIDES, settings.max_length)
    shown = demonstrations(chains, verdicts, settings.demonstrations)
    alone = usable(tokenizer, shown, COMPLETION, settings.max_length)
    for line in dict.fromkeys((*kept.lines, *alone.lines)):
        print(line, file=sys.stderr)
    dropped = {"too_long": kept.too_long, "duplicate": duplicates}
    if kept.not_rendered:
        dropped["not_rendered"] = kept.not_rendered
    if not kept.rows:
        words = Counter(verdict["verdict"] for verdict in verdicts)
        raise PairError(
            f"no pair: {words['correct']} correct and {words['incorrect']} incorrect chains, dropped "
            f"{', '.join(f'{count} {reason}' for reason, count in dropped.items())}; a pair takes a correct and an "
            "incorrect chain of one problem: raise generate.samples or generate.teacher.temperature"
        )

    figures = metrics(kept.rows, kept.counts, dropped)
    figures["demonstrations"] = len(alone.rows)
    if settings.lucky:
        correct = {verdict["chain_id"] for verdict in verdicts if verdict["verdict"] == "correct"}
        figures["lucky"] = sum(row["chosen_chain_id"] not in correct for row in kept.rows)
    schema.write(PAIRS, kept.rows, "pairs")
    schema.write(DEMONSTRATIONS, alone.rows, "demonstrations")
    write_metrics(METRICS, figures)
    print(closing(kept.rows, alone.rows, dropped))


if __name__ == "__main__":
    run(main)
