"""The journal: every answer of a teacher is on disk before its chain goes on, so that no call is paid for twice.

`.journal/` is live: append-only shards of JSON lines (record.py), one shard a run, one buyer at a time.
`data/calls/` is a snapshot: exactly the calls that one version of data/chains.jsonl used, an output of generate that
DVC shares. A call is known by its request, never by its position: a changed parameter misses by itself, and the way
back hits. `python -m stages.teacher.journal` shows, checks, compacts, exports and merges one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from stages.records.errors import InputError
from stages.records.files import replace_file, sync_folder, to_bytes
from stages.teacher.journal.ledger import SYSTEMS, Call, Ledger, files_of
from stages.teacher.journal.record import call_line, canonical, system_line, system_name

SEEDED = -1  # the version of a call that came from a snapshot
BATCH = 10_000  # lines of a snapshot that are written at a time


class JournalError(InputError):
    """The journal cannot be opened or written; what it held stays."""


def journal_folder() -> Path:
    """$STEPCALL_JOURNAL, else `.journal` beside the main checkout's .git, else in the current folder.

    The main checkout serves git worktrees too, and DVC's temporary ones: `dvc exp run --temp` sets DVC_ROOT to it.
    """
    if os.environ.get("STEPCALL_JOURNAL"):
        return Path(os.environ["STEPCALL_JOURNAL"])
    root = Path(os.environ.get("DVC_ROOT") or ".").resolve()
    command = ["git", "-C", str(root), "rev-parse", "--git-common-dir"]
    with contextlib.suppress(OSError):  # no git on this machine
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        common = (root / found.stdout.strip()).resolve()
        if found.returncode == 0 and common.name == ".git":
            root = common.parent
    return root / ".journal"


class _Line(NamedTuple):
    """A line to be written; one that is no call has no key."""

    content: bytes
    key: str = ""
    response: str = ""
    model: str = ""
    system: str | None = None


class Journal(Ledger):
    """The live journal, open for one buyer: `with Journal(folder) as journal`.

    Raises:
        JournalError: another process holds it, or the disk does not take a line.
    """

    def __init__(self, folder: str | Path):
        super().__init__()
        self.folder = Path(folder)
        self._shard: Path | None = None
        self._live = -1
        self._end = 0
        self._in_shard: set[str] = set()
        self._waiting: list[tuple[_Line, asyncio.Future]] = []
        self._committing: asyncio.Task | None = None
        self._disk = ThreadPoolExecutor(1, "journal")

    def __enter__(self) -> Journal:
        ignore, lock = self.folder / ".gitignore", self.folder / "lock"
        if not ignore.exists():
            replace_file(ignore, "*\n")  # wherever the folder was put, git does not take it
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock, 0)
            name = f"{os.getpid()}\n".encode()
            if os.pwrite(self._lock, name, 0) < len(name):  # half a number is another process's
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode().strip() or "unknown"
            os.close(self._lock)
            raise JournalError(
                f"{self.folder}: process {holder} is buying calls through this journal; "
                f"wait for it, or end it with `kill {holder}` (it keeps what it has)"
            ) from None
        except OSError as error:  # a full disk, or one of the network file systems that know no locks
            os.close(self._lock)
            where = "make room, or name a folder on a local disk in $STEPCALL_JOURNAL"
            raise JournalError(f"{lock}: {error.strerror}; {where}") from None
        for shard in files_of(self.folder):
            self._load(shard)
        return self

    def __exit__(self, *_error: object) -> None:
        self._disk.shutdown(wait=True)
        waiting, self._waiting = self._waiting, []
        try:
            if waiting:  # answered, and paid, while the run was being cancelled
                self._write([line for line, _ in waiting], self.versions)
        finally:
            if self._live >= 0:
                os.close(self._live)
            os.close(self._lock)

    async def append(self, request: dict, key: str, response: dict) -> None:
        """Keep an answer; returns when it is on disk.

        Answers that arrive while the disk is busy share the next fsync: 32 workers cost it little more than one.
        """
        text = canonical(response)
        content, system = call_line(request, key, text)
        name = None if system is None else system_name(system)
        if name is not None:
            self.systems[name] = system
        line = _Line(content, key, text, request["model"], name)
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((line, kept))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())
        await kept

    async def _commit(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            lines = [line for line, _ in batch]
            error = None
            try:
                await asyncio.get_running_loop().run_in_executor(self._disk, self._write, lines, self.versions)
            except JournalError as raised:
                error = raised
            for _, kept in batch:
                if kept.done():  # its worker was cancelled
                    continue
                if error is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(error)

    def seed(self, folder: str | Path) -> None:
        """Take over the calls of a snapshot.

        Where both know a call, the snapshot's answer holds: the version that is checked out stays as it is, however
        the request was answered elsewhere.
        """
        theirs = Ledger().read_all(Path(folder))
        self.faults += theirs.faults
        self.systems |= theirs.systems
        new = []
        for key, call in theirs.calls.items():
            known = self.calls.get(key)
            if known is not None and known.response == call.response:
                self.calls[key] = known._replace(version=SEEDED)
            else:
                new.append(key)
        for start in range(0, len(new), BATCH):
            keys = new[start : start + BATCH]
            calls = [theirs.calls[key] for key in keys]
            contents = theirs.lines(keys)
            lines = [
                _Line(content, key, call.response, call.model, call.system)
                for content, key, call in zip(contents, keys, calls, strict=True)
            ]
            self._write(lines, SEEDED)

    def snapshot(self, folder: str | Path, files: dict[str, Iterable[str]]) -> None:
        """Make `folder` hold exactly these calls: for each file name, the keys of the calls it lists.

        Lines are sorted by key, system messages stand in their own file, a file that would not change is left alone
        and every other file is deleted. The bytes depend on the requests and answers only.
        """
        folder = Path(folder)
        used = sorted({self.calls[key].system for keys in files.values() for key in keys} - {None})
        _keep(folder / SYSTEMS, b"".join(system_line(self.systems[name]) for name in used))
        for name, keys in files.items():
            _keep(folder / name, b"".join(self.lines(sorted(set(keys)))))
        for path in folder.iterdir():
            if path.name != SYSTEMS and path.name not in files:
                path.unlink()

    def finish(self, keys: Iterable[str], recorded: dict) -> dict:
        """Note that the version which uses these calls is finished, and what it cost when it was first made.

        Returns {"version", "teacher_calls", "journal_hits"}: an id of the calls and their answers, how many of them
        were asked since the version before was finished (also by runs that were killed half-way), and how many were
        known by then. The same version gives the same numbers ever after: from `recorded` (the numbers that another
        machine has committed) or from the journal.
        """
        keys = sorted(set(keys))
        digest = hashlib.sha256()
        for key in keys:
            digest.update(to_bytes(key + self.calls[key].response))
        version = digest.hexdigest()[:16]
        fresh = sum(self.calls[key].version == self.versions for key in keys)
        made = {"journal_hits": len(keys) - fresh, "teacher_calls": fresh, "version": version}
        if recorded.get("version") == version:
            made = {name: recorded[name] for name in made}
        elif version in self.finished:
            made = self.finished[version]
        if self.finished.get(version) != made:
            self._write([_Line(to_bytes(canonical(made) + "\n"))], self.versions)
            self.finished[version] = made
            self.versions += 1
        return made

    def _load(self, shard: Path) -> None:
        """Read a shard; a last line without its end is healed, or cut off where it is torn."""
        line = None
        for line in self.read(shard):  # noqa: B007  used after the loop
            pass
        if line is not None and not line.content.endswith(b"\n"):
            with open(shard, "r+b") as file:
                if line.entry is None:
                    file.truncate(line.offset)
                else:
                    file.seek(0, os.SEEK_END)
                    file.write(b"\n")

    def _write(self, lines: list[_Line], version: int) -> None:
        """Append lines to this run's shard with one fsync; on a failure none of them is left there, half or whole."""
        parts, calls, end = [], {}, self._end
        new = dict.fromkeys(line.system for line in lines if line.system and line.system not in self._in_shard)
        try:
            if self._shard is None:
                shard = self.folder / f"{time.time_ns():016x}-{os.getpid()}.jsonl"
                self._live = os.open(shard, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
                self._shard = shard
                sync_folder(self.folder)
            for name in new:
                parts.append(system_line(self.systems[name]))
                end += len(parts[-1])
            for line in lines:
                if line.key:
                    length = len(line.content)
                    calls[line.key] = Call(line.response, line.model, self._shard, end, length, line.system, version)
                parts.append(line.content)
                end += len(line.content)
            unwritten = memoryview(b"".join(parts))
            while unwritten:
                unwritten = unwritten[os.write(self._live, unwritten) :]
            os.fsync(self._live)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._live, self._end)
            reason = error.strerror or error
            raise JournalError(f"{self.folder}: not written: {reason}; make room, and run again: it goes on") from None
        self._end = end
        self._in_shard.update(new)
        self.calls.update(calls)


def _keep(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        replace_file(path, [content])
