"""Live schedulers of torch: what their objects hold, as a description. Nothing of them is called and nothing is changed."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace
from typing import Any

from ...errors import InputError
from ...recipe import Recipe
from ...run import Run

# The arguments of a scheduler, by the attributes in which it keeps them.
_KEPT: dict[str, tuple[str, ...]] = {
    "StepLR": ("step_size", "gamma"),
    "ConstantLR": ("factor", "total_iters"),
    "LinearLR": ("start_factor", "end_factor", "total_iters"),
    "ExponentialLR": ("gamma",),
    "PolynomialLR": ("total_iters", "power"),
    "CosineAnnealingLR": ("T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": ("T_0", "T_mult", "eta_min"),
    "ReduceLROnPlateau": ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps"),
}
_HOMES = ("torch.optim.lr_scheduler", "torch.optim.swa_utils")


def describe(scheduler: Any) -> dict[str, Any] | None:
    """Return the description of a live scheduler with its optimizer; None for anything else.

    Raises:
        InputError: it is a class of somebody's own, or it has been fed metrics that it does not keep.
    """
    homes = [cls for cls in type(scheduler).__mro__ if cls.__module__ in _HOMES]
    if not homes:
        return None
    if homes[0] is not type(scheduler):
        raise InputError(
            f"{type(scheduler).__name__} is a class of your own on top of torch's {homes[0].__name__}, which can't be read; "
            "describe what it does as a mapping or a schedule"
        )
    return {"scheduler": _scheduler(scheduler), "optimizer": _optimizer(scheduler), "name": type(scheduler).__name__}


def begun(scheduler: Any) -> int:
    """Return how many steps a live scheduler has made."""
    inner = getattr(scheduler, "_schedulers", ())
    made = scheduler.last_epoch if hasattr(scheduler, "last_epoch") else inner[0].last_epoch if inner else 0
    return max(int(made), 0)


def _scheduler(scheduler: Any) -> dict[str, Any]:
    name = type(scheduler).__name__
    groups = scheduler.optimizer.param_groups
    if len(getattr(scheduler, "base_lrs", groups)) != len(groups):
        raise InputError(
            f"{name} was built for {len(scheduler.base_lrs)} parameter groups, and its optimizer has {len(groups)} by now: "
            "build it after the last add_param_group"
        )
    if name in ("SequentialLR", "ChainedScheduler"):
        inner = {"name": name, "schedulers": [_scheduler(child) for child in scheduler._schedulers]}
        return {**inner, "milestones": list(scheduler._milestones)} if name == "SequentialLR" else inner
    if name in ("LambdaLR", "MultiplicativeLR"):
        return {"name": name, "lr_lambda": list(scheduler.lr_lambdas)}
    if name == "MultiStepLR":
        return {"name": name, "milestones": sorted(scheduler.milestones.elements()), "gamma": scheduler.gamma}
    if name == "SWALR":
        strategy = "cos" if scheduler.anneal_func.__name__ == "_cosine_anneal" else "linear"
        swa = [group["swa_lr"] for group in groups]
        return {"name": name, "swa_lr": swa, "anneal_epochs": scheduler.anneal_epochs, "anneal_strategy": strategy}
    if name == "CyclicLR":
        return _cyclic(scheduler)
    if name == "OneCycleLR":
        return _one_cycle(scheduler)
    if name not in _KEPT:
        raise InputError(f"{name} of torch can't be read")
    kept = {key: getattr(scheduler, key) for key in _KEPT[name]}
    if name == "ReduceLROnPlateau":
        if scheduler.last_epoch:
            raise InputError(
                f"this ReduceLROnPlateau has been fed {scheduler.last_epoch} metrics, which it does not keep: read it before that"
            )
        kept["min_lr"] = [float(one) for one in scheduler.min_lrs]
    return {"name": name, **kept}


def _cyclic(scheduler: Any) -> dict[str, Any]:
    up = _whole(scheduler.total_size * scheduler.step_ratio)
    settings = {
        "name": "CyclicLR",
        "base_lr": list(map(float, scheduler.base_lrs)),
        "max_lr": list(map(float, scheduler.max_lrs)),
        "step_size_up": up,
        "step_size_down": _whole(scheduler.total_size - up),
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "scale_fn": scheduler._scale_fn_custom,
        "scale_mode": scheduler.scale_mode,
        "cycle_momentum": scheduler.cycle_momentum,
    }
    if scheduler.cycle_momentum:
        settings |= {"base_momentum": scheduler.base_momentums, "max_momentum": scheduler.max_momentums}
    return settings


def _one_cycle(scheduler: Any) -> dict[str, Any]:
    groups, phases, total = scheduler.optimizer.param_groups, scheduler._schedule_phases, scheduler.total_steps
    first = groups[0]
    settings = {
        "name": "OneCycleLR",
        "max_lr": [group["max_lr"] for group in groups],
        "total_steps": total,
        "pct_start": (phases[0]["end_step"] + 1) / total,
        "anneal_strategy": scheduler._anneal_func_type,
        "three_phase": len(phases) == 3,
        "div_factor": _over(first["max_lr"], first["initial_lr"]),
        "final_div_factor": _over(first["initial_lr"], first["min_lr"]),
        "cycle_momentum": scheduler.cycle_momentum,
    }
    if scheduler.cycle_momentum:
        settings |= {f"{end}_momentum": [group[f"{end}_momentum"] for group in groups] for end in ("base", "max")}
    return settings


def _optimizer(scheduler: Any) -> dict[str, Any]:
    """Return the optimizer's groups at the base values from which its schedulers start."""
    optimizer, groups = scheduler.optimizer, []
    for index, group in enumerate(optimizer.param_groups):
        base = _base(scheduler, index)
        kept = {key: group[key] for key in ("momentum", "betas", "weight_decay") if key in group and group[key] is not None}
        groups.append({"lr": float(group.get("initial_lr", group["lr"]) if base is None else base), **_plain(kept)})
        if "name" in group:
            groups[-1]["name"] = group["name"]
    return {"type": type(optimizer).__name__, **groups[0], "groups": groups, **_options(optimizer)}


def _options(optimizer: Any) -> dict[str, Any]:
    """Return what an optimizer was told beside what has a key of its own, where that is not its class's default."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(type(optimizer)).parameters.items()}
    own = ("params", "lr", "momentum", "betas", "weight_decay")
    return {
        key: value
        for key, value in optimizer.defaults.items()
        if key in defaults and key not in own and value != defaults[key] and isinstance(value, bool | int | float | str)
    }


def _base(scheduler: Any, group: int) -> float | None:
    """Return the base value that a scheduler, or the first inside it that is moved by one, took from a group."""
    for child in getattr(scheduler, "_schedulers", ()):
        if type(child).__name__ not in ("OneCycleLR", "CyclicLR"):
            return _base(child, group)
    bases = getattr(scheduler, "base_lrs", None)
    return float(bases[group]) if bases else None


def _plain(kept: dict[str, Any]) -> dict[str, Any]:
    return {key: [float(one) for one in value] if isinstance(value, tuple) else float(value) for key, value in kept.items()}


def _over(top: float, bottom: float) -> float:
    """Return a ratio; that of two zeros is of no account."""
    return float(top / bottom) if bottom else 1.0


def _whole(value: float) -> float:
    """Return a number of steps that a division may have moved off its whole number."""
    return round(value) if abs(value - round(value)) < 1e-6 else value


def agree(scheduler: Any, recipe: Recipe) -> Recipe:
    """Refuse a scheduler whose optimizer holds another value than its schedule has at the step that it has reached.

    Somebody wrote into the groups, the scheduler was built in the middle of a run, or two are at work. A recipe has no place in
    a run, so it gets a note of the one that the scheduler has.
    """
    step = begun(scheduler)
    # past its end OneCycleLR has written what lies beyond; a plateau's decisions are not of the step
    if step < getattr(scheduler, "total_steps", math.inf) and type(scheduler).__name__ != "ReduceLROnPlateau":
        _compare(scheduler, recipe, step)
    if not step:
        return recipe
    note = (
        f"this scheduler has made {step} steps, and is read from its first; to go on there: drive(optimizer, plan, updates=...)"
    )
    return replace(recipe, notes=(*recipe.notes, note))


def _compare(scheduler: Any, recipe: Recipe, step: int) -> None:
    planned = recipe.plan(Run(steps=step + 1, steps_per_epoch=1)).at(step)["lr"]
    for (name, ours), group in zip(planned.items(), scheduler.optimizer.param_groups, strict=True):
        held = float(group["lr"])
        if not math.isclose(held, ours, rel_tol=1e-6, abs_tol=1e-12):
            raise InputError(
                f"the optimizer's group {name} holds lr {held:g} at step {step}, where {type(scheduler).__name__} has {ours:g}: "
                "something else wrote into it, or the scheduler was built in the middle of a run; describe it as a mapping"
            )
