"""What a person does with a journal: see what it holds, check it, tidy it, take calls out of it and into it."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from stages.records.command import parser, run
from stages.records.errors import InputError, printable
from stages.records.files import replace_file, sync_folder, to_bytes
from stages.teacher.journal.journal import Journal, journal_folder
from stages.teacher.journal.ledger import MERGED, SYSTEMS, Fault, Ledger, files_of
from stages.teacher.journal.record import canonical, lines_of, system_line

NAMED = 20  # bad lines, and finished versions, that are named one by one
FIRST = f"{0:016x}"  # a shard that begins so is read before all others


def main() -> None:
    arguments = _parser().parse_args()
    arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    says = "The journal of the teacher's calls: $STEPCALL_JOURNAL, or .journal in the main checkout."
    made = parser("stages.teacher.journal", says)
    made.set_defaults(command=show)
    commands = made.add_subparsers(metavar="command")

    def command(name: str, function: object, says: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        added.set_defaults(command=function)
        return added

    command("show", show, "say what the journal holds: size, calls and cost by model, finished versions (the default)")
    command("verify", verify, "check every line against its key and sum; name the bad ones and end with status 1")
    command("compact", compact, "make one shard of all, without lines that later ones replaced and without bad ones")
    export = command("export", export_calls, "write the calls to a new file or folder, which merge reads elsewhere")
    export.add_argument(
        "target", type=Path, metavar="FILE_OR_FOLDER", help="a name with a suffix, as calls.jsonl, is a file"
    )
    export.add_argument("--model", help="only the calls of this model")
    merge = command("merge", merge_calls, "take over the calls that are not known yet; what is known stays as it is")
    merge.add_argument("other", type=Path, help="another journal's folder, a data/calls folder or an exported file")
    return made


def show(_arguments: argparse.Namespace) -> None:
    folder = _folder()
    ledger = Ledger().read_all(folder)
    files = files_of(folder)
    size = sum(path.stat().st_size for path in files)
    print(f"{folder}: {len(ledger):,} calls in {_counted(len(files), 'shard')}, {size / 1e6:,.1f} MB")
    if ledger.replaced:
        replaced = _counted(ledger.replaced, "line")
        print(f"{replaced} replaced by later ones; `python -m stages.teacher.journal compact` drops them")
    if faults := _faults(folder, ledger):
        print(
            f"{_counted(len(faults), 'line')} that cannot be read; `python -m stages.teacher.journal verify` names them"
        )
    totals = ledger.totals(ledger.calls)
    if totals:
        print()
        _table(
            ["model", "calls", "prompt tokens", "completion tokens", "cost"],
            [
                [printable(model), f"{total['calls']:,}", f"{total['prompt_tokens']:,}"]
                + [f"{total['completion_tokens']:,}", f"${total['cost_usd']:,.4f}"]
                for model, total in totals.items()
            ],
        )
    versions = [made for name, made in ledger.finished.items() if name != MERGED]
    if versions:
        print()
        _table(
            ["finished version", "asked for it", "known before"],
            [
                [printable(made["version"])] + [f"{made[name]:,}" for name in ("teacher_calls", "journal_hits")]
                for made in versions[-NAMED:]
            ],
        )


def verify(_arguments: argparse.Namespace) -> None:
    folder = _folder()
    ledger = Ledger().read_all(folder)
    faults = _faults(folder, ledger)
    for fault in faults:
        print(_named(fault))
    print(f"{folder}: {len(ledger):,} calls are whole, {_counted(len(faults), 'line')} cannot be read")
    if faults:
        raise InputError(f"{folder}: bad lines; their calls are asked again when needed, `compact` drops them")


def compact(_arguments: argparse.Namespace) -> None:
    folder = _folder()
    with Journal(folder) as journal:
        ledger, shards = journal.ledger, files_of(folder)
        for left in folder.glob(".*.part"):  # of a compaction that was killed
            left.unlink()
        if len(shards) < 2 and not ledger.replaced and not ledger.faults:
            print(f"{folder}: {_counted(len(shards), 'shard')}, nothing to drop")
            return
        before = sum(shard.stat().st_size for shard in shards)
        whole = folder / f"{time.time_ns():016x}-{os.getpid()}.jsonl"
        replace_file(whole, _kept(ledger, shards))
        sync_folder(folder)
        for shard in shards:  # killed before here, the next run reads both: the same calls, the same answers
            shard.unlink()
        after = whole.stat().st_size
    dropped = f"{_counted(ledger.replaced, 'replaced line')} and {_counted(len(ledger.faults), 'bad one')} dropped"
    sizes = f"{after / 1e6:,.1f} MB instead of {before / 1e6:,.1f} MB in {len(shards)}"
    print(f"{folder}: {len(ledger):,} calls in 1 shard, {sizes}; {dropped}")


def _kept(ledger: Ledger, shards: list[Path]) -> Iterator[bytes]:
    """The lines that hold, in their order: which calls were bought since a version was finished depends on it."""
    systems, written = {}, set()
    for shard in shards:
        for line in lines_of(shard, systems):
            entry = line.entry
            if entry is None:
                continue
            if "version" in entry:
                holds = ledger.finished[entry["version"]] == entry
            elif "key" in entry:
                call = ledger.calls[entry["key"]]
                holds = (call.shard, call.offset) == (shard, line.offset)
            else:
                holds = entry["system"] not in written
                written.add(entry["system"])
            if holds:
                yield line.content.rstrip(b"\n") + b"\n"


def export_calls(arguments: argparse.Namespace) -> None:
    folder, target = _folder(), arguments.target
    ledger = Ledger().read_all(folder)
    keys = [key for key in sorted(ledger.calls) if arguments.model in (None, ledger.calls[key].model)]
    if not keys:
        known = ", ".join(ledger.totals(ledger.calls)) or "none"
        raise InputError(f"{folder}: no call{f' of {arguments.model}' if arguments.model else ''}; models: {known}")
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise InputError(f"{target}: already there; name a new file or folder")
    if target.suffix and not target.is_dir():
        replace_file(target, ledger.whole_file(keys))
    else:
        used = sorted({ledger.calls[key].system for key in keys} - {None})
        replace_file(target / SYSTEMS, (system_line(ledger.systems[name]) for name in used))
        replace_file(target / "calls.jsonl", ledger.lines(keys))
    _name_bad(_faults(folder, ledger))
    print(f"{target}: {len(keys):,} calls; `python -m stages.teacher.journal merge {target}` takes them over elsewhere")


def merge_calls(arguments: argparse.Namespace) -> None:
    other = arguments.other
    if not other.exists():
        raise InputError(f"{other}: no such file or folder")
    theirs = Ledger().read_all(other)
    with Journal(journal_folder()) as journal:
        new = [key for key in sorted(theirs.calls) if journal.get(key) is None]
        differing = sum(
            key in journal.ledger.calls and journal.ledger.calls[key].response != call.response
            for key, call in theirs.calls.items()
        )
        if new:
            shard = journal.folder / f"{FIRST}-{time.time_ns():016x}-{os.getpid()}.jsonl"
            replace_file(shard, _merged(theirs, new))
            sync_folder(journal.folder)
    _name_bad(theirs.faults)
    known = f"{len(theirs.calls) - len(new):,} were known" + (
        f", {differing:,} of them with another answer here, which stays" if differing else ""
    )
    print(f"{journal.folder}: {_counted(len(new), 'new call')} of {other}; {known}")
    if theirs.faults:
        raise InputError(f"{other}: {_counted(len(theirs.faults), 'line')} cannot be read and were left out")


def _merged(theirs: Ledger, keys: list[str]) -> Iterator[bytes]:
    """One shard. Its last line says that all before it was known before anything here is bought."""
    yield from theirs.whole_file(keys)
    yield to_bytes(canonical({"journal_hits": 0, "teacher_calls": 0, "version": MERGED}) + "\n")


def _folder() -> Path:
    folder = journal_folder()
    if not folder.is_dir():
        raise InputError(f"{folder}: no journal here; generate makes it, and $STEPCALL_JOURNAL names another")
    return folder


def _faults(folder: Path, ledger: Ledger) -> list[Fault]:
    """The bad lines, without one that a run is just writing."""
    if any(fault.unfinished for fault in ledger.faults) and _in_use(folder):
        return [fault for fault in ledger.faults if not fault.unfinished]
    return ledger.faults


def _in_use(folder: Path) -> bool:
    """Whether a run holds the journal now."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _name_bad(faults: list[Fault]) -> None:
    for fault in faults[:NAMED]:
        print(_named(fault), file=sys.stderr)
    if len(faults) > NAMED:
        print(f"and {len(faults) - NAMED:,} more", file=sys.stderr)


def _named(fault: Fault) -> str:
    return printable(f"{fault.path}:{fault.number}: {fault.reason}")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table(heads: list[str], rows: list[list[str]]) -> None:
    """Columns under their heads, the first to the left and numbers to the right."""
    align = ("left", *["right"] * (len(heads) - 1))
    print(tabulate(rows, heads, tablefmt="plain", colalign=align, disable_numparse=True))


if __name__ == "__main__":
    run(main)
