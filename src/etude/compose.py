"""Schedules around schedules: values combined. What a framework does as a special case of a scheduler (a moving warmup, a
floor) is one of these around another; clocks are changed in `timing`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .arrays import Value
from .errors import InputError
from .fields import Level, Span, text_of
from .schedule import Curve, Frame, Schedule, Wrapper, family


@family
class between(Schedule):
    """From one level to another as far as a factor says.

    value = lo + (hi - lo) schedule(t)

    Args:
        lo: Level where the schedule is 0.
        hi: Level where it is 1.
        schedule: A pure factor.
    Raises:
        InputError: the schedule holds `abs(...)`, or a level is not finite.

    Example:
        >>> between(0.1, 1, repeat(linear(0, 1), "250 steps"))
        between(0.1, 1, repeat(linear(0, 1), "250 steps"))

    Source: torch CyclicLR's base_lr and max_lr, which are absolute: here `abs(x)`.
    """

    lo: Level
    hi: Level
    schedule: Schedule
    positional: ClassVar[int] = 3

    def check(self) -> None:
        if self.schedule.absolute:
            raise InputError(f"between: the schedule must be a pure factor, got abs(...) in {self.schedule!r}")

    def bind(self, frame: Frame) -> Curve:
        lo, hi, inner = frame.level(self.lo), frame.level(self.hi), self.schedule.bind(frame.unit())

        def curve(t: Value, xp: Any) -> Value:
            part = inner.value(t, xp)
            return lo * (1 - part) + hi * part

        return Curve(curve, inner.knots)

    def length(self, frame: Frame) -> float | None:
        return self.schedule.length(frame)


@family
class clip(Wrapper):
    """Values kept between two levels.

    value = min(max(schedule(t), lo), hi)

    Args:
        schedule: What is kept.
        lo: Lowest level, a factor of the base value or `abs(x)`.
        hi: Highest level.
    Raises:
        InputError: neither is given, or one is not finite.

    Example:
        >>> clip(decay(0.9, per="1 epoch"), lo=0.01)
        clip(decay(0.9, per="1 epoch"), lo=0.01)

    Source: optax exponential_decay's end_value; mmcv's min_lr. Theirs are absolute: here `abs(x)`.
    """

    schedule: Schedule
    lo: Level | None = None
    hi: Level | None = None

    def check(self) -> None:
        if self.lo is None and self.hi is None:
            raise InputError("clip: give lo=..., hi=... or both")
        if isinstance(self.lo, float) and isinstance(self.hi, float) and self.lo > self.hi:
            raise InputError(f"clip: lo must not be above hi, got lo={self.lo:g}, hi={self.hi:g}")

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame)
        lo = -math.inf if self.lo is None else frame.level(self.lo)
        hi = math.inf if self.hi is None else frame.level(self.hi)
        if lo > hi:
            raise InputError(f"{self!r}: lo must not be above hi, got {lo:g} and {hi:g} for the base value {frame.base:g}")
        return Curve(lambda t, xp: xp.minimum(xp.maximum(inner.value(t, xp), lo), hi), inner.knots, inner.still)


@family
class rounded(Wrapper):
    """Factors rounded to whole numbers, half to even: an accumulation that warms up.

    value = base round(factor), or round(value) where the schedule holds `abs(...)`

    Args:
        schedule: What is rounded.

    Example:
        >>> rounded(linear(1, 4, over="1000 batches"))
        rounded(linear(1, 4, over="1000 batches"))

    Source: YOLOv5's accumulate, max(1, np.interp(ni, [0, nw], [1, nbs / batch_size]).round()).
    """

    schedule: Schedule

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame if self.schedule.absolute else frame.unit())
        factor = 1.0 if self.schedule.absolute else frame.base
        return Curve(lambda t, xp: factor * xp.rint(inner.value(t, xp)), inner.knots, inner.still)


@family
class approach(Schedule):
    """A straight blend from a level onto a target that may itself move.

    value(t) = start (1 - u) + target(t) u, u = t / over, then target(t)

    Args:
        target: The schedule that is reached.
        start: Level at the first tick, a factor of the base value or `abs(x)`.
        over: Length of the blend.
    Raises:
        InputError: the level is not finite, or `over` is no length.

    Example:
        >>> approach(cosine(1, 0.2), 0, over="1000 batches")
        approach(cosine(1, 0.2), 0, over="1000 batches")

    Source: YOLOv5's warmup, np.interp(ni, [0, nw], [start, initial_lr * lf(epoch)]), whose end moves each epoch.
    """

    target: Schedule
    start: Level
    over: Span

    def bind(self, frame: Frame) -> Curve:
        inner, start, origin = self.target.bind(frame), frame.level(self.start), frame.origin
        n = frame.ticks(self.over, "approach: over")
        if n <= 0:
            return inner

        def curve(t: Value, xp: Any) -> Value:
            t_in = xp.clip(t - origin, 0.0, n)
            return start * ((n - t_in) / n) + inner.value(t, xp) * (t_in / n)

        begins, ends = (origin, f"warmup from {text_of(self.start)} begins"), (origin + n, "warmup ends")
        return Curve(curve, (begins, ends, *inner.knots))

    def length(self, frame: Frame) -> float | None:
        return self.target.length(frame)
