"""A driver's state: counters, the recipe, and all that happened to the run, as plain data that any checkpoint can hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from .errors import InputError
from .late import joined
from .plan import Plan
from .recipe import VERSION, Recipe
from .recipe_yaml import from_plain

State = Mapping[str, Any]


def identity(plan: Plan) -> dict[str, Any]:
    """Return what must be the same for a checkpoint to go on: the recipe and the run, not names or what is trained."""
    recipe = plan.recipe.to_dict()
    for key in ("name", "train", "run"):
        recipe.pop(key, None)
    return {**recipe, "order": list(plan.groups), "run": plan.run.to_dict()}


def fingerprint(identity: Mapping[str, Any]) -> str:
    """Return a short text that only an equal recipe and run have."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def recipe_of(state: State) -> Recipe:
    """Return the recipe that a state was made with, and its run."""
    plain = {key: value for key, value in state["recipe"].items() if key not in ("etude", "order")}
    return from_plain(plain, "the checkpoint's recipe")


def plan_of(state: State) -> Plan:
    """Return the plan that was followed as a state was made, with its late groups and all metrics."""
    plan = recipe_of(state).plan()
    late: dict[str, int] = {}
    for one in state.get("joined", ()):
        for name, updates in one.items():
            if name not in plan.groups:
                raise InputError(f"the checkpoint's group {name!r} is none of its recipe's")
            if late.setdefault(name, updates) != updates:
                raise InputError(
                    f"group {name!r} joined its optimizers at steps {late[name]} and {updates}: no one plan says both"
                )
    return fed(joined(plan, {name: updates for name, updates in late.items() if updates}), state)


def fed(plan: Plan, state: State) -> Plan:
    """Return a plan with those metrics of a state that it waits for."""
    known = plan.watched()
    metrics = [(made[0], name, value) for made, name, value in state.get("metrics", ()) if name in known]
    return plan.fed(metrics) if metrics else plan


def check(state: Any) -> State:
    """Return a state whose parts are what a driver writes; refuse anything else."""
    if not _is_state(state):
        raise InputError("this is not the state of an etude driver: it has no `etude: 1` with a list of `updates`")
    known: State = state
    return known


def _is_state(state: Any) -> bool:
    if not isinstance(state, Mapping) or state.get("etude") != VERSION or not isinstance(state.get("recipe"), Mapping):
        return False
    updates, overrides, metrics = state.get("updates"), state.get("overrides"), state.get("metrics", [])
    skipped, late, history = state.get("skipped", []), state.get("joined", []), state.get("history", [])
    return (
        _counts(updates)
        and len(updates) > 0
        and isinstance(overrides, list)
        and all(isinstance(entry, list | tuple) and len(entry) == 3 and _words(entry[:2]) for entry in overrides)
        and isinstance(metrics, list)
        and all(
            isinstance(entry, list | tuple) and len(entry) == 3 and _counts(entry[0]) and len(entry[0]) == len(updates)
            for entry in metrics
        )
        and _counts(skipped)
        and len(skipped) in (0, len(updates))
        and isinstance(late, list)
        and len(late) in (0, len(updates))
        and all(isinstance(one, Mapping) and _words(list(one)) and _counts(list(one.values())) for one in late)
        and isinstance(history, list)
        and all(isinstance(edit, Mapping) for edit in history)
    )


def _words(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _counts(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(count) is int and 0 <= count <= 2**53 for count in value)
