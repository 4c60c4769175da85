"""optax's schedules and optimizers as recipes: a factory by its name, with its own arguments.

    {"name": "warmup_cosine_decay_schedule", "init_value": 0.0, "peak_value": 0.1, "warmup_steps": 100, "decay_steps": 1000}
    {"name": "join_schedules", "schedules": [{"name": "linear_schedule", ...}, {...}], "boundaries": [100]}
    {"name": "adamw", "learning_rate": {"name": "cosine_decay_schedule", ...}, "b1": 0.9, "b2": 0.95, "weight_decay": 0.1}
    {"name": "reduce_on_plateau", "factor": 0.5, "patience": 5, "learning_rate": 0.1}                       of optax.contrib

`optax.` may stand before a name. An optimizer's weight_decay, b1 or momentum may be a schedule as well (inject_hyperparams).
Beside them: `run`, the run's facts; `jit`, whether updates are jitted (false by default), where that moves a jump by a step;
a plateau's `metric`, the name of what it is fed ("val_loss" by default).
Step k is trained with schedule(k). Values are absolute in optax: here the base value is the peak, and levels are factors of it.

Source: optax/schedules/_schedule.py, _join.py, _src/alias.py and contrib/_reduce_on_plateau.py of optax 0.2.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...fields import number
from ...plateaus import plateau
from ...recipe import Optimizer, Recipe
from ...run import Facts
from ...schedule import Schedule
from ..arguments import Arguments, mapping, run_of, run_over
from .laws import LAWS, factors
from .scope import bare

__all__ = ["LOOKS", "NAMES", "read", "takes"]
LOOKS = "a name such as cosine_decay_schedule"
_PLATEAU = "reduce_on_plateau"
_ABOUT = ("name", "run", "jit")
_DRIVEN = {"learning_rate": "lr", "b1": "momentum", "momentum": "momentum", "weight_decay": "weight_decay"}
_ADAMS = ("adam", "adamw", "nadam", "nadamw")


@dataclass(frozen=True)
class _Kind:
    """An optimizer of optax.

    Args:
        name: Its class in torch.optim, or its own name where torch has none.
        base: The arguments that a recipe has a base value for, with their defaults in optax.
        options: Arguments that torch's class calls by another name or has another default for: (its name, optax's default).
        fixed: Options of torch's class that make it this one.
        rest: Arguments that a recipe has no place for, with what optax does without them.
        note: How torch's class differs.
    """

    name: str
    base: dict[str, float] = field(default_factory=dict)
    options: dict[str, tuple[str, Any]] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)
    note: str = ""


_BETAS = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
_ROOT: dict[str, Any] = {"eps_root": 0.0, "mu_dtype": None}
_MASK: dict[str, Any] = {"mask": None}
_NADAM = "torch's NAdam warms its beta1 up (momentum_decay), which optax's doesn't"
_ABSENT = "torch.optim has none: to train with it here, name its class as 'module:Class'"
_KINDS = {
    "sgd": _Kind("SGD", {"momentum": 0.0}, rest={"accumulator_dtype": None}),
    "adam": _Kind("Adam", _BETAS, rest=_ROOT),
    "adamw": _Kind("AdamW", {**_BETAS, "weight_decay": 1e-4}, rest={**_ROOT, **_MASK}),
    "nadam": _Kind("NAdam", _BETAS, rest=_ROOT, note=_NADAM),
    "nadamw": _Kind(
        "NAdam",
        {**_BETAS, "weight_decay": 1e-4},
        fixed={"decoupled_weight_decay": True},
        rest={**_ROOT, **_MASK},
        note=_NADAM,
    ),
    "radam": _Kind("RAdam", _BETAS, rest={"eps_root": 0.0, "threshold": 5.0, "nesterov": False}),
    "adamax": _Kind("Adamax", _BETAS),
    "adamaxw": _Kind(
        "Adamax",
        {**_BETAS, "weight_decay": 1e-4},
        rest=_MASK,
        note="torch's Adamax adds the weight decay to the gradient, which optax's doesn't",
    ),
    "amsgrad": _Kind(
        "Adam",
        _BETAS,
        fixed={"amsgrad": True},
        rest={**_ROOT, "bias_correction_mu": True, "bias_correction_nu": True},
        note="torch takes the largest second moment before its bias is corrected, optax after",
    ),
    "rmsprop": _Kind(
        "RMSprop",
        {"momentum": 0.0, "eps": 1e-8},
        {"decay": ("alpha", 0.9), "centered": ("centered", False)},
        rest={"initial_scale": 0.0, "eps_in_sqrt": True, "nesterov": False, "bias_correction": False},
        note="torch's RMSprop adds eps outside the root, and its momentum sums up gradients, where optax's sums up updates, each "
        "with the learning rate of its time",
    ),
    "adagrad": _Kind(
        "Adagrad",
        {"eps": 1e-7},
        {"initial_accumulator_value": ("initial_accumulator_value", 0.1)},
        note="torch's Adagrad adds eps outside the root",
    ),
    "adadelta": _Kind("Adadelta", {"eps": 1e-6, "weight_decay": 0.0}, {"rho": ("rho", 0.9)}, rest={"weight_decay_mask": None}),
    "lion": _Kind("Lion", {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3}, rest={"mu_dtype": None, **_MASK}, note=_ABSENT),
    "lamb": _Kind("Lamb", {**_BETAS, "eps": 1e-6, "weight_decay": 0.0}, rest={"eps_root": 0.0, **_MASK}, note=_ABSENT),
    "lars": _Kind(
        "Lars",
        {"momentum": 0.9, "weight_decay": 0.0, "eps": 0.0},
        rest={"weight_decay_mask": True, "trust_coefficient": 0.001, "trust_ratio_mask": True, "nesterov": False},
        note=_ABSENT,
    ),
    "adabelief": _Kind("AdaBelief", {**_BETAS, "eps": 1e-16}, rest={"eps_root": 1e-16, "nesterov": False}, note=_ABSENT),
    "yogi": _Kind("Yogi", {**_BETAS, "eps": 1e-3}, note=_ABSENT),
}
NAMES = (*LAWS, _PLATEAU, *_KINDS)


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description names a function of optax; exponential_decay is TF 1's as well, where it has no init_value."""
    name = source.get("name")
    if not isinstance(name, str):
        return False
    if name.startswith("optax."):
        return True
    if name in _KINDS:
        return "learning_rate" in source
    return name in (*LAWS, _PLATEAU) and (name != "exponential_decay" or "init_value" in source)


def read(source: Mapping[str, Any], given: Facts) -> Recipe:
    """Read a description.

    Args:
        source: The mapping; see the head of this module.
        given: Facts of the run, laid over the description's own; none is needed.
    Returns:
        The recipe: one group `all`, whose base value is the peak.
    Raises:
        InputError: optax refuses it, or no schedule says what it does.

    Example:
        >>> warmup = {"name": "warmup_cosine_decay_schedule", "init_value": 0, "peak_value": 0.1, "warmup_steps": 100,
        ...           "decay_steps": 1000}
        >>> read(warmup, {}).schedules["lr"]
        chain(linear(0, 1, over="100 steps"), cosine(1, 0, over="900 steps"))
    """
    name = bare(source.get("name"))
    if name not in NAMES:
        raise InputError(f"optax has no {shown(source.get('name'))} that is read here{did_you_mean(name, NAMES)}")
    reader = _Reader(source, given)
    if name in LAWS:
        base, schedule = reader.rate({key: value for key, value in source.items() if key not in ("run", "jit")}, name)
        assert schedule is not None
        return reader.recipe(name, Optimizer(name="SGD", lr=base), {"lr": schedule})
    a = Arguments(name, {key: value for key, value in source.items() if key not in _ABOUT})
    return reader.plateau(a) if name == _PLATEAU else reader.optimizer(a)


class _Reader:
    """One description on its way to a recipe."""

    def __init__(self, source: Mapping[str, Any], given: Facts) -> None:
        facts = mapping(source.get("run", {}), "run")
        run_of(facts)  # refuses what is no fact
        self.run = run_over(facts, given)
        self.jit = Arguments("the description", source).flag("jit", False)
        self.notes: list[str] = []

    def recipe(self, name: str, optimizer: Optimizer, schedules: dict[str, Schedule]) -> Recipe:
        return Recipe(optimizer=optimizer, schedules=schedules, run=self.run, name=name, notes=tuple(self.notes))

    def rate(self, value: Any, where: str) -> tuple[float, Schedule | None]:
        """Return the base of a number or a schedule, and the schedule."""
        if not isinstance(value, Mapping):
            return number(value, where), None
        base, schedule, notes = factors(value, where, jit=self.jit)
        self.notes += notes
        return base, schedule

    def optimizer(self, a: Arguments) -> Recipe:
        """Read an optimizer; what a recipe has no place for is told."""
        kind = self._kind(a)
        base, schedules = dict(kind.base), {}
        for key, hyperparameter in _DRIVEN.items():
            if hyperparameter != "lr" and key not in base:
                continue
            value = a.take(key) if hyperparameter == "lr" else a.take(key, base[key])
            none = value is None and key == "momentum"  # optax's own default
            base[key], schedule = self.rate(0.0 if none else value, f"{a.name}: {key}")
            if schedule is not None:
                schedules[hyperparameter] = schedule
        options = {**kind.fixed}
        for key, (theirs, default) in kind.options.items():
            options[theirs] = a.flag(key, default) if isinstance(default, bool) else a.number(key, default)
        optimizer = Optimizer(
            name=kind.name,
            lr=base["learning_rate"],
            momentum=base.get("momentum"),
            betas=(base["b1"], a.number("b2", base["b2"])) if "b1" in base else None,
            nesterov=self._nesterov(a, base),
            weight_decay=base.get("weight_decay"),
            eps=a.number("eps", base["eps"]) if "eps" in base else None,
            options=options,
        )
        for key, default in kind.rest.items():
            if a.take(key, default) != default:
                self.notes.append(f"{a.name}: {key} {shown(a.given[key])}: no part of a recipe, and not read")
        for key in a.given:
            if key not in a.taken:
                raise a.refuse(f"has no setting {shown(key)}{did_you_mean(str(key), a.taken)}")
        if kind.note:
            self.notes.append(f"{a.name}: {kind.note}")
        return self.recipe(a.name, optimizer, schedules)

    def _nesterov(self, a: Arguments, base: Mapping[str, float]) -> bool:
        asked = a.name == "sgd" and a.flag("nesterov", False)
        if asked and not base["momentum"]:
            self.notes.append("ignored: nesterov true, as there is no momentum")
        return asked and base["momentum"] > 0

    def _kind(self, a: Arguments) -> _Kind:
        """Return what an optimizer is: for optax, nadam is adam with nesterov."""
        if a.name not in _ADAMS:
            return _KINDS[a.name]
        plain = a.name.removeprefix("n")
        return _KINDS[f"n{plain}" if a.flag("nesterov", a.name != plain) else plain]

    def plateau(self, a: Arguments) -> Recipe:
        """Read a scale of the updates, which multiplies whatever learning rate they have."""
        rule = _plateau(a)
        value = a.take("learning_rate", None)
        a.done()
        if value is None:
            self.notes.append(f"{a.name}: no learning_rate beside it, so that its scale is shown, which begins at 1")
        base, schedule = self.rate(1.0 if value is None else value, f"{a.name}: learning_rate")
        self.notes.append(f"{a.name}: optax scales the very update that a metric comes with: feed it before that update")
        lr = rule if schedule is None else rule * schedule
        return self.recipe(a.name, Optimizer(name="SGD", lr=base), {"lr": lr})


def _plateau(a: Arguments) -> plateau:
    """optax reduces when its count reaches `patience`, so ours is one less; it counts again after a whole cooldown, as ours."""
    factor, rel, delta = a.number("factor", 0.1), a.number("rtol", 1e-4), a.number("atol", 0.0)
    if not 0 < factor < 1:
        raise a.refuse(f"factor must be above 0 and below 1, got {factor:g}")
    if not 0 <= rel <= 1 or delta < 0 or rel == delta == 0:
        raise a.refuse(f"rtol must be from 0 to 1, atol 0 or above, and one of them above 0, got {rel:g} and {delta:g}")
    patience, size, floor = a.number("patience", 10), a.number("accumulation_size", 1), a.number("min_scale", 0.0)
    if patience < 1:
        raise a.refuse(f"patience must be at least 1, got {patience:g}: with 0 optax reduces whenever the metric gets better")
    if size != 1:
        raise a.refuse(
            f"accumulation_size {size:g} makes it see the mean of so many metrics, and a plateau sees each: feed it the means, "
            "and write 1"
        )
    if not 0 <= floor <= 1:
        raise a.refuse(f"min_scale must be from 0 to 1, got {floor:g}: above 1 optax raises the scale at the first metric")
    return plateau(
        factor,
        patience=patience - 1,
        rel=rel,
        delta=delta,
        cooldown=a.number("cooldown", 0),
        floor=floor,
        metric=a.take("metric", "val_loss"),
    )
