"""The published sets: each row becomes a problem, its equation or proof becomes calls, and a bad row is named."""

import json
from collections import Counter
from fractions import Fraction

import pytest
from conftest import shared

from stages.chain import Call, Chain, Step
from stages.errors import errant_texts
from stages.params import ErrorRates, ParamsError, ProblemsParams
from stages.problems import folio, formulas, logical_deduction, sources
from stages.problems.jsonl import JsonlError
from stages.problems.problem import text_key
from stages.problems.published import exact
from stages.problems.reference import doubt
from stages.problems.sources import load
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.verdict import verdict

OPTIONS = ["A) True", "B) False", "C) Unknown"]
ROWS = {
    "gsm_hard": {"input": "Tom has 1234567 pens and buys 2. How many?", "code": "...", "target": 1234569.0},
    "svamp": {
        "ID": "chal-1",
        "Body": "Each pack of dvds costs 76 dollars.",
        "Question": "What do 3 packs at 25 dollars less each cost?",
        "Equation": "( ( 76.0 - 25.0 ) * 3.0 )",
        "Answer": 153.0,
        "Type": "Subtraction",
    },
    "asdiv": {
        "body": "Tom shares 22 pens among 5 boys.",
        "question": "How many does each get?",
        "solution_type": "Floor-Division",
        "answer": "4 (pens)",
        "formula": "22/5=4 r2",
    },
    "mawps": {
        "iIndex": 7,
        "sQuestion": " Tom had some pens. He lost 3.5 and has 8. How many had he ?",
        "lEquations": ["x-3.5=8.0"],
        "lSolutions": ["11.5"],
    },
    "folio": {
        "premises": ["All cats purr.", "Tom is a cat."],
        "premises-FOL": ["∀x (Cat(x) → Purr(x))", "Cat(tom)"],
        "conclusion": "Tom purrs.",
        "conclusion-FOL": "Purr(tom)",
        "label": "True",
    },
    "proofwriter": {
        "id": "P_1",
        "context": "Bob is cold. If something is cold then it is red. All red things are rough.",
        "question": "Based on the above, is the following statement true, false, or unknown? Bob is not rough.",
        "options": OPTIONS,
        "answer": "B",
    },
    "prontoqa": {
        "id": "Q_1",
        "context": "Each yumpus is a dumpus. Dumpuses are not sour. Max is a yumpus.",
        "question": "Is the following statement true or false? Max is sour.",
        "options": OPTIONS[:2],
        "answer": "B",
        "explanation": [
            "Max is a yumpus.",
            "Each yumpus is a dumpus.",
            "Max is a dumpus.",
            "Dumpuses are not sour.",
            "Max is not sour.",
        ],
    },
    "logical_deduction": {
        "id": "L_1",
        "context": "There are two books: a green book and a red book. The green book is to the left of the red book.",
        "question": "Which of the following is true?",
        "options": ["A) The green book is the rightmost.", "B) The red book is the rightmost."],
        "answer": "B",
    },
}
KEYS = {"folio": {"split": "validation"}}
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


def use_of(entry, use="train"):
    uses = {name: () for name in ("train", "dev", "heldout", "ood")}
    return load(use, ProblemsParams(**{**uses, use: (entry,)}))


def from_file(tmp_path, source, *rows, name="rows.jsonl", **keys):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return use_of({"source": source, "path": str(path), **KEYS.get(source, {}), **keys})


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
    ("prontoqa", {"explanation": "Max is sour."}, "explanation is no list of sentences"),
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
        ('[\n{"ID": "a"},\n  {"ID" 3}]', "SVAMP.json line 3: no JSON object: "),
        ('[\n{"ID": "a"}\n{"ID": "b"}]', "SVAMP.json line 2: after the object stands neither a comma nor"),
        ('[{"ID": "a", "ID": "b"}]', "SVAMP.json line 1: no JSON object: a key stands twice"),
        ("[\n\n3]", "SVAMP.json line 3: no JSON object: a int"),
        ("[", "SVAMP.json line 2: no JSON object: "),
    ],
)
def test_a_broken_array_names_file_and_line(tmp_path, text, message):
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


@pytest.mark.parametrize(
    ("equation", "gold", "made"),
    [
        ("X=((33.0+9.0)/6.0)", "7", ["Add(a=33, b=9)", "Divide(a=42, b=6)"]),
        ("5+x=9", "4", ["Subtract(a=9, b=5)"]),
        ("20-x=9", "11", ["Subtract(a=20, b=9)"]),
        ("24/x=2*3", "4", ["Multiply(a=2, b=3)", "Divide(a=24, b=6)"]),
        ("(x/2)-1=3", "8", ["Add(a=3, b=1)", "Multiply(a=4, b=2)"]),
        ("4*books=2*books+6", "3", ['SolveLinear(equation="4 * x = (2 * x) + 6", unknown="x")']),
        ("0.75 - 0.5", "0.25", ["Subtract(a=0.75, b=0.5)"]),
        ("x=10/3", "3.33", ["Divide(a=10, b=3)", "Round(x=10/3, digits=2)"]),
        ("x = -3 + 5", "2", ["Add(a=-3, b=5)"]),
        ("x=10/3", "3", formulas.NOT_GOLD),
        ("x=4+5", "8", formulas.NOT_GOLD),
        ("x=4", "4", formulas.NOT_READ),
        ("x=y+4", "8", formulas.NOT_READ),
        ("3+4=7", "7", formulas.NOT_READ),
        ("x=2**3", "8", formulas.NOT_READ),
        ("x=" + "(" * 60 + "1" + ")" * 60, "1", formulas.NOT_READ),
        ("x=__import__('os')", "1", formulas.NOT_READ),
        ("x=" + "1+" * 200 + "1", "201", formulas.NOT_READ),
        ("x=4/0", "0", "the tools refuse an operation of the formula"),
        ("x*x=9", "3", "the tools refuse an operation of the formula"),
    ],
)
def test_an_equation_becomes_one_operation_a_call(equation, gold, made):
    calls, why = formulas.solution(equation, gold)
    assert [call.text() for call in calls[:-1]] == (made if isinstance(made, list) else [])
    assert why == ("" if isinstance(made, list) else made)


@pytest.mark.parametrize(
    ("formula", "gold", "made"),
    [
        ("27-8=19; 19+3=22", "22", ["Subtract(a=27, b=8)", "Add(a=19, b=3)"]),
        ("29/3=9 r2", "2", ['Calculate(expression="29 % 3")']),
        (
            "29/3=9 r2",
            "10",
            ['Calculate(expression="29 % 3")', "Subtract(a=29, b=2)", "Divide(a=27, b=3)", "Add(a=9, b=1)"],
        ),
        ("29/3=9 r2; 3-2=1", "1", ['Calculate(expression="29 % 3")', "Subtract(a=3, b=2)"]),
        ("2 (day) * 24 (hour/day) = 48 (hour)", "48", ["Multiply(a=2, b=24)"]),
        ("27-8=18", "18", "a formula does not give the value it says"),
        ("29/3=9 r1", "9", "a formula does not give the value it says"),
        ("6:42=1:7", "1", formulas.NOT_READ),
        ("x+y=5; x=2y", "3", formulas.NOT_READ),
        ("GCD(9,15)=3", "3", formulas.NOT_READ),
    ],
)
def test_a_formula_that_states_its_results_must_hold(formula, gold, made):
    calls, why = formulas.chained(formula, gold)
    assert [call.text() for call in calls[:-1]] == (made if isinstance(made, list) else [])
    assert why == ("" if isinstance(made, list) else made)


def test_proofs_are_those_of_the_engine_where_none_is_published(tmp_path):
    row = {key: value for key, value in ROWS["prontoqa"].items() if key != "explanation"}
    assert from_file(tmp_path, "prontoqa", row) == from_file(tmp_path, "prontoqa", ROWS["prontoqa"])


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


def read_shared(source, name, **keys):
    return use_of({"source": source, "path": str(shared(name)), **keys})


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
            {"": 1766, formulas.NOT_READ: 325, "an answer that is no number": 213},
        ),
        (
            "mawps",
            "mawps/mawps.jsonl",
            {},
            2279,
            {formulas.NOT_GOLD: 36, "the tools refuse an operation of the formula": 13, formulas.NOT_READ: 4, "": 2226},
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
    from stages.problems import mawps

    assert len(mawps.read(shared(f"mawps/{part}.jsonl"), part)) == count


@pytest.mark.shared_data
@pytest.mark.parametrize(("source", "name"), [("mawps", "mawps/mawps.jsonl"), ("asdiv", "asdiv/validation.jsonl")])
def test_no_question_is_in_two_folds(source, name):
    tested = []
    for fold in range(5):
        keys = {"folds": 5, "fold": fold, "seed": 1}
        parts = {
            use: {text_key(one.question) for one in read_shared(source, name, use=use, **keys)}
            for use in ("train", "test")
        }
        assert not parts["train"] & parts["test"]
        tested += parts["test"]
    assert len(tested) == len(set(tested)) == len(read_shared(source, name))


@pytest.mark.shared_data
def test_folio_s_own_formulas_are_stated_where_they_are_understood():
    """The train file has no conclusion formulas; its premises take the road that those of the validation file take."""
    rows = [json.loads(line) for line in shared("folio/train.jsonl").read_text().split("\n") if line]
    stated = [folio.reference(row["premises-FOL"], row["premises-FOL"][0], "True")[1] for row in rows]
    assert stated.count("") >= 0.9 * len(rows) and set(stated) <= {"", "a formula is not understood"}
