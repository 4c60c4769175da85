"""Where a scheduler of torch stands, and what it does there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...arrays import Scalar
from ...errors import InputError
from ...fields import Absolute
from ...run import Run
from ...schedule import Frame, Schedule
from ...units import number_text


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
    before: Callable[[], float] = float  # the value that was left there
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
        return value if self.own == self.base else value * self._ratio

    def of(self, value: float) -> Any:
        """Return the level of an absolute value: a factor of the recipe's base, where that is one."""
        return value / self.base if self.base else Absolute(value)

    def scaled(self, schedule: Schedule) -> Schedule:
        """Return a pure factor of the own base value as one of the recipe's."""
        return schedule if self.own == self.base else self._ratio * schedule

    @property
    def _ratio(self) -> float:
        if not self.base:
            raise InputError(f"optimizer: lr 0 has no factor that makes {self.own:g} of it, which another scheduler puts there")
        return self.own / self.base

    def part(self, factor: Schedule, step: float) -> float:
        """Return a pure factor's value at a scheduler step."""
        return self.value(factor, step, 1.0)

    def value(self, schedule: Schedule, step: float, base: float | None = None) -> float:
        """Return a schedule's value at a scheduler step, for the recipe's base or another."""
        clock = Run(steps=int(step) + 2, steps_per_epoch=1).clock()
        frame = Frame(clock, span=clock.total, base=self.base if base is None else base)
        return float(schedule.bind(frame).value(step, Scalar))


class Law(NamedTuple):
    """A scheduler on one group."""

    curve: Schedule  # alone
    sets: bool = False  # it writes its value, whatever was there
    factor: Schedule | None = None  # what it moves the value by, where it moves it
    floor: float = 0.0  # toward what
    at_once: bool = False  # begun later, its first step is made at once
    momentum: tuple[Schedule, float] | None = None  # and the base value of it
