"""The bubbliiiing YOLO trainers: the settings at the head of their train.py, or get_lr_scheduler alone.

    {"optimizer_type": "sgd", "lr_decay_type": "cos", "Init_lr": 0.01, "Min_lr": 0.0001, "momentum": 0.937, "Freeze_Train": true,
     "weight_decay": 0.0005, "Freeze_Epoch": 50, "UnFreeze_Epoch": 300, "Freeze_batch_size": 16, "Unfreeze_batch_size": 8}
    {"lr_decay_type": "cos", "lr": 3e-4, "min_lr": 3e-6, "total_iters": 100, "interval": "epoch"}         or "step", the default

The learning rate is set once an epoch. It is fitted to the batch, Init_lr * batch / nbs within limits (SGD 5e-4 to 5e-2, Adam
3e-4 to 1e-3; Min_lr within a hundredth of them), and again as the backbone is unfrozen, while the count of epochs goes on.
Where Init_lr is left out it is asked for, never assumed: their own advice is 1e-2 for SGD, and 1e-3 or 6e-4 for Adam.

    warmup = min(max(0.05 total, 1), 3), tail = min(max(0.05 total, 1), 15), start = max(0.1 lr, 1e-6)        cos
    lr * (min_lr / lr)^(k / 9), k = floor(t / (total / 10))                                                 step

Source: bubbliiiing/yolox-pytorch and yolov4-pytorch, nets/yolo_training.py (get_lr_scheduler) and train.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MissingFactError, shown
from ..laws import steps
from ..phases import chain, phase
from ..recipe import Optimizer, Recipe
from ..run import Facts, Run, Stage
from ..schedule import Schedule
from ..timing import per_epoch, skip
from .arguments import Arguments, need, only, ratio, run_over, whole_epochs
from .warm_cosine import length, warm_cosine
from .yolo_loop import by_kind

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = ()
LOOKS = "Init_lr or lr_decay_type"
_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
_LIMITS = {"sgd": (5e-4, 5e-2), "adam": (3e-4, 1e-3), "adamw": (3e-4, 1e-3)}
_MOST = 1_000  # steps
_ADVICE = {"sgd": "1e-2", "adam": "1e-3 (or 6e-4)", "adamw": "1e-3 (or 6e-4)"}


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description holds settings of these trainers."""
    return "lr_decay_type" in source or "Init_lr" in source or "UnFreeze_Epoch" in source


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read the settings of a trainer, or the arguments of get_lr_scheduler.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run; a trainer needs the samples.
    Returns:
        The recipe: groups norm, weight and bias, and two stages where the backbone is frozen first; or one group `all`.
    Raises:
        MissingFactError: a fact of the run is missing, or Init_lr.
        InputError: a setting is wrong, or the run is too short for ten steps.

    Example:
        >>> read({"lr_decay_type": "cos", "lr": 0.01, "min_lr": 0.0001, "total_iters": 100}, {}).schedules["lr"]
        chain(power(0.1, 1, 2, over="3 steps"), cosine(1, 0.01, over="92 steps"), constant(0.01))
    """
    return _trainer(source, given) if "total_iters" not in source else _alone(source, given)


def _alone(source: Mapping[str, Any], given: Facts) -> Recipe:
    """get_lr_scheduler itself, called at every step or at every epoch."""
    a = Arguments("get_lr_scheduler", source)
    total, unit = a.whole("total_iters", least=1), a.word("interval", ("step", "epoch"), "step")
    run = run_over({f"{unit}s": total}, given)
    lr, low = a.number("lr", above=0), a.number("min_lr", least=0)
    schedule = _curve(a, a.word("lr_decay_type", ("cos", "step")), total, lr, low, unit)
    a.done()
    schedule = per_epoch(schedule) if unit == "epoch" else schedule
    return Recipe(optimizer=Optimizer(name="SGD", lr=lr), schedules={"lr": schedule}, run=run, name="bubbliiiing")


def _curve(a: Arguments, kind: str, total: int, lr: float, low: float, unit: str) -> Schedule:
    """Return what get_lr_scheduler makes of a rate, as factors of that rate."""
    if kind == "cos":
        warmup = a.number("warmup_total_iters", min(max(a.number("warmup_iters_ratio", 0.05) * total, 1), 3))
        tail = a.number("no_aug_iter", min(max(a.number("no_aug_iter_ratio", 0.05) * total, 1), 15))
        start = a.number("warmup_lr_start", max(a.number("warmup_lr_ratio", 0.1) * lr, 1e-6))
        return warm_cosine(total, warmup, tail, start=ratio(start, lr), peak=1.0, end=ratio(low, lr), unit=unit, tick=unit)
    count = a.whole("step_num", 10, least=2)
    if count > _MOST or total > _MOST * 10_000:
        raise a.refuse(f"at most {_MOST} steps in {_MOST * 10_000} {unit}s can be read, got {count} in {total}")
    size = total / count
    if size < 1:
        raise a.refuse(f"step_size must be at least 1, got {total} {unit}s in {count} steps = {size:g}")
    # it divides floats: the first whole t whose t // size is k, which rounding may put beside k * size
    edges = [next(t for t in range(int(k * size), total + 2) if t // size >= k) for k in range(1, count)]
    return steps((low / lr) ** (1 / (count - 1)), at=[length(edge, unit) for edge in edges])


def _trainer(source: Mapping[str, Any], given: Facts) -> Recipe:
    a = Arguments("bubbliiiing", source)
    only(given, ("epochs", "samples", "batch_size", "devices"), a.name, "trains epochs of whole batches, an update each")
    kind = str(a.take("optimizer_type", "sgd")).lower()
    if kind not in _OPTIMIZERS:
        raise a.refuse(f"optimizer_type must be sgd, adam or adamw, got {shown(a.given['optimizer_type'])}")
    if a.take("Init_lr", None) is None:
        raise MissingFactError(
            f"Init_lr is missing, and not assumed; their advice for {kind} is {_ADVICE[kind]}: give --set Init_lr=..."
        )
    lr, decay_type = a.number("Init_lr", above=0), a.word("lr_decay_type", ("cos", "step"), "cos")
    low, nominal = a.number("Min_lr", lr * 0.01, above=0), a.whole("nbs", 64, least=1)
    total = whole_epochs(given["epochs"], a.name) if "epochs" in given else a.whole("UnFreeze_Epoch", least=1)
    frozen = a.whole("Freeze_Epoch", 0) if a.flag("Freeze_Train", False) else 0
    size = a.take("Unfreeze_batch_size", None)
    run = run_over({"samples": a.take("num_train", None), "batch_size": size}, given)
    need(run, ("samples", "batch_size"), "an epoch's steps and the fitted learning rate follow from the run")
    parts = [(0, int(run.batch_size or 1))]
    if frozen:
        parts.insert(0, (0, a.whole("Freeze_batch_size", least=1)))
        parts = parts[:1] if frozen >= total else [parts[0], (frozen, parts[1][1])]
    notes: list[str] = []
    fits = [_fit(lr, low, batch, nominal, kind, notes) for _, batch in parts]
    base = fits[0][0]
    curves = [_curve(a, decay_type, total, fitted, least, "epoch") for fitted, least in fits]
    schedule = curves[0]
    if len(parts) == 2:
        begun, share = length(frozen, "epoch"), ratio(fits[1][0], base)
        if share != 1 or curves[1] != curves[0]:
            schedule = chain(phase(curves[0], over=begun), skip(share * curves[1] if share != 1 else curves[1], begun))
    if frozen:
        notes.append(
            f"the backbone rests for the first {min(frozen, total)} epochs: set requires_grad on it, the groups here are by kind"
        )
    if a.whole("Init_Epoch", 0):
        notes.append(f"Init_Epoch {a.given['Init_Epoch']}: the trainer goes on with the values of this plan from that epoch on")
    if run.devices > 1:
        notes.append("an epoch has num_train // batch size steps, on however many devices")
    if kind == "adamw":
        notes.append("weight_decay of norm and bias is 0.01, AdamW's own default: the trainer leaves it out for them")
    momentum, decay = a.number("momentum", 0.937), a.number("weight_decay", 5e-4 if kind == "sgd" else 0.0)
    a.near()
    settings: dict[str, Any] = {"momentum": momentum, "nesterov": momentum > 0} if kind == "sgd" else {"betas": (momentum, 0.999)}
    return Recipe(
        optimizer=Optimizer(name=_OPTIMIZERS[kind], lr=base, weight_decay=0.01 if kind == "adamw" else 0, **settings),
        groups=by_kind("norm weight bias", decay),
        schedules={"lr": per_epoch(schedule)},
        run=_stages(run, parts, total),
        name="bubbliiiing",
        notes=tuple(notes),
    )


def _stages(run: Run, parts: list[tuple[int, int]], total: int) -> Run:
    """Return the run in stages, each from an epoch on with a batch size; in one, without."""
    if len(parts) == 1:
        return Run(samples=run.samples, drop_last=True, batch_size=parts[0][1], epochs=total)
    (_, before), (frozen, after) = parts
    stages = (Stage(epochs=frozen, batch_size=before), Stage(epochs=total - frozen, batch_size=after))
    return Run(samples=run.samples, drop_last=True, batch_size=after, stages=stages)


def _fit(lr: float, low: float, batch: int, nominal: float, kind: str, notes: list[str]) -> tuple[float, float]:
    """Return Init_lr and Min_lr as they are fitted to a batch size."""
    least, most = _LIMITS[kind]
    fitted = min(max(batch / nominal * lr, least), most)
    lowest = min(max(batch / nominal * low, least * 1e-2), most * 1e-2)
    notes.append(
        f"batch {batch}: lr {lr:g} becomes {fitted:g} and {low:g} becomes {lowest:g}, times {batch}/{nominal:g} within "
        f"{least:g} to {most:g} (and a hundredth of it)"
    )
    return fitted, lowest
