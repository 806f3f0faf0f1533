"""Logic programs that models wrote: run as they stand, or refused with the entry that is not understood."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from conftest import examples, shared, within
from hypothesis import given
from hypothesis import strategies as st

from stages.problems.jsonl import JsonlError
from stages.problems.published import folio, proofwriter
from stages.teacher.imported.logic_programs import MAX_LENGTH, chain, posed, read
from stages.tools.run import chain_from_row
from stages.verdicts.verdict import verdict

COLD = """Predicates:
Cold($x, bool) ::: Is x cold?
Facts:
Cold(Bob, True) ::: Bob is cold.
Sees(Bob, Max, True)
Round(Bob, False)
Rules:
Cold($x, True) && Round($x, False) >>> Kind($x, True) ::: Cold things that are not round are kind.
Kind($x, True) && Sees($x, $y, True) >>> Kind($y, True)
!Round($x, True) >>> Big($x, False)
Query:
"""


def answer(program: str) -> str:
    return chain(posed(proofwriter.problem("row", COLD_ROW)), program, "model").answer


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("Cold(Bob, True) ::: Bob is cold.", "True"),
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
        ("Kind(Rex, True)", ""),  # of whom neither the program nor the problem says anything
    ],
)
def test_a_program_says_what_follows_from_it(query, value):
    assert answer(COLD + query) == value


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("Facts:\nRed(Bob, True)\nRed($x, True) >>> Big($x, True)\nQuery:\nBig(Bob, True)", "True"),
        ("Query:\nBig(Bob, True)\nRules:\nBig($x, True)", "True"),  # a fact about everyone, in any section
        ("Facts:\nRed(Bob, True)\nRed(Bob, True) >>> Big($x, True)\nQuery:\nBig(Max, True)", "True"),
        ("Facts:\nEats(bald eagle, the cat, True)\nQuery:\nEats(bald eagle, the cat, True)", "True"),
        ("Facts:\nRed(Bob, True)\nRed(Bob, True)\nQuery:\nRed(Bob, True)", "True"),  # the second states nothing else
        ("Query:\nBig(Bob, True)", ""),
    ],
)
def test_sections_and_variables_are_read_for_what_they_say(program, value):
    assert answer(program) == value


@pytest.mark.parametrize(
    "program",
    [
        COLD,
        COLD + "Cold(Bob, True)\nCold(Max, True)",
        COLD + "Cold(Bob)",
        COLD + "Cold(Bob, Unknown)",
        COLD + "Sees(Bob, Max)",
        COLD + "Cold($x, True)",
        COLD + "Cold(Bob, True) >>> Kind(Bob, True)",
        COLD + "Answer: True",
        COLD.replace(" >>> Kind($y, True)", "") + "Cold(Bob, True)",
        COLD.replace("Cold(Bob, True)", "Cold(X, True)") + "Cold(Bob, True)",
        COLD.replace(" >>> ", " >>> Cold(Bob, True) >>> ") + "Cold(Bob, True)",
        "Bob is cold.\n" + COLD + "Cold(Bob, True)",
        "Cold(Max, True)\n" + COLD + "Cold(Bob, True)",  # before the first section
        COLD + "P" * 100,
    ],
)
def test_what_is_not_surely_understood_has_no_value(program):
    assert answer(program) == ""


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
    with within(3.0):
        assert answer(program) in ("True", "False", "Unknown", "")


# Programs as chains of calls


COLD_ROW = {
    "id": "ProofWriter_Q1",
    "context": "Bob is cold. The cat sees Max. If someone is cold and they are not round then they are kind. "
    "Bob is not round. If someone is kind and they see Bob then they are big.",
    "question": "Based on the above information, is the following statement true, false, or unknown? Bob is kind.",
    "options": ["A) True", "B) False", "C) Unknown"],
    "answer": "A",
}
COLD_PROGRAM = """Predicates:
Cold($x, bool)
Query:
Kind(Bob, True) ::: Bob is kind.
Facts:
Cold(Bob, True)
Sees(bald eagle, Max, True)
Round(Bob, False)
Rules:
Cold($x, True) && Round($x, False) >>> Kind($x, True) ::: Cold things that are not round are kind.
Kind($x, True) && Sees($x, $other, True) && Cold(Bob, True) >>> Kind($other, True)
"""
COLD_CALLS = [
    'Premise(formula="Cold(Bob)")',
    'Premise(formula="Sees(bald_eagle, Max)")',
    'Premise(formula="¬Round(Bob)")',
    'Premise(formula="∀x (Cold(x) ∧ ¬Round(x) → Kind(x))")',
    'Premise(formula="∀x ∀y (Kind(x) ∧ Sees(x, y) ∧ Cold(Bob) → Kind(y))")',
    'Entails(formula="Kind(Bob)")',
    'Finish(answer="True")',
]


def made(program, row=COLD_ROW):
    """The program as a chain, and its verdict."""
    one = chain(posed(proofwriter.problem("row", row)), program, "model")
    assert chain_from_row(one.row()) == one
    return one, verdict(one, 0.0)


def test_a_program_is_the_chain_of_the_calls_that_it_makes():
    one, row = made(COLD_PROGRAM)
    assert [step.text for step in one.steps] == COLD_CALLS
    assert [step.error for step in one.steps] == [""] * 7 and one.steps[5].result == "True"
    assert (one.problem_id, one.source, one.toolkit, one.teacher) == (
        "proofwriter/ProofWriter_Q1",
        "proofwriter",
        "fol",
        "model",
    )
    assert (one.answer, one.gold, one.stop, row["verdict"]) == ("True", "True", "finish", "correct")


def test_a_problem_is_posed_with_its_own_words_a_sentence_a_line():
    problem = proofwriter.problem("row", COLD_ROW)
    lines = posed(problem).question.split("\n")
    assert " ".join(lines) == problem.question and len(lines) == 6
    assert lines[-1] == COLD_ROW["question"] and lines[1] == "The cat sees Max."


@pytest.mark.parametrize(
    ("old", "new", "answer", "failure"),
    [
        ("Kind(Bob, True) :::", "Kind(Bob, False) :::", "False", "wrong_answer"),
        ("Cold(Bob, True)\nSees", "Sees", "Unknown", "wrong_answer"),
        ("Rules:", "Kind(Bob, True)\nRules:", "True", "ungrounded"),  # states what is asked
        ("Rules:", "Cold(Max, True)\nCold(Max, False)\nRules:", "", "no_answer"),  # a contradiction has no value
        ("Cold($x, True) &&", "Colds($x, True) && Cold($x, True) &&", "Unknown", "wrong_answer"),
    ],
)
def test_a_program_with_another_meaning_is_an_incorrect_chain(old, new, answer, failure):
    assert old in COLD_PROGRAM
    one, row = made(COLD_PROGRAM.replace(old, new))
    assert (one.answer, row["verdict"], row["failure"], row["reproduced"]) == (answer, "incorrect", failure, True)


@pytest.mark.parametrize(
    ("old", "new", "text", "failure"),
    [
        ("Cold(Bob, True)\n", "Cold(Bob)\n", "Cold(Bob)", "malformed_call"),
        ("Cold(Bob, True)\n", "Bob is cold.\n", "Bob is cold.", "malformed_call"),
        ("Round(Bob, False)\n", "Round(Bob, X)\n", "Round(Bob, X)", "malformed_call"),
        ("Kind(Bob, True) :::", "Finish(answer='True') :::", "Finish(answer='True')", "malformed_call"),
        ("Predicates:", "Here it is:", "Here it is:", "malformed_call"),
    ],
)
def test_what_is_not_understood_is_a_failed_step_as_it_stands_and_nothing_is_answered(old, new, text, failure):
    assert COLD_PROGRAM.count(old) >= 1
    one, row = made(COLD_PROGRAM.replace(old, new, 1))
    (failed,) = (step for step in one.steps if step.text == text)
    assert failed.failure in (failure, "unknown_tool") and failed.error and not failed.result
    assert (one.answer, one.stop, row["verdict"], row["failure"]) == ("", "max_tokens", "incorrect", "no_answer")


@pytest.mark.parametrize("program", ["", "Facts:\nCold(Bob, True)", COLD_PROGRAM + "Query:\nCold(Bob, True)"])
def test_a_program_without_one_query_has_no_answer(program):
    one, row = made(program)
    assert (one.answer, row["verdict"], row["failure"]) == ("", "incorrect", "no_answer")


@examples(200)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_is_a_chain_that_is_not_correct_by_chance(program):
    one, row = made(program)
    assert row["verdict"] in ("correct", "incorrect")
    assert bool(one.answer) == (one.stop == "finish")


NAME = "ProofWriter_dev_some-model-1.json"


def test_a_file_says_set_and_model_by_its_name(tmp_path):
    rows = [{**COLD_ROW, "raw_logic_programs": [COLD_PROGRAM]}]
    (tmp_path / NAME).write_text(json.dumps(rows, indent=1))
    (tmp_path / "ProntoQA_dev_m.jsonl").write_text(json.dumps({**rows[0], "options": COLD_ROW["options"][:2]}))
    ((one,), (other,)) = (list(read(tmp_path / name)) for name in (NAME, "ProntoQA_dev_m.jsonl"))
    assert (one.model, one.text, one.problem) == ("some-model-1", COLD_PROGRAM, proofwriter.problem("row", COLD_ROW))
    assert (other.model, other.problem.id) == ("m", "prontoqa/ProofWriter_Q1")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("programs.json", {}, r"the file's name does not say set and model; name it ProntoQA_dev_<model>"),
        ("AR-LSAT_dev_model.json", {}, r"the file's name does not say set and model"),
        ("FOLIO_dev_model.json", {"question": "Bob is kind?"}, r"question is no `... true, false, or uncertain\? "),
        (
            "FOLIO_dev_model.json",
            {"options": ["A) 1", "B) 2"]},
            r"option '1' is none of True, False, Unknown, Uncertain",
        ),
        (NAME, {"raw_logic_programs": []}, r"some-model-1\.json row 1: raw_logic_programs is no list of one text"),
        (NAME, {"raw_logic_programs": ["a", "b"]}, r"raw_logic_programs is no list of one text"),
        (NAME, {"raw_logic_programs": ["a" * (MAX_LENGTH + 1)]}, r"row 1: the program has 20,001 characters"),
        (NAME, {"answer": "D"}, r"row 1: answer is 'D'; it takes a letter: A, B, C"),
        (NAME, {"options": ["A) 1", "B) 2"]}, r"row 1: option '1' is none of True, False, Unknown"),
    ],
)
def test_a_row_in_another_form_is_named(tmp_path, name, row, message):
    (tmp_path / name).write_text(json.dumps([{**COLD_ROW, "raw_logic_programs": [COLD_PROGRAM], **row}]))
    with pytest.raises(JsonlError, match=message):
        list(read(tmp_path / name))


# Programs of formulas


CAT_ROW = {
    "id": "FOLIO_dev_7",
    "context": "All cats purr. Mr. Tom is a cat. No. 5 is a house.",
    "question": "Based on the above information, is the following statement true, false, or uncertain? Mr. Tom purrs.",
    "options": ["A) True", "B) False", "C) Uncertain"],
    "answer": "A",
}
CAT_PROGRAM = """Predicates:
Cat(x) ::: x is a cat.
Premises:
∀x (Cat(x) → Purr(x)) ::: All cats purr.
Cat(tom) ::: Mr. Tom is a cat.
House(five) ::: No. 5 is a house.
Conclusion:
Purr(tom) ::: Mr. Tom purrs.
"""


def made_of_formulas(program, **changes):
    one = chain(posed(folio.lettered("row", {**CAT_ROW, **changes})), program, "model")
    assert chain_from_row(one.row()) == one
    return one, verdict(one, 0.0)


def test_a_program_of_formulas_is_the_chain_of_its_premises_and_conclusion():
    one, row = made_of_formulas(CAT_PROGRAM)
    assert [step.text for step in one.steps] == [
        'Premise(formula="∀x (Cat(x) → Purr(x))")',
        'Premise(formula="Cat(tom)")',
        'Premise(formula="House(five)")',
        'Entails(formula="Purr(tom)")',
        'Finish(answer="True")',
    ]
    assert (one.problem_id, one.source, one.gold, one.answer, row["verdict"]) == (
        "folio/FOLIO_dev_7",
        "folio",
        "True",
        "True",
        "correct",
    )


def test_folio_with_letters_asks_as_the_published_rows_do_a_sentence_a_line():
    rows = {"premises": ["All cats purr.", "Mr. Tom is a cat.", "No. 5 is a house."], "conclusion": "Mr. Tom purrs."}
    published = folio.problem("folio/validation/00000", "row", {**rows, "label": "True"})
    lettered = folio.lettered("row", CAT_ROW)
    assert (lettered.question, lettered.gold, lettered.toolkit) == (published.question, published.gold, "fol")
    assert posed(lettered) == lettered
    assert folio.lettered("row", {**CAT_ROW, "answer": "C"}).gold == "Unknown"


@pytest.mark.parametrize(
    ("old", "new", "changes", "answer", "failure"),
    [
        ("Purr(tom) :::", "¬Purr(tom) :::", {"answer": "B"}, "False", ""),
        ("Cat(tom) :::", "Cat(tim) :::", {"answer": "C"}, "", "no_answer"),  # tom stands in no premise ...
        ("Cat(tom) :::", "Dog(tom) :::", {"answer": "C"}, "Unknown", ""),
        ("Cat(tom) ::: Mr. Tom is a cat.\n", "", {"answer": "A"}, "", "no_answer"),
        ("Cat(tom) :::", "Cat(tom)\nCat(tom) :::", {}, "True", ""),  # the second is refused, and states nothing else
        ("Cat(tom) :::", "Cat(tom)\n¬Cat(tom) :::", {}, "", "no_answer"),  # a contradiction has no value
        ("∀x (Cat(x) → Purr(x))", "Cat(x) → Purr(x)", {}, "", "no_answer"),  # a free variable
        ("∀x (Cat(x) → Purr(x))", "∀x Cat(x) → Purr(x)", {}, "", "no_answer"),  # two readings
        ("Conclusion:", "Purr(rex)\nConclusion:\nCat(tom)", {}, "", "no_answer"),  # two conclusions
        ("Premises:", "Here it is:", {}, "", "no_answer"),
        ("House(five)", "Purr(tom)", {}, "True", "undecided"),  # states what is asked, as the text may do
    ],
)
def test_a_program_of_formulas_is_run_only_as_it_stands(old, new, changes, answer, failure):
    assert CAT_PROGRAM.count(old) == 1
    one, row = made_of_formulas(CAT_PROGRAM.replace(old, new), **changes)
    assert (one.answer, row["failure"], row["reproduced"]) == (answer, failure, True)
    assert one.stop == ("finish" if answer else "max_tokens")


@examples(200)
@given(
    st.lists(
        st.sampled_from(["Premises:", "Conclusion:", "Facts:", "∀x (", "Cat(tom)", "→", "Purr(tom)", ")", "\n", ":::"]),
        max_size=30,
    ).map(" ".join)
)
def test_any_text_is_a_chain_of_formulas_or_has_no_answer(program):
    one, row = made_of_formulas(program.replace(" \n ", "\n"))
    assert bool(one.answer) == (one.stop == "finish") and row["verdict"] in ("correct", "incorrect", "undecided")


# Programs of real models, unfiltered


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "right", "wrong", "silent"),
    [
        ("ProofWriter_dev_text-davinci-003", 46, 5, 9),
        ("ProntoQA_dev_gpt-3.5-turbo", 16, 22, 12),
    ],
)
def test_the_programs_of_real_models_have_the_value_that_the_toolkit_gives(name, right, wrong, silent):
    """Every tenth. Only a right value makes a correct chain, where it rests on all that the problem says."""
    values, words = Counter(), Counter()
    for program in list(read(shared(f"logic_programs/{name}.jsonl")))[::10]:
        one = chain(posed(program.problem), program.text, program.model)
        row = verdict(one, 0.0)
        assert row["reproduced"] or not one.answer
        values["right" if one.answer == one.gold else "wrong" if one.answer else "silent"] += 1
        words[row["verdict"], row["failure"]] += 1
    print(f"\n{name}: {values}, {words}")
    assert values == {"right": right, "wrong": wrong, "silent": silent}
    assert words["incorrect", "wrong_answer"] == wrong and words["incorrect", "no_answer"] == silent
