"""Building optimizers: every parameter in exactly one group, by kind, pattern and module, over one net or several."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
import torch
from torch import nn

import etude
from etude import Group, InputError, Optimizer, Recipe
from etude.driver import EtudeWarning
from etude.train.resnet import resnet18

SGD = Optimizer(name="SGD", lr=0.1, momentum=0.9)


class RMSNorm(nn.Module):
    """A user's own norm is one by its class name."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))


def net():
    return nn.ModuleDict(
        {
            "words": nn.Embedding(5, 3),
            "conv": nn.Conv1d(3, 3, 1),
            "norm": nn.LayerNorm(3),
            "own": RMSNorm(),
            "attention": nn.MultiheadAttention(3, 1),
            "memory": nn.LSTM(3, 3),
        }
    )


def test_kinds():
    kinds = {parameter.name: parameter.kind for parameter, _ in etude.torch.parameters(net())}
    assert kinds == {
        "words.weight": "embedding",
        "conv.weight": "weight",
        "conv.bias": "bias",
        "norm.weight": "norm",
        "norm.bias": "bias",
        "own.scale": "norm",
        "attention.in_proj_weight": "weight",
        "attention.in_proj_bias": "bias",
        "attention.out_proj.weight": "weight",
        "attention.out_proj.bias": "bias",
        "memory.weight_ih_l0": "weight",
        "memory.weight_hh_l0": "weight",
        "memory.bias_ih_l0": "bias",
        "memory.bias_hh_l0": "bias",
    }
    assert [one.name for one, _ in etude.torch.parameters(net()) if one.norm] == ["norm.weight", "norm.bias", "own.scale"]


def test_a_norm_s_bias_is_a_kind_of_its_own_and_a_bias():
    groups = {"own": Group(kind="norm bias"), "bias": Group(kind="bias"), "rest": Group()}
    assert sizes(etude.torch.build(net(), Recipe(optimizer=SGD, groups=groups))) == {"own": 1, "bias": 5, "rest": 8}
    groups = {"both": Group(kind=["norm", "norm bias"]), "bias": Group(kind="bias"), "rest": Group()}
    assert sizes(etude.torch.build(net(), Recipe(optimizer=SGD, groups=groups))) == {"both": 3, "bias": 5, "rest": 6}
    taken = {"bias": Group(kind="bias"), "own": Group(kind="norm bias"), "rest": Group()}
    with pytest.warns(EtudeWarning, match=r"group 'own' \(kind norm bias\) matches no parameter"):
        etude.torch.build(net(), Recipe(optimizer=SGD, groups=taken))


def sizes(optimizer):
    return {group["name"]: len(group["params"]) for group in optimizer.param_groups}


def test_the_first_rule_that_matches_takes_a_parameter():
    groups = {
        "head": Group(pattern=["attention.*", "*.bias_hh_l0"]),
        "frozen": Group(module="memory", kind=["bias"]),
        "norms": Group(kind="norm"),
        "rest": Group(),
    }
    optimizer = etude.torch.build(net(), Recipe(optimizer=SGD, groups=groups))
    assert sizes(optimizer) == {"head": 5, "frozen": 1, "norms": 2, "rest": 6}


def test_a_module_is_a_path_not_a_prefix_of_letters():
    models = nn.ModuleDict({"layer1": nn.Linear(1, 1), "layer10": nn.Linear(1, 1)})
    optimizer = etude.torch.build(models, Recipe(optimizer=SGD, groups={"one": Group(module="layer1"), "rest": Group()}))
    assert sizes(optimizer) == {"one": 2, "rest": 2}


def test_one_optimizer_over_two_nets_as_one_group_and_as_two():
    backbone, auxiliary = nn.Linear(2, 2), nn.Linear(2, 1)
    one = etude.torch.build([backbone, auxiliary], Recipe(optimizer=SGD))
    assert sizes(one) == {"all": 4}
    two = Recipe(optimizer=SGD, groups={"backbone": Group(module="backbone"), "auxiliary": Group(module="auxiliary", lr=0.01)})
    optimizer = etude.torch.build({"backbone": backbone, "auxiliary": auxiliary}, two)
    assert sizes(optimizer) == {"backbone": 2, "auxiliary": 2}
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_shared_parameter_is_taken_once():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    assert sizes(etude.torch.build([a, b], Recipe(optimizer=SGD))) == {"all": 3}


def test_a_parameter_that_no_group_takes_is_told():
    recipe = Recipe(optimizer=SGD, groups={"norm": Group(kind="norm")})
    with pytest.raises(InputError, match=r"no group takes 0.weight \(weight\), 0.bias \(bias\), which would not be trained"):
        etude.torch.build(nn.Sequential(nn.Linear(1, 1)), recipe)


def test_a_rule_that_matches_nothing_is_told_and_its_group_stays():
    recipe = Recipe(optimizer=SGD, groups={"norm": Group(kind="norm"), "rest": Group()})
    with pytest.warns(EtudeWarning, match=r"group 'norm' \(kind norm\) matches no parameter"):
        assert sizes(etude.torch.build(nn.Linear(1, 1), recipe)) == {"norm": 0, "rest": 2}


def test_base_values_and_options_reach_the_optimizer():
    recipe = Recipe(
        optimizer=Optimizer(name="AdamW", lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.3, options={"amsgrad": True}),
        groups={"no": Group(kind="bias", weight_decay=0.0, momentum=0.5), "yes": Group()},
    )
    no, yes = etude.torch.build(nn.Linear(1, 1), recipe).param_groups
    assert (no["betas"], no["weight_decay"], no["eps"], no["amsgrad"]) == ((0.5, 0.9), 0.0, 1e-6, True)
    assert (yes["betas"], yes["weight_decay"]) == ((0.8, 0.9), 0.3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SDG", {}, "unknown optimizer 'SDG'; did you mean 'SGD'"),
        ("nowhere:Lion", {}, "optimizer 'nowhere:Lion' can't be imported: No module named 'nowhere'"),
        ("SGD", {"damping": 1}, "optimizer SGD refuses its arguments: .*'damping'"),
    ],
)
def test_optimizers_that_are_not_there(name, options, message):
    with pytest.raises(InputError, match=message):
        etude.torch.build(nn.Linear(1, 1), Recipe(optimizer=Optimizer(name=name, lr=0.1, options=options)))


def test_yolov5_groups_by_kind_where_the_tutorials_names_put_four_norms_under_decay():
    model = resnet18(10)
    optimizer = etude.torch.build(model, etude.read("yolov5"))
    assert sizes(optimizer) == {"norm": 20, "weight": 21, "bias": 21}
    decayed = {id(parameter) for parameter in optimizer.param_groups[1]["params"]}
    by_name = [name for name, _ in model.named_parameters() if ".bias" not in name and ".weight" in name and ".bn" not in name]
    wrong = [name for name in by_name if id(model.get_parameter(name)) not in decayed]
    assert wrong == ["bn1.weight", "layer2.0.downsample.1.weight", "layer3.0.downsample.1.weight", "layer4.0.downsample.1.weight"]


def test_building_a_ready_recipe_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("yolov5", "warmup-cosine", "one-cycle"):
            etude.torch.build(resnet18(10), dataclasses.replace(etude.read(name)))


def test_a_group_behind_one_that_takes_everything_is_refused():
    recipe = etude.read({"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"groups": [{"lr": 0.1}, {"lr": 0.2}]}})
    with pytest.raises(
        InputError, match="group 'group1' can take no parameter: 'group0' before it has no rule and takes every one"
    ):
        etude.torch.build(torch.nn.Linear(2, 1), recipe)
