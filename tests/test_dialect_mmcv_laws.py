"""The laws of MMCV 1.x's lr_config and momentum_config. Figures are recorded from MMCV's own hooks, or worked out beside them."""

from __future__ import annotations

import math

import pytest

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.dialects.mmcv.hooks import Horizon
from etude.dialects.mmcv.laws import lr_schedule
from etude.dialects.mmcv.momentum import momentum_schedule
from etude.errors import MissingFactError

GROUPS = {"base": (1, 1), "tenth": (0.1, 1), "double": (2, 0.9)}  # factors of lr and momentum, as recorded
STANDARD = {"policy": "step", "warmup": "linear", "warmup_iters": 500, "warmup_ratio": 0.001, "step": [8, 11]}


def horizon(epochs=12, each=None, steps=None, momentum=0.9):
    steps = epochs * each if epochs and each else steps
    return Horizon(epochs, each, steps, 0.02, momentum, [])


def text(config, law=lr_schedule, **run):
    return repr(law(config, horizon(**run)))


def plan(lr, momentum=None, *, epochs=12, each=7, steps=None, base=0.02):
    """The plan of three groups in a run of 12 epochs of 7 iterations, or of so many steps by an IterBasedRunner."""
    groups = {name: Group(lr=base * times, momentum=0.9 * part) for name, (times, part) in GROUPS.items()}
    here = horizon(None if steps else epochs, each, steps)
    schedules = {"lr": lr_schedule(lr, here)}
    if momentum and (found := momentum_schedule(momentum, here)):
        schedules["momentum"] = found[0]
    run = Run(steps=steps) if steps else Run(epochs=epochs, steps_per_epoch=each)
    return Recipe(optimizer=Optimizer(name="SGD", lr=base, momentum=0.9), groups=groups, schedules=schedules).plan(run)


def rates(lr, step, **run):
    return list(plan(lr, **run).at(step)["lr"].values())


def momenta(config, step):
    return list(plan({"policy": "fixed"}, config).at(step)["momentum"].values())


def close(*figures):
    return pytest.approx(list(figures), rel=1e-10)


def refused(config, message, law=lr_schedule, **run):
    with pytest.raises(InputError, match=message):
        law(config, horizon(**run))


# -- the learning rate -------------------------------------------------------------------------------------------


def test_the_standard_schedule_needs_no_iterations():
    assert text(STANDARD) == 'linear(0.001, 1, over="500 steps") * steps(0.1, at=["8 epochs", "11 epochs"])'
    assert rates(STANDARD, 0, each=250) == close(2e-05, 2e-06, 4e-05)
    assert rates(STANDARD, 499, each=250) == close(0.01996004, 0.001996004, 0.03992008)
    assert [rates(STANDARD, step, each=250)[0] for step in (500, 1999, 2000, 2750)] == close(0.02, 0.02, 0.002, 0.0002)


def test_a_warmup_multiplies_the_rate_of_its_own_moment():
    """Longer than the run, it goes on through the drops: 0.02 * 0.1 * (1 - (1 - 60 / 500) 0.999) at epoch 8."""
    assert rates(STANDARD, 60)[0] == pytest.approx(0.002 * (1 - 0.88 * 0.999), rel=1e-10)


@pytest.mark.parametrize(
    ("warmup", "written"),
    [
        ({"warmup": "linear", "warmup_iters": 3, "warmup_by_epoch": True}, 'linear(0.1, 1, over="3 epochs")'),
        ({"warmup": "exp", "warmup_iters": 14, "warmup_ratio": 0.01}, 'exponential(0.01, 1, over="14 steps")'),
        ({"warmup": "constant", "warmup_iters": 10}, 'chain(constant(0.1, over="10 steps"), constant(1))'),
        ({"warmup": "linear", "warmup_iters": 10, "warmup_ratio": 1.0}, "constant(1)"),
        ({"warmup": None, "warmup_iters": 10}, "constant(1)"),
    ],
)
def test_each_warmup_alone(warmup, written):
    assert text({"policy": "fixed", **warmup}) == written


@pytest.mark.parametrize(
    ("config", "written"),
    [
        ({"policy": "step", "step": 3, "by_epoch": False}, 'steps(0.1, every="3 steps")'),
        ({"policy": "step", "step": []}, "constant(1)"),
        ({"policy": "step", "step": [9, 4], "gamma": 0.5}, 'steps(0.5, at=["9 epochs", "9 epochs"])'),
        ({"policy": "exp", "gamma": 0.9}, 'steps(0.9, every="1 epoch")'),
        ({"policy": "exp", "gamma": 0.999, "by_epoch": False}, 'decay(0.999, per="1 step")'),
        ({"policy": "poly", "power": 0.9, "min_lr": 1e-4}, "per_epoch(poly(1, abs(0.0001), 0.9))"),
        ({"policy": "poly", "by_epoch": False}, "linear(1, 0)"),
        ({"policy": "inv", "gamma": 0.1, "power": 0.75}, 'per_epoch(inverse(0.1, per="1 epoch", power=0.75))'),
        ({"policy": "CosineAnnealing", "min_lr": 0}, "per_epoch(cosine(1, 0))"),
        ({"policy": "CosineAnnealing", "min_lr_ratio": 0.05, "by_epoch": False}, "cosine(1, 0.05)"),
        ({"policy": "LinearAnnealing", "min_lr": 1e-4}, "per_epoch(linear(1, abs(0.0001)))"),
        (
            {"policy": "FlatCosineAnnealing", "min_lr_ratio": 0.01},
            'per_epoch(chain(constant(1, over="9 epochs"), cosine(1, 0.01)))',
        ),
    ],
)
def test_each_policy_in_few_words(config, written):
    assert text(config) == written
    assert repr(etude.parse(written)) == written


def test_a_floor_is_the_same_for_every_group():
    config = {"policy": "step", "step": [8, 11], "min_lr": 0.0005, "warmup": "linear", "warmup_iters": 3, "warmup_ratio": 0.25}
    config["warmup_by_epoch"] = True
    assert rates(config, 20) == close(0.019285714285714285, 0.0019285714285714284, 0.03857142857142857)
    assert rates(config, 83) == close(0.0005, 0.0005, 0.0005)


def test_milestones_out_of_order_are_reached_together():
    config = {"policy": "step", "step": [9, 4]}
    assert [rates(config, epoch * 7)[0] for epoch in (4, 8, 9)] == close(0.02, 0.02, 0.0002)


def test_a_power_or_gamma_that_no_shape_has():
    poly = {"policy": "poly", "power": -0.5, "min_lr": 1e-4}
    assert rates(poly, 83)[1] == pytest.approx(1e-4 + (0.002 - 1e-4) * (1 / 12) ** -0.5, rel=1e-10)
    assert rates({"policy": "inv", "gamma": -0.05, "power": 2}, 83)[0] == pytest.approx(0.02 / 0.45**2, rel=1e-10)


def test_flat_cosine_rounds_its_start_half_to_even():
    flat = {"policy": "FlatCosineAnnealing", "min_lr_ratio": 0.01, "by_epoch": False, "start_percent": 0.7}
    assert text(flat, epochs=5, each=9) == 'chain(constant(1, over="31 steps"), cosine(1, 0.01))'  # 45 * 0.7 is just below 31.5
    assert text({**flat, "start_percent": 1.0}, each=7) == "constant(1)"


def test_restarts_weigh_the_distance_from_the_floor():
    config = {"policy": "CosineRestart", "periods": [3, 4, 5], "restart_weights": [1, 0.5, 0.25], "min_lr": 1e-5}
    assert rates(config, 20) == close(0.0050075, 0.0005075, 0.0100075)
    assert rates(config, 21) == close(0.010005, 0.001005, 0.020005)
    assert rates(config, 83) == close(0.00048721878530560037, 5.7507022649231845e-05, 0.000964676299368232)
    assert text({**config, "restart_weights": [1, 1, 1], "periods": [4, 0, 8]}) == (
        'per_epoch(chain(cosine(1, abs(1e-05), over="4 epochs"), cosine(1, abs(1e-05), over="8 epochs")))'
    )


def test_cycles_in_whole_iterations():
    config = {"policy": "cyclic", "cyclic_times": 3}
    assert text(config, each=7) == 'repeat(chain(cosine(1, 10, over="11 steps"), cosine(10, 0.0001)), "28 steps")'
    lone = {"policy": "cyclic", "target_ratio": (10, 1e-4), "step_ratio_up": 0.3}
    assert rates(lone, 24) == close(0.199290323118303, 0.0199290323118303, 0.398580646236606)
    assert text({"policy": "cyclic", "target_ratio": 4.0, "step_ratio_up": 0}, each=7) == "cosine(4, 4e-05)"


def test_gamma_draws_the_peak_of_a_cycle_towards_1():
    config = {"policy": "cyclic", "cyclic_times": 2, "gamma": 0.5}
    assert [rates(config, step, base=0.001)[0] for step in (16, 42, 58)] == close(0.01, 0.001, 0.0055)
    assert rates(config, 83, base=0.001)[2] == pytest.approx(4.030046334811295e-05, rel=1e-10)


def test_one_cycle_is_absolute():
    config = {"policy": "OneCycle", "max_lr": 0.1}
    assert rates(config, 24) == close(*[0.0999838223345686] * 3)
    assert rates(config, 83) == close(*[4e-07] * 3)
    three = {**config, "three_phase": True}
    assert [rates(three, step)[0] for step in (0, 48, 49)] == close(0.004, 0.004064699756856495, 0.003997033125320026)
    here = horizon(each=7)
    lr_schedule(config, here)
    assert here.notes == [
        "lr_config (OneCycle): the learning rate begins at 0.004, max_lr / div_factor; the optimizer's is not used"
    ]


def test_one_cycle_has_one_peak_for_all_groups():
    config = {"policy": "OneCycle", "max_lr": 0.1, "total_steps": 100}
    assert rates(config, 83) == close(0.012346777314112658, 0.012346777314112658, 0.012346777314112658)
    refused({**config, "max_lr": [0.1, 0.05]}, "max_lr must be a number, the same for all groups, got", each=7)


def test_one_cycle_that_begins_before_the_run():
    """pct_start 0 puts the peak at iteration -1, so that the first is a little below it: cos(pi / 84)."""
    low, start = 4e-07, rates({"policy": "OneCycle", "max_lr": 0.1, "pct_start": 0.0}, 0)[0]
    assert start == pytest.approx(low + (0.1 - low) * (1 + math.cos(math.pi / 84)) / 2, rel=1e-10)


def test_yolox_warms_up_by_a_square_and_ends_flat():
    config = {"policy": "YOLOX", "warmup": "exp", "by_epoch": False, "warmup_by_epoch": True, "warmup_ratio": 1}
    config |= {"warmup_iters": 5, "num_last_epochs": 15, "min_lr_ratio": 0.05}
    written = 'skip(chain(power(0, 1, 2, over="5 epochs"), cosine(1, 0.05, over="280 epochs")), "1 step")'
    assert text(config, epochs=300) == written
    short = {**config, "warmup_iters": 2, "num_last_epochs": 3}
    assert [rates(short, step, base=0.001)[0] for step in (0, 13, 14)] == close(
        5.102040816326531e-06, 0.001, 0.0009990240615564098
    )
    assert [rates(short, step, base=0.001)[0] for step in (61, 62, 83)] == close(5.0975938443590245e-05, 5e-05, 5e-05)


def test_yolox_by_epoch_counts_iterations_as_epochs():
    """The last epoch takes 7 of 24 epochs, the warmup of 2 iterations another 2; the cosine begins below its top."""
    config = {
        "policy": "YOLOX",
        "warmup": "exp",
        "warmup_ratio": 1,
        "warmup_iters": 2,
        "num_last_epochs": 1,
        "min_lr_ratio": 0.05,
    }
    found = [rates(config, step, epochs=24)[0] for step in (0, 1, 2, 7, 111, 112)]
    assert found == close(0.005, 0.02, 0.019792402206971156, 0.02, 0.001207597793028846, 0.001)


def test_yolox_whose_end_comes_before_its_warmup_is_over():
    config = {"policy": "YOLOX", "warmup": "exp", "warmup_iters": 14, "warmup_ratio": 1, "by_epoch": False, "min_lr": 1e-4}
    assert [rates({**config, "num_last_epochs": 11}, step)[0] for step in (6, 13, 14)] == close(0.005, 0.02, 1e-4)


def test_yolox_with_a_cosine_of_one_iteration():
    config = {"policy": "YOLOX", "warmup": "linear", "warmup_iters": 1, "warmup_ratio": 0.5, "by_epoch": False, "min_lr": 1e-5}
    found = [rates({**config, "num_last_epochs": 1}, step, epochs=3, each=1)[0] for step in (0, 1, 2)]
    assert found == close(0.01, 1e-5, 1e-5)


def test_an_iter_based_runner_counts_iterations_and_never_an_epoch():
    assert text({"policy": "step", "step": [16, 22]}, epochs=None) == 'steps(0.1, at=["16 steps", "22 steps"])'
    here = horizon(None, 7, 90)
    assert lr_schedule({**STANDARD, "by_epoch": True}, here) == etude.constant(1)
    assert here.notes == ["lr_config (Step): by_epoch=True never changes the learning rate: an IterBasedRunner has no epochs"]
    assert momentum_schedule({"policy": "step", "step": [4, 9]}, here) is None
    assert "by_epoch, which is the default, never changes momentum" in here.notes[1]
    yolox = {"policy": "YOLOX", "warmup": "exp", "warmup_iters": 2, "num_last_epochs": 0, "min_lr": 0, "by_epoch": True}
    assert [rates({**yolox, "warmup_ratio": 1}, step, steps=9)[0] for step in (0, 1, 8)] == close(0.005, 0.02, 0.02)
    refused({**STANDARD, "warmup_by_epoch": True}, "warmup_by_epoch needs an EpochBasedRunner", epochs=None, steps=90)


# -- momentum ----------------------------------------------------------------------------------------------------


def test_a_momentum_warmup_divides():
    config = {"policy": "CosineAnnealing", "min_momentum": 0.5, "by_epoch": False, "warmup": "linear", "warmup_iters": 10}
    assert text(config, momentum_schedule) == (
        '(formula("1 / (1 - (1 - 0.9) * max(0, 1 - step / 10))") * cosine(1, abs(0.5)), None)'
    )
    assert momenta(config, 0) == close(1, 1, 0.9)
    assert momenta(config, 5) == close(0.9436982048912186, 0.9436982048912186, 0.8497871614222735)
    assert momenta(config, 10) == close(0.8861747497288408, 0.8861747497288408, 0.7992854310398517)
    exp = {"policy": "step", "step": [4, 9], "gamma": 0.9, "warmup": "exp", "warmup_iters": 10}
    assert [momenta(exp, step)[0] for step in (0, 9, 10, 83)] == close(1, 0.9095325760829621, 0.9, 0.729)
    constant = {**exp, "warmup": "constant"}
    assert [momenta(constant, step)[2] for step in (9, 10)] == close(0.9, 0.81)


def test_momentum_has_its_own_defaults():
    assert text({"policy": "step", "step": 2, "min_momentum": 0.6}, momentum_schedule) == (
        '(clip(steps(0.5, every="2 epochs"), lo=abs(0.6)), None)'
    )
    assert momenta({"policy": "LinearAnnealing", "min_momentum_ratio": 0.5}, 42) == close(0.675, 0.675, 0.6075)
    cycles = {"policy": "cyclic", "cyclic_times": 2, "gamma": 0.5}
    assert momenta(cycles, 41) == close(0.8996546308783289, 0.8996546308783289, 0.809689167790496)
    assert momenta(cycles, 58) == close(0.8526315789473685, 0.8526315789473685, 0.7673684210526317)


def test_one_cycle_puts_another_momentum_in_place():
    schedule, base = momentum_schedule({"policy": "OneCycle", "max_momentum": 0.97}, horizon(each=7))
    assert base == 0.97
    assert repr(schedule).startswith('chain(cosine(abs(0.97), abs(0.85), over="24.2 steps")')
    assert momenta({"policy": "OneCycle"}, 24) == close(*[0.8500168517348243] * 3)
    assert momenta({"policy": "OneCycle", "three_phase": True}, 83) == close(0.95, 0.95, 0.95)


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"policy": "cosineannealing"}, "looks for 'CosineannealingLrUpdaterHook'; did you mean 'CosineAnnealing'"),
        ({"step": 3}, "policy must name one of Fixed, .*; got None"),
        ({"policy": "fixed", "gamma": 1}, r"lr_config \(Fixed\): has no setting 'gamma'"),
        ({"policy": "fixed", "warmup": "cosine"}, "warmup must be 'constant' or 'linear' or 'exp', got 'cosine'"),
        ({"policy": "fixed", "warmup": "exp"}, "warmup 'exp' needs warmup_iters, how long it is$"),
        (
            {"policy": "fixed", "warmup": "exp", "warmup_iter": 5, "warmup_ratio": 0.1},
            "warmup 'exp' needs warmup_iters, how long it is; did you mean it by 'warmup_iter'",
        ),
        ({"policy": "fixed", "warmup": "exp", "warmup_iters": 0}, "warmup_iters must be a whole number of at least 1, got 0"),
        ({"policy": "Mine"}, "'MineLrUpdaterHook'; known: .*; a class of your own is not read"),
        (
            {"policy": "CosineAnnealing", "min_lr": 0, "step": [8, 11]},
            "has no setting 'step', which is another policy's: .* write _delete_=True beside the policy, or --set lr_config.step=null",
        ),
        ({"policy": "fixed", "warmup_iters": 2.0}, "warmup_iters must be a whole number, got 2.0"),
        (
            {"policy": "fixed", "warmup": "exp", "warmup_iters": 1, "warmup_ratio": 0},
            "warmup_ratio must be above 0 and at most 1",
        ),
        ({"policy": "step", "step": [8, 11.0]}, r"step\[1\] must be a whole number of at least 1, got 11.0"),
        ({"policy": "step", "step": (8, 11)}, "step must be a whole number or a list of them"),
        ({"policy": "step", "step": "16,22"}, r"step must be a whole number or a list of them, got '16,22': write \[16,22\]"),
        ({"policy": "exp"}, "'gamma' is missing"),
        ({"policy": "CosineAnnealing"}, "give either min_lr or min_lr_ratio, got neither"),
        ({"policy": "LinearAnnealing", "min_lr": 0, "min_lr_ratio": 0}, "give either min_lr or min_lr_ratio, got both"),
        (
            {"policy": "FlatCosineAnnealing", "min_lr": 0, "start_percent": 1},
            "start_percent must be a float from 0.0 to 1.0, got 1",
        ),
        ({"policy": "CosineRestart", "periods": [3, 4], "min_lr": 0}, "must be equally many, got 2 and 1"),
        ({"policy": "CosineRestart", "periods": [11], "min_lr": 0}, "must last for the 12 epochs of the run, got 11"),
        ({"policy": "CosineRestart", "periods": [-1], "min_lr": 0}, "periods must not be negative"),
        ({"policy": "cyclic", "by_epoch": True}, "by_epoch must be False"),
        ({"policy": "cyclic", "target_ratio": [10, 1e-4]}, r"target_ratio must be a float or a tuple, got \[10, 0.0001\]"),
        ({"policy": "cyclic", "target_ratio": (1, 2, 3)}, "target_ratio must hold one number or two, got 3"),
        ({"policy": "cyclic", "step_ratio_up": 1.0}, "step_ratio_up must be below 1"),
        ({"policy": "cyclic", "cyclic_times": 85}, "must leave each cycle an iteration, got 85 for 84"),
        ({"policy": "cyclic", "gamma": 0}, "gamma must be above 0 and at most 1, got 0"),
        ({"policy": "OneCycle", "max_lr": (0.1,)}, "max_lr must be a number, the same for all groups"),
        (
            {"policy": "OneCycle", "max_lr": 1, "total_steps": 83},
            "total_steps must be at least the 84 iterations of the run, got 83",
        ),
        ({"policy": "OneCycle", "max_lr": 1, "pct_start": 1 / 84}, "is a single one, over which MMCV divides 0 by 0"),
        ({"policy": "OneCycle", "max_lr": 1, "pct_start": 0}, "pct_start must be a float"),
        ({"policy": "OneCycle", "max_lr": 1, "div_factor": 0}, "div_factor and final_div_factor must not be 0"),
        (
            {"policy": "YOLOX", "num_last_epochs": 10, "min_lr": 0, "warmup": "exp", "warmup_iters": 14, "by_epoch": False},
            "num_last_epochs 10 and the warmup leave nothing between them",
        ),
    ],
)
def test_what_mmcv_refuses_is_refused(config, message):
    refused(config, message, each=7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"policy": "fixed"}, "MMCV has no policy 'fixed': it looks for 'FixedMomentumUpdaterHook'"),
        ({"policy": "step", "step": 3, "warmup_by_epoch": True}, "has no setting 'warmup_by_epoch'"),
        ({"policy": "CosineAnnealing"}, "give either min_momentum or min_momentum_ratio, got neither"),
        ({"policy": "OneCycle", "max_momentum": 1}, "max_momentum must be a float, the same for all groups, got 1"),
    ],
)
def test_what_mmcv_refuses_of_momentum(config, message):
    refused(config, message, momentum_schedule, each=7)


def test_an_optimizer_without_momentum_can_have_no_schedule_of_it():
    refused({"policy": "step", "step": 3}, "the optimizer has neither momentum nor betas", momentum_schedule, momentum=None)


def test_missing_iterations_are_asked_for():
    for config in ({"policy": "cyclic"}, {"policy": "OneCycle", "max_lr": 0.1}):
        with pytest.raises(MissingFactError, match="give --steps-per-epoch, or --samples and --batch-size"):
            lr_schedule(config, horizon())
    with pytest.raises(MissingFactError, match="give --steps"):
        lr_schedule({"policy": "cyclic"}, horizon(epochs=None))


def test_a_setting_of_another_policy_may_be_set_to_null():
    assert text({"policy": "CosineAnnealing", "min_lr": 0, "step": None}) == "per_epoch(cosine(1, 0))"


def test_steps_out_of_order_are_told():
    """MMCV counts the steps before the first that is still ahead: of 11 and 8 none at epoch 8, and both at epoch 11."""
    here = horizon()
    assert repr(lr_schedule({"policy": "step", "step": [11, 8]}, here)) == 'steps(0.1, at=["11 epochs", "11 epochs"])'
    assert here.notes == [
        "lr_config (Step): step [11, 8] is out of order: MMCV reaches a smaller one together with the larger before it"
    ]


def test_settings_that_do_nothing_are_told():
    here = horizon()
    lr_schedule({"policy": "step", "step": 8, "warmup_iters": 500}, here)
    assert here.notes == ["lr_config (Step): warmup_iters 500 does nothing without a warmup"]
