"""A safe arithmetic expression: parsed from the syntax tree against known names, never executed.

All numbers are floats, so that no literal can ask for unbounded work; the tree is turned into closures over a
namespace of `arrays`, so that one expression serves numbers and arrays.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, reduce
from typing import Any

from .arrays import Scalar, Value
from .errors import InputError, did_you_mean

_LONGEST = 2_000  # characters
_DEEPEST = 50  # nested operations
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    # math.pow refuses where ** would give a complex number, and never makes an integer of a million digits
    ast.Pow: lambda a, b: math.pow(a, b) if isinstance(a, int | float) and isinstance(b, int | float) else a**b,
    ast.Mod: operator.mod,
}
_FUNCTIONS = ("sin", "cos", "exp", "log", "sqrt", "floor")
_CONSTANTS = {"pi": math.pi, "e": math.e}
_Node = Callable[[Mapping[str, Value], Any], Value]


class Expression:
    """A compiled expression: call it with the values of its names and a namespace."""

    def __init__(self, text: str, evaluate: _Node, names: frozenset[str]) -> None:
        self.text, self._evaluate, self.names = text, evaluate, names

    def __call__(self, values: Mapping[str, Value], xp: Any) -> Value:
        try:
            return self._evaluate(values, xp)
        except (ArithmeticError, ValueError) as error:
            at = ", ".join(f"{name}={values[name]:g}" for name in sorted(self.names))
            raise InputError(f"{self.text!r} has no value{' at ' if at else ''}{at}: {error}") from None


@lru_cache(maxsize=256)
def compile_expression(text: str, names: tuple[str, ...]) -> Expression:
    """Compile a text over the given names; InputError says what can't be used and where."""
    tree = parse_tree(text, _LONGEST)
    used: set[str] = set()
    return Expression(text, _compile(tree, text, names, used, 0), frozenset(used))


def parse_tree(text: str, longest: int) -> ast.expr:
    """Parse one expression into its syntax tree, telling every way in which a text can be broken."""
    if len(text) > longest:
        raise InputError(f"an expression must be at most {longest} characters, got {len(text)}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise InputError(f"{_short(text)} is not a complete expression: {error.msg} at column {error.offset}") from None
    except (ValueError, RecursionError, MemoryError):
        raise InputError(f"{_short(text)} can't be read: it is nested too deeply or holds a null character") from None


def _apply(name: str, xp: Any, *values: Value) -> Value:
    """Call a function of the namespace, or Python's where an expression's part holds numbers alone."""
    return getattr(Scalar if all(isinstance(value, int | float) for value in values) else xp, name)(*values)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _compile(node: ast.expr, text: str, names: Collection[str], used: set[str], depth: int) -> _Node:
    def inner(child: ast.expr) -> _Node:
        return _compile(child, text, names, used, depth + 1)

    if depth > _DEEPEST:
        raise InputError(f"{_short(text)} is nested deeper than {_DEEPEST}")
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            pass
        case ast.Constant(value=int() | float() as literal):
            try:
                constant = float(literal)
            except OverflowError:
                raise InputError(f"{_short(text)} holds a number that is too large") from None
            return lambda values, xp: constant
        case ast.Name(id=name) if name in names:
            used.add(name)
            return lambda values, xp: values[name]
        case ast.Name(id=name) if name in _CONSTANTS:
            return lambda values, xp: _CONSTANTS[name]
        case ast.Name(id=name):
            raise InputError(f"unknown name {name!r} in {_short(text)}{did_you_mean(name, [*names, *_CONSTANTS])}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = inner(operand)
            return lambda values, xp: -value(values, xp)
        case ast.BinOp(op=ast.FloorDiv(), left=left, right=right):
            a, b = inner(left), inner(right)
            return lambda values, xp: xp.floor(a(values, xp) / b(values, xp))
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            apply, a, b = _OPERATORS[type(op)], inner(left), inner(right)
            return lambda values, xp: apply(a(values, xp), b(values, xp))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            value = inner(argument)
            return lambda values, xp: _apply(name, xp, value(values, xp))
        case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
            value = inner(argument)
            return lambda values, xp: abs(value(values, xp))
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as arguments, keywords=[]):
            parts = [inner(argument) for argument in arguments]
            choose = f"{name}imum"
            return lambda values, xp: reduce(lambda a, b: _apply(choose, xp, a, b), [part(values, xp) for part in parts])
        case ast.Call(func=ast.Name(id=name)):
            known = [*_FUNCTIONS, "abs", "min", "max"]
            raise InputError(f"{name}(...) can't be used so in {_short(text)}; functions: {', '.join(known)}")
        case _:
            pass
    raise InputError(f"{ast.unparse(node)!r} can't be used in {_short(text)}: only numbers, names, + - * / // ** % and functions")
