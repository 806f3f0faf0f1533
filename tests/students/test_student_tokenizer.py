"""The from-scratch student's tokenizer: one id a word, no text lost, equal bytes for equal conversations."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.records.errors import InputError
from stages.students.scratch.tokenizer import END, TOOL, USER, rendered, train_tokenizer

TALK = [
    {"role": "system", "content": "Xylophones are named here only."},
    {"role": "user", "content": "Leo is a rompus. Each rompus is not red. Is it true that Leo is red?"},
    {"role": "assistant", "content": 'Derive(fact="Leo is not red")'},
    {"role": "user", "content": "Leo is not red"},
    {"role": "assistant", "content": 'Finish(answer="False")'},
]
SUMS = [
    {"role": "user", "content": "Tom's box costs $12 and holds 3.5 pens. How many pens are 1200 boxes, at 50% off?"},
    {"role": "assistant", "content": "Add(a=3.5, b=-12)"},
    {"role": "user", "content": "-8.5"},
    {"role": "assistant", "content": 'Finish(answer="-8.5")'},
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TALK, SUMS] * 3, 1000)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_a_word_has_one_id_wherever_it_stands(tokenizer):
    (leo,) = ids(tokenizer, "Leo")
    for text in ("Leo is red", "a Leo", 'Derive(fact="Leo is red")', "$12 Leo?", "(Leo)", "red. Leo"):
        assert ids(tokenizer, text).count(leo) == 1


def test_a_number_has_the_same_ids_wherever_it_stands(tokenizer):
    number = ids(tokenizer, "1234567")
    assert tokenizer.convert_ids_to_tokens(number) == ["12", "##34", "##56", "##7"]
    for text in ("Add(a=1234567, b=1)", "$1234567.", '"1234567"'):
        found = ids(tokenizer, text)
        assert any(found[at : at + 4] == number for at in range(len(found)))


@pytest.mark.parametrize(
    "text",
    [
        'Derive(fact="Leo is not red")',
        "Add(a=3.5, b=-12)",
        "Divide(a=10/3, b=1200)",
        'Finish(answer="True")',
        'Calculate(expression="(3 + 4) * 2")',
        'Entails(premises=["a b", "c"], goal="d")',
        "Tom's box costs $12 (or 50% more), 3.5 each; why?",
        'Nothing is said about "fep".',
    ],
)
def test_canonical_text_comes_back(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text


@given(st.text(max_size=60))
@example("  two  spaces \n\n\t and ## marks ### ##a _x_ \u00e9\u4e2d\U0001f600 \x00")
@example('a "b" c ," d( e (f=3,g="h, i=')
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_calls_are_short(tokenizer):
    assert tokenizer.tokenize('Finish(answer="False")') == ["Finish", '(answer="', "False", '")']


def test_a_word_beyond_the_limit_is_one_unknown_token(tokenizer):
    assert ids(tokenizer, "a" * 5000) == [tokenizer.unk_token_id]


def test_system_messages_are_not_read_and_replies_are_marked(tokenizer):
    text = tokenizer.apply_chat_template(TALK, tokenize=False)
    assert text.startswith(USER + "Leo is a rompus.") and "Xylophones" not in text
    assert text.count(TOOL) == 1 and f"{TOOL}Leo is not red{END}" in text
    assert "Xylophones" not in tokenizer.get_vocab()
    asked = tokenizer.apply_chat_template(TALK[:2], tokenize=False, add_generation_prompt=True)
    assert text.startswith(asked)


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=9)), min_size=1),
    st.booleans(),
)
def test_the_plain_template_is_rendered_without_jinja_to_the_same_text(tokenizer, turns, ask):
    messages = [{"role": role, "content": content} for role, content in turns]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
    assert rendered(messages, ask) == text


def test_the_numbers_of_a_question_are_counted(tokenizer):
    counted = train_tokenizer([TALK, SUMS] * 3, 1000, ordinals=True)
    text = counted.apply_chat_template(SUMS, tokenize=False)
    question, _, rest = text.partition(END)
    assert question == (
        f"{USER}Tom's box costs<|1|>$12 and holds<|2|>3.5 pens. "
        "How many pens are<|3|><|more|>1200 boxes, at<|4|>50% off?"
    )
    assert rest == tokenizer.apply_chat_template(SUMS, tokenize=False).partition(END)[2]  # no reply is counted
    assert counted.tokenize("<|2|>3.5") == ["<|2|>", "3", ".", "5"]


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("Seven of twenty-six, and one.", "<|1|>Seven of<|2|><|more|>twenty-six, and one."),
        ("(two) tens", "<|1|>(two) tens"),
        ("the 3rd\n4 a", "the<|1|>3rd\n4 a"),  # only a space parts words
        ("9 8 7 6 5 4 3 2 1 0", "<|1|>9<|2|>8<|3|>7<|4|>6<|5|>5<|6|>4<|7|>3<|8|>2<|9|>1<|9|>0"),
        ("", ""),
    ],
)
def test_what_counts_as_a_number(question, read):
    counted = train_tokenizer([TALK], 1000, ordinals=True)
    text = counted.apply_chat_template([{"role": "user", "content": question}], tokenize=False)
    assert text == f"{USER}{read}{END}"


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("2 and 10, then 10", "<|1|>2 and<|2|><|more|>10, then<|3|>10"),
        ("$1,200.50 of 1200.5", "<|1|>$1,200.50 of<|2|>1200.5"),
        ("Thirty-one, 30; thirty two", "<|1|>Thirty-one,<|2|>30;<|3|>thirty<|4|>two"),
        ("30 of thirty-one", "<|1|>30 of<|2|><|more|>thirty-one"),
        ("1/2 of 9 and 3/4", "<|1|>1/2 of<|2|><|more|>9 and<|3|>3/4"),
        ("1.2.3 of .5", "<|1|>1.2.3 of<|2|><|more|>.5"),  # what is no number counts as 0
        ("9" * 400 + " of 10", f"<|1|>{'9' * 400} of<|2|>10"),
    ],
)
def test_a_number_larger_than_the_one_before_it_is_marked(question, read):
    counted = train_tokenizer([TALK], 1000, ordinals=True)
    text = counted.apply_chat_template([{"role": "user", "content": question}], tokenize=False)
    assert text == f"{USER}{read}{END}"


def test_the_saved_folder_is_an_ordinary_tokenizer(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=False)
    assert loaded.apply_chat_template(TALK)["input_ids"] == tokenizer.apply_chat_template(TALK)["input_ids"]
    assert loaded.eos_token == END and loaded.pad_token not in (None, END)


def test_equal_conversations_give_equal_bytes(tokenizer, tmp_path):
    train_tokenizer([TALK, SUMS] * 3, 1000).save_pretrained(tmp_path / "a")
    tokenizer.save_pretrained(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_pieces_do_not_depend_on_the_hash_seed():
    code = (
        "from collections import Counter; from stages.students.scratch.tokenizer import _vocabulary\n"
        "print(_vocabulary(Counter(f'{a}om{b}us' for a in 'rstz' for b in 'bpv'), 600, []))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(made) == 1 and "'##ompus'" in made.pop()


def test_rare_words_are_made_of_pieces_that_other_words_have():
    words = [[{"role": "user", "content": f"{a}om{b}us"}] for a in "rstz" for b in "bpv"]
    tokenizer = train_tokenizer(words, 600)
    assert len(tokenizer) <= 600
    assert len(tokenizer.tokenize("romvus")) < len("romvus")


def test_a_vocabulary_without_room_for_bytes_is_refused():
    with pytest.raises(InputError, match=r"train\.tiny\.vocabulary is 100; .* need \d+"):
        train_tokenizer([TALK], 100)
