"""What the rows of a batch share is read once.

The rows of a batch begin alike: with the same instructions, and the two sides of a pair with the same question too.
Read row by row, such a prefix costs as many passes as there are rows. Here a batch becomes a tree. Each stretch of
tokens that rows share stands in it once, and attends to itself and to the stretches before it in its rows. The tree is
read as one sequence without padding, in which every token has the position that it has in its row.

Each row's hidden states are those that it would have alone, and the gradients of all rows meet in what they share. So
a loss on them is the same number. The idea of one pass over a shared prefix is that of Hydragen (arXiv 2402.05099),
which serves it to queries in decoding; here it also carries the gradient.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SHORTEST = 16  # tokens; shorter stretches are cheaper read twice than kept apart
WORTH = 0.75  # of a batch's padded tokens; where a tree has more, the batch is read as it is
NAME = "stepcall_tree"  # of the attention, as transformers' configurations hold it

Span = tuple[int, int]  # the first place, and the place after the last


@dataclass
class Tree:
    """A batch as one sequence.

    `tokens` and `positions`: of each place, its token and its position in its rows. `stretches`: each one's span of
    places, with the spans before it, the outermost first. `rows`: of each row, the place of each of its tokens.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    stretches: list[tuple[Span, tuple[Span, ...]]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)


def tree(rows: Sequence[list[int]]) -> Tree:
    """The tree of these rows of token ids, unpadded."""
    made = Tree(rows=[[] for _ in rows])
    _grow(made, rows, sorted(range(len(rows)), key=lambda row: rows[row]), 0, ())
    return made


def _grow(made: Tree, rows: Sequence[list[int]], group: list[int], depth: int, before: tuple[Span, ...]) -> None:
    """Add what these rows have from `depth` on. They are sorted, and share all `depth` tokens that come first."""
    # Neighbours in the order have most in common: a family begins where two of them have little.
    families: list[list[int]] = []
    shared: list[int] = []  # up to where all rows of a family are equal
    for row in group:
        common = _common(rows[families[-1][-1]], rows[row]) if families else 0
        if families and common >= depth + SHORTEST:
            families[-1].append(row)
            shared[-1] = min(shared[-1], common)
        else:
            families.append([row])
            shared.append(len(rows[row]))
    for family, end in zip(families, shared, strict=True):
        if end == depth:
            continue  # a row of no further token
        start = len(made.tokens)
        made.tokens += rows[family[0]][depth:end]
        made.positions += range(depth, end)
        span = (start, len(made.tokens))
        made.stretches.append((span, before))
        for row in family:
            made.rows[row] += range(*span)
        longer = [row for row in family if len(rows[row]) > end]
        if longer:
            _grow(made, rows, longer, end, (*before, span))


def _common(one: list[int], other: list[int]) -> int:
    """How many tokens two rows begin with alike."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def attend(module, query, key, value, attention_mask, scaling, dropout=0.0, tree=None, **rest):
    """Attention along a tree, as transformers' AttentionInterface asks for it; without a tree, its own `sdpa`.

    `query`: (1, heads, places, width). `key` and `value`: (1, key heads, places, width), where several heads may
    share a key head. Returns (1, places, heads, width), and None in place of the weights.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if tree is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **rest
        )
    _, heads, places, width = query.shape
    key_heads = key.shape[1]
    # The heads of one key head stand below each other, so that each key is read once for all of them.
    query = (query[0] * scaling).view(key_heads, heads // key_heads, places, width)
    key, value = key[0], value[0]
    read = []
    for (start, end), before in tree.stretches:
        spans = (*before, (start, end))
        keys = torch.cat([key[:, a:b] for a, b in spans], dim=1)
        values = torch.cat([value[:, a:b] for a, b in spans], dim=1)
        asked = query[:, :, start:end].reshape(key_heads, -1, width)
        scores = (asked @ keys.transpose(1, 2)).view(key_heads, -1, end - start, keys.shape[1])
        # What comes before is seen whole; a stretch sees itself up to each token.
        weights = torch.softmax(scores + _hidden(end - start, keys.shape[1], scores), dim=-1, dtype=torch.float32)
        weights = torch.nn.functional.dropout(weights.to(value.dtype), dropout, module.training)
        seen = weights.view(key_heads, -1, keys.shape[1]) @ values
        read.append(seen.view(heads, end - start, width))
    # Stretches stand in the order of their places.
    return torch.cat(read, dim=1).transpose(0, 1)[None], None


def _hidden(own: int, seen: int, like):
    """(own, seen): minus infinity where a token of a stretch must not look, 0 elsewhere."""
    import torch

    return torch.full((own, seen), -torch.inf, dtype=like.dtype, device=like.device).triu(seen - own + 1)


@contextlib.contextmanager
def shared(model) -> Iterator[bool]:
    """Within it a model reads once what the rows of a batch share; gives whether it can.

    `model`: a causal language model of transformers; batches are padded on the right. A model whose layers cannot
    follow a tree (recurrent ones, sliding windows) reads as before.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    backbone, configuration = model.base_model, model.config.get_text_config()
    if not _dispatched(model):
        yield False
        return
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before, plain = configuration._attn_implementation, backbone.forward
    alone = _trial(backbone)
    configuration._attn_implementation = NAME
    backbone.forward = _reader(plain)
    try:
        can = _agree(alone, _trial(backbone))
        if not can:
            backbone.forward = plain
        yield can
    finally:
        del backbone.forward
        configuration._attn_implementation = before


def _reader(plain):
    """A backbone's `forward` that reads a batch as a tree where that is less to read. `plain`: its own."""
    import torch

    def forward(input_ids=None, attention_mask=None, position_ids=None, **rest):
        if input_ids is None or attention_mask is None or position_ids is not None:
            return plain(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, **rest)
        lengths = attention_mask.sum(1).tolist()
        made = tree([row[:length] for row, length in zip(input_ids.tolist(), lengths, strict=True)])
        if len(made.tokens) > WORTH * input_ids.numel():
            return plain(input_ids=input_ids, attention_mask=attention_mask, **rest)
        # One row: the tree. A mask of four dimensions is taken as it is, and attention along a tree needs none.
        device = input_ids.device
        read = plain(
            input_ids=torch.tensor([made.tokens], device=device),
            position_ids=torch.tensor([made.positions], device=device),
            attention_mask=torch.zeros(1, 1, 1, 1, device=device),
            tree=made,
            **rest,
        )
        # Back to rows. A padded place holds what the first place does, and nothing reads it.
        longest = input_ids.shape[1]
        places = torch.tensor([row + [0] * (longest - len(row)) for row in made.rows], device=device)
        states = read.last_hidden_state[0].index_select(0, places.flatten())
        read.last_hidden_state = states.view(*places.shape, -1)
        return read

    return forward


def _dispatched(model) -> bool:
    """Whether transformers dispatches a model's attention, and every layer of it sees all that came before."""
    configuration = model.config.get_text_config()
    kinds = set(getattr(configuration, "layer_types", None) or ["full_attention"])
    return (
        model.base_model is not model
        and model._supports_attention_backend
        and kinds == {"full_attention"}
        and not getattr(configuration, "sliding_window", None)
        and not getattr(configuration, "attn_logit_softcapping", None)
    )


def _trial(backbone):
    """The hidden states of two rows that share most of their tokens, the second one shorter."""
    import torch

    trained, device = backbone.training, backbone.get_input_embeddings().weight.device
    start = list(range(1, 2 * SHORTEST + 1))
    rows = torch.tensor([[*start, 3, 1, 4, 1, 5], [*start, 2, 7, 1, 0, 0]], device=device)
    seen = torch.ones_like(rows)
    seen[1, -2:] = 0
    backbone.eval()
    with torch.no_grad():
        states = backbone(input_ids=rows, attention_mask=seen, use_cache=False).last_hidden_state
    backbone.train(trained)
    return states[seen.bool()].float()


def _agree(one, other) -> bool:
    """Whether two readings are the same but for rounding."""
    return bool((one - other).norm() < 0.02 * one.norm())
