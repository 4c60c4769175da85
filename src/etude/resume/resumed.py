"""What a resume with an intent is: the plan before, the plan from now on, and what to tell of both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..plan import Plan
from ..recipe import Recipe, difference
from ..state import fed, identity
from ..units import number_text


@dataclass(frozen=True)
class Resumed:
    """A run that goes on otherwise than it was planned.

    Args:
        intent: What was asked for, in words.
        before: The plan until now, with all that was fed to it.
        plan: The plan from now on; its past is what the old one was.
        state: The state for a driver of the new plan; its history has one entry more.
        at: Updates made so far.
        today: The values that were to come, by hyperparameter and group, or were put in their place by hand.
        notes: What its user should know.
    """

    intent: str
    before: Plan
    plan: Plan
    state: dict[str, Any]
    at: int
    today: dict[str, dict[str, float]]
    notes: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """The recipe of the new plan, with its run."""
        return self.plan.recipe

    @property
    def changed(self) -> list[str]:
        """What differs between the old recipe and the new one, a line a key."""
        return difference(identity(self.before), identity(self.plan))

    @property
    def after(self) -> Plan:
        """The new plan with all that was fed to the run."""
        return fed(self.plan, self.state)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        epoch = _epoch(self.before, self.at)
        yield f"{self.intent}, from step {self.at}{epoch} on, to {_end(self.plan)}"
        old, new = self.before, self.after
        was = old.at(self.at - 1) if self.at else None
        for name, groups in was.items() if was else ():
            groups.update({group: value for group, value in self.today[name].items() if value != old.at(self.at)[name][group]})
        planned, now = self.today, new.at(self.at)
        rows: list[tuple[str, ...]] = [("", "", "applied last", "was to come", "comes now")]
        for name in new.hyperparameters:
            for group in new.groups:
                values = (was[name][group] if was else None, planned[name][group], now[name][group])
                if name == "lr" or len(set(values)) > 1:
                    rows.append((name, group, *("-" if value is None else f"{value:.6g}" for value in values)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for line in (*self._moved(), *self.notes):
            yield f"  {line}"

    def _moved(self) -> Iterator[str]:
        """Yield what now happens at another step, and epochs of another length."""
        old, new = self.before, self.after
        if old.total != new.total:
            yield f"the run ends at {_end(new)}, and was to end at {_end(old)}"
        for part in new.clock.parts[len(old.clock.parts) :]:
            last = old.clock.parts[-1]
            yield (
                f"an epoch has {part.steps} steps of {part.batch_size} samples from epoch "
                f"{new.clock.epoch(new.clock.starts[len(old.clock.parts)]):g} on, and had {last.steps} of {last.batch_size}"
            )
        before = {(change.what, change.hyperparameter, change.groups): change.step for change in old.changes()}
        for change in new.changes():
            step = before.get((change.what, change.hyperparameter, change.groups), change.step)
            if step != change.step >= self.at:
                yield f"{change.hyperparameter} of {', '.join(change.groups)}: {change.what}: at step {change.step}, was {step}"


def _end(plan: Plan) -> str:
    return f"step {number_text(plan.total)}" if plan.total < math.inf else "no step of its own"


def _epoch(plan: Plan, step: int) -> str:
    if not all(part.batches for part in plan.run.parts()):
        return ""
    return f" (epoch {plan.clock.elapsed(plan.tick_after(step)):.4g})"
