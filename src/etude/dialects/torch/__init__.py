"""torch's schedulers as recipes: from a plain description, or from a live scheduler.

    {"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 300},
     "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9, "groups": [{"name": "head", "lr": 1.0}, {"name": "rest"}]},
     "interval": "step", "run": {"steps": 300}}

The scheduler's own mapping alone is enough. `name` is the class, the other keys are its arguments; SequentialLR and
ChainedScheduler hold a list of `schedulers`. `interval` is what a `scheduler.step()` follows: each update ("step", the default)
or each "epoch". Nothing of torch is imported, and no text is executed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...fields import number
from ...groups import Group
from ...recipe import Optimizer, Recipe
from ...schedule import Schedule
from ...timing import per_epoch
from ..arguments import Arguments, mapping, numbers_of, run_of
from .chains import chained, cosine_from, cyclic_begun, resumed, sequential
from .cycles import CYCLING, momenta, one_cycle_peak, one_cycle_steps
from .description import (
    DEFAULTS,
    GROUP_KEYS,
    MOST,
    NAMES,
    arguments,
    check_settings,
    children_of,
    flat,
    takes,
    updates_per_epoch,
    whole,
)
from .laws import LAWS
from .live import agree, describe
from .place import Law, Peak, Place

LOOKS = "a name such as StepLR"
__all__ = ["LOOKS", "NAMES", "agree", "describe", "read", "takes", "whole"]
_KEYS = ("scheduler", "optimizer", "interval", "run", "initial_lr", "step_argument", "name")


def read(source: Mapping[str, Any], *, steps: int | None = None) -> Recipe:
    """Read a description.

    Args:
        source: The mapping; see the head of this module.
        steps: How many values of a live function may be written as a table.
    Returns:
        The recipe, with the description's groups: by their names, or group0, group1, ...
    Raises:
        InputError: torch refuses it, or no schedule says what it does; tells which and why.

    Example:
        >>> read({"name": "StepLR", "step_size": 30}).schedules
        {'lr': steps(0.1, every="30 steps")}
    """
    source = whole(source)
    for key in source:
        if key not in _KEYS:
            raise InputError(f"a torch description has no key {shown(key)}{did_you_mean(str(key), _KEYS)}")
    return _Reader(source, steps).recipe()


class _Reader:
    """One description on its way to a recipe."""

    def __init__(self, source: Mapping[str, Any], tabulate: int | None) -> None:
        self.scheduler, self.tabulate = mapping(source["scheduler"], "scheduler"), tabulate
        self.run = run_of(source.get("run", {}))
        self.interval = source.get("interval", "step")
        self.notes: list[str] = []
        if "interval" not in source and "step_argument" not in source and self.scheduler.get("name") not in CYCLING:
            self.notes.append(
                "each scheduler.step() is taken for one update; where the loop makes one an epoch, say interval: epoch"
            )
        if self.interval not in ("step", "epoch"):
            raise InputError(f"interval must be 'step' or 'epoch', got {shown(self.interval)}")
        self.per_step = updates_per_epoch(source.get("step_argument"))
        self.name = source.get("name", self.scheduler.get("name"))
        self._optimizer(mapping(source.get("optimizer", {}), "optimizer"))
        initial = source.get("initial_lr", [group.get("initial_lr") for group in self.groups])
        self.initial = initial if isinstance(initial, list | tuple) else [initial] * len(self.groups)
        if len(self.initial) != len(self.groups):
            raise InputError(
                f"initial_lr must be one number, or one for each of {len(self.groups)} groups, got {len(self.initial)}"
            )

    def _optimizer(self, given: Mapping[str, Any]) -> None:
        """Take the optimizer apart: its type, what holds for all groups, and the groups."""
        given = dict(given)
        self.kind = str(given.pop("type", given.pop("name", None) or ("AdamW" if "betas" in given else "SGD")))
        groups = given.pop("groups", [{}])
        if not isinstance(groups, list | tuple) or not groups:
            raise InputError(f"optimizer: groups must be a list of mappings, got {shown(groups)}")
        for one in (given, *groups):
            check_settings(mapping(one, "optimizer: groups"))
        for key in (key for one in groups for key in one):
            if key not in GROUP_KEYS:
                raise InputError(f"optimizer: groups: a group has no {shown(key)} here{did_you_mean(str(key), GROUP_KEYS)}")
        self.told = "lr" in given or any("lr" in one for one in groups if isinstance(one, Mapping))
        self.settings = {**DEFAULTS.get(self.kind, {}), **given}
        if "lr" not in self.settings:
            raise InputError(f"optimizer: lr is missing, and torch has no {self.kind} whose default is known here")
        self.groups = [{**self.settings, **mapping(group, "optimizer: groups")} for group in groups]
        numbered = [str(group.get("name", f"group{index}")) for index, group in enumerate(self.groups)]
        self.names = numbered if len(groups) > 1 or "name" in groups[0] else ["all"]
        if len(set(self.names)) < len(self.names):
            raise InputError(f"optimizer: two groups have one name: {', '.join(self.names)}")

    # -- schedules ----------------------------------------------------------------------------------------------

    @property
    def _length(self) -> float | None:
        """Scheduler steps in the run, where they are known."""
        if self.interval == "epoch":
            return self.run.epochs
        try:
            total = self.run.clock().total
        except InputError:  # facts are missing, as they may be
            return None
        return None if total == math.inf else total

    def _place(self, group: int, base: float, own: float) -> Place:
        unit = "epoch" if self.per_step else self.interval
        parts = bool(self.per_step)
        return Place(group, len(self.groups), base, own, unit, parts, self._length, tabulate=self.tabulate)

    def law(self, given: Mapping[str, Any], group: int, base: float) -> Law:
        """Return what a scheduler does to a group."""
        name = given.get("name")
        lr = float(self.groups[group]["lr"])
        if name == "SequentialLR":
            return self._sequential(given, group, base)
        if name == "ChainedScheduler":
            return self._chained(given, group, base)
        a, place = arguments(given), self._place(group, base, lr)
        last = a.take("last_epoch", -1)
        a.take("verbose", None)
        law = LAWS[str(name)](a, place)
        a.done()
        if last != -1:
            if self.initial[group] is None:
                raise a.refuse(
                    f"last_epoch {last} needs the groups' initial_lr: torch raises KeyError on an optimizer that has none"
                )
            if not isinstance(last, int) or not 0 <= last <= 2**53:
                raise a.refuse(f"last_epoch must be a whole number of at least -1, got {shown(last)}")
            place.own = number(self.initial[group], "initial_lr")
            return resumed(LAWS[str(name)](a, place) if law.sets else law, a, place, last)
        return law

    def _chained(self, given: Mapping[str, Any], group: int, base: float) -> Law:
        a = arguments(given)
        left = [MOST]
        children = [inner for child in children_of(a) for inner in flat(child, left)]
        a.done()
        if [child.get("name") for child in children].count("SWALR") > 1:
            raise InputError("ChainedScheduler: two SWALR on one optimizer share its swa_lr, which can't be read")
        laws = []
        for index, (child, place) in enumerate(self._built(children, group, base)):
            law = LAWS[child.name](child, place)
            child.done()
            if child.name == "CosineAnnealingLR" and place.own != base and index:
                raise child.refuse("behind a scheduler that writes initial_lr it goes by that, which can't be read")
            laws.append(cyclic_begun(law, child, place, 0) if child.name == "CyclicLR" and index else law)
        return chained(laws, "1 epoch" if self.interval == "epoch" else None)

    def _sequential(self, given: Mapping[str, Any], group: int, base: float) -> Law:
        a = arguments(given)
        children, milestones = children_of(a), a.take("milestones")
        if a.take("last_epoch", -1) != -1:
            raise a.refuse("last_epoch can't be read: torch takes it as the step before, and begins its children anew")
        a.done()
        milestones = numbers_of(milestones, f"{a.name}: milestones")
        if len(milestones) != len(children) - 1:
            raise a.refuse(f"{len(children)} schedulers need {len(children) - 1} milestones, got {len(milestones)}")
        if sorted(milestones) != list(milestones) or any(one != int(one) for one in milestones):
            raise a.refuse(f"milestones must be whole numbers that never go back, got {milestones}")
        for child in children:
            if child.get("name") in ("SequentialLR", "ChainedScheduler"):
                raise a.refuse(
                    f"a {child['name']} in it can't be read: torch runs its children a step too often, and raises where it is "
                    "not the first; write one flat SequentialLR"
                )
        owned = self._built(children, group, base)
        first, place = owned[bisect_right(milestones, 0)]
        left = place.peak.start if place.peak else owned[0][1].own  # the initial_lr that all the constructors have left
        if first.name not in ("LambdaLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"):  # it goes on from there
            place.own = left

        def law(a: Arguments, place: Place) -> Law:
            found = LAWS[a.name](a, place)
            if a is first and a.name == "CosineAnnealingLR" and left != place.own:
                return found._replace(curve=cosine_from(found, a, place, 0, left))
            return found

        return sequential(owned, list(milestones), law)

    def _built(self, children: list[Mapping[str, Any]], group: int, base: float) -> list[tuple[Arguments, Place]]:
        """Return the children as their constructors leave them: each takes the group's initial_lr as it finds it."""
        found = [arguments(child) for child in children]
        lr = float(self.groups[group]["lr"])
        initial: float | None = None
        owned: list[tuple[Arguments, Place]] = []
        peak: Peak | None = None
        swa: float | None = None
        written: tuple[float, float] | None = None
        left = 0.0
        for a in found:
            a.take("verbose", None)
            if a.take("last_epoch", -1) != -1:
                raise a.refuse("last_epoch can't be read inside another scheduler")
            if a.name == "OneCycleLR":
                peak = one_cycle_peak(a, group, len(self.groups))
                initial = peak.start
            elif a.name == "SWALR":
                swa = a.numbers("swa_lr", len(self.groups))[group]
            elif a.name == "CyclicLR" and initial is None:
                initial = a.numbers("base_lr", len(self.groups))[group]
            if a.name in CYCLING and a.flag("cycle_momentum", True):
                alone = replace(self._place(group, base, lr), length=0)
                written, momentum = momenta(a, alone), LAWS[a.name](a, alone).momentum
                left = alone.value(momentum[0], 0, momentum[1]) if momentum else 0.0
            initial = lr if initial is None else initial
            owned.append((a, self._place(group, base, initial)))
        for _, place in owned:
            place.peak, place.swa, place.momenta, place.left = peak, swa, written, left
        return owned

    # -- recipe -------------------------------------------------------------------------------------------------

    def recipe(self) -> Recipe:
        name = str(self.scheduler.get("name"))
        if name not in NAMES:
            raise InputError(f"torch has no scheduler {shown(name)}{did_you_mean(name, NAMES)}")
        a = arguments(self.scheduler)
        if self.per_step and name != "CosineAnnealingWarmRestarts":
            raise InputError(f"step_argument: only CosineAnnealingWarmRestarts counts in parts of an epoch, not {name}")
        self._take_length(a)
        schedules, momenta, groups = [], [], {}
        for index, (label, group) in enumerate(zip(self.names, self.groups, strict=True)):
            base = self._base(a, index)
            law = self.law(self.scheduler, index, base)
            schedules.append(self._timed(law.curve))
            momenta.append(None if law.momentum is None else self._timed(law.momentum[0]))
            momentum = self._momentum(law, group, a)
            decay = group.get("weight_decay")
            groups[label] = Group(
                **{key: group[key] for key in ("kind", "pattern", "module") if key in group},
                lr=base,
                momentum=momentum,
                weight_decay=None if decay is None else float(decay),
            )
        if self.tabulate is not None and _any_live(self.scheduler):
            self.notes.append(f"a live function is written as its first {self.tabulate} values; after them the last is held")
        return self._joined(groups, schedules, momenta)

    def _take_length(self, a: Arguments) -> None:
        """Let a scheduler that knows how long it is say so, where the run doesn't."""
        if a.name == "OneCycleLR":
            total = one_cycle_steps(a)
            if self._length is None and not (self.run.epochs or self.run.steps):
                self.run = replace(self.run, steps=total) if self.interval == "step" else replace(self.run, epochs=total)
            self.notes.append(f"OneCycleLR ends after {total} steps: torch raises there, here its last value is held")
        if self.per_step:
            self.run = replace(self.run, steps_per_epoch=self.per_step)

    def _base(self, a: Arguments, group: int) -> float:
        """Return the base value of a group: what its optimizer was given, or the peak that the scheduler puts in its place."""
        lr = number(self.groups[group]["lr"], "optimizer: lr")
        if a.name not in ("OneCycleLR", "CyclicLR"):
            return lr
        top = a.numbers("max_lr", len(self.groups))[group]
        if top != lr and group == 0 and self.told:
            self.notes.append(f"optimizer.lr {lr:g}: {a.name} sets its own, from max_lr")
        return top

    def _momentum(self, law: Law, group: Mapping[str, Any], a: Arguments) -> float | None:
        if law.momentum is None:
            betas = group.get("betas")
            momentum = betas[0] if betas else group.get("momentum")
            return None if momentum is None else float(momentum)
        if "momentum" not in group and "betas" not in group:
            raise a.refuse(
                f"cycle_momentum needs an optimizer with momentum or betas, and {self.kind} has neither; set it to false"
            )
        return law.momentum[1]

    def _timed(self, schedule: Schedule) -> Schedule:
        return per_epoch(schedule) if self.interval == "epoch" else schedule

    def _joined(self, groups: dict[str, Group], schedules: list[Schedule], momenta: list[Schedule | None]) -> Recipe:
        """Say once what all groups share, and by group what they don't."""
        shared: dict[str, Schedule] = {}
        own: dict[str, dict[str, Schedule]] = {name: {} for name in groups}
        for key, found in (("lr", schedules), ("momentum", momenta)):
            if all(one == found[0] for one in found):
                if found[0] is not None:
                    shared[key] = found[0]
                continue
            for name, one in zip(groups, found, strict=True):
                if one is not None:
                    own[name][key] = one
        first = next(iter(groups.values()))
        optimizer = self._settings(first)
        common = {
            key: getattr(first, key)
            for key in ("lr", "momentum", "weight_decay")
            if all(getattr(group, key) == getattr(first, key) for group in groups.values())
        }
        rules = {name: replace(group, schedules=own[name], **dict.fromkeys(common)) for name, group in groups.items()}
        return Recipe(
            optimizer=optimizer,
            groups={} if list(rules) == ["all"] else rules,
            schedules=shared if list(rules) != ["all"] else {**shared, **own["all"]},
            run=self.run,
            name=self.name,
            notes=tuple(self.notes),
        )

    def _settings(self, first: Group) -> Optimizer:
        known = {field.name for field in fields(Optimizer)}
        extra = {key: value for key, value in self.settings.items() if key not in known and key != "initial_lr"}
        betas = self.settings.get("betas")
        return Optimizer(
            name=self.kind,
            lr=float(first.lr or 0.0),
            momentum=None if betas else first.momentum,
            betas=(float(first.momentum or 0.0), float(betas[1])) if betas else None,
            nesterov=bool(self.settings.get("nesterov", False)),
            weight_decay=first.weight_decay,
            eps=self.settings.get("eps"),
            options=extra,
        )


def _any_live(value: Any) -> bool:
    """Whether a description holds a function anywhere."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return callable(value) or any(map(_any_live, inner))
