"""What every command shares: the RECIPE argument and the flags that fill in or override its run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from ..plan import Plan
from ..recipe import Recipe
from ..sources import read
from ..text import parse

_FLAGS = (
    ("--epochs", float, "Length of the run in epochs."),
    ("--samples", int, "Training samples of an epoch."),
    ("--batch-size", int, "Samples of a batch, over all devices."),
    ("--devices", int, "Devices that share a batch."),
    ("--accumulate", str, "Batches to a step: a number, or a schedule of the batch."),
    ("--steps-per-epoch", int, "Optimizer updates of an epoch."),
    ("--steps", int, "Length of the run in optimizer updates."),
    ("--lr", float, "Base learning rate."),
)
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+[eE][-+]?[0-9]{1,3}")
NAMES = tuple(flag.removeprefix("--").replace("-", "_") for flag, _, _ in _FLAGS)


def recipe_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the run flags to a command, as keyword arguments named in `NAMES`, and those that say how a foreign recipe is read."""
    for flag, kind, text in reversed(_FLAGS):
        function = click.option(flag, type=kind, metavar="N", help=text)(function)
    text = "The folder that holds a config of OpenMMLab and all its bases; its repository's by default."
    function = click.option("--root", metavar="FOLDER", help=text)(function)
    text = "A setting of a foreign recipe, put over what the file says; dotted where it is nested. May be repeated."
    function = click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help=text)(function)
    return click.option("--as", "dialect", metavar="DIALECT", help="The framework whose recipe this is, to insist on it.")(
        function
    )


def metrics_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --metrics to a command that only looks at a plan."""
    text = "A log with the columns step or epoch and a metric: what the recipe's plateaus make of it."
    return click.option("--metrics", metavar="FILE.csv", help=text)(function)


def planned(source: str, flags: dict[str, Any], metrics: str | None) -> Plan:
    """Return the plan of a recipe, with a log of metrics replayed where one is given."""
    plan = load(source, flags).plan()
    return plan if metrics is None else replayed(plan, metrics)


def replayed(plan: Plan, metrics: str) -> Plan:
    """Return a plan with a log of metrics replayed; what the log leaves open is printed."""
    import warnings

    from ..replay import replay

    warnings.showwarning = note
    return replay(plan, Path(metrics))


def note(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None
) -> None:
    """Print a warning as a line of its own, without the place in the code that a library user needs."""
    click.echo(f"note: {message}", err=True)


def load(source: str, flags: dict[str, Any]) -> Recipe:
    """Read a recipe and put the flags in their place."""
    facts = dict(flags)
    dialect, settings, root = facts.pop("dialect"), _settings(facts.pop("settings")), facts.pop("root")
    if facts["accumulate"] is not None:
        facts["accumulate"] = _accumulate(facts["accumulate"])
    if facts["epochs"] is not None and facts["epochs"].is_integer():
        facts["epochs"] = int(facts["epochs"])
    return read(source, dialect=dialect, settings=settings, root=root).override(**facts)


def _settings(words: Sequence[str]) -> dict[str, Any]:
    """Return what --set says: values as PyYAML would take them from a file, but 1e-3 is a number on any command line."""
    from ..dialects import pyyaml

    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f"--set must be KEY=VALUE, got {word!r}")
        settings[key] = float(value) if _NUMBER.fullmatch(value) else pyyaml.scalar(value)
    return settings


def _accumulate(text: str) -> Any:
    """Return a number as a number, and anything else as the schedule it should be."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return parse(text)
    except InputError as error:
        raise InputError(f"--accumulate must be a whole number or a schedule: {error}") from None
