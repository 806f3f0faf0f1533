"""The keys of a source in the parameters: parts and folds take some of its problems, a wrong key is named."""

import pytest
from published_rows import ROWS, from_file, use_of

from stages.params import ParamsError
from stages.problems.jsonl import JsonlError


def test_the_parts_of_mawps_are_question_and_answer(tmp_path):
    row = {"input": "Tom has 3 pens and finds 4 . How many ?", "target": 7.0}
    (problem,) = from_file(tmp_path, "mawps", row, part="addsub")
    assert (problem.id, problem.gold, problem.solution) == ("mawps/addsub/00000", "7", ())
    with pytest.raises(JsonlError, match="line 1: sQuestion is missing or no text"):
        from_file(tmp_path, "mawps", row)
    with pytest.raises(ParamsError, match="mawps: part addsub is read from a local file only"):
        use_of({"source": "mawps", "part": "addsub"})


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
    for fold in range(5):
        for use in ("train", "test"):
            keys = {"folds": 5, "fold": fold, "use": use, "seed": 3}
            found[fold, use] = from_file(tmp_path, "mawps", *numbered(40), *repeated, **keys)
    tested = [problem.id for fold in range(5) for problem in found[fold, "test"]]
    assert len(tested) == len(set(tested)) == 55
    for fold in range(5):
        words = {
            use: {problem.question.lower().replace(" ,", ",") for problem in found[fold, use]}
            for use in ("train", "test")
        }
        assert not words["train"] & words["test"] and len(words["test"]) == 8
        assert len(found[fold, "train"]) + len(found[fold, "test"]) == 55


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"folds": 5, "fold": 0, "use": "test"}, r"missing key problems\.train\[0\]\.seed; folds takes folds, fold"),
        ({"fold": 0, "use": "test", "seed": 1}, r"missing key problems\.train\[0\]\.folds; fold takes"),
        ({"folds": 1, "fold": 0, "use": "test", "seed": 1}, r"folds is 1; it takes 2 or more"),
        ({"folds": 5, "fold": 5, "use": "test", "seed": 1}, r"fold is 5; it takes 0 to 4"),
        ({"folds": 5, "fold": 0, "use": "dev", "seed": 1}, r"use is 'dev'; it takes train, test"),
        ({"part": "b"}, r"problems\.train\[0\]\.part is 'b'; it takes mawps, addsub"),
        ({"split": "train"}, r"unknown key problems\.train\[0\]\.split"),
        ({"redraws": 0}, r"redraws is 0; it takes 1 or more"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, keys, message):
    with pytest.raises(ParamsError, match=message):
        from_file(tmp_path, "mawps", ROWS["mawps"], **keys)
