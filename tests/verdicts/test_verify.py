"""Verdicts: what makes a chain correct, each way it fails to be, and how they are counted."""

import json
from dataclasses import replace

import pytest
from judged import DERIVED, PENS, RED, RIGHT, chain, judged, row_of

from stages.problems import builtin
from stages.records import schema
from stages.records.chain import FAILURES
from stages.records.errors import InputError
from stages.records.files import write_metrics
from stages.tools.run import chain_from_row
from stages.verdicts.verdict import verdict
from stages.verify import metrics, verdicts

BLUE = replace(RED, id="p/3", question=RED.question.replace("Leo is red?", "Leo is blue?"), gold="Unknown")


@pytest.mark.parametrize(("problem", "texts"), [(PENS, RIGHT), (RED, DERIVED)])
def test_a_right_answer_reached_by_calls_is_correct(problem, texts):
    row = judged(problem, texts)
    assert (row["verdict"], row["failure"]) == ("correct", "")
    assert all(row[check] is True for check in schema.HARD_CHECKS + schema.SOFT_CHECKS)
    assert list(row) == list(schema.schemas()["verdicts"].columns)


@pytest.mark.parametrize(
    ("problem", "texts", "failure"),
    [
        (PENS, ["Add(a=84, b=4)", 'Finish(answer="88")'], "wrong_answer"),
        (PENS, ['Finish(answer="87")'], "no_tool_call"),
        (PENS, ['Reasoning(thought="12 * 7 + 3 = 87")', 'Finish(answer="87")'], "no_tool_call"),
        (PENS, ["Divide(a=1, b=0)", 'Finish(answer="87")'], "no_tool_call"),
        (PENS, ['Finish(answer="88")'], "no_tool_call"),
        (PENS, ["Multiply(a=12, b=7)", 'Finish(answer="87")'], "ungrounded"),
        (PENS, ["Multiply(a=12, b=7)", 'Finish(answer="about ninety")'], "undecided"),
        (RED, ['Recall(about="Leo")', 'Finish(answer="False")'], "ungrounded"),
        (RED, [*DERIVED[:1], 'Finish(answer="False")'], "ungrounded"),
        (RED, [*DERIVED[:2], 'Finish(answer="True")'], "wrong_answer"),
        (RED, [*DERIVED[:2], 'Finish(answer="maybe")'], "undecided"),
        (BLUE, ['Recall(about="Leo")', 'Finish(answer="Unknown")'], "ungrounded"),
        (BLUE, ['Recall(about="Leo")', 'Finish(answer="False")'], "wrong_answer"),
    ],
)
def test_a_finished_chain_that_is_not_correct_says_why(problem, texts, failure):
    row = judged(problem, texts)
    assert row["failure"] == failure
    assert row["verdict"] == ("undecided" if failure == "undecided" else "incorrect")


def test_unknown_is_correct_once_nothing_that_matters_can_be_derived():
    assert judged(BLUE, [DERIVED[0], 'Finish(answer="Unknown")'])["verdict"] == "correct"


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("I would add them.", "malformed_call"),
        ("Sum(a=1, b=2)", "unknown_tool"),
        ('Add(a="1", b=2)', "bad_arguments"),
        ("Divide(a=1, b=0)", "tool_error"),
    ],
)
def test_too_many_failed_calls_are_explained_by_the_last(text, failure):
    row = judged(PENS, ["Multiply(a=12, b=7)", "nonsense", "nonsense", text])
    assert (row["verdict"], row["failure"], row["finished"]) == ("incorrect", failure, False)
    assert row["reproduced"] and not row["valid_calls"]


def test_running_out_of_steps_is_told_from_repeating_oneself():
    one, two = "Add(a=1, b=2)", "Add(a=2, b=2)"
    assert judged(PENS, [two, one, one, one], max_steps=4)["failure"] == "repeated_call"
    assert judged(PENS, [one, "Add( a=1, b=2 )", one], max_steps=3)["failure"] == "repeated_call"
    assert judged(PENS, [one, one, two, one], max_steps=4)["failure"] == "out_of_steps"
    assert judged(PENS, [two, one, one], max_steps=3)["failure"] == "out_of_steps"
    assert judged(PENS, [one, one], max_steps=2)["failure"] == "out_of_steps"


def test_a_turn_that_was_cut_gave_no_answer():
    row = judged(PENS, [RIGHT[0], "Add(a=84, b=3"], cut=True)
    assert (row["verdict"], row["failure"], row["reproduced"]) == ("incorrect", "no_answer", True)


def test_an_answer_before_the_cut_stands():
    assert judged(PENS, RIGHT, cut=True)["verdict"] == "correct"


def test_a_failed_call_that_is_put_right_does_not_spoil_a_chain():
    row = judged(PENS, [RIGHT[0], "Add(a=84, b=3", "Plus(a=84, b=3)", *RIGHT[1:]])
    assert row["verdict"] == "correct" and not row["valid_calls"]


def test_tolerance_decides_how_near_is_right():
    third = replace(PENS, question="What is 10 divided by 3?", gold="3.33")
    texts = ["Divide(a=10, b=3)", 'Finish(answer="10/3")']
    assert judged(third, texts)["failure"] == "wrong_answer"
    assert judged(third, texts, tolerance=0.01)["verdict"] == "correct"


@pytest.mark.parametrize("source", ["builtin/math", "builtin/logic"])
@pytest.mark.parametrize("variant", ["plain", "long"])
def test_every_reference_solution_is_correct_and_clean(source, variant):
    for problem in builtin.problems(source, "train", 60, seed=3, variant=variant):
        row = judged(problem, [call.text() for call in problem.solution], max_steps=40)
        assert row["verdict"] == "correct", problem
        assert row["valid_calls"] and row["results_used"] and row["numbers_grounded"], problem


def changed(row, path, value):
    row = json.loads(json.dumps(row))
    part = row
    for key in path[:-1]:
        part = part[key]
    assert part[path[-1]] != value
    part[path[-1]] = value
    return row


FAILING = [RIGHT[0], "Divide(a=1, b=0)", *RIGHT[1:]]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("steps", 0, "result"), "85"),
        (("steps", 0, "text"), "Multiply(a=12, b=8)"),
        (("steps", 0, "tool"), "Add"),
        (("steps", 0, "arguments"), {"a": "12", "b": "8"}),
        (("steps", 1, "error"), "Error: no"),
        (("steps", 1, "failure"), "bad_arguments"),
        (("steps", 3, "text"), 'Finish(answer="86")'),
        (("steps", 3, "result"), "86"),
        (("messages", 3, "content"), "85"),
        (("messages", 2, "content"), "Multiply(a=12, b=8)"),
        (("messages",), [{"role": "user", "content": "x"}]),
        (("answer",), "87.0"),
        (("stop",), "max_steps"),
    ],
)
def test_a_record_that_was_changed_is_not_correct(path, value):
    row = row_of(PENS, FAILING)
    assert verdicts([row], 0.0)[0]["verdict"] == "correct"
    made = verdicts([changed(row, path, value)], 0.0)[0]
    assert made["verdict"] == "incorrect" and not made["reproduced"]
    assert made["chain_id"] == row["chain_id"]


def test_every_changed_result_of_a_deduction_is_noticed():
    row = row_of(RED, ['Recall(about="Leo")', *DERIVED])
    for index in range(4):
        made = verdicts([changed(row, ("steps", index, "result"), "Leo is a wug")], 0.0)[0]
        assert made["verdict"] == "incorrect" and not made["reproduced"]


def test_a_dropped_or_repeated_step_is_noticed():
    kept = chain(RED, DERIVED)
    for steps in (kept.steps[1:], kept.steps[:1] + kept.steps, (*kept.steps, kept.steps[-1]), kept.steps[:-1]):
        made = verdict(replace(kept, steps=steps), 0.0)
        assert made["verdict"] == "incorrect" and not made["reproduced"]


def test_every_chain_starts_from_a_fresh_state():
    first = verdict(chain(RED, DERIVED), 0.0)
    assert verdict(chain(RED, DERIVED), 0.0) == first
    assert judged(RED, ['Recall(about="Leo")', *DERIVED[1:]])["failure"] == "ungrounded"


def test_right_chains_that_part_with_other_numbers_are_marked_where_asked_for():
    rows = [row_of(PENS, RIGHT, sample) for sample in range(2)]
    lucky = ["Multiply(a=30, b=3)", "Subtract(a=90, b=3)", RIGHT[2]]
    rows += [row_of(PENS, lucky, 2), row_of(PENS, ["Add(a=12, b=7)", 'Finish(answer="19")'], 3)]
    rows += [row_of(RED, DERIVED)]
    assert {row["perturbation"] for row in verdicts(rows, 0.0)} == {""}
    made = verdicts(rows, 0.0, redraws=2)
    assert [row["perturbation"] for row in made] == ["agrees", "agrees", "disagrees", "", ""]
    assert [row["verdict"] for row in made] == ["correct"] * 3 + ["incorrect", "correct"]
    assert metrics(rows, made)["perturbation"] == {"agrees": 2, "disagrees": 1}


def test_a_row_names_the_toolkit_that_does_not_exist():
    with pytest.raises(InputError, match="chain p/1#0-.*: no toolkit 'algebra'; known: arithmetic, deduction"):
        verdicts([changed(row_of(PENS, RIGHT), ("toolkit",), "algebra")], 0.0)


def test_verdicts_come_in_the_order_of_ids_and_are_counted():
    rows = [row_of(RED, DERIVED), row_of(PENS, RIGHT), row_of(PENS, [RIGHT[0], 'Finish(answer="87")'])]
    rows += [row_of(BLUE, [*DERIVED[:1], 'Finish(answer="perhaps")'])]
    made = verdicts(rows, 0.0)
    assert [row["chain_id"] for row in made] == sorted(row["chain_id"] for row in rows)
    counted = metrics(rows, made)
    assert (counted["correct"], counted["incorrect"], counted["undecided"]) == (2, 1, 1)
    assert counted["correct_share"] == {"math": 0.5, "logic": 0.5}
    assert list(counted["failures"]) == list(FAILURES)
    assert {name: count for name, count in counted["failures"].items() if count} == {"ungrounded": 1, "undecided": 1}
    assert counted["checks"]["grounded"] == {"right": 1, "other": 1}
    assert counted["checks"]["reproduced"] == {"right": 0, "other": 0}


def test_what_a_correct_chain_costs_counts_the_others_too(tmp_path):
    rows = [row_of(PENS, RIGHT), row_of(PENS, [RIGHT[0], 'Finish(answer="87")'], sample=1), row_of(RED, DERIVED)]
    for row, cost in zip(rows, (0.00002, 0.00001, 0.00003), strict=True):
        row["cost_usd"] = cost
    made = verdicts(rows, 0.0)
    write_metrics(tmp_path / "verify.json", metrics(rows, made))
    assert json.loads((tmp_path / "verify.json").read_text())["cost_per_correct_usd"] == 0.00003  # to six places
    assert metrics(rows[1:2], [row for row in made if row["verdict"] == "incorrect"])["cost_per_correct_usd"] is None


def test_rows_read_from_disk_are_judged_like_the_chains_in_memory(tmp_path):
    made = chain(PENS, FAILING)
    schema.write(tmp_path / "chains.jsonl", [made.row()], "chains")
    (row,) = schema.read(tmp_path / "chains.jsonl", "chains")
    assert verdicts([row], 0.0) == [verdict(made, 0.0)] == [verdict(chain_from_row(row), 0.0)]
