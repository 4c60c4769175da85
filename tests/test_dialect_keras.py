"""Keras's and TensorFlow's schedules read as recipes: against the installed Keras, and where single precision moves a drop."""

from __future__ import annotations

import math
import os

os.environ["KERAS_BACKEND"] = "torch"  # whatever backend: the schedules are Keras's own code

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run
from etude.arrays import Scalar
from etude.dialects.keras.laws import late

# Keras's own conversion of torch tensors, with today's NumPy
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

schedules = keras.optimizers.schedules
rates = st.sampled_from([0.1, 0.01, 0.05, 1.0, 3e-4])
lengths = st.one_of(st.integers(1, 120), st.sampled_from([41, 47, 55, 97, 12.5]))
configs = st.one_of(
    st.tuples(
        st.sampled_from(["ExponentialDecay", "InverseTimeDecay"]),
        st.fixed_dictionaries(
            {"initial_learning_rate": rates, "decay_steps": lengths, "decay_rate": st.sampled_from([0.5, 0.9, 0.96, 1.02])},
            optional={"staircase": st.booleans()},
        ),
    ),
    st.tuples(
        st.just("PolynomialDecay"),
        st.fixed_dictionaries(
            {"initial_learning_rate": rates, "decay_steps": lengths},
            optional={
                "end_learning_rate": st.sampled_from([1e-4, 1e-5]),
                "power": st.sampled_from([0.5, 1.0, 2.0]),
                "cycle": st.booleans(),
            },
        ),
    ),
    st.tuples(
        st.just("CosineDecay"),
        st.fixed_dictionaries(
            {"initial_learning_rate": rates, "decay_steps": lengths},
            optional={
                "alpha": st.sampled_from([0.0, 0.1]),
                "warmup_target": st.sampled_from([None, 2.0, 0.5]),
                "warmup_steps": st.integers(0, 40),
            },
        ),
    ),
    st.tuples(
        st.just("CosineDecayRestarts"),
        st.fixed_dictionaries(
            {"initial_learning_rate": rates, "first_decay_steps": st.integers(5, 60)},
            optional={
                "t_mul": st.just(1.0),
                "m_mul": st.sampled_from([1.0, 0.8]),
                "alpha": st.sampled_from([0.0, 0.05]),
            },
        ),
    ),
    st.lists(st.integers(0, 120), min_size=1, max_size=4, unique=True).flatmap(
        lambda boundaries: st.tuples(
            st.just("PiecewiseConstantDecay"),
            st.lists(rates, min_size=len(boundaries) + 1, max_size=len(boundaries) + 1).map(
                lambda values: {"boundaries": sorted(boundaries), "values": values}
            ),
        )
    ),
)


def theirs(name, config, steps=150):
    made = getattr(schedules, name)(**config)
    return [float(made(keras.ops.convert_to_tensor(step))) for step in range(steps)]


def ours(description, steps=150):
    plan = etude.read(description).plan(Run(steps=steps))
    return [plan.at(step)["lr"]["all"] for step in range(steps)]


@given(configs)
def test_as_keras_computes_it(found):
    """In single precision, rounding by rounding; another backend's cosine may differ in its last digit, and 1 + cos(pi) blows it up."""
    name, config = found
    recorded = theirs(name, config)
    mine = ours({"class_name": name, "config": config, "precision": "float32"})
    assert all(abs(a - b) <= 5e-6 * abs(b) + 2e-7 * max(recorded) for a, b in zip(mine, recorded, strict=True)), mine


@given(configs)
def test_in_pieces(found):
    """In double precision: within single precision's own rounding of the peak."""
    name, config = found
    recorded = theirs(name, config)
    mine = ours({"class_name": name, "config": config})
    assert all(abs(a - b) <= 5e-6 * abs(b) + 5e-7 * max(recorded) for a, b in zip(mine, recorded, strict=True)), mine


@pytest.mark.parametrize("grow", [2.0, 1.5, 3.0])
def test_restarts_but_for_the_step_that_a_logarithm_decides(grow):
    """Which of two cycles a restart's own step belongs to is decided by the last digit of a backend's logarithm."""
    config = {"initial_learning_rate": 0.1, "first_decay_steps": 12, "t_mul": grow, "m_mul": 0.8, "alpha": 0.05}
    recorded, mine = theirs("CosineDecayRestarts", config), ours({"class_name": "CosineDecayRestarts", "config": config})
    begins = {math.ceil(12 * (grow**count - 1) / (grow - 1)) for count in range(1, 9)}
    for step in set(range(150)) - begins:
        assert mine[step] == pytest.approx(recorded[step], rel=5e-6, abs=5e-8), step


def test_a_restart_that_tensorflow_moves_is_written_out():
    config = {"initial_learning_rate": 1.0, "first_decay_steps": 10, "t_mul": 2.0}
    recipe = etude.read({"class_name": "CosineDecayRestarts", "config": config})
    assert "may come a step later in single precision" in recipe.notes[0]
    text = repr(recipe.schedules["lr"])
    assert text.startswith('repeat(cosine(1, 0), "10 steps", grow=2) * values([1, 0, 1')
    computed = etude.read({"class_name": "CosineDecayRestarts", "config": config, "precision": "float32"})
    steps = range(0, 90_000, 10)
    plans = [one.plan(Run(steps=100_000)) for one in (recipe, computed)]
    assert [plans[0].at(step)["lr"]["all"] for step in steps] == pytest.approx(
        [plans[1].at(step)["lr"]["all"] for step in steps], abs=1e-6
    )


# -- what single precision moves ----------------------------------------------------------------------------------------


def test_a_reciprocal_is_late_just_where_its_multiples_are():
    """The rule against the arithmetic itself, for every whole length and the first multiples of each."""
    for every in range(1, 1500):
        reciprocal = Scalar.float32(1 / every)
        multiples = range(1, min(5000, 2**24 // every))
        slips = any(Scalar.float32(Scalar.float32(k * every) * reciprocal) < k for k in multiples)
        assert slips == late(every) or (late(every) and not slips and every > 1000), every


def test_a_drop_that_a_graph_moves_is_written_out():
    config = {"initial_learning_rate": 0.1, "decay_steps": 41, "decay_rate": 0.5, "staircase": True}
    eager = etude.read({"class_name": "ExponentialDecay", "config": config})
    graph = etude.read({"class_name": "ExponentialDecay", "config": config, "graph": True})
    assert repr(eager.schedules["lr"]) == 'steps(0.5, every="41 steps")'
    assert "some of the jumps every 41 steps come a step late" in eager.notes[0]
    assert repr(graph.schedules["lr"]) == 'formula("0.5 ** floor(step * (1 / 41))", bits=32)'
    at = [recipe.plan(Run(steps=100)).at(41)["lr"]["all"] for recipe in (eager, graph)]
    assert at == [0.05, 0.1]


def test_a_drop_that_stays_is_left_in_pieces():
    config = {"learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96, "staircase": True}
    recipe = etude.read({"schedule": "exponential_decay", **config})
    assert repr(recipe.schedules["lr"]) == 'steps(0.96, every="1000 steps")'
    assert recipe.notes == ()


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (
            {"schedule": "natural_exp_decay", "learning_rate": 1.0, "decay_steps": 5, "decay_rate": 1.0},
            'decay(0.36787944117144233, per="5 steps")',
        ),
        (
            {"schedule": "inverse_time_decay", "learning_rate": 1.0, "decay_steps": 5, "decay_rate": 0.5, "staircase": True},
            'stairs(inverse(0.5, per="5 steps"), "5 steps")',
        ),
        (
            {"schedule": "polynomial_decay", "learning_rate": 1.0, "decay_steps": 5, "end_learning_rate": 0.1, "power": 2.0},
            'poly(1, 0.1, 2, over="5 steps")',
        ),
        (
            {
                "class_name": "CosineDecay",
                "config": {"initial_learning_rate": 0.0, "decay_steps": 9, "warmup_target": 1.0, "warmup_steps": 3},
            },
            'chain(linear(0, 1, over="3 steps"), cosine(1, 0, over="9 steps"))',
        ),
        (
            {
                "class_name": "CosineDecayRestarts",
                "config": {"initial_learning_rate": 1.0, "first_decay_steps": 9, "t_mul": 1.5, "m_mul": 0.8},
            },
            'repeat(cosine(1, 0), "9 steps", grow=1.5, shrink=0.8)',
        ),
        (
            {"schedule": "piecewise_constant", "boundaries": [3, 5.5], "values": [1.0, 0.5, 0.1]},
            'values([1, 0.5, 0.1], at=["4 steps", "6 steps"])',
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pieces(description, text):
    assert repr(etude.read(description).schedules["lr"]) == text


# -- callbacks ------------------------------------------------------------------------------------------------------------


def fit(callback, metrics, rate=0.1):
    """Run a callback as fit does: the learning rate in force in each epoch."""
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse", metrics=["accuracy"])
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_begin(epoch)
        seen.append(float(model.optimizer.learning_rate.value))
        callback.on_epoch_end(epoch, {"val_loss": metric, "val_accuracy": metric})
    return seen


@given(
    st.fixed_dictionaries(
        {"patience": st.integers(0, 4), "factor": st.sampled_from([0.5, 0.1])},
        optional={
            "mode": st.sampled_from(["auto", "min", "max"]),
            "min_delta": st.sampled_from([0.0, 1e-4, 0.05]),
            "cooldown": st.integers(0, 4),
            "min_lr": st.sampled_from([0.0, 0.003]),
        },
    ),
    st.lists(st.sampled_from([1.0, 0.99, 0.9, 0.5, 0.2]), min_size=1, max_size=40),
)
def test_reduce_lr_on_plateau(config, metrics):
    recorded = fit(keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **config), metrics)
    description = {"callback": "ReduceLROnPlateau", "config": {"monitor": "val_loss", **config}, "learning_rate": 0.1}
    plan = etude.read(description).plan(Run(epochs=len(metrics), steps_per_epoch=3))
    fed = plan.fed(((epoch + 1) * 3, "val_loss", metric) for epoch, metric in enumerate(metrics))
    assert [fed.at(3 * epoch)["lr"]["all"] for epoch in range(len(metrics))] == pytest.approx(recorded, rel=5e-6)


@pytest.mark.parametrize(
    "text", ["lr if epoch < 4 else lr * math.exp(-0.1)", "lambda epoch, lr: lr - 0.001 * epoch", "0.1 * 0.5 ** (epoch // 3)"]
)
def test_learning_rate_scheduler(text):
    body = text.removeprefix("lambda epoch, lr: ")
    function = eval(f"lambda {'epoch, lr' if 'lr' in body else 'epoch'}: {body}", {"math": math})
    callback = keras.callbacks.LearningRateScheduler(function)
    run = Run(epochs=10, steps_per_epoch=2)
    for rate, description, steps in (
        (0.1, {"callback": "LearningRateScheduler", "config": {"schedule": text}, "learning_rate": 0.1}, None),
        (0.001, callback, 10),  # a live one does not know its optimizer: Keras's default rate
    ):
        plan = etude.read(description, steps=steps).plan(run)
        assert [plan.at(2 * epoch)["lr"]["all"] for epoch in range(10)] == pytest.approx(
            fit(callback, [0.0] * 10, rate), rel=5e-6, abs=1e-9
        )


def test_a_callback_that_keras_has_run_is_read_as_it_was_set():
    callback = keras.callbacks.ReduceLROnPlateau(patience=2, min_delta=0.01)
    before = etude.read(callback).schedules
    fit(callback, [1.0, 1.0])  # in mode min it negates its min_delta
    assert etude.read(callback).schedules == before
    flat = {"callback": "ReduceLROnPlateau", "patience": 2, "min_delta": 0.01, "learning_rate": 0.1}
    assert (etude.read(flat).schedules, etude.read(flat).optimizer.lr) == (before, 0.1)


def test_what_mode_auto_means_is_told_by_the_name_or_asked_for():
    def mode(monitor):
        return etude.read({"callback": "ReduceLROnPlateau", "config": {"monitor": monitor}}).schedules["lr"].mode

    assert [mode(name) for name in ("val_loss", "val_accuracy", "val_auc", "mean_squared_error")] == ["min", "max", "max", "min"]
    with pytest.raises(InputError, match="mode auto can't be told from the name 'val_precision'; give mode: min or max"):
        mode("val_precision")


# -- live objects and optimizers --------------------------------------------------------------------------------------------


def test_a_live_schedule_callback_or_optimizer_is_its_config():
    cosine = schedules.CosineDecay(0.1, 90, alpha=0.1)
    assert repr(etude.read(cosine).schedules["lr"]) == 'cosine(1, 0.1, over="90 steps")'
    assert (
        repr(etude.read(keras.callbacks.ReduceLROnPlateau(patience=3)).schedules["lr"])
        == "plateau(0.1, patience=2, rel=0, delta=0.0001)"
    )
    recipe = etude.read(keras.optimizers.SGD(cosine, momentum=0.9, nesterov=True, clipnorm=1.0))
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.momentum, recipe.optimizer.nesterov) == (
        "SGD",
        0.1,
        0.9,
        True,
    )
    assert recipe.notes == ("clipnorm 1.0: no part of the schedule, and not read",)
    adam = etude.read(keras.optimizers.AdamW(1e-3))
    assert (adam.optimizer.betas, adam.optimizer.weight_decay, adam.schedules) == ((0.9, 0.999), 0.004, {})
    again = etude.read(keras.saving.serialize_keras_object(cosine))
    assert again.schedules == etude.read(cosine).schedules


def test_settings_of_an_optimizer_are_read_noted_or_refused():
    recipe = etude.read(
        {"class_name": "Adam", "config": {"learning_rate": 0.1, "epsilon": 1e-6, "amsgrad": True, "clipnorm": 1.0}}
    )
    assert (recipe.optimizer.eps, recipe.optimizer.options) == (1e-6, {"amsgrad": True})
    assert recipe.notes == ("clipnorm 1.0: no part of the schedule, and not read",)
    with pytest.raises(InputError, match=r"SGD: has no setting 'momentun'; did you mean 'momentum'\?"):
        etude.read({"class_name": "SGD", "config": {"learning_rate": 0.1, "momentun": 0.9}})
    slow = {"class_name": "SGD", "config": {"learning_rate": 0.1, "gradient_accumulation_steps": 4}}
    assert "there this one goes 4 times as fast as is shown for updates" in etude.read(slow).notes[0]


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"schedule": "noisy_linear_cosine_decay"}, "noisy_linear_cosine_decay draws its noise at random"),
        ({"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1}}, "CosineDecay: 'decay_steps' is missing"),
        (
            {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_step": 5}},
            "CosineDecay: 'decay_steps' is missing; did you mean it by 'decay_step'?",
        ),
        (
            {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 5, "alfa": 1}},
            "CosineDecay: has no setting 'alfa'; did you mean 'alpha'?",
        ),
        (
            {"schedule": "exponential_decay", "learning_rate": 0.1, "decay_steps": 0, "decay_rate": 1},
            "decay_steps must be above 0, got 0",
        ),
        ({"callback": "ReduceLROnPlateau", "config": {"factor": 1.0}}, "factor must be below 1, got 1"),
        ({"callback": "LearningRateScheduler", "config": {"schedule": "__import__('os')"}}, r"__import__\(...\) can't be used"),
        ({"class_name": "CosineDecay", "config": [1]}, r"CosineDecay: config must be a mapping of keys to values, got \[1\]"),
        (
            {"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosinDecay"}}},
            "Keras has no schedule 'CosinDecay'; did you mean 'CosineDecay'",
        ),
        (
            {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 5}, "precision": "float16"},
            "precision must be 'float64' or 'float32', got 'float16'",
        ),
    ],
)
def test_refused(description, message):
    with pytest.raises(InputError, match=message):
        etude.read(description)
