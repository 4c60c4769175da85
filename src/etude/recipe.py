"""The recipe: everything that decides hyperparameters, as one value.

It holds an optimizer with its base values, rules that put parameters into groups, a schedule for each hyperparameter
(for all groups, or for one), and, where the file says so, the run it is meant for and what to train.
`recipe.plan(run)` makes the plan. Files are read and written by `recipe_yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import InputError, did_you_mean, shown
from .fields import number
from .groups import HYPERPARAMETERS, Group, base_value, check_hyperparameters, layered
from .run import Run
from .schedule import Schedule

if TYPE_CHECKING:
    from .origin import Origin
    from .plan import Plan

VERSION = 1
"""The format of recipe files, written as `etude: 1`."""


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """An optimizer by name, with its base values.

    Args:
        name: A class of torch.optim such as SGD or AdamW, or "module:Class".
        lr: Base learning rate, 0 or above.
        momentum: Base momentum; for the Adam family give `betas`, whose first is what a momentum schedule drives.
        betas: beta1 and beta2.
        nesterov: Nesterov's form of momentum.
        weight_decay: Base weight decay.
        eps: Term added to the denominator.
        options: Further arguments of the optimizer's constructor.
    Raises:
        InputError: a value is out of its domain, or both `momentum` and `betas` are given.
    """

    name: str
    lr: float
    momentum: float | None = None
    betas: tuple[float, float] | None = None
    nesterov: bool = False
    weight_decay: float | None = None
    eps: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InputError(f"name must be a text such as 'SGD', got {shown(self.name)}")
        number(self.lr, "lr")
        for name in ("lr", "momentum", "weight_decay", "eps"):
            object.__setattr__(self, name, base_value(getattr(self, name), name))
        for name in (*(item.name for item in fields(self)), "params"):
            if name in self.options:
                raise InputError(f"options: {shown(name)} has a key of its own, or is etude's to give")
        if self.betas is not None:
            if not isinstance(self.betas, list | tuple) or len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
                raise InputError(f"betas must be two numbers in [0, 1), got {shown(self.betas)}")
            object.__setattr__(self, "betas", tuple(map(float, self.betas)))
            if self.momentum is not None:
                raise InputError("give momentum or betas, not both: the first of betas is the momentum")
        if self.nesterov and not self.momentum:
            raise InputError("nesterov needs a momentum above 0")

    def base(self, hyperparameter: str) -> float | None:
        """Return the base value of lr, momentum (beta1) or weight_decay; None where the optimizer has none."""
        if hyperparameter == "momentum" and self.betas is not None:
            return self.betas[0]
        value: float | None = getattr(self, hyperparameter)
        return value


@dataclass(frozen=True, kw_only=True)
class Training:
    """What `etude train` trains where the command line doesn't say.

    Args:
        model: "module:function" that returns a torch module; ResNet-18 where it isn't given.
        data: "module:function" that returns (training set, test set); the embedded digits where it isn't given.
        seed: Seed of the weights and of the order of the data, from 0 to 2**31 - 1.
        samples: Training samples to take, the first ones, where an epoch goes through them several times; else the run's.
    """

    model: str | None = None
    data: str | None = None
    seed: int = 0
    samples: int | None = None

    def __post_init__(self) -> None:
        if self.samples is not None and (type(self.samples) is not int or self.samples < 1):
            raise InputError(f"samples must be a whole number above 0, got {shown(self.samples)}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise InputError(f"seed must be a whole number from 0 to {2**31 - 1}, got {shown(self.seed)}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimizer, groups and schedules, and optionally the run they are meant for.

    Args:
        optimizer: The optimizer and its base values.
        groups: Rules by group name, tried in order; without any, one group `all`.
        schedules: Schedules by hyperparameter (lr, momentum, weight_decay); what has none stays at its base value.
        clock: What a tick of the schedules is: "step" (an update) or "batch".
        run: The facts of the run that the recipe knows.
        train: What to train.
        name: Its name in pictures and reports.
        source: The YAML text it was read from, kept for its comments.
        notes: What a reader of a foreign recipe has to say of it: settings that are ignored, limits that ours doesn't have.
        origin: Where a foreign recipe was read from, if its values follow from the run's facts.
    Raises:
        InputError: a schedule drives what the optimizer does not have, or a name is unknown.

    Example:
        >>> from etude import Optimizer, Recipe, Run, cosine
        >>> recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": cosine(1, 0)})
        >>> recipe.plan(Run(steps=100)).at(50)["lr"]["all"]
        0.04999999999999999
    """

    optimizer: Optimizer
    groups: dict[str, Group] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    clock: str = "step"
    run: Run = field(default_factory=Run)
    train: Training = field(default_factory=Training)
    name: str = "recipe"
    source: str | None = field(default=None, compare=False, repr=False)
    notes: tuple[str, ...] = field(default=(), compare=False, repr=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_kinds(self)
        object.__setattr__(self, "notes", tuple(" ".join(note.split()) for note in self.notes))
        check_hyperparameters(self.schedules)
        if self.clock not in ("step", "batch"):
            raise InputError(f"clock must be 'step' or 'batch', got {shown(self.clock)}", ("clock",))
        for name, group in self.rules.items():
            for hyperparameter in {**self.schedules, **group.schedules}:
                if self.base(hyperparameter, name) is None:
                    cure = "momentum or betas" if hyperparameter == "momentum" else hyperparameter
                    raise InputError(
                        f"schedules: {hyperparameter} is scheduled for group {shown(name)}, but has no base value; "
                        f"give the optimizer {cure}",
                        ("schedules", hyperparameter),
                    )
        for hyperparameter in HYPERPARAMETERS:
            without = [name for name in self.rules if self.base(hyperparameter, name) is None]
            if without and len(without) < len(self.rules):
                raise InputError(
                    f"{hyperparameter} is given for some groups, but not for {', '.join(without)}: "
                    "give the optimizer a base value too, 0 for none",
                    ("groups", without[0]),
                )
        for stage in self.run.stages:
            for name in stage.frozen:
                if name not in self.rules:
                    raise InputError(
                        f"stages: unknown group {shown(name)} in frozen{did_you_mean(name, self.rules)}", ("run", "stages")
                    )

    @cached_property
    def rules(self) -> Mapping[str, Group]:
        """The groups, each layer one of its own; or the one group `all`."""
        return layered(self.groups, self.optimizer.lr) or {"all": Group()}

    def base(self, hyperparameter: str, group: str) -> float | None:
        """Return a group's base value; None where neither it nor the optimizer has one."""
        own: float | None = getattr(self.rules[group], hyperparameter)
        if own is not None:
            return own
        return self.optimizer.base(hyperparameter)

    def schedule(self, hyperparameter: str, group: str) -> Schedule | None:
        """Return the schedule of a hyperparameter in a group; None where it stays at its base value."""
        return self.rules[group].schedules.get(hyperparameter, self.schedules.get(hyperparameter))

    def plan(self, run: Run | None = None) -> Plan:
        """Return recipe x run: the value in force for every step, group and hyperparameter."""
        from .plan import Plan

        if self.origin is not None:
            return self.origin.plan(self, run)
        return Plan(self, self.run if run is None else run)

    def override(self, *, lr: float | None = None, **facts: Any) -> Recipe:
        """Return the recipe with another base learning rate or other facts of its run, None meaning unchanged."""
        if self.origin is not None:
            return self.origin.override(self, lr, facts)
        recipe = replace(self, run=self.run.override(**facts))
        return recipe if lr is None else replace(recipe, optimizer=replace(self.optimizer, lr=lr))

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data, leaving out what is at its default: what a file or a checkpoint holds."""
        plain: dict[str, Any] = {"etude": VERSION, "name": self.name, "optimizer": _plain(self.optimizer)}
        if self.groups:
            plain["groups"] = {name: _plain(group) for name, group in self.groups.items()}
        if self.schedules:
            plain["schedules"] = {name: repr(schedule) for name, schedule in self.schedules.items()}
        if self.clock != "step":
            plain["clock"] = self.clock
        if self.run != Run():
            plain["run"] = _numbers(self.run.to_dict())
        if self.train != Training():
            plain["train"] = _plain(self.train)
        return plain


_GROUP_NAME = re.compile(r"[\w .:+-]{1,100}")


def _check_kinds(recipe: Recipe) -> None:
    """Refuse what is no recipe at all, and names that would break a file, a table or a terminal."""
    for value, kind, what in (
        (recipe.optimizer, Optimizer, "optimizer"),
        (recipe.groups, dict, "groups"),
        (recipe.run, Run, "run"),
        (recipe.train, Training, "train"),
    ):
        if not isinstance(value, kind):
            raise InputError(f"{what} must be a {kind.__name__}, got {shown(value)}")
    for name, group in recipe.groups.items():
        if not isinstance(name, str) or not _GROUP_NAME.fullmatch(name):
            raise InputError(
                f"a group's name must be letters, digits, spaces and . : + - _, got {shown(name)}", ("groups", str(name))
            )
        if not isinstance(group, Group):
            raise InputError(f"groups: {name} must be a Group, got {shown(group)}")
    if not isinstance(recipe.name, str) or not recipe.name.isprintable() or not recipe.name:
        raise InputError(f"name must be a line of text, got {shown(recipe.name)}", ("name",))


def hyperparameters(recipe: Recipe) -> tuple[str, ...]:
    """Return the hyperparameters that a recipe has at all."""
    return tuple(name for name in HYPERPARAMETERS if any(recipe.base(name, group) is not None for group in recipe.rules))


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what differs between two recipes as plain data, a line a key: "schedules.lr: 'a' -> 'b'"."""
    a, b = _flat(before), _flat(after)
    return [
        f"{key}: {shown(a.get(key, 'nothing'))} -> {shown(b.get(key, 'nothing'))}"
        for key in {**a, **b}
        if a.get(key) != b.get(key)
    ]


def _flat(plain: Any, path: str = "") -> dict[str, Any]:
    if isinstance(plain, Mapping) and plain:
        return {
            key: value for name, inner in plain.items() for key, value in _flat(inner, f"{path}.{name}" if path else name).items()
        }
    return {path: plain}


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for item in fields(value):
        inner = getattr(value, item.name)
        if inner is None or inner == item.default or inner == {}:
            continue
        plain[item.name] = {name: repr(s) for name, s in inner.items()} if item.name == "schedules" else inner
    result: dict[str, Any] = _numbers(plain)
    return result


def _numbers(value: Any) -> Any:
    """Return plain data with lists for tuples and whole floats as integers: one form for files and comparison."""
    if isinstance(value, Mapping):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(inner) for inner in value]
    if isinstance(value, float) and abs(value) < 1e15 and value == int(value):
        return int(value)
    return value
