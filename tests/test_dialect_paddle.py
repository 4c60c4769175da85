"""PaddleOCR's configs and Paddle's schedulers read as recipes. Whole curves are held against recorded ones in test_fidelity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run

RUN = {"epochs": 20, "steps_per_epoch": 100}


def config(lr, epochs=20, **more):
    """A config of PaddleOCR with a learning rate."""
    optimizer = {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": lr, "regularizer": {"name": "L2", "factor": 3e-5}}
    return {"Global": {"epoch_num": epochs}, "Optimizer": {**optimizer, **more}}


def ocr(lr, view="in force", steps_per_epoch=100, **more):
    return etude.read({**config(lr, **more), "view": view}).override(steps_per_epoch=steps_per_epoch)


def rates(recipe):
    return [row[0] for row in recipe.plan().table()["lr"].tolist()]


COSINE = {"name": "Cosine", "learning_rate": 0.001}


def test_a_warmup_shortens_nothing():
    recipe = ocr({**COSINE, "warmup_epoch": 2})
    assert recipe.schedules["lr"] == etude.parse('chain(linear(0, 1, over="2 epochs"), cosine(1, 0, over="100%"))')
    lr = rates(recipe)
    assert lr[:3] == pytest.approx([0, 5e-6, 1e-5])
    assert lr[200] == 0.001
    assert lr[-1] == pytest.approx(0.0005 * (1 + math.cos(math.pi * 1799 / 2000)))  # the run cuts it


@given(st.integers(1, 30), st.integers(1, 12), st.sampled_from([0, 0.5, 1, 2.5, 7]))
def test_a_fractional_warmup_is_rounded_half_to_even(n, epochs, warmup):
    lr = rates(ocr({**COSINE, "warmup_epoch": warmup}, epochs=epochs, steps_per_epoch=n))
    rising = round(warmup * n)
    for t, value in enumerate(lr):
        theirs = 0.001 * t / rising if t < rising else 0.0005 * (1 + math.cos(math.pi * (t - rising) / (n * epochs)))
        assert value == pytest.approx(theirs, rel=1e-10, abs=1e-18)


@pytest.mark.parametrize(
    "lr",
    [
        {"name": "Linear", "learning_rate": 0.01, "power": 0.9, "end_lr": 1e-4},
        {"name": "Step", "learning_rate": 0.01, "step_size": 6, "gamma": 0.1},
        {"name": "Piecewise", "decay_epochs": [8, 14], "values": [0.001, 0.0001, 0.00001]},
        {"name": "CyclicalCosine", "learning_rate": 0.01, "cycle": 5},
        {"name": "Const", "learning_rate": 0.01},
        {"name": "MultiStepDecay", "learning_rate": 0.01, "milestones": [5, 10], "gamma": 0.5},
        {"name": "DecayLearningRate", "learning_rate": 0.01, "factor": 0.9},
        {**COSINE, "warmup_epoch": 2},
    ],
)
def test_the_tutorials_view_is_the_next_iterations_rate(lr):
    force, view = rates(ocr(lr)), rates(ocr(lr, "tutorial"))
    assert view[:-1] == pytest.approx(force[1:], rel=1e-12, abs=1e-18)


def test_the_tutorials_view_of_a_cosine_moves_twice():
    """get_lr() multiplies last_lr, the next rate, by one more ratio of the recursion."""
    force, view = rates(ocr(COSINE)), rates(ocr(COSINE, "tutorial"))
    for t in (0, 1, 500, 1000, 1900):
        assert view[t] == pytest.approx(force[t + 1] ** 2 / force[t], rel=1e-10)
    assert (
        "these are the rates that scheduler.step(); scheduler.get_lr() prints, not the ones in force"
        in ocr(COSINE, "tutorial").notes
    )


def test_two_step_cosine_ends_at_200_epochs_and_jumps_behind_a_warmup():
    lr = {"name": "TwoStepCosine", "learning_rate": 0.01}
    alone = rates(ocr(lr, epochs=240, steps_per_epoch=10))
    assert alone[1999] > 0 == alone[2000] == alone[2399]
    warmed = rates(ocr({**lr, "warmup_epoch": 1}, epochs=240, steps_per_epoch=10))
    assert warmed[2010] == pytest.approx(0, abs=1e-18)
    assert warmed[2011] == pytest.approx(0.005 * (1 + math.cos(math.pi * 2001 / 2400)))


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 20])
@pytest.mark.parametrize("shape", ["cos", "linear"])
@pytest.mark.parametrize("three", [False, True])
def test_one_cycle_is_torchs_however_short_the_run(total, shape, three):
    lr = {"name": "OneCycle", "max_lr": 0.1, "anneal_strategy": shape, "three_phase": three}
    first, second, last = 0.3 * total - 1, 0.6 * total - 2, total - 1
    ends, levels = ([first, second, last], [1 / 25, 1, 1 / 25, 1 / 25e4]) if three else ([first, last], [1 / 25, 1, 1 / 25e4])

    def theirs(t):
        index = next(index for index, end in enumerate(ends) if t <= end or index == len(ends) - 1)
        begin, end, low, high = (0.0, *ends)[index], ends[index], *levels[index : index + 2]
        part = (t - begin) / (end - begin) if end != begin else 1.0
        return 0.1 * (high + (low - high) / 2 * (math.cos(math.pi * part) + 1) if shape == "cos" else (high - low) * part + low)

    if total > 1:
        assert rates(ocr(lr, epochs=1, steps_per_epoch=total)) == pytest.approx(
            [theirs(t) for t in range(total)], rel=1e-9, abs=1e-15
        )
        shown = rates(ocr(lr, "tutorial", epochs=1, steps_per_epoch=total))
        assert shown == pytest.approx([theirs(t + 1) for t in range(total)], rel=1e-9, abs=1e-15)


def test_a_warmup_that_rounds_to_no_iteration_is_none():
    two_step = {"name": "TwoStepCosine", "learning_rate": 0.01, "warmup_epoch": 0.25}
    assert rates(ocr(two_step, epochs=250, steps_per_epoch=2))[401:] == [0.0] * 99
    piecewise = {"name": "Piecewise", "decay_epochs": [2], "values": [0.0, 0.1]}
    assert rates(ocr({**piecewise, "warmup_epoch": 0.001}, epochs=4, steps_per_epoch=2)) == [0] * 4 + [0.1] * 4
    with pytest.raises(InputError, match=r"values\[0\] must be above 0, where the warmup rises to it, got 0"):
        ocr({**piecewise, "warmup_epoch": 1})


def test_an_epochs_iterations_are_asked_for():
    with pytest.raises(InputError, match="20 epochs need steps per epoch: give --steps-per-epoch, or --samples and --batch-size"):
        etude.read(config(COSINE)).plan()
    loader = {"Train": {"loader": {"batch_size_per_card": 16, "drop_last": True}}}
    assert etude.read({**config(COSINE), **loader}).override(samples=1601).plan().total == 2000
    assert etude.read({**config(COSINE), **loader}).override(samples=1600, devices=4).run.batch_size == 64
    assert etude.read(config(COSINE)).plan(Run(**RUN)).total == 2000
    with pytest.raises(InputError, match="a length of 100% needs the run's length: give --epochs or --steps"):
        etude.read({"Global": {}, "Optimizer": config(COSINE)["Optimizer"]}).plan()


@pytest.mark.parametrize(
    ("lr", "note"),
    [
        (
            {"name": "DecayLearningRate", "learning_rate": 0.1, "end_lr": 1e-4},
            "Optimizer.lr.end_lr 0.0001: DecayLearningRate never reads it",
        ),
        (
            {"name": "DecayLearningRate", "learning_rate": 0.1, "warmup_epoch": 2},
            "Optimizer.lr.warmup_epoch 2: DecayLearningRate never",
        ),
        (
            {"name": "CyclicalCosine", "learning_rate": 0.1, "cycle": 2, "eta_min": 1e-5},
            "Optimizer.lr.eta_min 1e-05: CyclicalCosine never",
        ),
        (
            {"name": "LinearWarmupCosine", "learning_rate": "1e-4", "warmup_epoch": 2},
            "Optimizer.lr.warmup_epoch 2: LinearWarmupCosine",
        ),
        ({**COSINE, "epochs": 100}, "Optimizer.lr.epochs 100: the run's own is put in its place"),
        ({**COSINE, "decay_epochs": [700]}, r"Optimizer.lr.decay_epochs \[700\]: Cosine never reads it"),
        ({"learning_rate": 0.1, "gamma": 0.5}, "Optimizer.lr.gamma 0.5: Const never reads it"),
    ],
)
def test_settings_that_paddleocr_ignores_are_told(lr, note):
    import re

    assert any(re.match(f"ignored: {note}", one) for one in ocr(lr).notes), ocr(lr).notes


def test_dead_keys_and_what_is_left_to_the_loop_are_told():
    notes = ocr(COSINE, weight_deacy=0.1, clip_norm=5.0).notes
    assert notes == (
        "gradients are clipped to the norm 5, each tensor by itself: that is left to your loop",
        "ignored: Optimizer.weight_deacy 0.1: Adam has no such setting",
    )
    assert "regularizer L1 with factor 0.1" in ocr(COSINE, regularizer={"name": "L1", "factor": 0.1}).notes[0]
    spared = ocr(COSINE, name="AdamW", regularizer=None, weight_decay=0.05, no_weight_decay_name="norm pos_embed")
    assert (spared.optimizer.weight_decay, len(spared.notes)) == (0.05, 1)


def test_optimizers_are_the_ones_that_paddleocr_builds():
    assert ocr(COSINE).optimizer == etude.Optimizer(name="Adam", lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=3e-5)
    assert ocr(COSINE, name="AdamW", regularizer=None).optimizer.weight_decay == 0.01  # what it takes where none is given
    assert ocr(COSINE, regularizer={"name": "L2", "factor": "1e-6"}).optimizer.weight_decay == 1e-6  # passed through float()
    assert ocr(COSINE, name="Momentum", momentum=0.9).optimizer.name == "SGD"
    assert ocr(COSINE, name="Adadelta", rho=0.9).optimizer.options == {"rho": 0.9}
    assert ocr(COSINE, name="RMSProp").optimizer.options == {"alpha": 0.95}


@pytest.mark.parametrize(
    ("lr", "problem"),
    [
        ({"name": "Cosinus", "learning_rate": 0.1}, "PaddleOCR has no learning rate 'Cosinus'; did you mean 'Cosine'?"),
        ({"name": "Cosine", "learning_rate": "1e-3"}, "learning_rate must be a number, got the text '1e-3'"),
        ({"name": "Cosine"}, "'learning_rate' is missing"),
        ({"name": "Step", "learning_rate": 0.1, "step_size": 3}, "'gamma' is missing"),
        (
            {"name": "Step", "learning_rate": 0.1, "step_size": 1.5, "gamma": 0.1},
            "step_size must be a whole number of at least 1, got 1.5",
        ),
        (
            {"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [5, 5], "gamma": 0.1},
            r"milestones must rise, got \[5.0, 5.0\]",
        ),
        (
            {"name": "Piecewise", "decay_epochs": [2, 4], "values": [0.1, 0.01]},
            "must be one more than the boundaries, got 2 values for 2",
        ),
        ({"name": "Piecewise", "decay_epochs": [], "values": [0.1]}, "the boundaries must not be empty"),
        ({"name": "CyclicalCosine", "learning_rate": 0.1, "cycle": 0}, "cycle must be above 0, got 0"),
        ({"name": "LinearWarmupCosine", "learning_rate": 1e-6}, "the warmup must rise, from 1e-05 to more than that, got 1e-06"),
        ({**COSINE, "last_epoch": 3}, "last_epoch can't be read"),
        ({"name": "OneCycle", "max_lr": 0.1, "anneal_strategy": "exp"}, "anneal_strategy must be 'cos' or 'linear', got 'exp'"),
    ],
)
def test_what_paddleocr_refuses_is_refused(lr, problem):
    with pytest.raises(InputError, match=problem):
        ocr(lr)


def test_a_run_has_whole_epochs():
    with pytest.raises(InputError, match=r"Global.epoch_num must be a whole number of epochs, got 1.5"):
        ocr({"name": "OneCycle", "max_lr": 0.1}, epochs=1.5)


@pytest.mark.parametrize(
    ("name", "lr"),
    [
        ("paddleocr-cosine", COSINE),
        ("paddleocr-cosine-warmup", {**COSINE, "warmup_epoch": 2}),
        ("paddleocr-piecewise", {"name": "Piecewise", "decay_epochs": [8, 14], "values": [0.001, 0.0001, 0.00001]}),
    ],
)
def test_the_ready_recipe_is_the_config(name, lr):
    ready, ours = etude.read(name), ocr(lr)
    assert ready.plan().total == ours.plan().total == 2000
    assert rates(ready) == pytest.approx(rates(ours), rel=1e-15)
    assert (ready.optimizer.name, ready.optimizer.betas) == (ours.optimizer.name, ours.optimizer.betas)
    assert ready.optimizer.weight_decay == ours.optimizer.weight_decay


# -- paddle.optimizer.lr --------------------------------------------------------------------------------------------


def test_names_that_torch_has_too_are_told_apart_by_their_rate():
    assert etude.read({"name": "LinearLR", "learning_rate": 0.5, "total_steps": 5}).optimizer.lr == 0.5
    assert etude.read({"name": "LinearLR", "total_iters": 5}).optimizer.lr != 0.5
    assert etude.read({"name": "StepDecay", "learning_rate": 0.5, "step_size": 5}).schedules["lr"] == etude.parse(
        'steps(0.1, every="5 steps")'
    )


def test_a_scheduler_behind_a_warmup_begins_anew():
    inner = {"name": "StepDecay", "learning_rate": 0.1, "step_size": 15, "gamma": 0.5}
    recipe = etude.read({"name": "LinearWarmup", "learning_rate": inner, "warmup_steps": 20, "start_lr": 0.01, "end_lr": 0.1})
    plan = recipe.plan(Run(steps=60))
    assert [plan.at(step)["lr"]["all"] for step in (0, 10, 20, 34, 35)] == pytest.approx([0.01, 0.055, 0.1, 0.1, 0.05])


@pytest.mark.parametrize(
    ("scheduler", "problem"),
    [
        ({"name": "ExponentialDecay", "learning_rate": 0.1, "gamma": 1.0}, "gamma must be above 0 and below 1, got 1"),
        ({"name": "NaturalExpDecay", "learning_rate": 0.1, "gamma": 0}, "gamma must be above 0, got 0"),
        ({"name": "NoamDecay", "d_model": 64, "warmup_steps": 0}, "warmup_steps at least 1, got 64 and 0"),
        (
            {"name": "PolynomialDecay", "learning_rate": 0.1, "decay_steps": 2.5},
            "decay_steps must be a whole number of at least 1",
        ),
        (
            {"name": "PolynomialDecay", "learning_rate": 0.1, "decay_step": 2},
            "'decay_steps' is missing; did you mean it by 'decay_step'?",
        ),
        (
            {"name": "OneCycleLR", "max_learning_rate": 0.1, "total_steps": 20, "three_phase": True, "phase_pct": 0.5},
            "phase_pct must be below 0.5 where three_phase is true, got 0.5",
        ),
        ({"name": ["StepDecay"], "learning_rate": 0.1}, r"has no scheduler \['StepDecay'\]"),
        ({"name": "StepDecay", "learning_rate": 0.1, "step_size": 5, "last_epoch": 3}, "last_epoch can't be read"),
        ({"name": "ReduceOnPlateau", "learning_rate": 0.1, "factor": 1.0}, "factor must be below 1, got 1"),
        (
            {
                "name": "LinearWarmup",
                "learning_rate": {"name": "ReduceOnPlateau", "learning_rate": 0.1},
                "warmup_steps": 5,
                "start_lr": 0,
                "end_lr": 1,
            },
            "is fed the number of the step in place of a metric",
        ),
        (
            {"name": "LinearWarmup", "learning_rate": 0.1, "warmup_steps": 5, "start_lr": 0.1, "end_lr": 0.1},
            "the warmup must rise, from 0.1",
        ),
        (
            {"name": "LinearWarmup", "learning_rate": {"name": "Step"}, "warmup_steps": 5},
            "paddle.optimizer.lr has no scheduler 'Step'",
        ),
    ],
)
def test_what_paddle_refuses_is_refused(scheduler, problem):
    with pytest.raises(InputError, match=problem):
        etude.read(scheduler, dialect="paddle")


def test_a_cycle_that_the_run_is_longer_than_is_refused_as_paddle_raises():
    cycle = {"name": "OneCycleLR", "max_learning_rate": 0.1, "total_steps": 20}
    with pytest.raises(InputError, match="total_steps is 20, and the run has 22"):
        etude.read(cycle).plan(Run(steps=22))
    warmup = {"name": "LinearWarmup", "learning_rate": cycle, "warmup_steps": 5, "start_lr": 0.0, "end_lr": 0.1}
    assert etude.read(warmup).plan(Run(steps=25)).total == 25
    with pytest.raises(InputError, match="total_steps is 20, and the run has 22"):
        etude.read(warmup).plan(Run(steps=27))


def test_a_boundary_that_does_not_rise_is_never_the_first():
    plan = etude.read({"name": "PiecewiseDecay", "boundaries": [6, 3, 9], "values": [0.1, 0.2, 0.3, 0.4]}).plan(Run(steps=12))
    assert [plan.at(step)["lr"]["all"] for step in (0, 4, 6, 8, 9)] == pytest.approx([0.1, 0.1, 0.3, 0.3, 0.4])
