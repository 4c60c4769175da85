"""YOLOv5: a hyp file, or the opt.yaml of a run, with the rules of its training loop.

    {"lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "weight_decay": 0.0005, "warmup_epochs": 3.0, "warmup_momentum": 0.8,
     "warmup_bias_lr": 0.1, "box": 0.05, ...}                           data/hyps/hyp.scratch-low.yaml
    {"hyp": {...}, "epochs": 300, "batch_size": 16, "cos_lr": true, "optimizer": "SGD"}         runs/train/exp/opt.yaml

What a hyp file leaves to the command line of train.py may be given beside it: `cos_lr` (false by default), `optimizer` (SGD),
`nbs` (64), `resume_epoch`. `loop` says which loop trains: "detect" is train.py; "classify" is classify/train.py, whose weight
decay is called `decay`; "tutorial" is the well-known tutorial of the older loop, with `warmup_iters`, without accumulation.

Source: ultralytics/yolov5 train.py, utils/torch_utils.py (smart_optimizer) and utils/general.py (one_cycle) of version 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError, shown
from ..fields import Absolute
from ..phases import chain
from ..recipe import Recipe
from ..run import Facts, Run
from ..schedule import Schedule, constant
from ..shapes import linear
from ..timing import per_epoch, shift, skip
from ..units import number_text
from .arguments import Arguments, mapping, only, run_over
from .yolo_loop import FACTS, ULTRALYTICS_SIGNS, YOLOV5_SIGNS, Loop, by_kind, optimizer_of, warmed

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = ()
LOOKS = "lr0 with anchor_t or obj"
_YOLOV7 = ("loss_ota", "paste_in")
_OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSProp")


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description holds the settings of a hyp file, or of a run with one."""
    hyp = source.get("hyp", source)
    if isinstance(hyp, str):
        return "epochs" in source or "batch_size" in source
    if not isinstance(hyp, Mapping) or "lr0" not in hyp:
        return False
    if "decay" in source:
        return True
    return "lrf" in hyp and (any(key in source for key in YOLOV5_SIGNS) or not any(key in source for key in ULTRALYTICS_SIGNS))


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a hyp file.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run; epochs, samples and batch size are needed.
    Returns:
        The recipe: groups bias, weight and norm, in the order of the optimizer's param_groups.
    Raises:
        MissingFactError: a fact of the run is missing.
        InputError: a setting is missing or wrong.

    Example:
        >>> hyp = {"lr0": 0.01, "lrf": 0.1, "momentum": 0.937, "weight_decay": 0.0005, "warmup_epochs": 3, "warmup_momentum": 0.8,
        ...        "warmup_bias_lr": 0.1}
        >>> read(hyp, dict(epochs=300, samples=117266, batch_size=64)).schedules["lr"]
        approach(shift(per_epoch(linear(1, 0.1)), "1 epoch", at="3 epochs"), 0, over="3 epochs")
    """
    hyp = source.get("hyp", source)
    if isinstance(hyp, str):
        raise InputError(
            f"hyp names the file {shown(hyp)}: give that file, and what stands here as --set cos_lr=..., --epochs ..."
        )
    a = Arguments("YOLOv5", {**mapping(hyp, "hyp"), **{key: value for key, value in source.items() if key != "hyp"}})
    for key in _YOLOV7:
        if key in a.given:
            raise a.refuse(
                f"{key} is a setting of YOLOv7, whose loop differs: 1000 batches of warmup at least, an accumulation of its own"
            )
    only(given, FACTS, a.name, "trains epochs, and works the accumulation out by itself from nbs / batch size")
    own = {name: a.take(name, None) for name in ("epochs", "batch_size", "samples")}
    if own["batch_size"] == -1:
        own["batch_size"] = None  # found out as it trains
    loop = a.word("loop", ("detect", "classify", "tutorial"), "classify" if "decay" in a.given else "detect")
    recipe = {"detect": _detect, "classify": _classify, "tutorial": _tutorial}[loop](a, run_over(own, given))
    a.near()
    return recipe


def _detect(a: Arguments, run: Run) -> Recipe:
    loop = Loop(a.name, run, a.whole("nbs", 64, least=1))
    loop.notes += [
        f"{key} is not given, as it is {shown(value)} by default in train.py; say --set {key}=..."
        for key, value in (("cos_lr", False), ("optimizer", "SGD"))
        if key not in a.given
    ]
    nw = loop.span(a.number("warmup_epochs", most=1e6), 100)
    optimizer = optimizer_of(a, a.take("optimizer", "SGD"), _OPTIMIZERS, a.number("lr0"), a.number("momentum"))
    lagging = shift(per_epoch(loop.curve(a.flag("cos_lr", False), a.number("lrf"))), "1 epoch", at=nw)
    if a.take("resume_epoch", None) is not None:
        resumed = a.whole("resume_epoch", least=1)
        if resumed >= (run.epochs or 0):
            raise a.refuse(f"resume_epoch must lie in the run's {run.epochs:g} epochs, got {resumed}")
        loop.notes.append(
            f"resumed at epoch {resumed}, YOLOv5 goes on with the values of this plan from batch {resumed * loop.batches} on; "
            "its first update comes at its first batch"
        )
    start = a.number("warmup_momentum")
    schedules = {"lr": warmed(lagging, 0.0, nw)}
    if optimizer.betas is None:
        schedules["momentum"] = linear(Absolute(start), 1, over=nw)
    else:
        loop.notes.append(f"ignored: warmup_momentum {start:g}, as the betas of {optimizer.name} are not warmed up")
    bias = {"lr": warmed(lagging, a.number("warmup_bias_lr"), nw)}
    groups = by_kind("bias weight norm", loop.decay(a.number("weight_decay")), bias)
    accumulate = loop.accumulation(nw, loop.nominal / (run.batch_size or 1))
    return loop.recipe(optimizer, groups, schedules=schedules, run=run.override(accumulate=accumulate), name="yolov5")


def _classify(a: Arguments, run: Run) -> Recipe:
    """classify/train.py: no warmup, no accumulation, and no lag, for the scheduler's own count is left alone."""
    fixed = {"lrf": 0.01, "momentum": 0.9, "cos_lr": False}
    notes = [
        f"ignored: {key} {shown(a.take(key))}, as classify/train.py has {shown(value)} written into it"
        for key, value in fixed.items()
        if a.take(key, value) != value
    ]
    optimizer = optimizer_of(a, a.take("optimizer", "Adam"), _OPTIMIZERS, a.number("lr0"), 0.9)
    groups = by_kind("bias weight norm", a.number("decay"))
    schedules: dict[str, Schedule] = {"lr": per_epoch(linear(1, 0.01))}
    return Recipe(optimizer=optimizer, groups=groups, schedules=schedules, run=run, name="yolov5-classify", notes=tuple(notes))


def _tutorial(a: Arguments, run: Run) -> Recipe:
    """The loop of the tutorial: its warmup is given in batches, and a run that begins later holds lr0 through its first epoch."""
    loop = Loop(a.name, run, 64)
    nw = f"{a.whole('warmup_iters', least=1)} batches"
    optimizer = optimizer_of(a, a.take("optimizer", "SGD"), _OPTIMIZERS, a.number("lr0"), a.number("momentum"))
    curve = per_epoch(loop.curve(a.flag("cos_lr", True), a.number("lrf")))
    start = a.whole("start_epoch", 0)
    begun = start * loop.batches
    lagging = shift(curve, "1 epoch", at=nw)
    schedules: dict[str, Schedule] = {
        "lr": warmed(lagging, 0.0, nw),
        "momentum": linear(Absolute(a.number("warmup_momentum")), 1, over=nw),
    }
    bias = warmed(lagging, a.number("warmup_bias_lr"), nw)
    if start:
        if begun <= int(nw.split()[0]):
            raise a.refuse(f"start_epoch {start} lies in the warmup of {nw}, where that loop can't begin")
        late = skip(shift(curve, "1 epoch"), f"{number_text(start + 1)} epochs")
        bias = chain(constant(1, over="1 epoch"), late)
        schedules = {"lr": bias}
        run = run.override(epochs=(run.epochs or 0) - start)
    groups = by_kind("norm weight bias", a.number("weight_decay"), {"lr": bias})
    return loop.recipe(optimizer, groups, schedules=schedules, run=run, name="yolov5-tutorial")
