"""Lengths of epochs and iterations together: what a scheduler of mmengine that is converted to iterations is measured in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ...units import number_text


class Amount(NamedTuple):
    """A number of epochs and of iterations, of which one may be negative: 5 epochs less 1 iteration."""

    epochs: float = 0
    ticks: float = 0

    def plus(self, other: Amount) -> Amount:
        return Amount(self.epochs + other.epochs, self.ticks + other.ticks)

    def less(self, other: Amount) -> Amount:
        return Amount(self.epochs - other.epochs, self.ticks - other.ticks)


@dataclass
class Loop:
    """What a training loop makes of its schedulers.

    Args:
        epochs: max_epochs; None of a loop that counts iterations.
        iterations: max_iters; None of a loop that counts epochs.
        per_epoch: Iterations of an epoch, where they are known.
        tick: What iterations are called in lengths: "steps", or "batches" where several make an update.
        notes: What is to be told.
        sized: Whether the batch is known.
    """

    epochs: int | None
    iterations: int | None
    per_epoch: int | None
    tick: str = "steps"
    notes: list[str] = field(default_factory=list)
    sized: bool = False

    @property
    def ask(self) -> str:
        """What to give, for messages, where the iterations of an epoch are needed."""
        needed = "--samples" if self.sized else "--samples and --batch-size"
        return f"give {needed}" if self.tick == "batches" else f"give --steps-per-epoch, or {needed}"

    @property
    def total(self) -> Amount:
        return Amount(self.epochs) if self.epochs is not None else Amount(0, self.iterations or 0)

    def text(self, amount: Amount) -> str:
        """Return an amount as a length."""
        terms = [(number, unit) for number, unit in ((amount.epochs, "epochs"), (amount.ticks, self.tick)) if number]
        terms.sort(key=lambda term: term[0] < 0)
        made = " ".join(f"{'-' if number < 0 else '+'} {number_text(abs(number))} {unit}" for number, unit in terms)
        return made.removeprefix("+ ") or f"0 {self.tick}"

    def measured(self, amount: Amount) -> float:
        """Return an amount in iterations, of which those of an epoch, where they are unknown, are taken to be many."""
        return amount.epochs * (self.per_epoch or 1_000) + amount.ticks

    def before(self, one: Amount, other: Amount) -> bool | None:
        """Return whether one amount is less than another; None where that follows from an epoch's length, which is not known."""
        gap = other.less(one)
        if self.per_epoch is None and gap.epochs and abs(gap.ticks) > 1:
            return None
        return self.measured(gap) > 0
