"""What a config's values are, and how much of them there may be.

A config is a stranger's program. Its values are Python's own, so that they behave as they do there; what an operation could
make without end is weighed first: a sequence times a number, a power, a comparison of lists that hold one another many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STEPS = 200_000  # nodes of syntax evaluated, in all files together; the largest real config has 11 thousand
CELLS = 3_000_000  # characters and items made
BITS = 4_096  # of a whole number
DEPTH = 100  # levels of syntax, and of values in each other; real configs have 18


class ExhaustedError(Exception):
    """More than a config may use up."""


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

    def weigh(self, *values: Any) -> None:
        """Account for a look at all that values hold, counted as often as it is held."""
        left = [(value, 0) for value in values if isinstance(value, _HOLDERS)]
        while left:
            value, depth = left.pop()
            if depth > DEPTH:
                raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
            self.make(10 * len(value) + 1)
            inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
            left += [(one, depth + 1) for one in inner if isinstance(one, _HOLDERS)]
            if isinstance(value, dict):
                left += [(key, depth + 1) for key in value if isinstance(key, tuple)]


_HOLDERS = (list, tuple, dict, set, frozenset)


class ConfigDict(dict[Any, Any]):
    """A mapping that came out of a base: its keys are attributes too, and `update` goes into what both hold."""


class Opaque:
    """What a config names and nobody looks into: an imported object, by its dotted name, or a function."""

    def __init__(self, name: str, *, function: bool = False) -> None:
        self.name, self.function = name, function

    def __repr__(self) -> str:
        return self.name

    def __deepcopy__(self, memo: Any) -> Opaque:
        return self


def hooked(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return what mmengine's ConfigDict keeps of a value: plain mappings become its like, lists are copied."""
    if depth > DEPTH:
        raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
    if type(value) is dict:
        budget.make(10 * len(value) + 1)
        return ConfigDict({key: hooked(one, budget, depth + 1) for key, one in value.items()})
    if isinstance(value, list | tuple):
        budget.make(10 * len(value) + 1)
        return type(value)([hooked(one, budget, depth + 1) for one in value])
    return value


def update(target: ConfigDict, given: Mapping[Any, Any], budget: Budget, depth: int = 0) -> None:
    """mmengine's ConfigDict.update: mappings that both hold are updated, not replaced."""
    if depth > DEPTH:
        raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
    budget.make(10 * len(given) + 1)
    for key, value in given.items():
        found = target.get(key)
        if isinstance(value, dict) and isinstance(found, ConfigDict):
            update(found, value, budget, depth + 1)
        elif isinstance(value, dict) and isinstance(found, dict):
            found.update(value)
        else:
            target[key] = hooked(value, budget)


def config(value: Any, budget: Budget, scope: str | None = None, depth: int = 0) -> Any:
    """Return a base's value as a config of mmengine sees it: new, mappings as ConfigDict.

    Where the base comes from another package, the outermost mapping with a type says so in `_scope_`.
    """
    if depth > DEPTH:
        raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
    if isinstance(value, dict):
        budget.make(10 * len(value) + 1)
        given = dict(value)
        if scope is not None and "type" in given:
            given["_scope_"] = scope if given.get("_scope_") is None else given["_scope_"]
            scope = None
        return ConfigDict({key: config(one, budget, scope, depth + 1) for key, one in given.items()})
    if isinstance(value, list | tuple):
        budget.make(10 * len(value) + 1)
        return type(value)([config(one, budget, scope, depth + 1) for one in value])
    return value


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return a value without its files: mappings, lists, tuples and scalars; an object by its dotted name."""
    if depth > DEPTH:
        raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
    if isinstance(value, dict):
        budget.make(10 * len(value) + 1)
        return {str(key): plain(one, budget, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        budget.make(10 * len(value) + 1)
        return type(value)([plain(one, budget, depth + 1) for one in value])
    if isinstance(value, set | frozenset):
        return plain(sorted(value, key=repr), budget, depth)
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
