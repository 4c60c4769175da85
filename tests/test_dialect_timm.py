"""timm's schedulers read as recipes: against its formulas as they stand, torch's own noise, and figures that timm made."""

from __future__ import annotations

import math
from bisect import bisect_right

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etude import InputError
from etude.dialects import keras, timm, ultralytics, yolov5
from etude.dialects.timm.noise import factors, normals
from etude.errors import MissingFactError

# -- timm, as a function of t -------------------------------------------------------------------------------------------------


def curve(kind, k, base, t):
    """What the formula of a scheduler says at t, when its warmup is over."""
    length, grow, limit = k["t_initial"], k.get("cycle_mul", 1.0), k.get("cycle_limit", 1)
    low, power = k.get("lr_min", 0.0), k.get("k_decay", 1.0)
    if kind == "StepLRScheduler":
        return base * k["decay_rate"] ** (t // k["decay_t"])
    if kind == "MultiStepLRScheduler":
        return base * k["decay_rate"] ** bisect_right(k["decay_t"], t + 1)
    if grow == 1:
        cycle = t // length
        own, done = length, t - length * cycle
    else:
        cycle = math.floor(math.log(1 - t / length * (1 - grow), grow))
        own, done = grow**cycle * length, t - (1 - grow**cycle) / (1 - grow) * length
    if cycle >= limit:
        return low
    high = base * k.get("cycle_decay", 1.0) ** cycle
    if kind == "TanhLRScheduler":
        part = done / own
        return low + 0.5 * (high - low) * (1 - math.tanh(-7.0 * (1.0 - part) + 3.0 * part))
    part = max(done, 0.0) ** power / own**power
    if kind == "CosineLRScheduler":
        return low + 0.5 * (high - low) * (1 + math.cos(math.pi * part))
    return low + (high - low) * (1 - part) ** k.get("power", 0.5)


def trace(kind, k, count, base=0.1):
    """What is in force from t = 0 on: the constructor's own value, then the formula's."""
    warmup, start = k.get("warmup_t", 0), k.get("warmup_lr_init", 0.0)
    prefix = k.get("warmup_prefix", kind in ("StepLRScheduler", "MultiStepLRScheduler"))
    top = curve(kind, k, base, warmup) if kind == "TanhLRScheduler" and warmup and not prefix else base
    found = [start if warmup else base]
    for t in range(1, count):
        if t < warmup:
            found.append(start + t * (top - start) / warmup)
        else:
            found.append(curve(kind, k, base, t - warmup if prefix else t))
    return found


def assert_close(ours, theirs):
    peak = max(map(abs, theirs))
    for t, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert abs(a - b) <= 1e-10 * abs(b) + 1e-15 * peak, (t, a, b)


def rates(plan, group="all"):
    return [plan.at(step)["lr"][group] for step in range(int(plan.total))]


def plan_of(source, **facts):
    return timm.read(source, facts).plan()


shared = {
    "warmup_t": st.sampled_from([0, 1, 3, 5, 2.5, 30]),
    "warmup_lr_init": st.sampled_from([0.0, 1e-5, 1e-3]),
    "warmup_prefix": st.booleans(),
}
cycles = {
    "lr_min": st.sampled_from([0.0, 1e-5, 1e-3, 0.2]),
    "cycle_mul": st.sampled_from([1.0, 2.0, 1.5, 3.0, 1.2, 1.1]),
    "cycle_decay": st.sampled_from([1.0, 0.5, 0.8]),
    "cycle_limit": st.integers(1, 4),
}
warped = {"k_decay": st.sampled_from([1.0, 2.0])}
lengths = {"t_initial": st.integers(1, 40)}
kinds = st.one_of(
    st.tuples(st.just("CosineLRScheduler"), st.fixed_dictionaries(lengths, optional={**shared, **cycles, **warped})),
    st.tuples(
        st.just("PolyLRScheduler"),
        st.fixed_dictionaries(lengths, optional={**shared, **cycles, **warped, "power": st.sampled_from([0.5, 0.9, 2.0])}),
    ),
    st.tuples(st.just("TanhLRScheduler"), st.fixed_dictionaries(lengths, optional={**shared, **cycles})),
    st.tuples(
        st.just("StepLRScheduler"),
        st.fixed_dictionaries(
            {"decay_t": st.sampled_from([1, 3, 2.4, 1.1, 5]), "decay_rate": st.sampled_from([0.1, 0.9, 1.0])}, optional=shared
        ),
    ),
    st.tuples(
        st.just("MultiStepLRScheduler"),
        st.fixed_dictionaries(
            {"decay_t": st.sampled_from([[1, 3], [0, 5, 9], [2.5, 4], []]), "decay_rate": st.sampled_from([0.1, 0.9])},
            optional=shared,
        ),
    ),
)


@given(kinds, st.integers(1, 120), st.booleans())
@settings(max_examples=150)
def test_every_scheduler_is_its_formula(found, count, by_epoch):
    kind, k = found
    theirs = trace(kind, {"t_initial": 1, **k}, count)
    source = {"cls": kind, "kwargs": {**k, "t_in_epochs": by_epoch}, "lr": 0.1, "n_steps": count}
    plan = plan_of(source)
    assert_close(rates(plan), theirs)
    assert_close(plan.table()["lr"][:, 0].tolist(), theirs)


@given(kinds, st.integers(1, 15), st.integers(1, 5))
def test_by_epoch_the_value_is_held_through_each(found, epochs, each):
    kind, k = found
    theirs = trace(kind, {"t_initial": 1, **k}, epochs)
    plan = plan_of({"cls": kind, "kwargs": k, "lr": 0.1, "n_steps": epochs}, steps_per_epoch=each, epochs=epochs)
    assert_close(rates(plan), [value for value in theirs for _ in range(each)])


# -- figures that timm made ---------------------------------------------------------------------------------------------------


def test_a_warmup_in_front_makes_the_run_longer():
    kwargs = {"sched": "cosine", "num_epochs": 40, "warmup_epochs": 5, "warmup_lr": 1e-6, "warmup_prefix": True, "min_lr": 1e-5}
    source = {"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1, "updates_per_epoch": 5, "lr_scale": None}
    recipe = timm.read(source, {})
    assert (recipe.run.epochs, recipe.plan().total) == (45, 225)
    assert recipe.notes == ("the run is 45 epochs, of 40 asked for, with a warmup that shortens nothing (warmup_prefix)",)
    assert [recipe.plan().at(step)["lr"]["all"] for step in (0, 4, 5)] == [1e-6, 1e-6, pytest.approx(0.0200008, rel=1e-12)]


def test_another_number_of_epochs_is_another_schedule():
    kwargs = {"num_epochs": 40, "warmup_epochs": 5, "warmup_prefix": True}
    source = {"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}
    recipe = timm.read(source, {"epochs": 10, "steps_per_epoch": 5})
    assert recipe.run.epochs == 15
    assert 'cosine(1, 0, over="10 epochs")' in repr(recipe.schedules["lr"])


def test_a_warmup_over_the_curve_jumps_onto_it():
    source = {"cls": "CosineLRScheduler", "lr": 0.1, "n_steps": 30}
    kwargs = {"t_initial": 20, "warmup_t": 5, "warmup_lr_init": 1e-4, "lr_min": 0.01}
    plan = plan_of({**source, "kwargs": kwargs})
    # warmed up to the base value, but the cosine is lower by then
    assert [plan.at(t)["lr"]["all"] for t in (1, 4, 5, 20, 25)] == pytest.approx(
        [0.02008, 0.08002, 0.0868198, 0.01, 0.01], rel=1e-6
    )
    plan = plan_of({**source, "kwargs": {**kwargs, "warmup_prefix": True}})
    assert [plan.at(t)["lr"]["all"] for t in (5, 6, 25)] == pytest.approx([0.1, 0.099446, 0.01], rel=1e-5)


def test_cycles_and_cooldown_make_the_run():
    kwargs = {"sched": "tanh", "num_epochs": 15, "cycle_limit": 3, "cycle_decay": 0.5, "cooldown_epochs": 3}
    plan = plan_of({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, steps_per_epoch=5)
    assert plan.total == 48 * 5
    # the constructor's own 0.1 for the first epoch; its formula would say 0.0999999168
    found = [plan.at(step)["lr"]["all"] for step in (0, 4, 5, 75, 239)]
    assert found == pytest.approx([0.1, 0.1, 0.09999968454661459, 0.05 * 0.9999991684719722, 0.0], rel=1e-12)


def test_cycles_by_update_end_where_the_floor_leaves_out_what_is_no_epoch():
    kwargs = {"sched": "poly", "num_epochs": 10, "cycle_limit": 2, "cycle_mul": 1.5, "cycle_decay": 0.7, "decay_rate": 0.9}
    source = {"factory": "create_scheduler_v2", "kwargs": {**kwargs, "step_on_epochs": False}, "lr": 0.1, "updates_per_epoch": 10}
    recipe = timm.read(source, {})
    assert recipe.run.epochs == 25
    assert repr(recipe.schedules["lr"]) == 'chain(poly(1, 0, 0.9, over="100 steps"), poly(0.7, 0, 0.9, over="150 steps"))'
    assert recipe.plan().at(1)["lr"]["all"] == pytest.approx(0.09909954834128343, rel=1e-12)


def test_by_update_milestones_are_one_update_early():
    kwargs = {"sched": "multistep", "num_epochs": 40, "decay_milestones": [10, 25], "decay_rate": 0.2, "step_on_epochs": False}
    source = {"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1, "updates_per_epoch": 8}
    recipe = timm.read(source, {})
    assert repr(recipe.schedules["lr"]) == 'steps(0.2, at=["10 epochs - 1 step", "25 epochs - 1 step"])'
    assert [recipe.plan().at(step)["lr"]["all"] for step in (78, 79)] == [0.1, pytest.approx(0.02)]


def test_lr_scale_multiplies_absolute_values_as_well():
    kwargs = {"sched": "cosine", "num_epochs": 40, "warmup_epochs": 4, "min_lr": 1e-3}
    source = {"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1, "lr_scale": [0.65, 1.0], "updates_per_epoch": 5}
    plan = plan_of({**source, "optimizer": {"momentum": 0.9, "weight_decay": 0.05}})
    assert plan.at(0) == {
        "lr": {"decay": 6.5000000000000004e-06, "no decay": 1e-05},
        "momentum": {"decay": 0.9, "no decay": 0.9},
        "weight_decay": {"decay": 0.05, "no decay": 0.0},
    }
    for step in (30, 199):
        decayed, plain = plan.at(step)["lr"].values()
        assert decayed == pytest.approx(0.65 * plain, rel=1e-12)


def test_a_restart_that_timms_logarithm_misses():
    kwargs = {"t_initial": 10, "cycle_mul": 3.0, "cycle_limit": 6}
    plan = plan_of({"cls": "CosineLRScheduler", "kwargs": kwargs, "lr": 0.1, "n_steps": 1300})
    assert math.floor(math.log(1 + 1210 / 10 * 2, 3)) == 4  # and not 5
    assert [plan.at(t)["lr"]["all"] for t in (1210, 1211)] == [0.0, pytest.approx(0.1, rel=1e-5)]


@pytest.mark.parametrize("sched", ["constant", "none"])
def test_what_never_falls(sched):
    plan = plan_of({"factory": "create_scheduler_v2", "kwargs": {"sched": sched, "num_epochs": 9}, "lr": 0.1}, steps_per_epoch=1)
    assert rates(plan) == [0.1] * 9


def test_warmup_stable_decay():
    kwargs = {"sched": "wsd", "num_epochs": 12, "warmup_epochs": 2, "warmup_lr": 0.0, "min_lr": 0.01, "decay_epochs": 4}
    plan = plan_of({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, steps_per_epoch=1)
    falling = [0.01 + 0.09 * (1 - math.sqrt(part)) for part in (0, 0.25, 0.5, 0.75)]
    assert_close(rates(plan), [0.0, 0.05, *[0.1] * 6, *falling])
    kwargs = {**kwargs, "sched": "rsqrt", "decay_fn": "cosine", "warmup_prefix": True}
    plan = plan_of({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, steps_per_epoch=1)
    stable = [max(0.1 * (1 + t / 2) ** -0.5, 0.01) for t in range(12)]
    fall = [0.5 * (1 + math.cos(math.pi * max(t - 8, 0) / 4)) for t in range(12)]
    assert_close(rates(plan), [0.0, 0.05, *(0.01 + (lr - 0.01) * part for lr, part in zip(stable, fall, strict=True))])


# -- plateau ------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([1.0, 0.99995, 0.9, 0.5, 0.0, -0.5, math.nan]), min_size=1, max_size=25), st.integers(0, 4))
def test_a_plateau_is_torchs_after_the_warmup(metrics, warmup):
    kwargs = {"sched": "plateau", "num_epochs": len(metrics), "patience_epochs": 1, "warmup_epochs": warmup, "warmup_lr": 0.01}
    plan = plan_of({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, steps_per_epoch=3)
    assert plan.watched() == ["top1"]
    plan = plan.fed(((epoch + 1) * 3, "top1", value) for epoch, value in enumerate(metrics))
    made = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    driven = torch.optim.lr_scheduler.ReduceLROnPlateau(made, mode="max", patience=1)
    theirs = [0.01 if warmup else 0.1]
    for epoch, value in enumerate(metrics[:-1], 1):
        if epoch > warmup:  # what is measured until then, nobody sees
            driven.step(value)
        theirs.append(0.01 + epoch * 0.09 / warmup if epoch <= warmup else made.param_groups[0]["lr"])
    assert_close(rates(plan), [value for value in theirs for _ in range(3)])


def test_what_a_plateau_measures_is_train_pys_metric():
    loss = timm.read({"sched": "plateau", "eval_metric": "loss", "lr": 0.1}, {"steps_per_epoch": 1}).schedules["lr"]
    assert repr(loss).endswith('plateau(0.1, eps=abs(1e-08), metric="loss")))')
    assert 'mode="max", eps=abs(1e-08), metric="top5"' in repr(
        timm.read({"sched": "plateau", "eval_metric": "top5", "lr": 0.1}, {"steps_per_epoch": 1}).schedules["lr"]
    )


# -- noise --------------------------------------------------------------------------------------------------------------------


@given(st.one_of(st.integers(0, 2**32), st.integers(-(2**63), 2**63 - 1)))
def test_normal_numbers_are_torchs_bit_for_bit(seed):
    generator, ours = torch.Generator().manual_seed(seed), normals(seed)
    assert [next(ours) for _ in range(5)] == [torch.randn(1, generator=generator).item() for _ in range(5)]


@given(st.integers(0, 2**40))
def test_uniform_noise_is_torchs_bit_for_bit(seed):
    drawn = torch.rand(1, generator=torch.Generator().manual_seed(seed + 3)).item()
    assert factors(3, 4, seed=seed, pct=0.3, std=1.0, uniform=True) == [1 + 2 * (drawn - 0.5) * 0.3]


def test_noise_multiplies_what_is_in_its_range():
    kwargs = {"sched": "cosine", "num_epochs": 40, "noise": [0.4, 0.9], "noise_pct": 0.3, "noise_seed": 42}
    source = {"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1, "updates_per_epoch": 5}
    noisy = plan_of(source)
    quiet = plan_of({**source, "kwargs": {"sched": "cosine", "num_epochs": 40}})
    parts = {t: noisy.at(t * 5)["lr"]["all"] / quiet.at(t * 5)["lr"]["all"] for t in range(40)}
    assert [t for t, part in parts.items() if abs(part - 1) > 1e-12] == list(range(16, 36))
    assert [parts[16], parts[17]] == pytest.approx([0.9671330265700817, 1.1654335707426071], rel=1e-12)


def test_a_plateaus_noise_begins_after_the_warmup_and_may_be_uniform():
    kwargs = {"warmup_t": 3, "noise_range_t": 0, "noise_type": "uniform", "noise_pct": 0.1}
    text = repr(timm.read({"cls": "PlateauLRScheduler", "kwargs": kwargs, "lr": 0.1, "n_steps": 6}, {}).schedules["lr"])
    assert text.endswith('at=["4 epochs", "5 epochs"]))')


def test_a_deviation_that_older_versions_leave_out_is_noted():
    kwargs = {"sched": "step", "num_epochs": 4, "noise": 0.5, "noise_std": 0.5}
    recipe = timm.read({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, {"steps_per_epoch": 1})
    assert "noise_std 0.5 multiplies what is drawn, as in timm 1.0.31" in recipe.notes[0]


# -- args.yaml ----------------------------------------------------------------------------------------------------------------


def test_args_of_train_py():
    source = {"sched": "cosine", "epochs": 300, "lr": "5e-4", "opt": "adamw", "weight_decay": 0.05, "warmup_epochs": 20}
    recipe = timm.read({**source, "batch_size": 128, "opt_betas": [0.9, 0.95]}, {"samples": 1281167, "devices": 8})
    assert recipe.optimizer.name == "AdamW"
    assert (recipe.optimizer.lr, recipe.optimizer.betas) == (5e-4, (0.9, 0.95))
    assert [(name, group.weight_decay) for name, group in recipe.groups.items()] == [("decay", 0.05), ("no decay", 0.0)]
    # the loader leaves out an epoch's last batch: 1251 updates, not 1252
    assert recipe.plan().total == 300 * 1251
    assert recipe.notes[0].startswith("not given, and so as train.py has them by default: min_lr 0.0, warmup_lr 1e-05")


@pytest.mark.parametrize(
    ("more", "lr"),
    [
        ({}, 0.1 * 2048 / 256),
        ({"opt": "lamb"}, 0.1 * (2048 / 256) ** 0.5),
        ({"opt": "adamw", "lr_base_scale": "linear"}, 0.1 * 2048 / 256),
        ({"lr": 0.3}, 0.3),
        ({"lr_base_size": 512, "lr_base": "0.2"}, 0.2 * 2048 / 512),
    ],
)
def test_a_base_rate_is_for_a_batch(more, lr):
    source = {"sched": "cosine", "batch_size": 128, "grad_accum_steps": 2, **more}
    recipe = timm.read(source, {"steps_per_epoch": 10, "devices": 8})
    assert recipe.optimizer.lr == pytest.approx(lr, rel=1e-15)
    assert any("samples make an update" in note for note in recipe.notes) == ("lr" not in more)


@pytest.mark.parametrize(
    ("name", "found"),
    [("sgd", ("SGD", True)), ("momentum", ("SGD", False)), ("lookahead_rmsprop", ("RMSprop", False)), ("lion", ("lion", False))],
)
def test_optimizers_by_timms_names(name, found):
    optimizer = timm.read({"sched": "cosine", "lr": 0.1, "opt": name}, {"steps_per_epoch": 1}).optimizer
    assert (optimizer.name, optimizer.nesterov) == found


@pytest.mark.parametrize(
    ("name", "momentum", "betas"),
    [
        *(("rmsproptf", 0.8, None), ("sgdw", 0.8, None), ("lars", 0.8, None), ("muon", 0.8, None), ("adafactor", None, None)),
        *(
            ("lamb", None, (0.9, 0.999)),
            ("lion", None, (0.9, 0.99)),
            ("adopt", None, (0.9, 0.9999)),
            ("novograd", None, (0.95, 0.98)),
        ),
    ],
)
def test_what_timms_own_optimizers_take(name, momentum, betas):
    optimizer = timm.read({"sched": "cosine", "lr": 0.1, "opt": name, "momentum": 0.8}, {"steps_per_epoch": 1}).optimizer
    assert (optimizer.momentum, optimizer.betas) == (momentum, betas)
    with pytest.raises(InputError, match=f"opt must be one of timm's [0-9]+ optimizers, got '{name}ww'"):
        timm.read({"sched": "cosine", "lr": 0.1, "opt": f"{name}ww"}, {"steps_per_epoch": 1})


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"warmup_epoch": 3}, "ignored: warmup_epoch 3, because train.py has no such setting; did you mean 'warmup_epochs'?"),
        ({"min-lr": 3}, "ignored: min-lr 3, because train.py has no such setting; did you mean 'min_lr'?"),
        ({"decay_rate": 0.3}, "ignored: decay_rate 0.3, because sched cosine has no use for it"),
        ({"lr_base": 0.3}, "ignored: lr_base 0.3, because lr is given"),
        ({"sched": "step", "cooldown_epochs": 3}, "ignored: cooldown_epochs 3, because sched step has none"),
        ({"layer_decay": 0.7}, "layer_decay 0.7 scales the lr of each layer by its depth: shown is the last layer's"),
        ({"start_epoch": 7}, "start_epoch 7: timm goes on with the values of this plan from that epoch on"),
        ({"opt": "lion"}, "opt lion is timm's own optimizer: etude shows what it is given, and builds none"),
    ],
)
def test_notes(more, note):
    assert note in timm.read({"sched": "cosine", "lr": 0.1, **more}, {"steps_per_epoch": 1}).notes


# -- what is refused, and what is not timm's --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"sched": "cosin"}, "sched must be 'cosine' or .*, got 'cosin'"),
        ({"num_epoch": 3}, "has no setting 'num_epoch'; did you mean 'num_epochs'"),
        ({"num_epochs": 2.5}, "num_epochs must be a whole number of at least 1, got 2.5"),
        ({"warmup_epochs": -1}, "warmup_epochs must be 0 or above, got -1"),
        ({"min_lr": -1e-3}, "min_lr must be 0 or above, got -0.001"),
        ({"cycle_mul": 0}, "cycle_mul must be above 0, got 0"),
        ({"num_epochs": 10, "cycle_mul": 0.5, "cooldown_epochs": 90}, "cycle_mul 0.5 makes cycles that end before the run does"),
        ({"cycle_mul": 2, "cycle_limit": 99}, "cycle_limit is at most 100 where cycles are not alike"),
        ({"k_decay": 0}, "k_decay must be above 0, got 0"),
        ({"sched": "poly", "decay_rate": 0}, "decay_rate is the power of the polynomial, and must be above 0; got 0"),
        ({"warmup_epochs": 2.5, "warmup_prefix": True}, "the run would be 302.5 epochs .* and timm trains whole ones"),
        ({"sched": "plateau", "step_on_epochs": False}, "sched plateau goes by epochs, and timm refuses it by updates"),
        ({"sched": "plateau", "decay_rate": 1.0}, "decay_rate must be at least 0 and below 1, got 1: torch's plateau refuses it"),
        ({"sched": "plateau", "warmup_epochs": 2.5}, "warmup_epochs must be a whole number for a plateau"),
        ({"sched": "step", "decay_epochs": 0}, "decay_epochs must be above 0, got 0"),
        ({"sched": "multistep", "decay_milestones": [30, 10]}, r"decay_milestones must be increasing, got \[30.0, 10.0\]"),
        ({"sched": "wsd", "decay_epochs": 400}, "decay_epochs must be above 0 and at most the 300 that follow the warmup, got 400"),
        ({"sched": "rsqrt"}, "stable_timescale must be above 0; it is the warmup's length"),
        ({"noise": []}, "noise must hold where it begins"),
        ({"noise": 0.5, "noise_pct": 0}, "noise_pct must be above 0, got 0: timm would draw for ever"),
        ({"noise": 0.5, "noise_pct": 1e-6}, "noise below 1e-06 is kept, of a deviation of 1: more than 100 numbers would be drawn"),
        ({"noise": 0.0, "num_epochs": 20000}, "the noise would be 19999 values of their own, and a recipe holds at most 10000"),
        ({"noise": 0.5, "noise_seed": 2**64}, "noise_seed must be at most"),
    ],
)  # fmt: skip
def test_refused(kwargs, message):
    with pytest.raises(InputError, match=message):
        timm.read({"factory": "create_scheduler_v2", "kwargs": kwargs, "lr": 0.1}, {"steps_per_epoch": 1})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"factory": "create_scheduler_v2"}, "lr must be a finite number, got None"),
        ({"factory": "create_scheduler_v2", "lr": 0.1, "lr_scale": [1.0]}, "lr_scale must be two numbers"),
        ({"factory": "create_scheduler_v2", "lr": 0.1, "metrics": [1.0]}, "a description of timm's factory has no key 'metrics'"),
        ({"cls": "CosineLRScheduler", "lr": 0.1}, "CosineLRScheduler: 't_initial' is missing"),
        ({"cls": "TanhLRScheduler", "lr": 0.1, "kwargs": {"t_initial": 9, "k_decay": 2}}, "TanhLRScheduler: has no setting 'k_decay'"),
        ({"cls": "TanhLRScheduler", "lr": 0.1, "kwargs": {"t_initial": 9, "lb": 4}}, "must be -150 <= lb < ub <= 150, got 4 and 3"),
        ({"cls": "StepLRScheduler", "lr": 0.1, "kwargs": {"decay_t": 3, "noise_range_t": [1]}}, "a range of noise must be two numbers"),
        ({"sched": "cosine", "lr_base_size": 0}, "lr_base_size must be above 0, got 0"),
        ({"sched": "cosine", "warmup_epochs": "five"}, "warmup_epochs must be a finite number, got 'five'"),
    ],
)  # fmt: skip
def test_refused_otherwise(source, message):
    with pytest.raises(InputError, match=message):
        timm.read(source, {"steps_per_epoch": 1})


def test_facts_that_the_values_follow_from_are_asked_for():
    source = {"sched": "step", "lr": 0.1, "sched_on_updates": True, "decay_epochs": 2.4, "epochs": 30}
    with pytest.raises(
        MissingFactError, match="is no whole number of epochs: give --steps-per-epoch, or --samples and --batch-size"
    ):
        timm.read(source, {})
    assert 'steps(0.1, every="24 steps")' in repr(timm.read(source, {"steps_per_epoch": 10}).schedules["lr"])
    # whole epochs are told as such, whatever they hold
    assert 'steps(0.1, every="3 epochs")' in repr(timm.read({**source, "decay_epochs": 3}, {}).schedules["lr"])
    with pytest.raises(InputError, match="timm trains a number of epochs: give --epochs, and not --steps"):
        timm.read(source, {"steps": 100})


def test_takes_its_own_descriptions_alone():
    own = ({"sched": "cosine"}, {"factory": "create_scheduler_v2"}, {"cls": "PolyLRScheduler"})
    others = ({"name": "StepLR"}, {"lr0": 0.1, "lrf": 0.1}, {"class_name": "CosineDecay"}, {"cls": "StepLR"}, {"sched": 3}, {})
    assert all(timm.takes(one) for one in own)
    assert not any(timm.takes(one) for one in others)
    assert not any(other.takes(one) for other in (keras, ultralytics, yolov5) for one in own)
