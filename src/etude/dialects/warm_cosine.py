"""The curve that YOLOX and the bubbliiiing trainers share: a quadratic warmup, a cosine, and a constant tail."""

from __future__ import annotations

from ..fields import Level
from ..phases import chain
from ..schedule import Schedule, constant
from ..shapes import cosine, power
from ..units import number_text


def length(count: float, unit: str) -> str:
    """Return a number of epochs or steps as a length."""
    return f"{number_text(count)} {unit}s"


def warm_cosine(
    total: float, warmup: float, tail: float, *, start: Level, peak: Level, end: Level, unit: str, tick: str
) -> Schedule:
    """Return the curve.

    peak - (peak - start) (1 - (t / warmup)^2) to t = warmup, which is part of the warmup,
    then half a cosine from peak to end, and end from total - tail on.

    Args:
        total, warmup, tail: Lengths in the unit; what lies between warmup and tail may be nothing.
        start, peak, end: Levels.
        unit: "epoch" or "step".
        tick: The unit that it is read at, which may be the shorter one.
    """
    phases: list[Schedule] = []
    if warmup > 0:
        phases.append(power(start, peak, 2, over=length(warmup, unit)))
    between = total - warmup - tail
    if between > 0:
        phases.append(cosine(peak, end, over=length(between, unit)))
    else:
        # a warmup that ends on a tick comes before the tail is looked at; one that ends between two holds none there
        end_of_it = length(warmup, unit)
        phases.append(
            constant(peak, over=length(1, tick) if warmup == int(warmup) else f"floor({end_of_it}) + 1 {tick} - {end_of_it}")
        )
    return chain(*phases, constant(end)) if tail > 0 or between <= 0 else chain(*phases)
