"""The functions and methods that a config may call: those that only make values of values."""

from __future__ import annotations

import copy
import math
import os.path
import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from .values import BITS, Budget, ConfigDict, ExhaustedError, Opaque, hooked, update

_WIDTH = 1_000  # of a formatted value


class RefusedError(Exception):
    """What is no part of a config, in words."""


def iterate(value: Any, budget: Budget) -> list[Any]:
    """Return the items of a value, accounted for before they are made."""
    if not isinstance(value, list | tuple | dict | set | frozenset | str | range):
        raise RefusedError(f"a {type(value).__name__} can't be gone through")
    budget.make(len(value) + 1)
    return list(value)


def text(value: Any, budget: Budget, spec: str = "", conversion: str = "") -> str:
    """Return format(value, spec)."""
    _check_width(spec)
    budget.weigh(value)
    made = format(repr(value) if conversion == "r" else str(value) if conversion == "s" else value, spec)
    budget.make(len(made))
    return made


def hashable(*keys: Any, budget: Budget) -> None:
    """Account for the hash of keys."""
    budget.weigh(*keys)


def times(a: Any, b: Any, budget: Budget) -> Any:
    """Return a * b."""
    for one, number in ((a, b), (b, a)):
        if isinstance(one, str | bytes | list | tuple) and isinstance(number, int):
            budget.make(len(one) * max(number, 0))
    if isinstance(a, int) and isinstance(b, int):
        _check_bits(a.bit_length() + b.bit_length())
    return a * b


def power(a: Any, b: Any, budget: Budget) -> Any:
    """Return a ** b."""
    if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and b > 0:
        _check_bits(a.bit_length() * b)
    return a**b


def shifted(a: Any, b: Any, budget: Budget) -> Any:
    """Return a << b."""
    if isinstance(a, int) and isinstance(b, int) and b > 0:
        _check_bits(a.bit_length() + b)
    return a << b


def plus(a: Any, b: Any, budget: Budget) -> Any:
    """Return a + b."""
    if isinstance(a, str | bytes | list | tuple) and isinstance(b, str | bytes | list | tuple):
        budget.make(len(a) + len(b))
    return a + b


def modulo(a: Any, b: Any, budget: Budget) -> Any:
    """Return a % b, for a text with its values put in."""
    if isinstance(a, str):
        if "*" in a:
            raise RefusedError("a text's % with *")
        _check_width(a)
        budget.weigh(b)
        budget.make(len(a))
        made = a % b
        budget.make(len(made))
        return made
    if isinstance(a, bytes):
        raise RefusedError("bytes with %")
    return a % b


def united(a: Any, b: Any, budget: Budget) -> Any:
    """Return a | b."""
    if isinstance(a, ConfigDict) and isinstance(b, dict):
        made = ConfigDict(a)
        update(made, b, budget)
        return made
    if isinstance(a, dict | set | frozenset) and isinstance(b, dict | set | frozenset):
        budget.make(10 * (len(a) + len(b)))
    return a | b


def _check_bits(bits: int) -> None:
    if bits > BITS:
        raise ExhaustedError(f"a whole number of more than {BITS} bits")


def _check_width(spec: str) -> None:
    if any(len(digits) > 4 or int(digits) > _WIDTH for digits in re.findall(r"[0-9]+", spec)):
        raise ExhaustedError(f"a width of more than {_WIDTH} characters")


# -- functions --------------------------------------------------------------------------------------------------


def _dict(budget: Budget, *given: Any, **named: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for one in given[:1]:
        _updated(made, one, budget)
    if given[1:]:
        raise RefusedError("dict of more than one mapping")
    budget.make(10 * len(named) + 1)
    made.update(named)
    return made


def _updated(made: dict[Any, Any], given: Any, budget: Budget) -> None:
    if isinstance(given, dict):
        budget.make(10 * len(given) + 1)
        made.update(given)
        return
    for pair in iterate(given, budget):
        key, value = iterate(pair, budget)
        hashable(key, budget=budget)
        made[key] = value


def _sum(budget: Budget, given: Any, start: Any = 0) -> Any:
    for one in iterate(given, budget):
        start = plus(start, one, budget)
    return start


def _of_items(function: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """Return a function of several values' items, gone through with an account of them."""

    def applied(budget: Budget, *given: Any, **named: Any) -> Any:
        if "key" in named:
            raise RefusedError("a key= function")
        lists = [iterate(one, budget) for one in given]
        budget.weigh(*lists)
        return function(*lists, **named)

    return applied


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def applied(budget: Budget, *given: Any, **named: Any) -> Any:
        items = iterate(given[0] if len(given) == 1 else given, budget)
        budget.weigh(items)
        return function(items, **{key: value for key, value in named.items() if key == "default"})

    return applied


def _round(budget: Budget, number: Any, digits: int | None = None) -> Any:
    if digits is not None and not -400 < digits < 400:
        raise RefusedError(f"round to {digits} digits")
    return round(number, digits)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of scalars."""

    def applied(budget: Budget, *given: Any) -> Any:
        budget.weigh(*given)
        return function(*given)

    return applied


def _range(budget: Budget, *given: Any) -> range:
    return range(*given)


def _len(budget: Budget, given: Any) -> int:
    return len(given)


def _deepcopy(budget: Budget, given: Any) -> Any:
    budget.weigh(given)
    return copy.deepcopy(given)


def _copy(budget: Budget, given: Any) -> Any:
    return method(given, "copy", (), {}, budget) if isinstance(given, dict | list | set) else given


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dict": _dict,
    "list": lambda budget, given=(): iterate(given, budget),
    "tuple": lambda budget, given=(): tuple(iterate(given, budget)),
    "set": lambda budget, given=(): set(_hashed(given, budget)),
    "frozenset": lambda budget, given=(): frozenset(_hashed(given, budget)),
    "range": _range,
    "len": _len,
    "sum": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": _plain(abs),
    "round": _round,
    "int": _plain(int),
    "float": _plain(float),
    "bool": _plain(bool),
    "divmod": _plain(divmod),
    "str": lambda budget, given="": text(given, budget, conversion="s"),
    "repr": lambda budget, given: text(given, budget, conversion="r"),
    "enumerate": lambda budget, given, start=0: list(enumerate(iterate(given, budget), start)),
    "zip": _of_items(lambda *lists: list(zip(*lists, strict=False))),
    "reversed": _of_items(lambda items: items[::-1]),
    "sorted": _of_items(sorted),
    "any": _of_items(any),
    "all": _of_items(all),
    "print": lambda budget, *given, **named: None,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _copy,
    **{
        f"math.{name}": _plain(getattr(math, name))
        for name in ("ceil", "floor", "sqrt", "log", "log2", "log10", "exp", "cos", "sin")
    },
    **{f"os.path.{name}": _plain(getattr(os.path, name)) for name in ("join", "basename", "dirname", "splitext")},
}
"""What may be called by name; everything else is refused."""

CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "os.sep": "/", "os.path.sep": "/"}


def _hashed(given: Any, budget: Budget) -> list[Any]:
    items = iterate(given, budget)
    hashable(*items, budget=budget)
    return items


# -- methods ----------------------------------------------------------------------------------------------------

_MAPPING = {"update", "pop", "get", "keys", "values", "items", "copy", "setdefault", "clear"}
METHODS: dict[type, set[str]] = {
    dict: _MAPPING,
    list: {"append", "extend", "insert", "pop", "remove", "index", "count", "reverse", "sort", "copy", "clear"},
    tuple: {"index", "count"},
    set: {"add", "update", "union", "copy"},
    str: {
        *("format", "join", "split", "rsplit", "replace", "lower", "upper", "title", "capitalize", "startswith", "endswith"),
        *("strip", "lstrip", "rstrip", "zfill", "removeprefix", "removesuffix", "partition", "rpartition", "count", "find"),
    },
}


def method(value: Any, name: str, given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> Any:
    """Return what a method of a value returns, and let it do what it does."""
    kind = next((kind for kind in METHODS if isinstance(value, kind)), None)
    if kind is None or name not in METHODS[kind]:
        raise RefusedError(f"the method {name} of a {type(value).__name__}")
    if kind is dict:
        return _mapping_method(value, name, given, named, budget)
    if kind is str:
        return _text_method(value, name, given, named, budget)
    if name in ("extend", "update", "union"):
        given = tuple(_hashed(one, budget) if kind is set else iterate(one, budget) for one in given)
    elif name in ("remove", "index", "count", "sort", "add"):
        budget.weigh(value, *given)
    if name == "sort" and set(named) - {"reverse"}:
        raise RefusedError("sort by a key")
    budget.make(len(value) if name in ("copy", "union", "sort") else 1)
    return getattr(value, name)(*given, **named)


def _mapping_method(value: dict[Any, Any], name: str, given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> Any:
    own = isinstance(value, ConfigDict)
    if name == "update":
        other: dict[Any, Any] = {}
        for one in given:
            _updated(other, one, budget)
        other.update(named)
        if isinstance(value, ConfigDict):
            update(value, other, budget)
        else:
            value.update(other)
        return None
    hashable(*given[:1], budget=budget)
    if name in ("keys", "values", "items"):
        return iterate(getattr(value, name)(), budget)
    if name == "copy":
        budget.make(10 * len(value))
        return ConfigDict({key: hooked(one, budget) for key, one in value.items()}) if own else dict(value)
    if name == "pop" and own:
        return value.pop(given[0], *(given[1:] or (named.get("default"),)))
    if name == "setdefault" and own and given[0] not in value:
        value[given[0]] = hooked(given[1] if given[1:] else None, budget)
        return given[1] if given[1:] else None
    return getattr(value, name)(*given, **named)


def _text_method(value: str, name: str, given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> Any:
    if name == "format":
        for _, field, spec, _ in Formatter().parse(value):
            if field is not None and not re.fullmatch(r"\w*", field):
                raise RefusedError(f"the field {{{field[:40]}}} of a text's format")
            if "{" in (spec or ""):
                raise RefusedError("a format within a text's format")
            _check_width(spec or "")
        budget.weigh(*given, *named.values())
        for one in (*given, *named.values()):
            if isinstance(one, str):
                budget.make(len(one) * (value.count("{") + 1))
    elif name == "join":
        items = iterate(given[0], budget)
        budget.make(sum(len(one) for one in items if isinstance(one, str)) + len(value) * len(items))
        given = (items,)
    elif name == "replace" and len(given) > 1 and isinstance(given[0], str) and isinstance(given[1], str):
        budget.make((value.count(given[0]) + 1) * len(given[1]))
    elif name == "zfill":
        _check_width(str(given[0]))
    budget.make(10 * len(value) + 1)
    made = getattr(value, name)(*given, **named)
    budget.make(len(made) if isinstance(made, str | list | tuple) else 1)
    return made


def function_named(value: Any) -> Callable[..., Any]:
    """Return what may be called of what a config calls."""
    if isinstance(value, Opaque) and value.name in FUNCTIONS:
        return FUNCTIONS[value.name]
    raise RefusedError(f"a call of {value.name if isinstance(value, Opaque) else type(value).__name__}")
