"""What each schedule of optax computes, as factors of one base value.

optax computes in single precision, which is a rounding of 1e-7 of the peak on a smooth curve. It moves a jump in one place: in a
jitted update XLA multiplies by the rounded reciprocal of a constant instead of dividing by it, so floor(41 * fl(1/41)) is 0.
Joins and boundaries compare whole numbers, and stay where they are.

Source: optax/schedules/_schedule.py and _join.py of optax 0.2.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from operator import mul
from typing import Any

from ...arrays import Scalar
from ...compose import between, clip
from ...errors import shown
from ...formulas import formula
from ...laws import decay, steps, values
from ...phases import chain, repeat
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly
from ...timing import hold
from ...units import number_text
from ..arguments import Arguments, mapping, numbers_of
from ..keras.laws import late
from .scope import (
    MOST,
    Law,
    Scope,
    after,
    ahead,
    begin_of,
    boundaries_of,
    divisor_of,
    joined,
    lasting,
    steps_text,
    value_of,
    whole_of,
)


def factors(description: Any, where: str, *, jit: bool) -> tuple[float, Schedule, list[str]]:
    """Return the peak of a schedule, the schedule in factors of it, and what is to be told; the base of all zeros is 1."""
    base = Scope(1.0, jit, LAWS).law(description, where).peak or 1.0
    scope = Scope(base, jit, LAWS)
    return base, scope.law(description, where).schedule, list(scope.notes)


# -- one after the other ------------------------------------------------------------------------------------------------


def _warmed(a: Arguments, scope: Scope, peak: float, law: Law) -> Law:
    """Return a law behind a linear warmup; without one it begins at once, at its peak."""
    init, length = value_of(a, "init_value"), a.number("warmup_steps")
    if length <= 0:
        if init != peak:
            scope.note(f"ignored: init_value {init:g}, as warmup_steps {length:g} leaves no warmup")
        return joined([law, law], [length])
    up = linear(scope.level(init), scope.level(peak), over=steps_text(length))
    return joined([Law(max(init, peak), up), law], [length])


def join_schedules(a: Arguments, scope: Scope) -> Law:
    given, boundaries = a.take("schedules"), numbers_of(a.take("boundaries"), f"{a.name}: boundaries")
    if not isinstance(given, list | tuple) or not given:
        raise a.refuse(f"schedules must be a list of at least one, got {shown(given)}")
    laws = [scope.law(one, f"{a.name}: schedules[{index}]") for index, one in enumerate(given)]
    count = min(len(laws), len(boundaries) + 1)
    if count < len(laws):
        scope.note(f"ignored: {len(laws) - count} of {len(laws)} schedules, as no boundary leads to them")
    if count <= len(boundaries):
        scope.note(f"ignored: boundaries {boundaries[count - 1 :]}, as no schedule is left for them")
    return joined(laws[:count], boundaries[: count - 1])


def sgdr_schedule(a: Arguments, scope: Scope) -> Law:
    cycles = a.take("cosine_kwargs")
    if not isinstance(cycles, list | tuple) or not 0 < len(cycles) <= MOST:
        raise a.refuse(f"cosine_kwargs must be a list of 1 to {MOST} mappings, got {shown(cycles)}")
    laws, lengths = [], []
    for index, kwargs in enumerate(cycles):
        inner = Arguments(f"{a.name}: cosine_kwargs[{index}]", mapping(kwargs, f"{a.name}: cosine_kwargs[{index}]"))
        laws.append(warmup_cosine_decay_schedule(inner, scope))
        lengths.append(inner.number("decay_steps"))
        inner.done()
    alike = len(laws) > 1 and len(set(lengths)) == 1 and all(law == laws[0] for law in laws)
    if alike and lasting(laws[0].schedule, lengths[0]) is laws[0].schedule:
        return Law(laws[0].peak, repeat(laws[0].schedule, steps_text(lengths[0]), times=len(laws)))
    return joined(laws, list(accumulate(lengths))[:-1])


# -- shapes -------------------------------------------------------------------------------------------------------------


def constant_schedule(a: Arguments, scope: Scope) -> Law:
    value = value_of(a, "value")
    return Law(value, constant(scope.level(value)))


def linear_schedule(a: Arguments, scope: Scope) -> Law:
    return _ramp(a, scope, "end_value", "transition_steps", 1.0, begin_of(a, scope))


def polynomial_schedule(a: Arguments, scope: Scope) -> Law:
    power = a.number("power")
    if power < 0:
        raise a.refuse(f"power must be 0 or above, got {power:g}: the value would be infinite at its end")
    return _ramp(a, scope, "end_value", "transition_steps", power, begin_of(a, scope))


def warmup_constant_schedule(a: Arguments, scope: Scope) -> Law:
    return _ramp(a, scope, "peak_value", "warmup_steps", 1.0, 0.0)


def _ramp(a: Arguments, scope: Scope, to: str, over: str, power: float, begin: float) -> Law:
    init, end, length = value_of(a, "init_value"), value_of(a, to), a.number(over)
    if length <= 0 or power == 0:
        why = f"{over} {length:g} is not above 0" if length <= 0 else "power is 0"
        scope.note(f"{a.name}: {why}, so the value is init_value throughout and never {to}")
        return Law(init, constant(scope.level(init)))
    rest = 1 - Scalar.float32(1 / length) * length  # what a jitted update has left of 1 - count / transition_steps at its end
    if power != int(power) and (rest < 0 or (rest > 0 and power < 1)):
        what = "be nan" if rest < 0 else f"stay {rest**power:.2g} of the way short of {to}"
        scope.note(
            f"{a.name}: in a jitted update the value may {what} from step {begin + length:g} of it on: the power {power:g} is "
            f"taken of what the rounding of 1 / {length:g} leaves there"
        )
    first, last = scope.level(init), scope.level(end)
    shape = linear(first, last, over=steps_text(length)) if power == 1 else poly(first, last, power, over=steps_text(length))
    return Law(max(init, end), after(begin, first, shape))


def cosine_decay_schedule(a: Arguments, scope: Scope) -> Law:
    init, length, alpha = value_of(a, "init_value"), a.number("decay_steps"), value_of(a, "alpha", 0.0)
    if length <= 0:
        raise a.refuse(f"decay_steps must be above 0, got {length:g}")
    return _cosine(a, scope, init, init * alpha, length)


def _cosine(a: Arguments, scope: Scope, init: float, end: float, length: float) -> Law:
    exponent = a.number("exponent", 1.0)
    if exponent < 0:
        raise a.refuse(f"exponent must be 0 or above, got {exponent:g}: the value would be infinite at its end")
    high, low = scope.level(init), scope.level(end)
    if exponent == 0:
        scope.note(f"{a.name}: exponent is 0, so the cosine never falls")
        return Law(init, constant(high))
    if exponent == 1:
        return Law(max(init, end), cosine(high, low, over=steps_text(length)))
    n = number_text(length)  # (1 + cos(pi u)) / 2 is a sine squared, which is accurate at its end
    sine = f"sin(pi * ({n} - min(step, {n})) / {number_text(2 * length)}) ** {number_text(2 * exponent)}"
    return Law(max(init, end), between(low, high, formula(sine)))


def warmup_cosine_decay_schedule(a: Arguments, scope: Scope) -> Law:
    peak, end, whole, warmup = (
        value_of(a, "peak_value"),
        value_of(a, "end_value", 0.0),
        a.number("decay_steps"),
        a.number("warmup_steps"),
    )
    if whole <= warmup:
        raise a.refuse(f"decay_steps must be above warmup_steps, which it includes, got {whole:g} and {warmup:g}")
    if peak == 0 and end:
        scope.note(f"ignored: end_value {end:g}, as it is a part of peak_value, which is 0")
        end = 0.0
    return _warmed(a, scope, peak, _cosine(a, scope, peak, end, whole - warmup))


# -- laws ---------------------------------------------------------------------------------------------------------------


def exponential_decay(a: Arguments, scope: Scope) -> Law:
    return _exponential(a, scope, "init_value")


def warmup_exponential_decay_schedule(a: Arguments, scope: Scope) -> Law:
    return _warmed(a, scope, value_of(a, "peak_value"), _exponential(a, scope, "peak_value"))


def _exponential(a: Arguments, scope: Scope, key: str) -> Law:
    init, length, rate = value_of(a, key), a.number("transition_steps"), a.number("decay_rate")
    begin, staircase = begin_of(a, scope), a.flag("staircase", False)
    end = None if a.take("end_value", None) is None else value_of(a, "end_value")
    if rate < 0:
        raise a.refuse(f"decay_rate must be 0 or above, got {rate:g}: no power of it between whole numbers is a number")
    if length <= 0 or rate == 0:
        what = f"transition_steps {length:g} is not above 0" if length <= 0 else "decay_rate is 0"
        scope.note(f"{a.name}: {what}, so the value is {key} throughout" + (", and end_value has no effect" if end else ""))
        return Law(init, constant(scope.level(init)))
    if end is not None and (end >= init if rate < 1 else end <= init):
        if end != init:
            side, bound = ("above", "lower") if rate < 1 else ("below", "upper")
            scope.note(f"{a.name}: end_value is {side} {key}, and it is the {bound} bound: the value is end_value throughout")
        return Law(end, constant(scope.level(end)))
    first = scope.level(init)
    if rate == 1 or init == 0:
        return Law(init, constant(first))
    law = _staircase(scope, rate, length) if staircase else decay(rate, per=steps_text(length))
    falling = after(begin, first, law if first == 1 else first * law)
    if end is None:
        return Law(init, falling)
    if rate < 1:
        return Law(init, clip(falling, lo=scope.level(end)))
    # the clock stops behind the bound, before a number gets too large
    reached = begin + length * math.ceil((math.log(end) - math.log(init)) / math.log(rate) + 1)
    return Law(end, clip(hold(falling, at=steps_text(reached)), hi=scope.level(end)))


def _staircase(scope: Scope, rate: float, length: float) -> Schedule:
    """Return a drop every so often, or the rounding that decides when, where a jitted update moves some of them."""
    if not late(length):
        return steps(rate, every=steps_text(length))
    if scope.jit:
        return formula(f"{number_text(rate)} ** floor(step * (1 / {number_text(length)}))", bits=32)
    scope.note(
        f"in a jitted update some of the jumps every {length:g} steps come a step late: 1 / {length:g} is rounded below "
        "itself, and multiplied with; read it with jit: true"
    )
    return steps(rate, every=steps_text(length))


# -- boundaries ---------------------------------------------------------------------------------------------------------


def piecewise_constant_schedule(a: Arguments, scope: Scope) -> Law:
    init, points = value_of(a, "init_value"), boundaries_of(a)
    begun = math.prod((scale for step, scale in points if step <= 0), start=init)  # the new value holds on its boundary
    points = [(step, scale) for step, scale in points if step > 0]
    reached = list(accumulate((scale for _, scale in points), mul, initial=begun))
    at, first = [steps_text(step) for step, _ in points], scope.level(begun)
    if not points:
        return Law(begun, constant(first))
    if first == 1 and len({scale for _, scale in points}) == 1:
        return Law(max(reached), steps(points[0][1], at=at))
    return Law(max(reached), values([scope.level(value) for value in reached], at=at))


def piecewise_interpolate_schedule(a: Arguments, scope: Scope) -> Law:
    kind = a.word("interpolate_type", tuple(_KINDS))
    return _interpolated(scope, kind, value_of(a, "init_value"), boundaries_of(a, whole=True))


def _interpolated(scope: Scope, kind: str, init: float, points: list[tuple[float, float]]) -> Law:
    """Ramps between the boundaries, the first of which is step 0, from product to product of the scales so far."""
    reached = list(accumulate((scale for _, scale in points), mul, initial=init))
    edges = [0.0, *(step for step, _ in points)]
    pieces: list[Schedule] = []
    peak = reached[-1]
    for (begin, end), (start, stop) in zip(pairwise(edges), pairwise(reached), strict=True):
        if end <= max(begin, 0.0):
            continue
        ramp = _KINDS[kind](scope.level(start), scope.level(stop), over=steps_text(end - begin))
        pieces.append(ahead(ramp, -begin))
        peak = max(peak, start, stop)
    return Law(peak, chain(*pieces) if pieces else constant(scope.level(reached[-1])))


_KINDS: dict[str, Callable[..., Schedule]] = {"linear": linear, "cosine": cosine}


def linear_onecycle_schedule(a: Arguments, scope: Scope) -> Law:
    whole, peak = whole_of(a, "transition_steps"), value_of(a, "peak_value")
    div, last = divisor_of(a, "div_factor", 25.0), divisor_of(a, "final_div_factor", 1e4)
    up, down = int(a.number("pct_start", 0.3) * whole), int(a.number("pct_final", 0.85) * whole)
    return _one_cycle(a, scope, "linear", peak / div, [(up, div), (down, 1.0 / div), (whole, 1.0 / last)])


def cosine_onecycle_schedule(a: Arguments, scope: Scope) -> Law:
    whole, peak = whole_of(a, "transition_steps"), value_of(a, "peak_value")
    div, last = divisor_of(a, "div_factor", 25.0), divisor_of(a, "final_div_factor", 1e4)
    up = int(a.number("pct_start", 0.3) * whole)
    return _one_cycle(a, scope, "cosine", peak / div, [(up, div), (whole, 1.0 / (div * last))])


def _one_cycle(a: Arguments, scope: Scope, kind: str, init: float, points: list[tuple[int, float]]) -> Law:
    found: dict[float, float] = {}
    for step, scale in points:
        if step in found:
            scope.note(f"{a.name}: two of its phases end at step {step}, of which optax keeps the scale of the later alone")
        found[step] = scale
    return _interpolated(scope, kind, init, sorted(found.items()))


LAWS: Mapping[str, Callable[[Arguments, Scope], Law]] = {
    law.__name__: law
    for law in (
        constant_schedule,
        linear_schedule,
        polynomial_schedule,
        exponential_decay,
        cosine_decay_schedule,
        piecewise_constant_schedule,
        piecewise_interpolate_schedule,
        linear_onecycle_schedule,
        cosine_onecycle_schedule,
        warmup_constant_schedule,
        warmup_cosine_decay_schedule,
        warmup_exponential_decay_schedule,
        sgdr_schedule,
        join_schedules,
    )
}
"""By the name of the factory in optax.schedules."""
