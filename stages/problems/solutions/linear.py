"""A linear equation with its unknown in several places as one division: `65 + 0.4x = 0.6x` is 65 / (0.6 - 0.4).

Each side is read as coefficient * unknown + constant; the coefficients go to one side and the constants to the other.
Signs are kept apart from the trees, so that only numbers of the equation stand in them and nothing is below zero that
need not be.
"""

from __future__ import annotations

from fractions import Fraction

Tree = Fraction | str | tuple  # a number, the unknown, or (operator, left, right)
Signed = tuple[int, Tree] | None  # a sign and a tree without unknown; None is nothing at all


class _NotLinear(Exception):
    pass


def collected(left: Tree, right: Tree) -> Tree | None:
    """The tree, without unknown, of what solves `left = right`; None where that is 0 or there is no single solution."""
    try:
        (coefficient, constant), (other_coefficient, other_constant) = _read(left), _read(right)
        coefficient = _sum(coefficient, _negative(other_coefficient))
        constant = _sum(other_constant, _negative(constant))
        if coefficient is None or constant is None or 0 in (below := _value(coefficient), _value(constant)):
            return None
    except (_NotLinear, ZeroDivisionError):
        return None
    if below < 0:
        coefficient, constant = _turned(coefficient), _turned(constant)
    sign, tree = _quotient(constant, coefficient)
    return tree if sign > 0 else ("-", Fraction(0), tree)


def _read(tree: Tree) -> tuple[Signed, Signed]:
    """Coefficient and constant."""
    if isinstance(tree, str):
        return (1, Fraction(1)), None
    if isinstance(tree, Fraction):
        return None, (-1 if tree < 0 else 1, abs(tree)) if tree else None
    operator, *sides = tree
    (left, left_constant), (right, right_constant) = map(_read, sides)
    if operator in "+-":
        if operator == "-":
            right, right_constant = _negative(right), _negative(right_constant)
        return _sum(left, right), _sum(left_constant, right_constant)
    if operator == "/":
        if right is not None or right_constant is None:
            raise _NotLinear
        return _quotient(left, right_constant), _quotient(left_constant, right_constant)
    if left is not None and right is not None:
        raise _NotLinear
    coefficient = _product(left, right_constant) if right is None else _product(left_constant, right)
    return coefficient, _product(left_constant, right_constant)


def _negative(part: Signed) -> Signed:
    return part and (-part[0], part[1])


def _turned(part: Signed) -> Signed:
    """The negative, where possible by turning a difference around."""
    sign, tree = part
    if isinstance(tree, tuple) and tree[0] == "-":
        return sign, ("-", tree[2], tree[1])
    return -sign, tree


def _sum(a: Signed, b: Signed) -> Signed:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        return a[0], ("+", a[1], b[1])
    return (1, ("-", a[1], b[1])) if a[0] > 0 else (1, ("-", b[1], a[1]))


def _product(a: Signed, b: Signed) -> Signed:
    if a is None or b is None:
        return None
    sign = a[0] * b[0]
    if 1 in (a[1], b[1]):
        return sign, b[1] if a[1] == 1 else a[1]
    return sign, ("*", a[1], b[1])


def _quotient(a: Signed, b: Signed) -> Signed:
    if a is None:
        return None
    return a[0] * b[0], a[1] if b[1] == 1 else ("/", a[1], b[1])


def _value(part: Signed) -> Fraction:
    return part[0] * _exact(part[1])


def _exact(tree: Tree) -> Fraction:
    if isinstance(tree, Fraction):
        return tree
    operator, a, b = tree[0], _exact(tree[1]), _exact(tree[2])
    return {"+": a + b, "-": a - b, "*": a * b}[operator] if operator != "/" else a / b
