"""The files: what is written comes back, equal rows give equal bytes, a bad file is one error that names the place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import examples
from door_rows import ROWS, STEP
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from stages.records import schema
from stages.records.files import FileError, replace_file, write_metrics
from stages.records.schema import SchemaError

# Halves of surrogate pairs are allowed, but not side by side: JSON joins two matching halves into one character.
texts = st.text(st.one_of(st.characters(), st.sampled_from('\u2028\u2029\x85\x00\r\n\ufeff"\\'), st.just("\ud800")))


def chains(count):
    return [{**ROWS["chains"], "chain_id": f"p/{index}#0-00000000", "sample": index} for index in range(count)]


def bad(path, rows):
    """The message of the error that a chains file of these rows gives; as text, so that a test may break anything."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(SchemaError) as caught:
        schema.read(path, "chains")
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_every_file_is_tested():
    assert ROWS.keys() == schema.schemas().keys()


@pytest.mark.parametrize("file", ROWS)
def test_rows_come_back_as_written(tmp_path, file):
    assert list(ROWS[file]) == list(schema.schemas()[file].columns)
    schema.write(tmp_path / "rows.jsonl", [ROWS[file]], file)
    assert schema.read(tmp_path / "rows.jsonl", file) == [ROWS[file]]


@given(st.lists(st.tuples(texts, texts, st.dictionaries(texts, texts, max_size=3)), max_size=4))
@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_written(tmp_path, contents):
    rows = [
        {
            **ROWS["chains"],
            "chain_id": f"p/{index}",
            "answer": answer,
            "messages": [{"role": "user", "content": content}],
            "steps": [{**STEP, "text": content, "arguments": arguments}],
        }
        for index, (answer, content, arguments) in enumerate(contents)
    ]
    schema.write(tmp_path / "rows.jsonl", rows, "chains")
    assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == len(rows)
    assert schema.read(tmp_path / "rows.jsonl", "chains") == rows


def test_the_order_of_keys_does_not_change_the_bytes(tmp_path):
    row = ROWS["chains"]
    mixed = {name: row[name] for name in reversed(row)}
    mixed["messages"] = [dict(reversed(message.items())) for message in row["messages"]]
    mixed["steps"] = [dict(reversed(step.items())) for step in row["steps"]]
    schema.write(tmp_path / "one.jsonl", [row], "chains")
    schema.write(tmp_path / "two.jsonl", [{**mixed, "cost_usd": 0.5}], "chains")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.mark.parametrize("file", ROWS)
def test_the_datasets_library_reads_every_file(tmp_path, file):
    from datasets import load_dataset

    path = tmp_path / "rows.jsonl"
    schema.write(path, [ROWS[file]], file)
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == list(ROWS[file])
    for name, value in ROWS[file].items():
        assert loaded[0][name] == value


def test_a_missing_file_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(SchemaError, match=r"chains\.jsonl: no such file; make it with `dvc repro generate"):
        schema.read(tmp_path / "chains.jsonl", "chains")


def test_a_missing_column_is_named(tmp_path):
    rows = [{name: value for name, value in row.items() if name != "gold"} for row in chains(3)]
    assert "column gold: missing" in bad(tmp_path / "f", rows)


def test_a_column_missing_in_some_rows_names_them(tmp_path):
    rows = chains(9)
    for index in (2, 3, 4, 7):
        del rows[index]["gold"]
    message = bad(tmp_path / "f", rows)
    assert "column gold" in message and "and 1 more" in message
    assert "line 3 (p/2#0-00000000) has missing" in message and "line 8" not in message


def test_an_unknown_column_is_named(tmp_path):
    assert "column goold: unknown" in bad(tmp_path / "f", [{**ROWS["chains"], "goold": 1}])


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("task", "physics", "'physics'"),
        ("gold", None, "None"),
        ("gold", 5, "5"),
        ("gold", " ", "' '"),
        ("sample", True, "True"),
        ("sample", 1.0, "1.0"),
        ("sample", -1, "-1"),
        ("cost_usd", "1", "'1'"),
        ("cost_usd", -0.5, "-0.5"),
        ("messages", [], "[]"),
        ("messages", [{"role": "tool", "content": "5"}], "[{'role': 'tool'"),
        ("messages", [{"role": "user", "content": None}], "[{'role'"),
        ("messages", [{"role": "user", "content": "5", "name": "x"}], "[{'role'"),
        ("steps", {"text": ""}, "{'text'"),
        ("steps", [{**STEP, "arguments": {"a": 2}}], "[{'text'"),
        ("steps", [{**STEP, "failure": "tool_error"}], "[{'text'"),
        ("steps", [{**STEP, "error": "no", "failure": "wrong_answer"}], "[{'text'"),
        ("stop", "stop", "'stop'"),
    ],
)
def test_a_wrong_value_names_column_row_and_value(tmp_path, column, value, found):
    rows = chains(3)
    rows[1][column] = value
    message = bad(tmp_path / "f", rows)
    assert f"column {column}: not " in message and f"line 2 (p/1#0-00000000) has {found}" in message
    assert "line 1" not in message and "line 3" not in message


def test_every_bad_column_is_in_the_one_error(tmp_path):
    rows = chains(3)
    rows[0]["gold"], rows[2]["stop"] = None, 3
    message = bad(tmp_path / "f", rows)
    assert "column gold: " in message and "column stop: " in message


def test_a_duplicate_id_is_named(tmp_path):
    message = bad(tmp_path / "f", [*chains(3), chains(2)[1]])
    assert "chain_id stands twice: line 4 (p/1#0-00000000)" in message


def test_the_same_problem_may_stand_once_for_each_model(tmp_path):
    rows = [{**ROWS["predictions"], "model": model} for model in ("base", "dpo")]
    schema.write(tmp_path / "f", rows, "predictions")
    with pytest.raises(SchemaError, match=r"model, use, problem_id stands twice: line 3 \(dpo heldout p/1\)"):
        schema.write(tmp_path / "f", [*rows, rows[1]], "predictions")


@pytest.mark.parametrize(
    "line",
    [
        '{"chain_id": "x"',
        "",
        "[1]",
        '"text"',
        '{"cost_usd": NaN}',
        '{"cost_usd": Infinity}',
        '{"gold": "1", "gold": "2"}',
        '{"sample": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"gold": "\udcff"}',  # the byte 0xff
        "\ufeff{}",
    ],
)
def test_a_line_that_is_no_json_object_is_named(tmp_path, line):
    message = bad(tmp_path / "f", [chains(1)[0], line, chains(2)[1]])
    assert "line 2: not a JSON object" in message and len(message) < 500


def test_an_infinite_number_is_refused(tmp_path):
    line = json.dumps(ROWS["chains"]).replace("0.5", "1e999")
    assert "column cost_usd: not a finite number" in bad(tmp_path / "f", [line])


def test_a_message_shows_no_control_characters_of_an_id(tmp_path):
    row = {**ROWS["chains"], "chain_id": "\x1b[31mred", "gold": "\x1b[31m", "stop": 0}
    assert "\x1b" not in bad(tmp_path / "f", [row])


def test_bad_rows_are_not_written_and_the_old_file_stays(tmp_path):
    path = tmp_path / "rows.jsonl"
    schema.write(path, chains(2), "chains")
    before = path.read_bytes()
    with pytest.raises(SchemaError, match="not written: column cost_usd"):
        schema.write(path, [{**ROWS["chains"], "cost_usd": float("nan")}], "chains")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_one_error(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(FileError, match=r"data/chains\.jsonl: not written: "):
        schema.write(tmp_path / "data" / "chains.jsonl", chains(1), "chains")


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    schema.write(path, chains(2), "chains")
    before = path.read_bytes()
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"  # the kernel takes 100 bytes of a file, then no more
        "from stages.records.files import replace_file\n"
        "replace_file(sys.argv[1], 'x' * 1000)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, cwd=Path.cwd())
    assert "FileError" in run.stderr and f"{path}: not written: File too large" in run.stderr
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_by_renaming(tmp_path):
    path = tmp_path / "deep" / "file"
    replace_file(path, "one")
    with open(path) as opened_before:
        replace_file(path, "two")
        assert opened_before.read() == "one"
    assert path.read_text() == "two"


def test_metrics_are_rounded_and_keep_their_order(tmp_path):
    write_metrics(tmp_path / "m.json", {"b": {"share": 1 / 3}, "a": 7, "c": [0.12345]})
    assert json.loads((tmp_path / "m.json").read_text()) == {"b": {"share": 0.3333}, "a": 7, "c": [0.1235]}
    assert (tmp_path / "m.json").read_text().index('"b"') < (tmp_path / "m.json").read_text().index('"a"')
    with pytest.raises(ValueError):
        write_metrics(tmp_path / "m.json", {"loss": float("nan")})


def test_a_stage_starts_without_loading_pandera():
    check = "import sys, stages.records.schema; sys.exit(any(name in sys.modules for name in ('pandas', 'pandera')))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
