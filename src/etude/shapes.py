"""Shapes: schedules that go from `start` to `end` over a length, then hold `end`.

Each is written with u = t/n, the part elapsed, and v = (n - t)/n, the part that remains, both exact at their own zero.
A shape says how far it still is from its end, `rest`, falling from 1 to 0, and how far it has come, `done`, rising from 0
to 1; each must be accurate where it is small. The value is measured from the smaller level,

    value = end + (start - end) * rest     or     start + (end - start) * done,

so that the last steps of a long run are as accurate as the first (0.5*(1+cos) is off by 5.7e-6 there), the ends are
met exactly and a shape between equal levels is that level. A new shape is one class here and one golden row.

Without `over` a shape fills what is left of its phase: the run, for a schedule alone or the last of a chain.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .arrays import Value
from .errors import InputError
from .fields import Absolute, Level, Span
from .ramp import Ramp, Way, complement
from .schedule import family


@family
class linear(Ramp):
    """A straight line.

    rest = v, done = u
    value = end + (start - end) rest = start + (end - start) done, with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on.
        over: Length such as "3 epochs"; without it, what is left of the phase.
    Raises:
        InputError: a level is not finite, or `over` is no length.

    Example:
        >>> linear(0, 1, over="500 steps")
        linear(0, 1, over="500 steps")

    Source: torch LinearLR, which multiplies step by step and so drifts by 4e-12 over a million; ours is closed.
    """

    start: Level
    end: Level
    over: Span | None = None

    def rest(self, way: Way, xp: Any) -> Value:
        return way.v


@family
class cosine(Ramp):
    """Half a cosine.

    rest = (1 + cos(pi u)) / 2 = sin(pi v / 2)^2
    value = end + (start - end) rest = start + (end - start) done, with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on; `abs(1e-6)` is a floor that every group shares.
        over: Length such as "100 epochs"; without it, what is left of the phase.
    Raises:
        InputError: a level is not finite, or `over` is no length.

    Example:
        >>> cosine(1, 0.01)
        cosine(1, 0.01)

    Source: Loshchilov & Hutter, SGDR, 2017 (arXiv 1608.03983), eq. 5. torch CosineAnnealingLR climbs again past
    T_max; ours holds (`wave` climbs). sin^2 is accurate at the tail, where 1 + cos cancels.
    """

    start: Level
    end: Level
    over: Span | None = None

    def rest(self, way: Way, xp: Any) -> Value:
        angle = way.v
        angle *= math.pi / 2
        sine = xp.sin(angle)
        sine *= sine
        return sine


@family
class exponential(Ramp):
    """A constant ratio from each tick to the next.

    value = start^v end^u = end (start / end)^v
    with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, above 0.
        end: Level from `over` on, above 0.
        over: Length such as "10 epochs"; without it, what is left of the phase.
    Raises:
        InputError: a level is not above 0, or `over` is no length.

    Example:
        >>> exponential(1, 0.001, over="10 epochs")
        exponential(1, 0.001, over="10 epochs")

    Source: fastai's annealing_exp and the lr range test (Smith 2017, arXiv 1506.01186). For a ratio per epoch without
    an end, see `decay`.
    """

    start: Level
    end: Level
    over: Span | None = None

    def check(self) -> None:
        for name, level in (("start", self.start), ("end", self.end)):
            if (level.value if isinstance(level, Absolute) else level) <= 0:
                raise InputError(f"exponential: {name} must be above 0, got {level!r}; no ratio leads to or from 0")

    def between(self, start: float, end: float) -> Any:
        low, high = sorted((start, end))
        if low <= 0:  # a base value of 0 makes it so
            return lambda way, xp: xp.full(way.t, 0.0)
        ratio = high / low
        if low * ratio < high:
            ratio = math.nextafter(ratio, math.inf)
        if start > end:
            return lambda way, xp: xp.minimum(low * ratio**way.v, high)
        return lambda way, xp: xp.minimum(low * ratio**way.u, high)


@family
class poly(Ramp):
    """The distance to the end is a power of what remains.

    rest = v^power
    value = end + (start - end) rest = start + (end - start) done, with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on.
        power: Exponent above 0; 1 is a straight line, 0.9 is usual in segmentation.
        over: Length; without it, what is left of the phase.
    Raises:
        InputError: `power` is not above 0, a level is not finite, or `over` is no length.

    Example:
        >>> poly(1, 0, 0.9)
        poly(1, 0, 0.9)

    Source: ParseNet, 2015 (arXiv 1506.04579), section 3. torch PolynomialLR ends at 0, tf and Paddle at an absolute 1e-4 unless
    told otherwise, mmengine PolyLR meets its end one step before `end`.
    """

    start: Level
    end: Level
    power: float
    over: Span | None = None
    positional: ClassVar[int] = 3

    def check(self) -> None:
        _above_zero(self, "power")

    def rest(self, way: Way, xp: Any) -> Value:
        return way.v**self.power

    def done(self, way: Way, xp: Any) -> Value:
        return complement(way.u, way.v, self.power, xp)


@family
class power(Ramp):
    """The distance from the start is a power of what has elapsed.

    done = u^power
    value = end + (start - end) rest = start + (end - start) done, with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on.
        power: Exponent above 0; 0.5 falling is the 1-sqrt cooldown, 2 rising is YOLOX's quadratic warmup.
        over: Length; without it, what is left of the phase.
    Raises:
        InputError: `power` is not above 0, a level is not finite, or `over` is no length.

    Example:
        >>> power(0, 1, 2, over="5 epochs")
        power(0, 1, 2, over="5 epochs")

    Source: 1-sqrt: Haegele et al. 2024 (arXiv 2405.18392), section 3. Quadratic warmup: YOLOX, yolox/utils/lr_scheduler.py.
    """

    start: Level
    end: Level
    power: float
    over: Span | None = None
    positional: ClassVar[int] = 3

    def check(self) -> None:
        _above_zero(self, "power")

    def rest(self, way: Way, xp: Any) -> Value:
        return complement(way.v, way.u, self.power, xp)

    def done(self, way: Way, xp: Any) -> Value:
        return way.u**self.power


@family
class rex(Ramp):
    """Slow at first, fast at the end: the reflected exponential's rational form.

    rest = 2v / (1 + v), done = u / (1 + v)
    value = end + (start - end) rest = start + (end - start) done, with u = t/over elapsed and v = 1 - u to go

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on.
        over: Length; without it, what is left of the phase.
    Raises:
        InputError: a level is not finite, or `over` is no length.

    Example:
        >>> rex(1, 0)
        rex(1, 0)

    Source: Chen, Wolfe, Kyrillidis, REX, 2021 (arXiv 2107.04197), eq. 1: v / (1/2 + v/2).
    """

    start: Level
    end: Level
    over: Span | None = None

    def rest(self, way: Way, xp: Any) -> Value:
        v = way.v
        return 2 * v / (1 + v)

    def done(self, way: Way, xp: Any) -> Value:
        return way.u / (1 + way.v)


@family
class sigmoid(Ramp):
    """A logistic curve between two of its arguments, stretched to meet both levels exactly.

    done = (s(x) - s(low)) / (s(high) - s(low)), s(x) = 1 / (1 + exp(-x)), x = low v + high u

    Args:
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        end: Level from `over` on.
        low: Argument of the logistic function at the start, -300 to 300 and below `high`.
        high: Argument at the end.
        over: Length; without it, what is left of the phase.
    Raises:
        InputError: not -300 <= low < high <= 300, a level is not finite, or `over` is no length.

    Example:
        >>> sigmoid(1, 0, low=-14, high=8)
        sigmoid(1, 0, low=-14, high=8)

    Accurate to 1e-15 times the larger of |low|/4, |high|/4 and 1: x itself is rounded.

    Source: timm TanhLRScheduler, whose (lb, ub) are half of (low, high): 1 - tanh(x) = 2 s(-2x). timm's curve misses its
    levels by s(2 lb) and s(-2 ub); ours meets them, so the same curve is written with those levels.
    """

    start: Level
    end: Level
    low: float = -6.0
    high: float = 6.0
    over: Span | None = None

    def check(self) -> None:
        if not -300 <= self.low < self.high <= 300:
            raise InputError(f"sigmoid: must have -300 <= low < high <= 300, got low={self.low:g}, high={self.high:g}")

    def _part(self, part: Value, low: float, x: Value, xp: Any) -> Value:
        # s(h) - s(x) = (1 - exp(x - h)) / (1 + exp(x)) / (1 + exp(-h)): no difference of nearly equal numbers
        width = self.high - self.low
        return xp.expm1(-width * part) / math.expm1(-width) * ((1 + math.exp(low)) / (1 + xp.exp(x)))

    def rest(self, way: Way, xp: Any) -> Value:
        return self._part(way.v, self.low, self.low * way.v + self.high * way.u, xp)

    def done(self, way: Way, xp: Any) -> Value:
        return self._part(way.u, -self.high, -(self.low * way.v + self.high * way.u), xp)


def _above_zero(schedule: Any, name: str) -> None:
    if getattr(schedule, name) <= 0:
        raise InputError(f"{type(schedule).__name__}: {name} must be above 0, got {getattr(schedule, name):g}")
