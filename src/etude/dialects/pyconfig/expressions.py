"""Expressions of a config evaluated over their syntax tree: literals, names, arithmetic, comprehensions, known calls."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import Any

from ...errors import InputError, shown
from .calls import CONSTANTS, FUNCTIONS, function_named, method
from .operators import UNARY, checked, combined, compared, iterate, live, text
from .values import DEPTH, TAKEN, Budget, ConfigDict, ExhaustedError, Opaque, RefusedError, hooked


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
        if isinstance(error, InputError):
            return error
        if isinstance(error, LeavingError):
            return error if self.depth > 1 else self.refuse(node, "SyntaxError: break or continue outside a loop")
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
            return checked(found(node))
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
        if hasattr(builtins, node.id):
            raise RefusedError(f"{node.id}, a name of Python's,")
        raise NameError(f"name {node.id!r} is not defined")

    def _value_attribute(self, node: ast.Attribute) -> Any:
        return _attribute(self.value(node.value), node.attr)

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
                    raise TypeError(f"keyword {shown(key)} is no text, or there twice")
            self.budget.make(10 * len(more))
            named.update(more)
        if not isinstance(target, ast.Attribute):
            return function_named(self.value(target))(self.budget, *given, **named)
        if isinstance(held, Opaque):
            return function_named(_attribute(held, target.attr))(self.budget, *given, **named)
        return method(held, target.attr, given, named, self.budget)

    def _value_subscript(self, node: ast.Subscript) -> Any:
        held = self.value(node.value)
        return self._item(held, self._key(node.slice, held))

    def _item(self, held: Any, key: Any) -> Any:
        if not isinstance(held, dict | list | tuple | str | bytes | range):
            raise TypeError(f"{type(held).__name__!r} object is not subscriptable")
        if isinstance(key, slice) and not isinstance(held, dict | range):
            self.budget.make(len(held))
        return held[key]

    def _key(self, node: ast.expr, held: Any = None) -> Any:
        """Return what something is kept by: in a list its place, in a mapping or a set a key."""
        key = self.value(node)
        if not isinstance(held, list | tuple | str | bytes | range):
            self.budget.hash([key])
        return key

    def _value_slice(self, node: ast.Slice) -> slice:
        return slice(*(None if one is None else self.value(one) for one in (node.lower, node.upper, node.step)))

    def _value_binop(self, node: ast.BinOp) -> Any:
        return combined(node.op, self.value(node.left), self.value(node.right), self.budget)

    def _value_unaryop(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.value(node.operand))

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
            found = compared(sign, left, right, self.budget)
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
        value = self.value(node.value)
        spec = self.value(node.format_spec) if node.format_spec else ""
        return text(value, self.budget, spec, chr(node.conversion) if node.conversion > 0 else "")

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
        self.budget.hash(items)
        return set(items)

    def _value_dict(self, node: ast.Dict) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                more = self.value(value)
                if not isinstance(more, dict):
                    raise TypeError(f"** needs a mapping, got a {type(more).__name__}")
                self.budget.hold(more)
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

    def _value_generatorexp(self, node: ast.GeneratorExp) -> Any:
        return iter(self._value_listcomp(node))

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
        """Go through a comprehension, whose names are its own; what `:=` binds in it is not."""
        own = {node.id for each in generators for node in ast.walk(each.target) if isinstance(node, ast.Name)}
        self.budget.make(20 * len(own))
        outer = {name: self.names[name] for name in own if name in self.names}
        try:
            self._nested(generators, act)
        finally:
            for name in own - outer.keys():
                self.names.pop(name, None)
            self.names.update(outer)

    def _nested(self, generators: list[ast.comprehension], act: Callable[[], None]) -> None:
        if not generators:
            self.budget.make(10)
            act()
            return
        first, *rest = generators
        for item in live(self.value(first.iter), self.budget):
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
        else:
            self._put(*self._place(target), value)

    def _place(self, target: ast.expr) -> tuple[Any, Any]:
        """Return the mapping or list that an assignment changes, and the key or the place in it."""
        if isinstance(target, ast.Subscript):
            held = self.value(target.value)
            return held, self._key(target.slice, held)
        if isinstance(target, ast.Attribute):
            held = self.value(target.value)
            if not isinstance(held, ConfigDict) or target.attr in TAKEN:
                raise AttributeError(f"{type(held).__name__!r} object has no attribute {target.attr!r} to be set")
            return held, target.attr
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
        if not isinstance(held, dict | list):
            raise TypeError(f"{type(held).__name__!r} object does not support item assignment")
        self.budget.make(10)
        if isinstance(key, slice):
            self.budget.make(len(held) // 50)
            value = iterate(value, self.budget)
        held[key] = hooked(value, self.budget) if isinstance(held, ConfigDict) else value


def _attribute(held: Any, name: str) -> Any:
    if name.startswith("__"):
        raise RefusedError(f"the attribute {name}")
    if isinstance(held, Opaque) and not held.function:
        whole = f"{held.name}.{name}"
        return CONSTANTS.get(whole, Opaque(whole))
    if isinstance(held, ConfigDict) and name not in TAKEN and name in held:
        return held[name]
    raise AttributeError(f"{type(held).__name__!r} object has no attribute {name!r}")
