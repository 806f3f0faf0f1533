"""Published chat templates that do not continue what they rendered: what is trained is what is met while decoding."""

from __future__ import annotations

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from students import QWEN_TEMPLATE, byte_tokenizer
from templates import tokenizer_of

from stages.students.chat import ChatText, TemplateError
from stages.students.masks import encode_all, refusals, trained_token_share

# Whole: as the template renders it; folded: the first user turn begins with the system's text.
KINDS = {
    "qwen2_5": (False, True),
    "llama3_2": (False, True),
    "phi3": (False, True),
    "lfm2_2_5": (False, True),
    "gemma3": (False, True),
    "qwen3_instruct_2507": (False, True),
    "qwen3": (False, False),
    "qwen3_5_nothink": (False, False),
    "deepseek_r1_distill": (False, False),
    "gptoss": (False, False),
    "window": (False, False),
    "gemma": (True, True),
    "mistral_v0_3": (True, True),
    "phi3_first": (True, True),
}
SYSTEM = "Write one call."
TALK = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": "Tom has 3 pens and buys 4. How many?"},
    {"role": "assistant", "content": "Ad(a=3)"},
    {"role": "user", "content": "Error: no tool Ad; the tools are Add, Finish"},
    {"role": "assistant", "content": "Add(a=3, b=4)"},
    {"role": "user", "content": "7"},
    {"role": "assistant", "content": 'Finish(answer="7")'},
]


@pytest.fixture(scope="module")
def tokenizers():
    return {name: tokenizer_of(name) for name in KINDS}


def turns(talk):
    return [index for index, message in enumerate(talk) if message["role"] == "assistant"]


def decoded(chat, talk):
    """What a model has read and written at the end of this conversation when each turn is decoded after the other."""
    at = turns(talk)
    text = chat.prompt(talk[: at[0]])
    for index, until in zip(at, [*at[1:], None], strict=True):
        text += talk[index]["content"] + chat.end
        text += chat.following(talk[:until]) if until else ""
    return text


@pytest.mark.parametrize("name", KINDS)
def test_each_turn_is_trained_behind_what_is_read_while_it_is_decoded(tokenizers, name):
    folded, whole = KINDS[name]
    chat = ChatText(tokenizers[name])
    ((text, spans),) = chat.spans([TALK], [2])
    if name != "mistral_v0_3":  # its template writes a space before a turn
        assert text.startswith(decoded(chat, TALK))
    assert [text[start:end].strip() for start, end in spans] == [TALK[i]["content"] + chat.end for i in turns(TALK)]
    assert all(text.startswith(chat.prompt(TALK[:index])) for index in turns(TALK))
    assert (text == chat.texts([TALK])[0]) == whole
    assert (chat._folds, text.count(SYSTEM)) == (folded, 1)
    assert text.index(SYSTEM) < text.index("Tom has 3 pens")


@pytest.mark.parametrize("name", KINDS)
def test_the_mask_keeps_what_the_model_wrote(tokenizers, name):
    encoded = encode_all(tokenizers[name], [TALK, TALK[:5]], [2, 4])
    assert trained_token_share(tokenizers[name], encoded, [TALK, TALK[:5]], [2, 4]) == 1.0
    assert refusals(tokenizers[name], [TALK, TALK[:5]], [2, 4]) == ["", ""]


@pytest.mark.parametrize("name", ["qwen3", "lfm2_2_5", "deepseek_r1_distill", "nemotron_3_nano"])
def test_a_thought_that_a_template_cuts_from_later_turns_stays_where_it_was_written(name):
    thought = "<think>\nthree and four\n</think>\n\nAdd(a=3, b=4)"
    talk = [message if "Add(" not in message["content"] else {**message, "content": thought} for message in TALK]
    chat = ChatText(tokenizer_of(name))
    ((text, spans),) = chat.spans([talk], [2])
    assert text.startswith(decoded(chat, talk)) and thought in chat.prompt(talk[:-1])
    assert text[slice(*spans[1])] == thought + chat.end


PART = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["Answer", "AnswerS", "<think>\nx\n</think>\n\ny", "</think>", " x ", "<|end|>"]),
)


@examples(40)
@given(st.lists(st.tuples(PART, PART), min_size=1, max_size=3), PART)
@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "lfm2_2_5", "gemma", "deepseek_r1_distill"])
def test_whatever_is_said_a_turn_follows_its_prompt(tokenizers, name, exchanges, question):
    talk = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    for turn, reply in exchanges:
        talk += [{"role": "assistant", "content": turn}, {"role": "user", "content": reply}]
    talk.pop()
    chat = ChatText(tokenizers[name])
    ((text, spans),) = chat.spans([talk], [2])
    for index, (start, end) in zip(turns(talk), spans, strict=True):
        assert text[:start] == chat.prompt(talk[:index])
        assert text[start:end].strip().startswith(chat.written(talk)[index]["content"].strip())
        assert text[start:end].endswith(chat.end)


def test_a_template_that_refuses_roles_or_hides_turns_is_refused_at_once():
    for template, said in (
        ("{{ raise_exception('no chat') }}", "refuses a conversation: no chat"),
        (QWEN_TEMPLATE.replace("+ message.content +", "+ message.content[:5] +"), "does not render a turn as it was"),
        (QWEN_TEMPLATE.replace("+ message.content +", "+ message.content | upper +"), "does not render a turn as it"),
    ):
        tokenizer = byte_tokenizer("qwen")
        tokenizer.chat_template = template
        with pytest.raises(TemplateError, match=said):
            ChatText(tokenizer)


def test_one_conversation_that_is_refused_is_named_among_many():
    tokenizer = byte_tokenizer("qwen")
    strict = "{%- for m in messages %}{%- if 'bell' in m.content %}{{ raise_exception('no bells') }}{%- endif %}"
    tokenizer.chat_template = strict + "{%- endfor %}" + QWEN_TEMPLATE
    talks = [[*TALK[:3]] for _ in range(9)]
    talks[6] = [*TALK[:2], {"role": "assistant", "content": "Add(bell)"}]
    reasons = refusals(tokenizer, talks, [2] * 9)
    assert [index for index, why in enumerate(reasons) if why] == [6] and "no bells" in reasons[6]
