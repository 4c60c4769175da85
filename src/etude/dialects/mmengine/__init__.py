"""mmengine's configs, those of MMDetection 3.x and its sisters: optim_wrapper, param_scheduler, train_cfg.

Schedulers count iterations or epochs, and several may act on one value: together they are a chain, a product or a `fold`. With
accumulative_counts they still follow iterations, and so does the recipe: its clock is the batch.

Source: mmengine/runner/runner.py, optim/scheduler/param_scheduler.py and hooks/param_scheduler_hook.py of mmengine 0.10.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...clock import MOST_COUNTED
from ...errors import InputError, did_you_mean, shown
from ...groups import Group
from ...laws import values
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
from .amounts import Loop
from .compose import composed
from .pieces import LAWS, Piece, Taken

__all__ = ["LOOKS", "NAMES", "named", "read", "takes"]
LOOKS = "optim_wrapper or param_scheduler"
_ENDINGS = {"LR": "lr", "Momentum": "momentum", "ParamScheduler": "", "LRRatio": "lr", "WeightDecay": "weight_decay"}
_LONE = ("PolyLRRatio", "CosineAnnealingWeightDecay")  # of mmseg and of mmpretrain
NAMES = (*(f"{name}LR" for name in LAWS), *(f"{name}Momentum" for name in LAWS if name != "OneCycle"), *_LONE)
_LOOPS = ("EpochBasedTrainLoop", "IterBasedTrainLoop")
_WRAPPERS = ("OptimWrapper", "AmpOptimWrapper", "ApexOptimWrapper", "DeepSpeedOptimWrapper", "ColossalAIOptimWrapper")
_DEAD = {
    "optimizer": "optim_wrapper.optimizer",
    "optimizer_config": "optim_wrapper",
    "lr_config": "param_scheduler",
    "momentum_config": "param_scheduler",
    "runner": "train_cfg",
    "total_epochs": "train_cfg.max_epochs",
}
"""What mmcv read, and what mmengine reads in its place."""


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description is a config of mmengine."""
    return "optim_wrapper" in source or "param_scheduler" in source


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a config.

    Args:
        source: The config, with all its bases in it.
        given: Facts of the run; `batch_size` is that of all devices.
    Raises:
        MissingFactError: a fact of the run is missing.
        InputError: mmengine refuses it, or no schedule says it.

    Example:
        >>> warmup = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500}
        >>> drops = {"type": "MultiStepLR", "begin": 0, "end": 12, "by_epoch": True, "milestones": [8, 11], "gamma": 0.1}
        >>> wrapper = {"optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001}}
        >>> loop = {"type": "EpochBasedTrainLoop", "max_epochs": 12}
        >>> read({"optim_wrapper": wrapper, "param_scheduler": [warmup, drops], "train_cfg": loop}, {}).schedules["lr"]
        linear(0.001, 1, over="499 steps") * steps(0.1, at=["8 epochs", "11 epochs"])
    """
    only(given, ("epochs", "samples", "batch_size", "devices", "steps_per_epoch", "steps"), "mmengine", "says the rest itself")
    hook = mapping(source.get("default_hooks") or {}, "default_hooks").get("param_scheduler")
    kind = kind_of(hook.get("type"), "default_hooks.param_scheduler.type") if isinstance(hook, Mapping) else "ParamSchedulerHook"
    if kind != "ParamSchedulerHook":
        raise InputError(f"default_hooks.param_scheduler is {kind}, which writes rates of its own and is not read")
    if source.get("optim_wrapper") is None:
        raise InputError(
            "optim_wrapper is missing: the config trains nothing; --set optim_wrapper.optimizer.type=SGD would begin one"
        )
    wrapper = mapping(source["optim_wrapper"], "optim_wrapper")
    several = [str(name) for name, one in wrapper.items() if isinstance(one, Mapping) and "optimizer" in one]
    if "optimizer" not in wrapper and several:
        raise InputError(
            f"optim_wrapper holds several optimizers, {', '.join(several)}: a recipe is of one; "
            "give one of them as the optim_wrapper of a config of its own"
        )
    notes = list(_dead(source))
    if wrapper.get("type") is not None:
        tell_of_class(kind_of(wrapper["type"], "optim_wrapper: type"), _WRAPPERS, "mmengine's optim_wrappers", notes)
    run, loop = _run(source, wrapper, given, notes)
    settings = mapping(wrapper.get("optimizer"), "optim_wrapper: optimizer")
    optimizer = optimizer_of(settings, "optim_wrapper: optimizer", notes)
    optimizer = replace(optimizer, lr=scaled(optimizer.lr, source.get("auto_scale_lr"), run, given, notes))
    if wrapper.get("clip_grad"):
        notes.append(f"clip_grad {shown(wrapper['clip_grad'])}: clipping is left to your loop")
    pieces = _pieces(source.get("param_scheduler"), loop)
    schedules = {name: composed(acting, loop) for name, acting in pieces.items()}
    groups = groups_of(wrapper, optimizer, "optim_wrapper", notes)
    if {piece.name for piece in pieces.get("weight_decay", []) if piece.floor} == {"CosineAnnealingWeightDecay"}:
        groups = _spared(groups, optimizer)
    if "momentum" in schedules and optimizer.base("momentum") is None:
        raise InputError(f"param_scheduler: {optimizer.name} has no momentum to be scheduled")
    return Recipe(
        optimizer=optimizer,
        groups=groups,
        schedules=schedules,
        clock="batch" if loop.tick == "batches" else "step",
        run=run,
        name="mmengine",
        notes=tuple(dict.fromkeys(notes)),
    )


def named(stem: str, source: Mapping[str, Any], recipe: Recipe) -> Recipe:
    """Return a recipe with what its file's name says of it."""
    loader, scale = source.get("train_dataloader"), source.get("auto_scale_lr")
    return told_by_name(
        stem,
        recipe,
        iterations=mapping(source.get("train_cfg"), "train_cfg").get("max_iters"),
        repeat=repeats(loader.get("dataset")) if isinstance(loader, Mapping) else 1,
        batch=loader.get("batch_size") if isinstance(loader, Mapping) else None,
        base=scale.get("base_batch_size") if isinstance(scale, Mapping) else None,
    )


def _dead(source: Mapping[str, Any]) -> Iterator[str]:
    """Yield what mmcv read and mmengine does not, where it says something else than what is read in its place."""
    for key, theirs in _DEAD.items():
        found: Any = source
        for word in theirs.split("."):
            found = found.get(word) if isinstance(found, Mapping) else None
        if key in source and source[key] != found:
            yield f"ignored: {key}: mmengine reads {theirs} instead"


def _run(source: Mapping[str, Any], wrapper: Mapping[str, Any], given: Facts, notes: list[str]) -> tuple[Run, Loop]:
    """Return the run that train_cfg and the loader make, and what its schedulers are asked by."""
    a = Settings("train_cfg", mapping(source.get("train_cfg"), "train_cfg"))
    kind, by_epoch = a.take("type", None), a.take("by_epoch", None)
    if (kind is None) == (by_epoch is None):
        raise a.refuse("there must be one of type and by_epoch, by which mmengine builds its loop: it refuses both, and neither")
    if kind is not None:
        by_epoch = "Iter" not in (called := kind_of(kind, "train_cfg: type"))
        counted = "epochs" if by_epoch else "iterations"
        tell_of_class(called, _LOOPS, "mmengine's train loops", notes, f" that counts {counted}")
    counts = Settings("optim_wrapper", wrapper).whole("accumulative_counts", 1, least=1)
    own, times = _loaded(source.get("train_dataloader"), given, notes)
    if counts > 1 and given.get("steps_per_epoch") is not None:
        needed = "--samples" if own.get("batch_size") or given.get("batch_size") else "--samples and --batch-size"
        raise a.refuse(f"with accumulative_counts an epoch is counted in batches: give {needed}")
    if given.get("steps" if by_epoch else "epochs") is not None:
        raise a.refuse(
            "it counts epochs: give --epochs, not --steps" if by_epoch else "it counts iterations: give --steps, not --epochs"
        )
    if by_epoch:
        own["epochs"] = a.whole("max_epochs", least=1)
        run = run_facts(own, given, times, notes)
        part = run.parts()[0]
        epochs = whole_epochs(run.epochs, "train_cfg")
        loop = Loop(epochs, None, per_epoch=part.steps and int(part.steps), notes=notes, sized=bool(run.batch_size))
        if counts == 1:
            return run, loop
        total = epochs * part.batches if epochs and part.batches else None
        return run.override(accumulate=_accumulation(counts, total, notes)), replace(loop, tick="batches")
    iterations = given.get("steps") or a.whole("max_iters", least=1)
    run = run_facts({**own, "steps": iterations}, given, times, notes)
    part = run.parts()[0]
    loop = Loop(None, iterations, per_epoch=part.steps and int(part.steps), notes=notes, sized=bool(run.batch_size))
    if counts == 1:
        return run, loop
    size = run.batch_size or 1
    notes.append(f"the run is shown as one epoch of {iterations} batches, as mmengine counts it: {counts} of them make an update")
    if given.get("samples") is not None:
        notes.append("--samples is not used: the run is as long as max_iters, whatever an epoch of the data is")
    accumulate = _accumulation(counts, iterations, notes)
    whole = Run(epochs=1, samples=iterations * size, batch_size=size, devices=run.devices, accumulate=accumulate)
    return whole, replace(loop, tick="batches")


def _accumulation(counts: int, total: int | None, notes: list[str]) -> Schedule:
    """Return how many batches make an update: the run's last batch always makes one, of what is left."""
    if total is None or total % counts == 0:
        return constant(counts)
    if total > MOST_COUNTED:
        notes.append(f"the run's last update, of {total % counts} batches, is not shown")
        return constant(counts)
    return values([counts, 1], at=["100% - 1 batch"])


def _loaded(loader: Any, given: Facts, notes: list[str]) -> tuple[dict[str, Any], int]:
    """Return the facts that a loader says, and how many times an epoch goes through the samples."""
    if not isinstance(loader, Mapping):
        return batches_of(None, "batch_size", given, notes), 1
    own = batches_of(loader.get("batch_size"), "batch_size", given, notes)
    if loader.get("drop_last") is True and given.get("steps_per_epoch") is None:
        own["drop_last"] = True
    tell_of_datasets(loader.get("dataset"), notes)
    return own, repeats(loader.get("dataset"))


def _spared(groups: Mapping[str, Group], optimizer: Optimizer) -> dict[str, Group]:
    """Return groups of which those without weight decay stay without, as the scheduler of mmpretrain has it."""
    return {
        name: group
        if (optimizer.weight_decay if group.weight_decay is None else group.weight_decay)
        else replace(group, schedules={"weight_decay": constant(1)})
        for name, group in (groups or {"all": Group()}).items()
    }


def _pieces(given: Any, loop: Loop) -> dict[str, list[Piece]]:
    """Return the schedulers of a config, by what they schedule."""
    if isinstance(given, Mapping) and "type" not in given and given:
        raise InputError(
            f"param_scheduler is for several optimizers, {', '.join(map(str, given))}: a recipe is of one; "
            "give one of them as the param_scheduler of a config of its own"
        )
    made: dict[str, list[Piece]] = {"lr": []}
    for one in given if isinstance(given, list | tuple) else [given] if given else []:
        settings = dict(mapping(one, "param_scheduler"))
        settings.pop("_scope_", None)
        name = kind_of(settings.pop("type", None), "param_scheduler: type")
        ending = next((end for end in sorted(_ENDINGS, key=len, reverse=True) if name.endswith(end)), None)
        law = LAWS.get(name.removesuffix(ending)) if ending else None
        if ending is None or law is None or (ending in ("LRRatio", "WeightDecay") and name not in _LONE):
            raise InputError(
                f"param_scheduler: there is no {shown(name)}{did_you_mean(name, NAMES)}; a class of your own is not read"
            )
        a = Taken(name, settings, loop)
        hyperparameter = _ENDINGS[ending] or str(a.take("param_name"))
        if hyperparameter not in ("lr", "momentum", "weight_decay"):
            raise a.refuse(f"param_name must be lr, momentum or weight_decay, got {shown(hyperparameter)}")
        if name.startswith("OneCycle") and hyperparameter != "lr":
            raise a.refuse("it is for the learning rate alone")
        piece = law(a)
        a.done()
        before = made.setdefault(hyperparameter, [])
        if piece.based and (found := [other.name for other in before if other.absolute]):
            raise a.refuse(f"it goes by the base value, in whose place {found[0]} before it has put its own")
        before.append(piece)
    return made
