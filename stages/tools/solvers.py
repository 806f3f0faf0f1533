"""What the worker runs: z3 and Math-Verify, on arguments that the parent has parsed and checked.

Started as `python -I solvers.py` by stages/tools/worker.py; it imports nothing else of the project. A request and a
reply are each a JSON object on a line, on the socket that stands at its stdin.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
from collections.abc import Callable

MAX_MEMORY = 1 << 30  # bytes of address space
MOST_COMPARED = 200  # pairs of premises that are held against each other, each with a small limit of its own


def _entails(argument: dict) -> dict:
    """Whether the premises entail the conclusion or its negation, by bounded checks of z3.

    `argument`: premises and conclusion, closed formulas as tools/fol/formula.py has them, and the limit of one check in
    z3's own units (`rlimit`), which unlike seconds do not depend on the machine's load; `parts`, where given: the
    premises, with those that join several statements taken apart. Out: `outcome`; where it is True or False, `alone`:
    whether it holds without premises, `stated`: whether one premise says just that, and `part`: whether one part says
    that or more; where it is Unknown, of what could be false: how many premises (`different`) and how many parts
    (`different_parts`) are not equivalent.
    """
    import z3

    thing, names = z3.DeclareSort("thing"), {}
    make = {"¬": z3.Not, "∧": z3.And, "∨": z3.Or, "⊕": z3.Xor, "→": z3.Implies, "↔": z3.BoolRef.__eq__}

    def named(kind: str, name: str, declare: Callable) -> object:
        # Names by order of first use: the solver sees the same text whatever a model calls things.
        if (kind, name) not in names:
            names[kind, name] = declare(f"{kind}{len(names)}")
        return names[kind, name]

    def built(formula: list, bound: dict) -> z3.BoolRef:
        kind, *parts = formula
        if kind in ("∀", "∃"):
            variable = z3.Const(f"variable{len(bound)}", thing)
            inner = built(parts[1], {**bound, parts[0]: variable})
            return z3.ForAll([variable], inner) if kind == "∀" else z3.Exists([variable], inner)
        if kind in ("is", "="):
            terms = [
                bound[name] if name in bound else named("constant", name, lambda new: z3.Const(new, thing))
                for name in (parts if kind == "=" else parts[1:])
            ]
            if kind == "=":
                return terms[0] == terms[1]
            sorts = [thing] * len(terms) + [z3.BoolSort()]
            return named("predicate", parts[0], lambda new: z3.Function(new, *sorts))(*terms)
        joined = [built(part, bound) for part in parts]
        return make[kind](*joined)

    def check(formulas: list, share: int = 1) -> str:
        # Instances from models first: 1,000 random problems need 13,000 steps at most; instances from patterns ran into
        # 2,000,000 on two of them. Not z3.Solver(): its strategies went on for 12 s beyond that limit.
        for options, limit in (({"smt.ematching": False}, argument["rlimit"] // 10), ({}, argument["rlimit"])):
            solver = z3.SimpleSolver()
            solver.set(rlimit=limit // share, **options)
            solver.add(*formulas)
            outcome = str(solver.check())
            if outcome != "unknown":
                break
        return outcome

    def different(formulas: list, terms: list) -> int:
        """How many could be false and are not equivalent to one before; only those with the same names are compared."""
        kinds, left = {}, MOST_COMPARED
        for formula, term in zip(formulas, terms, strict=True):
            if check([z3.Not(term)], 40) == "unsat":
                continue
            alike = kinds.setdefault(frozenset(_names(formula)), [])
            compared = alike[: max(left, 0)]
            left -= len(compared)
            if not any(check([z3.Xor(term, other)], 40) == "unsat" for other in compared):
                alike.append(term)
        return sum(map(len, kinds.values()))

    premises = [built(formula, {}) for formula in argument["premises"]]
    conclusion = built(argument["conclusion"], {})
    against = check([*premises, z3.Not(conclusion)])
    beside = check([*premises, conclusion]) if against != "unknown" else "unknown"
    if "unknown" in (against, beside):
        return {"outcome": "Undecided"}
    if against == beside == "unsat":
        return {"outcome": "Inconsistent"}
    taken_apart = argument.get("parts", argument["premises"])
    parts = [built(formula, {}) for formula in taken_apart]
    if against == beside:
        counts = {
            "different": different(argument["premises"], premises),
            "different_parts": different(taken_apart, parts),
        }
        return {"outcome": "Unknown", **counts}
    claim = conclusion if against == "unsat" else z3.Not(conclusion)
    alone = check([z3.Not(claim)]) == "unsat"
    stated = any(check([z3.Xor(premise, claim)], 40) == "unsat" for premise in premises)
    part = stated or any(check([part, z3.Not(claim)], 40) == "unsat" for part in parts)
    return {"outcome": "True" if against == "unsat" else "False", "alone": alone, "stated": stated, "part": part}


def _names(formula: list, bound: tuple = ()) -> set:
    """The predicates and constants of a formula."""
    kind, *parts = formula
    if kind in ("∀", "∃"):
        return _names(parts[1], (*bound, parts[0]))
    if kind == "is":
        return {("is", parts[0]), *(name for name in parts[1:] if name not in bound)}
    if kind == "=":
        return {name for name in parts if name not in bound}
    return set().union(*(_names(part, bound) for part in parts))


def _same_notation(texts: list[str]) -> bool | None:
    """Math-Verify's answer on two LaTeX texts; None where one is not read, or they differ only in their unknowns.

    Exact, where its own defaults round: decimals become fractions first. True or False only if the order of the two
    does not matter.
    """
    import logging

    from math_verify import LatexExtractionConfig, parse, verify
    from sympy import Float, Rational

    logging.disable(logging.WARNING)
    try:
        config = [LatexExtractionConfig()]
        read = [parse(f"${text}$", config, fallback_mode="no_fallback", parsing_timeout=None) for text in texts]
        if any(len(found) != 1 for found in read):
            return None
        a, b = (found.xreplace({part: Rational(str(part)) for part in found.atoms(Float)}) for (found,) in read)
        exact = {"float_rounding": 30, "numeric_precision": 30, "allow_set_relation_comp": True}
        ways = {verify(*pair, **exact, timeout_seconds=None) for pair in ((a, b), (b, a))}
        return True if ways == {True} else False if ways == {False} and a.free_symbols == b.free_symbols else None
    except MemoryError:
        raise
    except Exception:  # it raises what sympy raises, on anything
        return None


# name -> (the module that the first call imports beforehand, the function)
FUNCTIONS: dict[str, tuple[str, Callable]] = {
    "entails": ("z3", _entails),
    "same_notation": ("math_verify", _same_notation),
}


def serve() -> None:
    """Answer requests until the parent closes its end. What libraries print goes nowhere."""
    for limit, value in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(0), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1, 2):
        os.dup2(nowhere, file)
    for request in requests:
        replies.write(json.dumps(_answer(json.loads(request))).encode() + b"\n")
        replies.flush()


def _answer(request: dict) -> dict:
    try:
        if "load" in request:
            importlib.import_module(FUNCTIONS[request["load"]][0])
            return {"outcome": "done", "value": None}
        _bound_processor(request["seconds"])
        return {"outcome": "done", "value": FUNCTIONS[request["function"]][1](request["argument"])}
    except MemoryError:
        return {"outcome": "memory", "value": None}
    except Exception as error:
        full = "out of memory" in str(error)  # a z3.Z3Exception
        return {"outcome": "memory" if full else "raised", "value": f"{type(error).__name__}: {error}"[:200]}


def _bound_processor(seconds: float) -> None:
    """End this process some seconds of processor time after the call should have ended, in case its parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve()
