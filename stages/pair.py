"""Correct chains beside incorrect ones of the same problem, as trl's DPO trainer reads them.

In: data/chains.jsonl, data/verdicts.jsonl, the tokenizer in models/base.
Out: data/pairs.jsonl, metrics/pair.json. Run: python -m stages.pair

Two kinds of pair. `chain`: all turns of a correct and of an incorrect chain. `step`: the one turn at which an
incorrect chain leaves every correct one, beside the turn that a correct chain takes there. No pair is made of an
undecided chain, and none is cut to length; no chain is of a problem that the students are tested on (generate).
With `pair.lucky` a problem without a correct chain gives its right answers, however found, beside its wrong ones.
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

CHAINS, VERDICTS, TOKENIZER = "data/chains.jsonl", "data/verdicts.jsonl", "models/base"
PAIRS, METRICS = "data/pairs.jsonl", "metrics/pair.json"


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


SIDES = ("chosen", "rejected")


def lengths(tokenizer: object, rows: list[dict]) -> list[dict[str, int]]:
    """Tokens of each pair's prompt, up to where the model writes, and of each side after it, by the chat template."""
    if not rows:
        return []
    prompts = _tokens(tokenizer, [row["prompt"] for row in rows], ask=True)
    sides = {name: _tokens(tokenizer, [row["prompt"] + row[name] for row in rows], ask=False) for name in SIDES}
    return [
        {"prompt": prompt, **{name: sides[name][index] - prompt for name in SIDES}}
        for index, prompt in enumerate(prompts)
    ]


def _tokens(tokenizer: object, conversations: list[list[Message]], ask: bool) -> list[int]:
    """Lengths in tokens; each different conversation is rendered once, all are tokenised in one batch."""
    from stages.students.masks import ChatText

    names = [json.dumps(conversation) for conversation in conversations]
    different = dict(zip(names, conversations, strict=True))
    chat = ChatText(tokenizer)
    asked = list(different.values())
    texts = map(chat.prompt, asked) if ask else (text for text, _ in chat.spans(asked, [0] * len(asked)))
    encoded = chat.all_ids(list(texts))
    counts = dict(zip(different, map(len, encoded), strict=True))
    return [counts[name] for name in names]


def rendered(tokenizer: object, rows: list[dict]) -> tuple[list[dict], list[str]]:
    """The pairs that the student's chat template renders, and a line on each chain for which others are dropped."""
    from stages.students.masks import refusals

    refused: dict[str, str] = {}
    for name in SIDES:
        conversations = [row["prompt"] + row[name] for row in rows]
        reasons = refusals(tokenizer, conversations, [len(row["prompt"]) for row in rows])
        refused |= {row[f"{name}_chain_id"]: why for row, why in zip(rows, reasons, strict=True) if why}
    kept = [row for row in rows if not any(row[f"{name}_chain_id"] in refused for name in SIDES)]
    return kept, [f"chain {chain_id} dropped: {why}" for chain_id, why in sorted(refused.items())]


def fitting(rows: list[dict], counts: list[dict[str, int]], limit: int) -> tuple[list[int], list[str]]:
    """Indices of the pairs within `limit` tokens, the longer side counted; and a line on each one beyond it."""
    kept, lines = [], []
    for index, (row, count) in enumerate(zip(rows, counts, strict=True)):
        tokens = count["prompt"] + max(count[name] for name in SIDES)
        if tokens <= limit:
            kept.append(index)
        else:
            hint = "raise pair.max_length (and train.max_length) or lower agent.max_steps"
            lines.append(f"pair {row['pair_id']} dropped: {tokens:,} tokens, limit {limit:,}; {hint}")
    return kept, lines


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


def closing(rows: list[dict], dropped: dict[str, int]) -> str:
    """The line that the stage ends with."""
    made = Counter(f"{row['task']} {row['kind']}" for row in rows)
    problems = len({row["problem_id"] for row in rows})
    left = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    by_task = ", ".join(f"{name} {count:,}" for name, count in sorted(made.items()))
    return f"pair: {len(rows):,} pairs of {problems:,} problems: {by_task}; dropped: {left}"


def main() -> None:
    parser("stages.pair", __doc__.split("\n")[0]).parse_args()
    from stages.records.files import hold, write_metrics
    from stages.students.load import load_tokenizer

    settings = params.load()
    hold(PAIRS)
    if not Path(TOKENIZER, "tokenizer.json").is_file():  # else it would be asked of the hub
        raise PairError(f"{TOKENIZER}: no tokenizer there; make it with `dvc repro train@base`")
    chains, verdicts = schema.read(CHAINS, "chains"), schema.read(VERDICTS, "verdicts")
    made, duplicates = pairs(chains, verdicts, settings.pair)
    tokenizer = load_tokenizer(TOKENIZER)
    clean, refused = rendered(tokenizer, made)
    counts = lengths(tokenizer, clean)
    kept, lines = fitting(clean, counts, settings.pair.max_length)
    for line in (*refused, *lines):
        print(line, file=sys.stderr)
    rows, counts = [clean[index] for index in kept], [counts[index] for index in kept]
    dropped = {"too_long": len(lines), "duplicate": duplicates}
    if len(clean) < len(made):
        dropped["not_rendered"] = len(made) - len(clean)
    if not rows:
        words = Counter(verdict["verdict"] for verdict in verdicts)
        raise PairError(
            f"no pair: {words['correct']} correct and {words['incorrect']} incorrect chains, dropped "
            f"{', '.join(f'{count} {reason}' for reason, count in dropped.items())}; a pair takes a correct and an "
            "incorrect chain of one problem: raise generate.samples or generate.teacher.temperature"
        )
    made_of = metrics(rows, counts, dropped)
    if settings.pair.lucky:
        correct = {verdict["chain_id"] for verdict in verdicts if verdict["verdict"] == "correct"}
        made_of["lucky"] = sum(row["chosen_chain_id"] not in correct for row in rows)
    schema.write(PAIRS, rows, "pairs")
    write_metrics(METRICS, made_of)
    print(closing(rows, dropped))


if __name__ == "__main__":
    run(main)
