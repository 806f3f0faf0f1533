"""Preference training with trl's DPOTrainer, on encoded pairs and our masks.

Two traps of trl 1.16 are kept out by that. Its preference collator trains on every token of a completion, tool results
included. And its cache of reference log-probabilities is keyed by dataset and model alone: the masks are columns of the
dataset here, so that other masks are another key.
"""

from __future__ import annotations

import copy
import os
import tempfile

from stages.records.errors import InputError
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


def fit_dpo(
    model,
    tokenizer,
    chosen: list[Encoded],
    rejected: list[Encoded],
    plan: list[list[int]],
    schedule: Schedule,
    run: Run,
    beta: float,
    sft_weight: float,
    lora=None,
):
    """Train on pairs with trl's DPOTrainer (DPO: arXiv 2305.18290); returns as `fit_sft`.

    `chosen` and `rejected`: the two sides of each pair, in one order, each with its prompt. `plan`: indices of the
    pairs of each step. The curve also has `rewards/margins` (nats, times beta) and `rewards/accuracies` (a share).

    The loss is DPO's plus `sft_weight` times the mean token loss of the chosen side, over marked tokens alone. The
    reference is the model as it is given.

    Raises:
        InputError: several processes cannot share the batch.
    """
    import datasets
    from trl import DPOConfig, DPOTrainer

    # Each process takes the same number of pairs.
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if len(plan[0]) % processes:
        raise InputError(f"train.dpo.batch is {len(plan[0])}; {processes} processes need a multiple of {processes}")
    # trl keeps the reference's log-probabilities in a folder of the process; several processes need the model itself.
    alone = processes == 1
    reference = None if alone or (lora and lora.rank) else copy.deepcopy(model)

    # Batches come from the plan, and trl's own encoding of texts is skipped.
    class Trainer(DPOTrainer):
        get_train_dataloader = planned(plan)

        def _prepare_dataset(self, dataset, *_rest):
            return dataset  # encoded already

    # The masks are columns, so that they are part of what trl's cache of the reference is keyed by.
    rows = [
        {"chosen_ids": c[0], "chosen_own": c[1], "rejected_ids": r[0], "rejected_own": r[1]}
        for c, r in zip(chosen, rejected, strict=True)
    ]
    # trl adds up weighted losses: DPO's own, and the imitation of the chosen side.
    losses = {"sigmoid": 1.0, "sft": sft_weight} if sft_weight else {"sigmoid": 1.0}
    with tempfile.TemporaryDirectory() as folder, sparing(model):
        trainer = Trainer(
            model,
            reference,
            args=DPOConfig(
                max_length=None,
                beta=beta,
                loss_type=list(losses),
                loss_weights=list(losses.values()),
                precompute_ref_log_probs=alone,
                precompute_ref_batch_size=max(map(len, plan)),
                **arguments(model, plan, schedule, run, folder),
            ),
            data_collator=lambda batch: _padded_pairs(batch, pad_id(tokenizer)),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=lora and lora_config(lora),
        )
        return train_with(trainer, run)


def _padded_pairs(batch: list[dict], pad: int) -> dict:
    """trl's layout: all chosen sides, then all rejected ones; `completion_mask` marks the tokens that are trained.

    Tensors of (2 * pairs, longest side), padded on the right; the reference's log-probabilities are of (pairs,).
    """
    import torch

    # Sides one below the other.
    ids = [row["chosen_ids"] for row in batch] + [row["rejected_ids"] for row in batch]
    own = [row["chosen_own"] for row in batch] + [row["rejected_own"] for row in batch]
    longest = max(map(len, ids))
    padded = {
        "input_ids": torch.tensor([row + [pad] * (longest - len(row)) for row in ids]),
        "attention_mask": attention(ids, longest),
        "completion_mask": torch.tensor([[int(mine) for mine in row] + [0] * (longest - len(row)) for row in own]),
    }
    # What the reference says of each side, where it was worked out before training.
    for side in ("ref_chosen_logps", "ref_rejected_logps"):
        if side in batch[0]:
            padded[side] = torch.tensor([row[side] for row in batch])
    return padded
