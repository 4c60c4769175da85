"""Values that move as tensors: one compiled graph for all of them, the same values, and a buffer that outlives loading."""

from __future__ import annotations

import copy
import io
import shutil
import warnings

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.driver import EtudeWarning
from etude.owned import CHUNK, Moving

STEPS = 12
SCHEDULES = {"lr": etude.cosine(1, 0), "momentum": etude.linear(0.9, 1), "weight_decay": etude.linear(1, 2)}
BETAS = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax")
MOMENTUM = ("SGD", "RMSprop")
NAMES = (*BETAS, *MOMENTUM, "Adagrad", "Adadelta", "ASGD")


def recipe(name, steps=100, nesterov=False, **options):
    """A recipe of everything that an optimizer has, all of it moving."""
    own = {"betas": (0.9, 0.999)} if name in BETAS else {"momentum": 0.9} if name in MOMENTUM else {}
    moving = {key: value for key, value in SCHEDULES.items() if own or key != "momentum"}
    optimizer = Optimizer(name=name, lr=0.1, weight_decay=0.01, nesterov=nesterov, **own, options=options)
    return Recipe(optimizer=optimizer, schedules=moving, run=Run(steps=steps))


def made(recipe, device="cpu", **how):
    torch.manual_seed(0)
    net = nn.Linear(4, 4, device=device)
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    optimizer = etude.torch.build(net, recipe)
    return net, optimizer, etude.torch.drive(optimizer, recipe.plan(), **how)


def run(parts, steps=STEPS, backend=None):
    """Make updates, compiled where a backend is named; return the weights and the number of graphs."""
    net, optimizer, _ = parts
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend) if backend else None
    step = torch.compile(lambda: optimizer.step(), backend=counter) if counter else optimizer.step
    for _ in range(steps):
        step()
    return [parameter.detach().clone() for parameter in net.parameters()], counter and counter.frame_count


def values(optimizer):
    group = optimizer.param_groups[0]
    return {key: float(group["betas"][0]) if key == "momentum" and "betas" in group else float(group[key]) for key in SCHEDULES if
            key in group or (key == "momentum" and "betas" in group)}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_all_that_moves_is_one_graph_where_numbers_make_nine(name):
    numbers, compiled_numbers = run(made(recipe(name))), run(made(recipe(name)), backend="aot_eager")
    parts = made(recipe(name), tensors=True)
    tensors, graphs = run(parts, backend="aot_eager")
    assert compiled_numbers[1] == 9
    assert graphs == (2 if name == "SGD" else 1)  # SGD's first step makes its momentum buffers
    for one, other in zip(numbers[0], tensors, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=1e-6)
    assert values(parts[1]) == pytest.approx({key: value["all"] for key, value in parts[2].plan.at(STEPS - 1).items()}, rel=1e-7)


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", {"nesterov": True}), ("SGD", {"foreach": True}), ("AdamW", {"foreach": False}), ("Adam", {"amsgrad": True})],
)
def test_variants(name, options):
    expected, _ = run(made(recipe(name, **options)))
    for backend in (None, "aot_eager"):
        found, graphs = run(made(recipe(name, **options), tensors=True), backend=backend)
        assert graphs in (None, 1, 2)
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(one, other, rtol=2e-4, atol=1e-6)


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler of C++")
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_inductor_makes_as_many(name):
    expected, _ = run(made(recipe(name)))
    found, graphs = run(made(recipe(name), tensors=True), steps=STEPS, backend="inductor")
    assert graphs == (2 if name == "SGD" else 1)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=1e-6)


def test_across_chunks_and_past_the_end_the_values_are_the_plan_s():
    net, optimizer, driver = made(recipe("AdamW", steps=2 * CHUNK + 3), tensors=True)
    for step in (0, CHUNK - 1, CHUNK, 2 * CHUNK + 2, 2 * CHUNK + 3, 2 * CHUNK + 50):
        driver.load_state_dict({**driver.state_dict(), "updates": [step]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EtudeWarning)
            optimizer.step()
        assert values(optimizer) == pytest.approx(
            {key: value["all"] for key, value in driver.plan.at(step).items()}, rel=1e-7, abs=1e-9
        )


def test_loading_ties_the_same_buffer_again_and_compiles_nothing_anew():
    net, optimizer, driver = made(recipe("AdamW"), tensors=True)
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    step = torch.compile(lambda: optimizer.step(), backend=counter)
    for _ in range(3):
        step()
    buffer = driver._seats[0]._owned[0].buffer
    states = copy.deepcopy((optimizer.state_dict(), driver.state_dict()))
    step()
    optimizer.load_state_dict(states[0])
    driver.load_state_dict(states[1])
    for update in range(3, 8):
        step()
        assert values(optimizer) == pytest.approx({key: value["all"] for key, value in driver.plan.at(update).items()}, rel=1e-7)
    assert driver._seats[0]._owned[0].buffer is buffer
    assert counter.frame_count <= 2  # torch itself puts new tensors of the state in place


def test_a_checkpoint_holds_numbers():
    net, optimizer, driver = made(recipe("SGD"), tensors=True)
    optimizer.step()
    saved = io.BytesIO()
    torch.save((optimizer.state_dict(), driver.state_dict()), saved)
    saved.seek(0)
    group = torch.load(saved, weights_only=True)[0]["param_groups"][0]
    assert all(type(group[key]) is float for key in ("lr", "momentum", "weight_decay"))
    plain = torch.optim.SGD([{"params": list(net.parameters()), "name": "all"}], lr=0.1, momentum=0.9)
    plain.load_state_dict(optimizer.state_dict())
    plain.step()


def test_a_driver_that_lets_go_leaves_numbers():
    net, optimizer, driver = made(recipe("AdamW"), tensors=True)
    optimizer.step()
    driver.release()
    group = optimizer.param_groups[0]
    assert [type(group["lr"]), type(group["weight_decay"]), *map(type, group["betas"])] == [float] * 4
    optimizer.step()


def test_what_is_put_in_place_of_a_tensor_is_told_and_undone():
    net, optimizer, driver = made(recipe("SGD"), tensors=True)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.5
    with pytest.warns(EtudeWarning, match="lr of group 'all' was changed from the driver's tensor to 0.5 by something else"):
        optimizer.step()
    assert values(optimizer)["lr"] == pytest.approx(driver.plan.at(1)["lr"]["all"])


def test_an_override_and_a_metric_reach_the_buffer():
    net, optimizer, driver = made(recipe("AdamW"), tensors=True)
    driver.override(lr=0.5)
    optimizer.step()
    assert values(optimizer)["lr"] == 0.5
    driver.override(lr=None, momentum=0.25)
    optimizer.step()
    assert values(optimizer)["momentum"] == 0.25
    assert values(optimizer)["lr"] == pytest.approx(driver.plan.at(1)["lr"]["all"])
    watching = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), schedules={"lr": etude.parse("plateau(0.5, patience=0)")}, run=Run(steps=9)
    )
    net, optimizer, driver = made(watching, tensors=True)
    for loss in (1.0, 2.0):
        optimizer.step()
        driver.feed(loss)
    optimizer.step()
    assert driver.get_last_lr() == [0.5]


def test_what_takes_no_tensor_is_told_with_the_cure():
    with pytest.warns(
        EtudeWarning, match=r"fused SGD takes (momentum|weight_decay) as a number only, and .*: build it with fused=False"
    ):
        parts = made(recipe("SGD", fused=True), tensors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EtudeWarning)
        expected, found = run(made(recipe("SGD", fused=True)))[0], run(parts)[0]
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=1e-6)
    with pytest.raises(
        InputError, match="AdamW with foreach=True takes lr as a tensor only with capturable=True: build it so, or"
    ):
        made(recipe("AdamW", foreach=True), tensors=True)


def test_a_moving_number_is_what_optimizers_make_of_it():
    moving = Moving(torch.tensor(0.5))
    assert (moving != 0, moving == 0, moving > 0, float(moving), repr(moving)) == (True, False, True, 0.5, "0.5")
    three = torch.full((2,), 3.0)
    assert (2 * moving, moving * three, three * moving)[0] == 1.0
    assert three.add(three, alpha=moving).tolist() == [4.5, 4.5]
    assert [one.tolist() for one in torch._foreach_add([three], [three], alpha=moving)] == [[4.5, 4.5]]


def test_a_graph_needs_tensors():
    with pytest.raises(
        InputError, match=r"a CUDA graph reads tensors only: drive\(optimizer, plan, tensors=True\), and capturable"
    ):
        made(recipe("SGD"))[2].replay(None)


class Captured:
    """What a CUDA graph is to a driver: something that makes the update again, without its hooks."""

    def __init__(self, optimizer):
        self.step = type(optimizer).step.__wrapped__.__get__(optimizer) if hasattr(type(optimizer).step, "__wrapped__") else None

    def replay(self):
        self.step()


def test_a_replay_writes_the_values_before_it_and_counts_after():
    net, optimizer, driver = made(recipe("AdamW"), tensors=True)
    expected = made(recipe("AdamW"))
    optimizer.step()
    graph = Captured(optimizer)
    for _ in range(4):
        driver.replay(graph)
    assert driver.updates == [5]
    for one, other in zip(run(expected, steps=5)[0], net.parameters(), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=2e-4, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_a_cuda_graph_follows_moving_values_without_a_sync(name):
    options = {"capturable": True} if name != "SGD" else {}
    net, optimizer, driver = made(recipe(name, **options), device="cuda", tensors=True)
    reference = made(recipe(name), device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    assert driver.updates == [3]
    driver.replay(graph)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            driver.replay(graph)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected, _ = run(reference, steps=24)
    for one, other in zip(expected, net.parameters(), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("tensors", [True, False])
def test_an_override_beside_a_group_that_joins(tensors):
    groups = {"a": Group(pattern="a"), "b": Group(pattern="b")}
    two = Recipe(optimizer=Optimizer(name="SGD", lr=1.0), groups=groups, schedules={"lr": etude.linear(1, 0)}, run=Run(steps=10))
    optimizer = torch.optim.SGD([{"params": nn.Linear(1, 1).parameters(), "name": "a"}], lr=1.0)
    driver = etude.torch.drive(optimizer, two.plan(), tensors=tensors)
    optimizer.step()
    optimizer.add_param_group({"params": nn.Linear(1, 1).parameters(), "name": "b"})
    driver.override(lr=0.05, group="a")
    optimizer.step()
    state = driver.state_dict()
    optimizer.step()
    assert driver.get_last_lr() == pytest.approx([0.05, driver.plan.at(2)["lr"]["b"]])
    driver.override(lr=None, group="a")
    driver.override(lr=0.45, group="b")
    driver.load_state_dict(state)
    optimizer.step()
    assert driver.get_last_lr() == pytest.approx([0.05, driver.plan.at(2)["lr"]["b"]])


def test_a_tensor_under_an_override_is_kept_too():
    net, optimizer, driver = made(recipe("AdamW"), tensors=True)
    driver.override(lr=0.05)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.777
    with pytest.warns(EtudeWarning, match="lr of group 'all' was changed"):
        optimizer.step()
    assert values(optimizer)["lr"] == pytest.approx(0.05)
    optimizer.param_groups[0]["lr"].fill_(0.3)
    optimizer.step()
    assert values(optimizer)["lr"] == pytest.approx(0.05)


def test_a_driver_that_was_replaced_lets_go_of_nothing_that_is_not_its_own():
    net, optimizer, first = made(recipe("SGD"), tensors=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    plan = first.plan
    with pytest.warns(EtudeWarning, match="had a driver already"):
        second = etude.torch.drive(optimizer, plan, tensors=True, scaler=scaler)
    first.release()
    first.release()
    optimizer.step()
    assert (first.updates, second.updates) == ([0], [1])
    assert isinstance(optimizer.param_groups[0]["momentum"], Moving)
    copied = copy.deepcopy(scaler)
    assert copied.step.__func__ is torch.amp.GradScaler.step
    with pytest.warns(EtudeWarning, match="had a driver already"):
        third = etude.torch.drive(optimizer, plan, updates=1)
    second.release()
    optimizer.step()
    assert (second.updates, third.updates) == ([1], [2])
