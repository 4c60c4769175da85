"""What each learning-rate policy of MMCV 1.x does, as a schedule of factors, and the warmup that multiplies it.

    lr = base * policy(time) * warmup(t), where time is the epoch (by_epoch) or the iteration t, both from 0
    warmup(t) = 1 from t = warmup_iters = W on; before it
        constant  ratio
        linear    1 - (1 - t / W) (1 - ratio)
        exp       ratio^(1 - t / W)

min_lr is absolute, the same for every group; min_lr_ratio is a factor of a group's own rate. A policy that fills the run is
written without a length, so that most need no number of iterations.

Source: mmcv/runner/hooks/lr_updater.py of MMCV 1.7.2, mmdet/core/hook/yolox_lrupdater_hook.py of MMDetection 2.28.2,
mmcls/core/hook/lr_updater.py of MMClassification 0.25.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...compose import between
from ...errors import shown
from ...fields import Absolute
from ...formulas import formula
from ...laws import decay, inverse, steps
from ...phases import chain, phase
from ...schedule import Schedule, constant
from ...shapes import cosine, exponential, linear, poly, power
from ...timing import skip
from ...units import number_text
from ..arguments import Settings, numbers_of
from ..warm_cosine import length
from .hooks import (
    Horizon,
    Progress,
    Warmup,
    absolute,
    annealing,
    arguments,
    cyclic,
    finish,
    fraction,
    one_cycle,
    progress_of,
    step,
    target,
    warmed,
    warmup_of,
)


def lr_schedule(config: Mapping[str, Any], horizon: Horizon) -> Schedule:
    """Return the learning rate that an lr_config makes, as factors of a group's base value.

    Args:
        config: The lr_config; tuples in it must be tuples.
        horizon: What the runner makes of it; what is to be told is added to its notes.
    Raises:
        MissingFactError: the schedule follows from a number of iterations that is not known.
        InputError: MMCV refuses the config, or the run that it is for.

    Example:
        >>> config = {"policy": "step", "warmup": "linear", "warmup_iters": 500, "warmup_ratio": 0.001, "step": [8, 11]}
        >>> lr_schedule(config, Horizon(12, None, None, 0.02, 0.9, []))
        linear(0.001, 1, over="500 steps") * steps(0.1, at=["8 epochs", "11 epochs"])
    """
    name, a = arguments(config, "lr_config", "LrUpdaterHook", LAWS)
    law, own = LAWS[name], name == "YOLOX"  # whose warmup is its own
    progress = progress_of(name, a, horizon, by_epoch=horizon.epochs is not None)
    warmup = warmup_of(a, [] if own else horizon.notes, ratio=0.1)
    if warmup.unit == "epoch" and horizon.epochs is None:
        raise a.refuse("warmup_by_epoch needs an EpochBasedRunner: an IterBasedRunner has no epochs, and MMCV raises")
    schedule = law(a, progress, warmup) if own else warmed(law(a, progress), _factor(warmup))
    finish(a, "lr_config")
    if not progress.frozen:
        return schedule
    horizon.notes.append(f"{a.name}: by_epoch=True never changes the learning rate: an IterBasedRunner has no epochs")
    return schedule if own else constant(1)


def _factor(warmup: Warmup) -> Schedule | None:
    """Return what multiplies a policy; None where there is no warmup, or one that changes nothing."""
    ratio, over = warmup.ratio, warmup.over
    if warmup.kind is None or ratio == 1:
        return None
    if warmup.kind == "constant":
        return chain(constant(ratio, over=over), constant(1))
    return linear(ratio, 1, over=over) if warmup.kind == "linear" else exponential(ratio, 1, over=over)


def _fixed(a: Settings, progress: Progress) -> Schedule:
    return constant(1)


def _exp(a: Settings, progress: Progress) -> Schedule:
    """gamma^time, which may have any sign."""
    gamma, every = a.number("gamma"), length(1, progress.unit)
    return decay(gamma, per=every) if gamma > 0 and progress.unit == "step" else steps(gamma, every=every)


def _poly(a: Settings, progress: Progress) -> Schedule:
    """min_lr + (base - min_lr) (1 - time / total)^power"""
    exponent, floor, unit = a.number("power", 1.0), absolute(a.number("min_lr", 0.0)), progress.unit
    if exponent > 0:
        return progress.read(linear(1, floor) if exponent == 1 else poly(1, floor, exponent))
    return between(floor, 1, formula(f"(1 - {unit} / {unit}s) ** {number_text(exponent)}"))


def _inv(a: Settings, progress: Progress) -> Schedule:
    """(1 + gamma time)^-power"""
    rate, exponent, unit = a.number("gamma"), a.number("power", 1.0), progress.unit
    if rate >= 0 and exponent > 0:
        return progress.read(inverse(rate, per=length(1, unit), power=exponent))
    return formula(f"(1 + {number_text(rate)} * {unit}) ** {number_text(-exponent)}")


def _flat_cosine(a: Settings, progress: Progress) -> Schedule:
    part, falling = fraction(a, "start_percent", 0.75), cosine(1, target(a))
    flat = round(progress.total * part)
    if flat == progress.total:
        return constant(1)
    return progress.read(chain(constant(1, over=length(flat, progress.unit)), falling) if flat else falling)


def _cooldown(a: Settings, progress: Progress) -> Schedule:
    """The cosine over all but the last cool_down_time, and cool_down_ratio of its end after it: a policy of mmcls."""
    end, part, tail = target(a), a.number("cool_down_ratio", 0.1), a.whole("cool_down_time", 10)
    n, cooled = progress.total - tail, Absolute(end.value * part) if isinstance(end, Absolute) else end * part
    if n == 0:
        raise a.refuse(f"cool_down_time must not be all of the run, got {tail} of {progress.total} {progress.unit}s")
    if n < 0:
        return constant(cooled)
    falling = cosine(1, end, over=length(n, progress.unit))
    return progress.read(chain(phase(falling, over=length(n + 1, progress.unit)), constant(cooled)))


def _cosine_restart(a: Settings, progress: Progress) -> Schedule:
    """min_lr + weight (base - min_lr) (1 + cos(pi u)) / 2 in each period, u the part of it that has elapsed."""
    periods = numbers_of(a.take("periods"), f"{a.name}: periods")
    weights = numbers_of(a.take("restart_weights", [1]), f"{a.name}: restart_weights")
    end, total, unit = target(a), progress.total, progress.unit
    if len(periods) != len(weights):
        raise a.refuse(f"periods and restart_weights must be equally many, got {len(periods)} and {len(weights)}")
    if any(period < 0 for period in periods):
        raise a.refuse(f"periods must not be negative, got {shown(periods)}")
    if sum(periods) <= total - 1:
        raise a.refuse(f"periods must last for the {total} {unit}s of the run, got {sum(periods):g}: past them MMCV raises")
    own = [(weight, length(period, unit)) for weight, period in zip(weights, periods, strict=True) if period]
    if end == 0 or all(weight == 1 for weight in weights):
        return progress.read(chain(*(cosine(weight, end, over=over) for weight, over in own)))
    return progress.read(between(end, 1, chain(*(cosine(weight, 0, over=over) for weight, over in own))))


def _cyclic(a: Settings, progress: Progress) -> Schedule:
    a.number("gamma", 1.0, above=0, most=1)  # which the momentum's doesn't ask for
    return cyclic(a, progress, ratios=(10.0, 1e-4))


def _one_cycle(a: Settings, progress: Progress) -> Schedule:
    """max_lr / div_factor, max_lr, max_lr / div_factor / final_div_factor: absolute, whatever the base value."""
    horizon, given, total = progress.horizon, a.take("max_lr"), progress.total
    if isinstance(given, Mapping | list | tuple):
        raise a.refuse(f"max_lr must be a number, the same for all groups, got {shown(given)}")
    top = a.number("max_lr")
    first, last = a.number("div_factor", 25.0), a.number("final_div_factor", 1e4)
    if first == 0 or last == 0:
        raise a.refuse(f"div_factor and final_div_factor must not be 0, got {first:g} and {last:g}")
    if a.take("total_steps", None) is not None:
        total = a.whole("total_steps")
        if total < progress.total:
            raise a.refuse(f"total_steps must be at least the {progress.total} iterations of the run, got {total}")
    start = top / first
    horizon.notes.append(f"{a.name}: the learning rate begins at {start:g}, max_lr / div_factor; the optimizer's is not used")
    return one_cycle(a, total, start, top, start, start / last)


def _yolox(a: Settings, progress: Progress, warmup: Warmup) -> Schedule:
    """A quadratic warmup in place of the policy, a cosine that is one ahead of the time, and its end for the last epochs.

    ratio ((t + 1) / W)^2 for t < W, whatever the warmup is called; from then on, with n = total - W - last,
    end + (1 - end) (1 + cos(pi (time + 1 - W) / n)) / 2 while time + 1 < total - last, and end
    """
    horizon, tick = progress.horizon, progress.unit
    tail, end = a.number("num_last_epochs"), target(a)
    rising = skip(power(0, warmup.ratio, 2, over=warmup.over), "1 step") if warmup.kind else constant(1)
    if progress.frozen:
        return rising
    plain = tick == "step" and bool(warmup.kind or not warmup.amount)
    if plain and horizon.epochs is not None and (warmup.unit == "epoch" or not warmup.amount):
        unit, until, ahead = "epoch", horizon.epochs - tail, warmup.amount  # all is in epochs, however long they are
    else:
        each = horizon.counted("steps_per_epoch") if tail or warmup.unit == "epoch" else 0
        unit, until, ahead = tick, progress.total - each * tail, warmup.amount * (each if warmup.unit == "epoch" else 1)
    n = until - ahead
    if n == 0 and until * (horizon.counted("steps_per_epoch") if unit != tick else 1) > 1:
        raise a.refuse(f"num_last_epochs {tail:g} and the warmup leave nothing between them, and MMCV divides by 0")
    if not plain:
        # by_epoch counts W and last in iterations all the same, and W counts without a warmup too: the cosine may rise at first
        along = f"(1 + cos(pi * ({tick} + 1 - {ahead}) / {number_text(n)})) / 2 if {tick} + 1 < {number_text(until)} else 0"
        mixed = between(end, 1, formula(along)) if n else constant(end)
        return chain(phase(rising, over=warmup.over), skip(mixed, warmup.over)) if warmup.kind else mixed
    falling = cosine(1, end, over=length(n, unit)) if n > 0 else constant(end)
    if not warmup.kind:
        return skip(falling, "1 step")
    if warmup.ratio == 1 and n > 0:
        return skip(chain(power(0, 1, 2, over=warmup.over), falling), "1 step")
    # a cosine of a single step is over as it begins
    after = (skip(falling, "1 step"), constant(end)) if n > 0 else (falling,)
    return chain(phase(rising, over=warmup.over), *after)


LAWS: dict[str, Callable[..., Schedule]] = {
    "Fixed": _fixed,
    "Step": step,
    "Exp": _exp,
    "Poly": _poly,
    "Inv": _inv,
    "CosineAnnealing": partial(annealing, shape=cosine),
    "FlatCosineAnnealing": _flat_cosine,
    "CosineAnnealingCooldown": _cooldown,
    "CosineRestart": _cosine_restart,
    "Cyclic": _cyclic,
    "OneCycle": _one_cycle,
    "LinearAnnealing": partial(annealing, shape=linear),
    "YOLOX": _yolox,
}
