"""The overlays of published protocols: they fit the pipeline, say what they say they do, and run under DVC."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ROOT, laid, shared
from test_pipeline import STAGES, checkout

from stages import params
from stages.problems import sources
from stages.problems.overlap import overlap
from stages.problems.overlap import tested as exams
from stages.protocols.overlay import leaves, plain
from stages.records.problem import text_key, words
from stages.teacher.simulated import corpus

FOLDER = ROOT / "stages/protocols"
PROTOCOLS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FILES = {
    "mawps.jsonl": "mawps/mawps.jsonl",
    "asdiv.jsonl": "asdiv/validation.jsonl",
    "gsm8k_train.jsonl": "gsm8k/train.jsonl",
    "gsm8k_test.jsonl": "gsm8k/test_0000-0658.jsonl",
}
# What takes seconds, and fails often enough that there is something to pair.
TINY = {
    **dict.fromkeys(("++problems.train.0.n", "++generate.corpus.problems.0.n"), 30),
    "++problems.heldout.0.n": 6,
    "generate.simulated.slip": 0.5,
    "train.tiny.width": 32,
    "train.tiny.layers": 1,
    "train.tiny.heads": 4,
    **{f"train.{name}.steps": 2 for name in ("base", "sft", "dpo")},
    "eval.max_tokens": 16,
    "agent.max_steps": 4,
    "runtime.progress": "false",
}


def load(name):
    return params.checked(laid(FOLDER / f"{name}.yaml"), name)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder with the files that are here, as the protocols name them."""
    (tmp_path / "data" / "sources").mkdir(parents=True)
    for name, kept in FILES.items():
        (tmp_path / "data" / "sources" / name).symlink_to(shared(kept))
    monkeypatch.chdir(tmp_path)


def close(train, settings):
    return overlap(train, exams(settings.problems), settings.problems.overlap)


def untested(train, settings):
    out = close(train, settings).out
    return [problem for problem in train if problem.id not in out]


def read_by_base(settings):
    """What generate puts into data/corpus.jsonl."""
    return untested(corpus.readable(settings.generate.corpus, settings.problems.fold), settings)


def test_there_is_one_for_each():
    assert PROTOCOLS == ["asdiv_a", "gsm8k", "mawps", "mawps_asdiv_a", "mawps_single", "model_solutions", "svamp"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_holds_what_differs_from_the_default_and_nothing_else(name):
    text = (FOLDER / f"{name}.yaml").read_text()
    ours, default = leaves(plain(text)), leaves(plain((ROOT / "params.yaml").read_text()))
    if "problems.fold.of" in ours:
        assert default.pop("problems.fold") is None
    assert not [key for key, value in ours.items() if default.get(key, ...) == value]
    assert 10 <= len(text.splitlines()) <= 40 and text.startswith("# ")
    assert leaves(plain(laid(FOLDER / f"{name}.yaml"))) == default | ours


@pytest.mark.parametrize("name", ["mawps", "mawps_single", "mawps_asdiv_a", "asdiv_a"])
def test_a_cross_validation_trains_on_the_sets_that_it_tests(name):
    settings = load(name)
    assert settings.problems.train == settings.problems.heldout and settings.problems.fold.of == 5
    read = settings.generate.corpus.problems
    assert [{**entry, "redraws": 3} for entry in settings.problems.train] == list(read)


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "count"), [("mawps", 2373), ("asdiv_a", 1218)])
def test_a_fold_s_students_learn_from_nearly_all_its_train_problems_and_from_no_tested_one(published, name, count):
    settings = load(name)
    train, heldout = (sources.load(use, settings.problems) for use in ("train", "heldout"))
    assert len(close(train, settings).out) <= 3
    assert len(corpus.readable(settings.generate.corpus, settings.problems.fold)) > 3 * len(train)  # with three redraws
    read = {text_key(problem.question) for problem in read_by_base(settings)}
    assert not read & {text_key(problem.question) for problem in heldout}
    whole = sum(len(found) for use in ("train", "heldout") for _, _, found in sources.entries(use, settings.problems))
    assert whole == count


@pytest.mark.shared_data
def test_a_fold_of_mawps_single_is_as_published_and_no_student_learns_from_its_tested_questions(published):
    """Folds are by row: every sixth tested question stands among the others, too, and is left out there."""
    settings = load("mawps_single")
    train, heldout = (sources.load(use, settings.problems) for use in ("train", "heldout"))
    held = {words(problem) for problem in heldout}
    assert 0.1 < len(held & {words(problem) for problem in train}) / len(held) < 0.2
    for learnt in (untested(train, settings), read_by_base(settings)):
        assert not held & {words(problem) for problem in learnt}
    whole = sum(len(found) for use in ("train", "heldout") for _, _, found in sources.entries(use, settings.problems))
    assert whole == 1987


@pytest.mark.shared_data
def test_what_one_set_holds_back_no_other_brings_in(published):
    """MAWPS and ASDiv-A share some hundred questions; each set cuts its own folds."""
    settings = load("mawps_asdiv_a")
    held = {words(problem) for problem in sources.load("heldout", settings.problems)}
    assert not held & {words(problem) for problem in read_by_base(settings)}
    assert not held & {words(problem) for problem in untested(sources.load("train", settings.problems), settings)}


@pytest.mark.shared_data
def test_gsm8k_s_test_problems_are_not_read(published):
    settings = load("gsm8k")
    read = corpus.readable(settings.generate.corpus)
    assert len(read) > 2900 and close(read, settings).reasons == {}


@pytest.mark.shared_data
def test_svamp_takes_a_file_of_its_form_and_counts_what_was_made_from_train_problems(published):
    """Its problems are train ones of ASDiv-A with other words: one that is the same must not end the run."""
    first = sources.load("train", load("svamp").problems)[-1]
    row = {"ID": "chal-1", "Body": first.question, "Question": "How many?", "Equation": "( 8.0 - 3.0 )", "Answer": 5.0}
    Path("data/sources/svamp.json").write_text(json.dumps([{**row, "Type": "Subtraction"}]))
    settings = load("svamp")
    assert [problem.gold for problem in sources.load("heldout", settings.problems)] == ["5"]
    read = corpus.readable(settings.generate.corpus)
    assert len(read) > 10_000 and list(close(read, settings).reasons.values()).count("shared_ngrams") == 1
    train = sources.load("train", settings.problems)
    kept = {problem.id for problem in untested(train, settings)}
    assert [problem.id for problem in train if problem.id not in kept] == [first.id]


@pytest.mark.shared_data
@pytest.mark.timeout(1800)  # two runs of the pipeline and four of dvc beside them
def test_folds_are_experiments_that_come_back_and_make_one_table(tmp_path):
    project = checkout(tmp_path / "stepcall", laid(FOLDER / "mawps.yaml"))
    (project.folder / "data" / "sources").mkdir(parents=True, exist_ok=True)
    (project.folder / "data" / "sources" / "mawps.jsonl").symlink_to(shared("mawps/mawps.jsonl"))
    tiny = [part for key, value in TINY.items() for part in ("-S", f"{key}={value}")]

    def fold(number: int, name: str) -> list[str]:
        output = project.run("dvc", "exp", "run", "-n", name, *tiny, "-S", f"problems.fold.hold={number}")
        return [stage for stage in STAGES if f"Running stage '{stage}'" in output]

    assert fold(0, "mawps-0") == STAGES
    assert fold(1, "mawps-1") == STAGES
    asked = len(project.journal())
    assert fold(0, "again") == ["generate"]  # it asks nothing, and all else is in the run cache
    assert len(project.journal()) == asked
    project.run("python", "-m", "stages.report.pool", "mawps-0", "mawps-1", "--out", "pooled.json")
    pooled = json.loads((project.folder / "pooled.json").read_text())
    assert pooled["dpo"]["all"]["n"] == 12
    assert pooled["parts"].keys() == {"mawps-0", "mawps-1"}
