"""The bubbliiiing trainers read as recipes: against get_lr_scheduler, and their fitted rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError
from tests import loops

SGD = {
    "optimizer_type": "sgd",
    "lr_decay_type": "cos",
    "Init_lr": 0.01,
    "Min_lr": 0.0001,
    "momentum": 0.937,
    "weight_decay": 0.0005,
    "Freeze_Train": True,
    "Freeze_Epoch": 50,
    "UnFreeze_Epoch": 100,
    "Freeze_batch_size": 16,
    "Unfreeze_batch_size": 8,
    "num_train": 160,
}
ADAM = {**SGD, "optimizer_type": "adam", "Init_lr": 1e-3, "Min_lr": 1e-5}


@given(
    st.sampled_from(["cos", "step"]),
    st.integers(10, 400),
    st.sampled_from([0.01, 2.5e-3, 3e-4, 1e-6]),
    st.sampled_from(["step", "epoch"]),
)
def test_the_curve_is_get_lr_scheduler(kind, total, lr, unit):
    recipe = etude.read({"lr_decay_type": kind, "lr": lr, "min_lr": lr * 0.01, "total_iters": total, "interval": unit})
    plan = recipe.plan() if unit == "step" else recipe.override(steps_per_epoch=3).plan()
    for t in range(total):
        at = t if unit == "step" else 3 * t + t % 3
        assert plan.at(at)["lr"]["all"] == pytest.approx(loops.bubbliiiing(kind, lr, lr * 0.01, total, t), rel=1e-10), t


@given(
    st.sampled_from(["cos", "step"]),
    st.sampled_from(["sgd", "adam"]),
    st.sampled_from([2, 8, 16, 20, 64, 128]),
    st.sampled_from([2, 4, 8, 16]),
    st.integers(1, 29),
    st.integers(130, 300),
)
def test_a_trainer_fits_its_rates_and_goes_on_counting(kind, optimizer, frozen_batch, batch, frozen, samples):
    settings = {**(SGD if optimizer == "sgd" else ADAM), "lr_decay_type": kind, "Freeze_Epoch": frozen, "UnFreeze_Epoch": 30}
    settings |= {"Freeze_batch_size": frozen_batch, "Unfreeze_batch_size": batch, "num_train": samples}
    plan = etude.read(settings).plan()
    low, high = (5e-4, 5e-2) if optimizer == "sgd" else (3e-4, 1e-3)
    step = 0
    for epoch in range(30):
        size = frozen_batch if epoch < frozen else batch
        lr = min(max(size / 64 * settings["Init_lr"], low), high)
        least = min(max(size / 64 * settings["Min_lr"], low * 1e-2), high * 1e-2)
        assert plan.at(step)["lr"]["weight"] == pytest.approx(loops.bubbliiiing(kind, lr, least, 30, epoch), rel=1e-10), epoch
        step += samples // size
    assert plan.total == step


def test_the_clamped_rate_of_the_tutorial():
    """1e-3 at batch 16: 2.5e-4, which is below Adam's least, 3e-4."""
    recipe = etude.read(ADAM)
    assert recipe.optimizer.lr == 3e-4
    assert recipe.optimizer.betas == (0.937, 0.999)
    assert recipe.notes[0].startswith(
        "batch 16: lr 0.001 becomes 0.0003 and 1e-05 becomes 3e-06, times 16/64 within 0.0003 to 0.001"
    )
    # both batches are clamped alike, so there is one curve
    assert (
        repr(recipe.schedules["lr"])
        == 'per_epoch(chain(power(0.1, 1, 2, over="3 epochs"), cosine(1, 0.01, over="92 epochs"), constant(0.01)))'
    )


def test_the_curve_of_the_tutorial():
    """5 epochs of tail, 3 of warmup, 5e-5 to 3e-4 to 3e-6."""
    settings = {"lr_decay_type": "cos", "lr": 3e-4, "min_lr": 3e-6, "total_iters": 100, "warmup_lr_start": 5e-5}
    plan = etude.read(settings).plan()
    values = [plan.at(epoch)["lr"]["all"] for epoch in (0, 1, 2, 3, 49, 94, 95, 99)]
    theirs = [loops.yolox_warm_cosine(3e-4, 3e-6, 100, 3, 5e-5, 5, epoch) for epoch in (0, 1, 2, 3, 49, 94, 95, 99)]
    assert values == pytest.approx(theirs, rel=1e-12)
    assert (values[0], values[3], values[-1]) == pytest.approx((5e-5, 3e-4, 3e-6), rel=1e-12)


@pytest.mark.parametrize("kind", ["cos", "step"])
def test_the_ready_recipe_is_the_trainer(kind):
    ready = etude.read(f"yolox-bubbliiiing-{kind}")
    ours = etude.read({**SGD, "lr_decay_type": kind}).plan()
    assert ready.plan().total == ours.total == 1500
    for step in range(0, 1500, 7):
        assert ready.plan().at(step) == ours.at(step)


def test_a_starting_rate_is_never_assumed():
    for kind, advice in (("sgd", "1e-2"), ("adam", r"1e-3 \(or 6e-4\)")):
        settings = {key: value for key, value in SGD.items() if key != "Init_lr"} | {"optimizer_type": kind}
        with pytest.raises(
            InputError, match=rf"Init_lr is missing, and not assumed; their advice for {kind} is {advice}: give --set"
        ):
            etude.read(settings).plan()


def test_adamws_own_weight_decay_is_told():
    recipe = etude.read({**ADAM, "optimizer_type": "adamw"})
    assert recipe.plan().at(0)["weight_decay"] == {"norm": 0.01, "weight": 0.0005, "bias": 0.01}
    assert any("AdamW's own default" in note for note in recipe.notes)


def test_a_run_that_stays_frozen_has_the_frozen_batch():
    recipe = etude.read({**SGD, "Freeze_Epoch": 100})
    assert (recipe.run.batch_size, recipe.run.stages, recipe.optimizer.lr, recipe.plan().total) == (16, (), 0.0025, 1000)
    assert "the backbone rests for the first 100 epochs" in recipe.notes[-1]


def test_where_a_trainer_begins_and_what_it_has_no_room_for_is_told():
    assert (
        "Init_Epoch 50: the trainer goes on with the values of this plan from that epoch on"
        in etude.read({**SGD, "Init_Epoch": 50}).notes
    )
    assert etude.read(SGD).override(devices=2).plan().total == etude.read(SGD).plan().total
    for facts, problem in (({"accumulate": 2}, "leave --accumulate out"), ({"epochs": 12.5}, "trains whole epochs, got 12.5")):
        with pytest.raises(InputError, match=problem):
            etude.read(SGD).override(**facts)


def test_without_freezing_there_is_one_stage():
    recipe = etude.read({**SGD, "Freeze_Train": False})
    assert (recipe.run.stages, recipe.run.epochs, recipe.plan().total) == ((), 100, 2000)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"optimizer_type": "lion"}, "optimizer_type must be sgd, adam or adamw, got 'lion'"),
        ({"lr_decay_type": "poly"}, "lr_decay_type must be 'cos' or 'step', got 'poly'"),
        (
            {"lr_decay_type": "step", "UnFreeze_Epoch": 9, "Freeze_Epoch": 3},
            "step_size must be at least 1, got 9 epochs in 10 steps = 0.9",
        ),
        ({"num_train": None}, "an epoch's steps and the fitted learning rate follow from the run: give --samples"),
        ({"Freeze_Train": 1}, "Freeze_Train must be true or false, got 1"),
        ({"Init_lr": -1}, "Init_lr must be above 0, got -1"),
        ({"nbs": 0}, "nbs must be a whole number of at least 1, got 0"),
        ({"lr_decay_type": "step", "UnFreeze_Epoch": 10**30}, "UnFreeze_Epoch must be at most 9007199254740992"),
        ({"lr_decay_type": "step", "UnFreeze_Epoch": 10**15}, "at most 1000 steps in 10000000 epochs can be read"),
        ({"Init_lr": "1e-2"}, r"Init_lr must be a number, got the text '1e-2'"),
    ],
)
def test_settings_that_the_trainers_do_not_have_are_refused(more, problem):
    with pytest.raises(InputError, match=problem):
        etude.read({**SGD, **more}).plan()
