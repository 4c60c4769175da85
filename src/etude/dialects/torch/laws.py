"""What each scheduler of torch.optim.lr_scheduler does to the learning rate of one group, as a schedule.

torch has two kinds of schedulers. Most multiply the value that they find (`moves`), so that what they do depends on what others
did before; some set it (`sets`), whatever it was. Alone either is its curve. SequentialLR begins each phase anew from the base
value; ChainedScheduler lets all act on one value, in order, at every step.

Source: torch/optim/lr_scheduler.py and swa_utils.py of torch 2.13, whose recursions are written out in closed form here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...compose import between
from ...fields import Absolute
from ...laws import decay, steps, values
from ...phases import chain, repeat, wave
from ...plateaus import plateau
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly
from ...timing import hold
from ..arguments import Arguments, numbers_of
from ..lambdas import factor, growth
from .cycles import ANNEALING, cyclic_lr, one_cycle_lr
from .place import Law, Place


def _moves(place: Place, factor: Schedule, *, at_once: bool = False) -> Law:
    return Law(place.scaled(factor), factor=factor, at_once=at_once)


def lambda_lr(a: Arguments, place: Place) -> Law:
    return Law(place.scaled(factor(a, place)), sets=True)


def multiplicative_lr(a: Arguments, place: Place) -> Law:
    law = growth(a, place)
    if place.switched:  # it has no closed form: it goes on from the value it finds
        return Law(place.of(place.before() * law.first) * law.schedule)
    return _moves(place, law.schedule)


def step_lr(a: Arguments, place: Place) -> Law:
    size, gamma = a.whole("step_size", least=1), a.number("gamma", 0.1)
    return _moves(place, steps(gamma, every=place.span(size)), at_once=True)


def multi_step_lr(a: Arguments, place: Place) -> Law:
    milestones, gamma = numbers_of(a.take("milestones"), f"{a.name}: milestones"), a.number("gamma", 0.1)
    # a step is compared with them: what is no whole number is never met, and what is below 0 only by the closed form
    met = [max(one, 0) if place.switched else one for one in sorted(milestones) if one == int(one)]
    at = [place.span(one) for one in met if one >= 0]
    return _moves(place, steps(gamma, at=at) if at else constant(1), at_once=True)


def constant_lr(a: Arguments, place: Place) -> Law:
    level, length = a.number("factor", 1 / 3), a.number("total_iters", 5)
    if not 0 <= level <= 1:
        raise a.refuse(f"factor must be from 0 to 1, got {level:g}")
    if length <= 0 or length != int(length):  # the step that would release it never comes
        return _moves(place, constant(1 if place.switched and length <= 0 else level))
    if level == 0 and (place.length is None or place.length >= length):
        raise a.refuse(f"factor 0 is divided by at step {length:g}, which torch can't")
    released = chain(constant(level, over=place.span(length)), constant(1))
    return _moves(place, released, at_once=True)


def linear_lr(a: Arguments, place: Place) -> Law:
    start, end, length = a.number("start_factor", 1 / 3), a.number("end_factor", 1.0), a.number("total_iters", 5)
    if not 0 < start <= 1:
        raise a.refuse(f"start_factor must be above 0 and at most 1, got {start:g}")
    if not 0 <= end <= 1:
        raise a.refuse(f"end_factor must be from 0 to 1, got {end:g}")
    return _moves(place, _until(a, place, length, lambda over: linear(start, end, over=over), start))


def polynomial_lr(a: Arguments, place: Place) -> Law:
    length, power = a.number("total_iters", 5), a.number("power", 1.0)
    if power < 0:
        raise a.refuse(f"power must be 0 or above, got {power:g}: torch divides by 0 at the end")
    if power == 0:
        return _moves(place, constant(1))
    return _moves(place, _until(a, place, length, lambda over: poly(1, 0, power, over=over), 1.0))


def _until(a: Arguments, place: Place, length: float, shape: Callable[[str], Schedule], start: float) -> Schedule:
    """Return a shape that torch leaves at its last whole step; over nothing it never begins to move."""
    if length <= 0:
        if place.switched:
            raise a.refuse(f"total_iters {length:g} is divided by at the milestone, which torch can't")
        return constant(start)
    moved = shape(place.span(length))
    return moved if length == int(length) else hold(moved, at=place.span(math.floor(length)))


def exponential_lr(a: Arguments, place: Place) -> Law:
    gamma = a.number("gamma")
    if gamma < 0:
        raise a.refuse(f"gamma must be 0 or above, got {gamma:g}: the learning rate would change its sign at every step")
    return _moves(place, decay(gamma, per=place.span(1)) if gamma else values([1, 0], at=[place.span(1)]))


def cosine_annealing_lr(a: Arguments, place: Place) -> Law:
    half, floor = a.number("T_max"), a.number("eta_min", 0.0)
    if half <= 0:
        raise a.refuse(f"T_max must be above 0, got {half:g}")
    curve = wave(place.level(1), Absolute(floor) if floor else 0, half=place.span(half))
    return Law(curve, factor=wave(1, 0, half=place.span(half)), floor=floor)


def warm_restarts(a: Arguments, place: Place) -> Law:
    first, grow, floor = a.whole("T_0", least=1), a.whole("T_mult", 1, least=1), a.number("eta_min", 0.0)
    level = Absolute(floor) if floor else 0.0
    slips = _slips(first, grow) if place.parts else []
    if not slips:
        return Law(repeat(cosine(place.level(1), level), place.span(first), grow=grow), sets=True)
    at = [f"{place.span(slip)}{more}" for slip in slips for more in ("", " + 1 step")]
    cycles = repeat(cosine(1, 0), place.span(first), grow=grow) * values([1.0, *[0.0, 1.0] * len(slips)], at=at)
    return Law(between(level, place.level(1), cycles), sets=True)


def _slips(first: int, grow: int) -> list[int]:
    """Return the restarts that step(epoch) misses: int(log(243, 3)) is 4, and the fifth cycle's first step stands at eta_min."""
    found = []
    for count in range(1, 60):
        begin = first * (grow**count - 1) // (grow - 1) if grow > 1 else 2**24
        if begin < 2**24 and int(math.log(begin / first * (grow - 1) + 1, grow)) < count:
            found.append(begin)
    return found


def swa_lr(a: Arguments, place: Place) -> Law:
    level = a.numbers("swa_lr", place.groups)[place.group] if place.swa is None else place.swa
    length, shape = a.whole("anneal_epochs", 10), ANNEALING[a.word("anneal_strategy", tuple(ANNEALING), "cos")]
    if length == 0:
        return Law(constant(Absolute(level)), factor=constant(0), floor=level)
    start = place.of(place.before()) if place.switched else place.level(1)
    return Law(shape(start, Absolute(level), over=place.span(length)), factor=shape(1, 0, over=place.span(length)), floor=level)


def reduce_on_plateau(a: Arguments, place: Place) -> Law:
    mode = a.word("mode", ("min", "max"), "min")
    kind = a.word("threshold_mode", ("rel", "abs"), "rel")
    factor_, threshold = a.number("factor", 0.1), a.number("threshold", 1e-4)
    if factor_ >= 1:
        raise a.refuse(f"factor must be below 1, got {factor_:g}")
    floor, eps = a.numbers("min_lr", place.groups, 0.0)[place.group], a.number("eps", 1e-8)
    rule = plateau(
        factor_,
        patience=a.number("patience", 10),
        mode=mode,
        rel=threshold if kind == "rel" else 0.0,
        delta=threshold if kind == "abs" else 0.0,
        cooldown=a.number("cooldown", 0),
        floor=Absolute(floor) if floor else 0.0,
        eps=Absolute(eps) if eps else 0.0,
        metric=a.take("metric", "val_loss"),
    )
    return Law(rule, factor=rule)


LAWS: dict[str, Callable[[Arguments, Place], Law]] = {
    "LambdaLR": lambda_lr,
    "MultiplicativeLR": multiplicative_lr,
    "StepLR": step_lr,
    "MultiStepLR": multi_step_lr,
    "ConstantLR": constant_lr,
    "LinearLR": linear_lr,
    "ExponentialLR": exponential_lr,
    "PolynomialLR": polynomial_lr,
    "CosineAnnealingLR": cosine_annealing_lr,
    "CosineAnnealingWarmRestarts": warm_restarts,
    "CyclicLR": cyclic_lr,
    "OneCycleLR": one_cycle_lr,
    "SWALR": swa_lr,
    "ReduceLROnPlateau": reduce_on_plateau,
}
