"""What each learning-rate policy of PaddleOCR does, as a base value and a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...compose import between
from ...errors import InputError, MissingFactError, did_you_mean, shown
from ...formulas import formula
from ...phases import chain, phase, repeat
from ...run import Run
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly
from ...timing import skip
from ...units import number_text
from ..arguments import Arguments, as_float, numbers_of, steps_of
from ..paddle.laws import Law, level, multi_step, one_cycle, piecewise, step, warmed
from ..torch.place import Peak

_COSINE_VIEW = "(1 + cos(pi * (step + 1) / {n})) ** 2 / (2 * (1 + cos(pi * step / {n})))"


@dataclass
class Horizon:
    """The run that a policy is built for.

    Args:
        run: Its facts, as far as they are known.
        tutorial: Whether get_lr() after step() is looked at, in place of the rate in force.
        notes: What is to be told.
    """

    run: Run
    tutorial: bool = False
    notes: list[str] = field(default_factory=list)

    def iterations(self, epochs: float) -> float:
        """Return round(epochs * iterations of an epoch); the epochs where these are not known, or nothing is to be rounded."""
        each = self.run.parts()[0].steps
        return round(epochs * each) if each and epochs != int(epochs) else epochs


def law(given: Mapping[str, Any], horizon: Horizon) -> Law:
    """Return what Optimizer.lr says: a base value, and the schedule over it."""
    name = given.get("name", "Const")
    if not isinstance(name, str) or name not in LAWS:
        raise InputError(f"Optimizer.lr: PaddleOCR has no learning rate {shown(name)}{did_you_mean(str(name), LAWS)}")
    a = Arguments(f"Optimizer.lr ({name})", {key: value for key, value in given.items() if key != "name"})
    for key in ("epochs", "step_each_epoch"):
        if a.take(key, None) is not None:
            horizon.notes.append(f"ignored: Optimizer.lr.{key} {shown(a.given[key])}: the run's own is put in its place")
    if name not in _UNWARMED and a.take("last_epoch", -1) != -1:
        raise a.refuse("last_epoch can't be read: the plan of the whole run has its values from any step on")
    found = LAWS[name](a, horizon)
    for key in a.given:
        if key not in a.taken:
            horizon.notes.append(f"ignored: Optimizer.lr.{key} {shown(a.given[key])}: {name} never reads it")
    return found


def _span(epochs: float) -> str:
    """Return round(epochs * iterations) iterations as a length."""
    text = f"{number_text(epochs)} epochs" if epochs != 1 else "1 epoch"
    return text if epochs == int(epochs) else f"round({text})"


def _warmup(a: Arguments, horizon: Horizon) -> float:
    """Return the epochs of the warmup; 0 where they round to no iteration."""
    warmup = a.number("warmup_epoch", 0.0)
    return warmup if warmup > 0 and horizon.iterations(warmup) else 0.0


def _finished(a: Arguments, inner: Law, horizon: Horizon, *, peak: float | None = None, view: Schedule | None = None) -> Law:
    """Return a policy with its warmup in front, from 0; or, with neither, as get_lr() has it where that is another `view`."""
    warmup = _warmup(a, horizon)
    if warmup:
        inner = warmed(a, inner, 0.0, inner.base if peak is None else peak, _span(warmup))
    if not horizon.tutorial:
        return inner
    if not warmup and view is not None:
        return inner._replace(schedule=view)
    return inner._replace(schedule=skip(inner.schedule, "1 step"))


def _linear(a: Arguments, horizon: Horizon) -> Law:
    base, end, power = a.number("learning_rate"), a.number("end_lr", 0.0), a.number("power", 1.0)
    if power <= 0:
        raise a.refuse(f"power must be above 0, got {power:g}")
    return _finished(a, Law(base, poly(1, level(end), power, over="100%")), horizon)


def _cosine(a: Arguments, horizon: Horizon) -> Law:
    view = formula(_COSINE_VIEW.format(n="steps"))
    return _finished(a, Law(a.number("learning_rate"), cosine(1, 0, over="100%")), horizon, view=view)


def _step(a: Arguments, horizon: Horizon) -> Law:
    return _finished(a, step(a, "epochs"), horizon)


def _multi_step(a: Arguments, horizon: Horizon) -> Law:
    return _finished(a, multi_step(a, "epochs"), horizon)


def _piecewise(a: Arguments, horizon: Horizon) -> Law:
    edges, levels = (numbers_of(a.take(key), f"{a.name}: {key}") for key in ("decay_epochs", "values"))
    if levels and levels[0] <= 0 and _warmup(a, horizon):
        if horizon.run.parts()[0].steps is None:
            raise MissingFactError("whether the warmup has an iteration decides: give --steps-per-epoch")
        raise a.refuse(f"values[0] must be above 0, where the warmup rises to it, got {levels[0]:g}")
    return _finished(a, piecewise(a, edges, levels, "epochs"), horizon, peak=levels[0] if levels else None)


def _cyclical(a: Arguments, horizon: Horizon) -> Law:
    cycle = a.number("cycle")
    if cycle <= 0:
        raise a.refuse(f"cycle must be above 0, got {cycle:g}")
    return _finished(a, Law(a.number("learning_rate"), repeat(cosine(1, 0), _span(cycle))), horizon)


def _const(a: Arguments, horizon: Horizon) -> Law:
    return _finished(a, Law(a.number("learning_rate"), constant(1)), horizon)


def _decay(a: Arguments, horizon: Horizon) -> Law:
    power = a.number("factor", 0.9)
    if power <= 0:
        raise a.refuse(f"factor must be above 0, got {power:g}")
    found = Law(a.number("learning_rate"), poly(1, 0, power, over="100%"))
    return found._replace(schedule=skip(found.schedule, "1 step")) if horizon.tutorial else found


def _two_step(a: Arguments, horizon: Horizon) -> Law:
    """A cosine over 200 epochs, whatever the run is; past it, behind a warmup, the run's own cosine where it then is."""
    base = a.number("learning_rate")
    if not _warmup(a, horizon):
        view = formula(f"{_COSINE_VIEW.format(n='n')} if step < n else 0".replace("n", "(200 * steps / epochs)"))
        return _finished(a, Law(base, cosine(1, 0, over="200 epochs")), horizon, view=view)
    first = phase(cosine(1, 0, over="200 epochs"), over="200 epochs + 1 step")
    if horizon.run.epochs is not None and horizon.run.epochs <= 200:
        return _finished(a, Law(base, cosine(1, 0, over="200 epochs")), horizon)
    return _finished(a, Law(base, chain(first, skip(cosine(1, 0, over="100%"), "200 epochs + 1 step"))), horizon)


def _one_cycle(a: Arguments, horizon: Horizon) -> Law:
    """torch's OneCycleLR over the run, its factors 25 and 1e4 fixed; phases end a step before their share."""
    base, three = a.number("max_lr", above=0), a.flag("three_phase", False)
    name = a.word("anneal_strategy", ("cos", "linear"), "cos")
    total = steps_of(horizon.run)
    past = horizon.tutorial and not _warmup(a, horizon)  # its last look is a step past the end
    if total is not None and (total < 4 or past):
        peak = Peak(base, base / 25, base / 25 / 1e4)
        if name == "cos" or not past:
            cycle = one_cycle(peak, total, 0.3, name, three=three, left=total, past=past)
            return _finished(a, Law(base, cycle), horizon)
        line = one_cycle(peak, total, 0.3, name, three=three, left=total)
        slope = (1 / 25 / 1e4 - (1 / 25 if three else 1)) / (total - 1 - (0.6 * total - 2 if three else 0.3 * total - 1))
        beyond = chain(phase(line, over=f"{total} steps"), constant(1 / 25 / 1e4 + slope))
        return _finished(a, Law(base, beyond), horizon)
    shape: Any = cosine if name == "cos" else linear
    start, end = 1 / 25, 1 / 25 / 1e4
    up = shape(start, 1, over="30% - 1 step")
    if three:
        return _finished(
            a, Law(base, chain(up, shape(1, start, over="30% - 1 step"), shape(start, end, over="40% + 1 step"))), horizon
        )
    return _finished(a, Law(base, chain(up, shape(1, end, over="70%"))), horizon)


def _warmup_cosine(a: Arguments, horizon: Horizon) -> Law:
    """LinearWarmupCosine, whose warmup is in iterations, and whose numbers may be texts."""
    base = as_float(a, "learning_rate")
    start = as_float(a, "start_lr") if "start_lr" in a.given else 1e-5
    low = as_float(a, "min_lr") if "min_lr" in a.given else 1e-8
    warmup = a.whole("warmup_steps", 5000)
    floor = level(low)
    found = Law(base, cosine(1, floor, over="100%"))
    if warmup:
        found = warmed(a, found, start, base, f"{warmup} steps")
    elif horizon.tutorial:
        return found._replace(schedule=between(floor, 1, formula(_COSINE_VIEW.format(n="steps"))))
    return found._replace(schedule=skip(found.schedule, "1 step")) if horizon.tutorial else found


_UNWARMED = ("DecayLearningRate",)
LAWS: dict[str, Callable[[Arguments, Horizon], Law]] = {
    "Linear": _linear,
    "Cosine": _cosine,
    "Step": _step,
    "Piecewise": _piecewise,
    "CyclicalCosine": _cyclical,
    "OneCycle": _one_cycle,
    "Const": _const,
    "DecayLearningRate": _decay,
    "MultiStepDecay": _multi_step,
    "TwoStepCosine": _two_step,
    "LinearWarmupCosine": _warmup_cosine,
}
