"""Schedules that move one value in place, one after the other at each step, as chained schedulers of torch and mmengine do."""

from __future__ import annotations

from typing import ClassVar

from .arrays import Scalar
from .errors import InputError
from .fields import Absolute, Levels, Span
from .memory import Beat, remembered
from .schedule import Curve, Frame, Schedule, Schedules, family, longest


@family
class fold(Schedule):
    """Factors that each move the same value in place, toward or away from a floor of their own.

    The k-th time, for each piece g with its floor m in turn:
        x <- m + (x - m) g(k) / g(k - 1), where g(-1) = 1
        x <- x + (base - m) g(k)          where g(k - 1) = 0: what has come down to its floor rises anew
        x <- m, or x itself without m     where both are 0: it stays there, or acts no more
    Without floors this is the product of the pieces; with one, it is neither product nor sequence.

    Args:
        pieces: Schedules that are pure factors, in the order in which they act.
        floors: A level for each piece, 0 for all by default.
        on: What is moved each time; the value of the time before by default.
        every: How often the pieces act; at each tick by default.
    Raises:
        InputError: the numbers don't match, or a piece holds `abs(...)`.

    Example:
        >>> fold([linear(0.1, 1, over="5 steps"), wave(1, 0, half="40 steps")], floors=[0, 0.01])
        fold([linear(0.1, 1, over="5 steps"), wave(1, 0, half="40 steps")], floors=[0, 0.01])

    The value of step k is found by way of all before it, which are kept: the first look at step k takes k evaluations.

    Source: torch ChainedScheduler over a CosineAnnealingLR with eta_min; mmengine's overlapping param_schedulers.
    """

    pieces: Schedules
    floors: Levels | None = None
    on: Schedule | None = None
    every: Span | None = None
    positional: ClassVar[int] = 1

    def check(self) -> None:
        for piece in self.pieces:
            if piece.absolute:
                raise InputError(f"fold: pieces must be pure factors, got abs(...) in {piece!r}; a floor goes to floors=[...]")
        if self.floors is not None and len(self.floors) != len(self.pieces):
            raise InputError(f"fold: {len(self.pieces)} pieces need {len(self.pieces)} floors, got {len(self.floors)}")

    @property
    def tied_to_run(self) -> bool:
        return self.every == "1 epoch" or any(inner.tied_to_run for inner in self.inner())

    @property
    def absolute(self) -> bool:
        return any(isinstance(floor, Absolute) for floor in self.floors or ()) or (self.on is not None and self.on.absolute)

    def bind(self, frame: Frame) -> Curve:
        curves = [piece.bind(frame.unit()) for piece in self.pieces]
        floors = [frame.level(floor) for floor in self.floors or (0.0,) * len(curves)]
        on = None if self.on is None else self.on.bind(frame)
        base, factors, beat = frame.base, [1.0] * len(curves), Beat(frame, self.every, "fold")

        def value(k: int, x: float) -> float:
            t = beat.tick(k)
            if on is not None:
                x = float(on.value(t, Scalar))
            for index, (curve, floor) in enumerate(zip(curves, floors, strict=True)):
                before, factor = factors[index], float(curve.value(t, Scalar))
                factors[index] = factor
                if before:
                    x = x if factor == before else floor + (x - floor) * (factor / before)  # at rest no digit is lost
                elif factor:
                    x += (base - floor) * factor
                else:
                    x = floor or x
            return x

        knots = tuple(knot for curve in [*curves, *([on] if on else [])] for knot in curve.knots)
        return Curve(remembered(value, base, beat), knots)

    def length(self, frame: Frame) -> float | None:
        return longest(tuple(self.inner()), frame)
