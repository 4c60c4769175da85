"""A run at the update that it has reached, from which another plan can grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..arrays import Scalar
from ..errors import InputError
from ..fields import Absolute
from ..groups import Group
from ..late import length_of
from ..midway import for_run, switch
from ..phases import chain, phase
from ..plan import Plan
from ..recipe import Optimizer, Recipe, difference, hyperparameters
from ..run import Run
from ..schedule import Schedule, constant
from ..state import State, check, fingerprint, identity, plan_of
from .endings import facts_beside, onto
from .resumed import Resumed

Future = Callable[[str, str, Schedule, Run], Schedule]
"""(hyperparameter, group, its schedule in the new recipe, the run from now on) -> what counts from now on."""


class Trunk:
    """What a run is, at the update that it has reached."""

    def __init__(self, state: State) -> None:
        self.state = check(state)
        made = self.state["updates"]
        if len(set(made)) > 1:
            raise InputError(
                f"the optimizers have made {', '.join(map(str, made))} updates: an intent needs one step that all have reached"
            )
        self.at: int = made[0]
        self.then = plan_of(self.state)
        self.now = _after(self.then, self.at)
        self.values = self.then.at(self.at)
        self.overrides = {(name, group): value for name, group, value in self.state["overrides"]}
        for (name, group), value in self.overrides.items():
            self.values[name][group] = value
        self.unit = "steps" if self.then.recipe.clock == "step" else "batches"

    def of_what_ends_here(self, value: float, unit: str, origin: float) -> float:
        """Return a length in ticks from now on; a part of the run is one of the run that ends with it."""
        if unit != "%":
            return self.then.clock.ticks(value, unit, origin)
        if not 0 <= value < 100:
            raise InputError(f"cooldown: a part of the run must be below 100%, got {value:g}%")
        return self.now * value / (100 - value)

    def today(self, name: str, group: str) -> Schedule:
        """Return today's value as a schedule."""
        if (name, group) in self.overrides:
            return constant(Absolute(self.overrides[name, group]))
        column = self.then.columns[name][self.then.groups.index(group)]
        if column.curve is None:
            return constant(1)
        level = float(self.then.curves[column.curve].value(self.then.tick(self.at), Scalar))
        old = self.then.recipe.schedule(name, group)
        return constant(Absolute(level) if old is not None and old.absolute else level)

    def edited(self, intent: str, recipe: Recipe, run: Run, future: Future, *, anew: bool = False) -> Resumed:
        """Return the run that goes on with a recipe: on the clock that has run until now, or anew."""
        self._agree(recipe)
        run = self._accumulated(onto(self.then, run, self.now))
        made: dict[str, dict[str, Schedule | None]] = {}
        for name in self.then.hyperparameters:
            made[name] = {group: self._midway(recipe, run, name, group, future, anew=anew) for group in self.then.groups}
        edited = replace(_with(recipe, made), run=run, name=self.then.recipe.name, source=None, origin=None, notes=())
        plan = Plan(edited, run)
        if plan.total <= self.at and not anew:
            raise InputError(f"the run would be over: it has {plan.total:g} steps then, and {self.at} are made already")
        before = identity(self.then)
        entry = {
            "updates": self.at,
            "intent": intent,
            "was": fingerprint(before),
            "changed": difference(before, identity(plan)),
        }
        state = {
            **self.state,
            "recipe": {"name": edited.name, **identity(plan)},
            "overrides": [],  # today's values are begun with, and what comes is the plan's
            "metrics": [metric for metric in self.state.get("metrics", []) if metric[1] in plan.watched()],
            "joined": [dict.fromkeys(one, 0) for one in self.state.get("joined", [])],  # the recipe says it now
            "history": [*self.state.get("history", []), entry],
        }
        ended = tuple(
            f"the override of {name} of group {group!r}, {value:g}, ends here" for (name, group), value in self.overrides.items()
        )
        return Resumed(intent, self.then, plan, state, self.at, self.values, ended)

    def _accumulated(self, run: Run) -> Run:
        """Return a run whose accumulation, where it moves, was what it was until now: it says which batches made updates."""
        old, new = self.then.run.accumulate, run.accumulate
        if self.then.run == run or not (isinstance(old, Schedule) and isinstance(new, Schedule)):
            return run
        return replace(
            run, accumulate=switch(for_run(old, **facts_beside(self.then.run, run)), new, at=length_of(self.then, self.now))
        )

    def _midway(self, recipe: Recipe, run: Run, name: str, group: str, future: Future, *, anew: bool) -> Schedule | None:
        """Return the schedule of a hyperparameter in a group: the old one until now, and then the new."""
        old, new = self.then.recipe.schedule(name, group), recipe.schedule(name, group)
        base, new_base = self.then.recipe.base(name, group), recipe.base(name, group)
        if old is None and new is None and base == new_base:
            return None
        after = future(name, group, constant(1) if new is None else new, run)
        if not self.now:
            return after
        past = constant(1) if old is None else old
        facts = facts_beside(self.then.run, run)
        if base != new_base or facts or anew:  # a phase is shorter than the run that the past was to fill
            past = for_run(past, **facts, base=None if base == new_base else base)
        now = length_of(self.then, self.now)
        return chain(phase(past, now), after) if anew else switch(past, after, at=now)

    def _agree(self, recipe: Recipe) -> None:
        """Refuse a recipe whose values can't reach the optimizer that the checkpoint is of."""
        old, new = self.then.recipe, recipe
        if self.then.hyperparameters != hyperparameters(new):
            raise InputError(f"the run has {', '.join(self.then.hyperparameters)}, the recipe {', '.join(hyperparameters(new))}")
        if list(old.rules) != list(new.rules):
            raise InputError(
                f"the run's groups are {', '.join(old.rules)}, the recipe's {', '.join(new.rules)}: the optimizer's state is by "
                "group, so they must be the same, in the same order"
            )
        if old.clock != new.clock:
            raise InputError(f"the run counts by {old.clock}, the recipe by {new.clock}: an intent can't change that")
        mine, other = (
            replace(one.optimizer, lr=0.0, momentum=None, betas=None, weight_decay=None, nesterov=False) for one in (old, new)
        )
        changed = difference(_own_settings(mine), _own_settings(other))
        second = [one.optimizer.betas and one.optimizer.betas[1] for one in (old, new)]
        changed += [f"betas[1]: {second[0]} -> {second[1]}"] if second[0] != second[1] else []
        changed += ["nesterov"] if old.optimizer.nesterov != new.optimizer.nesterov else []
        if changed:
            raise InputError(
                f"the optimizer is another one ({'; '.join(changed)}), and its saved state would bring the old one back: "
                "build it anew, or keep these"
            )


def _after(plan: Plan, updates: int) -> float:
    """Return the first tick after so many updates, also of more than the run has."""
    if not updates or plan.recipe.clock == "step":
        return float(updates)
    return plan.clock.batch_of_step(updates - 1) + 1.0


def _own_settings(optimizer: Optimizer) -> dict[str, Any]:
    return {"name": optimizer.name, "eps": optimizer.eps, **optimizer.options}


def _with(recipe: Recipe, made: Mapping[str, Mapping[str, Schedule | None]]) -> Recipe:
    """Return a recipe with other schedules: said once where all groups have the same, by group otherwise."""
    common, groups = {}, {name: replace(group, schedules={}) for name, group in recipe.rules.items()}
    for name, by_group in made.items():
        different = list(dict.fromkeys(by_group.values()))
        if len(different) == 1:
            if different[0] is not None:
                common[name] = different[0]
            continue
        for group, schedule in by_group.items():
            own = {**groups[group].schedules, name: constant(1) if schedule is None else schedule}
            groups[group] = replace(groups[group], schedules=own)
    return replace(recipe, schedules=common, groups=groups if recipe.groups or groups != {"all": Group()} else {})
