"""Expressions of a config evaluated over their syntax tree: literals, names, arithmetic, comprehensions, known calls."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from ...errors import InputError, shown
from .calls import (
    CONSTANTS,
    FUNCTIONS,
    RefusedError,
    function_named,
    hashable,
    iterate,
    method,
    modulo,
    plus,
    power,
    shifted,
    text,
    times,
    united,
)
from .values import DEPTH, Budget, ConfigDict, ExhaustedError, Opaque, hooked

_WEIGHED: dict[type, Callable[[Any, Any, Budget], Any]] = {
    ast.Add: plus,
    ast.Mult: times,
    ast.Pow: power,
    ast.LShift: shifted,
    ast.Mod: modulo,
    ast.BitOr: united,
}
_PLAIN: dict[type, Callable[[Any, Any], Any]] = {
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type, Callable[[Any], Any]] = {
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
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class LeavingError(Exception):
    """A loop is left, or begun anew: no mistake."""


class Expressions:
    """Expressions of one file.

    Args:
        where: The file, for messages.
        names: The names that it finds, and those that it makes.
        budget: What it may use up.
    """

    def __init__(
        self,
        where: str,
        names: dict[str, Any],
        budget: Budget,
    ) -> None:
        self.where, self.names, self.budget = where, names, budget
        self.depth = 0

    def refuse(self, node: ast.AST, problem: str) -> InputError:
        return InputError(f"{self.where}:{getattr(node, 'lineno', 1)}: {problem}")

    def _told(self, node: ast.AST, error: Exception) -> Exception:
        """Return what went wrong at a node as a line that tells where."""
        if isinstance(error, InputError | LeavingError):
            return error
        if isinstance(error, ExhaustedError):
            return self.refuse(node, f"{error}; configs of strangers are read within bounds")
        if isinstance(error, RefusedError):
            return self.refuse(node, f"{error} is not evaluated, as nothing of a config is executed")
        return self.refuse(node, f"{type(error).__name__}: {shown(str(error))[1:-1]}")  # what Python or the framework raises here

    def _entered(self) -> None:
        self.depth += 1
        self.budget.step()
        if self.depth > DEPTH:
            raise ExhaustedError(f"it is nested more than {DEPTH} levels deep")

    # -- expressions --------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression."""
        try:
            self._entered()
            found = getattr(self, f"_value_{type(node).__name__.lower()}", None)
            if found is None:
                raise RefusedError(f"a {type(node).__name__} expression")
            return found(node)
        except Exception as error:
            raise self._told(node, error) from None
        finally:
            self.depth -= 1

    def _value_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _value_name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        if node.id in FUNCTIONS and "." not in node.id:
            return Opaque(node.id, function=True)
        raise NameError(f"name {node.id!r} is not defined")

    def _value_attribute(self, node: ast.Attribute) -> Any:
        held = self.value(node.value)
        if node.attr.startswith("__"):
            raise RefusedError(f"the attribute {node.attr}")
        if isinstance(held, Opaque) and not held.function:
            name = f"{held.name}.{node.attr}"
            return CONSTANTS.get(name, Opaque(name))
        if isinstance(held, ConfigDict) and not hasattr(dict, node.attr) and node.attr in held:
            return held[node.attr]
        raise AttributeError(f"{type(held).__name__!r} object has no attribute {node.attr!r}")

    def _value_call(self, node: ast.Call) -> Any:
        target = node.func
        held = self.value(target.value) if isinstance(target, ast.Attribute) else None
        given = tuple(self._items(node.args))
        named: dict[str, Any] = {}
        for one in node.keywords:
            value = self.value(one.value)
            if one.arg is None and not isinstance(value, dict):
                raise TypeError(f"** needs a mapping, got a {type(value).__name__}")
            more = {one.arg: value} if one.arg is not None else value
            for key in more:
                if not isinstance(key, str) or key in named:
                    raise TypeError(f"keyword {key!r} is no text, or there twice")
            self.budget.make(len(more))
            named.update(more)
        if isinstance(target, ast.Attribute) and not isinstance(held, Opaque):
            return method(held, target.attr, given, named, self.budget)
        return function_named(self.value(target))(self.budget, *given, **named)

    def _value_subscript(self, node: ast.Subscript) -> Any:
        held, key = self.value(node.value), self._key(node.slice)
        if not isinstance(held, dict | list | tuple | str | bytes | range):
            raise TypeError(f"{type(held).__name__!r} object is not subscriptable")
        if isinstance(key, slice):
            self.budget.make(len(held))
        return held[key]

    def _key(self, node: ast.expr) -> Any:
        key = self.value(node)
        hashable(key, budget=self.budget)
        return key

    def _value_slice(self, node: ast.Slice) -> slice:
        return slice(*(None if one is None else self.value(one) for one in (node.lower, node.upper, node.step)))

    def _value_binop(self, node: ast.BinOp) -> Any:
        return self._combined(node.op, self.value(node.left), self.value(node.right))

    def _combined(self, sign: ast.operator, a: Any, b: Any) -> Any:
        if type(sign) in _WEIGHED:
            return _WEIGHED[type(sign)](a, b, self.budget)
        if type(sign) in _PLAIN:
            return _PLAIN[type(sign)](a, b)
        raise RefusedError(f"the operator {type(sign).__name__}")

    def _value_unaryop(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self.value(node.operand))

    def _value_boolop(self, node: ast.BoolOp) -> Any:
        found = None
        for one in node.values:
            found = self.value(one)
            if bool(found) is isinstance(node.op, ast.Or):
                break
        return found

    def _value_compare(self, node: ast.Compare) -> Any:
        left, found = self.value(node.left), True
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            self.budget.weigh(left, right)
            found = _COMPARE[type(sign)](left, right)
            if not found:
                break
            left = right
        return found

    def _value_ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _value_namedexpr(self, node: ast.NamedExpr) -> Any:
        self._bind(node.target, value := self.value(node.value))
        return value

    def _value_joinedstr(self, node: ast.JoinedStr) -> str:
        return "".join(self.value(one) for one in node.values)

    def _value_formattedvalue(self, node: ast.FormattedValue) -> str:
        spec = self.value(node.format_spec) if node.format_spec else ""
        return text(self.value(node.value), self.budget, spec, {114: "r", 115: "s", 97: "r"}.get(node.conversion, ""))

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for one in nodes:
            if isinstance(one, ast.Starred):
                found += iterate(self.value(one.value), self.budget)
            else:
                found.append(self.value(one))
        self.budget.make(len(found) + 1)
        return found

    def _value_list(self, node: ast.List) -> list[Any]:
        return self._items(node.elts)

    def _value_tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._items(node.elts))

    def _value_set(self, node: ast.Set) -> set[Any]:
        items = self._items(node.elts)
        hashable(*items, budget=self.budget)
        return set(items)

    def _value_dict(self, node: ast.Dict) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                more = self.value(value)
                if not isinstance(more, dict):
                    raise TypeError(f"** needs a mapping, got a {type(more).__name__}")
                self.budget.make(10 * len(more))
                made.update(more)
            else:
                name = self._key(key)
                made[name] = self.value(value)
        self.budget.make(10 * len(node.keys) + 1)
        return made

    def _value_listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        made: list[Any] = []
        self._loop(node.generators, lambda: made.append(self.value(node.elt)))
        return made

    _value_generatorexp = _value_listcomp

    def _value_setcomp(self, node: ast.SetComp) -> set[Any]:
        made: set[Any] = set()
        self._loop(node.generators, lambda: made.add(self._key(node.elt)))
        return made

    def _value_dictcomp(self, node: ast.DictComp) -> dict[Any, Any]:
        made: dict[Any, Any] = {}

        def put() -> None:
            key = self._key(node.key)
            made[key] = self.value(node.value)

        self._loop(node.generators, put)
        return made

    def _loop(self, generators: list[ast.comprehension], act: Callable[[], None]) -> None:
        """Go through a comprehension, whose names are its own."""
        outer = self.names
        self.names = dict(outer)
        self.budget.make(len(outer))
        try:
            self._nested(generators, act)
        finally:
            self.names = outer

    def _nested(self, generators: list[ast.comprehension], act: Callable[[], None]) -> None:
        if not generators:
            self.budget.make(10)
            act()
            return
        first, *rest = generators
        for item in iterate(self.value(first.iter), self.budget):
            self.budget.step()
            self._bind(first.target, item)
            if all(self.value(test) for test in first.ifs):
                self._nested(rest, act)

    def _value_lambda(self, node: ast.Lambda) -> Opaque:
        return Opaque("a lambda", function=True)

    # -- what is assigned to ------------------------------------------------------------------------------------

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, iterate(value, self.budget))
        elif isinstance(target, ast.Subscript):
            self._put(self.value(target.value), self._key(target.slice), value)
        elif isinstance(target, ast.Attribute):
            held = self.value(target.value)
            if not isinstance(held, ConfigDict) or hasattr(dict, target.attr):
                raise AttributeError(f"{type(held).__name__!r} object has no attribute {target.attr!r} to be set")
            self._put(held, target.attr, value)
        else:
            raise RefusedError(f"an assignment to a {type(target).__name__}")

    def _unpack(self, target: ast.Tuple | ast.List, items: list[Any]) -> None:
        stars = [index for index, one in enumerate(target.elts) if isinstance(one, ast.Starred)]
        before = stars[0] if stars else len(target.elts)
        after = len(target.elts) - before - 1 if stars else 0
        if len(items) < before + after or (not stars and len(items) > before):
            raise ValueError(f"{len(items)} values for {len(target.elts)} names")
        rest = items[before : len(items) - after]
        for one, value in zip(
            target.elts, [*items[:before], *([rest] if stars else []), *items[len(items) - after :]], strict=False
        ):
            self._bind(one.value if isinstance(one, ast.Starred) else one, value)

    def _put(self, held: Any, key: Any, value: Any) -> None:
        self.budget.make(1)
        if isinstance(key, slice):
            value = iterate(value, self.budget)
        if isinstance(held, ConfigDict):
            value = hooked(value, self.budget)
        if not isinstance(held, dict | list):
            raise TypeError(f"{type(held).__name__!r} object does not support item assignment")
        held[key] = value
