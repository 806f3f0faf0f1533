"""What a refused formula says."""

from __future__ import annotations

import pytest

from stages.tools.fol.formula import FormulaError
from stages.tools.fol.reading import parse
from stages.tools.fol.symbols import signature


def refused(source, kind, conventions=False):
    """The message of the error of this kind; `signature` and the error's form are part of it."""
    with pytest.raises(FormulaError) as error:
        signature(parse(source, conventions))
    message = str(error.value)
    assert error.value.kind == kind, message
    assert message.isprintable() and len(message) < 250
    return message
