"""Students on disk: plain folders, replaced whole, refused with one line when they cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from students import byte_tokenizer, random_model, student_folder

from stages.records.errors import InputError
from stages.students.load import load_student, load_tokenizer, pick_device, positions, save_student


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return student_folder(tmp_path_factory.mktemp("student") / "qwen", "qwen")


def copied(folder, to):
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_folder_is_loaded_as_it_was_saved(folder, tmp_path):
    model, tokenizer = load_student(folder)
    save_student(model, tokenizer, tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert positions(model) == 4096


def test_a_student_that_is_not_there_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="train.student: .*nowhere: no such folder$"):
        load_student(tmp_path / "nowhere")
    with pytest.raises(InputError, match="train.student: no folder nowhere here, and the hub gives no such model"):
        load_student("nowhere")


def test_pickled_weights_are_refused(folder, tmp_path):
    place = copied(folder, tmp_path / "pickled")
    (place / "model.safetensors").unlink()
    torch.save(random_model("qwen", byte_tokenizer("qwen")).state_dict(), place / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load .*safetensors"):
        load_student(place)


def test_torn_weights_are_one_error(folder, tmp_path):
    place = copied(folder, tmp_path / "torn")
    (place / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:500])
    with pytest.raises(InputError, match="cannot load .*torn"):
        load_student(place)


def test_code_beside_the_weights_is_never_run(folder, tmp_path):
    place = copied(folder, tmp_path / "code")
    config = json.loads((place / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (place / "config.json").write_text(json.dumps(config))
    (place / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError, match="cannot load"):
        load_student(place)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_without_chat_template_is_refused(folder, tmp_path):
    place = copied(folder, tmp_path / "silent")
    (place / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="no chat template"):
        load_tokenizer(place)


def test_a_tokenizer_larger_than_the_model_is_refused(folder, tmp_path):
    place = copied(folder, tmp_path / "larger")
    tokenizer = byte_tokenizer("qwen")
    tokenizer.add_tokens([f"extra{number}" for number in range(9)])
    tokenizer.save_pretrained(place)
    with pytest.raises(InputError, match="they do not belong"):
        load_student(place)


def test_saving_replaces_the_whole_folder(folder, tmp_path):
    model, tokenizer = load_student(folder)
    place = tmp_path / "models" / "sft"
    place.mkdir(parents=True)
    (place / "stale.bin").write_text("old")
    (tmp_path / "models/.sft.part").mkdir()  # what a killed run leaves
    save_student(model, tokenizer, place)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["sft"]
    assert not (place / "stale.bin").exists() and load_student(place)


def test_an_unwritable_place_keeps_the_old_student(folder, tmp_path):
    model, tokenizer = load_student(folder)
    (tmp_path / "models").write_text("a file, no folder")
    with pytest.raises(InputError, match="models/sft: not written: .*; make room or allow writing"):
        save_student(model, tokenizer, tmp_path / "models" / "sft")


def test_a_saved_student_is_readable_as_the_umask_has_it(folder, tmp_path):
    model, tokenizer = load_student(folder)
    before = os.umask(0o027)
    try:
        save_student(model, tokenizer, tmp_path / "models" / "sft")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "models/sft").iterdir()}
    assert set(modes.values()) == {0o640} and "model.safetensors" in modes


FULL = """
import os, resource, sys
from stages.records.command import run
from stages.students.load import load_student, save_student
model, tokenizer = load_student(sys.argv[1])
for size in sys.argv[3:]:  # the kernel takes no more of a file
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
    try:
        run(lambda: save_student(model, tokenizer, sys.argv[2]))
    except SystemExit as ended:
        print(ended.code)
    left = os.listdir(os.path.dirname(sys.argv[2])), os.listdir(sys.argv[2])
    print(*left, open(sys.argv[2] + "/config.json").read())
"""


def test_a_disk_that_is_full_is_one_line_that_names_the_student_and_keeps_the_old_one(folder, tmp_path):
    place = tmp_path / "models" / "sft"
    place.mkdir(parents=True)
    (place / "config.json").write_text("old")
    sizes = ["0", "2000", "60000"]  # met in a configuration, in the weights, in the tokenizer
    command = [sys.executable, "-c", FULL, folder, place, *sizes]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd())
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert len(lines) == 2 * len(sizes), lines
    for said, left in zip(lines[::2], lines[1::2], strict=True):
        assert f"error: {place}: not written: " in said and "File too large" in said
        assert left == "['sft'] ['config.json'] old"


def test_a_gpu_that_is_not_there_is_one_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == "cpu"
    with pytest.raises(InputError, match="runtime.device is cuda"):
        pick_device("cuda")
