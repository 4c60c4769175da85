"""A driver's place at one optimizer: its counter, its hooks, and the lanes on which values reach the groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import InputError, did_you_mean
from .hooked import was_skipped
from .late import joined
from .owned import Owned, Place, numbers
from .plan import BLOCK, Plan

if TYPE_CHECKING:
    from .driver import Driver


class Seat:
    """One optimizer under a driver: its counter, its hooks, and the lanes on which values reach its groups."""

    def __init__(self, driver: Driver, optimizer: Any, number: int, updates: int) -> None:
        self.driver, self.number, self.optimizer = driver, number, optimizer
        self.plan = driver.unfed
        self.updates, self.skipped, self._due = updates, 0, False
        self.joined: dict[str, int] = {}  # by group, the updates that had been made when it joined
        self._lanes: list[list[Any]] = []  # key, values of the block, last value, groups to compare, to write alone, turns
        self._curve_of_lane: list[int] = []
        self._owned: list[Owned] = []
        previous = getattr(optimizer, "_etude_seat", None)
        if previous is not None:
            previous.release()  # one plan to an optimizer: a notebook cell run again replaces its driver
            driver.tell(
                "replaced", f"this optimizer had a driver already; the new one takes its place, and counts from {updates}"
            )
        self._asks_amp = getattr(optimizer, "_step_supports_amp_scaling", False)  # a scaler calls its step() in any case
        self._width = len(optimizer.param_groups)
        self._came = None if previous else self._strange_rate()
        self.take()
        self._handles = [
            optimizer.register_step_pre_hook(driver.eagerly(self.before)),
            optimizer.register_step_post_hook(driver.eagerly(self.after)),
        ]
        if driver.tensors:
            self._handles.append(optimizer.register_state_dict_post_hook(lambda _, state: numbers(state)))
        optimizer._etude_seat = self

    def _strange_rate(self) -> tuple[str, float] | None:
        """Return a group with the rate that its optimizer was given, where the plan does not know it: neither base nor first."""
        now = self.plan.at(self.updates)["lr"]
        for group in self.optimizer.param_groups:
            name = self._name(group)
            known = [float(group[key]) for key in ("lr", "initial_lr", "max_lr") if key in group]
            right = (float(self.plan.recipe.base("lr", name) or 0.0), now[name])
            if not any(abs(rate - one) <= 1e-6 * abs(one) for rate in known for one in right):  # a tensor may hold 32 bits
                return name, known[0]
        return None

    def release(self) -> None:
        for handle in self._handles:
            handle.remove()
        for owned in self._owned:
            owned.release()
        if self.optimizer._etude_seat is self:
            self.optimizer._etude_seat = None

    def replan(self) -> None:
        """Follow the plan with all that was fed until now, from the next update on."""
        fed = [(made[self.number], name, value) for made, name, value in self.driver.metrics]
        plan = self.driver.unfed
        if any(self.joined.values()):
            plan = joined(plan, self.joined)
        self.plan = plan.fed(fed) if fed else plan
        self._size = 0  # its values are brought in before the next update
        for owned in self._owned:
            owned.tie(self.plan, owned.places)

    # The two hooks are the hot path: about half a microsecond for three groups.

    def before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Write this update's values; what is found changed since the last one is told, and undone.

        Of more than 16 groups with a schedule, 16 are compared at a time, in turns; all are written every time.
        """
        self._due = True
        groups = optimizer.param_groups
        if groups is not self._groups or len(groups) != self._width or groups[-1] is not self._end:
            self.take()  # load_state_dict has put new groups in place, or some were added
        index = self.updates - self._first
        if not 0 <= index < self._size:
            index = self._load()
            self._look_around()
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
            tensor.fill_(base if curve is None else base * self._curves[curve][index])
        for owned in self._owned:
            self._write_owned(owned)
        if self._rest:
            self._write_rest(index)

    def _write_owned(self, owned: Owned) -> None:
        """Write the values of a buffer, once all groups hold what is theirs in it."""
        while (found := owned.changed()) is not None:
            place, held = found
            self._changed(place.group, place.key, "the driver's tensor", "tensor")
            place.group[place.key] = held
        owned.write(self.updates)

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
        """Count the update; one that a fused optimizer skipped for AMP is seen by what the scaler left with it.

        An optimizer's own step() that calls its parent's runs the hooks twice, one pair inside the other.
        """
        if not self._due:
            return
        self._due = False
        if self._asks_amp and was_skipped(optimizer):
            self.skip()
        else:
            self.updates += 1

    @property
    def last(self) -> int:
        """The number of the update that was made last, also while the other hooks of its step are called."""
        return self.updates - (not self._due)

    def skip(self) -> None:
        """Count an update that was due and not made; whether the schedule moves on is the driver's policy."""
        self.skipped += 1
        self.updates += self.driver.policy == "count"

    def take(self) -> None:
        """Match the optimizer's groups by name as they are now, and write the values of the next update.

        A group that was not there before joins now, at the beginning of its schedules: its clock is its own.
        """
        self._groups = self.optimizer.param_groups
        self._width, self._end = len(self._groups), self._groups[-1]
        new = {self._name(group) for group in self._groups} - self.joined.keys()
        # in a run that was changed midway its clock is the run's: the plan's own past is not one to go through again
        late = self.updates if self.joined and not self.driver.history else 0
        self.joined |= dict.fromkeys(new, late)
        if new and self.joined and self.updates:
            self.replan()
        self._lanes, self._curve_of_lane = [], []
        index = self._load()
        lanes: dict[tuple[str, int], list[tuple[Any, float]]] = {}
        constants: list[tuple[Any, str, Any]] = []
        self._tensors: list[tuple[Any, str, Any, int | None, float]] = []  # group, key, tensor, curve, base
        self._betas: list[list[Any]] = []  # group, curve, base, last value
        places: list[Place] = []
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
                    value = base if by_hand is None else by_hand
                    if _is_plain(group[key]):
                        constants.append((group, key, group[key]))
                    elif key != "betas":  # a look at a tensor may have to wait for its device: it is written every time
                        self._tensors.append((group, key, group[key], None, value))
                    continue
                if self.driver.tensors and self._can_move(group, key):
                    places.append(Place(group, key, curve, base))
                    continue
                value = base * self._curves[curve][index]
                _put(group, key, value)
                if key == "betas":
                    self._betas.append([group, curve, base, value])
                elif isinstance(group[key], float):
                    lanes.setdefault((key, curve), []).append((group, base))
                else:
                    self._tensors.append((group, key, group[key], curve, base))
        self._owned = _owned(self.plan, places, self._owned)
        for owned in self._owned:
            owned.write(self.updates)
        self._constants_in_turn = _turns(constants)
        self._rest = bool(self._betas or constants)
        self._curve_of_lane = [curve for _, curve in lanes]
        self._lanes = [
            [key, self._curves[curve], self._curves[curve][index], *next(turns), turns]
            for (key, curve), pairs in lanes.items()
            for turns in [_turns(pairs)]
        ]
        if not self.updates:
            self._size = 0  # so that the first update looks around

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

    def _look_around(self) -> None:
        """Tell of an update that is none of the plan's: before its first, or after its last."""
        if self.updates >= self.plan.total:
            self.driver.tell(
                "end",
                f"the run is over: the plan has {self.plan.total} updates, and more are made; the values at its end are held. "
                "Give the recipe's run its real length",
            )
        if self.updates:
            return
        if any(float(state.get("step", 1)) > 0 for state in self.optimizer.state.values()):  # Adagrad has states from the start
            self.driver.tell(
                "begun",
                "the optimizer has made updates before, and this driver counts from 0: load the driver's own state, "
                "or say how many, as in drive(optimizer, plan, updates=45_000)",
            )
        elif self._came:
            name, rate = self._came
            base = self.plan.recipe.base("lr", name)
            self.driver.tell(
                "base",
                f"group {name!r} came with lr {rate:g}; the recipe's base value, {base:g}, counts. "
                f"To keep the optimizer's: recipe.override(lr={rate:g})",
            )

    def _can_move(self, group: Any, key: str) -> bool:
        """Whether a value may be a tensor there; tells once where it may not, and what to do."""
        kind = type(self.optimizer).__name__
        if group.get("fused") and key in ("momentum", "weight_decay"):
            self.driver.tell(
                f"{key} fused",
                f"fused {kind} takes {key} as a number only, and compiles anew for each new one: build it with fused=False",
            )
            return False
        if group.get("foreach") and not group.get("capturable", True) and key in ("lr", "betas"):
            raise InputError(
                f"{kind} with foreach=True takes {key} as a tensor only with capturable=True: build it so, or without foreach"
            )
        return True

    def _changed(self, group: Any, key: str, planned: Any, now: Any) -> None:
        name = "momentum" if key == "betas" else key
        self.driver.tell(
            f"{key} changed",
            f"{key} of group {group.get('name', 'all')!r} was changed from {planned} to {group[key]} by something else (a "
            f"scheduler, a callback, a line of the loop); the plan's {now} is applied. "
            f"To keep a value of your own: driver.override({name}=...)",
        )


def _owned(plan: Plan, places: Sequence[Place], before: Sequence[Owned]) -> list[Owned]:
    """Return a buffer for each device that parameters of these places lie on, one of before where it fits."""
    by_device: dict[Any, list[Place]] = {}
    for place in places:
        by_device.setdefault(place.group["params"][0].device if place.group["params"] else "cpu", []).append(place)
    found = []
    for device, inside in by_device.items():
        owned = next((one for one in before if one.fits(inside, device)), None) or Owned(inside, device)
        owned.tie(plan, inside)
        found.append(owned)
    return found


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
        group[key] = (value, *map(float, old[1:]))  # torch takes numbers or tensors, not one of each
    elif hasattr(old, "fill_"):
        old.fill_(value)
    else:
        group[key] = value


def _is_plain(value: Any) -> bool:
    """Whether comparing a value costs no look at a device."""
    return isinstance(value, int | float) or (isinstance(value, tuple) and all(isinstance(one, int | float) for one in value))
