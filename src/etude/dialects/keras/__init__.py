"""Keras and TensorFlow as recipes: their schedules, callbacks and optimizers, as `get_config` or `serialize` give them.

    {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 1000}}
    {"schedule": "exponential_decay", "learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96, "staircase": true}
    {"callback": "ReduceLROnPlateau", "config": {"patience": 2}, "learning_rate": 0.1}
    {"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosineDecay", "config": {...}}, "momentum": 0.9}}

Beside them: `graph`, whether it runs in a graph, as in Model.fit on TensorFlow (false by default: Keras alone divides);
`precision`, "float64" by default, or "float32" for what TensorFlow computes, rounding by rounding; `run`, the run's facts;
`name`. Where single precision moves a drop by a step, its own expression is what is read.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ...arrays import Scalar
from ...errors import InputError, did_you_mean, shown
from ...expression import compile_expression
from ...fields import Absolute, number
from ...formulas import formula, recursion
from ...plateaus import plateau
from ...recipe import Optimizer, Recipe
from ...schedule import Schedule
from ..arguments import Arguments, mapping, optimizer_of, run_of
from ..lambdas import called, parameters, renamed, stepwise
from .laws import LAWS, REFUSED, late, law

LOOKS = "a class_name such as CosineDecay"
__all__ = ["LOOKS", "NAMES", "agree", "describe", "read", "takes", "whole"]
CALLBACKS = ("ReduceLROnPlateau", "LearningRateScheduler")
OPTIMIZERS = ("SGD", "Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta")
NAMES = (*LAWS, *REFUSED, *CALLBACKS, *OPTIMIZERS)
_ABOUT = ("graph", "precision", "run", "name", "interval", "module", "registered_name", "optimizer")
_HORIZON = 100_000  # steps of a run whose length is not known
_HOMES = ("keras", "tf_keras", "tensorflow")


def takes(source: Mapping[str, Any]) -> bool:
    """Whether a description names a schedule, callback or optimizer of Keras."""
    return _name(source) in NAMES


def whole(source: Mapping[str, Any]) -> Mapping[str, Any]:
    return source


def _name(source: Mapping[str, Any]) -> Any:
    return next((source[key] for key in ("schedule", "callback", "class_name") if isinstance(source.get(key), str)), None)


def read(source: Mapping[str, Any], *, steps: int | None = None) -> Recipe:
    """Read a description.

    Args:
        source: The mapping; see the head of this module.
        steps: How many epochs of a live function may be written as a table.
    Returns:
        The recipe: one group `all`, whose base value is the peak.
    Raises:
        InputError: Keras refuses it, or no schedule says what it does.

    Example:
        >>> read({"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 100}}).schedules
        {'lr': cosine(1, 0, over="100 steps")}
    """
    name = str(_name(source))
    if name in REFUSED:
        raise InputError(f"{name} {REFUSED[name]}")
    about = {key: source[key] for key in _ABOUT if key in source}
    config = source.get("config")
    flat = {key: value for key, value in source.items() if key not in (*_ABOUT, "schedule", "callback", "class_name", "config")}
    rate = flat.pop("learning_rate", 0.001) if name in CALLBACKS else None
    if config is None:
        config = flat
    elif flat:
        raise InputError(f"{name}: no key {shown(next(iter(flat)))} beside its config")
    config = mapping(config, f"{name}: config")
    if about.get("interval", "step") != "step":
        raise InputError("interval: Keras says itself what counts: schedules the updates, callbacks the epochs")
    a = Arguments(name, config)
    a.take("name", None)
    reader = _Reader(about, steps)
    if name in OPTIMIZERS:
        return reader.optimizer(name, a)
    if name in CALLBACKS:
        return reader.callback(name, a, rate)
    return reader.schedule(name, a)


class _Reader:
    """One description on its way to a recipe."""

    def __init__(self, about: Mapping[str, Any], tabulate: int | None) -> None:
        flags = Arguments("the description", about)
        self.graph, self.tabulate = flags.flag("graph", False), tabulate
        self.single = flags.word("precision", ("float64", "float32"), "float64") == "float32"
        self.run, self.name = run_of(flags.take("run", {})), about.get("name")
        self.settings = optimizer_of(flags.take("optimizer", {}))
        self.notes: list[str] = []

    def _recipe(self, name: str, base: float, schedule: Schedule | None) -> Recipe:
        settings = {"name": "SGD", **self.settings, "lr": base}
        return Recipe(
            optimizer=Optimizer(**settings),
            schedules={} if schedule is None else {"lr": schedule},
            run=self.run,
            name=str(self.name or name),
            notes=tuple(self.notes),
        )

    def schedule(self, name: str, a: Arguments) -> Recipe:
        base, schedule = self._law(name, a)
        return self._recipe(name, base, schedule)

    def _law(self, name: str, a: Arguments) -> tuple[float, Schedule]:
        """Return a schedule in pieces, or as its own expression where single precision moves a jump."""
        graph = self.graph or name.islower()  # the functions of TF 1 run in graphs only
        known = bool(self.run.steps or self.run.epochs)
        found = law(name, a, self.run.clock().total if known else _HORIZON, graph=graph)
        a.done()
        if not known and a.given.get("t_mul", 2.0 if "estarts" in name else 1.0) != 1:
            self.notes.append(
                f"restarts after step {_HORIZON} may come a step later in single precision; say how long the run is"
            )
        slips = bool(found.jump) and late(found.jump)
        if slips and not graph:
            self.notes.append(
                f"in a TensorFlow graph (Model.fit) some of the jumps every {found.jump:g} steps come a step late: "
                "fl(1/n) is below 1/n; read it with graph: true"
            )
        if self.single or found.moved or (slips and graph):
            return found.base, formula(found.text, bits=32)
        return found.base, found.pieces

    def callback(self, name: str, a: Arguments, rate: Any) -> Recipe:
        base = number(rate, f"{name}: learning_rate")
        a.take("verbose", 0)
        if name == "ReduceLROnPlateau":
            rule = _plateau(a)
            a.done()
            return self._recipe(name, base, rule)
        function = a.take("schedule")
        a.done()
        return self._function(name, function, base)

    def _function(self, name: str, function: Any, rate: float) -> Recipe:
        """A function of (epoch) gives the learning rate itself; one of (epoch, lr) makes it from the one before."""
        if callable(function):
            return self._recipe(name, 1.0, self._tabulated(function, rate))
        if not isinstance(function, str):
            raise InputError(f"{name}: schedule must be the text of a function of epoch, or of epoch and lr, got {function!r}")
        # a lambda may call them as it likes; a bare expression says epoch and lr
        names = parameters(function) if function.lstrip().startswith("lambda") else ["epoch", "lr"]
        if not 1 <= len(names) <= 2:
            raise InputError(f"{name}: schedule must be a function of epoch, or of epoch and lr, got {function!r}")
        text = renamed(function, dict(zip(names, ("epoch", "lr"), strict=False)))
        expression = compile_expression(text, ("epoch", "lr"))
        if "lr" not in expression.names:
            self.notes.append(f"learning_rate {rate:g}: the function gives the learning rate itself, so the base value is 1")
            return self._recipe(name, 1.0, formula(text))
        first = number(float(expression({"epoch": 0.0, "lr": rate}, Scalar)), f"{name}: schedule at epoch 0")
        if first != rate:
            self.notes.append(f"learning_rate {rate:g}: the function makes {first:g} of it before the first epoch")
        return self._recipe(name, first, recursion(text, every="1 epoch"))

    def _tabulated(self, function: Any, rate: float) -> Schedule:
        if self.tabulate is None:
            raise InputError(
                "LearningRateScheduler: its function is live, which can't be read; give its text, such as "
                "'0.1 * 0.5 ** (epoch // 8)', or etude.read(..., steps=N) to write its first N epochs as a table"
            )
        both = len(inspect.signature(function).parameters) > 1
        levels = []
        for epoch in range(self.tabulate):
            rate = called(function, "LearningRateScheduler", *((epoch, rate) if both else (epoch,)))
            levels.append(rate)
        return stepwise(levels, "epoch")

    def _note_the_rest(self, a: Arguments) -> None:
        """Tell of settings of an optimizer that are no part of a recipe; refuse what is no setting at all."""
        batches = 1 if a.take("gradient_accumulation_steps", None) is None else a.whole("gradient_accumulation_steps", least=1)
        if batches != 1:
            self.notes.append(
                f"gradient_accumulation_steps {batches}: Keras moves its schedules with every batch, not with every update: "
                f"there this one goes {batches} times as fast as is shown for updates"
            )
        for key in ("clipnorm", "global_clipnorm", "clipvalue", "use_ema", "rho", "centered", "initial_accumulator_value"):
            if a.take(key, None):
                self.notes.append(f"{key} {shown(a.given[key])}: no part of the schedule, and not read")
        for key in _SILENT:
            a.take(key, None)
        a.done()

    def optimizer(self, name: str, a: Arguments) -> Recipe:
        rate = a.take("learning_rate", 0.001)
        self.settings["name"] = {"Nadam": "NAdam"}.get(name, name)
        if name in ("SGD", "RMSprop"):
            self.settings["momentum"] = a.number("momentum", 0.0)
        if name == "SGD":
            self.settings["nesterov"] = a.flag("nesterov", False) and bool(self.settings["momentum"])
        if name in ("Adam", "AdamW", "Nadam", "Adamax"):
            self.settings["betas"] = (a.number("beta_1", 0.9), a.number("beta_2", 0.999))
        if (decay := a.take("weight_decay", 0.004 if name == "AdamW" else None)) is not None:
            self.settings["weight_decay"] = number(decay, f"{name}: weight_decay")
        if (eps := a.take("epsilon", None)) is not None:
            self.settings["eps"] = number(eps, f"{name}: epsilon")
        if a.flag("amsgrad", False):
            self.settings["options"] = {"amsgrad": True}
        self._note_the_rest(a)
        if not isinstance(rate, Mapping):
            return self._recipe(name, number(rate, f"{name}: learning_rate"), None)
        inner = str(_name(rate))
        beside = [key for key in rate if key not in ("module", "class_name", "config", "registered_name", "build_config")]
        if beside:
            raise InputError(f"{inner}: no key {shown(beside[0])} beside its config")
        if inner not in LAWS:
            raise InputError(f"{name}: learning_rate: Keras has no schedule {shown(inner)}{did_you_mean(inner, LAWS)}")
        inner_arguments = Arguments(inner, mapping(rate.get("config", {}), f"{inner}: config"))
        inner_arguments.take("name", None)
        base, schedule = self._law(inner, inner_arguments)
        return self._recipe(inner, base, schedule)


_SILENT = ("ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")  # settings of what is off unless another says so


def _plateau(a: Arguments) -> plateau:
    """Keras counts from the first bad epoch on, and a cooldown's last epoch counts again: both are one less here.

    It takes its first metric as the best even where that is no number, and then never finds a better one; ours takes the next.
    """
    monitor, mode = str(a.take("monitor", "val_loss")), a.word("mode", ("auto", "min", "max"), "auto")
    if mode == "auto":  # Keras asks the metric itself; its name says it of these
        up, down = (any(word in monitor.lower() for word in words) for words in (("acc", "auc"), ("loss", "error")))
        if up == down:
            raise a.refuse(f"mode auto can't be told from the name {shown(monitor)}; give mode: min or max")
        mode = "max" if up else "min"
    factor, floor = a.number("factor", 0.1), a.number("min_lr", 0.0)
    if factor >= 1:
        raise a.refuse(f"factor must be below 1, got {factor:g}")
    delta = abs(a.number("min_delta", 1e-4))  # as Keras takes it, which also negates its own once it has begun
    return plateau(
        factor,
        patience=max(a.number("patience", 10) - 1, 0),
        mode=mode,
        rel=0.0,
        delta=delta,
        cooldown=max(a.number("cooldown", 0) - 1, 0),
        floor=Absolute(floor) if floor else 0.0,
        metric=monitor,
    )


def describe(source: Any) -> dict[str, Any] | None:
    """Return the description of a live schedule, callback or optimizer of Keras; None for anything else."""
    kind: Any = next((cls for cls in type(source).__mro__ if cls.__module__.partition(".")[0] in _HOMES), None)
    if kind is None:
        return None
    name = type(source).__name__
    if type(source) is not kind:
        raise InputError(
            f"{name} is a class of your own on top of Keras's {kind.__name__}, which can't be read; describe what it does as a "
            "mapping or a schedule"
        )
    if name in LAWS or name in OPTIMIZERS:
        return {"class_name": name, "config": source.get_config()}
    if name == "LearningRateScheduler":
        return {"callback": name, "config": {"schedule": source.schedule}}
    if name == "ReduceLROnPlateau":
        keys = ("monitor", "factor", "patience", "mode", "min_delta", "cooldown", "min_lr")
        return {"callback": name, "config": {key: getattr(source, key) for key in keys}}
    raise InputError(f"{name} of Keras can't be read; known: {', '.join([*LAWS, *CALLBACKS, *OPTIMIZERS])}")


def agree(source: Any, recipe: Recipe) -> Recipe:
    """Keras's schedules keep no state: there is nothing that could disagree."""
    return recipe
