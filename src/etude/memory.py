"""Values that can only be found one after the other: computed once, as floats, and looked up from then on."""

from __future__ import annotations

from _thread import allocate_lock  # importing threading costs more than all the rest of this file
from array import array
from collections.abc import Callable
from typing import Any

from .arrays import Function, Scalar, Value


def remembered(value: Callable[[int, float], float], start: float, origin: float = 0.0, every: float = 1.0) -> Function:
    """Return the curve of a recursion, read at floor((t - origin) / every).

    Args:
        value: (number k, value of k - 1) -> value of k.
        start: What stands for the value before number 0.
        origin: The tick of number 0.
        every: Ticks from one number to the next.

    Every namespace reads the same floats, so that a number and an array agree to the last bit.
    """
    known = array("d")
    lock = allocate_lock()  # blocks of a table are computed by several threads

    def up_to(last: int) -> array[float]:
        with lock:
            for k in range(len(known), last + 1):
                known.append(value(k, known[-1] if k else start))
        return known

    def curve(t: Value, xp: Any) -> Value:
        number = xp.floor(xp.maximum(t - origin, 0.0) / every)
        if xp is Scalar:
            return up_to(int(number))[int(number)]
        return xp.pick(number, up_to(int(number.max()))[:])

    return curve
