"""Reading a recipe from whatever a person has: the one door for the library and the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InputError, did_you_mean, shown, told
from .plan import Plan
from .recipe import Optimizer, Recipe
from .recipe_yaml import loads, mapping, text_of_file
from .schedule import Schedule, families
from .text import parse

_MOST_VALUES = 100_000  # of a live function: a text says it shorter
_READY = Path(__file__).parent / "recipes"


def read(
    source: Any,
    *,
    dialect: str | None = None,
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    interval: str | None = None,
    root: str | Path | None = None,
) -> Recipe:
    """Read a recipe from a path, a name, an expression, or a framework's own settings.

    Args:
        source: A path of an etude YAML file or of a foreign recipe, recognised by what it holds; the name of a ready recipe
            such as "yolov5"; an expression such as "cosine(1, 0)", which becomes one group `all` with base value 1; a schedule
            or recipe; a framework's settings as a mapping; a live scheduler of torch, or schedule or callback of Keras.
        dialect: The framework to insist on, such as "paddleocr", where the content is not to decide.
        settings: Settings of a foreign recipe by key, dotted where they are nested, put over what it says: what its framework
            takes from a command line, such as {"cos_lr": True} of YOLOv5.
        steps: How many values of a live function may be written as a table, where its text can't be had.
        interval: What a live scheduler's step follows: each "step" (update, the default) or each "epoch".
        root: The folder that holds a config of OpenMMLab and all its bases; its repository's by default.
    Returns:
        The recipe. Where a foreign one leaves out facts of the run that its values follow from, it is complete as soon as
        `override` or `plan` gives them; until then it asks for them.
    Raises:
        InputError: it is none of these, or wrong; says where. What no schedule can say is refused with the reason.

    Example:
        >>> read("cosine(1, 0)").schedules
        {'lr': cosine(1, 0)}
        >>> read({"name": "ExponentialLR", "gamma": 0.9}).schedules
        {'lr': decay(0.9, per="1 step")}
    """
    asked = _Asked(dialect, _checked(settings), steps, interval, None if root is None else Path(root))
    own = isinstance(source, Recipe | Schedule) or (isinstance(source, str | Path) and str(source) in ready())
    if own and asked != _NOTHING:
        raise InputError(f"{_ASKED} are for a framework's recipes: a recipe or schedule of etude says all of it itself")
    if isinstance(source, Recipe):
        return source
    if isinstance(plan := getattr(source, "plan", None), Plan):
        return plan.recipe  # a driver's, which passes for a torch scheduler
    if isinstance(source, Schedule):
        return of_schedule(source)
    if not isinstance(source, str | Path):
        return _foreign(source, "the mapping" if isinstance(source, Mapping) else type(source).__name__, asked)
    text = str(source)
    if text in ready():
        return loads(ready_text(text), f"{text}.yaml")
    kind = _kind(text)
    if kind == "a file":
        return _file(Path(text), asked)
    if "(" in text and kind == "no file":
        if asked != _NOTHING:
            raise InputError(f"{_ASKED} are for a framework's recipes: an expression says all of it itself")
        return of_schedule(parse(text))
    names = [*ready(), *(f"{name}(...)" for name in families)]
    raise InputError(
        f"{text[:80]!r} is {kind}, no ready recipe ({', '.join(ready())}) and no schedule expression"
        + (hint if (hint := did_you_mean(text, names)).startswith("; did") else "")
    )


class _Asked(NamedTuple):
    """What is asked for beside the source."""

    dialect: str | None
    settings: Mapping[str, Any]
    steps: int | None
    interval: str | None
    root: Path | None = None


_NOTHING = _Asked(None, {}, None, None)
_ASKED = "dialect= (--as), settings= (--set), root= (--root), steps= and interval="


def _checked(settings: Any) -> Mapping[str, Any]:
    """Return settings by dotted keys, refusing what has none."""
    if settings is not None and not isinstance(settings, Mapping):
        raise InputError(f"settings must be by key, as in {{'cos_lr': True}}, got {shown(settings)}")
    for key in settings or {}:
        if not isinstance(key, str) or not all(word.strip() == word != "" for word in key.split(".")):
            raise InputError(f"a setting's key must be words with dots between, such as Optimizer.lr.name, got {shown(key)}")
    return settings or {}


def _file(path: Path, asked: _Asked) -> Recipe:
    """Read a file by what it holds: `etude: 1` is our own format, anything else a dialect's."""
    if path.suffix == ".py":
        return _config(path, asked)
    text, where = text_of_file(path), str(path)
    own = re.search(r"^etude[ \t]*:", text, re.MULTILINE) and asked.dialect is None
    try:
        plain, dialect = ({}, None) if own else _plain(text, where, asked.dialect)
        if "_base_" in plain and dialect in (None, "mmcv", "mmengine"):
            return _config(path, asked)
        if not own and "etude" not in plain:
            return _foreign(plain, where, asked._replace(dialect=dialect), path.stem)
    except Exception as error:  # a file may hold anything
        raise told(error, where) from error
    if asked != _NOTHING:
        raise InputError(f"{path} is a recipe of etude, which says all of it itself: {_ASKED} are for a framework's recipes")
    return loads(text, where)


def _config(path: Path, asked: _Asked) -> Recipe:
    """Read a config of OpenMMLab, which is a Python file: what it says is found without running it."""
    from .dialects.pyconfig import DIALECTS, generation, resolve

    if asked.dialect not in (None, *DIALECTS):
        raise InputError(f"{path}: a Python file is read as a config of OpenMMLab: --as {' or '.join(DIALECTS)}, or nothing")
    try:
        found = resolve(path, asked.root, asked.dialect)
    except InputError as error:
        raise told(error, str(path)) from None
    told_dialect = asked.dialect or generation(found.config)
    return _foreign(found.config, str(path), asked._replace(dialect=told_dialect), path.stem, found.notes)


def _plain(text: str, where: str, dialect: str | None) -> tuple[dict[str, Any], str | None]:
    """Return what a foreign file holds, by the rules of the tool that reads it, and the dialect that it is written in."""
    from . import dialects
    from .dialects import pyyaml

    if text.lstrip().startswith("{"):
        import json

        try:
            found = json.loads(text)
        except (RecursionError, ValueError):
            pass  # no JSON: a YAML mapping in brackets, perhaps, or else wrong in a way that YAML's parser tells better
        else:
            if isinstance(found, dict):
                pyyaml.check_size(found, where)
                return found, dialects.recognised(found, dialect)
    plain = pyyaml.load(text, where)
    dialect = dialects.recognised(plain, dialect)
    return plain if dialect in dialects.PYYAML else mapping(text, where), dialect


def _foreign(source: Any, where: str, asked: _Asked, name: str | None = None, notes: tuple[str, ...] = ()) -> Recipe:
    """Hand a description or a live object to the dialect that knows it."""
    from . import dialects

    if asked.steps is not None and (type(asked.steps) is not int or not 0 < asked.steps <= _MOST_VALUES):
        raise InputError(f"steps must be a whole number from 1 to {_MOST_VALUES}, got {asked.steps!r}")
    try:
        wanted = {key: value for key, value in asked._asdict().items() if key != "root"}
        recipe = dialects.read(source, **wanted, where=where, name=name, notes=notes)
    except InputError:
        raise
    except Exception as error:  # a description may hold anything, and so may a live object
        raise told(error, where) from error
    if recipe is None:
        raise InputError(
            f"{where} is no recipe: looked for `etude: 1` and what tells {dialects.looked_for()}"
            + (_meant(source, dialects.names()) or "; --as DIALECT insists on one")
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
