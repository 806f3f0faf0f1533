"""The mask marks what a model wrote, token by token, under each chat template; templates that hide it are refused."""

from __future__ import annotations

import re

import pytest
from conftest import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from students import QWEN_TEMPLATE, byte_tokenizer

from stages.students.chat import ChatText, TemplateError
from stages.students.masks import encode, encode_all, trained_token_share
from stages.students.scratch.tokenizer import train_tokenizer

TALK = [
    {"role": "system", "content": "Write one call."},
    {"role": "user", "content": "Tom has 3 pens and buys 4. How many?"},
    {"role": "assistant", "content": "Add(a=3, b=4)"},
    {"role": "user", "content": "7"},
    {"role": "assistant", "content": 'Finish(answer="7")'},
]


def tokenizer_of(shape):
    if shape in ("tiny", "counted"):
        return train_tokenizer([TALK] * 3, 700, ordinals=shape == "counted")
    return byte_tokenizer(shape)


@pytest.fixture(scope="module")
def tokenizers():
    return {shape: tokenizer_of(shape) for shape in ("tiny", "counted", "qwen", "llama")}


def kept(tokenizer, ids, own):
    """Text of the marked tokens, a bar where unmarked ones stood between."""
    text = "".join(tokenizer.decode([i]) if mine else "|" for i, mine in zip(ids, own, strict=True))
    return re.sub(r"\|+", "|", text)


@pytest.mark.parametrize(("shape", "end"), [("qwen", "<|im_end|>"), ("llama", "<|eot_id|>")])
def test_content_and_end_of_turn_are_marked_and_nothing_else(tokenizers, shape, end):
    ids, own = encode(tokenizers[shape], TALK)
    after = "|" if shape == "qwen" else ""  # the newline that Qwen's template writes behind each turn
    assert kept(tokenizers[shape], ids, own) == f'|Add(a=3, b=4){end}|Finish(answer="7"){end}{after}'


def test_the_from_scratch_student_trains_on_its_calls(tokenizers):
    tokenizer = tokenizers["tiny"]
    ids, own = encode(tokenizer, TALK)
    marked = [token if mine else "." for token, mine in zip(tokenizer.convert_ids_to_tokens(ids), own, strict=True)]
    calls = ["Add", "(a=", "3", ",Ġb=", "4", ")", "<|end|>", ".", ".", ".", "."]
    assert marked[-16:] == [*calls, "Finish", '(answer="', "7", '")', "<|end|>"]
    assert set(marked[:-16]) == {"."}


@pytest.mark.parametrize("shape", ["tiny", "counted", "qwen", "llama"])
def test_ids_are_those_of_the_chat_template(tokenizers, shape):
    text = ChatText(tokenizers[shape]).texts([TALK])[0]
    assert encode(tokenizers[shape], TALK)[0] == tokenizers[shape](text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("shape", ["tiny", "counted", "qwen", "llama"])
def test_turns_of_the_prompt_are_not_marked(tokenizers, shape):
    tokenizer = tokenizers[shape]
    ids, own = encode(tokenizer, TALK, prompt_count=4)  # a step pair: the prompt ends in the tool's reply
    end = ChatText(tokenizer).end
    assert "Add" not in kept(tokenizer, ids, own) and sum(own) > 1
    assert trained_token_share(tokenizer, [(ids, own)], [TALK], [4]) == 1.0
    assert tokenizer.decode([i for i, mine in zip(ids, own, strict=True) if mine]).endswith(end)


# Texts that look like templates, break over the prompt's last token, or hold what no tokenizer takes.
CONTENT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\n\nAdd(a=1, b=2)", " x ", "<|user|>hi", "assistant", "\ud800 half", "é中", 'Finish(answer="")']),
)


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3), CONTENT)
@pytest.mark.parametrize("shape", ["tiny", "counted", "qwen", "llama"])
def test_decoded_trained_tokens_are_what_the_model_wrote(tokenizers, shape, exchanges, question):
    tokenizer = tokenizers[shape]
    talk = [{"role": "user", "content": question}]
    for turn, reply in exchanges:
        talk += [{"role": "assistant", "content": turn}, {"role": "user", "content": reply}]
    talk.pop()
    encoded = encode_all(tokenizer, [talk])
    assert trained_token_share(tokenizer, encoded, [talk]) == 1.0
    runs, chat = [], ChatText(tokenizer)
    for index, (token, mine) in enumerate(zip(*encoded[0], strict=True)):
        if mine and (index == 0 or not encoded[0][1][index - 1]):
            runs.append([])
        if mine:
            runs[-1].append(token)
    assert all(run[-1] == chat.end_id for run in runs)
    before = [talk[:index] for index, message in enumerate(talk) if message["role"] == "assistant"]
    written = [chat.read(run[:-1], messages).strip() for run, messages in zip(runs, before, strict=True)]
    assert written == [turn.encode("utf-8", "replace").decode().strip() for turn, _ in exchanges]


@pytest.mark.parametrize("shape", ["qwen", "llama"])
def test_the_share_falls_when_the_mask_is_wrong(tokenizers, shape):
    tokenizer = tokenizers[shape]
    ids, own = encode(tokenizer, TALK)
    replies = [True] * len(ids)
    late = [mine and not own[at - 1] for at, mine in enumerate(own)]  # first tokens only
    silent = [mine and at > len(own) - 8 for at, mine in enumerate(own)]
    for wrong in (replies, late, silent):
        assert trained_token_share(tokenizer, [(ids, wrong)], [TALK]) < 1.0
    assert trained_token_share(tokenizer, [(ids, own), (ids, replies)], [TALK, TALK]) < 1.0


def test_training_text_is_the_same_on_every_day(tokenizers):
    assert "Today Date: 26 Jul 2024" in ChatText(tokenizers["llama"]).texts([TALK])[0]


@pytest.mark.parametrize("shape", ["tiny", "counted", "qwen", "llama"])
def test_the_text_after_a_turn_continues_it(tokenizers, shape):
    chat = ChatText(tokenizers[shape])
    before, whole = chat.texts([TALK[:2], TALK[:4]], ask=True)
    turn = "Add(a=<|1|>, b=<|2|>)" if shape == "counted" else "Add(a=3, b=4)"
    assert before + turn + chat.end + chat.following(TALK[:4]) == whole


FAULTS = {
    "no special token": QWEN_TEMPLATE.replace("message.content + '<|im_end|>'", "message.content + '.'"),
    "does not render a turn": QWEN_TEMPLATE.replace("+ message.content +", "+ message.content[:5] +"),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_template_that_hides_what_was_written_is_refused(reason):
    tokenizer = byte_tokenizer("qwen")
    tokenizer.chat_template = FAULTS[reason]
    with pytest.raises(TemplateError, match=reason):
        encode(tokenizer, TALK)


def test_a_tokenizer_without_template_is_refused():
    tokenizer = byte_tokenizer("qwen")
    tokenizer.chat_template = None
    with pytest.raises(TemplateError, match="no chat template"):
        encode(tokenizer, TALK)
