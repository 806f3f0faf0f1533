"""Students of a few thousand random weights, of many architectures."""

from __future__ import annotations

import torch
import transformers

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
