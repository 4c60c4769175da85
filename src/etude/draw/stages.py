"""A curve term by term: how a shape's formula is built up, each term in a panel of its own.

The cosine goes as the tutorials dissect it: cos, 1 + cos, halved, scaled, shifted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..arrays import Scalar
from ..errors import InputError
from ..phases import Chain, phase, repeat
from ..plan import Plan
from ..ramp import Ramp, Way
from ..schedule import Frame, Schedule, fields_of
from ..shapes import cosine
from .figure import COLOURS, check_ending, new_figure, save, style

_POINTS = 201


class Stage(NamedTuple):
    """A term of a formula: what it is, and its value at u, the part of the way that is done."""

    label: str
    value: Callable[[float], float]


def stages(shape: Ramp, frame: Frame) -> list[Stage]:
    """Return the terms of a shape in the order in which its formula is built, for levels bound in a frame.

    Example:
        >>> from etude import Run, cosine
        >>> [stage.label for stage in stages(cosine(1, 0.2), Frame(Run(steps=100).clock()))]
        ['cos(πt/n)', '1 + cos(πt/n)', '(1 + cos(πt/n)) / 2', '× (1 − 0.2)', '+ 0.2']
    """
    start, end = frame.level(shape.start) / frame.base, frame.level(shape.end) / frame.base
    if isinstance(shape, cosine):
        first = [
            Stage("cos(πt/n)", lambda u: math.cos(math.pi * u)),
            Stage("1 + cos(πt/n)", lambda u: 1 + math.cos(math.pi * u)),
            Stage("(1 + cos(πt/n)) / 2", lambda u: shape.rest(Way(u, 1.0), Scalar)),
        ]
    elif type(shape).rest is Ramp.rest:  # an exponential is no sum of terms
        return [Stage(repr(shape), lambda u: shape.between(start, end)(Way(u, 1.0), Scalar))]
    else:
        first = [Stage(f"{type(shape).__name__}, from 1 to 0", lambda u: type(shape).rest(shape, Way(u, 1.0), Scalar))]
    scaled = Stage(f"× ({start:g} − {end:g})", lambda u: (start - end) * shape.rest(Way(u, 1.0), Scalar))
    shifted = Stage(f"+ {end:g}", lambda u: shape.between(start, end)(Way(u, 1.0), Scalar))
    return [*first, *([scaled] if start - end != 1 else []), *([shifted] if end else [])]


def draw_stages(plan: Plan, path: Path) -> None:
    """Draw the learning rate's main shape term by term, and last the values in force.

    Args:
        plan: The plan; the last shape in the first group's schedule is taken.
        path: Where to, by its ending: .png or .svg.
    Raises:
        InputError: the schedule holds no shape that is built of terms.
    """
    check_ending(path)
    group = plan.groups[0]
    schedule = plan.recipe.schedule("lr", group)
    shape, alone = _last_shape(schedule) if schedule else (None, False)
    if shape is None:
        raise InputError(f"--stages needs a shape such as cosine(1, 0) in the learning rate, got {schedule!r}")
    total = plan.end()
    base = plan.recipe.base("lr", group) or 1.0
    frame = Frame(plan.clock, 0.0, plan.clock.total, base)
    unit, per_unit = _unit(plan)
    # a phase of a chain has a clock of its own, so its terms are drawn over the part of its length
    span = (frame.span if shape.over is None else frame.ticks(shape.over, "over")) / per_unit if alone else 1.0
    terms = stages(shape, frame)
    figure, axes = new_figure(len(terms) + 1, 1, sharex=alone)
    panels = [row[0] for row in axes]
    parts = [index / (_POINTS - 1) for index in range(_POINTS)]
    places, lines = [part * span for part in parts], [[term.value(part) for part in parts] for term in terms]
    bounds = min(map(min, lines)), max(map(max, lines))
    for number, (panel, term) in enumerate(zip(panels, terms, strict=False)):
        if number:
            panel.plot(places, lines[number - 1], color="0.6", linestyle="--", linewidth=1.2)  # where it comes from
        panel.plot(places, lines[number], color=COLOURS[0], linewidth=1.8)
        style(panel, "factor")
        panel.set_ylim(bounds[0] - 0.05 * (bounds[1] - bounds[0] or 1), bounds[1] + 0.05 * (bounds[1] - bounds[0] or 1))
        panel.set_title(f"{number + 1}.  {term.label}", loc="left", fontsize=10)
    steps = range(0, total, max(1, total // 4000))
    rates = [row[0] for row in plan.rows([plan.tick(step) for step in steps])["lr"]]
    panels[-1].plot([plan.tick(step) / per_unit for step in steps], rates, color=COLOURS[1])
    style(panels[-1], "learning rate")
    panels[-1].set_title(
        f"{len(terms) + 1}.  in force for group {group}: base value {base:g}, {plan.recipe.name}", loc="left", fontsize=10
    )
    panels[-1].set_xlabel(f"t ({unit}); n = {span:g}" if alone else f"{unit}")
    panels[-2].set_xlabel("" if alone else "t / n, in the phase of this shape")
    save(figure, path)


def _unit(plan: Plan) -> tuple[str, float]:
    """Return what the time axis counts: epochs where the run knows them, else ticks."""
    parts = plan.run.parts()
    per_epoch = parts[0].steps if plan.recipe.clock == "step" else parts[0].batches
    return ("epochs", float(per_epoch)) if len(parts) == 1 and per_epoch else (f"{plan.recipe.clock}s", 1.0)


def _last_shape(schedule: Schedule) -> tuple[Ramp | None, bool]:
    """Return the last shape inside a schedule, in a chain what the warmup leads to, and whether no chain is around it."""
    if isinstance(schedule, Ramp):
        return schedule, True
    found, alone = None, True
    for field in fields_of(schedule):
        inner: Any = getattr(schedule, field.name)
        for one in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(one, Schedule):
                shape, clear = _last_shape(one)
                found, alone = (shape, clear) if shape else (found, alone)
    return found, alone and not isinstance(schedule, Chain | repeat | phase)
