"""Two files of one set, or of one name, just work: an id stands on one question, and those of one file stay plain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import examples, problems_params
from hypothesis import given
from hypothesis import strategies as st
from logs import PROBLEM, RIGHT, Folder, log_folder, written
from predicted import SUM, chain
from published_rows import ROWS

from stages import eval as evaluation
from stages import generate
from stages.params import ParamsError
from stages.problems import redraw
from stages.problems.gold import reports
from stages.problems.sources import load
from stages.records import schema
from stages.records.errors import InputError
from stages.records.problem import text_key
from stages.report import pool
from stages.teacher.imported.gsm8k_solutions import MODELS


def gsm8k(number: int) -> dict:
    return {"question": f"What is {number} + 1?", "answer": f"It is <<{number}+1={number + 1}>>.\n#### {number + 1}"}


def write(path: Path, *rows: dict) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def loaded(*entries: dict, use: str = "train"):
    return load(use, replace(problems_params((), (), (), ()), **{use: entries}))


def ids(*entries: dict, use: str = "train") -> list[str]:
    return [problem.id for problem in loaded(*entries, use=use)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Where no dvc.yaml is read for each file."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def halves(tmp_path) -> tuple[dict, dict]:
    """The test split in two files, each of which counts its rows from 0."""
    paths = [write(tmp_path / f"{n}.jsonl", *map(gsm8k, range(9 * n, 9 * n + 9))) for n in (1, 2)]
    return tuple({"source": "gsm8k", "split": "test", "path": path} for path in paths)


@pytest.mark.parametrize("use", ["train", "dev", "heldout", "ood"])
def test_two_files_of_one_set_count_alike_and_have_ids_of_their_own(halves, use):
    plain = [f"gsm8k/test/{row:05d}" for row in range(9)]
    assert ids(halves[0], use=use) == ids(halves[1], use=use) == plain
    assert ids(*halves, use=use) == [*plain, *(f"{name}@2" for name in plain)]


def test_an_id_does_not_depend_on_what_is_drawn_nor_on_what_stands_behind(halves):
    whole = {problem.question: problem.id for problem in loaded(*halves)}
    for n in (1, 2, 5):
        for seed in range(5):
            drawn = loaded(*({**half, "n": n, "seed": seed} for half in halves))
            assert [whole[problem.question] for problem in drawn] == [problem.id for problem in drawn]


def test_the_same_file_twice_is_the_same_problems(halves):
    one = {**halves[0], "n": 3, "seed": 1}
    assert ids(halves[0], one) == ids(halves[0]) and set(ids(one, {**one, "seed": 2})) <= set(ids(halves[0]))
    assert ids(*halves, {**halves[1], "n": 2}) == ids(*halves)


def test_files_of_one_name_in_two_folders(tmp_path):
    rows = [{**PROBLEM, "question": f"What is 3 + {n}?"} for n in range(4)]
    first = write(tmp_path / "a/mine.jsonl", rows[0], {**rows[1], "id": "000001@2"})
    second = write(tmp_path / "b/mine.jsonl", rows[2], {**rows[3], "id": "own"})
    entries = [{"source": "jsonl", "path": path} for path in (first, second)]
    assert ids(*entries) == ["mine/000001", "mine/000001@2", "mine/000001@3", "mine/own@3"]


def test_redraws_of_one_file_by_two_seeds_differ(tmp_path):
    row = {"question": "Tom has 48 pens and buys 20. How many?", "answer": "<<48+20=68>>\n#### 68"}
    path = write(tmp_path / "rows.jsonl", row)
    entries = [{"source": "gsm8k", "split": "train", "path": path, "redraws": 2, "seed": seed} for seed in (1, 2)]
    made = loaded(*entries)
    plain = ["gsm8k/train/00000", "gsm8k/train/00000-redrawn-1", "gsm8k/train/00000-redrawn-2"]
    second = [f"gsm8k/train/00000@2-redrawn-{number}" for number in (1, 2)]
    assert [problem.id for problem in made] == plain + second
    assert [redraw.family(problem) for problem in made] == 3 * plain[:1] + 2 * ["gsm8k/train/00000@2"]


def test_an_id_that_stands_twice_in_a_published_file_is_named(tmp_path):
    row = ROWS["prontoqa"]
    path = write(tmp_path / "rows.jsonl", row, {**row, "context": row["context"].replace("Max", "Rex")})
    said = r"^problems\.heldout\[0\]: id prontoqa/Q_1 stands on two different questions; ids in a file must differ$"
    with pytest.raises(ParamsError, match=said):
        loaded({"source": "prontoqa", "path": path}, use="heldout")
    assert len(loaded({"source": "prontoqa", "path": write(tmp_path / "twice.jsonl", row, row)})) == 1


names = st.sampled_from(["a", "a@2", "a-redrawn-1", "b"])
files = st.lists(st.dictionaries(names, st.integers(0, 3), min_size=1), min_size=1, max_size=4)


@examples(60)
@given(files)
def test_ids_and_questions_go_one_to_one_whatever_files_are_read(tmp_path_factory, given_files):
    folder = tmp_path_factory.mktemp("files")
    entries = []
    for place, rows in enumerate(given_files):
        asked = [{**PROBLEM, "id": name, "question": f"What is 3 + {number}?"} for name, number in rows.items()]
        entries.append({"source": "jsonl", "path": write(folder / str(place) / "mine.jsonl", *asked)})
    made = loaded(*entries)
    assert len({problem.id for problem in made}) == len({text_key(problem.question) for problem in made}) == len(made)
    assert {problem.id for problem in loaded(entries[0])} <= {problem.id for problem in made}


def test_predictions_on_two_files_of_one_set_are_written_and_reported(halves, tmp_path):
    uses = {"heldout": loaded(*halves, use="heldout"), "ood": loaded(halves[1], use="ood")}
    rows = []
    for model in ("base", "dpo"):
        for use, problems in uses.items():
            chains = [replace(chain(SUM, 0, ('Finish(answer="5")',)), problem_id=problem.id) for problem in problems]
            rows += evaluation.predictions(model, use, chains, 0.0)
    schema.write(tmp_path / "predictions.jsonl", rows, "predictions")
    assert evaluation.metrics([row for row in rows if row["use"] == "heldout"])["dpo"]["all"]["n"] == 18
    by_entry = reports(problems_params((), (), halves, ()))
    assert [report["problems"] for report in by_entry] == [9, 9]


def test_runs_on_two_files_of_one_set_are_one_table(halves):
    """Each run read one file, so both have the plain ids; a question that stands in both is still refused."""
    parts = {}
    for name, half in zip(("one", "two"), halves, strict=True):
        problems = loaded(half, use="heldout")
        chains = [replace(problem.chain(**ATTEMPT), teacher=name) for problem in problems]
        parts[name] = evaluation.predictions("base", "heldout", chains, 0.0)
    assert pool.pooled(parts)["base"]["all"]["n"] == 18
    with pytest.raises(InputError, match="problem gsm8k/test/00000 stands in one too"):
        pool.pooled({**parts, "two": [*parts["two"], parts["one"][0]]})


ATTEMPT = {"teacher": "", "sample": 0, "prompt": (), "steps": (), "answer": "", "stop": "max_tokens"}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return log_folder(tmp_path, monkeypatch)


def chains(folder: Folder, *entries: str) -> list[dict]:
    folder.edit("\n  - {source: messages, path: mine.jsonl}", "".join(f"\n  - {entry}" for entry in entries))
    generate.main()
    return [row for row in schema.read("data/chains.jsonl", "chains") if not row["source"].startswith("builtin/")]


def test_two_files_of_published_solutions_are_read(folder):
    for name, number in (("even", 3), ("odd", 5)):
        row = gsm8k(number)
        truth = row["answer"].replace("####", "A:")
        solutions = dict.fromkeys(MODELS, {"solution": truth, "is_correct": True})
        write(Path(f"{name}.jsonl"), {"question": row["question"], "ground_truth": truth, **solutions})
    entries = [f"{{source: gsm8k_model_solutions, path: {name}.jsonl}}" for name in ("even", "odd", "odd")]
    made = chains(folder, *entries)
    assert {row["problem_id"]: row["question"] for row in made} == {
        "gsm8k_models/000001": "What is 3 + 1?",
        "gsm8k_models/000001@2": "What is 5 + 1?",
    }
    assert len({row["chain_id"] for row in made}) == len(made) == 3 * len(MODELS)


def test_logs_of_one_name_in_two_folders_beside_problems_of_that_name(folder):
    path = write(Path("p/mine.jsonl"), {**PROBLEM, "question": "What is 9 + 9?", "answer": "18"})
    folder.edit("  train:\n", f"  train:\n  - {{source: jsonl, path: {path}}}\n")
    turns = written("Add(a=1, b=1)", "2", 'Finish(answer="2")')
    write(Path("a/mine.jsonl"), {"problem": PROBLEM, "messages": RIGHT})
    write(
        Path("b/mine.jsonl"), {"problem": {**PROBLEM, "question": "What is 1 + 1?", "answer": "2"}, "messages": turns}
    )
    made = chains(folder, *(f"{{source: messages, path: {name}/mine.jsonl}}" for name in "ab"))
    assert {row["problem_id"]: row["question"] for row in made} == {
        "mine/000001": "What is 9 + 9?",
        "mine/000001@2": PROBLEM["question"],
        "mine/000001@3": "What is 1 + 1?",
    }
