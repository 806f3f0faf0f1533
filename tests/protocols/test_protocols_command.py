"""`python -m stages.protocols NAME` changes the values of params.yaml that the protocol sets, and not a sign beside."""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from stages.params import load
from stages.protocols.__main__ import apply, main, protocols
from stages.protocols.overlay import leaves, overlaid, plain
from stages.records.errors import InputError

DEFAULT = (ROOT / "params.yaml").read_text()
NAMES = sorted(path.stem for path in (ROOT / "stages/protocols").glob("*.yaml"))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "params.yaml").write_text(DEFAULT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def but_for(ours):
    """The default's values, without one that a mapping replaces: `fold: null`."""
    return {key: value for key, value in leaves(plain(DEFAULT)).items() if not any(f"{key}." in one for one in ours)}


def comments(text):
    return [re.sub(" +", " ", line[line.index("#") :]) for line in text.split("\n") if "#" in line]


@pytest.mark.parametrize("name", NAMES)
def test_it_writes_the_values_keeps_comments_and_order_and_says_each_change(folder, name, capsys):
    main([name])
    made = (folder / "params.yaml").read_text()
    ours = leaves(plain((ROOT / f"stages/protocols/{name}.yaml").read_text()))
    assert leaves(plain(made)) == but_for(ours) | ours
    assert comments(made) == comments(DEFAULT)
    keys = [line.split(":")[0].strip() for line in DEFAULT.split("\n") if line.rstrip().endswith(":")]
    assert [line.split(":")[0].strip() for line in made.split("\n") if line.rstrip().endswith(":")] == keys
    *changes, last = capsys.readouterr().out.splitlines()
    said = [line.partition(": ")[0] for line in changes]
    assert said == list(dict.fromkeys(re.sub(r"(problems\.fold)\..*", r"\1", key) for key in ours))
    assert last.startswith(f"params.yaml: protocol {name}, {len(said)} values changed")
    load("params.yaml")

    main([name])
    assert capsys.readouterr().out == f"params.yaml: has all values of protocol {name}; nothing changed\n"
    assert (folder / "params.yaml").read_text() == made


def test_a_change_says_the_value_before_and_after(folder, capsys):
    main(["asdiv_a"])
    said = capsys.readouterr().out.splitlines()
    assert "train.sft.learning_rate: 1.0e-3 -> 1.0e-4" in said and "train.tiny.architecture: llama -> recurrent" in said
    dev = "[{source: builtin/math, n: 300, seed: 1}, {source: builtin/logic, n: 300, seed: 1}]"
    assert f"problems.dev: {dev} -> []" in said


def test_values_of_ones_own_stay_and_another_protocol_s_are_refused(folder):
    own = DEFAULT.replace("max_steps: 16", "max_steps: 20")
    (folder / "params.yaml").write_text(own)
    apply("mawps")
    made = (folder / "params.yaml").read_text()
    assert "max_steps: 20" in made
    apply("mawps_single")  # sets all that mawps sets
    (folder / "params.yaml").write_text(made)
    with pytest.raises(
        InputError, match=r": train\.base\.learning_rate still as protocol mawps has it, .*git checkout"
    ):
        apply("asdiv_a")
    with pytest.raises(InputError, match=r": problems\.fold\.of, .*hold, .*by still as protocol mawps has it"):
        apply("svamp")
    # Also where the fold is another one by now.
    (folder / "params.yaml").write_text(made.replace("hold: 0", "hold: 3"))
    with pytest.raises(InputError, match=r": problems\.fold\.of, problems\.fold\.by still as protocol mawps has it"):
        apply("svamp")
    (folder / "params.yaml").write_text(made)
    assert (folder / "params.yaml").read_text() == made


def test_an_unknown_name_is_one_error_that_lists_the_names(folder):
    done = subprocess.run(
        [sys.executable, "-m", "stages.protocols", "mawp"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: no protocol 'mawp'; there are {', '.join(NAMES)}\n"
    assert (folder / "params.yaml").read_text() == DEFAULT


def test_without_a_name_each_is_listed_with_the_first_line_of_its_head(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert lines[2].split(None, 1)[1] == protocols()["mawps"].split("\n")[0].removeprefix("# ")


def test_help_says_that_it_starts_from_the_committed_file(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "committed params.yaml: `git checkout params.yaml` first" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    beta: 0.1\n", r"missing key train\.dpo\.beta"),
        ("problems:\n", r"params\.yaml: "),
    ],
)
def test_a_file_that_is_not_valid_is_left_as_it_is(folder, text, message):
    (folder / "params.yaml").write_text(DEFAULT.replace(text, ""))
    with pytest.raises(InputError, match=message):
        apply("mawps")
    assert (folder / "params.yaml").read_text() == DEFAULT.replace(text, "")


def test_a_value_out_of_range_is_not_written(folder, monkeypatch):
    monkeypatch.setattr("stages.protocols.__main__.protocols", lambda: {"mine": "train: {dpo: {beta: -1}}\n"})
    with pytest.raises(InputError, match=r"params\.yaml with protocol mine: train\.dpo\.beta is -1"):
        apply("mine")
    assert (folder / "params.yaml").read_text() == DEFAULT


TEXT = """\
# head
a:                 # of a
                   # more of a
- {x: 1}           # first
- {x: 2}

# of b
b: {c: 1, d: [2]}  # of b's line
e: []              # of e
                   # more of e
f: null
g: 'text'"""


@pytest.mark.parametrize(
    ("overlay", "changed"),
    [
        (
            "a: []",
            ["-a:                 # of a", "+a: []              # of a", "-- {x: 1}           # first", "-- {x: 2}"],
        ),
        (
            "a: [1]",
            ["-a:                 # of a", "+a: [1]             # of a", "-- {x: 1}           # first", "-- {x: 2}"],
        ),
        ("a:\n  - 3\n  - {x: 2}", ["-- {x: 1}           # first", "+- 3"]),
        ("b: {c: 2.0e-3}", ["-b: {c: 1, d: [2]}  # of b's line", "+b: {c: 2.0e-3, d: [2]}  # of b's line"]),
        ("b:\n  d:\n  - 4\n  - 5", ["-b: {c: 1, d: [2]}  # of b's line", "+b: {c: 1, d: [4, 5]}  # of b's line"]),
        ("e:\n- {y: 1}", ["-e: []              # of e", "+e:                 # of e", "+- {y: 1}"]),
        ("f: {of: 5}", ["-f: null", "+f: {of: 5}"]),
        ("g: other", ["-g: 'text'", "+g: other"]),
        ("e: []\nb: {c: 1}", []),
    ],
)
def test_only_the_lines_of_what_differs_change(overlay, changed):
    made, changes = overlaid(TEXT, overlay)
    lines = [line for line in difflib.ndiff(f"{TEXT}\n".splitlines(), made.splitlines()) if line[0] in "+-"]
    assert [line.replace(" ", "", 1) for line in lines] == changed
    assert len(changes) == bool(changed)


@pytest.mark.parametrize(
    ("text", "overlay", "message"),
    [
        ("a: 1\n", "b: 2", r"params\.yaml has no key b, which the protocol sets"),
        ("a: &one 1\nb: *one\n", "b: 2", r"params\.yaml: b cannot be replaced as it is written there"),
        ("a: [1,\n 2]\nb: 1", "a:\n- 3", None),
    ],
)
def test_what_cannot_be_replaced_alone_is_refused(text, overlay, message):
    if message is None:
        assert plain(overlaid(text, overlay)[0]) == {"a": [3], "b": 1}
        return
    with pytest.raises(InputError, match=message):
        overlaid(text, overlay)


def test_the_readme_tells_every_protocol_and_every_figure_that_stands_as_json():
    readme = (ROOT / "stages/protocols/README.md").read_text()
    assert all(f"`{name}`" in readme for name in NAMES)
    results = {path.stem: json.loads(path.read_text()) for path in (ROOT / "metrics/protocols").glob("*.json")}
    assert results and results.keys() <= set(NAMES)
    for result in results.values():
        for row in result.get("answers", ()):
            shown = [f"| {row['student']} | {row['n']:,}"]
            for student in ("base", "sft", "dpo"):
                low, high = row[student]["low"], row[student]["high"]
                shown.append(f"{row[student]['answer_accuracy']:.1%} [{100 * low:.1f}, {100 * high:.1f}]")
            assert " | ".join(shown).replace("% ", " % ") in readme
        for solver, share in result.get("published", {}).items():
            assert f"{solver} {100 * share:.1f}" in readme
