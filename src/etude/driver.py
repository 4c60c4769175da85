"""The driver: holds a plan to the optimizers that it drives.

It writes the plan's absolute values before each update, in the optimizer's own pre-step hook, and counts updates where they
happen, in its post-step hook: nothing else moves the schedule, and nothing live is read to compute the next value. Made by
`etude.torch.drive`; no framework is imported here, only the hooks and parameter groups of a torch optimizer are used.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .errors import InputError, did_you_mean
from .groups import base_value
from .plan import BLOCK, Plan
from .recipe import VERSION, difference


class EtudeWarning(UserWarning):
    """Something that would have moved a schedule silently, told once with its cure."""


class Driver:
    """Holds a plan to its optimizers. The state is how many updates each has made, every metric it was fed, and the recipe."""

    def __init__(self, optimizers: Sequence[Any], plan: Plan, agree: Callable[[float], float] = float) -> None:
        if not isinstance(plan, Plan):
            raise InputError(f"drive needs a plan, as in recipe.plan(run), got {type(plan).__name__}")
        if not optimizers or len({id(optimizer) for optimizer in optimizers}) < len(optimizers):
            raise InputError(f"drive needs one optimizer or several different ones, got {len(optimizers)}")
        for optimizer in optimizers:
            if not hasattr(optimizer, "register_step_pre_hook"):
                raise InputError(f"drive needs a torch optimizer, got {type(optimizer).__name__}")
        self._unfed = plan
        self.metrics: list[tuple[list[int], str, float]] = []  # updates of each optimizer at the time, name, value
        self._agree = agree
        self.overrides: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()
        self._updates_at_step = [0] * len(optimizers)
        self._seats = [_Seat(self, optimizer, number) for number, optimizer in enumerate(optimizers)]

    def __repr__(self) -> str:
        return f"<driver of {self.plan.recipe.name}: {', '.join(map(str, self.updates))} of {self.plan.total} updates>"

    @property
    def optimizer(self) -> Any:
        """The first optimizer, where other libraries look for a scheduler's own."""
        return self._seats[0].optimizer

    @property
    def plan(self) -> Plan:
        """The plan that the first optimizer follows, with all that was fed until now."""
        return self._seats[0].plan

    @property
    def updates(self) -> list[int]:
        """Updates made so far, by optimizer."""
        return [seat.updates for seat in self._seats]

    def step(self, *_: Any) -> None:
        """Do nothing but notice: the schedule moves with the optimizer's updates, however often and whenever this is called."""
        if self.updates == self._updates_at_step:
            self.tell(
                "step",
                "driver.step() was called without an update since its last call: before optimizer.step(), several times for "
                "one update, or after one that AMP skipped. The schedule counts the updates themselves and did not move; "
                "call it once after optimizer.step(), or not at all",
            )
        self._updates_at_step = self.updates

    def get_last_lr(self) -> list[float]:
        """Return the learning rate that each group holds: its last update's, or the next one's before any and after loading."""
        return [float(group["lr"]) for seat in self._seats for group in seat.optimizer.param_groups]

    def override(self, group: str | None = None, **values: float | None) -> None:
        """Put a value by hand in place of the plan's, from the next update on; None gives it back to the plan.

        Args:
            group: The group meant; all of them by default.
            values: lr, momentum or weight_decay.
        Raises:
            InputError: the plan has no such group or hyperparameter.

        Example:
            >>> driver.override(lr=0.001, group="bias")             # doctest: +SKIP
        """
        if not values:
            raise InputError("override needs a value, such as driver.override(lr=0.01)")
        groups = self.plan.groups if group is None else (group,)
        for name, value in values.items():
            for word, known in ((name, self.plan.hyperparameters), (groups[0], self.plan.groups)):
                if word not in known:
                    raise InputError(f"the plan has no {word!r}{did_you_mean(word, known)}")
            base_value(value, name)
        for name, value in values.items():
            for one in groups:
                self.overrides.pop((name, one), None)
                if value is not None:
                    self.overrides[name, one] = float(value)
        for seat in self._seats:
            seat.take()

    def feed(self, metric: float | None = None, /, **metrics: float) -> None:
        """Tell the plateaus what was measured; it counts from the next update on.

        In a process group the value of its first process is taken everywhere, so that all make one decision: call it in all.

        Args:
            metric: The value, where the recipe waits for one metric only.
            metrics: Values by name.
        Raises:
            InputError: no plateau waits for a metric of this name, or a value is no number.

        Example:
            >>> driver.feed(val_loss=0.71)                          # doctest: +SKIP
        """
        if metric is not None:
            known = self.plan.watched()
            if len(known) != 1 or metrics:
                raise InputError(
                    f"feed needs the metric's name, as in feed(val_loss=0.71); the recipe waits for {known or 'none'}"
                )
            metrics = {known[0]: metric}
        for name, value in metrics.items():
            self.plan.check_metric(name)
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise InputError(f"metric {name!r} must be a number, got {value!r}") from None
            self.metrics.append((self.updates, name, self._agree(number)))
        for seat in self._seats:
            seat.take()

    def state_dict(self) -> dict[str, Any]:
        """Return counters, metrics and the recipe, as plain data."""
        return {
            "etude": VERSION,
            "updates": self.updates,
            "recipe": self._identity(),
            "overrides": [[name, group, value] for (name, group), value in self.overrides.items()],
            "metrics": [[list(updates), name, value] for updates, name, value in self.metrics],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, before or after the optimizer's own is loaded.

        Raises:
            InputError: the state is of another recipe or run, with the differences, or is none of etude's.
        """
        if not _is_state(state):
            raise InputError("this is not the state of an etude driver: it has no `etude: 1` with a list of `updates`")
        changed = difference(state["recipe"], self._identity())
        if changed:
            raise InputError("the checkpoint is of another recipe (there -> here): " + "; ".join(changed))
        if len(state["updates"]) != len(self._seats):
            raise InputError(f"the checkpoint drives {len(state['updates'])} optimizers, this driver {len(self._seats)}")
        self.overrides = {(name, group): value for name, group, value in state["overrides"]}
        self.metrics = [(list(updates), name, value) for updates, name, value in state.get("metrics", [])]
        for seat, updates in zip(self._seats, state["updates"], strict=True):
            seat.updates, seat._fed = updates, -1
            seat.take()
        self._updates_at_step = [-1] * len(self._seats)

    def release(self) -> None:
        """Take the hooks off the optimizers; the values stay as they are."""
        for seat in self._seats:
            seat.release()

    def tell(self, topic: str, message: str) -> None:
        """Warn, once a topic."""
        if topic not in self._told:
            self._told.add(topic)
            warnings.warn(message, EtudeWarning, stacklevel=4)

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to go on: the recipe and the run, not names or what is trained."""
        recipe = self.plan.recipe.to_dict()
        for key in ("name", "train", "run"):
            recipe.pop(key, None)
        return {**recipe, "order": list(self.plan.groups), "run": self.plan.run.to_dict()}


def _is_state(state: Any) -> bool:
    return (
        isinstance(state, Mapping)
        and state.get("etude") == VERSION
        and isinstance(state.get("recipe"), Mapping)
        and isinstance(state.get("overrides"), list)
        and all(isinstance(entry, list | tuple) and len(entry) == 3 for entry in state["overrides"])
        and all(len(entry) == 3 and len(entry[0]) == len(state["updates"]) for entry in state.get("metrics", []))
        and isinstance(state.get("updates"), list)
        and all(isinstance(count, int) and count >= 0 for count in state["updates"])
    )


class _Seat:
    """One optimizer under a driver: its counter, its hooks, and the lanes on which values reach its groups."""

    def __init__(self, driver: Driver, optimizer: Any, number: int) -> None:
        self.driver, self.number, self.optimizer = driver, number, optimizer
        self.plan = driver._unfed
        self.updates = 0
        self._fed = 0  # metrics that its plan knows
        self._lanes: list[list[Any]] = []  # key, values of the block, last value, groups to compare, to write alone, turns
        self._curve_of_lane: list[int] = []
        previous = getattr(optimizer, "_etude_seat", None)
        if previous is not None:
            previous.release()  # one plan to an optimizer: a notebook cell run again replaces its driver
            driver.tell("replaced", "this optimizer had a driver already; the new one takes its place, and counts from 0")
        self.take()
        self._handles = [
            optimizer.register_step_pre_hook(self.before),
            optimizer.register_step_post_hook(self.after),
        ]
        optimizer._etude_seat = self

    def release(self) -> None:
        for handle in self._handles:
            handle.remove()
        self.optimizer._etude_seat = None

    # The two hooks are the hot path: about half a microsecond for three groups.

    def before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Write this update's values; what is found changed since the last one is told, and undone.

        Of more than 16 groups with a schedule, 16 are compared at a time, in turns; all are written every time.
        """
        groups = optimizer.param_groups
        if groups is not self._groups or len(groups) != self._width or groups[-1] is not self._end:
            self.take()  # load_state_dict has put new groups in place, or some were added
        index = self.updates - self._first
        if not 0 <= index < self._size:
            index = self._load()
            if self.updates >= self.plan.total:
                self._tell_the_end()
        for lane in self._lanes:
            key, values, last, watched, others, turns = lane
            value = lane[2] = values[index]
            for group, base in watched:
                if group[key] != base * last:
                    self._changed(group, key, base * last, base * value)
                group[key] = base * value
            if others:
                for group, base in others:
                    group[key] = base * value
                lane[3:5] = next(turns)
        for group, key, tensor, curve, base in self._tensors:
            if group[key] is not tensor:
                self._changed(group, key, "its tensor", "the tensor it was given")
                group[key] = tensor
            tensor.fill_(base * self._curves[curve][index])
        if self._rest:
            self._write_rest(index)

    def _write_rest(self, index: int) -> None:
        """Write the first of betas, and put right what no schedule moves where it was changed by hand."""
        for entry in self._betas:
            group, curve, base, last = entry
            value = base * self._curves[curve][index]
            if group["betas"][0] != last:
                self._changed(group, "betas", last, value)
            group["betas"] = (value, *group["betas"][1:])
            entry[3] = value
        watched, _ = next(self._constants_in_turn)
        for group, key, value in watched:
            if group[key] != value:
                self._changed(group, key, value, value)
                group[key] = value

    def after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Count the update."""
        self.updates += 1

    def take(self) -> None:
        """Match the optimizer's groups by name as they are now, and write the values of the next update."""
        if self._fed != len(self.driver.metrics):
            self._fed = len(self.driver.metrics)
            self.plan = self.driver._unfed.fed((made[self.number], name, value) for made, name, value in self.driver.metrics)
        self._groups = self.optimizer.param_groups
        self._width, self._end = len(self._groups), self._groups[-1]
        self._size = 0
        index = self._load()
        lanes: dict[tuple[str, int], list[tuple[Any, float]]] = {}
        constants: list[tuple[Any, str, Any]] = []
        self._tensors: list[tuple[Any, str, Any, int, float]] = []  # group, key, tensor, curve, base
        self._betas: list[list[Any]] = []  # group, curve, base, last value
        own: set[int] = set()
        for group, name in [(group, self._name(group)) for group in self._groups]:
            for hyperparameter in self.plan.hyperparameters:
                key = "betas" if hyperparameter == "momentum" and "betas" in group else hyperparameter
                if key not in group:
                    raise InputError(f"group {name!r} of {type(self.optimizer).__name__} has no {key}, but the recipe has one")
                if id(group[key]) in own and hasattr(group[key], "clone"):
                    group[key] = group[key].clone()  # torch gives every group the one tensor of its constructor
                own.add(id(group[key]))
                curve, base = self.plan.columns[hyperparameter][self.plan.groups.index(name)]
                by_hand = self.driver.overrides.get((hyperparameter, name))
                if by_hand is not None or curve is None:
                    _put(group, key, base if by_hand is None else by_hand)
                    constants += [(group, key, group[key])] if _is_plain(group[key]) else []
                    continue
                value = base * self._curves[curve][index]
                _put(group, key, value)
                if key == "betas":
                    self._betas.append([group, curve, base, value])
                elif isinstance(group[key], float):
                    lanes.setdefault((key, curve), []).append((group, base))
                else:
                    self._tensors.append((group, key, group[key], curve, base))
        self._constants_in_turn = _turns(constants)
        self._rest = bool(self._betas or constants)
        self._curve_of_lane = [curve for _, curve in lanes]
        self._lanes = [
            [key, self._curves[curve], self._curves[curve][index], *next(turns), turns]
            for (key, curve), pairs in lanes.items()
            for turns in [_turns(pairs)]
        ]

    def _name(self, group: Mapping[str, Any]) -> str:
        """Return the plan's group for a parameter group."""
        groups = self.plan.groups
        name = group.get("name")
        if name is None and len(groups) == 1 and self._width == 1:
            return groups[0]
        if name is None:
            raise InputError(
                "a parameter group has no name, and groups are matched by name, never by position: build the optimizer "
                f"with etude.torch.build, or give each group a 'name' out of {', '.join(groups)}"
            )
        if name not in groups:
            raise InputError(f"the plan has no group {name!r}{did_you_mean(str(name), groups)}")
        return str(name)

    def _load(self) -> int:
        """Bring in the block of values that holds the next update; return its index there."""
        if self.updates < self.plan.total:
            number = self.updates // BLOCK
            self._first = number * BLOCK
            self._curves = [curve.tolist() for curve in self.plan.block(number)]
            self._size = int(min(BLOCK, self.plan.total - self._first))
        else:
            self._curves = [[value] for value in self.plan.levels(self.plan.tick(self.updates))]
            self._first, self._size = self.updates, 0  # asked for again at every update
        for lane, curve in zip(self._lanes, self._curve_of_lane, strict=True):
            lane[1] = self._curves[curve]
        return self.updates - self._first

    def _tell_the_end(self) -> None:
        self.driver.tell(
            "end",
            f"the run is over: the plan has {self.plan.total} updates, and more are made; the values at its end are held. "
            "Give the recipe's run its real length",
        )

    def _changed(self, group: Any, key: str, planned: Any, now: Any) -> None:
        name = "momentum" if key == "betas" else key
        self.driver.tell(
            f"{key} changed",
            f"{key} of group {group.get('name', 'all')!r} was changed from {planned} to {group[key]} by something else (a "
            f"scheduler, a callback, a line of the loop); the plan's {now} is applied. "
            f"To keep a value of your own: driver.override({name}=...)",
        )


_WATCHED = 16
"""Groups whose values are compared with the plan's before they are written, in one update."""


def _turns(pairs: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    """Divide groups into those to compare and those to write alone, in turns: up to 16 are compared at every update."""
    starts = range(0, max(len(pairs), 1), _WATCHED)
    return itertools.cycle([(pairs[start : start + _WATCHED], pairs[:start] + pairs[start + _WATCHED :]) for start in starts])


def _put(group: Any, key: str, value: float) -> None:
    """Put a value where it belongs: a tensor is filled in place and keeps its identity."""
    old = group[key]
    if key == "betas":
        group[key] = (value, *old[1:])
    elif isinstance(old, int | float):
        group[key] = value
    else:
        old.fill_(value)


def _is_plain(value: Any) -> bool:
    """Whether comparing a value costs no look at a device."""
    return isinstance(value, int | float) or (isinstance(value, tuple) and all(isinstance(one, int | float) for one in value))
