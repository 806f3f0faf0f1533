"""What a problem's text says to the fol toolkit: its statements counted, what is asked held against them, its words."""

from __future__ import annotations

import pytest
from conftest import examples, within
from hypothesis import given
from hypothesis import strategies as st

from stages.tools.fol.story import read_story


@pytest.mark.parametrize(
    ("lines", "statements"),
    [
        (["If something is big then it is old.", "All big things are old."], 1),
        (["If something is big and red then it is old.", "Red, big things are old."], 1),
        (["Each rompus is shy.", "Rompuses are shy.", "Every rompus is shy."], 1),
        (["If something is big then it is not old.", "If something is old then it is not big."], 1),
        (["If something is big then it is old.", "If something is old then it is big."], 2),
        (["All big things are old.", "All big people are old.", "Bob is big."], 2),
        (["If something is big then it is big.", "Bob is big."], 1),  # the first says nothing
        (["It rains or snows.", "it  rains, or snows!"], 1),
    ],
)
def test_statements_that_say_the_same_are_one(lines, statements):
    assert read_story("\n".join([*lines, "Is Bob old?"])).statements == statements


ORDER = "Three books.\nThe red book is the first.\nWhich of these is true?\n"


def test_options_are_read_off_the_end_and_are_no_statements():
    for form in ("A) {}\nB) {}", "(A) {}\n(B) {}", "Options:\nA. {}\nB. {}"):
        story = read_story(ORDER + form.format("The red book is the last.", "The red book is the first."))
        assert list(story.options) == ["A", "B"] and story.statements == 2 and story.asks_true
        assert [option.told for option in story.options.values()] == ["", "True"]
    assert read_story("A) only one").options == {}


@pytest.mark.parametrize(
    ("asks", "true"),
    [("Which is true?", True), ("Which is not true?", False), ("Which isn't so?", False), ("Which can be?", False)],
)
def test_a_question_may_ask_for_the_false_or_the_possible_option(asks, true):
    assert read_story(f"It rains.\n{asks}\nA) Wet.\nB) Dry.").asks_true == true


MEN = read_story(
    "All men are mortal.\nSocrates, a chess player, hosted José's 1971 games at Harry Potter's.\nDoes he die?"
)


@pytest.mark.parametrize(
    "name",
    ["Man", "MortalBeing", "socrates", "Host", "Hosting", "ChessPlayer", "isPlayer", "jose", "harrypotter"]
    + ["year1971", "HARRY_POTTER", "Mort", "Dies", "playsChess"],
)
def test_names_made_of_a_texts_words_speak_of_it(name):
    assert MEN.speaks_of(name)


@pytest.mark.parametrize(
    "name",
    [
        "P",
        "a",
        "Q1",
        "Foo",
        "Is",
        "Has",
        "Rompus",
        "leo",
        "x_1",
        "true",
        "The",
        "Blue",
        "year1972",
        "immortal",
        "sokrates",
    ],
)
def test_other_names_do_not(name):
    assert not MEN.speaks_of(name)


def test_texts_in_another_script_or_without_words_are_not_compared():
    assert MEN.comparable
    assert not read_story("所有人都会死。\n苏格拉底是人。\n苏格拉底会死吗?").comparable
    assert not read_story("").comparable and not read_story("Is it true?").comparable


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("Green", True),
        ("HasMSc", True),
        ("Russian", True),
        ("anygreenhouse", False),
        ("green_houses", True),
        ("anygreen", False),
        ("anyhouse", False),
        ("anyHouse", True),
        ("tom", False),  # a statement has it
        ("Likes", False),
        ("Is", False),
        ("Greener", False),
    ],
)
def test_a_question_has_a_name_where_it_has_all_its_words(name, asks):
    assert (
        read_story("Tom likes Prussian tea.\nHas Tom an MSc, or any green house, or a Russian one?").asks_of(name)
        == asks
    )


@examples(300)
@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from("A) B. \n ? . ! not by Is it true that Bob cold".split(" "))).map(" ".join)
)
def test_any_text_is_a_story(question):
    story = read_story(question)
    assert story.different <= story.statements
    story.speaks_of(question[:60]), story.asks_of(question[:60])


@pytest.mark.parametrize("piece", ["a ", "A) x\n", "It rains.\n", "by ", "Is it? ", "n't ", "é", "Bob is cold.\n", "A"])
def test_a_long_text_is_read_in_time(piece):
    with within(1.0):
        read_story(piece * (20_000 // len(piece)))
