"""Training problems that are tested ones with other numbers and names: found, counted, and asked of no teacher."""

import json
from dataclasses import replace

import pytest
from conftest import problems_params, small_params, small_settings

from stages import generate
from stages.problems import builtin
from stages.problems.overlap import NGRAMS, OTHER_NUMBERS, contaminated, overlap, same_text, too_close
from stages.problems.overlap import tested as exams
from stages.problems.sources import load
from stages.records import schema

SETTINGS = small_settings()
TESTED = "Joan found 70 shells. She gave Sam 27 of them. How many shells has Joan now?"


def test_other_numbers_and_names_make_no_other_text():
    questions = {
        "same": TESTED,
        "numbers": TESTED.replace("70", "1,250.5").replace("27", "nine"),
        "names": "Mary found 41 shells. She gave Ann 3 of them. How many shells has Mary now?",
        "things": TESTED.replace("shells", "coins"),
        "verb": TESTED.replace("gave", "took"),
        "more": TESTED + " And how many has Sam?",
        "known": "Then Mary met Ann.",
    }
    assert same_text(questions, [TESTED]) == ["same", "numbers", "names"]
    assert same_text(questions, []) == []


def test_a_word_that_is_also_written_small_is_no_name():
    questions = {"pears": "Pears cost 3 dollars. How much are 4?", "list": "He sells Pears and Apples."}
    assert same_text(questions, ["Apples cost 5 dollars. How much are 9?"]) == ["pears"]
    questions["small"] = "He ate pears."
    assert same_text(questions, ["Apples cost 5 dollars. How much are 9?"]) == []


def rows(path, *questions):
    path.write_text("".join(json.dumps({"question": q, "answer": "43", "task": "math"}) + "\n" for q in questions))
    return {"source": "jsonl", "path": str(path)}


@pytest.fixture
def settings(tmp_path):
    """A tested question; training on it with other numbers, on a part of it word by word, and on two others."""
    train = rows(
        tmp_path / "train.jsonl",
        TESTED.replace("70", "51"),
        "It rains. " + TESTED,
        "Tom has 43 pens. How many has he?",
        "Ann has 43 cups of tea and drinks them all. How many has she drunk?",
    )
    tested = rows(tmp_path / "tested.jsonl", TESTED, "Tom has 12 pens, 3 caps and 8 cups. What is that in all?")
    return replace(SETTINGS, problems=problems_params(train=(train,), dev=(), heldout=(tested,), ood=()))


def test_reasons_are_counted_apart_and_dropped_as_the_params_say(settings):
    problems = load("train", settings.problems)
    train = [(one.id, one.source, one.question) for one in problems]
    tested = load("heldout", settings.problems)
    reasons = contaminated(train, tested, settings.problems.overlap)
    assert reasons == {"train/000001": OTHER_NUMBERS, "train/000002": NGRAMS}
    close = overlap(problems, tested, settings.problems.overlap)
    assert close.out == {"train/000001", "train/000002"}
    assert close.said() == "1 by shared words (train/000002), 1 by all but numbers and names (train/000001)"
    assert close.metrics() == {"contamination": 2, "too_close": {NGRAMS: 1, OTHER_NUMBERS: 1}}
    reported = overlap(problems, tested, replace(settings.problems.overlap, other_numbers="report"))
    assert reported.out == {"train/000002"}
    assert reported.metrics() == {"contamination": 1, "too_close": {NGRAMS: 1, OTHER_NUMBERS: 1}}


def test_built_in_problems_share_templates_and_are_left_alone():
    made = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "train", 200, 1)]
    tested = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "heldout", 200, 1)]
    train = [(one.id, one.source, one.question) for one in made]
    assert OTHER_NUMBERS not in contaminated(train, tested, SETTINGS.problems.overlap).values()
    assert same_text({name: question for name, _, question in train}, [one.question for one in tested]) != []


@pytest.mark.parametrize(
    "spelling",
    [
        str.upper,
        lambda text: text.replace(" ", "\n\u00a0 "),
        lambda text: text.replace("She", "\u200bShe").replace("found", "fo\u00adund"),
        lambda text: text.translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789?"}),  # full width
        lambda text: text.replace("70 shells", "70shells").replace(". ", "."),
    ],
)
@pytest.mark.parametrize("use", ["dev", "heldout", "ood"])
def test_another_spelling_of_spaces_letters_or_case_is_the_tested_question(settings, tmp_path, use, spelling):
    """However few words are shared: the share is of runs of 13, and the question has 16."""
    problems = problems_params((), (), (), ())
    problems = replace(problems, **{use: settings.problems.heldout})
    train = load("train", replace(problems, train=(rows(tmp_path / "own.jsonl", spelling(TESTED)),)))
    strict = replace(settings.problems.overlap, share=1.0, other_numbers="report")
    close = overlap(train, exams(problems), strict)
    assert close.reasons == {"own/000001": NGRAMS} and close.out == {"own/000001"}


def test_no_teacher_is_asked_about_a_tested_problem_and_generate_counts_it(tmp_path, monkeypatch, capsys):
    def row(a, b):
        calls = [f"Subtract(a={a}, b={b})", f'Finish(answer="{a - b}")']
        question = TESTED.replace("70", str(a)).replace("27", str(b))
        return {"question": question, "answer": str(a - b), "task": "math", "solution": calls}

    other = {**row(90, 12), "question": "Of 90 pens Tom, who likes pens a lot, sold 12. How many did he keep?"}
    for name, made in (("train", [row(51, 8), other]), ("tested", [row(70, 27)])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))
    text = small_params()
    begin, end = text.index("problems:"), text.index("agent:")
    uses = {"train": "train", "heldout": "tested"}
    made = {use: [{"source": "jsonl", "path": f"{name}.jsonl"}] for use, name in uses.items()} | {"dev": [], "ood": []}
    made |= {"fold": None, "overlap": {"ngram": 13, "share": 0.5, "other_numbers": "drop"}}
    text = text[:begin] + f"problems: {json.dumps(made)}\n\n" + text[end:].replace("samples: 3", "samples: 12")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    generate.main()
    said = "1 of 2 problems are too close to tested ones and left out: 1 by all but numbers and names (train/000001)"
    assert f"generate: {said}; metrics/generate.json counts them" in capsys.readouterr().err
    counts = json.loads((tmp_path / "metrics/generate.json").read_text())
    assert counts["corpus"] == {"conversations": 300, "contamination": 0, "too_close": {NGRAMS: 0, OTHER_NUMBERS: 0}}
    assert (counts["contamination"], counts["too_close"]) == (1, {NGRAMS: 0, OTHER_NUMBERS: 1})
    asked = [
        json.loads(line)["problem_id"] for line in (tmp_path / "data/chains.jsonl").read_text().split("\n") if line
    ]
    assert set(asked) == {"train/000002"}

    # The corpus is held to the same rule.
    read = text.replace("problems: []\n", "problems: [{source: jsonl, path: train.jsonl}]\n")
    for rule, left in (("drop", 1), ("report", 2)):
        (tmp_path / "params.yaml").write_text(read.replace('"drop"', f'"{rule}"'))
        generate.main()
        counted = json.loads((tmp_path / "metrics/generate.json").read_text())["corpus"]
        assert counted["too_close"] == {NGRAMS: 0, OTHER_NUMBERS: 1} and counted["contamination"] == 2 - left
        corpus = schema.read(tmp_path / "data/corpus.jsonl", "corpus")
        assert len([row for row in corpus if row["problem_id"].startswith("train/")]) == left


def test_a_question_is_too_close_by_its_shared_runs_of_words():
    tested = ["Tom has 12 red pens and 7 boxes in all.", "Each rompus is a zumpus."]
    questions = {
        "same": "tom has 12 red pens, and 7 boxes in all",
        "inside": "On Monday it rains. Tom has 12 red pens and 7 boxes in all. Then he sells some of them to Ann.",
        "number": "Tom has 13 red pens and 8 boxes in all.",
        "half": "Tom has 12 red pens and 7 cups at home, too.",
        "short": "each ROMPUS is a zumpus",
        "other": "How many days has a leap year?",
    }
    assert too_close(questions, tested, n=3, most=0.5) == {"same": 1, "inside": 1, "half": 5 / 8, "short": 1}
    assert set(too_close(questions, tested, n=3, most=1)) == {"same", "inside", "short"}
    assert set(too_close(questions, tested, n=13, most=0.5)) == {"same", "short"}
    assert "other" not in too_close(questions, tested, n=2, most=0.0)
    assert too_close(questions, [], n=3, most=0.0) == {}
