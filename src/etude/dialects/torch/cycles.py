"""The two schedulers of torch that cycle, the learning rate and the momentum with it: CyclicLR and OneCycleLR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compose import between
from ...errors import shown
from ...fields import Absolute
from ...laws import decay
from ...phases import chain, repeat, wave
from ...schedule import Schedule, constant
from ...shapes import cosine, linear
from ...timing import skip
from ..arguments import Arguments
from ..lambdas import factor
from .place import Law, Peak, Place


def cyclic_lr(a: Arguments, place: Place) -> Law:
    low, high = (a.numbers(key, place.groups)[place.group] for key in ("base_lr", "max_lr"))
    up = a.number("step_size_up", 2000)
    down = a.take("step_size_down", None)
    down = up if down is None else a.number("step_size_down")
    gamma, scale = a.number("gamma", 1.0), a.take("scale_fn", None)
    mode, scale_mode = a.take("mode", "triangular"), a.take("scale_mode", "cycle")
    if scale is None and mode not in ("triangular", "triangular2", "exp_range"):
        raise a.refuse(f"mode must be triangular, triangular2 or exp_range, got {shown(mode)}")
    if up <= 0 or down < 0:
        raise a.refuse(f"step_size_up must be above 0 and step_size_down not below it, got {up:g} and {down:g}")
    shrink = 0.5 if scale is None and mode == "triangular2" else 1.0
    gamma = gamma if scale is None and mode == "exp_range" else 1.0

    def cycle(lo: float | Absolute, hi: float | Absolute) -> Schedule:
        way = chain(linear(0, 1, over=place.span(up)), linear(1, 0)) if down else linear(0, 1)
        every = f"{place.span(up)} + {place.span(down)}" if down else place.span(up)
        inner: Schedule = repeat(way, every, shrink=shrink)
        if gamma != 1:
            inner = inner * decay(gamma, per=place.span(1))
        if scale is not None:
            inner = inner * factor(a, place, key="scale_fn", cycle=up + down if scale_mode == "cycle" else None)
        return between(lo, hi, inner)

    least, most, base = _cycled(a, place, shared=False)
    momentum = (cycle(most, least), base) if a.flag("cycle_momentum", True) else None
    return Law(cycle(Absolute(low), place.of(high)), sets=True, momentum=momentum)


def momenta(a: Arguments, place: Place) -> tuple[float, float]:
    """Return the group's base_momentum and max_momentum."""
    low, high = (a.numbers(f"{end}_momentum", place.groups, CYCLING[a.name][end])[place.group] for end in ("base", "max"))
    return low, high


def _cycled(a: Arguments, place: Place, *, shared: bool) -> tuple[Any, Any, float]:
    """Return the momentum's least and most as levels, and the base value that 1 stands for: where the constructors left it."""
    low, high = momenta(a, place)
    if shared and place.momenta:  # it is read from the group, where another may have written since
        low, high = place.momenta
    base = place.left if place.momenta else high
    return Absolute(low), 1.0 if high == base else Absolute(high), base


def one_cycle_lr(a: Arguments, place: Place) -> Law:
    peak, total = one_cycle_peak(a, place.group, place.groups), one_cycle_steps(a)
    peak = place.peak or peak
    part = a.take("pct_start", 0.3)
    if not isinstance(part, float) or not 0 <= part <= 1:
        raise a.refuse(f"pct_start must be a float from 0 to 1, got {part!r}")
    shape = ANNEALING[a.word("anneal_strategy", tuple(ANNEALING), "cos")]
    if place.length is not None and place.length > total:
        raise a.refuse(f"total_steps is {total}, and the run has {place.length:g}: torch raises at step {total + 1}")
    top, start, end = map(place.of, peak)
    first, second, last = float(part * total) - 1, float(2 * part * total) - 2, total - 1.0
    if part == 1 and (place.length is None or place.length >= total):
        raise a.refuse(f"pct_start 1 leaves nothing to come down in: torch divides by 0 at step {total}")
    if first == 0:
        raise a.refuse(f"pct_start {part} of {total} steps is one step, over which torch divides 0 by 0")
    three = a.flag("three_phase", False)
    ends = [first, second, last] if three else [first, last]
    lr = [start, top, start, end] if three else [start, top, end]
    least, most, base = _cycled(a, place, shared=True)
    levels = [most, least, most, most] if three else [most, least, most]
    over = place.followed and place.length == total  # it is read at step `total`, where torch goes on past the end
    if over and shape is linear:
        raise a.refuse(f"{total + 1} steps of it run past its end, where torch's line goes below; give its phase {total} at most")
    momentum = (annealed(place.span, shape, ends, levels, over), base) if a.flag("cycle_momentum", True) else None
    return Law(annealed(place.span, shape, ends, lr, over), sets=True, momentum=momentum)


CYCLING = {"CyclicLR": {"base": 0.8, "max": 0.9}, "OneCycleLR": {"base": 0.85, "max": 0.95}}
"""Schedulers that cycle the momentum unless they are told not to, between these."""

ANNEALING: dict[str, Any] = {"cos": cosine, "linear": linear}


def one_cycle_steps(a: Arguments) -> int:
    if a.take("total_steps", None) is not None:
        a.take("epochs", None), a.take("steps_per_epoch", None)
        return a.whole("total_steps", least=1)
    if a.take("epochs", None) is None or a.take("steps_per_epoch", None) is None:
        raise a.missing("total_steps", "give total_steps, or epochs and steps_per_epoch")
    return a.whole("epochs", least=1) * a.whole("steps_per_epoch", least=1)


def one_cycle_peak(a: Arguments, group: int, groups: int) -> Peak:
    top = a.numbers("max_lr", groups)[group]
    first, last = a.number("div_factor", 25.0), a.number("final_div_factor", 1e4)
    if first <= 0 or last <= 0:
        raise a.refuse(f"div_factor and final_div_factor must be above 0, got {first:g} and {last:g}")
    return Peak(top, top / first, top / first / last)


def annealed(span: Callable[[float], str], shape: Any, ends: list[float], levels: list[Any], over: bool = False) -> Schedule:
    """Return shapes one after the other; the first that ends above step 0 may have begun before it, where no step is.

    Args:
        span: Makes a length of a number of steps.
        shape: cosine or linear.
        ends, levels: Where each shape ends, and the levels between which they lead, one more.
        over: Whether the last goes on past its end.
    """
    phases: list[Schedule] = []
    begin = 0.0
    for index, (end, low, high) in enumerate(zip(ends, levels, levels[1:], strict=False)):
        if end > begin and end > 0:
            length = span(end - begin)
            moved = wave(low, high, half=length) if over and index == len(ends) - 1 else shape(low, high, over=length)
            phases.append(moved if begin >= 0 else skip(moved, span(-begin)))
        elif index == len(ends) - 1 and not phases:  # a run of one step: it holds the last level
            phases.append(skip(wave(low, high, half=span(end - begin)), span(-begin)) if over else constant(high))
        begin = end
    return chain(*phases)
