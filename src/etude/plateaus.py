"""A factor that falls when a metric stops improving: a function of the time and of what was measured until then."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

from .errors import InputError
from .fields import Level
from .schedule import Curve, Frame, Schedule, family
from .units import number_text


@family
class plateau(Schedule):
    """A factor that is reduced each time a metric has not improved for a while.

    A metric m is better than the best b seen so far if
        m < b (1 - rel) - delta     (mode min)          m > b (1 + rel) + delta     (mode max)
    After more than `patience` metrics in a row that are not, the level becomes max(factor level, floor), unless that
    is a fall of `eps` or less; then the count starts again, and `cooldown` metrics are not counted.

    Args:
        factor: What the level is multiplied with, 0 to below 1.
        patience: Bad metrics in a row that are suffered, 0 or more.
        mode: min or max: what is better.
        rel: Least relative improvement that counts.
        delta: Least absolute improvement that counts, in the metric's own unit.
        cooldown: Metrics after a reduction that are not counted as bad, 0 or more.
        resting: watch: the best is followed during a cooldown, too (torch); blind: it is not (Paddle).
        floor: Lowest level.
        eps: Reductions of this level or less are not made.
        metric: Name of the metric that decides.
    Returns:
        A factor: it multiplies any schedule, and stands in a chain, where it sees what is measured within its phase.
    Raises:
        InputError: a number is out of its domain, or a word is unknown.

    Example:
        >>> plateau(0.1, patience=2) * linear(0, 1, over="5 epochs")
        plateau(0.1, patience=2) * linear(0, 1, over="5 epochs")

    Before anything is measured the level is 1. A metric counts from the update on that follows it; one that is not a number
    is not better. What was fed is part of a plan (`plan.fed`) and of a driver's state: a run that goes on decides as before.

    Source: torch ReduceLROnPlateau, whose rel and abs threshold modes are `rel` and `delta`. Keras reduces when its wait
    reaches `patience`, and counts again in a cooldown's last epoch: here both are one less. A negative metric with `rel` in mode
    min "improves" by standing still, there and here: use `delta`.
    """

    factor: float
    patience: float = 10.0
    mode: str = "min"
    rel: float = 1e-4
    delta: float = 0.0
    cooldown: float = 0.0
    resting: str = "watch"
    floor: Level = 0.0
    eps: Level = 0.0
    metric: str = "val_loss"
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if not 0 <= self.factor < 1:
            raise InputError(f"plateau: factor must be at least 0 and below 1, got {self.factor:g}")
        for name in ("patience", "cooldown"):
            value = getattr(self, name)
            if value < 0 or value != int(value):
                raise InputError(f"plateau: {name} must be a whole number of metrics, 0 or more, got {value:g}")
        for name, words in (("mode", ("min", "max")), ("resting", ("watch", "blind"))):
            if getattr(self, name) not in words:
                raise InputError(f"plateau: {name} must be {' or '.join(words)}, got {getattr(self, name)!r}")
        if not self.metric:
            raise InputError("plateau: metric must be a name such as 'val_loss', got ''")

    @property
    def tied_to_run(self) -> bool:
        return True

    def bind(self, frame: Frame) -> Curve:
        edges, levels, knots = [], [frame.base], []
        state = _State(self, frame.level(self.floor), frame.level(self.eps), frame.base)
        for metric in frame.metrics:
            # what was measured before a phase's first update is not its own
            if metric.name == self.metric and (metric.tick > frame.origin or not frame.origin) and state.reduces(metric.value):
                edges.append(metric.tick)
                levels.append(state.level)
                knots.append((metric.tick, f"times {number_text(self.factor)}: {self.metric} {metric.value:g}"))
        return Curve(lambda t, xp: xp.pick(xp.count(t, edges), levels), tuple(knots))


class _State:
    """The counters of one plateau."""

    def __init__(self, rule: plateau, floor: float, eps: float, level: float) -> None:
        self.rule, self.floor, self.eps, self.level = rule, floor, eps, level
        self.best = math.inf if rule.mode == "min" else -math.inf
        self.bad = self.cooling = 0

    def reduces(self, metric: float) -> bool:
        """Count a metric in; return whether the level falls."""
        if not (self.cooling and self.rule.resting == "blind"):
            if self._better(metric):
                self.best, self.bad = metric, 0
            else:
                self.bad += 1
        if self.cooling:
            self.cooling -= 1
            self.bad = 0
        if self.bad <= self.rule.patience:
            return False
        lower = max(self.level * self.rule.factor, self.floor)
        falls = self.level - lower > self.eps
        self.level = lower if falls else self.level
        self.bad, self.cooling = 0, int(self.rule.cooldown)
        return falls

    def _better(self, metric: float) -> bool:
        if self.rule.mode == "min":
            return metric < self.best * (1.0 - self.rule.rel) - self.rule.delta
        return metric > self.best * (1.0 + self.rule.rel) + self.rule.delta


def watched(schedules: Iterable[Schedule]) -> list[str]:
    """Return the names of the metrics that plateaus in some schedules wait for."""
    return list(dict.fromkeys(one.metric for schedule in schedules for one in schedule.walk() if isinstance(one, plateau)))
