"""Which rows a student can be trained on: its chat template renders them, and they fit its limit of tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass

from stages.records.chain import Message
from stages.students.chat import ChatText
from stages.students.masks import refusals


@dataclass(frozen=True)
class Usable:
    """Rows that the student can be trained on, with their lengths in tokens; and what was dropped, a line each."""

    rows: list[dict]
    counts: list[dict[str, int]]
    not_rendered: int
    too_long: int
    lines: list[str]


def usable(tokenizer: object, rows: list[dict], sides: dict[str, str], limit: int) -> Usable:
    """Drop what the chat template does not render, and what is longer than `limit` tokens; nothing is ever cut."""
    clean, refused = rendered(tokenizer, rows, sides)
    counts = lengths(tokenizer, clean, sides)
    kept, lines = fitting(clean, counts, sides, limit)
    return Usable(
        [clean[index] for index in kept],
        [counts[index] for index in kept],
        len(rows) - len(clean),
        len(lines),
        refused + lines,
    )


def lengths(tokenizer: object, rows: list[dict], sides: dict[str, str]) -> list[dict[str, int]]:
    """Tokens of each row's prompt, up to where the model writes, and of each side after it, by the chat template."""
    if not rows:
        return []
    prompts = _tokens(tokenizer, [row["prompt"] for row in rows], ask=True)
    whole = {name: _tokens(tokenizer, [row["prompt"] + row[name] for row in rows], ask=False) for name in sides}
    return [
        {"prompt": prompt, **{name: whole[name][index] - prompt for name in sides}}
        for index, prompt in enumerate(prompts)
    ]


def _tokens(tokenizer: object, conversations: list[list[Message]], ask: bool) -> list[int]:
    """Lengths in tokens; each different conversation is rendered once, all are tokenised in one batch."""
    names = [json.dumps(conversation) for conversation in conversations]
    different = dict(zip(names, conversations, strict=True))
    chat = ChatText(tokenizer)
    asked = list(different.values())
    texts = map(chat.prompt, asked) if ask else (text for text, _ in chat.spans(asked, [0] * len(asked)))
    encoded = chat.all_ids(list(texts))
    counts = dict(zip(different, map(len, encoded), strict=True))
    return [counts[name] for name in names]


def rendered(tokenizer: object, rows: list[dict], sides: dict[str, str]) -> tuple[list[dict], list[str]]:
    """The rows that the student's chat template renders, and a line on each chain for which others are dropped."""
    refused: dict[str, str] = {}
    for name, chain_id in sides.items():
        conversations = [row["prompt"] + row[name] for row in rows]
        reasons = refusals(tokenizer, conversations, [len(row["prompt"]) for row in rows])
        refused |= {row[chain_id]: why for row, why in zip(rows, reasons, strict=True) if why}
    kept = [row for row in rows if not any(row[chain_id] in refused for chain_id in sides.values())]
    return kept, [f"chain {chain_id} dropped: {why}" for chain_id, why in sorted(refused.items())]


def fitting(
    rows: list[dict], counts: list[dict[str, int]], sides: dict[str, str], limit: int
) -> tuple[list[int], list[str]]:
    """Indices of the rows within `limit` tokens, the longer side counted; and a line on each one beyond it."""
    kept, lines = [], []
    for index, (row, count) in enumerate(zip(rows, counts, strict=True)):
        tokens = count["prompt"] + max(count[name] for name in sides)
        if tokens <= limit:
            kept.append(index)
        else:
            name = f"pair {row['pair_id']}" if "pair_id" in row else f"chain {row['chain_id']}"
            hint = "raise pair.max_length (and train.max_length) or lower agent.max_steps"
            lines.append(f"{name} dropped: {tokens:,} tokens, limit {limit:,}; {hint}")
    return kept, lines
