"""What a config's values are, and how much of them there may be.

A config is a stranger's program. Its values are Python's own, so that they behave as they do there; what an operation could
make without end is weighed first: a sequence times a number, a power, a comparison of lists that hold one another many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STEPS = 50_000  # nodes of syntax evaluated, in all files together; the largest real config has 6 thousand
CELLS = 1_500_000  # characters and items made, or looked at; the largest real config has 250 thousand
BITS = 4_096  # of a whole number
DEPTH = 100  # levels of syntax, and of values in each other; real configs have 18
_CHOSEN = 500  # cells for a key whose hash a stranger can choose: all may collide, and then each is compared with each


class ExhaustedError(Exception):
    """More than a config may use up."""


class RefusedError(Exception):
    """What is no part of a config, in words."""


class Budget:
    """What all files of one config may use up together."""

    def __init__(self) -> None:
        self.steps, self.cells = STEPS, CELLS

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise ExhaustedError(f"a config of more than {STEPS} operations is no config")

    def make(self, cells: int) -> None:
        """Account for characters or items before they are made."""
        self.cells -= cells
        if self.cells < 0:
            raise ExhaustedError(f"it would make more than {CELLS} characters and items")

    def hold(self, value: Any, depth: int = 0) -> None:
        """Account for a container that is made of another's items."""
        if depth > DEPTH:
            raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
        self.make(10 * len(value) + 1)
        if isinstance(value, _HASHED):
            self.hash(value)

    def hash(self, keys: Iterable[Any]) -> None:
        """Account for keys that are put into a mapping or a set, or looked up there."""
        for key in keys:
            if not (isinstance(key, str) or key is None or (isinstance(key, int) and 0 <= key < 1_000_000)):
                self.make(_CHOSEN)
                self.weigh(key)

    def weigh(self, *values: Any) -> int:
        """Account for a look at all that values hold, counted as often as it is held; return how much that is."""
        before = self.cells
        left = [(value, 0) for value in values]
        while left:
            value, depth = left.pop()
            if isinstance(value, str | bytes):
                self.make(len(value))
            elif isinstance(value, int):
                self.make(1 + value.bit_length() // 8)
            elif isinstance(value, _HOLDERS):
                self.hold(value, depth)
                left += [(one, depth + 1) for one in (value.values() if isinstance(value, dict) else value)]
                if isinstance(value, dict):
                    left += [(key, depth + 1) for key in value]
        return before - self.cells


_EMPTY: dict[Any, Any] = {}
KEYS, VALUES, ITEMS = type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items())
_HASHED = (dict, set, frozenset)
_HOLDERS = (list, tuple, *_HASHED, KEYS, VALUES, ITEMS)


class ConfigDict(dict[Any, Any]):
    """A mapping that came out of a base: its keys are attributes too, and `update` goes into what both hold."""


TAKEN = {*dir(dict), "build_lazy", "deepcopy", "freeze", "lazy", "merge", "scope", "to_dict", "unfreeze"}
"""Attributes that mmengine's ConfigDict has of its own: none is a key."""


class Opaque:
    """What a config names and nobody looks into: an imported object, by its dotted name, or a function."""

    def __init__(self, name: str, *, function: bool = False) -> None:
        self.name, self.function = name, function

    def __repr__(self) -> str:
        raise RefusedError(f"{self.name} as a text")  # only the object itself knows what it prints

    def __deepcopy__(self, memo: Any) -> Opaque:
        return self


def hooked(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return what mmengine's ConfigDict keeps of a value: plain mappings become its like, lists are copied."""
    if type(value) is dict:
        budget.hold(value, depth)
        return ConfigDict({key: hooked(one, budget, depth + 1) for key, one in value.items()})
    if isinstance(value, list | tuple):
        budget.hold(value, depth)
        return type(value)([hooked(one, budget, depth + 1) for one in value])
    return value


def update(target: dict[Any, Any], given: Mapping[Any, Any], budget: Budget, *, shared: bool = False, depth: int = 0) -> None:
    """mmengine's ConfigDict.update: mappings that both hold are updated, not replaced; | shares what it puts in."""
    budget.hold(given, depth)
    for key, value in dict(given).items():
        found = target.get(key)
        if isinstance(value, dict) and isinstance(found, dict):
            update(found, value, budget, shared=shared, depth=depth + 1)
        else:
            target[key] = value if shared else hooked(value, budget)


def config(value: Any, budget: Budget, scope: str | None = None, depth: int = 0) -> Any:
    """Return a base's value as a config of mmengine sees it: new, mappings as ConfigDict.

    Where the base comes from another package, the outermost mapping with a type says so in `_scope_`.
    """
    if isinstance(value, dict):
        budget.hold(value, depth)
        given = dict(value)
        if scope is not None and "type" in given:
            given["_scope_"] = scope if given.get("_scope_") is None else given["_scope_"]
            scope = None
        return ConfigDict({key: config(one, budget, scope, depth + 1) for key, one in given.items()})
    if isinstance(value, list | tuple):
        budget.hold(value, depth)
        return type(value)([config(one, budget, scope, depth + 1) for one in value])
    return value


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return a value without its files: mappings, lists, tuples and scalars; an object by its dotted name."""
    if isinstance(value, dict):
        budget.hold(value, depth)
        return {str(key): plain(one, budget, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        budget.hold(value, depth)
        return type(value)([plain(one, budget, depth + 1) for one in value])
    if isinstance(value, set | frozenset):
        budget.weigh(value)
        return plain(sorted(value, key=repr), budget, depth + 1)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Opaque):
        return value.name
    if isinstance(value, complex | bytes | range | type(...)):
        budget.weigh(value)
        return repr(value)
    raise RefusedError(f"a {type(value).__name__} as a value")
