"""timm's curves with cycles, each longer and lower than the one before, and the floor after them: cosine, polynomial and tanh.

Source: timm/scheduler/cosine_lr.py, poly_lr.py and tanh_lr.py of timm 1.0.31.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...compose import approach, between
from ...fields import Level
from ...laws import values
from ...phases import repeat
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly, sigmoid
from ...timing import kdecay
from .place import Line, Piece, Settings, joined, warmup

Shape = Callable[..., Schedule]
"""From one level to another, over a length; in cycles also told where the last drops to the second level, where it misses it."""

_MOST = 100  # cycles that differ


def cosine_lr(s: Settings, line: Line) -> Schedule:
    return _cyclic(s, line, _kdecayed(s, lambda hi, lo, over, drop: cosine(hi, lo, over=over)))


def poly_lr(s: Settings, line: Line) -> Schedule:
    exponent = s.number("power", 0.5)
    if exponent <= 0:
        raise s.refuse("power", f"is the power of the polynomial, and must be above 0; got {exponent:g}")
    return _cyclic(s, line, _kdecayed(s, lambda hi, lo, over, drop: poly(hi, lo, exponent, over=over)))


def _kdecayed(s: Settings, shape: Shape) -> Shape:
    k = s.number("k_decay", 1.0)
    if k <= 0:
        raise s.refuse("k_decay", f"must be above 0, got {k:g}")
    return shape if k == 1 else lambda hi, lo, over, drop: kdecay(shape(hi, lo, over, drop), k)


def tanh_lr(s: Settings, line: Line) -> Schedule:
    lb, ub = s.number("lb", -7.0), s.number("ub", 3.0)
    if not -150 <= lb < ub <= 150:
        raise s.refuse("lb", f"and ub must be -150 <= lb < ub <= 150, got {lb:g} and {ub:g}")

    def left(x: float) -> float:  # (1 - tanh(x)) / 2
        return 1 / (1 + math.exp(2 * x))

    def shape(hi: Level, lo: Level, over: str | None, drop: str | None) -> Schedule:
        part: Schedule = sigmoid(left(lb), left(ub), low=2 * lb, high=2 * ub, over=over)
        part = part * values([1.0, 0.0], at=[drop]) if drop else part
        return part if (hi, lo) == (1, 0) else between(lo, hi, part)

    return _cyclic(s, line, shape, part=lambda u: left(lb * (1 - u) + ub * u))


def _cyclic(s: Settings, line: Line, shape: Shape, part: Callable[[float], float] | None = None) -> Schedule:
    """Return cycles of a shape, and the floor after them.

    Args:
        shape: One cycle.
        part: How much of a cycle remains when a part of it is done, for a shape that doesn't meet its levels: it begins below the
            base value, which the constructor wrote, and a warmup leads to where it is then.
    """
    floor, cycles = s.number("lr_min", 0.0), Cycles(s, 1.0 if part else s.number("k_decay", 1.0))
    if floor < 0:
        raise s.refuse("lr_min", f"must be 0 or above, got {floor:g}")
    low = line.level(floor)
    pieces, begin, shift = warmup(s, line, prefix=False)
    if part and pieces and not shift:
        pieces = [Piece(0, _up_to(s, line, part, cycles), 0.0, s.time("warmup_t"))]
    elif part and not pieces:
        pieces, begin = [Piece(0, constant(1), 0.0)], 1
    if cycles.alike:
        every, times = line.span(cycles.length), cycles.limit

        def again(hi: Level, lo: Level, shrink: float) -> Schedule:
            return repeat(shape(hi, lo, None, every), every, shrink=shrink, times=times)

        # what a floor adds doesn't shrink with the cycles
        shrinks = floor and cycles.decay != 1
        curve = again(1, 0, cycles.decay) + again(0, low, 1) if shrinks else again(1, low, cycles.decay)
        pieces.append(Piece(begin, curve, shift, shift + cycles.length * times))
    else:
        for index in range(cycles.limit):
            origin, length = shift + cycles.start(index), cycles.length_of(index)
            drop = line.span(cycles.first(index + 1, shift) - origin) if index == cycles.limit - 1 else None
            one = shape(cycles.decay**index, low, line.span(length), drop)
            pieces.append(Piece(max(begin, cycles.first(index, shift)), one, origin, origin + length))
    end = max(begin, cycles.first(cycles.limit, shift))
    if begin <= line.end < math.inf:
        cycles.index(line.end - shift)  # timm asks once more after the last epoch, and its logarithm must bear it
    if pieces[-1].start >= end:  # else the last shape holds it
        pieces.append(Piece(end, constant(low), end))
    return joined(pieces, line)


def _up_to(s: Settings, line: Line, part: Callable[[float], float], cycles: Cycles) -> Schedule:
    """Return a warmup to where the curve is when it ends."""
    length, start, low = s.time("warmup_t"), line.level(s.number("warmup_lr_init", 0.0)), s.number("lr_min", 0.0)
    index = cycles.index(length)
    if index >= cycles.limit:
        return linear(start, line.level(low), over=line.span(length))
    remains = part((length - cycles.start(index)) / cycles.length_of(index))
    high = cycles.decay**index
    if not low:
        return linear(start, high * remains, over=line.span(length))
    return approach(between(line.level(low), high, constant(remains, over=line.span(length))), start, over=line.span(length))


class Cycles:
    """The cycles of a curve, from its own begin on; times are in the units of a line."""

    def __init__(self, s: Settings, k: float = 1.0) -> None:
        self.s, self.k = s, k
        self.length, self.decay = s.time("t_initial"), s.number("cycle_decay", 1.0)
        self.grow, self.limit = s.number("cycle_mul", 1.0), s.whole("cycle_limit", 1, least=1)
        if self.length <= 0:
            raise s.refuse("t_initial", "must be above 0, got 0")
        if self.grow <= 0:
            raise s.refuse("cycle_mul", f"must be above 0, got {self.grow:g}: timm takes the logarithm to it")
        if self.decay < 0:
            raise s.refuse("cycle_decay", f"must be 0 or above, got {self.decay:g}")
        self.alike = self.limit > 1 and self.grow == 1 and self.length == int(self.length)
        if not self.alike and (self.limit > _MOST or self.limit * math.log(max(self.grow, 1)) > 36):
            raise s.refuse("cycle_limit", f"is at most {_MOST} where cycles are not alike, in 2**53 in all; got {self.limit}")

    def start(self, index: int) -> float:
        """Return where a cycle begins."""
        if self.grow == 1:
            return self.length * index
        return _snapped(self._start(index))

    def length_of(self, index: int) -> float:
        return _snapped(self.grow**index * self.length)

    def index(self, t: float) -> int:
        """Return the number of the cycle that timm takes a time to lie in; at its begin the logarithm may say the one before."""
        if self.grow == 1:
            return int(t // self.length)
        done = self._done(t)
        if done <= 0:
            raise self.s.refuse(
                "cycle_mul", f"{self.grow:g} makes cycles that end before the run does: timm takes a logarithm of 0 there"
            )
        return math.floor(math.log(done, self.grow))

    def _done(self, t: float) -> float:
        return 1 - t / self.length * (1 - self.grow)

    def _start(self, index: int) -> float:
        return (1 - self.grow**index) / (1 - self.grow) * self.length

    def first(self, index: int, shift: float) -> int:
        """Return the first whole t that timm takes to lie in a cycle."""
        near = math.ceil(shift + self.start(index))
        if index == 0 or self._done(near - shift) <= 0:  # no run that timm bears goes on to the latter
            return near
        if self.index(near - shift) < index:
            return near + 1
        if self.grow != 1 and self.k != int(self.k) and near - shift < self._start(index):
            raise self.s.refuse("k_decay", f"{self.k:g} is the power of a time that timm rounds to below 0, at t = {near}")
        return near


def _snapped(t: float) -> float:
    """Return the whole number that was meant, where a rounding has moved it."""
    return round(t) if abs(t - round(t)) < 1e-9 else t


def cycle_length(s: Settings) -> float:
    """Return how long all cycles take, a prefix included."""
    cycles, prefix = Cycles(s), s.time("warmup_t", 0) if s.flag("warmup_prefix", False) else 0.0
    if cycles.grow == 1:
        return cycles.length * cycles.limit + prefix
    return math.floor(-cycles.length * (cycles.grow**cycles.limit - 1) / (1 - cycles.grow)) + prefix
