"""What the training loops of YOLOv5 and Ultralytics have in common: a curve read by epoch, warmed up by batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..compose import approach, rounded
from ..errors import InputError
from ..fields import Absolute
from ..groups import Group
from ..laws import table
from ..recipe import Optimizer, Recipe
from ..run import Run
from ..schedule import Schedule, constant
from ..shapes import cosine, linear
from ..units import number_text
from .arguments import Arguments, need

KINDS: dict[str, str | tuple[str, ...]] = {"weight": ("weight", "embedding"), "norm": "norm", "bn": "norm", "bias": "bias"}
_ADAMS = ("Adam", "Adamax", "AdamW", "NAdam", "RAdam")
OPTIMIZERS = {name.lower(): name for name in (*_ADAMS, "RMSprop", "SGD", "MuSGD")}


@dataclass
class Loop:
    """One training run on its way to a recipe.

    Args:
        title: The framework, for messages.
        run: The facts of the run, without an accumulation.
        nominal: The nominal batch size: smaller batches are accumulated up to it.
    """

    title: str
    run: Run
    nominal: float
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.run.accumulate != 1:
            raise InputError(f"{self.title} works the accumulation out by itself, from nbs / batch size: leave --accumulate out")
        if self.run.steps_per_epoch or self.run.steps:
            raise InputError(f"{self.title} counts batches: give --epochs, --samples and --batch-size, not steps")
        why = "warmup, accumulation and weight decay follow from the run"
        need(self.run, ("epochs", "samples", "batch_size"), why)
        if self.run.stages or self.run.epochs != int(self.run.epochs or 0):
            raise InputError(f"{self.title} trains a whole number of epochs, in one stage")

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        found = self.run.parts()[0].batches
        assert found is not None
        return found

    @property
    def full(self) -> int:
        """Batches of an update after the warmup."""
        return max(round(self.nominal / float(self.run.batch_size or 1)), 1)

    def decay(self, weight_decay: float) -> float:
        """Return the weight decay as the loop scales it."""
        size = self.run.batch_size or 1
        scaled = weight_decay * size * self.full / self.nominal
        if scaled != weight_decay:
            self.notes.append(
                f"weight_decay {weight_decay:g} becomes {scaled:g}: times batch size {size} * accumulate {self.full} "
                f"/ nbs {number_text(self.nominal)}"
            )
        return scaled

    def accumulation(self, warmup: str | None, target: float) -> int | Schedule:
        """Return the batches of an update, which rise to `target` through the warmup; max(1, round(...)) at every batch."""
        if warmup is None:
            return constant(self.full) if self.full > 1 else 1
        if round(target) <= 1:
            return 1
        return rounded(table([("0 batches", 1), (warmup, target)]))  # np.interp itself: a half must round as there

    def curve(self, cos: bool, lrf: float) -> Schedule:
        """Return the factor of an epoch: a cosine to lrf, or a straight line."""
        return cosine(1, lrf) if cos else linear(1, lrf)

    def span(self, epochs: float, floor: int) -> str:
        """Return a warmup in epochs as a length: max(round(epochs * batches), floor)."""
        batches = max(round(epochs * self.batches), floor)
        return f"{number_text(epochs)} epochs" if batches == epochs * self.batches else f"{batches} batches"

    def recipe(self, optimizer: Optimizer, groups: dict[str, Group], **more: Any) -> Recipe:
        return Recipe(optimizer=optimizer, groups=groups, clock="batch", notes=tuple(self.notes), **more)


def warmed(target: Schedule, start: float, warmup: str | None) -> Schedule:
    """Return a target that is approached from an absolute start."""
    return target if warmup is None else approach(target, Absolute(start) if start else 0.0, over=warmup)


def optimizer_of(a: Arguments, name: str, lr: float, momentum: float) -> Optimizer:
    """Return an optimizer by the name that the framework knows it by; momentum is beta1 for the Adam family."""
    known = OPTIMIZERS.get(name.lower())
    if known is None:
        raise a.refuse(f"optimizer must be one of {', '.join(OPTIMIZERS.values())}, got {name!r}")
    if known in _ADAMS:
        return Optimizer(name=known, lr=lr, betas=(momentum, 0.999), weight_decay=0)
    nesterov = known != "RMSprop" and momentum > 0
    return Optimizer(name=known, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=0)
