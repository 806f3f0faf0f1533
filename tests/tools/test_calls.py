"""The door between a model's text and a call: what is read, what is refused, and that nothing else can come out."""

import random
from fractions import Fraction

import pytest
from conftest import examples, within
from hypothesis import given
from hypothesis import strategies as st
from values import VALUES

from stages.records.chain import Call, number_text
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import CallError, number, parse
from stages.tools.tool import Tool

TOOLS = ARITHMETIC.tools | {
    "Prove": Tool("Prove", {"premises": "texts", "goal": "text"}, "Proves.", 'Prove(premises=["a"], goal="b")', str)
}


@st.composite
def calls(draw):
    tool = TOOLS[draw(st.sampled_from(sorted(TOOLS)))]
    names = draw(st.permutations(list(tool.parameters)))
    return Call(tool.name, {name: draw(VALUES[tool.parameters[name]]) for name in names})


def refusal(text: str) -> CallError:
    with pytest.raises(CallError) as refused:
        parse(text, TOOLS)
    return refused.value


@examples(500)
@given(calls())
def test_every_call_is_read_back_from_its_text(call):
    read = parse(call.text(), TOOLS)
    assert read == call
    assert list(read.arguments) == list(call.arguments)


@examples(1000)
@given(st.text(max_size=80) | st.text("Add(ab=\"'\\1.,/-)[] \n`", max_size=40))
def test_random_text_raises_nothing_but_call_error(text):
    try:
        assert parse(text, TOOLS).tool in TOOLS
    except CallError as error:
        assert error.failure in ("malformed_call", "unknown_tool", "bad_arguments")


def test_mutated_calls_are_read_or_refused_and_what_is_read_reads_back():
    chance = random.Random(5)
    outcomes = {"read": 0, "malformed_call": 0, "unknown_tool": 0, "bad_arguments": 0}
    for _ in range(2000):
        text = list(TOOLS[chance.choice(sorted(TOOLS))].example)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(text))
            text[place : place + chance.randint(0, 2)] = chance.choice("()[]=,\"'\\-/.%09aM_ \n`\0\u202eＭ١é")
        try:
            call = parse("".join(text), TOOLS)
            assert parse(call.text(), TOOLS) == call
            outcomes["read"] += 1
        except CallError as error:
            outcomes[error.failure] += 1
            assert "\n" not in str(error)
    assert min(outcomes.values()) > 20, outcomes


def test_every_tools_own_example_is_a_call():
    for tool in TOOLS.values():
        assert parse(tool.example, TOOLS).tool == tool.name


def test_numbers_are_read_from_the_text_and_never_from_a_float():
    call = parse("Add(a=0.1, b=12345678901234567890.000000000000000001)", TOOLS)
    assert call.arguments == {"a": Fraction(1, 10), "b": 12345678901234567890 + Fraction(1, 10**18)}


def test_negative_numbers_are_arguments():
    assert parse("Multiply(a=-6, b=-0.5)", TOOLS).arguments == {"a": Fraction(-6), "b": Fraction(-1, 2)}


def test_fractions_are_arguments_as_the_tools_results_show_them():
    call = Call("Add", {"a": Fraction(-10, 3), "b": Fraction(7, 2)})
    assert call.text() == "Add(a=-10/3, b=3.5)"
    assert parse("Add(a=-10/3, b=7/2)", TOOLS) == call


def test_a_quoted_number_is_not_a_number():
    error = refusal('Multiply(a="6", b=7)')
    assert error.failure == "bad_arguments"
    assert "a must be a number such as 6" in str(error)


def test_a_number_is_not_a_text_but_both_are_values():
    assert refusal("Calculate(expression=6)").failure == "bad_arguments"
    assert parse("Finish(answer=6)", TOOLS).arguments == {"answer": Fraction(6)}
    assert parse('Finish(answer="6")', TOOLS).arguments == {"answer": "6"}
    assert refusal('Finish(answer=["6"])').failure == "bad_arguments"


def test_full_width_letters_name_no_tool():
    assert refusal("Ｍultiply(a=6, b=7)").failure == "unknown_tool"
    assert refusal("Multiply(ａ=6, b=7)").failure == "bad_arguments"
    assert refusal("Multiply(a=６, b=7)").failure == "malformed_call"


@pytest.mark.parametrize("character", ["\0", "\x1b", "\u202e", "\u200b", "\u2028", "\ud800", "\x7f"])
def test_hidden_characters_are_refused_by_number(character):
    error = refusal(f'Finish(answer="4{character}2")')
    assert error.failure == "malformed_call"
    assert f"U+{ord(character):04X}" in str(error) and character not in str(error)


@pytest.mark.parametrize(
    "literal",
    [
        "1,000",
        "1_000",
        "0x10",
        "1e3",
        "1j",
        "True",
        "None",
        "+1",
        "1.",
        "--1",
        "- 1",
        "2**3",
        "2*3",
        "x",
        "f'1'",
        "1/2/3",
        "1.5/2",
        "$5",
        "5%",
        "1/-2",
        "(1)",
        "{}",
        "inf",
        "nan",
        "１",
        "",
        "Add(a=1, b=2)",
        "1 2",
        "1.2.3",
    ],
)
def test_what_is_no_plain_number_is_refused(literal):
    error = refusal(f"Add(a={literal}, b=1)")
    assert error.failure in ("malformed_call", "bad_arguments")


@pytest.mark.parametrize(
    "text", ["1,000", "1_000", "1e3", "0x1", " 1", "1 ", "+1", "1.", ".", "-", "/2", "1/", "١", "1/0"]
)
def test_number_refuses_what_is_not_one(text):
    with pytest.raises(ValueError):
        number(text)


@given(st.fractions())
def test_number_reads_what_number_text_writes(value):
    assert number(number_text(value)) == value


@pytest.mark.parametrize("digits", ["9" * 617, "." + "0" * 616, "1/" + "9" * 617])
def test_numbers_have_at_most_616_digits(digits):
    assert refusal(f"Add(a={digits}, b=1)").failure == "bad_arguments"
    assert number("9" * 616) == 10**616 - 1


@pytest.mark.parametrize(
    "text",
    [
        " \n Add(a=1, b=2)\n",
        "`Add(a=1, b=2)`",
        "```\nAdd(a=1, b=2)\n```",
        "```python\nAdd(a=1, b=2)\n```",
        "Add( a = 1 ,b=2 )",
        "```Add(a=1, b=2)```",
    ],
)
def test_surrounding_space_and_one_pair_of_fences_are_tolerated(text):
    assert parse(text, TOOLS) == Call("Add", {"a": Fraction(1), "b": Fraction(2)})


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "malformed_call"),
        ("The answer is 42.", "malformed_call"),
        ("I will add them. Add(a=1, b=2)", "malformed_call"),
        ("Add(a=1, b=2) = 3", "malformed_call"),
        ("Add(a=1, b=2)\nAdd(a=1, b=2)", "malformed_call"),
        ("Add(a=1, b=2", "malformed_call"),
        ("Add(a=1, b=2,)", "malformed_call"),
        ("Add(a=1 b=2)", "malformed_call"),
        ("Add a=1, b=2", "malformed_call"),
        ('Reasoning(thought="no end)', "malformed_call"),
        ('Reasoning(thought="no end\\")', "malformed_call"),
        ("Reasoning(thought=first)", "malformed_call"),
        ('Prove(premises=["a", 1], goal="b")', "malformed_call"),
        ('Prove(premises=[["a"]], goal="b")', "malformed_call"),
        ('Prove(premises=["a", goal="b")', "malformed_call"),
        ("Power(a=9, b=99999999)", "unknown_tool"),
        ("add(a=1, b=2)", "unknown_tool"),
        ("__import__('os')", "unknown_tool"),
        ("Add(1, 2)", "bad_arguments"),
        ("Add(a=1)", "bad_arguments"),
        ("Add()", "bad_arguments"),
        ("Add(a=1, b=2, c=3)", "bad_arguments"),
        ("Add(a=1, b=2, a=1)", "bad_arguments"),
        ("Add(a=1,000, b=2)", "bad_arguments"),
        ("Add(a=1/0, b=2)", "bad_arguments"),
    ],
)
def test_each_kind_of_wrong_text_has_its_failure(text, failure):
    assert refusal(text).failure == failure


def test_the_error_says_how_a_number_is_written():
    assert "`1e3, b=2)` does not start with a constant; write a number such as 6" in str(refusal("Add(a=1e3, b=2)"))


def test_strings_take_both_quotes_and_unknown_escapes_stay_as_they_are():
    read = parse(r"""Reasoning(thought='It\'s "2", so \frac{1}{2}\nand on')""", TOOLS).arguments["thought"]
    assert read == 'It\'s "2", so \\frac{1}{2}\nand on'
    assert parse('Reasoning(thought="two\nlines")', TOOLS).arguments["thought"] == "two\nlines"


def test_the_error_is_one_line_that_names_every_valid_call():
    error = refusal("Power(\na=9)")
    assert "\n" not in str(error)
    for tool in TOOLS.values():
        assert tool.signature() in str(error)


@pytest.mark.parametrize(
    "text", ["y" * 1900, "y" * 5000, "Y(" + "y" * 1900, "Add(a=1, b=" + "y" * 1900, "Add(" + "y" * 1900]
)
def test_errors_do_not_echo_the_models_text(text):
    assert "y" * 61 not in str(refusal(text))
    assert len(str(refusal(text))) < len(str(refusal("Y()"))) + 200


@pytest.mark.parametrize(
    "text",
    [
        "-" * 20_000,
        "Add(a=" + "-" * 20_000 + "1, b=2)",
        "Add(a=" + "-" * 1900 + "1, b=2)",
        "(" * 1990,
        "Prove(premises=" + "[" * 1900,
        "`" * 1999,
        "```" * 600,
        'Finish(answer="' + "\\" * 1900,
        "Add(a=" + "1" * 1900 + "x, b=2)",
        "Add(" + "a=1," * 480,
        " " * 1999,
        "x" * 1999,
        "Prove(premises=[" + '"a",' * 480,
    ],
)
def test_hostile_texts_are_refused_in_a_moment(text):
    with within(0.05):
        refusal(text)


def test_2000_characters_are_a_call_and_2001_are_not():
    longest = 'Reasoning(thought="' + "y" * 1979 + '")'
    assert len(longest) == 2000
    assert len(parse(longest, TOOLS).arguments["thought"]) == 1979
    assert "2,001 characters, limit 2,000" in str(refusal(longest + " "))
