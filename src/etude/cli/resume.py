"""`etude resume`: go on with a run."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from ..errors import InputError, need
from .options import note
from .train import finished, stopped


@click.command()
@click.argument("folder", metavar="DIR")
def resume(folder: str) -> None:
    """Go on with a run from its last checkpoint, to the same weights as if it had never stopped."""
    path = Path(folder)
    if not (path / "recipe.yaml").is_file():
        raise InputError(f"{folder} holds no run: there is no recipe.yaml in it")
    need("torch")
    from ..train.loop import resume as run

    warnings.showwarning = note
    try:
        metrics = run(path)
    except KeyboardInterrupt:
        stopped(path)
    if metrics is None:
        click.echo(f"{folder} is finished already; nothing to do")
    else:
        finished(path, metrics)
