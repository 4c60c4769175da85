"""Dialects: a framework's own way to say a recipe, read into ours. One file a framework; nothing of it is imported or run.

A dialect has `takes(description)`, whether a mapping is its own, and `read(description)`; and, where its objects can be read,
`describe(object)`, which returns the description of a live one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..recipe import Recipe


def read(source: Any, steps: int | None = None, interval: str | None = None) -> Recipe | None:
    """Read a description or a live object by the dialect that knows it; None where none does.

    Args:
        source: A mapping, or an object of the framework.
        steps: How many values of a live function may be written as a table.
        interval: What a scheduler's step follows, "step" or "epoch".
    """
    from . import keras, torch

    dialects: tuple[Any, ...] = (torch, keras)
    for dialect in dialects:
        description = source if isinstance(source, Mapping) else dialect.describe(source)
        if description is None or not dialect.takes(description):
            continue
        if interval is not None:
            description = {**dialect.whole(description), "interval": interval}
        recipe: Recipe = dialect.read(description, steps=steps)
        if not isinstance(source, Mapping):
            dialect.agree(source, recipe)
        return recipe
    return None


def names() -> list[str]:
    """Return every name of a scheduler, schedule, callback or optimizer that some dialect knows."""
    from . import keras, torch

    return [*torch.NAMES, *keras.NAMES]
