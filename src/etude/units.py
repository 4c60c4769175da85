"""Lengths that carry their unit: "500 steps", "3 epochs", "10%", "max(3 epochs, 100 steps)", "30% - 1 step".

A length is a text wherever a user meets it, and so it is in a schedule's fields: `canonical` brings it
into its one spelling, `Length.parse` into a tree that a clock can turn into ticks. Grammar:

    length = term {("+" | "-") term}
    term   = number unit | function "(" length {"," length} ")"
    unit   = step(s) | batch(es) | epoch(s) | sample(s) | token(s) | %
    function = max | min | round | floor | ceil        (round is half to even; all three act on ticks)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .errors import InputError, did_you_mean

UNITS = {"step": "steps", "batch": "batches", "epoch": "epochs", "sample": "samples", "token": "tokens", "%": "%"}
_PLURAL = {**UNITS, **{plural: plural for plural in UNITS.values()}}
_SINGULAR = {plural: singular for singular, plural in UNITS.items()}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "max": max,
    "min": min,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|(?P<word>[^\W\d]+|%)|(?P<sign>[-+(),]))"
)
_LONGEST = 1_000  # characters; no honest length comes near, and it bounds the nesting

Convert = Callable[[float, str, float], float]
"""(value, unit, origin in ticks) -> ticks; the clock's own conversion."""


@dataclass(frozen=True, slots=True)
class Length:
    """A parsed length: an amount of one unit, a signed sum, or a function of other lengths."""

    head: str  # a unit, "sum", or a function's name
    value: float = 0.0  # the amount, for a unit
    parts: tuple[Length, ...] = ()
    signs: tuple[int, ...] = ()  # one a part, for "sum"

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> Length:
        """Parse a text into a length; InputError says what was expected where.

        >>> Length.parse("max(3 epochs, 100 steps)").ticks(lambda value, unit, origin: value * {"epochs": 30, "steps": 1}[unit])
        100.0
        """
        return _Parser(text).whole()

    def ticks(self, convert: Convert, origin: float = 0.0, sign: int = 1) -> float:
        """Return the length in ticks of a clock, measured from `origin` (also in ticks), backwards where `sign` is -1."""
        if self.head == "sum":
            total = 0.0
            for each, part in zip(self.signs, self.parts, strict=True):
                total += part.ticks(convert, origin + total, sign * each)
            return total
        if self.parts:
            return sign * float(_FUNCTIONS[self.head](*(part.ticks(convert, origin) for part in self.parts)))
        return convert(sign * self.value, self.head, origin)

    def __str__(self) -> str:
        if self.head == "sum":
            text = str(self.parts[0]) if self.signs[0] > 0 else f"-{self.parts[0]}"
            return text + "".join(
                f" {'+' if sign > 0 else '-'} {part}" for sign, part in zip(self.signs[1:], self.parts[1:], strict=True)
            )
        if self.parts:
            return f"{self.head}({', '.join(map(str, self.parts))})"
        if self.head == "%":
            return f"{number_text(self.value)}%"
        return f"{number_text(self.value)} {_SINGULAR[self.head] if self.value == 1 else self.head}"


def canonical(text: object, what: str = "length", *, zero: bool = False) -> str:
    """Return the one spelling of a length, refusing bare numbers, unknown units and, unless `zero`, nothing at all.

    >>> canonical("1e3 step")
    '1000 steps'
    """
    if not isinstance(text, str):
        raise InputError(f"{what} must carry its unit, got {text!r}; write for example '500 steps', '3 epochs' or '10%'")
    try:
        length = Length.parse(text)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    if not length.parts and length.value == 0 and not zero:
        raise InputError(f"{what} must be longer than nothing, got {text!r}; leave it out instead")
    return str(length)


def number_text(value: float) -> str:
    """Return a float's shortest exact text, whole numbers without the '.0'."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


class _Parser:
    """Recursive descent over the tokens of one length."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise InputError(f"a length must be at most {_LONGEST} characters, got {len(text)}")
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error(f"unexpected {text[at:].strip()[0]!r}")
            self.tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            at = match.end()

    def error(self, problem: str) -> InputError:
        return InputError(f"{problem} in {self.text!r}; write for example '500 steps', '3 epochs' or '10%'")

    def whole(self) -> Length:
        length = self.sum(0)
        if self.tokens:
            raise self.error(f"unexpected {self.tokens[0][1]!r}")
        return length

    def next(self, kind: str, text: str = "") -> str | None:
        if self.tokens and self.tokens[0][0] == kind and text in ("", self.tokens[0][1]):
            return self.tokens.pop(0)[1]
        return None

    def sum(self, depth: int) -> Length:
        if depth > 20:
            raise self.error("too many brackets")
        if self.tokens[:1] == [("sign", "-")]:
            raise self.error("a length can't be negative: '-'")
        parts, signs = [self.term(depth)], [1]
        while sign := self.next("sign", "+") or self.next("sign", "-"):
            signs.append(1 if sign == "+" else -1)
            parts.append(self.term(depth))
        return parts[0] if len(parts) == 1 else Length("sum", parts=tuple(parts), signs=tuple(signs))

    def term(self, depth: int) -> Length:
        number = self.next("number")
        word = self.next("word")
        if number is not None:
            if word is None:
                raise self.error(f"a unit is missing after {number}")
            if word not in _PLURAL:
                raise self.error(f"unknown unit {word!r}{did_you_mean(word, UNITS.values())}")
            if not math.isfinite(float(number)):
                raise self.error(f"{number} is too large")
            return Length(_PLURAL[word], float(number))
        if word is None:
            raise self.error(
                f"a number with a unit is missing before {self.tokens[0][1]!r}"
                if self.tokens
                else "a number with a unit is missing"
            )
        if word not in _FUNCTIONS:
            raise self.error(f"expected a number, got {word!r}")
        if not self.next("sign", "("):
            raise self.error(f"{word} needs a bracket")
        parts = [self.sum(depth + 1)]
        while self.next("sign", ","):
            parts.append(self.sum(depth + 1))
        if not self.next("sign", ")"):
            raise self.error(f"{word}( is never closed")
        if (len(parts) > 1) != (word in ("max", "min")):
            raise self.error(
                f"{word} takes {'two lengths or more' if word in ('max', 'min') else 'one length'}, got {len(parts)}"
            )
        return Length(word, parts=tuple(parts))
