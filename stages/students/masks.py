"""Which tokens of a conversation a model wrote: each assistant turn's content and its end-of-turn token, nothing else.

Where the turns stand is read off the conversation's text (chat.py); here that becomes a mask over its tokens.
"""

from __future__ import annotations

import unicodedata

from stages.records.chain import Message
from stages.students.chat import MARK, ChatText, TemplateError


def encode_all(
    tokenizer, conversations: list[list[Message]], prompt_counts: list[int] | None = None
) -> list[tuple[list[int], list[bool]]]:
    """Token ids of each conversation and, token by token, whether the model wrote it.

    Turns among the first `prompt_count` messages are given, not written.

    Raises:
        TemplateError: the chat template refuses a conversation, or ends turns with no special token.
    """
    if not conversations:
        return []
    chat = ChatText(tokenizer)
    rendered = chat.spans(conversations, prompt_counts or [0] * len(conversations))
    clean = [text for text, _ in rendered if MARK not in text]
    batch = tokenizer(clean, add_special_tokens=False, return_offsets_mapping=True) if clean else {}
    tokens = zip(batch.get("input_ids", ()), batch.get("offset_mapping", ()), strict=True)
    encoded = []
    for text, spans in rendered:
        ids, offsets = ([], None) if MARK in text else next(tokens)
        own = None if offsets is None else _own(offsets, spans)
        encoded.append((ids, own) if own is not None else _encode_pieces(chat, text, spans))
    return encoded


def _own(offsets: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[bool] | None:
    """Token by token, whether it starts in a span; None if a token reaches from the prompt into what was written."""
    own = [False] * len(offsets)
    position = 0
    for start, end in spans:
        while position < len(offsets) and offsets[position][0] < start:
            position += 1
        if position and offsets[position - 1][1] > start:
            return None
        while position < len(offsets) and offsets[position][0] < end:
            own[position] = True
            position += 1
    return own


def _encode_pieces(chat: ChatText, text: str, spans: list[tuple[int, int]]) -> tuple[list[int], list[bool]]:
    """Prompt and turns encoded apart, as the model meets them: its first token never joins the prompt's last."""
    ids, own, position = [], [], 0
    for start, end in [*spans, (len(text), len(text))]:
        for piece, written in ((text[position:start], False), (text[start:end], True)):
            piece_ids = chat.ids(piece)
            ids += piece_ids
            own += [written] * len(piece_ids)
        position = end
    return ids, own


def encode(tokenizer, messages: list[Message], prompt_count: int | None = None) -> tuple[list[int], list[bool]]:
    """`encode_all` of one conversation."""
    return encode_all(tokenizer, [messages], [prompt_count or 0])[0]


def trained_token_share(
    tokenizer,
    encoded: list[tuple[list[int], list[bool]]],
    conversations: list[list[Message]],
    prompt_counts: list[int] | None = None,
) -> float:
    """The share of trained tokens that a model wrote, measured by decoding what the masks keep.

    Each run of trained tokens must decode to the content of the next assistant turn and the end-of-turn token, spaces
    and Unicode forms aside; the tokens of a run that does not count as not written, and so do runs beyond the last
    turn. A turn whose tokens are not trained at all also lowers the share, by the tokens it has.
    """
    chat = ChatText(tokenizer)
    # `runs`: stretches of trained tokens; `expected`: the turn that each must be. Where one is missing it is empty.
    written = total = 0
    runs, expected = [], []
    for (ids, own), messages, count in zip(
        encoded, conversations, prompt_counts or [0] * len(conversations), strict=True
    ):
        turns = [
            m["content"].replace(MARK, "") + chat.end
            for m in chat.written(messages)[count:]
            if m["role"] == "assistant"
        ]
        kept = _runs(ids, own)
        turns += [""] * (len(kept) - len(turns))
        kept += [[]] * (len(turns) - len(kept))
        runs += kept
        expected += turns
    decoded = tokenizer.batch_decode(runs, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    # A turn without a run counts by the tokens that it has.
    for run, text, turn in zip(runs, decoded, expected, strict=True):
        size = len(run) or len(tokenizer(turn, add_special_tokens=False)["input_ids"])
        total += size
        written += size if run and _letters(text) == _letters(turn) else 0
    return written / total if total else 0.0


def refusals(tokenizer, conversations: list[list[Message]], prompt_counts: list[int]) -> list[str]:
    """Why a student cannot be trained on each conversation, empty where it can: the template refuses it, or the
    tokenizer does not give a turn back.
    """
    try:
        encoded = encode_all(tokenizer, conversations, prompt_counts)
        if not encoded or trained_token_share(tokenizer, encoded, conversations, prompt_counts) == 1.0:
            return [""] * len(conversations)
    except TemplateError as error:
        if len(conversations) == 1:
            return [str(error)]
    if len(conversations) == 1:
        return ["the tokenizer does not give the text of its turns back unchanged"]
    # In halves, so that few that are refused among many cost few encodings.
    half = len(conversations) // 2
    return [
        reason
        for part in (slice(None, half), slice(half, None))
        for reason in refusals(tokenizer, conversations[part], prompt_counts[part])
    ]


def _letters(text: str) -> str:
    return unicodedata.normalize("NFKC", "".join(text.split()))


def _runs(ids: list[int], own: list[bool]) -> list[list[int]]:
    """The trained tokens, one list a stretch without a gap."""
    runs, inside = [], False
    for token, mine in zip(ids, own, strict=True):
        if mine and not inside:
            runs.append([])
        if mine:
            runs[-1].append(token)
        inside = mine
    return runs
