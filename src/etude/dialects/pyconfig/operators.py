"""What operators make of values, accounted for before it is made; and values gone through, or put into words."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any

from .values import BITS, ITEMS, KEYS, VALUES, Budget, ConfigDict, ExhaustedError, RefusedError, config, update

_NOTHING: list[Any] = []
ONCE = (type(iter(_NOTHING)), GeneratorType, enumerate, zip)  # what is gone through once
_SETS = (set, frozenset, KEYS, ITEMS)
_ITERABLE = (list, tuple, dict, set, frozenset, str, range, KEYS, VALUES, ITEMS, *ONCE)
_WIDTH = 1_000  # of a formatted value


def live(value: Any, budget: Budget) -> Iterator[Any]:
    """Return an iterator over a value, as a loop needs it that may change the value meanwhile."""
    if not isinstance(value, _ITERABLE):
        raise RefusedError(f"a loop over a {type(value).__name__}")
    return counted(value, budget)


def counted(values: Iterable[Any], budget: Budget) -> Iterator[Any]:
    """Yield values, each accounted for."""
    for one in values:
        budget.make(10)
        yield one


def iterate(value: Any, budget: Budget) -> list[Any]:
    """Return the items of a value, accounted for before they are made."""
    if not isinstance(value, _ITERABLE):
        raise RefusedError(f"a loop over a {type(value).__name__}")
    budget.make(4 * operator.length_hint(value) + 1)
    return list(value)


def text(value: Any, budget: Budget, spec: str = "", conversion: str = "") -> str:
    """Return format(value, spec)."""
    check_width(spec)
    budget.weigh(value)
    made = format(_CONVERSIONS[conversion](value), spec)
    budget.make(len(made))
    return made


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"": lambda value: value, "s": str, "r": repr, "a": ascii}


def check_width(spec: str) -> None:
    """Refuse what formats a value to an endless text."""
    if any(len(digits) > 4 or int(digits) > _WIDTH for digits in re.findall(r"[0-9]+", spec)):
        raise ExhaustedError(f"a width of more than {_WIDTH} characters")


def combined(sign: ast.operator, a: Any, b: Any, budget: Budget) -> Any:
    """Return what an operator makes of two values."""
    if found := _WEIGHED.get(type(sign)):
        return found(a, b, budget)
    if type(sign) not in _PLAIN:
        raise RefusedError(f"the operator {type(sign).__name__}")
    if isinstance(a, _SETS) or isinstance(b, _SETS):
        budget.weigh(a, b)
    return _PLAIN[type(sign)](a, b)


def plus(a: Any, b: Any, budget: Budget) -> Any:
    """Return a + b; an empty ConfigDict adds nothing to anything."""
    if isinstance(a, ConfigDict) and not a:
        return b
    if isinstance(a, str | bytes | list | tuple) and isinstance(b, str | bytes | list | tuple):
        budget.make(len(a) + len(b))
    return a + b


def times(a: Any, b: Any, budget: Budget) -> Any:
    """Return a * b."""
    for one, number in ((a, b), (b, a)):
        if isinstance(one, str | bytes | list | tuple) and isinstance(number, int):
            budget.make(len(one) * max(number, 0))
    if isinstance(a, int) and isinstance(b, int):
        _check_bits(a.bit_length() + b.bit_length())
    return a * b


def _power(a: Any, b: Any, budget: Budget) -> Any:
    if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and b > 0:
        _check_bits(a.bit_length() * b)
    return a**b


def _shifted(a: Any, b: Any, budget: Budget) -> Any:
    if isinstance(a, int) and isinstance(b, int) and b > 0:
        _check_bits(a.bit_length() + b)
    return a << b


def _modulo(a: Any, b: Any, budget: Budget) -> Any:
    if isinstance(a, bytes):
        raise RefusedError("bytes with %")
    if not isinstance(a, str):
        return a % b
    if "*" in a:
        raise RefusedError("a text's % with *")
    check_width(a)
    budget.make(len(a) + a.count("%") * budget.weigh(b))
    made = a % b
    budget.make(len(made))
    return made


def _united(a: Any, b: Any, budget: Budget) -> Any:
    if isinstance(a, dict) and isinstance(b, dict) and (isinstance(a, ConfigDict) or isinstance(b, ConfigDict)):
        made = config(a, budget)
        update(made, b, budget, shared=True)
        return made
    for one in (a, b):
        if isinstance(one, (dict, *_SETS)):
            budget.hold(one)
    return a | b


def _check_bits(bits: int) -> None:
    if bits > BITS:
        raise ExhaustedError(f"a whole number of more than {BITS} bits")


def checked(value: Any) -> Any:
    """Return a value that is no endless number."""
    if isinstance(value, int):
        _check_bits(value.bit_length())
    return value


_WEIGHED: dict[type, Callable[[Any, Any, Budget], Any]] = {
    ast.Add: plus,
    ast.Mult: times,
    ast.Pow: _power,
    ast.LShift: _shifted,
    ast.Mod: _modulo,
    ast.BitOr: _united,
}
_PLAIN: dict[type, Callable[[Any, Any], Any]] = {
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type, Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def compared(sign: ast.cmpop, a: Any, b: Any, budget: Budget) -> Any:
    """Return what a comparison says of two values."""
    if isinstance(sign, ast.Is | ast.IsNot):
        return (a is b) is isinstance(sign, ast.Is)
    if isinstance(b, (range, *ONCE)) and isinstance(sign, ast.In | ast.NotIn):
        b = iterate(b, budget)  # Python goes through a range too, where what it looks for is no whole number
    budget.weigh(a, b)
    return _COMPARE[type(sign)](a, b)
