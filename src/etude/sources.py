"""Reading a recipe from whatever a person has: the one door for the library and the command line."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError, did_you_mean
from .recipe import Optimizer, Recipe
from .recipe_yaml import loads, read_file
from .schedule import Schedule, families
from .text import parse

_READY = Path(__file__).parent / "recipes"


def read(source: str | Path | Schedule | Recipe) -> Recipe:
    """Read a recipe from a path, the name of a ready recipe, a schedule or its text.

    Args:
        source: A path of an etude YAML file; a name such as "yolov5"; an expression such as "cosine(1, 0)", which
            becomes one group `all` with base value 1; or a schedule or recipe itself.
    Returns:
        The recipe.
    Raises:
        InputError: it is none of these, or wrong; says where.

    Example:
        >>> read("cosine(1, 0)").schedules
        {'lr': cosine(1, 0)}
    """
    if isinstance(source, Recipe):
        return source
    if isinstance(source, Schedule):
        return of_schedule(source)
    text = str(source)
    if text in ready():
        return loads(ready_text(text), f"{text}.yaml")
    kind = _kind(text)
    if kind == "a file":
        return read_file(Path(text))
    if "(" in text and kind == "no file":
        return of_schedule(parse(text))
    names = [*ready(), *(f"{name}(...)" for name in families)]
    raise InputError(
        f"{text[:80]!r} is {kind}, no ready recipe ({', '.join(ready())}) and no schedule expression"
        + (hint if (hint := did_you_mean(text, names)).startswith("; did") else "")
    )


def of_schedule(schedule: Schedule) -> Recipe:
    """Return a schedule of the learning rate as a recipe: one group, base value 1."""
    return Recipe(optimizer=Optimizer(name="SGD", lr=1.0), schedules={"lr": schedule}, name=repr(schedule))


def ready() -> list[str]:
    """Return the names of the ready recipes."""
    return sorted(path.stem for path in _READY.glob("*.yaml"))


def ready_text(name: str) -> str:
    """Return the YAML text of a ready recipe."""
    return (_READY / f"{name}.yaml").read_text(encoding="utf-8")


def _kind(text: str) -> str:
    """Return what a text names in the file system; a name that none can have names no file."""
    try:
        path = Path(text)
        return "a folder" if text and path.is_dir() else "a file" if path.is_file() else "no file"
    except (OSError, ValueError):
        return "no file"
