"""The plan: the recorded YOLOv5 policy, one value however it is asked for, and what every schedule keeps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import Group, InputError, Optimizer, Recipe, Run, Stage
from etude.plan import BLOCK
from tests.strategies import pure_schedules, runs, schedules

FIGURES = json.loads((Path(__file__).parent / "golden" / "yolov5_tutorial.json").read_text())
RECORDED = Path(__file__).parents[2] / "shared" / "golden" / "yolo.jsonl.gz"


def close(ours, theirs, peak):
    """DESIGN's tolerance against a framework that computes in float64."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return bool((np.abs(ours - theirs) <= 1e-10 * np.abs(theirs) + 1e-15 * peak).all())


@pytest.mark.parametrize("name", FIGURES["records"])
def test_yolov5_is_the_tutorials_own_loop(name):
    record, plan = FIGURES["records"][name], etude.read("yolov5").plan()
    assert plan.groups == tuple(FIGURES["groups"])
    at = [plan.at(step) for step in FIGURES["steps"]]
    assert close([[values["lr"][group] for group in plan.groups] for values in at], record["lr"], 0.1)
    assert close([values["momentum"]["norm"] for values in at], record["momentum"], 0.937)
    ends = plan.table()["lr"][29::30]
    assert close(ends, record["epoch_end_lr"], 0.1)
    assert plan.at(7)["weight_decay"] == {"norm": 0.0, "weight": 0.0005, "bias": 0.0}


@pytest.mark.skipif(not RECORDED.exists(), reason="recorded traces of the real YOLOv5 are not beside this checkout")
@pytest.mark.parametrize("name", FIGURES["records"])
def test_yolov5_at_every_step_recorded(name):
    with gzip.open(RECORDED, "rt") as file:
        record = next(one for one in map(json.loads, file) if one["id"] == name)
    table = etude.read("yolov5").plan().table()
    assert table["lr"].shape == (3000, 3)
    assert close(table["lr"], record["lr"], 0.1)
    assert close(table["momentum"][:, 0], record["momentum"], 0.937)


def of(schedule, run, base=0.1):
    try:
        recipe = Recipe(optimizer=Optimizer(name="SGD", lr=base), schedules={"lr": schedule})
        return recipe.plan(run)
    except InputError:
        from hypothesis import reject

        reject()


def ulps(a, b):
    return np.abs(a - b) / np.spacing(np.maximum(np.abs(a), np.abs(b)))


@given(schedules, runs, st.data())
def test_at_and_every_array_namespace_agree_with_the_table(schedule, run, data):
    plan = of(schedule, run)
    total = plan.end()
    table = plan.table()["lr"][:, 0]
    start = data.draw(st.integers(0, total - 1))
    stop = data.draw(st.integers(start, total))
    assert (plan.table(start, stop)["lr"][:, 0] == table[start:stop]).all()
    scalars = np.array([plan.at(step)["lr"]["all"] for step in range(total)])
    curve = plan.curve("lr", "all")
    tensors = curve(torch.arange(total, dtype=torch.float64)).numpy()
    arrays = curve(np.arange(total, dtype=float))
    # 2 ulp for each function that libraries round in their own way; torch's own sine, squared, makes 4 of them
    pieces = repr(schedule).count("(")
    assert (ulps(scalars, table) <= 2 * pieces).all()
    assert (ulps(tensors, table) <= 4 * pieces).all()
    if pieces == 1:
        assert (ulps(scalars, table) <= 2).all()
    assert (arrays == table).all()


def test_jax_under_jit():
    """XLA's own sine and logarithm decide the last digits."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    for text in ("chain(linear(0, 1, over='10%'), cosine(1, 0))", "power(1, 0, 0.5)", "per_epoch(rex(1, 0))"):
        plan = etude.read(text).plan(Run(steps=200, steps_per_epoch=7))
        values = jax.jit(plan.curve("lr", "all"))(jax.numpy.arange(200, dtype="float64"))
        assert np.allclose(values, plan.table()["lr"][:, 0], rtol=1e-12, atol=1e-15)


def test_blocks_meet():
    plan = etude.read("chain(linear(0, 1, over='10%'), cosine(1, 0))").plan(Run(steps=3 * BLOCK + 17))
    whole = plan.table()["lr"]
    for start in (0, 5, BLOCK - 1, BLOCK, 2 * BLOCK + 3):
        stop = min(start + BLOCK + 2, plan.end())
        assert (plan.table(start, stop)["lr"] == whole[start:stop]).all()
    assert all(plan.at(step)["lr"]["all"] == whole[step, 0] for step in range(0, plan.end(), 997))


@given(pure_schedules, runs, st.floats(1e-3, 10))
def test_group_ratios_survive_every_schedule_without_absolute_levels(schedule, run, ratio):
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1),
        groups={"a": Group(kind="norm"), "b": Group(lr=0.1 * ratio)},
        schedules={"lr": schedule},
    )
    of(schedule, run)
    table = recipe.plan(run).table()["lr"]
    assert np.allclose(table[:, 1], table[:, 0] * ratio, rtol=1e-12, atol=0)


def test_an_absolute_floor_is_the_same_for_every_group():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1),
        groups={"a": Group(kind="norm"), "b": Group(lr=0.001)},
        schedules={"lr": etude.parse("cosine(1, abs(1e-6), over='10 steps')")},
    )
    assert recipe.plan(Run(steps=20)).at(15)["lr"] == {"a": 1e-6, "b": 1e-6}


@pytest.mark.parametrize(
    "text",
    [
        "cosine(1, 0.1)",
        "chain(linear(0, 1, over='10 steps'), cosine(1, 0.1))",
        "linear(0, 1, over='40 steps')",
        "decay(0.5, per='1 step')",
    ],
)
def test_past_the_end_the_last_value_is_held(text):
    plan = etude.read(text).plan(Run(steps=20))
    last = plan.at(20)["lr"]["all"]
    assert [plan.at(step)["lr"]["all"] for step in (21, 50, 10**9)] == [last] * 3


def test_by_batch():
    recipe = etude.read("linear(1, 0)")
    run = Run(epochs=2, samples=100, batch_size=10, accumulate=4)  # steps of 4, 4 and 2 batches
    plan = recipe.plan(run)
    assert plan.total == 6
    assert [plan.at(batch=batch)["lr"]["all"] for batch in (0, 3, 4, 7, 8, 9, 10)] == [
        plan.at(k)["lr"]["all"] for k in (0, 0, 1, 1, 2, 2, 3)
    ]
    assert plan.accumulate(range(6)) == [4, 4, 2, 4, 4, 2]


def test_change_points_are_named():
    changes = (
        etude.read("chain(linear(0, 1, over='3 epochs'), steps(0.1, at=['10 epochs']))")
        .plan(Run(epochs=20, steps_per_epoch=7))
        .changes()
    )
    assert [(change.step, change.what) for change in changes] == [
        (0, 'linear(0, 1, over="3 epochs") begins'),
        (21, 'linear(0, 1, over="3 epochs") ends'),
        (91, "times 0.1"),
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda plan: plan.at(-1), "a step must be a whole number, 0 or above, got -1"),
        (lambda plan: plan.at(), r"give a step or batch=\.\.\."),
        (lambda plan: plan.at(batch=-1), "a batch must be a whole number, 0 or above, got -1"),
        (lambda plan: plan.table(0, 11), "steps must lie in the run, 0 to 10, got 0 to 11"),
        (lambda plan: plan.table(5, 3), "got 5 to 3"),
        (lambda plan: plan.curve("lr", "al"), "the plan has no 'al'; did you mean 'all'"),
        (lambda plan: plan.curve("lr", "all")("x"), "a time must be a number or an array of NumPy, torch or JAX, got str"),
    ],
)
def test_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(etude.read("cosine(1, 0)").plan(Run(steps=10)))


def test_values_that_overflow_are_refused_with_their_step():
    plan = etude.read("decay(1e10, per='1 step')").plan(Run(steps=100))
    with pytest.raises(InputError, match="the values are not finite at step 31"):
        plan.at(31)
    with pytest.raises(InputError, match="the values are not finite at step 31"):
        plan.table()


def test_a_run_without_an_end_has_values_but_no_table():
    plan = etude.read("decay(0.5, per='10 steps')").plan(Run())
    assert plan.at(20)["lr"]["all"] == 0.25
    with pytest.raises(InputError, match="the run has no end: give --epochs or --steps"):
        plan.table()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('steps(0.1, at=["2 steps", "2 steps", "5 steps"])', [(2, "times 0.01"), (5, "times 0.1")]),
        ('steps(0.1, at=["2 steps"]) * steps(0.5, at=["2 steps", "3 steps"])', [(2, "times 0.05"), (3, "times 0.5")]),
        ('steps(0.1, at=["1.5 steps"]) * steps(0.1, at=["2 steps"])', [(2, "times 0.01")]),
        ('steps(0.1, at=["2 steps"]) + steps(0.1, at=["2 steps"])', [(2, "times 0.1")]),  # of each term, and so of the sum
        ('steps(0.1, at=["2 steps"]) + steps(0.5, at=["2 steps"])', [(2, "times 0.1"), (2, "times 0.5")]),
        ("steps(1/3, at=['2 steps'])".replace("1/3", repr(1 / 3)).replace("'", '"'), [(2, f"times {1 / 3!r}")]),
    ],
)
def test_drops_that_coincide_are_one_change(text, expected):
    changes = etude.read(text).plan(Run(steps=9)).changes()
    assert [(change.step, change.what, change.groups) for change in changes] == [
        (step, what, ("all",)) for step, what in expected
    ]


def test_integer_times_are_times():
    assert etude.read("linear(1, 0)").plan(Run(steps=4)).at(np.int64(1))["lr"]["all"] == 0.75
    curve = etude.read("linear(1, 0)").plan(Run(steps=100)).curve("lr", "all")
    expected = [1.0, 0.75, 0.5, 0.25]
    assert curve(np.arange(0, 100, 25)).tolist() == expected
    assert curve(torch.arange(0, 100, 25)).tolist() == expected
    assert [curve(step) for step in range(0, 100, 25)] == expected


def test_an_expression_without_time_is_a_constant():
    assert etude.read("formula('0.5')").plan(Run(steps=3)).table()["lr"].tolist() == [[0.5]] * 3


@pytest.mark.parametrize("text", ["1 / steps", "1 if steps > 50 else 0.5", "step > 5 or 1", "1 / epochs"])
def test_a_formula_whose_value_is_one_number_fills_a_table(text):
    plan = etude.read(etude.formula(text)).plan(Run(steps=60, steps_per_epoch=6))
    assert plan.table()["lr"][:, 0].tolist() == [plan.at(step)["lr"]["all"] for step in range(60)]


def test_in_stages_epochs_are_the_stages_own():
    run = Run(samples=40, batch_size=4, stages=(Stage(epochs=2), Stage(epochs=3, batch_size=8)))  # 10, then 5 steps an epoch
    halves = etude.read(etude.recursion("lr * 0.5", every="1 epoch")).plan(run)
    assert [halves.at(step)["lr"]["all"] for step in (9, 10, 19, 20, 24, 25, 30)] == [1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.0625]
    begun = etude.read('skip(linear(1, 0, over="2 epochs"), "1 epoch")').plan(run)
    assert [begun.at(step)["lr"]["all"] for step in (0, 5, 9, 10)] == [0.5, 0.25, pytest.approx(0.05), 0.0]


def test_whole_powers_are_computed_for_the_times_asked_for_alone():
    import time

    curve = etude.read('steps(0.99, every="1 step")').plan(Run(steps=2**40)).curve("lr", "all")
    began = time.perf_counter()
    assert curve(np.array([0.0, 3e10])).tolist() == [1.0, 0.0]
    assert time.perf_counter() - began < 1.0
    assert etude.read('recursion("lr * 0.5")').plan(Run(steps=9)).curve("lr", "all")(np.array([])).tolist() == []
