"""The schedulers of mmengine one by one: what each makes of the value that it finds.

A scheduler acts in a window of its own, begin <= t < end, and moves the value in place: by a ratio, toward a floor, or to a
value of its own. After its window the value stays as it is.

Source: mmengine/optim/scheduler/param_scheduler.py of mmengine 0.10.7; the schedulers of mmdet 3.3.0 (quadratic warmup), mmpose
1.3.2 (a constant above 1), mmseg 1.2.2 (poly with a ratio) and mmpretrain 1.2.0 (weight decay).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import MissingFactError, shown
from ...fields import Absolute, Level
from ...laws import decay, steps
from ...phases import chain, wave
from ...plateaus import plateau
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly, power
from ...timing import hold, skip
from ..arguments import Settings, bracketed
from ..torch.cycles import ANNEALING, annealed
from .amounts import Amount, Loop

_ENDLESS = 10**9  # mmengine's INF, which it does not convert


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
        absolute: Its first value is not a factor.
        jumps: It changes at the begin of an epoch alone, if it goes by epochs.
        goes_on: After `end` it would move on, if it acted.
        still: What the value has been multiplied with in the end, or the value that it has come to; None where it is neither.
        turns: It rises from its floor again, by what the base value is above it.
        arrives: When it is on its floor for the first time, if it ever is.
        rests: It ends there.
        idle: Until when it does nothing, if that is later than its begin.
    """

    name: str
    begin: Amount
    end: Amount
    by_epoch: bool
    curve: Schedule | Callable[[Level, Level], Schedule]
    floor: Level = 0.0
    sets: bool = False
    absolute: bool = False
    jumps: bool = False
    goes_on: bool = False
    still: Level | None = None
    turns: bool = False
    arrives: Amount | None = None
    rests: bool = False
    idle: Amount | None = None

    @property
    def one(self) -> Amount:
        """The time from one of its steps to the next."""
        return Amount(1) if self.by_epoch else Amount(0, 1)

    @property
    def based(self) -> bool:
        """Whether it goes by the base value, besides the one that it finds."""
        return self.turns or self.sets or (isinstance(self.floor, float) and self.floor != 0)

    def way(self, start: Level, floor: Level) -> Schedule:
        """Return what it makes of `start`, a factor of the base value or a value, from its begin on."""
        if not isinstance(self.curve, Schedule):
            return self.curve(start, floor)
        return self.curve if self.sets or start == 1 else constant(start) * self.curve


class Taken(Settings):
    """The settings of one scheduler, its window taken from them."""

    def __init__(self, name: str, given: Mapping[str, Any], loop: Loop) -> None:
        super().__init__(name, given)
        self.loop = loop
        by_epoch, self.converted = self.flag("by_epoch", True), self.flag("convert_to_iter_based", False)
        if self.converted and not by_epoch:
            raise self.refuse("convert_to_iter_based is for schedulers by epoch: leave it out, or by_epoch=False")
        self.by_epoch = by_epoch and not self.converted
        self.take("verbose", False)
        if self.take("last_step", -1) != -1:
            raise self.refuse(f"last_step must be left out, got {shown(self.given['last_step'])}")
        self.begin = self.edge("begin", 0)
        # a loop that counts iterations is one epoch
        whole = loop.total if not by_epoch else self.units(1 if loop.epochs is None else loop.epochs, "end")
        self.end = self.edge("end") if "end" in given else whole
        self.width = self.end.less(self.begin)
        if loop.before(self.begin, self.end) is False:
            raise self.refuse(f"end must be larger than begin, got {self.span(self.begin)} and {self.span(self.end)}")
        self.once = loop.before(self.one(), self.width) is False
        self.last = self.width.less(self.one())

    def edge(self, key: str, default: float | None = None) -> Amount:
        """Return begin or end; what is converted is cut off to whole iterations."""
        number = self.number(key, least=0) if default is None else self.number(key, default, least=0)
        if number >= _ENDLESS:
            return Amount(number) if self.by_epoch else Amount(0, number)
        if number == int(number):
            return self.units(number, key)
        if not self.converted:
            raise self.refuse(f"{key} must be a whole number, of which mmengine counts its steps; got {number:g}")
        return Amount(0, int(self.per_epoch(number, key) * number))

    def per_epoch(self, number: float, key: str) -> int:
        """Return the iterations of an epoch, in which a number of epochs must be counted."""
        if self.loop.per_epoch is None:
            raise MissingFactError(f"{self.name}: {key} {number:g} epochs are counted in iterations: {self.loop.ask}")
        return self.loop.per_epoch

    def units(self, number: float, key: str) -> Amount:
        """Return a number of its own unit."""
        if self.by_epoch or (self.converted and (self.loop.epochs is not None or not number)):
            return Amount(number)
        return Amount(0, number * self.per_epoch(number, key) if self.converted else number)

    def span(self, amount: Amount) -> str:
        return self.loop.text(amount)

    def one(self) -> Amount:
        return Amount(1) if self.by_epoch else Amount(0, 1)

    def count(self, amount: Amount) -> float | None:
        """Return how many of its steps an amount is; None where that is not known."""
        if self.by_epoch or self.loop.per_epoch or not amount.epochs:
            return amount.epochs if self.by_epoch else self.loop.measured(amount)
        return None

    def floor(self, default: float | None = None, *, ratio: bool = True, required: bool = False) -> Level:
        """Return eta_min, or eta_min_ratio of the base value."""
        least, part = self.take("eta_min", default), self.take("eta_min_ratio", None) if ratio else None
        if part is not None:
            if least is not None and default is None:
                raise self.refuse("give eta_min or eta_min_ratio, not both")
            return self.number("eta_min_ratio")
        if required and least is None:
            raise self.missing("eta_min", "give eta_min or eta_min_ratio")
        value = 0.0 if least is default is None else self.number("eta_min", default or 0.0)
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
    factor = a.number("factor", 1 / 3, least=0, most=math.inf if a.name == "ConstantLR" else 1)
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
    size = a.units(every, "step_size")
    return a.piece(steps(gamma, every=a.span(size)), jumps=True, goes_on=True, idle=a.begin.plus(size))


def _multi_step(a: Taken) -> Piece:
    given, gamma = a.take("milestones"), a.number("gamma", 0.1)
    if not isinstance(given, list | tuple) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in given):
        raise a.refuse(f"milestones must be a list of numbers, got {shown(given)}{bracketed(given)}")
    at = []
    for number in sorted(given):
        whole = number == int(number)
        one = a.units(number, "milestones") if whole or not a.converted else Amount(0, number * a.per_epoch(number, "milestones"))
        # a milestone is met, or never: one that lies between two steps, or behind the end, is not
        if (whole or (a.converted and one.ticks == int(one.ticks))) and number >= 0 and a.loop.before(one, a.width) is not False:
            at.append(one)
        else:
            a.loop.notes.append(
                f"{a.name}: milestone {number:g} is never met: it acts for {a.span(a.width)}, counted from its begin"
            )
    drops = steps(gamma, at=[a.span(one) for one in at]) if at else constant(1)
    return a.piece(drops, jumps=True, still=gamma ** len(at), idle=a.begin.plus(at[0]) if at else a.end)


def _cosine(a: Taken) -> Piece:
    half = a.units(a.number("T_max", above=0), "T_max") if a.take("T_max", None) else a.width
    over, floor = a.span(half), a.floor()
    turns = half != a.width and a.loop.before(half.plus(a.one()), a.width) is not False
    last, halves = a.count(a.last), a.count(half)
    rests = bool(last and halves and last / halves % 2 == 1)
    return a.piece(
        lambda start, end: wave(start, end, half=over) if turns else cosine(start, end, over=over),
        floor=floor,
        goes_on=True,
        turns=turns,
        arrives=a.begin.plus(half) if turns or rests else None,
        rests=rests,
        still=floor if rests else None,
    )


def _poly(a: Taken) -> Piece:
    floor, exponent, over = a.floor(0.0, ratio=a.name == "PolyLRRatio"), a.number("power", 1.0), a.span(a.last)
    if a.once:
        return a.piece(constant(1), jumps=True, still=1.0)
    return a.piece(
        lambda start, end: poly(start, end, exponent, over=over),
        floor=floor,
        still=floor,
        arrives=a.begin.plus(a.last),
        rests=True,
    )


def _quadratic(a: Taken) -> Piece:
    if any(isinstance(a.given.get(key), float) and a.given[key] != int(a.given[key]) for key in ("begin", "end")):
        raise a.refuse("begin and end must be whole numbers: in a part of an epoch mmengine warms up to another rate")
    if a.number("end", 0.0) >= _ENDLESS:
        raise a.refuse("end must be given, and mmengine takes 1e9 for none")
    if a.once:
        return a.piece(constant(1), jumps=True, sets=True, still=1.0)
    return a.piece(skip(power(0, 1, 2, over=a.span(a.width)), a.span(a.one())), sets=True, still=1.0)


def _one_cycle(a: Taken) -> Piece:
    top, first, final = a.number("eta_max", 0.0), a.number("div_factor", 25.0), a.number("final_div_factor", 1e4)
    part, three = a.take("pct_start", 0.3), a.flag("three_phase", False)
    strategy = a.word("anneal_strategy", tuple(ANNEALING), "cos")
    if not isinstance(part, float) or not 0 <= part <= 1:
        raise a.refuse(f"pct_start must be a float from 0 to 1, got {shown(part)}")
    if not top or not first or not final:
        raise a.refuse("eta_max, div_factor and final_div_factor must not be 0")
    given = a.take("total_steps", None) is not None
    width = a.units(a.whole("total_steps", least=1), "total_steps") if given else a.width
    total, most = a.count(width), a.count(a.last)  # the number of its last step
    left = a.count(a.loop.total.less(a.begin))
    if total is None or most is None or (left is None and most >= total):
        raise MissingFactError(f"{a.name} follows from the iterations of an epoch: {a.loop.ask}")
    if left is not None:  # mmengine steps it once more when all is trained
        most = min(most, left)
    over = most == total and most != left  # it is read past its end
    if most > total:
        raise a.refuse(f"total_steps is {total:g}, and it goes on to its step {most:g}, where mmengine raises: give {most:g}")
    if over and strategy == "linear":
        raise a.refuse(f"its step {most:g} is past its end, where mmengine's line goes on: give total_steps {most + 1:g}")
    ends = [part * total - 1, *([2 * part * total - 2] if three else []), total - 1]
    if ends[0] == 0 or (ends[-1] == ends[-2] and most > ends[-1]):
        raise a.refuse(f"pct_start {part:g} of {total:g} steps leaves a phase without length, over which mmengine divides by 0")
    low = top / first
    levels = [Absolute(one) for one in ([low, top, low, low / final] if three else [low, top, low / final])]

    def span(count: float) -> str:
        return a.span(Amount(count) if a.by_epoch else Amount(0, count))

    return a.piece(
        annealed(span, ANNEALING[strategy], ends, levels, over),
        sets=True,
        absolute=True,
        goes_on=over or max(ends) > most,
        still=levels[-1] if most == ends[-1] > ends[-2] else None,
    )


def _restart(a: Taken) -> Piece:
    periods, weights, floor = a.take("periods"), a.take("restart_weights", (1,)), a.floor(required=True)
    for key, given in (("periods", periods), ("restart_weights", weights)):
        if not isinstance(given, list | tuple) or not given or not all(type(one) in (int, float) for one in given):
            raise a.refuse(f"{key} must be a list of numbers, got {shown(given)}{bracketed(given)}")
    if len(periods) != len(weights) or any(one <= 0 or one != int(one) for one in periods):
        raise a.refuse(f"there must be a weight for each period, a whole number; got {shown(periods)} and {shown(weights)}")
    spans = [a.units(period, "periods") for period in periods]
    cycles: list[Schedule] = [cosine(float(weight), floor, over=a.span(one)) for one, weight in zip(spans, weights, strict=True)]
    if a.loop.before(a.units(sum(periods), "periods"), a.width) is not False:  # then the value stays as it is, above its floor
        cycles[-1] = hold(cycles[-1], at=a.span(spans[-1].less(a.one())))
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
    if a.begin.epochs:  # what is measured as its begin comes is its own
        a.begin = a.begin.less(Amount(0, 1))
    return a.piece(factor, jumps=True, goes_on=True)


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
