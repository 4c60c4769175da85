"""A run changed midway: what a schedule was meant for another length, and the step from which on another one counts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

from .arrays import Value
from .errors import InputError
from .fields import Position, Span
from .schedule import Clock, Curve, Frame, Schedule, Wrapper, family


class _OtherEnd:
    """A run's clock as it was when the run should end elsewhere: a part of it ("10%") and its last epoch are other ones."""

    def __init__(self, clock: Clock, origin: float, length: float) -> None:
        self.clock, self.length, self.total = clock, length, origin + length

    @property
    def starts(self) -> Any:
        return self.clock.starts

    @property
    def by_epoch(self) -> Clock | None:
        epochs = self.clock.by_epoch
        if epochs is None:
            return None
        origin = self.clock.elapsed(self.total - self.length)
        return _OtherEnd(epochs, origin, self.clock.elapsed(self.total) - origin)

    def ticks(self, value: float, unit: str, origin: float) -> float:
        return self.length * value / 100 if unit == "%" else self.clock.ticks(value, unit, origin)

    def elapsed(self, tick: float) -> float:
        return self.clock.elapsed(tick)

    def tick_of(self, epochs: float) -> float:
        return self.clock.tick_of(epochs)

    def epoch(self, t: Value, xp: Any) -> Value:
        return xp.minimum(self.clock.epoch(t, xp), math.ceil(self.clock.elapsed(self.total)) - 1.0)

    def epoch_start(self, t: Value, xp: Any) -> Value:
        return xp.minimum(self.clock.epoch_start(t, xp), self.clock.tick_of(math.ceil(self.clock.elapsed(self.total)) - 1.0))


@family
class for_run(Wrapper):
    """A schedule as it is in a run of another length: what fills the run, or is a part of it, follows that length.

    value(t) = schedule(t), where the run has the given length

    Args:
        schedule: What was meant for another run.
        run: That run's length, from the start of the phase; it is the schedule's own length in a chain, too.
        base: The base value that its levels are factors of; the group's where it isn't given.
    Raises:
        InputError: `run` is no length, or `base` is below 0.

    Example:
        >>> for_run(cosine(1, 0), "300 epochs")
        for_run(cosine(1, 0), "300 epochs")

    Source: a run that ends elsewhere than was planned. torch's scheduler brings its old T_max back with its state.
    """

    schedule: Schedule
    run: Span
    base: float | None = None
    positional: ClassVar[int] = 2

    def check(self) -> None:
        if self.base is not None and self.base < 0:
            raise InputError(f"for_run: base must be 0 or above, got {self.base:g}")

    @property
    def absolute(self) -> bool:
        return self.base is not None or self.schedule.absolute

    def bind(self, frame: Frame) -> Curve:
        length = self.length(frame)
        base = frame.base if self.base is None else self.base
        clock = _OtherEnd(frame.clock, frame.origin, length)
        return self.schedule.bind(replace(frame, clock=clock, span=length, base=base))

    def length(self, frame: Frame) -> float:
        return frame.ticks(self.run, "for_run: run")


@family
class switch(Schedule):
    """Another schedule from a step on, on the same clock: it begins in the middle, where it would be by then.

    value(t) = before(t) for t < at, after(t) from then on

    Args:
        before: What counts at first.
        after: What counts from then on.
        at: When it changes, from the start of the phase.
    Raises:
        InputError: `at` is no length.

    Example:
        >>> switch(cosine(1, 0), linear(1, 0), at="300 steps")
        switch(cosine(1, 0), linear(1, 0), at="300 steps")

    Source: a run that is resumed with another recipe. In a chain the second would begin anew; here its clock has run all along,
    and its plateaus have seen every metric.
    """

    before: Schedule
    after: Schedule
    at: Position

    def bind(self, frame: Frame) -> Curve:
        at = frame.origin + frame.ticks(self.at, "switch: at")
        before, after = self.before.bind(frame), self.after.bind(frame)
        if at <= frame.origin:
            return after
        knots = (
            *(knot for knot in before.knots if knot[0] < at),
            (at, "another schedule from here on"),
            *(knot for knot in after.knots if knot[0] > at),
        )
        return Curve(lambda t, xp: xp.select(t, [at], [before.value, after.value]), knots, max(after.still, at))

    def length(self, frame: Frame) -> float | None:
        return self.after.length(frame)
