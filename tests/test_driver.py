"""The driver writes the plan, bit for bit, whatever the loop around it does."""

from __future__ import annotations

import copy
import io
import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.driver import EtudeWarning
from etude.plan import BLOCK
from tests.strategies import runs, schedules

YOLO = etude.read("yolov5").override(epochs=40, samples=60)  # 3 batches an epoch, 120 steps


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


def made(recipe, plan=None):
    net = model()
    optimizer = etude.torch.build(net, recipe)
    return net, optimizer, etude.torch.drive(optimizer, plan or recipe.plan())


def update(net, optimizer, step):
    """One real update, its data a function of the step."""
    optimizer.zero_grad()
    data = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(step))
    net(data).square().mean().backward()
    optimizer.step()


def applied(optimizer):
    """The values that the groups hold."""
    return [
        [group["lr"], group["betas"][0] if "betas" in group else group["momentum"], group["weight_decay"]]
        for group in optimizer.param_groups
    ]


def planned(plan, start=0, stop=None):
    table = plan.table(start, stop)
    return np.stack([table[name] for name in ("lr", "momentum", "weight_decay")], axis=2)


@pytest.mark.parametrize("name", ["yolov5", "warmup-cosine", "one-cycle", "wsd"])
def test_what_is_written_is_the_table(name):
    recipe = etude.read(name).override(epochs=40, samples=60)
    net, optimizer, driver = made(recipe)
    rows = []
    for step in range(120):
        update(net, optimizer, step)
        driver.step()
        rows.append(applied(optimizer))
    assert (np.array(rows) == planned(driver.plan)).all()
    assert driver.updates == [120]


@given(schedules, runs, st.data())
def test_from_any_start_it_is_the_table(schedule, run, data):
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": schedule})
    try:
        plan = recipe.plan(run)
        table = plan.table()["lr"]
        optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
        driver = etude.torch.drive(optimizer, plan)
    except InputError:
        return  # no plan in this run, or a negative rate that torch refuses
    start = data.draw(st.integers(0, plan.end() - 1))
    driver.load_state_dict({**driver.state_dict(), "updates": [start]})
    for step in range(start, min(plan.end(), start + 30)):
        optimizer.step()
        assert optimizer.param_groups[0]["lr"] == table[step, 0]
        assert type(optimizer.param_groups[0]["lr"]) is float


def test_across_blocks():
    recipe = etude.read("cosine(1, 0)").override(steps=BLOCK + 10)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    driver.load_state_dict({**driver.state_dict(), "updates": [BLOCK - 5]})
    for step in range(BLOCK - 5, BLOCK + 10):
        optimizer.step()
        assert optimizer.param_groups[0]["lr"] == driver.plan.table(step, step + 1)["lr"][0, 0]


@pytest.fixture(scope="module")
def uninterrupted():
    """Weights and optimizer state after every step of a run that never stops."""
    net, optimizer, driver = made(YOLO)
    states = []
    for step in range(25):
        states.append(copy.deepcopy((net.state_dict(), optimizer.state_dict(), driver.state_dict())))
        update(net, optimizer, step)
    return states, net.state_dict()


@pytest.mark.parametrize("order", ["optimizer first", "driver first", "driver made last"])
@pytest.mark.parametrize("step", [0, 1, 2, 3, 11, 24])
def test_resume_at_any_step_in_any_order_is_the_run_that_never_stopped(uninterrupted, step, order):
    states, final = uninterrupted
    saved = io.BytesIO()
    torch.save(states[step], saved)
    saved.seek(0)
    weights, optimizer_state, driver_state = torch.load(saved, weights_only=True)
    net = model()
    optimizer = etude.torch.build(net, YOLO)
    if order == "driver made last":
        optimizer.load_state_dict(optimizer_state)
    driver = etude.torch.drive(optimizer, YOLO.plan())
    if order == "optimizer first":
        optimizer.load_state_dict(optimizer_state)
    driver.load_state_dict(driver_state)
    if order == "driver first":
        optimizer.load_state_dict(optimizer_state)
    net.load_state_dict(weights)
    for later in range(step, 25):
        update(net, optimizer, later)
        assert (np.array(applied(optimizer)) == planned(driver.plan, later, later + 1)[0]).all()
    assert all(torch.equal(net.state_dict()[name], value) for name, value in final.items())


@given(schedules, st.integers(1, 12), st.booleans(), st.data())
def test_resume_is_the_run_that_never_stopped_for_any_schedule(schedule, total, optimizer_first, data):
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1, momentum=0.9), schedules={"lr": etude.clip(schedule, lo=etude.abs(0))}
    )
    run = Run(steps=total, steps_per_epoch=3)

    def fresh():
        torch.manual_seed(0)
        net = nn.Linear(2, 1)
        optimizer = etude.torch.build(net, recipe)
        return net, optimizer, etude.torch.drive(optimizer, recipe.plan(run))

    def advance(net, optimizer, step):
        optimizer.zero_grad()
        net(torch.full((1, 2), float(step))).sum().backward()
        optimizer.step()

    try:
        net, optimizer, driver = fresh()
    except InputError:
        return  # no plan in this run
    stop = data.draw(st.integers(0, total - 1))
    for step in range(stop):
        advance(net, optimizer, step)
    saved = copy.deepcopy((net.state_dict(), optimizer.state_dict(), driver.state_dict()))
    again, resumed, second = fresh()
    again.load_state_dict(saved[0])
    for load in (resumed.load_state_dict, second.load_state_dict)[:: 1 if optimizer_first else -1]:
        load(saved[1] if load == resumed.load_state_dict else saved[2])
    for step in range(stop, total):
        advance(net, optimizer, step)
        advance(again, resumed, step)
        assert resumed.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == driver.plan.table()["lr"][step, 0]
    assert torch.equal(again.weight, net.weight)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=15))
def test_however_often_step_is_called_an_update_is_one_tick(calls):
    recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=20)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for step, count in enumerate(calls):
            optimizer.step()
            for _ in range(count):
                driver.step()
            assert optimizer.param_groups[0]["lr"] == driver.plan.table()["lr"][step, 0]
    assert driver.updates == [len(calls)]
    assert len(told) == (1 if max(calls) > 1 else 0)


def test_the_state_is_counters_and_the_recipe_as_plain_data():
    driver = made(YOLO)[2]
    state = json.loads(json.dumps(driver.state_dict()))
    assert set(state) == {"etude", "updates", "skipped", "joined", "recipe", "overrides", "metrics", "history"}
    driver.load_state_dict(state)


def test_numbers_of_numpy_leave_no_trace_in_a_checkpoint():
    """A NumPy scalar in a state makes torch.load(weights_only=True) fail."""
    recipe = Recipe(
        optimizer=Optimizer(
            name="Adam", lr=np.float64(0.1), betas=(np.float64(0.9), np.float64(0.99)), weight_decay=np.float64(0.1)
        ),
        groups={"all": Group(lr=np.float64(0.2))},
        schedules={"lr": etude.parse("cosine(1, 0)") * np.float64(0.5)},
        run=Run(steps=5),
    )
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    driver.override(weight_decay=np.float64(0.2))
    optimizer.step()
    saved = io.BytesIO()
    torch.save((optimizer.state_dict(), driver.state_dict()), saved)
    saved.seek(0)
    torch.load(saved, weights_only=True)


def test_a_state_of_another_recipe_is_refused_with_what_differs():
    state = made(YOLO)[2].state_dict()
    other = YOLO.override(lr=0.02, epochs=41)
    with pytest.raises(
        InputError, match=r"of another recipe \(there -> here\): optimizer.lr: 0.01 -> 0.02; run.epochs: 40 -> 41"
    ):
        made(other)[2].load_state_dict(state)
    for broken in ({}, {"etude": 1}, 3, {"etude": 9, "updates": [0]}):
        with pytest.raises(InputError, match="not the state of an etude driver"):
            made(YOLO)[2].load_state_dict(broken)


def test_calling_step_often_or_never_or_first_is_one_tick_and_told_once():
    net, optimizer, driver = made(YOLO)
    with pytest.warns(EtudeWarning, match="called without an update since its last call") as told:
        driver.step()  # before the first update
        for step in range(3):
            update(net, optimizer, step)
            for _ in range(4):
                driver.step()
            assert (np.array(applied(optimizer)) == planned(driver.plan, step, step + 1)[0]).all()
    assert len(told) == 1
    assert driver.updates == [3]


def test_a_metric_given_to_step_after_the_update_s_own_call_is_no_call_too_many():
    recipe = etude.read("plateau(0.1, patience=0)").override(lr=0.1, steps=10)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    for loss in (1.0, 2.0):
        optimizer.step()
        driver.step()
        driver.step(loss)
    optimizer.step()
    assert driver.get_last_lr() == [pytest.approx(0.01)]


def test_an_optimizer_of_one_s_own_that_calls_its_parent_s_step_makes_one_update():
    class Mine(torch.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    def fails():
        raise ValueError("out of memory")

    recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=10)
    optimizer = Mine([{"params": nn.Linear(1, 1).parameters(), "name": "all"}], lr=0.1)
    driver = etude.torch.drive(optimizer, recipe.plan())
    optimizer.step()
    with pytest.raises(ValueError, match="out of memory"):
        optimizer.step(fails)
    optimizer.step()
    assert (driver.updates, driver.get_last_lr()) == ([2], [driver.plan.at(1)["lr"]["all"]])


def test_an_update_that_amp_skips_is_not_counted():
    net, optimizer, driver = made(YOLO)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    finite = [True, False, False, True, True]
    for step, good in enumerate(finite):
        optimizer.zero_grad()
        loss = net(torch.ones(4, 1, 4, 4) * (1.0 if good else float("inf"))).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        assert driver.updates == [sum(finite[: step + 1])]
    assert applied(optimizer)[0][0] == driver.plan.table(2, 3)["lr"][0, 0]


def test_a_value_changed_by_hand_is_told_once_and_undone():
    net, optimizer, driver = made(YOLO)
    update(net, optimizer, 0)
    with pytest.warns(EtudeWarning, match=r"lr of group 'bias' was changed from 0.1 to 0.05 .*driver.override\(lr=...\)") as told:
        for step in (1, 2):
            optimizer.param_groups[2]["lr"] = 0.05
            update(net, optimizer, step)
            assert optimizer.param_groups[2]["lr"] == driver.plan.at(step)["lr"]["bias"]
    assert len(told) == 1


def test_a_value_without_a_schedule_changed_by_hand_is_found_too():
    net, optimizer, driver = made(YOLO)
    optimizer.param_groups[1]["weight_decay"] = 0.3
    with pytest.warns(EtudeWarning, match="weight_decay of group 'weight' was changed from 0.0005 to 0.3"):
        update(net, optimizer, 0)
    assert optimizer.param_groups[1]["weight_decay"] == 0.0005


def test_an_override_stays_until_it_is_given_back_and_through_a_checkpoint():
    net, optimizer, driver = made(YOLO)
    driver.override(lr=0.5, group="bias")
    update(net, optimizer, 0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0, 0.5]
    net, optimizer, again = made(YOLO)
    again.load_state_dict(driver.state_dict())
    update(net, optimizer, 1)
    assert optimizer.param_groups[2]["lr"] == 0.5
    again.override(lr=None)
    update(net, optimizer, 2)
    assert optimizer.param_groups[2]["lr"] == again.plan.at(2)["lr"]["bias"]
    with pytest.raises(InputError, match="the plan has no 'lrr'; did you mean 'lr'"):
        driver.override(lrr=1.0)
    with pytest.raises(InputError, match="the plan has no 'biass'; did you mean 'bias'"):
        driver.override(lr=1.0, group="biass")


def test_a_tensor_rate_is_filled_in_place_and_keeps_its_identity():
    recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=10)
    net = nn.Linear(1, 1)
    rate = torch.tensor(0.1, dtype=torch.float64)
    optimizer = torch.optim.SGD([{"params": net.parameters(), "name": "all"}], lr=rate)
    held = optimizer.param_groups[0]["lr"]
    driver = etude.torch.drive(optimizer, recipe.plan())
    for step in range(10):
        optimizer.step()
        assert optimizer.param_groups[0]["lr"] is held
        assert float(held) == driver.plan.table()["lr"][step, 0]


def test_groups_that_load_state_dict_replaces_are_found_again():
    net, optimizer, driver = made(YOLO)
    other = etude.torch.build(model(), YOLO.override(lr=0.5))
    update(net, optimizer, 0)
    optimizer.load_state_dict(other.state_dict())
    update(net, optimizer, 1)
    assert (np.array(applied(optimizer)) == planned(driver.plan, 1, 2)[0]).all()


def test_groups_are_matched_by_name_never_by_position():
    net = model()
    optimizer = etude.torch.build(net, YOLO)
    optimizer.param_groups.reverse()
    etude.torch.drive(optimizer, YOLO.plan()).release()
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == YOLO.plan().at(0)["lr"]
    for name, message in (
        (None, "a parameter group has no name"),
        ("biases", "the plan has no group 'biases'; did you mean 'bias'"),
    ):
        optimizer.param_groups[0]["name"] = name
        with pytest.raises(InputError, match=message):
            etude.torch.drive(optimizer, YOLO.plan())


def test_a_single_unnamed_group_is_the_plans_only_one():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=3.0)
    etude.torch.drive(optimizer, etude.read("linear(1, 0)").override(lr=0.1, steps=4).plan())
    assert optimizer.param_groups[0]["lr"] == 0.1
    with pytest.warns(
        EtudeWarning, match=r"group 'all' came with lr 3; the recipe's base value, 0.1, counts. .*override\(lr=3\)"
    ):
        optimizer.step()


def test_a_rate_that_a_tensor_holds_in_32_bits_is_no_other_rate():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=torch.tensor(1 / 30))
    etude.torch.drive(optimizer, etude.read("linear(1, 0)").override(lr=1 / 30, steps=4).plan())
    with warnings.catch_warnings():
        warnings.simplefilter("error", EtudeWarning)
        optimizer.step()


def test_a_run_that_no_driver_counted_is_taken_over_where_it_stands():
    recipe = etude.read("linear(1, 0)").override(lr=0.1, steps=10)
    net = nn.Linear(1, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    driver = etude.torch.drive(optimizer, recipe.plan(), updates=4)
    optimizer.step()
    assert (driver.updates, driver.get_last_lr()) == ([5], [recipe.plan().at(4)["lr"]["all"]])
    driver.release()
    driver = etude.torch.drive(optimizer, recipe.plan())
    optimizer.load_state_dict(state)
    with pytest.warns(
        EtudeWarning, match=r"the optimizer has made updates before, and this driver counts from 0: .* updates=45_000\)"
    ):
        optimizer.step()
    with pytest.raises(InputError, match="a count of updates must be a whole number, 0 or above, got -1"):
        etude.torch.drive(optimizer, recipe.plan(), updates=-1)


def test_several_optimizers_under_one_plan_count_for_themselves():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1),
        groups={"generator": Group(module="generator"), "critic": Group(module="critic", lr=0.2)},
        schedules={"lr": etude.parse("linear(1, 0)")},
        run=Run(steps=10),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator = etude.torch.build({"generator": nn.Linear(1, 1)}, recipe)
        critic = etude.torch.build({"critic": nn.Linear(1, 1)}, recipe)
    driver = etude.torch.drive([generator, critic], recipe.plan())
    for _ in range(2):
        for _ in range(3):
            critic.step()
        generator.step()
        driver.step()
    assert driver.updates == [2, 6]
    rates = {
        group["name"]: group["lr"] for optimizer in (generator, critic) for group in optimizer.param_groups if group["params"]
    }
    assert rates == {"generator": driver.plan.at(1)["lr"]["generator"], "critic": driver.plan.at(5)["lr"]["critic"]}
    driver.load_state_dict(driver.state_dict())
    driver.release()
    with pytest.raises(InputError, match="the checkpoint drives 2 optimizers, this driver 1"):
        etude.torch.drive(critic, recipe.plan()).load_state_dict(driver.state_dict())


def test_past_the_end_the_last_values_are_held_and_told_once():
    recipe = etude.read("linear(1, 0)").override(lr=0.1, steps=3)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    with pytest.warns(EtudeWarning, match="the run is over: the plan has 3 updates, and more are made") as told:
        for _ in range(6):
            optimizer.step()
    assert len(told) == 1
    assert driver.get_last_lr() == [driver.plan.at(5)["lr"]["all"]]


def test_a_second_driver_takes_the_place_of_the_first_and_release_lets_go():
    net, optimizer, first = made(YOLO)
    with pytest.warns(EtudeWarning, match="this optimizer had a driver already; the new one takes its place"):
        second = etude.torch.drive(optimizer, YOLO.plan())
    update(net, optimizer, 0)
    assert (first.updates, second.updates) == ([0], [1])
    second.release()
    optimizer.param_groups[0]["lr"] = 7.0
    update(net, optimizer, 1)
    assert optimizer.param_groups[0]["lr"] == 7.0


def test_a_recipe_with_momentum_for_an_optimizer_without_is_refused():
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1, momentum=0.9))
    with pytest.raises(InputError, match="group 'all' of Adagrad has no momentum, but the recipe has one"):
        etude.torch.drive(
            torch.optim.Adagrad([{"params": nn.Linear(1, 1).parameters(), "name": "all"}]), recipe.plan(Run(steps=1))
        )


def test_it_passes_for_a_torch_scheduler_and_looks_like_one():
    _, optimizer, driver = made(YOLO)
    assert isinstance(driver, torch.optim.lr_scheduler.LRScheduler)
    assert driver.optimizer is optimizer
    assert driver.get_last_lr() == [0.0, 0.0, 0.1]
    assert etude.read(driver) == YOLO


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda optimizer, plan: etude.torch.drive([optimizer, optimizer], plan),
            "one optimizer or several different ones, got 2",
        ),
        (lambda optimizer, plan: etude.torch.drive([], plan), "one optimizer or several different ones, got 0"),
        (
            lambda optimizer, plan: etude.torch.drive(optimizer, None),
            r"drive needs a plan, as in recipe.plan\(run\), got NoneType",
        ),
        (lambda optimizer, plan: etude.torch.drive(3, plan), "drive needs a torch optimizer, got int"),
        (lambda optimizer, plan: etude.torch.drive(optimizer, plan).override(), "override needs a value"),
        (lambda optimizer, plan: etude.torch.drive(optimizer, plan).override(lr=-1.0), "lr must be 0 or above, got -1.0"),
        (
            lambda optimizer, plan: etude.torch.drive(optimizer, plan).override(lr=float("nan")),
            "lr must be a finite number, got nan",
        ),
        (lambda optimizer, plan: etude.torch.build(None, plan.recipe), "build needs torch modules, got NoneType"),
        (lambda optimizer, plan: etude.torch.build(nn.ReLU(), plan.recipe), "the model has no parameters to train"),
        (lambda optimizer, plan: etude.torch.build(nn.ReLU(), plan), "build needs a recipe, got Plan"),
    ],
)
def test_odd_arguments_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(etude.torch.build(model(), YOLO), YOLO.plan())


def test_one_tensor_rate_given_to_every_group_becomes_one_a_group():
    """torch puts the tensor of its constructor into every group."""
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1),
        groups={"a": Group(lr=1.0, kind="bias"), "b": Group()},
        schedules={"lr": etude.parse("linear(1, 0)")},
        run=Run(steps=4),
    )
    net = nn.Linear(1, 1)
    groups = [{"params": [net.bias], "name": "a", "initial_lr": 1.0}, {"params": [net.weight], "name": "b"}]
    optimizer = torch.optim.Adam(groups, lr=torch.tensor(0.1, dtype=torch.float64))
    etude.torch.drive(optimizer, recipe.plan())
    optimizer.step()
    optimizer.step()
    assert [float(group["lr"]) for group in optimizer.param_groups] == [0.75, 0.1 * 0.75]


def test_betas_changed_by_hand_are_told_and_undone():
    recipe = etude.read("one-cycle").override(epochs=1)
    recipe = Recipe(optimizer=Optimizer(name="Adam", lr=0.1, betas=(0.95, 0.99)), schedules=recipe.schedules, run=recipe.run)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    optimizer.step()
    optimizer.param_groups[0]["betas"] = (0.5, 0.99)
    with pytest.warns(EtudeWarning, match=r"betas of group 'all' was changed .*driver.override\(momentum=...\)"):
        optimizer.step()
    assert optimizer.param_groups[0]["betas"] == (driver.plan.at(1)["momentum"]["all"], 0.99)


def test_a_group_put_in_another_ones_place_is_found():
    net, optimizer, driver = made(YOLO)
    update(net, optimizer, 0)
    taken = optimizer.param_groups.pop()
    optimizer.add_param_group({"params": taken["params"], "name": "bias", "lr": 99.0, "momentum": 0.1, "weight_decay": 3.0})
    update(net, optimizer, 1)
    assert (np.array(applied(optimizer)) == planned(driver.plan, 1, 2)[0]).all()


def test_a_run_that_goes_on_past_its_end_after_a_resume_is_told_too():
    recipe = etude.read("linear(1, 0)").override(lr=0.1, steps=3)
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    driver.load_state_dict({**driver.state_dict(), "updates": [3]})
    with pytest.warns(EtudeWarning, match="the run is over"):
        optimizer.step()


def test_a_driver_state_of_another_order_of_groups_is_refused():
    groups = {"bias": Group(kind="bias"), "rest": Group(kind=("weight", "norm"))}
    one, other = (
        Recipe(optimizer=Optimizer(name="SGD", lr=0.1), groups=dict(order), run=Run(steps=3))
        for order in (groups.items(), reversed(groups.items()))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        states = [etude.torch.drive(etude.torch.build(nn.Linear(1, 1), recipe), recipe.plan()) for recipe in (one, other)]
    with pytest.raises(InputError, match=r"of another recipe .*order"):
        states[1].load_state_dict(states[0].state_dict())
