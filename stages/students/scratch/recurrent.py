"""A from-scratch student with recurrent layers: it reads the prompt in both directions, then writes turn by turn.

From some hundred published problems a small Llama learns too little: on ASDiv-A it solved half of the tested ones where
this student solves two thirds and more. The prompt is read by gated recurrent units (GRU, arXiv 1406.1078) forwards and
backwards; the turns are written by one with attention to the prompt (arXiv 1409.0473) and to the largest value that
each feature has anywhere in it (max pooling over time, arXiv 1103.0398), so that a telling word counts wherever it is.

To transformers and trl it is a causal language model whose prompt ends before the first assistant mark. What it says at
the positions of the prompt means nothing; they are never trained nor sampled from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput


class RecurrentConfig(PreTrainedConfig):
    """`hidden_size`: width of the embeddings and of each direction of reading; the writer's is twice that.

    `assistant_token_id`: the token that opens a turn of the model, the first of which ends the prompt.
    """

    model_type = "stepcall_recurrent"
    has_no_defaults_at_init = True  # params.yaml states the sizes

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        num_hidden_layers: int,
        max_position_embeddings: int,
        assistant_token_id: int,
        **rest,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.max_position_embeddings = max_position_embeddings
        self.assistant_token_id = assistant_token_id
        self.use_cache = True  # as in every other student's configuration; training reads it
        super().__init__(**{"tie_word_embeddings": True, **rest})


class Reading:
    """What is kept of each row while it is decoded; empty until a model has read the prompts.

    `prompt`: (rows, longest, 2 * width), with `padding` (rows, longest) where there is none; `largest` and `state`, the
    writer's: (rows, 2 * width).
    """

    prompt: Tensor | None = None
    padding: Tensor | None = None
    largest: Tensor | None = None
    state: Tensor | None = None

    def reorder_cache(self, rows: Tensor) -> None:
        """Keep these rows."""
        self.prompt, self.padding = self.prompt[rows], self.padding[rows]
        self.largest, self.state = self.largest[rows], self.state[rows]


@dataclass
class Written(ModelOutput):
    """`last_hidden_state`: (rows, tokens, width); `logits`: (rows, tokens, vocabulary)."""

    last_hidden_state: Tensor | None = None
    logits: Tensor | None = None


class RecurrentPreTrainedModel(PreTrainedModel):
    """What transformers asks of an architecture: its configuration, and how weights start."""

    config: RecurrentConfig
    config_class = RecurrentConfig
    base_model_prefix = "model"

    def _init_weights(self, module: nn.Module) -> None:
        """torch's own: embeddings of variance 1 learn far more here than small ones (71 against 56 % of ASDiv-A)."""
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


class RecurrentModel(RecurrentPreTrainedModel):
    """The student but for its output layer, which is its embeddings."""

    def __init__(self, config: RecurrentConfig):
        super().__init__(config)
        width = config.hidden_size
        self.dropout = nn.Dropout(0.0)
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        inputs = [width] + [2 * width] * (config.num_hidden_layers - 1)
        self.forwards = nn.ModuleList(nn.GRU(size, width, batch_first=True) for size in inputs)
        self.backwards = nn.ModuleList(nn.GRU(size, width, batch_first=True) for size in inputs)
        self.start = nn.Linear(2 * width, 2 * width)
        self.writer = nn.GRU(width, 2 * width, batch_first=True)
        self.query = nn.Linear(2 * width, 2 * width, bias=False)
        self.mix = nn.Linear(6 * width, width)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, cache: Reading | None = None, **_rest
    ) -> Written:
        """Read whole rows, padded on either side; or, where `cache` holds a reading, the tokens behind it.

        `input_ids` and `attention_mask`: (rows, tokens).

        Never under autocast: CUDA's GRUs would compute in 16 bits with the range of float16, whatever type was asked
        for, and gradients vanish there (aten/src/ATen/cudnn/AutocastRNN.cpp).
        """
        with torch.autocast(input_ids.device.type, enabled=False):
            return self._forward(input_ids, attention_mask, cache)

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None, cache: Reading | None) -> Written:
        kept = Reading() if cache is None else cache
        # The prompts were read before: go on writing.
        if kept.prompt is not None:
            states = self._states(input_ids, kept)
            kept.state = states[:, -1]
            return Written(self._mixed(states, kept))
        # Where each row begins, where its first turn opens, where it ends.
        real = (torch.ones_like(input_ids) if attention_mask is None else attention_mask).int()
        begin = real.argmax(1)
        end = begin + real.sum(1)
        opens = (input_ids == self.config.assistant_token_id) & real.bool()
        turn = torch.where(opens.any(1), opens.int().argmax(1), end)
        # Read the prompt, then write the turns; both are moved to the left first.
        self._read(*_aligned(input_ids, begin, turn), kept)
        turns, padding = _aligned(input_ids, turn, end)
        states = self._states(turns, kept)
        hidden = self._mixed(states, kept)
        # Keep the state behind each row's last token, for what is written next.
        last = (end - turn - 1).clamp(min=0)
        kept.state = states[torch.arange(len(last), device=last.device), last]
        # Move what was written back to its positions; those of the prompt stay 0.
        rows, places = (~padding).nonzero(as_tuple=True)
        whole = hidden.new_zeros(*input_ids.shape, hidden.shape[-1])
        return Written(whole.index_put((rows, places + turn[rows]), hidden[rows, places]))

    def _read(self, prompt: Tensor, padding: Tensor, kept: Reading) -> None:
        """Both directions, layer by layer; backwards from each row's own end, so that padding changes nothing."""
        places = torch.arange(prompt.shape[1], device=prompt.device)
        turned = ((~padding).sum(1, keepdim=True) - 1 - places).clamp(min=0)[..., None]
        values = self.embed_tokens(prompt)
        for there, back in zip(self.forwards, self.backwards, strict=True):
            values = self.dropout(values)
            ahead, behind = there(values)[0], back(_at(values, turned))[0]
            values = torch.cat([ahead, _at(behind, turned)], -1)
        kept.prompt, kept.padding = values, padding
        kept.largest = values.masked_fill(padding[..., None], -1.0).amax(1)
        kept.state = torch.tanh(self.start(self.dropout(kept.largest)))

    def _states(self, turns: Tensor, kept: Reading) -> Tensor:
        return self.writer(self.dropout(self.embed_tokens(turns)), kept.state[None].contiguous())[0]

    def _mixed(self, states: Tensor, kept: Reading) -> Tensor:
        """Each state with what it looks at in the prompt and the largest values there."""
        scores = self.query(states) @ kept.prompt.transpose(1, 2) * states.shape[-1] ** -0.5
        seen = scores.masked_fill(kept.padding[:, None], -1e4).softmax(-1) @ kept.prompt
        largest = kept.largest[:, None].expand_as(seen)
        mixed = torch.tanh(self.mix(self.dropout(torch.cat([states, seen, largest], -1))))
        return self.dropout(mixed)


class RecurrentForCausalLM(RecurrentPreTrainedModel, GenerationMixin):
    """The student with its output layer, which shares the weights of the embeddings."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: RecurrentConfig):
        super().__init__(config)
        self.model = RecurrentModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, cache: object = None, **_rest
    ) -> dict:
        """`generate` reads all again for each token; decode.py keeps what was read."""
        kept = {"cache": cache, "logits_to_keep": 1} if isinstance(cache, Reading) else {}
        return {"input_ids": input_ids, "attention_mask": attention_mask, **kept}

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: Reading | None = None,
        logits_to_keep: int = 0,
        **_rest,
    ) -> Written:
        """Logits of the last `logits_to_keep` tokens of each row, 0: of all; the rest as for `RecurrentModel`."""
        hidden = self.model(input_ids, attention_mask, cache).last_hidden_state
        return Written(hidden, self.lm_head(hidden[:, -logits_to_keep:]))


def _aligned(ids: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens of each row from `begin` to `end`, at least one, moved to the left, and where padding follows them."""
    places = torch.arange(max(1, int((end - begin).max())), device=ids.device)
    padding = places >= (end - begin)[:, None]
    return ids.gather(1, (begin[:, None] + places).clamp(max=ids.shape[1] - 1)), padding


def _at(values: Tensor, places: Tensor) -> Tensor:
    return values.gather(1, places.expand(-1, -1, values.shape[-1]))


def register() -> None:
    """Let `from_pretrained` of transformers' Auto classes know this architecture; no code comes out of a folder."""
    AutoConfig.register(RecurrentConfig.model_type, RecurrentConfig, exist_ok=True)
    AutoModelForCausalLM.register(RecurrentConfig, RecurrentForCausalLM, exist_ok=True)
