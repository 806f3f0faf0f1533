"""A formula's text, read strictly: one meaning, or an error that says where and what to write.

The text is read once from left to right and never evaluated. Where two readings are common (`A ∧ B ∨ C`, a chain of
arrows, `∀x P(x) → Q(x)`, `^`) there is none: a guess would decide the answer. Terms are names: there are no functions.
Signs are read as keyboards and word processors write them, where they can mean one thing only.
"""

from __future__ import annotations

import re
import unicodedata

from stages.tools.fol.formula import ARROWS, JOINING, QUANTIFIERS, Formula, FormulaError

MAX_LENGTH = 2_000
MAX_DEPTH = 30  # brackets, negations and quantifiers inside each other
MAX_NAME = 60

_LETTER = "A-Za-z0-9_À-ÖØ-öø-ſȘ-țẠ-ỹ"
_SIGNS = ("<-->", "<==>", "<->", "<=>", "-->", "==>", "->", "=>", "&&", "||", "/\\", "\\/", "!=", "==")
_TOKEN = re.compile(
    rf"\s*+(?:(?P<name>[{_LETTER}]++(?:[-.'][{_LETTER}]++)*\+*+)"
    rf"|(?P<sign>{'|'.join(map(re.escape, _SIGNS))}|[¬~!∧&∨|→↔⊕=≠∀∃()\[\],.:]))"
)
_BOUND = re.compile(rf"[{_LETTER}]++")
_SHORT = re.compile(r"[a-z]_?[0-9]*")

_OPERATORS = {
    **dict.fromkeys(("¬", "~", "!", "not"), "¬"),
    **dict.fromkeys(("∧", "&", "&&", "/\\", "and"), "∧"),
    **dict.fromkeys(("∨", "|", "||", "\\/", "or"), "∨"),
    **dict.fromkeys(("⊕", "xor"), "⊕"),
    **dict.fromkeys(("→", "->", "-->", "=>", "==>", "implies"), "→"),
    **dict.fromkeys(("↔", "<->", "<-->", "<=>", "<==>", "iff"), "↔"),
    **dict.fromkeys(("∀", "forall", "all"), "∀"),
    **dict.fromkeys(("∃", "exists"), "∃"),
    **dict.fromkeys(("=", "=="), "="),
    **dict.fromkeys(("≠", "!="), "≠"),
}
# Other signs for the same.
_ALIKE = str.maketrans("⇒⟹⟶⇔⟺⟷⊻∼‐‒–−’", "→→→↔↔↔⊕¬----'")
_CLOSING = {"(": ")", "[": "]"}
_NO_PLACE = (
    "this sign has no place in a formula; write names without quotes, and ∀ ∃ ¬ ∧ ∨ → ↔ ⊕ = "
    "or forall exists not and or -> <-> xor ="
)


def parse(text: str, conventions: bool = False) -> Formula:
    """The formula that the text is; `parse(text(f)) == f` for every formula f.

    ¬ and quantifiers bind tightest, then ∧, ∨ and ⊕, then → and ↔. Only ∧ and ∨ chain, and ∧, ∨ and ⊕ do not mix
    without brackets. With `conventions`, for formulas of known authors, what is ambiguous is read as most books do:
    ∧ before ⊕ before ∨, → to the right, a quantifier without brackets reaches to the end, ^ is ∧.

    Raises:
        FormulaError: kind length, depth, syntax or ambiguous.

    >>> parse("forall x (Student(x) -> not Likes(x, rina))")
    ('∀', 'x', ('→', ('is', 'Student', 'x'), ('¬', ('is', 'Likes', 'x', 'rina'))))
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError("length", f"the formula has {len(text):,} characters, limit {MAX_LENGTH:,}; split it")
    return _Reader(unicodedata.normalize("NFKC", text).translate(_ALIKE), conventions).whole()


class _Reader:
    """Reads one formula: `token` is what stands at `start`, "" at the end of the text."""

    def __init__(self, source: str, conventions: bool):
        self.source, self.conventions = source, conventions
        self.depth = 0
        self.advance(0)

    def advance(self, position: int) -> None:
        match = _TOKEN.match(self.source, position)
        if match is not None:
            self.start = match.start(match.lastgroup)
            self.end, self.token = match.end(), match[match.lastgroup]
            lower = self.token.lower()
            written = self.token in (lower, lower.upper(), lower.capitalize())
            self.operator = _OPERATORS.get(lower) if written else None
            self.is_name = match.lastgroup == "name" and self.operator is None
            if self.is_name and len(self.token) > MAX_NAME:
                raise self.error(f"the name has {len(self.token):,} characters, limit {MAX_NAME}", "length")
            return
        self.start = self.end = len(self.source) - len(self.source[position:].lstrip())
        self.token, self.operator = self.source[self.start : self.start + 1], None
        self.is_name = False
        if self.token:
            if self.token != "^" or not self.conventions:
                raise self.error(_NO_PLACE)
            self.operator, self.end = "∧", self.end + 1

    def next(self) -> None:
        self.advance(self.end)

    def error(self, problem: str, kind: str = "syntax") -> FormulaError:
        found = self.source[self.start : self.start + 20]
        found = "".join(sign if sign.isprintable() else f"<U+{ord(sign):04X}>" for sign in found)
        where = f"character {self.start + 1}, `{found}`" if found else "the end"
        return FormulaError(kind, f"at {where}: {problem}")

    def whole(self) -> Formula:
        formula = self.joined()
        if self.token == ".":
            self.next()
        if self.token:
            closing = self.token in _CLOSING.values()
            raise self.error("no bracket is open" if closing else "expected an operator such as ∧ or → or the end")
        return formula

    def joined(self) -> Formula:
        """Operands and the operators between them, up to a closing bracket or the end."""
        operands, operators = [self.unary()], []
        while self.operator in (*JOINING, *ARROWS):
            if not self.conventions:
                self.refuse_ambiguous(operators)
            operators.append(self.operator)
            self.next()
            operands.append(self.unary())
        return _folded(operands, operators)

    def refuse_ambiguous(self, before: list[str]) -> None:
        """Refuses an operator that stands in one row with one that binds as tight."""
        level = ARROWS if self.operator in ARROWS else JOINING
        rivals = [operator for operator in before if operator in ARROWS] if level == ARROWS else before[-1:]
        if rivals and rivals[-1] in level and (rivals[-1] != self.operator or self.operator not in ("∧", "∨")):
            problem = f"{rivals[-1]} and {self.operator} in one row have two readings; add brackets"
            raise self.error(problem, "ambiguous")

    def unary(self) -> Formula:
        """A formula that no operator outside brackets divides."""
        if self.depth == MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} brackets, negations and quantifiers inside each other", "depth")
        self.depth += 1
        if self.operator == "¬":
            self.next()
            formula = ("¬", self.unary())
        elif self.operator in QUANTIFIERS:
            formula = self.quantified()
        elif self.token in _CLOSING:
            formula = self.in_brackets()
        elif self.is_name:
            formula = self.atom()
        elif self.operator in (*JOINING, *ARROWS):
            raise self.error(f"{self.operator} stands between two formulas, as in A {self.operator} B")
        else:
            raise self.error("expected a formula such as Student(rina), ¬A or ∀x (A → B)")
        self.depth -= 1
        return formula

    def in_brackets(self) -> Formula:
        opened, closing = self.start, _CLOSING[self.token]
        self.next()
        formula = self.joined()
        if self.token != closing:
            raise self.error(f"expected an operator, or {closing} for the bracket at character {opened + 1}")
        self.next()
        return formula

    def quantified(self) -> Formula:
        """`∀x (...)`, `all x. (...)`, `∀x ∃y (...)`, `forall x, y (...)`, `∀x P(x)`."""
        quantifier, variables = self.operator, []
        self.next()
        while self.is_name and not (variables and self.starts_atom()):
            name = _BOUND.match(self.source, self.start)
            variables.append(name[0])
            self.advance(name.end())
            if self.token == ",":
                self.next()
        if not variables:
            raise self.error(f"expected a variable after {quantifier}, as in {quantifier}x (...)")
        if self.token in (".", ":"):
            self.next()
        bracketed = self.token in _CLOSING or self.operator in QUANTIFIERS
        if self.conventions and not bracketed:
            formula = self.joined()
        else:
            formula = self.unary()
            if not bracketed and self.operator in (*JOINING, *ARROWS):
                problem = f"how far {quantifier}{variables[-1]} reaches has two readings; add brackets after it"
                raise self.error(problem, "ambiguous")
        for name in reversed(variables):
            formula = (quantifier, name, formula)
        return formula

    def starts_atom(self) -> bool:
        """Whether the name is followed as in `P(x)`, `P (x)` or `x = y`; in `forall x y (...)` y is a variable."""
        rest = self.source[self.end :]
        if rest[:1] == " " and rest.lstrip()[:1] == "(" and _SHORT.fullmatch(self.token):
            return False
        return "." not in self.token and rest.lstrip()[:1] in ("(", "=", "≠", "!")

    def atom(self) -> Formula:
        name = self.token
        self.next()
        if self.operator in ("=", "≠"):
            equal = self.operator == "="
            self.next()
            formula = ("=", name, self.term())
            return formula if equal else ("¬", formula)
        if self.token != "(":
            return ("is", name)
        terms = []
        while not terms or self.token == ",":
            self.next()
            terms.append(self.term())
        if self.token == "(":
            raise self.error("a term is a name; functions, and predicates inside each other, are not understood")
        if self.token != ")":
            raise self.error("expected , or ) after a term; write a name as one word, as in captainAmerica")
        self.next()
        return ("is", name, *terms)

    def term(self) -> str:
        if not self.is_name:
            raise self.error("expected a variable or a name")
        name = self.token
        self.next()
        return name


def _folded(operands: list[Formula], operators: list[str]) -> Formula:
    """The operands under the operators between them, the loosest on top; only ∧ and ∨ take more than two."""
    for loosest in ("↔", "→", "∨", "⊕", "∧"):
        places = [place for place, operator in enumerate(operators) if operator == loosest]
        if not places:
            continue
        if loosest in ("∧", "∨"):
            spans = zip([-1, *places], [*places, len(operators)], strict=True)
            return (loosest, *(_folded(operands[a + 1 : b + 1], operators[a + 1 : b]) for a, b in spans))
        cut = places[0] if loosest == "→" else places[-1]
        left = _folded(operands[: cut + 1], operators[:cut])
        return (loosest, left, _folded(operands[cut + 1 :], operators[cut + 1 :]))
    return operands[0]
