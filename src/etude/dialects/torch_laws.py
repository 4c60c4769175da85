"""What each scheduler of torch.optim.lr_scheduler does to the learning rate of one group, as a schedule.

torch has two kinds of schedulers. Most multiply the value that they find (`moves`), so that what they do depends on what others
did before; some set it (`sets`), whatever it was. Alone either is its curve. SequentialLR begins each phase anew from the base
value; ChainedScheduler lets all act on one value, in order, at every step.

Source: torch/optim/lr_scheduler.py and swa_utils.py of torch 2.13, whose recursions are written out in closed form here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..arrays import Scalar
from ..compose import between
from ..fields import Absolute
from ..laws import decay, steps, values
from ..phases import chain, repeat
from ..plateaus import plateau
from ..policies import triangular
from ..run import Run
from ..schedule import Frame, Schedule, constant
from ..shapes import cosine, linear, poly, wave
from ..timing import hold, skip
from ..units import number_text
from .arguments import Arguments
from .lambdas import factor, growth


class Peak(NamedTuple):
    """What OneCycleLR writes into a group: every OneCycleLR on the optimizer reads what the last one wrote."""

    top: float
    start: float
    end: float


@dataclass
class Place:
    """Where a scheduler stands: on which group, from which base value, on which clock."""

    group: int
    groups: int
    base: float  # what levels of the recipe are factors of
    own: float  # the base value that this scheduler starts from
    unit: str = "step"  # what a scheduler step is
    parts: bool = False  # whether it is taken in parts of an epoch
    length: float | None = None  # scheduler steps in the run, where they are known
    followed: bool = False  # another takes its place, so that the value at its last step is seen
    switched: bool = False  # reached at a SequentialLR's milestone, by its closed form
    before: float = 0.0  # the value that was left there
    tabulate: int | None = None  # how many values of a live function may be written as a table
    peak: Peak | None = None
    swa: float | None = None  # what the last SWALR on the optimizer wrote into the group
    momenta: tuple[float, float] | None = None  # least and most, as the last scheduler that cycles the momentum wrote them
    left: float = 0.0  # and the momentum that its constructor left

    def span(self, count: float) -> str:
        """Return a number of scheduler steps as a length."""
        return f"{number_text(count)} {self.unit}s"

    def level(self, value: float) -> float:
        """Return the level of an own value: a factor of the recipe's base."""
        return value if self.own == self.base else value * self.own / self.base

    def of(self, value: float) -> Any:
        """Return the level of an absolute value: a factor of the recipe's base, where that is one."""
        return value / self.base if self.base else Absolute(value)

    def scaled(self, schedule: Schedule) -> Schedule:
        """Return a pure factor of the own base value as one of the recipe's."""
        return schedule if self.own == self.base else (self.own / self.base) * schedule

    @property
    def frame(self) -> Frame:
        """A run long enough to ask for any value of a schedule."""
        return Frame(Run(steps=2**53, steps_per_epoch=1).clock(), span=2.0**53)

    def part(self, factor: Schedule, step: float) -> float:
        """Return a pure factor's value at a scheduler step."""
        return self.value(factor, step, 1.0)

    def value(self, schedule: Schedule, step: float, base: float | None = None) -> float:
        """Return a schedule's value at a scheduler step, for the recipe's base or another."""
        frame = replace(self.frame, base=self.base if base is None else base)
        return float(schedule.bind(frame).value(step, Scalar))


class Law(NamedTuple):
    """A scheduler on one group."""

    curve: Schedule  # alone
    sets: bool = False  # it writes its value, whatever was there
    factor: Schedule | None = None  # what it moves the value by, where it moves it
    floor: float = 0.0  # toward what
    at_once: bool = False  # begun later, its first step is made at once
    momentum: tuple[Schedule, float] | None = None  # and the base value of it


def _moves(place: Place, factor: Schedule, *, at_once: bool = False) -> Law:
    return Law(place.scaled(factor), factor=factor, at_once=at_once)


def lambda_lr(a: Arguments, place: Place) -> Law:
    return Law(place.scaled(factor(a, place)), sets=True)


def multiplicative_lr(a: Arguments, place: Place) -> Law:
    law = growth(a, place)
    if place.switched:  # it has no closed form: it goes on from the value it finds
        return Law(place.before * law.first / place.base * law.schedule)
    return _moves(place, law.schedule)


def step_lr(a: Arguments, place: Place) -> Law:
    size, gamma = a.whole("step_size", least=1), a.number("gamma", 0.1)
    return _moves(place, steps(gamma, every=place.span(size)), at_once=True)


def multi_step_lr(a: Arguments, place: Place) -> Law:
    milestones, gamma = a.take("milestones"), a.number("gamma", 0.1)
    if not isinstance(milestones, list | tuple) or not all(isinstance(one, int | float) for one in milestones):
        raise a.refuse(f"milestones must be a list of numbers, got {milestones!r}")
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


def cyclic_lr(a: Arguments, place: Place) -> Law:
    low, high = (a.numbers(key, place.groups)[place.group] for key in ("base_lr", "max_lr"))
    up = a.number("step_size_up", 2000)
    down = a.take("step_size_down", None)
    down = up if down is None else a.number("step_size_down")
    gamma, shrink, scale = a.number("gamma", 1.0), 1.0, a.take("scale_fn", None)
    mode, scale_mode = a.take("mode", "triangular"), a.take("scale_mode", "cycle")
    if scale is None and mode not in ("triangular", "triangular2", "exp_range"):
        raise a.refuse(f"mode must be triangular, triangular2 or exp_range, got {mode!r}")
    if up <= 0 or down < 0:
        raise a.refuse(f"step_size_up must be above 0 and step_size_down not below it, got {up:g} and {down:g}")
    shrink = 0.5 if scale is None and mode == "triangular2" else 1.0
    gamma = gamma if scale is None and mode == "exp_range" else 1.0

    def cycle(lo: float | Absolute, hi: float | Absolute) -> Schedule:
        if down:
            way = triangular(lo, hi, place.span(up), place.span(down), shrink=shrink)
        else:
            way = between(lo, hi, repeat(linear(0, 1), place.span(up), shrink=shrink))
        inner = way.schedule if isinstance(way, between) else way
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
    shape = _ANNEALING[a.word("anneal_strategy", tuple(_ANNEALING), "cos")]
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
    momentum = (_phases(place, shape, ends, levels, over), base) if a.flag("cycle_momentum", True) else None
    return Law(_phases(place, shape, ends, lr, over), sets=True, momentum=momentum)


CYCLING = {"CyclicLR": {"base": 0.8, "max": 0.9}, "OneCycleLR": {"base": 0.85, "max": 0.95}}
"""Schedulers that cycle the momentum unless they are told not to, between these."""

_ANNEALING: dict[str, Any] = {"cos": cosine, "linear": linear}


def one_cycle_steps(a: Arguments) -> int:
    if a.take("total_steps", None) is not None:
        a.take("epochs", None), a.take("steps_per_epoch", None)
        return a.whole("total_steps", least=1)
    if a.take("epochs", None) is None or a.take("steps_per_epoch", None) is None:
        raise a.missing("total_steps", "give total_steps, or epochs and steps_per_epoch")
    return a.whole("epochs", least=1) * a.whole("steps_per_epoch", least=1)


def one_cycle_peak(a: Arguments, group: int, groups: int) -> Peak:
    top = a.numbers("max_lr", groups)[group]
    start = top / a.number("div_factor", 25.0)
    return Peak(top, start, start / a.number("final_div_factor", 1e4))


def _phases(place: Place, shape: Any, ends: list[float], levels: list[Any], over: bool) -> Schedule:
    """Return shapes one after the other; the first that ends above step 0 may have begun before it, where no step is."""
    phases: list[Schedule] = []
    begin = 0.0
    for index, (end, low, high) in enumerate(zip(ends, levels, levels[1:], strict=False)):
        if end > begin and end > 0:
            span = place.span(end - begin)
            moved = wave(low, high, half=span) if over and index == len(ends) - 1 else shape(low, high, over=span)
            phases.append(moved if begin >= 0 else skip(moved, place.span(-begin)))
        elif index == len(ends) - 1 and not phases:  # a run of one step: it holds the last level
            phases.append(skip(wave(low, high, half=place.span(end - begin)), place.span(-begin)) if over else constant(high))
        begin = end
    return chain(*phases)


def swa_lr(a: Arguments, place: Place) -> Law:
    level = a.numbers("swa_lr", place.groups)[place.group] if place.swa is None else place.swa
    length, shape = a.whole("anneal_epochs", 10), _ANNEALING[a.word("anneal_strategy", tuple(_ANNEALING), "cos")]
    if length == 0:
        return Law(constant(Absolute(level)), factor=constant(0), floor=level)
    start = place.before / place.base if place.switched else place.level(1)
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
