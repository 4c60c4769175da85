"""The driver: holds a plan to the optimizers that it drives.

It writes the plan's absolute values before each update, in the optimizer's own pre-step hook, and counts updates where they
happen, in its post-step hook: nothing else moves the schedule, and nothing live is read to compute the next value. Made by
`etude.torch.drive`; no framework is imported here, only the hooks and parameter groups of a torch optimizer are used.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import InputError, did_you_mean, shown
from .fields import number
from .groups import base_value
from .hooked import Seen
from .plan import Plan
from .recipe import VERSION, difference
from .seat import Seat
from .state import check, identity


class EtudeWarning(UserWarning):
    """Something that would have moved a schedule silently, told once with its cure."""


class Driver:
    """Holds a plan to its optimizers. The state is how many updates each has made, every metric it was fed, and the recipe."""

    def __init__(
        self,
        optimizers: Sequence[Any],
        plan: Plan,
        updates: int = 0,
        agree: Callable[[float], float] = float,
        skipped: str = "hold",
        scaler: Any = None,
        tensors: Callable[[Any], Any] | None = None,
    ) -> None:
        if not isinstance(plan, Plan):
            raise InputError(f"drive needs a plan, as in recipe.plan(run), got {type(plan).__name__}")
        if not optimizers or len({id(optimizer) for optimizer in optimizers}) < len(optimizers):
            raise InputError(f"drive needs one optimizer or several different ones, got {len(optimizers)}")
        for optimizer in optimizers:
            if not hasattr(optimizer, "register_step_pre_hook"):
                raise InputError(f"drive needs a torch optimizer, got {type(optimizer).__name__}")
        if skipped not in ("hold", "count"):
            raise InputError(f"skipped must be 'hold' or 'count', got {shown(skipped)}")
        if skipped == "count" and scaler is None:
            raise InputError(
                "skipped='count' needs the GradScaler, as in drive(optimizer, plan, scaler=scaler, skipped='count'): nobody else "
                "knows what it skips"
            )
        self.unfed, self.policy = plan, skipped
        self.history: list[Any] = []
        self.tensors, self.eagerly = tensors is not None, tensors or (lambda hook: hook)
        self.metrics: list[tuple[list[int], str, float]] = []  # updates of each optimizer at the time, name, value
        self._agree = agree
        self.overrides: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()
        self._updates_at_step = [0] * len(optimizers)
        self._seats = [Seat(self, optimizer, number, updates) for number, optimizer in enumerate(optimizers)]
        self._seen = _seen(scaler, self._seats) if scaler is not None else None

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

    @property
    def skipped(self) -> list[int]:
        """Updates that AMP skipped so far, by optimizer, as far as they were seen."""
        return [seat.skipped for seat in self._seats]

    def step(self, metric: float | None = None, /) -> None:
        """Do nothing but notice: the schedule moves with the optimizer's updates, however often and whenever this is called.

        What a plateau waits for may be given, as torch's has it: it is fed.
        """
        if metric is not None and self.plan.watched():
            self.feed(metric)
            return
        if metric is not None:
            self.tell(
                "argument",
                f"driver.step({metric!r}): no plateau waits for a metric, and nothing else can be given; it is ignored",
            )
        if self.updates == self._updates_at_step:
            self.tell(
                "step",
                "driver.step() was called without an update since its last call: before optimizer.step(), several times for "
                "one update, at batches that only accumulate, or after one that AMP skipped. The schedule counts the updates "
                "themselves and did not move; call it once after optimizer.step(), or not at all",
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
        known = self.plan.watched()
        if metric is not None:
            if len(known) != 1 or metrics:
                raise InputError(
                    f"feed needs the metric's name, as in feed(val_loss=0.71); the recipe waits for {known or 'none'}"
                )
            metrics = {known[0]: metric}
        checked = {name: self.plan.checked(name, value, known) for name, value in metrics.items()}
        self.metrics += [(self.updates, name, self._agree(value)) for name, value in checked.items()]
        for seat in self._seats:
            seat.replan()

    def state_dict(self) -> dict[str, Any]:
        """Return counters, metrics and the recipe, as plain data."""
        if not self.metrics and self._two_epochs_done() and (waiting := self.plan.watched()):
            self.tell(
                "never fed",
                f"a plateau waits for {', '.join(waiting)}, and nothing was fed in {max(self.updates)} updates: "
                "call driver.feed(...) after each evaluation",
            )
        return {
            "etude": VERSION,
            "updates": self.updates,
            "skipped": self.skipped,
            "joined": [dict(seat.joined) for seat in self._seats],
            "recipe": {"name": self.unfed.recipe.name, **identity(self.unfed)},
            "overrides": [[name, group, value] for (name, group), value in self.overrides.items()],
            "metrics": [[list(updates), name, value] for updates, name, value in self.metrics],
            "history": list(self.history),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, before or after the optimizer's own is loaded.

        Raises:
            InputError: the state is of another recipe or run, with the differences, or is none of etude's.
        """
        state = check(state)
        changed = difference({key: value for key, value in state["recipe"].items() if key != "name"}, identity(self.unfed))
        if changed:
            raise InputError(
                "the checkpoint is of another recipe (there -> here): " + "; ".join(changed) + ". Go on with the old one, or say "
                "what is meant: extend, cooldown, continue_from, restart or replace (etude.resume, or etude resume DIR --replace)"
            )
        if len(state["updates"]) != len(self._seats):
            raise InputError(f"the checkpoint drives {len(state['updates'])} optimizers, this driver {len(self._seats)}")
        overrides, metrics = self._checked(state)
        self.overrides, self.metrics, self.history = overrides, metrics, list(state.get("history", []))
        counts = zip(
            state["updates"], state.get("skipped") or self.skipped, state.get("joined") or [None] * len(self._seats), strict=True
        )
        for seat, (updates, skipped, late) in zip(self._seats, counts, strict=True):
            seat.updates, seat.skipped = updates, skipped
            if late is not None:  # a group that the run did not have yet joins it now
                seat.joined = {**dict.fromkeys(seat.joined, updates), **late}
            seat.replan()
            seat.take()
        self._updates_at_step = [-1] * len(self._seats)

    def _checked(self, state: Mapping[str, Any]) -> tuple[dict[tuple[str, str], float], list[tuple[list[int], str, float]]]:
        """Return a state's overrides and metrics, refusing what no driver has written, before anything is changed."""
        overrides = {}
        for name, group, value in state["overrides"]:
            if name not in self.plan.hyperparameters or group not in self.plan.groups:
                raise InputError(f"the checkpoint overrides {name!r} of group {group!r}, which the plan has not")
            overrides[name, group] = number(value, f"the checkpoint's override of {name}")
        known, metrics = self.plan.watched(), []
        for made, name, value in state.get("metrics", []):
            if any(before > now for before, now in zip(made, state["updates"], strict=True)):
                raise InputError(f"the checkpoint has a metric of update {max(made)}, and has made {max(state['updates'])}")
            metrics.append((list(made), name, self.plan.checked(name, value, known)))
        return overrides, metrics

    def replay(self, graph: Any) -> None:
        """Make an update by replaying a CUDA graph in which `optimizer.step()` was captured: values first, then the replay.

        Args:
            graph: A torch.cuda.CUDAGraph, or whatever has a `replay()` that makes the update.
        Raises:
            InputError: the values are no tensors: it needs `drive(..., tensors=True)`, and an optimizer with capturable=True.

        Example:
            >>> driver.replay(graph)                                # doctest: +SKIP
        """
        if not self.tensors:
            raise InputError("a CUDA graph reads tensors only: drive(optimizer, plan, tensors=True), and capturable=True")
        for seat in self._seats:
            seat.before(seat.optimizer, (), {})
        graph.replay()
        for seat in self._seats:
            seat.after(seat.optimizer, (), {})

    def release(self) -> None:
        """Take the hooks off the optimizers; the values stay as they are."""
        for seat in self._seats:
            seat.release()
        if self._seen is not None:
            self._seen.release()

    def tell(self, topic: str, message: str) -> None:
        """Warn, once a topic."""
        if topic not in self._told:
            self._told.add(topic)
            warnings.warn(message, EtudeWarning, stacklevel=4)

    def _two_epochs_done(self) -> bool:
        try:
            return self.plan.tick(max(self.updates)) >= self.plan.clock.ticks(2, "epochs")
        except InputError:  # a run that does not know its epochs
            return False


class Called(Driver):
    """A driver whose `step` knows the calls of Accelerate's wrapper: one for each process, for one update or one metric."""

    _step_count = 0  # Accelerate adds to it while it accumulates
    _call: tuple[list[int], float | None] = ([], None)  # updates at the wrapper's last call, and what it gave

    def step(self, metric: float | None = None, /) -> None:
        if sys._getframe(1).f_globals.get("__name__") == "accelerate.scheduler":
            (updates, given), self._call = self._call, (self.updates, metric)
            if updates == self.updates and given is metric:
                return  # the first of these calls was heard
        super().step(metric)

    step.__doc__ = Driver.step.__doc__


def _seen(scaler: Any, seats: Sequence[Seat]) -> Seen:
    """See the updates of some optimizers that a scaler skips."""
    if not (hasattr(scaler, "step") and hasattr(scaler, "unscale_")):
        raise InputError(f"scaler must be a GradScaler of torch.amp, got {type(scaler).__name__}")
    of = {id(seat.optimizer): seat for seat in seats}

    def made(optimizer: Any) -> tuple[int, int] | None:
        seat = of.get(id(optimizer))
        return None if seat is None else (seat.updates, seat.skipped)

    return Seen(scaler, made, lambda optimizer: of[id(optimizer)].skip())
