"""Training problems that are tested ones with other numbers and names: found, counted, and asked of no teacher."""

import json
from dataclasses import replace

import pytest
from conftest import ROOT, shared

from stages import generate
from stages.params import ParamsError, ProblemsParams
from stages.params import load as load_params
from stages.problems import builtin
from stages.problems.overlap import NGRAMS, OTHER_NUMBERS, base_overlap, contaminated, overlap, same_text
from stages.problems.sources import load
from stages.records.errors import InputError

SETTINGS = load_params(ROOT / "tests/small.yaml")
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
    return replace(SETTINGS, problems=ProblemsParams(train=(train,), dev=(), heldout=(tested,), ood=()))


def test_reasons_are_counted_apart_and_dropped_as_the_params_say(settings):
    problems = load("train", settings.problems)
    train = [(one.id, one.source, one.question) for one in problems]
    tested = load("heldout", settings.problems)
    assert contaminated(train, tested, settings.pair) == {"train/000001": OTHER_NUMBERS, "train/000002": NGRAMS}
    close = overlap(problems, [], settings)
    assert close.out == {"train/000001", "train/000002"}
    assert close.said() == "1 by shared words (train/000002), 1 by all but numbers and names (train/000001)"
    assert close.metrics() == {"contamination": 2, "too_close": {NGRAMS: 1, OTHER_NUMBERS: 1}}
    reported = overlap(problems, [], replace(settings, pair=replace(settings.pair, other_numbers="report")))
    assert reported.out == {"train/000002"}
    assert reported.metrics() == {"contamination": 1, "too_close": {NGRAMS: 1, OTHER_NUMBERS: 1}}


def reading(settings, *entries, other_numbers="drop"):
    base = replace(settings.train.base, problems=entries)
    pair = replace(settings.pair, other_numbers=other_numbers)
    return replace(settings, train=replace(settings.train, base=base), pair=pair)


def test_the_corpus_of_the_base_student_holds_no_tested_problem_unless_it_is_said(settings):
    entry = settings.problems.train[0]
    assert base_overlap(settings) == {}
    with pytest.raises(InputError) as refused:
        base_overlap(reading(settings, entry))
    assert str(refused.value) == (
        "train.base.problems: 2 of 4 problems are too close to tested ones (1 share words, 1 are one with other "
        "numbers): train/000001, train/000002; take other ones, or only count them with pair.other_numbers: report"
    )
    counted = base_overlap(reading(settings, entry, other_numbers="report"))
    assert counted == {"problems": 4, NGRAMS: 1, OTHER_NUMBERS: 1}
    built_in = {"source": "builtin/math", "n": 20, "seed": 1}
    assert base_overlap(reading(settings, built_in)) == {"problems": 20, NGRAMS: 0, OTHER_NUMBERS: 0}


@pytest.mark.parametrize(("name", "value"), [("fold", 1), ("folds", 4), ("seed", 2), ("by", "row")])
def test_another_fold_than_the_tested_one_is_refused(settings, name, value):
    """It holds every problem of the tested fold, and a run of `fold` over 0 to 4 is easily half done."""
    entry = {"source": "asdiv", "part": "a", "path": "asdiv.jsonl", "folds": 5, "fold": 0, "seed": 1, "by": "words"}
    held = replace(settings.problems, heldout=({**entry, "use": "test"},))
    changed = reading(replace(settings, problems=held), {**entry, "use": "train", name: value}, other_numbers="report")
    key, tested = rf"train\.base\.problems\[0\]\.{name}", rf"problems\.heldout\[0\]\.{name}"
    message = rf"{key} is {value!r}, but {tested} is {entry[name]!r}, so"
    with pytest.raises(ParamsError, match=message):
        base_overlap(changed)


def test_built_in_problems_share_templates_and_are_left_alone():
    made = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "train", 200, 1)]
    tested = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "heldout", 200, 1)]
    train = [(one.id, one.source, one.question) for one in made]
    assert OTHER_NUMBERS not in contaminated(train, tested, SETTINGS.pair).values()
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
    problems = ProblemsParams((), (), (), ())
    problems = replace(problems, **{use: settings.problems.heldout})
    train = load("train", replace(problems, train=(rows(tmp_path / "own.jsonl", spelling(TESTED)),)))
    strict = replace(settings.pair, max_overlap=1.0, other_numbers="report")
    close = overlap(train, [], replace(settings, problems=problems, pair=strict))
    assert close.reasons == {"own/000001": NGRAMS} and close.out == {"own/000001"}


def test_no_teacher_is_asked_about_a_tested_problem_and_generate_counts_it(tmp_path, monkeypatch, capsys):
    def row(a, b):
        calls = [f"Subtract(a={a}, b={b})", f'Finish(answer="{a - b}")']
        question = TESTED.replace("70", str(a)).replace("27", str(b))
        return {"question": question, "answer": str(a - b), "task": "math", "solution": calls}

    other = {**row(90, 12), "question": "Of 90 pens Tom, who likes pens a lot, sold 12. How many did he keep?"}
    for name, made in (("train", [row(51, 8), other]), ("tested", [row(70, 27)])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))
    text = (ROOT / "tests/small.yaml").read_text()
    begin, end = text.index("problems:"), text.index("agent:")
    uses = {"train": "train", "heldout": "tested"}
    made = {use: [{"source": "jsonl", "path": f"{name}.jsonl"}] for use, name in uses.items()} | {"dev": [], "ood": []}
    text = text[:begin] + f"problems: {json.dumps(made)}\n\n" + text[end:].replace("samples: 3", "samples: 12")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    generate.main()
    said = "1 of 2 problems are too close to tested ones and left out: 1 by all but numbers and names (train/000001)"
    assert f"generate: {said}; metrics/generate.json counts them" in capsys.readouterr().err
    counts = json.loads((tmp_path / "metrics/generate.json").read_text())
    assert "base" not in counts
    assert (counts["contamination"], counts["too_close"]) == (1, {NGRAMS: 0, OTHER_NUMBERS: 1})
    asked = [
        json.loads(line)["problem_id"] for line in (tmp_path / "data/chains.jsonl").read_text().split("\n") if line
    ]
    assert set(asked) == {"train/000002"}

    read = text.replace("problems: []\n", "problems: [{source: jsonl, path: train.jsonl}]\n")
    (tmp_path / "params.yaml").write_text(read)
    with pytest.raises(InputError, match=r"train\.base\.problems: 1 of 2 problems are too close"):
        generate.main()
    (tmp_path / "params.yaml").write_text(read.replace("other_numbers: drop", "other_numbers: report"))
    generate.main()
    assert "generate: 1 of 2 problems of train.base.problems are too close to tested ones" in capsys.readouterr().err
    counted = json.loads((tmp_path / "metrics/generate.json").read_text())["base"]
    assert counted == {"problems": 2, NGRAMS: 0, OTHER_NUMBERS: 1}


@pytest.mark.shared_data
def test_a_fold_of_mawps_is_tested_on_its_own_texts_and_one_of_asdiv_is_not():
    """What published cross-validations of MAWPS count as new problems: 1 train problem in 6 is a tested text."""
    shares = {}
    for source, name, keys in (("mawps", "mawps/mawps.jsonl", {}), ("asdiv", "asdiv/validation.jsonl", {"part": "a"})):
        entry = {"source": source, "path": str(shared(name)), "folds": 5, "fold": 0, "seed": 1, **keys}
        uses = ({**entry, "use": "train"},), ({**entry, "use": "test"},)
        problems = ProblemsParams(train=uses[0], dev=(), heldout=uses[1], ood=())
        train = [(one.id, one.source, one.question) for one in load("train", problems)]
        found = contaminated(train, load("heldout", problems), SETTINGS.pair)
        shares[source] = len(found) / len(train)
    assert 0.12 < shares["mawps"] < 0.25 and shares["asdiv"] < 0.01
