"""A student is tried before anything is paid: what does not fit is refused with the reason, what fits passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import transformers
from architectures import REFUSED, student
from conftest import small_params, small_settings
from safetensors.torch import load_file, save_file
from students import QWEN_TEMPLATE, byte_tokenizer, random_model, student_folder
from templates import OWN, tokenizer_of

from stages import generate
from stages.params import LoraParams
from stages.records.errors import InputError
from stages.students.load import save_student
from stages.training.trial import _small, try_student

SMALL = small_settings()


def params_for(place, rank=0):
    return replace(SMALL, train=replace(SMALL.train, student=str(place), lora=LoraParams(rank, 8, 0.0)))


def saved(model, tokenizer, place):
    save_student(model, tokenizer, place)
    return place


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("shape", ["qwen", "llama"])
def test_a_student_that_fits_passes(tmp_path, capfd, shape, rank):
    try_student(params_for(student_folder(tmp_path / shape, shape), rank))
    assert "rror" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["qwen3", "gemma", "deepseek_r1_distill", *OWN])
def test_templates_that_move_or_change_text_pass(tmp_path, name):
    tokenizer = tokenizer_of(name)
    try_student(params_for(saved(random_model("llama", tokenizer), tokenizer, tmp_path / name)))


@pytest.mark.parametrize(("name", "rank"), [("Lfm2Config", 0), ("Gemma3TextConfig", 4), ("Qwen3_5TextConfig", 4)])
def test_other_architectures_pass(tmp_path, name, rank):
    tokenizer = byte_tokenizer("qwen")
    try_student(params_for(saved(student(name, tokenizer), tokenizer, tmp_path / "student"), rank))


def lacks_a_layer(place):
    weights = load_file(place / "model.safetensors")
    kept = {name: part for name, part in weights.items() if ".layers.1." not in name}
    save_file(kept, place / "model.safetensors", metadata={"format": "pt"})


def template(text):
    return lambda place: (place / "chat_template.jinja").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lacks_a_layer, "the weights do not fit: 12 missing"),
        (template("{{ raise_exception('no chat') }}"), "refuses a conversation: no chat"),
        (
            template("{%- if messages | length > 4 %}{{ raise_exception('one turn') }}{%- endif %}" + QWEN_TEMPLATE),
            "refuses a conversation: one turn",
        ),
        (template(QWEN_TEMPLATE.replace("+ '<|im_end|>' + '\\n' }}", "+ '.' }}")), "ends an assistant turn with no"),
        (template(QWEN_TEMPLATE.replace("message.content +", "message.content | upper +")), "does not render a turn"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(tmp_path, spoil, said):
    place = student_folder(tmp_path / "qwen", "qwen")
    spoil(place)
    with pytest.raises(InputError, match=said) as refused:
        try_student(params_for(place))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", REFUSED)
def test_an_architecture_that_decodes_otherwise_is_refused_by_name(tmp_path, name):
    tokenizer = byte_tokenizer("qwen")
    model = student(name, tokenizer)
    with pytest.raises(InputError, match=f"{model.config.model_type} .*choose a student of another architecture"):
        try_student(params_for(saved(model, tokenizer, tmp_path / "student")))


def test_a_student_that_lora_does_not_suit_is_refused(tmp_path):
    tokenizer = byte_tokenizer("qwen")
    config = transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4)
    place = saved(transformers.AutoModelForCausalLM.from_config(config), tokenizer, tmp_path / "gpt2")
    try_student(params_for(place))
    settings = params_for(place, rank=4)
    bad = replace(settings, train=replace(settings.train, lora=LoraParams(4, 8, 7.0)))  # no share is 7
    with pytest.raises(InputError, match="gpt2 fails in one step of sft: .*; choose another student"):
        try_student(bad)


@pytest.mark.parametrize("name", ["Qwen3Config", "Lfm2Config", "Gemma3Config"])
def test_a_trial_of_a_large_student_is_small(name):
    import torch

    with torch.device("meta"):
        large = transformers.AutoModelForCausalLM.from_config(getattr(transformers, name)())
    small = _small(large)
    size, before = (sum(part.numel() for part in model.parameters()) for model in (small, large))
    assert size < 1e8 < 2e9 < before and type(small) is type(large)


def paying(tmp_path, monkeypatch, place, model):
    """A project whose teacher is a server's model; what was asked of the provider."""
    asked = []
    text = small_params()
    (tmp_path / "params.yaml").write_text(text)
    settings = params_for(place)
    teacher = replace(settings.generate.teacher, model=model)
    monkeypatch.setattr(
        generate.params, "load", lambda: replace(settings, generate=replace(settings.generate, teacher=teacher))
    )
    monkeypatch.setattr("stages.teacher.provider.Provider.answer", lambda *given: asked.append(given))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.chdir(tmp_path)
    return asked


def test_a_student_that_does_not_fit_ends_generate_before_the_first_paid_call(tmp_path, monkeypatch):
    place = student_folder(tmp_path / "student", "qwen")
    lacks_a_layer(place)
    asked = paying(tmp_path, monkeypatch, place, "openai/gpt-x")
    with pytest.raises(InputError, match="^train.student: .*the weights do not fit: 12 missing"):
        generate.main()
    assert not asked and not (tmp_path / "data/chains.jsonl").exists()


def test_what_costs_nothing_is_made_without_a_trial(tmp_path, monkeypatch):
    paying(tmp_path, monkeypatch, tmp_path / "nowhere", SMALL.generate.teacher.model)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("student: tiny", "student: ./nowhere"))
    generate.main()
    assert (tmp_path / "data/chains.jsonl").exists()
