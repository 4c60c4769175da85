"""transformers: TrainingArguments as Trainer trains with them, or the arguments of get_scheduler.

    {"learning_rate": 5e-05, "lr_scheduler_type": "cosine", "warmup_steps": 0.05, "num_train_epochs": 3.0, "weight_decay": 0.01,
     "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4, "optim": "adamw_torch", ...}        TrainingArguments
    {"name": "cosine", "lr": [5e-05, 5e-06], "num_warmup_steps": 10, "num_training_steps": 100,
     "scheduler_specific_kwargs": {"num_cycles": 0.5}, "n_steps": 110}                                       get_scheduler

What TrainingArguments leave out has their default. A warmup below 1 is a part of the run, `warmup_ratio` is what transformers 4
calls that. The batch size is that of one device: --devices says how many there are.

In a loop of one's own `lr` holds the base value of each group, the first of which is the optimizer's own default; `n_steps` is
the length of the loop, num_training_steps without it. `optimizer` may say more of that ({"name": "AdamW", "betas": ...}),
`weight_decay` is one for all or one a group, and `metrics`, one for each scheduler.step(), is what `greedy` was given.

Source: transformers 5.23, training_args.py, trainer.py (set_initial_training_values), trainer_optimizer.py, optimization.py.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...groups import Group
from ...recipe import Optimizer, Recipe
from ...run import Facts, Run
from ..arguments import Arguments, mapping, numbers_of, optimizer_of, run_over, steps_of
from .laws import LAWS, WITHOUT_END, WITHOUT_WARMUP, Horizon, schedules
from .trainer import optimizer_of_trainer, parsed, run_of_trainer, warmup_of

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = tuple(LAWS)
LOOKS = "lr_scheduler_type, or learning_rate with num_train_epochs"
SIGNS = ("per_device_train_batch_size", "num_train_epochs", "warmup_ratio", "warmup_steps", "gradient_accumulation_steps")
_CALL = ("num_warmup_steps", "num_training_steps", "scheduler_specific_kwargs")
_SETTINGS = ("learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "max_steps", "optim", "weight_decay", *SIGNS)
_MISTAKEN = {  # settings of other trainers, and what they are called here
    "lr_scheduler": "lr_scheduler_type",
    "scheduler": "lr_scheduler_type",
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "optimizer": "optim",
    "batch_size": "per_device_train_batch_size",
    "micro_batch_size": "per_device_train_batch_size",
    "lr_warmup_steps": "warmup_steps",
    "num_warmup_steps": "warmup_steps",
}


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description holds TrainingArguments, the arguments of get_scheduler, or the state of a Trainer."""
    if "lr_scheduler_type" in source or _state(source):
        return True
    if source.get("name") in NAMES and any(key in source for key in _CALL):
        return True
    return "learning_rate" in source and "name" not in source and any(key in source for key in SIGNS)


def _state(source: Mapping[str, Any]) -> bool:
    return "log_history" in source and "global_step" in source


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read TrainingArguments, or the arguments of get_scheduler.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run, put over those of TrainingArguments.
    Returns:
        The recipe: groups decay and no decay as Trainer makes them; the loop's groups, group0 and so on, otherwise.
    Raises:
        InputError: transformers refuses it, or no schedule says what it does; tells which and why.

    Example:
        >>> read({"lr_scheduler_type": "cosine", "warmup_ratio": 0.05}, {}).schedules["lr"]
        chain(linear(0, 1, over="ceil(5%)"), cosine(1, 0))
        >>> read({"name": "linear", "lr": 5e-5, "num_warmup_steps": 10, "num_training_steps": 100}, {}).schedules["lr"]
        chain(linear(0, 1, over="10 steps"), linear(1, 0, over="90 steps"))
    """
    if _state(source):
        raise InputError(
            "this is a trainer_state.json, which tells what a Trainer has done, not by which settings: give its "
            "TrainingArguments, as args.to_json_string() writes them"
        )
    return _trainer(source, given) if "name" not in source or "lr_scheduler_type" in source else _loop(source, given)


# -- a loop of one's own ------------------------------------------------------------------------------------------


def _loop(source: Mapping[str, Any], given: Facts) -> Recipe:
    a = Arguments("get_scheduler", source)
    kind = _kind(a, "name")
    lrs = a.take("lr")
    lrs = numbers_of(lrs if isinstance(lrs, list | tuple) else [lrs], f"{a.name}: lr")
    if not lrs:
        raise a.refuse("lr must hold a number for each group, got none")
    warm, total = (None if a.take(key, None) is None else a.whole(key) for key in _CALL[:2])
    kwargs = dict(mapping(a.take("scheduler_specific_kwargs", None) or {}, "scheduler_specific_kwargs"))
    run = run_over({"steps": total if a.take("n_steps", None) is None else a.whole("n_steps", least=1)}, given)
    metrics = a.take("metrics", None)
    notes: list[str] = []
    for key, value, needless in (("num_warmup_steps", warm, WITHOUT_WARMUP), ("num_training_steps", total, WITHOUT_END)):
        if value and kind in needless:
            notes.append(f"ignored: {key} {value}, as {kind} has none")
        elif value is None and kind not in needless and (key, kind) != ("num_training_steps", "warmup_stable_decay"):
            raise a.missing(key, f"{kind} requires {shown(key)}")
    if metrics and kind != "greedy":
        notes.append("left out: metrics, which are not the recipe's: a plan is fed them")
    if kind in WITHOUT_WARMUP:
        warm = None
    horizon = Horizon(
        lrs=lrs,
        warmup=f"{warm} steps" if warm else None,
        warm=warm or 0,
        total=total,
        steps=run.clock().total if run != Run() else math.inf,
        metrics=None if metrics is None else numbers_of(metrics, f"{a.name}: metrics"),
        notes=notes,
    )
    found = schedules(kind, kwargs, horizon)
    decays = [None] * len(lrs) if a.take("weight_decay", None) is None else a.numbers("weight_decay", len(lrs))
    settings = {"name": "AdamW", **optimizer_of(a.take("optimizer", {}))}
    a.done()
    name = f"transformers-{kind}"
    if len(lrs) == 1:
        optimizer = Optimizer(**{**settings, **({} if decays[0] is None else {"weight_decay": decays[0]})}, lr=lrs[0])
        return Recipe(optimizer=optimizer, schedules={"lr": found[0]}, run=run, notes=_once(notes), name=name)
    alike = all(schedule == found[0] for schedule in found)
    groups = {
        f"group{index}": Group(lr=lr, weight_decay=decay, schedules={} if alike else {"lr": schedule})
        for index, (lr, decay, schedule) in enumerate(zip(lrs, decays, found, strict=True))
    }
    shared = {"lr": found[0]} if alike else {}
    optimizer = Optimizer(**settings, lr=lrs[0])
    return Recipe(optimizer=optimizer, groups=groups, schedules=shared, run=run, notes=_once(notes), name=name)


def _kind(a: Arguments, key: str, default: str = "") -> str:
    kind = a.take(key, default)
    if kind not in NAMES:
        raise a.refuse(f"{key} must be a scheduler of transformers, got {shown(kind)}{did_you_mean(str(kind), NAMES)}")
    return str(kind)


def _once(notes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


# -- Trainer --------------------------------------------------------------------------------------------------------


def _trainer(source: Mapping[str, Any], given: Facts) -> Recipe:
    a = Arguments("TrainingArguments", source)
    _check_names(a)
    notes: list[str] = []
    kind, lr = _kind(a, "lr_scheduler_type", "linear"), a.number("learning_rate", 5e-5)
    run = run_of_trainer(a, given, notes)
    total = steps_of(run)
    warmup, warm = warmup_of(a, total, notes)
    if kind in WITHOUT_WARMUP and warmup:
        notes.append(f"ignored: a warmup of {warmup}, as {kind} has none")
        warmup, warm = None, 0
    if warm and total and warm >= total:
        notes.append(f"the warmup of {warm} steps is as long as the run of {total}, or longer: nothing follows it")
    kwargs = dict(mapping(parsed(a, "lr_scheduler_kwargs") or {}, "lr_scheduler_kwargs"))
    metric = _metric(a, kind, kwargs.get("mode", "min"), notes)
    horizon = Horizon(lrs=(lr, lr), warmup=warmup, warm=warm, total=total, metric=metric, notes=notes)
    found = schedules(kind, kwargs, horizon)
    _warn(a, notes)
    decay = a.number("weight_decay", 0.0)
    groups = {
        "decay": Group(kind=("weight", "embedding"), schedules={} if found[0] == found[1] else {"lr": found[0]}),
        "no decay": Group(weight_decay=0.0, schedules={} if found[0] == found[1] else {"lr": found[1]}),
    }
    optimizer = optimizer_of_trainer(a, lr, decay, notes)
    if decay:
        notes.append(
            "Trainer finds the norms that it does not decay by nn.LayerNorm and by their names (layernorm, rmsnorm, norm); "
            "here no norm is decayed, whatever its name"
        )
    shared = {"lr": found[0]} if found[0] == found[1] else {}
    name = f"transformers-{kind}"
    return Recipe(optimizer=optimizer, groups=groups, schedules=shared, run=run, notes=_once(notes), name=name)


def _check_names(a: Arguments) -> None:
    """Refuse what TrainingArguments have under another name: their own defaults would take its place."""
    for key in a.given:
        close = [] if key in _SETTINGS else difflib.get_close_matches(str(key), _SETTINGS, n=1, cutoff=0.88)
        meant = _MISTAKEN.get(key) or (close[0] if close else None)
        if meant and meant not in a.given:  # beside it, it is the setting of something else
            raise a.refuse(f"has no setting {shown(key)}; did you mean {meant!r}?")


def _metric(a: Arguments, kind: str, mode: str, notes: list[str]) -> str:
    """Return what a plateau watches, which needs an evaluation to be measured in."""
    if kind not in ("reduce_lr_on_plateau", "greedy"):
        return ""
    when = a.take("eval_strategy", a.take("evaluation_strategy", "no"))
    if when not in ("steps", "epoch"):
        raise a.refuse(f"{kind} requires an eval_strategy of 'steps' or 'epoch', got {shown(when)}: nothing would be measured")
    metric = str(a.take("metric_for_best_model", None) or "loss")
    up = a.take("greater_is_better", None)
    if mode == "min" and (not metric.endswith("loss") if up is None else up):  # Trainer hands neither over
        notes.append(f"{kind} has mode min, although more of {metric} is better: say lr_scheduler_kwargs mode: max")
    name = f"eval_{metric.removeprefix('eval_')}"
    notes.append(f"{name} is measured at each evaluation, eval_strategy {when}")
    return name


def _warn(a: Arguments, notes: list[str]) -> None:
    """Tell what else may change the schedule, and refuse what has one of its own."""
    if a.take("auto_find_batch_size", False):
        notes.append("auto_find_batch_size may lower the batch size where memory ends: the run then has more updates than here")
    deepspeed = parsed(a, "deepspeed")
    if isinstance(deepspeed, Mapping) and ("scheduler" in deepspeed or "optimizer" in deepspeed):
        raise a.refuse("deepspeed holds a scheduler or an optimizer of its own, in place of what stands here: it can't be read")
    if isinstance(deepspeed, str):
        notes.append(
            f"not read: deepspeed {shown(deepspeed)}, whose scheduler and optimizer, if it has any, take the place of these"
        )
    if a.take("max_grad_norm", None):
        notes.append(f"left out: max_grad_norm {a.given['max_grad_norm']}, as a recipe holds no clipping")
