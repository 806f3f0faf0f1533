"""Files are replaced whole or not at all: written beside, flushed to disk, then renamed; one process an output."""

from __future__ import annotations

import atexit
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
_held: dict[Path, int] = {}  # lock files of this process and their descriptors


class FileError(InputError):
    """A file cannot be written; the old one, if there was one, is as it was."""


def hold(output: str | Path) -> None:
    """Keep every other process from making this output as long as this one lives: DVC's end is not always ours.

    The lock is the kernel's, on `.<name>.lock` beside the output: it goes with the process, however that ends, so it is
    never stale. A file system that knows no locks, as some network ones, is named, and the run goes on.

    Raises:
        FileError: another process makes this output; the message names it.
    """
    output = Path(output)
    path = Path(os.path.abspath(output.with_name(f".{output.name}.lock")))
    if path in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(path, output)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise FileError(f"{path}: not written: {error.strerror}; make room or allow writing") from None
        print(f"{output}: {error.strerror} on this file system; start no second run beside this one", file=sys.stderr)
        return
    if not _held:
        atexit.register(_release, os.getpid())
    _held[path] = lock
    with contextlib.suppress(OSError):  # a full disk: the lock holds, and the next run cannot be told whose it is
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)


def _locked(path: Path, output: Path) -> int:
    """A descriptor of the locked file. A file that its last holder has just removed is no lock: it is made anew."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    return lock
        except BlockingIOError:
            said = os.pread(lock, 300, 0).decode(errors="replace")
            os.close(lock)
            whole = said.split()[:2] if said.endswith("\n") else []  # a full disk cuts a number, to another process's
            raise FileError(f"{output}: {_busy(*whole)}") from None
        except OSError:
            os.close(lock)
            raise
        os.close(lock)


def _busy(process: str = "", host: str = "") -> str:
    if not process:  # it has not written who it is yet, or could not
        return "another process is making it; wait for it"
    there = "" if host == socket.gethostname() else f" on {host}"
    return f"process {process}{there} is making it; wait for it, or end it with `kill {process}`{there}"


def _release(process: int) -> None:
    """Remove the lock files while they are still locked. A forked child has them too and leaves them alone."""
    if process == os.getpid():
        for path in _held:
            with contextlib.suppress(OSError):
                path.unlink()


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
