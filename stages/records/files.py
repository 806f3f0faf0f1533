"""Files are replaced whole or not at all: written beside, flushed to disk, then renamed; one process an output."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from stages.records.errors import InputError

written: list[str] = []  # what this process has replaced; an interrupted one says so
_held: dict[Path, int] = {}  # lock files of this process and their descriptors, which stay open


class FileError(InputError):
    """A file cannot be written; the old one, if there was one, is as it was."""


def hold(output: str | Path) -> None:
    """Keep every other process from making this output as long as this one lives: DVC's end is not always ours.

    The lock is the kernel's, on `.<name>.lock` beside the output: it goes with the process, however that ends, so it is
    never stale; the file stays. A file system that knows no locks, as some network ones, is named, and the run goes on.

    Raises:
        FileError: another process makes this output; the message names it.
    """
    output = Path(output)
    path = Path(os.path.abspath(output.with_name(f".{output.name}.lock")))
    if path in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(lock, 300, 0).decode(errors="replace")
        # A full disk cuts a number, to another process's.
        who = said.strip() if said.endswith("\n") else "another process"
        raise FileError(f"{output}: {who} is making it; wait for it, or end it") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise FileError(f"{path}: not written: {error.strerror}; make room or allow writing") from None
        print(f"{output}: {error.strerror} on this file system; start no second run beside this one", file=sys.stderr)
        return
    _held[path] = lock
    with contextlib.suppress(OSError):  # a full disk: the lock holds, and the next run cannot be told whose it is
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


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
        written.append(str(path))
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
