"""The clock of a run: lengths into ticks, epochs, steps and batches into each other.

A tick is a step, or a batch where the recipe counts by batch. Without stages every conversion is one multiplication; with them
time is a chain of parts, each with its own number of ticks to an epoch.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from .arrays import Scalar, Value
from .errors import InputError
from .run import LARGEST, Part, Run, Stage
from .schedule import Frame, Schedule
from .units import UNITS

_MISSING = {
    "samples": "samples per step: give --batch-size",
    "tokens": "tokens per step: give --batch-size, and tokens_per_sample in the recipe's run",
}


MOST_COUNTED = 1_000_000
"""Batches that are looked at one by one, where the accumulation moves: half a second."""


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
        if self.total == 0:
            raise InputError("the run has no steps: drop_last leaves nothing of an epoch")

    def _per_epoch(self, part: Part) -> int | None:
        return part.steps if self.by == "step" else part.batches

    def _missing(self, unit: str) -> str:
        if unit == "epochs" and self.run.samples:
            return "a batch size: give --batch-size (batch_size)"
        if unit == "epochs":
            needed = "--samples" if all(part.batch_size for part in self.parts) else "--samples and --batch-size"
            if self._carried:  # of whose updates no number is the same in each epoch
                return f"batches per epoch: give {needed}"
            return f"steps per epoch: give --steps-per-epoch, or {needed}"
        return _MISSING[unit]

    def _total(self) -> float:
        if self.run.steps is not None:
            self._agree()
            if self._carried:
                raise InputError("with an accumulation that is a schedule, give the run's length as --epochs, not --steps")
            return self.run.steps if self.by == "step" else self._last_batch(self.run.steps - 1) + 1
        total = 0.0
        for part in self.parts:
            if part.epochs == math.inf:
                return math.inf
            per_epoch = self._per_epoch(part)
            if per_epoch is None:
                raise InputError(f"{part.epochs:g} epochs need {self._missing('epochs')}")
            ticks = part.epochs * per_epoch
            if math.isclose(ticks, round(ticks), rel_tol=1e-12):
                ticks = round(ticks)  # 5 / 49 of 49 steps
            if ticks != int(ticks):
                raise InputError(
                    f"{part.epochs:g} epochs of {per_epoch} {self.by}s are no whole number of {self.by}s: give --steps"
                )
            total += ticks
        if total > LARGEST:
            raise InputError(f"a run of {total:g} {UNITS[self.by]} is too long to count: at most {LARGEST}")
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
        if not self._carried:
            return self.step_of_batch(int(self.total) - 1) + 1
        if not self._updates:
            raise InputError(
                f"the run has no steps: its {self.total:g} batches never fill the accumulation {self.run.accumulate!r}"
            )
        return len(self._updates)

    def of(self, facts: Mapping[str, Any]) -> RunClock:
        """Return the clock of this run with other facts; a length given takes the place of its own."""
        void = [name for name in ("steps", "epochs", "stages") if {"steps", "epochs", "stages"} & facts.keys()]
        void += ["steps_per_epoch"] if {"samples", "batch_size"} & facts.keys() else []
        own = {name: fact for name, fact in self.run.to_facts().items() if name not in void}
        given: dict[str, Any] = {**own, **facts}
        if "stages" in facts:
            whole = [(epochs, *map(int, counts)) for epochs, *counts in facts["stages"]]
            given["stages"] = tuple(Stage(epochs=epochs, batch_size=size, accumulate=every) for epochs, size, every in whole)
        return RunClock(Run(**given), self.by)

    # -- units --------------------------------------------------------------------------------------------------

    def _ratio(self, unit: str, part: Part) -> tuple[float, float]:
        """Return an amount of a unit and the ticks that it fills, both whole where they can be: 1 / (1 / 49) is not 49."""
        per_epoch = self._per_epoch(part)
        if unit == ("steps" if self.by == "step" else "batches"):
            return 1.0, 1.0
        if unit == "epochs" and per_epoch:
            return 1.0, per_epoch
        if unit in ("steps", "batches"):
            steps, batches = self._accumulated(part)
            return (steps, batches) if unit == "steps" else (batches, steps)
        tokens = self.run.tokens_per_sample if unit == "tokens" else 1
        if unit != "epochs" and tokens:
            if part.samples and per_epoch:
                return part.samples * tokens, per_epoch
            if part.batch_size:
                steps, batches = self._accumulated(part) if self.by == "step" else (1.0, 1.0)
                return part.batch_size * tokens * batches, steps
        raise InputError(f"a length in {unit} needs {self._missing(unit)}")

    def _accumulated(self, part: Part) -> tuple[float, float]:
        """Return a number of updates and the batches they take: an epoch's, where known, for its last may take fewer."""
        if isinstance(part.accumulate, Schedule):
            raise InputError("with an accumulation that is a schedule, lengths must be in batches or epochs, not in steps")
        return (part.steps, part.batches) if part.batches and part.steps else (1.0, part.accumulate)

    def ticks(self, value: float, unit: str, origin: float = 0.0) -> float:
        """Return an amount of a unit in ticks, measured from tick `origin`; a negative one is walked back."""
        if unit == "%":
            if self.total == math.inf:
                raise InputError(f"a length of {value:g}% needs the run's length: give --epochs or --steps")
            return self.total * value / 100
        ratios = [self._ratio(unit, part) for part in self.parts]
        index, at, left = 0, origin, value
        if len(ratios) > 1:
            starts = self.starts
            index = max(bisect_right(starts, origin) - 1, 0)  # a clock that has run already begins before the run

            def room(edge: float) -> float:
                return (edge - at) * ratios[index][0] / ratios[index][1]

            while index > 0 and left < room(starts[index]):
                at, left, index = starts[index], left - room(starts[index]), index - 1
            while index < len(starts) - 1 and left > room(starts[index + 1]):
                at, left, index = starts[index + 1], left - room(starts[index + 1]), index + 1
        amount, ticks = ratios[index]
        return left * ticks / amount if at == origin else at + left * ticks / amount - origin

    # -- epochs -------------------------------------------------------------------------------------------------

    @cached_property
    def starts(self) -> list[float]:
        """The ticks at which the parts of the run begin, the first of them 0."""
        starts = [0.0]
        for part in self.parts[:-1]:
            starts.append(starts[-1] + part.epochs * (self._per_epoch(part) or math.nan))
        return starts

    @cached_property
    def _epochs(self) -> tuple[list[float], list[float], float]:
        """Ticks per epoch and first epoch of each part, and the number of the run's last epoch."""
        per_epoch = [float(self._per_epoch(part) or math.nan) for part in self.parts]
        if any(map(math.isnan, per_epoch)):
            raise InputError(f"epochs can't be counted without {self._missing('epochs')}")
        firsts = [0.0]
        for part in self.parts[:-1]:
            firsts.append(firsts[-1] + part.epochs)
        last = firsts[-1] + math.ceil((self.total - self.starts[-1]) / per_epoch[-1]) - 1 if self.total < math.inf else math.inf
        return per_epoch, firsts, last

    def epoch(self, t: Value, xp: Any = Scalar) -> Value:
        """Return the number of the epoch that tick t lies in, from 0, never past the run's last."""
        per_epoch, firsts, last = self._epochs
        if len(per_epoch) == 1:
            return xp.minimum(xp.floor(t / per_epoch[0]), last)
        part = xp.count(t, self.starts[1:])
        start, n, first = xp.pick(part, self.starts), xp.pick(part, per_epoch), xp.pick(part, firsts)
        return xp.minimum(first + xp.floor((t - start) / n), last)

    def epoch_start(self, t: Value, xp: Any = Scalar) -> Value:
        """Return the tick at which the epoch of tick t begins."""
        per_epoch, firsts, _ = self._epochs
        epoch = self.epoch(t, xp)
        if len(per_epoch) == 1:
            return epoch * per_epoch[0]
        part = xp.count(epoch, firsts[1:])
        return xp.pick(part, self.starts) + (epoch - xp.pick(part, firsts)) * xp.pick(part, per_epoch)

    @cached_property
    def by_epoch(self) -> EpochClock | None:
        """This run's time in epochs, where they are not all alike; where they are, ticks are as good."""
        return EpochClock(self) if len(set(self._epochs[0])) > 1 else None

    def elapsed(self, tick: float) -> float:
        """Return the epochs that have gone by at a tick, with the part of the one that it lies in."""
        per_epoch, firsts, _ = self._epochs
        part = max(bisect_right(self.starts, tick) - 1, 0)
        return firsts[part] + (tick - self.starts[part]) / per_epoch[part]

    def tick_of(self, epochs: float) -> float:
        """Return the tick at which so many epochs have gone by."""
        per_epoch, firsts, _ = self._epochs
        part = max(bisect_right(firsts, epochs) - 1, 0)
        return self.starts[part] + (epochs - firsts[part]) * per_epoch[part]

    # -- steps and batches --------------------------------------------------------------------------------------

    @cached_property
    def _updates(self) -> Updates:
        """The batches at which updates happen, where accumulation is a schedule."""
        accumulate = self.run.accumulate
        assert isinstance(accumulate, Schedule)
        if self.total == math.inf:
            raise InputError("an accumulation that is a schedule needs the run's length: give --epochs")
        count, _, still = accumulate.bind(Frame(self, span=self.total))
        if min(self.total, still) > MOST_COUNTED:
            raise InputError(
                f"an accumulation that moves is counted batch by batch, at most {MOST_COUNTED}; got {min(self.total, still):g}"
            )
        updates: list[int] = []
        last, batch = -1, 0
        while batch < self.total:
            wanted = count(float(batch), Scalar)
            if not 0.5 < wanted < math.inf:
                raise InputError(f"accumulate must be at least 1, got {wanted:g} at batch {batch} from {accumulate!r}")
            if batch - last >= round(wanted):
                updates.append(batch)
                last = batch
            batch += 1
            if batch > still:  # from here on every so many batches
                first, every = max(batch, last + round(wanted)), round(wanted)
                return Updates(updates, range(first, int(self.total), every))
        return Updates(updates, range(0))

    def _part_at(self, index: int, count: str) -> tuple[Part, int, int]:
        """Return the part in which a step or batch lies, and the steps and batches before that part."""
        steps = batches = 0
        for part in self.parts[:-1]:
            more_steps, more_batches = int(part.epochs * (part.steps or 0)), int(part.epochs * (part.batches or 0))
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
            found: int = self._updates[step]
            return found
        return int(self.total) + step - len(self._updates)

    def step_of_batch(self, batch: int) -> int:
        """Return the number of the update that a batch belongs to, both from 0."""
        if self._carried:
            return bisect_left(self._updates, batch)
        part, steps, batches = self._part_at(batch, "batches")
        assert isinstance(part.accumulate, int)
        if part.steps is None or part.batches is None:
            return batch // part.accumulate
        epoch, index = divmod(batch - batches, part.batches)
        return steps + epoch * part.steps + index // part.accumulate


class Updates(Sequence[int]):
    """The batches at which updates happen: some one by one, and then every so many."""

    def __init__(self, listed: list[int], even: range) -> None:
        self.listed, self.even = listed, even

    def __len__(self) -> int:
        return len(self.listed) + len(self.even)

    def __getitem__(self, index: Any) -> Any:
        return self.listed[index] if index < len(self.listed) else self.even[index - len(self.listed)]


class EpochClock:
    """The time of a run whose epochs are unlike, in epochs: what a scheduler counts that is stepped once an epoch."""

    by_epoch = None

    def __init__(self, clock: RunClock) -> None:
        self.clock = clock
        self.total = clock.elapsed(clock.total)
        self.starts = [clock.elapsed(start) for start in clock.starts]

    def ticks(self, value: float, unit: str, origin: float = 0.0) -> float:
        """Return an amount of a unit in epochs, measured from epoch `origin`."""
        if unit == "epochs":
            return value
        if unit == "%":
            return self.total * value / 100
        tick = self.clock.tick_of(origin)
        return self.clock.elapsed(tick + self.clock.ticks(value, unit, tick)) - origin

    def epoch(self, t: Value, xp: Any = Scalar) -> Value:
        """Return the number of the epoch that t lies in, never past the run's last."""
        return xp.minimum(xp.floor(t), float(math.ceil(self.total) - 1))

    epoch_start = epoch

    def of(self, facts: Mapping[str, Any]) -> EpochClock:
        return EpochClock(self.clock.of(facts))

    def elapsed(self, t: float) -> float:
        return t

    tick_of = elapsed
