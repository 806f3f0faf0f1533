"""Step pairs: the rejected turn is one that no correct chain takes there, and it is a turn of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import ROOT
from test_pair import PENS, RIGHT, SEVEN, chain, texts

from stages import pair
from stages.params import load

STEPS = replace(load(ROOT / "params.yaml").pair, kinds=("step",), per_problem=9)
BY_FORMULA = (SEVEN, 'Calculate(expression="84 + 3")', 'Finish(answer="87")')
PARTS_LATE = (SEVEN, 'Calculate(expression="84 + 3")', 'Finish(answer="84")')


def step_pairs(*chains):
    rows, _ = pair.pairs([row for row, _ in chains], [judged for _, judged in chains], STEPS)
    return rows


@pytest.mark.parametrize("written", ['Calculate(expression="84 + 3")', ' Calculate( expression = "84 + 3" ) '])
def test_a_turn_that_another_correct_chain_takes_is_not_rejected(written):
    """Beside RIGHT alone it is where the wrong chain parts; another correct chain takes it too."""
    wrong = chain(PENS, (SEVEN, written, 'Finish(answer="84")'), 2)
    assert [texts(row["rejected"]) for row in step_pairs(chain(PENS, RIGHT, 0), wrong)] == [[written]]
    with_both = step_pairs(chain(PENS, RIGHT, 0), chain(PENS, BY_FORMULA, 1), wrong)
    assert written not in [text for row in with_both for text in texts(row["rejected"])]


def test_it_is_rejected_only_where_the_conversations_before_it_are_the_same():
    late = chain(PENS, ('Reasoning(thought="Seven boxes.")', *BY_FORMULA), 1)
    wrong = chain(PENS, PARTS_LATE, 2)
    (row,) = step_pairs(chain(PENS, RIGHT, 0), wrong)
    rows = step_pairs(chain(PENS, RIGHT, 0), late, wrong)
    assert row in rows  # `late` takes the same turn, but behind another conversation


def test_where_first_the_tools_reply_differs_no_turn_is_rejected():
    """As in a chain made elsewhere, whose tool gave another result: what the model wrote up to there is the same."""
    right, (wrong, judged) = chain(PENS, RIGHT, 0), chain(PENS, PARTS_LATE, 1)
    messages = [dict(message) for message in wrong["messages"]]
    assert messages[3] == {"role": "user", "content": "84"}
    messages[3]["content"] = "85"
    assert len(step_pairs(right, (wrong, judged))) == 1
    assert step_pairs(right, ({**wrong, "messages": messages}, judged)) == []
