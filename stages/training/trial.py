"""A student tried before anything is paid for it: weights, template, masks, decoding and one step of each training.

Only the weights' names and shapes are read, and what is decoded and trained is a small random model of the same
architecture, so that a trial costs seconds and little memory whatever the student's size. A trial changes nothing that
a stage writes, so that no stage lists this file or `train.student` for it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import sys

from stages.params import Params
from stages.records.chain import Message
from stages.records.errors import brief
from stages.students.places import StudentError

KEY = "train.student"
SYSTEM: Message = {"role": "system", "content": "Write exactly one call.\nAdd(a, b): the sum, as in Add(a=1, b=2)"}
TALK: list[Message] = [
    {"role": "user", "content": "Tom has 3 pens and buys 4. How many has he?"},
    {"role": "assistant", "content": 'Ad(a="3")'},
    {"role": "user", "content": "Error: no tool is called Ad; the tools are Add, Finish"},
    {"role": "assistant", "content": "Add(a=3, b=4)"},
    {"role": "user", "content": "7"},
    {"role": "assistant", "content": 'Finish(answer="7")'},
]
MOST = 500_000_000  # weights of what is trained in a trial: 8 GB with AdamW's
WIDTH = 8  # of a head, where the configuration leaves it to be worked out


def try_student(params: Params) -> None:
    """Refuse the student of `train.student` that the stages after this one could not use.

    Raises:
        StudentError: it cannot be loaded, read, decoded or trained; the message says which, and why.
        InputError: its chat template cannot carry a conversation.
    """
    from stages.agent.decode import check
    from stages.students.chat import ChatText
    from stages.students.load import load_student
    from stages.students.masks import encode_all, refusals

    place = params.train.student
    if place == "tiny":
        return
    import transformers

    transformers.logging.set_verbosity_error()
    model, tokenizer = load_student(place, "meta", key=KEY)
    talks, counts = [[SYSTEM, *TALK], TALK, [SYSTEM, *TALK[:5]]], [2, 1, 2]
    if reason := next(filter(None, refusals(tokenizer, talks, counts)), ""):
        raise StudentError(f"{KEY}: {reason}")
    chat = ChatText(tokenizer)
    if SYSTEM["content"].splitlines()[1] not in chat.prompt(talks[0][:2]):
        raise StudentError(f"{KEY}: {place}: the chat template leaves out the list of tools; choose another student")
    small = _small(model)
    if small is None:
        print(f"{KEY}: {place}: no small model of its architecture can be made; not tried in training", file=sys.stderr)
        return
    check(_wild(small), chat, all_kinds=True)
    _train(params, small, tokenizer, encode_all(tokenizer, talks[:2], counts[:2]))


def _train(params: Params, model, tokenizer, examples: list) -> None:
    """One step of sft and one of dpo, with `train.lora`."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from stages.training.imitation import fit_sft
    from stages.training.preference import fit_dpo
    from stages.training.trainer import Run, Schedule

    schedule, run, lora = Schedule(1e-4, 0, 1.0, 0.1, 0.0), Run(1, "cpu", False), params.train.lora
    plan = [[0, 1]]
    for name in ("sft", "dpo"):
        student = copy.deepcopy(model)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # bars and warnings of trl
                if name == "sft":
                    fit_sft(student, tokenizer, examples, plan, schedule, run, lora)
                else:
                    pairs = examples, examples[::-1]
                    fit_dpo(student, tokenizer, *pairs, plan, schedule, run, params.train.dpo.beta, 1.0, lora)
        except Exception as error:  # of torch, transformers, trl or peft, whatever does not suit the architecture
            said = f"{model.config.model_type} fails in one step of {name}: {type(error).__name__}: {brief(error, 200)}"
            raise StudentError(f"{KEY}: {params.train.student}: {said}; choose another student") from error


def _wild(model):
    """A copy with larger weights: as it was made, its choices hardly depend on what it read."""
    import torch

    model = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight *= 4
    return model


def _small(model):
    """A random model of this one's architecture, small where its configuration lets it be; None where that fails."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for change in (_narrow, _short, None):
            config = copy.deepcopy(model.config)
            # Which sizes belong together is known to each architecture alone: a small one that cannot be made, or
            # cannot read, says nothing about the student, and the next larger one is taken.
            with contextlib.suppress(Exception):
                if change:
                    change(config)
                with torch.device("meta"):
                    planned = AutoModelForCausalLM.from_config(config)
                if sum(weight.numel() for weight in planned.parameters()) > MOST:
                    continue
                made = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
                with torch.inference_mode():
                    made(torch.tensor([[1, 2, 3]]))
                return made
    return None


def _short(config) -> None:
    """As few layers as hold one of each kind."""
    parts = [config.get_text_config()]
    if getattr(config, "vision_config", None) is not None:
        parts.append(config.vision_config)
    for part in parts:
        before = part.num_hidden_layers
        kinds = getattr(part, "layer_types", None) or getattr(part, "layers_block_type", None) or [""] * before
        after = max(2, 1 + max(kinds.index(kind) for kind in set(kinds)))
        for name, value in list(vars(part).items()):
            if isinstance(value, list) and len(value) == before:
                setattr(part, name, value[:after])
        part.num_hidden_layers = min(before, after)


def _narrow(config) -> None:
    """Few layers, and each of them narrow."""
    _short(config)
    text = config.get_text_config()
    text.hidden_size = WIDTH * text.num_attention_heads
    for name in ("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size"):
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, 4 * WIDTH)
