"""A run that is taken up with an intent: in its own folder, or as a branch in a new one."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import InputError, need
from ..recipe import Recipe, Training, difference
from ..recipe_yaml import dumps, read_file
from ..resume import Resumed
from ..run import Run
from ..state import State, recipe_of
from .checkpoint import WEIGHTS, Checkpoints, write_atomically
from .log import FILES

Intent = Callable[[State], Resumed]


def change(folder: Path, intent: Intent, out: Path | None = None) -> Resumed:
    """Have a run go on otherwise from its newest checkpoint; `resume` then does.

    Args:
        folder: The run folder.
        intent: What its driver's state becomes, such as `lambda state: etude.resume.cooldown(state, "10%")`.
        out: A new folder for what comes of it, so that the run itself stays what it is, and others can branch off.
    Raises:
        InputError: there is no checkpoint yet, `out` holds something, or the intent refuses.
    """
    state = Checkpoints(folder / "checkpoints").load()
    if state is None:
        raise InputError(f"{folder} has no checkpoint yet, so nothing to go on from: edit its recipe.yaml, or train anew")
    if "driver" not in state:
        raise InputError(f"the checkpoint of {folder} has no schedule state: go on with --at-step N alone, and change it later")
    text = (folder / "recipe.yaml").read_bytes()
    trained = difference({"train": state["train"]}, {"train": asdict(read_file(folder / "recipe.yaml").train)})
    if trained:
        raise InputError(
            f"recipe.yaml trains something else than the checkpoint ({'; '.join(trained)}), and an intent changes schedules "
            "only: put that back, or train anew"
        )
    need("matplotlib")
    resumed = intent(state["driver"])
    resumed.state["history"][-1]["recipe.yaml"] = _sum(text)
    recipe = replace(resumed.recipe, train=Training(**state["train"]))
    home = folder if out is None else _branch(folder, out, state["sizes"])
    (home / WEIGHTS).unlink(missing_ok=True)
    Checkpoints(home / "checkpoints").save(state["step"], {**state, "driver": resumed.state})
    write_atomically(home / "recipe.yaml", dumps(recipe))
    return resumed


def settled(folder: Path, state: dict[str, Any] | None) -> Recipe:
    """Return the recipe that a folder is to go on with: a change that was killed before recipe.yaml was written is finished."""
    path = folder / "recipe.yaml"
    history = state and state.get("driver", {}).get("history")
    if state and history and history[-1].get("recipe.yaml") == _sum(path.read_bytes()):
        recipe = replace(recipe_of(state["driver"]), train=Training(**state["train"]))
        write_atomically(path, dumps(recipe))
    return read_file(path)


def _sum(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def run_for(recipe: Recipe, state: State) -> Run:
    """Return the run of another recipe over the data of this one: what it doesn't say stays as it is."""
    old, own = recipe_of(state).run, recipe.run
    if not (own.epochs or own.steps or own.stages):
        return old
    run = replace(own, samples=old.samples, batch_size=own.batch_size or old.batch_size)
    return replace(run, steps_per_epoch=None) if run.steps_per_epoch and run.batch_size else run


def _branch(folder: Path, out: Path, sizes: dict[str, int]) -> Path:
    """Make a folder that begins with a run's logs, as far as its checkpoint counts on them."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already holds something: name another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(folder / name, out / name)
            with (out / name).open("ab") as file:
                file.truncate(sizes[name])
    except OSError as error:
        raise InputError(f"{out} can't be made: {error.strerror}") from None
    return out
