"""Evaluation: the figures follow from the chains, the keys are the contract's, equal students give equal bytes."""

import json
import re
import shutil
import sys
from dataclasses import replace

import pytest
from conftest import small_params
from predicted import BASE, DPO, LUCKY, REPAIRED, RIGHT, SFT, STUCK, SUM, WRONG, cells, chain, rows

from stages import eval as evaluation
from stages.agent.loop import Attempt, Reply
from stages.problems import builtin
from stages.records import schema
from stages.records.chain import FAILURES
from stages.records.errors import InputError
from stages.report.intervals import mcnemar, paired_difference, wilson
from stages.report.metrics import metrics, plots, split
from stages.report.tables import closing, table, warning


def test_predictions_are_rows_of_their_schema_by_problem(tmp_path):
    made = rows(base=BASE, dpo=DPO)
    schema.write(tmp_path / "predictions.jsonl", made, "predictions")
    assert schema.read(tmp_path / "predictions.jsonl", "predictions") == made
    assert [row["problem_id"] for row in made] == 2 * ["l/4", "p/0", "p/1", "p/2", "p/3"]


def test_the_tolerance_of_verify_holds_for_students_too():
    near = [chain(SUM, 0, ("Add(a=2, b=2.5)", 'Finish(answer="4.5")'))]
    verdicts = [evaluation.predictions("base", "heldout", near, tolerance)[0]["verdict"] for tolerance in (0.0, 0.5)]
    assert verdicts == ["incorrect", "correct"]


def test_the_figures_of_a_model_follow_from_its_chains():
    measured = metrics(rows(base=BASE))["base"]
    math, interval = measured["math"], wilson(1, 4)
    assert (math["accuracy"], math["accuracy_low"], math["accuracy_high"]) == (0.25, interval.low, interval.high)
    assert math["answer_accuracy"] == 0.5  # the lucky one too
    assert math["n"] == 4
    assert math["steps"] == (2 + 2 + 1 + 4) / 4
    assert math["unfinished"] == 0.25
    assert math["valid_calls"] == 1.0
    assert math["tokens"] == sum(len(text) for texts in (RIGHT, WRONG, LUCKY, STUCK) for text in texts) / 4
    assert measured["all"]["accuracy"] == 0.4 and measured["logic"]["accuracy"] == 1.0
    counted = {name: count for name, count in measured["failures"].items() if count}
    assert counted == {"wrong_answer": 1, "no_tool_call": 1, "repeated_call": 1}
    assert list(measured["failures"]) == list(FAILURES)


def test_a_turn_that_is_no_call_lowers_valid_calls_and_not_the_accuracy():
    measured = metrics(rows(sft=[(SUM, REPAIRED), (SUM, RIGHT)]))["sft"]["math"]
    assert measured["valid_calls"] == 4 / 5 and measured["accuracy"] == 1.0


def cut(problem, number, texts=("Add(a=2, b=3)", "Then I would")):
    """A chain whose last turn was not over at the limit of tokens."""
    attempt = Attempt(replace(problem, id=f"{problem.id}/{number}"), 4, 3, examples=0)
    for text in texts:
        attempt.advance(Reply(text, 10, len(text), cut=text == texts[-1]))
    return attempt.chain()


def with_cut(count, whole):
    """Predictions of one model: so many chains that were cut, so many that were not."""
    chains = [cut(SUM, number) for number in range(count)]
    chains += [chain(SUM, number, RIGHT) for number in range(count, count + whole)]
    return evaluation.predictions("sft", "heldout", chains, 0.0)


def test_the_share_of_cut_chains_is_a_figure_and_above_one_in_twenty_a_line_beside_the_table():
    measured = metrics(with_cut(3, 1))
    assert measured["sft"]["math"]["cut"] == measured["sft"]["all"]["cut"] == 0.75
    assert measured["sft"]["math"]["unfinished"] == 0.75
    said = warning("heldout", measured, 64)
    assert "eval.max_tokens: 64" in said and "sft 75 %" in said and "heldout" in said and "\n" not in said
    assert warning("heldout", metrics(with_cut(1, 19)), 64) == ""
    assert "sft 5 %" in warning("heldout", metrics(with_cut(2, 35)), 64)


def test_an_answer_in_a_turn_that_was_cut_is_an_answer():
    answered = cut(SUM, 0, RIGHT)
    measured = metrics(evaluation.predictions("sft", "heldout", [answered], 0.0))["sft"]["math"]
    assert measured["cut"] == 0 and measured["accuracy"] == 1


def test_what_runs_are_compared_by_is_apart_from_the_other_figures_and_none_is_lost():
    measured = metrics(rows(base=BASE, sft=SFT, dpo=DPO))
    headline, details = split(measured)
    assert list(headline["dpo"]) == ["math", "logic", "all"]
    assert list(headline["dpo"]["math"]) == ["accuracy", "accuracy_low", "accuracy_high", "n", "cut"]
    assert headline["gain"] == measured["gain"] and "gain" not in details
    for model in ("base", "sft", "dpo"):
        assert details[model]["failures"] == measured[model]["failures"]
        for task in ("math", "logic", "all"):
            assert headline[model][task] | details[model][task] == measured[model][task]
            assert not headline[model][task].keys() & details[model][task].keys()


def test_the_stage_ends_with_what_came_out_in_one_line():
    measured = {"heldout": metrics(rows(base=BASE, dpo=DPO))}
    assert closing(measured, "10 chains") == ("eval: base 40.0 %, dpo 100.0 % correct of 5 heldout problems; 10 chains")


def test_gains_are_paired_by_problem():
    gain = metrics(rows(base=BASE, sft=SFT, dpo=DPO))["gain"]
    base, sft, dpo = [True, False, False, False], [True, True, True, False], [True] * 4
    for worse, outcomes in (("base", base), ("sft", sft)):
        expected = paired_difference(dpo, outcomes)
        assert gain["math"][f"dpo_minus_{worse}"] == expected.estimate
        assert gain["math"][f"dpo_minus_{worse}_low"] == expected.low
        assert gain["math"][f"dpo_minus_{worse}_high"] == expected.high
        assert gain["math"][f"dpo_minus_{worse}_p"] == mcnemar(dpo, outcomes)
    assert gain["math"]["dpo_minus_base"] == 0.75 and gain["math"]["dpo_minus_base_p"] == 0.25
    assert gain["all"]["dpo_minus_base"] == 0.6
    assert gain["logic"]["dpo_minus_base"] == 0 and gain["logic"]["dpo_minus_base_p"] == 1


def test_models_that_met_different_problems_are_not_compared():
    with pytest.raises(ValueError, match="same problems"):
        metrics(rows(base=BASE, dpo=DPO[:-1]))


def test_the_keys_are_those_of_the_contract():
    measured = metrics(rows(base=BASE, sft=SFT, dpo=DPO))
    assert list(measured) == ["base", "sft", "dpo", "gain"]
    for model in ("base", "sft", "dpo"):
        assert list(measured[model]) == ["math", "logic", "all", "failures"]
        for task in ("math", "logic", "all"):
            keys = "accuracy accuracy_low accuracy_high answer_accuracy n valid_calls unfinished cut steps tokens"
            assert list(measured[model][task]) == keys.split()
    for task in ("math", "logic", "all"):
        names = [f"dpo_minus_{other}{end}" for other in ("base", "sft") for end in ("", "_low", "_high", "_p")]
        assert list(measured["gain"][task]) == names


def test_only_the_models_that_were_asked_for_and_the_tasks_that_exist_are_compared():
    measured = metrics(rows(sft=SFT[:4], dpo=DPO[:4]))
    assert list(measured) == ["sft", "dpo", "gain"]
    assert list(measured["gain"]) == ["math", "all"]
    assert [name for name in measured["gain"]["math"] if "base" in name] == []
    assert "gain" not in table(measured) and "dpo - sft" in table(measured)


def test_plots_have_a_row_a_model_and_task_with_its_interval_and_one_a_failure():
    measured = metrics(rows(base=BASE, dpo=DPO))
    accuracy, failures = plots({"heldout": measured, "ood": measured})
    assert [(row["problems"], row["model"]) for row in accuracy] == [
        (f"{task}{use}", model) for use in ("", " (ood)") for model in ("base", "dpo") for task in ("math", "logic")
    ]
    assert all(row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] for row in accuracy)
    assert len(failures) == 2 * len(FAILURES)  # held-out problems only
    assert {"model": "base", "failure": "wrong_answer", "count": 1, "share": 0.2} in failures


def test_the_table_is_markdown_with_intervals_and_n():
    printed = table(metrics(rows(base=BASE, sft=SFT, dpo=DPO)))
    for block in printed.split("\n\n"):
        assert len({len(line) for line in block.splitlines()}) == 1
    lines = cells(printed).splitlines()
    assert lines[0] == "| correct, 95 % interval | n | base | sft | dpo | dpo - base | dpo - sft |"
    low, high = 100 * wilson(1, 4).low, 100 * wilson(1, 4).high
    assert lines[2].startswith(f"| math | 4 | 25.0 % [{low:.1f}, {high:.1f}] | 75.0 % ")
    assert "| +75.0 [" in lines[2] and "], p = 0.2500 |" in lines[2]
    tokens = sum(len(text) for _, texts in BASE for text in texts) / 5
    often = "no_tool_call 1, repeated_call 1, wrong_answer 1"
    assert lines[-3] == f"| base | 60.0 % | 100.0 % | 20.0 % | 2.4 | {tokens:.0f} | {often} |"
    for block in (lines[:5], lines[6:]):
        assert len({line.count("|") for line in block}) == 1
    assert lines[5] == ""


def test_a_small_chance_is_not_printed_as_none():
    measured = metrics(rows(base=[(SUM, WRONG)] * 20, dpo=[(SUM, RIGHT)] * 20))
    assert "p < 0.0001" in table(measured)


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """A project folder with three students of random weights, which write what they happen to write."""
    from stages.params import load
    from stages.students.load import save_student
    from stages.students.scratch.models import build_tiny
    from stages.students.scratch.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("eval")
    (folder / "params.yaml").write_text(small_params())
    made = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "train", 20, 1)]
    tokenizer = train_tokenizer([[{"role": "user", "content": problem.question}] for problem in made], 900)
    tiny = load(folder / "params.yaml").train.tiny
    for seed, name in enumerate(("base", "sft", "dpo")):
        save_student(build_tiny(tokenizer, tiny, seed), tokenizer, folder / "models" / name)
    return folder


@pytest.fixture
def project(students, monkeypatch):
    for name in ("data", "metrics"):
        shutil.rmtree(students / name, ignore_errors=True)
    monkeypatch.chdir(students)
    monkeypatch.setattr(sys, "argv", ["eval"])
    return students


OUTPUTS = ["data/predictions.jsonl", "metrics/eval.json", "metrics/eval_ood.json"]
OUTPUTS += ["metrics/plots/accuracy.json", "metrics/plots/failures.json"]
OUTPUTS += ["metrics/details/eval.json", "metrics/details/eval_ood.json"]


def test_every_student_meets_every_problem_and_a_second_run_gives_the_same_bytes(project, capsys):
    evaluation.main()
    first = [(project / name).read_bytes() for name in OUTPUTS]
    made = schema.read(project / OUTPUTS[0], "predictions")
    met = {}
    for row in made:
        met.setdefault((row["use"], row["model"]), []).append(row["problem_id"])
    assert len(met[("heldout", "base")]) == 12 and len(met[("ood", "base")]) == 6
    for use in ("heldout", "ood"):
        assert met[(use, "base")] == met[(use, "sft")] == met[(use, "dpo")]
    heldout, ood = (json.loads((project / name).read_text()) for name in OUTPUTS[1:3])
    assert heldout["base"]["all"]["n"] == 12 and ood["base"]["all"]["n"] == 6
    assert not re.search(r"\d\.\d{5}", (project / OUTPUTS[1]).read_text())
    told = capsys.readouterr().out
    assert "heldout problems" in told
    end = r"eval: base .* heldout problems; .* 54 chains in data/predictions\.jsonl"
    assert re.fullmatch(end, told.splitlines()[-1])
    assert (heldout["base"]["all"]["cut"] > 0.05) == ("heldout problems that were cut by eval.max_tokens: 24" in told)
    evaluation.main()
    assert first == [(project / name).read_bytes() for name in OUTPUTS]


def test_the_dev_problems_are_printed_and_nothing_is_written(project, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["eval", "--use", "dev"])
    evaluation.main()
    assert "dev problems\n\n| correct, 95 % interval | n | base | sft | dpo |" in cells(capsys.readouterr().out)
    assert {path.name for path in project.iterdir()} == {"params.yaml", "models"}


def test_a_missing_student_is_one_error_before_any_work(project):
    (project / "models/dpo").rename(project / "elsewhere")
    try:
        with pytest.raises(InputError, match=r"models/dpo: no student there; make it with `dvc repro train@dpo`"):
            evaluation.main()
    finally:
        (project / "elsewhere").rename(project / "models/dpo")
    assert not (project / "data").exists()
