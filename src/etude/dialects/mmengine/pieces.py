"""The schedulers of mmengine one by one: what each makes of the value that it finds.

A scheduler acts in a window of its own, begin <= t < end, and moves the value in place: by a ratio, toward a floor, or to a
value of its own. After its window the value stays as it is.

Source: mmengine/optim/scheduler/param_scheduler.py of mmengine 0.10.7; the schedulers of mmdet 3.3.0 (quadratic warmup), mmpose
1.3.2 (a constant above 1), mmseg 1.2.2 (poly with a ratio) and mmpretrain 1.2.0 (weight decay).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import MissingFactError, shown
from ...fields import Absolute, Level
from ...laws import decay, steps
from ...phases import chain, wave
from ...plateaus import plateau
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly, power
from ...timing import hold, skip
from ..arguments import Arguments
from ..torch.cycles import ANNEALING, annealed
from .amounts import Amount

_ASK = "give --steps-per-epoch, or --samples and --batch-size"


@dataclass
class Loop:
    """What a training loop makes of its schedulers.

    Args:
        epochs: max_epochs; None of a loop that counts iterations.
        iterations: max_iters; None of a loop that counts epochs.
        per_epoch: Iterations of an epoch, where they are known.
        tick: What iterations are called in lengths: "steps", or "batches" where several make an update.
    """

    epochs: int | None
    iterations: int | None
    per_epoch: int | None
    tick: str = "steps"
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> Amount:
        return Amount(self.epochs) if self.epochs is not None else Amount(0, self.iterations or 0)


@dataclass
class Piece:
    """A scheduler on one hyperparameter.

    Args:
        name: What it is called, for messages.
        begin, end: Its window.
        by_epoch: Whether it acts once an epoch, at its begin, and its lengths are epochs.
        curve: What the value is multiplied with from `begin` on; or the way from what is found there to a floor, of two levels.
        floor: The level that such a way leads to.
        sets: The curve is all of the value, whatever was there.
        jumps: It changes at the begin of an epoch alone, if it goes by epochs.
        goes_on: After `end` it would move on, if it acted.
        still: What the value has been multiplied with in the end, where that is known.
    """

    name: str
    begin: Amount
    end: Amount
    by_epoch: bool
    curve: Schedule | Callable[[Level, Level], Schedule]
    floor: Level = 0.0
    sets: bool = False
    jumps: bool = False
    goes_on: bool = False
    still: float | None = None

    def way(self, start: float, floor: Level) -> Schedule:
        """Return what it makes of `start`, a factor of the base value, from its begin on."""
        if not isinstance(self.curve, Schedule):
            return self.curve(start, floor)
        return self.curve if self.sets or start == 1 else start * self.curve


class Taken(Arguments):
    """The settings of one scheduler, its window taken from them."""

    def __init__(self, name: str, given: Mapping[str, Any], loop: Loop) -> None:
        super().__init__(name, given)
        self.loop = loop
        by_epoch, self.converted = self.flag("by_epoch", True), self.flag("convert_to_iter_based", False)
        if self.converted and not by_epoch:
            raise self.refuse("convert_to_iter_based is for schedulers by epoch: leave it out, or by_epoch=False")
        self.by_epoch = by_epoch and not self.converted
        for key, none in (("verbose", False), ("last_step", -1)):
            if self.take(key, none) not in (False, none) and key != "verbose":
                raise self.refuse(f"{key} must be left out, got {shown(self.given[key])}")
        self.begin = self.amount(self.number("begin", 0), "begin")
        if "end" in self.given:
            self.end = self.amount(self.number("end"), "end")
        else:  # a loop that counts iterations is one epoch
            self.end = self.amount(loop.epochs if loop.epochs is not None else 1, "end") if by_epoch else loop.total
        self.width = self.end.less(self.begin)
        if self.count(self.width) <= 0:
            raise self.refuse(f"end must be larger than begin, got {self.span(self.begin)} and {self.span(self.end)}")
        self.once = self.count(self.width) <= 1
        self.last = self.width.less(Amount(1) if self.by_epoch else Amount(0, 1))

    def amount(self, number: float, key: str) -> Amount:
        """Return a number of the scheduler's own unit; what is converted is cut off to whole iterations."""
        if self.by_epoch or (self.converted and number == int(number)):
            return Amount(number)
        if not self.converted:
            return Amount(0, number)
        if self.loop.per_epoch is None:
            raise MissingFactError(f"{self.name}: {key} {number:g} epochs are cut off to whole iterations: {_ASK}")
        return Amount(0, int(number * self.loop.per_epoch))

    def span(self, amount: Amount) -> str:
        return amount.text(self.loop.tick)

    def count(self, amount: Amount) -> float:
        """Return how many times it acts in an amount."""
        return amount.epochs if self.by_epoch else amount.measured(self.loop.per_epoch)

    def units(self, number: float) -> Amount:
        """Return a number of its own unit that is not cut off: periods, milestones, T_max."""
        return Amount(number) if self.by_epoch or self.converted else Amount(0, number)

    def one(self) -> Amount:
        return Amount(1) if self.by_epoch else Amount(0, 1)

    def floor(self, *, ratio: bool = True, required: bool = False) -> Level:
        """Return eta_min, or eta_min_ratio of the base value."""
        least, part = self.take("eta_min", None), self.take("eta_min_ratio", None) if ratio else None
        if least is not None and part is not None:
            raise self.refuse("give eta_min or eta_min_ratio, not both")
        if required and least is part is None:
            raise self.missing("eta_min", "give eta_min or eta_min_ratio")
        if part is not None:
            return self.number("eta_min_ratio")
        value = 0.0 if least is None else self.number("eta_min")
        return Absolute(value) if value else 0.0

    def piece(self, curve: Schedule | Callable[[Level, Level], Schedule], **more: Any) -> Piece:
        return Piece(self.name, self.begin, self.end, self.by_epoch, curve, **more)


def _linear(a: Taken) -> Piece:
    start, end = a.number("start_factor", 1 / 3, least=0, most=1), a.number("end_factor", 1.0, least=0, most=1)
    if a.once:
        return a.piece(constant(start), jumps=True, still=start)
    if start == 0:
        raise a.refuse("start_factor 0 leads nowhere: mmengine divides by it at its second step; give a small one, such as 1e-6")
    return a.piece(linear(start, end, over=a.span(a.last)), still=end)


def _constant(a: Taken) -> Piece:
    factor = a.number("factor", 1 / 3, least=0)
    if factor > 1:
        a.loop.notes.append(f"{a.name}: a factor above 1, {factor:g}, is mmpose's own; mmengine refuses it")
    if a.once:
        return a.piece(constant(factor), jumps=True, still=factor)
    if factor == 0:
        raise a.refuse("factor 0 leads nowhere: mmengine divides by it at its end; give a small one, such as 1e-6")
    if factor == 1:
        return a.piece(constant(1), jumps=True, still=1.0)
    return a.piece(chain(constant(factor, over=a.span(a.last)), constant(1)), jumps=True, still=1.0)


def _exponential(a: Taken) -> Piece:
    return a.piece(decay(a.number("gamma"), per=a.span(a.one())), goes_on=True)


def _step(a: Taken) -> Piece:
    every, gamma = a.whole("step_size", least=1), a.number("gamma", 0.1)
    return a.piece(steps(gamma, every=a.span(a.units(every))), jumps=True, goes_on=True)


def _multi_step(a: Taken) -> Piece:
    given, gamma = a.take("milestones"), a.number("gamma", 0.1)
    if not isinstance(given, list | tuple) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in given):
        raise a.refuse(f"milestones must be a list of numbers, got {shown(given)}")
    # a milestone is met, or never: one that lies between two steps, or behind the end, is not
    at = [one for one in sorted(given) if one == int(one) and 0 <= a.count(a.units(one)) < a.count(a.width)]
    return a.piece(
        steps(gamma, at=[a.span(a.units(one)) for one in at]) if at else constant(1), jumps=True, still=gamma ** len(at)
    )


def _cosine(a: Taken) -> Piece:
    width = a.units(a.whole("T_max", least=1)) if a.take("T_max", None) else a.width
    over, turns = a.span(width), a.count(width) < a.count(a.width) - 1
    return a.piece(
        lambda start, end: wave(start, end, half=over) if turns else cosine(start, end, over=over),
        floor=a.floor(),
        goes_on=True,
    )


def _poly(a: Taken) -> Piece:
    floor, exponent, over = a.floor(ratio=a.name == "PolyLRRatio"), a.number("power", 1.0), a.span(a.last)
    if a.once:
        return a.piece(constant(1), jumps=True, still=1.0)
    return a.piece(lambda start, end: poly(start, end, exponent, over=over), floor=floor)


def _quadratic(a: Taken) -> Piece:
    return a.piece(skip(power(0, 1, 2, over=a.span(a.width)), a.span(a.one())), sets=True, still=1.0)


def _one_cycle(a: Taken) -> Piece:
    top, first, final = a.number("eta_max", 0.0), a.number("div_factor", 25.0), a.number("final_div_factor", 1e4)
    part, three = a.take("pct_start", 0.3), a.flag("three_phase", False)
    shape = ANNEALING[a.word("anneal_strategy", tuple(ANNEALING), "cos")]
    if not isinstance(part, float) or not 0 <= part <= 1:
        raise a.refuse(f"pct_start must be a float from 0 to 1, got {shown(part)}")
    if not top or not first or not final:
        raise a.refuse("eta_max, div_factor and final_div_factor must not be 0")
    width = a.units(a.whole("total_steps", least=1)) if a.take("total_steps", None) is not None else a.width
    if a.loop.per_epoch is None and not a.by_epoch and width.epochs:
        raise MissingFactError(f"{a.name} rounds its phases to iterations: {_ASK}")
    total, most = a.count(width), a.count(a.width) - 1  # the number of its last step
    if not a.by_epoch and (a.loop.per_epoch or not any(amount.epochs for amount in (a.loop.total, a.begin, a.end))):
        most = min(most, a.count(a.loop.total.less(a.begin)))
        if most > total:
            raise a.refuse(f"total_steps is {total:g}, and it goes on to its step {most:g}, where mmengine raises: give {most:g}")
    ends = [part * total - 1, *([2 * part * total - 2] if three else []), total - 1]
    if 0 in (ends[0], ends[-1] - ends[-2]) or (three and ends[1] == ends[0]):
        raise a.refuse(f"pct_start {part:g} of {total:g} steps leaves a phase without length, over which mmengine divides by 0")
    low = top / first
    levels = [Absolute(one) for one in ([low, top, low, low / final] if three else [low, top, low / final])]
    return a.piece(
        annealed(lambda number: a.span(Amount(number) if a.by_epoch else Amount(0, number)), shape, ends, levels), sets=True
    )


def _restart(a: Taken) -> Piece:
    periods, weights, floor = a.take("periods"), a.take("restart_weights", (1,)), a.floor(required=True)
    for key, given in (("periods", periods), ("restart_weights", weights)):
        if not isinstance(given, list | tuple) or not given or not all(type(one) in (int, float) for one in given):
            raise a.refuse(f"{key} must be a list of numbers, got {shown(given)}")
    if len(periods) != len(weights) or min(periods) <= 0:
        raise a.refuse(f"there must be a weight for each period, which is above 0; got {shown(periods)} and {shown(weights)}")
    cycles: list[Schedule] = [
        cosine(float(weight), floor, over=a.span(a.units(period))) for period, weight in zip(periods, weights, strict=True)
    ]
    if a.count(a.units(sum(periods))) < a.count(a.width):  # after the last period the value stays above its floor
        cycles[-1] = hold(cycles[-1], at=a.span(a.units(periods[-1]).less(a.one())))
    return a.piece(chain(*cycles), sets=True, goes_on=True)


def _plateau(a: Taken) -> Piece:
    if not a.by_epoch:
        raise a.refuse("it goes by epochs: leave out by_epoch and convert_to_iter_based")
    least, eps, threshold = a.number("min_value", 0.0), a.number("eps", 1e-8), a.number("threshold", 1e-4, least=0)
    relative = a.word("threshold_rule", ("rel", "abs"), "rel") == "rel"
    monitor = a.take("monitor", "loss")
    factor = plateau(
        a.number("factor", 0.1),
        patience=a.number("patience", 10),
        mode={"less": "min", "greater": "max"}[a.word("rule", ("less", "greater"), "less")],
        rel=threshold if relative else 0,
        delta=0 if relative else threshold,
        cooldown=a.number("cooldown", 0),
        floor=Absolute(least) if least else 0.0,
        eps=Absolute(eps) if eps else 0.0,
        metric=str(monitor),
    )
    return a.piece(factor, jumps=True)


LAWS: dict[str, Callable[[Taken], Piece]] = {
    "Linear": _linear,
    "Constant": _constant,
    "Exponential": _exponential,
    "Step": _step,
    "MultiStep": _multi_step,
    "CosineAnnealing": _cosine,
    "Poly": _poly,
    "QuadraticWarmup": _quadratic,
    "OneCycle": _one_cycle,
    "CosineRestart": _restart,
    "ReduceOnPlateau": _plateau,
}
