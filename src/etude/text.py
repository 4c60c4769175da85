"""The text form: what `repr` prints is what recipe files and the command line take.

A text is parsed into a syntax tree and read against the known constructors; nothing is ever executed.
"""

from __future__ import annotations

import ast
import inspect
import operator
from collections.abc import Callable
from typing import Any

import etude.folding
import etude.midway
import etude.plateaus
import etude.policies
import etude.timing  # noqa: F401  # importing these and what they build on fills the registry

from .errors import InputError, did_you_mean
from .expression import parse_tree
from .fields import Absolute
from .schedule import Schedule
from .schedule import families as families

_LONGEST = 100_000  # characters
_DEEPEST = 100  # nested constructors


def parse(text: str) -> Schedule:
    """Read a schedule from its text form.

    Args:
        text: Constructors with levels, lengths and other constructors, `*` and `+` between them.
    Returns:
        The schedule; `repr(parse(text))` is its one spelling, and parses to an equal schedule.
    Raises:
        InputError: anything but the known constructors, or arguments that they refuse; names the column.

    Example:
        >>> parse('0.5 * chain(linear(0, 1, over=max("3 epochs", "100 steps")), cosine(1, abs(1e-6)))')
        0.5 * chain(linear(0, 1, over="max(3 epochs, 100 steps)"), cosine(1, abs(1e-06)))
    """
    if not isinstance(text, str):
        raise InputError(f"a schedule's text must be a text such as 'cosine(1, 0)', got {text!r}")
    try:
        value = _read(parse_tree(text, _LONGEST), 0)
    except RecursionError:
        raise InputError(f"the schedule's text is nested too deeply: {text[:40]!r}...") from None
    if not isinstance(value, Schedule):
        raise InputError(f"expected a schedule such as cosine(1, 0), got {text!r}")
    return value


def _read(node: ast.expr, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _refused(node, f"nested deeper than {_DEEPEST}")
    match node:
        case ast.Constant(value=int() | float() | str() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_read(item, depth + 1) for item in items]
        case ast.BinOp(op=ast.Mult() | ast.Add() as sign, left=left, right=right):
            a, b = _read(left, depth + 1), _read(right, depth + 1)
            return _combine(node, sign, a, b)
        case ast.Call(func=ast.Name(id=name)):
            return _call(node, name, depth)
        case ast.Name(id=name) if name in families:
            raise _refused(node, f"{name} needs its arguments, as in {example(name)}")
        case ast.Name(id=name):
            raise _refused(node, f"unknown name {name!r}{did_you_mean(name, [*families, 'abs', 'max', 'min'])}")
        case _:
            raise _refused(node, f"{_source(node)} can't be used here: only schedules, numbers, lengths in quotes, * and +")


def _call(node: ast.Call, name: str, depth: int) -> Any:
    if any(isinstance(item, ast.Starred) for item in node.args) or any(word.arg is None for word in node.keywords):
        raise _refused(node, "* and ** can't be used in arguments")
    arguments = [_read(item, depth + 1) for item in node.args]
    twice = {word.arg for word in node.keywords if [other.arg for other in node.keywords].count(word.arg) > 1}
    if twice:
        raise _refused(node, f"{name}: {twice.pop()} is given twice")
    named = {str(word.arg): _read(word.value, depth + 1) for word in node.keywords}
    if name in ("max", "min", "round", "floor", "ceil"):
        if named or not all(isinstance(item, str) for item in arguments):
            raise _refused(node, f"{name} takes lengths in quotes, as in {name}('3 epochs', '100 steps')")
        return f"{name}({', '.join(arguments)})"
    if name == "abs":
        if named or len(arguments) != 1:
            raise _refused(node, "abs takes one number, as in abs(1e-6)")
        return _built(node, Absolute, arguments, {})
    if name not in families:
        raise _refused(node, f"unknown schedule {name!r}{did_you_mean(name, families)}")
    return _built(node, families[name], arguments, named)


def _built(node: ast.expr, make: Callable[..., Any], arguments: list[Any], named: dict[str, Any]) -> Any:
    try:
        inspect.signature(make).bind(*arguments, **named)
    except TypeError as error:
        known = list(inspect.signature(make).parameters)
        wrong = next((word for word in named if word not in known), None)
        if wrong is not None:
            raise _refused(node, f"{make.__name__} has no argument {wrong!r}{did_you_mean(wrong, known)}") from None
        raise _refused(node, f"{make.__name__}: {error}; it takes ({', '.join(known)})") from None
    try:
        return make(*arguments, **named)
    except InputError as error:
        raise _refused(node, str(error)) from None


def _combine(node: ast.expr, sign: ast.operator, a: Any, b: Any) -> Any:
    multiply = isinstance(sign, ast.Mult)
    schedules = [isinstance(one, Schedule) for one in (a, b)]
    if all(schedules) or (multiply and any(schedules) and all(isinstance(one, Schedule | int | float) for one in (a, b))):
        return _built(node, operator.mul if multiply else operator.add, [a, b], {})
    raise _refused(node, f"{'*' if multiply else '+'} stands between two schedules{' or a number and one' if multiply else ''}")


def _refused(node: ast.expr, problem: str) -> InputError:
    text = problem if problem.startswith("column ") else f"column {node.col_offset + 1}: {problem}"
    return InputError(text)


def _source(node: ast.expr) -> str:
    text = ast.unparse(node)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def example(name: str) -> str:
    """Return the example line of a constructor's own docstring."""
    lines = (families[name].__doc__ or "").splitlines()
    return next((line.strip().removeprefix(">>> ") for line in lines if line.strip().startswith(">>> ")), f"{name}(...)")
