"""Lengths of epochs and iterations together: what a scheduler of mmengine that is converted to iterations is measured in."""

from __future__ import annotations

from typing import NamedTuple

from ...units import number_text


class Amount(NamedTuple):
    """A number of epochs and of iterations, of which one may be negative: 5 epochs less 1 iteration."""

    epochs: float = 0
    ticks: float = 0

    def less(self, other: Amount) -> Amount:
        return Amount(self.epochs - other.epochs, self.ticks - other.ticks)

    def text(self, tick: str) -> str:
        """Return it as a length, in which iterations are "steps" or "batches"."""
        terms = [(number, unit) for number, unit in ((self.epochs, "epochs"), (self.ticks, tick)) if number]
        terms.sort(key=lambda term: term[0] < 0)
        made = " ".join(f"{'-' if number < 0 else '+'} {number_text(abs(number))} {unit}" for number, unit in terms)
        return made.removeprefix("+ ") or f"0 {tick}"

    def measured(self, per_epoch: int | None) -> float:
        """Return it in iterations. Those of an epoch may be unknown: among whole epochs, one more or less, any number tells."""
        return self.epochs * (per_epoch or 1_000) + self.ticks
