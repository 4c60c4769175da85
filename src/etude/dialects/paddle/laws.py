"""What each scheduler of paddle.optimizer.lr does, as a base value and a schedule.

Paddle's rates are absolute and its steps its own: `unit` says what one is. LinearWarmup hands the time after its warmup to the
scheduler inside, whose horizon nothing shortens.

Source: paddle/optimizer/lr.py of Paddle 3.3.1, whose recursions are written out in closed form here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...compose import between
from ...errors import InputError, did_you_mean, shown
from ...fields import Absolute, Level
from ...formulas import formula
from ...laws import decay, inverse, steps, values
from ...phases import chain, repeat, wave
from ...plateaus import plateau
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly
from ...units import number_text
from ..arguments import Arguments, mapping, numbers_of, ratio
from ..lambdas import factor, growth
from ..torch.cycles import cyclic_lr, one_cycle_lr
from ..torch.place import Peak, Place
from ..warm_cosine import length


class Law(NamedTuple):
    """A scheduler: the base value, and the schedule over it."""

    base: float
    schedule: Schedule


def level(value: float, base: float = math.nan) -> Level:
    """Return a rate of its own, which no base multiplies, as a level; 1 where it is the base."""
    return 0.0 if value == 0 else 1.0 if value == base else Absolute(value)


def _gamma(a: Arguments, default: float | None = None) -> float:
    gamma = a.number("gamma") if default is None else a.number("gamma", default)
    if not 0 <= gamma < 1:
        raise a.refuse(f"gamma must be at least 0 and below 1, got {gamma:g}")
    return gamma


def _noam(a: Arguments, left: float) -> Law:
    size, warmup = a.number("d_model"), a.number("warmup_steps")
    if size <= 0 or warmup < 1:
        raise a.refuse(f"d_model must be above 0 and warmup_steps at least 1, got {size:g} and {warmup:g}")
    base = a.number("learning_rate", 1.0) * size**-0.5 * warmup**-0.5
    after = inverse(1, per=length(warmup, "step"), power=0.5)
    return Law(base, chain(linear(0, 1, over=length(warmup, "step")), after))


def piecewise(a: Arguments, boundaries: list[float], levels: list[float], unit: str) -> Law:
    """PiecewiseDecay: the value before each boundary, and the last one after all of them."""
    if not boundaries:
        raise a.refuse("the boundaries must not be empty")
    if len(levels) <= len(boundaries):
        raise a.refuse(
            f"the values must be one more than the boundaries, got {len(levels)} values for {len(boundaries)} boundaries"
        )
    # the first boundary that lies ahead counts: one that does not rise above those before it is never the first
    rising = [index for index, edge in enumerate(boundaries) if all(edge > before for before in boundaries[:index])]
    kept = [*(levels[index] for index in rising), levels[-1]]
    base = max(kept, key=abs) or 1.0
    at = [f"{number_text(boundaries[index])} {unit}" for index in rising]
    return Law(base, values([ratio(one, base) for one in kept], at=at))


def _piecewise(a: Arguments, left: float) -> Law:
    boundaries, levels = (numbers_of(a.take(key), f"{a.name}: {key}") for key in ("boundaries", "values"))
    return piecewise(a, boundaries, levels, "steps")


def _natural_exp(a: Arguments, left: float) -> Law:
    base, gamma = a.number("learning_rate"), a.number("gamma")
    if gamma <= 0:
        raise a.refuse(f"gamma must be above 0, got {gamma:g}")
    return Law(base, decay(math.exp(-gamma), per="1 step"))


def _inverse_time(a: Arguments, left: float) -> Law:
    return Law(a.number("learning_rate"), inverse(a.number("gamma"), per="1 step"))


def _exponential(a: Arguments, left: float) -> Law:
    base, gamma = a.number("learning_rate"), a.number("gamma")
    if not 0 < gamma < 1:
        raise a.refuse(f"gamma must be above 0 and below 1, got {gamma:g}")
    return Law(base, decay(gamma, per="1 step"))


def _polynomial(a: Arguments, left: float) -> Law:
    base, count = a.number("learning_rate"), a.whole("decay_steps", least=1)
    end, power = a.number("end_lr", 1e-4), a.number("power", 1.0)
    if power <= 0:
        raise a.refuse(f"power must be above 0, got {power:g}")
    if not a.flag("cycle", False):
        return Law(base, poly(1, level(end), power, over=length(count, "step")))
    horizon = f"({count} * max(1, ceil(step / {count})))"  # it is put off each time it is reached
    return Law(base, between(level(end), 1, formula(f"(1 - step / {horizon}) ** {number_text(power)}")))


def multi_step(a: Arguments, unit: str) -> Law:
    milestones = numbers_of(a.take("milestones"), f"{a.name}: milestones")
    if sorted(set(milestones)) != milestones:
        raise a.refuse(f"milestones must rise, got {milestones}")
    gamma = _gamma(a, 0.1 if unit == "steps" else None)
    at = [f"{number_text(one)} {unit}" for one in milestones]
    return Law(a.number("learning_rate"), steps(gamma, at=at) if at else constant(1))


def step(a: Arguments, unit: str) -> Law:
    size = a.whole("step_size", least=1)
    gamma = _gamma(a, 0.1 if unit == "steps" else None)
    return Law(a.number("learning_rate"), steps(gamma, every=f"{size} {unit if size != 1 else unit.removesuffix('s')}"))


def _lambda(a: Arguments, left: float) -> Law:
    return Law(a.number("learning_rate"), factor(a, Place(0, 1, 1.0, 1.0)))


def _multiplicative(a: Arguments, left: float) -> Law:
    return Law(a.number("learning_rate"), growth(a, Place(0, 1, 1.0, 1.0)).schedule)


def _plateau(a: Arguments, left: float) -> Law:
    base, mode, kind = (
        a.number("learning_rate"),
        a.word("mode", ("min", "max"), "min"),
        a.word("threshold_mode", ("rel", "abs"), "rel"),
    )
    threshold, shrink = a.number("threshold", 1e-4), a.number("factor", 0.1)
    if shrink >= 1:
        raise a.refuse(f"factor must be below 1, got {shrink:g}")
    floor, eps = a.number("min_lr", 0.0), a.number("epsilon", 1e-8)
    rule = plateau(
        shrink,
        patience=a.number("patience", 10),
        mode=mode,
        rel=threshold if kind == "rel" else 0.0,
        delta=threshold if kind == "abs" else 0.0,
        cooldown=a.number("cooldown", 0),
        resting="blind",
        floor=Absolute(floor) if floor else 0.0,
        eps=Absolute(eps) if eps else 0.0,
        metric=a.take("metric", "val_loss"),
    )
    return Law(base, rule)


def _cosine(a: Arguments, left: float) -> Law:
    base, half = a.number("learning_rate"), a.whole("T_max", least=1)
    return Law(base, wave(1, level(a.number("eta_min", 0.0)), half=length(half, "step")))


def _restarts(a: Arguments, left: float) -> Law:
    base, first, grow = a.number("learning_rate"), a.whole("T_0", least=1), a.whole("T_mult", 1, least=1)
    return Law(base, repeat(cosine(1, level(a.number("eta_min", 0.0))), length(first, "step"), grow=grow))


def _linear(a: Arguments, left: float) -> Law:
    start, end, total = a.number("start_factor", 1 / 3), a.number("end_factor", 1.0), a.whole("total_steps", least=1)
    if not 0 < start <= 1 or not 0 <= end <= 1:
        raise a.refuse(f"start_factor must be above 0 and at most 1, end_factor from 0 to 1, got {start:g} and {end:g}")
    return Law(a.number("learning_rate"), linear(start, end, over=length(total, "step")))


def _one_cycle(a: Arguments, left: float) -> Law:
    top, end = a.number("max_learning_rate", above=0), a.number("end_learning_rate", 1e-4)
    peak = Peak(top, top / a.number("divide_factor", 25.0, above=0), end)
    part, three = a.take("phase_pct", 0.3), a.flag("three_phase", False)
    if three and isinstance(part, float) and part >= 0.5:
        raise a.refuse(f"phase_pct must be below 0.5 where three_phase is true, got {part:g}")
    total = a.whole("total_steps", least=1)
    return Law(top, one_cycle(peak, total, part, str(a.take("anneal_strategy", "cos")), three=three, left=left))


def one_cycle(peak: Peak, total: int, part: float, shape: str, *, three: bool, left: float, past: bool = False) -> Schedule:
    """Return torch's OneCycleLR, which Paddle has too.

    Args:
        peak, total, part, shape, three: Its rates and settings.
        left: How long the run is from its beginning on; inf where that is not known.
        past: Whether the step `total` is looked at, where its curve goes on.
    """
    settings = {"max_lr": peak.top, "total_steps": total, "pct_start": part, "anneal_strategy": shape, "three_phase": three}
    theirs = Arguments("OneCycleLR", {**settings, "cycle_momentum": False})
    length = total if past else None if left == math.inf else left
    place = Place(0, 1, peak.top, peak.top, peak=peak, length=length, followed=past)
    return one_cycle_lr(theirs, place).curve


def _cyclic(a: Arguments, left: float) -> Law:
    theirs = {"base_lr": a.number("base_learning_rate"), "max_lr": a.number("max_learning_rate"), "cycle_momentum": False}
    theirs |= {key: a.take(key) for key in ("step_size_up", "step_size_down", "mode", "scale_fn", "scale_mode") if key in a.given}
    theirs |= {"gamma": a.number("exp_gamma", 1.0)}
    top = theirs["max_lr"]
    return Law(top, cyclic_lr(Arguments(a.name, theirs), Place(0, 1, top, top)).curve)


def _warmup(a: Arguments, left: float) -> Law:
    inner, over = a.take("learning_rate"), a.whole("warmup_steps", least=1)
    if isinstance(inner, Mapping):
        if inner.get("name") == "ReduceOnPlateau":
            raise a.refuse(
                "a ReduceOnPlateau in it is fed the number of the step in place of a metric, which no one can have meant"
            )
        found = law(mapping(inner, "learning_rate"), max(left - over, 0.0))
    else:
        found = Law(a.number("learning_rate"), constant(1))
    return warmed(a, found, a.number("start_lr"), a.number("end_lr"), length(over, "step"))


def warmed(a: Arguments, inner: Law, start: float, end: float, over: str) -> Law:
    """Return LinearWarmup: a straight line between absolute rates, then the scheduler inside from its own beginning."""
    if end <= start:
        raise a.refuse(f"the warmup must rise, from {start:g} to more than that, got {end:g}")
    base = inner.base or end
    after = inner.schedule if inner.base or inner.schedule.absolute else constant(0)
    return Law(base, chain(linear(level(start), level(end, base), over=over), after))


LAWS: dict[str, Callable[[Arguments, float], Law]] = {
    "NoamDecay": _noam,
    "PiecewiseDecay": _piecewise,
    "NaturalExpDecay": _natural_exp,
    "InverseTimeDecay": _inverse_time,
    "PolynomialDecay": _polynomial,
    "LinearWarmup": _warmup,
    "ExponentialDecay": _exponential,
    "MultiStepDecay": lambda a, left: multi_step(a, "steps"),
    "StepDecay": lambda a, left: step(a, "steps"),
    "LambdaDecay": _lambda,
    "MultiplicativeDecay": _multiplicative,
    "ReduceOnPlateau": _plateau,
    "CosineAnnealingDecay": _cosine,
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "LinearLR": _linear,
    "CosineAnnealingWarmRestarts": _restarts,
}


def law(given: Mapping[str, Any], left: float = math.inf) -> Law:
    """Return what a scheduler's mapping says; its last_epoch must be the default.

    Args:
        given: The mapping.
        left: How many steps the run has from the scheduler's beginning on; inf where that is not known.
    """
    name = given.get("name")
    if not isinstance(name, str) or name not in LAWS:
        raise InputError(f"paddle.optimizer.lr has no scheduler {shown(name)}{did_you_mean(str(name), LAWS)}")
    a = Arguments(name, {key: value for key, value in given.items() if key != "name"})
    a.take("verbose", None)
    if a.take("last_epoch", -1) != -1:
        raise a.refuse("last_epoch can't be read: the plan of the whole run has its values from any step on")
    found = LAWS[name](a, left)
    a.done()
    return found
