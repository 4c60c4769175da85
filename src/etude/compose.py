"""Schedules around schedules: values combined, and clocks changed. What a framework does as a special case of a scheduler
(a moving warmup, a floor, an epoch's lag) is one of these around another.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

from .arrays import Scalar, Value
from .errors import InputError
from .fields import Level, Position, Span, text_of
from .schedule import Curve, Frame, Schedule, family


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
        >>> between(0.1, 1, repeat(linear(0, 1), "2000 steps"))
        between(0.1, 1, repeat(linear(0, 1), "2000 steps"))

    Source: torch CyclicLR's base_lr and max_lr.
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


class _Wrapper(Schedule):
    """A schedule around one other, as long as that one."""

    __slots__ = ()
    positional: ClassVar[int] = 1
    schedule: Schedule

    def length(self, frame: Frame) -> float | None:
        return self.schedule.length(frame)


@family
class clip(_Wrapper):
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
        return Curve(lambda t, xp: xp.minimum(xp.maximum(inner.value(t, xp), lo), hi), inner.knots)


@family
class rounded(_Wrapper):
    """Factors rounded to whole numbers, half to even: an accumulation that warms up.

    value = base round(factor), or round(value) where the schedule holds `abs(...)`

    Example:
        >>> rounded(linear(1, 4, over="1000 batches"))
        rounded(linear(1, 4, over="1000 batches"))
    """

    schedule: Schedule

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame if self.schedule.absolute else frame.unit())
        factor = 1.0 if self.schedule.absolute else frame.base
        return Curve(lambda t, xp: factor * xp.rint(inner.value(t, xp)), inner.knots)


@family
class shift(_Wrapper):
    """A clock that stands still for a while, and so is late from then on.

    value(t) = schedule(max(min(t, at), t - by))

    Args:
        schedule: What is read late.
        by: How long the clock stands.
        at: When it stops, from the start of the phase.
    Raises:
        InputError: `by` or `at` is no length.

    Example:
        >>> shift(per_epoch(cosine(1, 0.2)), "1 epoch", at="1000 batches")
        shift(per_epoch(cosine(1, 0.2)), "1 epoch", at="1000 batches")

    Source: YOLOv5's train.py, `scheduler.last_epoch = start_epoch - 1`: the epoch in which the warmup ends is trained
    twice by the clock, and every later one reads the epoch before.
    """

    schedule: Schedule
    by: Span
    at: Position = "0 steps"
    positional: ClassVar[int] = 2

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame)
        at, by = self._standstill(frame)
        knots = tuple((tick if tick <= at else tick + by, what) for tick, what in inner.knots)
        return Curve(
            lambda t, xp: inner.value(xp.maximum(xp.minimum(t, at), t - by), xp),
            (*knots, (at, f"the clock stands still for {self.by}")),
        )

    def length(self, frame: Frame) -> float | None:
        length = self.schedule.length(frame)
        return None if length is None else length + self._standstill(frame)[1]

    def _standstill(self, frame: Frame) -> tuple[float, float]:
        """Return the tick at which the clock stops, and for how many."""
        at = frame.origin + frame.ticks(self.at, "shift: at")
        return at, frame.at(at, math.inf).ticks(self.by, "shift: by")


@family
class hold(_Wrapper):
    """A clock that stops for good.

    value(t) = schedule(min(t, at))

    Args:
        schedule: What is held.
        at: When the clock stops, from the start of the phase.
    Raises:
        InputError: `at` is no length.

    Example:
        >>> hold(cosine(1, 0, over="12 epochs"), at="12 epochs - 1 step")
        hold(cosine(1, 0, over="12 epochs"), at="12 epochs - 1 step")

    Source: mmengine, whose schedulers stop one step before their `end`.
    """

    schedule: Schedule
    at: Position

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame)
        at = frame.origin + frame.ticks(self.at, "hold: at")
        knots = tuple(knot for knot in inner.knots if knot[0] <= at)
        return Curve(lambda t, xp: inner.value(xp.minimum(t, at), xp), (*knots, (at, "held from here on")))


@family
class per_epoch(_Wrapper):
    """A schedule read at the start of each epoch of the run, and held through it.

    value(t) = schedule(first tick of t's epoch)

    Example:
        >>> per_epoch(cosine(1, 0.2))
        per_epoch(cosine(1, 0.2))

    Source: every framework whose scheduler.step() is called once an epoch.
    """

    schedule: Schedule

    @property
    def counts_epochs(self) -> bool:
        return True

    def bind(self, frame: Frame) -> Curve:
        inner, clock, origin = self.schedule.bind(frame), frame.clock, frame.origin
        clock.epoch(0.0, Scalar)  # a run that can't count epochs says so now
        return Curve(lambda t, xp: inner.value(xp.maximum(clock.epoch_start(t, xp), origin), xp), inner.knots)


@family
class scaled(_Wrapper):
    """A clock that runs faster or slower.

    value(t) = schedule(by t)

    Args:
        schedule: What is read.
        by: Speed, above 0, dimensionless.
    Raises:
        InputError: `by` is not above 0.

    Example:
        >>> scaled(cosine(1, 0), 4)
        scaled(cosine(1, 0), 4)

    Source: Accelerate's prepared scheduler, which ticks once a process for one update. The schedule still fills the
    run by its own clock, so a cosine read 4 times as fast ends after a quarter of it.
    """

    schedule: Schedule
    by: float
    positional: ClassVar[int] = 2

    def check(self) -> None:
        if self.by <= 0:
            raise InputError(f"scaled: by must be above 0, got {self.by:g}")

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(replace(frame, speed=frame.speed * self.by))
        origin, by = frame.origin, self.by
        knots = tuple((origin + (tick - origin) / by, what) for tick, what in inner.knots)
        return Curve(lambda t, xp: inner.value(origin + (t - origin) * by, xp), knots)

    def length(self, frame: Frame) -> float | None:
        length = self.schedule.length(frame)
        return None if length is None else length / self.by


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
