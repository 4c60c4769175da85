"""What a hook meets at a torch optimizer: wrappers around it, and updates that were due and not made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WRAPPED = ("optimizer", "_optimizer", "optim", "original_optimizer")  # Accelerate, Lightning, others, Opacus


def unwrapped(optimizer: Any) -> Any:
    """Return the innermost of optimizers around each other: updates are made there, and its hooks are called."""
    for _ in range(8):
        inner = [getattr(optimizer, name, None) for name in _WRAPPED]
        found = next((one for one in inner if one is not None and one is not optimizer and hasattr(one, "param_groups")), None)
        if found is None:
            break
        optimizer = found
    return optimizer


def was_skipped(optimizer: Any) -> bool:
    """Whether a fused optimizer has skipped the update that its step() was called for: a scaler leaves with it what it found."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and float(found) > 0


class Seen:
    """A GradScaler's step(), with an eye on the updates that it skips: it tells nobody, but then makes none.

    Args:
        scaler: The scaler; its step() is this one from now on.
        made: (optimizer) -> a number that moves when it makes an update; None of an optimizer that is none of ours.
        skipped: Called with the optimizer where none was made.
    """

    def __init__(self, scaler: Any, made: Callable[[Any], Any], skipped: Callable[[Any], None]) -> None:
        self.scaler, self.step, self.made, self.skipped = scaler, scaler.step, made, skipped
        scaler.step = self

    def __call__(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        before = self.made(optimizer)
        result = self.step(optimizer, *args, **kwargs)
        if before is not None and self.made(optimizer) == before:
            self.skipped(optimizer)
        return result

    def __reduce__(self) -> Any:
        return getattr, (self.scaler, "step")  # in a copy of the scaler it is the scaler's own

    def release(self) -> None:
        """Give the scaler its own step() back, unless another one has taken it since."""
        if vars(self.scaler).get("step") is self:
            del self.scaler.step
        self.made = lambda optimizer: None
