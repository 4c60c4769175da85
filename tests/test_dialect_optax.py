"""optax's schedules and optimizers read as recipes: against the installed optax, and where a jitted update moves a drop."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etude
from etude import InputError, Run
from etude.dialects import keras, optax, torch, ultralytics, yolov5
from etude.dialects.keras.laws import late

STEPS = 160


@pytest.fixture(scope="module")
def real():
    """The real optax, and jax."""
    library = pytest.importorskip("optax", reason="the twin is not installed")
    import jax
    from optax import contrib

    return SimpleNamespace(optax=library, contrib=contrib, jax=jax, jnp=jax.numpy)


def made(library, description):
    """Return the real schedule of a description."""
    settings = {key: value for key, value in description.items() if key not in ("name", "run", "jit")}
    if "schedules" in settings:
        settings["schedules"] = [made(library, one) for one in settings["schedules"]]
    if settings.get("boundaries_and_scales"):
        settings["boundaries_and_scales"] = {int(key): value for key, value in settings["boundaries_and_scales"].items()}
    return getattr(library, description["name"])(**settings)


def theirs(real, description, steps=STEPS, *, double=True, jit=False):
    with real.jax.enable_x64(double):
        schedule = made(real.optax, description)
        function = real.jax.vmap(lambda count: real.jnp.asarray(schedule(count)) + 0.0 * count)
        counts = real.jnp.arange(steps, dtype=real.jnp.int64 if double else real.jnp.int32)
        return np.asarray((real.jax.jit(function) if jit else function)(counts), dtype=float)


def ours(description, steps=STEPS):
    """Return our values and the base, which is the peak."""
    recipe = optax.read(description, {"steps": steps})
    return recipe.plan().table(0, steps)["lr"][:, 0], recipe.optimizer.lr


def text(description):
    return repr(optax.read(description, {}).schedules["lr"])


# -- the twins ----------------------------------------------------------------------------------------------------------

rates = st.sampled_from([0.0, 1e-6, 3e-4, 0.01, 0.1, 0.3, 1.0])
begins = st.sampled_from([-3, 0, 0, 7, 40])
# whose reciprocals are short in double precision, too; optax counts in int32 and so divides in single precision, but twins don't
SHORT = (49, 98, 103, 107)
lengths = st.one_of(
    st.integers(1, 130).filter(lambda length: length not in SHORT), st.sampled_from([41, 47, 55, 97, 12.5, 0, -5])
)
scales = st.sampled_from([0.0, 0.1, 0.5, 0.5, 1.0, 2.0, 25.0])
points = st.one_of(st.none(), st.dictionaries(st.integers(-5, 150).map(str), scales, max_size=5))


def factory(name, optional=None, **settings):
    return st.fixed_dictionaries({"name": st.just(name), **settings}, optional=optional)


law = {"transition_steps": lengths, "decay_rate": st.sampled_from([0.0, 0.5, 0.9, 0.96, 1.0, 1.02, 2.0])}
law_options = {"transition_begin": begins, "staircase": st.booleans(), "end_value": st.one_of(st.none(), rates)}
cosine_options = {"end_value": rates, "exponent": st.sampled_from([0.0, 1.0, 1.5, 2.0])}
warmups = st.tuples(st.sampled_from([-4, 0, 0, 1, 20, 12.5]), st.integers(1, 90)).map(
    lambda found: {"warmup_steps": found[0], "decay_steps": found[0] + found[1]}
)


def merged(base, more):
    return st.tuples(base, more).map(lambda found: {**found[0], **found[1]})


cycle = merged(
    st.fixed_dictionaries({"init_value": rates, "peak_value": rates}, optional=cosine_options),
    warmups.filter(lambda found: found["decay_steps"] > 0),
)
single = st.one_of(
    factory("constant_schedule", value=rates),
    factory("linear_schedule", {"transition_begin": begins}, init_value=rates, end_value=rates, transition_steps=lengths),
    factory(
        "polynomial_schedule",
        {"transition_begin": begins},
        init_value=rates,
        end_value=rates,
        transition_steps=lengths,
        power=st.sampled_from([1, 1.5, 2, 3]),
    ),
    factory("exponential_decay", law_options, init_value=rates, **law),
    factory(
        "cosine_decay_schedule",
        {"alpha": st.sampled_from([0.0, 0.1, 1.5]), "exponent": st.sampled_from([0, 1, 1.5, 2])},
        init_value=rates,
        decay_steps=st.one_of(st.integers(1, 130), st.just(12.5)),
    ),
    factory("piecewise_constant_schedule", init_value=rates, boundaries_and_scales=points),
    factory(
        "piecewise_interpolate_schedule",
        interpolate_type=st.sampled_from(["linear", "cosine"]),
        init_value=rates,
        boundaries_and_scales=points,
    ),
    factory(
        "linear_onecycle_schedule",
        {
            "pct_start": st.sampled_from([0.0, 0.29, 0.3]),
            "pct_final": st.sampled_from([0.58, 0.85, 1.0]),
            "div_factor": st.just(4.0),
        },
        transition_steps=st.integers(1, 130),
        peak_value=rates,
    ),
    factory(
        "cosine_onecycle_schedule",
        {"pct_start": st.sampled_from([0.0, 0.29, 1.0]), "div_factor": st.just(4.0), "final_div_factor": st.just(100.0)},
        transition_steps=st.integers(1, 130),
        peak_value=rates,
    ),
    factory("warmup_constant_schedule", init_value=rates, peak_value=rates, warmup_steps=st.sampled_from([-1, 0, 1, 30])),
    merged(factory("warmup_cosine_decay_schedule"), merged(cycle, warmups)),
    factory(
        "warmup_exponential_decay_schedule",
        law_options,
        init_value=rates,
        peak_value=rates,
        warmup_steps=st.sampled_from([-2, 0, 1, 30]),
        **law,
    ),
    factory("sgdr_schedule", cosine_kwargs=st.lists(cycle, min_size=1, max_size=3)),
    factory("sgdr_schedule", cosine_kwargs=st.tuples(cycle, st.integers(2, 3)).map(lambda found: [found[0]] * found[1])),
)
several = st.recursive(
    single,
    lambda inner: factory(
        "join_schedules",
        schedules=st.lists(inner, min_size=1, max_size=4),
        boundaries=st.lists(st.integers(-10, 150), max_size=4),
    ),
    max_leaves=6,
)


twin = settings(max_examples=settings.default.max_examples // 4)  # jax takes its time


@twin
@given(several)
def test_as_optax_computes_it_in_double_precision(real, description):
    recorded, (mine, peak) = theirs(real, description), ours(description)
    assert (np.abs(mine - recorded) <= 1e-10 * recorded + 1e-15 * peak).all()


@twin
@given(several)
def test_as_optax_computes_it(real, description):
    """In single precision, whose rounding of the peak a cosine's end is made of; XLA divides an array as in a jitted update."""
    recorded, (mine, peak) = theirs(real, description, double=False), ours({**description, "jit": True})
    assert (np.abs(mine - recorded) <= 5e-6 * recorded + 5e-7 * peak).all()


EAGER = {"init_value": 0.1, "end_value": 0.01, "power": 0.5, "transition_steps": 41}


@pytest.mark.parametrize(
    "description",
    [
        {"name": "polynomial_schedule", **EAGER},
        {"name": "polynomial_schedule", **EAGER, "power": 0},
        {"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 49, "exponent": 0.5},
        {"name": "exponential_decay", "init_value": 0.1, "transition_steps": 49, "decay_rate": 0.5, "staircase": True},
        {"name": "optax.linear_schedule", "init_value": 0.1, "end_value": 0.0, "transition_steps": 49},
    ],
    ids=lambda description: description["name"],
)
def test_one_count_at_a_time_optax_divides(real, description):
    """An update that is not jitted: 41 / 41 is 1, and so is 49 / 49 in double precision."""
    mine, _ = ours(description)
    for double, relative, least in ((True, 1e-10, 1e-16), (False, 5e-6, 5e-8)):
        with real.jax.enable_x64(double):
            schedule = made(real.optax, {**description, "name": description["name"].removeprefix("optax.")})
            for step in (0, 1, 40, 41, 48, 49, 50, 97, 98, 150):
                count = real.jnp.asarray(step, dtype=real.jnp.int64 if double else real.jnp.int32)
                assert float(schedule(count)) == pytest.approx(mine[step], rel=relative, abs=least), step


@pytest.mark.parametrize(
    "description",
    [
        {"name": "warmup_exponential_decay_schedule", "init_value": 0.0, "peak_value": 0.1, "warmup_steps": 7, "decay_rate": 0.5,
         "transition_steps": 41, "transition_begin": 5, "staircase": True, "end_value": 0.02},
        {"name": "sgdr_schedule", "cosine_kwargs": [
            {"init_value": 0.0, "peak_value": peak, "warmup_steps": 10, "decay_steps": 60} for peak in (0.1, 0.05)]},
        {"name": "linear_onecycle_schedule", "transition_steps": 110, "peak_value": 0.1},
    ],
    ids=lambda description: description["name"],
)  # fmt: skip
def test_a_jitted_update_as_a_whole(real, description):
    recorded, (mine, peak) = theirs(real, description, double=False, jit=True), ours({**description, "jit": True})
    assert (np.abs(mine - recorded) <= 5e-6 * recorded + 5e-7 * peak).all()


def test_what_is_over_before_it_begins_is_at_its_end(real):
    """A negative warmup is a clock that is ahead."""
    over = {"name": "warmup_cosine_decay_schedule", "init_value": 0.0, "peak_value": 0.1, "end_value": 0.02, "warmup_steps": -4}
    description = {
        "name": "join_schedules",
        "schedules": [{"name": "constant_schedule", "value": 0.1}, {**over, "decay_steps": -3}],
        "boundaries": [5],
    }
    assert text(description) == 'chain(constant(1, over="5 steps"), constant(0.2))'
    assert ours(description, 20)[0] == pytest.approx(theirs(real, description, 20), rel=1e-12)
    assert text({**over, "decay_steps": 90}) == 'skip(cosine(1, 0.2, over="94 steps"), "4 steps")'


def test_growth_stops_at_its_bound_and_not_at_the_largest_number(real):
    """A learning-rate range test; ours would refuse a value that is no number."""
    description = {"name": "exponential_decay", "init_value": 1e-6, "transition_steps": 10, "decay_rate": 10.0, "end_value": 1.0}
    assert text(description) == 'clip(hold(1e-06 * decay(10, per="10 steps"), at="70 steps"), hi=1)'
    values = optax.read(description, {"steps": 9000}).plan().table(0, 9000)["lr"][:, 0]
    assert values == pytest.approx(theirs(real, description, 9000), rel=1e-10)


# -- what single precision moves ----------------------------------------------------------------------------------------


def test_a_division_moves_no_drop_and_a_reciprocal_just_those_that_are_told():
    """Every whole length to 2000, at all its multiples to 100 000 and the steps before them, in single precision."""
    moved = []
    for every in range(1, 2001):
        multiples = np.arange(every, 100_001, every)
        for counts in (multiples, multiples - 1):
            divided = np.floor(counts.astype(np.float32) / np.float32(every))
            assert (divided == counts // every).all(), every
        multiplied = np.floor(multiples.astype(np.float32) * (np.float32(1) / np.float32(every)))
        if (multiplied != multiples // every).any():
            moved.append(every)
    assert moved == [every for every in range(1, 2001) if late(every)]
    assert (len(moved), moved[:6]) == (271, [41, 47, 55, 61, 82, 83])


@pytest.mark.parametrize("every", [40, 41, 49, 61, 1995])
def test_a_jitted_update_moves_a_drop_and_one_that_is_not_does_not(real, every):
    settings = {"init_value": 0.1, "transition_steps": every, "decay_rate": 0.5, "staircase": True}
    schedule = real.optax.exponential_decay(**settings)
    jitted = real.jax.jit(schedule)
    plans = [
        optax.read({"name": "exponential_decay", **settings, "jit": jit}, {"steps": 12 * every}).plan() for jit in (False, True)
    ]
    for step in [count * every - less for count in range(1, 12) for less in (0, 1)]:
        count = real.jnp.int32(step)
        assert plans[0].at(step)["lr"]["all"] == pytest.approx(float(schedule(count)), rel=5e-6), step
        assert plans[1].at(step)["lr"]["all"] == pytest.approx(float(jitted(count)), rel=5e-6), step


def test_a_drop_that_a_jitted_update_moves_is_told_or_written_out():
    settings = {"init_value": 0.1, "transition_steps": 41, "decay_rate": 0.5, "staircase": True}
    eager = optax.read({"name": "exponential_decay", **settings}, {"steps": 100})
    jitted = optax.read({"name": "exponential_decay", **settings, "jit": True}, {"steps": 100})
    assert repr(eager.schedules["lr"]) == 'steps(0.5, every="41 steps")'
    assert "some of the jumps every 41 steps come a step late" in eager.notes[0]
    assert "jit: true" in eager.notes[0]
    assert repr(jitted.schedules["lr"]) == 'formula("0.5 ** floor(step * (1 / 41))", bits=32)'
    assert jitted.notes == ()
    assert [recipe.plan().at(41)["lr"]["all"] for recipe in (eager, jitted)] == [0.05, 0.1]
    assert optax.read({"name": "exponential_decay", **settings, "transition_steps": 100}, {}).notes == ()


def test_the_counter_of_an_update_is_single_precision_even_with_x64(real):
    """int32 over a whole number is float32: so x64 leaves the drops where they are."""
    with real.jax.enable_x64(True):
        state = real.optax.scale_by_schedule(lambda count: count).init({"w": real.jnp.zeros(2)})
        assert state.count.dtype == real.jnp.int32
        assert (state.count / 41).dtype == real.jnp.float32


@pytest.mark.parametrize(
    ("length", "power", "told"),
    [
        (10, 0.5, "be nan from step 10 of it on"),
        (10, 2.5, "be nan from step 10 of it on"),
        (41, 0.5, "stay 0.00019 of the way short of end_value from step 41 of it on"),
        (41, 2.5, None),
        (10, 2, None),
        (64, 0.5, None),
    ],
)
def test_a_power_whose_end_a_jitted_update_misses_is_told(real, length, power, told):
    settings = {"init_value": 1.0, "end_value": 0.0, "power": power, "transition_steps": length}
    value = float(real.jax.jit(real.optax.polynomial_schedule(**settings))(real.jnp.int32(length + 3)))
    notes = optax.read({"name": "polynomial_schedule", **settings}, {}).notes
    assert [told in note for note in notes] == ([True] if told else []), notes
    assert math.isnan(value) if told and "nan" in told else value == pytest.approx(0.000193 if told else 0.0, abs=1e-6)


# -- how it reads -------------------------------------------------------------------------------------------------------

WARM = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 100}


@pytest.mark.parametrize(
    ("description", "base", "expected"),
    [
        ({"name": "constant_schedule", "value": 0.1}, 0.1, "constant(1)"),
        (
            {"name": "linear_schedule", "init_value": 0.1, "end_value": 0.01, "transition_steps": 50, "transition_begin": 10},
            0.1,
            'chain(constant(1, over="10 steps"), linear(1, 0.1, over="50 steps"))',
        ),
        (
            {"name": "polynomial_schedule", **EAGER, "transition_steps": 64},
            0.1,
            'poly(1, 0.1, 0.5, over="64 steps")',
        ),
        (
            {"name": "exponential_decay", "init_value": 0.1, "transition_steps": 50, "decay_rate": 0.96, "end_value": 0.001},
            0.1,
            'clip(decay(0.96, per="50 steps"), lo=0.01)',
        ),
        (
            {"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 90, "alpha": 0.1},
            0.1,
            'cosine(1, 0.1, over="90 steps")',
        ),
        (
            {"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 90, "exponent": 2.0},
            0.1,
            'between(0, 1, formula("sin(pi * (90 - min(step, 90)) / 180) ** 4"))',
        ),
        (
            {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {"60": 0.1, 30: 0.1}},
            0.1,
            'steps(0.1, at=["30 steps", "60 steps"])',
        ),
        (
            {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {"0": 0.5, "30": 2, "60.5": 0.1}},
            0.1,
            'values([0.5, 1, 0.1], at=["30 steps", "60.5 steps"])',
        ),
        ({"name": "piecewise_constant_schedule", "init_value": 0.1}, 0.1, "constant(1)"),
        (
            {
                "name": "piecewise_interpolate_schedule",
                "interpolate_type": "linear",
                "init_value": 1.0,
                "boundaries_and_scales": {4: 0.1, 8: 0.01},
            },
            1.0,
            'chain(linear(1, 0.1, over="4 steps"), linear(0.1, 0.001, over="4 steps"))',
        ),
        (
            {"name": "linear_onecycle_schedule", "transition_steps": 100, "peak_value": 0.1, "pct_start": 0.29},
            0.1,
            'chain(linear(0.04, 1, over="28 steps"), linear(1, 0.04, over="57 steps"), linear(0.04, 4e-06, over="15 steps"))',
        ),
        (
            {"name": "cosine_onecycle_schedule", "transition_steps": 100, "peak_value": 0.1},
            0.1,
            'chain(cosine(0.04, 1, over="30 steps"), cosine(1, 4e-06, over="70 steps"))',
        ),
        ({"name": "warmup_constant_schedule", **WARM}, 0.1, 'linear(0, 1, over="100 steps")'),
        (
            {"name": "warmup_cosine_decay_schedule", **WARM, "decay_steps": 1000, "end_value": 0.01},
            0.1,
            'chain(linear(0, 1, over="100 steps"), cosine(1, 0.1, over="900 steps"))',
        ),
        (
            {"name": "warmup_exponential_decay_schedule", **WARM, "transition_steps": 50, "decay_rate": 0.9, "staircase": True},
            0.1,
            'chain(linear(0, 1, over="100 steps"), steps(0.9, every="50 steps"))',
        ),
        (
            {"name": "sgdr_schedule", "cosine_kwargs": [{**WARM, "decay_steps": 400}] * 3},
            0.1,
            'repeat(chain(linear(0, 1, over="100 steps"), cosine(1, 0, over="300 steps")), "400 steps", times=3)',
        ),
        (
            {
                "name": "optax.join_schedules",
                "schedules": [
                    {"name": "optax.warmup_constant_schedule", **WARM},
                    {"name": "optax.constant_schedule", "value": 0.2},
                    {"name": "optax.schedules.cosine_decay_schedule", "init_value": 0.2, "decay_steps": 90},
                ],
                "boundaries": [100, 500],
            },
            0.2,
            'chain(linear(0, 0.5, over="100 steps"), constant(1, over="400 steps"), cosine(1, 0, over="90 steps"))',
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_pieces(description, base, expected):
    recipe = optax.read(description, {})
    assert repr(recipe.schedules["lr"]) == expected
    assert recipe.optimizer.lr == base
    assert recipe.notes == ()
    assert etude.parse(expected) == recipe.schedules["lr"]


@pytest.mark.parametrize(
    ("description", "note"),
    [
        (
            {"name": "linear_schedule", "init_value": 0.1, "end_value": 0.0, "transition_steps": 0},
            "linear_schedule: transition_steps 0 is not above 0, so the value is init_value throughout and never end_value",
        ),
        (
            {"name": "warmup_constant_schedule", **WARM, "warmup_steps": 0},
            "warmup_constant_schedule: warmup_steps 0 is not above 0, so the value is init_value throughout and never peak_value",
        ),
        (
            {"name": "linear_schedule", "init_value": 0.1, "end_value": 0.0, "transition_steps": 9, "transition_begin": -2},
            "ignored: transition_begin -2, as below 0 it is 0",
        ),
        (
            {"name": "exponential_decay", "init_value": 0.1, "transition_steps": 9, "decay_rate": 0.0, "end_value": 0.01},
            "exponential_decay: decay_rate is 0, so the value is init_value throughout, and end_value has no effect",
        ),
        (
            {"name": "exponential_decay", "init_value": 0.1, "transition_steps": 9, "decay_rate": 0.5, "end_value": 0.2},
            "exponential_decay: end_value is above init_value, and it is the lower bound: the value is end_value throughout",
        ),
        (
            {"name": "warmup_cosine_decay_schedule", **WARM, "warmup_steps": 0, "decay_steps": 9},
            "ignored: init_value 0, as warmup_steps 0 leaves no warmup",
        ),
        (
            {"name": "warmup_cosine_decay_schedule", **WARM, "peak_value": 0.0, "decay_steps": 900, "end_value": 0.1},
            "ignored: end_value 0.1, as it is a part of peak_value, which is 0",
        ),
        (
            {"name": "linear_onecycle_schedule", "transition_steps": 3, "peak_value": 0.1, "pct_final": 0.5},
            "linear_onecycle_schedule: two of its phases end at step 1, of which optax keeps the scale of the later alone",
        ),
        (
            {"name": "join_schedules", "schedules": [{"name": "constant_schedule", "value": 1}] * 3, "boundaries": [5]},
            "ignored: 1 of 3 schedules, as no boundary leads to them",
        ),
        (
            {"name": "join_schedules", "schedules": [{"name": "constant_schedule", "value": 1}], "boundaries": [5]},
            "ignored: boundaries [5.0], as no schedule is left for them",
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_what_optax_leaves_out_is_told(description, note):
    pct = {"pct_start": 0.4} if "pct_final" in description else {}
    assert note in optax.read({**description, **pct}, {}).notes


def test_the_facts_of_the_run_are_the_descriptions_with_those_given_over_them():
    description = {"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 90, "run": {"steps": 100}}
    assert optax.read(description, {}).run == Run(steps=100)
    assert optax.read(description, {"steps": 50}).run == Run(steps=50)
    with pytest.raises(InputError, match=r"run has no fact 'step'; did you mean 'steps'\?"):
        optax.read({**description, "run": {"step": 5}}, {})


# -- optimizers ---------------------------------------------------------------------------------------------------------

COSINE = {"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 90}


def test_an_optimizer_around_a_schedule():
    description = {"name": "optax.adamw", "learning_rate": COSINE, "b2": 0.95, "weight_decay": 0.1, "run": {"steps": 90}}
    recipe = optax.read(description, {})
    assert recipe.optimizer == etude.Optimizer(name="AdamW", lr=0.1, betas=(0.9, 0.95), weight_decay=0.1, eps=1e-8)
    assert repr(recipe.schedules["lr"]) == 'cosine(1, 0, over="90 steps")'
    assert (recipe.name, recipe.run.steps, recipe.notes) == ("adamw", 90, ())


def test_other_settings_may_be_schedules_as_well():
    rising = {"name": "linear_schedule", "init_value": 0.5, "end_value": 0.9, "transition_steps": 10}
    sgd = optax.read({"name": "sgd", "learning_rate": 0.1, "momentum": rising, "nesterov": True}, {"steps": 20})
    assert (sgd.optimizer.momentum, sgd.optimizer.nesterov) == (0.9, True)
    assert [sgd.plan().at(step)["momentum"]["all"] for step in (0, 5, 10)] == pytest.approx([0.5, 0.7, 0.9])
    adamw = optax.read({"name": "adamw", "learning_rate": 0.1, "b1": rising, "weight_decay": COSINE}, {"steps": 20})
    assert set(adamw.schedules) == {"momentum", "weight_decay"}
    assert (adamw.optimizer.betas, adamw.optimizer.weight_decay) == ((0.9, 0.999), 0.1)


@pytest.mark.parametrize(
    ("description", "name", "note"),
    [
        ({"name": "sgd"}, "SGD", None),
        ({"name": "sgd", "nesterov": True, "momentum": None}, "SGD", "ignored: nesterov true, as there is no momentum"),
        ({"name": "adam"}, "Adam", None),
        ({"name": "adam", "nesterov": True}, "NAdam", "torch's NAdam warms its beta1 up"),
        ({"name": "nadam"}, "NAdam", "torch's NAdam warms its beta1 up"),
        ({"name": "nadamw"}, "NAdam", "torch's NAdam warms its beta1 up"),
        ({"name": "radam"}, "RAdam", None),
        ({"name": "adamax"}, "Adamax", None),
        ({"name": "amsgrad"}, "Adam", "torch takes the largest second moment before its bias is corrected"),
        ({"name": "rmsprop", "momentum": 0.9, "centered": True}, "RMSprop", "torch's RMSprop adds eps outside the root"),
        ({"name": "adagrad"}, "Adagrad", "torch's Adagrad adds eps outside the root"),
        ({"name": "adadelta"}, "Adadelta", None),
        ({"name": "lion"}, "Lion", "torch.optim has none: to train with it here, name its class as 'module:Class'"),
        ({"name": "adam", "eps_root": 1e-8, "mu_dtype": None}, "Adam", "adam: eps_root 1e-08: no part of a recipe, and not read"),
        ({"name": "adamw", "mask": "kernels"}, "AdamW", "adamw: mask 'kernels': no part of a recipe, and not read"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_torchs_class_and_what_differs(description, name, note):
    recipe = optax.read({**description, "learning_rate": 0.1}, {"steps": 5})
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.schedules) == (name, 0.1, {})
    assert (note in recipe.notes[0]) if note else recipe.notes == ()


def test_torch_builds_them_all():
    import torch.optim

    from etude.dialects.optax import _KINDS

    net = torch.nn.Linear(2, 2)
    for name, kind in _KINDS.items():
        recipe = optax.read({"name": name, "learning_rate": 0.1}, {"steps": 5})
        if hasattr(torch.optim, kind.name):
            assert type(etude.torch.build(net, recipe)).__name__ == kind.name
        else:
            assert "torch.optim has none" in recipe.notes[0]


def test_the_defaults_are_optaxs(real):
    """By the signatures of its functions."""
    import inspect

    from etude.dialects.optax import _KINDS

    for name, kind in _KINDS.items():
        known = {key: one.default for key, one in inspect.signature(getattr(real.optax, name)).parameters.items()}
        told = {**kind.base, **kind.rest, **{key: default for key, (_, default) in kind.options.items()}}
        assert told.keys() | {"learning_rate"} | ({"nesterov"} & known.keys()) == known.keys(), name
        assert all((known[key] or 0.0) == (value or 0.0) for key, value in told.items()), name


# -- the plateau --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"patience": 1, "factor": 0.5},
        {"patience": 3, "factor": 0.5, "cooldown": 4, "rtol": 0.05},
        {"patience": 2, "factor": 0.1, "atol": 0.1, "rtol": 0.0, "min_scale": 0.03},
    ],
)
def test_reduce_on_plateau(real, settings):
    metrics = [1.0, 0.99, 0.995, 0.5, 0.5, 0.52, 0.6, 0.5, 0.499, 0.7, 0.7, 0.3, 0.3, 0.3, 0.3, 0.35, 0.3, 0.3, 0.3, 0.2] * 2
    rule = real.contrib.reduce_on_plateau(**settings)

    def update(state, metric):
        scaled, state = rule.update(real.jnp.ones(()), state, value=metric)
        return state, scaled

    recorded = real.jax.lax.scan(update, rule.init(real.jnp.ones(())), real.jnp.asarray(metrics))[1]
    recipe = optax.read({"name": "reduce_on_plateau", **settings, "learning_rate": 0.1}, {"steps": len(metrics)})
    plan = recipe.plan().fed((step, "val_loss", metric) for step, metric in enumerate(metrics))
    mine = [plan.at(step)["lr"]["all"] for step in range(len(metrics))]
    assert mine == pytest.approx(0.1 * np.asarray(recorded, dtype=float), rel=5e-6)
    assert "feed it before that update" in recipe.notes[0]


def test_a_plateau_beside_a_schedule_and_alone():
    beside = optax.read({"name": "optax.contrib.reduce_on_plateau", "factor": 0.5, "patience": 5, "learning_rate": COSINE}, {})
    assert repr(beside.schedules["lr"]) == 'plateau(0.5, patience=4) * cosine(1, 0, over="90 steps")'
    alone = optax.read({"name": "reduce_on_plateau"}, {})
    assert alone.optimizer.lr == 1.0
    assert "no learning_rate beside it" in alone.notes[0]


# -- refusals -----------------------------------------------------------------------------------------------------------

ONE = {"name": "linear_onecycle_schedule", "transition_steps": 0, "peak_value": 0.1}
REFUSED_THERE = [
    ({"name": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 0}, "decay_steps must be above 0, got 0"),
    (
        {"name": "warmup_cosine_decay_schedule", **WARM, "decay_steps": 100},
        "decay_steps must be above warmup_steps, which it includes, got 100 and 100",
    ),
    (
        {"name": "sgdr_schedule", "cosine_kwargs": [{**WARM, "decay_steps": 50}]},
        r"sgdr_schedule: cosine_kwargs\[0\]: decay_steps must be above warmup_steps",
    ),
    (ONE, "transition_steps must be a whole number of steps above 0, got 0"),
    ({**ONE, "name": "cosine_onecycle_schedule"}, "transition_steps must be a whole number of steps above 0, got 0"),
    ({**ONE, "transition_steps": 9, "div_factor": 0}, "div_factor must be above 0, got 0"),
    ({**ONE, "transition_steps": 9, "final_div_factor": -1}, "final_div_factor must be above 0, got -1"),
    (
        {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {"5": -1}},
        "a scale must be 0 or above, got -1 at 5",
    ),
    (
        {
            "name": "piecewise_interpolate_schedule",
            "interpolate_type": "linear",
            "init_value": 0.1,
            "boundaries_and_scales": {5: -1},
        },
        "a scale must be 0 or above, got -1 at 5",
    ),
    (
        {"name": "piecewise_interpolate_schedule", "interpolate_type": "cubic", "init_value": 0.1},
        "interpolate_type must be 'linear' or 'cosine', got 'cubic'",
    ),
    ({"name": "join_schedules", "schedules": [], "boundaries": []}, r"schedules must be a list of at least one, got \[\]"),
    ({"name": "sgdr_schedule", "cosine_kwargs": []}, "cosine_kwargs must be a list of 1 to 200 mappings"),
    ({"name": "linear_schedule", "init_value": 0.1, "end_value": 0.1}, "linear_schedule: 'transition_steps' is missing"),
    (
        {"name": "constant_schedule", "value": 0.1, "steps": 5},
        "constant_schedule: has no setting 'steps'",
    ),
]


@pytest.mark.parametrize(("description", "message"), REFUSED_THERE)
def test_what_optax_refuses_is_refused(real, description, message):
    with pytest.raises((ValueError, TypeError, ZeroDivisionError, IndexError), match=r"."):
        made(real.optax, description)(0)
    with pytest.raises(InputError, match=message):
        optax.read(description, {})


PLATEAU = {"name": "reduce_on_plateau"}


@pytest.mark.parametrize("settings", [{"factor": 1.0}, {"factor": 0.0}, {"rtol": -1.0}, {"rtol": 0.0}, {"rtol": 2.0}])
def test_what_its_plateau_refuses_is_refused(real, settings):
    with pytest.raises(ValueError, match="must be"):
        real.contrib.reduce_on_plateau(**settings)
    with pytest.raises(InputError, match=r"reduce_on_plateau: (factor|rtol) must be"):
        optax.read({**PLATEAU, **settings}, {})


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"name": "constant_schedule", "value": -0.1}, "value must be 0 or above, got -0.1"),
        ({"name": "polynomial_schedule", **EAGER, "power": -1}, "power must be 0 or above, got -1"),
        ({**COSINE, "exponent": -1}, "exponent must be 0 or above, got -1"),
        ({**COSINE, "decay_step": 5}, r"cosine_decay_schedule: has no setting 'decay_step'; did you mean 'decay_steps'\?"),
        (
            {"name": "exponential_decay", "init_value": 0.1, "transition_steps": 9, "decay_rate": -0.5},
            "decay_rate must be 0 or above, got -0.5",
        ),
        (
            {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {"5": 1, 5: 2}},
            "step 5 is there twice, as a number and as a text",
        ),
        (
            {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {"soon": 1}},
            "a boundary must be a number of steps, got 'soon'",
        ),
        (
            {"name": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": [5]},
            r"boundaries_and_scales must be a mapping of keys to values, got \[5\]",
        ),
        ({"name": "optax.cosin_decay_schedule"}, "optax has no 'optax.cosin_decay_schedule' that is read here; did you mean"),
        (
            {"name": "join_schedules", "schedules": [{"name": "linear_schedul"}], "boundaries": []},
            r"join_schedules: schedules\[0\]: optax has no schedule 'linear_schedul'; did you mean 'linear_schedule'\?",
        ),
        (
            {"name": "join_schedules", "schedules": [0.1], "boundaries": []},
            r"join_schedules: schedules\[0\] must be a mapping of keys to values, got 0.1",
        ),
        (
            {"name": "join_schedules", "schedules": [{"name": "constant_schedule", "value": 1}] * 300, "boundaries": [1]},
            "at most 200 schedules can be read",
        ),
        ({"name": "adam", "learning_rate": 0.1, "weight_decay": 0.1}, "adam: has no setting 'weight_decay'"),
        ({"name": "adam", "learning_rate": 0.1, "beta1": 0.9}, "adam: has no setting 'beta1'"),
        ({"name": "adam", "learning_rate": "fast"}, "adam: learning_rate must be a finite number, got 'fast'"),
        ({**PLATEAU, "patience": 0}, "patience must be at least 1, got 0: with 0 optax reduces whenever the metric gets better"),
        ({**PLATEAU, "accumulation_size": 5}, "accumulation_size 5 makes it see the mean of so many metrics"),
        ({**PLATEAU, "min_scale": 2.0}, "min_scale must be from 0 to 1, got 2"),
        ({**COSINE, "jit": "yes"}, "jit must be true or false, got 'yes'"),
    ],
)
def test_refused(description, message):
    with pytest.raises(InputError, match=message):
        optax.read(description, {})


def test_what_it_takes_for_its_own():
    theirs = {"decay_steps": 9, "decay_rate": 0.5}
    for description in (
        COSINE,
        {"name": "exponential_decay", "init_value": 0.1},
        {"name": "optax.exponential_decay"},
        {"name": "adamw", "learning_rate": COSINE},
        {"name": "reduce_on_plateau"},
        {"name": "optax.unheard_of"},
    ):
        assert optax.takes(description), description
        assert not any(other.takes(description) for other in (keras, torch, yolov5, ultralytics)), description
    for description in (
        {"name": "exponential_decay", "learning_rate": 0.1, **theirs},
        {"schedule": "exponential_decay", "learning_rate": 0.1, **theirs},
        {"name": "adamw", "lr": 0.1},
        {"name": "AdamW", "learning_rate": 0.1},
        {"name": "StepLR", "step_size": 30},
        {"class_name": "CosineDecay", "config": {}},
        {"lr0": 0.01, "lrf": 0.01, "box": 0.05, "anchor_t": 4.0},
        {"name": 5},
        {},
    ):
        assert not optax.takes(description), description
