"""The keys of a source in the parameters: parts and folds take some of its problems, a wrong key is named."""

from dataclasses import replace

import pytest
from conftest import small_settings
from published_rows import ROWS, from_file, use_of

from stages.params import FoldParams, ParamsError
from stages.problems.jsonl import JsonlError
from stages.problems.sources import load_corpus
from stages.records.problem import words


def test_the_parts_of_mawps_are_question_and_answer(tmp_path):
    row = {"input": "Tom has 3 pens and finds 4 . How many ?", "target": 7.0}
    (problem,) = from_file(tmp_path, "mawps", row, part="addsub")
    assert (problem.id, problem.gold, problem.solution) == ("mawps/addsub/00000", "7", ())
    with pytest.raises(JsonlError, match="line 1: sQuestion is missing or no text"):
        from_file(tmp_path, "mawps", row)
    with pytest.raises(ParamsError, match="mawps: part addsub is read from a local file only"):
        use_of({"source": "mawps", "part": "addsub"})


@pytest.mark.parametrize(
    ("equation", "single"),
    [
        ("56*9=x", True),
        ("X = (27.0*16.0)", True),
        ("money=25000.0-(1500.0*8.0)", True),
        ("0.8-0.1", True),
        ("X = 0.32 = 0.21", True),  # as published
        ("5+x=9", False),
        ("x+25=x*2", False),
        ("new_cost=50.0-8.0", False),
        ("9=3+6", False),
    ],
)
def test_part_single_is_of_equations_that_say_what_the_unknown_is(tmp_path, equation, single):
    row = {**ROWS["mawps"], "lEquations": [equation]}
    whole = from_file(tmp_path, "mawps", row)
    assert from_file(tmp_path, "mawps", row, part="single") == (whole if single else [])


def test_asdiv_a_takes_rows_that_say_whether_they_are_in_it(tmp_path):
    rows = [{**ROWS["asdiv"], "asdiv_a": True}, {**ROWS["asdiv"], "body": "Tom shares 22 pens.", "asdiv_a": False}]
    assert len(from_file(tmp_path, "asdiv", *rows, part="a")) == 1 and len(from_file(tmp_path, "asdiv", *rows)) == 2
    with pytest.raises(JsonlError, match=r"line 1: asdiv_a is missing; part a takes a local file"):
        from_file(tmp_path, "asdiv", ROWS["asdiv"], part="a")


def numbered(count):
    return [{**ROWS["mawps"], "sQuestion": f"Tom had some pens. He lost 3.5 and has 8, day {n}."} for n in range(count)]


def test_folds_part_the_problems_and_a_repeated_question_is_in_one_fold(tmp_path):
    repeated = [{**row, "sQuestion": row["sQuestion"].replace(",", " ,").upper()} for row in numbered(40)[:15]]
    found = {}
    for hold in range(5):
        for use in ("train", "heldout"):
            fold = FoldParams(of=5, hold=hold, seed=3)
            found[hold, use] = from_file(tmp_path, "mawps", *numbered(40), *repeated, use=use, fold=fold)
    tested = [problem.id for hold in range(5) for problem in found[hold, "heldout"]]
    assert len(tested) == len(set(tested)) == 55
    for hold in range(5):
        words = {
            use: {problem.question.lower().replace(" ,", ",") for problem in found[hold, use]}
            for use in ("train", "heldout")
        }
        assert not words["train"] & words["heldout"] and len(words["heldout"]) == 8
        assert len(found[hold, "train"]) + len(found[hold, "heldout"]) == 55


def test_every_tested_use_reads_the_held_fold_and_a_source_without_folds_is_whole(tmp_path):
    fold = FoldParams(of=4, hold=1)
    held = {use: from_file(tmp_path, "mawps", *numbered(8), use=use, fold=fold) for use in ("dev", "heldout", "ood")}
    assert len(held["heldout"]) == 2 and held["dev"] == held["ood"] == held["heldout"]
    assert len(from_file(tmp_path, "mawps", *numbered(8))) == 8
    row = {**ROWS["gsm_hard"], "input": "Tom has 3 pens and buys 2. How many?"}
    assert len(from_file(tmp_path, "gsm_hard", ROWS["gsm_hard"], row, use="heldout", fold=fold)) == 2


@pytest.mark.parametrize("by", ["words", "row"])
def test_folds_by_row_part_a_repeated_question_and_the_corpus_is_cut_as_the_training_problems_are(tmp_path, by):
    """As in published cross-validations, where some tested questions stand word for word among the trained ones."""
    repeated = [{**row, "sQuestion": row["sQuestion"].replace(",", " ,")} for row in numbered(40)]
    corpus = small_settings().generate.corpus
    in_both, places = 0, []
    for hold in range(5):
        fold = FoldParams(of=5, hold=hold, seed=3, by=by)
        tested = from_file(tmp_path, "mawps", *numbered(40), *repeated, use="heldout", fold=fold)
        entry = {"source": "mawps", "path": str(tmp_path / "rows.jsonl")}
        trained, read = use_of(entry, fold=fold), load_corpus(replace(corpus, problems=(entry,)), fold)
        assert [problem.id for problem in read] == [problem.id for problem in trained]
        assert not {problem.id for problem in tested} & {problem.id for problem in trained}
        known = {words(problem) for problem in read}
        in_both += sum(words(problem) in known for problem in tested)
        places += [problem.id for problem in tested]
    assert len(places) == len(set(places)) == 80
    assert in_both > 40 if by == "row" else in_both == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"folds": 5}, r"unknown key problems\.train\[0\]\.folds; known here: source, path, n, seed, part, redraws"),
        ({"part": "b"}, r"problems\.train\[0\]\.part is 'b'; it takes mawps, single, addsub"),
        ({"split": "train"}, r"unknown key problems\.train\[0\]\.split"),
        ({"redraws": 0}, r"redraws is 0; it takes 1 or more"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, keys, message):
    with pytest.raises(ParamsError, match=message):
        from_file(tmp_path, "mawps", ROWS["mawps"], **keys)
