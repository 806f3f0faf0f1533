"""The solver behind Entails: against every finite world, in any order, and on hostile and real formulas."""

from __future__ import annotations

import itertools
import json
import random
import re
import resource
import time

import pytest
from conftest import shared

from stages.tools import worker
from stages.tools.fol import toolkit as fol
from stages.tools.fol.formula import Formula, text
from stages.tools.fol.reading import parse
from stages.tools.fol.toolkit import Fol
from stages.tools.tool import ToolError

# No finite world has these: every number has a greater one.
ENDLESS = ["∀x ∃y (Less(x, y))", "∀x (¬Less(x, x))", "∀x ∀y ∀z (Less(x, y) ∧ Less(y, z) → Less(x, z))"]


@pytest.fixture(autouse=True)
def no_memory():
    """Each test asks the solver itself."""
    fol._search.cache_clear()


def outcome_of(premises, asked):
    state = Fol()
    for premise in premises:
        state.premise(premise)
    return state.entails(asked)


def worlds_where(formula: Formula, world: dict, size: int) -> int:
    """The truth of a formula in all worlds of this size at once: bit w is its truth in world w.

    `world` has a number of bits for each ground atom, and the thing that each constant is.
    """
    kind, *parts = formula
    if kind in ("∀", "∃"):
        cases = [worlds_where(parts[1], {**world, parts[0]: thing}, size) for thing in range(size)]
        result = cases[0]
        for case in cases[1:]:
            result = result & case if kind == "∀" else result | case
        return result
    if kind == "is":
        return world[(parts[0], *(world[term] for term in parts[1:]))]
    if kind == "=":
        return world["all"] if world[parts[0]] == world[parts[1]] else 0
    cases = [worlds_where(part, world, size) for part in parts]
    if kind == "¬":
        return world["all"] ^ cases[0]
    result = cases[0]
    for case in cases[1:]:
        result = {
            "∧": result & case,
            "∨": result | case,
            "⊕": result ^ case,
            "→": (world["all"] ^ result) | case,
            "↔": world["all"] ^ result ^ case,
        }[kind]
    return result


def satisfiable(formulas: list[Formula], writer: Writer, sizes: range) -> bool:
    """Whether one of all worlds of these sizes, in the writer's predicates and constants, satisfies the formulas."""
    for size in sizes:
        pairs = writer.predicates.items()
        atoms = [(name, *things) for name, terms in pairs for things in itertools.product(range(size), repeat=terms)]
        truth = {"all": (1 << (1 << len(atoms))) - 1}
        for place, atom in enumerate(atoms):  # as in a truth table: runs of 2**place zeros and ones
            truth[atom] = truth["all"] // ((1 << (1 << place)) + 1) << (1 << place)
        for things in itertools.product(range(size), repeat=len(writer.constants)):
            world = {**truth, **dict(zip(writer.constants, things, strict=True))}
            result = world["all"]
            for formula in formulas:
                result &= worlds_where(formula, world, size)
            if result:
                return True
    return False


def by_all_worlds(premises, conclusion, writer, sizes):
    against = satisfiable([*premises, ("¬", conclusion)], writer, sizes)
    beside = satisfiable([*premises, conclusion], writer, sizes)
    return {(True, True): "Unknown", (False, True): "True", (True, False): "False"}.get(
        (against, beside), "Inconsistent"
    )


class Writer:
    """Random closed formulas; at most `nest` quantifiers inside each other."""

    def __init__(self, rng, predicates, constants, nest, equality):
        self.rng, self.nest, self.equality = rng, nest, equality
        self.predicates, self.constants = predicates, constants

    def atom(self, terms):
        if self.equality and self.rng.random() < 0.15:
            return ("=", self.rng.choice(terms), self.rng.choice(terms))
        name = self.rng.choice(list(self.predicates))
        return ("is", name, *self.rng.choices(terms, k=self.predicates[name]))

    def formula(self, depth, bound=()):
        terms = [*bound, *bound, *self.constants]
        if terms and depth <= 0:
            return self.atom(terms)
        kinds = ("¬∧∨→⊕↔" if depth > 0 else "") + ("∀∃∀∃" if len(bound) < self.nest else "")
        kind = self.rng.choice(kinds)
        if kind in "∀∃":
            name = f"x{len(bound)}"
            return (kind, name, self.formula(depth - 1, (*bound, name)))
        count = 1 if kind == "¬" else self.rng.choice((2, 2, 3)) if kind in "∧∨" else 2
        return (kind, *(self.formula(depth - 1, bound) for _ in range(count)))

    def problem(self, most, depth):
        return [self.formula(self.rng.randint(1, depth)) for _ in range(self.rng.randint(2, most))]


def quantifiers_in(formula):
    kind, *parts = formula
    return (kind in "∀∃") + sum(quantifiers_in(part) for part in parts if isinstance(part, tuple))


def monadic(rng):
    """Two properties, quantifiers inside each other: a world of four things is enough, one for each combination."""
    writer = Writer(rng, {"P": 1, "Q": 1}, ["a", "b"], nest=2, equality=False)
    return writer, writer.problem(5, 4), range(4, 5)


def bernays(rng):
    """A relation and equality, no quantifier inside another: one thing for each constant and each ∃ is enough."""
    writer = Writer(rng, {"P": 1, "L": 2}, ["a", "b"][: rng.randint(0, 2)], nest=1, equality=True)
    while True:
        formulas = writer.problem(4, 3)
        things = len(writer.constants) + sum(map(quantifiers_in, formulas))
        if things <= 3:
            return writer, formulas, range(1, max(things, 1) + 1)


@pytest.mark.parametrize("kind", [monadic, bernays])
def test_the_solver_and_all_worlds_agree(kind):
    """500 random problems of each kind, whose worlds are small enough to look at every one."""
    counts = dict.fromkeys(("True", "False", "Unknown", "Inconsistent"), 0)
    for seed in range(500):
        writer, (*premises, conclusion), sizes = kind(random.Random(seed))
        assert [parse(text(formula)) for formula in premises] == premises
        expected = by_all_worlds(premises, conclusion, writer, sizes)
        found = fol._finding(tuple(premises), conclusion)["outcome"]
        assert found == expected, (seed, [text(part) for part in premises], text(conclusion))
        counts[found] += 1
    assert min(counts.values()) >= 10
    print(f"\n{kind.__name__}: 500 problems, 0 differences: {counts}")


def test_outcomes_do_not_depend_on_what_the_solver_was_asked_before():
    """Verify asks again in another order, and in a process that may have been replaced in between."""
    problems = [monadic(random.Random(seed))[1] for seed in range(1_000, 1_100)]
    hard = [[*map(parse, ENDLESS), parse(asked)] for asked in ("∃x ∀y (¬Less(y, x))", "∃x (Less(x, x))")]
    problems += hard

    def findings(order):
        fol._search.cache_clear()
        return [fol._finding(tuple(premises), asked) for *premises, asked in order]

    first = findings(problems)
    assert findings(problems[::-1]) == first[::-1]
    worker._worker.close()
    assert findings(problems) == first


def test_an_outcome_does_not_depend_on_names():
    men = ["∀x (Man(x) → Mortal(x))", "Man(a)"]
    for premises, asked in ((men, "Mortal(a)"), (ENDLESS, "∃x ∀y (¬Less(y, x))")):
        plain = outcome_of(premises, asked)
        renamed = [
            re.sub(r"(Man|Mortal|Less)", r"Quite_\1", source).replace("a)", "thing1)") for source in (*premises, asked)
        ]
        assert outcome_of(renamed[:-1], renamed[-1]) == plain


# Hostile formulas


def things(count, name="c"):
    return [f"{name}{number}" for number in range(count)]


def pairs(names, joined="{} ≠ {}"):
    return [joined.format(*pair) for pair in itertools.combinations(names, 2)]


V = things(12, "v")


def xor_of_all(a, b, c):
    return " ∧ ".join(f"((P{n} ⊕ P{(n * a + b) % 37}) ⊕ P{(n * c + 1) % 37})" for n in range(37))


HOSTILE = {
    "quantifiers that alternate": (
        ["".join(f"{'∃∀'[n % 2]}v{n} " for n in range(12)) + f"(R({','.join(V)}) ⊕ R({','.join(V[::-1])}))"],
        "∃x (R(" + ",".join("x" * 12) + "))",
    ),
    "forty terms": (
        [f"∀{','.join(V)} (R({','.join((V * 4)[:40])}) → Q({','.join(V)}))", f"Q({','.join('a' * 12)})"],
        f"∃x (Q({','.join('x' * 12)}) ∧ R({','.join('x' * 40)}))",
    ),
    "pigeons": (
        [
            f"∀x ({' ∨ '.join(f'In(x, {hole})' for hole in things(9, 'hole'))})",
            "∀x ∀y ∀z (In(x, z) ∧ In(y, z) → x = y)",
            " ∧ ".join(pairs(things(10, "pigeon"))),
        ],
        "In(pigeon1, hole1)",
    ),
    "an endless dense order": ([*ENDLESS, "∀x ∀y (Less(x, y) → ∃z (Less(x, z) ∧ Less(z, y)))"], "∃x ∀y (¬Less(x, y))"),
    "a group": (
        [
            "∀a ∀b ∃c (R(a, b, c))",
            "∀a ∀b ∀c ∀d (R(a, b, c) ∧ R(a, b, d) → c = d)",
            "∀a ∀b ∀c ∀d ∀e ∀f (R(a, b, d) ∧ R(b, c, e) → (R(d, c, f) ↔ R(a, e, f)))",
        ],
        "∃a ∃b ∃c (R(a, b, c) ∧ ¬R(b, a, c))",
    ),
    "xor of everything": ([xor_of_all(7, 3, 11), xor_of_all(5, 1, 13)], "P0"),
}


@pytest.mark.parametrize(("premises", "asked"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_formula_costs_its_limit_and_no_memory_here(premises, asked):
    state = Fol()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    for premise in premises:
        state.premise(premise)
    assert state.entails(asked) in ("True", "False", "Unknown", "Undecided")
    assert time.monotonic() - start < fol.SECONDS + 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


# Real premises


@pytest.mark.shared_data
def test_the_premises_of_folio_are_consistent_but_for_two_stories():
    """And a formula that is a premise follows from the premises, whatever else they say."""
    rows = [json.loads(line) for line in shared("folio/train.jsonl").read_text("utf-8").split("\n") if line]
    counts, times = {}, []
    for sources in dict.fromkeys(tuple(row["premises-FOL"]) for row in rows):
        state = Fol()
        try:
            for source in sources:
                state.premise(source)
        except ToolError:
            continue
        start = time.perf_counter()
        outcome = state.entails(sources[0])
        times.append(time.perf_counter() - start)
        counts[outcome] = counts.get(outcome, 0) + 1
        assert not state.rests_on(outcome)  # it is smuggled
    times.sort()
    print(f"\n{counts}; a question takes {times[len(times) // 2] * 1e3:.1f} ms, at most {times[-1] * 1e3:.0f} ms")
    assert set(counts) == {"True", "Inconsistent"}
    assert counts["Inconsistent"] <= 4
