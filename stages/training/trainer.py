"""trl's trainers with our batches and our masks: they take encoded examples, so nothing is tokenised or cut again.

Here is what every training shares. The objectives are in imitation.py (base, sft) and preference.py (dpo).
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from dataclasses import dataclass

from stages.records.progress import LOG_S, bar
from stages.training.prefixes import shared

Encoded = tuple[list[int], list[bool]]  # token ids; whether the model wrote the token


@dataclass(frozen=True)
class Schedule:
    """AdamW: warm-up, constant, then over the share `decay` of all steps down to `floor` times the learning rate.

    `warmup`: steps. `decay` and `floor`: shares, from 0 to 1. `weight_decay` and `beta2`: AdamW's own.
    """

    learning_rate: float
    warmup: int
    decay: float
    floor: float
    weight_decay: float
    beta2: float = 0.999


@dataclass(frozen=True)
class Run:
    """What does not depend on the kind of training.

    `device`: cpu or cuda. `progress`: whether a bar is drawn. `bf16`: whether products are computed in bfloat16;
    weights and the optimizer's state stay in 32 bits.
    """

    seed: int
    device: str
    progress: bool
    bf16: bool = False


def computes_bf16(precision: str, device: str) -> bool:
    """Whether products are computed in bfloat16: `train.precision`, where auto takes what the hardware has.

    `device`: cpu or cuda.
    """
    import torch

    if precision != "auto":
        return precision == "bf16"
    return torch.cuda.is_bf16_supported() if device.startswith("cuda") else torch.cpu._is_avx512_bf16_supported()


def quiet(progress: bool) -> None:
    """Before trl is imported: its own bar, of the reference, obeys `runtime.progress`; a log gets few lines of it."""
    import os

    if not progress:
        os.environ["TQDM_DISABLE"] = "1"
    elif not sys.stderr.isatty():
        os.environ["TQDM_MININTERVAL"] = str(LOG_S)


@contextlib.contextmanager
def sparing(model):
    """Within it a trainer computes what its loss needs: shared prefixes once, and logits of marked positions alone."""
    with _marked_positions_only(), shared(model) as can:
        if not can:
            print("train: prompts are read row by row, as this student's layers cannot share them", file=sys.stderr)
        yield


@contextlib.contextmanager
def _marked_positions_only():
    """Keep trl from scoring every position on a CPU: 58 instead of 83 ms a step for half a million weights.

    It scores only the marked ones on Triton devices, and all of them elsewhere to spare compiled kernels a change of
    shape (trl/trainer/utils.py, `compact`); on a CPU nothing is compiled. Its warnings on itself stay out too.
    """
    import trl.trainer.utils as trl_utils

    asked = trl_utils._use_triton
    trl_utils._use_triton = lambda device: True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        trl_utils._use_triton = asked


def arguments(model, plan: list[list[int]], schedule: Schedule, run: Run, folder: str) -> dict:
    """Settings that both trainers share, as keywords of trl's SFTConfig and DPOConfig.

    `plan`: indices of the examples of each step. Nothing is saved, reported or sent; `folder` stays empty.
    """
    steps, cpu = len(plan), run.device == "cpu"
    warmup = min(schedule.warmup, steps // 2)
    return {
        "output_dir": folder,
        # The plan says how many steps there are, and how many examples are in each.
        "max_steps": steps,
        "per_device_train_batch_size": max(map(len, plan)),
        # The schedule: linear warm-up, constant, linear decay that ends with the last step.
        "learning_rate": schedule.learning_rate,
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {
            "num_decay_steps": min(round(schedule.decay * steps), steps - warmup),
            "decay_type": "linear",
            "min_lr_ratio": schedule.floor,
        },
        "warmup_steps": warmup,
        "weight_decay": schedule.weight_decay,
        "adam_beta2": schedule.beta2,
        "max_grad_norm": 1.0,
        "seed": run.seed,
        "use_cpu": cpu,
        "bf16": run.bf16,
        "activation_checkpointing": not cpu and model.supports_gradient_checkpointing,  # less memory, more time
        # The trainer writes it into the configuration that is saved. A composite one has it in its text part.
        "use_cache": getattr(model.config.get_text_config(), "use_cache", True),
        # Batches come as they are planned, nothing is written, and about 50 points of the curve are logged.
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "save_strategy": "no",
        "report_to": [],
        "logging_first_step": True,
        "logging_steps": max(1, steps // 50),
        "disable_tqdm": True,
    }


def planned(plan: list[list[int]]):
    """`get_train_dataloader` of a trainer: the plan's batches, each shared out over the processes of a launch."""

    def get_train_dataloader(trainer):
        from torch.utils.data import DataLoader

        count, rank = trainer.args.world_size, trainer.args.process_index
        shares = plan if count == 1 else [batch[rank::count] or batch[:1] for batch in plan]
        return DataLoader(trainer.train_dataset.to_list(), batch_sampler=shares, collate_fn=trainer.data_collator)

    return get_train_dataloader


def train_with(trainer, run: Run):
    """Run a trainer of trl, with our progress line instead of its prints.

    Returns the model, adapters merged, and the curve: one dict a logged step, with `step`, `loss` (nats) and what else
    the trainer logs.
    """
    from transformers import PrinterCallback, TrainerCallback

    curve = []

    class Watch(TrainerCallback):
        def on_train_begin(self, args, state, control, **_rest):
            self.bar = bar(state.max_steps, "step", run.progress)

        def on_log(self, args, state, control, logs, **_rest):
            if "loss" in logs:
                curve.append({"step": state.global_step, **logs})
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)

        def on_step_end(self, args, state, control, **_rest):
            self.bar.update()

        def on_train_end(self, args, state, control, **_rest):
            self.bar.close()

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch())
    trainer.train()
    model = trainer.accelerator.unwrap_model(trainer.model)
    return (model.merge_and_unload() if hasattr(model, "merge_and_unload") else model), curve


def pad_id(tokenizer) -> int:
    """The id that fills a row up, never attended to: the end token's where the tokenizer has none for padding."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def attention(ids: list[list[int]], longest: int):
    """1 where a row has a token and 0 where it is padded on the right: (rows, longest) integers."""
    import torch

    return torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
