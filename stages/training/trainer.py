"""trl's trainers with our batches and our masks: they take encoded examples, so nothing is tokenised or cut again.

Here is what every training shares. The objectives are in imitation.py (base, sft) and preference.py (dpo).
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

from stages.records.progress import LOG_S, bar

Encoded = tuple[list[int], list[bool]]  # token ids; whether the model wrote the token


@dataclass(frozen=True)
class Schedule:
    """AdamW: warm-up, constant, then over the share `decay` of all steps down to `floor` times the learning rate."""

    learning_rate: float
    warmup: int
    decay: float
    floor: float
    weight_decay: float
    beta2: float = 0.999


@dataclass(frozen=True)
class Run:
    """What does not depend on the kind of training."""

    seed: int
    device: str
    progress: bool


def quiet(progress: bool) -> None:
    """Before trl is imported: its own bar, of the reference, obeys `runtime.progress`; a log gets few lines of it."""
    import os
    import sys

    if not progress:
        os.environ["TQDM_DISABLE"] = "1"
    elif not sys.stderr.isatty():
        os.environ["TQDM_MININTERVAL"] = str(LOG_S)


@contextlib.contextmanager
def marked_positions_only():
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
    """Settings that both trainers share; nothing is saved, reported or sent."""
    steps, cpu = len(plan), run.device == "cpu"
    warmup = min(schedule.warmup, steps // 2)
    return {
        "output_dir": folder,
        "max_steps": steps,
        "per_device_train_batch_size": max(map(len, plan)),
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
        "bf16": not cpu,
        "activation_checkpointing": not cpu and model.supports_gradient_checkpointing,  # less memory, more time
        # The trainer writes it into the configuration that is saved. A composite one has it in its text part.
        "use_cache": getattr(model.config.get_text_config(), "use_cache", True),
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
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def attention(ids: list[list[int]], longest: int):
    import torch

    return torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
