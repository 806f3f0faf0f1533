"""The from-scratch student: a small Llama that starts by copying words from its context.

A model of half a million weights cannot find out in minutes that names and numbers are to be copied. So W_V starts
orthogonal and W_O as `copy` times its transpose: whatever a head looks at is written back as itself, and training only
has to learn where to look (0-2 % without it, 63 % with it, after the same 25 CPU seconds).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from stages.params import TinyParams


def build_tiny(tokenizer, tiny: TinyParams, seed: int):
    """A seeded LlamaForCausalLM with tied embeddings for this tokenizer."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=tiny.width,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.heads,
        num_key_value_heads=tiny.heads,
        intermediate_size=tiny.hidden,
        max_position_embeddings=tiny.positions,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        model.model.embed_tokens.weight.normal_(0, 0.1)
        for layer in model.model.layers:
            attention = layer.self_attn
            torch.nn.init.orthogonal_(attention.v_proj.weight)
            attention.o_proj.weight.copy_(tiny.copy * attention.v_proj.weight.T)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model


@contextlib.contextmanager
def dropping(model, share: float) -> Iterator[None]:
    """Within it, training zeroes this share of the embeddings and of what attention and MLP add to them (dropout).

    A Llama has no dropout of its own but that of attention's weights. Nothing of it stays in the model.
    """
    import torch

    def drop(module, _inputs, output):
        return torch.nn.functional.dropout(output, share, module.training)

    inner = [part for layer in model.model.layers for part in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    hooks = [part.register_forward_hook(drop) for part in (model.model.embed_tokens, *inner) if share]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
