"""What the training loops of YOLOv5 and Ultralytics have in common: a curve read by epoch, warmed up by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..compose import approach, rounded
from ..errors import shown
from ..fields import Absolute
from ..groups import Group
from ..laws import table
from ..recipe import Optimizer, Recipe
from ..run import Run
from ..schedule import Schedule, constant
from ..shapes import cosine, linear
from ..units import number_text
from .arguments import Arguments, need, whole_epochs

YOLOV5_SIGNS = ("anchor_t", "obj", "obj_pw", "fl_gamma", "iou_t", "hyp")  # both are told by `lr0`, and by what stands beside it
ULTRALYTICS_SIGNS = ("task", "mode", "nbs", "cos_lr", "optimizer", "close_mosaic", "dfl", "epochs")
FACTS = ("epochs", "samples", "batch_size", "devices")
_ADAMS = ("Adam", "Adamax", "AdamW", "NAdam", "RAdam")


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
    nominal: int
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        why = "warmup, accumulation and weight decay follow from the run"
        need(self.run, ("epochs", "samples", "batch_size"), why)
        whole_epochs(self.run.epochs, self.title)

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

    def accumulation(self, warmup: str | None, target: float, full: int | None = None) -> int | Schedule:
        """Return the batches of an update: max(1, round(...)), rising to `target` through the warmup; `full` without one."""
        if warmup is not None:
            # np.interp itself: a half must round as there
            return rounded(table([("0 batches", 1), (warmup, target)])) if round(target) > 1 else 1
        full = self.full if full is None else full
        return constant(full) if full > 1 else 1  # a schedule, so that it is carried over an epoch's end

    def curve(self, cos: bool, lrf: float) -> Schedule:
        """Return the factor of an epoch: a cosine to lrf, or a straight line."""
        return cosine(1, lrf) if cos else linear(1, lrf)

    def span(self, epochs: float, floor: int = 0) -> str:
        """Return a warmup in epochs as a length: max(round(epochs * batches), floor)."""
        batches = max(round(epochs * self.batches), floor)
        return f"{number_text(epochs)} epochs" if batches == epochs * self.batches else f"{batches} batches"

    def recipe(self, optimizer: Optimizer, groups: dict[str, Group], **more: Any) -> Recipe:
        return Recipe(optimizer=optimizer, groups=groups, clock="batch", notes=tuple(self.notes), **more)


def warmed(target: Schedule, start: float, warmup: str | None) -> Schedule:
    """Return a target that is approached from an absolute start."""
    return target if warmup is None else approach(target, Absolute(start) if start else 0.0, over=warmup)


def optimizer_of(a: Arguments, name: str, names: Sequence[str], lr: float, momentum: float) -> Optimizer:
    """Return an optimizer by one of the names that the framework has; momentum is beta1 for the Adam family."""
    if name not in names:
        raise a.refuse(f"optimizer must be one of {', '.join(names)}, got {shown(name)}")
    if name in _ADAMS:
        return Optimizer(name=name, lr=lr, betas=(momentum, 0.999), weight_decay=0)
    if name.lower() == "rmsprop":
        return Optimizer(name="RMSprop", lr=lr, momentum=momentum, weight_decay=0)
    return Optimizer(name=name, lr=lr, momentum=momentum, nesterov=momentum > 0, weight_decay=0)


def by_kind(order: str, decay: float, bias: dict[str, Schedule] | None = None) -> dict[str, Group]:
    """Return the three groups in the order of an optimizer's param_groups, such as "bias weight norm"."""
    groups = {
        "bias": Group(kind="bias", schedules=bias or {}),
        "weight": Group(kind=("weight", "embedding"), weight_decay=decay),
        "norm": Group(kind="norm"),
    }
    return {name: groups[name] for name in order.split()}
