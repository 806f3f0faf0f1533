"""The from-scratch students of `train.tiny.architecture`, made from a seed.

`llama`: a small Llama that starts by copying words from its context. A model of half a million weights cannot find out
in minutes that names and numbers are to be copied. So W_V starts orthogonal and W_O as `copy` times its transpose:
whatever a head looks at is written back as itself, and training only has to learn where to look (0-2 % without it,
63 % with it, after the same 25 CPU seconds).

`recurrent`: recurrent.py. It copies no word that it has not learnt to write, and so suits a student that writes its
numbers by reference.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from stages.params import TinyParams
from stages.students.scratch.tokenizer import ASSISTANT


def build_tiny(tokenizer, tiny: TinyParams, seed: int):
    """A seeded causal language model with tied embeddings for this tokenizer: (rows, tokens) ids to logits.

    `tiny`: params.train.tiny, with all sizes. torch's own random state is left as it was.
    """
    import torch
    from transformers import GenerationConfig

    build = {"llama": _llama, "recurrent": _recurrent}[tiny.architecture]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = build(tokenizer, tiny)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model


def _llama(tokenizer, tiny: TinyParams):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

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
    model = LlamaForCausalLM(config)
    model.model.embed_tokens.weight.normal_(0, 0.1)
    for layer in model.model.layers:
        attention = layer.self_attn
        torch.nn.init.orthogonal_(attention.v_proj.weight)
        attention.o_proj.weight.copy_(tiny.copy * attention.v_proj.weight.T)
    return model


def _recurrent(tokenizer, tiny: TinyParams):
    from stages.students.scratch.recurrent import RecurrentConfig, RecurrentForCausalLM

    config = RecurrentConfig(
        vocab_size=len(tokenizer),
        hidden_size=tiny.width,
        num_hidden_layers=tiny.layers,
        max_position_embeddings=tiny.positions,
        assistant_token_id=tokenizer.convert_tokens_to_ids(ASSISTANT),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return RecurrentForCausalLM(config)


@contextlib.contextmanager
def dropping(model, share: float) -> Iterator[None]:
    """Context manager that turns on dropout in a from-scratch student while it trains; `share` is from 0 to 1.

    It falls on the embeddings and on the outputs of each layer's parts: attention and MLP of a Llama, the GRUs of a
    recurrent student. The saved model has none.
    """
    import torch

    # The recurrent student has a part for it.
    if hasattr(model.model, "dropout"):
        model.model.dropout.p = share
        try:
            yield
        finally:
            model.model.dropout.p = 0.0
        return

    def drop(module, _inputs, output):
        # Only in training: `module.training` is False while the student is decoded.
        return torch.nn.functional.dropout(output, share, module.training)

    # A Llama has dropout of attention's weights alone, so hooks put it on the outputs.
    inner = [part for layer in model.model.layers for part in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    hooks = [part.register_forward_hook(drop) for part in (model.model.embed_tokens, *inner) if share]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
