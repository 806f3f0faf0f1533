"""The student as teacher: litellm's custom provider `local/<folder or hub id>`, for chains on its own policy.

A request's key holds the weights' own hash, so that a student trained anew is another teacher under the same name, and
what the journal knows is answered without loading anything. While the model is busy, requests wait; then all of them,
`runtime.concurrency` at most, are decoded as one batch. A turn depends on its messages and its seed, not on the batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from pathlib import Path

from stages.agent.decode import Turn, check, write_turns
from stages.params import RuntimeParams, TeacherParams
from stages.problems import sources
from stages.records.chain import Message
from stages.records.errors import brief
from stages.students.chat import ChatText
from stages.students.load import adapted, adapter_settings, load_student, pick_device
from stages.students.places import StudentError, check_place
from stages.teacher.provider import LOCAL, install

KEY = "generate.teacher.model"
READ = (".safetensors", ".json", ".jinja", ".txt", ".model")  # what a folder's model and tokenizer are made of
SETTLED_S = 0.01  # without a new request: all chains that go on are waiting


def parameters(model: str) -> dict:
    """What a request carries beside the usual parameters: which weights answer it; all of it enters the journal's key.

    Of a folder the sha256 over its files, of a hub id the commit: the one in the local cache, else the newest.

    Raises:
        StudentError: there is no such folder, and the hub has no such model.
    """
    name = model.removeprefix(LOCAL)
    folder = Path(name)
    if not folder.is_dir():
        check_place(name, KEY)
        return {"weights": _commit(name)}
    files = sorted(path for path in folder.iterdir() if path.suffix in READ)
    if not any(path.suffix == ".safetensors" for path in files):
        raise StudentError(f"{KEY}: {folder} holds no model: no *.safetensors in it; name a folder that train saved")
    whole = hashlib.sha256()
    for path in files:
        try:
            with open(path, "rb") as file:
                whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        except OSError as error:
            raise StudentError(f"{KEY}: {path}: {error.strerror or error}") from None
    if (settings := adapter_settings(folder, KEY)) is not None:  # the base's weights are the model's, too
        whole.update(parameters(adapted(folder, settings, KEY))["weights"].encode())
    return {"weights": whole.hexdigest()}


def say_unwatched(model: str) -> None:
    """Say on stderr that DVC does not see a change of a teacher in a folder, where that is so."""
    folder = Path(model.removeprefix(LOCAL))
    if Path("dvc.yaml").exists() and folder.resolve().is_relative_to(Path("models").resolve()):
        print(
            f"{KEY}: {folder} is trained on what generate makes, so DVC cannot watch it: after a training, "
            f"`dvc repro --force generate` asks the new one; to keep this one, name a copy of the folder",
            file=sys.stderr,
        )
    elif folder.is_dir():
        sources.say_unwatched(KEY, folder)


def _commit(name: str) -> str:
    import huggingface_hub

    try:
        with contextlib.suppress(huggingface_hub.errors.LocalEntryNotFoundError):
            return Path(huggingface_hub.snapshot_download(name, local_files_only=True)).name
        return huggingface_hub.HfApi().model_info(name, timeout=30).sha
    except Exception as error:  # no name of the hub, no network, no such model, a model that needs a login
        said = f"no folder {name} here, and the hub gives no model of this name: {brief(error, 160)}"
        raise StudentError(f"{KEY}: {said}") from None


def _place(name: str, commit: str) -> str:
    """The folder to load from; of a hub's model what the cache lacks is fetched at its commit."""
    import huggingface_hub

    if Path(name).is_dir():
        return name
    return huggingface_hub.snapshot_download(name, revision=commit, allow_patterns=[f"*{suffix}" for suffix in READ])


class Queue:
    """`await write(messages, seed)` is the model's next turn, written in a batch with others that wait."""

    def __init__(self, model, tokenizer, batch: int, teacher: TeacherParams):
        self.model, self.chat, self.batch, self.teacher = model, ChatText(tokenizer), batch, teacher
        check(model, self.chat)
        self.waiting: list[tuple[Turn, asyncio.Future]] = []
        self._serving: asyncio.Task | None = None

    async def write(self, messages: list[Message], seed: object) -> Turn:
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((Turn(messages, self.chat, seed, done.done), done))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await done

    async def _serve(self) -> None:
        while self.waiting:
            count = 0
            while count < len(self.waiting) < self.batch:  # chains that were answered together ask again together
                count = len(self.waiting)
                await asyncio.sleep(SETTLED_S)
            batch, self.waiting = self.waiting[: self.batch], self.waiting[self.batch :]
            error = None
            try:
                await asyncio.to_thread(self._write, [turn for turn, _ in batch])
            except Exception as raised:  # torch's, of memory above all: of no single request, so all of them get it
                error = raised
            for turn, done in batch:
                if done.done():  # nobody waits any more
                    continue
                if error is None:
                    done.set_result(turn)
                else:
                    done.set_exception(error)

    def _write(self, turns: list[Turn]) -> None:
        import torch

        drawn = self.teacher
        try:
            write_turns(self.model, self.chat, turns, drawn.max_tokens, drawn.temperature, drawn.top_p)
        except torch.OutOfMemoryError:
            raise RuntimeError(f"no memory for {len(turns)} chains at once; lower runtime.concurrency") from None


def register(teacher: TeacherParams, runtime: RuntimeParams) -> None:
    """Load the teacher's model and install it into litellm under `local/`; a later call replaces it.

    Raises:
        InputError: it cannot be loaded, or is no chat model.
    """
    import litellm

    name = teacher.model.removeprefix(LOCAL)
    weights = parameters(teacher.model)["weights"]
    try:
        place = _place(name, weights)
    except Exception as error:  # the hub's
        raise StudentError(f"{KEY}: {name} cannot be fetched: {brief(error, 160)}") from None
    queue = Queue(*load_student(place, pick_device(runtime.device), key=KEY), runtime.concurrency, teacher)

    class Provider(litellm.CustomLLM):
        async def acompletion(self, *, model, messages, model_response, optional_params, **_rest):
            if optional_params["weights"] != weights:
                raise ValueError("these are other weights than were loaded")
            turn = await queue.write(messages, optional_params.get("seed"))
            model_response.model = model
            model_response.choices[0].message.content = turn.text
            model_response.choices[0].finish_reason = "length" if turn.cut else "stop"
            read, written = len(turn.prompt), len(turn.written)
            model_response.usage = litellm.Usage(read, written, read + written)
            return model_response

    install(litellm, LOCAL, Provider())
