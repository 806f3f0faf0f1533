"""What a person does with a journal: see what it holds, check it, tidy it, take calls out of it and into it."""

from __future__ import annotations

import argparse
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
from stages.teacher.journal.ledger import MERGED, Fault, Ledger, files_of
from stages.teacher.journal.record import canonical

NAMED = 20  # bad lines that merge names one by one
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

    command("show", show, "say what the journal holds: size, calls and cost by model (the default)")
    command("verify", verify, "check every line against its key and sum; name the bad ones and end with status 1")
    command("compact", compact, "make one shard of all, without lines that later ones replaced and without bad ones")
    export = command("export", export_calls, "write the calls to a new file, which merge reads elsewhere")
    export.add_argument("target", type=Path, metavar="FILE", help="as calls.jsonl")
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
    if ledger.faults:
        bad = _counted(len(ledger.faults), "line")
        print(f"{bad} that cannot be read; `python -m stages.teacher.journal verify` names them")
    totals = ledger.totals(ledger.calls)
    if totals:
        heads = ["model", "calls", "prompt tokens", "completion tokens", "cost"]
        rows = [
            [printable(model), f"{total['calls']:,}", f"{total['prompt_tokens']:,}"]
            + [f"{total['completion_tokens']:,}", f"${total['cost_usd']:,.4f}"]
            for model, total in totals.items()
        ]
        align = ("left", *["right"] * 4)
        print()
        print(tabulate(rows, heads, tablefmt="plain", colalign=align, disable_numparse=True))


def verify(_arguments: argparse.Namespace) -> None:
    folder = _folder()
    ledger = Ledger().read_all(folder)
    for fault in ledger.faults:
        print(_named(fault))
    print(f"{folder}: {len(ledger):,} calls are whole, {_counted(len(ledger.faults), 'line')} cannot be read")
    if ledger.faults:
        raise InputError(f"{folder}: bad lines; their calls are asked again when needed, `compact` drops them")


def compact(_arguments: argparse.Namespace) -> None:
    folder = _folder()
    with Journal(folder) as journal:
        shards = files_of(folder)
        for left in folder.glob(".*.part"):  # of a compaction that was killed
            left.unlink()
        if len(shards) < 2 and not journal.replaced and not journal.faults:
            print(f"{folder}: {_counted(len(shards), 'shard')}, nothing to drop")
            return
        whole = folder / f"{time.time_ns():016x}-{os.getpid()}.jsonl"
        replace_file(whole, _kept(journal))
        sync_folder(folder)
        for shard in shards:  # killed before here, the next run reads both: the same calls, the same answers
            shard.unlink()
    dropped = f"{_counted(journal.replaced, 'replaced line')} and {_counted(len(journal.faults), 'bad one')} dropped"
    print(f"{folder}: {len(journal):,} calls in 1 shard instead of {len(shards)}; {dropped}")


def _kept(ledger: Ledger) -> Iterator[bytes]:
    """The lines that hold: what was bought since the last version was finished stands behind all that were."""
    written: set[str] = set()
    since = [key for key, call in ledger.calls.items() if call.version == ledger.versions]
    yield from ledger.whole_file(sorted(ledger.calls.keys() - set(since)), written)
    for made in ledger.finished.values():
        yield to_bytes(canonical(made) + "\n")
    yield from ledger.whole_file(since, written)


def export_calls(arguments: argparse.Namespace) -> None:
    folder, target = _folder(), arguments.target
    ledger = Ledger().read_all(folder)
    keys = [key for key in sorted(ledger.calls) if arguments.model in (None, ledger.calls[key].model)]
    if not keys:
        known = ", ".join(ledger.totals(ledger.calls)) or "none"
        raise InputError(f"{folder}: no call{f' of {arguments.model}' if arguments.model else ''}; models: {known}")
    if target.exists():
        raise InputError(f"{target}: already there; name a new file")
    replace_file(target, ledger.whole_file(keys, set()))
    print(f"{target}: {len(keys):,} calls; `python -m stages.teacher.journal merge {target}` takes them over elsewhere")


def merge_calls(arguments: argparse.Namespace) -> None:
    other = arguments.other
    if not other.exists():
        raise InputError(f"{other}: no such file or folder")
    theirs = Ledger().read_all(other)
    with Journal(journal_folder()) as journal:
        new = sorted(theirs.calls.keys() - journal.calls.keys())
        both = theirs.calls.keys() & journal.calls.keys()
        differing = sum(journal.calls[key].response != theirs.calls[key].response for key in both)
        if new:
            shard = journal.folder / f"{FIRST}-{time.time_ns():016x}-{os.getpid()}.jsonl"
            replace_file(shard, _merged(theirs, new))
            sync_folder(journal.folder)
    for fault in theirs.faults[:NAMED]:
        print(_named(fault), file=sys.stderr)
    known = f"{len(both):,} were known"
    if differing:
        known += f", {differing:,} of them with another answer here, which stays"
    print(f"{journal.folder}: {_counted(len(new), 'new call')} of {other}; {known}")
    if theirs.faults:
        raise InputError(f"{other}: {_counted(len(theirs.faults), 'line')} cannot be read and were left out")


def _merged(theirs: Ledger, keys: list[str]) -> Iterator[bytes]:
    """One shard. Its last line says that all before it was known before anything here is bought."""
    yield from theirs.whole_file(keys, set())
    yield to_bytes(canonical({"journal_hits": 0, "teacher_calls": 0, "version": MERGED}) + "\n")


def _folder() -> Path:
    folder = journal_folder()
    if not folder.is_dir():
        raise InputError(f"{folder}: no journal here; generate makes it, and $STEPCALL_JOURNAL names another")
    return folder


def _named(fault: Fault) -> str:
    return printable(f"{fault.path}:{fault.number}: {fault.reason}")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    run(main)
