"""What several tests share."""

from __future__ import annotations

import gc
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine takes its time: no example fails for it.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("full", deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(PROFILE)

# One thread: the tests run beside each other's processes, and byte-equality tests need a fixed order of additions.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parent.parent

# Their asserts say what they saw, too.
pytest.register_assert_rewrite("formulas", "guard", "judged", "logs", "predicted", "projects", "strict_server")

SHARED = Path(os.environ.get("STEPCALL_SHARED") or ROOT.parent / "shared" / "data")


# The files that take longest, the longest first: begun first, they leave short ones to fill the end of the run.
LONGEST = [
    "pipeline/test_pipeline.py",
    "teacher/test_journal_dvc.py",
    "pipeline/test_protocols.py",
    "pipeline/test_generate_faults.py",
    "agent/test_student_decode.py",
    "training/test_train.py",
    "hostile/test_hostile_server.py",
    "problems/test_published.py",
    "pipeline/test_generate.py",
    "training/test_student_trial.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; the tests of a file keep their order."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def examples(full: int, **more: object) -> settings:
    """The settings of a property: so many examples in the profile `full`, a tenth of them (25 at least) in `quick`."""
    quick = min(full, max(25, full // 10))
    return settings(max_examples=full if PROFILE == "full" else quick, **more)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails where the block needs more processor time.

    The garbage collector waits meanwhile: one pass over what other tests left behind takes 0.3 s.
    """
    gc.disable()
    start = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - start
        gc.enable()
    assert spent < seconds, f"{spent:.3f} s"


def shared(name: str) -> Path:
    """A real data set beside the project, or in $STEPCALL_SHARED; the test is skipped where it is not there."""
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not here")
    return SHARED / name


def laid(overlay: Path) -> str:
    """The committed params.yaml with this overlay laid over it."""
    from stages.protocols.overlay import overlaid

    return overlaid((ROOT / "params.yaml").read_text(), overlay.read_text())[0]


def small_params() -> str:
    """params.yaml with tests/small.yaml laid over it, a run of some seconds a stage; without comments, to be edited."""
    bare = re.sub(" *#.*", "", laid(ROOT / "tests/small.yaml"))
    return re.sub("\n+", "\n", bare).lstrip()


def small_settings():
    """The same, read."""
    from stages.params import checked

    return checked(small_params(), "small_params")


def problems_params(train=(), dev=(), heldout=(), ood=(), fold=None):
    """params.problems with these entries, and what the small params say of overlap."""
    return replace(small_settings().problems, train=train, dev=dev, heldout=heldout, ood=ood, fold=fold)


@pytest.fixture
def project_params():
    """The committed params.yaml."""
    from stages.params import load

    return load(ROOT / "params.yaml")


@pytest.fixture
def environment(monkeypatch):
    """One key and no other, no journal elsewhere, and back-offs that take no time."""
    from projects import KEY

    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("stages.teacher.teacher.FIRST_WAIT_S", 0.01)


@pytest.fixture
def project(tmp_path, monkeypatch, environment):
    """A folder in which generate runs."""
    from projects import Project

    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
