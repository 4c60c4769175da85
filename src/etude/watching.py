"""A watch beside an optimizer that a loop of its own drives: it reads what was applied, and says what is off.

It looks after each update, at the innermost optimizer, in a hook; it never writes. While all is right it costs a comparison
for each value. Once something is off it keeps what was applied, and says what `diagnosis` makes of it: at once, and again as
more values tell causes apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from .diagnosis import Finding, diagnose
from .driver import EtudeWarning
from .errors import InputError, did_you_mean
from .fields import index as whole
from .hooked import unwrapped, was_skipped
from .plan import BLOCK, Plan
from .series import Series, slack

_MOST_ROWS = 2048  # updates kept once something is off; then every second one is let go
_MOST_TOLD = 12
_RIGHT_AGAIN = 64  # right updates after which what was off is over


class _Lane(NamedTuple):
    """A value to compare: where it is, and what it should be."""

    group: Mapping[str, Any]
    key: str
    hyperparameter: str
    name: str
    curve: int | None
    base: float
    tiny: float

    def read(self, updates: int) -> tuple[float, float]:
        """Return the value applied, and how exact it can be in parts of itself.

        A tensor may hold 32 bits. torch's schedulers make each rate of the last one, so that their roundings add up.
        """
        value = self.group["betas"][0] if self.key == "betas" else self.group[self.key]
        return float(value), 1e-6 + 6e-8 * updates if hasattr(value, "element_size") and value.element_size() < 8 else 1e-9


class Watch:
    """Compares what an optimizer applied with a plan, update by update. Made by `etude.watch`."""

    def __init__(self, optimizer: Any, plan: Plan, scheduler: Any, updates: int) -> None:
        if not isinstance(plan, Plan):
            raise InputError(f"watch needs a plan, as in recipe.plan(run), got {type(plan).__name__}")
        self.optimizer, self.plan = innermost(optimizer), plan
        self.updates = self._began = updates
        self.compared = 0
        self._told: set[tuple[str, ...]] = set()
        self._warnings = 0
        self._beside: list[str] = []
        self._seen = 0, 0  # updates before the last one kept, and how often the scheduler had been stepped by then
        self._closed: list[Finding] = []
        self._forget()
        self._take(strict=True)
        self._scheduler = None if scheduler is None else _innermost_scheduler(scheduler)
        self._ticked = self._scheduler.last_epoch if self._scheduler is not None else 0
        self._handle = self.optimizer.register_step_post_hook(self._after)
        moved = getattr(self._scheduler, "optimizer", None)
        if moved is not None and innermost(moved) is not self.optimizer:
            self._tell_beside(
                "the scheduler moves another optimizer than the one that makes the updates: build it on the optimizer "
                "that is stepped, after wrapping"
            )

    def __repr__(self) -> str:
        return f"<watch of {self.plan.recipe.name}: {self.updates} updates, {len(self.findings())} findings>"

    def findings(self) -> list[Finding]:
        """Return all that was off until now."""
        return [*self._closed, *self._diagnose()]

    def summary(self) -> str:
        """Return some lines: updates and values that were compared, how often the scheduler was stepped, and the findings."""
        found, made = self.findings(), self.updates - self._began
        lines = [
            f"{made} updates watched, {self.compared} values compared with the plan of {self.plan.recipe.name}: "
            + (f"{len(found)} finding{'s' if len(found) > 1 else ''}" if found else "all as planned")
        ]
        if self._scheduler is not None and made:
            ticks = self._scheduler.last_epoch - self._ticked
            lines.append(f"the scheduler was stepped {ticks} times, {ticks / made:.4g} to an update")
        return "\n".join([*lines, *self._beside, *map(str, found)])

    def release(self) -> None:
        """Take the hook off the optimizer."""
        self._handle.remove()

    # -- the hot path --------------------------------------------------------------------------------------------

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if was_skipped(optimizer):
            return
        groups = optimizer.param_groups
        if groups is not self._groups or len(groups) != self._width or groups[-1] is not self._end:
            self._take()  # load_state_dict has put new groups in place, or some were added
        index = self.updates - self._first
        if not 0 <= index < self._size:
            index = self._load()
        right = True
        for group, key, values, base, tiny in self._moving:
            planned = base * values[index]
            difference = group[key] - planned
            if difference and not abs(difference) <= 1e-9 * abs(planned) + tiny:
                right = False
        for group, key, planned, tiny in self._still:
            if group[key] != planned and not abs(group[key] - planned) <= tiny:
                right = False
        for lane, values in self._others:  # betas and tensors
            value, relative = lane.read(self.updates)
            planned = lane.base * values[index]
            if not abs(value - planned) <= relative * abs(planned) + lane.tiny:
                right = False
        self.compared += len(self._lanes)
        if not right or self._rows:
            self._record(index)
        self.updates += 1

    def _load(self) -> int:
        """Bring in the block of values that holds the next update; return its index there. The end's are held for ever."""
        if self.updates < self.plan.total:
            number = self.updates // BLOCK
            curves = [curve.tolist() for curve in self.plan.block(number)]
            self._first, self._size = number * BLOCK, int(min(BLOCK, self.plan.total - number * BLOCK))
        else:
            curves = [_Held(level) for level in self.plan.levels(self.plan.tick(self.updates))]
            self._first, self._size = self.updates, 2**63
        self._values = [_Held(1.0) if lane.curve is None else curves[lane.curve] for lane in self._lanes]
        self._moving: list[Any] = []
        self._still: list[Any] = []
        self._others: list[Any] = []
        for lane, values in zip(self._lanes, self._values, strict=True):
            if not isinstance(lane.group[lane.key], int | float):
                self._others.append((lane, values))
            elif lane.curve is None:
                self._still.append((lane.group, lane.key, lane.base, 1e-9 * abs(lane.base) + lane.tiny))
            else:
                self._moving.append((lane.group, lane.key, values, lane.base, lane.tiny))
        return self.updates - self._first

    def _take(self, strict: bool = False) -> None:
        """Match the optimizer's groups by name as they are now."""
        if self._rows:
            self._close()
        self._groups = self.optimizer.param_groups
        self._width, self._end = len(self._groups), self._groups[-1]
        self._lanes: list[_Lane] = []
        self._first = self._size = 0
        for group in self._groups:
            try:
                self._lanes += self._lanes_of(group)
            except InputError as error:
                if strict:
                    raise
                self._tell_beside(f"a group was added at step {self.updates}, and is not compared: {error}")

    def _lanes_of(self, group: Mapping[str, Any]) -> list[_Lane]:
        groups, name = self.plan.groups, group.get("name")
        if name is None and len(groups) == 1 and self._width == 1:
            name = groups[0]
        if name is None:
            raise InputError(
                "a parameter group has no name, and groups are matched by name, never by position: give each group a 'name' "
                f"out of {', '.join(groups)}, as in optimizer.param_groups[0]['name'] = {groups[0]!r}"
            )
        if name not in groups:
            raise InputError(f"the plan has no group {name!r}{did_you_mean(str(name), groups)}")
        lanes = []
        for hyperparameter in self.plan.hyperparameters:
            key = "betas" if hyperparameter == "momentum" and "betas" in group else hyperparameter
            if key not in group:
                raise InputError(f"group {name!r} of {type(self.optimizer).__name__} has no {key}, but the recipe has one")
            column = self.plan.columns[hyperparameter][groups.index(name)]
            lanes.append(_Lane(group, key, hyperparameter, name, *column, slack(self.plan, hyperparameter, name, 0.0)))
        return lanes

    # -- something is off ----------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._rows: list[tuple[int, list[tuple[float, float]]]] = []  # step; value and exactness of each lane
        self._wrong: set[int] = set()
        self._every, self._since, self._last, self._next = 1, 0, 0, 0

    def _record(self, index: int) -> None:
        """Keep this update's values; say what is off at the first wrong one, and after 3, 15, 63 more and so on."""
        row = [lane.read(self.updates) for lane in self._lanes]
        wrong = {
            place
            for place, (lane, values, (value, relative)) in enumerate(zip(self._lanes, self._values, row, strict=True))
            if not abs(value - lane.base * values[index]) <= relative * abs(lane.base * values[index]) + lane.tiny
        }
        if not wrong <= self._wrong:
            self._since = self._next = self.updates
        elif (self.updates - self._since) % self._every:
            return
        if self._scheduler is not None:
            self._seen = self.updates - self._began, self._scheduler.last_epoch - self._ticked
        self._wrong |= wrong
        self._last = self.updates if wrong else self._last
        self._rows.append((self.updates, row))
        if len(self._rows) > _MOST_ROWS:
            del self._rows[1::2]
            self._every *= 2
        if self.updates - self._last >= _RIGHT_AGAIN * self._every:
            self._close()
        elif self.updates >= self._next:
            self._next = self._since + 4 * (self.updates - self._since) + 3
            for finding in self._diagnose():
                self._tell_finding(finding)

    def _close(self) -> None:
        self._closed += self._diagnose()[: _MOST_TOLD - len(self._closed)]
        self._forget()

    def _diagnose(self) -> list[Finding]:
        """Return what the values kept say; the updates just before them were right."""
        if not self._rows:
            return []
        begin = self._rows[0][0]
        before = range(max(begin - 4, self._began), begin)
        right = [self.plan.at(step) for step in before]
        series = {}
        for place, lane in enumerate(self._lanes):
            name, group = lane.hyperparameter, lane.name
            if (name, group) in series and place not in self._wrong:
                continue  # of several groups of one name the wrong one
            pairs = [(values[name][group], 1e-9) for values in right] + [row[place] for _, row in self._rows]
            series[name, group] = Series(
                [*before, *(step for step, _ in self._rows)],
                [value for value, _ in pairs],
                [slack(self.plan, name, group, value, relative) for value, relative in pairs],
            )
        return diagnose(self.plan, series, self._began, self._ticks())

    def _ticks(self) -> float | None:
        """Return how often the scheduler was stepped after each update before this one, where that is a whole number above 1."""
        made, ticks = self._seen
        return ticks / made if made and ticks > made and ticks % made == 0 else None

    def _tell_finding(self, finding: Finding) -> None:
        """Warn of a finding, once a cause."""
        new = {(finding.hyperparameter, group, finding.what) for group in finding.groups} - self._told
        known = all((finding.hyperparameter, group, "") in self._told for group in finding.groups)
        if new and not (known and not finding.what):
            self._told |= new | {(finding.hyperparameter, group, "") for group in finding.groups}
            self._tell(str(finding))

    def _tell_beside(self, message: str) -> None:
        """Warn of what no value shows; the summary says it too."""
        self._beside.append(message)
        self._tell(message)

    def _tell(self, message: str) -> None:
        self._warnings += 1
        if self._warnings <= _MOST_TOLD:
            more = "; more is told by summary() alone" if self._warnings == _MOST_TOLD else ""
            warnings.warn(message + more, EtudeWarning, stacklevel=6)


class _Held:
    """One value at every index."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __getitem__(self, index: int) -> float:
        return self.value


def innermost(optimizer: Any) -> Any:
    """Return the torch optimizer that makes the updates, inside the wrappers of others; InputError where there is none."""
    inner = unwrapped(optimizer)
    if not hasattr(inner, "register_step_post_hook"):
        raise InputError(f"a torch optimizer is needed, got {type(optimizer).__name__}")
    return inner


def _innermost_scheduler(scheduler: Any) -> Any:
    """Return the scheduler that counts, inside Accelerate's wrapper."""
    inner = scheduler if hasattr(scheduler, "last_epoch") else getattr(scheduler, "scheduler", scheduler)
    if not isinstance(getattr(inner, "last_epoch", None), int):
        raise InputError(f"watch counts the steps of a torch scheduler by its last_epoch, which {type(inner).__name__} lacks")
    return inner


def watch(optimizer: Any, plan: Plan, scheduler: Any = None, *, updates: int = 0) -> Watch:
    """Compare what an optimizer applies with a plan, after each of its updates, and warn of what is off. Nothing is written.

    Args:
        optimizer: A torch optimizer, or Accelerate's or Lightning's wrapper of one; its groups are matched by "name".
        plan: The plan that is meant.
        scheduler: The torch scheduler of the loop, where its steps are to be counted too.
        updates: How many updates were made before, in a run that goes on.
    Returns:
        The watch; `summary()` tells at the end, `release()` lets go.
    Raises:
        InputError: a parameter group's name is not in the plan, several groups have none, or `updates` is below 0.

    Example:
        >>> import torch, etude
        >>> optimizer = torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)
        >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
        >>> watch = etude.watch(optimizer, etude.read(scheduler).plan(etude.Run(steps=100)), scheduler)
        >>> for _ in range(100):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> print(watch.summary())
        100 updates watched, 300 values compared with the plan of CosineAnnealingLR: all as planned
        the scheduler was stepped 100 times, 1 to an update
    """
    return Watch(optimizer, plan, scheduler, whole(updates, "count of updates"))
