"""Built-in logic problems: facts and rules about made-up kinds, a question answered True, False or Unknown.

One individual climbs from kind to kind until a rule says the asked property, its negation, or nothing. Around this
path stand rules of the same kinds about other properties, and a lure: another individual whose kind has the asked
property. The reference solution looks up what is known of each kind (`Recall`), applies one rule a call (`Derive`) and
compares the asked fact with what is known then (`Check`), so a solver must pick the right rule of several in view,
write its conclusion, and know when nothing more follows.

A problem has one trap at most, a typical misreading: "never" read over, the "not" of a question read over, or a fact
that cannot be known (Unknown) taken for False. Its calls are the `misconception`.
"""

from __future__ import annotations

import random

from stages.records.chain import Call
from stages.records.problem import Problem

NAMES = "Rex Leo Mia Sam Zoe Kim Ned Ida Gus Amy Jon Eva Roy Una Bob Liz".split()
UNSEEN_NAMES = "Quentin Zelda Yusuf Wanda Viktor Ursula".split()
KINDS = (
    "rompus zumpus wumpus tumpus vumpus numpus lorpus gorpus shumpus sterpus grimpus dumpus brimpus jompus yumpus "
    "lempus dax fep wug toma blick grole".split()
)
PROPERTIES = "red blue loud shy kind tall cold happy bright sour wooden small slow brave calm clean".split()
LABELS = {True: "True", False: "False", None: "Unknown"}

# Trap and share; "" is a plain problem.
TRAPS = {"": 0.5, "never": 0.17, "not asked": 0.16, "unknown": 0.17}


def logic_problem(rng: random.Random, variant: str) -> Problem:
    """One problem; `variant` is plain (1 to 3 hops), long (4 or 5), names (individuals no plain problem has) or

    conditions (the last rule has a condition, and the individual meets it unless the answer is Unknown).
    """
    trap = "" if variant == "long" else rng.choices(list(TRAPS), list(TRAPS.values()))[0]
    hops = rng.randint(4, 5) if variant == "long" else rng.randint(1 + (trap == "unknown"), 3)
    who, other = rng.sample(UNSEEN_NAMES if variant == "names" else NAMES, 2)
    kinds = rng.sample(KINDS, hops + 1)
    path, lure = kinds[:hops], kinds[hops]
    asked, needed, *others = rng.sample(PROPERTIES, 5)

    sign = trap != "never" and rng.random() < 0.5  # the rules say it has the property, or not
    asked_sign = trap != "not asked"
    truth = None if trap == "unknown" else sign == asked_sign
    conclusion = f"is {'' if sign else 'never ' if trap == 'never' else 'not '}{asked}"

    # Unknown: the last rule of the path asks for a property that the individual is not said to have. Plain problems
    # have no such rule that applies; `conditions` shows whether a solver reads the condition or only sees one.
    conditional = truth is None or variant == "conditions"
    facts = [f"{who} is a {path[0]}.", f"{other} is a {lure}."]
    if conditional:
        facts.append(f"{other if truth is None else who} is {needed}.")
    rules = [f"Each {kind} is a {above}." for kind, above in zip(path, path[1:], strict=False)]
    rules.append(f"Each {path[-1]}{f' that is {needed}' if conditional else ''} {conclusion}.")
    # Rules beside the path, about other properties, and the lure: the asked property, under a kind never reached.
    beside = [kind for kind in path[:-1] if rng.random() < 0.5] or path[-1:]
    for kind, other_property in zip(beside, others, strict=False):
        negated = not sign if kind == path[-1] else rng.random() < 0.5
        rules.append(f"Each {kind} is {'not ' if negated else ''}{other_property}.")
    rules.append(f"Each {lure} is {'not ' if sign else ''}{asked}.")
    premises = [*facts, *rules]
    rng.shuffle(premises)
    asked_fact = f"{who} is {'' if asked_sign else 'not '}{asked}"
    question = f"{' '.join(premises)} Is it true that {asked_fact}?"

    calls = [recall(who)]
    for kind, above in zip(path, path[1:], strict=False):
        calls += [recall(kind), derive(f"{who} is a {above}")]
    calls.append(recall(path[-1]))
    if truth is not None:
        calls.append(derive(f"{who} {conclusion}"))
    wrong = {
        "never": [*calls, finish(True)],  # "never" read over, and nothing checked
        "not asked": [*calls, check(f"{who} is {asked}"), finish(sign)],
        "unknown": [*calls, check(asked_fact), finish(False)],
    }.get(trap, [])
    calls.append(check(asked_fact))
    return Problem(
        id="",
        task="logic",
        toolkit="deduction",
        source="",
        question=question,
        gold=LABELS[truth],
        solution=(*calls, finish(truth)),
        misconception=tuple(wrong),
    )


def recall(about: str) -> Call:
    return Call("Recall", {"about": about})


def derive(fact: str) -> Call:
    return Call("Derive", {"fact": fact})


def check(fact: str) -> Call:
    return Call("Check", {"fact": fact})


def finish(truth: bool | None) -> Call:
    return Call("Finish", {"answer": LABELS[truth]})
