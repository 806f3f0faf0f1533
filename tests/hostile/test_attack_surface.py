"""The table of the attack surface names tests that exist."""

import re

from conftest import ROOT

TABLE = (ROOT / "tests" / "ATTACK_SURFACE.md").read_text()


def test_every_test_that_the_table_names_exists():
    named = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", TABLE)
    assert len(named) > 60
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / "tests" / file).read_text()]
    assert not missing
