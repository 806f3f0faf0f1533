"""The student as teacher: batched, the same turns in any batch, and known by its weights."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT, small_params
from students import byte_tokenizer, random_model

from stages import generate, verify
from stages.agent.decode import Turn, _choose, write_turns
from stages.agent.prompt import prompt_messages
from stages.params import load
from stages.problems import builtin, sources
from stages.records import schema
from stages.records.errors import InputError
from stages.students.chat import ChatText
from stages.students.load import load_student
from stages.teacher import local
from stages.teacher.journal.journal import Journal
from stages.teacher.local import Queue
from stages.teacher.teacher import Teacher

SHAPES = ("qwen", "llama")


def wild(shape: str, folder: Path, positions: int = 4096) -> Path:
    """A wild random student that ends some turns itself, on disk."""
    tokenizer = byte_tokenizer(shape)
    model = random_model(shape, tokenizer, spread=0.6, positions=positions)
    with torch.no_grad():
        model.lm_head.weight[ChatText(tokenizer).end_id] *= {"qwen": 2.0, "llama": 1.6}[shape]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def students(tmp_path_factory) -> dict[str, Path]:
    return {shape: wild(shape, tmp_path_factory.mktemp(shape)) for shape in SHAPES}


@pytest.fixture(scope="module")
def conversations() -> list[list[dict]]:
    problems = [p for task in ("math", "logic") for p in builtin.problems(f"builtin/{task}", "dev", 2, 1)]
    return [list(prompt_messages(problem, 0)) for problem in problems]


@dataclasses.dataclass
class Sampling:
    """As a teacher's parameters say it."""

    max_tokens: int
    temperature: float
    top_p: float


def turns(student: Path, conversations, batch: int, sampling: Sampling, seed: int = 1) -> list[Turn]:
    """The next turn of each, all asked at once."""

    async def ask() -> list[Turn]:
        queue = Queue(*load_student(student), batch, sampling)
        return await asyncio.gather(*(queue.write(messages, seed) for messages in conversations))

    return asyncio.run(ask())


def texts(*arguments) -> list[tuple[str, bool]]:
    return [(turn.text, turn.cut) for turn in turns(*arguments)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sampling", [Sampling(24, 1.0, 1.0), Sampling(24, 0.8, 0.9), Sampling(24, 0.0, 1.0)])
def test_a_turn_does_not_depend_on_its_batch(students, conversations, shape, sampling, monkeypatch):
    sizes = []

    def write(model, chat, batch, *rest):
        sizes.append(len(batch))
        write_turns(model, chat, batch, *rest)

    monkeypatch.setattr("stages.teacher.local.write_turns", write)
    alone, together = (texts(students[shape], conversations, batch, sampling) for batch in (1, 8))
    assert sizes == [1] * 4 + [4]
    assert alone == together
    assert len({len(text) for text, _ in together}) > 1 or sampling.temperature == 0.0


def test_a_turn_depends_on_its_seed_and_its_messages(students, conversations):
    one, other = (texts(students["qwen"], conversations, 8, Sampling(24, 1.0, 1.0), seed) for seed in (1, 2))
    assert all(a != b for a, b in zip(one, other, strict=True)) and len(set(one)) == len(one)


def test_no_share_at_all_is_the_likeliest_token(students, conversations):
    greedy = texts(students["llama"], conversations, 8, Sampling(24, 0.0, 1.0))
    assert texts(students["llama"], conversations, 8, Sampling(24, 1.0, 0.0)) == greedy


@pytest.mark.parametrize(
    ("top_p", "shares"),
    [(1.0, (0.1, 0.4, 0.2, 0.3)), (0.8, (0, 4 / 9, 2 / 9, 3 / 9)), (0.7, (0, 4 / 7, 0, 3 / 7)), (0.05, (0, 1, 0, 0))],
)
def test_tokens_are_drawn_by_their_shares(top_p, shares):
    """With 9,000 evenly spread numbers as the rows' noise, each token is drawn as often as its share says."""
    count = 9_000
    rows = [SimpleNamespace(noise=SimpleNamespace(random=lambda i=i: (i + 0.5) / count)) for i in range(count)]
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().expand(count, 4)
    drawn = Counter(_choose(logits, rows, 1.0, top_p))
    assert [drawn[token] for token in range(4)] == pytest.approx([share * count for share in shares], abs=2)
    assert set(_choose(logits[:1] * 0 + float("nan"), rows[:1], 1.0, top_p)) <= set(range(4))


def test_a_turn_that_nobody_waits_for_leaves_the_batch(students, conversations):
    model, tokenizer = load_student(students["qwen"])
    chat = ChatText(tokenizer)
    kept = Turn(conversations[0], chat, 1, lambda: False)
    left = Turn(conversations[1], chat, 1, lambda: len(kept.written) >= 3)
    write_turns(model, chat, [kept, left], 24)
    assert len(left.written) <= 4 < 20 < len(kept.written)


def test_a_cancelled_request_lets_the_others_go_on(students, conversations):
    async def ask() -> tuple[Queue, list]:
        queue = Queue(*load_student(students["qwen"]), 8, Sampling(24, 1.0, 1.0))
        tasks = [asyncio.create_task(queue.write(m, 1)) for m in conversations]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return queue, await asyncio.gather(*tasks, return_exceptions=True)

    queue, answers = asyncio.run(ask())
    assert isinstance(answers[0], asyncio.CancelledError) and not queue.waiting
    made = [(turn.text, turn.cut) for turn in answers[1:]]
    assert made == texts(students["qwen"], conversations, 8, Sampling(24, 1.0, 1.0))[1:]


class Project:
    """A folder with a student in `stud` that is the teacher of four problems."""

    def __init__(self, folder: Path, student: Path):
        self.folder = folder
        shutil.copytree(student, folder / "stud")
        text = small_params().replace("n: 12,", "n: 2,")
        text = text.replace("model: simulated/teacher", "model: local/stud").replace(
            "max_tokens: 256", "max_tokens: 16"
        )
        (folder / "params.yaml").write_text(text)

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "params.yaml").read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in params.yaml"
        (self.folder / "params.yaml").write_text(text.replace(old, new))

    def metrics(self) -> dict:
        return json.loads((self.folder / "metrics/generate.json").read_text())


@pytest.fixture
def project(tmp_path, monkeypatch, students) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("stages.teacher.teacher.FIRST_WAIT_S", 0.01)
    return Project(tmp_path, students["llama"])


def outputs() -> dict[str, bytes]:
    files = [path for name in ("data", "metrics") for path in Path(name).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def test_a_student_makes_chains_that_verify_reads_and_a_second_run_loads_no_torch(project):
    generate.main()
    rows = schema.read("data/chains.jsonl", "chains")
    assert len(rows) == 12 and {row["teacher"] for row in rows} == {"local/stud"}
    assert all(row["completion_tokens"] > 0 and row["prompt_tokens"] > 100 and row["cost_usd"] == 0 for row in rows)
    assert {row["stop"] for row in rows} <= {"max_tokens", "max_errors", "max_steps"}
    assert len({row["steps"][0]["text"] for row in rows}) > 6
    made = verify.verdicts(rows, 0.0)
    assert all(row["reproduced"] and row["verdict"] == "incorrect" for row in made)
    metrics, before = project.metrics(), outputs()
    assert metrics["teacher_calls"] == sum(len(row["steps"]) for row in rows) and metrics["provider_failures"] == 0
    code = (
        "import sys; from stages import generate; from stages.records.command import run; run(generate.main)\n"
        "assert not {'torch', 'litellm', 'transformers'} & set(sys.modules)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"0 calls asked now, {metrics['teacher_calls']} known before" in done.stdout
    assert outputs() == before


def test_the_bytes_do_not_depend_on_the_concurrency(project):
    made = []
    for concurrency in (1, 8):
        project.edit(f"concurrency: {8 if concurrency == 1 else 1}", f"concurrency: {concurrency}")
        shutil.rmtree(".journal", ignore_errors=True)
        shutil.rmtree("data", ignore_errors=True)
        generate.main()
        made.append(outputs())
    assert made[0] == made[1]


def test_no_timeout_of_a_provider_ends_its_turns(project):
    project.edit("timeout_s: 30", "timeout_s: 0.001")
    generate.main()
    assert project.metrics()["chains"] == 12


def test_other_weights_are_another_teacher(project):
    generate.main()
    before = project.metrics()
    first = local.parameters("local/stud")["weights"]
    path = Path("stud/chat_template.jinja")
    path.write_text(path.read_text().replace("26 Jul 2024", "27 Jul 2024"))
    assert local.parameters("local/stud")["weights"] != first
    generate.main()
    after = project.metrics()
    assert after["journal_hits"] == 0 and after["teacher_calls"] > 0 and after["version"] != before["version"]
    path.write_text(path.read_text().replace("27 Jul 2024", "26 Jul 2024"))
    generate.main()
    assert project.metrics() == before


def test_weights_that_change_before_they_are_loaded_answer_nothing(project, tmp_path):
    """The key of a request names the weights: an answer of others would stand under it for good."""
    chosen = load()
    with Journal(tmp_path / "journal") as journal:
        asked = Teacher(
            chosen.generate, chosen.runtime, journal, partial(local.register, chosen.generate.teacher, chosen.runtime)
        )
        path = Path("stud/chat_template.jinja")
        path.write_text(path.read_text().replace("26 Jul 2024", "27 Jul 2024"))
        with pytest.raises(InputError, match="other weights than were loaded"):
            asyncio.run(asked.ask([{"role": "user", "content": "1 + 2?"}], 0))
        assert len(journal) == 0


def test_what_does_not_make_the_model_does_not_make_another_teacher(project):
    first = local.parameters("local/stud")
    Path("stud/README.md").write_text("A student.")
    assert local.parameters("local/stud") == first
    shutil.copytree("stud", "moved")
    assert local.parameters("local/moved") == first


def test_an_empty_turn_is_the_students_and_no_failure_of_a_provider(project):
    path = Path("stud/generation_config.json")
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "eos_token_id": list(range(400))}))
    generate.main()
    rows = schema.read("data/chains.jsonl", "chains")
    assert {(row["stop"], row["steps"][0]["text"], row["steps"][0]["failure"]) for row in rows} == {
        ("max_errors", "", "malformed_call")
    }
    assert project.metrics()["provider_failures"] == 0


def test_a_conversation_that_the_model_cannot_read_ends_its_chain_by_name(project, tmp_path):
    problems = sources.load("train", load().problems)
    chat = ChatText(byte_tokenizer("llama"))
    lengths = {p.id: len(chat.ids(chat.texts([list(prompt_messages(p, 0))], ask=True)[0])) for p in problems}
    shutil.rmtree("stud")
    room = sorted(lengths.values())[1]
    wild("llama", tmp_path / "stud", positions=room)
    generate.main()
    rows = schema.read("data/chains.jsonl", "chains")
    assert {row["stop"] for row in rows} == {"max_tokens"}
    long, short = ([row for row in rows if (lengths[row["problem_id"]] > room) is beyond] for beyond in (True, False))
    assert [[step["text"] for step in row["steps"]] for row in long] == [[""]] * 6
    assert any(row["completion_tokens"] for row in short) and not any(row["completion_tokens"] for row in long)


def empty_folder(stud: Path) -> None:
    for path in stud.iterdir():
        path.unlink()


def no_template(stud: Path) -> None:
    (stud / "chat_template.jinja").unlink()


def torn_weights(stud: Path) -> None:
    path = stud / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def no_folder(stud: Path) -> None:
    shutil.rmtree(stud)


def no_tokenizer(stud: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (stud / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_folder, r"generate\.teacher\.model: no folder stud here, and the hub gives no model of this name: .+"),
        (empty_folder, r"generate\.teacher\.model: stud holds no model: no \*\.safetensors in it"),
        (no_template, r"stud: the tokenizer has no chat template; choose a chat model for generate\.teacher\.model"),
        (torn_weights, r"generate\.teacher\.model: cannot load 'stud' as a folder or hub id"),
        (no_tokenizer, r"generate\.teacher\.model: cannot load 'stud' as a folder or hub id"),
    ],
)
def test_what_is_no_student_is_refused_in_one_line(project, spoil, message, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # no network is asked in tests
    spoil(Path("stud"))
    with pytest.raises(InputError, match=message) as refused:
        generate.main()
    assert "\n" not in str(refused.value)


def test_a_teacher_that_dvc_does_not_watch_is_said(project, capsys):
    shutil.copyfile(ROOT / "dvc.yaml", "dvc.yaml")
    local.say_unwatched("local/stud")
    said = "generate.teacher.model: stud is outside data/sources, the folder that DVC watches"
    assert said in capsys.readouterr().err
    shutil.copytree("stud", "data/sources/stud")
    local.say_unwatched("local/data/sources/stud")
    local.say_unwatched("local/someone/tiny")
    assert capsys.readouterr().err == ""
    local.say_unwatched("local/models/sft")
    assert "models/sft is trained on what generate makes" in capsys.readouterr().err


def test_a_parameter_that_it_does_not_know_is_refused(project):
    project.edit("extra: {}", "extra: {top_k: 5}")
    with pytest.raises(InputError, match="generate.teacher.extra: a local model takes no top_k"):
        generate.main()


def test_a_model_of_the_hub_is_known_by_its_commit(project, tmp_path, monkeypatch):
    """As huggingface_hub lays it out in its cache; nothing is fetched."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    commit, cached = "0123456789" * 4, tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree("stud", cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    assert local.parameters("local/someone/tiny") == {"weights": commit}
    project.edit("local/stud", "local/someone/tiny")
    generate.main()
    assert {row["teacher"] for row in schema.read("data/chains.jsonl", "chains")} == {"local/someone/tiny"}
