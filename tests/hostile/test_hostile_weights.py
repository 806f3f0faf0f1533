"""Hostile weights and tokenizers: loading a student's folder runs nothing that it holds."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from students import byte_tokenizer, random_model, student_folder

from stages.records.errors import InputError
from stages.students.load import load_student, load_tokenizer, save_student


class Poison:
    """Its pickle runs a command where it is loaded."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return student_folder(tmp_path_factory.mktemp("student") / "qwen", "qwen")


def poisoned(folder: Path, to: Path, name: str) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    (to / name).write_bytes(pickle.dumps(Poison(to / "ran")))
    return to


def test_the_poison_is_one(tmp_path):
    pickle.loads(pickle.dumps(Poison(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "pytorch_model.bin.index.json"])
def test_poisoned_weights_run_nothing(name, folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", name)
    if name != "model.safetensors":
        (place / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot load"):
        load_student(place)
    assert not (place / "ran").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "generation_config.json", "adapter_model.bin"])
def test_poisoned_files_beside_the_weights_run_nothing(name, folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", name)
    if name == "adapter_model.bin":
        adapter = {"peft_type": "LORA", "base_model_name_or_path": str(folder), "target_modules": ["q_proj"], "r": 1}
        (place / "adapter_config.json").write_text(json.dumps(adapter))
    try:
        load_student(place)
    except InputError as error:
        assert "\n" not in str(error)
    assert not (place / "ran").exists()


def test_code_named_by_a_tokenizer_is_not_run(folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", "unused.bin")
    config = json.loads((place / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    (place / "evil.py").write_text(f"open({str(place / 'ran')!r}, 'w')\nclass Evil: pass\n")
    try:
        load_tokenizer(place)
    except InputError as error:
        assert "\n" not in str(error)
    assert not (place / "ran").exists()


def test_a_saved_student_holds_no_pickle(tmp_path):
    tokenizer = byte_tokenizer("qwen")
    save_student(random_model("qwen", tokenizer), tokenizer, tmp_path / "sft")
    names = {path.suffix for path in (tmp_path / "sft").iterdir()}
    assert names <= {".json", ".jinja", ".safetensors"}
    for path in (tmp_path / "sft").iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK"))
