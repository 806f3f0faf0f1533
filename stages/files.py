"""Files are replaced whole or not at all: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from stages.params import InputError


class FileError(InputError):
    """A file cannot be written; the old one, if there was one, is as it was."""


def to_bytes(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which that cannot hold, becomes `\\udxxx`: JSON reads it back as it was."""
    return text.encode("utf-8", "backslashreplace")


def replace_file(path: str | Path, content: str | Iterable[bytes]) -> None:
    """Write a text by `to_bytes`, or bytes part by part; a crash or a full disk leaves the old file whole.

    Raises:
        FileError: the folder or the disk does not take the file.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            file.writelines([to_bytes(content)] if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        reason = error.strerror or error
        raise FileError(f"{path}: not written: {reason}; make room or allow writing, and run again") from None


def sync_folder(folder: Path) -> None:
    """A new file is only certain to be found after a crash when its folder was synced too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_metrics(path: str | Path, metrics: dict) -> None:
    """Write nested metrics, which change only where a figure does: floats rounded to 4 places, dollars to 6.

    A chain of a cheap model costs less than 0.0001 dollars.
    """
    replace_file(path, json.dumps(_rounded(metrics), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _rounded(value: object, places: int = 4) -> object:
    if isinstance(value, dict):
        return {key: _rounded(part, 6 if key.endswith("_usd") else 4) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, places) if isinstance(value, float) else value
