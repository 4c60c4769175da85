"""Values that can only be found one after the other: computed once, as floats, and looked up from then on."""

from __future__ import annotations

from _thread import allocate_lock  # importing threading costs more than all the rest of this file
from array import array
from collections.abc import Callable
from typing import Any

from .arrays import Function, Scalar, Value
from .errors import InputError
from .pace import Pace
from .schedule import Frame

_MOST = 10_000_000  # a few seconds


class Beat:
    """When the values of a recursion are made: at every tick of a frame, at every epoch of the run, or every so often.

    Args:
        frame: The frame; number 0 is at its origin.
        every: Length from one to the next; a tick where there is none. "1 epoch" follows the run's own epochs.
        what: The family, for messages.
    """

    def __init__(self, frame: Frame, every: str | None, what: str) -> None:
        self.clock, self.origin, self.by_epoch = frame.clock, frame.origin, every == "1 epoch"
        self.pace = None if every is None or self.by_epoch else Pace(frame, every, f"{what}: every")
        if self.by_epoch:
            self.first = self.clock.epoch(self.origin, Scalar)
            self.start = self.clock.epoch_start(self.origin, Scalar)

    def number(self, t: Value, xp: Any) -> Value:
        """Return the number of the value in force at a tick."""
        t = xp.maximum(t, self.origin)
        if self.by_epoch:
            return self.clock.epoch(t, xp) - self.first
        return self.pace.number(t, xp) if self.pace else xp.floor(t - self.origin)

    def tick(self, number: int) -> float:
        """Return the tick at which a value is made."""
        if self.by_epoch and number:
            return float(self.start + self.clock.ticks(number, "epochs", self.start))
        return float(self.pace.start(float(number), Scalar)) if self.pace else self.origin + number


def remembered(value: Callable[[int, float], float], start: float, beat: Beat) -> Function:
    """Return the curve of a recursion.

    Args:
        value: (number k, value of k - 1) -> value of k.
        start: What stands for the value before number 0.
        beat: When they are made.

    Every namespace reads the same floats, so that a number and an array agree to the last bit.
    """
    known = array("d")
    lock = allocate_lock()  # blocks of a table are computed by several threads

    def up_to(last: int) -> array[float]:
        if last >= _MOST:
            raise InputError(f"each value is made from the one before: at most {_MOST} of them are, and {last + 1} are asked for")
        with lock:
            for k in range(len(known), last + 1):
                known.append(value(k, known[-1] if k else start))
        return known

    def curve(t: Value, xp: Any) -> Value:
        number = beat.number(t, xp)
        if xp is Scalar:
            return up_to(int(number))[int(number)]
        return xp.pick(number, up_to(xp.largest(number))[:])

    return curve
