"""GSM8K: published rows become problems, annotations become calls, and nothing is passed off as a solution."""

import json

import pytest
from conftest import problems_params, shared

from stages.params import ParamsError
from stages.problems.gold import doubt
from stages.problems.jsonl import JsonlError
from stages.problems.published import gsm8k
from stages.problems.solutions.annotations import annotations, call_of, equations
from stages.problems.sources import load
from stages.records.errors import InputError
from stages.teacher.imported import gsm8k_solutions
from stages.verdicts.answers import equal
from stages.verdicts.verdict import verdict

CLIPS = {
    "question": "Natalia sold clips to 48 of her friends in April, and half as many in May. How many clips in all?",
    "answer": "She sold 48/2 = <<48/2=24>>24 clips in May.\nShe sold 48+24 = <<48+24=72>>72 in all.\n#### 72",
}


def from_file(tmp_path, *rows, **entry):
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    entry = {"source": "gsm8k", "split": "train", "path": str(path), **entry}
    return load("train", problems_params(train=(entry,), dev=(), heldout=(), ood=()))


def solution(answer):
    gold = gsm8k.gold_of(answer)
    calls, why = gsm8k.reference(answer, gold)
    return [call.text() for call in calls] or why


def test_a_published_row_becomes_a_problem_with_its_solution(tmp_path):
    (problem,) = from_file(tmp_path, CLIPS)
    assert (problem.id, problem.task, problem.toolkit, problem.gold) == (
        "gsm8k/train/00000",
        "math",
        "arithmetic",
        "72",
    )
    assert problem.question == CLIPS["question"]
    assert [call.text() for call in problem.solution] == [
        "Divide(a=48, b=2)",
        "Add(a=48, b=24)",
        'Finish(answer="72")',
    ]
    assert doubt(problem) == ""


@pytest.mark.parametrize(
    ("expression", "call"),
    [
        ("3+4", "Add(a=3, b=4)"),
        ("3.50-.5", "Subtract(a=3.5, b=0.5)"),
        ("3 * 4", "Multiply(a=3, b=4)"),
        ("560//10", "Divide(a=560, b=10)"),
        ("-3+4", "Add(a=-3, b=4)"),
        ("3--4", "Subtract(a=3, b=-4)"),
        ("3*4*5", 'Calculate(expression="3*4*5")'),
        ("(3+4)", 'Calculate(expression="(3+4)")'),
        ("20%*5", 'Calculate(expression="20%*5")'),
        ("X*.25", 'Calculate(expression="X*.25")'),
        ("", 'Calculate(expression="")'),
    ],
)
def test_one_operation_is_a_call_of_its_own_and_the_rest_is_calculated(expression, call):
    assert call_of(expression).text() == call


def test_annotations_keep_order_value_and_place():
    found = annotations("a <<2*3=6>>6, then <<6/4=1.50>>1.50 and x = <<10=10>>10; <<broken>> <<a=b>>")
    assert [(one.call, one.value) for one in found[:2]] == [(call_of("2*3"), 6), (call_of("6/4"), 1.5)]
    assert [one.call for one in found[2:]] == [call_of(""), call_of("a")] and found[2].value is None


def test_plain_equations_fill_what_no_annotation_computes():
    text = "5 * $50 = $<<5*50=250>>250.\nShe has $260 - $250 = $10 left, 1,000 x 2 = 2,000, so 10/10=$1."
    assert [one.call for one in equations(text)] == [call_of(one) for one in ("5*50", "260-250", "1000*2", "10/10")]


@pytest.mark.parametrize(
    "text",
    [
        "4 * 54 = 217",  # does not hold
        "5 = 5",  # computes nothing
        "x + 3 = 5",
        "4 = 2 * 2 = 4 + 0",  # what stands behind the first sign is no value
        "1/2 = 50%",
        "16 dozen / 4 = 4",
        "2 + 3 = 5.5",
        "2 + 3 = 5,000",
    ],
)
def test_a_plain_equation_is_taken_only_where_it_holds_as_it_stands(text):
    assert equations(text) == []


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        ("<<2*3=6>>6\n#### 6", ["Multiply(a=2, b=3)", 'Finish(answer="6")']),
        ("<<2*3=6>>6, 6 - 1 = 5\n#### 5", ["Multiply(a=2, b=3)", "Subtract(a=6, b=1)", 'Finish(answer="5")']),
        ("<<500*3=1500>>1500\n#### 1,500", ["Multiply(a=500, b=3)", 'Finish(answer="1500")']),
        ("It is 6.\n#### 6", gsm8k.NO_CALLS),
        ("x = <<6=6>>6\n#### 6", gsm8k.NO_CALLS),
        ("<<2*3=6>>6 and one more\n#### 7", gsm8k.STOPS_SHORT),
        ("<<2*3=6>>6, <<6*2=12>>12\n#### 6", gsm8k.STOPS_SHORT),
        ("<<2*3=7>>7\n#### 7", "an annotation does not give the value it says"),
        ("<<10/3=3.33>>3.33\n#### 3.33", "an annotation does not give the value it says"),
        ("<<X*2=7>>7\n#### 7", "an annotation cannot be computed"),
        ("<<9**9**9=7>>7\n#### 7", "an annotation cannot be computed"),
    ],
)
def test_only_steps_that_end_in_the_answer_are_a_solution(answer, made):
    assert solution(answer) == made


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("not json", r"train\.jsonl line 2: no JSON object"),
        ({"question": "q"}, r"train\.jsonl line 2: answer is missing"),
        ({"question": "q", "answer": 6}, r"line 2: answer is missing or no text"),
        ({"question": " ", "answer": "#### 6"}, r"line 2: question is missing"),
        ({"question": "q", "answer": "six"}, r"line 2: answer does not end in a line such as `#### 72`"),
        ({"question": "q", "answer": "#### six"}, r"line 2: answer does not end"),
    ],
)
def test_a_bad_row_names_file_and_line(tmp_path, row, message):
    with pytest.raises(JsonlError, match=message):
        from_file(tmp_path, CLIPS, row)


def test_a_missing_file_and_a_wrong_split_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.jsonl: No such file"):
        from_file(tmp_path, CLIPS, path=str(tmp_path / "no.jsonl"))
    with pytest.raises(ParamsError, match=r"problems\.train\[0\]\.split is 'dev'; it takes train, test"):
        from_file(tmp_path, CLIPS, split="dev")


def test_some_problems_are_drawn_by_seed_and_keep_their_ids(tmp_path):
    rows = [{**CLIPS, "question": f"Question {index}?"} for index in range(30)]
    drawn = {seed: [problem.id for problem in from_file(tmp_path, *rows, n=10, seed=seed)] for seed in (1, 2)}
    everything = [problem.id for problem in from_file(tmp_path, *rows)]
    assert drawn[1] == [name for name in everything if name in drawn[1]] and len(drawn[1]) == 10
    assert drawn[1] != drawn[2]
    assert drawn[1] == [problem.id for problem in from_file(tmp_path, *rows, n=10, seed=1)]


def test_a_hub_that_is_not_there_says_what_to_do(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(ParamsError, match=r"openai/gsm8k: the hub's copy cannot be read .*; give a local file"):
        gsm8k.read("train")


def test_a_row_of_the_hub_is_read_like_one_of_a_file(monkeypatch, tmp_path):
    """The hub's rows come through `datasets`; a parquet file on disk takes the same road."""
    import datasets

    folder = tmp_path / "copy"
    folder.mkdir()
    datasets.Dataset.from_list([CLIPS]).to_parquet(folder / "train.parquet")
    monkeypatch.setattr(gsm8k, "HUB", {"path": str(folder), "cache_dir": str(tmp_path)})
    assert gsm8k.read("train") == from_file(tmp_path, CLIPS)


def test_the_hub_is_pinned_to_a_commit():
    assert len(gsm8k.HUB["revision"]) == 40 and set(gsm8k.HUB["revision"]) <= set("0123456789abcdef")


@pytest.mark.shared_data
def test_the_published_solutions_verify():
    made = gsm8k.read("train", shared("gsm8k/train.jsonl"))
    reasons = [doubt(problem) for problem in made]
    assert len(made) == 7473
    assert reasons.count("") >= 0.983 * len(made)
    assert set(reasons) <= {
        "",
        gsm8k.NO_CALLS,
        gsm8k.STOPS_SHORT,
        "an annotation cannot be computed",
    }


@pytest.mark.shared_data
def test_chains_of_real_solutions_are_right_where_their_publishers_say_so():
    path = shared("gsm8k_model_solutions/even_0000-0658.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    right = [row[model]["is_correct"] for row in rows for model in gsm8k_solutions.MODELS]
    assert len(right) == 330 * 4
    for one, is_correct in zip(gsm8k_solutions.read(path), right, strict=True):
        chain = chain_of(one)
        row = verdict(chain, 0.0)
        assert row["answer_right"] is is_correct
        assert is_correct or row["verdict"] != "correct"
        assert (equal(chain.answer, one.problem.gold, "math") if chain.answer else False) is is_correct


def chain_of(one):
    return gsm8k_solutions.chain(one.problem, one.text, one.model)


def models_file(tmp_path, solution):
    text = {"is_correct": True, "solution": solution}
    row = {"question": "How many?", "ground_truth": "<<2*3=6>>6\nA: 6", **dict.fromkeys(gsm8k_solutions.MODELS, text)}
    path = tmp_path / "models.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return list(gsm8k_solutions.read(path))


@pytest.mark.parametrize(
    ("solution", "failure"),
    [
        ("<<2*3=6>>6\nA: 6", ""),
        ("<<18/3.0=6.0>>6\nA: 6", ""),
        ("<<20/3=6.666666666666667>>\n<<2*3=6>>6\nA: 6", ""),
        ("<<20/3=6.67>>6\n<<2*3=6>>6\nA: 6", "ungrounded"),
        ("<<2*4=6>>6\nA: 6", "ungrounded"),
        ("<<2*2=4>>4\nA: 6", "ungrounded"),
        ("It is 6\nA: 6", "no_tool_call"),
        ("<<2*2=4>>4\nSo there are 4 + 2 = 6.\nA: 6", ""),  # no annotation gives it, a plain equation does
        ("<<2*2=4>>4\nSo there are 4 + 3 = 6.\nA: 6", "ungrounded"),
        ("<<2*2=4>>4\nSo there are 4 + 3 = 7.\nA: 7", "wrong_answer"),
        ("<<X*2=6>>6\nA: 6", "no_tool_call"),
        ("<<2*2=4>>4\nA: 4", "wrong_answer"),
        ("<<2*3=6>>6 and on and on", "no_answer"),
    ],
)
def test_a_model_solution_is_judged_like_a_chain(tmp_path, solution, failure):
    made = models_file(tmp_path, solution)
    assert [one.model for one in made] == list(gsm8k_solutions.MODELS)
    assert {verdict(chain_of(one), 0.0)["failure"] for one in made} == {failure}


def test_plain_equations_are_steps_only_where_no_annotation_gives_the_answer(tmp_path):
    said = {"A: 6": ["Multiply(a=2, b=2)", "Add(a=4, b=2)"], "A: 4": ["Multiply(a=2, b=2)"]}
    for answer, calls in said.items():
        made = models_file(tmp_path, f"<<2*2=4>>4\nSo there are 4 + 2 = 6.\n{answer}")[0]
        made = chain_of(made)
        assert [step.text for step in made.steps[:-1]] == calls and made.stop == "finish"


@pytest.mark.parametrize(
    ("truth", "doubt"),
    [
        ("It is six.\nA: 6", ""),
        ("<<2*2=4>>4, and two more.\nA: 6", ""),
        ("<<2*2=6>>6\nA: 6", "an annotation does not give the value it says"),
        ("<<2*x=6>>6\nA: 6", "an annotation cannot be computed"),
    ],
)
def test_a_true_solution_that_is_not_all_calls_says_nothing_against_its_answer(tmp_path, truth, doubt):
    row = {"question": "How many?", "ground_truth": truth}
    row |= dict.fromkeys(gsm8k_solutions.MODELS, {"is_correct": True, "solution": "A: 6"})
    (tmp_path / "models.jsonl").write_text(json.dumps(row) + "\n")
    assert {one.problem.doubt for one in gsm8k_solutions.read(tmp_path / "models.jsonl")} == {doubt}


@pytest.mark.parametrize("solution", [{}, {"solution": 5}, {"solution": None}, "A: 6"])
def test_a_row_without_a_models_text_is_named(tmp_path, solution):
    path = tmp_path / "models.jsonl"
    path.write_text(json.dumps({"question": "q", "ground_truth": "A: 6", "6b_finetuning": solution}) + "\n")
    with pytest.raises(JsonlError, match=r"models\.jsonl line 1: no model solution as GSM8K publishes them"):
        list(gsm8k_solutions.read(path))
