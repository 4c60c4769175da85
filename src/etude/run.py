"""The run: the facts that turn "3 epochs" into steps, and their arithmetic.

step = one optimizer update, batch = one forward and backward, several to a step under accumulation.
The arithmetic, in one place:

    samples of an epoch, per device = ceil(samples / devices)            as torch's DistributedSampler pads them
    batches of an epoch = ceil(that / (batch_size / devices))            floor with drop_last
    steps of an epoch = ceil(batches / accumulate)                       an epoch's last step may hold fewer batches

An accumulation that is a schedule is counted by batch and carried over the epoch's end, as YOLOv5 does: an update
happens at the first batch that is `accumulate` batches after the last one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from .errors import InputError, did_you_mean, shown
from .schedule import Schedule, constant
from .text import parse
from .units import number_text

if TYPE_CHECKING:
    from .clock import RunClock


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of a run with its own batch size, accumulation or frozen groups; counters go on from one to the next.

    Args:
        epochs: Its length in epochs, above 0.
        batch_size: Samples in one batch of one process, at least 1; the run's where it isn't given.
        accumulate: Batches in one optimizer update, at least 1; the run's where it isn't given.
        frozen: Names of the groups that `etude train` lets rest; in a loop of your own, set `requires_grad`.
    """

    epochs: float
    batch_size: int | None = None
    accumulate: int | None = None
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _positive(self.epochs, "stages: epochs", whole=False)
        for name in ("batch_size", "accumulate"):
            if getattr(self, name) is not None:
                _positive(getattr(self, name), f"stages: {name}")


Facts = Mapping[str, Any]
"""Facts of a run by name, as far as they are given."""


def given_facts(facts: Facts) -> dict[str, Any]:
    """Return the facts that are not None, with what they make void: a length another one, samples what was counted of them."""
    known = [item.name for item in fields(Run)]
    for name in facts:
        if name not in known:
            raise InputError(f"a run has no fact {shown(name)}{did_you_mean(name, known)}")
    given = {name: value for name, value in facts.items() if value is not None}
    if {"steps", "epochs"} & given.keys():
        given = {"steps": None, "epochs": None, "stages": (), **given}
    if {"samples", "batch_size"} & given.keys():
        given = {"steps_per_epoch": None, **given}
    return given


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
        if not isinstance(self.stages, list | tuple) or not all(isinstance(stage, Stage) for stage in self.stages):
            raise InputError(f"stages must be a list of Stage(epochs=...), got {shown(self.stages)}")
        object.__setattr__(self, "stages", tuple(self.stages))
        if not isinstance(self.drop_last, bool):
            raise InputError(f"drop_last must be True or False, got {shown(self.drop_last)}")
        for name in ("samples", "batch_size", "devices", "steps_per_epoch", "steps", "tokens_per_sample"):
            if getattr(self, name) is not None or name == "devices":
                _positive(getattr(self, name), name)
        if self.epochs is not None:
            _positive(self.epochs, "epochs", whole=False)
        if not isinstance(self.accumulate, Schedule):
            _positive(self.accumulate, "accumulate")
        if self.stages and (self.epochs or self.steps or self.steps_per_epoch):
            raise InputError("stages already say how long the run is: leave epochs, steps and steps_per_epoch out")
        if any(stage.epochs != int(stage.epochs) for stage in self.stages[:-1]):
            raise InputError("stages: only the last may end inside an epoch")
        if self.stages and isinstance(self.accumulate, Schedule):
            raise InputError("stages need accumulate as a number, got a schedule")
        for size in filter(None, (self.batch_size, *(stage.batch_size for stage in self.stages))):
            if size % self.devices:
                raise InputError(
                    f"batch_size must be a multiple of devices, got {size} over {self.devices}; "
                    "it counts the samples of all devices together"
                )
            if self.drop_last and self.samples and not self._batches(size, floor=True):
                raise InputError(
                    f"drop_last leaves nothing of {self.samples} samples in batches of {size}: "
                    "take a smaller batch_size or no drop_last"
                )

    def override(self, **facts: Any) -> Run:
        """Return this run with the facts that are not None put in place.

        A new length (`steps` or `epochs`) replaces the old one and stages; samples or batch_size replace steps_per_epoch.
        """
        given = given_facts(facts)
        for name in ("batch_size", "accumulate"):
            if name in given and any(getattr(stage, name) for stage in self.stages) and not {"steps", "epochs"} & given.keys():
                raise InputError(f"{name}: the run's stages have their own; change it there")
        return replace(self, **given)

    def clock(self, by: str = "step") -> RunClock:
        """Return the clock of this run, ticking by "step" or by "batch"."""
        from .clock import RunClock

        return RunClock(self, by)

    def parts(self) -> list[Part]:
        """Return the run's stages with everything resolved; one part for a run without stages."""
        if not self.stages:
            return [self._part(self.epochs or math.inf, self.batch_size, self.accumulate)]
        return [
            self._part(stage.epochs, stage.batch_size or self.batch_size, stage.accumulate or self.accumulate, stage.frozen)
            for stage in self.stages
        ]

    def _part(self, epochs: float, size: int | None, accumulate: int | Schedule, frozen: tuple[str, ...] = ()) -> Part:
        batches, steps = None, self.steps_per_epoch
        if steps is not None and isinstance(accumulate, int):
            batches = steps * accumulate
        elif steps is None and self.samples and size:
            batches = self._batches(size, floor=self.drop_last)
            steps = -(-batches // accumulate) if isinstance(accumulate, int) else None
        elif steps is None and self.steps and self.epochs and isinstance(accumulate, int):
            if self.steps % self.epochs:
                raise InputError(
                    f"{self.steps} steps are no whole number in each of {self.epochs:g} epochs; give steps_per_epoch"
                )
            steps = int(self.steps / self.epochs)
            batches = steps * accumulate
        samples = self.samples
        if samples is None or self.drop_last or self.steps_per_epoch is not None:
            samples = batches * size if batches and size else None
        return Part(epochs, size, accumulate, batches, steps, samples, frozen)

    def _batches(self, size: int, *, floor: bool) -> int:
        """Return the batches of an epoch: the sampler pads the devices' shares, the loader keeps or drops the last batch."""
        a_device = ((self.samples or 0) + self.devices - 1) // self.devices
        a_batch = size // self.devices
        return a_device // a_batch if floor else (a_device + a_batch - 1) // a_batch

    def arithmetic(self) -> list[str]:
        """Return the run's arithmetic in words, a line a fact, and the places where floor or ceil would differ."""
        return list(_arithmetic(self))

    def to_facts(self) -> dict[str, Any]:
        """Return the facts that differ from the defaults."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) != item.default}

    def to_dict(self) -> dict[str, Any]:
        """Return the facts that differ from the defaults, as plain data."""
        facts = self.to_facts()
        plain: dict[str, Any] = {name: repr(value) if isinstance(value, Schedule) else value for name, value in facts.items()}
        if self.stages:
            plain["stages"] = [
                {f.name: getattr(stage, f.name) for f in fields(stage) if getattr(stage, f.name) not in (None, ())}
                for stage in self.stages
            ]
            for stage in plain["stages"]:
                if "frozen" in stage:
                    stage["frozen"] = list(stage["frozen"])
        return plain


def _arithmetic(run: Run) -> Iterator[str]:
    for index, part in enumerate(run.parts()):
        name = f"stage {index + 1}: " if run.stages else ""
        if run.samples and part.batch_size and run.steps_per_epoch is None:
            exact = run.samples / part.batch_size
            devices = f" on {run.devices} devices" if run.devices > 1 else ""
            how = "floor" if run.drop_last else "ceil"
            line = f"{name}{run.samples} samples / {part.batch_size} a batch{devices} = {part.batches} batches an epoch"
            if exact != part.batches:
                other = run._batches(part.batch_size, floor=not run.drop_last)
                line += f" ({how} of {exact:.6g}; {'without' if run.drop_last else 'with'} drop_last {other})"
            yield line
        elif part.steps:
            yield f"{name}{part.steps} steps an epoch, as given"
        if isinstance(part.accumulate, Schedule):
            amount = part.accumulate.value if isinstance(part.accumulate, constant) else None
            always = isinstance(amount, float)
            often = f"{amount:g} batches a step" if always else f"a step every {shown(part.accumulate)} batches"
            yield f"{often}, carried over the epoch's end"
            yield from _carried(run, part)
        elif part.accumulate > 1 and part.batches and part.steps:
            line = f"{name}{part.batches} batches / {part.accumulate} a step = {part.steps} steps an epoch"
            left = part.batches % part.accumulate
            if left:
                exact = part.batches / part.accumulate
                line += f" (ceil of {exact:.6g}: the last step of an epoch holds {left}; floor would drop it)"
            yield line
        elif part.accumulate > 1:
            yield f"{name}{part.accumulate} batches a step"
        if part.steps and part.epochs < math.inf and not (run.steps and not run.stages):
            yield f"{name}{number_text(part.epochs)} epochs x {part.steps} steps = {number_text(part.epochs * part.steps)} steps"
        if part.frozen:
            yield f"{name}frozen groups: {', '.join(part.frozen)}"
    if run.steps:
        yield f"{run.steps} steps in the run, as given"
    elif run.epochs is None and not run.stages:
        yield "the run has no end: give --epochs or --steps"


def _carried(run: Run, part: Part) -> Iterator[str]:
    """Yield the updates of a whole run whose accumulation is carried over the epoch's end, where they are known."""
    try:
        clock = run.clock("batch")
        if clock.total > _SOON and not isinstance(part.accumulate, constant):
            return
        batches, steps = clock.total, clock.total_steps
    except InputError:  # facts are missing, or the clock refuses them, and says so
        return
    if steps < math.inf and part.batches:
        yield f"{number_text(part.epochs)} epochs x {part.batches} batches = {batches:.0f} batches = {steps:.0f} steps"


_SOON = 100_000  # batches that are counted one by one in less than a tenth of a second


LARGEST = 2**53  # beyond it a float no longer counts every step


def _positive(value: object, name: str, *, whole: bool = True) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value <= LARGEST:
        if isinstance(value, int) and value > LARGEST:
            raise InputError(f"{name} must be at most {LARGEST}, got a larger number")
        raise InputError(f"{name} must be a {'whole ' if whole else ''}number above 0, got {shown(value)}")
