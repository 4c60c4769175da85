"""`etude resume`: go on with a run."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import need
from .train import finished, stopped


@click.command()
@click.argument("folder", metavar="DIR")
def resume(folder: str) -> None:
    """Go on with a run from its last checkpoint, to the same weights as if it had never stopped."""
    need("torch")
    from ..train.loop import resume as run

    path = Path(folder)
    try:
        metrics = run(path)
    except KeyboardInterrupt:
        stopped(path)
    if metrics is None:
        click.echo(f"{folder} is finished already; nothing to do")
    else:
        finished(path, metrics)
