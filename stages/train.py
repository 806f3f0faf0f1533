"""train: one student a run. `python -m stages.train base|sft|dpo`.

base reads params and, for a real student, the student itself: models/base, what sft and dpo start from.
sft reads data/chains.jsonl, data/verdicts.jsonl and models/base: imitation of verified correct chains, models/sft.
dpo reads data/pairs.jsonl and models/base or models/sft: preference training, models/dpo.
Beside each model: metrics/train/<name>.json and the curve metrics/train/<name>.tsv.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from stages.params import Params, load
from stages.records.command import parser, run
from stages.records.errors import InputError


@dataclass(frozen=True)
class Trained:
    """A student after a stage: what is saved, and what is reported of it. `curve`: one dict a logged step."""

    model: object
    tokenizer: object
    metrics: dict
    curve: list[dict] = field(default_factory=list)


def base(params: Params) -> Trained:
    """What every student starts from: a real one untouched; the from-scratch one after reading the corpus.

    Raises:
        InputError: the student cannot be loaded.
    """
    from stages.students.load import load_student

    train = params.train
    if train.student != "tiny":
        from stages.training.trial import try_student

        try_student(params)
        model, tokenizer = load_student(train.student)
        return Trained(model, tokenizer, {"parameters": _size(model), "steps": 0, "tokens": 0})

    from stages.students.load import pick_device
    from stages.students.scratch.models import build_tiny, dropping
    from stages.students.scratch.tokenizer import train_tokenizer
    from stages.teacher.simulated.error_model import corpus
    from stages.training import batches
    from stages.training.trainer import Schedule, fit_sft

    _prepare(params)
    conversations = corpus(train.base)
    tokenizer = train_tokenizer(conversations, train.tiny.vocabulary, train.tiny.ordinals)
    model = build_tiny(tokenizer, train.tiny, train.seed).to(pick_device(params.runtime.device))
    names = [f"corpus conversation {index}" for index in range(len(conversations))]
    examples, share = _encoded(params, model, tokenizer, names, conversations, [0] * len(names))
    plan = batches.by_tokens(_lengths(examples), train.base.steps, train.base.batch_tokens, train.seed)
    schedule = Schedule(train.base.learning_rate, train.base.warmup, 0.4, 0.03, weight_decay=0.01, beta2=0.98)
    with dropping(model, train.tiny.dropout):
        model, curve = fit_sft(model, tokenizer, examples, plan, schedule, _run(params))
    return _trained(model, tokenizer, model.dtype, plan, _lengths(examples), share, curve)


def sft(params: Params, start: str, chains: list[dict], verdicts: list[dict]) -> Trained:
    """Imitation of verified correct chains, at most `train.sft.per_problem` a problem.

    Raises:
        InputError: no chain is correct, or one is too long.
    """
    from stages.students.masks import refusals
    from stages.students.scratch.models import dropping
    from stages.training import batches
    from stages.training.trainer import Schedule, fit_sft

    settings = params.train.sft
    model, tokenizer, dtype = _start(params, start)
    rows = chosen_chains(chains, verdicts, settings.per_problem)
    if not rows:
        raise InputError("data/verdicts.jsonl: no chain is correct, so sft learns nothing; look at metrics/verify.json")
    reasons = refusals(tokenizer, [row["messages"] for row in rows], [prompt_count(row) for row in rows])
    for row, why in zip(rows, reasons, strict=True):
        if why:
            print(f"chain {row['chain_id']} dropped: {why}", file=sys.stderr)
    rows = [row for row, why in zip(rows, reasons, strict=True) if not why]
    if not rows:
        raise InputError(f"data/chains.jsonl: the student cannot be trained on any correct chain: {reasons[0]}")
    conversations = [row["messages"] for row in rows]
    counts = [prompt_count(row) for row in rows]
    names = [f"chain {row['chain_id']}" for row in rows]
    examples, share = _encoded(params, model, tokenizer, names, conversations, counts)
    plan = batches.by_count(_lengths(examples), settings.steps, settings.batch, params.train.seed)
    schedule = Schedule(settings.learning_rate, settings.warmup, 1.0, 0.1, weight_decay=0.0)
    dropout = params.train.tiny.dropout if params.train.student == "tiny" else 0.0
    with dropping(model, dropout) if dropout else nullcontext():
        model, curve = fit_sft(model, tokenizer, examples, plan, schedule, _run(params), params.train.lora)
    return _trained(model, tokenizer, dtype, plan, _lengths(examples), share, curve)


def dpo(params: Params, start: str, pairs: list[dict]) -> Trained:
    """Direct preference optimisation on pairs; the reference is the student it starts from.

    Raises:
        InputError: there is no pair, or one is too long.
    """
    from stages.training import batches
    from stages.training.preference import fit_dpo
    from stages.training.trainer import Schedule

    settings = params.train.dpo
    model, tokenizer, dtype = _start(params, start)
    if not pairs:
        raise InputError("data/pairs.jsonl: no pair, so dpo learns nothing; look at metrics/pair.json")
    sides, share = {}, {}
    counts = [len(pair["prompt"]) for pair in pairs]
    for side in ("chosen", "rejected"):
        names = [f"pair {pair['pair_id']}, {side}" for pair in pairs]
        conversations = [pair["prompt"] + pair[side] for pair in pairs]
        sides[side], share[side] = _encoded(params, model, tokenizer, names, conversations, counts)
    longer = [max(pair) for pair in zip(*map(_lengths, sides.values()), strict=True)]
    both = [sum(pair) for pair in zip(*map(_lengths, sides.values()), strict=True)]
    plan = batches.by_count(longer, settings.steps, settings.batch, params.train.seed)
    schedule = Schedule(settings.learning_rate, settings.warmup, 1.0, 0.1, weight_decay=0.0)
    model, curve = fit_dpo(
        model,
        tokenizer,
        sides["chosen"],
        sides["rejected"],
        plan,
        schedule,
        _run(params),
        settings.beta,
        settings.sft_weight,
        params.train.lora,
    )
    return _trained(model, tokenizer, dtype, plan, both, min(share.values()), curve)


def chosen_chains(chains: list[dict], verdicts: list[dict], per_problem: int) -> list[dict]:
    """Correct chains in the order of the file, at most `per_problem` different ones a problem.

    Those with the fewest failed calls come first, then the shortest.
    """
    correct = {verdict["chain_id"] for verdict in verdicts if verdict["verdict"] == "correct"}
    problems: dict[str, dict[tuple, dict]] = {}
    for row in chains:
        if row["chain_id"] in correct:
            content = tuple(step["text"] for step in row["steps"])
            problems.setdefault(row["problem_id"], {}).setdefault(content, row)
    kept = set()
    for rows in problems.values():
        ranked = sorted(rows.values(), key=lambda row: (sum(bool(s["error"]) for s in row["steps"]), len(row["steps"])))
        kept.update(row["chain_id"] for row in ranked[:per_problem])
    return [row for row in chains if row["chain_id"] in kept]


def prompt_count(row: dict) -> int:
    """How many messages of a chain's row stand before the model's first turn."""
    replies = 2 * len(row["steps"]) - (row["messages"][-1]["role"] == "assistant")
    return len(row["messages"]) - replies


def _prepare(params: Params) -> None:
    """One seed, one number of threads, deterministic kernels: the same bytes on a second run."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import datasets
    import torch
    import transformers

    torch.set_num_threads(params.train.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, and nothing reads such memory
    transformers.set_seed(params.train.seed)
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()


def _start(params: Params, start: str):
    """The student that training starts from: weights in 32 bits, except under LoRA on a GPU, where they stay frozen.

    Raises:
        InputError: there is none.
    """
    from stages.students.load import load_student, pick_device

    _prepare(params)
    if not Path(start, "config.json").is_file():  # else it would be asked of the hub
        raise InputError(f"{start}: no student there; make it with `dvc repro train@{Path(start).name}`")
    device = pick_device(params.runtime.device)
    model, tokenizer = load_student(start, device)
    saved_as = model.dtype
    return (model if params.train.lora.rank and device != "cpu" else model.float()), tokenizer, saved_as


def _run(params: Params):
    from stages.students.load import pick_device
    from stages.training.trainer import Run

    return Run(params.train.seed, pick_device(params.runtime.device), params.runtime.progress)


def _encoded(params: Params, model, tokenizer, names: list[str], conversations: list, counts: list[int]):
    """Examples with their masks, and the share of trained tokens that a model wrote; a too long one is refused."""
    from stages.students.load import positions
    from stages.students.masks import encode_all, trained_token_share

    examples = encode_all(tokenizer, conversations, counts)
    for limit, key in ((params.train.max_length, "train.max_length"), (positions(model), "the model's positions")):
        longest, name = max(zip(_lengths(examples), names, strict=True))
        if longest > limit:
            raise InputError(
                f"{name}: {longest:,} tokens, {key} is {limit:,}; raise train.max_length as far as the model reads, "
                "or lower pair.max_length and agent.max_steps"
            )
    share = trained_token_share(tokenizer, examples, conversations, counts)
    if share != 1.0:
        raise InputError(
            f"{tokenizer.name_or_path}: only {share:.4%} of the tokens to be trained decode to what a model wrote; "
            "choose a student whose tokenizer gives texts back unchanged"
        )
    return examples, share


def _lengths(examples: list) -> list[int]:
    return [len(ids) for ids, _ in examples]


def _size(model) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _trained(model, tokenizer, dtype, plan, lengths: list[int], share: float, curve: list[dict]) -> Trained:
    last = curve[-1]
    metrics = {
        "parameters": _size(model),
        "steps": len(plan),
        "tokens": sum(lengths[index] for batch in plan for index in batch),
        "loss": last["loss"],
        **{ours: last[theirs] for ours, theirs in REWARDS.items() if theirs in last},
        "trained_token_share": share,
    }
    return Trained(model.to(dtype), tokenizer, metrics, curve)


REWARDS = {"reward_margin": "rewards/margins", "reward_accuracy": "rewards/accuracies"}


def curve_text(curve: list[dict]) -> str:
    """The curve as tab-separated values; a column that a stage does not have stays empty."""
    names = {"step": "step", "loss": "loss", **REWARDS}
    lines = ["\t".join(names)]
    for point in curve:
        lines.append("\t".join(f"{point[name]:.6g}" if name in point else "" for name in names.values()))
    return "\n".join(lines) + "\n"


def said(name: str, trained: Trained) -> str:
    """The line that a training ends with."""
    figures, curve = trained.metrics, trained.curve
    if not curve:
        return f"train {name}: {figures['parameters']:,} weights, untouched"
    parts = [f"{figures['parameters']:,} weights", f"{figures['steps']:,} steps of {figures['tokens']:,} tokens"]
    parts.append(f"loss {curve[0]['loss']:.4g} -> {figures['loss']:.4g}")
    parts += [f"{key.replace('_', ' ')} {figures[key]:.4g}" for key in REWARDS if key in figures]
    return f"train {name}: {', '.join(parts)}"


def main() -> None:
    """Read the stage's inputs, train, write the model, its metrics and its curve."""
    command = parser("stages.train", __doc__.split("\n")[0])
    command.add_argument("student", choices=("base", "sft", "dpo"), help="which one; the others are not touched")
    name = command.parse_args().student
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports each trainer to the hub
    from stages.records import schema
    from stages.records.files import hold, replace_file, write_metrics
    from stages.students.load import save_student
    from stages.training.trainer import quiet

    params = load()
    first = os.environ.get("RANK", "0") == "0"  # under accelerate launch, one process writes
    if first:
        hold(f"models/{name}")
    quiet(params.runtime.progress)
    if name == "base":
        trained = base(params)
    elif name == "sft":
        chains, verdicts = schema.read("data/chains.jsonl", "chains"), schema.read("data/verdicts.jsonl", "verdicts")
        trained = sft(params, "models/base", chains, verdicts)
    else:
        trained = dpo(params, f"models/{params.train.dpo.start}", schema.read("data/pairs.jsonl", "pairs"))
    if not first:
        return
    save_student(trained.model, trained.tokenizer, f"models/{name}")
    write_metrics(f"metrics/train/{name}.json", trained.metrics)
    replace_file(f"metrics/train/{name}.tsv", curve_text(trained.curve))
    print(said(name, trained))


if __name__ == "__main__":
    run(main)
