"""params.yaml: every value is checked by name before anything runs."""

import subprocess
import sys

import pytest
from conftest import ROOT, small_params

from stages.params import ParamsError, load
from stages.records.command import run
from stages.records.errors import InputError

TEXT = small_params()


def written(tmp_path, old, new):
    assert TEXT.count(old) == 1, old
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new))
    return path


def test_the_committed_file_is_valid():
    assert load(ROOT / "params.yaml").train.seed >= 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    beta: 0.1", "    betta: 0.1", r"unknown key train\.dpo\.betta; known here: start, beta"),
        ("\nverify:\n", "\nverifi:\n", r"unknown key verifi"),
        ("    beta: 0.1", "    beta: '0.1'", r"train\.dpo\.beta is '0\.1' \(str\): Input should be a valid number"),
        ("  samples: 3\n", "  samples: 4.5\n", r"generate\.samples is 4\.5 \(float\): Input should be a valid integer"),
        ("  samples: 3\n", "  samples: true\n", r"generate\.samples is True \(bool\): Input should be a valid integer"),
        (
            "  samples: 3\n",
            "  samples: 0\n",
            r"generate is empty: samples is 0 and chains names none; write 1 or more samples",
        ),
        ("  max_errors: 3", "  # max_errors: 3", r"missing key agent\.max_errors"),
        ("    beta: 0.1", "    beta: .inf", r"train\.dpo\.beta is inf \(float\): Input should be a finite number"),
        (
            "    misconception: 0.6\n",
            "    misconception: 68\n",
            r"generate\.simulated\.misconception is 68 \(int\): .*less than or equal to 1",
        ),
        (
            "kinds: [chain]",
            "kinds: [chains]",
            r"pair\.kinds\[0\] is 'chains' \(str\): Input should be 'chain' or 'step'",
        ),
        ("kinds: [chain]", "kinds: chain", r"pair\.kinds is 'chain' \(str\): Input should be a valid array"),
        (
            "    wire: text",
            "    wire: native",
            r"generate\.teacher\.wire is 'native' \(str\): Input should be 'text' or 'tools'",
        ),
        ("start: base\n", "start: dpo\n", r"train\.dpo\.start is 'dpo' \(str\): Input should be 'base' or 'sft'"),
        ("kinds: [chain]", "kinds: [chain", r"not valid YAML"),
        ("fold: null", "fold: {of: 5, hold: 5}", r"problems\.fold has hold 5; of 5 folds it takes 0 to 4"),
        ("fold: null", "fold: {of: 1, hold: 0}", r"problems\.fold\.of is 1 \(int\): .*greater than or equal to 2"),
        ("fold: null", "fold: {of: 5, hold: 0, by: rows}", r"problems\.fold\.by is 'rows' .*'words' or 'row'"),
        (
            "fold: null",
            "fold: {of: 5, hold: 0, use: test}",
            r"unknown key problems\.fold\.use; known here: of, hold, by",
        ),
        ("share: 0.5", "share: 2", r"problems\.overlap\.share is 2 \(int\): .*less than or equal to 1"),
        (
            "  retries: 2\n",
            "  retries: 2\n  api_base: null\n",
            r"unknown key runtime\.api_base; known here: concurrency, .*teacher",
        ),
        (
            "max_failures: 16",
            "max_failures: 0",
            r"runtime\.teacher\.max_failures is 0 \(int\): .*greater than or equal to 1",
        ),
        (
            "requests_per_minute: null",
            "requests_per_minute: 0",
            r"requests_per_minute is 0 \(int\): .*greater than or equal to 1",
        ),
        (
            "tokens_per_minute: null",
            "tokens_per_minute: 0.5",
            r"tokens_per_minute is 0\.5 \(float\): Input should be a valid integer",
        ),
        (
            "chain_timeout_s: 60",
            "chain_timeout_s: -1",
            r"runtime\.teacher\.chain_timeout_s is -1 \(int\): Input should be greater than 0",
        ),
        ("headers: {}", "headers: {'X Y': TEAM}", r"runtime\.teacher\.headers has a name that no header can have"),
        ("headers: {}", "headers: {X-Team: 5}", r"headers\.X-Team is 5 \(int\): Input should be a valid string"),
        ("deployments: []", "deployments: [{url: 'http://a'}]", r"unknown key runtime\.teacher\.deployments\[0\]\.url"),
        (
            "deployments: []",
            "deployments: [{weight: 0}]",
            r"deployments\[0\]\.weight is 0 \(int\): Input should be greater than 0",
        ),
        (
            "    problems: []\n",
            "    problems: mawps\n",
            r"generate\.corpus\.problems is 'mawps' \(str\): Input should be a valid array",
        ),
        (
            "    problems: []\n",
            "    problems: [mawps]\n",
            r"generate\.corpus\.problems\[0\] is 'mawps' \(str\): Input should be an object",
        ),
        ("    math: 150\n", "    math: -1\n", r"generate\.corpus\.math is -1 \(int\): .*greater than or equal to 0"),
        (
            "    math: 150\n    logic: 150\n",
            "    math: 0\n    logic: 0\n",
            r"generate\.corpus: all of it is empty; a tiny student reads math, logic or problems",
        ),
        (
            "architecture: llama",
            "architecture: rwkv",
            r"tiny\.architecture is 'rwkv' \(str\): Input should be 'llama' or 'recurrent'",
        ),
        ("deployments: []", "deployments: [{api_base: host}]", r"deployments\[0\]\.api_base is no plain URL"),
    ],
)
def test_a_bad_value_is_refused_by_its_key(tmp_path, old, new, message):
    with pytest.raises(ParamsError, match=message):
        load(written(tmp_path, old, new))


def test_lora_is_refused_for_layers_that_it_does_not_adapt(tmp_path):
    path = written(tmp_path, "architecture: llama", "architecture: recurrent")
    assert load(path).train.tiny.architecture == "recurrent"
    path.write_text(path.read_text().replace("lora: {rank: 0", "lora: {rank: 4"))
    with pytest.raises(
        ParamsError, match=r"train has lora\.rank 4, and LoRA leaves the GRUs of a recurrent student as they are"
    ):
        load(path)


def test_one_place_and_several_are_not_both_given(tmp_path):
    path = written(tmp_path, "    api_base: null\n    headers: {}\n    deployments: []\n", "    places: here\n")
    places = "    api_base: http://a/v1\n    headers: {}\n    deployments: [{api_base: http://b/v1}]\n"
    path.write_text(path.read_text().replace("    places: here\n", places))
    with pytest.raises(ParamsError, match=r"runtime\.teacher has both api_base and deployments; leave one"):
        load(path)


def test_a_deployment_says_what_differs_from_a_single_place(tmp_path):
    given = "deployments: [{api_base: http://a/v1}, {api_base: http://b/v1, model: openai/b, key: B_KEY, weight: 3}]"
    one, two = load(written(tmp_path, "deployments: []", given)).runtime.teacher.deployments
    assert (one.api_base, one.model, one.key, one.weight) == ("http://a/v1", None, None, 1.0)
    assert (two.api_base, two.model, two.key, two.weight) == ("http://b/v1", "openai/b", "B_KEY", 3.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("headers: {}", "headers: {X-Key: sk-live-0123456789abcdef}"),
        ("headers: {}", "headers: {X-Key: gsk0123456789abcdef}"),
        ("headers: {}", "headers: {'sk-live-0123456789abcdef: x': TEAM}"),
        ("deployments: []", "deployments: [{key: sk-live-0123456789abcdef}]"),
        ("deployments: []", "deployments: [{api_base: 'https://me:sk-live-0123456789abcdef@host/v1'}]"),
    ],
)
def test_a_key_that_was_written_into_the_file_is_refused_without_showing_it(tmp_path, old, new):
    with pytest.raises(ParamsError) as refused:
        load(written(tmp_path, old, new))
    assert "0123456789abcdef" not in str(refused.value)


def test_whole_numbers_are_numbers(tmp_path):
    assert load(written(tmp_path, "    beta: 0.1", "    beta: 1")).train.dpo.beta == 1.0


def test_words_that_old_yaml_takes_for_booleans_stay_texts(tmp_path):
    assert load(written(tmp_path, "  device: cpu", "  device: no")).runtime.device == "no"


def test_a_missing_file_says_where_it_was_sought(tmp_path):
    with pytest.raises(ParamsError, match="no such file"):
        load(tmp_path / "params.yaml")


def test_an_input_error_ends_a_stage_with_one_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def main():
        raise InputError("data/chains.jsonl line 3: no JSON object")

    with pytest.raises(SystemExit, match="error: data/chains.jsonl line 3: no JSON object"):
        run(main)


def test_an_unwritable_place_ends_a_stage_with_one_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where a folder is needed")
    with pytest.raises(SystemExit, match=r"error: .*data.*: .*; every file is whole, the old one or the new one"):
        run(lambda: (tmp_path / "data" / "x").write_text("x"))


def test_an_installed_copy_refuses_to_run_for_a_checkout(tmp_path):
    """After a plain `pip install .` the copy's code would run while DVC hashes the checkout's."""
    copy, checkout = tmp_path / "site-packages", tmp_path / "checkout"
    for folder in (copy, checkout):
        (folder / "stages" / "records").mkdir(parents=True)
        for name in ("__init__.py", *(f"records/{one}.py" for one in ("__init__", "command", "errors", "files"))):
            (folder / "stages" / name).write_bytes((ROOT / "stages" / name).read_bytes())
    (checkout / "dvc.yaml").write_text("stages: {}\n")
    code = f"import sys; sys.path.insert(0, {str(copy)!r})\n"
    code += "from stages.records.command import run\nrun(lambda: print('ran'))"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert "not this checkout's stages/" in done.stderr and "pip install -e ." in done.stderr
