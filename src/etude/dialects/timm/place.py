"""What the laws of timm's schedulers stand on: settings under the names that a description has for them, and a line of times.

The same scheduler is described in three vocabularies: by its own arguments, by those of create_scheduler_v2, and by those of
train.py. A law asks by the scheduler's own names; `Settings` looks them up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import InputError
from ...fields import Absolute, Level
from ...groups import Group
from ...phases import chain, phase
from ...schedule import Schedule, constant
from ...shapes import linear
from ...timing import skip
from ...units import number_text
from ..arguments import Arguments, numbers_of

Words = Mapping[str, tuple[str, Any]]
"""Of each setting, by the scheduler's name for it: the name in a description, and what it is where nothing is said."""


@dataclass
class Settings:
    """The settings of one scheduler.

    Args:
        a: The settings as they were read.
        words: What they are called there; a scheduler's own arguments need none.
        per: What times are multiplied with: the updates of an epoch, where they are given in epochs and read in updates.
        fixed: What is not as it was read, times in the units of the line.
    """

    a: Arguments
    words: Words | None = None
    per: float = 1.0
    fixed: dict[str, Any] = field(default_factory=dict)

    def key(self, role: str) -> str:
        """Return what a description calls a setting."""
        return self.words[role][0] if self.words and role in self.words else role

    def take(self, role: str, *default: Any) -> Any:
        if role in self.fixed:
            return self.fixed[role]
        if self.words is None:
            return self.a.take(role, *default)
        if role not in self.words and default:  # no description in this vocabulary can say it
            return default[0]
        key, own = self.words[role]
        return self.a.take(key, own)

    def number(self, role: str, *default: float) -> float:
        return float(self.checked("number", role, self.take(role, *default)))

    def time(self, role: str, *default: float) -> float:
        """Return a time that is 0 or above, in the units of the line."""
        value = self.number(role, *default)
        if value < 0:
            raise self.refuse(role, f"must be 0 or above, got {number_text(value)}")
        return value if role in self.fixed else value * self.per

    def whole(self, role: str, default: int, *, least: int = 0) -> int:
        return int(self.checked("whole", role, self.take(role, default), least=least))

    def flag(self, role: str, default: bool) -> bool:
        return bool(self.checked("flag", role, self.take(role, default)))

    def word(self, role: str, words: Sequence[str], default: str) -> str:
        value = self.take(role, default)
        return str(Arguments(self.a.name, {self.key(role): default if value is None else value}).word(self.key(role), words))

    def numbers(self, role: str) -> list[float]:
        return numbers_of(self.take(role), f"{self.a.name}: {self.key(role)}")

    def checked(self, kind: str, role: str, value: Any, **more: Any) -> Any:
        key = self.key(role)
        once = Arguments(self.a.name, {key: value})
        return once.whole(key, **more) if kind == "whole" else once.number(key) if kind == "number" else once.flag(key, False)

    def refuse(self, role: str, problem: str) -> InputError:
        return self.a.refuse(f"{self.key(role)} {problem}")


@dataclass(frozen=True)
class Line:
    """The times of one scheduler, for one group.

    Args:
        unit: What they are in: "epochs" or "steps".
        tick: How far its t is from one to the next: "1 epoch" or "1 step".
        end: The end of the run in those units, where it is known.
        lr: The group's base learning rate, its scale included.
        scale: The group's lr_scale, which multiplies absolute values as well.
    """

    unit: str
    tick: str
    end: float = math.inf
    lr: float = 1.0
    scale: float = 1.0
    notes: list[str] = field(default_factory=list, compare=False)

    def span(self, length: float) -> str:
        """Return a length, or a position, as a text."""
        return f"{number_text(length)} {self.unit}"

    def level(self, value: float) -> Level:
        """Return an absolute value as a level."""
        return Absolute(value * self.scale) if value else 0.0


class Piece(NamedTuple):
    """A part of a curve: a schedule from a time on, whose own time began at `origin` and ends at `end`, if it has an end."""

    start: float
    schedule: Schedule
    origin: float
    end: float = math.inf


def warmup(s: Settings, line: Line, *, prefix: bool) -> tuple[list[Piece], float, float]:
    """Return the warmup, the first t after it, and where the curve's own time begins."""
    length = s.time("warmup_t", 0)
    start = line.level(s.number("warmup_lr_init", 0.0))
    before = s.flag("warmup_prefix", prefix)
    if not length:
        return [], 0, 0.0
    return [Piece(0, linear(start, 1, over=line.span(length)), 0.0, length)], math.ceil(length), length if before else 0.0


def joined(pieces: Sequence[Piece], line: Line) -> Schedule:
    """Return the schedule of pieces that follow each other; of two that begin together the later one counts."""
    starts = [*(piece.start for piece in pieces[1:]), math.inf]
    kept = [piece for piece, after in zip(pieces, starts, strict=True) if piece.start < after]
    phases: list[Schedule] = []
    for piece, after in zip(kept, [*(piece.start for piece in kept[1:]), math.inf], strict=True):
        schedule = piece.schedule
        over = line.span(after - piece.start) if after not in (piece.end, math.inf) else None
        if isinstance(schedule, constant):
            phases.append(constant(schedule.value, over=over) if over else schedule)
            continue
        if piece.start > piece.origin:
            schedule = skip(schedule, line.span(piece.start - piece.origin))
        phases.append(phase(schedule, over=over) if over else schedule)
    return chain(*phases)


def groups_of(
    schedules: Sequence[Schedule] | None, lr: float, scales: Sequence[float], weight_decay: float
) -> tuple[dict[str, Group], dict[str, Schedule]]:
    """Return the two groups of timm's optimizers, and the schedules that they share: biases and norms have no weight decay."""
    common = {"lr": schedules[0]} if schedules and len(set(scales)) == 1 else {}
    own: list[dict[str, Any]] = [{}, {}]
    if len(scales) == 2 and set(scales) != {1.0}:
        own = [
            {"lr": lr * scale, "schedules": {} if common or not schedules else {"lr": schedules[index]}}
            for index, scale in enumerate(scales)
        ]
    if not weight_decay and not own[0]:  # with no weight decay there is nothing that groups would differ in
        return {}, common
    groups = {
        "decay": Group(kind=("weight", "embedding"), weight_decay=weight_decay, **own[0]),
        "no decay": Group(weight_decay=0, **own[1]),
    }
    return groups, common
