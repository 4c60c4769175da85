"""timm: the args.yaml of its train.py, the arguments of its scheduler factory, or those of one of its schedulers.

    {"sched": "cosine", "epochs": 300, "lr": null, "lr_base": 0.1, "lr_base_size": 256, "warmup_epochs": 5, "min_lr": 0.0,
     "opt": "adamw", "weight_decay": 0.05, "batch_size": 128, ...}                                     output/train/.../args.yaml
    {"factory": "create_scheduler_v2", "kwargs": {"sched": "cosine", "num_epochs": 40}, "lr": 0.1, "updates_per_epoch": 5}
    {"cls": "CosineLRScheduler", "kwargs": {"t_initial": 30}, "lr": 0.1, "n_steps": 200}

What is missing has the default of train.py, of the factory or of the class. Beside the last two there may be `lr_scale`, one
number for each of the groups "decay" and "no decay", and `optimizer`, the settings of an optimizer but for its lr. A t is an
epoch, or an update (sched_on_updates, step_on_epochs, t_in_epochs). `batch_size` in an args.yaml is one device's.

Source: timm 1.0.31, timm/scheduler/*.py, timm/optim/_optim_factory.py and timm/data/loader.py; train.py of the repository.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...fields import number
from ...recipe import Optimizer, Recipe
from ...run import Facts, Run
from ...schedule import Schedule
from ...timing import per_epoch
from ..arguments import Arguments, mapping, optimizer_of, run_over, whole_epochs
from .args import from_args
from .factory import FACTORY, noisy, scheduled
from .laws import LAWS
from .place import Line, Settings, groups_of

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = tuple(LAWS)
LOOKS = "sched"
_KEYS = ("kwargs", "lr", "lr_scale", "optimizer")


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description names a scheduler in timm's way."""
    if "factory" in source or "cls" in source:
        return source.get("factory") == "create_scheduler_v2" or source.get("cls") in NAMES
    return isinstance(source.get("sched"), str)


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a description.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run; what timm reads by update, and is no whole number of epochs, needs the steps of an epoch.
    Returns:
        The recipe, its run as long as timm makes it: with the cycles, the cooldown, and a warmup that is a prefix.
    Raises:
        MissingFactError: a fact of the run is missing.
        InputError: timm refuses it, or a setting is wrong; tells which and why.

    Example:
        >>> settings = {"factory": "create_scheduler_v2", "lr": 0.1,
        ...             "kwargs": {"sched": "cosine", "num_epochs": 40, "warmup_epochs": 5, "warmup_prefix": True}}
        >>> recipe = read(settings, dict(steps_per_epoch=5))
        >>> recipe.schedules["lr"]
        per_epoch(chain(linear(abs(1e-05), 1, over="5 epochs"), cosine(1, 0, over="40 epochs")))
        >>> recipe.run.epochs
        45
    """
    if given.get("stages"):
        raise InputError("timm trains in one stage: give --epochs")
    if "cls" in source:
        return _from_class(source, given)
    if given.get("steps"):
        raise InputError("timm trains a number of epochs: give --epochs, and not --steps")
    return _from_factory(source, given) if "factory" in source else from_args(source, given)


def _from_factory(source: Mapping[str, Any], given: Facts) -> Recipe:
    _check_keys(source, ("factory", "updates_per_epoch", *_KEYS))
    kwargs = dict(mapping(source.get("kwargs", {}), "kwargs"))
    if given.get("epochs") is not None:
        kwargs["num_epochs"] = whole_epochs(given["epochs"], "timm")
    a = Arguments("create_scheduler_v2", kwargs)
    run = run_over({"steps_per_epoch": a.take("updates_per_epoch", source.get("updates_per_epoch")) or None}, given)
    lr, scales = number(source.get("lr"), "lr"), _scales(source)
    made = scheduled(a, FACTORY, run, lr, scales, on_epochs=a.flag("step_on_epochs", True))
    ignored = {key: a.given[key] for key in a.given if key not in a.taken}
    known = dict.fromkeys(key for key, _ in FACTORY.values())
    a.taken |= known
    a.done()
    notes = [f"ignored: {key} {shown(value)}, because sched {made.sched} has no use for it" for key, value in ignored.items()]
    return _recipe(source, made.schedules, scales, run.override(epochs=made.epochs), [*made.notes, *notes])


def _from_class(source: Mapping[str, Any], given: Facts) -> Recipe:
    _check_keys(source, ("cls", "n_steps", *_KEYS))
    name = str(source["cls"])
    a = Arguments(name, mapping(source.get("kwargs", {}), "kwargs"))
    s, lr, scales = Settings(a), number(source.get("lr"), "lr"), _scales(source)
    by_epoch = name == "PlateauLRScheduler" or s.flag("t_in_epochs", True)
    length = source.get("n_steps")
    own = {"epochs": length, "steps_per_epoch": 1} if by_epoch else {"steps": length}
    run = run_over(own if length is not None else {}, given)
    if run.steps is None and run.epochs is not None and not by_epoch:
        steps = run.parts()[0].steps
        end = run.epochs * steps if steps else math.inf
    else:
        end = (run.epochs if by_epoch else run.steps) or math.inf
    a.take("initialize", True)
    notes: list[str] = []
    schedules = []
    for scale in scales:
        unit = "epoch" if by_epoch else "step"
        line = Line(f"{unit}s", f"1 {unit}", end, lr * scale, scale, notes)
        schedule = noisy(s, line, LAWS[name](s, line), a.take("noise_range_t", None), name)
        schedules.append(per_epoch(schedule) if by_epoch else schedule)
    a.done()
    return _recipe(source, schedules, scales, run, notes)


def _check_keys(source: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in source:
        if key not in known:
            raise InputError(f"a description of timm's {known[0]} has no key {shown(key)}{did_you_mean(str(key), known)}")


def _scales(source: Mapping[str, Any]) -> list[float]:
    """Return the lr_scale of the groups; of one where they have none."""
    found = source.get("lr_scale")
    if found is None:
        return [1.0]
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise InputError(f"lr_scale must be two numbers, for the groups decay and no decay; got {shown(found)}")
    scales = [number(one, f"lr_scale[{index}]") for index, one in enumerate(found)]
    if min(scales) <= 0:
        raise InputError(f"lr_scale must be above 0, got {shown(found)}")
    return scales


def _recipe(
    source: Mapping[str, Any], schedules: Sequence[Schedule] | None, scales: Sequence[float], run: Run, notes: Sequence[str]
) -> Recipe:
    """Return the recipe of a scheduler on an optimizer of which some settings are told."""
    facts = optimizer_of(source.get("optimizer", {}))
    weight_decay, lr = facts.pop("weight_decay", 0.0), number(source.get("lr"), "lr")
    optimizer = Optimizer(name=facts.pop("name", "AdamW" if "betas" in facts else "SGD"), lr=lr, weight_decay=0, **facts)
    groups, common = groups_of(schedules, lr, scales, weight_decay)
    once = tuple(dict.fromkeys(notes))
    return Recipe(optimizer=optimizer, groups=groups, schedules=common, run=run, name="timm", notes=once)
