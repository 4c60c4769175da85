"""GreedyLR of transformers: what its counters make of a sequence of metrics.

While a metric improves, the learning rate is divided by a factor; where it does not, multiplied with it, each after more than
`patience` metrics in a row. After `reset_start` reductions that find all groups at their lowest, everything begins anew.

Source: transformers/optimization.py of 5.23; arXiv 2512.14527.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..arguments import Arguments


def followed(a: Arguments, lrs: Sequence[float], metrics: Sequence[float]) -> list[list[float]]:
    """Return the values of all groups before the first metric and after each.

    Args:
        a: The settings of the scheduler.
        lrs: The base values of the groups.
        metrics: What each scheduler.step() was given.
    Raises:
        InputError: a setting is wrong.
    """
    rule = _Greedy(a, lrs)
    rows = [list(lrs)]
    for metric in metrics:
        rows.append(rule.moved(rows[-1], metric))
    return rows


class _Greedy:
    """The counters of one GreedyLR."""

    def __init__(self, a: Arguments, lrs: Sequence[float]) -> None:
        self.mode, kind = a.word("mode", ("min", "max"), "min"), a.word("threshold_mode", ("rel", "abs"), "abs")
        self.factor, threshold = a.number("factor", 0.95), a.number("threshold", 1e-6)
        if not 0 < self.factor < 1:
            raise a.refuse(f"factor must be above 0 and below 1, got {self.factor:g}")
        self.rel, self.delta = (threshold, 0.0) if kind == "rel" else (0.0, threshold)
        self.patience, self.rests = a.number("patience", 10), (a.number("cooldown", 0), a.number("warmup", 0))
        self.first, self.low, self.high = lrs, a.numbers("min_lr", len(lrs), 1e-3), a.numbers("max_lr", len(lrs), 1.0)
        self.eps, self.patience_at_low = a.number("eps", 1e-8), a.number("reset_start", 500)
        self.smooth, self.window = a.flag("smooth", False), a.whole("window_size", 50, least=1)
        a.take("verbose", None)
        self.begin()

    def begin(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.bad = self.good = 0
        self.cooling = self.warming = 0.0
        self.left_at_low = self.patience_at_low
        self.seen: list[float] = []
        self.sum = 0.0

    def moved(self, lrs: list[float], metric: float) -> list[float]:
        """Count a metric in; return the values after it."""
        metric = self._smoothed(metric)
        if self.cooling > 0 or self.warming > 0:
            self.cooling, self.warming = (self.cooling - 1, self.warming) if self.cooling > 0 else (0.0, self.warming - 1)
            self.bad = self.good = 0
            return lrs
        if self._better(metric):
            self.best, self.bad, self.good = metric, 0, self.good + 1
        else:
            self.bad, self.good = self.bad + 1, 0
        if self.good > self.patience:
            self.good, self.warming, self.left_at_low = 0, self.rests[1], self.patience_at_low
            higher = [min(lr / self.factor, top) for lr, top in zip(lrs, self.high, strict=True)]
            return [new if new - old > self.eps else old for old, new in zip(lrs, higher, strict=True)]
        return self._reduced(lrs) if self.bad > self.patience else lrs

    def _reduced(self, lrs: list[float]) -> list[float]:
        lower = [max(lr * self.factor, floor) for lr, floor in zip(lrs, self.low, strict=True)]
        lrs = [new if old - new > self.eps else old for old, new in zip(lrs, lower, strict=True)]
        if all(lr <= floor for lr, floor in zip(lrs, self.low, strict=True)):
            self.left_at_low -= 1
            if self.left_at_low <= 0:
                self.begin()
                lrs = list(self.first)
        self.bad, self.cooling = 0, self.rests[0]
        return lrs

    def _smoothed(self, metric: float) -> float:
        """Return the mean of a window, summed as transformers sums it: in, then out."""
        if not self.smooth:
            return metric
        self.seen.append(metric)
        self.sum += metric
        if len(self.seen) > self.window:
            self.sum -= self.seen.pop(0)
        return self.sum / len(self.seen)

    def _better(self, metric: float) -> bool:
        if self.mode == "min":
            return metric < self.best * (1.0 - self.rel) - self.delta
        return metric > self.best * (1.0 + self.rel) + self.delta
