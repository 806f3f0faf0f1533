"""The recurrent student is a causal language model from the first turn on, whole or token by token."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from test_student_tokenizer import SUMS, TALK

from stages.params import TinyParams
from stages.students.load import load_student, save_student
from stages.students.scratch.models import build_tiny, dropping
from stages.students.scratch.recurrent import Reading, RecurrentForCausalLM
from stages.students.scratch.tokenizer import ASSISTANT, train_tokenizer

TINY = TinyParams(
    architecture="recurrent",
    width=24,
    layers=2,
    heads=4,
    hidden=48,
    vocabulary=900,
    positions=128,
    copy=0.3,
    ordinals=True,
    dropout=0.0,
)
SIZES = ((7, 2), (1, 9), (12, 1), (5, 5))  # tokens of the prompt, and behind the second turn's mark


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TALK, SUMS], TINY.vocabulary, TINY.ordinals)


@pytest.fixture(scope="module")
def model(tokenizer):
    return build_tiny(tokenizer, TINY, seed=1).eval()


@pytest.fixture(scope="module")
def rows(tokenizer):
    """Conversations of different lengths with prompts of different lengths, and where the first turn starts."""
    opens = tokenizer.convert_tokens_to_ids(ASSISTANT)
    generator = torch.Generator().manual_seed(0)

    def drawn(count):
        return torch.randint(opens + 1, len(tokenizer), (count,), generator=generator).tolist()

    return [(drawn(prompt) + [opens] + drawn(3) + [opens] + drawn(behind), prompt) for prompt, behind in SIZES]


def logits(model, ids, mask=None):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).logits


def alone(model, row):
    return logits(model, torch.tensor([row]))[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_and_other_rows_change_nothing(model, rows, side):
    longest = max(len(row) for row, _ in rows)
    gaps = [longest - len(row) for row, _ in rows]
    before = [gap if side == "left" else 0 for gap in gaps]
    ids, mask = torch.full((len(rows), longest), 9), torch.zeros(len(rows), longest, dtype=torch.long)
    for index, ((row, _), start) in enumerate(zip(rows, before, strict=True)):
        ids[index, start : start + len(row)] = torch.tensor(row)
        mask[index, start : start + len(row)] = 1
    together = logits(model, ids, mask)
    for index, ((row, prompt), start) in enumerate(zip(rows, before, strict=True)):
        expected = alone(model, row)[prompt:]
        torch.testing.assert_close(together[index, start + prompt : start + len(row)], expected, atol=1e-5, rtol=1e-5)


def test_what_follows_changes_nothing_before_it(model, rows):
    for row, prompt in rows:
        whole = alone(model, row)
        for end in range(prompt + 1, len(row)):
            torch.testing.assert_close(alone(model, row[:end])[prompt:], whole[prompt:end], atol=1e-5, rtol=1e-5)


def test_every_token_of_the_prompt_and_of_the_turns_counts(model, rows):
    for row, prompt in rows:
        whole, opens = alone(model, row)[-1], row[prompt]
        for place in (place for place, token in enumerate(row) if token != opens):
            other = list(row)
            other[place] = row[place] - 1 if row[place] - 1 != opens else row[place] + 1
            assert not torch.allclose(alone(model, other)[-1], whole, atol=1e-6), place


def test_token_by_token_says_what_the_whole_row_says_also_when_rows_leave(model, rows):
    longest = max(prompt for _, prompt in rows) + 1
    ids = torch.tensor([[9] * (longest - prompt - 1) + row[: prompt + 1] for row, prompt in rows])
    mask = torch.tensor([[0] * (longest - prompt - 1) + [1] * (prompt + 1) for _, prompt in rows])
    kept, going = Reading(), list(range(len(rows)))
    place = 0
    while going:
        with torch.no_grad():
            said = model(input_ids=ids, attention_mask=mask, cache=kept, logits_to_keep=1).logits[:, -1]
        for index, given in zip(going, said, strict=True):
            row, prompt = rows[index]
            torch.testing.assert_close(given, alone(model, row)[prompt + place], atol=1e-5, rtol=1e-5)
        place += 1
        left = [at for at, index in enumerate(going) if rows[index][1] + place < len(rows[index][0])]
        going = [going[at] for at in left]
        kept.reorder_cache(torch.tensor(left, dtype=torch.long))
        ids = torch.tensor([[rows[index][0][rows[index][1] + place]] for index in going])
        mask = None


def test_generate_of_transformers_writes_the_likeliest_tokens(model, rows):
    row, prompt = rows[0]
    ids = torch.tensor([row[: prompt + 1]])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, eos_token_id=None
    )
    for _ in range(6):
        ids = torch.cat([ids, logits(model, ids)[:, -1:].argmax(-1)], 1)
    assert torch.equal(made, ids)


def test_a_row_without_a_turn_is_all_prompt(model, tokenizer):
    ids = torch.tensor([tokenizer("Leo is a rompus")["input_ids"]])
    assert not logits(model, ids).any()


def test_the_seed_alone_decides_the_weights_and_one_matrix_is_input_and_output(tokenizer):
    first, second, other = (build_tiny(tokenizer, TINY, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(weight, second.state_dict()[name]) for name, weight in first.state_dict().items())
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)
    assert first.lm_head.weight is first.model.embed_tokens.weight
    assert first.lm_head.weight.std().item() == pytest.approx(1, abs=0.05)


def test_it_is_saved_and_loaded_like_any_student(model, tokenizer, rows, tmp_path):
    save_student(model, tokenizer, tmp_path / "base")
    assert {path.suffix for path in (tmp_path / "base").iterdir()} <= {".json", ".safetensors", ".jinja"}
    loaded, again = load_student(tmp_path / "base")
    assert isinstance(loaded, RecurrentForCausalLM) and len(again) == len(tokenizer)
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id
    assert torch.equal(alone(loaded.eval(), rows[0][0]), alone(model, rows[0][0]))


def test_its_tokenizer_loads_alone_and_silently(model, tokenizer, tmp_path):
    """As pair loads it, in a process that knows nothing of the architecture."""
    save_student(model, tokenizer, tmp_path / "base")
    code = f"from stages.students.load import load_tokenizer; print(len(load_tokenizer({str(tmp_path / 'base')!r})))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ended.stdout.strip(), ended.stderr) == (str(len(tokenizer)), "")


def test_dropout_is_there_in_training_alone_and_leaves_nothing_behind(tokenizer, rows):
    model = build_tiny(tokenizer, TINY, seed=1).train()
    row = rows[0][0]
    whole = alone(model, row)
    with dropping(model, 0.5):
        assert not torch.equal(alone(model, row), alone(model, row))
        assert torch.equal(alone(model.eval(), row), whole)
    assert torch.equal(alone(model.train(), row), whole)
