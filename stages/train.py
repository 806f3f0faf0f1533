"""train: one student a run. `python -m stages.train base|sft|dpo`.

base is what sft and dpo start from: a real student as it is, or one from scratch after reading data/corpus.jsonl.
sft starts from models/base and imitates data/demonstrations.jsonl, correct chains of the teacher.
dpo starts from models/base or models/sft and learns from data/pairs.jsonl to prefer correct chains.
Beside each model: metrics/train/<name>.json and the curve metrics/train/<name>.tsv.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
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


@dataclass(frozen=True)
class Example:
    """A conversation to imitate. `name`: for messages. `prompt`: how many messages come before the first turn."""

    name: str
    messages: list[dict]
    prompt: int


def base(params: Params, corpus: list[dict]) -> Trained:
    """What every student starts from: a real one untouched; the from-scratch one after reading the corpus.

    `corpus`: rows of data/corpus.jsonl.

    Raises:
        InputError: the student cannot be loaded, or there is no conversation to read.
    """
    train = params.train
    if train.student != "tiny":
        from stages.students.load import load_student
        from stages.training.trial import try_student

        try_student(params)
        model, tokenizer = load_student(train.student)
        return Trained(model, tokenizer, {"parameters": _size(model), "steps": 0, "tokens": 0})

    from stages.students.load import pick_device
    from stages.students.scratch.models import build_tiny
    from stages.students.scratch.tokenizer import train_tokenizer
    from stages.training import batches
    from stages.training.trainer import Schedule

    if not corpus:
        raise InputError("data/corpus.jsonl: no conversation, so the student learns nothing; see generate.corpus")
    _prepare(params)
    tokenizer = train_tokenizer([row["messages"] for row in corpus], train.tiny.vocabulary, train.tiny.ordinals)
    model = build_tiny(tokenizer, train.tiny, train.seed).to(pick_device(params.runtime.device))
    examples = [Example(f"{row['problem_id']} of data/corpus.jsonl", row["messages"], 0) for row in corpus]
    settings = train.base
    schedule = Schedule(settings.learning_rate, settings.warmup, 0.4, 0.03, weight_decay=0.01, beta2=0.98)
    plan = partial(batches.by_tokens, steps=settings.steps, tokens=settings.batch_tokens, seed=train.seed)
    return _imitate(params, (model, tokenizer, model.dtype), examples, plan, schedule)


def sft(params: Params, start: str, demonstrations: list[dict]) -> Trained:
    """Imitation of demonstrations (rows of data/demonstrations.jsonl), from the student in the folder `start`.

    Raises:
        InputError: there is no demonstration, or one is too long.
    """
    from stages.training import batches
    from stages.training.trainer import Schedule

    settings = params.train.sft
    student = _start(params, start)
    if not demonstrations:
        raise InputError("data/demonstrations.jsonl: no correct chain, so sft learns nothing; see metrics/verify.json")
    examples = [
        Example(f"chain {row['chain_id']}", row["prompt"] + row["completion"], len(row["prompt"]))
        for row in demonstrations
    ]
    schedule = Schedule(settings.learning_rate, settings.warmup, 1.0, 0.1, weight_decay=0.0)
    plan = partial(batches.by_count, steps=settings.steps, count=settings.batch, seed=params.train.seed)
    return _imitate(params, student, examples, plan, schedule, params.train.lora)


def _imitate(params: Params, student: tuple, examples: list[Example], planned, schedule, lora=None) -> Trained:
    """Train a student (model, tokenizer, the dtype it is saved in) on the turns of the examples.

    `planned`: gives the batches of each step, indices of the examples, from the examples' lengths in tokens.
    """
    from stages.students.scratch.models import dropping
    from stages.training.imitation import fit_sft

    model, tokenizer, dtype = student
    names, conversations = [one.name for one in examples], [one.messages for one in examples]
    encoded, share = _encoded(params, model, tokenizer, names, conversations, [one.prompt for one in examples])
    plan = planned(_lengths(encoded))
    dropout = params.train.tiny.dropout if params.train.student == "tiny" else 0.0
    with dropping(model, dropout) if dropout else nullcontext():
        model, curve = fit_sft(model, tokenizer, encoded, plan, schedule, _run(params), lora)
    return _trained(model, tokenizer, dtype, plan, _lengths(encoded), share, curve)


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
    from stages.training.trainer import Run, computes_bf16

    device = pick_device(params.runtime.device)
    return Run(params.train.seed, device, params.runtime.progress, computes_bf16(params.train.precision, device))


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
        trained = base(params, schema.read("data/corpus.jsonl", "corpus") if params.train.student == "tiny" else [])
    elif name == "sft":
        trained = sft(params, "models/base", schema.read("data/demonstrations.jsonl", "demonstrations"))
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
