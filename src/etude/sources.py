"""Reading a recipe from whatever a person has: the one door for the library and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import InputError, did_you_mean
from .recipe import Optimizer, Recipe
from .recipe_yaml import loads, mapping, text_of_file
from .schedule import Schedule, families
from .text import parse

_MOST_VALUES = 100_000  # of a live function: a text says it shorter
_READY = Path(__file__).parent / "recipes"


def read(source: Any, *, steps: int | None = None, interval: str | None = None) -> Recipe:
    """Read a recipe from a path, a name, an expression, or a framework's own scheduler.

    Args:
        source: A path of an etude YAML file, or of YAML or JSON that describes a scheduler of torch or Keras; the name of a
            ready recipe such as "yolov5"; an expression such as "cosine(1, 0)", which becomes one group `all` with base value
            1; a schedule or recipe; a description as a mapping; a live scheduler of torch, or schedule or callback of Keras.
        steps: How many values of a live function may be written as a table, where its text can't be had.
        interval: What a live scheduler's step follows: each "step" (update, the default) or each "epoch".
    Returns:
        The recipe.
    Raises:
        InputError: it is none of these, or wrong; says where. What no schedule can say is refused with the reason.

    Example:
        >>> read("cosine(1, 0)").schedules
        {'lr': cosine(1, 0)}
        >>> read({"name": "ExponentialLR", "gamma": 0.9}).schedules
        {'lr': decay(0.9, per="1 step")}
    """
    if (steps, interval) != (None, None) and (isinstance(source, Recipe | Schedule) or str(source) in ready()):
        raise InputError("steps= and interval= are for a framework's schedulers: a recipe or schedule of etude says both itself")
    if isinstance(source, Recipe):
        return source
    if isinstance(source, Schedule):
        return of_schedule(source)
    if not isinstance(source, str | Path):
        return _foreign(source, "the mapping" if isinstance(source, Mapping) else type(source).__name__, steps, interval)
    text = str(source)
    if text in ready():
        return loads(ready_text(text), f"{text}.yaml")
    kind = _kind(text)
    if kind == "a file":
        return _file(Path(text), steps, interval)
    if "(" in text and kind == "no file":
        return of_schedule(parse(text))
    names = [*ready(), *(f"{name}(...)" for name in families)]
    raise InputError(
        f"{text[:80]!r} is {kind}, no ready recipe ({', '.join(ready())}) and no schedule expression"
        + (hint if (hint := did_you_mean(text, names)).startswith("; did") else "")
    )


def _file(path: Path, steps: int | None, interval: str | None) -> Recipe:
    """Read a file by what it holds: `etude: 1` is our own format, anything else a dialect's."""
    text = text_of_file(path)
    plain = mapping(text, str(path))
    if "etude" in plain:
        return loads(text, str(path))
    try:
        return _foreign(plain, str(path), steps, interval)
    except InputError as error:
        raise error if str(error).startswith(str(path)) else InputError(f"{path}: {error}") from None


def _foreign(source: Any, what: str, steps: int | None, interval: str | None) -> Recipe:
    """Hand a description or a live object to the dialect that knows it."""
    from . import dialects

    if steps is not None and (type(steps) is not int or not 0 < steps <= _MOST_VALUES):
        raise InputError(f"steps must be a whole number from 1 to {_MOST_VALUES}, got {steps!r}")
    try:
        recipe = dialects.read(source, steps, interval)
    except InputError:
        raise
    except Exception as error:  # a description may hold anything, and so may a live object
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{what} can't be read: {type(error).__name__}: {problem}") from error
    if recipe is None:
        raise InputError(
            f"{what} is no recipe: looked for `etude: 1`, for a scheduler of torch (a `name` such as StepLR) and for a schedule "
            f"or callback of Keras (a `class_name` such as CosineDecay), and found none{_meant(source, dialects.names())}"
            + ("; it holds a scheduler of its own: give that, `.scheduler`" if hasattr(source, "scheduler") else "")
        )
    return recipe


def _meant(source: Any, known: list[str]) -> str:
    """Return what a description may have meant: the closest name that a dialect knows."""
    inner = source.get("scheduler") if isinstance(source, Mapping) else None
    given = [
        one.get(key)
        for one in (source, inner)
        if isinstance(one, Mapping)
        for key in ("name", "class_name", "schedule", "callback")
    ]
    hints = [did_you_mean(word, known) for word in given if isinstance(word, str)]
    return next((hint for hint in hints if hint.startswith("; did")), "")


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
