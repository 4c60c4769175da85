"""Phases and cycles: one schedule after another, each on a clock of its own."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .arrays import Value
from .errors import InputError
from .fields import Level, Span
from .pace import Pace
from .ramp import Way
from .schedule import Curve, Frame, Schedule, Schedules, families, family
from .shapes import cosine


def chain(*phases: Schedule) -> Schedule:
    """One schedule after the other, each on a clock of its own; the last fills what is left of the run.

    value(t) = phase_i(t - start_i) for start_i <= t < start_i + length_i

    Args:
        phases: Schedules; each but the last must have a length of its own (`over=`, or `phase(s, over=...)`).
            A phase whose length comes out as nothing vanishes.
    Returns:
        The schedule; a chain of one is that one, a chain in a chain is unrolled.
    Raises:
        InputError: there is no phase, or (once the run is known) a phase before the last has no length.

    Example:
        >>> chain(linear(0, 1, over="3 epochs"), cosine(1, 0.01))
        chain(linear(0, 1, over="3 epochs"), cosine(1, 0.01))

    Source: optax join_schedules, torch SequentialLR (whose nesting changes the curve; ours can't).
    """
    flat = tuple(inner for item in phases for inner in (item.phases if isinstance(item, Chain) else (item,)))
    return flat[0] if len(flat) == 1 and isinstance(flat[0], Schedule) else Chain(flat)


families["chain"] = chain


@family
class Chain(Schedule):
    """What `chain` makes of two phases or more."""

    phases: Schedules

    def bind(self, frame: Frame) -> Curve:
        start, end = frame.origin, frame.origin + frame.span
        edges: list[float] = []
        curves: list[Curve] = []
        knots: list[tuple[float, str]] = []
        for index, item in enumerate(self.phases):
            last = index == len(self.phases) - 1
            here = frame.at(start, max(end - start, 0.0))
            length = item.length(here)
            if length is None:
                if not last:
                    raise InputError(
                        f"chain: phase {index + 1} of {len(self.phases)}, {item!r}, has no length of its own; "
                        "give it over='...' or wrap it in phase(..., over='...')"
                    )
                length = here.span
            if length <= 0 and (curves or not last):
                if last:
                    knots.append((start, f"{item!r} begins"))
                continue
            if curves:
                edges.append(start)
            curves.append(item.bind(frame.at(start, length)))
            if index and all(tick != start for tick, _ in (*knots, *curves[-1].knots)):
                knots.append((start, f"phase {index + 1} of {len(self.phases)} begins"))
            start += length
            knots.extend(knot for knot in curves[-1].knots if last or knot[0] <= start)  # the rest is cut off
        functions = [curve.value for curve in curves]
        if len(curves) == 1:
            return Curve(functions[0], tuple(knots), curves[0].still)
        return Curve(lambda t, xp: xp.select(t, edges, functions), tuple(knots), max(curves[-1].still, edges[-1]))

    def length(self, frame: Frame) -> float | None:
        total = 0.0
        for item in self.phases:
            length = item.length(frame.at(frame.origin + total, max(frame.span - total, 0.0)))
            if length is None:
                return None
            total += length
        return total

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.phases))})"


@family
class repeat(Schedule):
    """Cycles of one schedule, each on a clock of its own; after the last, its last value is held.

    value(t) = shrink^c schedule(t - start_c), start_0 = 0, start_(c+1) = start_c + every grow^c

    Args:
        schedule: What a cycle holds; without a length of its own it fills the cycle.
        every: Length of the first cycle.
        grow: Factor of the cycle's length from one to the next, above 0.
        shrink: Factor of the values from one to the next.
        times: How many cycles; without it, as many as the run holds.
    Raises:
        InputError: `grow` is not above 0, or `every` is no length.

    Example:
        >>> repeat(cosine(1, 0), "10 epochs", grow=2, shrink=0.5)
        repeat(cosine(1, 0), "10 epochs", grow=2, shrink=0.5)

    Source: SGDR (arXiv 1608.03983), torch CosineAnnealingWarmRestarts (T_mult = grow); CyclicLR's triangular2 is
    shrink=0.5.
    """

    schedule: Schedule
    every: Span
    grow: float = 1.0
    shrink: float = 1.0
    times: int | None = None

    def check(self) -> None:
        if self.grow <= 0:
            raise InputError(f"repeat: grow must be above 0, got {self.grow:g}")

    def bind(self, frame: Frame) -> Curve:
        n = frame.ticks(self.every, "repeat: every")
        if n < _SHORTEST:
            raise InputError(f"repeat: every must be longer than nothing, got {self.every!r} = {n:g} ticks in this run")
        starts, lengths = self._cycles(frame, n)
        if not starts:
            return self._endless(frame, n)
        curves = [self.schedule.bind(frame.at(start, length)) for start, length in zip(starts, lengths, strict=True)]
        cycles = [_times(curve.value, self.shrink**index) for index, curve in enumerate(curves)]
        edges, end = starts[1:], starts[-1] + lengths[-1]
        knots = tuple((start, f"cycle {index + 1} begins") for index, start in enumerate(starts))
        return Curve(lambda t, xp: xp.select(xp.minimum(t, end), edges, cycles), knots)

    def _cycles(self, frame: Frame, n: float) -> tuple[list[float], list[float]]:
        """Return starts and lengths of the cycles; none where they are too many to list, and equal."""
        end = frame.origin + frame.span * frame.speed
        starts: list[float] = []
        lengths: list[float] = []
        start, length = frame.origin, n
        while start < end and len(starts) < (self.times or math.inf) and length >= _SHORTEST:
            if len(starts) == _LISTED:
                if self.grow == 1 and not self.schedule.tied_to_run and Pace(frame, self.every, "repeat: every").alike:
                    return [], []
                raise InputError(f"{self!r} would hold more than {_LISTED} cycles in this run, and not all alike")
            starts.append(start)
            # each cycle is measured where it begins: epochs may be longer in a later stage of the run
            length = frame.at(start, math.inf).ticks(self.every, "repeat: every") * self.grow ** len(lengths)
            lengths.append(length)
            start += length
        return (starts, lengths) if starts else ([frame.origin], [n])

    def _endless(self, frame: Frame, n: float) -> Curve:
        """Equal cycles beyond listing: one curve, read at the remainder of the time."""
        cycle, origin, last = self.schedule.bind(frame.at(frame.origin, n)).value, frame.origin, (self.times or math.inf) - 1
        shrink = self.shrink

        def curve(t: Value, xp: Any) -> Value:
            count = xp.minimum(xp.floor(xp.maximum(t - origin, 0.0) / n), last)
            return cycle(t - count * n, xp.unordered()) * shrink**count

        return Curve(curve, ((origin, f"{self!r} begins"),))

    def length(self, frame: Frame) -> float | None:
        if self.times is None:
            return None
        starts, lengths = self._cycles(frame.at(frame.origin, math.inf), frame.ticks(self.every, "repeat: every"))
        return sum(lengths) if starts else frame.ticks(self.every, "repeat: every") * self.times


_LISTED = 10_000
_SHORTEST = 1e-6  # ticks; cycles that shrink away end there


def _times(function: Any, factor: float) -> Any:
    return function if factor == 1 else lambda t, xp: function(t, xp) * factor


@family
class phase(Schedule):
    """Any schedule with a length, so that others may follow it in a chain.

    value(t) = schedule(t), over the length

    Args:
        schedule: What the phase holds.
        over: Its length.

    Example:
        >>> chain(phase(steps(0.1, every="10 epochs"), over="50 epochs"), constant(0.001))
        chain(phase(steps(0.1, every="10 epochs"), over="50 epochs"), constant(0.001))

    Source: optax join_schedules' boundaries, torch SequentialLR's milestones: there a length is the chain's, here the phase's.
    """

    schedule: Schedule
    over: Span
    positional: ClassVar[int] = 1

    def bind(self, frame: Frame) -> Curve:
        return self.schedule.bind(frame.at(frame.origin, frame.ticks(self.over, "phase: over")))


@family
class wave(Schedule):
    """The cosine there and back, without an end.

    value = end + (start - end) * (1 + cos(pi t / half)) / 2

    Args:
        start: Level at the first tick and after every second half.
        end: Level at the turning points between.
        half: Length of one way.
    Raises:
        InputError: a level is not finite, or `half` is no length.

    Example:
        >>> wave(1, 0, half="20 epochs")
        wave(1, 0, half="20 epochs")

    Source: torch CosineAnnealingLR past T_max = `half`.
    """

    start: Level
    end: Level
    half: Span

    def bind(self, frame: Frame) -> Curve:
        origin, pace = frame.origin, Pace(frame, self.half, "wave: half")
        n = pace.lengths[0]
        value = cosine(0, 0).between(frame.level(self.start), frame.level(self.end))

        def curve(t: Value, xp: Any) -> Value:
            t = xp.maximum(t - origin, 0.0) if pace.alike else pace.elapsed(t, xp) * n
            t = t - xp.floor(t / (2 * n)) * (2 * n)
            return value(Way(xp.maximum(xp.minimum(t, 2 * n - t), 0.0), n), xp)

        return Curve(curve, ((origin, f"{self!r} begins"),))
