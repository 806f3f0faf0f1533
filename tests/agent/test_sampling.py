"""How a student's next token is drawn, and which tokens end its turn."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch
from students import byte_tokenizer, random_model

from stages.agent.decode import _choose, solve_all
from stages.agent.loop import Attempt
from stages.params import AgentParams
from stages.problems import builtin
from stages.students.chat import ChatText

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])
ROWS = 4000


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0])
def test_tokens_are_drawn_by_their_shares_at_this_temperature(temperature):
    """Shares are softmax(logits / temperature); each is met within four standard deviations of so many draws."""
    rows = [SimpleNamespace(noise=random.Random(f"{place}")) for place in range(ROWS)]
    drawn = torch.tensor(_choose(LOGITS.repeat(ROWS, 1), rows, temperature, 1.0))
    for token, share in enumerate(torch.softmax(LOGITS / temperature, 0).tolist()):
        met = (drawn == token).float().mean().item()
        assert abs(met - share) <= 4 * (share * (1 - share) / ROWS) ** 0.5 + 1 / ROWS


@pytest.mark.parametrize(("top_p", "kept"), [(0.5, 1), (0.7, 2), (0.9, 3), (0.999, 4)])
def test_the_likeliest_tokens_are_drawn_until_their_shares_reach_top_p(top_p, kept):
    rows = [SimpleNamespace(noise=random.Random(f"{place}")) for place in range(ROWS)]
    drawn = torch.tensor(_choose(LOGITS.repeat(ROWS, 1), rows, 1.0, top_p))
    shares = torch.softmax(LOGITS[:kept], 0)  # of those kept
    assert set(drawn.tolist()) == set(range(kept))
    for token, share in enumerate(shares.tolist()):
        met = (drawn == token).float().mean().item()
        assert abs(met - share) <= 4 * (share * (1 - share) / ROWS) ** 0.5 + 1 / ROWS


def test_no_token_is_read_beyond_the_models_positions(monkeypatch):
    tokenizer = byte_tokenizer("qwen")
    model = random_model("qwen", tokenizer)
    problems = builtin.problems("builtin/math", "dev", 2, 1)
    chat = ChatText(tokenizer)
    prompts = [chat.ids(chat.prompt(Attempt(one, 2, 2, 0, "", 0).messages)) for one in problems]
    limit = max(map(len, prompts)) + 10
    model.config.max_position_embeddings = limit
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    read, forward = [], model.forward

    def spied(*given, **named):
        read.append(int(named["position_ids"].max()))
        return forward(*given, **named)

    monkeypatch.setattr(model, "forward", spied)
    chains = solve_all(model, tokenizer, problems, AgentParams(2, 2, 0), 2, max_tokens=10**6)
    assert max(read) == limit - 1  # the last position is used, and none after it
    assert {chain.stop for chain in chains} == {"max_tokens"}


def test_a_chain_depends_on_its_temperature():
    tokenizer = byte_tokenizer("qwen")
    model = random_model("qwen", tokenizer, spread=0.6)
    problems = builtin.problems("builtin/math", "dev", 6, 1)
    agent = AgentParams(max_steps=2, max_errors=2, examples=0)

    def texts(temperature):
        chains = solve_all(model, tokenizer, problems, agent, 6, 12, temperature=temperature, seed=1)
        return [[step.text for step in chain.steps] for chain in chains]

    assert texts(0.05) != texts(1.0) != texts(3.0)
    same = sum(one == two for one, two in zip(texts(1e-6), texts(0.0), strict=True))
    assert same == len(problems)  # next to zero it is the likeliest token


@pytest.mark.parametrize("declared", ["<|endoftext|>", "<|im_end|>"])
def test_each_end_token_that_the_model_declares_ends_a_turn(declared):
    """Chat models often declare two: the template's end of turn, and the end of text that they learnt before."""
    tokenizer = byte_tokenizer("qwen")
    chat = ChatText(tokenizer)
    end = tokenizer.convert_tokens_to_ids(declared)
    assert chat.end == tokenizer.eos_token == "<|im_end|>"
    model = random_model("qwen", tokenizer)
    model.generation_config.eos_token_id = [chat.end_id, tokenizer.convert_tokens_to_ids("<|endoftext|>")]
    writes = tokenizer.convert_tokens_to_ids("A")

    class Writer(torch.nn.Module):
        """Two letters, then the end token, whatever it reads."""

        def __init__(self):
            super().__init__()
            self.count = 0

        def forward(self, hidden):
            self.count += 1
            scores = torch.zeros(*hidden.shape[:-1], len(tokenizer))
            scores[..., end if self.count % 3 == 0 else writes] = 1.0
            return scores

    model.lm_head = Writer()
    problems = builtin.problems("builtin/math", "dev", 1, 1)
    (chain,) = solve_all(model, tokenizer, problems, AgentParams(2, 1, 0), 1, max_tokens=9)
    assert [step.text for step in chain.steps] == ["AA"]
    assert chain.stop == "max_errors"  # it ended its turn, which is no call; it was not cut
