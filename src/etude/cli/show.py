"""`etude show`: the plan at a glance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from ..draw.terminal import axis, chart, sample, short
from ..groups import Group
from ..plan import Change, Plan
from ..recipe import Recipe
from . import printable
from .options import metrics_option, planned, recipe_options

_MOST_CHANGES = 20
_MOST_CHECKED = 5_000_000  # steps, about a tenth of a second


@click.command()
@click.argument("recipe")
@recipe_options
@metrics_option
def show(recipe: str, metrics: str | None, **flags: Any) -> None:
    """Show the plan in the terminal: groups, run arithmetic, curve, change points, settings that are ignored."""
    plan = planned(recipe, flags, metrics)
    click.echo("\n".join(report(plan)))


def report(plan: Plan) -> Iterator[str]:
    """Yield the lines of the report."""
    yield from _head(plan.recipe)
    yield "\nrun"
    yield from (f"  {line}" for line in plan.run.arithmetic())
    yield "\ngroups, the first whose rule matches takes a parameter"
    yield from _groups(plan)
    yield "\nschedules"
    yield from _schedules(plan)
    if plan.total < float("inf"):
        yield from _curves(plan)
        yield from _changes(plan)
        outside = plan.outside() if plan.total <= _MOST_CHECKED else None
        if outside:
            yield f"\nbeware: {outside}"
    if plan.recipe.notes:
        yield "\nnotes"
        yield from (f"  {printable(note)}" for note in plan.recipe.notes)
    waiting = plan.watched()
    if waiting:
        fed = f"{len(plan.metrics)} values of it are replayed" if plan.metrics else "shown as if it never decided"
        yield f"\nplateau on {', '.join(waiting)}: {fed}" + ("" if plan.metrics else "; --metrics FILE.csv replays a log")
    ignored = list(_ignored(plan))
    if ignored:
        yield "\nignored or cut"
        yield from (f"  {line}" for line in ignored)


def _head(recipe: Recipe) -> Iterator[str]:
    settings = {key: value for key, value in recipe.to_dict()["optimizer"].items() if key != "name"}
    yield f"{recipe.name}: {printable(recipe.optimizer.name)}, " + ", ".join(f"{key} {value}" for key, value in settings.items())


def _groups(plan: Plan) -> Iterator[str]:
    width = max(map(len, plan.groups))
    ruleless = [name for name, group in plan.recipe.rules.items() if str(group) == str(Group())]
    for name, group in plan.recipe.rules.items():
        bases = ", ".join(f"{key} {short(plan.recipe.base(key, name) or 0.0)}" for key in plan.hyperparameters)
        rule = "as the optimizer has it" if len(ruleless) > 1 and name in ruleless else str(group)
        yield f"  {name:<{width}}  {rule}: {bases}"


def _schedules(plan: Plan) -> Iterator[str]:
    for key in plan.hyperparameters:
        texts: dict[str, list[str]] = {}
        for name in plan.groups:
            schedule = plan.recipe.schedule(key, name)
            texts.setdefault("its base value throughout" if schedule is None else repr(schedule), []).append(name)
        for text, names in texts.items():
            yield f"  {key} of {', '.join(names)}: {brief(text)}" if len(texts) > 1 else f"  {key}: {brief(text)}"


def brief(text: str) -> str:
    """Return a schedule's text with its long lists cut: `etude table` and the recipe hold them."""
    return re.sub(r"\[[^\[\]]{200,}\]", _cut, text)


def _cut(found: re.Match[str]) -> str:
    items = found[0][1:-1].split(", ")
    return f"[{', '.join(items[:3])}, ... {len(items)} in all ..., {items[-1]}]" if len(items) > 8 else found[0]


def _curves(plan: Plan) -> Iterator[str]:
    steps = sample(int(plan.total))
    rows = plan.rows([plan.tick(step) for step in steps])
    for key in plan.hyperparameters:
        lines: dict[tuple[float, ...], list[str]] = {}
        for name, values in zip(plan.groups, zip(*rows[key], strict=True), strict=True):
            lines.setdefault(values, []).append(name)
        for values, names in lines.items():
            if min(values) == max(values) and key != "lr":
                continue
            yield f"\n{key} of {', '.join(names)}"
            drawn = chart(values)
            yield from drawn
            yield axis(int(plan.total), drawn[0].index("┤") - 1)


def _changes(plan: Plan) -> Iterator[str]:
    changes = [change for change in plan.changes() if change.step < plan.total]
    yield "\nchange points"
    for change in changes[:_MOST_CHANGES]:
        there = plan.at(change.step)[change.hyperparameter]
        values = ", ".join(f"{name} {short(there[name])}" for name in change.groups)
        yield f"  step {change.step}{_epoch(plan, change)}: {change.hyperparameter} {brief(change.what)}: {values}"
    if len(changes) > _MOST_CHANGES:
        yield f"  and {len(changes) - _MOST_CHANGES} more: see `etude table`"
    last = int(plan.total) - 1
    ends = ", ".join(f"{name} {short(value)}" for name, value in plan.at(last)["lr"].items())
    yield f"  step {last}: the last step, lr {ends}"


def _epoch(plan: Plan, change: Change) -> str:
    if not all(part.batches for part in plan.run.parts()):
        return ""
    return f", epoch {plan.clock.epoch(plan.tick(change.step)):g}"


def _ignored(plan: Plan) -> Iterator[str]:
    """Yield what the recipe says and the run does not follow."""
    recipe, run = plan.recipe, plan.run
    for key in recipe.schedules:
        if all(key in group.schedules for group in recipe.rules.values()):
            yield f"schedules.{key}: every group has its own"
    if run.steps_per_epoch and run.samples:
        yield "run.samples: steps_per_epoch is given, and counts"
    for change in plan.changes():
        if change.step > plan.total or (change.step == plan.total and not change.what.endswith("ends")):
            subject = f"{change.hyperparameter} of {', '.join(change.groups)}"
            yield f"{subject}: {change.what} at step {change.step}, after the run's {int(plan.total)} steps: cut by its end"
