"""How a description of torch's schedulers and optimizer is taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...fields import number
from ..arguments import Arguments, mapping
from .laws import LAWS

NAMES = (*LAWS, "SequentialLR", "ChainedScheduler")
_SHARED = ("LinearLR", "OneCycleLR", "CyclicLR", "CosineAnnealingWarmRestarts")  # Paddle has them too, each with its rate inside

# What torch gives an optimizer that is told nothing else. Those that have neither momentum nor betas can't cycle them.
MOST = 200  # schedulers inside another
GROUP_KEYS = ("name", "kind", "pattern", "module", "lr", "momentum", "betas", "weight_decay", "initial_lr")

DEFAULTS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-3, "momentum": 0.0, "weight_decay": 0.0},
    "RMSprop": {"lr": 1e-2, "momentum": 0.0, "weight_decay": 0.0},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.0},
    "AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 1e-2},
    "NAdam": {"lr": 2e-3, "betas": (0.9, 0.999), "weight_decay": 0.0},
    "RAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.0},
    "Adamax": {"lr": 2e-3, "betas": (0.9, 0.999), "weight_decay": 0.0},
    "Adagrad": {"lr": 1e-2, "weight_decay": 0.0},
    "Adadelta": {"lr": 1.0, "weight_decay": 0.0},
}


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description names a scheduler of torch."""
    scheduler = source.get("scheduler", source)
    if not isinstance(scheduler, Mapping) or scheduler.get("name") not in NAMES:
        return False
    return scheduler["name"] not in _SHARED or not any(f"{kind}learning_rate" in scheduler for kind in ("", "max_", "base_"))


def whole(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a description with its scheduler under a key of its own."""
    return source if "scheduler" in source else {"scheduler": source}


def check_settings(given: Mapping[str, Any]) -> None:
    """Refuse settings of an optimizer or a group that are no numbers, or no flag."""
    if not isinstance(given.get("nesterov", False), bool):
        raise InputError(f"optimizer: nesterov must be true or false, got {shown(given['nesterov'])}")
    for key in ("lr", "momentum", "weight_decay", "eps"):
        if given.get(key) is not None:
            number(given[key], f"optimizer: {key}")
    betas = given.get("betas")
    if betas is not None and (not isinstance(betas, list | tuple) or len(betas) != 2):
        raise InputError(f"optimizer: betas must be two numbers, got {shown(betas)}")
    for beta in betas or ():
        number(beta, "optimizer: betas")


def arguments(given: Mapping[str, Any]) -> Arguments:
    name = str(given.get("name"))
    if name not in NAMES:
        raise InputError(f"torch has no scheduler {shown(name)}{did_you_mean(name, NAMES)}")
    return Arguments(name, {key: value for key, value in given.items() if key != "name"})


def children_of(a: Arguments) -> list[Mapping[str, Any]]:
    children = a.take("schedulers")
    if not isinstance(children, list | tuple) or not children:
        raise a.refuse(f"schedulers must be a list of at least one, got {shown(children)}")
    if len(children) > MOST:
        raise a.refuse(f"at most {MOST} schedulers can be read, got {len(children)}")
    for child in children:
        if mapping(child, f"{a.name}: schedulers").get("name") == "ReduceLROnPlateau":
            raise a.refuse(
                "torch can't hold a ReduceLROnPlateau in it, which needs a metric at each step; write plateau(...) * the rest"
            )
    return [dict(child) for child in children]


def flat(child: Mapping[str, Any], left: list[int]) -> list[Mapping[str, Any]]:
    """Return the schedulers of nested ChainedSchedulers, which act in the same order as if they were not nested.

    `left` holds how many more may be found: one object may stand in many places.
    """
    left[0] -= 1
    if left[0] < 0:
        raise InputError(f"ChainedScheduler: more than {MOST} schedulers")
    if child.get("name") == "SequentialLR":
        raise InputError("ChainedScheduler: a SequentialLR in it sets and moves by turns, which can't be read")
    if child.get("name") != "ChainedScheduler":
        return [child]
    a = arguments(child)
    inner = [one for grandchild in children_of(a) for one in flat(grandchild, left)]
    a.done()
    return inner


def updates_per_epoch(text: str | None) -> int | None:
    """Return the n of a loop that calls scheduler.step((t + 1) / n) after update t: epochs in parts of n updates."""
    if text is None:
        return None
    compact = str(text).replace(" ", "")
    if not compact.startswith("(t+1)/") or not re.fullmatch(r"[1-9][0-9]{0,8}", compact[6:]):
        raise InputError(f"step_argument must be '(t+1)/N' with N updates to an epoch, got {shown(text)}")
    return int(compact[6:])
