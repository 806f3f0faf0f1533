"""Students on disk: plain `from_pretrained` folders (a recurrent one after `register`), safetensors only.

No code of theirs is ever run.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from stages.params import InputError, LoraParams, brief


class StudentError(InputError):
    """A student cannot be loaded or used; the message names the place and what is wrong with it."""


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
    warnings = logging.getLogger("transformers.configuration_utils")
    before = warnings.level
    warnings.setLevel(logging.ERROR)
    try:
        tokenizer = _load(place, key, lambda: AutoTokenizer.from_pretrained(str(place), trust_remote_code=False))
    finally:
        warnings.setLevel(before)
    if not tokenizer.chat_template:
        raise StudentError(f"{place}: the tokenizer has no chat template; choose a chat model for {key}")
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
    from transformers import AutoModelForCausalLM

    from stages.student.recurrent import register

    register()
    tokenizer = load_tokenizer(place, key)
    model = _load(
        place,
        key,
        lambda: AutoModelForCausalLM.from_pretrained(
            str(place), dtype=dtype, use_safetensors=True, trust_remote_code=False
        ),
    )
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise StudentError(f"{place}: the tokenizer has {len(tokenizer)} tokens, the model {rows}; they do not belong")
    return model.to(device), tokenizer


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
        for leftover in (beside, old):
            shutil.rmtree(leftover, ignore_errors=True)
        beside.mkdir(parents=True)
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        for file in beside.iterdir():
            with open(file, "rb") as written:
                os.fsync(written.fileno())
        if folder.exists():
            os.replace(folder, old)
        os.replace(beside, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise StudentError(
            f"{folder}: not written: {error.strerror or error}; make room or allow writing, and run again"
        ) from None


def _load(place: str | Path, key: str, load):
    import transformers

    transformers.logging.disable_progress_bar()
    try:
        return load()
    except Exception as error:  # transformers, huggingface_hub, safetensors and json each raise their own types here
        said = f"cannot load {str(place)!r} as a folder or hub id with safetensors: {brief(error, 300)}"
        raise StudentError(f"{key}: {said}") from error
