"""A run changed midway: what a schedule was meant for another run, and the step from which on another one counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from .arrays import Value
from .errors import InputError
from .fields import Position, Stages
from .schedule import Clock, Curve, Frame, Schedule, Wrapper, family, fields_of


class _Begun:
    """A clock that begins at a tick of another one."""

    def __init__(self, clock: Clock, begin: float) -> None:
        self.clock, self.begin, self.total = clock, begin, begin + clock.total
        self.starts = [begin + start for start in clock.starts]
        self.of = clock.of

    @property
    def by_epoch(self) -> Clock | None:
        return self.clock.by_epoch

    def ticks(self, value: float, unit: str, origin: float) -> float:
        return self.clock.ticks(value, unit, origin - self.begin)

    def elapsed(self, tick: float) -> float:
        return self.clock.elapsed(tick - self.begin)

    def tick_of(self, epochs: float) -> float:
        return self.begin + self.clock.tick_of(epochs)

    def epoch(self, t: Value, xp: Any) -> Value:
        return self.clock.epoch(t - self.begin, xp)

    def epoch_start(self, t: Value, xp: Any) -> Value:
        return self.begin + self.clock.epoch_start(t - self.begin, xp)


@family
class for_run(Wrapper):
    """A schedule as it is in another run: what fills the run, is a part of it, or counts its epochs follows that one.

    value(t) = schedule(t), in a run of these facts

    Args:
        schedule: What was meant for another run.
        steps, epochs: That run's length; it is the schedule's own length in a chain, too.
        samples, batch_size, devices, accumulate, drop_last, steps_per_epoch, tokens_per_sample: Its other facts; this run's
            where they aren't given.
        stages: Its stages, a list of [epochs, batch size, accumulation].
        base: The base value that its levels are factors of; the group's where it isn't given.
    Raises:
        InputError: the facts make no run, or `base` is below 0.

    Example:
        >>> for_run(cosine(1, 0), epochs=300)
        for_run(cosine(1, 0), epochs=300)

    Source: a run that ends elsewhere than was planned. torch's scheduler brings its old T_max back with its state.
    """

    schedule: Schedule
    steps: int | None = None
    epochs: float | None = None
    samples: int | None = None
    batch_size: int | None = None
    devices: int | None = None
    accumulate: int | None = None
    drop_last: bool | None = None
    steps_per_epoch: int | None = None
    tokens_per_sample: int | None = None
    stages: Stages | None = None
    base: float | None = None
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if self.base is not None and self.base < 0:
            raise InputError(f"for_run: base must be 0 or above, got {self.base:g}")

    @property
    def absolute(self) -> bool:
        return self.base is not None or self.schedule.absolute

    def bind(self, frame: Frame) -> Curve:
        clock = self._clock(frame)
        base = frame.base if self.base is None else self.base
        return self.schedule.bind(replace(frame, clock=clock, span=clock.total - frame.origin, base=base))

    def length(self, frame: Frame) -> float:
        return self._clock(frame).total - frame.origin

    def _clock(self, frame: Frame) -> Clock:
        """Return the other run's clock, as it begins with this frame."""
        names = [field.name for field in fields_of(self) if field.name not in ("schedule", "base")]
        clock = frame.clock.of({name: fact for name in names if (fact := getattr(self, name)) is not None})
        return _Begun(clock, frame.origin) if frame.origin else clock


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
