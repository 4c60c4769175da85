"""What a hook meets at a torch optimizer: wrappers around it, and updates that were due and not made."""

from __future__ import annotations

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
