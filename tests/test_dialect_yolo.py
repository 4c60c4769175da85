"""YOLOv5, Ultralytics and YOLOX read as recipes: against their loops, over whole runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import etude
from etude import InputError, Run
from tests import loops

HYP = {
    "lr0": 0.01,
    "lrf": 0.1,
    "momentum": 0.937,
    "weight_decay": 0.0005,
    "warmup_epochs": 3.0,
    "warmup_momentum": 0.8,
    "warmup_bias_lr": 0.1,
}
hyps = st.fixed_dictionaries(
    {
        "lr0": st.sampled_from([0.01, 0.00334, 1e-3]),
        "lrf": st.sampled_from([0.01, 0.15135, 1.0]),
        "momentum": st.sampled_from([0.937, 0.74832]),
        "weight_decay": st.sampled_from([0.0005, 0.00036]),
        "warmup_epochs": st.sampled_from([0, 0.5, 1.33, 2, 3.3835, 5]),
        "warmup_momentum": st.sampled_from([0.8, 0.59462]),
        "warmup_bias_lr": st.sampled_from([0.1, 0.0, 0.18657]),
    }
)
runs = {
    "epochs": st.integers(1, 9),
    "nb": st.integers(3, 40),
    "batch": st.sampled_from([1, 6, 8, 14, 16, 20, 24, 40, 48, 64, 128]),
    "cos": st.booleans(),
    "kind": st.sampled_from(["SGD", "Adam"]),
}


def agree(plan, loop, order=(0, 1, 2)):
    """Hold a plan against a loop, batch by batch."""
    states = list(loop)
    ticks = [float(batch) for batch in range(len(states))]
    rows = plan.rows(ticks)
    assert plan.clock.total == len(states)
    for batch, (lr, momentum, _, _) in enumerate(states):
        assert list(rows["lr"][batch]) == pytest.approx([lr[index] for index in order], rel=1e-12, abs=1e-17), batch
        assert rows["momentum"][batch][0] == pytest.approx(momentum, rel=1e-12), batch
    assert [plan.clock.batch_of_step(step) for step in range(int(plan.total))] == [
        batch for batch, (_, _, _, stepped) in enumerate(states) if stepped
    ]


def facts(epochs, nb, batch):
    return {"epochs": epochs, "samples": nb * batch, "batch_size": batch}


@given(hyps, st.fixed_dictionaries(runs))
def test_yolov5_trains_as_its_loop_does(hyp, run):
    full = max(round(64 / run["batch"]), 1)
    assume(run["epochs"] * run["nb"] >= full)  # or not one update is made
    recipe = etude.read({"hyp": hyp, "cos_lr": run["cos"], "optimizer": run["kind"]}, dialect="yolov5")
    plan = recipe.plan(Run(**facts(run["epochs"], run["nb"], run["batch"])))
    agree(plan, loops.yolov5(hyp, **run))
    decay = hyp["weight_decay"] * run["batch"] * full / 64
    assert plan.at(0)["weight_decay"] == {"bias": 0.0, "weight": decay, "norm": 0.0}


@given(hyps, st.fixed_dictionaries(runs), st.booleans())
def test_ultralytics_trains_as_its_loop_does(hyp, run, old):
    assume(run["epochs"] * run["nb"] >= (max(round(64 / run["batch"]), 1) if old else 1))
    settings = {**hyp, "cos_lr": run["cos"], "optimizer": run["kind"], "version": "8.3" if old else "8.4"}
    plan = etude.read(settings).override(**facts(run["epochs"], run["nb"], run["batch"])).plan()
    agree(plan, loops.ultralytics(hyp, old=old, **run), (0, 1, 2) if old else (loops.WEIGHT, loops.NORM, loops.BIAS))


# -- YOLOv5 ---------------------------------------------------------------------------------------------------------


def yolov5(**more):
    return etude.read({**HYP, "anchor_t": 4.0, **more})


def test_a_hyp_file_is_known_by_what_only_yolov5_has():
    assert yolov5().override(**facts(3, 40, 16)).name == "yolov5"
    with pytest.raises(
        InputError, match=r"this may be yolov5 or ultralytics: say which, with --as yolov5 \(dialect='yolov5'\); yolov5"
    ):
        etude.read(HYP)
    theirs = etude.read({**HYP, "nc": 80}, dialect="ultralytics").override(samples=640, epochs=3, batch_size=64)
    assert theirs.name == "ultralytics-8.4"


def test_the_runs_facts_are_asked_for_by_their_flags():
    with pytest.raises(InputError, match="weight decay follow from the run: give --epochs, --samples and --batch-size"):
        yolov5().plan()
    with pytest.raises(InputError, match=r"follow from the run: give --samples$"):
        yolov5().override(epochs=3, batch_size=16).plan()
    with pytest.raises(InputError, match=r"YOLOv5 trains epochs, and works the accumulation out by itself .*: leave --steps out"):
        yolov5().override(steps=30)
    with pytest.raises(InputError, match=r"works the accumulation out by itself .*: leave --accumulate out"):
        yolov5().override(accumulate=4, **facts(3, 40, 16))


def test_what_only_the_command_line_of_yolov5_says_is_told():
    notes = yolov5().override(**facts(30, 40, 48)).notes
    assert notes[0].startswith("cos_lr is not given")
    assert "weight_decay 0.0005 becomes 0.000375: times batch size 48 * accumulate 1 / nbs 64" in notes
    adam = yolov5(optimizer="AdamW", cos_lr=True).override(**facts(30, 40, 64))
    assert adam.notes == ("ignored: warmup_momentum 0.8, as the betas of AdamW are not warmed up",)
    assert adam.optimizer == etude.Optimizer(name="AdamW", lr=0.01, betas=(0.937, 0.999), weight_decay=0)


def test_lengths_are_in_epochs_where_they_round_to_themselves():
    assert 'over="3 epochs"' in repr(yolov5().override(**facts(30, 40, 64)).schedules["lr"])
    assert 'over="101 batches"' in repr(yolov5(warmup_epochs=2.53).override(**facts(30, 40, 64)).schedules["lr"])
    assert 'over="100 batches"' in repr(yolov5(warmup_epochs=0).override(**facts(30, 40, 64)).schedules["lr"])


def test_a_resumed_yolov5_goes_on_with_the_values_of_the_run_that_never_stopped():
    whole = yolov5(cos_lr=True).override(**facts(30, 30, 32))
    resumed = yolov5(cos_lr=True, resume_epoch=12).override(**facts(30, 30, 32))
    assert resumed.plan().at(batch=360) == whole.plan().at(batch=360)
    assert "resumed at epoch 12, YOLOv5 goes on with the values of this plan from batch 360 on" in resumed.notes[-1]
    # lr0 * lf(11), as it was recorded: the epoch it stopped in was read a second time
    assert whole.plan().at(batch=360)["lr"]["bias"] == pytest.approx(0.01 * ((1 + math.cos(11 * math.pi / 30)) / 2 * 0.9 + 0.1))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"loss_ota": 1}, "loss_ota is a setting of YOLOv7, whose loop differs"),
        ({"lr0": "1e-2"}, r"lr0 must be a number, got the text '1e-2'; PyYAML takes .* write 0.01"),
        ({"lr0": None}, "lr0 must be a finite number, got None"),
        ({"optimizer": "LARS"}, "optimizer must be one of SGD, Adam, AdamW, RMSProp, got 'LARS'"),
        ({"cos_lr": "yes"}, "cos_lr must be true or false, got 'yes'"),
        ({"hyp": "data/hyps/a.yaml"}, r"hyp names the file 'data/hyps/a.yaml': give that file"),
        ({"loop": "segment"}, "loop must be 'detect' or 'classify' or 'tutorial', got 'segment'"),
    ],
)
def test_settings_that_yolov5_does_not_have_are_refused(more, problem):
    with pytest.raises(InputError, match=problem):
        etude.read({**HYP, **more}, dialect="yolov5").override(**facts(3, 40, 16))


def test_a_missing_setting_is_named():
    with pytest.raises(InputError, match="YOLOv5: 'warmup_epochs' is missing"):
        etude.read({"lr0": 0.1, "lrf": 0.1, "obj": 1.0, "momentum": 0.9}).override(**facts(3, 40, 16))


def test_a_resume_lies_in_the_run():
    for epoch, problem in (
        (30, "resume_epoch must lie in the run's 30 epochs, got 30"),
        ("a" * 60_000, "whole number of at least 1, got 'aaa"),
    ):
        with pytest.raises(InputError, match=problem):
            yolov5(resume_epoch=epoch).override(**facts(30, 30, 32))


def test_a_saved_run_is_read_with_its_settings_over_the_files(tmp_path):
    run = {"hyp": HYP, "epochs": 30, "batch_size": -1, "cos_lr": True, "optimizer": "SGD", "freeze": [0]}
    with pytest.raises(InputError, match="give --samples and --batch-size"):
        etude.read(run).plan()
    recipe = etude.read(run, settings={"lr0": 0.02}).override(samples=640, batch_size=64)
    assert (recipe.optimizer.lr, recipe.run.epochs) == (0.02, 30)
    with pytest.raises(InputError, match=r"hyp names the file 'data/a.yaml'"):
        etude.read({**run, "hyp": "data/a.yaml"})


def test_the_classifier_has_its_settings_written_into_it():
    recipe = etude.read({"lr0": 0.01, "decay": 5e-5, "optimizer": "SGD", "lrf": 0.5, "epochs": 3, "cutoff": None}).override(
        samples=9, batch_size=3
    )
    assert recipe.notes == ("ignored: lrf 0.5, as classify/train.py has 0.01 written into it",)
    assert recipe.schedules["lr"] == etude.parse("per_epoch(linear(1, 0.01))")


def test_the_ready_recipe_is_the_tutorial():
    tutorial = {**HYP, "lrf": 0.2, "warmup_iters": 1000, "loop": "tutorial"}
    recipe = etude.read(tutorial, dialect="yolov5").override(epochs=100, samples=600, batch_size=20)
    ready, ours = etude.read("yolov5").plan(), recipe.plan()
    for step in (0, 500, 999, 1000, 1001, 1025, 2999):
        assert ours.at(step) == ready.at(step)


# -- Ultralytics ----------------------------------------------------------------------------------------------------


def ultralytics(samples=117266, **more):
    return etude.read({"task": "detect", "mode": "train", "version": "8.4", **more}).override(samples=samples)


def test_a_short_run_of_84_waits_for_no_more_batches_than_it_has():
    recipe = ultralytics(samples=9, batch=3, epochs=5, optimizer="SGD", warmup_epochs=0)
    assert recipe.run.accumulate == etude.constant(15)
    assert [recipe.plan().clock.batch_of_step(step) for step in range(int(recipe.plan().total))] == [14]


def test_compile_keeps_the_only_batch_of_an_epoch():
    assert not ultralytics(samples=40, batch=64, compile=True, optimizer="SGD").run.drop_last
    assert ultralytics(samples=100, batch=64, compile=True, optimizer="SGD").run.drop_last


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"mode": "val"}, "mode must be train for a run that trains, got 'val'"),
        ({"lr0": 2}, "lr0 must be at least 0 and at most 1, got 2"),
        ({"nbs": 64.5}, "nbs must be a whole number of at least 1, got 64.5"),
        ({"nbs": 0}, "nbs must be a whole number of at least 1, got 0"),
        ({"optimizer": "MuSGD", "version": "8.3"}, "optimizer must be one of Adam, .*, SGD, got 'MuSGD'"),
        ({"warmup_epochs": 1e308}, "warmup_epochs must be at most 1e.06, got 1e.308"),
    ],
)
def test_settings_that_ultralytics_does_not_have_are_refused(more, problem):
    with pytest.raises(InputError, match=problem):
        ultralytics(**{"optimizer": "SGD", **more})


def test_auto_is_resolved_and_said():
    long = ultralytics(epochs=100)
    assert (long.optimizer.name, long.optimizer.lr, long.optimizer.momentum) == ("MuSGD", 0.01, 0.9)
    assert long.notes[0] == "optimizer=auto: MuSGD with lr 0.01 and momentum 0.9, for 183300 updates, more than 10000"
    assert "ignored: lr0 0.01, as optimizer=auto has its own" in long.notes
    assert "ignored: warmup_bias_lr 0.1, as optimizer=auto begins at 0" in long.notes
    assert long.plan().at(batch=10**6)["momentum"]["weight"] == 0.937  # the warmup ends at the setting all the same
    assert list(long.groups) == [
        f"{kind}{boosted}" for kind in ("weight", "norm", "bias", "muon") for boosted in (" boosted", "")
    ]
    short = ultralytics(samples=640, nc=80)
    assert (short.optimizer.name, short.optimizer.lr, short.optimizer.betas) == ("AdamW", 0.000119, (0.9, 0.999))
    assert ultralytics(epochs=100, version="8.3.40").optimizer.name == "SGD"


def test_the_number_of_classes_is_asked_for_where_it_decides():
    with pytest.raises(InputError, match=r"optimizer=auto fits lr0 to the number of classes .* as these 1000: give --set nc=80"):
        ultralytics(samples=640).plan()


def test_the_version_is_told_by_what_only_one_has():
    old = etude.read({"task": "detect", "mode": "train", "optimizer": "SGD", "half": False}).override(samples=64)
    assert (old.name, list(old.groups)) == ("ultralytics-8.3", ["bias", "weight", "norm"])
    assert old.notes[0] == "read as Ultralytics 8.3 trains it; say --set version=8.4 for the other"
    with pytest.raises(InputError, match=r"version must be 8.3 or 8.4, got '7'"):
        ultralytics(version="7")


def test_what_changes_an_ultralytics_run_is_told():
    kept = ultralytics(optimizer="SGD", epochs=2, warmup_epochs=3.0, fraction=0.5, compile=True, batch=64)
    assert "warmup_epochs 3 becomes 1: the last epoch is trained in full" in kept.notes
    assert "fraction 0.5: --samples counts what is left of the data" in kept.notes
    assert kept.run.drop_last
    with pytest.raises(InputError, match="time: the hours decide while it trains"):
        ultralytics(time=2.0)
    with pytest.raises(InputError, match="give --batch-size"):
        ultralytics(batch=-1).plan()
    assert ultralytics(batch=0.7, optimizer="SGD").override(batch_size=16).run.batch_size == 16


# -- YOLOX ----------------------------------------------------------------------------------------------------------


EXPERIMENT = {
    "basic_lr_per_img": 0.01 / 64,
    "warmup_epochs": 5,
    "max_epoch": 30,
    "warmup_lr": 0,
    "min_lr_ratio": 0.05,
    "no_aug_epochs": 15,
}


@given(
    st.integers(3, 12),
    st.integers(1, 15),
    st.integers(1, 4),
    st.integers(0, 5),
    st.sampled_from([0.0, 1e-6]),
    st.floats(0.01, 0.5),
)
def test_yoloxwarmcos_is_its_formula(n, epochs, warmup, tail, start, ratio):
    assume(warmup + tail <= epochs)
    settings = {"name": "yoloxwarmcos", "lr": 0.01, "iters_per_epoch": n, "total_epochs": epochs, "warmup_epochs": warmup}
    plan = etude.read({**settings, "no_aug_epochs": tail, "warmup_lr_start": start, "min_lr_ratio": ratio}).plan()
    for t in range(n * epochs):
        theirs = loops.yolox_warm_cosine(0.01, 0.01 * ratio, n * epochs, n * warmup, start, n * tail, t)
        assert plan.at(t)["lr"]["all"] == pytest.approx(theirs, rel=1e-10, abs=1e-17), t


def test_the_trainers_first_update_uses_what_the_optimizer_was_built_with():
    for name, first in (("cos", 0.0), ("yoloxwarmcos", 0.0), ("multistep", 0.0)):
        recipe = etude.read({**EXPERIMENT, "scheduler": name, "milestones": [10, 20]}).override(batch_size=64, samples=640)
        assert recipe.plan().at(0)["lr"]["weight"] == first
    assert recipe.plan().at(1)["lr"]["weight"] == pytest.approx(0.01)
    assert "the first update uses warmup_lr 0, though multistep has no warmup: the trainer sets the rate after it" in recipe.notes
    cold = etude.read({**EXPERIMENT, "scheduler": "cos", "warmup_epochs": 0}).override(batch_size=64, samples=640)
    assert cold.plan().at(0)["lr"]["weight"] == 0.01


def test_a_warmup_that_ends_between_two_iterations_holds_no_peak():
    settings = {**EXPERIMENT, "max_epoch": 2, "warmup_epochs": 0.5, "no_aug_epochs": 1.5}
    plan = etude.read(settings).override(batch_size=64, steps_per_epoch=15).plan()
    assert plan.at(7)["lr"]["weight"] == pytest.approx(0.01 * (7 / 7.5) ** 2)
    assert plan.at(8)["lr"]["weight"] == pytest.approx(0.0005)


def test_yolox_gives_each_device_the_samples_that_its_sampler_does():
    assert etude.read({**EXPERIMENT, "max_epoch": 10}).override(samples=9, batch_size=4, devices=2).plan().total == 20


def test_yolox_fits_the_learning_rate_to_the_batch():
    with pytest.raises(InputError, match=r"the learning rate is basic_lr_per_img \* batch size: give --batch-size"):
        etude.read(EXPERIMENT).plan()
    recipe = etude.read(EXPERIMENT).override(batch_size=32, samples=3200)
    assert recipe.optimizer.lr == 0.005
    assert recipe.notes == ("lr 0.005 = basic_lr_per_img 0.00015625 * batch size 32",)
    assert recipe.schedules["lr"] == etude.parse(
        'chain(power(0, 1, 2, over="5 epochs"), cosine(1, 0.05, over="10 epochs"), constant(0.05))'
    )
    # another run reads it again
    assert etude.read(EXPERIMENT).plan(Run(epochs=300, batch_size=64, samples=6400)).recipe.optimizer.lr == 0.01


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"name": "yoloxcos"}, "name must be 'cos' or 'warmcos'"),
        ({"warmup_epochs": -1}, "warmup_epochs must be above 0, got -1"),
        ({"no_aug_epochs": -1}, "no_aug_epochs must be at least 0, got -1"),
        ({"name": "multistep"}, "'milestones' is missing"),
        (
            {"name": "yoloxsemiwarmcos", "semi_epoch": 60, "iters_per_epoch_semi": 3},
            "semi_epoch must lie between the warmup and the last 0 epochs, got 60",
        ),
        ({"gama": 0.1}, "has no setting 'gama'"),
    ],
)
def test_settings_that_yolox_does_not_have_are_refused(more, problem):
    settings = {"name": "yoloxwarmcos", "lr": 0.01, "iters_per_epoch": 30, "total_epochs": 50, "warmup_epochs": 5, **more}
    with pytest.raises(InputError, match=problem):
        etude.read(settings, dialect="yolox").plan()
