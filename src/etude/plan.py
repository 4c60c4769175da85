"""The plan: recipe x run, the value in force for every step, group and hyperparameter.

Everything that shows, checks, converts or trains reads the plan, so a picture is by construction what the optimizer gets.
Step k, from 0, means: the k-th optimizer update uses `plan.at(k)`.

A column is one hyperparameter of one group: a distinct curve and the base value that multiplies it. Schedules without
absolute levels are bound once with base 1 and shared by all groups. Arrays are computed in blocks of whole, aligned
steps, so that a step has the same bits whichever range asks for it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .arrays import Scalar, Value, namespace, numpy_rising
from .arrays import numpy as numpy_namespace
from .errors import InputError, did_you_mean
from .fields import index
from .laws import drops_together
from .plateaus import watched
from .recipe import Recipe, hyperparameters
from .run import Run
from .schedule import Curve, Frame, Metric

if TYPE_CHECKING:
    import numpy as np

BLOCK = 65_536
"""Steps of a block: 512 KiB of float64, enough for NumPy to reuse an expression's temporaries in place."""


class Column(NamedTuple):
    """A hyperparameter of a group: `base * curves[curve]`, or `base` alone where there is no schedule."""

    curve: int | None
    base: float


@dataclass(frozen=True)
class Change:
    """A step at which something begins or ends, and what, by hyperparameter and group."""

    step: int
    what: str
    hyperparameter: str
    groups: tuple[str, ...]


class Plan:
    """The values of a recipe in a run. Made by `recipe.plan(run)`.

    Example:
        >>> import etude
        >>> plan = etude.read("yolov5").plan()
        >>> plan.at(0)["lr"]
        {'norm': 0.0, 'weight': 0.0, 'bias': 0.1}
        >>> plan.total
        3000
    """

    def __init__(self, recipe: Recipe, run: Run, metrics: Sequence[Metric] = ()) -> None:
        self.recipe, self.run = recipe, run
        self.metrics = tuple(sorted(metrics, key=lambda metric: metric.tick))
        self.clock = run.clock(recipe.clock)
        self.groups = tuple(recipe.rules)
        self.hyperparameters = hyperparameters(recipe)
        self.curves: list[Curve] = []
        self.columns: dict[str, tuple[Column, ...]] = {}
        known: dict[Any, int] = {}
        for name in self.hyperparameters:
            self.columns[name] = tuple(self._column(name, group, known) for group in self.groups)
        self._block = lru_cache(maxsize=2)(self._compute)

    def __repr__(self) -> str:
        return f"<plan of {self.recipe.name}: {self.total} steps, {', '.join(self.hyperparameters)} of {', '.join(self.groups)}>"

    def _column(self, name: str, group: str, known: dict[Any, int]) -> Column:
        base = float(self.recipe.base(name, group) or 0.0)
        schedule = self.recipe.schedule(name, group)
        if schedule is None:
            return Column(None, base)
        own = base if schedule.absolute else 1.0
        if (schedule, own) not in known:
            known[schedule, own] = len(self.curves)
            try:
                self.curves.append(schedule.bind(Frame(self.clock, 0.0, self.clock.total, own, metrics=self.metrics)))
            except ArithmeticError:
                raise InputError(f"{name} of group {group!r}: {schedule!r} overflows in this run") from None
            except InputError as error:
                raise InputError(f"{name} of group {group!r}: {error}") from None
        return Column(known[schedule, own], 1.0 if schedule.absolute else base)

    @property
    def total(self) -> float:
        """Optimizer updates in the run; inf for a run without an end."""
        return self.clock.total_steps

    def tick(self, step: int) -> float:
        """Return the time at which a step's schedules are read: the step, or its batch where the recipe counts by batch."""
        step = index(step, "step")
        return min(float(step if self.recipe.clock == "step" else self.clock.batch_of_step(step)), self.clock.total)

    def at(self, step: int | None = None, *, batch: int | None = None) -> dict[str, dict[str, float]]:
        """Return the values in force at a step, or at a batch: {"lr": {group: value}, "momentum": ..., ...}.

        From the end of the run on, the values there are held: a cosine to 0 is 0.

        Raises:
            InputError: neither or both are given, or the number is below 0.
        """
        if (step is None) == (batch is None):
            raise InputError("give a step or batch=...")
        rows = self.rows([self.tick(step) if step is not None else self.tick_of_batch(batch or 0)])
        return {name: dict(zip(self.groups, row, strict=True)) for name, (row,) in rows.items()}

    def tick_of_batch(self, batch: int) -> float:
        """Return the time at which a batch's schedules are read."""
        batch = index(batch, "batch")
        return min(float(batch if self.recipe.clock == "batch" else self.clock.step_of_batch(batch)), self.clock.total)

    def watched(self) -> list[str]:
        """Return the names of the metrics that the recipe's plateaus wait for."""
        found = (self.recipe.schedule(name, group) for name in self.hyperparameters for group in self.groups)
        return watched(schedule for schedule in found if schedule is not None)

    def fed(self, metrics: Iterable[tuple[int, str, float]]) -> Plan:
        """Return this plan with more metrics known, for the plateaus in its schedules.

        Args:
            metrics: (updates made when it was measured, name, value), such as (300, "val_loss", 0.71): update number 300 is
                the first that it can change.
        Raises:
            InputError: no plateau waits for a metric of this name.

        Example:
            >>> import etude
            >>> plan = etude.read("plateau(0.1, patience=1)").plan(etude.Run(steps=50))
            >>> fed = plan.fed([(10, "val_loss", 1.0), (20, "val_loss", 1.0), (30, "val_loss", 1.0)])
            >>> [fed.at(step)["lr"]["all"] for step in (29, 30)]
            [1.0, 0.1]
        """
        known, more = self.watched(), []
        if not isinstance(metrics, Iterable):
            raise InputError(f"fed takes a list of metrics, such as [(300, 'val_loss', 0.71)], got {metrics!r}")
        for entry in metrics:
            if not isinstance(entry, tuple | list) or len(entry) != 3:
                raise InputError(f"a metric is (updates made, name, value), such as (300, 'val_loss', 0.71), got {entry!r}")
            made, name, value = entry
            more.append(Metric(self.tick_after(made), name, self.checked(name, value, known)))
        return Plan(self.recipe, self.run, (*self.metrics, *more))

    def tick_after(self, updates: int) -> float:
        """Return the first tick after so many updates."""
        made = index(updates, "count of updates")
        return self.tick(made - 1) + 1 if made else 0.0

    def checked(self, name: str, value: Any, known: Sequence[str]) -> float:
        """Return a metric's value as a number; refuse one that is none, or whose name is not among those waited for."""
        if name not in known:
            hint = did_you_mean(str(name), known) or "; plateau(...) in a schedule does"
            raise InputError(f"no schedule of {self.recipe.name} waits for the metric {name!r}{hint}")
        try:
            if isinstance(value, str | bytes):
                raise TypeError
            return float(value)
        except (OverflowError, RuntimeError, TypeError, ValueError):
            raise InputError(f"metric {name!r} must be a number, got {value!r}") from None

    def rows(self, ticks: Sequence[float]) -> dict[str, list[tuple[float, ...]]]:
        """Return the values at some ticks, for each hyperparameter a row of all groups a tick; Python floats alone."""
        levels = [self._levels(curve, ticks) for curve in self.curves]
        rows = {}
        for name, columns in self.columns.items():
            values = [
                [column.base] * len(ticks) if column.curve is None else [column.base * level for level in levels[column.curve]]
                for column in columns
            ]
            for column in values:
                if not all(map(math.isfinite, column)):
                    raise self._not_finite(
                        next(tick for tick, value in zip(ticks, column, strict=True) if not math.isfinite(value))
                    )
            rows[name] = list(zip(*values, strict=True))
        return rows

    def _levels(self, curve: Curve, ticks: Sequence[float]) -> list[float]:
        tick = math.nan
        try:
            return [float(curve.value(tick := one, Scalar)) for one in ticks]
        except ArithmeticError:
            raise self._not_finite(tick) from None

    def levels(self, tick: float) -> list[float]:
        """Return the distinct curves at a tick, before any base multiplies them."""
        return [level for curve in self.curves for level in self._levels(curve, (tick,))]

    def _not_finite(self, tick: float) -> InputError:
        return InputError(f"{self.recipe.name}: the values are not finite at {self.recipe.clock} {tick:g}")

    def curve(self, hyperparameter: str, group: str) -> Any:
        """Return one column as a function of the tick: a number, or an array of NumPy, torch or JAX.

        Example:
            >>> import etude
            >>> lr = etude.read("cosine").plan().curve("lr", "all")
            >>> lr(0)
            0.1
        """
        for word, known in ((hyperparameter, self.hyperparameters), (group, self.groups)):
            if word not in known:
                raise InputError(f"the plan has no {word!r}{did_you_mean(word, known)}")
        column = self.columns[hyperparameter][self.groups.index(group)]

        def value(t: Value) -> Value:
            xp = namespace(t)
            t = xp.floats(t)
            if column.curve is None:
                return xp.full(t, column.base)
            return column.base * self.curves[column.curve].value(t, xp)

        return value

    # -- arrays -------------------------------------------------------------------------------------------------

    def table(self, start: int = 0, stop: int | None = None) -> dict[str, np.ndarray]:
        """Return the values of steps start to stop - 1, the whole run by default.

        Returns:
            A float64 array (steps, groups) for each hyperparameter, groups in the plan's order.
        Raises:
            InputError: the range is not inside the run.

        Example:
            >>> import etude
            >>> etude.read("yolov5").plan().table(0, 1000)["lr"].shape
            (1000, 3)
        """
        from concurrent.futures import ThreadPoolExecutor

        np = numpy_namespace().module
        stop = self.end() if stop is None else stop
        start, stop = index(start, "step"), index(stop, "step")
        if not 0 <= start <= stop <= self.total:
            raise InputError(f"steps must lie in the run, 0 to {self.total}, got {start} to {stop}")
        tables = {name: np.empty((len(self.groups), stop - start)) for name in self.hyperparameters}
        for name, columns in self.columns.items():
            for row, column in enumerate(columns):
                if column.curve is None:
                    tables[name][row] = column.base

        def fill(number: int) -> None:
            first = number * BLOCK
            inside = slice(max(start - first, 0), min(stop - first, BLOCK))
            outside = slice(first + inside.start - start, first + inside.stop - start)
            curves = self._compute(number)
            for name, columns in self.columns.items():
                for row, column in enumerate(columns):
                    if column.curve is not None:
                        np.multiply(curves[column.curve][inside], column.base, out=tables[name][row, outside])

        numbers = range(start // BLOCK, math.ceil(stop / BLOCK))
        if len(numbers) > 2:  # NumPy lets go of the interpreter while it computes, and blocks know nothing of each other
            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
                list(pool.map(fill, numbers))
        else:
            list(map(fill, numbers))
        return {name: table.T for name, table in tables.items()}

    def end(self) -> int:
        """Return the total as a whole number; InputError for a run without an end."""
        if self.total == math.inf:
            raise InputError("the run has no end: give --epochs or --steps")
        return int(self.total)

    def block(self, number: int) -> list[Any]:
        """Return the distinct curves over a block of steps, a float64 array each; the two last asked for are kept."""
        return self._block(number)

    def _compute(self, number: int) -> list[Any]:
        xp = numpy_rising()
        np = xp.module
        first = number * BLOCK
        stop = int(min(first + BLOCK, self.total))
        if self.recipe.clock == "step":
            ticks = np.arange(first, stop, dtype=float)
        else:
            ticks = np.array([self.clock.batch_of_step(step) for step in range(first, stop)], dtype=float)
        try:  # as strict as Python's own numbers: what is infinite on the way has no value, whatever would be made of it
            with np.errstate(all="raise", under="ignore"):
                curves = [curve.value(ticks, xp) for curve in self.curves]
        except ArithmeticError:
            rows = [self._levels(curve, ticks.tolist()) for curve in self.curves]  # which tells where, unless numbers bear it
            curves = [np.array(row) for row in rows]
        for place, curve in enumerate(curves):
            # the largest base decides for every group
            base = max(abs(column.base) for columns in self.columns.values() for column in columns if column.curve == place)
            if base <= 1 and math.isfinite(curve.sum()):
                continue  # no value can be too large
            finite = np.isfinite(base * curve)
            if not finite.all():
                raise self._not_finite(ticks[finite.argmin()])
        return curves

    def outside(self) -> str | None:
        """Return what is below 0 somewhere in the run, which no optimizer is meant for; None where nothing is."""
        for number in range(math.ceil(self.end() / BLOCK)):
            curves = self._compute(number)
            for name, columns in self.columns.items():
                for group, (curve, base) in zip(self.groups, columns, strict=True):
                    if curve is not None and base * curves[curve].min() < 0:
                        step = number * BLOCK + int((curves[curve] < 0).argmax())
                        return f"{name} of group {group!r} is below 0 from step {step} on"
        return None

    # -- what happens -------------------------------------------------------------------------------------------

    def changes(self) -> list[Change]:
        """Return what begins or ends and at which step, in order; those past the run's last step included."""
        found: dict[tuple[int, str, str], list[str]] = {}
        for name, columns in self.columns.items():
            for group, column in zip(self.groups, columns, strict=True):
                knots = self.curves[column.curve].knots if column.curve is not None else ()
                steps = [(self._step(tick), what) for tick, what in knots if tick < math.inf]
                for step, what in drops_together(steps, self.recipe.schedule(name, group)):
                    found.setdefault((step, what, name), []).append(group)
        return sorted(
            (Change(step, what, name, tuple(groups)) for (step, what, name), groups in found.items()),
            key=lambda change: change.step,
        )

    def _step(self, tick: float) -> int:
        """Return the first step at or after a tick."""
        whole = math.ceil(tick - 1e-9)
        if self.recipe.clock == "step":
            return whole
        step = self.clock.step_of_batch(whole)
        return step if self.clock.batch_of_step(step) >= whole else step + 1

    def accumulate(self, steps: Sequence[int]) -> list[int] | None:
        """Return how many batches each step holds, None where every step is a batch."""
        if self.run.accumulate == 1 and all(stage.accumulate in (None, 1) for stage in self.run.stages):
            return None
        ends = {step: self.clock.batch_of_step(step) for step in {*steps, *(step - 1 for step in steps if step)}}
        return [ends[step] - (ends[step - 1] if step else -1) for step in steps]
