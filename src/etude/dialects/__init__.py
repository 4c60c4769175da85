"""Dialects: a framework's own way to say a recipe, read into ours. One file a framework; nothing of it is imported or run.

What a dialect has is `Dialect`; one more is its module here, named in `_HOMES`. Those of `_LIVE` read live objects, too.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import InputError, did_you_mean
from ..origin import Origin
from ..recipe import Recipe
from ..run import Run


class Dialect(Protocol):
    """A module that reads the settings of one framework."""

    NAMES: tuple[str, ...]
    """What its schedulers are called, for messages."""

    LOOKS: str
    """What it is known by, for messages: a few words."""

    def takes(self, source: Mapping[str, Any]) -> bool:
        """Whether a description is its own."""

    def read(self, source: Mapping[str, Any], given: Run) -> Recipe:
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
_HOMES = (*_LIVE, "yolov5", "ultralytics", "yolox", "bubbliiiing", "paddleocr", "paddle", "transformers", "timm", "optax")
_PYYAML = ("yolov5", "ultralytics", "paddleocr", "transformers", "timm")  # their tools read files with PyYAML


def _module(name: str) -> Any:
    return importlib.import_module(f"etude.dialects.{name}")


def known() -> tuple[str, ...]:
    """Return the names of the dialects."""
    return _HOMES


def read(
    source: Any,
    dialect: str | None = None,
    steps: int | None = None,
    interval: str | None = None,
    where: str = "recipe",
    name: str | None = None,
) -> Recipe | None:
    """Read a description or a live object by the dialect that knows it; None where none does.

    Args:
        source: A mapping, or an object of the framework.
        dialect: The one to insist on.
        steps: How many values of a live function may be written as a table.
        interval: What a scheduler's step follows, "step" or "epoch".
        where: What to call the source in messages.
        name: What to call the recipe, if it isn't to be called what the dialect calls it.
    """
    if not isinstance(source, Mapping):
        return _live(source, dialect, steps, interval)
    found = _found(source, dialect)
    if found is None:
        return None
    module = _module(found)
    if found in _LIVE:
        if interval is not None:
            source = {**module.whole(source), "interval": interval}
        recipe: Recipe = module.read(source, steps=steps)
        return recipe
    if (steps, interval) != (None, None):
        raise InputError(f"steps= and interval= are for schedulers of torch and Keras; a recipe of {found} says both itself")
    return Origin(lambda given: module.read(source, given), where, name).recipe()


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


def _found(source: Mapping[str, Any], dialect: str | None) -> str | None:
    """Return the name of the dialect that a description is written in."""
    if dialect is not None:
        return _checked(dialect)
    found = [name for name in _HOMES if _module(name).takes(source)]
    if len(found) > 1:
        raise InputError(
            f"this may be {' or '.join(found)}: say which, with --as {found[0]} (dialect={found[0]!r}); "
            + "; ".join(f"{name} is known by {_module(name).LOOKS}" for name in found)
        )
    return found[0] if found else None


def _checked(dialect: str) -> str:
    if dialect not in _HOMES:
        raise InputError(f"there is no dialect {dialect!r}{did_you_mean(str(dialect), _HOMES)}")
    return dialect


def by_pyyaml(source: Mapping[str, Any], dialect: str | None = None) -> bool:
    """Whether the tool that reads such a file does so with PyYAML; YAML 1.2 otherwise."""
    return _found(source, dialect) in _PYYAML


def looked_for() -> str:
    """Return what descriptions are known by, for messages."""
    return ", ".join(f"{name} ({_module(name).LOOKS})" for name in _HOMES)


def names() -> list[str]:
    """Return every name of a scheduler, schedule, callback or optimizer that some dialect knows."""
    return [name for home in _HOMES for name in _module(home).NAMES]
