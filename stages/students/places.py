"""What a student's name can be: a folder or a hub id, told apart before anything is loaded or asked."""

from __future__ import annotations

from pathlib import Path

from stages.records.errors import InputError

ADAPTER = "adapter_config.json"


class StudentError(InputError):
    """A student cannot be loaded or used; the message names the place and what is wrong with it."""


def check_place(place: str | Path, key: str) -> None:
    """Refuse a place that can be no student's, before the hub is asked for a model of that name.

    Raises:
        StudentError: no such folder, or one without a model that `transformers` loads.
    """
    name, folder = str(place), Path(place)
    parts = name.split("/")
    only_gguf = folder.is_dir() and any(folder.glob("*.gguf")) and not any(folder.glob("*.safetensors"))
    if folder.suffix == ".gguf" or only_gguf:
        said = "a GGUF file is quantised for inference and is not trained; name the folder or hub id of the same model"
        raise StudentError(f"{key}: {name}: {said} with *.safetensors")
    if folder.is_file():
        raise StudentError(f"{key}: {name} is a file; name the folder that holds config.json and *.safetensors")
    if folder.is_dir():
        if not Path(folder, "config.json").is_file() and not Path(folder, ADAPTER).is_file():
            said = "no config.json in this folder; name the one that holds config.json, *.safetensors and the tokenizer"
            raise StudentError(f"{key}: {name}: {said}")
        return
    # A hub id is `owner/name` or `name`; whatever else is written was meant as a folder.
    meant = name.startswith((".", "/", "~")) or "\\" in name or len(parts) > 2 or not all(parts)
    if meant or (len(parts) == 2 and Path(parts[0]).is_dir()):
        said = "; `~` is not expanded, write the whole path" if name.startswith("~") else ""
        if not meant:
            said = f" (no hub id is meant, as {parts[0]} is a folder here)"
        raise StudentError(f"{key}: {name}: no such folder{said}")
