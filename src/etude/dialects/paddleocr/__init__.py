"""PaddleOCR: the Optimizer of a config, and the length of its run.

    Global: {epoch_num: 500}
    Optimizer:
      name: Adam
      beta1: 0.9
      lr: {name: Cosine, learning_rate: 0.001, warmup_epoch: 5}
      regularizer: {name: L2, factor: 3.0e-05}

The rate is set at every iteration. A warmup rises from 0, and what follows it begins anew and is never shortened: the run's end
cuts it. `view: tutorial` shows what `scheduler.step(); scheduler.get_lr()` prints, which is the next iteration's rate, and for
the two cosines without a warmup, whose get_lr() moves on by itself, one factor more.

Source: PaddlePaddle/PaddleOCR, ppocr/optimizer (learning_rate.py, lr_scheduler.py, optimizer.py, regularizer.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InputError, shown
from ...recipe import Optimizer, Recipe
from ...run import Facts, Run
from ..arguments import Arguments, as_float, mapping, run_over
from .laws import LAWS, Horizon, law

__all__ = ["LOOKS", "NAMES", "read", "takes"]
NAMES = tuple(LAWS)
LOOKS = "Optimizer.lr"
_OPTIMIZERS = {"Momentum": "SGD", "SGD": "SGD", "Adam": "Adam", "AdamW": "AdamW", "RMSProp": "RMSprop", "Adadelta": "Adadelta"}


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description is a config of PaddleOCR."""
    optimizer = source.get("Optimizer")
    return isinstance(optimizer, Mapping) and "lr" in optimizer


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a config.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run: the iterations of an epoch, or what they follow from, are never in the file.
    Returns:
        The recipe: one group `all`.
    Raises:
        InputError: PaddleOCR refuses it.

    Example:
        >>> lr = {"name": "Cosine", "learning_rate": 0.001, "warmup_epoch": 5}
        >>> read({"Global": {"epoch_num": 500}, "Optimizer": {"name": "Adam", "lr": lr}}, {}).schedules["lr"]
        chain(linear(0, 1, over="5 epochs"), cosine(1, 0, over="100%"))
    """
    notes: list[str] = []
    run = _run(source, given, notes)
    optimizer = mapping(source.get("Optimizer"), "Optimizer")
    view = Arguments("PaddleOCR", source).word("view", ("in force", "tutorial"), "in force")
    if run.epochs is not None and run.epochs != int(run.epochs):
        raise InputError(f"Global.epoch_num must be a whole number of epochs, got {run.epochs:g}")
    horizon = Horizon(run, tutorial=view == "tutorial", notes=notes)
    base, schedule = law(mapping(optimizer.get("lr"), "Optimizer.lr"), horizon)
    if view == "tutorial":
        notes.append("these are the rates that scheduler.step(); scheduler.get_lr() prints, not the ones in force")
    return Recipe(
        optimizer=_optimizer(optimizer, base, notes), schedules={"lr": schedule}, run=run, name="paddleocr", notes=tuple(notes)
    )


def _run(source: Mapping[str, Any], given: Facts, notes: list[str]) -> Run:
    """Return the run's facts as far as the file has them."""
    about, train = source.get("Global"), source.get("Train")
    epochs = mapping(about, "Global").get("epoch_num") if about is not None else None
    loader = train.get("loader") if isinstance(train, Mapping) else None
    loader = loader if isinstance(loader, Mapping) else {}
    card = loader.get("batch_size_per_card")
    own: dict[str, Any] = {"epochs": epochs}
    if isinstance(card, int) and given.get("batch_size") is None:
        own["batch_size"] = card * given.get("devices", 1)
    if loader.get("drop_last") is True and given.get("steps_per_epoch") is None:
        own["drop_last"] = True
    if isinstance(train, Mapping) and train.get("sampler") and given.get("samples"):
        notes.append("Train.sampler makes batches of its own: say the iterations of an epoch with --steps-per-epoch")
    return run_over(own, given)


def _optimizer(given: Mapping[str, Any], lr: float, notes: list[str]) -> Optimizer:
    a = Arguments("Optimizer", given)
    a.take("lr")
    name = a.take("name")
    if not isinstance(name, str) or name not in _OPTIMIZERS:
        raise a.refuse(f"name must be one of {', '.join(_OPTIMIZERS)}, got {shown(name)}")
    settings: dict[str, Any] = {"weight_decay": _decay(a, name, notes)}
    options: dict[str, float] = {}
    if name in ("Adam", "AdamW"):
        settings |= {"betas": (a.number("beta1", 0.9), a.number("beta2", 0.999)), "eps": a.number("epsilon", 1e-8)}
    elif name == "Momentum":
        settings["momentum"] = a.number("momentum")
    elif name == "RMSProp":
        settings |= {"momentum": a.number("momentum", 0.0), "eps": a.number("epsilon", 1e-6)}
        options["alpha"] = a.number("rho", 0.95)
    elif name == "Adadelta":
        settings["eps"] = a.number("epsilon", 1e-8)
        options["rho"] = a.number("rho", 0.95)
    for key, how in (("clip_norm", "each tensor by itself"), ("clip_norm_global", "all together")):
        if key in a.given:
            notes.append(f"gradients are clipped to the norm {a.number(key):g}, {how}: that is left to your loop")
    spared = [key for key in ("no_weight_decay_name", "one_dim_param_no_weight_decay") if name == "AdamW" and a.take(key, None)]
    notes.extend(f"{key} {shown(a.given[key])}: no weight decay for those; the one group here has it for all" for key in spared)
    notes.extend(
        f"ignored: Optimizer.{key} {shown(a.given[key])}: {name} has no such setting" for key in a.given if key not in a.taken
    )
    return Optimizer(name=_OPTIMIZERS[name], lr=lr, options=options, **settings)


def _decay(a: Arguments, name: str, notes: list[str]) -> float:
    """Return the weight decay: the regularizer's factor, which may be a text, or else weight_decay."""
    own = a.take("weight_decay", None)
    regularizer = a.take("regularizer", None)
    if regularizer is None:
        return (0.01 if name == "AdamW" else 0.0) if own is None else a.number("weight_decay")
    rule = Arguments("Optimizer.regularizer", mapping(regularizer, "Optimizer.regularizer"))
    kind, factor = rule.take("name"), rule.take("factor")
    if own is not None:
        notes.append(f"ignored: Optimizer.weight_decay {shown(own)}: the regularizer is there, and counts")
    if kind == "L1":
        notes.append(f"regularizer L1 with factor {factor}: no optimizer's weight decay, and left to your loss")
        return 0.0
    if kind != "L2":
        raise rule.refuse(f"name must be L1 or L2, got {shown(kind)}")
    return as_float(rule, "factor")
