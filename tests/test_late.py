"""Groups that join a run late begin their schedules then, on clocks of their own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.late import joined

GROUPS = {"head": Group(module="head", lr=0.5), "body": Group()}
SCHEDULES = {"lr": etude.parse('chain(linear(0.1, 1, over="10 steps"), cosine(1, 0))')}
RECIPE = Recipe(
    optimizer=Optimizer(name="SGD", lr=0.1, momentum=0.9),
    groups=GROUPS,
    schedules=SCHEDULES,
    run=Run(steps=100, steps_per_epoch=7),
)


def net():
    torch.manual_seed(0)
    return nn.ModuleDict({"head": nn.Linear(2, 2), "body": nn.Linear(2, 2)})


def made():
    """An optimizer of the body alone, and its driver."""
    model = net()
    optimizer = torch.optim.SGD([{"params": list(model["body"].parameters()), "name": "body"}], lr=0.1, momentum=0.9)
    return model, optimizer, etude.torch.drive(optimizer, RECIPE.plan())


def unfreeze(model, optimizer):
    optimizer.add_param_group({"params": list(model["head"].parameters()), "name": "head"})


def update(model, optimizer, step):
    optimizer.zero_grad()
    data = torch.randn(4, 2, generator=torch.Generator().manual_seed(step))
    model["head"](model["body"](data)).square().mean().backward()
    optimizer.step()
    return {group["name"]: group["lr"] for group in optimizer.param_groups}


def test_a_late_group_warms_up_from_where_it_joins_and_ends_with_the_run():
    model, optimizer, driver = made()
    rates = [update(model, optimizer, step) for step in range(40)]
    unfreeze(model, optimizer)
    rates += [update(model, optimizer, step) for step in range(40, 100)]
    alone = RECIPE.plan(Run(steps=60, steps_per_epoch=7)).table()["lr"][:, 0]
    assert [rate["head"] for rate in rates[40:]] == pytest.approx(alone.tolist(), rel=1e-12)
    assert rates[40]["head"] == 0.05
    assert [rate["body"] for rate in rates] == RECIPE.plan().table()["lr"][:, 1].tolist()
    assert driver.state_dict()["joined"] == [{"body": 0, "head": 40}]
    assert [rate["head"] for rate in rates[40:]] == driver.plan.table()["lr"][40:, 0].tolist()


@pytest.mark.parametrize("stop", [30, 40, 41, 70])
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_run_with_a_late_group_resumes_exactly(stop, optimizer_first):
    def run(first, last, model, optimizer):
        for step in range(first, last):
            if step == 40:
                unfreeze(model, optimizer)
            update(model, optimizer, step)

    model, optimizer, driver = made()
    run(0, stop, model, optimizer)
    weights, states = (
        {name: value.clone() for name, value in model.state_dict().items()},
        copy.deepcopy((optimizer.state_dict(), driver.state_dict())),
    )
    again, other, second = made()
    if stop > 40:
        unfreeze(again, other)
    again.load_state_dict(weights)
    pairs = [(other, states[0]), (second, states[1])]
    for one, state in pairs if optimizer_first else reversed(pairs):
        one.load_state_dict(state)
    run(stop, 90, model, optimizer)
    run(stop, 90, again, other)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert second.get_last_lr() == driver.get_last_lr()


def test_a_group_that_a_checkpoint_does_not_know_joins_where_it_is_loaded():
    model, optimizer, driver = made()
    for step in range(30):
        update(model, optimizer, step)
    state = driver.state_dict()
    model, optimizer, driver = made()
    unfreeze(model, optimizer)
    driver.load_state_dict(state)
    assert update(model, optimizer, 30)["head"] == 0.05


def test_a_second_part_of_a_group_follows_the_clock_that_it_has():
    model, optimizer, driver = made()
    for step in range(30):
        update(model, optimizer, step)
    optimizer.add_param_group({"params": list(model["head"].parameters()), "name": "body"})
    update(model, optimizer, 30)
    assert driver.get_last_lr() == [driver.plan.at(30)["lr"]["body"]] * 2


def test_a_late_group_needs_a_name_of_the_plan():
    model, optimizer, _ = made()
    update(model, optimizer, 0)
    optimizer.add_param_group({"params": list(model["head"].parameters()), "name": "heads"})
    with pytest.raises(InputError, match="the plan has no group 'heads'; did you mean 'head'"):
        update(model, optimizer, 1)


def test_a_plateau_of_a_late_group_hears_what_is_measured_from_then_on():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), groups=GROUPS, schedules={"lr": etude.parse("plateau(0.5, patience=0)")},
        run=Run(steps=100),
    )  # fmt: skip
    plan = joined(recipe.plan(), {"head": 50})
    fed = plan.fed([(10, "val_loss", 1.0), (20, "val_loss", 2.0), (60, "val_loss", 3.0), (70, "val_loss", 4.0)])
    assert (fed.at(55)["lr"], fed.at(75)["lr"]) == ({"head": 0.5, "body": 0.5}, {"head": 0.25, "body": 0.125})


def test_a_recipe_that_counts_batches_is_joined_by_batch():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), groups=GROUPS, schedules={"lr": etude.linear(1, 0)}, clock="batch",
        run=Run(samples=80, batch_size=2, epochs=2, accumulate=4),
    )  # fmt: skip
    plan = joined(recipe.plan(), {"head": 10})
    assert plan.at(batch=40)["lr"] == {"head": 0.5, "body": 0.5}
    assert plan.at(batch=60)["lr"] == {"head": 0.25, "body": 0.25}
    assert plan.at(batch=39)["lr"]["head"] == 0.5


def test_groups_that_join_where_fewer_curves_are_left():
    groups = {"a": Group(pattern="a"), "b": Group(pattern="b"), "c": Group(pattern="c", schedules={"lr": etude.cosine(1, 0)})}
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), groups=groups, schedules={"lr": etude.linear(1, 0)}, run=Run(steps=10)
    )

    def parameters(name):
        return {"params": nn.Linear(1, 1).parameters(), "name": name}

    optimizer = torch.optim.SGD([parameters("c")], lr=1.0)
    driver = etude.torch.drive(optimizer, recipe.plan())
    optimizer.step()
    optimizer.add_param_group(parameters("b"))
    driver.load_state_dict(driver.state_dict())
    optimizer.add_param_group(parameters("a"))
    optimizer.step()
    assert driver.get_last_lr() == [driver.plan.at(1)["lr"][name] for name in ("c", "b", "a")]
