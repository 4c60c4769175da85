"""Updates that AMP skips: seen, counted, and followed or not as the policy says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import etude
from etude import InputError

RECIPE = etude.read("linear(1, 0)").override(lr=0.1, steps=10)
FINITE = [True, False, False, True, True]


def made(fused=False, **how):
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD([{"params": net.parameters(), "name": "all"}], lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    if how.pop("told", True):
        how["scaler"] = scaler
    return net, optimizer, scaler, etude.torch.drive(optimizer, RECIPE.plan(), **how)


def run(net, optimizer, scaler):
    for good in FINITE:
        optimizer.zero_grad()
        scaler.scale(net(torch.ones(1, 2) * (1.0 if good else float("inf"))).sum()).backward()
        scaler.step(optimizer)
        scaler.update()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("policy", "updates"), [("hold", 3), ("count", 5)])
def test_a_skipped_update_is_counted_and_the_schedule_follows_the_policy(fused, policy, updates):
    net, optimizer, scaler, driver = made(fused, skipped=policy)
    run(net, optimizer, scaler)
    assert (driver.updates, driver.skipped) == ([updates], [2])
    assert driver.get_last_lr() == [driver.plan.at(updates - 1)["lr"]["all"]]
    state = driver.state_dict()
    assert state["skipped"] == [2]
    again = made(skipped=policy)[3]
    again.load_state_dict(state)
    assert (again.updates, again.skipped) == ([updates], [2])


def test_a_fused_optimizer_tells_without_a_scaler_what_others_do_not():
    net, optimizer, scaler, driver = made(fused=True, told=False)
    run(net, optimizer, scaler)
    assert (driver.updates, driver.skipped) == ([3], [2])
    net, optimizer, scaler, driver = made(told=False)
    run(net, optimizer, scaler)
    assert (driver.updates, driver.skipped) == ([3], [0])  # not made, and not seen
    with pytest.raises(InputError, match="skipped='count' needs the GradScaler, as in drive\\(optimizer, plan, scaler=scaler, "):
        made(told=False, skipped="count")


def test_a_scaler_is_left_as_it_was():
    net, optimizer, scaler, driver = made()
    driver.release()
    assert "step" not in vars(scaler)
    run(net, optimizer, scaler)
    assert driver.updates == [0]


def test_other_optimizers_of_a_scaler_are_none_of_the_driver_s():
    net, optimizer, scaler, driver = made()
    other = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    scaler.scale(torch.ones(1, requires_grad=True)).backward()
    for parameter in other.param_groups[0]["params"]:
        parameter.grad = torch.full_like(parameter, float("inf"))
    scaler.step(other)
    assert driver.skipped == [0]


def test_odd_arguments_are_refused():
    with pytest.raises(InputError, match="skipped must be 'hold' or 'count', got 'no'"):
        made(skipped="no")
    with pytest.raises(InputError, match=r"scaler must be a GradScaler of torch.amp, got int"):
        made(told=False, scaler=3)
