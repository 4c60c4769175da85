"""What each scheduler of paddle.optimizer.lr does, as a base value and a schedule.

Paddle's rates are absolute and its steps its own: `unit` says what one is. LinearWarmup hands the time after its warmup to the
scheduler inside, whose horizon nothing shortens.

Source: paddle/optimizer/lr.py of Paddle 3.3.1, whose recursions are written out in closed form here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..compose import between
from ..errors import InputError, did_you_mean
from ..fields import Absolute, Level
from ..formulas import formula
from ..laws import decay, inverse, steps, values
from ..phases import chain, repeat, wave
from ..plateaus import plateau
from ..schedule import Schedule, constant
from ..shapes import cosine, linear, poly
from ..units import number_text
from .arguments import Arguments, mapping, numbers_of, ratio
from .lambdas import factor, growth
from .torch_cycles import cyclic_lr, one_cycle_lr
from .torch_place import Peak, Place


class Law(NamedTuple):
    """A scheduler: the base value, and the schedule over it."""

    base: float
    schedule: Schedule


def steps_(count: float) -> str:
    return f"{number_text(count)} steps"


def level(value: float, base: float = math.nan) -> Level:
    """Return a rate of its own, which no base multiplies, as a level; 1 where it is the base."""
    return 0.0 if value == 0 else 1.0 if value == base else Absolute(value)


def rate(a: Arguments, key: str = "learning_rate") -> float:
    """Return a learning rate, which Paddle takes as a float or an int, and not as a text."""
    return a.number(key)


def _gamma(a: Arguments, default: float | None = None) -> float:
    gamma = a.number("gamma") if default is None else a.number("gamma", default)
    if not 0 <= gamma < 1:
        raise a.refuse(f"gamma must be at least 0 and below 1, got {gamma:g}")
    return gamma


def _noam(a: Arguments) -> Law:
    size, warmup = a.number("d_model"), a.number("warmup_steps")
    if size <= 0 or warmup < 1:
        raise a.refuse(f"d_model must be above 0 and warmup_steps at least 1, got {size:g} and {warmup:g}")
    base = a.number("learning_rate", 1.0) * size**-0.5 * warmup**-0.5
    after = inverse(1, per=steps_(warmup), power=0.5)
    return Law(base, chain(linear(0, 1, over=steps_(warmup)), after))


def piecewise(a: Arguments, boundaries: list[float], levels: list[float], unit: str) -> Law:
    """PiecewiseDecay: the value before each boundary, and the last one after all of them."""
    if not boundaries:
        raise a.refuse("the boundaries must not be empty")
    if len(levels) <= len(boundaries):
        raise a.refuse(
            f"the values must be one more than the boundaries, got {len(levels)} values for {len(boundaries)} boundaries"
        )
    kept = [*levels[: len(boundaries)], levels[-1]]
    base = max(kept, key=abs) or 1.0
    return Law(base, values([ratio(one, base) for one in kept], at=[f"{number_text(edge)} {unit}" for edge in boundaries]))


def _piecewise(a: Arguments) -> Law:
    boundaries, levels = (numbers_of(a.take(key), f"{a.name}: {key}") for key in ("boundaries", "values"))
    return piecewise(a, boundaries, levels, "steps")


def _natural_exp(a: Arguments) -> Law:
    base, gamma = rate(a), a.number("gamma")
    if gamma <= 0:
        raise a.refuse(f"gamma must be above 0, got {gamma:g}")
    return Law(base, decay(math.exp(-gamma), per="1 step"))


def _inverse_time(a: Arguments) -> Law:
    return Law(rate(a), inverse(a.number("gamma"), per="1 step"))


def _exponential(a: Arguments) -> Law:
    base, gamma = rate(a), a.number("gamma")
    if not 0 < gamma < 1:
        raise a.refuse(f"gamma must be above 0 and below 1, got {gamma:g}")
    return Law(base, decay(gamma, per="1 step"))


def _polynomial(a: Arguments) -> Law:
    base, length = rate(a), a.whole("decay_steps", least=1)
    end, power = a.number("end_lr", 1e-4), a.number("power", 1.0)
    if power <= 0:
        raise a.refuse(f"power must be above 0, got {power:g}")
    if not a.flag("cycle", False):
        return Law(base, poly(1, level(end), power, over=steps_(length)))
    horizon = f"({length} * max(1, ceil(step / {length})))"  # it is put off each time it is reached
    return Law(base, between(level(end), 1, formula(f"(1 - step / {horizon}) ** {number_text(power)}")))


def multi_step(a: Arguments, unit: str) -> Law:
    milestones = numbers_of(a.take("milestones"), f"{a.name}: milestones")
    if sorted(set(milestones)) != milestones:
        raise a.refuse(f"milestones must rise, got {milestones}")
    gamma = _gamma(a, 0.1 if unit == "steps" else None)
    at = [f"{number_text(one)} {unit}" for one in milestones]
    return Law(rate(a), steps(gamma, at=at) if at else constant(1))


def step(a: Arguments, unit: str) -> Law:
    size = a.whole("step_size", least=1)
    gamma = _gamma(a, 0.1 if unit == "steps" else None)
    return Law(rate(a), steps(gamma, every=f"{size} {unit if size != 1 else unit.removesuffix('s')}"))


def _lambda(a: Arguments) -> Law:
    return Law(rate(a), factor(a, Place(0, 1, 1.0, 1.0)))


def _multiplicative(a: Arguments) -> Law:
    return Law(rate(a), growth(a, Place(0, 1, 1.0, 1.0)).schedule)


def _plateau(a: Arguments) -> Law:
    base, mode, kind = rate(a), a.word("mode", ("min", "max"), "min"), a.word("threshold_mode", ("rel", "abs"), "rel")
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


def _cosine(a: Arguments) -> Law:
    base, half = rate(a), a.whole("T_max", least=1)
    return Law(base, wave(1, level(a.number("eta_min", 0.0)), half=steps_(half)))


def _restarts(a: Arguments) -> Law:
    base, first, grow = rate(a), a.whole("T_0", least=1), a.whole("T_mult", 1, least=1)
    return Law(base, repeat(cosine(1, level(a.number("eta_min", 0.0))), steps_(first), grow=grow))


def _linear(a: Arguments) -> Law:
    start, end, total = a.number("start_factor", 1 / 3), a.number("end_factor", 1.0), a.whole("total_steps", least=1)
    if not 0 < start <= 1 or not 0 <= end <= 1:
        raise a.refuse(f"start_factor must be above 0 and at most 1, end_factor from 0 to 1, got {start:g} and {end:g}")
    return Law(rate(a), linear(start, end, over=steps_(total)))


def _one_cycle(a: Arguments) -> Law:
    top, end, divide = a.number("max_learning_rate"), a.number("end_learning_rate", 1e-4), a.number("divide_factor", 25.0)
    if divide <= 0 or top <= 0:
        raise a.refuse(f"max_learning_rate and divide_factor must be above 0, got {top:g} and {divide:g}")
    theirs = Arguments(
        a.name,
        {
            "max_lr": top,
            "total_steps": a.whole("total_steps", least=1),
            "pct_start": a.take("phase_pct", 0.3),
            "anneal_strategy": a.take("anneal_strategy", "cos"),
            "three_phase": a.take("three_phase", False),
            "cycle_momentum": False,
        },
    )
    place = Place(0, 1, top, top, peak=Peak(top, top / divide, end))
    return Law(top, one_cycle_lr(theirs, place).curve)


def _cyclic(a: Arguments) -> Law:
    theirs = {"base_lr": a.number("base_learning_rate"), "max_lr": a.number("max_learning_rate"), "cycle_momentum": False}
    theirs |= {key: a.take(key) for key in ("step_size_up", "step_size_down", "mode", "scale_fn", "scale_mode") if key in a.given}
    theirs |= {"gamma": a.number("exp_gamma", 1.0)}
    top = theirs["max_lr"]
    return Law(top, cyclic_lr(Arguments(a.name, theirs), Place(0, 1, top, top)).curve)


def _warmup(a: Arguments) -> Law:
    inner = a.take("learning_rate")
    if isinstance(inner, Mapping):
        if inner.get("name") == "ReduceOnPlateau":
            raise a.refuse(
                "a ReduceOnPlateau in it is fed the number of the step in place of a metric, which no one can have meant"
            )
        found = law(mapping(inner, "learning_rate"))
    else:
        found = Law(rate(a), constant(1))
    return warmed(a, found, a.number("start_lr"), a.number("end_lr"), steps_(a.whole("warmup_steps", least=1)))


def warmed(a: Arguments, inner: Law, start: float, end: float, over: str) -> Law:
    """Return LinearWarmup: a straight line between absolute rates, then the scheduler inside from its own beginning."""
    if end <= start:
        raise a.refuse(f"the warmup must rise, from {start:g} to more than that, got {end:g}")
    base = inner.base or end
    after = inner.schedule if inner.base else constant(0)
    return Law(base, chain(linear(level(start), level(end, base), over=over), after))


LAWS: dict[str, Callable[[Arguments], Law]] = {
    "NoamDecay": _noam,
    "PiecewiseDecay": _piecewise,
    "NaturalExpDecay": _natural_exp,
    "InverseTimeDecay": _inverse_time,
    "PolynomialDecay": _polynomial,
    "LinearWarmup": _warmup,
    "ExponentialDecay": _exponential,
    "MultiStepDecay": lambda a: multi_step(a, "steps"),
    "StepDecay": lambda a: step(a, "steps"),
    "LambdaDecay": _lambda,
    "MultiplicativeDecay": _multiplicative,
    "ReduceOnPlateau": _plateau,
    "CosineAnnealingDecay": _cosine,
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "LinearLR": _linear,
    "CosineAnnealingWarmRestarts": _restarts,
}


def law(given: Mapping[str, Any]) -> Law:
    """Return what a scheduler's mapping says; its last_epoch must be the default."""
    name = str(given.get("name"))
    if name not in LAWS:
        raise InputError(f"paddle.optimizer.lr has no scheduler {name!r}{did_you_mean(name, LAWS)}")
    a = Arguments(name, {key: value for key, value in given.items() if key != "name"})
    a.take("verbose", None)
    if a.take("last_epoch", -1) != -1:
        raise a.refuse("last_epoch can't be read: the plan of the whole run has its values from any step on")
    found = LAWS[name](a)
    a.done()
    return found
