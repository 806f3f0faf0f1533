"""Training: own tokens only, from a zero margin, the same bytes on a second run, plain student folders."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace

import pytest
import torch
from conftest import small_params, small_settings
from students import corpus_of, student_folder

from stages import train
from stages.agent.loop import Attempt, Reply
from stages.params import LoraParams
from stages.problems import builtin
from stages.records import schema
from stages.records.chain import turns
from stages.records.errors import InputError
from stages.students.chat import ChatText
from stages.students.load import load_student, save_student
from stages.training import imitation, preference

WRONG = ('Reasoning(thought="Hm.")', "Add(a=1", 'Finish(answer="0")')


def params_for(student="tiny", **changes):
    """The small params, all in a few steps."""
    params = small_settings()
    changes.setdefault("base", replace(params.train.base, steps=6))
    changes.setdefault("max_length", 4096)
    made = replace(params.generate, corpus=replace(params.generate.corpus, math=30, logic=30))
    return replace(params, generate=made, train=replace(params.train, student=student, **changes))


def based(params):
    return train.base(params, corpus_of(params))


def built_as(architecture):
    return replace(params_for().train.tiny, architecture=architecture)


@pytest.fixture(scope="module")
def material():
    """(demonstrations, pairs): of each problem its reference solution, alone and beside a chain with a failed call."""
    shown, pairs = [], []
    system = {"role": "system", "content": "Write one call."}  # short, for speed
    for problem in [p for task in ("math", "logic") for p in builtin.problems(f"builtin/{task}", "train", 5, 9)]:
        made = {}
        for verdict, texts in (("correct", [call.text() for call in problem.solution]), ("incorrect", WRONG)):
            attempt = Attempt(problem, 14, 3, 0)
            for text in texts:
                attempt.advance(Reply(text))
            made[verdict] = replace(attempt.chain(), prompt=(system, *attempt.prompt[1:]))
        right = made["correct"]
        named = {"chain_id": right.chain_id, "problem_id": problem.id, "task": problem.task}
        shown.append({**named, "prompt": list(right.prompt), "completion": turns(right.steps)})
        sides = {"chosen": turns(made["correct"].steps), "rejected": turns(made["incorrect"].steps)}
        pairs.append({"pair_id": problem.id, "prompt": list(made["correct"].prompt), **sides})
    return shown, pairs


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Student folders to start from."""
    folder = tmp_path_factory.mktemp("places")
    made = {shape: student_folder(folder / shape, shape) for shape in ("qwen", "llama")}
    for name, architecture in (("tiny", "llama"), ("recurrent", "recurrent")):
        trained = based(params_for(tiny=built_as(architecture)))
        save_student(trained.model, trained.tokenizer, folder / name)
        made[name] = folder / name
    return made


@pytest.fixture
def batches(monkeypatch):
    """The batches that reached a trainer."""
    seen = []

    def recorded(pad):
        def collate(rows, token):
            seen.append(pad(rows, token))
            return dict(seen[-1])

        return collate

    for module, name in ((imitation, "_padded_labels"), (preference, "_padded_pairs")):
        monkeypatch.setattr(module, name, recorded(getattr(module, name)))
    return seen


def kept(tokenizer, ids, mask):
    """Decoded texts of the marked stretches of one row."""
    texts = [[]]
    for token, mine in zip(ids.tolist(), mask.tolist(), strict=True):
        if mine:
            texts[-1].append(token)
        elif texts[-1]:
            texts.append([])
    return [tokenizer.decode(text) for text in texts if text]


def mean_loss(model, batch, mask):
    """Mean loss of the marked tokens, from the whole logits."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch["input_ids"][:, 1:], reduction="none")
    return losses[mask[:, 1:].bool()].mean().item()


SHAPES = ("tiny", "recurrent", "qwen", "llama")
ENDS = {"tiny": "<|end|>", "recurrent": "<|end|>", "qwen": "<|im_end|>", "llama": "<|eot_id|>"}


@pytest.mark.parametrize("shape", SHAPES)
def test_sft_trains_on_the_calls_of_correct_chains_and_nothing_else(places, material, batches, shape):
    params, (shown, _) = params_for("none" if shape in ("qwen", "llama") else "tiny"), material
    params = replace(params, train=replace(params.train, tiny=replace(params.train.tiny, dropout=0.0)))
    trained = train.sft(params, str(places[shape]), shown)
    model, tokenizer = load_student(places[shape])
    first = batches[0]
    for ids, labels in zip(first["input_ids"], first["labels"], strict=True):
        assert torch.equal(labels[labels != -100], ids[labels != -100])
        texts = kept(tokenizer, ids, labels != -100)
        turns_of = [[m["content"] for m in row["completion"] if m["role"] == "assistant"] for row in shown]
        written = [[text + ENDS[shape] for text in texts] for texts in turns_of]
        assert texts in written
    assert len(batches) == params.train.sft.steps
    assert trained.curve[0]["loss"] == pytest.approx(mean_loss(model, first, first["labels"] != -100), rel=1e-4)
    assert trained.metrics["trained_token_share"] == 1.0


@pytest.mark.parametrize("shape", ["tiny", "recurrent"])
def test_dropout_acts_in_sft_of_a_from_scratch_student_too(places, material, shape):
    shown, _ = material
    losses = {}
    for share in (0.0, 0.5):
        params = params_for(tiny=replace(params_for().train.tiny, dropout=share))
        trained = train.sft(params, str(places[shape]), shown)
        losses[share] = trained.curve[0]["loss"]
        ids = torch.tensor([[5, 6, 7]])
        assert torch.equal(trained.model.train()(input_ids=ids).logits, trained.model(input_ids=ids).logits)
    assert losses[0.5] > losses[0.0]
    real = replace(params, train=replace(params.train, student="org/real"))
    assert train.sft(real, str(places[shape]), shown).curve[0]["loss"] == losses[0.0]


@pytest.mark.parametrize("shape", SHAPES)
def test_dpo_starts_at_zero_and_trains_on_own_tokens_of_both_sides(places, material, batches, shape):
    params, (_, pairs) = params_for(), material
    trained = train.dpo(params, str(places[shape]), pairs)
    model, tokenizer = load_student(places[shape])
    first = next(batch for batch in batches if "ref_chosen_logps" in batch)
    half = len(first["input_ids"]) // 2
    for row, (ids, mask) in enumerate(zip(first["input_ids"], first["completion_mask"], strict=True)):
        side = "chosen" if row < half else "rejected"
        talks = [ChatText(tokenizer).written(pair["prompt"] + pair[side])[len(pair["prompt"]) :] for pair in pairs]
        written = [[m["content"] + ENDS[shape] for m in talk if m["role"] == "assistant"] for talk in talks]
        assert kept(tokenizer, ids, mask) in written
    start = trained.curve[0]
    for reward in ("rewards/margins", "rewards/chosen", "rewards/rejected"):
        assert start[reward] == pytest.approx(0, abs=1e-4)
    chosen = {name: first[name][:half] for name in ("input_ids", "attention_mask")}
    nll = mean_loss(model, chosen, first["completion_mask"][:half])
    assert start["loss"] == pytest.approx(math.log(2) + params.train.dpo.sft_weight * nll, rel=1e-4)
    assert trained.metrics["trained_token_share"] == 1.0
    assert trained.metrics["reward_margin"] > 0


def test_the_cache_of_the_reference_does_not_outlive_a_change_of_masks(places, material):
    """trl keys it by dataset and model; with unmasked log-probabilities in it the rewards would start far from zero."""
    longer, shorter = [], []  # the same tokens: the first turn written by the model, and given
    for pair in material[1]:
        turn, rest = pair["chosen"][:2], pair["chosen"][2:]
        longer.append({**pair, "rejected": turn + pair["rejected"]})
        shorter.append({**pair, "prompt": pair["prompt"] + turn, "chosen": rest})
    for rows in (longer, shorter, longer):
        start = train.dpo(params_for(), str(places["tiny"]), rows).curve[0]
        assert start["rewards/chosen"] == pytest.approx(0, abs=1e-4)
        assert start["rewards/rejected"] == pytest.approx(0, abs=1e-4)


def test_the_curve_falls(places, material):
    params = params_for()
    params = replace(params, train=replace(params.train, sft=replace(params.train.sft, steps=30, learning_rate=0.01)))
    curve = train.sft(params, str(places["tiny"]), material[0]).curve
    assert [point["step"] for point in curve] == list(range(1, 31))
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]


def folder_bytes(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("architecture", ["llama", "recurrent"])
@pytest.mark.parametrize("stage", ["base", "sft", "dpo"])
def test_a_second_run_gives_the_same_bytes(places, material, tmp_path, stage, architecture):
    shown, pairs = material
    place = str(places["tiny" if architecture == "llama" else architecture])
    run = {
        "base": lambda: based(params_for(tiny=built_as(architecture))),
        "sft": lambda: train.sft(params_for(), place, shown),
        "dpo": lambda: train.dpo(params_for(), place, pairs),
    }[stage]
    made = []
    for name in ("a", "b"):
        trained = run()
        save_student(trained.model, trained.tokenizer, tmp_path / name)
        made.append((folder_bytes(tmp_path / name), trained.metrics, trained.curve and train.curve_text(trained.curve)))
    assert made[0] == made[1]
    files = set(made[0][0])
    assert files == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    for name, content in made[0][0].items():
        assert b"/tmp" not in content and str(tmp_path).encode() not in content, name


def test_the_seed_makes_another_student(places, material):
    def weights(seed):
        return train.sft(params_for(seed=seed), str(places["tiny"]), material[0]).model.state_dict()

    assert not torch.equal(weights(1)["model.embed_tokens.weight"], weights(2)["model.embed_tokens.weight"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_student_goes_through_all_stages_and_keeps_its_type(material, tmp_path, dtype):
    shown, pairs = material
    place = student_folder(tmp_path / "mine", "llama", dtype)
    params = params_for(str(place))
    base = train.base(params, [])
    save_student(base.model, base.tokenizer, tmp_path / "base")
    assert (tmp_path / "base/model.safetensors").read_bytes() == (place / "model.safetensors").read_bytes()
    assert base.metrics["steps"] == 0 and base.curve == []
    for name, trained in (
        ("sft", train.sft(params, str(tmp_path / "base"), shown)),
        ("dpo", train.dpo(params, str(tmp_path / "base"), pairs)),
    ):
        save_student(trained.model, trained.tokenizer, tmp_path / name)
        loaded, _ = load_student(tmp_path / name)
        assert str(loaded.dtype) == f"torch.{dtype}"
        assert not torch.equal(loaded.lm_head.weight, base.model.lm_head.weight)


def test_lora_changes_linear_layers_and_leaves_a_plain_folder(places, material, tmp_path):
    shown, pairs = material
    params = params_for(lora=LoraParams(rank=4, alpha=8, dropout=0.1))
    before, _ = load_student(places["qwen"])
    sft = train.sft(params, str(places["qwen"]), shown)
    save_student(sft.model, sft.tokenizer, tmp_path / "sft")
    dpo = train.dpo(params, str(tmp_path / "sft"), pairs)
    assert dpo.curve[0]["rewards/margins"] == pytest.approx(0, abs=1e-4)
    save_student(dpo.model, dpo.tokenizer, tmp_path / "dpo")
    assert not [file for file in (tmp_path / "dpo").iterdir() if "adapter" in file.name]
    after, _ = load_student(tmp_path / "dpo")
    assert sft.metrics["parameters"] == sum(weight.numel() for weight in before.parameters())
    changed = {
        name for name, weight in before.state_dict().items() if not torch.equal(weight, after.state_dict()[name])
    }
    assert changed and all(".self_attn." in name or ".mlp." in name for name in changed)


def test_a_too_long_example_is_named_and_never_cut(places, material):
    shown, pairs = material
    params = params_for(max_length=40)
    with pytest.raises(InputError, match=r"chain builtin/\S+: \d+ tokens, train.max_length is 40; raise"):
        train.sft(params, str(places["tiny"]), shown)
    with pytest.raises(InputError, match=r"pair builtin/\S+, (chosen|rejected): \d+ tokens, train.max_length is 40"):
        train.dpo(params, str(places["tiny"]), pairs)
    with pytest.raises(InputError, match="the model's positions is 4,096"):
        long = [{**pairs[0], "prompt": [{"role": "user", "content": "why " * 3000}]}]
        train.dpo(params_for(max_length=100_000), str(places["qwen"]), long)


def test_nothing_to_learn_from_is_said(places, material, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="data/corpus.jsonl: no conversation"):
        train.base(params_for(), [])
    with pytest.raises(InputError, match="data/demonstrations.jsonl: no correct chain"):
        train.sft(params_for(), str(places["tiny"]), [])
    with pytest.raises(InputError, match="no pair"):
        train.dpo(params_for(), str(places["tiny"]), [])
    monkeypatch.chdir(tmp_path)  # a checkout where the pipeline has run has models/base
    with pytest.raises(InputError, match="models/base: no student there; make it with `dvc repro train@base`"):
        train.dpo(params_for(), "models/base", material[1])


def test_the_command_writes_model_metrics_and_curve(places, material, tmp_path, monkeypatch, capsys):
    (tmp_path / "params.yaml").write_text(small_params())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "")  # main sets it; put back after the test
    rows = [
        {**pair, "problem_id": pair["pair_id"], "task": "math", "kind": "chain", "failure": "wrong_answer"}
        | {"chosen_chain_id": "a", "rejected_chain_id": "b"}
        for pair in material[1]
    ]
    schema.write("data/pairs.jsonl", rows, "pairs")
    schema.write("data/demonstrations.jsonl", material[0], "demonstrations")
    schema.write("data/corpus.jsonl", corpus_of(params_for()), "corpus")
    for name in ("base", "sft", "dpo"):
        monkeypatch.setattr(sys, "argv", ["train", name])
        train.main()
        metrics = json.loads((tmp_path / f"metrics/train/{name}.json").read_text())
        assert metrics["trained_token_share"] == 1.0
        assert load_student(f"models/{name}")
        told = capsys.readouterr().out
        assert told.startswith(f"train {name}: {metrics['parameters']:,} weights, {metrics['steps']} steps of ")
        last = float(re.search(r"loss \S+ -> ([\d.]+)", told)[1])
        assert told.count("\n") == 1 and last == pytest.approx(metrics["loss"], rel=1e-3)
    assert f"reward margin {metrics['reward_margin']:.4g}, reward accuracy" in told or not metrics["reward_margin"]
    assert set(metrics) == {
        "parameters",
        "steps",
        "tokens",
        "loss",
        "reward_margin",
        "reward_accuracy",
        "trained_token_share",
    }
    lines = (tmp_path / "metrics/train/dpo.tsv").read_text().splitlines()
    assert lines[0] == "step\tloss\treward_margin\treward_accuracy" and len(lines) == 1 + metrics["steps"]
    assert all(line.count("\t") == 3 for line in lines)
    assert (tmp_path / "metrics/train/base.tsv").read_text().splitlines()[1].endswith("\t\t")


def test_an_unknown_stage_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "ppo"])
    with pytest.raises(InputError, match=r"'ppo' \(choose from .*base.*sft.*dpo.*python -m stages.train --help"):
        train.main()


def test_a_student_that_is_not_trained_is_said_to_be_untouched():
    assert train.said("base", train.Trained(None, None, {"parameters": 1_234_567})) == (
        "train base: 1,234,567 weights, untouched"
    )
