"""What timm's create_scheduler_v2 makes of its arguments: which scheduler, in which times, for how many epochs; and its noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import MissingFactError, shown
from ...fields import number
from ...laws import values
from ...run import Run
from ...schedule import Schedule
from ...timing import per_epoch
from ...units import number_text
from ..arguments import Arguments
from .cycles import cycle_length
from .laws import CYCLIC, LAWS
from .noise import factors
from .place import Line, Settings, Words

CLASSES = {
    "cosine": "CosineLRScheduler",
    "tanh": "TanhLRScheduler",
    "step": "StepLRScheduler",
    "constant": "StepLRScheduler",
    "multistep": "MultiStepLRScheduler",
    "plateau": "PlateauLRScheduler",
    "poly": "PolyLRScheduler",
    "wsd": "WSDLRScheduler",
    "rsqrt": "WSDLRScheduler",
    "none": "",
}
FACTORY: Words = {
    "sched": ("sched", "cosine"),
    "t_initial": ("num_epochs", 300),
    "decay_t": ("decay_epochs", None),
    "milestones": ("decay_milestones", [90, 180, 270]),
    "cooldown": ("cooldown_epochs", 0),
    "patience_t": ("patience_epochs", 10),
    "decay_rate": ("decay_rate", 0.1),
    "power": ("decay_rate", 0.1),
    "lr_min": ("min_lr", 0.0),
    "warmup_lr_init": ("warmup_lr", 1e-5),
    "warmup_t": ("warmup_epochs", 0),
    "warmup_prefix": ("warmup_prefix", False),
    "noise": ("noise", None),
    "noise_pct": ("noise_pct", 0.67),
    "noise_std": ("noise_std", 1.0),
    "noise_seed": ("noise_seed", 42),
    "cycle_mul": ("cycle_mul", 1.0),
    "cycle_decay": ("cycle_decay", 0.1),
    "cycle_limit": ("cycle_limit", 1),
    "k_decay": ("k_decay", 1.0),
    "decay_fn": ("decay_fn", None),
    "stable_timescale": ("stable_timescale", None),
    "mode": ("plateau_mode", "max"),
}
"""The arguments of create_scheduler_v2, by the names that the schedulers have for them."""


@dataclass
class Made:
    """What the factory returns: a schedule for each scale, and the epochs of the run."""

    sched: str
    schedules: list[Schedule] | None
    epochs: int
    notes: list[str] = field(default_factory=list)


def scheduled(
    a: Arguments,
    words: Words,
    run: Run,
    lr: float,
    scales: Sequence[float],
    *,
    on_epochs: bool,
    fixed: Mapping[str, Any] | None = None,
) -> Made:
    """Return what create_scheduler_v2 makes.

    Args:
        a: Its arguments.
        words: What they are called.
        run: The run's facts; its steps per epoch are needed where a time is no whole number of epochs.
        lr: The base learning rate.
        scales: The groups' lr_scale.
        on_epochs: Whether a t is an epoch, or an update.
        fixed: Settings that are known otherwise.
    """
    s = Settings(a, words, fixed=dict(fixed or {}))
    sched = s.word("sched", tuple(CLASSES), "cosine")
    asked = s.whole("t_initial", 300, least=1)
    if not CLASSES[sched]:
        return Made(sched, None, asked)
    if sched == "plateau" and not on_epochs:
        raise a.refuse("sched plateau goes by epochs, and timm refuses it by updates")
    by_update = not on_epochs and not _whole_epochs(s, sched)
    updates = run.parts()[0].steps
    if by_update:
        if updates is None:
            raise MissingFactError(
                f"{a.name}: what is read by update here is no whole number of epochs: "
                "give --steps-per-epoch, or --samples and --batch-size"
            )
        s.per = updates
    made = Made(sched, [], asked)
    _decays(s, sched)
    made.epochs = _epochs(s, sched, asked, on_epochs, made.notes)
    unit = "steps" if by_update else "epochs"
    end = made.epochs * s.per
    found = s.take("noise", None)
    heard = [one * (asked * s.per) for one in _shares(s, found)] if isinstance(found, list | tuple) else found
    if isinstance(heard, list) and len(heard) == 1:
        heard = heard[0]
    elif found is not None and not isinstance(heard, list):
        heard = number(found, f"{a.name}: {s.key('noise')}") * (asked * s.per)
    for scale in scales:
        line = Line(unit, "1 epoch" if on_epochs else "1 step", end, lr * scale, scale, made.notes)
        schedule = noisy(s, line, LAWS[CLASSES[sched]](s, line), heard, sched)
        made.schedules = [*(made.schedules or []), per_epoch(schedule) if on_epochs else schedule]
    if sched == "poly":
        made.notes.append(f"{s.key('decay_rate')} {s.number('power'):g} is the power of the polynomial")
    if sched == "plateau":
        made.notes.append("a resumed run forgets in timm how long nothing has improved, and here doesn't")
    return made


def _shares(s: Settings, found: Sequence[Any]) -> list[float]:
    if not found:
        raise s.refuse("noise", f"must hold where it begins, and may hold where it ends, as parts of the run; got {shown(found)}")
    return [number(one, f"{s.a.name}: {s.key('noise')}[{index}]") for index, one in enumerate(found)]


def _whole_epochs(s: Settings, sched: str) -> bool:
    """Whether times that are read by update can be told in epochs all the same."""
    times = [s.number("warmup_t"), s.number("cooldown")]
    if sched in ("step", "wsd", "rsqrt"):
        decay = s.take("decay_t")
        times.append((90 if sched == "step" else 0.2) if decay is None else s.number("decay_t"))
    if sched == "multistep":
        times += s.numbers("milestones")
    if sched == "tanh" and not s.number("warmup_t"):  # its first update alone is the constructor's
        return False
    cycles = CLASSES[sched] not in CYCLIC or s.number("cycle_mul") == 1
    return cycles and s.take("noise") is None and all(time == int(time) for time in times)


def _decays(s: Settings, sched: str) -> None:
    """Say what the factory works out before a scheduler sees it."""
    if sched == "constant":
        s.fixed |= {"decay_t": 1.0, "decay_rate": 1.0}
    if sched == "step" and s.take("decay_t") is None:
        s.fixed["decay_t"] = 90 * s.per
    if sched in ("wsd", "rsqrt"):
        length = s.time("t_initial") - (0 if s.flag("warmup_prefix", False) else s.time("warmup_t"))
        decay = 0.2 if s.take("decay_t") is None else s.number("decay_t")
        s.fixed |= {
            "t_initial": length,
            "decay_t": float(round(decay * length if 0 < decay < 1 else decay * s.per)),
            "stable_fn": "rsqrt" if sched == "rsqrt" else "constant",
            "decay_fn": s.take("decay_fn") or ("linear" if sched == "rsqrt" else "1-sqrt"),
        }


def _epochs(s: Settings, sched: str, asked: int, on_epochs: bool, notes: list[str]) -> int:
    """Return the epochs of the run that the factory returns."""
    prefix, warmup, cooldown = s.flag("warmup_prefix", False), s.time("warmup_t"), s.time("cooldown")
    cyclic = CLASSES[sched] in CYCLIC
    parts = []
    if cyclic or sched in ("wsd", "rsqrt"):
        whole = (cycle_length(s) if cyclic else s.time("t_initial") + warmup) + cooldown
        found = whole if on_epochs else whole // s.per
        if cyclic and s.whole("cycle_limit", 1) > 1:
            parts.append(f"{s.whole('cycle_limit', 1)} cycles ({s.key('cycle_limit')})")
        if cooldown:
            parts.append(f"a cooldown ({s.key('cooldown')})")
    else:
        found = asked + (warmup / s.per if prefix else 0)
        if cooldown:
            notes.append(f"ignored: {s.key('cooldown')} {number_text(s.number('cooldown'))}, because sched {sched} has none")
    if prefix and warmup:
        parts.append(
            f"a warmup that shortens nothing ({s.key('warmup_prefix')})"
            if sched != "plateau"
            else f"a {s.key('warmup_prefix')}, for which plateau has no other use"
        )
    if found != int(found):
        raise s.a.refuse(f"the run would be {found:g} epochs with {' and '.join(parts)}, and timm trains whole ones")
    if found != asked:
        notes.append(f"the run is {found:g} epochs, of {asked} asked for, with {' and '.join(parts) or 'what timm counts'}")
    return int(found)


def noisy(s: Settings, line: Line, schedule: Schedule, heard: Any, sched: str) -> Schedule:
    """Return a schedule with noise on it.

    Args:
        s: The settings.
        line: The times.
        schedule: What the noise multiplies.
        heard: From which t on, or from which to which; None where there is no noise.
        sched: The scheduler.
    """
    pct, std, seed = s.number("noise_pct", 0.67), s.number("noise_std", 1.0), s.take("noise_seed", 42)
    plateau = sched in ("plateau", "PlateauLRScheduler")
    uniform = plateau and s.word("noise_type", ("normal", "uniform"), "normal") == "uniform"
    if heard is None:
        return schedule
    if isinstance(heard, list | tuple):
        if len(heard) < 2:
            raise s.a.refuse(f"a range of noise must be two numbers, or one from which on it is heard; got {shown(heard)}")
        begin, end = (number(one, f"{s.a.name}: a range of noise") for one in heard[:2])
    else:
        begin, end = number(heard, f"{s.a.name}: the begin of the noise"), line.end
    # the constructor's own value has none, nor has a plateau's warmup
    first = max(math.ceil(begin), 1, int(s.time("warmup_t", 0)) + 1 if plateau else 1)
    end = min(end, line.end)
    if end == math.inf:
        raise MissingFactError(f"{s.a.name}: noise is drawn for each t to the end of the run: give --epochs")
    stop = math.ceil(end)
    if first >= stop:
        return schedule
    if pct <= 0 and not uniform:
        raise s.refuse("noise_pct", f"must be above 0, got {pct:g}: timm would draw for ever")
    if std != 1 and not uniform:
        line.notes.append(
            f"{s.key('noise_std')} {std:g} multiplies what is drawn, as in timm 1.0.31; versions up to 1.0.29 draw with 1"
        )
    number_ = int(s.checked("whole", "noise_seed", 42 if seed is None else seed, least=-(2**63)))
    drawn = factors(first, stop, seed=number_, pct=pct, std=std, uniform=uniform)
    line.notes.append(f"{s.key('noise')} is a factor for each of {line.unit} {first} to {stop - 1}, drawn as timm draws it")
    after = [1.0] if stop < line.end else []
    at = [line.span(t) for t in range(first, stop + len(after))]
    return schedule * values([1.0, *drawn, *after], at=at)
