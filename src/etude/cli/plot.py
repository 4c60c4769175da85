"""`etude plot`: a picture or a page of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .options import load, metrics_option, recipe_options, replayed


@click.command()
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@recipe_options
@metrics_option
@click.option("-o", "--out", metavar="FILE", default="etude.png", show_default=True, help="Where to: .png, .svg or .html.")
@click.option("--stages", is_flag=True, help="Draw the curve of one recipe term by term (.png, .svg).")
def plot(recipes: tuple[str, ...], metrics: str | None, out: str, stages: bool, **flags: Any) -> None:
    """Draw every group and hyperparameter of one recipe or several.

    As a picture, side by side; as a page to hover over, zoom and switch, one over the other.
    """
    from ..draw.figure import draw_plans
    from ..draw.page import draw_page
    from ..draw.stages import draw_stages

    path = Path(out)
    plans = [load(recipe, flags).plan() for recipe in recipes]
    if metrics is not None:
        waiting = [plan for plan in plans if plan.watched()] or plans  # where none waits, the first says so
        plans = [replayed(plan, metrics) if plan in waiting else plan for plan in plans]
    if stages and len(plans) > 1:
        raise InputError(f"--stages takes one recipe, got {len(plans)}")
    if stages and path.suffix == ".html":
        raise InputError(f"--stages makes a picture, .png or .svg, got {out!r}")
    if stages:
        draw_stages(plans[0], path)
    elif path.suffix == ".html":
        draw_page(plans, path)
    else:
        draw_plans(plans, path)
    click.echo(f"wrote {out}", err=True)
