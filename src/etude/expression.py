"""A safe arithmetic expression: parsed from the syntax tree against known names, never executed.

All numbers are floats, so that no literal can ask for unbounded work; the tree is turned into closures over a
namespace of `arrays`, so that one expression serves numbers and arrays. With `bits=32` every number and every result is
rounded to single precision, which is what a framework that computes in float32 does (float64 holds each such result
exactly before it is rounded, so nothing is rounded twice).

    numbers, the given names, pi, e        + - * / // % **, unary - +        a if condition else b
    < <= > >= == !=, and or not            sin cos tan exp log log2 log10 sqrt tanh floor ceil round int float abs min max pow

`math.`, `np.`, `numpy.` and `torch.` before a function's name are read and dropped.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, reduce
from typing import Any

from .arrays import NumPy, Scalar, Value
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
    ast.FloorDiv: operator.floordiv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_LIBRARIES = ("math", "np", "numpy", "torch")
_FUNCTIONS = {
    **{name: name for name in ("sin", "cos", "tan", "exp", "log", "log2", "log10", "sqrt", "tanh", "floor", "ceil")},
    "round": "rint",
    "int": "trunc",
    "float": "floats",
    "abs": "absolute",
}
_CHOOSE = {"min": "minimum", "max": "maximum", "minimum": "minimum", "maximum": "maximum"}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_BARE_LENGTH = re.compile(r"[=(,] *\d[\d.e]* ?(steps?|epochs?|batch(es)?|samples?|tokens?|%)")
_KNOWN = " "  # the name, which no text has, of an operand that is evaluated already
_Node = Callable[[Mapping[str, Value], Any], Value]


class Expression:
    """A compiled expression: call it with the values of its names and a namespace."""

    def __init__(self, text: str, evaluate: _Node, names: frozenset[str]) -> None:
        self.text, self._evaluate, self.names = text, evaluate, names

    def __call__(self, values: Mapping[str, Value], xp: Any) -> Value:
        try:
            return self._evaluate(values, xp)
        except FloatingPointError:
            raise  # of an array: who asked for it finds the element
        except (ArithmeticError, ValueError) as error:
            at = ", ".join(f"{name}={values[name]:g}" for name in sorted(self.names) if isinstance(values[name], int | float))
            raise InputError(f"{self.text!r} has no value{' at ' if at else ''}{at}: {error}") from None


@lru_cache(maxsize=256)
def compile_expression(text: str, names: tuple[str, ...], bits: int = 64) -> Expression:
    """Compile a text over the given names; InputError says what can't be used and where."""
    compiler = _Compiler(text, names, single=bits == 32)
    return Expression(text, compiler.compile(parse_tree(text, _LONGEST), 0), frozenset(compiler.used))


def parse_tree(text: str, longest: int) -> ast.expr:
    """Parse one expression into its syntax tree, telling every way in which a text can be broken."""
    if len(text) > longest:
        raise InputError(f"an expression must be at most {longest} characters, got {len(text)}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        bare = _BARE_LENGTH.search(text)
        hint = f"; a length goes in quotes: {bare[0].lstrip('=(, ')!r}" if bare else ""
        raise InputError(f"{_short(text)} is not a complete expression: {error.msg} at column {error.offset}{hint}") from None
    except (ValueError, RecursionError, MemoryError):
        raise InputError(f"{_short(text)} can't be read: it is nested too deeply or holds a null character") from None


def _apply(name: str, xp: Any, *values: Value) -> Value:
    """Call a function of the namespace, or Python's where an expression's part holds numbers alone."""
    return getattr(Scalar if all(isinstance(value, int | float) for value in values) else xp, name)(*values)


def _choice(condition: Value, a: _Node, b: _Node, values: Mapping[str, Value], xp: Any) -> Value:
    """One of two for a number, as Python evaluates it; both, and a choice for each element, for an array."""
    if isinstance(condition, int | float):
        return a(values, xp) if condition else b(values, xp)
    if isinstance(xp, NumPy):
        return _parted(condition != 0, a, b, values, xp)
    return xp.where(condition != 0, a(values, xp), b(values, xp))


def _parted(condition: Value, a: _Node, b: _Node, values: Mapping[str, Value], xp: NumPy) -> Value:
    """Evaluate each of two for the elements that ask for it alone, as Python would: the other may have no value there."""
    result = xp.module.empty(condition.shape)
    for inside, part in ((condition, a), (~condition, b)):
        if inside.any():
            result[inside] = part({name: v[inside] if hasattr(v, "shape") and v.shape else v for name, v in values.items()}, xp)
    return result


def _combined(parts: list[_Node], decided: bool, values: Mapping[str, Value], xp: Any) -> Value:
    """`or` where `decided` is True, else `and`: the operand that decides, as in Python; behind it no number is evaluated."""
    result = parts[0](values, xp)
    for part in parts[1:]:
        if isinstance(result, int | float):
            if bool(result) is decided:
                return result
            result = part(values, xp)
        else:
            kept: _Node = lambda values, xp: values[_KNOWN]  # noqa: E731
            true, false = (kept, part) if decided else (part, kept)
            result = _choice(result != 0, true, false, {**values, _KNOWN: result}, xp)
    return result


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


class _Compiler:
    """Turns a syntax tree into closures, noting the names that are used."""

    def __init__(self, text: str, names: Collection[str], *, single: bool) -> None:
        self.text, self.names, self.single = text, names, single
        self.used: set[str] = set()

    def compile(self, node: ast.expr, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise InputError(f"{_short(self.text)} is nested deeper than {_DEEPEST}")
        evaluate = self._node(node, lambda child: self.compile(child, depth + 1))
        if isinstance(node, ast.Compare) or _is_not(node):
            return lambda values, xp: _apply("floats", xp, evaluate(values, xp))  # true is 1, and no library's own kind of bool
        if self.single and not isinstance(node, ast.IfExp | ast.BoolOp):
            return lambda values, xp: _apply("float32", xp, evaluate(values, xp))
        return evaluate

    def _node(self, node: ast.expr, inner: Callable[[ast.expr], _Node]) -> _Node:
        match node:
            case ast.Constant(value=bool() | str() | bytes() | complex() | None):
                pass
            case ast.Constant(value=int() | float() as literal):
                return self._literal(literal)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute(value=ast.Name(id=library), attr=name) if library in _LIBRARIES and name in _CONSTANTS:
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = inner(operand)
                return lambda values, xp: -value(values, xp)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return inner(operand)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
                apply, a, b = _OPERATORS[type(op)], inner(left), inner(right)
                return lambda values, xp: apply(a(values, xp), b(values, xp))
            case ast.Compare() | ast.BoolOp() | ast.IfExp() | ast.UnaryOp(op=ast.Not()):
                return self._logic(node, inner)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name), keywords=[]):
                return self._call(node, name, inner)
        raise InputError(
            f"{ast.unparse(node)!r} can't be used in {_short(self.text)}: only numbers, names, + - * / // ** %, comparisons, "
            "a if b else c and functions"
        )

    def _literal(self, literal: float) -> _Node:
        try:
            constant = float(literal)
        except OverflowError:
            raise InputError(f"{_short(self.text)} holds a number that is too large") from None
        return lambda values, xp: constant

    def _name(self, name: str) -> _Node:
        if name in self.names:
            self.used.add(name)
            return lambda values, xp: values[name]
        if name in _CONSTANTS:
            return lambda values, xp: _CONSTANTS[name]
        raise InputError(f"unknown name {name!r} in {_short(self.text)}{did_you_mean(name, [*self.names, *_CONSTANTS])}")

    def _logic(self, node: ast.expr, inner: Callable[[ast.expr], _Node]) -> _Node:
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                compare, a, b = _COMPARISONS[type(op)], inner(left), inner(right)
                return lambda values, xp: compare(a(values, xp), b(values, xp))
            case ast.Compare(left=left, ops=[op, *ops], comparators=[right, *others]) if ops:
                first = inner(ast.Compare(left, [op], [right]))
                rest = inner(ast.Compare(right, ops, others))
                return lambda values, xp: _combined([first, rest], False, values, xp)
            case ast.BoolOp(op=op, values=parts):
                operands, decided = [inner(part) for part in parts], isinstance(op, ast.Or)
                return lambda values, xp: _combined(operands, decided, values, xp)
            case ast.UnaryOp(operand=operand):
                value = inner(operand)
                return lambda values, xp: value(values, xp) == 0
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition, a, b = inner(test), inner(body), inner(orelse)
                return lambda values, xp: _choice(condition(values, xp), a, b, values, xp)
        raise InputError(f"{ast.unparse(node)!r} can't be used in {_short(self.text)}: comparisons are < <= > >= == !=")

    def _call(self, node: ast.Call, name: str, inner: Callable[[ast.expr], _Node]) -> _Node:
        count = len(node.args)
        library = node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else None
        if library is None or library in _LIBRARIES:
            if name in _FUNCTIONS and count == 1:
                function, part = _FUNCTIONS[name], inner(node.args[0])
                return lambda values, xp: _apply(function, xp, part(values, xp))
            if name in _CHOOSE and count > 1:
                choose, parts = _CHOOSE[name], list(map(inner, node.args))
                return lambda values, xp: reduce(lambda a, b: _apply(choose, xp, a, b), [part(values, xp) for part in parts])
            if name == "pow" and count == 2:
                power, (a, b) = _OPERATORS[ast.Pow], map(inner, node.args)
                return lambda values, xp: power(a(values, xp), b(values, xp))
        called = ast.unparse(node.func)
        raise InputError(
            f"{called}(...) can't be used so in {_short(self.text)}; functions: {', '.join([*_FUNCTIONS, 'min', 'max', 'pow'])}"
        )
