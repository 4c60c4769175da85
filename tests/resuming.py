"""A run of a schedule, stopped and taken up again: `python -m tests.resuming FILE` goes on from every state in a file, in a fresh
process, and writes what was applied and what came of the weights beside it."""

from __future__ import annotations

import copy
import re
import sys
import warnings
from typing import Any

import torch
from torch import nn

import etude
from etude import Optimizer, Recipe, Run
from tests.golden.families import ROWS

RUN = Run(steps=12, steps_per_epoch=4)
HOW = ("number", "tensor", "buffer")
ORDERS = ("optimizer first", "driver first")
# the golden rows are of a run of 1000 steps
TEXTS = list(
    dict.fromkeys(re.sub(r"(\d+) steps?", lambda found: f"{max(round(int(found[1]) / 80), 1)} steps", row.text) for row in ROWS)
)


def recipe(text: str) -> Recipe:
    """A recipe of a golden row, with nothing below 0."""
    schedule = etude.clip(etude.parse(text), lo=etude.abs(0))
    return Recipe(optimizer=Optimizer(name="SGD", lr=0.5, momentum=0.9), schedules={"lr": schedule}, run=RUN)


def made(text: str, how: str) -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    net = nn.Linear(2, 1).double()
    rate = torch.tensor(0.5, dtype=torch.float64) if how == "tensor" else 0.5
    optimizer = torch.optim.SGD([{"params": net.parameters(), "name": "all"}], lr=rate, momentum=0.9)
    return net, optimizer, etude.torch.drive(optimizer, recipe(text).plan(), tensors=how == "buffer")


def update(parts: tuple[Any, Any, Any], step: int) -> float:
    """Make an update whose data is a function of the step, feed a metric where one is waited for; return the rate applied."""
    net, optimizer, driver = parts
    optimizer.zero_grad()
    net(torch.full((1, 2), 0.1 * (step + 1), dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    rate = float(driver.get_last_lr()[0])
    for name in driver.plan.watched():
        driver.feed(**{name: 1.0 + 0.1 * step})
    return rate


def resumed(state: dict[str, Any], order: str) -> tuple[list[float], list[float]]:
    """Go on from a state to the run's end; return the rates applied and the weights."""
    parts = made(state["text"], state["how"])
    net, optimizer, driver = parts
    net.load_state_dict(state["net"])
    loads = [(optimizer, state["optimizer"]), (driver, state["driver"])]
    for one, saved in loads if order == ORDERS[0] else reversed(loads):
        one.load_state_dict(copy.deepcopy(saved))  # torch goes on with the very tensors that it is given
    rates = [update(parts, step) for step in range(state["step"], int(RUN.steps or 0))]
    return rates, torch.cat([parameter.detach().flatten() for parameter in net.parameters()]).tolist()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    path = sys.argv[1]
    states = torch.load(path, weights_only=True)
    torch.save([[resumed(state, order) for order in ORDERS] for state in states], f"{path}.out")
