"""Students of every kind decode in a batch what transformers' `generate` gives row by row, or are refused by name."""

from __future__ import annotations

import pytest
import torch
import transformers
from architectures import REFUSED, SAME, student
from students import byte_tokenizer

from stages.agent.decode import Turn, check, write_turns
from stages.records.errors import InputError
from stages.students.chat import ChatText
from stages.students.load import save_student


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer("qwen")


@pytest.mark.parametrize("name", SAME)
def test_rows_that_end_one_by_one_write_what_generate_writes(tokenizer, name):
    model, chat = student(name, tokenizer), ChatText(tokenizer)
    counts, turns = (3, 9, 14), []
    for index, count in enumerate(counts):
        talk = [{"role": "user", "content": "4 boxes " * (3 * index + 1)}]
        turns.append(Turn(talk, chat, 0, lambda index=index, count=count: len(turns[index].written) >= count))
    write_turns(model, chat, turns, 99)
    for turn, count in zip(turns, counts, strict=True):
        read = torch.tensor([turn.prompt])
        made = model.generate(
            read,
            attention_mask=torch.ones_like(read),
            max_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=chat.end_id,
        )[0, len(turn.prompt) :].tolist()
        assert turn.written == made[: len(turn.written)] and len(turn.written) >= len(made) - 1
    assert len({len(turn.written) for turn in turns}) > 1
    check(model, chat, all_kinds=True)


@pytest.mark.parametrize("name", REFUSED)
def test_a_student_that_would_write_other_tokens_is_refused_by_name(tokenizer, name):
    model = student(name, tokenizer)
    with pytest.raises(InputError, match=f"{model.config.model_type} .*choose a student of another architecture"):
        check(model, ChatText(tokenizer))


def test_a_composite_student_is_trained_and_loaded_again(tokenizer, tmp_path):
    """Gemma 3 keeps `use_cache` in the part of its configuration that is about text."""
    from stages.students.load import load_student
    from stages.training.imitation import fit_sft
    from stages.training.trainer import Run, Schedule

    text = SAME["Gemma3TextConfig"] | {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": len(tokenizer)}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Gemma3Config(
        text_config=text, vision_config=vision | {"image_size": 28, "patch_size": 14}, mm_tokens_per_image=1
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    schedule = Schedule(1e-3, 0, 1.0, 0.1, 0.0)
    model, curve = fit_sft(
        model, tokenizer, [([5, 6, 7], [False, True, True])] * 2, [[0, 1]], schedule, Run(1, "cpu", False)
    )
    assert curve[-1]["loss"] > 0
    save_student(model, tokenizer, tmp_path / "gemma")
    assert load_student(tmp_path / "gemma")
