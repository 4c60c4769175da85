"""MMCV 1.x's configs, those of MMDetection 2.x and its sisters: optimizer, lr_config, momentum_config, runner.

Source: mmcv/runner of MMCV 1.7.2, mmdet/apis/train.py and tools/train.py of MMDetection 2.28.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InputError, shown
from ...recipe import Optimizer, Recipe
from ...run import Facts, Run
from ...schedule import Schedule, constant
from ..arguments import Settings, mapping, only, whole_epochs
from ..openmmlab import (
    batches_of,
    groups_of,
    kind_of,
    optimizer_of,
    repeats,
    run_facts,
    scaled,
    tell_of_class,
    tell_of_datasets,
    told_by_name,
)
from .hooks import Horizon
from .laws import LAWS, lr_schedule
from .momentum import momentum_schedule

__all__ = ["LOOKS", "NAMES", "named", "read", "takes"]
LOOKS = "lr_config"
NAMES = tuple(LAWS)
_RUNNERS = ("EpochBasedRunner", "IterBasedRunner", "Runner")


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description is a config of MMCV 1.x."""
    return "lr_config" in source


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a config.

    Args:
        source: The config, with all its bases in it; what is a tuple to MMCV is one here.
        given: Facts of the run; `batch_size` is that of all GPUs.
    Raises:
        MissingFactError: a fact of the run is missing.
        InputError: MMCV refuses it, or no schedule says it.

    Example:
        >>> optimizer = {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001}
        >>> lr_config = {"policy": "step", "warmup": "linear", "warmup_iters": 500, "warmup_ratio": 0.001, "step": [8, 11]}
        >>> runner = {"type": "EpochBasedRunner", "max_epochs": 12}
        >>> read({"optimizer": optimizer, "lr_config": lr_config, "runner": runner}, {}).schedules["lr"]
        linear(0.001, 1, over="500 steps") * steps(0.1, at=["8 epochs", "11 epochs"])
    """
    only(given, ("epochs", "samples", "batch_size", "devices", "steps_per_epoch", "steps"), "MMCV", "says the rest itself")
    settings = mapping(source.get("optimizer"), "optimizer")
    several = [str(name) for name, one in settings.items() if isinstance(one, Mapping) and "type" in one]
    if "type" not in settings and several:
        raise InputError(
            f"optimizer holds several, {', '.join(several)}: a recipe is of one; "
            "give one of them as the optimizer of a config of its own"
        )
    notes: list[str] = []
    run, epochs = _run(source, given, notes)
    own = {key: value for key, value in settings.items() if key not in ("paramwise_cfg", "constructor")}
    optimizer = optimizer_of(own, "optimizer", notes)
    optimizer = replace(optimizer, lr=scaled(optimizer.lr, source.get("auto_scale_lr"), run, given, notes))
    _tell_of_updates(source.get("optimizer_config"), notes)
    part = run.parts()[0]
    per_epoch = int(part.steps) if part.steps else None
    steps = run.steps if epochs is None else epochs * per_epoch if per_epoch else None
    horizon = Horizon(epochs, per_epoch, steps, optimizer.lr, optimizer.base("momentum"), notes, sized=bool(run.batch_size))
    schedules: dict[str, Schedule] = {"lr": constant(1)}
    if source.get("lr_config") is not None:
        schedules["lr"] = lr_schedule(mapping(source["lr_config"], "lr_config"), horizon)
    if source.get("momentum_config") is not None:
        found = momentum_schedule(mapping(source["momentum_config"], "momentum_config"), horizon)
        if found is not None:
            schedules["momentum"] = found[0]
            optimizer = _with_momentum(optimizer, found[1])
    return Recipe(
        optimizer=optimizer,
        groups=groups_of(settings, optimizer, "optimizer", notes),
        schedules=schedules,
        run=run,
        name="mmcv",
        notes=tuple(dict.fromkeys(notes)),
    )


def named(stem: str, source: Mapping[str, Any], recipe: Recipe) -> Recipe:
    """Return a recipe with what its file's name says of it."""
    data, scale, runner = (source.get(key) for key in ("data", "auto_scale_lr", "runner"))
    return told_by_name(
        stem,
        recipe,
        iterations=runner.get("max_iters") if isinstance(runner, Mapping) else None,
        repeat=repeats(data.get("train")) if isinstance(data, Mapping) else 1,
        batch=_per_gpu(data),
        base=scale.get("base_batch_size") if isinstance(scale, Mapping) else None,
    )


def _run(source: Mapping[str, Any], given: Facts, notes: list[str]) -> tuple[Run, int | None]:
    """Return the run that runner and data make, and its epochs; None of one that counts iterations."""
    data = source.get("data")
    own = batches_of(_per_gpu(data), "samples_per_gpu", given, notes)
    if given.get("steps_per_epoch") is None and _drops_last(data, notes):
        own["drop_last"] = True
    times = repeats(data.get("train")) if isinstance(data, Mapping) else 1
    tell_of_datasets(data.get("train") if isinstance(data, Mapping) else None, notes)
    total = source.get("total_epochs")
    runner = source.get("runner", {"type": "EpochBasedRunner", "max_epochs": total} if total is not None else None)
    if runner is None:
        raise InputError("runner is missing: give one, or total_epochs, as in --set runner.type=EpochBasedRunner")
    a = Settings("runner", mapping(runner, "runner"))
    kind = kind_of(a.take("type"), "runner: type")
    by_epoch = "Iter" not in kind
    tell_of_class(kind, _RUNNERS, "MMCV's runners", notes, f" that counts {'epochs' if by_epoch else 'iterations'}")
    if given.get("steps" if by_epoch else "epochs") is not None:
        raise a.refuse(
            "it counts epochs: give --epochs, not --steps" if by_epoch else "it counts iterations: give --steps, not --epochs"
        )
    if not by_epoch:
        return run_facts({**own, "steps": given.get("steps") or a.whole("max_iters", least=1)}, given, times, notes), None
    epochs = a.whole("max_epochs", least=1)
    if total is not None and total != epochs:
        raise a.refuse(f"total_epochs is {shown(total)} and max_epochs {epochs}: they must agree, as the framework has it")
    run = run_facts({**own, "epochs": epochs}, given, times, notes)
    return run, whole_epochs(run.epochs, "runner")


def _per_gpu(data: Any) -> Any:
    """Return the samples of a GPU's batch, where the config says them."""
    if not isinstance(data, Mapping):
        return None
    loader = data.get("train_dataloader")
    return (
        loader.get("samples_per_gpu", data.get("samples_per_gpu")) if isinstance(loader, Mapping) else data.get("samples_per_gpu")
    )


def _drops_last(data: Any, notes: list[str]) -> bool:
    """Whether an epoch's last batch is dropped where it is not full: MMDetection fills it, as long as it shuffles."""
    loader = data.get("train_dataloader") if isinstance(data, Mapping) else None
    if not isinstance(loader, Mapping) or loader.get("drop_last") is not True:
        return False
    if loader.get("shuffle") is False and loader.get("class_aware_sampler") is None:
        return True
    notes.append(
        "data.train_dataloader: drop_last drops nothing in MMDetection, whose sampler fills the last batch; where another drops "
        "it, as MMClassification does, give --steps-per-epoch"
    )
    return False


def _tell_of_updates(config: Any, notes: list[str]) -> None:
    """Tell what an optimizer_config does beside a step, and refuse what makes a step of several iterations."""
    if not isinstance(config, Mapping):
        return
    if config.get("cumulative_iters", 1) != 1:
        raise InputError(
            f"optimizer_config: cumulative_iters {shown(config['cumulative_iters'])}: schedules follow iterations, of which "
            "several make an update, which is not read; --set optimizer_config.cumulative_iters=1 shows the schedule by iteration"
        )
    if config.get("grad_clip"):
        notes.append(f"grad_clip {shown(config['grad_clip'])}: clipping is left to your loop")


def _with_momentum(optimizer: Optimizer, base: float | None) -> Optimizer:
    if base is None:
        return optimizer
    return replace(optimizer, momentum=base) if optimizer.betas is None else replace(optimizer, betas=(base, optimizer.betas[1]))
