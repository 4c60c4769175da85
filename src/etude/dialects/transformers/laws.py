"""What each scheduler type of transformers does to the learning rate, as a schedule.

They come in two settings. Trainer counts the updates of the run and hands that number over: here the schedule fills the run.
In a loop of one's own num_training_steps is any number, and the run may go on past it, where the types differ: `linear` and
`polynomial` hold their end, `cosine_with_restarts` falls to 0, the other cosines rise again.

Source: transformers/optimization.py of 5.23.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...compose import clip
from ...errors import InputError, shown
from ...fields import Absolute, Level
from ...laws import inverse, values
from ...phases import chain, phase, repeat, wave
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly, power
from ...timing import scaled, skip
from ...units import number_text
from ..arguments import Arguments
from ..torch.laws import reduce_on_plateau
from ..torch.place import Place
from .greedy import followed


@dataclass
class Horizon:
    """How long the parts of a schedule are, and what else it is made for.

    Args:
        lrs: The base values of the groups.
        group: Which group is meant.
        warmup: Length of the warmup; None without one.
        warm: That in steps, where it is known.
        total: num_training_steps, where it is known.
        steps: Steps of a run that may be longer or shorter than that; None where the schedule fills the run.
        metric: What a plateau watches.
        metrics: What each scheduler.step() was given, where it has been measured.
        notes: What is to be told.
    """

    lrs: Sequence[float]
    group: int = 0
    warmup: str | None = None
    warm: int | None = 0
    total: int | None = None
    steps: float | None = None
    metric: str = "val_loss"
    metrics: Sequence[float] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def fills(self) -> bool:
        return self.steps is None

    @property
    def whole(self) -> bool:
        """Whether the warmup takes the whole run, so that nothing follows it."""
        return self.fills and self.warm is not None and self.total is not None and 0 < self.total <= self.warm

    @property
    def span(self) -> int | None:
        """Steps behind the warmup, where they are known; never fewer than one, as transformers has it."""
        return None if self.total is None or self.warm is None else max(1, self.total - self.warm)

    @property
    def over(self) -> str | None:
        """The length behind the warmup; None for what is left of the run."""
        return None if self.fills else self.left()

    def left(self, less: int = 0) -> str:
        """Return that length in words, or what a number of steps leaves of it."""
        if not self.fills:
            return f"{self.span} steps"
        if self.warmup is None or self.counted:
            less, taken = less + (self.warm or 0), ""
        else:
            taken = f" - {self.warmup}"
        return f"100%{taken}" + (f" - {less} steps" if less else "")

    @property
    def counted(self) -> bool:
        """Whether the warmup is given in steps, rather than as a part of the run."""
        return self.warmup is not None and self.warmup.endswith("steps")

    def level(self, value: float, what: str) -> Level:
        """Return an own value as a level: transformers makes it a factor by optimizer.defaults["lr"], the first group's here."""
        if not value:
            return 0.0
        if not self.lrs[0]:
            raise InputError(f"{what} {value:g} is divided by the learning rate, which is 0")
        return Absolute(value) if len(set(self.lrs)) == 1 else value / self.lrs[0]

    def warmed(self, main: Schedule, up: Schedule | None = None) -> Schedule:
        """Return what follows a warmup together with that: a straight line from 0, or another."""
        if self.warmup is None:
            return main
        up = linear(0, 1, over=self.warmup) if up is None else up
        return up if self.whole else chain(up, main)


def constant_(a: Arguments, h: Horizon) -> Schedule:
    return constant(1)


def constant_with_warmup(a: Arguments, h: Horizon) -> Schedule:
    return h.warmed(constant(1))


def linear_(a: Arguments, h: Horizon) -> Schedule:
    return h.warmed(constant(0) if _over(h) else linear(1, 0, over=h.over))


def _over(h: Horizon) -> bool:
    """Whether a horizon of its own has gone by as the warmup ends."""
    return not h.fills and h.total is not None and h.warm is not None and h.total <= h.warm


def polynomial(a: Arguments, h: Horizon) -> Schedule:
    end, exponent = a.number("lr_end", 1e-7), a.number("power", 1.0)
    if not h.lrs[0] > end:
        raise a.refuse(f"lr_end {end:g} must be below the learning rate, {h.lrs[0]:g}")
    if h.total is not None and h.total == h.warm and (h.fills or h.total <= (h.steps or 0)):
        raise a.refuse(f"the warmup ends with the {h.total} steps, and transformers divides by 0 there: take a shorter one")
    if exponent < 0:
        raise a.refuse(f"power must be 0 or above, got {exponent:g}: transformers divides by 0 at the end")
    level = h.level(end, "lr_end")
    if _over(h):
        return h.warmed(constant(level))
    if exponent == 0:  # 0 ** 0 is 1: the last step is still at the top
        return h.warmed(constant(1) if h.fills else chain(constant(1, over=f"{h.span} steps + 1 step"), constant(level)))
    return h.warmed(linear(1, level, over=h.over) if exponent == 1 else poly(1, level, exponent, over=h.over))


def cosine_(a: Arguments, h: Horizon) -> Schedule:
    return h.warmed(_waves(h, a.number("num_cycles", 0.5), 0.0))


def cosine_with_min_lr(a: Arguments, h: Horizon) -> Schedule:
    return h.warmed(_waves(h, a.number("num_cycles", 0.5), _floor(a, h)))


def cosine_warmup_with_min_lr(a: Arguments, h: Horizon) -> Schedule:
    """A warmup whose first step is above 0 and whose last has reached the top, so that all that follows is a step early."""
    main = _waves(h, a.number("num_cycles", 0.5), _floor(a, h), ahead=1)
    start = None if a.take("warmup_lr_rate", None) is None else a.number("warmup_lr_rate")
    if h.warmup is None:
        return skip(main, "1 step")
    if h.warm == 1 and h.whole:
        return constant(1 if start is None else start)
    if h.warm == 1:
        return main if start is None else values([start, 1], at=["1 step"]) * main  # which stands at 1 there
    if start is None:
        return h.warmed(main, skip(linear(0, 1, over=h.warmup), "1 step"))
    return h.warmed(main, linear(start, 1, over=f"{(h.warm or 0) - 1} steps" if h.counted else f"{h.warmup} - 1 step"))


def _waves(h: Horizon, cycles: float, floor: Level, ahead: int = 0) -> Schedule:
    """Return so many waves over what is left; half of one is the usual fall, and what goes on past one rises again."""
    halves = 2 * abs(cycles)
    if not halves:
        return constant(1)
    if h.fills:
        shape: Schedule = cosine(1, floor, over=h.left() if ahead else None) if halves <= 1 else wave(1, floor, half=h.left())
        shape = shape if halves == 1 else scaled(shape, halves)
    else:
        half = (h.span or 1) / halves
        past = (h.steps or 0) - 1 - (h.warm or 0) + ahead > half
        span = f"{number_text(half)} steps"
        shape = wave(1, floor, half=span) if past else cosine(1, floor, over=span)
    below = floor.value if isinstance(floor, Absolute) else floor
    return clip(shape, lo=0) if below < 0 else shape


def _floor(a: Arguments, h: Horizon) -> Level:
    level, rate = a.take("min_lr", None), a.take("min_lr_rate", None)
    if (level is None) == (rate is None):
        raise a.refuse(f"give min_lr or min_lr_rate, got {'neither' if level is None else 'both'}")
    return a.number("min_lr_rate") if level is None else h.level(a.number("min_lr"), "min_lr")


def cosine_with_restarts(a: Arguments, h: Horizon) -> Schedule:
    """Cycles that begin at the top and stop a step short of 0; only past the end is it 0."""
    cycles = a.number("num_cycles", 1)
    if not 0 <= cycles <= _MOST:
        raise a.refuse(f"num_cycles must be from 0 to {_MOST}, got {cycles:g}")
    if cycles == 1:
        return h.warmed(cosine(1, 0, over=h.over))
    slips = values([1.0, *[0.0, 1.0] * (len(at) // 2)], at=at) if (at := _slips(h, cycles)) else None
    main: Schedule
    if cycles <= 1:
        main = scaled(cosine(1, 0, over=h.over), cycles) if cycles else constant(1)
    elif h.span is not None and not h.fills and cycles == int(cycles) and h.span % cycles == 0:
        main = repeat(cosine(1, 0), f"{number_text(h.span / cycles)} steps", times=int(cycles))
        return h.warmed(main * slips if slips else main)
    else:
        main = scaled(repeat(cosine(1, 0), h.left()), cycles)
    main = main * slips if slips else main
    return h.warmed(main if h.fills else chain(phase(main, over=h.left()), constant(0)))


_MOST = 10_000


def _slips(h: Horizon, cycles: float) -> list[str]:
    """Return the restarts that transformers meets a step late, at 0, as its 49 * (1 / 49) is below 1, and where each is over."""
    if h.span is None:
        return []
    found: list[str] = []
    for count in range(1, math.ceil(cycles)):
        step = round(count * h.span / cycles)
        if step * cycles == count * h.span and int(cycles * (step / h.span)) < count:
            found += [f"{step} steps", f"{step} steps + 1 step"]
    if found:
        h.notes.append(
            f"{len(found) // 2} of the restarts come a step late, after a step at 0: transformers rounds, "
            f"as {number_text(cycles)} * (1 / {number_text(cycles)}) may be below 1"
        )
    return found


def inverse_sqrt(a: Arguments, h: Horizon) -> Schedule:
    given = a.take("timescale", None)
    if given is not None and a.number("timescale") <= 0:
        raise a.refuse(f"timescale must be above 0, got {given:g}")
    per = f"{number_text(given)} steps" if given is not None else h.warmup or "10000 steps"
    return h.warmed(inverse(1, per=per, power=0.5))


def warmup_stable_decay(a: Arguments, h: Horizon) -> Schedule:
    fall, given = a.whole("num_decay_steps"), a.take("num_stable_steps", None)
    stable: int | None
    if given is not None:
        stable = a.whole("num_stable_steps")
        if h.total is not None or h.fills:
            h.notes.append(
                f"num_stable_steps {given} decides, not what num_training_steps leaves: steps past the decay stay there"
            )
    elif h.total is None and not h.fills:
        raise a.refuse("give num_training_steps or num_stable_steps, got neither")
    else:
        stable = None if h.total is None or h.warm is None else h.total - h.warm - fall
    rise, kind = a.word("warmup_type", _WSD, "linear"), a.word("decay_type", _WSD, "cosine")
    floor, cycles = a.number("min_lr_ratio", 0), a.number("num_cycles", 0.5)
    if floor < 0:
        raise a.refuse(f"min_lr_ratio must be 0 or above, got {floor:g}")
    up = _RISES[rise](floor, h.warmup) if h.warmup else None
    down = _fall(kind, floor, fall, abs(cycles))
    if stable is not None and stable < 0:  # the decay has begun before the warmup ends, unseen
        return h.warmed(skip(down, f"{-stable} steps") if -stable < fall else constant(floor), up)
    if stable == 0:
        return h.warmed(down, up)
    held = f"{stable} steps" if given is not None or not h.fills else h.left(fall)
    return h.warmed(chain(constant(1, over=held), down), up)


_WSD = ("linear", "cosine", "1-sqrt")
_RISES: dict[str, Callable[[float, str], Schedule]] = {
    "linear": lambda start, over: linear(start, 1, over=over),
    "cosine": lambda start, over: cosine(start, 1, over=over),
    "1-sqrt": lambda start, over: poly(start, 1, 0.5, over=over),
}


def _fall(kind: str, floor: float, steps: int, cycles: float) -> Schedule:
    if not steps:
        return constant(floor)
    over = f"{steps} steps"
    if kind == "cosine" and cycles != 0.5:
        half = f"{number_text(steps / (2 * cycles))} steps" if cycles else ""
        main = constant(1) if not cycles else wave(1, floor, half=half) if cycles > 0.5 else cosine(1, floor, over=half)
        return chain(phase(main, over=over), constant(floor))
    return {"linear": linear(1, floor, over=over), "cosine": cosine(1, floor, over=over)}.get(
        kind, power(1, floor, 0.5, over=over)
    )


def reduce_lr_on_plateau(a: Arguments, h: Horizon) -> Schedule:
    if "metric" in a.given:
        raise a.refuse("has no setting 'metric': it is metric_for_best_model of TrainingArguments")
    a.given["metric"] = h.metric
    base = h.lrs[h.group]
    return reduce_on_plateau(a, Place(h.group, len(h.lrs), base, base)).curve


def greedy(a: Arguments, h: Horizon) -> Schedule:
    """GreedyLR goes up while a metric improves, too, and begins anew: of what was measured, the values that it led to."""
    if h.metrics is None:
        raise a.refuse(
            "it moves the learning rate up as well as down and begins anew, by a metric, which no schedule says: give the "
            "metrics of a loop that was run ('metrics', one for each scheduler.step()), or take reduce_lr_on_plateau"
        )
    if len(h.lrs) * len(h.metrics) > _MOST:
        raise a.refuse(f"at most {_MOST} metrics times groups can be followed, got {len(h.metrics)} times {len(h.lrs)}")
    own = [row[h.group] for row in followed(a, h.lrs, h.metrics)]
    changes = [step for step in range(1, len(own)) if own[step] != own[step - 1]]
    h.notes.append(f"greedy is written as the values that its {len(h.metrics)} metrics led to; after them the last is held")
    if not changes:
        return constant(1)
    return values([1.0, *(Absolute(own[step]) for step in changes)], at=[f"{step} steps" for step in changes])


_MOST = 20_000
LAWS: dict[str, Callable[[Arguments, Horizon], Schedule]] = {
    "linear": linear_,
    "cosine": cosine_,
    "cosine_with_restarts": cosine_with_restarts,
    "polynomial": polynomial,
    "constant": constant_,
    "constant_with_warmup": constant_with_warmup,
    "inverse_sqrt": inverse_sqrt,
    "reduce_lr_on_plateau": reduce_lr_on_plateau,
    "cosine_with_min_lr": cosine_with_min_lr,
    "cosine_warmup_with_min_lr": cosine_warmup_with_min_lr,
    "warmup_stable_decay": warmup_stable_decay,
    "greedy": greedy,
}
WITHOUT_WARMUP = ("constant", "reduce_lr_on_plateau", "greedy")
WITHOUT_END = (*WITHOUT_WARMUP, "constant_with_warmup", "inverse_sqrt")
WITHOUT_SETTINGS = ("constant", "constant_with_warmup")


def schedules(kind: str, given: dict[str, Any], horizon: Horizon) -> list[Schedule]:
    """Return the schedule of each group.

    Args:
        kind: The scheduler's type.
        given: Its own settings, scheduler_specific_kwargs.
        horizon: What it is made for; its notes are added to.
    Raises:
        InputError: transformers refuses it, or no schedule says it.
    """
    if kind in WITHOUT_SETTINGS:
        horizon.notes += [f"ignored: {key} {shown(each)}, as get_scheduler hands {kind} none" for key, each in given.items()]
        given = {}
    found = []
    for group in range(len(horizon.lrs)):
        a = Arguments(kind, given)
        horizon.group = group
        if a.take("last_epoch", -1) != -1:
            raise a.refuse("last_epoch must be left out: a fresh optimizer has no initial_lr, and torch raises KeyError")
        found.append(LAWS[kind](a, horizon))
        a.done()
    return found
