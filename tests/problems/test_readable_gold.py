"""A gold that the grader does not read is found before anything is asked for it, or read where it is sure."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import problems_params, shared
from hypothesis import given
from hypothesis import strategies as st
from logs import PROBLEM, RIGHT, log_folder
from published_rows import ROWS, from_file

from stages import eval as evaluation
from stages import generate
from stages.params import load
from stages.problems import sources
from stages.problems.gold import UNREAD, confirmed, doubt, reports, table
from stages.problems.readable import reads, stated
from stages.records import schema
from stages.records.chain import number_text
from stages.records.errors import InputError
from stages.teacher.simulated import corpus
from stages.verdicts.answers import equal

MATH = {"question": "What is 3 + 4?", "answer": "7", "task": "math"}
LOGIC = {"question": "Leo is a wug. Each wug is red. Is it true that Leo is red?", "answer": "True", "task": "logic"}

READ = {
    "Tom has 3, and 4 more, so 7.\n#### 7": "7",
    "3 + 4 = 7 #### 1,234": "1,234",
    "Of 3 and 4 it is \\boxed{\\frac{1}{2}}.": "\\frac{1}{2}",
    "3 and 4 are\nFinal answer: 12": "12",
    "3 and 4 are\nA: 12": "12",
}
AS_IT_IS = (
    "7",
    "$18",
    "18 red apples",
    "50%",
    "3 1/2 cups",
    "{1, 2}",
    "(0, 1)",
    "\\sqrt{2}",
    "B",
    "(b) the book",
    "5e3",
)
UNREAD_MATH = (
    "1.5M",  # a concentration
    "$1.5M",
    "3K",
    "fourteen",
    "a dozen",
    "half",
    "one and a half",
    "two or three",
    "hundred",
    "two thousand thousand",
    "10:30",
    "5:1",
    "Jesse's class",
    "February 3rd",
    "No",
    "#### 7 #### 8",
    "\\boxed{7} or \\boxed{8}",
    "Answer: 7 or 9\nAnswer: 7",
    "nan",
    "####",
    "\\boxed{7",
)


@pytest.mark.parametrize(("answer", "gold"), READ.items())
def test_a_common_form_is_read_where_the_file_is(tmp_path, answer, gold):
    (problem,) = from_file(tmp_path, "jsonl", {**MATH, "answer": answer})
    assert problem.gold == gold and reads(gold, "math") and doubt(problem) == ""


@pytest.mark.parametrize("answer", AS_IT_IS)
def test_what_the_grader_reads_stays_as_it_is_written(tmp_path, answer):
    (problem,) = from_file(tmp_path, "jsonl", {**MATH, "answer": answer})
    assert problem.gold == answer


@pytest.mark.parametrize("answer", UNREAD_MATH)
def test_what_is_not_sure_is_refused(tmp_path, answer):
    with pytest.raises(InputError, match=r"rows\.jsonl: 1 of 1 answers are not surely read"):
        from_file(tmp_path, "jsonl", {**MATH, "answer": answer})


@pytest.mark.parametrize(
    ("answer", "gold"),
    [("Yes", "True"), ("#### False", "False"), ("Answer: yes.", "True"), ("uncertain", "uncertain"), ("C", "C")],
)
def test_labels_are_read(tmp_path, answer, gold):
    (problem,) = from_file(tmp_path, "jsonl", {**LOGIC, "answer": answer})
    assert problem.gold == gold


@pytest.mark.parametrize("answer", ["No", "maybe", "The green book", "7"])
def test_no_may_be_false_or_unknown(tmp_path, answer):
    with pytest.raises(InputError, match=r"write a number .*, True, False, Unknown, or an option's letter"):
        from_file(tmp_path, "jsonl", {**LOGIC, "answer": answer})


def test_one_error_counts_them_and_names_file_and_first_ids(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{**MATH, "question": f"What is 3 + {n}?", "answer": "7" if n < 3 else f"{n}:30"} for n in range(10)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "b.jsonl").write_text(json.dumps({**LOGIC, "answer": "No"}) + "\n")
    entries = tuple({"source": "jsonl", "path": f"{name}.jsonl"} for name in "ab")
    with pytest.raises(InputError) as refused:
        sources.load("heldout", problems_params((), (), entries, ()))
    assert str(refused.value) == (
        "a.jsonl, b.jsonl: 8 of 11 answers are not surely read, so nothing could be judged by them: a/000004 ('3:30'), "
        "a/000005 ('4:30'), a/000006 ('5:30'), a/000007 ('6:30'), a/000008 ('7:30') and 3 more; write a number (14, "
        "1,500, 1/3, $5), True, False, Unknown, or an option's letter, or leave these rows out; "
        "`python -m stages.problems.gold` lists them all"
    )
    made = reports(problems_params(entries, (), (), ()))
    assert [report["not_verified"] for report in made] == [
        {UNREAD: [f"a/{line:06d}" for line in range(4, 11)]},
        {UNREAD: ["b/000001"]},
    ]
    assert [(report["with_solution"], report["verified"]) for report in made] == [(0, 0), (0, 0)]
    assert f"problems.train[1]: 1: {UNREAD}\n  b/000001" in table(made)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return log_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize("use", ["train", "dev", "heldout", "ood"])
def test_nothing_is_asked_while_a_gold_of_one_s_own_is_not_read(folder, use):
    Path("own.jsonl").write_text(json.dumps({**MATH, "answer": "10:30"}) + "\n")
    folder.edit(f"  {use}:\n", f"  {use}:\n  - {{source: jsonl, path: own.jsonl}}\n")
    folder.write({"problem": PROBLEM, "messages": RIGHT})
    with pytest.raises(InputError, match=r"^own\.jsonl: 1 of 1 answers are not surely read"):
        generate.main()
    assert not Path("data").exists() and not list(Path(".journal").glob("*.jsonl"))


def test_no_student_is_loaded_while_a_gold_of_one_s_own_is_not_read(folder, monkeypatch):
    Path("own.jsonl").write_text(json.dumps({**MATH, "answer": "10:30"}) + "\n")
    folder.edit("  heldout:\n", "  heldout:\n  - {source: jsonl, path: own.jsonl}\n")
    for name in ("base", "sft", "dpo"):
        Path("models", name).mkdir(parents=True)
        Path("models", name, "config.json").write_text("no student")
    monkeypatch.setattr("sys.argv", ["eval"])
    with pytest.raises(InputError, match=r"^own\.jsonl: 1 of 1 answers"):
        evaluation.main()


def test_the_corpus_of_the_base_student_refuses_them_too(folder):
    Path("own.jsonl").write_text(json.dumps({**MATH, "answer": "10:30"}) + "\n")
    folder.edit("    problems: []", "    problems: [{source: jsonl, path: own.jsonl}]")
    with pytest.raises(InputError, match=r"^own\.jsonl: 1 of 1 answers .*rows out$"):
        corpus.attempts(load().generate.corpus)


def test_golds_of_chains_made_elsewhere_are_read_or_refused_likewise(folder):
    folder.edit("samples: 2", "samples: 0")
    folder.write({"problem": {**PROBLEM, "answer": "4 * 2 is 8, and 3 are\n#### 11"}, "messages": RIGHT})
    generate.main()
    assert [row["gold"] for row in schema.read("data/chains.jsonl", "chains")] == ["11"]
    unread = {"problem": {**PROBLEM, "question": "And 2 more?", "answer": "eleven or so"}, "messages": RIGHT}
    said = r"mine\.jsonl line 1: the answer 'eleven or so' is not surely read, .*; write"
    folder.write(unread)
    with pytest.raises(InputError, match=said):
        generate.main()
    folder.write(unread, {"problem": PROBLEM, "messages": RIGHT})  # the other rows go on
    generate.main()
    assert [row["question"] for row in schema.read("data/chains.jsonl", "chains")] == [PROBLEM["question"]]
    assert json.loads(Path("metrics/generate.json").read_text())["refused_rows"] == {"gold_not_read": 1}


def test_a_published_set_keeps_such_a_problem_and_no_teacher_is_asked_about_it(tmp_path):
    (problem,) = from_file(tmp_path, "asdiv", {**ROWS["asdiv"], "answer": "February 3rd"})
    assert problem.gold == "February 3rd" and not reads(problem.gold, "math") and confirmed([problem]) == []


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("source", "name", "keys", "unread"),
    [
        ("gsm8k", "gsm8k/train.jsonl", {"split": "train", "n": 1000}, 0),
        ("gsm8k", "gsm8k/test_0000-0658.jsonl", {"split": "test"}, 0),
        ("asdiv", "asdiv/validation.jsonl", {}, 211),
        ("mawps", "mawps/mawps.jsonl", {}, 0),
        ("folio", "folio/train.jsonl", {"split": "train"}, 0),
        ("prontoqa", "prontoqa/dev.jsonl", {}, 0),
        ("proofwriter", "proofwriter/dev.jsonl", {}, 0),
        ("logical_deduction", "logical_deduction/dev_even.jsonl", {}, 0),
    ],
)
def test_how_many_published_golds_are_not_read(tmp_path, monkeypatch, source, name, keys, unread):
    """Names, dates, ratios and times of ASDiv; each is doubted by its reader, so no training asks about it."""
    monkeypatch.chdir(tmp_path)
    entry = {"source": source, "path": str(shared(name)), **keys}
    found = sources.load("heldout", problems_params((), (), (entry,), ()))
    missed = [problem for problem in found if not reads(problem.gold, problem.task)]
    assert len(missed) == unread and all(problem.doubt for problem in missed)


@given(st.fractions(max_denominator=1000), st.sampled_from(["{}", "#### {}", "so\nAnswer: {}", "it is\n\\boxed{{{}}}"]))
def test_a_number_is_read_in_each_form_and_equals_itself(value, form):
    gold = stated(form.format(number_text(value)), "math")
    assert equal(number_text(value), gold, "math", Fraction(0)) is True


@given(st.text(max_size=60), st.sampled_from(["math", "logic"]))
def test_no_text_breaks_the_reader_and_what_it_makes_is_read(text, task):
    gold = stated(text, task)
    assert gold == text or reads(gold, task)


@pytest.mark.parametrize("text", ["\\boxed{" + "{" * 100_000, "A:\n" * 50_000])
def test_a_long_text_takes_no_time(text):
    start = time.process_time()
    assert stated(text, "math") == text
    assert time.process_time() - start < 1
