"""Students of every kind decode in a batch what transformers' `generate` gives row by row, or are refused by name."""

from __future__ import annotations

import pytest
import torch
import transformers
from students import byte_tokenizer

from stages.agent.decode import Turn, check, write_turns
from stages.records.errors import InputError
from stages.students.load import save_student
from stages.students.masks import ChatText

ATTENTION = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
SAME = {
    "Qwen3Config": {**ATTENTION, "head_dim": 8},
    "MistralConfig": {**ATTENTION, "sliding_window": 16},
    "Gemma3TextConfig": {
        **ATTENTION,
        "head_dim": 8,
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "Lfm2Config": {**ATTENTION, "layer_types": ["conv", "full_attention"]},
    "FalconH1Config": {**ATTENTION, **MAMBA2, "mamba_d_ssm": 64},
    "GraniteMoeHybridConfig": {
        **ATTENTION,
        **MAMBA2,
        "num_local_experts": 0,
        "shared_intermediate_size": 48,
        "layer_types": ["mamba", "attention"],
    },
    "Qwen3_5TextConfig": {**ATTENTION, **LINEAR, "head_dim": 16, "layer_types": ["linear_attention", "full_attention"]},
    "Mamba2Config": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 8, "chunk_size": 8},
    "MambaConfig": {"state_size": 8},
    "FalconMambaConfig": {"state_size": 8},
}
REFUSED = {
    "RwkvConfig": {"attention_hidden_size": 32},
    "RecurrentGemmaConfig": {
        **ATTENTION,
        "lru_width": 32,
        "attention_window_size": 16,
        "block_types": ["recurrent", "attention"],
    },
    "MiniMaxConfig": {
        **ATTENTION,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "block_size": 8,
        "layer_types": ["linear_attention", "full_attention"],
    },
}


def student(name, tokenizer):
    settings = (SAME | REFUSED)[name]
    config = getattr(transformers, name)(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=0,
        **settings,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        for weight in model.parameters():
            if weight.dim() > 1:
                weight *= 4  # wilder choices
    return model


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
