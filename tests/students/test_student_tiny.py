"""The from-scratch student starts by copying, and starts the same on every run."""

from __future__ import annotations

import pytest
import torch
from test_student_tokenizer import SUMS, TALK

from stages.params import TinyParams
from stages.students.load import load_student, save_student
from stages.students.scratch.models import build_tiny, dropping
from stages.students.scratch.tokenizer import train_tokenizer

TINY = TinyParams(
    architecture="llama",
    width=32,
    layers=2,
    heads=4,
    hidden=48,
    vocabulary=700,
    positions=128,
    copy=0.3,
    ordinals=False,
    dropout=0.0,
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TALK, SUMS], TINY.vocabulary)


def test_what_a_head_looks_at_is_written_back_as_itself(tokenizer):
    model = build_tiny(tokenizer, TINY, seed=1)
    state = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    for layer in model.model.layers:
        copied = layer.self_attn.o_proj(layer.self_attn.v_proj(state))
        torch.testing.assert_close(copied, 0.3 * state)


def test_the_seed_alone_decides_the_weights(tokenizer):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = build_tiny(tokenizer, TINY, seed=1).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    second, other = build_tiny(tokenizer, TINY, seed=1).state_dict(), build_tiny(tokenizer, TINY, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_input_and_output_embeddings_are_one_matrix_of_the_vocabulary(tokenizer):
    model = build_tiny(tokenizer, TINY, seed=1)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.lm_head.weight.shape == (len(tokenizer), 32)


def test_it_is_saved_as_an_ordinary_student(tokenizer, tmp_path):
    model = build_tiny(tokenizer, TINY, seed=1)
    save_student(model, tokenizer, tmp_path / "base")
    loaded, again = load_student(tmp_path / "base")
    assert len(again) == len(tokenizer)
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id == loaded.config.eos_token_id
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in model.state_dict().items())


def test_dropout_is_there_in_training_alone_and_leaves_nothing_behind(tokenizer):
    model = build_tiny(tokenizer, TINY, seed=1)
    ids = torch.tensor([tokenizer("Leo is a rompus")["input_ids"]])

    def scores():
        with torch.no_grad():
            return model(input_ids=ids).logits

    whole = scores()
    model.train()
    with dropping(model, 0.5):
        assert not torch.equal(scores(), scores())
        model.eval()
        assert torch.equal(scores(), whole)
        model.train()
    assert torch.equal(scores(), whole)
    with dropping(model, 0.0):
        assert torch.equal(scores(), whole)


def test_dropout_zeroes_that_share_of_the_embeddings_and_of_what_each_layer_adds(tokenizer):
    model = build_tiny(tokenizer, TINY, seed=1).train()
    seen = []
    ids = torch.tensor([tokenizer("Leo is a rompus")["input_ids"] * 40])
    with dropping(model, 0.25):
        parts = [model.model.embed_tokens, *(layer.mlp.down_proj for layer in model.model.layers)]
        parts += [layer.self_attn.o_proj for layer in model.model.layers]
        for part in parts:
            part.register_forward_hook(lambda module, inputs, output: seen.append((output == 0).float().mean().item()))
        model(input_ids=ids)
    assert len(seen) == 5 and all(abs(share - 0.25) < 0.03 for share in seen)
