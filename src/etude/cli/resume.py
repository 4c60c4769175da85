"""`etude resume`: go on with a run, as it was planned or otherwise."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, need
from ..recipe_yaml import read_file
from ..sources import read
from .options import note
from .train import finished, stopped

if TYPE_CHECKING:
    from ..resume import Resumed
    from ..state import State

_OWN = "the folder's own recipe.yaml"


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--extend", metavar="LENGTH", help="Another end of the run, such as '200 epochs': its schedules stretch.")
@click.option("--cooldown", metavar="LENGTH", help="Bring the rate from today's value to 0 over '10%' or '500 steps', and end.")
@click.option("--continue-from", metavar="RECIPE", help="Another recipe's curves, from today's values on.")
@click.option(
    "--restart", metavar="[RECIPE]", is_flag=False, flag_value="", help="Begin the schedules anew, or another recipe's."
)
@click.option(
    "--replace",
    metavar="[RECIPE]",
    is_flag=False,
    flag_value="",
    help=f"Go on with another recipe's values, or {_OWN}'s as edited.",
)
@click.option("--at-step", type=click.IntRange(0), metavar="N", help="Updates made, where the checkpoint doesn't say it.")
@click.option("--out", metavar="DIR", help="Branch off into a new folder; the run itself stays as it is.")
def resume(folder: str, at_step: int | None, out: str | None, **intents: str | None) -> None:
    """Go on with a run from its last checkpoint, to the same weights as if it had never stopped.

    A recipe.yaml that was edited since is refused, unless one of the intents says what is meant.
    """
    path = Path(folder)
    if not (path / "recipe.yaml").is_file():
        raise InputError(f"{folder} holds no run: there is no recipe.yaml in it")
    given = {name: value for name, value in intents.items() if value is not None}
    if given.get("continue_from") == "":
        raise InputError("--continue-from needs a recipe: a path, or the name of a ready one")
    if len(given) > 1:
        raise InputError(f"one intent at a time: got {' and '.join('--' + name.replace('_', '-') for name in given)}")
    if out is not None and not given:
        raise InputError("--out is for a run that goes on otherwise: give --cooldown, --extend or another intent with it")
    need("torch")
    from ..train.loop import resume as run

    warnings.showwarning = note
    for name, value in given.items():
        _change(path, name, value, None if out is None else Path(out))
    path = path if out is None else Path(out)
    try:
        metrics = run(path, at_step=at_step)
    except KeyboardInterrupt:
        stopped(path)
    if metrics is None:
        click.echo(f"{folder} is finished already; nothing to do")
    else:
        finished(path, metrics)


def _change(folder: Path, name: str, value: str, out: Path | None) -> None:
    """Change what a run is to become, and show it."""
    from .. import resume as intents
    from ..draw.resumed import charts, draw_resumed
    from ..train.branch import change, run_for

    def intent(state: State) -> Resumed:
        if name in ("extend", "cooldown"):
            made: Resumed = getattr(intents, name)(state, value)
            return made
        if name == "restart" and not value:
            return intents.restart(state)
        recipe = read_file(folder / "recipe.yaml") if not value else read(value)
        act: Any = getattr(intents, name)
        changed: Resumed = act(state, recipe, recipe.run if not value else run_for(recipe, state))
        return changed

    resumed = change(folder, intent, out)
    click.echo(str(resumed))
    click.echo("\n".join(charts(resumed)))
    picture = (out or folder) / f"resumed-at-{resumed.at}.png"
    draw_resumed(resumed, picture)
    click.echo(f"wrote {picture}", err=True)
