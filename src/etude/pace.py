"""Equal lengths one after the other, counted: each is measured where it begins, as an epoch may be shorter in a later stage."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from .arrays import Scalar, Value
from .errors import InputError
from .schedule import Frame

_MOST = 100_000  # lengths that may differ; from the run's last stage on they are all alike
_TOLD = 1_000  # more would tell nobody anything


class Pace:
    """How often a length has gone by, from a frame's origin on.

    Args:
        frame: The frame; number 0 begins at its origin.
        length: The length, such as "2 epochs".
        what: Whose length it is, for messages: "steps: every".
    """

    def __init__(self, frame: Frame, length: str, what: str) -> None:
        def measured(start: float) -> float:
            ticks = frame.at(start, frame.span).ticks(length, what)
            if ticks <= 0:
                raise InputError(f"{what} must be longer than nothing, got {length!r} = 0 ticks in this run")
            return ticks

        self.total = frame.clock.total
        self.starts, self.lengths = [frame.origin], [measured(frame.origin)]
        later = [start for start in frame.clock.starts if start > frame.origin]
        if all(measured(start) == self.lengths[0] for start in later):
            return  # as in every run without stages
        while self.starts[-1] < later[-1]:
            if len(self.starts) == _MOST:
                raise InputError(f"{what}: more than {_MOST} of {length!r} before the run's last stage, and not all alike")
            self.starts.append(self.starts[-1] + self.lengths[-1])
            self.lengths.append(measured(self.starts[-1]))

    @property
    def alike(self) -> bool:
        """Whether every length is as long as the first."""
        return len(self.starts) == 1

    def elapsed(self, t: Value, xp: Any) -> Value:
        """Return how many lengths have gone by at a tick, with the part of the one that it lies in; 0 before the origin."""
        t = xp.maximum(t, self.starts[0])
        if self.alike:
            return (t - self.starts[0]) / self.lengths[0]
        whole = xp.count(t, self.starts[1:])
        return whole + (t - xp.pick(whole, self.starts)) / xp.pick(whole, self.lengths)

    def number(self, t: Value, xp: Any) -> Value:
        """Return how many whole lengths have gone by at a tick."""
        return xp.floor(self.elapsed(t, xp))

    def start(self, number: Value, xp: Any) -> Value:
        """Return the tick at which a length of this number begins."""
        if self.alike:
            return self.starts[0] + number * self.lengths[0]
        listed = xp.minimum(number, len(self.starts) - 1.0)
        return xp.pick(listed, self.starts) + (number - listed) * self.lengths[-1]

    def ticks(self) -> Iterator[float]:
        """Yield the ticks inside the run at which a length begins, after the first."""
        yield from takewhile(lambda tick: tick < self.total, (self.start(float(index), Scalar) for index in range(1, _TOLD)))
