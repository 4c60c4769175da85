"""A run with another end, and one whose epochs change their length in the middle."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ..clock import RunClock
from ..errors import InputError
from ..plan import Plan
from ..run import Part, Run, Stage
from ..schedule import Schedule
from ..units import number_text


def facts_beside(old: Run, new: Run) -> dict[str, Any]:
    """Return the facts that make one run of another, as `for_run` takes them; none where both are alike."""
    if old == new:
        return {}
    facts: dict[str, Any] = {name: getattr(old, name) for name in ("steps", "epochs") if getattr(old, name) is not None}
    if old.stages:
        facts["stages"] = [[part.epochs, part.batch_size or 1, _number(part)] for part in old.parts()]
    for name in ("samples", "batch_size", "devices", "accumulate", "drop_last", "steps_per_epoch", "tokens_per_sample"):
        fact = getattr(old, name)
        if fact is not None and fact != getattr(new, name) and not isinstance(fact, Schedule):
            facts[name] = fact
    if old.steps_per_epoch is not None:
        facts["steps_per_epoch"] = old.steps_per_epoch
    return facts


def _number(part: Part) -> int:
    return part.accumulate if isinstance(part.accumulate, int) else 1


def ending(plan: Plan, ticks: float) -> Run:
    """Return a plan's run with another length, in ticks of its recipe's clock."""
    run, clock = plan.run, plan.clock
    if run.stages:
        return cut(run, clock, ticks)
    part, per_epoch = clock.parts[0], _per_epoch(clock, clock.parts[0])
    epochs = ticks / per_epoch if per_epoch else math.nan
    if (run.steps is None and epochs.is_integer()) or not isinstance(run.accumulate, int):
        return replace(run, epochs=int(epochs) if epochs.is_integer() else epochs)
    steps = int(ticks) if clock.by == "step" else clock.step_of_batch(int(ticks) - 1) + 1
    told = run.steps_per_epoch or bool(run.samples and run.batch_size)  # else epochs were a part of the steps
    return replace(run, steps=steps, epochs=None, steps_per_epoch=run.steps_per_epoch if told else part.steps)


def appended(then: Plan, begun: Plan, now: float) -> Run:
    """Return the run in which another one begins after so many ticks of a plan's own, and ends with its own end."""
    if begun.clock.total == math.inf:
        return begun.run
    per_epoch = _per_epoch(begun.clock, begun.clock.parts[0])
    if per_epoch is None or _per_epoch(then.clock, then.clock.parts[-1]) == per_epoch:
        return ending(begun, now + begun.clock.total)
    epochs = math.ceil(then.clock.elapsed(now)) + math.ceil(begun.clock.total / per_epoch) + 1
    run = onto(then, replace(begun.run, steps=None, epochs=epochs), now)
    return cut(run, run.clock(begun.recipe.clock), now + begun.clock.total)


def onto(plan: Plan, run: Run, now: float) -> Run:
    """Return the run that a plan's own goes over into: where epochs get another length, they do so with the next one.

    Args:
        plan: The plan until now.
        run: The facts of the whole run.
        now: Ticks that have gone by.
    Raises:
        InputError: epochs get another length, and the facts don't tell how both are counted.
    """
    clock, other = plan.clock, run.clock(plan.recipe.clock)
    before, after = clock.parts[-1], other.parts[-1]
    same = _per_epoch(clock, before) == _per_epoch(other, after) and before.accumulate == after.accumulate
    if not now or run.stages or same or not (_per_epoch(clock, before) and _per_epoch(other, after)):
        return run
    epoch = math.ceil(clock.elapsed(now))
    change = f"an epoch has {_per_epoch(clock, before)} {clock.by}s, and {_per_epoch(other, after)} from now on"
    if not (run.epochs and run.samples and run.samples == plan.run.samples and before.batch_size and after.batch_size):
        raise InputError(f"{change}: give the run's epochs, samples and batch_size, so that both can be counted")
    if run.epochs <= epoch:
        raise InputError(f"{change}: epoch {epoch} would be the first of them, and the run has {number_text(run.epochs)}")
    kept = cut(plan.run, clock, clock.ticks(epoch, "epochs")).stages or (_stage(before, epoch),)
    stages = (*kept, _stage(after, run.epochs - epoch))
    made = replace(run, epochs=None, accumulate=1, stages=stages)
    if made.clock(plan.recipe.clock).starts[-1] != clock.ticks(epoch, "epochs"):
        raise InputError(
            f"{change}: with other devices, or another drop_last, the epochs until now can't be counted as they were"
        )
    return made


def cut(run: Run, clock: RunClock, ticks: float) -> Run:
    """Return a run in stages with another end; one without them as it is."""
    if not run.stages:
        return run
    last = max(index for index, start in enumerate(clock.starts) if start < ticks)
    epochs = (ticks - clock.starts[last]) / (_per_epoch(clock, clock.parts[last]) or math.nan)
    return replace(run, stages=(*run.stages[:last], replace(run.stages[last], epochs=epochs)))


def _per_epoch(clock: RunClock, part: Part) -> int | None:
    return part.steps if clock.by == "step" else part.batches


def _stage(part: Part, epochs: float) -> Stage:
    if not isinstance(part.accumulate, int):
        raise InputError("epochs can't get another length in a run whose accumulation moves")
    return Stage(epochs=epochs, batch_size=part.batch_size, accumulate=part.accumulate, frozen=part.frozen)
