"""Imitation: the student learns the turns of given conversations (base, sft), with trl's SFTTrainer."""

from __future__ import annotations

import tempfile

from stages.students.load import lora_config
from stages.training.trainer import (
    Encoded,
    Run,
    Schedule,
    arguments,
    attention,
    pad_id,
    planned,
    sparing,
    train_with,
)


def fit_sft(model, tokenizer, examples: list[Encoded], plan: list[list[int]], schedule: Schedule, run: Run, lora=None):
    """Train on the marked tokens with trl's SFTTrainer.

    `examples`: token ids and marks of the same length, one pair a conversation. `plan`: indices of the examples of each
    step. `lora`: params.train.lora; where its rank is 0 all weights are trained.
    Returns the model, adapters merged, and the curve: one dict a logged step, with `step` and mean token `loss` (nats).
    """
    import datasets
    from trl import SFTConfig, SFTTrainer

    # Batches come from the plan, not from trl's sampler.
    class Trainer(SFTTrainer):
        get_train_dataloader = planned(plan)

    # A token that the model did not write gets the label -100, which no loss counts.
    rows = [
        {"input_ids": ids, "labels": [token if mine else -100 for token, mine in zip(ids, own, strict=True)]}
        for ids, own in examples
    ]
    with tempfile.TemporaryDirectory() as folder, sparing(model):
        trainer = Trainer(
            model,
            # Examples are encoded already: nothing is tokenised or cut.
            SFTConfig(
                max_length=None,
                dataset_kwargs={"skip_prepare_dataset": True},
                **arguments(model, plan, schedule, run, folder),
            ),
            data_collator=lambda batch: _padded_labels(batch, pad_id(tokenizer)),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=lora and lora_config(lora),
        )
        return train_with(trainer, run)


def _padded_labels(batch: list[dict], pad: int) -> dict:
    """Three tensors of (rows, longest row): token ids, attention, and labels, padded on the right."""
    import torch

    longest = max(len(row["input_ids"]) for row in batch)
    return {
        "input_ids": torch.tensor([row["input_ids"] + [pad] * (longest - len(row["input_ids"])) for row in batch]),
        "attention_mask": attention([row["input_ids"] for row in batch], longest),
        "labels": torch.tensor([row["labels"] + [-100] * (longest - len(row["labels"])) for row in batch]),
    }
