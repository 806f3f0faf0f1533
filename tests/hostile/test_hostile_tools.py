"""Hostile arguments of every tool, one after the other: they leave nothing behind in memory."""

from __future__ import annotations

import random

from guard import memory
from test_hostile_answers import HOSTILE_ANSWERS
from test_hostile_expressions import EXPRESSIONS
from test_hostile_formulas import FOL, FORMULAS
from test_hostile_stories import DEDUCTION, FACTS, LEO

from stages.tools import TOOLKITS
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.deduction.toolkit import open_theory
from stages.tools.tool import ToolError
from stages.verdicts.answers import canonical_number


def test_memory_stays_flat_under_a_stream_of_hostile_arguments():
    def stream(rounds: int) -> None:
        chance = random.Random(1)
        for _ in range(rounds):
            state = open_theory(LEO)
            for tool, name, cases in (
                (ARITHMETIC.tools["Calculate"], "expression", EXPRESSIONS),
                (DEDUCTION["Derive"], "fact", FACTS),
                (FOL["Premise"], "formula", FORMULAS),
            ):
                for text_ in cases.values():
                    argument = {name: text_[:3000] + str(chance.random())}
                    try:
                        tool.run(TOOLKITS["fol"].open("") if tool is FOL["Premise"] else state, **argument)
                    except ToolError:
                        continue
            for answer in HOSTILE_ANSWERS.values():
                canonical_number(answer[:3000] + str(chance.random()))

    stream(5)
    before = memory()
    stream(30)
    assert memory() - before < 2**22
