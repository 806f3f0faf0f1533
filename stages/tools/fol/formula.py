"""First-order formulas: what they are, how they are spelt, and the parts that they consist of.

A formula is a plain tuple, so that it can be compared, hashed, and sent to another process as JSON:

    ("is", "Likes", "x", "rina")      a predicate and its terms, bound variables or constants; ("is", "Rains") has none
    ("=", "x", "rina")
    ("¬", f)   ("∧", f, g, ...)   ("∨", f, g, ...)   ("⊕", f, g)   ("→", f, g)   ("↔", f, g)
    ("∀", "x", f)   ("∃", "x", f)
"""

from __future__ import annotations

Formula = tuple

JOINING, ARROWS, QUANTIFIERS = ("∧", "∨", "⊕"), ("→", "↔"), ("∀", "∃")


class FormulaError(Exception):
    """The text is not one formula with one meaning; the message is one line that a model can act on.

    `kind` says what is wrong: length, depth, syntax or ambiguous, and those of `stages.tools.fol.symbols`.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def text(formula: Formula) -> str:
    """The formula in its one canonical spelling, which `reading.parse` reads back.

    >>> from stages.tools.fol.reading import parse
    >>> text(parse("all x (P(x) & ~(x = a) -> Q(x))"))
    '∀x (P(x) ∧ x ≠ a → Q(x))'
    """
    kind, *parts = formula
    if kind == "is":
        return f"{parts[0]}({', '.join(parts[1:])})" if len(parts) > 1 else parts[0]
    if kind == "=":
        return f"{parts[0]} = {parts[1]}"
    if kind == "¬":
        inner = parts[0]
        return f"{inner[1]} ≠ {inner[2]}" if inner[0] == "=" else f"¬{_bracketed(inner)}"
    if kind in QUANTIFIERS:
        inner = text(parts[1])
        return f"{kind}{parts[0]} {inner if parts[1][0] in QUANTIFIERS else f'({inner})'}"
    written = [text(part) if kind in ARROWS and part[0] in JOINING else _bracketed(part) for part in parts]
    return f" {kind} ".join(written)


def taken_apart(formula: Formula, limit: int = 100) -> list[Formula]:
    """Formulas that say together what this one says, each as little as can be: A and B for A ∧ B, ∀x A and ∀x B for
    ∀x (A ∧ B), A → C and B → C for A ∨ B → C; the formula itself where these were more than `limit`.

    >>> from stages.tools.fol.reading import parse
    >>> [text(part) for part in taken_apart(parse("∀x (P(x) → Q(x) ∧ ¬R(x)) ∧ P(a)"))]
    ['∀x (P(x) → Q(x))', '∀x (P(x) → ¬R(x))', 'P(a)']
    """
    parts = _parts(formula)
    return parts if len(parts) <= limit else [formula]


def _parts(formula: Formula) -> list[Formula]:
    kind, *inner = formula
    if kind == "∧":
        return [part for one in inner for part in _parts(one)]
    if kind == "∀":
        return [(kind, inner[0], part) for part in _parts(inner[1])]
    if kind == "↔":
        return [*_parts(("→", *inner)), *_parts(("→", *inner[::-1]))]
    if kind == "→":
        conditions = inner[0][1:] if inner[0][0] == "∨" else inner[:1]
        return [("→", condition, part) for condition in conditions for part in _parts(inner[1])]
    if kind == "¬" and inner[0][0] == "¬":
        return _parts(inner[0][1])
    if kind == "¬" and inner[0][0] == "∃":
        return [("∀", inner[0][1], part) for part in _parts(("¬", inner[0][2]))]
    if kind == "¬" and inner[0][0] == "∨":
        return [part for one in inner[0][1:] for part in _parts(("¬", one))]
    return [formula]


def _bracketed(formula: Formula) -> str:
    plain = formula[0] in ("is", "=", "¬", *QUANTIFIERS)
    return text(formula) if plain else f"({text(formula)})"
