"""The run: the facts that turn "3 epochs" into steps, and the clock made of them.

step = one optimizer update, batch = one forward and backward, several to a step under accumulation.
The arithmetic, in one place:

    samples of an epoch, per device = ceil(samples / devices)            floor with drop_last
    batches of an epoch = ceil(that / (batch_size / devices))            floor with drop_last
    steps of an epoch = ceil(batches / accumulate)                       an epoch's last step may hold fewer batches

An accumulation that is a schedule is counted by batch and carried over the epoch's end, as YOLOv5 does: an update
happens at the first batch that is `accumulate` batches after the last one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from .arrays import Scalar, Value
from .errors import InputError
from .schedule import Frame, Schedule
from .text import parse


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of a run with its own batch size, accumulation or frozen groups; counters go on from one to the next."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: float
    batch_size: int | None = None
    accumulate: int | None = None
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _positive(self.epochs, "stages: epochs", whole=False)
        for name in ("batch_size", "accumulate"):
            if getattr(self, name) is not None:
                _positive(getattr(self, name), f"stages: {name}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """The facts of a run. Any may be missing; what needs it says which flag gives it.

    Args:
        epochs: Length of the run in epochs.
        samples: Training samples of an epoch.
        batch_size: Samples of a batch, over all devices.
        devices: Devices that share a batch; a divisor of batch_size.
        accumulate: Batches to a step: a number, or a schedule of the batch such as `rounded(linear(1, 4, over="1000 batches"))`.
        drop_last: Leave out an epoch's last batch where it is not full.
        steps_per_epoch: Steps of an epoch, where the samples don't tell.
        steps: Length of the run in steps, instead of epochs.
        tokens_per_sample: Tokens of a sample, for lengths in tokens.
        stages: Parts of the run, instead of epochs; each may override batch_size and accumulate.
    Raises:
        InputError: a fact is not a positive number, or two contradict each other.

    Example:
        >>> Run(epochs=100, samples=600, batch_size=20).clock().total
        3000
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: float | None = None
    samples: int | None = None
    batch_size: int | None = None
    devices: int = 1
    accumulate: int | Schedule = 1
    drop_last: bool = False
    steps_per_epoch: int | None = None
    steps: int | None = None
    tokens_per_sample: int | None = None
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.accumulate, str):
            object.__setattr__(self, "accumulate", parse(self.accumulate))
        object.__setattr__(self, "stages", tuple(self.stages))
        for name in ("samples", "batch_size", "devices", "steps_per_epoch", "steps", "tokens_per_sample"):
            if getattr(self, name) is not None:
                _positive(getattr(self, name), name)
        if self.epochs is not None:
            _positive(self.epochs, "epochs", whole=False)
        if not isinstance(self.accumulate, Schedule):
            _positive(self.accumulate, "accumulate")
        if self.stages and (self.epochs or self.steps or self.steps_per_epoch):
            raise InputError("stages already say how long the run is: leave epochs, steps and steps_per_epoch out")
        if self.stages and isinstance(self.accumulate, Schedule):
            raise InputError("stages need accumulate as a number, got a schedule")
        for size in {self.batch_size, *(stage.batch_size for stage in self.stages)} - {None}:
            if size % self.devices:  # type: ignore[operator]  # None is taken out
                raise InputError(
                    f"batch_size must be a multiple of devices, got {size} over {self.devices}; "
                    "it counts the samples of all devices together"
                )
        if self.drop_last and self.samples and self.batch_size and self.samples < self.batch_size:
            raise InputError(
                f"drop_last leaves nothing of {self.samples} samples in batches of {self.batch_size}: "
                "take a smaller batch_size or no drop_last"
            )

    def override(self, **facts: Any) -> Run:
        """Return this run with the facts that are not None put in place.

        A new length (`steps` or `epochs`) replaces the old one and stages; samples or batch_size replace steps_per_epoch.
        """
        given = {name: value for name, value in facts.items() if value is not None}
        if {"steps", "epochs"} & given.keys():
            given = {"steps": None, "epochs": None, "stages": (), **given}
        if {"samples", "batch_size"} & given.keys():
            given = {"steps_per_epoch": None, **given}
        return replace(self, **given)

    def clock(self, by: str = "step") -> RunClock:
        """Return the clock of this run, ticking by "step" or by "batch"."""
        return RunClock(self, by)

    def parts(self) -> list[Part]:
        """Return the run's stages with everything resolved; one part for a run without stages."""
        stages = self.stages or (Stage(epochs=self.epochs or math.inf),)
        return [self._part(stage) for stage in stages]

    def _part(self, stage: Stage) -> Part:
        size = stage.batch_size or self.batch_size
        accumulate = self.accumulate if stage.accumulate is None else stage.accumulate
        batches, steps = None, self.steps_per_epoch
        if steps is not None and isinstance(accumulate, int):
            batches = steps * accumulate
        elif steps is None and self.samples and size:
            share = math.floor if self.drop_last else math.ceil
            batches = share(share(self.samples / self.devices) / (size // self.devices))
            steps = math.ceil(batches / accumulate) if isinstance(accumulate, int) else None
        elif steps is None and self.steps and self.epochs and isinstance(accumulate, int):
            if self.steps % self.epochs:
                raise InputError(f"{self.steps} steps are no whole number in each of {self.epochs:g} epochs; give steps_per_epoch")
            steps = int(self.steps / self.epochs)
            batches = steps * accumulate
        samples = self.samples
        if samples is None or self.drop_last:
            samples = batches * size if batches and size else None
        return Part(stage.epochs, size, accumulate, batches, steps, samples, stage.frozen)

    def arithmetic(self) -> list[str]:
        """Return the run's arithmetic in words, a line a fact, and the places where floor or ceil would differ."""
        return list(_arithmetic(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the facts that differ from the defaults, as plain data."""
        plain: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                plain[field.name] = repr(value) if isinstance(value, Schedule) else value
        if self.stages:
            plain["stages"] = [
                {f.name: getattr(stage, f.name) for f in fields(stage) if getattr(stage, f.name) not in (None, ())}
                for stage in self.stages
            ]
            for stage in plain["stages"]:
                if "frozen" in stage:
                    stage["frozen"] = list(stage["frozen"])
        return plain


@dataclass(frozen=True, slots=True)
class Part:
    """A stage with its arithmetic done; None where a fact is missing. Counts are of one epoch."""

    epochs: float
    batch_size: int | None
    accumulate: int | Schedule
    batches: int | None
    steps: int | None
    samples: int | None
    frozen: tuple[str, ...]


_MISSING = {
    "epochs": "steps per epoch: give --steps-per-epoch, or --samples and --batch-size",
    "batches": "batches per epoch: give --samples and --batch-size, or --steps-per-epoch",
    "steps": "steps per epoch: give --steps-per-epoch, or --samples and --batch-size",
    "samples": "samples per step: give --batch-size",
    "tokens": "tokens per step: give --batch-size, and tokens_per_sample in the recipe's run",
}


class RunClock:
    """Time of one run in ticks: steps, or batches. It answers what a schedule may ask (`schedule.Clock`), and more."""

    def __init__(self, run: Run, by: str = "step") -> None:
        if by not in ("step", "batch"):
            raise InputError(f"clock must be 'step' or 'batch', got {by!r}")
        if by == "step" and isinstance(run.accumulate, Schedule):
            raise InputError("an accumulation that is a schedule is counted by batch: the recipe needs `clock: batch`")
        self.run, self.by = run, by
        self.parts = run.parts()
        self._carried = isinstance(run.accumulate, Schedule)
        self.total = self._total()

    def _per_epoch(self, part: Part) -> int | None:
        return part.steps if self.by == "step" else part.batches

    def _total(self) -> float:
        if self.run.steps is not None and not (self.run.epochs and self.by == "batch"):
            if self.by == "step":
                self._agree()
                return self.run.steps
            if self._carried:
                raise InputError("with an accumulation that is a schedule, give the run's length as --epochs, not --steps")
            return self._last_batch(self.run.steps - 1) + 1
        total = 0.0
        for part in self.parts:
            if part.epochs == math.inf:
                return math.inf
            per_epoch = self._per_epoch(part)
            if per_epoch is None:
                raise InputError(f"{part.epochs:g} epochs need {_MISSING['epochs']}")
            ticks = part.epochs * per_epoch
            if ticks != int(ticks):
                raise InputError(f"{part.epochs:g} epochs of {per_epoch} {self.by}s are no whole number of {self.by}s: give --steps")
            total += ticks
        return int(total)

    def _agree(self) -> None:
        run, part = self.run, self.parts[0]
        if run.epochs and part.steps and part.steps * run.epochs != run.steps:
            raise InputError(
                f"steps contradicts epochs: got {run.steps} steps, but {run.epochs:g} epochs of {part.steps} steps "
                f"are {run.epochs * part.steps:g}; leave one out"
            )

    @cached_property
    def total_steps(self) -> float:
        """Optimizer updates in the run; inf without an end."""
        if self.by == "step" or self.total == math.inf:
            return self.total
        return len(self._updates) if self._carried else self.step_of_batch(int(self.total) - 1) + 1

    # -- units --------------------------------------------------------------------------------------------------

    def _rates(self, unit: str) -> list[float]:
        """Amounts of a unit in one tick, a number for each part of the run."""
        return [self._rate(unit, part) for part in self.parts]

    def _rate(self, unit: str, part: Part) -> float:
        per_epoch = self._per_epoch(part)
        samples_per_tick = None
        if part.samples and per_epoch:
            samples_per_tick = part.samples / per_epoch
        elif part.batch_size and (self.by == "batch" or isinstance(part.accumulate, int)):
            samples_per_tick = part.batch_size * (part.accumulate if self.by == "step" else 1)  # type: ignore[operator]
        tokens = self.run.tokens_per_sample
        amount: float | None
        if unit == f"{self.by}s" or unit == "batches" and self.by == "batch":
            amount = 1.0
        elif unit == "epochs":
            amount = 1 / per_epoch if per_epoch else None
        elif unit == "steps" and self._carried:
            raise InputError("this run's accumulation is a schedule, so its lengths must be in batches or epochs, not steps")
        elif unit in ("steps", "batches"):
            if part.steps and part.batches:
                amount = part.steps / part.batches if unit == "steps" else part.batches / part.steps
            else:
                accumulate = part.accumulate
                amount = 1 / accumulate if unit == "steps" else float(accumulate)  # type: ignore[operator, arg-type]
        elif unit == "samples":
            amount = samples_per_tick
        else:
            amount = samples_per_tick * tokens if samples_per_tick and tokens else None
        if amount is None:
            raise InputError(f"a length in {unit} needs {_MISSING[unit]}")
        return amount

    def ticks(self, value: float, unit: str, origin: float = 0.0) -> float:
        """Return an amount of a unit in ticks, measured from tick `origin`."""
        if unit == "%":
            if self.total == math.inf:
                raise InputError(f"a length of {value:g}% needs the run's length: give --epochs or --steps")
            return self.total * value / 100
        rates = self._rates(unit)
        if len(rates) == 1:
            # epochs by their own whole number of ticks, not by its inverse: 3 epochs of 30 steps are exactly 90
            per_epoch = self._per_epoch(self.parts[0])
            return value * per_epoch if unit == "epochs" and per_epoch else value / rates[0]
        starts = self._starts
        index = bisect_right(starts, origin) - 1
        at, left = origin, value
        while index < len(starts) - 1 and left > (room := (starts[index + 1] - at) * rates[index]):
            at, left, index = starts[index + 1], left - room, index + 1
        return at + left / rates[index] - origin

    # -- epochs -------------------------------------------------------------------------------------------------

    @cached_property
    def _starts(self) -> list[float]:
        """The ticks at which the parts begin."""
        starts = [0.0]
        for part in self.parts[:-1]:
            starts.append(starts[-1] + part.epochs * (self._per_epoch(part) or math.nan))
        return starts

    @cached_property
    def _epochs(self) -> tuple[list[float], list[float], float]:
        """Ticks per epoch and first epoch of each part, and the number of the run's last epoch."""
        per_epoch = [float(self._per_epoch(part) or math.nan) for part in self.parts]
        if any(map(math.isnan, per_epoch)):
            raise InputError(f"epochs can't be counted without {_MISSING['epochs']}")
        firsts = [0.0]
        for part in self.parts[:-1]:
            firsts.append(firsts[-1] + part.epochs)
        last = firsts[-1] + math.ceil((self.total - self._starts[-1]) / per_epoch[-1]) - 1 if self.total < math.inf else math.inf
        return per_epoch, firsts, last

    def epoch(self, t: Value, xp: Any = Scalar) -> Value:
        """Return the number of the epoch that tick t lies in, from 0, never past the run's last."""
        per_epoch, firsts, last = self._epochs
        if len(per_epoch) == 1:
            return xp.minimum(xp.floor(t / per_epoch[0]), last)
        part = xp.count(t, self._starts[1:])
        start, n, first = xp.pick(part, self._starts), xp.pick(part, per_epoch), xp.pick(part, firsts)
        return xp.minimum(first + xp.floor((t - start) / n), last)

    def epoch_start(self, t: Value, xp: Any = Scalar) -> Value:
        """Return the tick at which the epoch of tick t begins."""
        per_epoch, firsts, _ = self._epochs
        epoch = self.epoch(t, xp)
        if len(per_epoch) == 1:
            return epoch * per_epoch[0]
        part = xp.count(epoch, firsts[1:])
        return xp.pick(part, self._starts) + (epoch - xp.pick(part, firsts)) * xp.pick(part, per_epoch)

    # -- steps and batches --------------------------------------------------------------------------------------

    @cached_property
    def _updates(self) -> list[int]:
        """The batches at which updates happen, where accumulation is a schedule."""
        if self.total == math.inf:
            raise InputError("an accumulation that is a schedule needs the run's length: give --epochs")
        updates, last = [], -1
        for batch in range(int(self.total)):
            if batch - last >= self.accumulation(batch):
                updates.append(batch)
                last = batch
        return updates

    @cached_property
    def _accumulate(self) -> Any:
        accumulate = self.run.accumulate
        return accumulate.bind(Frame(self, span=self.total)).value if isinstance(accumulate, Schedule) else None

    def accumulation(self, batch: int) -> int:
        """Return how many batches make a step at this batch."""
        if self._accumulate is not None:
            return max(1, round(self._accumulate(float(batch), Scalar)))
        accumulate = self._part_at(batch, "batches")[0].accumulate
        assert isinstance(accumulate, int)
        return accumulate

    def _part_at(self, index: int, count: str) -> tuple[Part, int, int]:
        """Return the part in which a step or batch lies, and the steps and batches before that part."""
        steps = batches = 0
        for part in self.parts[:-1]:
            assert part.steps and part.batches
            more_steps, more_batches = int(part.epochs * part.steps), int(part.epochs * part.batches)
            if index < (steps + more_steps if count == "steps" else batches + more_batches):
                return part, steps, batches
            steps, batches = steps + more_steps, batches + more_batches
        return self.parts[-1], steps, batches

    def _last_batch(self, step: int) -> int:
        """Return the batch at which an update happens."""
        part, steps, batches = self._part_at(step, "steps")
        assert isinstance(part.accumulate, int)
        if part.steps is None or part.batches is None:
            return (step + 1) * part.accumulate - 1
        epoch, index = divmod(step - steps, part.steps)
        return batches + epoch * part.batches + min((index + 1) * part.accumulate, part.batches) - 1

    def batch_of_step(self, step: int) -> int:
        """Return the batch at which update number `step` happens, both from 0."""
        if not self._carried:
            return self._last_batch(step)
        if step < len(self._updates):
            return self._updates[step]
        return int(self.total) + step - len(self._updates)

    def step_of_batch(self, batch: int) -> int:
        """Return the number of the update that a batch belongs to, both from 0."""
        if self._carried:
            return bisect_right(self._updates, batch - 1)
        part, steps, batches = self._part_at(batch, "batches")
        assert isinstance(part.accumulate, int)
        if part.steps is None or part.batches is None:
            return batch // part.accumulate
        epoch, index = divmod(batch - batches, part.batches)
        return steps + epoch * part.steps + index // part.accumulate


def _arithmetic(run: Run) -> Iterator[str]:
    for index, part in enumerate(run.parts()):
        name = f"stage {index + 1}: " if run.stages else ""
        if run.samples and part.batch_size and run.steps_per_epoch is None:
            exact = run.samples / part.batch_size
            devices = f" on {run.devices} devices" if run.devices > 1 else ""
            how = "floor" if run.drop_last else "ceil"
            line = f"{name}{run.samples} samples / {part.batch_size} a batch{devices} = {part.batches} batches an epoch"
            if exact != part.batches:
                other = "without" if run.drop_last else "with"
                differs = replace(run, drop_last=not run.drop_last)._part(Stage(epochs=1, batch_size=part.batch_size)).batches
                line += f" ({how} of {exact:.6g}; {other} drop_last {differs})"
            yield line
        elif part.steps:
            yield f"{name}{part.steps} steps an epoch, as given"
        if isinstance(part.accumulate, Schedule):
            yield f"{name}a step every {part.accumulate!r} batches, carried over the epoch's end"
        elif part.accumulate > 1 and part.batches and part.steps:
            line = f"{name}{part.batches} batches / {part.accumulate} a step = {part.steps} steps an epoch"
            left = part.batches % part.accumulate
            if left:
                line += f" (ceil of {part.batches / part.accumulate:.6g}: the last step of an epoch holds {left}; floor would drop it)"
            yield line
        elif part.accumulate > 1:
            yield f"{name}{part.accumulate} batches a step"
        if part.steps and part.epochs < math.inf and not (run.steps and not run.stages):
            yield f"{name}{part.epochs:g} epochs x {part.steps} steps = {part.epochs * part.steps:g} steps"
        if part.frozen:
            yield f"{name}frozen groups: {', '.join(part.frozen)}"
    if run.steps:
        yield f"{run.steps} steps in the run, as given"
    elif run.epochs is None and not run.stages:
        yield "the run has no end: give --epochs or --steps"


def _positive(value: object, name: str, *, whole: bool = True) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < math.inf:
        raise InputError(f"{name} must be a {'whole ' if whole else ''}number above 0, got {value!r}")
