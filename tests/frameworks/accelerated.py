"""Runs of Accelerate, in processes of their own: python -m torch.distributed.run ... tests/frameworks/accelerated.py FOLDER.

Every process writes what it saw as FOLDER/RANK.json. Any warning of etude's ends the run.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.scheduler import AcceleratedScheduler
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

import etude
from tests.frameworks import PLAN, RECIPE, STEPS, network, recorded

RATE = 0.05
COSINE = etude.read("cosine(1, 0)").override(lr=RATE, steps=STEPS)
PLATEAU = etude.read("plateau(0.1, patience=1)").override(lr=RATE, steps=STEPS)


def build(accelerator, way):
    """Return what a loop needs, and the driver: given to `prepare` as a scheduler, kept out of it, or made after it."""
    net = network()
    optimizer = etude.torch.build(net, RECIPE)
    if way == "prepared":
        driver = etude.torch.drive(optimizer, PLAN)
        net, wrapped, scheduler = accelerator.prepare(net, optimizer, driver)
    elif way == "not prepared":
        scheduler = driver = etude.torch.drive(optimizer, PLAN)
        net, wrapped = accelerator.prepare(net, optimizer)
        accelerator.register_for_checkpointing(driver)
    else:
        net, wrapped = accelerator.prepare(net, optimizer)
        scheduler = driver = etude.torch.drive(wrapped, PLAN)
        accelerator.register_for_checkpointing(driver)
    return net, wrapped, scheduler, driver, recorded(optimizer)


def batches(accelerator, net, wrapped, scheduler, start, stop):
    """The loop of Accelerate's own examples; a scheduler that it did not prepare is called once an update, as torch's are."""
    for index in range(start, stop):
        with accelerator.accumulate(net):
            seed = 10 * index + accelerator.process_index
            data = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))
            accelerator.backward(net(data).square().mean())
            wrapped.step()
            if isinstance(scheduler, AcceleratedScheduler) or accelerator.sync_gradients:
                scheduler.step()
            wrapped.zero_grad()


def driven(folder, way, accumulate):
    """A run that never stops, and one that goes on from its middle."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    parts = build(accelerator, way)
    batches(accelerator, *parts[:3], 0, 20 * accumulate)
    accelerator.save_state(folder)
    batches(accelerator, *parts[:3], 20 * accumulate, STEPS * accumulate)
    accelerator.free_memory()

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    again = build(accelerator, way)
    accelerator.load_state(folder)
    batches(accelerator, *again[:3], 20 * accumulate, STEPS * accumulate)
    same = all(torch.equal(a, b) for a, b in zip(parts[0].parameters(), again[0].parameters(), strict=True))
    accelerator.free_memory()
    return {"rows": parts[4], "resumed": again[4], "updates": [*parts[3].updates, *again[3].updates], "same": same}


def cosine(accelerator, make):
    """A scheduler prepared as in Accelerate's examples; the rate of every update."""
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    rows = recorded(optimizer)
    batches(accelerator, *accelerator.prepare(net, optimizer, make(optimizer)), 0, STEPS)
    return [row[0][0] for row in rows]


def fed(accelerator, make):
    """Ten epochs of three updates, whose metric is the same each time; the rate of every update."""
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    scheduler = make(optimizer)
    rows = recorded(optimizer)
    net, wrapped, prepared = accelerator.prepare(net, optimizer, scheduler)
    for _ in range(10):
        for _ in range(3):
            accelerator.backward(net(torch.ones(2, 3)).square().mean())
            wrapped.step()
        prepared.step(0.7)
    return [row[0][0] for row in rows]


def called_first(accelerator):
    """What is told where a prepared driver is called before the first update."""
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    prepared = accelerator.prepare(net, optimizer, etude.torch.drive(optimizer, PLATEAU.plan()))[2]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        prepared.step()
    return [str(warning.message) for warning in told]


def main(folder):
    warnings.simplefilter("error", etude.torch.EtudeWarning)
    accelerator = Accelerator(cpu=True)
    folder = Path(folder)
    seen = {
        "processes": accelerator.num_processes,
        "cosine": cosine(accelerator, lambda optimizer: etude.torch.drive(optimizer, COSINE.plan())),
        "peer's cosine": cosine(accelerator, lambda optimizer: CosineAnnealingLR(optimizer, T_max=STEPS)),
        "plateau": fed(accelerator, lambda optimizer: etude.torch.drive(optimizer, PLATEAU.plan())),
        "peer's plateau": fed(accelerator, lambda optimizer: ReduceLROnPlateau(optimizer, patience=1)),
        "called first": called_first(accelerator),
    }
    accelerator.free_memory()
    for way in ("prepared", "not prepared", "made after"):
        for accumulate in (1, 3):
            seen[f"{way} {accumulate}"] = driven(folder / f"{way} {accumulate}", way, accumulate)
    (folder / f"{accelerator.process_index}.json").write_text(json.dumps(seen))
    accelerator.end_training()


if __name__ == "__main__":
    main(sys.argv[1])
