"""The verdict on a chain: correct when it gave the right answer and got there by its calls.

That is: every recorded result is reproduced by running the call again from the model's own text, at least one tool did
work, and the answer is what the tools found. Teacher and students are judged by this one function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from stages.records.chain import Chain, Step
from stages.records.problem import LABELS
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.tools.tool import ToolError
from stages.verdicts.answers import canonical_number, equal
from stages.verdicts.grounding import numbers_grounded, question_numbers_used, results_used

_OPTION = re.compile("[A-Z]")  # gold of a question with lettered options


def verdict(chain: Chain, tolerance: float, agrees: bool = True) -> dict:
    """The row of verdicts.jsonl for a chain; `agrees` is false where the record it came from contradicts itself.

    `tolerance` is the largest difference from the gold number that still counts as right. `perturbation` stays empty
    here: it takes a problem's other chains (stages/verdicts/perturb.py).
    """
    replayed, state = replay(chain)
    made = worked(replayed)
    allowed = Fraction(str(tolerance))
    right = equal(chain.answer, chain.gold, chain.task, allowed) if chain.answer else False
    checks = {
        "finished": chain.stop == "finish",
        "reproduced": agrees and _reproduced(chain, replayed),
        "called": bool(made),
        "answer_right": right is True,
        "grounded": bool(chain.answer) and _grounded(chain, made, state, allowed),
        "valid_calls": not any(step.error for step in chain.steps),
        "not_repeated": len({(step.call.text(), step.result) for step in made}) == len(made),
        "results_used": _results_used(chain, made, state),
        "numbers_grounded": state is not None or numbers_grounded(chain.question, made),
        "question_numbers_used": state is not None or question_numbers_used(chain.question, made),
    }
    failure = _failure(chain, checks, right)
    if failure == "ungrounded" and checks["reproduced"] and right is True and _perhaps_grounded(chain, state):
        failure = "undecided"
    word = {"": "correct", "undecided": "undecided"}.get(failure, "incorrect")
    if _foreign(chain, replayed):
        word, failure = "undecided", "unknown_tool"
    row = {"chain_id": chain.chain_id, "problem_id": chain.problem_id, "verdict": word, "failure": failure}
    return {**row, **checks, "perturbation": ""}


def worked(steps: Iterable[Step]) -> list[Step]:
    """The steps whose call did work: a tool took it, and it was neither a thought nor the answer."""
    return [step for step in steps if not step.error and step.call.tool not in ("Reasoning", "Finish")]


def replay(chain: Chain) -> tuple[list[Step], object]:
    """Run every call of the chain again from the model's text; the steps, and the state that they leave."""
    toolkit = TOOLKITS[chain.toolkit]
    try:
        state = toolkit.open(chain.question)
    except ToolError:  # a problem that its toolkit refuses; no chain on it can be reproduced
        return [], None
    return [run_call(step.text, toolkit.tools, state) for step in chain.steps], state


def _reproduced(chain: Chain, replayed: list[Step]) -> bool:
    """Whether the record is what the agent would write: the same results and errors, `Finish` last, its answer kept."""
    answers = [step.result for step in replayed if not step.error and step.call.tool == "Finish"]
    same = [(s.result, s.error, s.failure) for s in replayed] == [(s.result, s.error, s.failure) for s in chain.steps]
    if chain.stop != "finish":
        return same and not answers and not chain.answer
    return same and answers == [chain.answer] and not replayed[-1].error and replayed[-1].call.tool == "Finish"


def _foreign(chain: Chain, replayed: list[Step]) -> bool:
    """Whether a tool that we do not have answered in the chain, where it was made: nobody here can say if it was right.

    A model that calls such a tool in a chain of ours reads our error, which running the call again gives.
    """
    pairs = zip(chain.steps, replayed, strict=False)
    return any(step.failure == "unknown_tool" and step.error != again.error for step, again in pairs)


def _grounded(chain: Chain, worked: list[Step], state: object, tolerance: Fraction) -> bool:
    """Whether the answer is a tool's result, or what a proof rests on: right by a guess is not correct."""
    if state is None:
        return any(equal(chain.answer, step.result, chain.task, tolerance) for step in worked)
    if chain.toolkit == "fol" and _OPTION.fullmatch(chain.gold):
        return state.rests_on(chain.gold)  # the answer is right, so this is its letter
    return any(equal(chain.answer, label, chain.task) and state.rests_on(label) for label in LABELS)


def _perhaps_grounded(chain: Chain, state: object) -> bool:
    """Whether a proof in first-order logic may be one of the answer, though that is not sure; others never may."""
    if chain.toolkit != "fol" or chain.stop != "finish" or state is None:
        return False
    labels = [label for label in LABELS if equal(chain.answer, label, chain.task)]
    answer = chain.gold if _OPTION.fullmatch(chain.gold) else labels[0] if labels else ""
    return not state.objection(answer)


def _results_used(chain: Chain, worked: list[Step], state: object) -> bool:
    """Whether every result went into the answer."""
    if state is None:
        return results_used(worked, canonical_number(chain.answer))
    return state.results_used("Unknown" if equal(chain.answer, "Unknown", chain.task) else "")


def _failure(chain: Chain, checks: dict[str, bool], right: bool | None) -> str:
    """What explains the verdict, the first that applies; empty for a correct chain."""
    if not chain.steps or chain.stop == "max_tokens":
        return "no_answer"
    if chain.stop == "max_errors":
        return chain.steps[-1].failure or "ungrounded"
    if chain.stop == "max_steps":
        last = [step.call or step.text for step in chain.steps[-3:]]
        return "repeated_call" if len(last) == 3 and last[0] == last[1] == last[2] else "out_of_steps"
    if not checks["reproduced"]:
        return "ungrounded"
    if not checks["called"]:
        return "no_tool_call"
    if right is None:
        return "undecided"
    if not right:
        return "wrong_answer"
    return "" if checks["grounded"] else "ungrounded"
