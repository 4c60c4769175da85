"""Schedules read by another clock: late, early, slower, once in a while. What frameworks do as an off-by-one is one of these."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

from .arrays import Scalar, Value
from .errors import InputError
from .fields import Position, Span
from .pace import Pace
from .plateaus import plateau
from .ramp import Ramp, Way, complement
from .schedule import Curve, Frame, Schedule, Wrapper, family


@family
class shift(Wrapper):
    """A clock that stands still for a while, and so is late from then on.

    value(t) = schedule(max(min(t, at), t - by))

    Args:
        schedule: What is read late.
        by: How long the clock stands.
        at: When it stops, from the start of the phase.
    Raises:
        InputError: `by` or `at` is no length.

    Example:
        >>> shift(per_epoch(cosine(1, 0.2)), "10 epochs", at="300 batches")
        shift(per_epoch(cosine(1, 0.2)), "10 epochs", at="300 batches")

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
class hold(Wrapper):
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

    Source: mmengine, whose cosine stops one step before its `end`, above its floor; its linear and poly reach their end there.
    """

    schedule: Schedule
    at: Position

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(frame)
        at = frame.origin + frame.ticks(self.at, "hold: at")
        knots = tuple(knot for knot in inner.knots if knot[0] <= at)
        return Curve(lambda t, xp: inner.value(xp.minimum(t, at), xp), (*knots, (at, "held from here on")))


@family
class skip(Wrapper):
    """A clock that has run already.

    value(t) = schedule(t + by)

    Args:
        schedule: What is read ahead; what it fills is longer by as much.
        by: How far its clock is ahead at the first tick.
    Raises:
        InputError: `by` is no length.

    Example:
        >>> skip(cosine(1, 0, over="100 epochs"), "40 epochs")
        skip(cosine(1, 0, over="100 epochs"), "40 epochs")

    Source: torch's last_epoch=k, which begins at k + 1. Epochs stay the run's own: the schedule's origin lies before it.
    """

    schedule: Schedule
    by: Span
    positional: ClassVar[int] = 2

    def check(self) -> None:
        if any(isinstance(one, plateau) for one in self.schedule.walk()):
            raise InputError(f"skip: a plateau has no past that could be skipped, got {self.schedule!r}")

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(self._ahead(frame))
        return Curve(inner.value, tuple(knot for knot in inner.knots if knot[0] >= frame.origin))

    def length(self, frame: Frame) -> float | None:
        ahead = self._ahead(frame)
        length = self.schedule.length(ahead)
        return None if length is None else max(length - (frame.origin - ahead.origin), 0.0)

    def _ahead(self, frame: Frame) -> Frame:
        """Return the frame that begins as much earlier."""
        by = frame.ticks(self.by, "skip: by")
        return frame.at(frame.origin - by, frame.span + by)


@family
class per_epoch(Wrapper):
    """A schedule read at the start of each epoch of the run, and held through it.

    value(t) = schedule(first tick of t's epoch)

    Args:
        schedule: What is read; where the epochs of a run's stages are not alike, its time goes by epochs.

    Example:
        >>> per_epoch(cosine(1, 0.2))
        per_epoch(cosine(1, 0.2))

    Source: every framework whose scheduler.step() is called once an epoch.
    """

    schedule: Schedule

    @property
    def tied_to_run(self) -> bool:
        return True

    def bind(self, frame: Frame) -> Curve:
        clock, origin = frame.clock, frame.origin
        clock.epoch(0.0, Scalar)  # a run that can't count epochs says so now
        if clock.by_epoch is None:
            inner = self.schedule.bind(frame)
            return Curve(lambda t, xp: inner.value(xp.maximum(clock.epoch_start(t, xp), origin), xp), inner.knots)
        start, end = clock.elapsed(origin), clock.elapsed(origin + frame.span)
        metrics = tuple(metric._replace(tick=clock.elapsed(metric.tick)) for metric in frame.metrics)
        inner = self.schedule.bind(replace(frame, clock=clock.by_epoch, origin=start, span=end - start, metrics=metrics))
        knots = tuple((clock.tick_of(epochs), what) for epochs, what in inner.knots)
        return Curve(lambda t, xp: inner.value(xp.maximum(clock.epoch(t, xp), start), xp), knots)


@family
class stairs(Wrapper):
    """A schedule read once every so often, and held in between.

    value(t) = schedule(floor(t / every) every)

    Args:
        schedule: What is read.
        every: Length between two readings.
    Raises:
        InputError: `every` is no length.

    Example:
        >>> stairs(inverse(0.5, per="100 steps"), "100 steps")
        stairs(inverse(0.5, per="100 steps"), "100 steps")

    Source: `staircase=True` of tf.keras.optimizers.schedules.
    """

    schedule: Schedule
    every: Span
    positional: ClassVar[int] = 2

    def bind(self, frame: Frame) -> Curve:
        inner, pace = self.schedule.bind(frame), Pace(frame, self.every, "stairs: every")
        return Curve(
            lambda t, xp: inner.value(pace.start(pace.number(t, xp), xp), xp),
            tuple((tick, f"read again, {self.every} later") for tick in pace.ticks()),
        )


@family
class scaled(Wrapper):
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
        if self.by > 1 and any(isinstance(one, plateau) for one in self.schedule.walk()):
            raise InputError(f"scaled: a faster clock would show a plateau what is not measured yet, got {self.schedule!r}")

    def bind(self, frame: Frame) -> Curve:
        inner = self.schedule.bind(replace(frame, speed=frame.speed * self.by))
        origin, by = frame.origin, self.by
        knots = tuple((origin + (tick - origin) / by, what) for tick, what in inner.knots)
        return Curve(lambda t, xp: inner.value(origin + (t - origin) * by, xp), knots)

    def length(self, frame: Frame) -> float | None:
        length = self.schedule.length(frame)
        return None if length is None else length / self.by


class _Warped(Way):
    """A way of which u^k is done when the part u of the time has gone by."""

    __slots__ = ("k", "xp")

    def __init__(self, t: Value, n: float, k: float, xp: Any) -> None:
        super().__init__(t, n)
        self.k, self.xp = k, xp

    @property
    def u(self) -> Value:
        return super().u ** self.k

    @property
    def v(self) -> Value:
        return complement(super().v, super().u, self.k, self.xp)


@family
class kdecay(Wrapper):
    """A shape whose way is done by a power of the time: later and steeper for k above 1.

    value(t) = shape with u^k in place of u, the part of its time that has elapsed

    Args:
        schedule: A shape such as cosine(1, 0), linear or poly.
        k: Exponent above 0, dimensionless; 1 is the shape itself.
    Raises:
        InputError: `k` is not above 0, or the schedule is no shape.

    Example:
        >>> kdecay(cosine(1, 0), 1.5)
        kdecay(cosine(1, 0), 1.5)

    Source: Zhang & Li, k-decay, 2020 (arXiv 2004.05909), eq. 6; timm's `lr_k_decay`, for its cosine and its poly.
    """

    schedule: Schedule
    k: float
    positional: ClassVar[int] = 2

    def check(self) -> None:
        if not isinstance(self.schedule, Ramp):
            raise InputError(f"kdecay: needs a shape such as cosine(1, 0), got {self.schedule!r}")
        if self.k <= 0:
            raise InputError(f"kdecay: k must be above 0, got {self.k:g}")

    def bind(self, frame: Frame) -> Curve:
        assert isinstance(self.schedule, Ramp)
        return self.schedule.along(frame, lambda t, n, xp: _Warped(t, n, self.k, xp))
