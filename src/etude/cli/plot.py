"""`etude plot`: a picture of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .options import load, recipe_options


@click.command()
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@recipe_options
@click.option("-o", "--out", metavar="FILE", default="etude.png", show_default=True, help="Where to: .png or .svg.")
@click.option("--stages", is_flag=True, help="Draw the curve of one recipe term by term.")
def plot(recipes: tuple[str, ...], out: str, stages: bool, **flags: Any) -> None:
    """Draw every group and hyperparameter of one recipe or several, side by side."""
    from ..draw.figure import draw_plans
    from ..draw.stages import draw_stages

    plans = [load(recipe, flags).plan() for recipe in recipes]
    if stages and len(plans) > 1:
        raise InputError(f"--stages takes one recipe, got {len(plans)}")
    if stages:
        draw_stages(plans[0], Path(out))
    else:
        draw_plans(plans, Path(out))
    click.echo(f"wrote {out}", err=True)
