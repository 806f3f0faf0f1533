"""Logic programs that models wrote: run as they stand, or refused with the entry that is not understood."""

from __future__ import annotations

import contextlib
import json

import pytest
from conftest import shared, within
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.problems.logic_programs import ProgramError, run

COLD = """Predicates:
Cold($x, bool) ::: Is x cold?
Facts:
Cold(Bob, True) ::: Bob is cold.
Sees(Bob, Max, True)
Round(bob, False)
Rules:
Cold($x, True) && Round($x, False) >>> Kind($x, True) ::: Cold things that are not round are kind.
Kind($x, True) && Sees($x, $y, True) >>> Kind($y, True)
!Round($x, True) >>> Big($x, False)
Query:
"""


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("Cold(Bob, True) ::: Bob is cold.", "True"),
        ("Cold(BOB, False)", "False"),
        ("Kind(Bob, True)", "True"),
        ("Kind(Max, True)", "True"),  # by two variables
        ("Cold(Max, True)", "Unknown"),  # nothing is false because it is missing
        ("Round(Bob, False)", "True"),
        ("¬Round(Bob, True)", "True"),
        ("~Round(Bob, False)", "False"),
        ("Not(Round(Bob, True))", "True"),
        ("not Big(Bob, True)", "True"),
        ("Sees(Bob, Max, False)", "False"),
        ("Sees(Max, Bob, True)", "Unknown"),
        ("Kind(Rex, True)", "Unknown"),
    ],
)
def test_a_program_says_what_follows_from_it(query, value):
    assert run(COLD + query) == value


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("Facts:\nRed(Bob, True)\nRed($x, True) >>> Big($x, True)\nQuery:\nBig(Bob, True)", "True"),
        ("Query:\nBig(Bob, True)\nRules:\nBig($x, True)", "True"),  # a fact about everyone, in any section
        ("Facts:\nRed(Bob, True)\nRed(Bob, True) >>> Big($x, True)\nQuery:\nBig(Max, True)", "True"),
        ("Facts:\nEats(bald eagle, the cat, True)\nQuery:\nEats(Bald Eagle, cat, True)", "True"),
        ("Query:\nBig(Bob, True)", "Unknown"),
    ],
)
def test_sections_and_variables_are_read_for_what_they_say(program, value):
    assert run(program) == value


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (COLD, "the program has 0 queries; one is asked"),
        (COLD + "Cold(Bob, True)\nCold(Max, True)", "the program has 2 queries; one is asked"),
        (COLD + "Cold(Bob)", "`Cold(Bob)` is no literal such as Cold(Bob, True) or Sees(Cat, Cow, False)"),
        (COLD + "Cold(Bob, Unknown)", "`Cold(Bob, Unknown)` is no literal such as"),
        (COLD + "Sees(Bob, Max)", "`Sees(Bob, Max)` is no literal such as"),
        (COLD + "Cold($x, True)", "`Cold($x, True)` is no query; it is one literal without a variable"),
        (COLD + "Cold(Bob, True) >>> Kind(Bob, True)", "`Cold(Bob, True) >>> Kind(Bob, True)` is no query"),
        (COLD + "Answer: True", "`Answer: True` is no literal such as"),
        (COLD.replace(" >>> Kind($y, True)", ""), "`Kind($x, True) && Sees($x, $y, True)` is no literal such as"),
        (
            COLD.replace("Cold(Bob, True)", "Cold(X, True)") + "Cold(Bob, True)",
            "`Cold(X, True)` has a term that is no name",
        ),
        (
            COLD.replace(" >>> ", " >>> Cold(Bob, True) >>> "),
            "`Cold(Bob, True) >>> Kind($x, True)` is no literal such as",
        ),
        ("Bob is cold.\n" + COLD, "`Bob is cold.` stands before the first section"),
        (COLD + "P" * 100, f"`{'P' * 60}` is no literal such as"),
        ("x" * 20_001, "the program has 20,001 characters, limit 20,000"),
        (
            "Facts:\n"
            + "\n".join(f"P(a{n}, True)" for n in range(50))
            + "\nR($x, $y, True) >>> R($y, $x, True)\nQuery:\nP(a1, True)",
            "the program has more than 2,000 instances of its rules",
        ),
    ],
)
def test_what_is_not_surely_understood_is_not_run(program, message):
    with pytest.raises(ProgramError) as error:
        run(program)
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 200 and "\n" not in str(error.value)


PIECES = [
    "Facts:",
    "Rules:",
    "Query:",
    "P(Bob, True)",
    "P($x, True)",
    ">>>",
    "&&",
    "!",
    "Not(",
    "(",
    ")",
    ",",
    "\n",
    "$",
    "::: ",
    "P",
]


@settings(max_examples=2_000, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=60).map("".join)))
def test_any_text_is_a_program_or_one_error_of_ours(program):
    with within(0.2), contextlib.suppress(ProgramError):
        assert run(program) in ("True", "False", "Unknown")


@pytest.mark.parametrize(
    "program",
    [
        "Query:\n" + "(" * 19_000,
        "Query:\n" + "P(" * 9_000,
        "Query:\n" + "Not(" * 4_000,
        "Query:\n" + "not " * 4_000,
        "Query:\nP(" + " " * 19_000,
        "Query:\nP(" + "a " * 9_000 + ", True",
        "Query:\n" + "!" * 19_000,
        "Rules:\n" + "P(Bob, True) && " * 1_000 + "P(Bob, True) >>> P(Bob, True)\nQuery:\nP(Bob, True)",
        "Rules:\n" + "P(Bob, True) >>> " * 1_000,
        "Rules:\n"
        + "\n".join(f"P{n}($x, True) >>> P{n + 1}($x, True)" for n in range(500))
        + "\nQuery:\nP500(Bob, True)",
        "\u2028".join(["Query:", "P(Bob, True)"]),
    ],
)
def test_a_hostile_program_ends_soon(program):
    with within(0.5), contextlib.suppress(ProgramError):
        assert run(program) in ("True", "False", "Unknown")


# Programs of real models, unfiltered


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "right", "wrong", "refused"),
    [
        ("ProofWriter_dev_text-davinci-003", 496, 65, 38),
        ("ProofWriter_dev_gpt-3.5-turbo", 214, 41, 345),
        ("ProntoQA_dev_text-davinci-003", 360, 124, 16),
        ("ProntoQA_dev_gpt-3.5-turbo", 162, 243, 95),
    ],
)
def test_the_programs_of_real_models_are_run_as_they_stand(name, right, wrong, refused):
    rows = [json.loads(line) for line in shared(f"logic_programs/{name}.jsonl").read_text("utf-8").split("\n") if line]
    counts = {"right": 0, "wrong": 0, "not executable": 0}
    for row in rows:
        label = next(option[3:] for option in row["options"] if option.startswith(row["answer"]))
        try:
            counts["right" if run(row["raw_logic_programs"][0]) == label else "wrong"] += 1
        except ProgramError:
            counts["not executable"] += 1
    print(f"\n{name}: {counts} of {len(rows)}")
    assert counts == {"right": right, "wrong": wrong, "not executable": refused}
