"""The pipeline as its users run it: a git repository, `dvc repro`, a change, `dvc repro` again.

Real DVC, real git, all five stages on a small params.yaml in a temporary clone. The tests share one project and follow
each other: each starts from the up-to-date pipeline that the one before left, and leaves one.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, small_params

pytestmark = pytest.mark.timeout(1200)  # whole runs of the pipeline

STAGES = ["generate", "train@base", "verify", "pair", "train@sft", "train@dpo", "eval"]


class Project:
    """A clone with the small parameters; `STEPCALL_JOURNAL` and the like are unset, as for a newcomer."""

    def __init__(self, folder: Path):
        self.folder = folder
        # The folder of this Python first, so that `dvc` and `python -m stages...` are the ones under test.
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("STEPCALL", "DVC"))}
        self.env |= {"PATH": f"{Path(sys.executable).parent}:{self.env['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}
        self.env |= {
            f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }

    def run(self, *command: str, ok: bool = True) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True)
        output = done.stdout + done.stderr
        assert not ok or done.returncode == 0, output
        return output

    def repro(self, *arguments: str) -> list[str]:
        """The stages that ran, in order."""
        return re.findall(r"Running stage '([^']+)'", self.run("dvc", "repro", *arguments))

    def changed(self) -> set[str]:
        """The stages that `dvc repro` would run now, not counting those that only follow from them."""
        return set(re.findall(r"^([a-z@]+):$", self.run("dvc", "status"), re.M))

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (self.folder / name).write_text(text.replace(old, new))

    def metrics(self, name: str) -> dict:
        return json.loads((self.folder / "metrics" / name).read_text())

    def journal(self) -> list[str]:
        """The keys of the calls in the live journal, as often as they stand there."""
        paths = (self.folder / ".journal").glob("*.jsonl")
        lines = [line for path in paths for line in path.read_text().split("\n")[:-1]]  # not one that is being written
        return [row["key"] for row in map(json.loads, filter(None, lines)) if "key" in row]

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


def checkout(folder: Path, params: str) -> Project:
    """The project's files as they stand, with this params.yaml, committed; never run."""
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("metrics/") and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    (folder / "params.yaml").write_text(params)
    project = Project(folder)
    project.run("git", "init", "-q")
    project.commit("The project")
    return project


# Python imports it before anything else. At the end of a stage it tells which files of ours the stage has loaded.
SPY = """
import atexit, os, sys
here = os.path.join(os.getcwd(), 'stages') + os.sep
def tell():
    files = {getattr(m, '__file__', None) or '' for m in list(sys.modules.values())}
    print('LOADED', *sorted(os.path.relpath(f) for f in files if f.startswith(here)))
if sys.orig_argv[1:2] == ['-m'] and sys.orig_argv[2].startswith('stages.'):
    atexit.register(tell)
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Project, str]:
    """The project's files as they stand, committed, and run once; with what that run said."""
    spy = tmp_path_factory.mktemp("spy")
    (spy / "sitecustomize.py").write_text(SPY)
    project = checkout(tmp_path_factory.mktemp("project") / "stepcall", small_params())
    plain = project.env
    project.env = plain | {"PYTHONPATH": str(spy)}
    output = project.run("dvc", "repro")
    project.env = plain
    project.commit("First run")
    return project, output


@pytest.fixture(scope="module")
def project(first) -> Project:
    return first[0]


@pytest.fixture(scope="module")
def said(first) -> dict[str, str]:
    """What each stage said in the first run."""
    _, *parts = re.split(r"Running stage '([^']+)':\n", first[1])
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sorted(said) == sorted(STAGES)
    return said


def test_every_stage_leaves_its_outputs_and_metrics(project):
    for name in ("chains", "corpus", "verdicts", "pairs", "demonstrations", "predictions"):
        assert (project.folder / "data" / f"{name}.jsonl").stat().st_size > 0
    for model in ("base", "sft", "dpo"):
        files = {path.name for path in (project.folder / "models" / model).iterdir()}
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= files
        assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
        assert project.metrics(f"train/{model}.json")["trained_token_share"] == 1.0
    assert project.metrics("generate.json")["chains"] == 72
    assert set(project.metrics("eval.json")["gain"]) == {"math", "logic", "all"}


def test_nothing_that_is_made_is_in_git(project):
    tracked = project.run("git", "ls-files", "data", "models", ".journal", ".dvc-store").split()
    assert tracked == ["data/sources/README.md"]
    assert project.run("git", "status", "--short") == ""


def test_each_stage_ends_with_a_line_of_what_came_out(said):
    for name in STAGES:
        last = said[name].partition("\nLOADED ")[0].splitlines()[-1]
        assert re.match(f"{name.partition('@')[0]}[ :]", last), said[name]


def test_a_second_run_does_nothing(project):
    assert project.repro() == []


def test_data_sets_reads_every_file(project):
    import datasets

    for name in ("chains", "corpus", "verdicts", "pairs", "demonstrations", "predictions"):
        path = project.folder / "data" / f"{name}.jsonl"
        rows = datasets.load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(project.folder.parent / "hf")
        )
        assert len(rows) == path.read_bytes().count(b"\n")


def no_code(path: Path) -> bool:
    """Whether a file holds a docstring and nothing else."""
    return len(ast.parse(path.read_text()).body) == 1


def test_every_file_that_a_stage_loads_is_one_it_depends_on(project, said):
    """So no edit is missed, whatever room it is in."""
    import yaml

    for name, stage in yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"].items():
        loaded = {f"{stage['cmd'].split()[2].replace('.', '/')}.py"}
        loaded |= set(re.search(r"^LOADED(.*)$", said[name], re.M).group(1).split())
        deps = {dep["path"] for dep in stage["deps"]}
        missing = {path for path in loaded if path not in deps and not any(path.startswith(f"{dep}/") for dep in deps)}
        missing -= {path for path in missing if path.endswith("__init__.py") and no_code(project.folder / path)}
        assert missing == set(), name


TRAIN = {"train@base", "train@sft", "train@dpo"}
# What each edit runs again by itself. What follows runs only where an output is another one than before.
EDITS = {
    "stages/eval.py": {"eval"},
    "stages/report/tables.py": {"eval"},
    "stages/teacher/limits.py": {"generate"},
    "stages/agent/loop.py": {"generate", "eval"},
    "stages/problems/redraw.py": {"generate", "eval"},
    "stages/tools/calls.py": {"generate", "verify", "eval"},
    "stages/verdicts/grounding.py": {"generate", "verify", "eval"},
    "stages/pair.py": {"pair"},
    "stages/students/masks.py": {"pair", *TRAIN, "eval"},
    "stages/students/scratch/models.py": {"pair", *TRAIN, "eval"},
    "stages/training/imitation.py": {"train@base", "train@sft"},
    "stages/training/preference.py": {"train@dpo"},
    "stages/training/trial.py": set(),
    "stages/records/files.py": set(STAGES),
    "stages/params.py": set(STAGES),
    "stages/problems/README.md": set(),
    "data/sources/mine.jsonl": {"generate", "eval"},
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_runs_what_depends_on_it_and_nothing_else(project, name):
    path = project.folder / name
    before = path.read_bytes() if path.exists() else None
    path.write_bytes((before or b"") + b"# A comment.\n")
    try:
        assert project.changed() == EDITS[name]
    finally:
        path.unlink() if before is None else path.write_bytes(before)


def test_a_comment_in_a_tool_trains_nothing(project):
    project.edit("stages/tools/calls.py", "\nfrom __future__", "\n# A comment.\nfrom __future__")
    before = project.journal()
    assert project.repro() == ["generate", "verify", "eval"]
    assert project.journal() == before


def test_how_to_run_changes_nothing(project):
    project.edit("params.yaml", "concurrency: 8", "concurrency: 3")
    assert project.repro() == []


def test_a_comment_in_eval_runs_eval_alone(project):
    project.edit("stages/eval.py", "\nfrom __future__", "\n# A comment.\nfrom __future__")
    assert project.repro() == ["eval"]


def test_every_parameter_but_how_to_run_is_read_by_a_stage(project):
    """One that no stage lists could be edited, and nothing would run."""
    import yaml

    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    stages = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]
    listed = {key for stage in stages.values() for key in stage["params"]["params.yaml"]}

    def keys(tree, prefix=""):
        for name, value in tree.items():
            yield from keys(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [prefix + name]

    missing = {key for key in keys(params) if not any(f"{key}.".startswith(f"{known}.") for known in listed)}
    assert missing and {key.partition(".")[0] for key in missing} == {"runtime"}


def test_the_size_of_the_student_trains_all_again(project):
    project.edit("params.yaml", "    width: 32", "    width: 40")
    assert {"train@base", "train@sft", "train@dpo"} <= project.changed()
    project.edit("params.yaml", "    width: 40", "    width: 32")


def test_beta_trains_dpo_again_and_evaluates_and_the_way_back_runs_nothing(project):
    """DVC keeps no run of a stage with an output that is neither cached nor a metric nor a plot."""
    lock, before = (project.folder / "dvc.lock").read_text(), project.journal()
    project.edit("params.yaml", "beta: 0.1", "beta: 0.3")
    assert project.repro() == ["train@dpo", "eval"]
    assert project.journal() == before
    changed = json.loads(project.run("dvc", "params", "diff", "--json"))["params.yaml"]["train.dpo.beta"]
    assert (changed["old"], changed["new"]) == (0.1, 0.3)
    assert "metrics/train/dpo.json" in project.run("dvc", "metrics", "diff", "--json")
    project.edit("params.yaml", "beta: 0.3", "beta: 0.1")
    assert project.repro() == []
    assert (project.folder / "dvc.lock").read_text() == lock


def test_pairing_asks_the_teacher_nothing(project):
    before = project.journal()
    project.edit("params.yaml", "  per_problem: 2\n", "  per_problem: 1\n")
    assert project.repro("pair") == ["pair"]
    assert project.changed() == {"train@dpo"}  # the demonstrations are the same, so sft is
    assert project.journal() == before
    project.edit("params.yaml", "  per_problem: 1\n", "  per_problem: 2\n")
    assert project.repro() == []


def test_more_samples_ask_for_the_missing_ones_only(project):
    before = project.journal()
    chains = (project.folder / "data/chains.jsonl").read_text()
    project.edit("params.yaml", "samples: 3", "samples: 4")
    assert project.repro("generate") == ["generate"]
    after = project.journal()
    assert set(before) < set(after) and len(set(after)) == len(after), "a call was lost, or asked twice"
    new = project.metrics("generate.json")
    assert new["chains"] == 96 and new["teacher_calls"] == len(after) - len(before)
    assert set(chains.split("\n")) <= set((project.folder / "data/chains.jsonl").read_text().split("\n"))
    project.edit("params.yaml", "samples: 4", "samples: 3")
    assert project.repro("generate") == ["generate"]
    assert project.journal() == after
    assert (project.folder / "data/chains.jsonl").read_text() == chains


def test_the_way_back_to_an_old_temperature_asks_nothing(project):
    before = project.journal()
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.5")
    assert project.repro("generate") == ["generate"]
    there = project.journal()
    assert len(there) > len(before)
    project.edit("params.yaml", "temperature: 0.5", "temperature: 1.0")
    assert project.repro("generate") == ["generate"]
    assert project.journal() == there
    assert project.repro() == []


def kill_in(project, stage, seen):
    """Start `dvc repro` of a stage and kill -9 its whole process group as soon as `seen` holds of its output."""
    output = project.folder.parent / "output"
    with open(output, "w") as file:
        process = subprocess.Popen(
            ["dvc", "repro", stage],
            cwd=project.folder,
            env=project.env,
            start_new_session=True,
            stdout=file,
            stderr=file,
        )
    deadline = time.monotonic() + 200
    while not seen(output.read_text()):
        assert process.poll() is None and time.monotonic() < deadline, output.read_text()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_generate_goes_on_where_it_was(project):
    before, small = project.journal(), (project.folder / "params.yaml").read_text()
    project.edit("params.yaml", "temperature: 1.0", "temperature: 0.9")
    project.edit("params.yaml", "source: builtin/math, n: 12,", "source: builtin/math, n: 400,")
    kill_in(project, "generate", lambda _output: len(project.journal()) > len(before) + 200)
    bought = project.journal()
    project.edit("params.yaml", "source: builtin/math, n: 400,", "source: builtin/math, n: 100,")
    assert project.repro("generate") == ["generate"]
    after = project.journal()
    assert set(bought) <= set(after) and len(set(after)) == len(after), "a call was lost, or asked twice"
    (project.folder / "params.yaml").write_text(small)
    assert project.repro("generate") == ["generate"]
    assert project.journal() == after
    assert project.repro() == []


def test_a_killed_training_starts_again_and_gives_the_same_model(project):
    lock, small = (project.folder / "dvc.lock").read_text(), (project.folder / "params.yaml").read_text()
    model = (project.folder / "models/sft/model.safetensors").read_bytes()
    project.edit("params.yaml", "  sft:\n    steps: 4\n", "  sft:\n    steps: 4000\n")
    project.edit("params.yaml", "progress: false", "progress: true")
    kill_in(project, "train@sft", lambda output: "/4000 " in output)
    (project.folder / "params.yaml").write_text(small)
    project.run("dvc", "repro")
    assert (project.folder / "models/sft/model.safetensors").read_bytes() == model
    assert (project.folder / "dvc.lock").read_text() == lock
    left = {path.name for path in (project.folder / "models").iterdir()}
    assert {name for name in left if not name.endswith(".lock")} == {"base", "sft", "dpo"}


def test_an_experiment_keeps_the_journal(project):
    before = project.journal()
    project.run("dvc", "exp", "run", "-S", "generate.teacher.temperature=0.7", "generate")
    assert set(before) < set(project.journal())
    project.run("git", "checkout", "-q", ".")
    project.run("git", "reset", "-q", "--hard")
    project.run("dvc", "checkout", "--force")
    assert project.repro() == []


def test_push_clone_pull_and_nothing_is_left_to_do(project):
    project.run("dvc", "push")
    clone = Project(project.folder.parent / "clone")
    project.run("git", "clone", "-q", str(project.folder), str(clone.folder))
    clone.run("dvc", "remote", "modify", "--local", "store", "url", str(project.folder / ".dvc-store"))
    clone.run("dvc", "pull")
    assert clone.repro() == []
    # A colleague with no key repeats the teacher's part from data/calls alone.
    assert clone.repro("--single-item", "--force", "generate") == ["generate"]
    assert clone.run("git", "status", "--short") == ""


def test_a_forced_run_gives_the_same_hashes(project):
    lock = (project.folder / "dvc.lock").read_text()
    assert sorted(project.repro("--force")) == sorted(STAGES)
    assert (project.folder / "dvc.lock").read_text() == lock
    assert project.run("git", "status", "--short") == ""


def test_each_plot_is_drawn_once_and_each_student_has_its_own_axis(project):
    drawn = json.loads(project.run("dvc", "plots", "show", "--json"))["data"]
    curves = {student: f"metrics/train/{student}.tsv" for student in ("base", "sft", "dpo")}
    files = ["metrics/plots/accuracy.json", "metrics/plots/failures.json", *curves.values()]
    assert set(drawn) == {*files, "reward margin of dpo", "reward accuracy of dpo"}
    assert all(len(plots) == 1 for plots in drawn.values())
    for student, curve in curves.items():
        content = drawn[curve][0]["content"]
        assert content["title"]["text"] == f"loss of {student}"
        assert '"field": "loss"' in json.dumps({name: part for name, part in content.items() if name != "data"})
        steps = [int(point["step"]) for point in content["data"]["values"]]
        assert steps[-1] == project.metrics(f"train/{student}.json")["steps"]


def test_a_metric_is_what_runs_are_compared_by(project):
    files = json.loads(project.run("dvc", "metrics", "show", "--json"))[""]["data"]
    trained = [f"metrics/train/{student}.json" for student in ("base", "sft", "dpo")]
    others = [f"metrics/{name}.json" for name in ("generate", "verify", "pair", "eval", "eval_ood")]
    assert sorted(files) == sorted([*others, *trained])
    for path in files:
        assert path in project.run("git", "ls-files", "metrics")

    def keys(tree):
        return [name for value in tree.values() for name in (keys(value) if isinstance(value, dict) else [value])]

    assert len(keys(files["metrics/eval.json"]["data"])) == 69  # 3 students x 3 tasks x 5, 3 tasks x 2 gains x 4
    assert len(keys(files["metrics/verify.json"]["data"])) == 7
    for name in ("details/eval", "details/eval_ood", "details/verify"):
        assert project.metrics(f"{name}.json")


def test_files_are_readable_as_the_umask_has_it(project):
    made = [path for name in ("data", "models", "metrics") for path in (project.folder / name).rglob("*")]
    umask = os.umask(0)
    os.umask(umask)
    wrong = {path.name for path in made if path.is_file() and path.stat().st_mode & 0o444 != 0o444 & ~umask}
    assert len(made) > 30 and wrong == set()
