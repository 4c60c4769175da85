"""`etude train`: train for real."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import click

from ..errors import InputError, need
from .options import load, note, recipe_options


@click.command()
@click.argument("recipe")
@recipe_options
@click.option("--out", metavar="DIR", help="The run folder, made new.  [default: runs/NAME]")
@click.option("--model", metavar="M", help="module:function that returns a torch module.  [default: ResNet-18]")
@click.option("--data", metavar="D", help="module:function that returns (training set, test set).  [default: digits]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), metavar="N", help="Seed of weights and data order.")
def train(recipe: str, out: str | None, model: str | None, data: str | None, seed: int | None, **flags: Any) -> None:
    """Train a model with a recipe: by default ResNet-18 on the embedded digits. --samples N takes the first N."""
    need("torch")
    from ..train.loop import train as run

    warnings.showwarning = note

    loaded = load(recipe, flags)
    folder = Path(f"runs/{_folder_name(loaded.name)}" if out is None else out)
    try:
        finished(folder, run(loaded, folder, model=model, data=data, seed=seed, samples=flags["samples"]))
    except KeyboardInterrupt:
        stopped(folder)


def _folder_name(name: str) -> str:
    if not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
        raise InputError("this recipe's name makes no folder: name one with --out DIR")
    return name


def finished(folder: Path, metrics: dict[str, float]) -> None:
    """Say how a run ended."""
    accuracy, epochs, steps = metrics["test_accuracy"], metrics["epoch"] + 1, metrics["step"]
    click.echo(f"accuracy {accuracy:.4f} on the test set after {epochs:g} epochs, {steps:g} steps; wrote {folder}")


def stopped(folder: Path) -> None:
    """Say how to go on, and leave as an interrupted program does."""
    click.echo(f"\nstopped; go on with: etude resume {folder}", err=True)
    raise SystemExit(130)
