"""Configs of mmengine, through `etude.read`. Figures are worked by hand, or recorded from mmengine 0.10.7's own schedulers."""

from __future__ import annotations

import copy

import pytest

import etude
from etude import InputError
from etude.errors import MissingFactError

WARMUP = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500}
DROPS = {"type": "MultiStepLR", "begin": 0, "end": 12, "by_epoch": True, "milestones": [8, 11], "gamma": 0.1}
STEP = {"by_epoch": False}
CONVERTED = {"by_epoch": True, "convert_to_iter_based": True}


def config(*schedulers, epochs=12, iterations=None, **more):
    """A config of SGD at 0.02, with momentum 0.9 and weight decay 0.0001."""
    loop = {"type": "IterBasedTrainLoop", "max_iters": iterations} if iterations else {"by_epoch": True, "max_epochs": epochs}
    optimizer = {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001}
    return {"optim_wrapper": {"optimizer": optimizer}, "param_scheduler": list(schedulers), "train_cfg": loop, **more}


def wrapped(wrapper, *schedulers, **more):
    """A config with more settings in its optim_wrapper."""
    made = config(*schedulers, **more)
    return {**made, "optim_wrapper": {**made["optim_wrapper"], **wrapper}}


def text(*schedulers, of="lr", each=None, **run):
    recipe = etude.read(config(*schedulers, **run))
    return repr((recipe.override(steps_per_epoch=each) if each else recipe).schedules[of])


def curve(*schedulers, of="lr", each=7, metrics=(), **run):
    """The values at every step of a run of 12 epochs of 7 iterations, the only group's."""
    plan = etude.read(config(*schedulers, **run)).override(steps_per_epoch=each).plan()
    return plan.fed((update, "loss", value) for update, value in metrics).table()[of][:, 0].tolist()


def epochs(*schedulers, **run):
    """The values at the first step of each epoch."""
    return curve(*schedulers, **run)[::7]


def near(*figures):
    return pytest.approx(list(figures), rel=1e-10)


# -- one scheduler -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheduler", "written"),
    [
        (WARMUP, 'linear(0.001, 1, over="499 steps")'),
        ({"type": "LinearLR", "end": 4}, 'per_epoch(linear(0.3333333333333333, 1, over="3 epochs"))'),
        ({"type": "LinearLR", "end": 4, **CONVERTED}, 'linear(0.3333333333333333, 1, over="4 epochs - 1 step")'),
        ({"type": "ConstantLR", "factor": 0.1, "end": 50, **STEP}, 'chain(constant(0.1, over="49 steps"), constant(1))'),
        ({"type": "ExponentialLR", "gamma": 0.9}, 'per_epoch(decay(0.9, per="1 epoch"))'),
        ({"type": "StepLR", "step_size": 3}, 'steps(0.1, every="3 epochs")'),
        ({"type": "StepLR", "step_size": 3, "end": 7}, 'hold(steps(0.1, every="3 epochs"), at="6 epochs")'),
        (DROPS, 'steps(0.1, at=["8 epochs", "11 epochs"])'),
        ({"type": "CosineAnnealingLR", "T_max": 12, "eta_min": 1e-5}, 'per_epoch(cosine(1, abs(1e-05), over="12 epochs"))'),
        ({"type": "CosineAnnealingLR", "eta_min_ratio": 0.05, **CONVERTED}, 'cosine(1, 0.05, over="12 epochs")'),
        ({"type": "CosineAnnealingLR", "T_max": 3.0}, 'per_epoch(wave(1, 0, half="3 epochs"))'),
        ({"type": "PolyLR", "power": 0.9, "eta_min": 1e-4, "end": 100, **STEP}, 'poly(1, abs(0.0001), 0.9, over="99 steps")'),
        ({"type": "PolyLRRatio", "eta_min_ratio": 0.1, "eta_min": 1, **CONVERTED}, 'poly(1, 0.1, 1, over="12 epochs - 1 step")'),
        ({"type": "mmdet.QuadraticWarmupLR", "end": 5, **CONVERTED}, 'skip(power(0, 1, 2, over="5 epochs"), "1 step")'),
        ({"type": "ReduceOnPlateauLR", "eps": 0, "patience": 2}, 'plateau(0.1, patience=2, metric="loss")'),
    ],
)
def test_a_scheduler_in_few_words(scheduler, written):
    assert text(scheduler) == written
    assert repr(etude.parse(written)) == written


def test_a_list_of_one_needs_no_list_and_none_no_scheduler():
    recipe = etude.read({**config(), "param_scheduler": DROPS})
    assert repr(recipe.schedules["lr"]) == 'steps(0.1, at=["8 epochs", "11 epochs"])'
    assert recipe.schedules.keys() == {"lr"}
    assert text() == "constant(1)"


def test_a_line_and_a_poly_are_done_a_step_before_their_end():
    assert curve({"type": "LinearLR", "start_factor": 0.5, "end": 5, **STEP})[:6] == near(0.01, 0.0125, 0.015, 0.0175, 0.02, 0.02)
    assert curve({"type": "PolyLR", "eta_min": 0.01, "end": 5, **STEP})[:6] == near(0.02, 0.0175, 0.015, 0.0125, 0.01, 0.01)


def test_a_cosine_stops_above_its_floor():
    """The last of four steps is at 3/4 of the way: 0.02 (1 + cos(3 pi / 4)) / 2."""
    found = curve({"type": "CosineAnnealingLR", "end": 4, **STEP})
    assert found[1:6] == near(0.017071067811865476, 0.01, *[0.0029289321881345253] * 3)


def test_a_cosine_that_turns_rises_to_the_base_value_again():
    found = curve({"type": "CosineAnnealingLR", "T_max": 2, "eta_min": 0.01, **STEP})
    assert found[:9] == near(0.02, 0.015, 0.01, 0.015, 0.02, 0.015, 0.01, 0.015, 0.02)


def test_what_begins_later_counts_from_there_and_stays_as_it_is_after_its_end():
    found = epochs({"type": "StepLR", "step_size": 2, "gamma": 0.5, "begin": 3, "end": 8})
    assert found == near(*[0.02] * 5, 0.01, 0.01, *[0.005] * 5)


def test_a_window_of_one_step_changes_the_value_for_good():
    assert epochs({"type": "ConstantLR", "factor": 0.5, "begin": 3, "end": 4}) == near(*[0.02] * 3, *[0.01] * 9)
    assert epochs({"type": "LinearLR", "start_factor": 0.5, "begin": 3, "end": 4}) == near(*[0.02] * 3, *[0.01] * 9)
    assert text({"type": "PolyLR", "begin": 3, "end": 4}) == "constant(1)"


def test_a_milestone_is_met_or_never():
    given = {"type": "MultiStepLR", "milestones": [2, 1, 2, 3.5, 99], "gamma": 0.5}
    assert text(given) == 'steps(0.5, at=["1 epoch", "2 epochs", "2 epochs"])'
    assert text({**given, **CONVERTED, "milestones": [3.5]}, each=4) == 'steps(0.5, at=["14 steps"])'
    assert text({**given, **CONVERTED, "milestones": [3.5]}, each=7) == "constant(1)"
    assert epochs({**given, "milestones": [0]}) == near(*[0.01] * 12)


def test_quadratic_warmup_begins_above_0():
    assert curve({"type": "QuadraticWarmupLR", "end": 4, **STEP})[:5] == near(0.00125, 0.005, 0.01125, 0.02, 0.02)
    assert curve({"type": "QuadraticWarmupLR", "begin": 83, **STEP}) == near(*[0.02] * 84)


def test_restarts_are_weighed_and_the_last_is_not_finished():
    restart = {"type": "CosineRestartLR", "periods": [2, 4], "restart_weights": [1, 0.5], "eta_min": 0.001, **STEP}
    above = 0.0023180194846605367
    assert curve(restart)[:8] == near(0.02, 0.0105, 0.01, 0.008681980515339464, 0.0055, above, above, above)


def test_one_cycle_is_absolute():
    cycle = {"type": "OneCycleLR", "eta_max": 0.1, **STEP}
    assert [curve(cycle)[step] for step in (0, 24, 83)] == near(0.004, 0.0999838223345686, 4e-07)
    found = curve({**cycle, "three_phase": True})
    assert [found[step] for step in (0, 48, 49, 83)] == near(0.004, 0.004064699756856495, 0.003997033125320026, 4e-07)
    peak = {**cycle, "pct_start": 1.0, "anneal_strategy": "linear", "end": 5}
    assert curve(peak)[:6] == near(0.004, 0.028, 0.052, 0.076, 0.1, 0.1)


def test_one_cycle_that_is_read_past_its_end_rises_again():
    found = curve({"type": "OneCycleLR", "eta_max": 0.1, "total_steps": 5, "end": 6, **STEP})
    assert found[3:8] == near(0.0188258346050237, 4e-07, *[0.01882583460502369] * 3)


def test_a_part_of_an_epoch_is_cut_off_to_iterations():
    line = {"type": "LinearLR", "start_factor": 0.5, "end": 0.5, **CONVERTED}
    half = {"type": "CosineAnnealingLR", "begin": 0.5, "T_max": 11.5, "end": 12, **CONVERTED}
    assert text(line, half, each=7) == (
        'chain(phase(linear(0.5, 1, over="2 steps"), over="3 steps"), cosine(1, 0, over="11.5 epochs"))'
    )


# -- several of them ---------------------------------------------------------------------------------------------


def test_the_standard_schedule_needs_no_iterations():
    assert text(WARMUP, DROPS) == 'linear(0.001, 1, over="499 steps") * steps(0.1, at=["8 epochs", "11 epochs"])'
    found = curve(WARMUP, DROPS, each=250)
    assert [found[step] for step in (0, 249, 499, 1999, 2000, 2750)] == near(
        2e-05, 0.009989979959919832, 0.02, 0.02, 0.002, 0.0002
    )


def test_what_touches_is_a_chain():
    warmup = {"type": "LinearLR", "start_factor": 0.001, "end": 5, **CONVERTED}
    cosine = {"type": "CosineAnnealingLR", "T_max": 7, "eta_min": 1e-5, "begin": 5, "end": 12}
    assert text(warmup, cosine) == (
        'chain(phase(linear(0.001, 1, over="5 epochs - 1 step"), over="5 epochs"), '
        'per_epoch(cosine(1, abs(1e-05), over="7 epochs")))'
    )
    poly = {"type": "PolyLR", "eta_min": 1e-5, "power": 0.9, "begin": 1500, "end": 160_000, **STEP}
    assert text({**WARMUP, "end": 1500}, poly, iterations=160_000) == (
        'chain(phase(linear(0.001, 1, over="1499 steps"), over="1500 steps"), poly(1, abs(1e-05), 0.9, over="158499 steps"))'
    )


def test_which_of_two_units_ends_first_is_known_with_the_run():
    cosine = {"type": "CosineAnnealingLR", "T_max": 6, "eta_min": 1e-3, "begin": 6, "end": 12, **CONVERTED}
    recipe = etude.read(config(WARMUP, cosine))
    apart = 'chain(phase(linear(0.001, 1, over="499 steps"), over="6 epochs"), cosine(1, abs(0.001), over="6 epochs"))'
    together = (
        'fold([linear(0.001, 1, over="499 steps"), chain(constant(1, over="6 epochs"), cosine(1, 0, over="6 epochs"))], '
        "floors=[0, abs(0.001)])"
    )
    assert repr(recipe.schedules["lr"]) == repr(recipe.override(steps_per_epoch=83).schedules["lr"]) == together
    assert repr(recipe.override(steps_per_epoch=84).schedules["lr"]) == apart


def test_a_cosine_under_a_warmup_is_drawn_to_its_floor_by_both():
    """A warmup multiplies the whole value, floor and all; the cosine moves on what is above the floor."""
    warmup = {"type": "LinearLR", "start_factor": 0.1, "end": 10, **STEP}
    cosine = {"type": "CosineAnnealingLR", "T_max": 12, "eta_min": 0.001}
    found = curve(warmup, cosine)
    assert [found[step] for step in (0, 6, 7, 9, 35, 83)] == near(
        0.002, 0.014, 0.01574444369716801, 0.019680554621460015, 0.012961508219748105, 0.0013237784735702354
    )


def test_a_second_cosine_begins_where_the_first_has_stopped():
    """The cyclic schedule of MMDetection3D: up to ten times the base value, then down."""
    up = {"type": "CosineAnnealingLR", "T_max": 5, "eta_min": 0.2, "end": 5, **CONVERTED}
    down = {"type": "CosineAnnealingLR", "T_max": 7, "eta_min": 2e-6, "begin": 5, "end": 12, **CONVERTED}
    found, top = curve(up, down), 0.19963768645957153
    assert [found[step] for step in (0, 34, 35, 60, 83)] == near(0.02, top, top, 0.09662052388447095, 0.00020708646434570898)


def test_after_a_floor_the_value_goes_on_from_there():
    poly = {"type": "PolyLR", "eta_min": 0.01, "end": 6}
    decay = {"type": "ExponentialLR", "gamma": 0.5, "begin": 6}
    assert epochs(poly, decay)[5:9] == near(0.01, 0.01, 0.005, 0.0025)


def test_a_warmup_that_sets_values_may_stand_before_what_is_idle():
    quadratic = {"type": "QuadraticWarmupLR", "end": 2, **CONVERTED}
    found = curve(quadratic, DROPS)
    assert [found[step] for step in (0, 13, 55, 56, 77)] == near(0.00010204081632653062, 0.02, 0.02, 0.002, 0.0002)


def test_four_in_turn():
    """As in RTMO: warmup, cosine, a jump up, and a cosine from there."""
    quadratic = {"type": "QuadraticWarmupLR", "end": 2, **CONVERTED}
    jump = {"type": "MultiStepLR", "milestones": [0], "gamma": 2.5, "begin": 6, "end": 7}
    first, second = (
        {"type": "CosineAnnealingLR", "T_max": 5, "eta_min": 0.001, "begin": begin, "end": end, **CONVERTED}
        for begin, end in ((2, 6), (7, 12))
    )
    found, high = curve(quadratic, first, jump, second), 0.00836455268241424
    assert [found[step] for step in (0, 14, 41, 42, 49, 83)] == near(
        0.00010204081632653062, 0.02, 0.0033458210729656965, high, high, 0.0010148237619779866
    )


def test_a_cosine_that_turns_rises_by_the_base_value_wherever_it_began():
    half = {"type": "LinearLR", "start_factor": 0.5, "end_factor": 0.5, "end": 2}
    cosine = {"type": "CosineAnnealingLR", "T_max": 2, "eta_min": 0.001, "begin": 2}
    assert epochs(half, cosine)[:9] == near(0.01, 0.01, 0.01, 0.0055, 0.001, 0.0105, 0.02, 0.0105, 0.001)


# -- plateaus ----------------------------------------------------------------------------------------------------


def fed(each=7):
    """The same loss after each epoch of a run."""
    return [((epoch + 1) * each, 1.0) for epoch in range(12)]


def test_a_plateau_counts_what_is_measured_from_its_begin_to_its_end():
    rule = {"type": "ReduceOnPlateauLR", "patience": 0, "factor": 0.5, "begin": 2, "end": 6}
    assert epochs(rule, metrics=fed())[:8] == near(0.02, 0.02, 0.02, 0.01, 0.005, 0.0025, 0.0025, 0.0025)


def test_a_plateau_multiplies_what_others_make():
    warmup = {"type": "LinearLR", "start_factor": 0.1, "end": 15, **STEP}
    rule = {"type": "ReduceOnPlateauLR", "patience": 1, "factor": 0.5}
    assert epochs(warmup, rule, metrics=fed())[:6] == near(0.002, 0.011, 0.02, 0.01, 0.01, 0.005)
    assert (
        "ReduceOnPlateauLR: falls of 1e-08 or less, which mmengine leaves out, are shown"
        in etude.read(config(warmup, rule)).notes
    )


def test_a_plateau_of_an_iteration_loop_counts_its_validations():
    rule = {"type": "ReduceOnPlateauLR", "patience": 0, "factor": 0.5}
    found = curve(rule, iterations=20, metrics=fed(5)[:4])
    assert found[::5] == near(0.02, 0.02, 0.01, 0.005)


# -- other hyperparameters ---------------------------------------------------------------------------------------


def test_momentum_and_weight_decay_have_schedules_of_their_own():
    cosine = {"type": "CosineAnnealingMomentum", "T_max": 12, "eta_min": 0.8}
    decay = {"type": "LinearParamScheduler", "param_name": "weight_decay", "start_factor": 0.5, "end": 3, **STEP}
    found = curve(cosine, of="momentum")
    assert [found[step] for step in (0, 42, 83)] == near(0.9, 0.85, 0.8017037086855466)
    assert curve(decay, of="weight_decay")[:4] == near(5e-05, 7.5e-05, 0.0001, 0.0001)
    assert text(cosine) == "constant(1)"


def test_the_momentum_of_adam_is_its_first_beta():
    made = config({"type": "LinearMomentum", "start_factor": 0.5, "end": 3, **STEP})
    made["optim_wrapper"] = {"type": "AmpOptimWrapper", "optimizer": {"type": "AdamW", "lr": 1e-3, "betas": (0.8, 0.999)}}
    plan = etude.read(made).override(steps_per_epoch=7).plan()
    assert plan.table()["momentum"][:4, 0].tolist() == near(0.4, 0.6, 0.8, 0.8)


def test_weight_decay_of_0_stays_0_where_mmpretrain_schedules_it():
    cosine = {"type": "CosineAnnealingWeightDecay", "eta_min": 0.2, "T_max": 12}
    made = wrapped({"paramwise_cfg": {"norm_decay_mult": 0.0}}, cosine)
    plan = etude.read(made).override(steps_per_epoch=7).plan()
    assert plan.at(step=42)["weight_decay"] == pytest.approx({"norm": 0.0, "norm bias": 0.0, "rest": 0.10005})
    general = {**cosine, "type": "CosineAnnealingParamScheduler", "param_name": "weight_decay"}
    plan = etude.read({**made, "param_scheduler": [general]}).override(steps_per_epoch=7).plan()
    assert plan.at(step=42)["weight_decay"]["norm"] == pytest.approx(0.1)


# -- loops, batches, groups --------------------------------------------------------------------------------------


def test_an_iteration_loop_is_one_epoch():
    frozen = {"type": "LinearLR", "start_factor": 0.5, "end": 5}
    warmup = {"type": "LinearLR", "start_factor": 0.1, "end": 5, **STEP}
    assert curve(frozen, warmup, iterations=20)[:6] == near(0.001, 0.00325, 0.0055, 0.00775, 0.01, 0.01)
    notes = etude.read(config(DROPS, {**DROPS, "begin": 1, "gamma": 0.2}, {"type": "StepLR", "step_size": 1}, iterations=9)).notes
    assert "StepLR goes by epochs, and max_iters is one epoch to mmengine: it acts once, before the first iteration" in notes
    assert "MultiStepLR goes by epochs, and max_iters is one epoch to mmengine: it never acts" in notes
    with pytest.raises(MissingFactError, match="LinearLR: end 1 epochs are counted in iterations: give --steps-per-epoch"):
        text({"type": "LinearLR", **CONVERTED}, iterations=20)
    assert text({"type": "LinearLR", **CONVERTED}, iterations=20, each=7) == 'linear(0.3333333333333333, 1, over="6 steps")'


def test_the_loader_says_one_device_s_batch():
    loader = {"batch_size": 2, "dataset": {"type": "RepeatDataset", "times": 3, "dataset": {}}}
    recipe = etude.read(config(DROPS, train_dataloader=loader)).override(samples=1000, devices=8)
    assert (recipe.run.batch_size, recipe.run.samples) == (16, 3000)
    assert len(recipe.plan().table()["lr"]) == 12 * 188
    assert "RepeatDataset: an epoch goes 3 times through the samples" in recipe.notes


def test_with_accumulative_counts_schedulers_still_follow_iterations():
    made = wrapped({"accumulative_counts": 4}, {**WARMUP, "end": 5}, train_dataloader={"batch_size": 2})
    recipe = etude.read(made).override(samples=80)
    assert (recipe.clock, repr(recipe.schedules["lr"])) == ("batch", 'linear(0.001, 1, over="4 batches")')
    assert recipe.plan().table()["lr"][:3, 0].tolist() == near(0.015005, 0.02, 0.02)  # the rate of the fourth
    made = wrapped({"accumulative_counts": 4}, {**WARMUP, "end": 5}, iterations=40)
    recipe = etude.read(made)
    assert "the run is shown as one epoch of 40 batches, as mmengine counts it: 4 of them make an update" in recipe.notes
    assert len(recipe.plan().table()["lr"]) == 10


@pytest.mark.parametrize(("batches", "counts", "updates"), [(19, 5, [4, 9, 14, 18]), (1, 2, [0]), (10, 5, [4, 9]), (5, 6, [4])])
def test_the_last_batch_of_a_run_makes_an_update_of_what_is_left(batches, counts, updates):
    """Recorded from OptimWrapper.update_params of mmengine 0.10.7."""
    by_iteration = etude.read(wrapped({"accumulative_counts": counts}, WARMUP, iterations=batches)).plan()
    by_epoch = etude.read(wrapped({"accumulative_counts": counts}, WARMUP, epochs=1, train_dataloader={"batch_size": 2}))
    for plan in (by_iteration, by_epoch.override(samples=2 * batches).plan()):
        assert [plan.clock.batch_of_step(step) for step in range(plan.end())] == updates


def test_batches_beyond_counting_leave_the_last_update_out_and_say_so():
    recipe = etude.read(wrapped({"accumulative_counts": 3}, WARMUP, iterations=2_000_000))
    assert "the run's last update, of 2 batches, is not shown" in recipe.notes
    assert recipe.plan().total == 666_666


def test_a_run_made_of_the_recipe_s_own_says_what_is_new_in_it():
    loader = {"batch_size": 2, "drop_last": True, "dataset": {"type": "RepeatDataset", "times": 3, "dataset": {}}}
    recipe = etude.read(wrapped({"accumulative_counts": 2}, WARMUP, train_dataloader=loader)).override(samples=10)
    assert recipe.plan(recipe.run.override(epochs=5)).total == recipe.override(epochs=5).plan().total == 38
    assert recipe.plan(recipe.run).total == recipe.plan().total


def test_what_is_dropped_is_of_all_the_times_through_the_samples():
    loader = {"batch_size": 6, "drop_last": True, "dataset": {"type": "RepeatDataset", "times": 3, "dataset": {}}}
    recipe = etude.read(config(WARMUP, train_dataloader=loader)).override(samples=7, devices=3)
    assert recipe.run.parts()[0].batches == 1


def test_what_only_the_data_knows_is_told():
    several = {"type": "ConcatDataset", "datasets": [{"type": "RepeatDataset", "times": 20, "dataset": {}}, {"type": "Coco"}]}
    balanced = {"type": "mmdet.ClassBalancedDataset", "dataset": {}}
    for dataset, line in (
        (several, "RepeatDataset repeats samples of one dataset among several: --samples must be the epoch's own number"),
        (balanced, "ClassBalancedDataset repeats samples by its classes: --samples must be the epoch's own number"),
    ):
        assert line in etude.read(config(WARMUP, train_dataloader={"batch_size": 2, "dataset": dataset})).notes


def test_auto_scale_lr_is_off_unless_it_is_enabled():
    scale = {"base_batch_size": 16}
    recipe = etude.read(config(DROPS, auto_scale_lr=scale)).override(batch_size=8, samples=80)
    assert recipe.optimizer.lr == 0.02
    assert recipe.notes == ("lr 0.02 is for a batch of 16, and it is 8: --set auto_scale_lr.enable=true makes it 0.01",)
    on = etude.read(config(DROPS, auto_scale_lr={**scale, "enable": True}))
    assert on.override(batch_size=8, samples=80).optimizer.lr == 0.01
    with pytest.raises(MissingFactError, match="auto_scale_lr follows from the batch: give --batch-size, or --devices"):
        on.plan()


def test_paramwise_cfg_makes_groups():
    keys = {"backbone": {"lr_mult": 0.1, "decay_mult": 0.5}, "head": {"lr_mult": 2}}
    made = wrapped({"paramwise_cfg": {"custom_keys": keys, "norm_decay_mult": 0}}, WARMUP, DROPS)
    recipe = etude.read(made)
    assert list(recipe.groups) == ["backbone", "head", "norm", "norm bias", "rest"]
    at = recipe.override(steps_per_epoch=250).plan().at(step=2000)
    assert at["lr"] == pytest.approx({"backbone": 0.0002, "head": 0.004, "norm": 0.002, "norm bias": 0.002, "rest": 0.002})
    assert at["weight_decay"] == pytest.approx({"backbone": 5e-05, "head": 1e-4, "norm": 0, "norm bias": 0, "rest": 1e-4})


@pytest.mark.parametrize(
    ("paramwise", "groups"),
    [
        (  # a key that is called as a kind is
            {"norm_decay_mult": 0.5, "custom_keys": {"norm": {"lr_mult": 0.1}}},
            {"norm": ["norm.bias", "norm.weight"], "norm-": ["bn.weight"], "norm bias": ["bn.bias"]},
        ),
        (  # a bias is what is called so, and a key with a dot begins at the model itself
            {"bias_decay_mult": 0, "custom_keys": {".cls_token": {"decay_mult": 0}}},
            {".cls_token": ["cls_token"], "bias": ["attention.out_proj.bias", "bn.bias", "norm.bias"]},
        ),
        (  # of a norm's bias the rate is its own
            {"bias_lr_mult": 2, "flat_decay_mult": 0},
            {
                "norm": ["bn.weight"],
                "norm bias": ["bn.bias"],
                "bias": ["attention.out_proj.bias", "norm.bias"],
                "other bias": ["attention.in_proj_bias"],
            },
        ),
        ({"flat_decay_mult": 0}, {"bias": ["attention.in_proj_bias", "attention.out_proj.bias", "bn.bias", "norm.bias"]}),
    ],
)
def test_parameters_of_each_group(paramwise, groups):
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cls_token = torch.nn.Parameter(torch.zeros(1))
            self.attention = torch.nn.MultiheadAttention(2, 1)
            self.bn, self.norm = torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2)

    model = Model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    optimizer = etude.torch.build(model, etude.read(wrapped({"paramwise_cfg": paramwise}, WARMUP)))
    found = {group["name"]: sorted(names[id(one)] for one in group["params"]) for group in optimizer.param_groups}
    for name, parameters in groups.items():
        assert parameters == found[name]


def test_a_flat_multiplier_without_a_weight_decay_multiplies_nothing():
    made = config(WARMUP)
    made["optim_wrapper"] = {"optimizer": {"type": "AdamW", "lr": 1.0}, "paramwise_cfg": {"flat_decay_mult": 0.0}}
    assert etude.read(made).groups == {}


def test_settings_of_mmcv_are_dead_where_they_say_something_else():
    notes = etude.read(config(DROPS, lr_config={"policy": "step"}, total_epochs=24), dialect="mmengine").notes
    assert notes == (
        "ignored: lr_config: mmengine reads param_scheduler instead",
        "ignored: total_epochs: mmengine reads train_cfg.max_epochs instead",
    )
    assert etude.read(config(DROPS, total_epochs=12)).notes == ()


def test_samples_are_not_used_where_updates_of_several_iterations_end_by_them():
    made = wrapped({"accumulative_counts": 4}, {**WARMUP, "end": 5}, iterations=40)
    told = "--samples is not used: the run is as long as max_iters, whatever an epoch of the data is"
    assert told in etude.read(made).override(samples=300).notes
    assert told not in etude.read(made).notes


def test_classes_that_are_none_of_the_framework_s_own_are_told():
    made = wrapped({"type": "AmpOptimWraper"}, DROPS)
    made["train_cfg"] = {"type": "MyIterTrainLoop", "max_iters": 90}
    made["optim_wrapper"]["optimizer"] = {"type": "SDG", "lr": 0.1, "whatever": 3}
    loop = "MyIterTrainLoop is none of mmengine's train loops: did you mean 'IterBasedTrainLoop'; taken for a class of your own"
    assert etude.read(made).notes[:3] == (
        "AmpOptimWraper is none of mmengine's optim_wrappers: did you mean 'AmpOptimWrapper'; taken for a class of your own",
        f"{loop} that counts iterations",
        "SDG is none of torch's optimizers: did you mean 'SGD'; taken for a class of your own",
    )


@pytest.mark.parametrize(("loader", "needed"), [({"batch_size": 2}, "--samples"), ({}, "--samples and --batch-size")])
def test_facts_that_the_file_holds_are_not_asked_for(loader, needed):
    made = config({"type": "OneCycleLR", "eta_max": 0.1, **STEP}, train_dataloader=loader)
    with pytest.raises(MissingFactError, match=f"of an epoch: give --steps-per-epoch, or {needed}$"):
        etude.read(made).plan()
    with pytest.raises(InputError, match=f"steps per epoch: give --steps-per-epoch, or {needed}$"):
        etude.read(config(DROPS, train_dataloader=loader)).plan()
    several = wrapped({"accumulative_counts": 3}, DROPS, train_dataloader=loader)
    with pytest.raises(InputError, match=f"12 epochs need batches per epoch: give {needed}$"):
        etude.read(several).plan()
    with pytest.raises(InputError, match=f"an epoch is counted in batches: give {needed}$"):
        etude.read(several).override(steps_per_epoch=9)


def test_a_milestone_that_is_never_met_is_told():
    late = {**DROPS, "milestones": [8, 12, 20]}
    assert etude.read(config(late)).notes == (
        "MultiStepLR: milestone 12 is never met: it acts for 12 epochs, counted from its begin",
        "MultiStepLR: milestone 20 is never met: it acts for 12 epochs, counted from its begin",
    )


def test_only_what_follows_from_the_iterations_of_an_epoch_asks_for_them():
    cosine = {"type": "CosineAnnealingLR", "begin": 5, "end": 12, "eta_min": 1e-3}
    warmup = {"type": "QuadraticWarmupLR", "end": 500, **STEP}
    with pytest.raises(MissingFactError, match=r"it follows from the length of an epoch whether QuadraticWarmupLR acts alone"):
        text(warmup, cosine)
    assert text(warmup, cosine, each=100).startswith('chain(phase(skip(power(0, 1, 2, over="500 steps"), "1 step")')
    with pytest.raises(MissingFactError, match="OneCycleLR follows from the iterations of an epoch: give --steps-per-epoch"):
        text({"type": "OneCycleLR", "eta_max": 0.1, **STEP})


# -- what is refused ---------------------------------------------------------------------------------------------

RESTART = {"type": "CosineRestartLR", "periods": [4], "eta_min": 0}
CYCLE = {"type": "OneCycleLR", "eta_max": 0.1}
PLATEAU = {"type": "ReduceOnPlateauLR"}
POLY = {"type": "PolyLR", "eta_min": 0.001, "end": 5}


@pytest.mark.parametrize(
    ("schedulers", "message"),
    [
        ([{"type": "CosineAnealingLR"}], r"param_scheduler: there is no 'CosineAnealingLR'; did you mean 'CosineAnnealingLR'"),
        ([{"type": "LinearWeightDecay"}], r"there is no 'LinearWeightDecay'"),
        ([{"type": "OneCycleMomentum"}], r"OneCycleMomentum: it is for the learning rate alone"),
        (
            [{"type": "StepParamScheduler", "param_name": "eps", "step_size": 1}],
            r"must be lr, momentum or weight_decay, got 'eps'",
        ),
        ([{**DROPS, "gama": 1}], r"MultiStepLR: has no setting 'gama'; did you mean 'gamma'"),
        ([{**DROPS, "last_step": 3}], r"last_step must be left out, got 3"),
        ([{**WARMUP, "convert_to_iter_based": True}], r"convert_to_iter_based is for schedulers by epoch"),
        ([{**DROPS, "begin": 12}], r"end must be larger than begin, got 12 epochs and 12 epochs"),
        ([{**DROPS, "begin": 2.5}], r"begin must be a whole number, of which mmengine counts its steps; got 2.5"),
        ([{**DROPS, "milestones": 8}], r"milestones must be a list of numbers, got 8"),
        ([{**DROPS, "milestones": "8, 11"}], r"milestones must be a list of numbers, got '8, 11': write \[8, 11\]"),
        ([{"type": "MyLR"}], r"there is no 'MyLR'.*; a class of your own is not read"),
        ([{"type": "LinearLR", "start_factor": 1.5}], r"start_factor must be at least 0 and at most 1, got 1.5"),
        ([{"type": "LinearLR", "start_factor": 0}], r"start_factor 0 leads nowhere: mmengine divides by it at its second step"),
        ([{"type": "ConstantLR", "factor": 0}], r"factor 0 leads nowhere: mmengine divides by it at its end"),
        ([{"type": "ConstantMomentum", "factor": 2}], r"factor must be at least 0 and at most 1, got 2"),
        ([{"type": "CosineAnnealingLR", "eta_min": 0, "eta_min_ratio": 0}], r"give eta_min or eta_min_ratio, not both"),
        ([{"type": "CosineAnnealingLR", "T_max": -1}], r"T_max must be above 0, got -1"),
        ([{"type": "PolyLR", "eta_min": None}], r"PolyLR: eta_min must be a finite number, got None"),
        ([{"type": "QuadraticWarmupLR", "end": 2.5, **CONVERTED}], r"begin and end must be whole numbers: in a part of an epoch"),
        ([{**RESTART, "eta_min": None}], r"give eta_min or eta_min_ratio"),
        ([{**RESTART, "periods": [4, 8]}], r"there must be a weight for each period, a whole number; got \[4, 8\] and \(1,\)"),
        ([{**CYCLE, "pct_start": 1}], r"pct_start must be a float from 0 to 1, got 1"),
        ([{**CYCLE, "div_factor": 0}], r"eta_max, div_factor and final_div_factor must not be 0"),
        ([{**CYCLE, "total_steps": 9}], r"total_steps is 9, and it goes on to its step 11, where mmengine raises: give 11"),
        ([{**CYCLE, "end": 10, "pct_start": 0.1}], r"pct_start 0.1 of 10 steps leaves a phase without length"),
        (
            [{**CYCLE, "total_steps": 10, "end": 11, "anneal_strategy": "linear"}],
            r"its step 10 is past its end, where mmengine's line goes on: give total_steps 11",
        ),
        ([{**PLATEAU, "by_epoch": False}], r"ReduceOnPlateauLR: it goes by epochs"),
        ([{**PLATEAU, "factor": 1}], r"factor must be at least 0 and below 1, got 1"),
        ([{**PLATEAU, "min_value": 1e-3}, WARMUP], r"min_value and eps are of a value that another scheduler moves as well"),
        ([CYCLE, WARMUP], r"OneCycleLR writes values of its own, which another scheduler moves: no schedule says that"),
        (
            [{**CYCLE, "end": 6}, {**RESTART, "begin": 6}],
            r"it goes by the base value, in whose place OneCycleLR before it has put its own",
        ),
        (
            [POLY, {"type": "StepLR", "step_size": 2}],
            r"StepLR moves the value on from the floor of PolyLR: no schedule says that",
        ),
        ([{**CYCLE, "end": 6, "total_steps": 12}, {**POLY, "begin": 6, "end": 9}], r"that another scheduler leads to a floor"),
    ],
)
def test_what_mmengine_refuses_and_what_no_schedule_says(schedulers, message):
    with pytest.raises(InputError, match=message):
        etude.read(config(*schedulers)).override(steps_per_epoch=7).plan()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_cfg": {"max_epochs": 12}}, r"there must be one of type and by_epoch, by which mmengine builds its loop"),
        ({"train_cfg": {"type": "EpochBasedTrainLoop", "by_epoch": True, "max_epochs": 12}}, r"it refuses both, and neither"),
        ({"train_cfg": {"by_epoch": True, "max_epochs": 2.5}}, r"max_epochs must be a whole number of at least 1, got 2.5"),
        (
            {"default_hooks": {"param_scheduler": {"type": "YOLOv5ParamSchedulerHook"}}},
            r"writes rates of its own and is not read",
        ),
        ({"optim_wrapper": {"g": {"optimizer": {}}, "d": {"optimizer": {}}}}, r"several optimizers, g, d: a recipe is of one"),
        ({"param_scheduler": {"g": [DROPS], "d": [DROPS]}}, r"param_scheduler is for several optimizers, g, d"),
        ({"optim_wrapper": {"optimizer": {"lr": 0.1}}}, r"optim_wrapper: optimizer: 'type' is missing"),
    ],
)
def test_configs_that_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        etude.read({**config(DROPS), **settings}).plan()


def test_facts_that_a_loop_does_not_count_in_are_refused():
    with pytest.raises(InputError, match="it counts epochs: give --epochs, not --steps"):
        etude.read(config(DROPS)).override(steps=100)
    with pytest.raises(InputError, match="it counts iterations: give --steps, not --epochs"):
        etude.read(config(WARMUP, iterations=90)).override(epochs=3)
    assert len(etude.read(config(WARMUP, iterations=90)).override(steps=40).plan().table()["lr"]) == 40


# -- beside mmengine itself, where it is installed ---------------------------------------------------------------

TWINS = [
    [WARMUP, DROPS],
    [{"type": "LinearLR", "end": 3, **CONVERTED}, {"type": "CosineAnnealingLR", "begin": 3, "eta_min": 1e-4, **CONVERTED}],
    [{"type": "LinearLR", "end": 30, **STEP}, {"type": "CosineAnnealingLR", "T_max": 5, "eta_min_ratio": 0.1}],
    [{"type": "PolyLR", "eta_min": 1e-3, "end": 7, **CONVERTED}, {"type": "ExponentialLR", "gamma": 0.9, "begin": 7}],
    [{**CYCLE, "three_phase": True}],
    [{**RESTART, "periods": [3, 5], "restart_weights": [1, 0.5], "end": 8}, {"type": "ConstantLR", "begin": 8, "end": 10}],
]


@pytest.mark.parametrize("schedulers", TWINS)
def test_values_are_mmengine_s_own(schedulers):
    registry = pytest.importorskip("mmengine.registry")
    pytest.importorskip("mmengine.optim")
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02, momentum=0.9)
    built = [
        registry.PARAM_SCHEDULERS.build(
            {"end": 12 if one.get("by_epoch", True) else 84, **copy.deepcopy(one)},
            default_args={"optimizer": optimizer, "epoch_length": 7},
        )
        for one in schedulers
    ]
    theirs = []
    for step in range(84):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for by_epoch in (False, True) if step % 7 == 6 else (False,):
            for one in built:
                if one.by_epoch == by_epoch:
                    one.step()
    assert curve(*schedulers) == near(*theirs)
