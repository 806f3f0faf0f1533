"""Batched decoding gives each chain what plain generation, one chain and one full pass a turn, would give it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import small_settings
from students import byte_tokenizer, corpus_of, random_model

from stages.agent.decode import solve_all
from stages.agent.loop import Attempt, Reply
from stages.params import AgentParams
from stages.problems import builtin
from stages.students.chat import ChatText
from stages.train import base

AGENT = AgentParams(max_steps=4, max_errors=2, examples=0)
SHAPES = ("qwen", "llama", "recurrent")
SMALL = small_settings()
BASE = replace(SMALL.train.base, steps=80)


@pytest.fixture(scope="module")
def students():
    """Wild students that end about every other turn themselves: random ones, and recurrent ones of a short training."""
    made = {}
    for shape, ordinals in (("recurrent", False), ("counted", True)):
        tiny = replace(SMALL.train.tiny, architecture="recurrent", ordinals=ordinals)
        trained = base(replace(SMALL, train=replace(SMALL.train, tiny=tiny, base=BASE)), corpus_of(SMALL))
        made[shape] = (trained.model, trained.tokenizer)
    for shape in ("qwen", "llama"):
        tokenizer = byte_tokenizer(shape)
        model = random_model(shape, tokenizer, spread=0.6)
        with torch.no_grad():
            model.lm_head.weight[ChatText(tokenizer).end_id] *= {"qwen": 2.0, "llama": 1.6}[shape]
        made[shape] = (model, tokenizer)
    return made


@pytest.fixture(scope="module")
def problems():
    return [problem for task in ("math", "logic") for problem in builtin.problems(f"builtin/{task}", "dev", 4, 1)]


def one_by_one(model, tokenizer, problem, max_tokens):
    """The chain by `generate`, which reads the whole conversation again in each turn."""
    attempt = Attempt(problem, AGENT.max_steps, AGENT.max_errors, AGENT.examples)
    end = ChatText(tokenizer).end
    ids = tokenizer.apply_chat_template(attempt.messages, add_generation_prompt=True)["input_ids"]
    if "Today Date" in tokenizer.chat_template:
        ids = tokenizer.apply_chat_template(attempt.messages, add_generation_prompt=True, date_string="26 Jul 2024")[
            "input_ids"
        ]
    while not attempt.stop:
        made = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=0,
        )[0].tolist()[len(ids) :]
        cut = made[-1] != tokenizer.eos_token_id
        written = made if cut else made[:-1]
        attempt.advance(Reply(tokenizer.decode(written, skip_special_tokens=False), len(ids), len(written), cut=cut))
        if not attempt.stop:
            whole = tokenizer.apply_chat_template(attempt.messages, tokenize=False, add_generation_prompt=True)
            reply = end + end.join(whole.rsplit(end, 2)[1:])
            ids = ids + written + tokenizer(reply, add_special_tokens=False)["input_ids"]
    return attempt.chain()


@pytest.mark.parametrize("shape", SHAPES)
def test_greedy_chains_are_those_of_plain_generation(students, problems, shape):
    model, tokenizer = students[shape]
    chains = solve_all(model, tokenizer, problems, AGENT, batch=3, max_tokens=16)
    assert chains == [one_by_one(model, tokenizer, problem, 16) for problem in problems]
    assert len({len(chain.steps) for chain in chains}) > 1  # some read replies, and rows left at different times


@pytest.mark.parametrize("shape", ["qwen", "recurrent", "counted"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_chains_do_not_depend_on_the_batch(students, problems, temperature, shape):
    sizes = (1, 3, 50)
    made = [solve_all(*students[shape], problems, AGENT, size, 12, temperature=temperature, seed=3) for size in sizes]
    assert made[0] == made[1] == made[2]
    assert [chain.problem_id for chain in made[0]] == [problem.id for problem in problems]


def test_samples_hang_on_seed_and_sample(students, problems):
    def texts(seed, sample):
        chains = solve_all(*students["llama"], problems[3:7], AGENT, 50, 12, temperature=1.0, seed=seed, sample=sample)
        assert {chain.sample for chain in chains} == {sample}
        return [[step.text for step in chain.steps] for chain in chains]

    assert texts(1, 0) == texts(1, 0)
    assert texts(1, 0) != texts(1, 1) != texts(2, 0) != texts(1, 0)


def test_each_turn_is_counted_in_tokens(students, problems):
    for chain in solve_all(*students["qwen"], problems, AGENT, 50, 16):
        assert 0 <= chain.completion_tokens <= 16 * len(chain.steps)
        assert chain.prompt_tokens > chain.completion_tokens


@pytest.mark.parametrize("room", [0, 1, 10, 40, 200])
def test_a_chain_that_fills_the_positions_stops_by_name(problems, room):
    tokenizer = byte_tokenizer("qwen")
    chat = ChatText(tokenizer)
    prompt = len(chat.ids(chat.texts([Attempt(problems[0], 4, 3, 0).messages], ask=True)[0]))
    model = random_model("qwen", tokenizer, spread=0.6, positions=prompt + room - 1)
    (chain,) = solve_all(model, tokenizer, problems[:1], AGENT, 1, max_tokens=30)
    assert chain.stop == "max_tokens"
    assert bool(chain.steps) == (room > 0)
