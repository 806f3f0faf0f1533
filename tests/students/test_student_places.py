"""Students that do not fit: weights that are not the model's, adapters, names that are no student's. One line each."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from students import byte_tokenizer, student_folder

from stages.records.errors import InputError
from stages.students.chat import ChatText
from stages.students.load import load_student, save_student
from stages.teacher import local


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    return {shape: student_folder(tmp_path_factory.mktemp("student") / shape, shape) for shape in ("qwen", "llama")}


def changed(folder, to, change):
    """A copy of the student with other weights."""
    shutil.copytree(folder, to)
    weights = change(load_file(to / "model.safetensors"))
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def adapter(base, to):
    """A LoRA adapter of this student on disk, as peft saves it; the model that it makes."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(str(base)), lora)
    model.save_pretrained(to)
    return model


def settings(folder, **changes):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


FAULTS = {
    "27 missing (lm_head.weight, ...), 26 unexpected (base_model.model.model.embed_tokens.weight, ...); its keys begin "
    "with `base_model.model.`": lambda weights: {f"base_model.model.{name}": part for name, part in weights.items()},
    "12 missing (model.layers.1.input_layernorm.weight, ...); config.json and the weights are not of one model": (
        lambda weights: {name: part for name, part in weights.items() if ".layers.1." not in name}
    ),
    "1 unexpected (model.layers.2.mlp.up_proj.weight)": (
        lambda weights: weights | {"model.layers.2.mlp.up_proj.weight": torch.zeros(2)}
    ),
    "1 of another shape (model.norm.weight (5,) for (32,))": (
        lambda weights: weights | {"model.norm.weight": weights["model.norm.weight"][:5].clone()}
    ),
    "1 missing (model.norm.weight), 1 unexpected (model.norm.bias)": (
        lambda weights: {name.replace("model.norm.weight", "model.norm.bias"): part for name, part in weights.items()}
    ),
}


@pytest.mark.parametrize("said", FAULTS)
def test_weights_that_do_not_fit_are_one_error_that_counts_them(students, tmp_path, capfd, said):
    place = changed(students["qwen"], tmp_path / "spoilt", FAULTS[said])
    for device in ("cpu", "meta"):
        with pytest.raises(InputError, match=f"^train.student: .*spoilt: the weights do not fit: {re.escape(said)}"):
            load_student(place, device)
    assert capfd.readouterr().err == ""  # transformers prints a table of its own


def test_tied_embeddings_are_no_missing_weight_and_untied_ones_are(students, tmp_path):
    def headless(weights):
        return {name: part for name, part in weights.items() if name != "lm_head.weight"}

    assert load_student(changed(students["qwen"], tmp_path / "tied", headless))
    with pytest.raises(InputError, match=r"1 missing \(lm_head.weight\)"):
        load_student(changed(students["llama"], tmp_path / "untied", headless))


def test_buffers_that_old_checkpoints_hold_are_no_unexpected_weight(students, tmp_path):
    def older(weights):
        return weights | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}

    assert load_student(changed(students["llama"], tmp_path / "older", older))


def test_an_adapter_is_merged_into_its_base(students, tmp_path):
    wanted = adapter(students["qwen"], tmp_path / "adapter")
    model, tokenizer = load_student(tmp_path / "adapter")
    ids = torch.arange(5, 25)[None]
    assert torch.allclose(model(ids).logits, wanted(ids).logits, atol=1e-5)
    assert not torch.allclose(model(ids).logits, load_student(students["qwen"])[0](ids).logits, atol=1e-2)
    save_student(model, tokenizer, tmp_path / "plain")
    assert not (tmp_path / "plain/adapter_config.json").exists()
    assert torch.equal(load_student(tmp_path / "plain")[0](ids).logits, model(ids).logits)


def only_first_layer(folder):
    weights = load_file(folder / "adapter_model.safetensors")
    kept = {name: part for name, part in weights.items() if ".layers.1." not in name}
    save_file(kept, folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (only_first_layer, r"adapter: the weights do not fit: 14 missing \(.*layers.1.*lora_A"),
        (
            lambda folder: settings(folder, base_model_name_or_path="/gone"),
            "adapter_config.json: /gone: no such folder",
        ),
        (lambda folder: settings(folder, base_model_name_or_path=None), "names no base_model_name_or_path"),
        (lambda folder: settings(folder, peft_type="PROMPT_TUNING"), "PROMPT_TUNING; only LoRA is read: merge it"),
        (lambda folder: settings(folder, megatron_config={}, megatron_core="antigravity"), None),
        (lambda folder: settings(folder, megatron_config={"a": 1}, megatron_core="antigravity"), "only LoRA is read"),
        (lambda folder: (folder / "adapter_config.json").write_text("[]"), "of kind None; only LoRA is read"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "cannot load .*adapter"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "without adapter_model.safetensors"),
    ],
)
def test_an_adapter_that_does_not_fit_is_one_error(students, tmp_path, spoil, said):
    adapter(students["qwen"], tmp_path / "adapter")
    spoil(tmp_path / "adapter")
    if said is None:
        assert load_student(tmp_path / "adapter")
        return
    with pytest.raises(InputError, match=f"^train.student: .*{said}") as refused:
        load_student(tmp_path / "adapter")
    assert "\n" not in str(refused.value)


def test_an_adapter_as_teacher_is_known_by_its_bases_weights_too(students, tmp_path):
    base = changed(students["qwen"], tmp_path / "base", lambda weights: weights)
    adapter(base, tmp_path / "adapter")
    before = local.parameters(f"local/{tmp_path}/adapter")
    shutil.rmtree(base)
    changed(students["qwen"], base, lambda weights: {name: part * 2 for name, part in weights.items()})
    assert local.parameters(f"local/{tmp_path}/adapter") != before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./base", r"\./base: no such folder$"),
        ("/base", "/base: no such folder$"),
        ("~/base", "~/base: no such folder; `~` is not expanded, write the whole path$"),
        ("a/b/base", "a/b/base: no such folder$"),
        ("models/base", r"models/base: no such folder \(no hub id is meant, as models is a folder here\)$"),
        ("models/", "no config.json in this folder; name the one that holds"),
        ("models/gone/", "models/gone/: no such folder"),
        ("student.gguf", "a GGUF file is quantised for inference and is not trained; name the folder or hub id"),
        ("quantised", "a GGUF file is quantised for inference and is not trained"),
        ("file", "file is a file; name the folder"),
        ("empty", "no config.json in this folder"),
    ],
)
def test_a_name_that_is_no_students_is_refused_without_asking_the_hub(tmp_path, monkeypatch, name, said):
    import huggingface_hub

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "HfApi", None)
    monkeypatch.setattr("transformers.utils.hub.hf_hub_download", None)
    for folder in ("models", "empty", "quantised"):
        (tmp_path / folder).mkdir()
    for file in ("file", "quantised/student-q4.gguf"):
        (tmp_path / file).write_bytes(b"GGUF")
    with pytest.raises(InputError, match=f"^train.student: .*{said}"):
        load_student(name)
    if "no such folder" in said:
        with pytest.raises(InputError, match=f"^generate.teacher.model: .*{said}"):
            local.parameters(f"local/{name}")


def test_several_chat_templates_are_read_by_the_default_one_and_saved(students, tmp_path):
    model, tokenizer = load_student(students["qwen"])
    plain = tokenizer.chat_template
    tokenizer.chat_template = {"default": plain, "tool_use": "{{ messages }}"}
    save_student(model, tokenizer, tmp_path / "several")
    assert (tmp_path / "several/additional_chat_templates/tool_use.jinja").is_file()
    model, tokenizer = load_student(tmp_path / "several")
    save_student(model, tokenizer, tmp_path / "again")
    talk = [{"role": "user", "content": "3 + 4?"}, {"role": "assistant", "content": "7"}]
    once = ChatText(byte_tokenizer("qwen")).texts([talk])
    assert ChatText(tokenizer).texts([talk]) == ChatText(load_student(tmp_path / "again")[1]).texts([talk]) == once


def test_several_chat_templates_without_a_default_are_refused(students, tmp_path):
    model, tokenizer = load_student(students["qwen"])
    tokenizer.chat_template = {"rag": "{{ messages }}", "tool_use": "{{ messages }}"}
    save_student(model, tokenizer, tmp_path / "several")
    with pytest.raises(InputError, match=r"no chat template of several \(rag, tool_use\) is named `default`"):
        load_student(tmp_path / "several")


def test_a_control_token_beyond_the_models_rows_is_no_harm_where_nothing_writes_it(students, tmp_path):
    model, tokenizer = load_student(students["qwen"])
    for name, added in (
        ("unused", {"additional_special_tokens": ["<image_soft_token>"]}),
        ("pad", {"pad_token": "<pad>"}),
    ):
        model, tokenizer = load_student(students["qwen"])
        tokenizer.add_special_tokens(added)
        save_student(model, tokenizer, tmp_path / name)
    _, tokenizer = load_student(tmp_path / "unused")
    chat = ChatText(tokenizer)
    hostile = chat.texts([[{"role": "user", "content": "<image_soft_token> 4"}]], ask=True)[0]
    assert max(chat.ids(hostile)) < model.get_input_embeddings().num_embeddings < len(tokenizer)
    with pytest.raises(InputError, match=r"a text can hold '<pad>' \(token 300\); they do not belong"):
        load_student(tmp_path / "pad")
