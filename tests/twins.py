"""torch's own schedulers, built from the descriptions that etude reads and run as a loop runs them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler, swa_utils


def function(text: Any) -> Any:
    """A test's own expression as a function of the epoch."""
    return eval(f"lambda epoch: {text}", {"math": math, "np": np}) if isinstance(text, str) else text


def optimizer(given: Mapping[str, Any], initial: Sequence[float] | None = None) -> Any:
    given = dict(given)
    kind = given.pop("type", "SGD")
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], **{k: v for k, v in group.items() if k != "initial_lr"}}
        for group in given.pop("groups", [{}])
    ]
    made = getattr(torch.optim, kind)(groups, **given)
    for group, one in zip(made.param_groups, initial or [], strict=False):
        group["initial_lr"] = one
    return made


def scheduler(given: Mapping[str, Any], optimizer: Any) -> Any:
    given = dict(given)
    name = given.pop("name")
    if "schedulers" in given:
        given["schedulers"] = [scheduler(child, optimizer) for child in given["schedulers"]]
        if name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(given["schedulers"])
    for key in ("lr_lambda", "scale_fn"):
        if key in given:
            own = given[key]
            given[key] = [function(one) for one in own] if isinstance(own, list) else function(own)
    home = swa_utils if name == "SWALR" else lr_scheduler
    return getattr(home, name)(optimizer, **given)


def trace(description: Mapping[str, Any], metrics: Sequence[float] = ()) -> dict[str, list[list[float]]]:
    """Run the loop of a description; the values in force at each update, a row of all groups each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = optimizer(description.get("optimizer", {"lr": 0.1}), description.get("initial_lr"))
        driven = scheduler(description["scheduler"], made)
        lr, momentum = [], []
        for step in range(description["run"]["steps"]):
            lr.append([float(group["lr"]) for group in made.param_groups])
            momentum.append(
                [group["betas"][0] if "betas" in group else group.get("momentum", 0.0) for group in made.param_groups]
            )
            made.step()
            if metrics:
                driven.step(metrics[step])
            else:
                driven.step()
    return {"lr": lr, "momentum": momentum}
