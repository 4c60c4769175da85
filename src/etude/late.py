"""Groups that join a run late: their clocks begin where they join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .phases import chain, phase
from .plan import Plan
from .schedule import Schedule, constant
from .units import number_text


def joined(plan: Plan, when: Mapping[str, int]) -> Plan:
    """Return a plan in which some groups begin their schedules late.

    value(t) = schedule(t - start) over what is left of the run; the base value before

    Args:
        plan: The plan.
        when: By group, how many updates had been made when it joined.

    Example:
        >>> from etude import Group, Optimizer, Recipe, Run, cosine
        >>> groups = {"head": Group(kind="bias"), "body": Group()}
        >>> recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": cosine(1, 0)})
        >>> joined(recipe.plan(Run(steps=100)), {"head": 50}).at(50)["lr"]["head"]
        0.1

    Source: torch's add_param_group. There LambdaLR and OneCycleLR raise, cosines decay from what the group came with, plateaus
    leave it alone.
    """
    if not when:
        return plan
    recipe, groups = plan.recipe, dict(plan.recipe.rules)
    for name, updates in when.items():
        before = plan.tick_after(updates)
        own: dict[str, Schedule] = {}
        for hyperparameter in plan.hyperparameters:
            schedule = recipe.schedule(hyperparameter, name)
            if schedule is not None and before:
                own[hyperparameter] = chain(phase(constant(1), length_of(plan, before)), schedule)
        groups[name] = replace(groups[name], schedules={**groups[name].schedules, **own})
    return Plan(replace(recipe, groups=groups, origin=None), plan.run, plan.metrics)


def length_of(plan: Plan, ticks: float) -> str:
    """Return so many ticks as a length: steps, or batches where the recipe counts by batch."""
    return f"{number_text(ticks)} {'steps' if plan.recipe.clock == 'step' else 'batches'}"
