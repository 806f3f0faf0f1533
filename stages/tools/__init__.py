"""Tools: the functions a model may call, one toolkit a kind of problem."""

from stages.tools.arithmetic import ARITHMETIC
from stages.tools.deduction import DEDUCTION
from stages.tools.fol import FOL

TOOLKITS = {toolkit.name: toolkit for toolkit in (ARITHMETIC, DEDUCTION, FOL)}

DEFAULT_TOOLKIT = {"math": "arithmetic", "logic": "deduction"}
