"""What every command shares: the RECIPE argument and the flags that fill in or override its run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..recipe import Recipe
from ..sources import read

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
NAMES = tuple(flag.removeprefix("--").replace("-", "_") for flag, _, _ in _FLAGS)


def recipe_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the run flags to a command; they arrive as keyword arguments named in `NAMES`."""
    for flag, kind, text in reversed(_FLAGS):
        function = click.option(flag, type=kind, metavar="N", help=text)(function)
    return function


def load(source: str, flags: dict[str, Any]) -> Recipe:
    """Read a recipe and put the flags in their place."""
    facts = dict(flags)
    if facts.get("accumulate") is not None and facts["accumulate"].lstrip("+-").isdigit():
        facts["accumulate"] = int(facts["accumulate"])
    if facts.get("epochs") is not None and facts["epochs"] == int(facts["epochs"]):
        facts["epochs"] = int(facts["epochs"])
    return read(source).override(**facts)
