"""Resume with a stated intent: what a run becomes when it is extended, cooled down, restarted or given another recipe.

    resumed = etude.resume.cooldown(checkpoint["driver"], "10%")
    driver = etude.torch.drive(optimizer, resumed.plan)
    driver.load_state_dict(resumed.state)

A driver's state holds recipe, run and counter, so every intent is a function of the state alone. What comes out is a recipe like
any other: the past as it was, and from the step that is reached on what was asked for. A resume without any of these is exact: a
driver refuses the state of another recipe or run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from ..arrays import Scalar
from ..errors import InputError
from ..midway import for_run
from ..recipe import Recipe
from ..run import Run
from ..schedule import Frame, Schedule, constant
from ..state import State, fed, recipe_of
from ..units import Length, canonical
from .endings import appended, ending, facts_beside, onto
from .resumed import Resumed
from .trunk import Trunk

__all__ = ["Resumed", "continue_from", "cooldown", "extend", "replace", "restart"]


def extend(state: State, length: str) -> Resumed:
    """Give the run another end: the same schedules in a longer run, or a shorter one.

    value(k) = the recipe's value at step k of a run of the new length, for k >= now

    Args:
        state: A driver's state.
        length: The whole run's new length, such as "200 epochs".
    Raises:
        InputError: the run has got beyond that, or the state is none.

    Example:
        >>> import torch, etude
        >>> recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=100)
        >>> optimizer = etude.torch.build(torch.nn.Linear(1, 1), recipe)
        >>> state = etude.torch.drive(optimizer, recipe.plan(), updates=50).state_dict()
        >>> resumed = extend(state, "200 steps")
        >>> [round(resumed.plan.at(step)["lr"]["all"], 4) for step in (49, 50, 51)]
        [0.0516, 0.0854, 0.0848]

    What is a part of the run, or fills it, stretches: a cosine half way down rises to where it would be. `cooldown` and
    `continue_from` begin at today's value.
    """
    trunk = Trunk(state)
    ticks = _whole(Length.parse(canonical(length, "extend")).ticks(trunk.then.clock.ticks))
    if ticks <= trunk.now:
        raise InputError(f"extend: {length} is {ticks:g} {trunk.unit}, and the run has made {trunk.now:g}: ask for more")
    run = ending(trunk.then, ticks)
    resumed = trunk.edited(f"extend to {length}", trunk.then.recipe, run, lambda name, group, schedule, run: schedule)
    return dataclasses.replace(resumed, notes=(*resumed.notes, *_nothing_follows(resumed)))


def cooldown(state: State, over: str, shape: Schedule | str = "linear(1, 0)") -> Resumed:
    """Bring the rate down from today's value, and end the run there.

    value(now + t) = today's value * shape(t)

    Args:
        state: A driver's state.
        over: How long, such as "500 steps"; "10%" is a tenth of the run that ends with it.
        shape: The curve from 1 on, which fills that time: `power(1, 0, 0.5)` is 1-sqrt.
    Raises:
        InputError: `over` is no length, or nothing, the shape ends earlier, or the rate is 0 already.

    Example:
        >>> import torch, etude
        >>> recipe = etude.read("constant(1)").override(lr=0.1, steps=100)
        >>> optimizer = etude.torch.build(torch.nn.Linear(1, 1), recipe)
        >>> state = etude.torch.drive(optimizer, recipe.plan(), updates=50).state_dict()
        >>> resumed = cooldown(state, "10 steps")
        >>> [round(resumed.plan.at(step)["lr"]["all"], 4) for step in (49, 50, 51)]
        [0.1, 0.1, 0.09]

    Momentum and weight decay stay where they are.
    Source: Haegele et al. 2024 (arXiv 2405.18392): from one trunk several cooldowns, each to its own end.
    """
    from ..text import parse

    trunk = Trunk(state)
    curve = parse(shape) if isinstance(shape, str) else shape
    if not isinstance(curve, Schedule):
        raise InputError(f"cooldown: shape must be a schedule from 1 on, such as linear(1, 0), got {shape!r}")
    ticks = _whole(Length.parse(canonical(over, "cooldown")).ticks(trunk.of_what_ends_here, trunk.now))
    if ticks <= 0:
        raise InputError(f"cooldown must be longer than nothing, got {over!r} = {ticks:g} {trunk.unit} in this run")
    frame = Frame(trunk.then.clock, span=ticks)
    if curve.length(frame) is not None or not math.isclose(curve.bind(frame).value(0.0, Scalar), 1.0):
        raise InputError(f"cooldown: shape must begin at 1 and fill its time, such as linear(1, 0), got {curve!r}")
    if not any(trunk.values["lr"].values()):
        raise InputError(f"cooldown: lr is 0 at step {trunk.at} already; extend, restart or replace may be meant")

    def future(name: str, group: str, schedule: Schedule, _: Run) -> Schedule:
        today = trunk.today(name, group)
        return today if name != "lr" else curve if today == constant(1) else today * curve

    run = ending(trunk.then, trunk.now + ticks)
    return trunk.edited(f"cooldown over {over}", trunk.then.recipe, run, future, anew=True)


def restart(state: State, recipe: Recipe | None = None, run: Run | None = None) -> Resumed:
    """Begin a schedule anew from now on, warmup and all, for as long as its own run is; the updates are counted on.

    value(now + t) = schedule(t)

    Args:
        state: A driver's state.
        recipe: The recipe to begin; by default the run's own.
        run: The length of what begins; by default the recipe's own.
    Raises:
        InputError: the recipe has other groups or another optimizer, or a run in stages.

    Example:
        >>> import torch, etude
        >>> recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=100)
        >>> optimizer = etude.torch.build(torch.nn.Linear(1, 1), recipe)
        >>> state = etude.torch.drive(optimizer, recipe.plan(), updates=50).state_dict()
        >>> resumed = restart(state)
        >>> [round(resumed.plan.at(step)["lr"]["all"], 4) for step in (49, 50, 51)]
        [0.0516, 0.1, 0.1]
    """
    trunk = Trunk(state)
    recipe = recipe_of(trunk.state) if recipe is None else _checked(recipe)
    begun = recipe.plan(run or _own(recipe, trunk))
    if begun.run.stages:
        raise InputError("restart: what begins must be a run without stages: give one, as in run=Run(epochs=...), or use replace")

    def future(name: str, group: str, schedule: Schedule, run: Run) -> Schedule:
        return for_run(schedule, **facts_beside(begun.run, run))

    return trunk.edited("restart", begun.recipe, appended(trunk.then, begun, trunk.now), future, anew=True)


def replace(state: State, recipe: Recipe, run: Run | None = None) -> Resumed:
    """Go on with another recipe as if it had counted from the beginning.

    value(k) = the new recipe's value at step k, for k >= now

    Args:
        state: A driver's state.
        recipe: The recipe; its groups and optimizer are those of the run.
        run: The facts of the whole run; by default the recipe's own, or the old ones where it has none. A new batch size
            begins with the next epoch.
    Raises:
        InputError: the recipe has other groups or another optimizer.

    Example:
        >>> import torch, etude
        >>> recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=100)
        >>> optimizer = etude.torch.build(torch.nn.Linear(1, 1), recipe)
        >>> state = etude.torch.drive(optimizer, recipe.plan(), updates=50).state_dict()
        >>> resumed = replace(state, etude.read("linear(1, 0)").override(lr=0.2))
        >>> [round(resumed.plan.at(step)["lr"]["all"], 4) for step in (49, 50, 51)]
        [0.0516, 0.1, 0.098]
    """
    trunk = Trunk(state)
    _checked(recipe)
    return trunk.edited("replace", recipe, run or _own(recipe, trunk), lambda name, group, schedule, run: schedule)


def continue_from(state: State, recipe: Recipe | None = None, run: Run | None = None) -> Resumed:
    """Go on with another recipe or run, from today's rates on: its curves of lr are brought to them by one factor a group.

    lr(k) = the new recipe's lr at step k * (today's lr / the new recipe's lr today), for k >= now

    Args:
        state: A driver's state.
        recipe: The recipe; by default the run's own.
        run: The facts of the whole run, as in `replace`.
    Raises:
        InputError: a new rate is 0 today, and no factor brings it to another; or today's rate is 0.

    Example:
        >>> import torch, etude
        >>> recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=100)
        >>> optimizer = etude.torch.build(torch.nn.Linear(1, 1), recipe)
        >>> state = etude.torch.drive(optimizer, recipe.plan(), updates=50).state_dict()
        >>> resumed = continue_from(state, recipe.override(steps=200))
        >>> [round(resumed.plan.at(step)["lr"]["all"], 4) for step in (49, 50, 51)]
        [0.0516, 0.05, 0.0497]

    Momentum and weight decay are the new recipe's own.
    """
    trunk = Trunk(state)
    recipe = trunk.then.recipe if recipe is None else _checked(recipe)
    run = run or _own(recipe, trunk)
    there = fed(recipe.plan(onto(trunk.then, run, trunk.now)), trunk.state).at(trunk.at)

    def future(name: str, group: str, schedule: Schedule, _: Run) -> Schedule:
        here, today = there[name][group], trunk.values[name][group]
        if name != "lr" or here == today:
            return schedule
        if today == 0:
            raise InputError(
                f"continue_from: lr of group {group!r} is 0 at step {trunk.at}, and would stay so; use extend or restart"
            )
        if here == 0:
            raise InputError(
                f"continue_from: lr of group {group!r} is 0 at step {trunk.at} in the new recipe, and {today:g} today: no factor "
                "brings it there; use replace or restart"
            )
        return (today / here) * schedule

    return trunk.edited("continue from today's values", recipe, run, future)


def _checked(recipe: Recipe) -> Recipe:
    if not isinstance(recipe, Recipe):
        raise InputError(f"a recipe is needed, as in etude.read(...), got {type(recipe).__name__}")
    return recipe


def _own(recipe: Recipe, trunk: Trunk) -> Run:
    """Return the run of a recipe, or the old one where it doesn't say how long it is."""
    run = recipe.run
    return run if run.epochs or run.steps or run.stages else trunk.then.run


def _whole(ticks: float) -> float:
    """Return a number of ticks that a run can have."""
    return float(math.ceil(ticks - 1e-9))


def _nothing_follows(resumed: Resumed) -> Iterator[str]:
    """Tell of a run that is longer now, and a rate that takes no notice."""
    old, new = resumed.before, resumed.after
    if new.total > old.total > resumed.at:
        ticks = [old.tick(resumed.at + round(part * (old.end() - 1 - resumed.at) / 99)) for part in range(100)]
        if old.rows(ticks)["lr"] == new.rows(ticks)["lr"]:
            yield (
                f"nothing in the recipe's lr follows the run's length: up to step {old.end() - 1} it is what it was; "
                "cooldown, continue_from or restart may be meant"
            )
