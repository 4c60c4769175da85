"""The functions that people hand to a scheduler: as a text, which is read and never executed, as a table, or live."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..arrays import Scalar
from ..errors import InputError, shown
from ..expression import compile_expression, parse_tree
from ..fields import number
from ..formulas import formula, recursion
from ..laws import decay, values
from ..schedule import Schedule, constant
from ..units import number_text
from .arguments import Arguments

_LONGEST = 2_000  # characters
_VARIABLES = ("epoch", "step", "iteration", "cycle", "e", "ep", "i", "it", "k", "n", "s", "t", "x")  # what it goes by


class Growth(NamedTuple):
    """What multiplies the value at each step: the product of steps 1 to k, and the factor at step 0."""

    schedule: Schedule
    first: float


def factor(a: Arguments, place: Any, *, key: str = "lr_lambda", cycle: float | None = None) -> Schedule:
    """Return a function of the scheduler step as a schedule; of the number of the cycle where `cycle` is its length."""
    given = _own(a, place, key)
    if isinstance(given, str):
        text = _named(given, place.unit)
        if cycle is not None:
            text = _named(given, f"(floor({place.unit} / {number_text(cycle)}) + 1)")
        return formula(text)
    if cycle is not None and callable(given):
        per_cycle = given
        given = lambda step: per_cycle(step // cycle + 1)  # noqa: E731  # a function of the step from here on
    return _table(a, place, key, given)


def growth(a: Arguments, place: Any, key: str = "lr_lambda") -> Growth:
    """Return the running product of a function of the scheduler step."""
    given = _own(a, place, key)
    if isinstance(given, str):
        text = _named(given, place.unit)
        expression = compile_expression(text, (place.unit,))
        first = float(expression({place.unit: 0.0}, Scalar))
        if not expression.names and first > 0:
            return Growth(decay(first, per=place.span(1)) if first != 1 else constant(1), first)
        return Growth(recursion(f"lr * ({text})", every=None if place.unit == "step" else "1 epoch"), first)
    factors = _values(a, place, key, given)
    products = [1.0]
    for one in factors[1:]:
        products.append(products[-1] * one)
    return Growth(stepwise(products, place.unit), factors[0])


def _own(a: Arguments, place: Any, key: str) -> Any:
    """Return the group's own function: one for all, or a list of as many as there are groups."""
    given = a.take(key)
    if isinstance(given, list | tuple) and not all(isinstance(one, int | float) for one in given):
        if len(given) != place.groups:
            raise a.refuse(
                f"{key} must be one function, or one for each group of the optimizer, of which there are {place.groups}; "
                f"got {len(given)}"
            )
        return given[place.group]
    return given


def _named(text: str, name: str) -> str:
    """Return an expression with its one variable called `name`, whatever a lambda or the expression itself calls it."""
    names = parameters(text)
    bare = not text.lstrip().startswith("lambda")
    unknown = [word for word in names if bare and word not in _VARIABLES]
    if len(names) > 1 or unknown:
        cure = f"; write the value of {', '.join(unknown)}" if unknown else ""
        raise InputError(f"{shown(text)} must be a function of one number such as epoch, got {', '.join(names)}{cure}")
    return renamed(text, dict.fromkeys(names, name))


def parameters(text: str) -> list[str]:
    """Return what a lambda calls its arguments, or the names in a bare expression that are neither called nor known."""
    tree = _tree(text)
    if isinstance(tree, ast.Lambda):
        return [parameter.arg for parameter in tree.args.args]
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    owners = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called | owners)
    found = list(dict.fromkeys(node.id for node in names if node.id != "pi"))
    return found if found == ["e"] else [word for word in found if word != "e"]  # alone it is what people call an epoch


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Return an expression, or the body of a lambda, with other expressions in place of some names."""
    tree = _tree(text)

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return _tree(names[node.id]) if node.id in names else node

    return ast.unparse(Rename().visit(tree.body if isinstance(tree, ast.Lambda) else tree))


def _tree(text: str) -> ast.expr:
    return parse_tree(text, _LONGEST)


def _table(a: Arguments, place: Any, key: str, given: Any) -> Schedule:
    return stepwise(_values(a, place, key, given), place.unit)


def _values(a: Arguments, place: Any, key: str, given: Any) -> list[float]:
    """Return a function's values at the scheduler steps 0, 1, ... of the run."""
    if isinstance(given, list | tuple):
        if not given:
            raise a.refuse(f"{key} must hold a number at least")
        return [number(one, f"{a.name}: {key}[{index}]") for index, one in enumerate(given)]
    if not callable(given):
        raise a.refuse(f"{key} must be the text of a function of epoch, or a list of its values, got {shown(given)}")
    if place.tabulate is None:
        raise a.refuse(
            f"{key} is a live function, which can't be read; give its text, such as '0.95 ** epoch', or etude.read(..., steps=N) "
            "to write its first N values as a table"
        )
    function: Callable[[int], Any] = given
    return [called(function, f"{a.name}: {key}", step) for step in range(place.tabulate)]


def called(function: Callable[..., Any], what: str, *values: float) -> float:
    """Return what somebody's function makes of some numbers; InputError where that is no finite number."""
    at = f"{what}({', '.join(f'{value:g}' for value in values)})"
    try:
        result = float(function(*values))
    except Exception as error:  # it may do anything
        raise InputError(f"{at} can't be had: {type(error).__name__}: {' '.join(str(error).split())[:100]}") from error
    return number(result, at)


def stepwise(levels: Sequence[float], unit: str) -> Schedule:
    """Return values at successive steps or epochs, held where they stay the same and after the last."""
    changes = [step for step in range(1, len(levels)) if levels[step] != levels[step - 1]]
    if not changes:
        return constant(levels[0])
    return values([levels[0], *(levels[step] for step in changes)], at=[f"{step} {unit}s" for step in changes])
