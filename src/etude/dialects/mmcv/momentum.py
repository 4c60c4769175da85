"""What each momentum policy of MMCV 1.x does, as a schedule of factors, and the warmup that divides it.

    momentum = base * policy(time) / warmup(t), where time is the epoch (by_epoch) or the iteration t, both from 0

A warmup divides, so that momentum comes down onto its policy; its formulas are told in `laws`. beta1 stands for momentum where
the optimizer has betas. min_momentum is absolute, the same for every group; min_momentum_ratio is a factor of a group's own.

Source: mmcv/runner/hooks/momentum_updater.py of MMCV 1.7.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...errors import shown
from ...fields import number
from ...formulas import formula
from ...phases import chain
from ...schedule import Schedule, constant
from ...shapes import cosine, exponential, linear
from ...units import number_text
from ..arguments import Settings
from .hooks import (
    Horizon,
    Progress,
    Warmup,
    annealing,
    arguments,
    cyclic,
    finish,
    one_cycle,
    progress_of,
    step,
    warmed,
    warmup_of,
)


def momentum_schedule(config: Mapping[str, Any], horizon: Horizon) -> tuple[Schedule, float | None] | None:
    """Return the momentum that a momentum_config makes, as factors of a group's base value.

    Args:
        config: The momentum_config; tuples in it must be tuples.
        horizon: What the runner makes of it; what is to be told is added to its notes.
    Returns:
        The schedule, and the base value that the hook puts in place of the optimizer's own: OneCycle's max_momentum, whose
        levels are absolute. None where momentum is never touched.
    Raises:
        MissingFactError: the schedule follows from a number of iterations that is not known.
        InputError: MMCV refuses the config, or the run or the optimizer that it is for.

    Example:
        >>> from etude.dialects.mmcv.hooks import Horizon
        >>> config = {"policy": "CosineAnnealing", "min_momentum_ratio": 0.5, "warmup": "exp", "warmup_iters": 10}
        >>> momentum_schedule(config, Horizon(12, None, None, 0.02, 0.9, []))
        (exponential(1.1111111111111112, 1, over="10 steps") * per_epoch(cosine(1, 0.5)), None)
    """
    name, a = arguments(config, "momentum_config", "MomentumUpdaterHook", LAWS)
    progress = progress_of(name, a, horizon, by_epoch=True)
    divisor = _divisor(warmup_of(a, horizon.notes, ratio=0.9, by_epoch=False))
    schedule = warmed(LAWS[name](a, progress), divisor)
    finish(a, "momentum_config")
    if horizon.momentum is None:
        raise a.refuse("the optimizer has neither momentum nor betas")
    if progress.frozen:
        horizon.notes.append(
            f"{a.name}: by_epoch, which is the default, never changes momentum: an IterBasedRunner has no epochs"
        )
        return None
    return schedule, _level(a, "max_momentum") if name == "OneCycle" else None


def _divisor(warmup: Warmup) -> Schedule | None:
    """Return 1 / warmup(t); None where there is no warmup, or one that changes nothing."""
    ratio, over = warmup.ratio, warmup.over
    if warmup.kind is None or ratio == 1:
        return None
    if warmup.kind == "constant":
        return chain(constant(1 / ratio, over=over), constant(1))
    if warmup.kind == "exp":
        return exponential(1 / ratio, 1, over=over)
    return formula(f"1 / (1 - (1 - {number_text(ratio)}) * max(0, 1 - step / {warmup.amount}))")


def _one_cycle(a: Settings, progress: Progress) -> Schedule:
    """From max_momentum down to base_momentum while the learning rate goes up, and back: absolute, whatever the base value."""
    least, most = (_level(a, key) for key in ("base_momentum", "max_momentum"))
    return one_cycle(a, progress.total, most, least, most, most)


def _level(a: Settings, key: str) -> float:
    given = a.take(key, {"base_momentum": 0.85, "max_momentum": 0.95}[key])
    if not isinstance(given, float):
        raise a.refuse(f"{key} must be a float, the same for all groups, got {shown(given)}")
    return number(given, f"{a.name}: {key}")


LAWS: dict[str, Callable[..., Schedule]] = {
    "Step": partial(step, floor="min_momentum", gamma=0.5),
    "CosineAnnealing": partial(annealing, shape=cosine, floor="min_momentum"),
    "LinearAnnealing": partial(annealing, shape=linear, floor="min_momentum"),
    "Cyclic": partial(cyclic, ratios=(0.85 / 0.95, 1.0)),
    "OneCycle": _one_cycle,
}
