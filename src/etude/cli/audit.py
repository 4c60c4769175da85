"""`etude audit`: a log held against a recipe."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..diagnosis import diagnose
from ..errors import InputError, did_you_mean
from ..groups import HYPERPARAMETERS
from ..logs import Log, read_log
from ..plan import Plan
from ..series import Series, slack
from .options import metrics_option, planned, recipe_options

# lr/bias, train/lr, learning_rate, momentum/all; and Lightning's lr-SGD, lr-SGD/bias, lr-SGD/bias-momentum
_OURS = re.compile(r"(?:.*?/)?(lr|learning_rate|momentum|weight_decay)(?:/(.+))?")
_LIGHTNING = re.compile(r"lr-[A-Za-z]\w*(?:-\d+)?(?:/(.+?))?(?:-(momentum|weight_decay))?")


@click.command()
@click.argument("log", metavar="LOG")
@click.option("--against", "recipe", metavar="RECIPE", required=True, help="The recipe that was meant.")
@click.option(
    "--column", "named", metavar="NAME=GROUP", multiple=True, help="Which column is whose lr; momentum/GROUP where it is not lr."
)
@recipe_options
@metrics_option
def audit(log: str, recipe: str, named: Sequence[str], metrics: str | None, **flags: Any) -> None:
    """Say in words where a run's logged values differ from a recipe, and since when.

    LOG is CSV, JSON lines, transformers' trainer_state.json, a run's folder, or a folder with TensorBoard's event files. Exit
    code 0 says that all is as planned.
    """
    plan = planned(recipe, flags, metrics)
    read = read_log(Path(log))
    columns = _columns(read, plan, named)
    digits = read.rounded(columns.values())
    if digits is not None:
        click.echo(f"note: {log} has numbers of {digits} digits; nothing finer is compared", err=True)
    series = {key: _series(read, plan, key, column, digits) for key, column in columns.items()}
    found = diagnose(plan, series)
    steps = sorted({step for values in series.values() for step in values.steps})
    if found and _may_count_from_1(steps):
        earlier = {key: values._replace(steps=[step - 1 for step in values.steps]) for key, values in series.items()}
        if not diagnose(plan, earlier):
            click.echo(
                f"note: {log} counts from 1: its step {steps[0]} is update {steps[0] - 1}, as updates count from 0", err=True
            )
            found = []
    count = sum(len(values.steps) for values in series.values())
    click.echo(
        f"{log} against {plan.recipe.name}: {len(steps)} steps from {steps[0]} to {steps[-1]}, {count} values of "
        f"{', '.join(map('/'.join, series))}"
    )
    click.echo("\n".join(map(str, found)) or "all as planned")
    if found:
        sys.exit(1)


def _may_count_from_1(steps: Sequence[int]) -> bool:
    return steps[0] > 0 and all(step % steps[0] == 0 for step in steps)


def _series(read: Log, plan: Plan, key: tuple[str, str], column: str, digits: int | None) -> Series:
    rows = list(read.rows(column, digits))
    allowed = [max(half, slack(plan, *key, number, 1e-6)) for _, number, half in rows]  # a log may hold 32 bits
    return Series([step for step, _, _ in rows], [number for _, number, _ in rows], allowed)


def _columns(read: Log, plan: Plan, named: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the column of each hyperparameter and group."""
    found = _named(read, plan, named)
    unknown = []
    for column, cells in read.columns.items():
        meant = _meaning(column) if cells and column not in found.values() else None
        if meant is None or meant[0] not in plan.hyperparameters:
            continue
        hyperparameter, group = meant
        if group is None and len(plan.groups) == 1:
            group = plan.groups[0]
        if group in plan.groups and (hyperparameter, group) not in found:
            found[hyperparameter, group] = column
        else:
            unknown.append(column)
    groups = ", ".join(plan.groups)
    if not found and unknown:
        raise InputError(
            f"{read.path} has the columns {', '.join(unknown)}, and the plan the groups {groups}: say which is whose, "
            f"as in --column {unknown[0]}={plan.groups[0]}"
        )
    if not found:
        raise InputError(
            f"{read.path} has no column of a learning rate (lr/GROUP, lr, learning_rate, or Lightning's lr-SGD/GROUP), got "
            f"{', '.join(read.columns)[:200] or 'none'}: say which it is, as in --column NAME={plan.groups[0]}"
        )
    if unknown:
        click.echo(f"note: not compared, as the plan has the groups {groups} alone: {', '.join(unknown)}", err=True)
    order = [(name, group) for name in plan.hyperparameters for group in plan.groups]
    return {key: found[key] for key in order if key in found}


def _named(read: Log, plan: Plan, named: Sequence[str]) -> dict[tuple[str, str], str]:
    found = {}
    for word in named:
        column, equals, group = word.rpartition("=")
        if not equals or not column:
            raise InputError(f"--column must be NAME=GROUP, got {word!r}")
        if not read.columns.get(column):
            raise InputError(f"{read.path} has no column {column!r}{did_you_mean(column, read.columns)}")
        hyperparameter, slash, rest = group.partition("/")
        if not slash or hyperparameter not in HYPERPARAMETERS:
            hyperparameter, rest = "lr", group
        for name, known in ((hyperparameter, plan.hyperparameters), (rest, plan.groups)):
            if name not in known:
                raise InputError(f"--column {word}: the plan has no {name!r}{did_you_mean(name, known)}")
        found[hyperparameter, rest] = column
    return found


def _meaning(column: str) -> tuple[str, str | None] | None:
    """Return the hyperparameter and group that a column's name says."""
    if match := _OURS.fullmatch(column):
        return match[1].replace("learning_rate", "lr"), match[2]
    if match := _LIGHTNING.fullmatch(column):
        return match[2] or "lr", match[1]
    return None
