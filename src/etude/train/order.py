"""The order of the data: a function of seed and epoch, so that the number of batches done says where a run stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from ..errors import InputError
from ..plan import Plan
from ..recipe import Training


class Batch(NamedTuple):
    """Where a batch stands: counters from 0, and the samples it holds."""

    number: int
    epoch: int
    part: int
    last_of_epoch: bool
    samples: list[int]


def batches(plan: Plan, settings: Training, start: int = 0) -> Iterator[Batch]:
    """Yield the run's batches from number `start` on; an epoch's order is a function of seed and epoch alone."""
    samples = plan.run.samples
    end = plan.clock.batch_of_step(plan.end() - 1) + 1
    number = epoch = 0
    for index, part in enumerate(plan.clock.parts):
        size, per_epoch = part.batch_size, part.batches
        if not (samples and size and per_epoch):
            raise InputError("the run's batches can't be counted: give --samples and --batch-size")
        done = 0
        while number < end and done < part.epochs:
            if number + per_epoch > start:
                generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
                order = (torch.randperm(samples, generator=generator) % (settings.samples or samples)).tolist()
                for place in range(max(start - number, 0), min(per_epoch, end - number)):
                    last = place == per_epoch - 1 or number + place == end - 1
                    yield Batch(number + place, epoch, index, last, order[place * size : (place + 1) * size])
            number, epoch, done = number + per_epoch, epoch + 1, done + 1
