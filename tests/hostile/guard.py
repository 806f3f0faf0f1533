"""What no hostile text may do: run code, import, open or start anything, or take long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import within

from stages.tools.tool import ToolError

SECONDS = 0.2  # CPU time that one hostile text may cost beyond a surface's own bound

_watching: dict[int, list[str]] = {}  # thread -> audit events while it is watched


def _hook(event: str, arguments: tuple) -> None:
    events = _watching.get(threading.get_ident())
    if events is not None and not event.startswith("sys._getframe"):
        events.append(f"{event} {arguments!r:.80}")


sys.addaudithook(_hook)  # Python takes no hook back, so this one listens only while a test watches


@contextmanager
def harmless(seconds: float = SECONDS) -> Iterator[None]:
    """Fails where the block raises an audit event (exec, compile, import, open, os.system, ...) or takes too long."""
    events = _watching[threading.get_ident()] = []
    try:
        with within(seconds):
            yield
    finally:
        del _watching[threading.get_ident()]
    assert not events, events


def memory() -> int:
    """Bytes of this process that are in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def refused(tool, state, **arguments: str) -> str:
    """The reason of the refusal: one printable line that does not repeat a long argument."""
    with harmless(), pytest.raises(ToolError) as caught:
        tool.run(state, **arguments)
    reason = str(caught.value)
    assert reason.isprintable() and len(reason) < 700
    return reason


def one_line(error: pytest.ExceptionInfo, limit: int = 1000) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < limit
    return message
