"""Students on disk: plain `from_pretrained` folders (a recurrent one after `register`), safetensors only.

No code of theirs is ever run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from stages.params import LoraParams
from stages.records.errors import brief
from stages.records.files import written
from stages.students.places import ADAPTER, StudentError, check_place


def pick_device(device: str) -> str:
    """`runtime.device` as torch names it; `auto` takes the GPU where there is one."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudentError(f"runtime.device is {device}, but torch sees no GPU; set it to auto or cpu")
    return device


def load_tokenizer(place: str | Path, key: str = "train.student"):
    """The tokenizer of a student folder or hub id, which params.yaml names under `key`.

    Raises:
        StudentError: it cannot be loaded, or has no chat template or no token that ends a text.
    """
    from transformers import AutoTokenizer

    # A tokenizer alone needs no known architecture; transformers warns at length that the recurrent one is unknown.
    with _quiet("transformers.configuration_utils"):
        tokenizer = _load(place, key, lambda: AutoTokenizer.from_pretrained(str(place), trust_remote_code=False))
    if not tokenizer.chat_template:
        raise StudentError(f"{place}: the tokenizer has no chat template; choose a chat model for {key}")
    if isinstance(tokenizer.chat_template, dict) and "default" not in tokenizer.chat_template:
        names = ", ".join(sorted(tokenizer.chat_template))
        said = f"no chat template of several ({names}) is named `default`; keep the one to use as chat_template.jinja"
        raise StudentError(f"{key}: {place}: {said}")
    if not tokenizer.is_fast:
        raise StudentError(f"{place}: the tokenizer gives no offsets; choose a student with a fast tokenizer")
    if tokenizer.eos_token_id is None:
        raise StudentError(f"{place}: the tokenizer has no end-of-text token; choose another {key}")
    return tokenizer


def load_student(place: str | Path, device: str = "cpu", dtype: str = "auto", key: str = "train.student"):
    """Model and tokenizer of a student folder or hub id; `dtype` as torch names it, `auto` as the student was saved.

    Raises:
        StudentError: one of them cannot be loaded.
    """
    from stages.students.scratch.recurrent import register

    register()
    check_place(place, key)
    settings = adapter_settings(place, key)
    if settings is None:
        tokenizer = load_tokenizer(place, key)
        model = _load_model(place, key, dtype, device)
    else:
        # An adapter's folder may hold a tokenizer of its own; without one it is the base's.
        base = adapted(place, settings, key)
        own = not Path(place).is_dir() or Path(place, "tokenizer_config.json").is_file()
        tokenizer = load_tokenizer(place if own else base, key)
        model = _load_adapted(place, settings, base, key, dtype, device)
    _check_rows(place, model, tokenizer)
    return model.to(device), tokenizer


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Within it a library's logger of this name is silent: what is wrong is raised. Its level is left alone, as
    transformers 5.24 logs more at a level that was set.
    """
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _load_model(place: str | Path, key: str, dtype: str, device: str):
    """The model, every weight of it from the files: transformers gives random ones where a file has none.

    Raises:
        StudentError: it cannot be loaded, or a weight is missing, unexpected or of another shape.
    """
    from transformers import AutoModelForCausalLM

    with _quiet("transformers.modeling_utils"):  # its table of the same keys
        model, found = _load(
            place,
            key,
            lambda: AutoModelForCausalLM.from_pretrained(
                str(place),
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # counted here, all of them
                **({"device_map": "meta"} if device == "meta" else {}),
            ),
        )
    shapes = [f"{name} {tuple(here)} for {tuple(wanted)}" for name, here, wanted in found["mismatched_keys"]]
    _refuse_weights(place, key, found["missing_keys"], found["unexpected_keys"], shapes, found["error_msgs"])
    return model


def _refuse_weights(place: str | Path, key: str, missing, unexpected, shapes, errors=()) -> None:
    """One error that counts the weights that do not fit, if any."""
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "not read": errors}
    said = [f"{len(names)} {kind} ({min(names)}{', ...' * (len(names) > 1)})" for kind, names in kinds.items() if names]
    if not said:
        return
    prefix = "base_model.model."
    if any(name.startswith(prefix) for name in unexpected):
        advice = f"its keys begin with `{prefix}`: saved under peft; merge the adapter (merge_and_unload) and save that"
    else:
        advice = "config.json and the weights are not of one model; save or download the student again"
    raise StudentError(f"{key}: {place}: the weights do not fit: {', '.join(said)}; {advice}")


def adapter_settings(place: str | Path, key: str) -> dict | None:
    """The settings of a peft adapter in this folder or hub id, None where there is a model.

    Raises:
        StudentError: it is none that is read here.
    """
    if Path(place).is_dir():
        found = Path(place, ADAPTER) if Path(place, ADAPTER).is_file() else None
    else:
        from transformers.utils import cached_file

        missing = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
        found = _load(place, key, lambda: cached_file(str(place), ADAPTER, **missing))
    if not found:
        return None
    settings = _load(place, key, lambda: json.loads(Path(found).read_text(encoding="utf-8")))
    kind = settings.get("peft_type") if isinstance(settings, dict) else None
    if kind != "LORA" or settings.get("megatron_config"):  # the latter imports a module that the file names
        said = f"{ADAPTER} is of kind {str(kind)[:40]}; only LoRA is read: merge it into its base and save that"
        raise StudentError(f"{key}: {place}: {said}")
    return settings


def adapted(place: str | Path, settings: dict, key: str) -> str:
    """The base that the adapter was trained on.

    Raises:
        StudentError: the adapter names none, or one that is not here.
    """
    base = settings.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise StudentError(f"{key}: {place}: {ADAPTER} names no base_model_name_or_path; write its base there")
    check_place(base, f"{key}: {place}: base_model_name_or_path of {ADAPTER}")
    return base


def _load_adapted(place: str | Path, settings: dict, base: str, key: str, dtype: str, device: str):
    """The base with the adapter merged into it: an ordinary model. peft reads it, as transformers 5.24 asks for a peft
    that is not published yet (0.22).
    """
    from peft import LoraConfig, PeftModelForCausalLM

    if Path(place).is_dir() and not Path(place, "adapter_model.safetensors").is_file():
        said = f"{ADAPTER} without adapter_model.safetensors; save the adapter as safetensors (or remove that file)"
        raise StudentError(f"{key}: {place}: {said}")
    model = _load_model(base, f"{key}: {place}: base_model_name_or_path of {ADAPTER}", dtype, device)
    if device == "meta":
        return model

    def merged():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft's on transformers, and on keys that are counted here
            wrapped = PeftModelForCausalLM(model, LoraConfig.from_pretrained(str(place)))
            return wrapped, wrapped.load_adapter(str(place), "default", use_safetensors=True)

    wrapped, found = _load(place, key, merged)
    _refuse_weights(place, key, found.missing_keys, found.unexpected_keys, [])
    return wrapped.merge_and_unload()


def _check_rows(place: str | Path, model, tokenizer) -> None:
    """Refuse a tokenizer that can give a token that the model has no row for.

    Some tokenizers hold a control token of another member of the family (Gemma 3 with 1B weights: an image's). A text
    never becomes one, and a template that does not name it never writes it.

    Raises:
        StudentError: it can.
    """
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) <= rows:
        return
    template, added = str(tokenizer.chat_template), tokenizer.added_tokens_decoder
    own = {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id}
    for token in range(rows, len(tokenizer)):
        if token not in added or not added[token].special or added[token].content in template or token in own:
            name = tokenizer.convert_ids_to_tokens(token)
            raise StudentError(
                f"{place}: the tokenizer has {len(tokenizer)} tokens, the model {rows}, and a text can hold {name!r} "
                f"(token {token}); they do not belong together, or the embeddings were not resized"
            )


def positions(model) -> int:
    """How many tokens the model can read; a million where its configuration names no limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1_000_000


def lora_config(lora: LoraParams):
    """The peft configuration of `train.lora`, None for full tuning. The output layer stays as it is."""
    if not lora.rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def save_student(model, tokenizer, folder: str | Path) -> None:
    """Replace `folder` by this student, whole or not at all.

    Raises:
        StudentError: the folder or the disk does not take it.
    """
    import transformers

    transformers.logging.disable_progress_bar()
    folder = Path(folder)
    beside, old = (folder.with_name(f".{folder.name}.{mark}") for mark in ("part", "old"))
    try:
        # Write the student into a folder beside the real one; an interrupted run may have left some.
        for leftover in (beside, old):
            shutil.rmtree(leftover, ignore_errors=True)
        beside.mkdir(parents=True)
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        # Give its files the usual rights, and see that they are on disk.
        readers = beside.stat().st_mode & 0o666  # as the umask has it; safetensors makes files for its user alone
        for file in beside.rglob("*"):  # a tokenizer of several chat templates has a folder of them
            if file.is_dir():
                continue
            os.chmod(file, readers)
            with open(file, "rb") as saved:
                os.fsync(saved.fileno())
        # Swap the folders. Nobody ever sees half a student.
        if folder.exists():
            os.replace(folder, old)
        os.replace(beside, folder)
        written.append(str(folder))
        shutil.rmtree(old, ignore_errors=True)
    except Exception as error:
        if not isinstance(error, OSError) and "os error" not in str(error):  # so safetensors and tokenizers name one
            raise
        reason = getattr(error, "strerror", None) or brief(error)
        raise StudentError(f"{folder}: not written: {reason}; make room or allow writing, and run again") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _load(place: str | Path, key: str, load):
    import transformers

    transformers.logging.disable_progress_bar()
    try:
        return load()
    except Exception as error:  # transformers, huggingface_hub, safetensors and json each raise their own types here
        said = f"cannot load {str(place)!r} as a folder or hub id with safetensors: {brief(error, 300)}"
        if not Path(place).is_dir():
            said = f"no folder {place} here, and the hub gives no such model with safetensors: {brief(error, 300)}"
        raise StudentError(f"{key}: {said}") from error
