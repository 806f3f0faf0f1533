"""What the rows of a batch share is read once, and nothing comes out otherwise."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
import transformers
from architectures import ATTENTION, SAME, student
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from students import byte_tokenizer

from stages.training import imitation, preference
from stages.training.prefixes import NAME, SHORTEST, shared, tree
from stages.training.trainer import Run, Schedule, sparing

PLAIN = Schedule(0.01, 0, 0.0, 1.0, weight_decay=0.0)


def row(seed: int, count: int) -> list[int]:
    return torch.randint(3, 200, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


# Two toolkits, questions with several tails, one row that begins another, two equal ones, one that shares nothing.
ONE, TWO, QUESTION = row(1, 40), row(2, 30), row(3, 20)
ROWS = [
    *(ONE + QUESTION + row(seed, count) for seed, count in ((4, 9), (5, 1), (6, 17))),
    *(ONE + row(seed, count) for seed, count in ((7, 25), (8, 4))),
    ONE + QUESTION,
    *([TWO + row(9, 12)] * 2),
    row(10, 33),
]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer("qwen")


def marked(rows: list[list[int]]) -> list[tuple[list[int], list[bool]]]:
    """Examples whose last five tokens a model wrote."""
    return [(ids, [place >= len(ids) - 5 for place in range(len(ids))]) for ids in rows]


def states(model, rows: list[list[int]]):
    """The hidden states of all rows, one below the other, and the gradient of a weighted sum of them."""
    longest = max(map(len, rows))
    ids = torch.tensor([one + [0] * (longest - len(one)) for one in rows])
    seen = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in rows])
    model.zero_grad()
    found = model.base_model(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state[seen.bool()]
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(0))
    (found * weights).sum().backward()
    gradients = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    return found.detach(), torch.cat(gradients)


@pytest.mark.parametrize("name", SAME)
def test_a_student_of_any_kind_reads_the_same_and_learns_the_same(tokenizer, name):
    model = student(name, tokenizer).eval()
    alone = states(model, ROWS)
    with shared(model):
        together = states(model, ROWS)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5 * float(one.abs().max()), rtol=1e-4)
    assert model.config.get_text_config()._attn_implementation != NAME
    torch.testing.assert_close(states(model, ROWS), alone, atol=0, rtol=0)


# Grouped heads, norms of heads, absolute positions, biases, partial rotation, no rotation in some layers.
USUAL = {
    "LlamaConfig": ATTENTION,
    "Qwen2Config": ATTENTION,
    "Qwen3Config": ATTENTION | {"head_dim": 8},
    "SmolLM3Config": ATTENTION | {"no_rope_layers": [1, 0]},
    "Olmo2Config": ATTENTION,
    "Phi3Config": ATTENTION,
    "GraniteConfig": ATTENTION,
    "GPT2Config": {"n_head": 4, "n_inner": 48},
    "GPTNeoXConfig": {"num_attention_heads": 4, "intermediate_size": 48},
}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_students_share(tokenizer, name):
    config = getattr(transformers, name)(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, pad_token_id=0, **USUAL[name]
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    alone = states(model, ROWS)
    with shared(model) as can:
        together = states(model, ROWS)
    assert can
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5 * float(one.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("name", ["MistralConfig", "Gemma3TextConfig", "Lfm2Config", "MambaConfig"])
def test_a_student_that_cannot_is_told_apart(tokenizer, name, capsys):
    with sparing(student(name, tokenizer)):
        pass
    assert "prompts are read row by row" in capsys.readouterr().err


def test_a_tree_is_read_only_where_it_is_less_to_read(tokenizer):
    model, read = student("Qwen3Config", tokenizer), []
    with shared(model):
        model.get_input_embeddings().register_forward_pre_hook(lambda _module, given: read.append(given[0].shape))
        states(model, [row(1, 30), row(2, 30)])
        states(model, [ONE + row(1, 10), ONE + row(2, 10)])
    assert read == [(2, 30), (1, 60)]


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_losses_are_those_of_trl(tokenizer, objective, monkeypatch):
    curves = []
    for way in (sparing, lambda model: contextlib.nullcontext()):
        monkeypatch.setattr(imitation, "sparing", way)
        monkeypatch.setattr(preference, "sparing", way)
        model, run = copy.deepcopy(student("Qwen3Config", tokenizer)), Run(1, "cpu", False)
        if objective == "sft":
            _, curve = imitation.fit_sft(model, tokenizer, marked(ROWS), [[*range(9)]] * 4, PLAIN, run)
        else:
            sides = marked(ROWS[:3]), marked([ONE + QUESTION + row(seed, 8) for seed in (20, 21, 22)])
            _, curve = preference.fit_dpo(model, tokenizer, *sides, [[0, 1, 2]] * 4, PLAIN, run, 0.1, 1.0)
        curves.append([point["loss"] for point in curve])
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)
    assert curves[0][0] != pytest.approx(curves[0][-1], abs=1e-3)  # it has learnt


@examples(300)
@given(st.lists(st.lists(st.integers(0, 1), max_size=40), min_size=1, max_size=8), st.integers(0, 3))
def test_each_token_follows_what_is_before_it_in_its_row(tails, copies):
    rows = [[7] * SHORTEST * copies + tail for tail in tails]
    made = tree(rows)
    assert [[made.tokens[place] for place in places] for places in made.rows] == rows
    before = {}  # of each place, all that its token looks at, itself included
    for (start, end), spans in made.stretches:
        outer = [place for span in spans for place in range(*span)]
        before |= {place: [*outer, *range(start, place + 1)] for place in range(start, end)}
    assert sorted(before) == list(range(len(made.tokens)))
    for places in made.rows:
        for length, place in enumerate(places):
            assert before[place] == places[: length + 1] and made.positions[place] == length


@pytest.mark.parametrize("copies", [2, 5])
def test_what_is_shared_stands_once(copies):
    rows = [row(1, 50) + row(seed, 10) for seed in range(2, 2 + copies)]
    assert len(tree(rows).tokens) == 50 + 10 * copies
