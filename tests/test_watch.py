"""The watch tells what is off in a loop of one's own: mistakes made for real with torch's schedulers, and right ones left alone."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as lrs

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from etude.diagnosis import diagnose
from etude.driver import EtudeWarning
from etude.series import Series, slack
from tests.strategies import runs, schedules

STEPS = 200
COSINE = "cosine(1, 0)"


def recipe(text=COSINE, **facts):
    run = Run(**{"steps": STEPS, "steps_per_epoch": 10, **facts})
    groups = {"weight": Group(kind="weight"), "bias": Group(kind="bias", lr=0.2)}
    return Recipe(optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": etude.parse(text)}, run=run)


def made(tensor=False):
    """An optimizer of two named groups, as a loop of its own would make it."""
    rates = [torch.tensor(rate) if tensor else rate for rate in (0.1, 0.2)]
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "name": name, "lr": rate}
        for name, rate in zip(("weight", "bias"), rates, strict=True)
    ]
    return torch.optim.SGD(groups, lr=0.1)


def cosine(optimizer):
    return lrs.CosineAnnealingLR(optimizer, STEPS)


def warm(optimizer):
    return lrs.SequentialLR(optimizer, [lrs.LinearLR(optimizer, 0.1, 1, 20), lrs.CosineAnnealingLR(optimizer, 180)], [20])


WARM = 'chain(linear(0.1, 1, over="20 steps"), cosine(1, 0))'


def linear(optimizer):
    return lrs.LambdaLR(optimizer, lambda step: 1 - step / STEPS)


def drops(optimizer):
    return lrs.MultiStepLR(optimizer, [30, 60, 90])


DROPS = 'values([1, 0.1, 0.01, 0.001], at=["30 steps", "60 steps", "90 steps"])'
SCHEDULERS = {COSINE: cosine, WARM: warm, "linear(1, 0)": linear, DROPS: drops}


def right(optimizer, scheduler, steps):
    for _ in range(steps):
        optimizer.step()
        scheduler.step()


def often(times):
    def loop(optimizer, scheduler, steps):
        for _ in range(steps):
            optimizer.step()
            for _ in range(times):
                scheduler.step()

    return loop


def before(optimizer, scheduler, steps):
    for _ in range(steps):
        scheduler.step()
        optimizer.step()


def each_batch(optimizer, scheduler, steps):
    for batch in range(4 * steps):
        if batch % 4 == 3:
            optimizer.step()
        scheduler.step()


def each_epoch(optimizer, scheduler, steps):
    for step in range(steps):
        optimizer.step()
        if step % 10 == 9:
            scheduler.step()


def seldom(optimizer, scheduler, steps):
    for step in range(steps):
        optimizer.step()
        if step % 3 == 2:
            scheduler.step()


def watched(plan, make, loop, steps=120, optimizer=None, **arguments):
    """Return the watch after a loop, and what it warned of."""
    optimizer = optimizer or made()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scheduler = make(optimizer)
        watch = etude.watch(optimizer, plan, **arguments)
        loop(optimizer, scheduler, steps)
    return watch, [str(warning.message) for warning in told if warning.category is EtudeWarning]


@pytest.mark.parametrize("text", SCHEDULERS)
@pytest.mark.parametrize("tensor", [False, True])
def test_a_right_loop_is_left_alone(text, tensor):
    watch, told = watched(recipe(text).plan(), SCHEDULERS[text], right, STEPS, made(tensor))
    assert (told, watch.findings()) == ([], [])
    assert watch.summary() == "200 updates watched, 400 values compared with the plan of recipe: all as planned"


def test_the_rounding_of_32_bits_adds_up_and_is_no_finding():
    """ExponentialLR multiplies the rate of the last step: a millionth is exceeded at step 83."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1))
    scheduler = lrs.ExponentialLR(optimizer, 0.999)
    watch = etude.watch(optimizer, etude.read(scheduler).plan(Run(steps=2000)))
    right(optimizer, scheduler, 2000)
    assert watch.findings() == []


ACCELERATE = "stepped 4 times per update: looks like Accelerate, which ticks a prepared scheduler once for each process"
MISTAKES = {
    "4 times": (often(4), f"{ACCELERATE}; so the schedule is over at update 50"),
    "before": (before, "the scheduler was stepped before the optimizer: each value is the next step's"),
    "accumulation": (each_batch, "stepped 4 times per update, at every batch of an accumulation"),
    "epochs": (each_epoch, "stepped once an epoch, and counted in steps"),
    "every 3": (seldom, "stepped once every 3 updates"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("text", [COSINE, WARM, "linear(1, 0)"])
def test_a_scheduler_stepped_wrongly_is_told_with_its_cause(text, mistake):
    loop, what = MISTAKES[mistake]
    watch, told = watched(recipe(text).plan(), SCHEDULERS[text], loop)
    assert [(finding.groups, finding.what) for finding in watch.findings()] == [(("weight", "bias"), what)]
    assert str(watch.findings()[0]) == told[-1]
    assert len(told) <= 4


def test_the_difference_is_told_at_once_and_the_cause_as_soon_as_it_is_clear():
    _, told = watched(recipe().plan(), cosine, often(4))
    assert told == [
        "lr of groups weight, bias: planned 0.09999, applied 0.0999 since step 1",
        f"lr of groups weight, bias: planned 0.09999, applied 0.0999 since step 1: {MISTAKES['4 times'][1]}",
    ]


def test_accumulation_of_the_runs_own_is_named():
    plan = recipe(accumulate=4).plan()
    watch, _ = watched(plan, cosine, often(4))
    what = "stepped 4 times per update, at every batch of an accumulation; so the schedule is over at update 50"
    assert [finding.what for finding in watch.findings()] == [what]


def test_steps_of_a_schedule_that_counts_epochs():
    plan = recipe("per_epoch(cosine(1, 0))").plan()
    watch, _ = watched(plan, lambda optimizer: lrs.CosineAnnealingLR(optimizer, 20), right, 60)
    what = "stepped at every update, and counted in epochs (an epoch is 10 steps), or 10 times per update"
    assert [finding.what for finding in watch.findings()] == [what]


def test_a_milestone_that_two_causes_explain_waits_for_the_next():
    watch, _ = watched(recipe(DROPS).plan(), drops, often(2), 25)
    assert watch.findings()[0].what == ""
    watch, _ = watched(recipe(DROPS).plan(), drops, often(2), 60)
    assert watch.findings()[0].what.startswith("stepped 2 times per update")


def test_of_two_causes_both_are_told_and_the_schedulers_own_count_decides():
    """A linear warmup from 0: 4 times as fast is 4 times as much."""
    text = 'chain(linear(0, 1, over="100 steps"), linear(1, 0))'

    def ramp(optimizer):
        return lrs.LambdaLR(optimizer, lambda step: step / 100)

    watch, _ = watched(recipe(text).plan(), ramp, often(4), 20)
    [finding] = watch.findings()
    assert finding.what == f"either {MISTAKES['4 times'][1]}; or 4 times the plan's: scaled twice?"

    optimizer = made()
    scheduler = ramp(optimizer)
    with pytest.warns(EtudeWarning, match="planned 0.001, applied 0.004 since step 1"):
        watch = etude.watch(optimizer, recipe(text).plan(), scheduler)
        often(4)(optimizer, scheduler, 20)
    [finding] = watch.findings()
    assert finding.what == MISTAKES["4 times"][1]
    assert watch.summary().split("\n")[1] == "the scheduler was stepped 80 times, 4 to an update"


def resumed(make, load=False):
    """The mistake of pytorch#119168: the optimizer's state is loaded, and then a scheduler is built, at step 12."""

    def loop(optimizer, scheduler, steps):
        for step in range(steps):
            if step == 12:
                state, optimizer_state = scheduler.state_dict(), optimizer.state_dict()
                optimizer.load_state_dict(optimizer_state)
                scheduler = make(optimizer)
                if load:
                    scheduler.load_state_dict(state)
            optimizer.step()
            scheduler.step()

    return loop


def test_a_schedule_begun_anew_is_told():
    watch, told = watched(recipe("linear(1, 0)").plan(), linear, resumed(linear))
    what = "the schedule began anew at step 12: a scheduler was built there, and its state not loaded"
    assert told == [
        "lr of groups weight, bias: planned 0.094, applied 0.1 since step 12",
        f"lr of groups weight, bias: planned 0.094, applied 0.1 since step 12: {what}",
    ]
    watch, _ = watched(recipe().plan(), cosine, resumed(cosine))
    what = "the schedule began anew at step 12, from the value that it had there: a scheduler was built after loading, and its state not loaded"
    assert [(finding.step, finding.what) for finding in watch.findings()] == [(13, what)]


def test_a_state_loaded_after_the_scheduler_was_built_is_one_wrong_update_or_a_factor_for_ever():
    watch, told = watched(recipe("linear(1, 0)").plan(), linear, resumed(linear, load=True))
    assert told == ["lr of groups weight, bias: planned 0.094, applied 0.1 since step 12"]
    assert "\n" + str(watch.findings()[0]) == watch.summary()[watch.summary().index("\n") :]
    assert str(watch.findings()[0]).endswith("applied 0.1 at step 12 only")

    def ramp(optimizer):
        return lrs.LinearLR(optimizer, 0.1, 1, 50)

    watch, _ = watched(recipe('linear(0.1, 1, over="50 steps")').plan(), ramp, resumed(ramp, load=True), 40)
    assert [finding.what for finding in watch.findings()] == ["1/10 of the plan's: not scaled?"]


def test_a_group_at_its_base_value():
    """The rest is driven; the group has lost its scheduler."""
    optimizer, plan = made(), recipe().plan()
    watch = etude.watch(optimizer, plan)
    with pytest.warns(EtudeWarning, match=r"lr of group bias: planned 0.1982, applied 0.2 since step 12") as told:
        for step in range(40):
            for group in optimizer.param_groups:
                group["lr"] = plan.at(step)["lr"][group["name"]]
            if step >= 12:
                optimizer.param_groups[1]["lr"] = 0.2
            optimizer.step()
    what = "it is back at its base value and stays there: a scheduler or an optimizer was built after loading"
    assert str(told[-1].message) == f"lr of group bias: planned 0.1982, applied 0.2 since step 12: {what}"
    assert len(watch.findings()) == 1


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (
            lambda step, planned: 0.03 if step >= 12 else planned,
            "it stays at a value that is not the plan's: something else writes it",
        ),
        (lambda step, planned: 8 * planned, "8 times the plan's: scaled twice?"),
        (lambda step, planned: planned / 8, "1/8 of the plan's: not scaled?"),
        (lambda step, planned: 0.73 * planned, "0.73 times the plan's"),
        (lambda step, planned: 0.1, "it has not moved yet: no scheduler is stepped, or too rarely"),
    ],
)
def test_values_written_by_something_else(write, what):
    optimizer, plan = made(), recipe().plan()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EtudeWarning)
        watch = etude.watch(optimizer, plan)
        for step in range(60):
            optimizer.param_groups[0]["lr"] = write(step, plan.at(step)["lr"]["weight"])
            optimizer.param_groups[1]["lr"] = plan.at(step)["lr"]["bias"]
            optimizer.step()
    [finding] = watch.findings()
    assert finding.groups == ("weight",)
    assert finding.what.startswith(what)


def test_a_scheduler_that_is_no_longer_stepped_and_one_stepped_once_more():
    def stops(optimizer, scheduler, steps):
        for step in range(steps):
            optimizer.step()
            if step < 50:
                scheduler.step()

    def twice(optimizer, scheduler, steps):
        for step in range(steps):
            optimizer.step()
            scheduler.step()
            if step == 50:
                scheduler.step()

    watch, _ = watched(recipe().plan(), cosine, stops)
    assert watch.findings()[0].what == "it stays at the value of step 50: the scheduler is not stepped any more"
    watch, _ = watched(recipe().plan(), cosine, twice)
    assert [(finding.step, finding.what) for finding in watch.findings()] == [(51, "the schedule stands one step ahead")]


def test_a_run_longer_than_its_plan():
    watch, told = watched(recipe(steps=50).plan(), lambda optimizer: lrs.CosineAnnealingLR(optimizer, 50), right, 70)
    what = "the plan's run is over after 50 updates and holds its last value from there: give the run its real length"
    assert told == [str(watch.findings()[0])]
    assert told[0].endswith(what)


def test_a_constant_schedule_says_no_more_than_is_known():
    """Every cause fits: the difference alone is told, once."""
    optimizer, plan = made(), recipe("constant(1)").plan()
    optimizer.param_groups[0]["lr"] = 0.8
    optimizer.param_groups[1]["weight_decay"] = 0.1
    plan = Recipe(optimizer=Optimizer(name="SGD", lr=0.1, weight_decay=0.0), groups=plan.recipe.groups, run=plan.run).plan()
    with pytest.warns(EtudeWarning, match="applied") as told:
        watch = etude.watch(optimizer, plan)
        for _ in range(100):
            optimizer.step()
    assert [str(warning.message) for warning in told] == [
        "lr of group weight: planned 0.1, applied 0.8 since step 0",
        "weight_decay of group bias: planned 0, applied 0.1 since step 0",
    ]
    assert watch.summary().split("\n")[1:] == [str(warning.message) for warning in told]


def test_it_counts_on_in_a_run_that_was_taken_over():
    plan = recipe().plan()
    watch, _ = watched(plan, cosine, right, 60, updates=100)
    what = "the schedule began anew at step 100: a scheduler was built there, and its state not loaded"
    assert [(finding.step, finding.what) for finding in watch.findings()] == [(100, what)]
    with pytest.raises(InputError, match="a count of updates must be a whole number, 0 or above, got -1"):
        etude.watch(made(), plan, updates=-1)


def test_an_optimizer_that_etude_drives_is_as_planned_with_betas_and_across_the_end():
    one = etude.read("one-cycle").override(epochs=1, samples=100, batch_size=10)
    one = Recipe(optimizer=Optimizer(name="Adam", lr=0.1, betas=(0.95, 0.99)), schedules=one.schedules, run=one.run)
    optimizer = etude.torch.build(torch.nn.Linear(1, 1), one)
    etude.torch.drive(optimizer, one.plan())
    watch = etude.watch(optimizer, one.plan())
    with pytest.warns(EtudeWarning, match="the run is over"):
        for _ in range(15):
            optimizer.step()
    assert watch.findings() == []
    optimizer.register_step_pre_hook(lambda *_: optimizer.param_groups[0].update(betas=(0.5, 0.99)))
    with pytest.warns(EtudeWarning, match=r"momentum of group all: planned 0.95, applied 0.5 since step 15"):
        optimizer.step()
    optimizer._etude_seat.driver.release()
    watch.release()
    optimizer.step()
    assert watch.updates == 16


@given(schedules, runs, st.data())
def test_any_schedule_that_is_followed_gives_no_finding(schedule, run, data):
    followed = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": schedule})
    try:
        plan = followed.plan(run)
        rates = plan.table()["lr"][:, 0].tolist()
    except InputError:
        return  # no plan in this run
    every = data.draw(st.integers(1, 7))
    steps = range(data.draw(st.integers(0, plan.end() - 1)), plan.end(), every)
    noise = data.draw(st.sampled_from([0.0, 3e-13, -3e-13]))
    applied = [rates[step] * (1 + noise) for step in steps]
    assert diagnose(plan, {("lr", "all"): Series(steps, applied, [slack(plan, "lr", "all", rate) for rate in applied])}) == []


@given(schedules, runs, st.integers(2, 5))
def test_whatever_the_schedule_a_cause_that_is_told_alone_is_not_another_one(schedule, run, times):
    """Stepped several times an update: where the values single a cause out, it is this one, or describes the same values."""
    followed = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": schedule})
    try:
        plan = followed.plan(run)
        rates = plan.table()["lr"][:, 0].tolist()
    except InputError:
        return
    steps = range(len(rates) // times)
    applied = [rates[times * step] for step in steps]
    for finding in diagnose(plan, {("lr", "all"): Series(steps, applied, [slack(plan, "lr", "all", rate) for rate in applied])}):
        assert not finding.what.startswith(("stepped once", "the scheduler was stepped before", "the plan's run is over"))
        if finding.what.startswith("stepped"):
            assert f"{times} times per update" in finding.what


def test_rates_that_are_no_numbers_are_told():
    optimizer, plan = made(), recipe().plan()
    watch = etude.watch(optimizer, plan)
    optimizer.param_groups[0]["lr"] = math.nan
    with pytest.warns(EtudeWarning, match="lr of group weight: planned 0.1, applied nan since step 0"):
        optimizer.step()
    assert len(watch.findings()) == 1


def test_groups_replaced_or_added_are_found():
    optimizer, plan = made(), recipe("constant(1)").plan()
    watch = etude.watch(optimizer, plan)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "name": "late"})
    with pytest.warns(EtudeWarning, match=r"a group was added at step 2, and is not compared: the plan has no group 'late'"):
        optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.5
    with pytest.warns(EtudeWarning, match="lr of group weight: planned 0.1, applied 0.5 since step 3"):
        optimizer.step()
    assert watch.updates == 4


class Wrapper:
    """What Accelerate's and Lightning's optimizers, and Accelerate's scheduler, look like from outside."""

    def __init__(self, **inner):
        vars(self).update(inner)

    @property
    def param_groups(self):
        return next(iter(vars(self).values())).param_groups


def test_wrappers_are_seen_through():
    optimizer, plan = made(), recipe().plan()
    scheduler = cosine(optimizer)
    for wrapped in (
        Wrapper(optimizer=optimizer),
        Wrapper(_optimizer=Wrapper(optim=optimizer)),
        Wrapper(original_optimizer=optimizer),
    ):
        watch = etude.watch(wrapped, plan, Wrapper(scheduler=scheduler))
        assert watch.optimizer is optimizer
        watch.release()
    with pytest.warns(EtudeWarning, match="the scheduler moves another optimizer than the one that makes the updates"):
        watch = etude.watch(optimizer, plan, cosine(made()))
    assert "the scheduler moves another optimizer" in watch.summary()


def test_what_is_off_is_bounded_in_warnings_and_memory():
    optimizer, plan = made(), recipe("linear(1, 0)", steps=20_000).plan()
    generator = torch.Generator().manual_seed(0)
    watch = etude.watch(optimizer, plan)
    with pytest.warns(EtudeWarning, match="applied") as told:
        for step in range(6000):
            for group in optimizer.param_groups:
                # odd values again and again, and right ones between
                group["lr"] = float(torch.rand(1, generator=generator)) if step % 150 < 3 else plan.at(step)["lr"][group["name"]]
            optimizer.step()
    assert len(told) <= 12
    assert len(watch._rows) <= 2048
    assert len(watch.findings()) <= 14
    watch.release()
    with pytest.warns(EtudeWarning, match="applied") as told:
        watch = etude.watch(optimizer, plan)
        for _ in range(6000):
            optimizer.step()
    assert len(told) <= 2
    assert len(watch._rows) <= 2048
    assert str(watch.findings()[0]).endswith("it has not moved yet: no scheduler is stepped, or too rarely")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: etude.watch(3, recipe().plan()), "a torch optimizer is needed, got int"),
        (lambda: etude.watch(made(), None), r"watch needs a plan, as in recipe.plan\(run\), got NoneType"),
        (
            lambda: etude.watch(torch.optim.Adagrad([torch.ones(1)]), etude.read("one-cycle").plan(Run(steps=5))),
            "group 'all' of Adagrad has no momentum, but the recipe has one",
        ),
        (lambda: etude.watch(made(), etude.read(COSINE).plan(Run(steps=5))), "the plan has no group 'weight'; known: all"),
        (
            lambda: etude.watch(
                torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.ones(1)]}], lr=0.1), recipe().plan()
            ),
            r"give each group a 'name' out of weight, bias, as in optimizer.param_groups\[0\]\['name'\] = 'weight'",
        ),
        (
            lambda: etude.watch(made(), recipe().plan(), 3),
            "counts the steps of a torch scheduler by its last_epoch, which int lacks",
        ),
    ],
)
def test_odd_arguments_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
