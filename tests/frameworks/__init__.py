"""The driver inside the real trainers. `make test-frameworks` installs them; without them these tests are skipped."""

from __future__ import annotations

import torch
from torch import nn

import etude
from etude import Group, Optimizer, Recipe

STEPS = 60
RECIPE = Recipe(
    optimizer=Optimizer(name="SGD", lr=0.05, momentum=0.9, weight_decay=0.01),
    groups={"bias": Group(kind="bias", lr=0.1, weight_decay=0.0), "weight": Group()},
    schedules={
        "lr": etude.parse('chain(linear(0.1, 1, over="10 steps"), cosine(1, 0.01))'),
        "momentum": etude.parse('linear(abs(0.8), 1, over="20 steps")'),
        "weight_decay": etude.parse("linear(1, 0.1)"),
    },
).override(steps=STEPS)
PLAN = RECIPE.plan()
NAMES = ("lr", "momentum", "weight_decay")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def recorded(optimizer):
    """Return a list that grows by one entry an update: the values of all groups that this update was made with."""
    rows = []

    def note(optimizer, args, kwargs):
        rows.append([[group[name] for name in NAMES] for group in optimizer.param_groups])

    optimizer.register_step_post_hook(note)
    return rows


def planned(start=0, stop=None, plan=PLAN):
    """Return the plan's values in the shape of the recorded ones: Python floats, to be equal in every bit."""
    table = plan.table(start, stop)
    return [
        [list(map(float, group)) for group in zip(*row, strict=True)]
        for row in zip(*(table[name] for name in NAMES), strict=True)
    ]
