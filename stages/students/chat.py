"""A conversation as the text that a student reads, and where in it the model's turns stand.

Everything is read off the text that the chat template renders, so any template works without being edited: a turn
starts where the prompt before it, rendered with the generation prompt, ends.

Some templates do not render a conversation as a continuation of its own beginning: Qwen3 puts an empty think block
before the last turn alone, others cut what was thought from the turns before. There a conversation is read turn by
turn: the first prompt, what the model wrote, then what the template puts between that turn and the next one. That is
what the model meets while it decodes, as what was read and written stays in its cache. Where the template knows no
system turn (Gemma 1 and 2), leaves it out, or moves its text behind later turns (Mistral v0.3), the first user turn
begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stages.records.chain import Message, readable
from stages.records.errors import InputError, brief
from stages.students.scratch.references import ORDINALS, RESULTS, refer, references
from stages.students.scratch.tokenizer import SPECIAL, chat_template, rendered

# Some templates (Llama 3) write today's date into the system turn; a fixed one keeps the bytes equal on every day.
_FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro %}"


class TemplateError(InputError):
    """The tokenizer's chat template cannot tell what the model wrote; the message says why."""


# Stands before a control token that is a part of a message. Half a surrogate pair, so that no text has it.
MARK = "\udc00"


class ChatText:
    """Conversations as the text a student reads. `end` is the token that ends an assistant turn, `end_id` its id.

    Control tokens (`<|im_end|>`) come from the template alone: one that a problem, a model or a tool writes into a
    message is marked in the rendered text and encoded letter by letter, so that no text can end a turn or open one.

    A tokenizer with marks for numbers (references.py) gets them in the model's turns; `read` puts the numbers back.
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self._folds = False
        self._from_scratch = tokenizer.chat_template == chat_template(ordinals=False)
        if not tokenizer.chat_template:
            raise TemplateError(f"{tokenizer.name_or_path}: the tokenizer has no chat template; choose a chat model")
        template = tokenizer.get_chat_template()
        self._template = _FIXED_DATE + template if "strftime_now" in template else template
        places = {token.content: place for place, token in tokenizer.added_tokens_decoder.items()}
        self._marks = {places[mark]: mark for mark in (*ORDINALS, *RESULTS) if RESULTS[0] in places}
        added = tokenizer.added_tokens_decoder.values()
        self._control = re.compile(f"(?<!{MARK})({_any(token.content for token in added if token.special)})")
        self._end = re.compile(rf"\s*({_any(token.content for token in added)})")
        probe = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "Answer"}]
        text = self.texts([probe])[0]
        if "Answer" not in text:
            raise self._refusal("does not render a turn as it was written")
        found = self._end.match(text.rpartition("Answer")[2])
        if not found:
            raise self._refusal("ends an assistant turn with no special token, so the student could not learn to stop")
        self.end = found[1]
        self.end_id = tokenizer.convert_tokens_to_ids(self.end)
        self._folds = self._moves_system()

    def _moves_system(self) -> bool:
        """Whether the text of a system turn has to stand in the first user turn. The from-scratch student, which does
        not read the list of tools, leaves it out on purpose.
        """
        if set(SPECIAL) <= set(map(str, self.tokenizer.added_tokens_decoder.values())):
            return False
        system, question, reply = (
            {"role": role, "content": content}
            for role, content in (("system", "INSTRUCTIONS"), ("user", "question"), ("user", "reply"))
        )
        turn = {"role": "assistant", "content": "Answer"}
        try:
            asked, again = self.texts([[system, question], [system, question, turn, reply]], ask=True)
        except TemplateError:
            return True
        return "INSTRUCTIONS" not in asked or "INSTRUCTIONS" in again.rpartition("Answer")[2]

    def texts(self, conversations: list[list[Message]], ask: bool = False) -> list[str]:
        """Each conversation rendered, for `ids`; `ask` appends what stands before the model's next turn."""
        return self._rendered([self.written(messages) for messages in conversations], ask)

    def _rendered(self, conversations: list[list[Message]], ask: bool) -> list[str]:
        """As `texts`, of messages as `written` gives them."""
        if self._from_scratch:
            return [rendered(messages, ask) for messages in conversations]
        from jinja2 import TemplateError as JinjaError

        written = [self._folded(messages) for messages in conversations]
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
        clean = [text for text in texts if MARK not in text]
        encoded = iter(self.tokenizer(clean, add_special_tokens=False)["input_ids"] if clean else ())
        return [self._apart(text) if MARK in text else next(encoded) for text in texts]

    def _apart(self, text: str) -> list[int]:
        """Ids of a text with marks: the template's control tokens, and between them nothing but plain text."""
        ids = []
        for index, part in enumerate(self._control.split(text)):
            if index % 2:
                ids.append(self.tokenizer.convert_tokens_to_ids(part))
            elif part:
                plain = part.replace(MARK, "")
                ids += self.tokenizer(plain, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def written(self, messages: list[Message]) -> list[Message]:
        """The messages as the template takes them: control tokens marked, numbers by reference."""
        messages = self._plain(messages)
        return refer(messages) if self._marks else messages

    def _plain(self, messages: list[Message]) -> list[Message]:
        return [
            {**message, "content": self._control.sub(rf"{MARK}\1", readable(message["content"]))}
            for message in messages
        ]

    def read(self, ids: list[int], messages: list[Message]) -> str:
        """What the model wrote with these tokens behind these messages; a mark that stands for nothing stays."""
        if any(token in self._marks for token in ids):
            known = references(self._plain(messages))
            numbers = {place: self.ids(known[mark]) for place, mark in self._marks.items() if mark in known}
            ids = [part for token in ids for part in numbers.get(token, [token])]
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    def _folded(self, messages: list[Message]) -> list[Message]:
        if not self._folds or [message["role"] for message in messages[:2]] != ["system", "user"]:
            return messages
        system, question, *rest = messages
        return [{**question, "content": f"{system['content']}\n\n{question['content']}"}, *rest]

    def spans(
        self, conversations: list[list[Message]], prompt_counts: list[int]
    ) -> list[tuple[str, list[tuple[int, int]]]]:
        """For each conversation its text, and where in it what the model wrote starts and ends, turn by turn.

        The end-of-turn token is part of a turn; turns among the first `prompt_count` messages are left out.
        """
        turns = [_turns(messages) for messages in conversations]
        # Marks depend on earlier messages alone: the beginning of what is written is what is written of a beginning.
        written = [self.written(messages) for messages in conversations]
        asked = iter(self._rendered([m[:i] for m, at in zip(written, turns, strict=True) for i in at], ask=True))
        texts = self._rendered(written, ask=False)
        found = []
        for index, (text, at, count) in enumerate(zip(texts, turns, prompt_counts, strict=True)):
            spans = [self._span(text, next(asked), written[index][i]["content"]) for i in at]
            if None in spans:
                text, spans = self._turn_by_turn(conversations[index], ask=False)
            found.append((text, [span for i, span in zip(at, spans, strict=True) if i >= count]))
        return found

    def prompt(self, messages: list[Message]) -> str:
        """What the model has read and written where its next turn begins, after these messages."""
        turns = _turns(messages)
        text, *asked = self.texts([messages, *(messages[:i] for i in turns)], ask=True)
        written = self.written(messages)
        if None in (self._span(text, before, written[i]["content"]) for before, i in zip(asked, turns, strict=True)):
            return self._turn_by_turn(messages, ask=True)[0]
        return text

    def following(self, messages: list[Message], ask: bool = True) -> str:
        """The text between the last assistant turn's end-of-turn token and the model's next turn.

        `messages` ends with an assistant turn and the tool's reply to it. Without `ask`, what ends the conversation.
        """
        last = _turns(messages)[-1]
        before, text = self.texts([messages[:last], messages], ask=True) if ask else ("", "")
        span = self._span(text, before, self.written(messages)[last]["content"]) if ask else None
        if span:
            return text[span[1] :]
        # Read off another turn in its place, as templates change what was written in some (`</think>`).
        place = "Answer"
        while any(place in message["content"] for message in messages):
            place += "S"
        other = [*messages[:last], {**messages[last], "content": place}, *messages[last + 1 :]]
        _, found, rest = self.texts([other], ask=ask)[0].rpartition(place)
        end = found and self._end.match(rest)
        if not end:
            raise self._refusal(f"does not render a turn as it was written, then {self.end}, once it goes on")
        return rest[end.end() :]

    def _turn_by_turn(self, messages: list[Message], ask: bool) -> tuple[str, list[tuple[int, int]]]:
        """The conversation as a model meets it that keeps what it read and wrote, and where each turn stands in it."""
        written, turns = self.written(messages), _turns(messages)
        text, spans = self.texts([messages[: turns[0]]], ask=True)[0], []
        for i, until in zip(turns, [*turns[1:], len(messages)], strict=True):
            start, text = len(text), text + written[i]["content"] + self.end
            spans.append((start, len(text)))
            text += self.following(messages[:until], ask=ask or until < len(messages))
        return text, spans

    def _span(self, text: str, before: str, content: str) -> tuple[int, int] | None:
        """Where the turn with this content stands in `text`; None where `text` does not continue `before` with it."""
        if not text.startswith(before):
            return None
        start = len(before)
        written = content.strip()  # some templates strip, none may do more
        blank = len(text[start:]) - len(text[start:].lstrip())
        end = self._end.match(text, start + blank + len(written))
        if not text.startswith(written, start + blank) or not end or end[1] != self.end:
            return None
        return start, end.end()

    def _refusal(self, reason: str) -> TemplateError:
        return TemplateError(f"{self.tokenizer.name_or_path}: the chat template {reason}; choose another student")


def _turns(messages: list[Message]) -> list[int]:
    return [index for index, message in enumerate(messages) if message["role"] == "assistant"]


def _any(tokens: Iterable[str]) -> str:
    """A pattern for these texts, the longest first; one that nothing fits where there are none."""
    return "|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or "(?!)"
