"""What optax's schedules are read with: their settings, the base they are factors of, and how one follows another.

optax's values are absolute. A description is read twice: once with base 1 to find its peak, then with that peak as the base.

Source: optax/schedules/_join.py of optax 0.2.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...arrays import Scalar
from ...errors import InputError, did_you_mean, shown
from ...fields import number
from ...phases import chain, phase
from ...run import Run
from ...schedule import Frame, Schedule, constant
from ...timing import skip
from ...units import number_text
from ..arguments import Arguments, mapping, ratio

MOST = 200  # schedules inside another


class Law(NamedTuple):
    """A schedule, and the highest value it is set to."""

    peak: float
    schedule: Schedule


@dataclass
class Scope:
    """What the schedules of one description are read with.

    Args:
        unit: The value that a level of 1 stands for.
        jit: Whether they are computed as in a jitted update, where that moves a jump.
        laws: What reads each, by name.
    """

    unit: float
    jit: bool
    laws: Mapping[str, Callable[[Arguments, Scope], Law]]
    notes: dict[str, None] = field(default_factory=dict)
    left: int = MOST

    def note(self, text: str) -> None:
        self.notes[text] = None

    def level(self, value: float) -> float:
        """Return a value as a factor."""
        return ratio(value, self.unit)

    def law(self, description: Any, where: str) -> Law:
        """Return what a description's schedule does."""
        given = mapping(description, where)
        name = bare(given.get("name"))
        if name not in self.laws:
            raise InputError(f"{where}: optax has no schedule {shown(given.get('name'))}{did_you_mean(str(name), self.laws)}")
        self.left -= 1
        if self.left < 0:
            raise InputError(f"{where}: at most {MOST} schedules can be read")
        a = Arguments(name, {key: value for key, value in given.items() if key != "name"})
        law = self.laws[name](a, self)
        a.done()
        return law


def bare(name: Any) -> str:
    """Return the name of a function of optax without its modules."""
    text = str(name)
    return text.rpartition(".")[2] if text.startswith("optax.") else text


# -- settings -----------------------------------------------------------------------------------------------------------


def value_of(a: Arguments, key: str, default: float | None = None) -> float:
    value = a.number(key) if default is None else a.number(key, default)
    if value < 0:
        raise a.refuse(f"{key} must be 0 or above, got {value:g}: a value is never negative here")
    return value


def whole_of(a: Arguments, key: str) -> int:
    count = a.number(key)
    if count <= 0 or count != int(count):  # optax's own check, and its int(...) of a part of it
        raise a.refuse(f"{key} must be a whole number of steps above 0, got {count:g}")
    return int(count)


def divisor_of(a: Arguments, key: str, default: float) -> float:
    divisor = a.number(key, default)
    if divisor <= 0:
        raise a.refuse(f"{key} must be above 0, got {divisor:g}: it is divided by, and optax takes no negative scale")
    return divisor


def begin_of(a: Arguments, scope: Scope) -> float:
    begin = a.number("transition_begin", 0.0)
    if begin < 0:
        scope.note(f"ignored: transition_begin {begin:g}, as below 0 it is 0")
    return max(begin, 0.0)


def boundaries_of(a: Arguments, *, whole: bool = False) -> list[tuple[float, float]]:
    """Return pairs (step, scale) by step; JSON has texts for the steps."""
    found: dict[float, float] = {}
    given = a.take("boundaries_and_scales", None)
    for key, scale in mapping({} if given is None else given, f"{a.name}: boundaries_and_scales").items():
        try:
            step = number(float(key) if isinstance(key, str) else key, "a boundary")
        except (ValueError, InputError):
            raise a.refuse(f"boundaries_and_scales: a boundary must be a number of steps, got {shown(key)}") from None
        if whole and step != int(step):
            raise a.refuse(f"boundaries_and_scales: a boundary must be a whole number of steps, got {shown(key)}")
        if step in found:
            raise a.refuse(f"boundaries_and_scales: step {step:g} is there twice, as a number and as a text")
        found[step] = number(scale, f"{a.name}: boundaries_and_scales: {key}")
        if found[step] < 0:
            raise a.refuse(f"boundaries_and_scales: a scale must be 0 or above, got {found[step]:g} at {step:g}")
    return sorted(found.items())


def steps_text(length: float) -> str:
    return f"{number_text(length)} steps"


# -- one after the other ------------------------------------------------------------------------------------------------


def lasting(schedule: Schedule, length: float) -> Schedule:
    """Return a schedule that is as long, so that another may follow it."""
    if isinstance(schedule, constant):
        return constant(schedule.value, over=steps_text(length))
    return schedule if schedule.length(_frame()) == length else phase(schedule, over=steps_text(length))


def _frame() -> Frame:
    """Return a frame of any run: all lengths here are in steps."""
    return Frame(Run(steps=1).clock())


def ahead(schedule: Schedule, by: float) -> Schedule:
    """Return a schedule whose clock has run for so many steps; one that is over then is its end."""
    if by <= 0 or isinstance(schedule, constant):
        return schedule
    own = schedule.length(_frame())
    over = own is not None and own <= by
    return constant(schedule.bind(_frame()).value(by, Scalar)) if over else skip(schedule, steps_text(by))


def after(begin: float, level: float, schedule: Schedule) -> Schedule:
    """Return a schedule that waits at its first level."""
    return chain(constant(level, over=steps_text(begin)), schedule) if begin else schedule


def joined(laws: list[Law], boundaries: list[float]) -> Law:
    """Each counts from its boundary on, and the last in the list whose boundary is reached is in force, whatever their order."""
    kept: list[tuple[float, Law]] = []
    for begin, law in zip([*reversed(boundaries), 0.0], reversed(laws), strict=True):
        if not kept or kept[-1][0] > max(begin, 0.0):
            kept.append((begin, law))
    pieces, end = [], math.inf
    for begin, (_, schedule) in kept:
        piece = ahead(schedule, -begin)
        pieces.append(piece if end == math.inf else lasting(piece, end - max(begin, 0.0)))
        end = max(begin, 0.0)
    return Law(max(law.peak for _, law in kept), chain(*reversed(pieces)))
