"""The published sets: each row becomes a problem whose solution gives gold, and a bad row is named."""

import json
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from conftest import shared
from published_rows import KEYS, ROWS, from_file, use_of

from stages.params import ErrorRates, FoldParams, ParamsError
from stages.problems import sources
from stages.problems.gold import doubt
from stages.problems.jsonl import JsonlError
from stages.problems.published import folio, logical_deduction, prontoqa
from stages.problems.solutions import equations
from stages.records.chain import Call, Chain, Step
from stages.records.numbers import exact
from stages.records.problem import text_key
from stages.teacher.simulated.error_model import errant_texts
from stages.tools import TOOLKITS
from stages.tools.fol.story import read_story
from stages.tools.run import run_call
from stages.verdicts.verdict import verdict

SOLUTIONS = {
    "svamp": ["Subtract(a=76, b=25)", "Multiply(a=51, b=3)", 'Finish(answer="153")'],
    "asdiv": [
        'Calculate(expression="22 % 5")',
        "Subtract(a=22, b=2)",
        "Divide(a=20, b=5)",
        'Finish(answer="4")',
    ],
    "mawps": ["Add(a=8, b=3.5)", 'Finish(answer="11.5")'],
    "folio": [
        'Premise(formula="∀x (Cat(x) → Purr(x))")',
        'Premise(formula="Cat(tom)")',
        'Entails(formula="Purr(tom)")',
        'Finish(answer="True")',
    ],
    "proofwriter": [
        'Derive(fact="Bob is red")',
        'Derive(fact="Bob is rough")',
        'Check(fact="Bob is not rough")',
        'Finish(answer="False")',
    ],
    "prontoqa": [
        'Derive(fact="Max is a dumpus")',
        'Derive(fact="Max is not sour")',
        'Check(fact="Max is sour")',
        'Finish(answer="False")',
    ],
}
GOLDS = {"gsm_hard": "1234569", "logical_deduction": "B"}


@pytest.mark.parametrize("source", ROWS)
def test_a_published_row_becomes_a_problem_whose_solution_gives_gold(tmp_path, source):
    (problem,) = from_file(tmp_path, source, ROWS[source])
    texts = [call.text() for call in problem.solution]
    assert texts == SOLUTIONS.get(source, [])
    assert problem.gold == GOLDS.get(source) or texts[-1] == f'Finish(answer="{problem.gold}")'
    assert problem.source == source and problem.id.startswith(f"{source}/")
    assert doubt(problem) == ""


@pytest.mark.parametrize("source", ROWS)
def test_the_hub_s_rows_are_read_like_those_of_a_file(monkeypatch, tmp_path, source):
    """The hub's rows come through `datasets`; parquet files on disk take the same road."""
    import datasets

    module = sources.PUBLISHED[source][0]
    folder = tmp_path / "copy"
    splits = {"svamp": ("train", "test"), "mawps": ("train", "validation", "test")}.get(
        source, (module.HUB.get("split", "validation"),)
    )
    names = getattr(module, "NAMES", ("",))
    for name in names:
        for split in splits:
            (folder / name).mkdir(parents=True, exist_ok=True)
            datasets.Dataset.from_list([ROWS[source]]).to_parquet(folder / name / f"{split}.parquet")
    if names != ("",):
        listed = [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in names]
        lines = [
            f"- config_name: {one['config_name']}\n  data_files:\n  - split: test\n    path: {one['data_files']}"
            for one in listed
        ]
        (folder / "README.md").write_text("---\nconfigs:\n" + "\n".join(lines) + "\n---\n")
    kept = {key: value for key, value in module.HUB.items() if key not in ("revision", "data_files")}
    monkeypatch.setattr(module, "HUB", {**kept, "path": str(folder), "cache_dir": str(tmp_path / "cache")})
    (found,) = use_of({"source": source, **KEYS.get(source, {})})
    (local,) = from_file(tmp_path, source, ROWS[source])
    assert vars(found) == vars(local)


@pytest.mark.parametrize("source", ROWS)
def test_a_hub_that_is_not_there_says_what_to_do(monkeypatch, tmp_path, source):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(ParamsError, match=r"the hub's copy cannot be read .*; give a local file as problems\.\*\.path"):
        use_of({"source": source, **KEYS.get(source, {})})


def test_the_hub_s_copies_are_pinned_to_commits_but_one():
    pins = {name: module.HUB["revision"] for name, (module, _) in sources.PUBLISHED.items()}
    assert pins.pop("proofwriter") == "main"  # no commit could be looked up
    assert all(len(pin) == 40 and set(pin) <= set("0123456789abcdef") for pin in pins.values())


BROKEN = [
    ("gsm_hard", {"target": "many"}, "target is 'many', no number"),
    ("gsm_hard", {"target": None}, "target is 'None', no number"),
    ("svamp", {"Equation": 3}, "Equation is missing or no text"),
    ("svamp", {"Answer": True}, "Answer is 'True', no number"),
    ("asdiv", {"answer": " "}, "answer is missing or no text"),
    ("mawps", {"lEquations": ["x=1", "y=2"]}, "lEquations is no list of one"),
    ("mawps", {"lSolutions": ["nan"]}, "lSolutions is 'nan', no number"),
    ("folio", {"label": "Perhaps"}, "label is 'Perhaps'; it takes True, False, Unknown, Uncertain"),
    ("folio", {"premises": 3}, "premises is no list of texts"),
    ("folio", {"premises": []}, "premises is empty"),
    ("proofwriter", {"answer": "D"}, "answer is 'D'; it takes a letter: A, B, C"),
    ("proofwriter", {"options": "A) True"}, "options are no list such as"),
    ("proofwriter", {"options": ["A) True", "B) Maybe"]}, "option 'Maybe' is none of True, False, Unknown"),
    ("logical_deduction", {"options": ["A) one", "A) two"]}, "options are no list such as"),
]


@pytest.mark.parametrize(("source", "change", "message"), BROKEN)
def test_a_bad_row_names_file_and_line(tmp_path, source, change, message):
    with pytest.raises(JsonlError) as error:
        from_file(tmp_path, source, ROWS[source], {**ROWS[source], **change})
    assert str(error.value).startswith(f"{tmp_path}/rows.jsonl line 2: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ROWS)
def test_a_missing_file_is_one_line(tmp_path, source):
    with pytest.raises(JsonlError, match=r"^\S*gone\.jsonl: No such file or directory; check its path"):
        use_of({"source": source, "path": str(tmp_path / "gone.jsonl"), **KEYS.get(source, {})})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[\n{"ID": "a"},\n  {"ID" 3}]', "SVAMP.json: no JSON array: Expecting ':' delimiter: line 3 column 9"),
        ('[\n{"ID": "a"}\n{"ID": "b"}]', "SVAMP.json: no JSON array: Expecting ',' delimiter: line 3 column 1"),
        ('[{"ID": "a", "ID": "b"}]', "SVAMP.json: no JSON array: a key stands twice"),
        ("[\n\n3]", "SVAMP.json row 1: no JSON object: a int"),
        ("[", "SVAMP.json: no JSON array: "),
    ],
)
def test_a_broken_array_names_file_and_place(tmp_path, text, message):
    with pytest.raises(JsonlError) as error:
        from_file(tmp_path, "svamp", text, name="SVAMP.json")
    assert message in str(error.value)


def test_an_array_is_read_like_lines(tmp_path):
    other = {**ROWS["svamp"], "ID": "chal-2", "Body": "Each box costs 76 dollars."}
    array = from_file(tmp_path, "svamp", json.dumps([ROWS["svamp"], other], indent=2), name="SVAMP.json")
    assert array == from_file(tmp_path, "svamp", ROWS["svamp"], other) and len(array) == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.3333333333333333", Fraction(1, 3)),
        ("2.6666666666666665", Fraction(8, 3)),
        ("3.333", Fraction(3333, 1000)),
        ("-7", Fraction(-7)),
        ("1e+16", Fraction(10**16)),
        ("1/3", Fraction(1, 3)),
        ("1/0", None),
        ("1e999", None),
        ("٣", None),
        ("", None),
    ],
)
def test_a_float_that_is_a_fraction_is_read_as_one(text, number):
    assert exact(text) == number


@pytest.mark.shared_data
def test_the_engine_s_proofs_of_prontoqa_state_the_facts_of_the_published_ones():
    path = shared("prontoqa/dev.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row, problem in zip(rows, prontoqa.read(path), strict=True):
        derived = [f"{call.arguments['fact']}." for call in problem.solution if call.tool == "Derive"]
        published = [sentence for sentence in row["explanation"] if sentence.startswith(derived[0].split()[0])]
        assert len(derived) == len(published) - 1  # the first is given


def test_gold_that_the_engine_does_not_reach_is_in_doubt(tmp_path):
    (problem,) = from_file(tmp_path, "proofwriter", {**ROWS["proofwriter"], "answer": "C"})
    assert problem.solution == () and doubt(problem) == "forward chaining gives False where gold is Unknown"
    odd = {**ROWS["proofwriter"], "context": "Bob is cold. Perhaps, unless it rains, nobody is red!"}
    (problem,) = from_file(tmp_path, "proofwriter", odd)
    assert doubt(problem) == "a sentence is not understood"


def test_folio_without_a_conclusion_formula_is_unchecked_and_with_a_broken_one_in_doubt(tmp_path):
    row = {key: value for key, value in ROWS["folio"].items() if key != "conclusion-FOL"}
    (problem,) = from_file(tmp_path, "folio", row)
    assert problem.solution == () and doubt(problem) == ""
    (problem,) = from_file(tmp_path, "folio", {**ROWS["folio"], "premises-FOL": ["Cat(tom", "Cat(tom)"]})
    assert doubt(problem) == "a formula is not understood"
    (problem,) = from_file(tmp_path, "folio", {**ROWS["folio"], "label": "Uncertain"})
    assert problem.gold == "Unknown" and doubt(problem) == "the solution is incorrect: ungrounded"


def test_folio_is_read_as_lists_and_as_lines(tmp_path):
    lines = {key: "\n".join(value) if isinstance(value, list) else value for key, value in ROWS["folio"].items()}
    assert from_file(tmp_path, "folio", lines) == from_file(tmp_path, "folio", ROWS["folio"])


def test_options_stand_in_the_question_where_gold_is_a_letter(tmp_path):
    (problem,) = from_file(tmp_path, "logical_deduction", ROWS["logical_deduction"])
    assert problem.question.endswith("true?\nA) The green book is the rightmost.\nB) The red book is the rightmost.")
    hard = {"input": "Two books.\nOptions:\n(A) The red one.\n(B) The green one.", "target": "(B)"}
    assert logical_deduction.problem(0, "here", hard).gold == "B"


@pytest.mark.parametrize(("asked", "answer", "failure"), [("Last(red)", "B", ""), ("Last(green)", "B", "ungrounded")])
def test_a_letter_rests_on_a_question_that_came_out_true(tmp_path, asked, answer, failure):
    (problem,) = from_file(tmp_path, "logical_deduction", ROWS["logical_deduction"])
    calls = [
        Call("Premise", {"formula": "Left(green, red)"}),
        Call("Premise", {"formula": "∀x (∀y (Left(x, y) → Last(y) ∧ ¬Last(x)))"}),
        Call("Entails", {"formula": asked}),
        Call("Finish", {"answer": answer}),
    ]
    state = TOOLKITS["fol"].open(problem.question)
    steps: tuple[Step, ...] = tuple(run_call(call.text(), TOOLKITS["fol"].tools, state) for call in calls)
    told = {key: getattr(problem, key) for key in ("task", "toolkit", "source", "question", "gold")}
    chain = Chain(problem.id, teacher="t", sample=0, prompt=(), steps=steps, answer=answer, stop="finish", **told)
    assert verdict(chain, 0.0)["failure"] == failure


@pytest.mark.parametrize("source", SOLUTIONS)
def test_the_simulated_teacher_errs_on_every_source(tmp_path, source):
    (problem,) = from_file(tmp_path, source, ROWS[source])
    right = tuple(call.text() for call in problem.solution)
    rates = ErrorRates(misconception=0.5, slip=0.2, overshoot=0.2)
    attempts = [tuple(errant_texts(problem, str(seed), rates)) for seed in range(60)]
    assert right in attempts and len(set(attempts)) > 5


PARTS = ("addsub", "multiarith", "singleeq", "singleop")


def read_shared(source, name, use="train", fold=None, **keys):
    return use_of({"source": source, "path": str(shared(name)), **keys}, use, fold)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("source", "name", "keys", "count", "reasons"),
    [
        ("asdiv", "asdiv/validation.jsonl", {"part": "a"}, 1218, {"": 1218}),
        (
            "asdiv",
            "asdiv/validation.jsonl",
            {},
            2304,
            {"": 1766, equations.NOT_READ: 325, "an answer that is no number": 213},
        ),
        (
            "mawps",
            "mawps/mawps.jsonl",
            {},
            2279,
            {
                equations.NOT_GOLD: 36,
                "the tools refuse an operation of the formula": 13,
                equations.NOT_READ: 4,
                "": 2226,
            },
        ),
        ("folio", "folio/train.jsonl", {"split": "train"}, 1003, {"": 1003}),
        ("proofwriter", "proofwriter/dev.jsonl", {}, 600, {"": 600}),
        ("prontoqa", "prontoqa/dev.jsonl", {}, 500, {"": 500}),
        ("logical_deduction", "logical_deduction/dev_even.jsonl", {}, 148, {"": 148}),
    ],
)
def test_the_published_solutions_verify(source, name, keys, count, reasons):
    made = read_shared(source, name, **keys)
    assert len(made) == count
    found = Counter(map(doubt, made))
    assert {why: found[why] for why in reasons} == reasons
    if source in ("proofwriter", "prontoqa") or keys.get("part") == "a":
        assert all(problem.solution for problem in made)


@pytest.mark.shared_data
@pytest.mark.parametrize(("part", "count"), zip(PARTS, (395, 600, 508, 562), strict=True))
def test_the_parts_of_mawps_are_read_whole(part, count):
    from stages.problems.published import mawps

    assert len(mawps.read(shared(f"mawps/{part}.jsonl"), part)) == count


@pytest.mark.shared_data
def test_mawps_single_is_as_large_as_the_published_selection():
    from stages.problems.published import mawps

    assert len(mawps.read(shared("mawps/mawps.jsonl"), "single")) == 1987


@pytest.mark.shared_data
@pytest.mark.parametrize(("source", "name"), [("mawps", "mawps/mawps.jsonl"), ("asdiv", "asdiv/validation.jsonl")])
def test_no_question_is_in_two_folds(source, name):
    tested = []
    for hold in range(5):
        parts = {}
        for use in ("train", "heldout"):
            found = read_shared(source, name, use, FoldParams(of=5, hold=hold))
            parts[use] = {text_key(one.question) for one in found}
        assert not parts["train"] & parts["heldout"]
        tested += parts["heldout"]
    assert len(tested) == len(set(tested)) == len(read_shared(source, name))


@pytest.mark.shared_data
def test_folio_s_own_formulas_are_stated_where_they_are_understood():
    """The train file has no conclusion formulas; its premises take the road that those of the validation file take."""
    rows = [json.loads(line) for line in shared("folio/train.jsonl").read_text().split("\n") if line]
    stated = [folio.reference(row["premises-FOL"], row["premises-FOL"][0], "True")[1] for row in rows]
    assert stated.count("") >= 0.9 * len(rows) and set(stated) <= {"", "a formula is not understood"}


@pytest.mark.shared_data
def test_options_of_orders_that_the_text_states_outright_are_proved_by_stating_them():
    """A third of the problems: there is nothing to derive, and the chain that says so is correct."""
    words = Counter()
    for problem in read_shared("logical_deduction", "logical_deduction/dev_even.jsonl"):
        option = read_story(problem.question).options[problem.gold]
        thing, place = re.fullmatch(r"(?:The )?(.+?) (?:is|are|finished|cost|costs) (.+)\.", option.text).groups()
        fact = f"{re.sub('[^A-Za-z]', '', place.title())}({re.sub('[^A-Za-z]', '', thing.title())})"
        calls = [Call(tool, {"formula": fact}) for tool in ("Premise", "Entails")]
        solved = replace(problem, solution=(*calls, Call("Finish", {"answer": problem.gold})))
        words[option.told, doubt(solved)] += 1
    assert words["True", ""] == sum(words[key] for key in words if key[0]) == 48
