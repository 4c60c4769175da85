"""What a field of a schedule may hold: levels, lengths, positions, numbers, lists of them; how each is checked and written."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import InputError, shown
from .units import canonical, number_text


@dataclass(frozen=True, slots=True, repr=False)
class Absolute:
    """A level that no base value multiplies, written `abs(x)`: the floor of 1e-6 that every group shares."""

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", number(self.value, "abs(...)"))

    def __repr__(self) -> str:
        return f"abs({number_text(self.value)})"


Level = float | Absolute
"""A factor of the group's base value, or `abs(x)`."""


def number(value: object, what: str) -> float:
    """Return a finite float, refusing everything else by name."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**1000:
        raise InputError(f"{what} must be a finite number, got a larger one")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value) + 0.0  # -0.0 becomes 0.0: they are equal, and so must their texts be
    raise InputError(f"{what} must be a finite number, got {shown(value)}")


def index(value: Any, what: str) -> int:
    """Return a number of a step or batch, which may come as NumPy's integer too."""
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= 2**53:
        raise InputError(f"a {what} must be a whole number, 0 or above, got {shown(value)}")
    return number


def level(value: object, what: str) -> Level:
    return value if isinstance(value, Absolute) else number(value, f"{what} (a factor of the base value, or abs(x))")


def tuple_of(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def all_of(value: Any, what: str) -> Any:
        if not isinstance(value, list | tuple) or not value:
            raise InputError(f"{what} must be a list of at least one item, got {shown(value)}")
        return tuple(check(item, f"{what}[{index}]") for index, item in enumerate(value))

    return all_of


def _position(value: object, what: str) -> str:
    return canonical(value, what, zero=True)


def _count(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{what} must be a whole number of at least 1, got {shown(value)}")
    return value


def _point(value: Any, what: str) -> tuple[str, Level]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InputError(f"{what} must be a pair (position, level), got {shown(value)}")
    return _position(value[0], f"{what} position"), level(value[1], f"{what} level")


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{what} must be True or False, got {shown(value)}")
    return value


def _stage(value: Any, what: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise InputError(f"{what} must be [epochs, batch size, accumulation], got {shown(value)}")
    return tuple(number(one, f"{what}[{index}]") for index, one in enumerate(value))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} must be a text, got {shown(value)}")
    if not value.isprintable():
        raise InputError(f"{what} must be one line of printable text, got {shown(value)}")
    return value


# How a field of a family is checked and brought to its one form, by the annotation it is declared with.
# `Span` is a length that can't be nothing, `Position` a place on the time axis, both kept as canonical text.
Span = str
Position = str
CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "Span": canonical,
    "Position": _position,
    "Positions": tuple_of(_position),
    "Level": level,
    "Levels": tuple_of(level),
    "Points": tuple_of(_point),
    "float": number,
    "Stages": tuple_of(_stage),
    "int": _count,
    "bool": _flag,
    "str": _text,
}
Positions = tuple[str, ...] | list[str]
Levels = tuple[Level, ...] | list[Level]
Points = tuple[tuple[str, Level], ...] | list[tuple[str, Level]]
Stages = tuple[tuple[float, ...], ...] | list[tuple[float, ...]]


def text_of(value: object) -> str:
    """Return the text form of a field's value: numbers without needless digits, lists in square brackets."""
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(text_of, value))}]"
    return repr(value)
