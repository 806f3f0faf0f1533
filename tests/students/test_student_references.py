"""Numbers by reference: what a turn says with marks is what it said with digits, and a mark is what was counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.agent.decode import Turn, _Row
from stages.agent.loop import Attempt
from stages.records.problem import Problem
from stages.students.chat import ChatText
from stages.students.scratch.references import MORE, ORDINALS, RESULTS, refer, references, stated
from stages.students.scratch.tokenizer import train_tokenizer

QUESTION = "Tom has 1,200 pens in two boxes and buys 15 more. How many?"
TALK = [
    {"role": "system", "content": "Write one call with at most 15 words."},
    {"role": "user", "content": QUESTION},
    {"role": "assistant", "content": "Add(a=1200, b=15)"},
    {"role": "user", "content": "1215"},
    {"role": "assistant", "content": "Divide(a=1215, b=2)"},
    {"role": "user", "content": "607.5"},
    {"role": "assistant", "content": "Finish(answer=607.5)"},
]


@pytest.fixture(scope="module")
def chat():
    return ChatText(train_tokenizer([TALK] * 3, 700, ordinals=True))


def turns(messages):
    return [message["content"] for message in refer(messages) if message["role"] == "assistant"]


def after(question, *contents):
    """A conversation: the question, then turns and replies by turns."""
    roles = ("assistant", "user")
    asked = [{"role": "user", "content": question}]
    return asked + [{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)]


def test_numbers_of_the_question_and_results_become_marks():
    assert turns(TALK) == ["Add(a=<|1|>, b=<|3|>)", "Divide(a=<|r1|>, b=<|2|>)", "Finish(answer=<|r2|>)"]
    assert references(TALK[:-1]) == {"<|1|>": "1200", "<|2|>": "2", "<|3|>": "15", "<|r1|>": "1215", "<|r2|>": "607.5"}


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("Tom has 3 pens, Ann 4.", {1: "3", 2: "4"}),
        ("He paid $1,250.50 for twenty-five (25%) of 10/3.", {1: "1250.5", 2: "25", 3: "25", 4: "10/3"}),
        ("One of the two, and a two-thirds share of ninety.", {1: "2", 3: "90"}),
        ("A 1/0 or x7 stays counted: 8", {2: "7", 3: "8"}),
        ("half or 1/2, one word", {1: "0.5"}),
        ("0.16666666666666666 of 2.6666666666666665, 0.333 of it", {1: "1/6", 2: "8/3", 3: "0.333"}),
    ],
)
def test_the_numbers_of_a_question_are_counted_as_a_call_writes_them(chat, question, numbers):
    assert stated(question) == {f"<|{place}|>": text for place, text in numbers.items()}
    read = chat.texts([after(question)])[0].replace(MORE, "")
    words = {place: read.split(f"<|{place}|>")[1].split("<|")[0].split(" ")[0] for place in numbers}
    assert {
        place: stated(word)["<|1|>"] for place, word in words.items()
    } == numbers  # the template's count is the same


def test_a_mark_that_a_question_writes_is_plain_text(chat):
    larger = chat.tokenizer.convert_tokens_to_ids(MORE)
    for question, times in ((f"3 of {MORE} 2", 0), (f"3 {MORE} 4", 1), (f"{MORE}3 {MORE}4", 1)):
        assert chat.ids(chat.texts([after(question)])[0]).count(larger) == times


WORDS = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(["two", "Twenty-five,", "3", "(4)", "1,000.", "5%", "<|1|>", "<|user|>7", "\ud8004", "a\n6"]),
    ),
    max_size=14,
).map(" ".join)


@given(WORDS)
def test_the_template_counts_what_references_count(chat, question):
    message = chat.written(after(question))[0]["content"]
    read = chat.tokenizer.convert_ids_to_tokens(chat.ids(chat.texts([after(question)])[0]))
    counted = sum(token in ORDINALS for token in read)
    known = stated(message)
    assert len(known) <= min(counted, 9) and set(known) <= set(ORDINALS[:counted])


@pytest.mark.parametrize(
    ("question", "turn", "referred"),
    [
        ("3 and 4", 'Finish(answer="3")', 'Finish(answer="<|1|>")'),
        ("3 and 3", "Add(a=3, b=3)", "Add(a=<|1|>, b=<|2|>)"),
        ("3 and 4", "Multiply(a=3, b=3)", "Multiply(a=<|1|>, b=<|1|>)"),
        ("3 and 4", "Add(a=-3, b=34)", "Add(a=-<|1|>, b=34)"),
        ("3 and 4", "Add(a=3.4, b=4.3)", "Add(a=3.4, b=4.3)"),
        ("3 and 4", 'SolveLinear(equation="3*x = 3/4")', 'SolveLinear(equation="<|1|>*x = <|1|>/<|2|>")'),
        ("10/3 and 4", "Divide(a=10/3, b=4)", "Divide(a=<|1|>, b=<|2|>)"),
        ("3 and 4", "x3 3x 3.4.3 <|3|> 3.", "x3 3x 3.4.3 <|3|> <|1|>."),
        ("three and 4", "Add(a=3, b=04)", "Add(a=<|1|>, b=04)"),
    ],
)
def test_only_a_number_that_stands_in_the_question_becomes_a_mark(question, turn, referred):
    assert turns(after(question, turn)) == [referred]


def test_a_result_goes_before_the_question_and_the_newest_before_older_ones():
    talk = after("5 and 6", "Add(a=5, b=0)", "5", "Add(a=5, b=0)", "5", "Add(a=5, b=6)")
    assert turns(talk)[-1] == "Add(a=<|r2|>, b=<|2|>)"


def test_a_fraction_that_is_published_as_a_float_becomes_a_mark():
    question = "He ate 0.16666666666666666 of a pie, 0.3333333333333333 of one and 0.5 of one"
    said = after(question, "Add(a=1/6, b=1/3)", "0.5", "Add(a=0.5, b=0.5)")
    assert turns(said) == ["Add(a=<|1|>, b=<|2|>)", "Add(a=<|r1|>, b=<|3|>)"]


def test_an_error_is_no_result():
    talk = after(
        "5 and 6", "Ad(a=5, b=6)", "there is no tool `Ad`; 2 valid calls", "Add(a=5, b=6)", "11", "Finish(answer=11)"
    )
    assert turns(talk)[-1] == "Finish(answer=<|r1|>)"


def test_numbers_beyond_the_last_mark_stay_digits():
    numbers = range(21, 33)
    talk = after(" ".join(map(str, numbers)), *(text for number in numbers for text in (f"f({number})", f"{number}00")))
    talk = talk[:-1] + [{"role": "user", "content": "0"}, {"role": "assistant", "content": "f(3000)"}]
    assert turns(talk)[:12] == [f"f({mark})" for mark in ORDINALS] + ["f(30)", "f(31)", "f(32)"]
    assert set(references(talk)) == {*ORDINALS, *RESULTS} and turns(talk)[-1] == "f(3000)"


CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("Add Divide".split()), st.sampled_from("1200 2 15 -3 0.5 10/3 1215".split())).map(
            lambda call: f"{call[0]}(a={call[1]}, b=15)"
        ),
        st.text(max_size=12),
    ),
    max_size=8,
)


@given(WORDS, CALLS)
def test_what_is_read_back_is_what_was_written(chat, question, contents):
    talk = after(question, *contents)
    for index, message in enumerate(talk):
        if message["role"] == "assistant":
            ids = chat.ids(chat.written(talk)[index]["content"])
            assert chat.read(ids, talk[:index]) == message["content"].encode("utf-8", "replace").decode()


def test_a_student_that_writes_marks_calls_with_numbers(chat):
    attempt = Attempt(Problem("p", "math", "arithmetic", "test", QUESTION, "607.5"), 6, 3, 0)
    row = _Row(attempt, chat)
    for turn in ("Add(a=<|1|>, b=<|3|>)", "Divide(a=<|r1|>, b=<|2|>)", "Finish(answer=<|r2|>)"):
        for token in [*chat.ids(turn), chat.end_id]:
            row.take(token, {chat.end_id}, 500, 4000)
        row.waiting.clear()
    assert [step.text for step in attempt.steps] == [
        message["content"] for message in TALK if message["role"] == "assistant"
    ]
    assert (attempt.answer, attempt.stop) == ("607.5", "finish")


def test_a_student_that_is_a_teacher_answers_with_numbers(chat):
    turn = Turn(TALK[:4], chat, 0, lambda: False)
    for token in chat.ids("Divide(a=<|r1|>, b=<|2|>)"):
        turn.take(token, {chat.end_id}, 500, 4000)
    assert turn.text == "Divide(a=1215, b=2)"


def test_a_mark_that_stands_for_nothing_is_no_valid_call(chat):
    attempt = Attempt(Problem("p", "math", "arithmetic", "test", QUESTION, "607.5"), 6, 3, 0)
    row = _Row(attempt, chat)
    for token in [*chat.ids("Add(a=<|1|>, b=<|r4|>)"), chat.end_id]:
        row.take(token, {chat.end_id}, 500, 4000)
    assert attempt.steps[0].text == "Add(a=1200, b=<|r4|>)" and attempt.steps[0].failure == "malformed_call"
