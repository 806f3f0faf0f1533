"""What a training step does with the learning rate and the weights, and which examples each process sees."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from conftest import small_settings
from students import byte_tokenizer, random_model

from stages import train
from stages.students.load import save_student
from stages.students.masks import encode
from stages.training.imitation import fit_sft
from stages.training.preference import fit_dpo
from stages.training.trainer import Run, Schedule, planned

EXAMPLES = [([5 + n, 6, 7, 8, 9], [False, True, True, True, True]) for n in range(8)]


def trained(schedule: Schedule, steps: int):
    """The model before and after, and the curve."""
    tokenizer = byte_tokenizer("llama")
    model = random_model("llama", tokenizer)
    before = copy.deepcopy(model.state_dict())
    plan = [[n % 8, (n + 1) % 8] for n in range(steps)]
    model, curve = fit_sft(model, tokenizer, EXAMPLES, plan, schedule, Run(1, "cpu", False))
    return before, model.state_dict(), curve


@pytest.mark.parametrize(("warmup", "decay", "floor"), [(5, 0.4, 0.1), (0, 1.0, 0.0), (8, 0.25, 0.5)])
def test_the_rate_rises_stays_and_falls_to_its_floor(warmup, decay, floor):
    """From floor * rate linearly up to the rate, which holds, then over the last decay * n steps down again."""
    steps, rate = 20, 0.01
    falling = min(round(decay * steps), steps - warmup)
    expected = []
    for done in range(steps):
        if done < warmup:
            expected.append(rate * (floor + (1 - floor) * done / warmup))
        elif done < steps - falling:
            expected.append(rate)
        else:
            expected.append(rate * (1 - (1 - floor) * (done - (steps - falling)) / falling))
    _, _, curve = trained(Schedule(rate, warmup, decay, floor, weight_decay=0.0), steps)
    assert [point["learning_rate"] for point in curve] == pytest.approx(expected, rel=1e-6)


def test_a_warm_up_longer_than_half_the_training_is_half_of_it():
    _, _, curve = trained(Schedule(0.01, 50, 0.2, 0.1, weight_decay=0.0), 10)
    rates = [point["learning_rate"] for point in curve]
    assert rates[5] == pytest.approx(0.01) and rates[4] == pytest.approx(0.01 * (0.1 + 0.9 * 4 / 5))


def test_weight_decay_shrinks_the_matrices_and_no_norm():
    """AdamW (arXiv 1711.05101): p <- p - rate * decay * p beside Adam's own step: the difference is known."""
    rate, decay = 0.01, 0.5
    runs = [trained(Schedule(rate, 0, 0.0, 1.0, weight_decay=share), 1) for share in (0.0, decay)]
    (before, plain, _), (_, shrunk, _) = runs
    for name in before:
        expected = torch.zeros_like(before[name]) if "norm" in name else -rate * decay * before[name]
        torch.testing.assert_close(shrunk[name] - plain[name], expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 5, 6])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_processes_of_a_launch_share_each_batch(size, processes):
    plan = [list(range(start, start + size)) for start in (0, size, 2 * size)]
    rows = [{"place": place} for place in range(3 * size)]
    seen = []
    for rank in range(processes):
        trainer = SimpleNamespace(
            args=SimpleNamespace(world_size=processes, process_index=rank),
            train_dataset=SimpleNamespace(to_list=lambda: rows),
            data_collator=lambda batch: [row["place"] for row in batch],
        )
        seen.append(list(planned(plan)(trainer)))
    for step, batch in enumerate(plan):
        shares = [one[step] for one in seen]
        assert all(shares), "a process without an example would wait for the others for ever"
        assert set().union(*shares) == set(batch)
        if size >= processes:
            assert sum(map(len, shares)) == size, "an example counts twice"


def test_the_weight_of_the_chosen_side_weighs_its_loss():
    """Loss of the first step: DPO's (log 2, as the student is the reference) and the weight times the token loss."""
    tokenizer = byte_tokenizer("llama")
    first = {}
    for weight in (0.0, 1.0, 3.0):
        rejected = [([*ids[:-1], 11], own) for ids, own in EXAMPLES]
        schedule = Schedule(0.01, 0, 0.0, 1.0, weight_decay=0.0)
        model, run = random_model("llama", tokenizer), Run(1, "cpu", False)
        _, curve = fit_dpo(model, tokenizer, EXAMPLES, rejected, [[0, 1, 2]], schedule, run, 0.1, weight)
        first[weight] = curve[0]["loss"]
    assert first[0.0] == pytest.approx(math.log(2), abs=1e-4)
    assert first[1.0] > first[0.0] + 0.1
    assert first[3.0] - first[0.0] == pytest.approx(3 * (first[1.0] - first[0.0]), rel=1e-3)


def test_pairs_are_batched_by_their_longer_side(monkeypatch, tmp_path):
    tokenizer = byte_tokenizer("llama")
    save_student(random_model("llama", tokenizer), tokenizer, tmp_path / "base")
    rows = [
        {"pair_id": str(place), "prompt": [{"role": "user", "content": "2 + 2?"}]}
        | {side: [{"role": "assistant", "content": "4" * count}] for side, count in sides.items()}
        for place, sides in enumerate(({"chosen": 3, "rejected": 30}, {"chosen": 20, "rejected": 5}))
    ]
    planned = []

    def by_count(lengths, *_rest):
        planned.extend(lengths)
        return [[0, 1]]

    monkeypatch.setattr("stages.training.batches.by_count", by_count)
    train.dpo(small_settings(), str(tmp_path / "base"), rows)
    longer = [
        row["prompt"] + max(row["chosen"], row["rejected"], key=lambda side: len(side[0]["content"])) for row in rows
    ]
    assert planned == [len(encode(tokenizer, messages)[0]) for messages in longer]


def test_a_turn_in_the_prompt_of_a_demonstration_is_not_learnt(monkeypatch, tmp_path):
    tokenizer = byte_tokenizer("llama")
    save_student(random_model("llama", tokenizer), tokenizer, tmp_path / "base")
    talk = [("user", "1 + 1?"), ("assistant", "Given."), ("user", "2 + 2?")]
    prompt = [{"role": role, "content": content} for role, content in talk]
    row = {"chain_id": "c", "prompt": prompt, "completion": [{"role": "assistant", "content": "Learnt."}]}
    learnt = []

    def fit_sft(model, tokenizer, examples, *_rest):
        for ids, own in examples:
            learnt.append(tokenizer.decode([token for token, mine in zip(ids, own, strict=True) if mine]))
        return model, [{"step": 1, "loss": 0.0}]

    monkeypatch.setattr("stages.training.imitation.fit_sft", fit_sft)
    train.sft(small_settings(), str(tmp_path / "base"), [row])
    assert learnt == ["Learnt.<|eot_id|>"]
