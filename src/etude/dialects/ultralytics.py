"""Ultralytics (YOLOv8 and later): the args.yaml of a run, or a settings file, by the rules of its trainer.

    {"task": "detect", "mode": "train", "epochs": 100, "batch": 16, "optimizer": "auto", "nbs": 64, "lr0": 0.01, "lrf": 0.01,
     "cos_lr": false, "momentum": 0.937, "weight_decay": 0.0005, "warmup_epochs": 3.0, "warmup_momentum": 0.8, ...}

What is missing has the default of its own default.yaml. `version` is "8.4" or "8.3": without it, a setting that only 8.3 knows
tells; 8.4 otherwise. `nc`, the number of classes, decides the learning rate of optimizer "auto" in short runs.

Source: ultralytics 8.4.190 and 8.3.40, engine/trainer.py. Unlike YOLOv5 its scheduler steps as an epoch begins: no lag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import MissingFactError, shown
from ..fields import Absolute
from ..groups import Group
from ..recipe import Optimizer, Recipe
from ..run import Facts, Run
from ..schedule import Schedule
from ..shapes import linear
from ..timing import per_epoch
from .arguments import Arguments, only, run_over
from .yolo_loop import FACTS, ULTRALYTICS_SIGNS, YOLOV5_SIGNS, Loop, by_kind, optimizer_of, warmed

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = ()
LOOKS = "task and mode, or lr0 with nbs"
_OPTIMIZERS = ("Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp", "SGD")
_OLD = ("save_hybrid", "half")  # settings that 8.4 no longer has
_BOOSTED = ("*.cv3.*", "*.one2one_cv3.*", "*proto.semseg*", "*SemanticSegment*")


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description holds settings of Ultralytics."""
    if "task" in source and "mode" in source:
        return True
    if "lr0" not in source or "decay" in source or any(key in source for key in YOLOV5_SIGNS):
        return False
    return any(key in source for key in ULTRALYTICS_SIGNS) or "lrf" in source


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read the settings of a run.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run; the samples are needed, and what the file leaves open.
    Returns:
        The recipe, its groups in the order of the optimizer's param_groups.
    Raises:
        MissingFactError: a fact of the run is missing, or the number of classes.
        InputError: a setting is wrong.

    Example:
        >>> settings = {"lr0": 0.01, "lrf": 0.01, "cos_lr": True, "optimizer": "SGD", "epochs": 100, "batch": 64}
        >>> read(settings, dict(samples=117266)).schedules["lr"]
        approach(per_epoch(cosine(1, 0.01)), 0, over="3 epochs")
    """
    a = Arguments("Ultralytics", source)
    mode = a.take("mode", "train")
    if mode != "train":
        raise a.refuse(f"mode must be train for a run that trains, got {shown(mode)}; --set mode=train reads it as one")
    notes: list[str] = []
    old = _version(a, notes)
    if a.take("time", None) is not None:
        raise a.refuse("time: the hours decide while it trains how many epochs there are; say --set time=null and --epochs")
    only(given, FACTS, a.name, "trains epochs, and works the accumulation out by itself from nbs / batch size")
    batch = a.take("batch", 16)
    if isinstance(batch, float) or (isinstance(batch, int) and batch < 1):
        batch = None  # found out as it trains
    run = run_over({"epochs": a.take("epochs", 100), "batch_size": batch, "samples": a.take("samples", None)}, given)
    loop = Loop(a.name, _dropping(a, run, notes) if not old else run, a.whole("nbs", 64, least=1), notes)
    if a.take("fraction", 1.0) != 1:
        notes.append(f"fraction {shown(a.given['fraction'])}: --samples counts what is left of the data")
    warmup, epochs = a.number("warmup_epochs", 3.0, most=1e6), int(run.epochs or 1)
    kept = warmup if old else min(warmup, epochs - 1)
    if kept < warmup:
        notes.append(f"warmup_epochs {warmup:g} becomes {kept:g}: the last epoch is trained in full")
    nw = loop.span(kept, 100 if old else 0) if kept > 0 and (old or round(kept * loop.batches)) else None
    optimizer, bias = _optimizer(a, loop, old)
    curve = per_epoch(loop.curve(a.flag("cos_lr", False), _part(a, "lrf", 0.01)))
    decay = loop.decay(_part(a, "weight_decay", 0.0005))
    schedules: dict[str, Schedule] = {"lr": warmed(curve, 0.0, nw)}
    start, end = _part(a, "warmup_momentum", 0.8), _part(a, "momentum", 0.937)
    if optimizer.betas is None and nw is not None:
        schedules["momentum"] = linear(Absolute(start), 1 if end == optimizer.momentum else Absolute(end), over=nw)
    elif optimizer.betas is not None:
        notes.append(f"ignored: warmup_momentum {start:g}, as the betas of {optimizer.name} are not warmed up")
    groups = _groups(optimizer, decay, {"lr": warmed(curve, bias, nw)} if nw else {}, old)
    if optimizer.name == "MuSGD":
        notes.append(
            "MuSGD gives matrices and convolutions to Muon by their number of dimensions, and the head's cv3 three times "
            "the rate: rules of groups only come near; it is Ultralytics' own optimizer, so etude shows it and builds none"
        )
    # 8.4 never waits for more batches than the run has
    full = loop.full if old else min(loop.full, loop.batches * epochs)
    a.near()
    accumulate = loop.accumulation(nw, loop.nominal / (run.batch_size or 1) if old else full, full)
    name = f"ultralytics-{'8.3' if old else '8.4'}"
    return loop.recipe(optimizer, groups, schedules=schedules, run=loop.run.override(accumulate=accumulate), name=name)


def _part(a: Arguments, key: str, default: float) -> float:
    """Return a setting that must lie between 0 and 1, as Ultralytics has it."""
    return a.number(key, default, least=0, most=1)


def _dropping(a: Arguments, run: Run, notes: list[str]) -> Run:
    """Return the run without the last batch of an epoch where compile leaves it out: where it is not full, nor the only one."""
    share = -(-(run.samples or 0) // run.devices)
    if not a.take("compile", False) or share <= (run.batch_size or 0) // run.devices:
        return run
    notes.append("compile leaves out an epoch's last batch where it is not full")
    return replace(run, drop_last=True)


def _version(a: Arguments, notes: list[str]) -> bool:
    """Whether it is a version before 8.4."""
    said = a.take("version", None)
    if said is None:
        old = any(key in a.given for key in _OLD)
        notes.append(
            f"read as Ultralytics {'8.3' if old else '8.4'} trains it; say --set version={'8.4' if old else '8.3'} for the other"
        )
        return old
    if not str(said).startswith(("8.3", "8.4")):
        raise a.refuse(f"version must be 8.3 or 8.4, got {shown(said)}")
    return str(said).startswith("8.3")


def _optimizer(a: Arguments, loop: Loop, old: bool) -> tuple[Optimizer, float]:
    """Return the optimizer, and where the bias's warmup begins; "auto" finds both out."""
    lr, momentum, bias = _part(a, "lr0", 0.01), _part(a, "momentum", 0.937), _part(a, "warmup_bias_lr", 0.1)
    names = _OPTIMIZERS if old else (*_OPTIMIZERS, "MuSGD")
    said = a.take("optimizer", "auto")
    name = {known.lower(): known for known in (*names, "auto")}.get(str(said).lower(), said)
    if name != "auto":
        return optimizer_of(a, name, names, lr, momentum), bias
    run = loop.run
    updates = math.ceil((run.samples or 0) / max(run.batch_size or 1, loop.nominal)) * int(run.epochs or 0)
    if updates > 10000:
        name, fitted = ("SGD" if old else "MuSGD"), 0.01
        why = f"{updates} updates, more than 10000"
    else:
        if a.take("nc", None) is None:
            raise MissingFactError(
                "optimizer=auto fits lr0 to the number of classes in a run of 10000 updates or fewer, "
                f"as these {updates}: give --set nc=80"
            )
        classes = a.whole("nc", least=1)
        name, fitted = "AdamW", round(0.002 * 5 / (4 + classes), 6)
        why = f"{updates} updates, no more than 10000, and {classes} classes"
    also = "" if name == "AdamW" else f"; the warmup of the momentum still ends at {momentum:g}"
    loop.notes += [
        f"optimizer=auto: {name} with lr {fitted:g} and momentum 0.9, for {why}",
        f"ignored: lr0 {lr:g}, as optimizer=auto has its own",
        f"ignored: momentum {momentum:g}, as optimizer=auto has its own{also}",
        f"ignored: warmup_bias_lr {bias:g}, as optimizer=auto begins at 0",
    ]
    return optimizer_of(a, name, names, fitted, 0.9), 0.0


def _groups(optimizer: Optimizer, decay: float, bias: dict[str, Schedule], old: bool) -> dict[str, Group]:
    """Return the groups in the optimizer's order, which differs from version to version."""
    plain = by_kind("bias weight norm" if old else "weight norm bias", decay, bias)
    if optimizer.name != "MuSGD":
        return plain
    plain["muon"] = plain["weight"]
    groups: dict[str, Group] = {}
    for name, group in plain.items():  # the head learns three times as fast
        groups[f"{name} boosted"] = replace(group, pattern=_BOOSTED, lr=optimizer.lr * 3)
        groups[name] = group
    return groups
