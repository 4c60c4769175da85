"""Dialects: a framework's own way to say a recipe, read into ours. A module or a folder each; nothing of it is imported or run.

What a dialect has is `Dialect`; one more is its module here, named in `KNOWN`. Those of `_LIVE` read live objects, too.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..errors import InputError, did_you_mean, shown
from ..origin import Origin
from ..recipe import Recipe
from ..run import Facts


class Dialect(Protocol):
    """A module that reads the settings of one framework."""

    NAMES: tuple[str, ...]
    """What its schedulers are called, for messages."""

    LOOKS: str
    """What it is known by, for messages: a few words."""

    def takes(self, source: Mapping[str, Any]) -> bool:
        """Whether a description is its own."""

    def read(self, source: Mapping[str, Any], given: Facts) -> Recipe:
        """Read a description for a run, of which some facts are given; MissingFactError asks for those that are needed."""


class Live(Protocol):
    """A module that reads live objects of one framework, and descriptions, whose values never follow from the run."""

    NAMES: tuple[str, ...]
    LOOKS: str

    def takes(self, source: Mapping[str, Any]) -> bool:
        """Whether a description is its own."""

    def read(self, source: Mapping[str, Any], *, steps: int | None = None) -> Recipe:
        """Read a description; live functions in it are written as their first `steps` values."""

    def whole(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a description that holds the scheduler alone as one that can say more of it."""

    def describe(self, source: Any) -> dict[str, Any] | None:
        """Return the description of a live object; None of what is not its own."""

    def agree(self, source: Any, recipe: Recipe) -> Recipe:
        """Hold what was read against the live object, and return it with what is to be told."""


_LIVE = ("torch", "keras")
KNOWN = (
    *_LIVE,
    *(
        "yolov5",
        "ultralytics",
        "yolox",
        "bubbliiiing",
        "paddleocr",
        "paddle",
        "transformers",
        "timm",
        "optax",
        "mmcv",
        "mmengine",
    ),
)
PYYAML = ("yolov5", "ultralytics", "paddleocr", "transformers", "timm", "mmcv", "mmengine")  # their tools read files with PyYAML


def _module(name: str) -> Any:
    return importlib.import_module(f"etude.dialects.{name}")


def read(
    source: Any,
    dialect: str | None = None,
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    interval: str | None = None,
    where: str = "recipe",
    name: str | None = None,
    notes: tuple[str, ...] = (),
) -> Recipe | None:
    """Read a description or a live object by the dialect that knows it; None where none does.

    Args:
        source: A mapping, or an object of the framework.
        dialect: The one to insist on.
        settings: What is put over a description, by dotted keys.
        steps: How many values of a live function may be written as a table.
        interval: What a scheduler's step follows, "step" or "epoch".
        where: What to call the source in messages.
        name: What to call the recipe, if it isn't to be called what the dialect calls it: its file's name, without the ending.
        notes: What is to be told of the source before all else.
    """
    if not isinstance(source, Mapping):
        if settings:
            raise InputError(f"settings= (--set) are for descriptions: {where} is a live object, which has its own")
        return _live(source, dialect, steps, interval)
    found = recognised(source, dialect)
    if found is None:
        return None
    if found not in _LIVE:
        if (steps, interval) != (None, None):
            raise InputError(f"steps= and interval= are for schedulers of torch and Keras; a recipe of {found} says both itself")
        return Origin(
            Reading(found, copy.deepcopy(dict(source)), dict(settings or {}), dialect is not None, name, notes), where, name
        ).recipe()
    module: Live = _module(found)
    description: Mapping[str, Any] = overlaid(source, settings or {})
    if interval is not None:
        description = {**module.whole(description), "interval": interval}
    return module.read(description, steps=steps)


@dataclass(frozen=True)
class Reading:
    """A description, with settings put over it, that is read for whatever run is given."""

    dialect: str
    source: Mapping[str, Any]
    settings: Mapping[str, Any]
    insisted: bool = False
    stem: str | None = None  # of the file, whose name may say something, too
    notes: tuple[str, ...] = ()

    def __call__(self, given: Facts) -> Recipe:
        recipe = self._read(self.settings, given)
        idle = tuple(
            f"set {key}={shown(value)}: changes nothing here"
            for key, value in self.settings.items()
            if self._idle(key, recipe, given)
        )
        if self.insisted and not _module(self.dialect).takes(self.source):
            idle = (f"nothing in it tells {self.dialect}, which is known by {_module(self.dialect).LOOKS}", *idle)
        return replace(recipe, notes=(*self.notes, *recipe.notes, *idle)) if idle or self.notes else recipe

    def _read(self, settings: Mapping[str, Any], given: Facts) -> Recipe:
        module: Dialect = _module(self.dialect)
        source = overlaid(self.source, settings)
        recipe = module.read(source, given)
        named = getattr(module, "named", None) if self.stem else None
        return named(self.stem, source, recipe) if named else recipe

    def _idle(self, key: str, recipe: Recipe, given: Facts) -> bool:
        """Whether the recipe is the same without a setting: it may be misspelt."""
        others = {name: value for name, value in self.settings.items() if name != key}
        try:
            without = self._read(others, given)
        except Exception:  # without it nothing can be read
            return False
        return without == recipe and without.notes == recipe.notes


def overlaid(source: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with settings by dotted keys put over its own."""
    plain = dict(source)
    for key, value in settings.items():
        *above, last = str(key).split(".")
        inner: Any = plain
        for word in above:
            place = _place(inner, word, key)
            found = inner[place] if isinstance(inner, list) or place in inner else None
            if not isinstance(found, Mapping | list | tuple | None):
                raise InputError(f"setting {key}: {shown(word)} is {shown(found)}, which holds no keys")
            inner[place] = list(found) if isinstance(found, list | tuple) else dict(found or {})
            inner = inner[place]
        inner[_place(inner, last, key)] = value
    return plain


def _place(inner: Any, word: str, key: str) -> Any:
    """Return the key or, in a list, the index that a word of a dotted key means."""
    if not isinstance(inner, list):
        return word
    if not word.isdecimal() or int(word) >= len(inner):
        raise InputError(f"setting {key}: {shown(word)} must be an index of a list of {len(inner)}")
    return int(word)


def _live(source: Any, dialect: str | None, steps: int | None, interval: str | None) -> Recipe | None:
    for name in _LIVE if dialect is None else (_checked(dialect),):
        live: Live | None = _module(name) if name in _LIVE else None
        description = live.describe(source) if live else None
        if live is None or description is None or not live.takes(description):
            continue
        if interval is not None:
            description = {**live.whole(description), "interval": interval}
        return live.agree(source, live.read(description, steps=steps))
    return None


def recognised(source: Mapping[str, Any], dialect: str | None = None) -> str | None:
    """Return the name of the dialect that a description is written in: the one insisted on, or else what it looks like."""
    if dialect is not None:
        return _checked(dialect)
    found = [name for name in KNOWN if _module(name).takes(source)]
    if len(found) > 1:
        raise InputError(
            f"this may be {' or '.join(found)}: say which, with --as {found[0]} (dialect={shown(found[0])}); "
            + ", ".join(f"{name} is known by {_module(name).LOOKS}" for name in found)
        )
    return found[0] if found else None


def _checked(dialect: str) -> str:
    if dialect not in KNOWN:
        raise InputError(f"there is no dialect {shown(dialect)}{did_you_mean(str(dialect), KNOWN)}")
    return dialect


def looked_for() -> str:
    """Return what descriptions are known by, for messages."""
    return ", ".join(f"{name} ({_module(name).LOOKS})" for name in KNOWN)


def names() -> list[str]:
    """Return every name of a scheduler, schedule, callback or optimizer that some dialect knows."""
    return [name for home in KNOWN for name in _module(home).NAMES]
