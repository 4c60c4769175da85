"""What each scheduler of timm does to the learning rate of one group, as a schedule of its t.

All share a warmup that overrides the curve while t < warmup_t; a curve that is no prefix's has gone on meanwhile, so that the
value jumps onto it. The constructor writes the base value or warmup_lr_init, so that f(0) is never used.

Source: timm/scheduler/*.py of timm 1.0.31.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...compose import between, clip
from ...errors import MissingFactError
from ...fields import Absolute, Level
from ...laws import inverse, steps
from ...phases import chain
from ...plateaus import plateau
from ...schedule import Schedule, constant
from ...shapes import cosine, exponential, linear, power
from .cycles import Shape, cosine_lr, poly_lr, tanh_lr
from .place import Line, Piece, Settings, joined, warmup

_MOST = 100  # drops that are listed
_CHECKED = 100_000  # drops, some tenths of a second


def step_lr(s: Settings, line: Line) -> Schedule:
    every, rate = s.time("decay_t"), _rate(s)
    if every <= 0:
        raise s.refuse("decay_t", "must be above 0, got 0")
    return _flat(s, line, lambda shift: _drops(s, line, every, rate, line.end - shift))


def _drops(s: Settings, line: Line, every: float, rate: float, length: float) -> Schedule:
    """Return a drop every so often; t // every is exact where a quotient is rounded, and so a drop may come a t later."""
    if rate == 1:
        return constant(1)
    if every == int(every):
        return steps(rate, every=line.span(every))
    if length == math.inf:
        raise MissingFactError(f"{s.a.name}: {s.key('decay_t')} {every:g} has drops that follow from the run: give --epochs")
    drops = math.ceil(length / every)
    if drops > _CHECKED:
        raise s.refuse("decay_t", f"{every:g} makes {drops} drops, of which {_CHECKED} can be checked: give a whole number")
    at = [_reached(index, every) for index in range(1, drops + 1)]
    if all(math.floor(t / every) == t // every for whole in at for t in (whole - 1, whole)):
        return steps(rate, every=line.span(every))
    if drops > _MOST:
        raise s.refuse("decay_t", f"{every:g} makes {drops} drops, of which {_MOST} can be listed: give a whole number")
    return steps(rate, at=[line.span(t) for t in at])


def _reached(drop: int, every: float) -> int:
    """Return the first t that has so many drops behind it."""
    near = math.floor(drop * every)
    return near if near // every >= drop else near + 1


def multi_step_lr(s: Settings, line: Line) -> Schedule:
    """Drops one t before each milestone, but never at the constructor's own value."""
    milestones, rate = s.numbers("milestones" if s.words else "decay_t"), _rate(s)
    if sorted(milestones) != milestones:
        raise s.refuse("milestones" if s.words else "decay_t", f"must be increasing, got {milestones}")
    unwarmed = not s.time("warmup_t", 0)

    def at(milestone: float) -> str:
        if line.unit == "epochs" and line.tick == "1 step":
            before = f"{line.span(milestone)} - 1 step"
            if milestone > 1 or not unwarmed:
                return before if milestone > 0 else "0 steps"
            return f"max({before}, 1 step)" if milestone == 1 else "1 step"
        return line.span(max(math.ceil(milestone * s.per - 1), 1 if unwarmed else 0))

    return _flat(s, line, lambda shift: steps(rate, at=list(map(at, milestones))) if milestones and rate != 1 else constant(1))


def _rate(s: Settings) -> float:
    rate = s.number("decay_rate", 1.0)
    if rate < 0:
        raise s.refuse("decay_rate", f"must be 0 or above, got {rate:g}")
    return rate


def _flat(s: Settings, line: Line, curve: Callable[[float], Schedule]) -> Schedule:
    pieces, begin, shift = warmup(s, line, prefix=True)
    return joined([*pieces, Piece(begin, curve(shift), shift)], line)


def plateau_lr(s: Settings, line: Line) -> Schedule:
    """torch's ReduceLROnPlateau after a warmup in which nothing is measured; its floor is no group's own."""
    rate, floor = s.number("decay_rate", 0.1), s.number("lr_min", 0.0)
    if not 0 <= rate < 1:
        raise s.refuse("decay_rate", f"must be at least 0 and below 1, got {rate:g}: torch's plateau refuses it")
    mode = s.word("mode", ("min", "max"), "max")
    rule = plateau(
        rate,
        patience=s.whole("patience_t", 10),
        mode=mode,
        rel=s.number("threshold", 1e-4),
        cooldown=s.whole("cooldown_t", 0),
        floor=Absolute(floor) if floor else 0.0,
        eps=Absolute(1e-8),
        metric=s.take("metric", "loss" if mode == "min" else "top1") or "top1",
    )
    length, start = s.time("warmup_t", 0), line.level(s.number("warmup_lr_init", 0.0))
    if length != int(length):
        raise s.refuse("warmup_t", f"must be a whole number for a plateau, got {length:g}: it goes on from where a warmup stops")
    pieces = [Piece(0, linear(start, 1, over=line.span(length)), 0.0, length)] if length else []
    return joined([*pieces, Piece(length, rule, length)], line)


def wsd_lr(s: Settings, line: Line) -> Schedule:
    """Warmup, a stable phase, and a decay to the floor, which nothing falls below."""
    warm, length, falls, floor = s.time("warmup_t", 0), s.time("t_initial"), s.time("decay_t"), s.number("lr_min", 0.0)
    start = line.level(s.number("warmup_lr_init", 0.0))
    if floor < 0:
        raise s.refuse("lr_min", f"must be 0 or above, got {floor:g}")
    if not 0 < falls <= length:
        raise s.refuse("decay_t", f"must be above 0 and at most the {length:g} that follow the warmup, got {falls:g}")
    stable, fall = _stable(s, line, warm), _fall(s)
    pieces = [Piece(0, linear(start, 1, over=line.span(warm)), 0.0, warm)] if warm else []
    begin, turn, low = math.ceil(warm), warm + length - falls, line.level(floor)
    over = line.span(falls)
    if floor * line.scale > line.lr:
        first = pieces[0].schedule if pieces else constant(1, over=line.tick)  # the constructor's own value
        return chain(first, constant(low))
    if stable is None:
        return joined([*pieces, Piece(begin, constant(1), begin), Piece(turn, fall(1, low, over), turn)], line)
    # m + (s - m) d = s d + m (1 - d)
    kept = clip(stable, lo=low) if floor else stable
    curve = joined([*pieces, Piece(begin, kept, warm)], line) * _turning(fall, 1, 0, turn, over, line)
    return curve + _turning(fall, 0, low, turn, over, line) if floor else curve


def _turning(fall: Shape, start: Level, end: Level, turn: float, over: str, line: Line) -> Schedule:
    return joined([Piece(0, constant(start), 0), Piece(turn, fall(start, end, over), turn)], line)


def _stable(s: Settings, line: Line, warmup: float) -> Schedule | None:
    kind = s.word("stable_fn", ("constant", "rsqrt", "power"), "constant")
    exponent, scale = s.number("stable_power", 0.5), s.take("stable_timescale", None)
    if kind == "constant":
        return None
    per = warmup if scale is None else s.checked("number", "stable_timescale", scale) * s.per
    if per <= 0:
        raise s.refuse("stable_timescale", "must be above 0; it is the warmup's length where it isn't given, and there is none")
    return inverse(1, per=line.span(per), power=0.5 if kind == "rsqrt" else exponent)


def _fall(s: Settings) -> Shape:
    kind = s.word("decay_fn", ("linear", "1-sqrt", "cosine", "power", "exp"), "1-sqrt")
    exponent, ratio = s.number("decay_power", 0.5), s.number("decay_ratio", 0.1)
    if exponent <= 0 or not 0 < ratio < 1:
        raise s.refuse("decay_power", f"must be above 0, and decay_ratio between 0 and 1; got {exponent:g} and {ratio:g}")
    shapes: dict[str, Any] = {
        "linear": lambda hi, lo, over: linear(hi, lo, over=over),
        "1-sqrt": lambda hi, lo, over: power(hi, lo, 0.5, over=over),
        "cosine": lambda hi, lo, over: cosine(hi, lo, over=over),
        "power": lambda hi, lo, over: power(hi, lo, exponent, over=over),
        "exp": lambda hi, lo, over: between(lo, hi, between(-ratio / (1 - ratio), 1, exponential(1, ratio, over=over))),
    }
    found: Shape = shapes[kind]
    return found


LAWS: dict[str, Callable[[Settings, Line], Schedule]] = {
    "CosineLRScheduler": cosine_lr,
    "TanhLRScheduler": tanh_lr,
    "StepLRScheduler": step_lr,
    "MultiStepLRScheduler": multi_step_lr,
    "PlateauLRScheduler": plateau_lr,
    "PolyLRScheduler": poly_lr,
    "WSDLRScheduler": wsd_lr,
}
CYCLIC = ("CosineLRScheduler", "TanhLRScheduler", "PolyLRScheduler")
