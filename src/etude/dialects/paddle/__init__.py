"""paddle.optimizer.lr: a scheduler by its class and arguments.

    {"name": "LinearWarmup", "warmup_steps": 500, "start_lr": 0.0, "end_lr": 0.1,
     "learning_rate": {"name": "CosineAnnealingDecay", "learning_rate": 0.1, "T_max": 10000}}
    {"scheduler": {...}, "optimizer": {"name": "SGD", "momentum": 0.9}, "run": {"steps": 10000}}

A `scheduler.step()` is one update. Lengths are in steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...recipe import Optimizer, Recipe
from ...run import Facts
from ..arguments import mapping, optimizer_of, run_over, steps_of
from .laws import LAWS, law

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = tuple(LAWS)
LOOKS = "a name such as StepDecay with a learning_rate"
_KEYS = ("scheduler", "optimizer", "run", "name")
_RATES = (
    "learning_rate",
    "max_learning_rate",
    "base_learning_rate",
    "boundaries",
    "d_model",
)  # each has one of them, torch's none


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description names a scheduler of Paddle."""
    scheduler = source.get("scheduler", source)
    return isinstance(scheduler, Mapping) and scheduler.get("name") in NAMES and any(key in scheduler for key in _RATES)


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a scheduler.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run.
    Returns:
        The recipe: one group `all`.
    Raises:
        InputError: Paddle refuses it, or no schedule says what it does.

    Example:
        >>> read({"name": "StepDecay", "learning_rate": 0.1, "step_size": 30}, {}).schedules
        {'lr': steps(0.1, every="30 steps")}
    """
    if "scheduler" not in source:
        source = {"scheduler": source}
    for key in source:
        if key not in _KEYS:
            raise InputError(f"a paddle description has no key {shown(key)}{did_you_mean(str(key), _KEYS)}")
    scheduler = mapping(source["scheduler"], "scheduler")
    run = run_over(mapping(source.get("run", {}), "run"), given)
    found = law(scheduler, steps_of(run) or math.inf)
    settings = {"name": "SGD", **optimizer_of(source.get("optimizer", {})), "lr": found.base}
    return Recipe(
        optimizer=Optimizer(**settings),
        schedules={"lr": found.schedule},
        run=run,
        name=str(source.get("name", scheduler.get("name"))),
    )
