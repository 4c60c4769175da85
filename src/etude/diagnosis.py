"""What is off in the values of a run, in plain words: causes that are known, each tried on the values that were applied.

A cause is a claim about every value from the first wrong one on, such as "the value of step 4k at step k". It is told where it
alone fits. Where two fit, both are told; where more do, or none, the difference alone is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .arrays import numpy
from .errors import InputError
from .plan import Plan
from .series import Column, Series

_MOST_TIMES = 64  # steps of a scheduler to one update, or updates to one step
_FARTHEST = 8192  # ticks that a schedule is looked for before and after its place


@dataclass(frozen=True)
class Finding:
    """Something that is off: since when, where, what was planned and applied there first, and why, as far as the values tell."""

    step: int
    hyperparameter: str
    groups: tuple[str, ...]
    planned: float
    applied: float
    span: str
    what: str

    def __str__(self) -> str:
        names = f"group{'s' if len(self.groups) > 1 else ''} {', '.join(self.groups)}"
        digits = next((n for n in (4, 6, 9) if f"{self.planned:.{n}g}" != f"{self.applied:.{n}g}"), 17)
        values = f"planned {self.planned:.{digits}g}, applied {self.applied:.{digits}g}"
        return f"{self.hyperparameter} of {names}: {values} {self.span}{': ' if self.what else ''}{self.what}"


def diagnose(
    plan: Plan, series: Mapping[tuple[str, str], Series], began: int | None = None, ticks: float | None = None
) -> list[Finding]:
    """Say what is off in the values of a run: nothing where all are as planned.

    Args:
        plan: The plan that was meant.
        series: The values applied, by hyperparameter and group; `slack` tells how exact they are.
        began: The first step that was seen; the first of the series by default.
        ticks: How often the scheduler was stepped for one update, where that is known.
    Returns:
        A finding for each cause, in the plan's order of hyperparameters.

    Example:
        >>> import etude
        >>> plan = etude.read("cosine(1, 0)").plan(etude.Run(steps=100))
        >>> rates = [plan.at(min(4 * step, 100))["lr"]["all"] for step in range(9)]
        >>> [finding] = diagnose(plan, {("lr", "all"): Series(range(9), rates, [1e-9] * 9)})
        >>> finding.step, finding.what.partition(":")[0]
        (1, 'stepped 4 times per update')
    """
    found = []
    for hyperparameter in plan.hyperparameters:
        columns = [Column(plan, *key, values) for key, values in series.items() if key[0] == hyperparameter and values.steps]
        wrong = [column for column in columns if column.wrong.any()]
        if wrong:
            first = min(int(column.steps[0]) for column in columns)
            found += _Case(plan, wrong, first if began is None else began, ticks).findings()
    return found


class _Clock(NamedTuple):
    """Causes of one kind: at step k, tick t, the schedule stood at `place(k, t, n)`, for an n that is looked for."""

    place: Callable[[Any, Any, Any], Any]
    numbers: Sequence[float]
    words: Callable[[int], str]


class _Case:
    """The wrong columns of one hyperparameter, and the search for what they have in common."""

    def __init__(self, plan: Plan, columns: list[Column], began: int, ticks: float | None) -> None:
        self.plan, self.columns, self.began, self.ticks = plan, columns, began, ticks
        self.unit, self.units = ("update", "steps") if plan.recipe.clock == "step" else ("batch", "batches")
        for column in columns:
            column.stop = len(column.steps)
        first = min(columns, key=lambda column: column.steps[column.first])
        self.onset, self.right = int(first.steps[first.first]), first.before

    def findings(self) -> list[Finding]:
        """Return one finding where all columns have one cause, and else one for each cause."""
        what = self._cause()
        if what or len(self.columns) == 1:
            return [self._finding(what)]
        alone = [finding for column in self.columns for finding in _Case(self.plan, [column], self.began, self.ticks).findings()]
        merged: dict[Any, Finding] = {}
        for finding in alone:
            key = (finding.step, finding.span, finding.what)
            groups = merged[key].groups if key in merged else ()
            merged[key] = replace(merged.get(key, finding), groups=(*groups, *finding.groups))
        return list(merged.values())

    def _finding(self, what: str) -> Finding:
        column = min(self.columns, key=lambda column: column.steps[column.first])
        row = column.first
        groups = tuple(column.group for column in self.columns)
        return Finding(
            self.onset, column.hyperparameter, groups, float(column.planned[row]), float(column.applied[row]), self._span(), what
        )

    def _span(self) -> str:
        ends = [column.steps[column.last] for column in self.columns if column.stop == column.last + 1 < len(column.steps)]
        if len(ends) == len(self.columns):
            last = int(max(ends))
            return f"at step {last} only" if last == self.onset else f"from step {self.onset} to {last}"
        seen = f" (step {self.right} was right)" if self.began <= self.right < self.onset - 1 else ""
        return f"since step {self.onset}{seen}"

    def _cause(self) -> str:
        """Return what all columns have in common, empty where nothing is singled out."""
        if self.onset >= self.plan.total:
            return (
                f"the plan's run is over after {self.plan.total} updates and holds its last value from there: "
                "give the run its real length"
            )
        if what := self._told():
            return what
        if all(column.last + 1 < len(column.steps) for column in self.columns):
            for column in self.columns:
                column.stop = column.last + 1  # right again: what was it until there?
            return self._told()
        return ""

    def _told(self) -> str:
        claims, vague = [], False
        for clock in self._clocks():
            numbers = self._search(clock)
            vague = vague or len(numbers) > 1
            claims += [clock.words(int(number)) for number in numbers[:1] if len(numbers) == 1]
        claims = list(dict.fromkeys(claims))
        ratio, whole = self._factor()
        if ratio and (whole or not (claims or vague)):
            claims.append(ratio)
        if not (claims or vague):
            claims = list(filter(None, (self._constant() or self._anew_from_there(),)))
        if self.ticks and (seen := [claim for claim in claims if f" {self.ticks:g} times per" in claim]):
            claims, vague = seen, False  # its own count says which
        if len({_head(claim) for claim in claims}) == 1 < len(claims):
            claims = [_head(claims[0])]
        return (
            ""
            if vague or len(claims) > 2
            else "; or ".join([f"either {claims[0]}" if claims[1:] else "".join(claims), *claims[1:]])
        )

    # -- the schedule is right, and its clock is wrong ---------------------------------------------------------

    def _search(self, clock: _Clock) -> list[float]:
        """Return the numbers with which a clock explains every value; more than one says nothing."""
        np = self.columns[0].np
        numbers = np.array(clock.numbers, dtype=float)
        for column in self.columns:
            for row in column.probes():
                if numbers.size:
                    numbers = numbers[column.agrees(row, clock.place(column.steps[row], column.ticks[row], numbers))]
        found = []
        for number in numbers[:_MOST_TIMES]:
            answers = [
                column.explained(clock.place(column.steps[column.rows()], column.ticks[column.rows()], number))
                for column in self.columns
            ]
            if all(fits for fits, _ in answers) and any(telling for _, telling in answers):
                found.append(float(number))
        return found

    def _clocks(self) -> Iterator[_Clock]:
        run, clock, unit, units = self.plan.run, self.plan.clock, self.unit, self.units
        try:
            epoch = clock.ticks(1, "epochs")
        except InputError:
            epoch = math.nan  # a run that does not know its epochs
        updates = "updates" if unit == "update" else units
        counts = {*range(2, _MOST_TIMES + 1), run.devices, epoch if epoch == epoch // 1 else 2} - {1}

        def times(n: int) -> str:
            over = f"; so the schedule is over at update {math.ceil(self.plan.total / n)}" if self.plan.total < math.inf else ""
            if n == run.accumulate:
                return batches(n) + over
            if n == epoch:
                some = "" if n > _MOST_TIMES else f" (an epoch is {n} {units}), or {n} times per {unit}"
                return f"stepped at every {unit}, and counted in epochs{some}"
            by = "looks like Accelerate, which ticks a prepared scheduler once for each process"
            return f"stepped {n} times per {unit}: {by}{over}"

        def batches(n: int) -> str:
            return f"stepped {n} times per {unit}, at every batch of an accumulation"

        for start in sorted({self.plan.tick(step) for step in (0, self.began, self.right) if step >= 0}):
            yield _Clock(_times_since(start), sorted(counts), times)
        yield _Clock(lambda k, t, n: n * t + n - 1, sorted(counts - {epoch}), batches)
        if epoch > 1:
            once = f"stepped once an epoch, and counted in {units}"
            yield _Clock(lambda k, t, n: clock.epoch(t + n, numpy()), [0], lambda n: once)
        if self.unit == "batch":
            yield _Clock(lambda k, t, n: k + n, [0], lambda n: "stepped once an update, and counted in batches")
        every = sorted({*range(2, _MOST_TIMES + 1)} - {epoch})
        yield _Clock(lambda k, t, n: t // n, every, lambda n: f"stepped once every {n} {updates}")
        anew = {-self.plan.tick(step) for step in range(max(self.right, self.onset - _FARTHEST) + 1, self.onset + 1)}
        shifts = sorted({*range(-_FARTHEST, _FARTHEST + 1), *anew} - {0})
        yield _Clock(lambda k, t, n: t + n, shifts, lambda n: self._shifted(n, anew))

    def _shifted(self, by: int, anew: set[float]) -> str:
        always = all(column.agrees(slice(None), column.ticks + by).all() for column in self.columns)
        if by == 1 and always:
            return "the scheduler was stepped before the optimizer: each value is the next step's"
        if by in anew and by < -1:
            start = next(step for step in range(self.onset, 0, -1) if self.plan.tick(step) <= -by)
            return f"the schedule began anew at step {start}: a scheduler was built there, and its state not loaded"
        amount = f"{abs(by)} {self.units}" if abs(by) > 1 else f"one {self.units.removesuffix('es').removesuffix('s')}"
        return f"the schedule stands {amount} {'ahead' if by > 0 else 'behind'}"

    # -- the values themselves ---------------------------------------------------------------------------------

    def _factor(self) -> tuple[str, bool]:
        """Return the words for values that are all one multiple of the plan's, and whether it is a whole one or its inverse."""
        ratios = []
        for column in self.columns:
            rows = column.rows()
            planned, applied, allowed = column.planned[rows], column.applied[rows], column.slack[rows]
            if not column.moves(planned, allowed):
                return "", False
            at = int(abs(planned).argmax())
            ratio = float(applied[at] / planned[at]) if planned[at] else math.nan
            if not (abs(ratio * planned - applied) <= 2 * allowed).all() or not abs(ratio) > 1e-12:
                return "", False
            ratios.append(ratio)
        ratio = ratios[0]
        if any(abs(other - ratio) > 1e-5 * abs(ratio) for other in ratios):
            return "", False
        for number, words in ((ratio, "{} times the plan's: scaled twice?"), (1 / ratio, "1/{} of the plan's: not scaled?")):
            if number > 1.5 and abs(number - round(number)) < 1e-4 * number:
                return words.format(round(number)), True
        return f"{ratio:.4g} times the plan's" if abs(ratio - 1) > 1e-3 else "", False

    def _constant(self) -> str:
        """Return the words for values that stand still while the plan's move."""
        for column in self.columns:
            rows = column.rows()
            if not (column.still(rows) and column.moves(column.planned[rows], column.slack[rows])):
                return ""
        if all(self._is(column, column.applied[column.first - 1]) for column in self.columns if column.first):
            if all(column.still(slice(None)) for column in self.columns):
                return "it has not moved yet: no scheduler is stepped, or too rarely"
            return f"it stays at the value of step {self.right}: the scheduler is not stepped any more"
        if all(self._is(column, column.base) for column in self.columns):
            return "it is back at its base value and stays there: a scheduler or an optimizer was built after loading"
        return "it stays at a value that is not the plan's: something else writes it (a callback, a line of the loop)"

    def _is(self, column: Column, value: float) -> bool:
        return bool(abs(column.applied[column.first] - value) <= column.slack[column.first])

    def _anew_from_there(self) -> str:
        """Return the words for a schedule that began anew with the value there as its base, as torch's recursive ones do."""
        for start in range(max(self.right, self.onset - 1000, 1), self.onset + 1):
            for floored in (False, True):
                if all(self._continues(column, start, floored) for column in self.columns):
                    return (
                        f"the schedule began anew at step {start}, from the value that it had there: a scheduler was built "
                        "after loading, and its state not loaded"
                    )
        return ""

    def _continues(self, column: Column, start: int, floored: bool) -> bool:
        rows, tick = column.rows(), self.plan.tick(start)
        floor = float(column.at(column.total)) if floored and column.total < math.inf else 0.0
        there = float(column.at(tick))
        if column.base == floor:
            return False
        ticks = column.ticks[rows] - tick
        predicted = floor + (there - floor) * (column.at(ticks) - floor) / (column.base - floor)
        fits = (abs(predicted - column.applied[rows]) <= column.slack[rows]) | (ticks >= column.total)
        return bool(fits.all()) and column.moves(predicted, column.slack[rows])


def _times_since(start: float) -> Callable[[Any, Any, Any], Any]:
    return lambda k, t, n: start + n * (t - start)


def _head(claim: str) -> str:
    """Return what a claim says before it gives a reason."""
    return claim.partition(":")[0].partition(",")[0]
