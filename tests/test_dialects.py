"""The door for foreign recipes: live objects, mappings and files; what is refused, and that nothing is executed."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch.optim import lr_scheduler, swa_utils

import etude
from etude import InputError, Run
from etude.recipe_yaml import dumps, loads


def optimizer(**settings):
    """Two named groups, the second with a rate of its own."""
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [{"params": [first], "name": "a"}, {"params": [second], "name": "b", "lr": 0.01}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, **settings)


LIVE = [
    lambda made: lr_scheduler.StepLR(made, 3),
    lambda made: lr_scheduler.MultiStepLR(made, [3, 7, 7]),
    lambda made: lr_scheduler.ConstantLR(made),
    lambda made: lr_scheduler.LinearLR(made),
    lambda made: lr_scheduler.ExponentialLR(made, 0.9),
    lambda made: lr_scheduler.PolynomialLR(made, 10),
    lambda made: lr_scheduler.CosineAnnealingLR(made, 10, 0.001),
    lambda made: lr_scheduler.CosineAnnealingWarmRestarts(made, 5, 2),
    lambda made: lr_scheduler.CyclicLR(made, 0.001, 0.1, step_size_up=7),
    lambda made: lr_scheduler.CyclicLR(made, 0.001, 0.1, step_size_up=7, scale_fn=lambda cycle: 0.9**cycle),
    lambda made: lr_scheduler.OneCycleLR(made, [0.1, 0.2], total_steps=30, three_phase=True),
    lambda made: lr_scheduler.LambdaLR(made, lambda epoch: 0.9**epoch),
    lambda made: lr_scheduler.MultiplicativeLR(made, [lambda epoch: 0.9, lambda epoch: 0.8]),
    lambda made: swa_utils.SWALR(made, 0.05),
    lambda made: swa_utils.SWALR(made, 0.05, anneal_strategy="linear"),
    lambda made: lr_scheduler.SequentialLR(
        made, [lr_scheduler.LinearLR(made, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(made, 20)], [5]
    ),
    lambda made: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(made), lr_scheduler.ExponentialLR(made, 0.9)]),
]


@pytest.mark.parametrize("make", LIVE)
@pytest.mark.parametrize("begun", [0, 4])
@pytest.mark.filterwarnings("ignore")
def test_a_live_scheduler_is_read_as_it_goes_on(make, begun):
    made = optimizer()
    scheduler = make(made)
    for _ in range(begun):
        made.step()
        scheduler.step()
    plan = etude.read(scheduler, steps=30).plan(Run(steps=30))
    assert plan.groups == ("a", "b")
    for step in range(begun, 28):
        assert list(plan.at(step)["lr"].values()) == pytest.approx([group["lr"] for group in made.param_groups], rel=1e-12)
        made.step()
        scheduler.step()


def test_a_live_optimizers_other_settings_are_kept():
    made = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], eps=1e-6, amsgrad=True)
    optimizer = etude.read(lr_scheduler.StepLR(made, 3)).optimizer
    assert (optimizer.name, optimizer.eps, optimizer.options) == ("Adam", 1e-6, {"amsgrad": True})


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_in_the_middle_of_a_run_says_where_it_stands():
    made = optimizer()
    scheduler = lr_scheduler.OneCycleLR(made, 0.1, total_steps=10)
    assert not any("has made" in note for note in etude.read(scheduler, interval="epoch").notes)
    for _ in range(10):
        made.step()
        scheduler.step()
    assert "this scheduler has made 10 steps, and is read from its first" in etude.read(scheduler).notes[-1]


def test_what_a_description_leaves_open_is_noted():
    assert "say interval: epoch" in etude.read({"name": "StepLR", "step_size": 3}).notes[0]
    assert etude.read({"scheduler": {"name": "StepLR", "step_size": 3}, "interval": "step"}).notes == ()
    live = etude.read(lr_scheduler.LambdaLR(optimizer(), lambda epoch: 0.9**epoch), steps=5, interval="step")
    assert live.notes == ("a live function is written as its first 5 values; after them the last is held",)
    for source in ("cosine", etude.cosine(1, 0)):
        with pytest.raises(InputError, match="steps= and interval= are for a framework's recipes"):
            etude.read(source, interval="epoch")


def test_a_live_plateau_is_read_before_its_first_metric():
    made = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(made, patience=2, min_lr=[0.1, 0.001])
    groups = etude.read(scheduler).groups
    assert repr(groups["b"].schedules["lr"]) == "plateau(0.1, patience=2, floor=abs(0.001), eps=abs(1e-08))"
    scheduler.step(1.0)
    with pytest.raises(InputError, match="has been fed 1 metrics, which it does not keep"):
        etude.read(scheduler)


def test_a_scheduler_that_does_not_hold_what_it_should_is_refused():
    made = optimizer()
    scheduler = lr_scheduler.StepLR(made, 3)
    made.param_groups[1]["lr"] = 0.7
    with pytest.raises(InputError, match=r"group b holds lr 0.7 at step 0, where StepLR has 0.01: something else wrote into it"):
        etude.read(scheduler)


def test_a_class_of_ones_own_is_refused():
    class Mine(lr_scheduler.StepLR):
        pass

    with pytest.raises(InputError, match="Mine is a class of your own on top of torch's StepLR, which can't be read"):
        etude.read(Mine(optimizer(), 3))


def test_a_live_function_needs_to_know_how_many_values_to_write():
    with pytest.raises(InputError, match=r"lr_lambda is a live function, .* or etude.read\(..., steps=N\)"):
        etude.read(lr_scheduler.LambdaLR(optimizer(), lambda epoch: 1.0))


def test_a_scheduler_that_steps_by_epoch():
    recipe = etude.read(lr_scheduler.StepLR(optimizer(), 3), interval="epoch")
    assert repr(recipe.schedules["lr"]) == 'per_epoch(steps(0.1, every="3 epochs"))'
    plan = recipe.plan(Run(epochs=9, steps_per_epoch=10))
    assert [plan.at(step)["lr"]["a"] for step in (29, 30, 59, 60)] == pytest.approx([0.1, 0.01, 0.01, 0.001])
    text = {"scheduler": {"name": "LambdaLR", "lr_lambda": "1 / (epoch + 1)"}, "interval": "epoch"}
    assert repr(etude.read(text).schedules["lr"]) == 'per_epoch(formula("1 / (epoch + 1)"))'


# -- descriptions ---------------------------------------------------------------------------------------------------------


def test_groups_optimizer_and_run_of_a_description():
    recipe = etude.read(
        {
            "scheduler": {"name": "CosineAnnealingLR", "T_max": 100, "eta_min": 1e-5},
            "optimizer": {
                "type": "AdamW", "lr": 1e-3, "betas": [0.95, 0.999], "weight_decay": 0.05,
                "groups": [{"name": "norm", "kind": "norm", "weight_decay": 0}, {"name": "rest", "lr": 2e-3}],
            },
            "run": {"epochs": 10, "samples": 100, "batch_size": 10},
        }
    )  # fmt: skip
    assert recipe.optimizer.name == "AdamW"
    assert recipe.optimizer.betas == (0.95, 0.999)
    assert (recipe.groups["norm"].kind, recipe.groups["norm"].weight_decay, recipe.groups["rest"].lr) == ("norm", 0.0, 0.002)
    assert repr(recipe.schedules["lr"]) == 'wave(1, abs(1e-05), half="100 steps")'
    assert recipe.plan().total == 100


def test_what_torch_gives_an_optimizer_that_is_told_nothing():
    recipe = etude.read({"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"type": "AdamW"}})
    assert (recipe.optimizer.lr, recipe.optimizer.betas, recipe.optimizer.weight_decay) == (0.001, (0.9, 0.999), 0.01)


def test_a_scheduler_that_knows_its_length_says_it_and_what_it_overrides():
    recipe = etude.read({"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 300}, "optimizer": {"lr": 0.5}})
    assert recipe.plan().total == 300
    assert recipe.notes == (
        "OneCycleLR ends after 300 steps: torch raises there, here its last value is held",
        "optimizer.lr 0.5: OneCycleLR sets its own, from max_lr",
    )


@pytest.mark.parametrize("text", ["0.9 ** epoch", "lambda e: 0.9**e", "0.9 ** x", "math.pow(0.9, t)"])
def test_a_function_may_call_its_variable_as_it_likes(text):
    schedule = etude.read({"name": "LambdaLR", "lr_lambda": text}).schedules["lr"]
    assert etude.read(schedule).plan(Run(steps=9)).at(3)["lr"]["all"] == 0.9**3


def test_a_scale_of_cycles_or_iterations():
    settings = {"name": "CyclicLR", "base_lr": 0.0, "max_lr": 1.0, "step_size_up": 5, "scale_fn": "1 / (2 ** (x - 1))"}
    by_cycle, by_step = (etude.read({**settings, "scale_mode": mode}).plan(Run(steps=30)) for mode in ("cycle", "iterations"))
    assert [by_cycle.at(step)["lr"]["all"] for step in (5, 15, 25)] == [1.0, 0.5, 0.25]
    assert by_step.at(5)["lr"]["all"] == 1 / 2**4


def test_a_table_of_factors():
    recipe = etude.read({"name": "LambdaLR", "lr_lambda": [1.0, 1.0, 0.5, 0.25]})
    assert repr(recipe.schedules["lr"]) == 'values([1, 0.5, 0.25], at=["2 steps", "3 steps"])'


def test_restarts_in_parts_of_an_epoch_and_torchs_slip_at_the_fifth():
    def read(mult):
        scheduler = {"name": "CosineAnnealingWarmRestarts", "T_0": 1, "T_mult": mult}
        return etude.read({"scheduler": scheduler, "step_argument": "(t+1)/2", "run": {"steps": 260}})

    assert repr(read(2).schedules["lr"]) == 'repeat(cosine(1, 0), "1 epoch", grow=2)'
    made = optimizer()
    for mult in (2, 3):
        plan = read(mult).plan()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = lr_scheduler.CosineAnnealingWarmRestarts(made, 1, mult)
            for step in range(260):
                theirs = made.param_groups[0]["lr"] / made.param_groups[0]["initial_lr"]
                ours = plan.at(step)["lr"]["all"] / 0.001
                assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-12), (mult, step)
                made.step()
                scheduler.step((step + 1) / 2)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"name": "StepLr"}, r"the mapping is no recipe: looked for .*; did you mean 'StepLR'\?"),
        ({"scheduler": {"name": "StepLR", "step_size": 3, "gama": 1}}, "StepLR: has no setting 'gama'; did you mean 'gamma'?"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "optimiser": {}}, "a torch description has no key 'optimiser'; did you mean 'optimizer'?"),
        ({"scheduler": {"name": "StepLR"}}, "StepLR: 'step_size' is missing"),
        ({"scheduler": {"name": "StepLR", "step_size": 2.5}}, "step_size must be a whole number of at least 1, got 2.5"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "interval": "day"}, "interval must be 'step' or 'epoch', got 'day'"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "step_argument": "(t+1)/20"}, "only CosineAnnealingWarmRestarts counts in parts of an epoch"),
        ({"scheduler": {"name": "LambdaLR", "lr_lambda": "open('x')"}}, r"open\(...\) can't be used so"),
        ({"scheduler": {"name": "LambdaLR", "lr_lambda": "lambda a, b: a"}}, "must be a function of one number such as epoch, got a, b"),
        ({"scheduler": {"name": "LambdaLR", "lr_lambda": "().__class__"}}, "can't be used in"),
        ({"scheduler": {"name": "SequentialLR", "schedulers": [{"name": "ReduceLROnPlateau"}], "milestones": []}}, "torch can't hold a ReduceLROnPlateau in it"),
        (
            {"scheduler": {"name": "SequentialLR", "schedulers": [{"name": "SequentialLR"}], "milestones": []}},
            "a SequentialLR in it can't be read: .* write one flat SequentialLR",
        ),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "run": {"step": 5}}, "run has no fact 'step'; did you mean 'steps'?"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "run": 5}, "run must be a mapping of keys to values, got 5"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"betas": 0.9}}, "optimizer: betas must be two numbers, got 0.9"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"momentum": "x"}}, "optimizer: momentum must be a finite number, got 'x'"),
        ({"scheduler": {"name": "StepLR", "step_size": 3, "lr": 0.1}}, "'lr' is the optimizer's: put it beside the scheduler"),
        ({"scheduler": {"name": "MultiStepLR", "milestones": [float("nan")]}}, r"milestones\[0\] must be a finite number, got nan"),
        ({"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 9, "div_factor": 0}}, "div_factor and final_div_factor must be above 0"),
        ({"scheduler": {"name": "LambdaLR", "lr_lambda": "min(1, (epoch + 1) / W)"}}, "got W, epoch; write the value of W"),
        ({"scheduler": {"name": "ChainedScheduler", "schedulers": []}}, "schedulers must be a list of at least one"),
        ({"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 9}, "optimizer": {"type": "Adagrad"}}, "cycle_momentum needs an optimizer with momentum or betas, and Adagrad has neither"),
        ({"scheduler": {"name": "CyclicLR", "base_lr": [0.1, 0.2], "max_lr": 1.0}}, "base_lr must be one number, or one for each group, of which there are 1; got 2"),
        ({"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"groups": [{"name": "a"}, {"name": "a"}]}}, "two groups have one name: a, a"),
    ],
)  # fmt: skip
def test_refused(description, message):
    with pytest.raises(InputError, match=message):
        etude.read(description)


# -- files ----------------------------------------------------------------------------------------------------------------


def test_a_description_in_a_file_is_known_by_what_it_holds(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"name": "StepLR", "step_size": 30}))
    (tmp_path / "b.yaml").write_text("callback: ReduceLROnPlateau\nconfig: {patience: 3}\nlearning_rate: 0.1\n")
    assert repr(etude.read(tmp_path / "a.json").schedules["lr"]) == 'steps(0.1, every="30 steps")'
    assert repr(etude.read(tmp_path / "b.yaml").schedules["lr"]).startswith("plateau(0.1, patience=2")


def test_mistakes_in_a_file_begin_with_its_name(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"name": "StepLR", "step_size": 0}))
    with pytest.raises(InputError, match=r"a.json: StepLR: step_size must be a whole number of at least 1, got 0"):
        etude.read(path)
    path.write_text('{"lr": 0.1}')
    with pytest.raises(InputError, match=r"a.json is no recipe: looked for `etude: 1` and what tells torch"):
        etude.read(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['x']\nname: StepLR\n",
        "name: StepLR\nstep_size: &a [*a]\n",
        "[" * 5000,
        "name: StepLR\nstep_size: " + "9" * 5000,
    ],
)
def test_a_hostile_file_is_refused_in_a_line(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.yaml") as refused:
        etude.read(tmp_path / "a.yaml")
    assert "\n" not in str(refused.value)


def test_notes_are_comments_of_the_file_that_is_written():
    recipe = etude.read({"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 300})
    text = dumps(recipe)
    assert text.startswith("# OneCycleLR ends after 300 steps: torch raises there, here its last value is held\n")
    assert loads(text) == recipe
