"""The from-scratch student's tokenizer: words have one id wherever they stand, and no text is lost.

With GPT-2 style leading spaces, ` rompus` in a question and `rompus` behind a quote are different ids, so a small
model cannot learn to copy one to the other (logic stayed at 0-2 % strict in every such run). Here a single space
between two words is not a token: it is implied, and put back when decoding. Every other space is part of a
punctuation piece (`, `, ` "`, `. `), and the start of an argument (`(fact="`, `, b=`) is one piece.
Pieces inside a word are marked `##`; digits are grouped by two from the left. Any text survives, byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stages.records.chain import Message
from stages.records.errors import InputError
from stages.students.scratch.references import MORE, NUMBER_WORDS, ORDINALS, RESULTS, STRIPPED

USER, ASSISTANT, TOOL, END, PAD, UNKNOWN = "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>", "<|pad|>", "<|unknown|>"
SPECIAL = [PAD, END, USER, ASSISTANT, TOOL, UNKNOWN]

# System messages are not rendered: the tool list is longer than what this student reads. A tool's reply has the role
# `user` (stages/records/chain.py, turns), so it is told from a question by the assistant message before it.
_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{{- '<|assistant|>' + message['content'] + '<|end|>' -}}
{%- elif message['role'] == 'tool' or (loop.index0 > 0 and messages[loop.index0 - 1]['role'] == 'assistant') -%}
{{- '<|tool|>' + message['content'] + '<|end|>' -}}
{%- elif message['role'] == 'user' -%}
QUESTION
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""
_QUESTION = "{{- '<|user|>' + message['content'] + '<|end|>' -}}"

# With ordinals, the numbers of a question are counted: `4 boys and two girls` is read as `<|1|>4 boys and<|2|>two
# girls`. A model of a few layers has to find the second number before it can copy it, and some hundred problems do not
# teach it that: on one fold of ASDiv-A, 49 instead of 34 % of the answers were right with these marks. It writes marks
# in place of such numbers, too (references.py): digits that are never copied cannot be copied wrong. MORE stands before
# a number larger than the one before it (1/2 counts as 0, 2:30 as 230), as the order in which two numbers are
# subtracted or divided depends on that: with it the recurrent student had 72 instead of 64 % of such a fold.
_COUNTED = """\
{{- '<|user|>' -}}
{%- set count = namespace(numbers=0, value=0) -%}
{%- for word in message['content'].split(' ') -%}
{%- set plain = (word | lower).strip('STRIPPED') -%}
{%- set digits = (word | select('in', '0123456789.') | join).strip('.') -%}
{%- set parts = plain.split('-') -%}
{%- if digits or parts[0] in NUMBER_WORDS -%}
{%- set ones = NUMBER_WORDS.get(parts[1], parts[1] == 'one') if parts | length > 1 else 0 -%}
{%- set value = NUMBER_WORDS[parts[0]] + ones if not digits else digits | float if '/' not in word else 0 -%}
{%- set larger = 'MORE' if count.numbers and value > count.value else '' -%}
{%- set count.numbers = [count.numbers + 1, LAST] | min -%}
{%- set count.value = value -%}
{{- '<|' ~ count.numbers ~ '|>' ~ larger -}}
{%- elif not loop.first -%}
{{- ' ' -}}
{%- endif -%}
{{- word -}}
{%- endfor -%}
{{- '<|end|>' -}}"""


def chat_template(ordinals: bool) -> str:
    """The Jinja template of the student's conversations; with `ordinals` it counts the numbers of a question."""
    counted = _COUNTED.replace("NUMBER_WORDS", str(NUMBER_WORDS)).replace("LAST", str(len(ORDINALS)))
    counted = counted.replace("STRIPPED", STRIPPED).replace("MORE", MORE)
    return _TEMPLATE.replace("QUESTION", counted if ordinals else _QUESTION)


def rendered(messages: list[Message], ask: bool) -> str:
    """What `chat_template(ordinals=False)` makes of these messages; `ask` appends what stands before the next turn.

    Jinja takes 0.2 ms for a conversation. base renders each beginning of 22,000 of them, so that was half its time.
    """
    text, before = [], ""
    for message in messages:
        role = message["role"]
        if role == "assistant":
            text += [ASSISTANT, message["content"], END]
        elif role == "tool" or before == "assistant":
            text += [TOOL, message["content"], END]
        elif role == "user":
            text += [USER, message["content"], END]
        before = role
    return "".join(text) + (ASSISTANT if ask else "")


# Patterns over byte-level text, where every byte is a printable character and a space is "Ġ".
_ARGUMENT = r'[(,]Ġ?[A-Za-z_]+="?'
_PIECE = rf"{_ARGUMENT}|[A-Za-z0-9]+|(?:(?!{_ARGUMENT})[!-/:-@\[-`{{-~Ġ])+|."  # the last: one byte beyond ASCII
_IMPLIED = r"(?<=[A-Za-z0-9])Ġ(?=[A-Za-z0-9])"
# A longer word becomes one unknown token: WordPiece tries every substring, so its time grows with the square.
_LONGEST_WORD = 1000


def train_tokenizer(conversations: Iterable[list[Message]], vocabulary: int, ordinals: bool = False):
    """A PreTrainedTokenizerFast of at most `vocabulary` tokens, learnt from the words of these conversations.

    Frequent words become one token; the rest are made of the pieces that byte-pair merges found. With `ordinals` its
    chat template counts the numbers of a question, and it has the marks that stand for them and for results.

    Raises:
        InputError: `vocabulary` does not hold the bytes, the digits and the special tokens.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # How often each word is read, in the byte-level form that the tokenizer works on.
    texts = Counter(message["content"] for messages in conversations for message in messages if _is_read(message))
    byte_level = normalizers.ByteLevel()
    words = Counter()
    for text, count in texts.items():
        for word in re.findall(_PIECE, byte_level.normalize_str(text)):
            words[word] += count
    words.pop("Ġ", None)
    marks = [*ORDINALS, *RESULTS, MORE] if ordinals else []
    tokens = _vocabulary(words, vocabulary, marks)

    # The backend: words and arguments are split first, then pieces are looked up.
    model = models.WordPiece(
        {token: index for index, token in enumerate(tokens)},
        unk_token=UNKNOWN,
        max_input_chars_per_word=_LONGEST_WORD,
        continuing_subword_prefix="##",
    )
    backend = Tokenizer(model)
    backend.normalizer = byte_level
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_IMPLIED), "removed"), pre_tokenizers.Split(Regex(_PIECE), "isolated")]
    )
    # WordPiece writes a space before every token that starts a word; those beside punctuation were not in the text.
    backend.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),
            decoders.Fuse(),
            decoders.Replace(Regex(r" (?![A-Za-z0-9])|(?<![A-Za-z0-9]) "), ""),
            decoders.Replace(" ", "Ġ"),
            decoders.ByteLevel(),
        ]
    )
    # What transformers adds: the special tokens and the chat template.
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=[USER, ASSISTANT, TOOL, *marks],
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template(ordinals)
    return tokenizer


def _is_read(message: Message) -> bool:
    return message["role"] != "system"


def _vocabulary(words: Counter, size: int, marks: list[str]) -> list[str]:
    """Special tokens, bytes, digits, then the pieces that the words are made of, most useful first."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inside = [char for char in alphabet if "!" <= char <= "~" or char == "Ġ"]
    pairs = [f"{number:02}" for number in range(100)]
    fixed = [*SPECIAL, *marks, *alphabet, *("##" + char for char in inside), *pairs, *("##" + pair for pair in pairs)]
    if size < len(fixed):
        raise InputError(f"train.tiny.vocabulary is {size}; bytes, digits and special tokens alone need {len(fixed)}")
    # Numbers are never merged: 1999 is 19 ##99, whatever is frequent.
    # A piece may not start with the mark itself.
    spelled = {word: count for word, count in words.items() if not re.search(r"[0-9]|^##", word)}
    learnt = _merges(spelled, size - len(fixed))
    return [*fixed, *learnt]


def _merges(words: dict[str, int], limit: int) -> list[str]:
    """At most `limit` pieces by byte-pair merging, the same on every run.

    Ties go to the pair that comes first in the alphabet; the trainers of `tokenizers` number marked pieces in the order
    of a seeded hash. Pieces that no word uses in the end are left out: training would never see them.
    """
    # Every word begins as its characters. `pairs` counts neighbours, `where` says which words have them.
    splits = {word: [word[0], *("##" + char for char in word[1:])] for word in sorted(words)}
    pairs, where = Counter(), {}
    for word, pieces in splits.items():
        for pair in zip(pieces, pieces[1:], strict=False):
            pairs[pair] += words[word]
            where.setdefault(pair, set()).add(word)
    merged = []
    while pairs and len(merged) < limit:
        # The most frequent pair becomes a piece; a pair that occurs once is not worth one.
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        piece = best[0] + best[1].removeprefix("##")
        merged.append(piece)
        for word in sorted(where.pop(best)):
            # Merge it wherever the word has it ...
            old = splits[word]
            new, position = [], 0
            while position < len(old):
                if tuple(old[position : position + 2]) == best:
                    new.append(piece)
                    position += 2
                else:
                    new.append(old[position])
                    position += 1
            # ... and count the word's neighbours anew.
            for pair in zip(old, old[1:], strict=False):
                pairs[pair] -= words[word]
            for pair in zip(new, new[1:], strict=False):
                pairs[pair] += words[word]
                where.setdefault(pair, set()).add(word)
            splits[word] = new
        del pairs[best]
    used = {piece for pieces in splits.values() for piece in pieces}
    return [piece for piece in merged if piece in used]
