"""Ratios that a busy machine can't bend: contenders take turns, and each round is compared with itself."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(contenders: Mapping[str, Callable[[], object]], *, calls: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of a call, by contender.

    Every round calls each contender `calls` times, in an order of its own, so that a neighbour's load falls on all.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    gc.disable()
    try:
        for _ in range(rounds):
            random.shuffle(names)
            for name in names:
                call = contenders[name]
                begun = time.perf_counter()
                for _ in range(calls):
                    call()
                times[name].append((time.perf_counter() - begun) / calls)
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}
