"""A hyperparameter of a group as it was applied, beside its plan: what a diagnosis looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .plan import Plan

_LEAST = 3  # wrong values that a cause must explain before it is told
_PROBES = 32  # rows on which a cause is tried before all of them are looked at


class Series(NamedTuple):
    """The values of one hyperparameter of one group: rising steps, what was applied, and how far each may be from the plan."""

    steps: Sequence[int]
    applied: Sequence[float]
    slack: Sequence[float]


def slack(plan: Plan, hyperparameter: str, group: str, applied: float, relative: float = 1e-9) -> float:
    """Return how far a value may be from the plan's: a part of itself, and what rounding leaves near 0."""
    size = abs(applied) if math.isfinite(applied) else 0.0
    return relative * size + 1e-3 * relative * abs(plan.recipe.base(hyperparameter, group) or 1.0)


class Column:
    """A series beside its plan: arrays of all rows, and from `first` to `stop` those that a cause must explain."""

    def __init__(self, plan: Plan, hyperparameter: str, group: str, series: Series) -> None:
        import numpy as np

        self.np, self.hyperparameter, self.group = np, hyperparameter, group
        self.base = float(plan.recipe.base(hyperparameter, group) or 0.0)
        self.total = plan.clock.total
        self._curve = plan.curve(hyperparameter, group)
        self.steps = np.array(series.steps, dtype=float)
        self.ticks = self.steps if plan.recipe.clock == "step" else np.array([float(plan.tick(step)) for step in series.steps])
        self.applied, self.slack = np.array(series.applied, dtype=float), np.array(series.slack, dtype=float)
        self.planned = self.at(self.ticks)
        self.wrong = ~(abs(self.applied - self.planned) <= self.slack)  # nan is wrong too
        places = np.flatnonzero(self.wrong)
        self.first, self.last = (int(places[0]), int(places[-1])) if places.size else (0, 0)
        self.stop = len(self.steps)

    def at(self, ticks: Any) -> Any:
        """Return the plan's values at some ticks, held before the first and after the last."""
        with self.np.errstate(all="ignore"):
            return self._curve(self.np.clip(ticks, 0.0, self.total))

    @property
    def before(self) -> int:
        """The last step that was right; the one before the first row where there is none."""
        return int(self.steps[self.first - 1]) if self.first else int(self.steps[0]) - 1

    def rows(self) -> slice:
        return slice(self.first, self.stop)

    def probes(self) -> list[int]:
        """Return the rows on which causes are tried first: the first ones, and others evenly spread."""
        rows = range(self.first, self.stop)
        return sorted({*rows[: _PROBES // 2], *rows[:: max(len(rows) * 2 // _PROBES, 1)]})

    def agrees(self, row: Any, ticks: Any) -> Any:
        """Return which of some ticks may be where the schedule stood at a row; from the end on it may do what it likes."""
        return (abs(self.at(ticks) - self.applied[row]) <= self.slack[row]) | (ticks >= self.total)

    def explained(self, ticks: Any) -> tuple[bool, bool]:
        """Return whether the plan's values at these ticks are those applied, and whether that tells anything."""
        rows = self.rows()
        predicted, known = self.at(ticks), (ticks >= 0) & (ticks < self.total)
        fits = (abs(predicted - self.applied[rows]) <= self.slack[rows]) | (ticks >= self.total)
        told = known & self.wrong[rows]
        return bool(fits.all()), self.moves(predicted[told], self.slack[rows][told])

    def still(self, rows: slice) -> bool:
        return bool((abs(self.applied[rows] - self.applied[rows][0]) <= self.slack[rows]).all())

    def moves(self, values: Any, slack: Any) -> bool:
        return values.size >= _LEAST and bool(values.max() - values.min() > 2 * slack.max())
