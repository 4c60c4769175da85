"""What the hooks of MMCV 1.x have in common: the run, the time that a policy counts, its warmup, and policies that both have.

Source: mmcv/runner/hooks/lr_updater.py and momentum_updater.py of MMCV 1.7.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from ...compose import clip
from ...errors import InputError, MissingFactError, did_you_mean, shown
from ...fields import Absolute, Level
from ...laws import steps
from ...phases import chain, repeat
from ...schedule import Schedule, constant
from ...shapes import cosine, linear
from ...timing import per_epoch, skip
from ..arguments import Settings, bracketed, mapping, numbers_of
from ..warm_cosine import length

_OWN = "a class of your own is not read"
_SETTINGS = (  # of policies that have one or another of them
    *(
        "step",
        "gamma",
        "power",
        "periods",
        "restart_weights",
        "start_percent",
        "num_last_epochs",
        "cool_down_ratio",
        "cool_down_time",
    ),
    *("target_ratio", "cyclic_times", "step_ratio_up", "max_lr", "total_steps", "pct_start", "anneal_strategy", "div_factor"),
    *("final_div_factor", "three_phase", "base_momentum", "max_momentum"),
    *(f"min_{what}{ratio}" for what in ("lr", "momentum") for ratio in ("", "_ratio")),
)
_ANNEALING: dict[str, Any] = {"cos": cosine, "linear": linear}


@dataclass
class Horizon:
    """What the runner makes of a schedule.

    Args:
        epochs: max_epochs of an EpochBasedRunner; None for an IterBasedRunner.
        steps_per_epoch: Iterations of an epoch; None while that is not known.
        steps: Iterations of the run, max_iters; None while that is not known.
        lr: The optimizer's learning rate, which groups multiply.
        momentum: Its momentum or beta1; None where it has neither.
        notes: What is to be told.
        sized: Whether the batch is known.
    """

    epochs: int | None
    steps_per_epoch: int | None
    steps: int | None
    lr: float
    momentum: float | None
    notes: list[str]
    sized: bool = False

    def counted(self, what: str) -> int:
        """Return steps or steps_per_epoch, or ask for it."""
        found: int | None = getattr(self, what)
        if found is not None:
            return found
        if what == "steps" and self.epochs is None:
            raise MissingFactError("the schedule follows from max_iters of the IterBasedRunner: give --steps")
        needed = "--samples" if self.sized else "--samples and --batch-size"
        raise MissingFactError(f"the schedule is counted in iterations: give --steps-per-epoch, or {needed}")


# -- what a hook is told: its policy, the time that it counts, its warmup ----------------------------------------


@dataclass(frozen=True)
class Progress:
    """The time that a policy counts.

    Args:
        horizon: What the runner makes of it.
        unit: "epoch" or "step".
        frozen: Whether nothing ever reads it: an IterBasedRunner has no epochs.
    """

    horizon: Horizon
    unit: str
    frozen: bool = False

    @property
    def total(self) -> int:
        """How far it goes: max_epochs or max_iters."""
        return self.horizon.counted("steps") if self.unit == "step" else self.horizon.epochs or 1

    def read(self, schedule: Schedule) -> Schedule:
        """Return a schedule as it is read: at every iteration, or as an epoch begins."""
        return per_epoch(schedule) if self.unit == "epoch" else schedule


class Warmup(NamedTuple):
    """A warmup by its name, or None: from which ratio, over how many epochs or steps."""

    kind: str | None
    ratio: float
    amount: int
    unit: str

    @property
    def over(self) -> str:
        return length(self.amount, self.unit)


def arguments(config: Any, key: str, hook: str, laws: Mapping[str, Any]) -> tuple[str, Settings]:
    """Return the policy of a config, by the name that its hook bears, and its settings."""
    given = dict(mapping(config, key))
    name = given.pop("policy", None)
    given.pop("type", None)  # MMCV writes the hook's name over it
    if not isinstance(name, str):
        raise InputError(f"{key}: policy must name one of {', '.join(laws)}; got {shown(name)}")
    called = name.title() if name == name.lower() else name
    if called not in laws:
        meant = next((one for one in laws if one.lower() == name.lower()), None)
        cure = f"; did you mean {meant!r}?" if meant else did_you_mean(called, laws)
        raise InputError(f"{key}: MMCV has no policy {shown(name)}: it looks for {shown(called + hook)}{cure}; {_OWN}")
    return called, Settings(f"{key} ({called})", given)


def progress_of(name: str, a: Settings, horizon: Horizon, *, by_epoch: bool) -> Progress:
    """Return what a policy counts; by_epoch is the default of those that have the choice."""
    cycles = name in ("Cyclic", "OneCycle")
    wanted = a.flag("by_epoch", by_epoch and not cycles)
    if wanted and cycles:
        raise a.refuse("by_epoch must be False: this policy counts iterations")
    return Progress(horizon, "epoch" if wanted else "step", frozen=wanted and horizon.epochs is None)


def warmup_of(a: Settings, notes: list[str], *, ratio: float, by_epoch: bool = True) -> Warmup:
    """Return the warmup; ratio is the default, and by_epoch says whether the hook has a warmup_by_epoch."""
    kind, amount = a.take("warmup", None), a.take("warmup_iters", 0)
    if kind is not None:
        a.word("warmup", ("constant", "linear", "exp"))
        if a.given.get("warmup_iters") is None:
            a.take("warmup_ratio", None)
            raise a.missing("warmup_iters", f"warmup {kind!r} needs warmup_iters, how long it is")
        amount, ratio = a.whole("warmup_iters", 0, least=1), a.number("warmup_ratio", ratio, above=0, most=1)
    a.take("warmup_ratio", None)
    if not isinstance(amount, int):
        raise a.refuse(f"warmup_iters must be a whole number, got {shown(amount)}")
    if kind is None and amount:
        notes.append(f"{a.name}: warmup_iters {amount} does nothing without a warmup")
    return Warmup(kind, ratio, amount, "epoch" if by_epoch and a.flag("warmup_by_epoch", False) else "step")


def finish(a: Settings, key: str) -> None:
    """Refuse settings that nobody took. One of another policy comes from a base as a rule, and --set can put null over it."""
    for word in [word for word in a.given if word not in a.taken and word in _SETTINGS]:
        if a.given.pop(word) is not None:
            raise a.refuse(
                f"has no setting {shown(word)}, which is another policy's: where a base gives it, write _delete_=True beside the "
                f"policy, or --set {key}.{word}=null"
            )
    a.done()


def warmed(schedule: Schedule, factor: Schedule | None) -> Schedule:
    """Return a policy times what its warmup makes of it."""
    return schedule if factor is None else factor if schedule == constant(1) else factor * schedule


# -- policies of both ---------------------------------------------------------------------------------------------


def step(a: Settings, progress: Progress, floor: str = "min_lr", gamma: float = 0.1) -> Schedule:
    """gamma^floor(time / step) or gamma^(milestones reached), and at least the floor."""
    given, gamma = a.take("step"), a.number("gamma", gamma)
    if isinstance(given, list):
        at = [Settings(a.name, {f"step[{i}]": one}).whole(f"step[{i}]", least=1) for i, one in enumerate(given)]
        # MMCV counts those before the first that is still ahead: a smaller one behind a larger is reached together with it
        if at != sorted(at):
            progress.horizon.notes.append(
                f"{a.name}: step {shown(given)} is out of order: MMCV reaches a smaller one together with the larger before it"
            )
        milestones = [length(one, progress.unit) for one in accumulate(at, max)]
        found: Schedule = steps(gamma, at=milestones) if milestones else constant(1)
    elif isinstance(given, int):
        found = steps(gamma, every=length(a.whole("step", least=1), progress.unit))
    else:
        raise a.refuse(f"step must be a whole number or a list of them, got {shown(given)}{bracketed(given)}")
    return found if a.take(floor, None) is None else clip(found, lo=absolute(a.number(floor)))


def annealing(a: Settings, progress: Progress, shape: Any, floor: str = "min_lr") -> Schedule:
    """From 1 to the target over the run; the last epoch or iteration is still above it."""
    return progress.read(shape(1, target(a, floor)))


def target(a: Settings, floor: str = "min_lr") -> Level:
    """Return the level at the end, which exactly one of two settings must give."""
    both = (floor, f"{floor}_ratio")
    given = [key for key in both if a.take(key, None) is not None]
    if len(given) != 1:
        raise a.refuse(f"give either {both[0]} or {both[1]}, got {'both' if given else 'neither'}")
    return absolute(a.number(floor)) if given == [floor] else a.number(both[1])


def cyclic(a: Settings, progress: Progress, ratios: tuple[float, float]) -> Schedule:
    """Cycles of n = max_iters // cyclic_times, from 1 to ratio[0] and on to ratio[1]; gamma^cycle draws ratio[0] towards 1."""
    shape = _ANNEALING[a.word("anneal_strategy", tuple(_ANNEALING), "cos")]
    (top, end), gamma = _ratios(a, ratios), a.number("gamma", 1.0)
    times, part = a.number("cyclic_times", 1, above=0), a.number("step_ratio_up", 0.4, least=0)
    if part >= 1:
        raise a.refuse(f"step_ratio_up must be below 1, got {part:g}")
    n = progress.total // times
    if n < 1:
        raise a.refuse(f"cyclic_times must leave each cycle an iteration, got {times:g} for {progress.total} iterations")
    up, every = int(part * n), length(n, "step")

    def cycle(start: float, peak: float, last: float) -> Schedule:
        return chain(shape(start, peak, over=length(up, "step")), shape(peak, last)) if up else shape(peak, last)

    if n == progress.total:
        return cycle(1, top, end)
    if gamma == 1 or n > progress.total:
        return repeat(cycle(1, top, end), every)
    # what gamma draws in is the peak's distance from 1; where there is no way up, MMCV takes the end's in its place
    rest, drawn = (cycle(1, 1, end), cycle(0, top - 1, 0)) if up else (cycle(1, top, 1), cycle(0, 0, end - 1))
    return repeat(rest, every) + repeat(drawn, every, shrink=gamma)


def _ratios(a: Settings, default: tuple[float, float]) -> tuple[float, float]:
    given = a.take("target_ratio", default)
    if not isinstance(given, float | tuple):
        raise a.refuse(f"target_ratio must be a float or a tuple, got {shown(given)}")
    found = numbers_of(given if isinstance(given, tuple) else (given,), f"{a.name}: target_ratio")
    if len(found) not in (1, 2):
        raise a.refuse(f"target_ratio must hold one number or two, got {len(found)}")
    return found[0], found[1] if found[1:] else found[0] / 1e5


def one_cycle(a: Settings, total: int, start: float, top: float, back: float, end: float) -> Schedule:
    """From start to top in pct_start * total - 1 iterations, and to the end at total - 1; in three phases by way of back."""
    part = fraction(a, "pct_start", 0.3)
    shape = _ANNEALING[a.word("anneal_strategy", tuple(_ANNEALING), "cos")]
    ends, levels = [float(part * total) - 1, float(2 * part * total) - 2, total - 1.0], [start, top, back, end]
    if not a.flag("three_phase", False):
        del ends[1], levels[2]
    if ends[0] == 0:
        raise a.refuse(f"pct_start {part:g} of {total} iterations is a single one, over which MMCV divides 0 by 0")
    phases: list[Schedule] = []
    begin = 0.0
    for until, low, high in zip(ends, levels, levels[1:], strict=False):
        if until > max(begin, 0.0):  # none that is over before the run, or that begins behind its own end
            moved = shape(absolute(low), absolute(high), over=length(until - begin, "step"))
            phases.append(skip(moved, length(-begin, "step")) if begin < 0 else moved)
        begin = until
    return chain(*phases) if phases else constant(absolute(levels[-1]))


def fraction(a: Settings, key: str, default: float) -> float:
    """Return a part of the run, which MMCV wants as a float."""
    value = a.take(key, default)
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise a.refuse(f"{key} must be a float from 0.0 to 1.0, got {shown(value)}")
    return value


def absolute(value: float) -> Level:
    """Return a value that no base multiplies; 0 is 0 for each."""
    return Absolute(value) if value else 0.0
