"""Chains made elsewhere."""

from __future__ import annotations

from typing import NamedTuple

from stages.records.problem import Problem


class Written(NamedTuple):
    """What a model wrote for a problem, which is posed as its set has it."""

    problem: Problem
    model: str
    text: str
