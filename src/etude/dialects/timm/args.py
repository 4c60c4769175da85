"""An args.yaml of timm's train.py: its names for what the scheduler factory takes, its optimizer, learning rate and run."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ...errors import shown
from ...fields import number
from ...recipe import Recipe
from ...run import Facts, Run
from ...units import number_text
from ..arguments import Arguments, run_over, whole_epochs
from .factory import FACTORY, scheduled
from .optimizers import optimizer_of_args
from .place import Words, groups_of

_ELSEWHERE = {
    "t_initial": ("epochs", 300),
    "warmup_t": ("warmup_epochs", 5),
    "noise": ("lr_noise", None),
    "noise_pct": ("lr_noise_pct", 0.67),
    "noise_std": ("lr_noise_std", 1.0),
    "noise_seed": ("seed", 42),
    "cycle_mul": ("lr_cycle_mul", 1.0),
    "cycle_decay": ("lr_cycle_decay", 0.5),
    "cycle_limit": ("lr_cycle_limit", 1),
    "k_decay": ("lr_k_decay", 1.0),
    "decay_fn": ("lr_decay_fn", None),
    "stable_timescale": ("lr_stable_timescale", None),
    "metric": ("eval_metric", "top1"),
}
TRAIN: Words = {**FACTORY, **_ELSEWHERE}
"""The settings of train.py, with the defaults of its command line."""

_DEFAULTS: dict[str, Any] = {
    **{key: default for key, default in TRAIN.values() if key != "plateau_mode"},
    "sched_on_updates": False,
    "lr": None,
    "lr_base": 0.1,
    "lr_base_size": 256,
    "lr_base_scale": "",
    "decay_epochs": 90,
}
_BESIDE = {"batch_size": 128, "opt": "sgd", "momentum": 0.9, "weight_decay": 2e-5}
_NUMBERS = {*_DEFAULTS, *_BESIDE, "grad_accum_steps", "opt_eps", "world_size"} - {"sched", "opt", "eval_metric", "lr_base_scale"}
_TOLD = {"epochs", "warmup_epochs", "warmup_lr", "min_lr", "decay_epochs", "decay_milestones", "decay_rate", *_BESIDE}
_LIKE = ("lr", "min_lr", "min-lr", "warmup", "decay", "cooldown", "sched", "patience", "epoch")


def from_args(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read an args.yaml.

    Args:
        source: The mapping. A text that is a number is one: train.py's command line reads it.
        given: Facts of the run, put over the file's.
    """
    read = {key: _typed(value) if key in _NUMBERS else value for key, value in source.items()}
    if given.get("epochs") is not None:
        read["epochs"] = whole_epochs(given["epochs"], "timm")
    a = Arguments("timm", read)
    notes: list[str] = []
    size, devices = a.whole("batch_size", 128, least=1), given.get("devices")
    if a.take("world_size", None) is not None and devices is None:
        devices = a.whole("world_size", least=1)
    if devices is None and "batch_size" not in given:
        notes.append(f"batch_size {size} is one device's: --devices says how many there are")
    devices = devices or 1
    own = {"batch_size": size * devices, "devices": devices, "accumulate": a.whole("grad_accum_steps", 1, least=1)}
    run = run_over({**own, "drop_last": True}, given)
    lr = _rate(a, run, notes)
    metric = str(a.take("eval_metric", "top1"))
    words = TRAIN if source.get("sched") in ("wsd", "rsqrt") else {**TRAIN, "decay_t": ("decay_epochs", 90)}
    fixed = {"mode": "min" if metric == "loss" else "max", "metric": metric}
    made = scheduled(a, words, run, lr, [1.0], on_epochs=not a.flag("sched_on_updates", False), fixed=fixed)
    optimizer = optimizer_of_args(a, lr, notes)
    groups, common = groups_of(made.schedules, lr, [1.0], a.number("weight_decay", 2e-5))
    _tell(a, source, made.sched, notes)
    return Recipe(
        optimizer=optimizer,
        groups=groups,
        schedules=common,
        run=run.override(epochs=made.epochs),
        name="timm",
        notes=tuple(dict.fromkeys((*made.notes, *notes))),
    )


def _typed(value: Any) -> Any:
    """Return a text as the number that argparse makes of it."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _rate(a: Arguments, run: Run, notes: list[str]) -> float:
    """Return the learning rate: as given, or the base rate times a part or root of the batch of an update."""
    lr = a.take("lr", None)
    if lr:
        return number(lr, "timm: lr")
    base, size = a.number("lr_base", 0.1), a.number("lr_base_size", 256)
    rule, name = a.take("lr_base_scale", ""), str(a.take("opt", "sgd")).lower()
    if size <= 0:
        raise a.refuse(f"lr_base_size must be above 0, got {size:g}")
    rule = rule or ("sqrt" if "ada" in name or "lamb" in name else "linear")
    batch = (run.batch_size or 0) * (run.accumulate if isinstance(run.accumulate, int) else 1)
    ratio = batch / size
    found = base * (ratio**0.5 if rule == "sqrt" else ratio)
    shown = f"the root of {batch} / {number_text(size)}" if rule == "sqrt" else f"{batch} / {number_text(size)}"
    notes.append(f"lr is lr_base {base:g} times {shown} = {found:g}: {batch} samples make an update")
    return found


def _tell(a: Arguments, source: Mapping[str, Any], sched: str, notes: list[str]) -> None:
    """Note what is ignored, what is not given, and what rules of groups can't say."""
    for key, value in source.items():
        if str(key).startswith(_LIKE) and key not in (*_DEFAULTS, "epoch_repeats"):
            near = difflib.get_close_matches(str(key).replace("-", "_"), _DEFAULTS, n=1, cutoff=0.8)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            notes.append(f"ignored: {key} {shown(value)}, because train.py has no such setting{hint}")
        elif key in _DEFAULTS and key not in a.taken and value not in (None, _DEFAULTS[key]):
            why = "lr is given" if str(key).startswith("lr_base") else f"sched {sched} has no use for it"
            notes.append(f"ignored: {key} {shown(value)}, because {why}")
    silent = [key for key in (*_DEFAULTS, *_BESIDE) if key in _TOLD and key in a.taken and key not in a.given]
    if silent:
        told = ", ".join(f"{key} {_DEFAULTS.get(key, _BESIDE.get(key))}" for key in silent)
        notes.append(f"not given, and so as train.py has them by default: {told}")
    if a.number("weight_decay", 2e-5):
        notes.append(
            "timm leaves biases and all parameters of one dimension without weight decay, and those that a model names itself; "
            "rules of groups see biases and norms"
        )
    if a.take("layer_decay", None) is not None:
        notes.append(f"layer_decay {a.given['layer_decay']} scales the lr of each layer by its depth: shown is the last layer's")
    if a.take("start_epoch", None):
        notes.append(f"start_epoch {a.given['start_epoch']}: timm goes on with the values of this plan from that epoch on")
    if a.take("aug_repeats", 0):
        notes.append("aug_repeats: on several devices timm makes an epoch of the largest multiple of 256 samples that there is")
    if a.take("epoch_repeats", 0):
        notes.append(f"epoch_repeats {a.given['epoch_repeats']}: --samples counts an epoch with its repeats")
