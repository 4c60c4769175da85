"""The way of a shape from its start to its end: what every family of `shapes` is built on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .arrays import Value
from .errors import InputError
from .fields import Level, Span
from .schedule import Curve, Frame, Schedule


class Way:
    """How much of a shape's length is done; u and v are computed when they are asked for."""

    __slots__ = ("n", "t")

    def __init__(self, t: Value, n: float) -> None:
        self.t, self.n = t, n

    @property
    def u(self) -> Value:
        """The part elapsed."""
        return self.t / self.n

    @property
    def v(self) -> Value:
        """The part that remains."""
        left = self.n - self.t
        left /= self.n
        return left


class Back(Way):
    """Another way walked from its end."""

    __slots__ = ("way",)

    def __init__(self, way: Way) -> None:
        self.way = way

    @property
    def u(self) -> Value:
        return self.way.v

    @property
    def v(self) -> Value:
        return self.way.u


class Ramp(Schedule):
    """What every shape shares: the clipped clock and the levels. Subclasses have `start`, `end`, `over` and say `rest`."""

    __slots__ = ()
    start: Level
    end: Level
    over: Span | None

    def rest(self, way: Way, xp: Any) -> Value:
        """The part of the levels' distance that remains, accurate as it vanishes."""
        raise NotImplementedError(type(self).__name__)

    def done(self, way: Way, xp: Any) -> Value:
        """The part that is done, accurate as it begins; for a symmetric shape `rest` read backwards."""
        return self.rest(Back(way), xp)

    def bind(self, frame: Frame) -> Curve:
        return self.along(frame, lambda t, n, xp: Way(t, n))

    def along(self, frame: Frame, way: Callable[[Value, float, Any], Way]) -> Curve:
        """Return the curve over whatever way is made of (time, length, namespace)."""
        n = frame.span if self.over is None else frame.ticks(self.over, f"{type(self).__name__}: over")
        if n == math.inf:
            raise InputError(f"{self!r} fills the run, and this run has no end: give --epochs or --steps, or say over='...'")
        start, end, origin = frame.level(self.start), frame.level(self.end), frame.origin
        if n <= 0:
            return Curve(lambda t, xp: xp.full(t, end), still=origin)
        value = self.between(start, end)

        def curve(t: Value, xp: Any) -> Value:
            return value(way(xp.clip(t - origin if origin else t, 0.0, n), n, xp), xp)

        begins, ends = (origin, f"{self!r} begins"), (origin + n, f"{self!r} ends")
        return Curve(curve, (begins, ends) if self.over else (begins,), still=origin + n)

    def between(self, start: float, end: float) -> Any:
        """Return the value as a function of (way, xp) for two bound levels."""
        return _from(end, start, self.rest) if abs(start) > abs(end) else _from(start, end, self.done)


def complement(u: Value, v: Value, exponent: float, xp: Any) -> Value:
    """Return 1 - v^exponent, accurate as u = 1 - v vanishes and as v does; 1 at v = 0, where the logarithm has no value."""
    logarithm = xp.where(v < 0.5, xp.log(xp.maximum(v, 1e-300)), xp.log1p(-xp.minimum(u, 0.5)))
    return xp.where(v > 0, -xp.expm1(exponent * logarithm), 1.0)


def _from(low: float, high: float, part: Any) -> Any:
    """Return low + (high - low) * part, which is low at part 0 and high at part 1, both to the last bit."""
    distance = high - low
    if low + distance == high:

        def value(way: Way, xp: Any) -> Value:
            reached = part(way, xp)
            reached *= distance  # in place, where it is an array: most of a curve's time is memory
            reached += low
            return reached

        return value
    # no float added to low gives high: take the next larger distance, and stop at high
    if distance > 0:
        distance = math.nextafter(distance, math.inf)
        return lambda way, xp: xp.minimum(low + distance * part(way, xp), high)
    distance = math.nextafter(distance, -math.inf)
    return lambda way, xp: xp.maximum(low + distance * part(way, xp), high)
