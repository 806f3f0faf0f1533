"""A command of the project: what its arguments are, and how it ends, whatever goes wrong."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import typing
from collections.abc import Callable
from pathlib import Path

from stages.records.errors import InputError, printable
from stages.records.files import written


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` says what it takes")


def parser(module: str, says: str) -> argparse.ArgumentParser:
    """The parser of a command `python -m <module>`: a wrong argument is an InputError, one line like any other."""
    return _Parser(prog=f"python -m {module}", description=says)


def run(main: Callable[[], None], kept: str = "") -> None:
    """Run a stage's `main`: an InputError, or a disk that cannot be written, ends it with one line and exit code 1.

    `kept`: what holds of an interrupted run; else it says which files were replaced by then.
    Refuses to run code that is not the checkout's: after a plain `pip install .`, DVC would hash the edited file in
    the checkout, run the installed copy, and lock the new hash as done.
    """
    try:
        installed = Path(__file__).resolve().parents[1]
        if Path("dvc.yaml").exists() and Path("stages").is_dir() and installed != Path("stages").resolve():
            raise InputError(
                f"the code that runs is {installed}, not this checkout's stages/; "
                "install the checkout with `pip install -e .`"
            )
        main()
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"error: {printable(str(error))}")
    except KeyboardInterrupt:
        made = f"written before that: {', '.join(written)}" if written else "nothing was written"
        print(f"error: interrupted; {kept or made}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
    except Exception as error:
        fault = _of_disk(error)
        if fault is None:
            raise
        place = fault.filename
        if place is None:  # our own files are named where they are written
            place = f"standard output, or a temporary file in {os.environ.get('TMPDIR', '/tmp')}"
            _drop_output()
        sys.exit(f"error: {place}: {fault.strerror or fault}; every file is whole, the old one or the new one")


def _of_disk(error: BaseException) -> OSError | None:
    """The error itself, where it is the system's; or a full disk on which a library stumbled, as pyarrow does."""
    if isinstance(error, OSError) and (error.filename or error.errno):
        return error
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return error
        error = error.__cause__ or error.__context__
    return None


def _drop_output() -> None:
    """What is still buffered goes nowhere: at its end Python would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
