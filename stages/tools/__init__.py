"""Tools: the functions a model may call, one toolkit a kind of problem."""

from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.deduction.toolkit import DEDUCTION
from stages.tools.fol.toolkit import FOL

TOOLKITS = {toolkit.name: toolkit for toolkit in (ARITHMETIC, DEDUCTION, FOL)}

DEFAULT_TOOLKIT = {"math": "arithmetic", "logic": "deduction"}
