"""YOLOX: the schedule settings of an experiment, or of its LRScheduler alone.

    {"scheduler": "yoloxwarmcos", "basic_lr_per_img": 0.00015625, "warmup_epochs": 5, "max_epoch": 300, "warmup_lr": 0,
     "min_lr_ratio": 0.05, "no_aug_epochs": 15, "weight_decay": 0.0005, "momentum": 0.9}              an Exp, by the trainer
    {"name": "yoloxwarmcos", "lr": 0.01, "iters_per_epoch": 1849, "total_epochs": 300, "warmup_epochs": 5, ...}    LRScheduler

What an Exp leaves out has the value of YOLOX's base class. The trainer sets the learning rate after each update, so that the
first one uses what the optimizer was built with: warmup_lr, where there is a warmup, and the base rate otherwise. The base rate
is basic_lr_per_img * batch size.

Source: Megvii YOLOX, yolox/utils/lr_scheduler.py, core/trainer.py and exp/yolox_base.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MissingFactError
from ..fields import Absolute, Level
from ..laws import steps
from ..phases import chain, phase
from ..recipe import Optimizer, Recipe
from ..run import Facts, Run
from ..schedule import Schedule, constant
from ..shapes import cosine, linear, power
from ..timing import scaled, skip
from .arguments import Arguments, need, numbers_of, run_over
from .warm_cosine import length, warm_cosine
from .yolo_loop import by_kind

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = ("cos", "warmcos", "yoloxwarmcos", "yoloxsemiwarmcos", "multistep")
LOOKS = "basic_lr_per_img, or a name such as yoloxwarmcos"

_BASE = {  # of yolox_base.Exp, from which every experiment descends
    "scheduler": "yoloxwarmcos",
    "max_epoch": 300,
    "warmup_epochs": 5,
    "warmup_lr": 0,
    "min_lr_ratio": 0.05,
    "no_aug_epochs": 15,
    "weight_decay": 5e-4,
    "momentum": 0.9,
}


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description holds settings of YOLOX."""
    if "basic_lr_per_img" in source:
        return True
    return source.get("name") in NAMES and ("iters_per_epoch" in source or str(source["name"]).startswith("yolox"))


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read an experiment, or a scheduler alone.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run; an experiment needs the batch size.
    Returns:
        The recipe: groups norm, weight and bias, or one group `all` for a scheduler alone.
    Raises:
        MissingFactError: a fact of the run is missing.
        InputError: a setting is missing or wrong.

    Example:
        >>> alone = {"name": "yoloxwarmcos", "lr": 0.01, "iters_per_epoch": 30, "total_epochs": 50, "warmup_epochs": 5}
        >>> read(alone, {}).schedules["lr"]
        chain(power(0, 1, 2, over="5 epochs"), cosine(1, 0.2, over="45 epochs"))
    """
    return _experiment(source, given) if "basic_lr_per_img" in source else _alone(source, given)


def _alone(source: Mapping[str, Any], given: Facts) -> Recipe:
    a = Arguments("YOLOX", source)
    name = a.word("name", NAMES)
    run = run_over({"epochs": a.whole("total_epochs", least=1), "steps_per_epoch": a.whole("iters_per_epoch", least=1)}, given)
    if "warm" in name:
        a.number("warmup_epochs", above=0)  # LRScheduler alone divides by it at its iteration 0
    start = a.number("warmup_lr_start", 1e-6 if name == "warmcos" else 0.0)
    schedule = _schedule(a, name, run, Absolute(start) if start else 0.0)
    lr = a.number("lr")
    a.done()
    return Recipe(optimizer=Optimizer(name="SGD", lr=lr), schedules={"lr": schedule}, run=run, name=name)


def _experiment(source: Mapping[str, Any], given: Facts) -> Recipe:
    said = Arguments("YOLOX", source)
    said.taken |= dict.fromkeys(_BASE)
    said.near()
    a = Arguments("YOLOX", {**_BASE, **source})
    run = run_over({"epochs": a.whole("max_epoch", least=1), "batch_size": a.take("batch_size", None)}, given)
    need(run, ("batch_size",), "the learning rate is basic_lr_per_img * batch size")
    size = run.batch_size or 1
    if run.samples and run.devices > 1:  # its sampler gives each device floor(samples / devices)
        run = run.override(samples=run.samples - run.samples % run.devices)
    name, lr = a.word("scheduler", NAMES), a.number("basic_lr_per_img") * size
    warmed, warmup_lr = a.number("warmup_epochs") > 0, a.number("warmup_lr")
    built: Level = (Absolute(warmup_lr) if warmup_lr else 0.0) if warmed else 1.0
    schedule = _schedule(a, name, run, built)
    notes = [f"lr {lr:g} = basic_lr_per_img {a.given['basic_lr_per_img']:g} * batch size {size}"]
    falls = name == "multistep" and any(one <= 0 for one in numbers_of(a.take("milestones"), "milestones"))
    if falls or (warmed and name in ("cos", "multistep")):  # the optimizer was built before the scheduler is asked
        schedule = chain(constant(built, over="1 step"), skip(schedule, "1 step"))
    if warmed and name in ("cos", "multistep"):
        notes.append(
            f"the first update uses warmup_lr {warmup_lr:g}, though {name} has no warmup: the trainer sets the rate after it"
        )
    momentum = a.number("momentum")
    groups = by_kind("norm weight bias", a.number("weight_decay"))
    optimizer = Optimizer(name="SGD", lr=lr, momentum=momentum, nesterov=momentum > 0, weight_decay=0)
    return Recipe(optimizer=optimizer, groups=groups, schedules={"lr": schedule}, run=run, name="yolox", notes=tuple(notes))


def _schedule(a: Arguments, name: str, run: Run, start: Level) -> Schedule:
    """Return what LRScheduler does, its warmup beginning at `start`."""
    total = float(run.epochs or 0)
    if name == "cos":
        return cosine(1, 0)
    if name == "multistep":
        milestones, gamma = numbers_of(a.take("milestones"), f"{a.name}: milestones"), a.number("gamma", 0.1)
        at = [length(one, "epoch") if one == int(one) else f"floor({length(one, 'epoch')})" for one in sorted(milestones)]
        return steps(gamma, at=at) if at else constant(1)
    warmup = a.number("warmup_epochs", 0, least=0)
    if name == "warmcos":
        return chain(linear(start, 1, over=length(warmup, "epoch")), cosine(1, 0)) if warmup else cosine(1, 0)
    tail, ratio = a.number("no_aug_epochs", 0, least=0), a.number("min_lr_ratio", 0.2)
    if name == "yoloxwarmcos":
        return warm_cosine(total, warmup, tail, start=start, peak=1.0, end=ratio, unit="epoch", tick="step")
    return _semi(a, run, warmup, tail, start, ratio)


def _semi(a: Arguments, run: Run, warmup: float, tail: float, start: Level, ratio: float) -> Schedule:
    """yoloxsemiwarmcos: from semi_epoch on an epoch has another number of iterations, and the cosine goes on by epochs."""
    n = run.parts()[0].steps
    if n is None:
        raise MissingFactError("yoloxsemiwarmcos counts iterations: give --steps-per-epoch, or --samples and --batch-size")
    semi, more = a.number("semi_epoch"), a.whole("iters_per_epoch_semi", least=1)
    total = float(run.epochs or 0)
    if not warmup <= semi <= total - tail:
        raise a.refuse(f"semi_epoch must lie between the warmup and the last {tail:g} epochs, got {semi:g}")
    phases: list[Schedule] = [power(start, 1, 2, over=length(warmup, "epoch"))] if warmup else []
    if total > warmup + tail:
        curve = cosine(1, ratio, over=length(total - warmup - tail, "epoch"))
        before = length(semi - warmup, "epoch")
        if semi > warmup:
            phases.append(phase(curve, over=before))
        if semi < total - tail:
            later = scaled(skip(curve, before) if semi > warmup else curve, n / more)
            phases.append(phase(later, over=length(more * (total - semi - tail), "step")))
    return chain(*phases, constant(ratio))
