"""Dialects: a framework's own way to say a recipe, read into ours. One file a framework; nothing of it is imported or run.

What a dialect has is `Dialect`; one more is its module here, named in `_dialects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..recipe import Recipe


class Dialect(Protocol):
    """A module that reads one framework."""

    NAMES: tuple[str, ...]
    """What its schedulers are called, for messages."""

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


def _dialects() -> tuple[Dialect, ...]:
    from . import keras, torch

    return (torch, keras)


def read(source: Any, steps: int | None = None, interval: str | None = None) -> Recipe | None:
    """Read a description or a live object by the dialect that knows it; None where none does.

    Args:
        source: A mapping, or an object of the framework.
        steps: How many values of a live function may be written as a table.
        interval: What a scheduler's step follows, "step" or "epoch".
    """
    for dialect in _dialects():
        description = source if isinstance(source, Mapping) else dialect.describe(source)
        if description is None or not dialect.takes(description):
            continue
        if interval is not None:
            description = {**dialect.whole(description), "interval": interval}
        recipe = dialect.read(description, steps=steps)
        return recipe if isinstance(source, Mapping) else dialect.agree(source, recipe)
    return None


def names() -> list[str]:
    """Return every name of a scheduler, schedule, callback or optimizer that some dialect knows."""
    return [name for dialect in _dialects() for name in dialect.NAMES]
