"""The functions and methods that a config may call: those that only make values of values."""

from __future__ import annotations

import copy
import math
import os.path
import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from .operators import ONCE, check_width, counted, iterate, live, plus, text
from .values import Budget, ConfigDict, Opaque, RefusedError, hooked, update


def _dict(budget: Budget, /, *given: Any, **named: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _put_in(made, given, named, budget)
    return made


def _put_in(made: dict[Any, Any], given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> None:
    """dict.update: of a mapping or pairs, and of keywords."""
    if given[1:]:
        raise TypeError(f"expected at most 1 argument, got {len(given)}")
    for one in given:
        pairs = one if isinstance(one, dict) else dict(_hashed_pairs(one, budget))
        budget.hold(pairs)
        made.update(pairs)
    budget.make(10 * len(named) + 1)
    made.update(named)


def _hashed_pairs(given: Any, budget: Budget) -> list[tuple[Any, Any]]:
    pairs = [iterate(pair, budget) for pair in iterate(given, budget)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a mapping is made of pairs")
    budget.hash(pair[0] for pair in pairs)
    return [(key, value) for key, value in pairs]


def _hashed(given: Any, budget: Budget) -> list[Any]:
    items = iterate(given, budget)
    budget.hash(items)
    return items


def _sum(budget: Budget, /, given: Any, start: Any = 0) -> Any:
    if isinstance(start, str | bytes):
        raise TypeError("sum() can't sum texts: use join")
    for one in iterate(given, budget):
        start = plus(start, one, budget)
    return start


def _of_items(function: Callable[..., Any], *known: str) -> Callable[..., Any]:
    """Return a function of values' items, gone through with an account of what it makes and looks at."""

    def applied(budget: Budget, /, *given: Any, **named: Any) -> Any:
        if unknown := named.keys() - known:
            raise RefusedError(f"{', '.join(sorted(unknown))}= here")
        lists = [iterate(one, budget) for one in given]
        budget.weigh(*lists)
        return function(*lists, **named)

    return applied


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    inner = _of_items(function, "default")
    return lambda budget, /, *given, **named: inner(budget, given if len(given) > 1 else given[0], **named)


def _lazily(value: Any, budget: Budget) -> Any:
    """Return a value to be gone through while a loop changes it; iterators are not put into each other without end."""
    return iterate(value, budget) if isinstance(value, ONCE) else live(value, budget)


def _enumerate(budget: Budget, /, iterable: Any, start: int = 0) -> Any:
    return enumerate(_lazily(iterable, budget), start)


def _zip(budget: Budget, /, *given: Any, strict: bool = False) -> Any:
    return zip(*[_lazily(one, budget) for one in given], strict=strict)


def _reversed(budget: Budget, /, given: Any) -> Any:
    if not isinstance(given, list | tuple | range | str | dict):
        raise TypeError(f"{type(given).__name__!r} object is not reversible")
    return counted(reversed(given), budget)


def _round(budget: Budget, /, number: Any, ndigits: int | None = None) -> Any:
    if ndigits is not None and not -400 < ndigits < 400:
        raise RefusedError(f"a round to {ndigits} digits")
    return round(number, ndigits)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of scalars."""

    def applied(budget: Budget, /, *given: Any) -> Any:
        budget.weigh(*given)
        return function(*given)

    return applied


def _deepcopy(budget: Budget, /, x: Any) -> Any:
    budget.weigh(x)
    return copy.deepcopy(x)


def _copy(budget: Budget, /, x: Any) -> Any:
    return method(x, "copy", (), {}, budget) if isinstance(x, dict | list | set) else x


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dict": _dict,
    "list": lambda budget, given=(), /: iterate(given, budget),
    "tuple": lambda budget, given=(), /: tuple(iterate(given, budget)),
    "set": lambda budget, given=(), /: set(_hashed(given, budget)),
    "frozenset": lambda budget, given=(), /: frozenset(_hashed(given, budget)),
    "range": lambda budget, /, *given: range(*given),
    "len": lambda budget, given, /: len(given),
    "sum": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": _plain(abs),
    "round": _round,
    "int": _plain(int),
    "float": _plain(float),
    "bool": lambda budget, given=False, /: bool(given),
    "divmod": _plain(divmod),
    "str": lambda budget, given="", /: text(given, budget, conversion="s"),
    "repr": lambda budget, given, /: text(given, budget, conversion="r"),
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "sorted": _of_items(sorted, "reverse"),
    "any": _of_items(any),
    "all": _of_items(all),
    "print": lambda budget, /, *given, **named: None,
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


def function_named(value: Any) -> Callable[..., Any]:
    """Return what may be called of what a config calls."""
    if isinstance(value, Opaque) and value.name in FUNCTIONS:
        return FUNCTIONS[value.name]
    raise RefusedError(f"a call of {value.name if isinstance(value, Opaque) else f'a {type(value).__name__}'}")


# -- methods ----------------------------------------------------------------------------------------------------

METHODS: dict[type, set[str]] = {
    dict: {"update", "pop", "get", "keys", "values", "items", "copy", "setdefault", "clear"},
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
    if isinstance(value, ConfigDict):
        return _config_method(value, name, given, named, budget)
    if kind is str:
        return _text_method(value, name, given, named, budget)
    if name == "update" and kind is dict:
        return _put_in(value, given, named, budget)
    if name in ("extend", "update", "union"):
        given = tuple(_hashed(one, budget) if kind is set else iterate(one, budget) for one in given)
    if name in ("add", "pop", "get", "setdefault") and kind is not list:
        budget.hash(given[:1])
    if name in ("remove", "index", "count", "sort"):
        budget.weigh(value, *given)
    if name == "sort" and named.keys() - {"reverse"}:
        raise RefusedError("a sort by a key")
    if name in ("copy", "union"):
        budget.hold(value)
    budget.make(10 + len(value) // 50)  # a list moves all that comes behind
    return getattr(value, name)(*given, **named)


def _config_method(value: ConfigDict, name: str, given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> Any:
    """A method of mmengine's ConfigDict, where it differs from those of a dict: nothing is missed, what is put in is hooked."""
    if name == "update":
        other: dict[Any, Any] = {}
        if any(not isinstance(one, dict) for one in given):
            raise TypeError("update needs a mapping")
        _put_in(other, given, named, budget)
        update(value, other, budget)
        return None
    if name in ("get", "pop", "setdefault"):
        key, default = given[0], given[1] if given[1:] else named.get("default")
        budget.hash([key])
        if key in value:
            return value.pop(key) if name == "pop" else value[key]
        if name == "setdefault":
            value[key] = hooked(default, budget)
        return default
    if name == "copy":
        budget.hold(value)
        return ConfigDict({key: hooked(one, budget) for key, one in value.items()})
    found = getattr(value, name)(*given, **named)
    return iterate(found, budget) if name in ("values", "items") else found


def _text_method(value: str, name: str, given: tuple[Any, ...], named: Mapping[str, Any], budget: Budget) -> Any:
    budget.make(10 * len(value) + 1)
    if name == "format":
        _check_fields(value)
        budget.make(budget.weigh(*given, *named.values()) * value.count("{"))
    elif name == "join":
        given = (items := iterate(given[0], budget),)
        budget.make(sum(len(one) for one in items if isinstance(one, str)) + len(value) * len(items))
    elif name == "replace" and len(given) > 1 and isinstance(given[0], str) and isinstance(given[1], str):
        budget.make((value.count(given[0]) + 1) * len(given[1]))
    elif name == "zfill":
        check_width(str(given[0]))
    elif name in ("strip", "lstrip", "rstrip") and given and isinstance(given[0], str):
        budget.make(len(value) * len(given[0]))
    else:
        budget.weigh(*given)
    made = getattr(value, name)(*given, **named)
    budget.make(10 * len(made) if isinstance(made, str | list | tuple) else 1)
    return made


def _check_fields(pattern: str) -> None:
    """Refuse fields of a format that look into a value, or make it endless."""
    for _, field, spec, _ in Formatter().parse(pattern):
        if field is not None and not re.fullmatch(r"\w*", field):
            raise RefusedError(f"the field {{{field[:40]}}} of a text's format")
        if "{" in (spec or ""):
            raise RefusedError("a format within a text's format")
        check_width(spec or "")
