"""Layer-wise decay of the learning rate, as a rule."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.driver import EtudeWarning
from etude.recipe_yaml import dumps, loads

LAYERS = ("stem", "blocks.0..2", "head")
RECIPE = Recipe(
    optimizer=Optimizer(name="AdamW", lr=0.1, betas=(0.9, 0.999), weight_decay=0.05),
    groups={
        "no_decay": Group(kind=("norm", "bias"), weight_decay=0.0, layers=LAYERS, layer_decay=0.5),
        "decay": Group(layers=LAYERS, layer_decay=0.5),
    },
    schedules={"lr": etude.cosine(1, 0)},
    run=Run(steps=10),
)


def net():
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)) for _ in range(3))
    return nn.ModuleDict({"stem": nn.Conv1d(1, 2, 1, bias=False), "blocks": blocks, "head": nn.Linear(2, 1)})


def test_each_layer_has_its_part_of_the_rate_whatever_the_schedule():
    model = net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the stem has no bias, and is no mistake
        optimizer = etude.torch.build(model, RECIPE)
    driver = etude.torch.drive(optimizer, RECIPE.plan())
    part = {"stem": 1 / 16, "blocks.0": 1 / 8, "blocks.1": 1 / 4, "blocks.2": 1 / 2, "head": 1.0}
    for step in range(10):
        optimizer.step()
        for group in optimizer.param_groups:
            name, _, layer = group["name"].partition(".")
            assert group["lr"] == pytest.approx(part[layer] * RECIPE.plan().at(step)["lr"]["decay.head"], rel=1e-15)
            assert group["weight_decay"] == (0.0 if name == "no_decay" else 0.05)
    names = {id(value): name for name, value in model.named_parameters()}
    found = {group["name"]: sorted(names[id(value)] for value in group["params"]) for group in optimizer.param_groups}
    assert found["no_decay.blocks.1"] == ["blocks.1.0.bias", "blocks.1.1.bias", "blocks.1.1.weight"]
    assert found["decay.blocks.1"] == ["blocks.1.0.weight"]
    assert driver.updates == [10]


def test_the_rule_stays_a_rule_in_files_and_follows_the_rate():
    again = loads(dumps(RECIPE))
    assert again.groups == RECIPE.groups
    assert list(again.rules) == list(RECIPE.rules)
    assert RECIPE.override(lr=0.2).plan().at(0)["lr"]["decay.stem"] == 0.2 / 16
    assert "layer_decay: 0.5" in dumps(RECIPE)


def test_a_layer_that_no_module_is_is_told():
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), groups={"body": Group(layers=(*LAYERS, "neck"), layer_decay=0.5)})
    with pytest.warns(EtudeWarning, match=r"group 'body.neck' \(module neck\) matches no parameter"):
        etude.torch.build(net(), recipe)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"layers": "stem"}, "layers and layer_decay go together"),
        ({"layer_decay": 0.5}, "layers and layer_decay go together"),
        ({"layers": "stem", "layer_decay": 1.5}, "layer_decay must be above 0 and at most 1, got 1.5"),
        ({"layers": "stem", "layer_decay": 0.5, "module": "x"}, "give layers or module, not both"),
    ],
)
def test_what_is_refused(made, message):
    with pytest.raises(InputError, match=message):
        Group(**made)


def test_a_range_goes_up():
    with pytest.raises(InputError, match=r"layers: 'blocks.3..1' must go up, by at most 1000 layers"):
        Recipe(optimizer=Optimizer(name="SGD", lr=0.1), groups={"body": Group(layers="blocks.3..1", layer_decay=0.5)})


def test_a_layered_run_is_cooled_down():
    torch.manual_seed(0)
    optimizer = etude.torch.build(net(), RECIPE)
    driver = etude.torch.drive(optimizer, RECIPE.plan())
    for _ in range(4):
        optimizer.step()
    resumed = etude.resume.cooldown(driver.state_dict(), "2 steps")
    assert resumed.plan.at(4)["lr"] == RECIPE.plan().at(4)["lr"]
    assert resumed.plan.groups == RECIPE.plan().groups
