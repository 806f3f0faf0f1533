"""The names that formulas use: predicates with one number of terms, constants, and which look like one name.

Every answer of a solver depends on names being the same where the same is meant: `Platypus` beside `Platypuses` makes a
proof fail, and what cannot be proved looks Unknown. Nobody can tell a slip from another word (`Parent`, `Patent`) by
its letters, so names that look alike are found here and refused by nobody for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

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
        found = [*self.like_predicates(predicates), *self.like_constants(constants)]
        self.predicates.update(predicates)
        self.constants.update(dict.fromkeys(constants))
        return found

    def like_predicates(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """Names that are no predicate here, each with one that is, or stands before it, and looks like it."""
        return _alike(list(names), self.predicates, _same_predicate)

    def like_constants(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """The same for names of individuals."""
        return _alike(list(names), self.constants, _same_name)


def _alike(new: list[str], known: Iterable[str], same: Callable[[str, str], bool]) -> list[tuple[str, str]]:
    found = []
    for place, name in enumerate(new):
        twin = next((other for other in (*known, *new[:place]) if other != name and same(name, other)), None)
        if twin is not None and name not in known:
            found.append((name, twin))
    return found


def renamed(formula: Formula, predicates: dict[str, str], constants: dict[str, str], bound: tuple = ()) -> Formula:
    """The formula with other names for some of its predicates and constants."""
    kind, *parts = formula
    if kind in ("∀", "∃"):
        return (kind, parts[0], renamed(parts[1], predicates, constants, (*bound, parts[0])))
    if kind in ("is", "="):
        terms = parts if kind == "=" else parts[1:]
        terms = [name if name in bound else constants.get(name, name) for name in terms]
        return ("=", *terms) if kind == "=" else ("is", predicates.get(parts[0], parts[0]), *terms)
    return (kind, *(renamed(part, predicates, constants, bound) for part in parts))


def _same_name(one: str, other: str) -> bool:
    """Whether two names differ in case, separators or a plural ending only."""
    return _stem(one) == _stem(other)


def _same_predicate(one: str, other: str) -> bool:
    """The same, or one slip apart where they are long; names of individuals may be that close (larry, harry)."""
    first, second = _stem(one), _stem(other)
    return first == second or min(len(first), len(second)) > 4 and _one_slip(first, second)


def _stem(name: str) -> str:
    lower = re.sub(r"[-._']", "", name.casefold())
    if lower.endswith("ies"):
        return lower.removesuffix("ies") + "y"
    if lower.endswith(("sses", "xes", "ches", "shes", "uses")):
        return lower.removesuffix("es")
    return lower[:-1] if len(lower) > 3 and lower.endswith("s") and not lower.endswith(("ss", "us", "is")) else lower


def _one_slip(one: str, other: str) -> bool:
    """Whether two letters are swapped, or in longer names one is added, dropped or changed, not the first or last.

    Digits and last letters tell names apart on purpose: `Before2010` and `Before2011`, `Produced` and `Producer`.
    """
    start = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
    rest, other_rest = one[start:], other[start:]
    if not start or (rest[0] + other_rest[0]).strip("0123456789") != rest[0] + other_rest[0]:
        return False
    if rest[1::-1] == other_rest[:2] and rest[2:] == other_rest[2:]:
        return True
    changed = len(rest) > 1 and rest[1:] == other_rest[1:]
    return min(len(one), len(other)) > 5 and (changed or rest[1:] == other_rest or rest == other_rest[1:])
