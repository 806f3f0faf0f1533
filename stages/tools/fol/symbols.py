"""The names that formulas use: predicates with one number of terms, constants, and which look like one name.

Every answer of a solver depends on names being the same where the same is meant: `Platypus` beside `Platypuses` makes a
proof fail, and what cannot be proved looks Unknown. Such names are found here and refused by nobody for that: they may
be two words. A slip inside a word is not looked for, as nobody can tell it from another word (`Parent`, `Patent`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stages.tools.fol.formula import Formula, FormulaError

_VARIABLE = re.compile(r"[u-z]_?[0-9]?")  # reads as a variable even where no quantifier binds it


def signature(formula: Formula) -> tuple[dict[str, int], tuple[str, ...]]:
    """Its predicates with their number of terms, and its constants, in the order of the text.

    Raises:
        FormulaError: kind free_variable, rebound, arity, or syntax for a variable in a formula's place.
    """
    predicates: dict[str, int] = {}
    constants: dict[str, None] = {}
    quantified: set[str] = set()
    _collect(formula, (), predicates, constants, quantified)
    for name in constants:
        if name in quantified or _VARIABLE.fullmatch(name):
            problem = f"the variable {name} is free; bind it with ∀{name} (...) or ∃{name} (...) around all its places"
            raise FormulaError("free_variable", problem)
    return predicates, tuple(constants)


def _collect(formula: Formula, bound: tuple, predicates: dict, constants: dict, quantified: set) -> None:
    kind, *parts = formula
    if kind in ("∀", "∃"):
        name, inner = parts
        if name in bound:
            problem = f"{kind}{name} stands inside another quantifier of {name}; rename one of them"
            raise FormulaError("rebound", problem)
        quantified.add(name)
        _collect(inner, (*bound, name), predicates, constants, quantified)
    elif kind in ("is", "="):
        terms = parts if kind == "=" else parts[1:]
        if len(parts) == 1 and (parts[0] in bound or _VARIABLE.fullmatch(parts[0])):
            raise FormulaError("syntax", f"the variable {parts[0]} stands where a formula such as P({parts[0]}) should")
        if kind == "is":
            _agree(parts[0], predicates.setdefault(parts[0], len(terms)), len(terms))
        constants.update(dict.fromkeys(name for name in terms if name not in bound))
    else:
        for part in parts:
            _collect(part, bound, predicates, constants, quantified)


def _agree(name: str, first: int, second: int) -> None:
    if first != second:
        problem = f"{name} is used with {first} and with {second} terms; use one number of terms, or two names"
        raise FormulaError("arity", problem)


class Symbols:
    """The names of a set of formulas, which grows one admitted formula at a time."""

    def __init__(self) -> None:
        self.predicates: dict[str, int] = {}
        self.constants: dict[str, None] = {}

    def check(self, formula: Formula) -> tuple[dict[str, int], tuple[str, ...]]:
        """The formula's predicates and constants where they fit the names so far.

        Raises:
            FormulaError: kind free_variable, rebound or arity.
        """
        predicates, constants = signature(formula)
        for name, terms in predicates.items():
            _agree(name, self.predicates.get(name, terms), terms)
        return predicates, constants

    def admit(self, formula: Formula) -> list[tuple[str, str]]:
        """Add the formula's names; its new names that look like another, each with that one.

        Raises:
            FormulaError: as for `check`; nothing is added then.
        """
        predicates, constants = self.check(formula)
        found = self.like(predicates, constants)
        self.predicates.update(predicates)
        self.constants.update(dict.fromkeys(constants))
        return found

    def like(self, predicates: Iterable[str], constants: Iterable[str]) -> list[tuple[str, str]]:
        """New names that differ from another of their kind in case, signs or a plural ending, each with that one."""
        return [*_alike(list(predicates), self.predicates), *_alike(list(constants), self.constants)]


def _alike(new: list[str], known: Iterable[str]) -> list[tuple[str, str]]:
    found = []
    for place, name in enumerate(new):
        others = (other for other in (*known, *new[:place]) if other != name and _stem(other) == _stem(name))
        twin = next(others, None)
        if twin is not None and name not in known:
            found.append((name, twin))
    return found


def _stem(name: str) -> str:
    lower = re.sub(r"[-._']", "", name.casefold())
    if lower.endswith("ies"):
        return lower.removesuffix("ies") + "y"
    if lower.endswith(("sses", "xes", "ches", "shes", "uses")):
        return lower.removesuffix("es")
    return lower[:-1] if len(lower) > 3 and lower.endswith("s") and not lower.endswith(("ss", "us", "is")) else lower
