"""One progress bar on stderr: drawn in place on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys

LIVE_S, LOG_S = 0.2, 10.0  # at least so long between two looks, on a terminal and in a log
LOG_LINE = "{desc}{n_fmt}/{total_fmt} {unit}s [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class _Log:
    """stderr where it is not a terminal: what tqdm would draw over is a line of its own."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more; the work is worth going on
            if text.strip():
                print(text.strip(), file=sys.stderr, flush=True)

    def flush(self) -> None:
        pass


def bar(total: int, unit: str, shown: bool, name: str = ""):
    """A tqdm bar that counts `total` of a unit; it says nothing where `shown` is false (`runtime.progress`)."""
    from tqdm import tqdm

    form = {"total": total, "unit": unit, "desc": f"{name}: " if name else None, "disable": not shown}
    if sys.stderr.isatty():
        return tqdm(**form, mininterval=LIVE_S, dynamic_ncols=True)
    return tqdm(**form, mininterval=LOG_S, file=_Log(), bar_format=LOG_LINE)
