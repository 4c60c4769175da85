"""Laws: schedules that jump, follow points, or go on without an end."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from .errors import InputError
from .fields import Levels, Points, Positions, Span, text_of
from .pace import Pace
from .schedule import Curve, Frame, Schedule, Sum, family


def _positions(schedule: Schedule, positions: Positions, frame: Frame) -> list[float]:
    """Return positions as absolute ticks, refusing an order in which one could never be met."""
    name = type(schedule).__name__
    ticks = [frame.origin + frame.ticks(position, f"{name}: position") for position in positions]
    for before, after, a, b in zip(ticks, ticks[1:], positions, positions[1:], strict=False):
        if after < before:
            raise InputError(f"{name}: positions must not go back, got {a!r} = {before:g} before {b!r} = {after:g}")
    return ticks


@family
class values(Schedule):
    """Piecewise constant: each value from its position on.

    value = vs[number of positions reached]

    Args:
        vs: Levels, one more than there are positions.
        at: Positions, never going back; the new value holds from that tick on.
    Raises:
        InputError: the numbers don't match, or a position is no length.

    Example:
        >>> values([1, 0.1, 0.01], at=["8 epochs", "11 epochs"])
        values([1, 0.1, 0.01], at=["8 epochs", "11 epochs"])

    Source: Paddle PiecewiseDecay, tf PiecewiseConstantDecay (which holds the old value on the boundary itself: write
    the position one step later).
    """

    vs: Levels
    at: Positions
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if len(self.vs) != len(self.at) + 1:
            raise InputError(f"values: {len(self.at)} positions need {len(self.at) + 1} values, got {len(self.vs)}")

    def bind(self, frame: Frame) -> Curve:
        edges, levels = _positions(self, self.at, frame), [frame.level(level) for level in self.vs]
        return Curve(
            lambda t, xp: xp.pick(xp.count(t, edges), levels),
            tuple((edge, f"the value becomes {text_of(new)}") for edge, new in zip(edges, self.vs[1:], strict=True)),
        )


@family
class steps(Schedule):
    """Multiplied by gamma at each position, or once every so often.

    value = gamma^(number of positions reached)     or     gamma^floor(t / every)

    Args:
        gamma: Factor of each drop, dimensionless.
        at: Positions of the drops; the new value holds from that tick on.
        every: Length between drops, instead of `at`.
    Raises:
        InputError: neither or both of `at` and `every` are given, or one is no length.

    Example:
        >>> steps(0.1, at=["8 epochs", "11 epochs"])
        steps(0.1, at=["8 epochs", "11 epochs"])

    Source: torch MultiStepLR and StepLR. timm's multistep drops an epoch before its milestone; on a
    boundary of tf the old value still holds.
    """

    gamma: float
    at: Positions | None = None
    every: Span | None = None
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if (self.at is None) == (self.every is None):
            raise InputError("steps: give either at=[...] or every='...'")

    def bind(self, frame: Frame) -> Curve:
        gamma, base = self.gamma, frame.base
        if self.at is not None:
            edges = _positions(self, self.at, frame)
            drops = [base * gamma**count for count in range(len(edges) + 1)]
            knots = tuple((edge, _times(*[gamma] * count)) for edge, count in Counter(edges).items())
            return Curve(lambda t, xp: xp.pick(xp.count(t, edges), drops), knots)
        pace = Pace(frame, str(self.every), "steps: every")
        return Curve(
            lambda t, xp: base * xp.powers(gamma, pace.number(t, xp)),
            tuple((tick, _times(gamma)) for tick in pace.ticks()),
        )


def _times(*factors: float) -> str:
    return f"times {text_of(factors[0]) if len(factors) == 1 else f'{math.prod(factors):.12g}'}"


_TIMES = re.compile(r"times (\S+)")


def drops_together(changes: Sequence[tuple[int, str]], schedule: Schedule | None) -> Iterable[tuple[int, str]]:
    """Return what changes at which step, each once: drops of several factors at one step are one, with their whole factor.

    Args:
        changes: Steps and what happens there.
        schedule: Whose changes they are; of one that adds, drops are left as they are, for no product says what they make.
    """
    drops: dict[int, list[float]] = {}
    for step, what in changes:
        if found := _TIMES.fullmatch(what):
            drops.setdefault(step, []).append(float(found[1]))
    if schedule is None or any(isinstance(one, Sum) for one in schedule.walk()):
        return dict.fromkeys(changes)
    return dict.fromkeys((step, _times(*drops[step]) if _TIMES.fullmatch(what) else what) for step, what in changes)


@family
class decay(Schedule):
    """A constant ratio per length, without an end.

    value = gamma^(t / per)

    Args:
        gamma: Ratio over each `per`, above 0, dimensionless.
        per: Length.
    Raises:
        InputError: gamma is not above 0, or `per` is no length.

    Example:
        >>> decay(0.96, per="1 epoch")
        decay(0.96, per="1 epoch")

    Source: tf ExponentialDecay; torch ExponentialLR with gamma per tick. `staircase=True` is `steps(gamma, every=per)`.
    """

    gamma: float
    per: Span
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if self.gamma <= 0:
            raise InputError(f"decay: gamma must be above 0, got {self.gamma:g}")

    def bind(self, frame: Frame) -> Curve:
        gamma, base, pace = self.gamma, frame.base, Pace(frame, self.per, "decay: per")
        return Curve(lambda t, xp: base * gamma ** pace.elapsed(t, xp), ((frame.origin, f"{self!r} begins"),))


@family
class inverse(Schedule):
    """Inverse time, or a power of it, without an end.

    value = (1 + rate t / per)^(-power)

    Args:
        rate: Growth of the divisor over each `per`, 0 or above, dimensionless.
        per: Length.
        power: Exponent, above 0; 1 is inverse time, 0.5 the inverse square root.
    Raises:
        InputError: a number is out of its domain, or `per` is no length.

    Example:
        >>> inverse(1, per="4000 steps", power=0.5)
        inverse(1, per="4000 steps", power=0.5)

    Source: tf InverseTimeDecay, mmcv InvLrUpdater; transformers get_inverse_sqrt_schedule after its warmup, whose time goes on
    from the warmup's: that is `skip`.
    """

    rate: float
    per: Span
    power: float = 1.0
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if self.rate < 0 or self.power <= 0:
            raise InputError(f"inverse: must have rate >= 0 and power > 0, got {self.rate:g} and {self.power:g}")

    def bind(self, frame: Frame) -> Curve:
        rate, exponent, base, pace = self.rate, self.power, frame.base, Pace(frame, self.per, "inverse: per")
        return Curve(
            lambda t, xp: base / (1 + rate * pace.elapsed(t, xp)) ** exponent,
            ((frame.origin, f"{self!r} begins"),),
        )


@family
class table(Schedule):
    """Straight lines through points, held before the first and after the last.

    value = y0 + (y1 - y0) (t - x0) / (x1 - x0) between the points around t

    Args:
        points: Pairs (position, level), positions never going back; two at one position make a jump.
    Raises:
        InputError: a position goes back or is no length, or a level is not finite.

    Example:
        >>> table([["0 steps", 0], ["500 steps", 1], ["90 epochs", 0.1]])
        table([["0 steps", 0], ["500 steps", 1], ["90 epochs", 0.1]])

    Source: numpy.interp, to the last bit; ignite PiecewiseLinear.
    """

    points: Points
    positional: ClassVar[int] = 1

    def bind(self, frame: Frame) -> Curve:
        edges = _positions(self, [position for position, _ in self.points], frame)
        levels = [frame.level(level) for _, level in self.points]

        def piece(x0: float, x1: float, y0: float, y1: float) -> Any:
            slope = (y1 - y0) / (x1 - x0)  # in NumPy's order, so that it rounds as NumPy does
            return lambda t, xp: slope * (t - x0) + y0

        def held(y: float) -> Any:
            return lambda t, xp: xp.full(t, y)

        between = [
            piece(x0, x1, y0, y1) if x1 > x0 else held(y1)
            for x0, x1, y0, y1 in zip(edges, edges[1:], levels, levels[1:], strict=False)
        ]
        functions = [held(levels[0]), *between, held(levels[-1])]
        return Curve(
            lambda t, xp: xp.select(t, edges, functions),
            tuple((edge, f"a point at {text_of(level)}") for edge, (_, level) in zip(edges, self.points, strict=True)),
            still=edges[-1],
        )
