"""Which tokens of a conversation a model wrote: each assistant turn's content and its end-of-turn token, nothing else.

Everything is read off the text that the chat template renders, so any template works without being edited: a turn
starts where the prompt before it, rendered with the generation prompt, ends. A template that does not render a
conversation as a continuation of its own beginning cannot be trained on and is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from stages.chain import Message, readable
from stages.params import InputError, brief
from stages.student.references import ORDINALS, RESULTS, refer, references

# Some templates (Llama 3) write today's date into the system turn; a fixed one keeps the bytes equal on every day.
_FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro %}"


class TemplateError(InputError):
    """The tokenizer's chat template cannot tell what the model wrote; the message says why."""


# Stands before a control token that is a part of a message. Half a surrogate pair, so that no text has it.
_MARK = "\udc00"


class ChatText:
    """Conversations as the text a student reads. `end` is the token that ends an assistant turn, `end_id` its id.

    Control tokens (`<|im_end|>`) come from the template alone: one that a problem, a model or a tool writes into a
    message is marked in the rendered text and encoded letter by letter, so that no text can end a turn or open one.

    A tokenizer with marks for numbers (references.py) gets them in the model's turns; `read` puts the numbers back.
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        if not tokenizer.chat_template:
            raise TemplateError(f"{tokenizer.name_or_path}: the tokenizer has no chat template; choose a chat model")
        template = tokenizer.get_chat_template()
        self._template = _FIXED_DATE + template if "strftime_now" in template else template
        places = {token.content: place for place, token in tokenizer.added_tokens_decoder.items()}
        self._marks = {places[mark]: mark for mark in (*ORDINALS, *RESULTS) if RESULTS[0] in places}
        added = tokenizer.added_tokens_decoder.values()
        self._control = re.compile(f"(?<!{_MARK})({_any(token.content for token in added if token.special)})")
        self._end = re.compile(rf"\s*({_any(token.content for token in added)})")
        probe = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "ANSWER"}]
        found = self._end.match(self.texts([probe])[0].rpartition("ANSWER")[2])
        if not found:
            raise self._refusal("ends an assistant turn with no special token, so the student could not learn to stop")
        self.end = found[1]
        self.end_id = tokenizer.convert_tokens_to_ids(self.end)

    def texts(self, conversations: list[list[Message]], ask: bool = False) -> list[str]:
        """Each conversation rendered, for `ids`; `ask` appends what stands before the model's next turn."""
        from jinja2 import TemplateError as JinjaError

        written = [self.written(messages) for messages in conversations]
        try:
            return self.tokenizer.apply_chat_template(
                written, chat_template=self._template, tokenize=False, add_generation_prompt=ask
            )
        except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise self._refusal(f"refuses a conversation: {brief(error, 300)}") from None

    def ids(self, text: str) -> list[int]:
        """Token ids of rendered text; the template's special tokens stand in it already."""
        return self.all_ids([text])[0]

    def all_ids(self, texts: list[str]) -> list[list[int]]:
        """`ids` of each text."""
        clean = [text for text in texts if _MARK not in text]
        encoded = iter(self.tokenizer(clean, add_special_tokens=False)["input_ids"] if clean else ())
        return [self._apart(text) if _MARK in text else next(encoded) for text in texts]

    def _apart(self, text: str) -> list[int]:
        """Ids of a text with marks: the template's control tokens, and between them nothing but plain text."""
        ids = []
        for index, part in enumerate(self._control.split(text)):
            if index % 2:
                ids.append(self.tokenizer.convert_tokens_to_ids(part))
            elif part:
                plain = part.replace(_MARK, "")
                ids += self.tokenizer(plain, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def written(self, messages: list[Message]) -> list[Message]:
        """The messages as the template takes them: control tokens marked, numbers by reference."""
        messages = self._plain(messages)
        return refer(messages) if self._marks else messages

    def _plain(self, messages: list[Message]) -> list[Message]:
        return [
            {**message, "content": self._control.sub(rf"{_MARK}\1", readable(message["content"]))}
            for message in messages
        ]

    def read(self, ids: list[int], messages: list[Message]) -> str:
        """What the model wrote with these tokens behind these messages; a mark that stands for nothing stays."""
        if any(token in self._marks for token in ids):
            known = references(self._plain(messages))
            numbers = {place: self.ids(known[mark]) for place, mark in self._marks.items() if mark in known}
            ids = [part for token in ids for part in numbers.get(token, [token])]
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    def spans(
        self, conversations: list[list[Message]], prompt_counts: list[int]
    ) -> list[tuple[str, list[tuple[int, int]]]]:
        """For each conversation its text, and where in it what the model wrote starts and ends, turn by turn.

        The end-of-turn token is part of a turn; turns among the first `prompt_count` messages are left out.
        """
        turns = [
            [i for i in range(count, len(messages)) if messages[i]["role"] == "assistant"]
            for messages, count in zip(conversations, prompt_counts, strict=True)
        ]
        asked = iter(self.texts([m[:i] for m, at in zip(conversations, turns, strict=True) for i in at], ask=True))
        return [
            (text, [self._span(text, next(asked), written[i]["content"]) for i in at])
            for text, written, at in zip(
                self.texts(conversations), map(self.written, conversations), turns, strict=True
            )
        ]

    def following(self, messages: list[Message]) -> str:
        """The text between the last assistant turn's end-of-turn token and the model's next turn.

        `messages` ends with an assistant turn and the tool's reply to it.
        """
        before, text = self.texts([messages[:-2], messages], ask=True)
        return text[self._span(text, before, self.written(messages)[-2]["content"])[1] :]

    def _span(self, text: str, before: str, content: str) -> tuple[int, int]:
        """Where the turn with this content stands in `text`, which must continue `before`."""
        if not text.startswith(before):
            raise self._refusal("renders a conversation differently once it goes on, so no prompt is a part of it")
        start = len(before)
        written = content.strip()  # some templates strip, none may do more
        blank = len(text[start:]) - len(text[start:].lstrip())
        end = self._end.match(text, start + blank + len(written))
        if not text.startswith(written, start + blank) or not end or end[1] != self.end:
            raise self._refusal(f"does not render the turn {content[:60]!r} as it was written, then {self.end}")
        return start, end.end()

    def _refusal(self, reason: str) -> TemplateError:
        return TemplateError(f"{self.tokenizer.name_or_path}: the chat template {reason}; choose another student")


def _any(tokens: Iterable[str]) -> str:
    """A pattern for these texts, the longest first; one that nothing fits where there are none."""
    return "|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or "(?!)"


def encode_all(
    tokenizer, conversations: list[list[Message]], prompt_counts: list[int] | None = None
) -> list[tuple[list[int], list[bool]]]:
    """Token ids of each conversation and, token by token, whether the model wrote it.

    Turns among the first `prompt_count` messages are given, not written.

    Raises:
        TemplateError: the chat template drops or changes turns, or ends them with no special token.
    """
    if not conversations:
        return []
    chat = ChatText(tokenizer)
    rendered = chat.spans(conversations, prompt_counts or [0] * len(conversations))
    clean = [text for text, _ in rendered if _MARK not in text]
    batch = tokenizer(clean, add_special_tokens=False, return_offsets_mapping=True) if clean else {}
    tokens = zip(batch.get("input_ids", ()), batch.get("offset_mapping", ()), strict=True)
    encoded = []
    for text, spans in rendered:
        ids, offsets = ([], None) if _MARK in text else next(tokens)
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
    written = total = 0
    runs, expected = [], []
    for (ids, own), messages, count in zip(
        encoded, conversations, prompt_counts or [0] * len(conversations), strict=True
    ):
        turns = [
            m["content"].replace(_MARK, "") + chat.end
            for m in chat.written(messages)[count:]
            if m["role"] == "assistant"
        ]
        kept = _runs(ids, own)
        turns += [""] * (len(kept) - len(turns))
        kept += [[]] * (len(turns) - len(kept))
        runs += kept
        expected += turns
    decoded = tokenizer.batch_decode(runs, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    for run, text, turn in zip(runs, decoded, expected, strict=True):
        size = len(run) or len(tokenizer(turn, add_special_tokens=False)["input_ids"])
        total += size
        written += size if run and _letters(text) == _letters(turn) else 0
    return written / total if total else 0.0


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
