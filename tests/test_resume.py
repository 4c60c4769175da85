"""Intents: what a run becomes from the step that it has reached, and that its past stays what it was."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import etude
from etude import Group, InputError, Optimizer, Recipe, Run, Stage, resume
from tests.strategies import runs, schedules

RECIPE = etude.read("warmup-cosine").override(epochs=10, samples=100, batch_size=10)  # 100 steps
WSD = replace(RECIPE, schedules={"lr": etude.wsd("5%", "20%")})


def state_at(recipe, updates, plan=None):
    """The state of a driver after so many updates."""
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, plan or recipe.plan(), updates=0)
    driver.load_state_dict({**driver.state_dict(), "updates": [updates], "joined": []})
    return json.loads(json.dumps(driver.state_dict()))


def rates(plan, start=0, stop=None):
    return plan.table(start, stop)["lr"][:, 0].tolist()


pytestmark = [
    pytest.mark.filterwarnings("ignore:group .* matches no parameter"),
    pytest.mark.filterwarnings("ignore:this optimizer had a driver already"),
    pytest.mark.filterwarnings("ignore:a plateau waits for val_loss, and nothing was fed"),
]


def test_extend_is_the_longer_run_from_now_on_and_the_old_one_until_now():
    resumed = resume.extend(state_at(RECIPE, 60), "20 epochs")
    longer = RECIPE.override(epochs=20).plan()
    assert rates(resumed.plan) == [*rates(RECIPE.plan(), 0, 60), *rates(longer, 60)]
    assert resumed.recipe.run.epochs == 20
    assert resumed.changed[-1] == "run.epochs: 10 -> 20"


def test_a_cooldown_begins_at_today_s_value_and_ends_the_run():
    for over, steps in (("25 steps", 25), ("2.5 epochs", 25), ("10%", 7)):
        resumed = resume.cooldown(state_at(WSD, 60), over)
        assert resumed.plan.total == 60 + steps
        today = WSD.plan().at(60)["lr"]["decay"]
        assert rates(resumed.plan) == pytest.approx(
            [*rates(WSD.plan(), 0, 60), *(today * (steps - step) / steps for step in range(steps))], rel=1e-12
        )


def test_several_branches_from_one_trunk_and_a_branch_of_a_branch():
    trunk = state_at(WSD, 40)
    short, long = resume.cooldown(trunk, "10 steps"), resume.cooldown(trunk, "30 steps", "power(1, 0, 0.5)")
    assert (short.plan.total, long.plan.total) == (50, 70)
    assert rates(short.plan, 0, 40) == rates(long.plan, 0, 40) == rates(WSD.plan(), 0, 40)
    again = resume.restart(state_at(short.recipe, 50, short.plan), WSD)
    assert rates(again.plan) == [*rates(short.plan), *rates(WSD.plan())]


def test_restart_is_the_recipe_in_a_run_of_its_own():
    resumed = resume.restart(state_at(RECIPE, 35), run=Run(epochs=4, samples=100, batch_size=10))
    assert rates(resumed.plan) == [*rates(RECIPE.plan(), 0, 35), *rates(RECIPE.override(epochs=4).plan())]
    assert resumed.plan.total == 75


def test_replace_is_the_other_recipe_as_if_it_had_always_been():
    other = replace(WSD, optimizer=replace(WSD.optimizer, lr=0.5))
    resumed = resume.replace(state_at(RECIPE, 60), other)
    assert rates(resumed.plan, 0, 60) == pytest.approx(rates(RECIPE.plan(), 0, 60), rel=1e-15)
    assert rates(resumed.plan, 60) == pytest.approx(rates(other.plan(), 60), rel=1e-15)


def test_continue_from_makes_no_jump():
    resumed = resume.continue_from(state_at(RECIPE, 60), RECIPE.override(epochs=20))
    longer, today = rates(RECIPE.override(epochs=20).plan(), 60), RECIPE.plan().at(60)["lr"]["decay"]
    assert rates(resumed.plan, 60) == pytest.approx([value * today / longer[0] for value in longer], rel=1e-14)
    ended = replace(RECIPE, schedules={"lr": etude.parse('linear(1, 0, over="50 steps")')})
    with pytest.raises(
        InputError, match=r"continue_from: lr of group 'no_decay' is 0 at step 60 in the new recipe, and 0.000377"
    ):
        resume.continue_from(state_at(RECIPE, 60), ended)


def test_a_batch_size_changes_with_the_next_epoch():
    resumed = resume.replace(state_at(RECIPE, 64), RECIPE, Run(epochs=10, samples=100, batch_size=20))
    assert resumed.recipe.run.stages == (
        Stage(epochs=7, batch_size=10, accumulate=1),
        Stage(epochs=3, batch_size=20, accumulate=1),
    )
    assert resumed.plan.total == 70 + 15
    assert rates(resumed.plan, 0, 64) == rates(RECIPE.plan(), 0, 64)
    assert "an epoch has 5 steps of 20 samples from epoch 7 on, and had 10 of 10" in str(resumed)
    twice = resume.replace(state_at(resumed.recipe, 72, resumed.plan), RECIPE, Run(epochs=12, samples=100, batch_size=50))
    assert [(stage.epochs, stage.batch_size) for stage in twice.recipe.run.stages] == [(7, 10), (1, 20), (4, 50)]
    assert rates(twice.plan, 0, 72) == rates(resumed.plan, 0, 72)
    with pytest.raises(
        InputError, match="an epoch has 10 steps, and 5 from now on: epoch 7 would be the first of them, and the run has 7"
    ):
        resume.replace(state_at(RECIPE, 64), RECIPE, Run(epochs=7, samples=100, batch_size=20))
    with pytest.raises(InputError, match="give the run's epochs, samples and batch_size, so that both can be counted"):
        resume.replace(state_at(RECIPE, 64), RECIPE, Run(epochs=10, steps_per_epoch=5))


def test_a_run_in_stages_ends_elsewhere_too():
    staged = replace(RECIPE, run=Run(samples=100, stages=(Stage(epochs=4, batch_size=10), Stage(epochs=4, batch_size=20))))
    assert resume.extend(state_at(staged, 50), "10 epochs").plan.total == 40 + 30
    assert resume.cooldown(state_at(staged, 30), "3 steps").recipe.run.stages == (Stage(epochs=3.3, batch_size=10),)
    with pytest.raises(InputError, match="restart: what begins must be a run without stages: give one"):
        resume.restart(state_at(staged, 50))


def test_the_report_shows_the_values_before_and_after():
    text = str(resume.extend(state_at(RECIPE, 60), "20 epochs"))
    assert text.splitlines() == [
        "extend to 20 epochs, from step 60 (epoch 6) on, to step 200",
        "                applied last  was to come  comes now",
        "  lr  no_decay  0.00039335    0.000377257  0.000838641",
        "  lr  decay     0.00039335    0.000377257  0.000838641",
        "  the run ends at step 200, and was to end at step 100",
    ]


def test_an_extension_that_changes_nothing_says_so():
    steps = replace(RECIPE, schedules={"lr": etude.parse('steps(0.1, at=["30 steps"])')})
    assert "nothing in the recipe's lr follows the run's length" in str(resume.extend(state_at(steps, 60), "20 epochs"))
    assert resume.extend(state_at(RECIPE, 60), "20 epochs").notes == ()


def test_the_history_says_what_was_done_and_to_which_recipe():
    first = resume.extend(state_at(RECIPE, 60), "20 epochs")
    second = resume.cooldown(state_at(first.recipe, 90, first.plan) | {"history": first.state["history"]}, "10 steps")
    one, two = second.state["history"]
    assert (one["updates"], one["intent"], one["changed"][-1]) == (60, "extend to 20 epochs", "run.epochs: 10 -> 20")
    assert (two["updates"], two["intent"]) == (90, "cooldown over 10 steps")
    assert one["was"] != two["was"]


def test_the_driver_goes_on_with_the_state_and_keeps_its_history():
    net = nn.Linear(2, 1)
    optimizer = etude.torch.build(net, RECIPE)
    driver = etude.torch.drive(optimizer, RECIPE.plan())
    for _ in range(30):
        optimizer.step()
    resumed = resume.cooldown(driver.state_dict(), "10 steps")
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    driver = etude.torch.drive(optimizer, resumed.plan)
    driver.load_state_dict(resumed.state)
    applied = []
    for _ in range(10):
        optimizer.step()
        applied.append(driver.get_last_lr()[0])
    assert applied == rates(resumed.plan, 30)
    assert driver.state_dict()["history"] == resumed.state["history"]
    with pytest.raises(InputError, match=r"of another recipe .* say what is meant: extend, cooldown, continue_from"):
        etude.torch.drive(optimizer, RECIPE.plan()).load_state_dict(driver.state_dict())


def test_metrics_that_were_fed_count_before_and_after():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), schedules={"lr": etude.parse("plateau(0.5, patience=0)")}, run=Run(steps=40)
    )
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    for loss in (1.0, 2.0, 2.0, 2.0):
        optimizer.step()
        driver.feed(loss)
    assert driver.plan.at(4)["lr"]["all"] == 0.125
    for resumed, value in (
        (resume.extend(driver.state_dict(), "80 steps"), 0.125),
        (resume.cooldown(driver.state_dict(), "10 steps"), 0.125),
        (resume.restart(driver.state_dict()), 1.0),
    ):
        again = etude.torch.drive(optimizer, resumed.plan)
        again.load_state_dict(resumed.state)
        optimizer.step()
        assert again.get_last_lr() == [value]


def test_a_late_group_keeps_its_clock():
    groups = {"head": Group(module="head"), "body": Group()}
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": etude.linear(1, 0)}, run=Run(steps=100)
    )
    model = nn.ModuleDict({"head": nn.Linear(1, 1), "body": nn.Linear(1, 1)})
    optimizer = torch.optim.SGD([{"params": model["body"].parameters(), "name": "body"}], lr=0.1)
    driver = etude.torch.drive(optimizer, recipe.plan())
    for _ in range(50):
        optimizer.step()
    optimizer.add_param_group({"params": model["head"].parameters(), "name": "head"})
    for _ in range(20):
        optimizer.step()
    plan = driver.plan
    resumed = resume.cooldown(driver.state_dict(), "10 steps")
    assert resumed.plan.at(70)["lr"] == plan.at(70)["lr"] == pytest.approx({"head": 0.06, "body": 0.03})
    assert resumed.plan.at(30)["lr"] == plan.at(30)["lr"]


def test_absolute_levels_stay_absolute_and_other_values_stay_where_they_are():
    recipe = Recipe(
        optimizer=Optimizer(name="AdamW", lr=0.1, betas=(0.9, 0.999), weight_decay=0.1),
        groups={"bias": Group(kind="bias", lr=0.2), "rest": Group()},
        schedules={
            "lr": etude.parse("cosine(1, abs(0.01))"),
            "momentum": etude.linear(0.5, 1),
            "weight_decay": etude.linear(1, 2),
        },
        run=Run(steps=100),
    )
    before = recipe.plan()
    resumed = resume.cooldown(state_at(recipe, 50), "50 steps")
    assert resumed.plan.at(50) == before.at(50)
    assert resumed.plan.at(99)["lr"] == pytest.approx({name: value / 50 for name, value in before.at(50)["lr"].items()})
    for name in ("momentum", "weight_decay"):
        assert resumed.plan.at(99)[name] == before.at(50)[name]
    other = replace(recipe, groups={"bias": Group(kind="bias", lr=0.4), "rest": Group()})
    replaced = resume.replace(state_at(recipe, 50), other)
    assert rates(replaced.plan, 0, 50) == pytest.approx(rates(before, 0, 50), rel=1e-15)
    assert rates(replaced.plan, 50) == pytest.approx(rates(other.plan(), 50), rel=1e-15)


def test_a_run_that_counts_batches():
    recipe = etude.read("yolov5").override(epochs=40, samples=640)
    plan = recipe.plan()
    updates = plan.end() // 2
    longer = resume.extend(state_at(recipe, updates), "80 epochs")
    now = int(plan.tick_after(updates))
    assert longer.plan.at(batch=now) == recipe.override(epochs=80).plan().at(batch=now)
    assert longer.plan.at(batch=now - 1) == plan.at(batch=now - 1)


# -- the past is what it was, whatever the run becomes ----------------------------------------------------------------


def one(text, run, lr=1.0, **more):
    return Recipe(optimizer=Optimizer(name="SGD", lr=lr), schedules={"lr": etude.parse(text)}, run=run, **more)


EPOCHS = Run(epochs=10, samples=100, batch_size=10)


@pytest.mark.parametrize("text", ['linear(1, 0, over="10 epochs")', "per_epoch(cosine(1, 0))", 'steps(0.5, every="3 epochs")'])
def test_the_past_keeps_its_epochs_where_they_get_another_length(text):
    recipe = one(text, EPOCHS)
    resumed = resume.replace(state_at(recipe, 60), recipe, Run(epochs=10, samples=100, batch_size=20))
    assert rates(resumed.plan, 0, 60) == rates(recipe.plan(), 0, 60)
    staged = one(text, Run(samples=40, stages=(Stage(epochs=4, batch_size=4), Stage(epochs=4, batch_size=8))))
    for changed in (resume.cooldown(state_at(staged, 20), "10 steps"), resume.extend(state_at(staged, 20), "3 epochs")):
        assert rates(changed.plan, 0, 20) == rates(staged.plan(), 0, 20)


def test_a_cooldown_of_a_cooldown_with_the_same_end_keeps_the_past():
    recipe = one("linear(1, 0)", EPOCHS)
    first = resume.cooldown(state_at(recipe, 40), "33 steps")
    second = resume.cooldown(state_at(first.recipe, 60, first.plan), "13 steps", "power(1, 0, 0.5)")
    assert second.plan.total == first.plan.total
    assert rates(second.plan, 0, 60) == rates(first.plan, 0, 60)


def test_the_past_keeps_the_batches_at_which_updates_were_made():
    accumulate = etude.parse("rounded(linear(1, 4))")
    recipe = one("linear(1, 0.1)", replace(EPOCHS, accumulate=accumulate), clock="batch")
    plan = recipe.plan()
    first = resume.extend(state_at(recipe, 20), "20 epochs")
    second = resume.cooldown(state_at(first.recipe, 40, first.plan), "30 batches")
    for step in range(20):
        assert plan.clock.batch_of_step(step) == first.plan.clock.batch_of_step(step) == second.plan.clock.batch_of_step(step)
    assert rates(second.plan, 0, 20) == rates(first.plan, 0, 20) == rates(plan, 0, 20)


def test_an_override_is_today_s_value_and_ends():
    recipe = one("constant(1)", Run(steps=100))
    optimizer = etude.torch.build(nn.Linear(1, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    driver.override(lr=0.2)
    for _ in range(10):
        optimizer.step()
    resumed = resume.cooldown(driver.state_dict(), "5 steps")
    assert "lr  all  0.2           0.2          0.2" in str(resumed)
    assert "the override of lr of group 'all', 0.2, ends here" in str(resumed)
    driver = etude.torch.drive(optimizer, resumed.plan)
    driver.load_state_dict(resumed.state)
    applied = []
    for _ in range(5):
        optimizer.step()
        applied += driver.get_last_lr()
    assert applied == pytest.approx([0.2, 0.16, 0.12, 0.08, 0.04])


def test_one_group_that_joined_two_optimizers_at_different_times_has_no_one_plan():
    groups = {"head": Group(module="head"), "body": Group()}
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": etude.linear(1, 0)}, run=Run(steps=100)
    )
    state = {**state_at(recipe, 60), "updates": [60, 60], "skipped": [0, 0], "joined": [{"head": 0}, {"head": 50}]}
    with pytest.raises(InputError, match="group 'head' joined its optimizers at steps 0 and 50: no one plan says both"):
        resume.extend(state, "200 steps")
    with pytest.raises(InputError, match="the checkpoint's group 'zzz' is none of its recipe's"):
        resume.extend({**state_at(recipe, 60), "joined": [{"zzz": 3}]}, "200 steps")


def test_restart_after_a_late_join_waits_for_nothing():
    groups = {"head": Group(module="head"), "body": Group()}
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0), groups=groups, schedules={"lr": etude.linear(1, 0)}, run=Run(steps=100)
    )
    resumed = resume.restart({**state_at(recipe, 70), "joined": [{"body": 0, "head": 50}]})
    assert resumed.plan.at(119)["lr"] == {"head": pytest.approx(0.51), "body": pytest.approx(0.51)}


@pytest.mark.parametrize(("at", "total"), [(30, 50), (35, 55), (40, 60)])
def test_a_restart_with_another_epoch_ends_with_its_own_end(at, total):
    recipe = one("linear(1, 0)", EPOCHS)
    resumed = resume.restart(state_at(recipe, at), run=Run(epochs=4, samples=100, batch_size=20))
    assert resumed.plan.total == total
    assert rates(resumed.plan, at) == pytest.approx([1 - step / 20 for step in range(20)])
    assert rates(resumed.plan, 0, at) == rates(recipe.plan(), 0, at)


def test_continue_from_leaves_momentum_to_the_recipe():
    recipe = Recipe(
        optimizer=Optimizer(name="AdamW", lr=0.1, betas=(0.95, 0.999)), schedules={"lr": etude.linear(1, 0)}, run=Run(steps=100)
    )
    other = replace(
        recipe, optimizer=replace(recipe.optimizer, lr=0.2), schedules={**recipe.schedules, "momentum": etude.linear(0.85, 1)}
    )
    resumed = resume.continue_from(state_at(recipe, 30), other)
    assert resumed.plan.at(30)["lr"]["all"] == pytest.approx(0.07)
    assert resumed.plan.at(99)["momentum"] == other.plan().at(99)["momentum"]


def test_a_run_that_was_trained_on_past_its_end():
    recipe = one("constant(1)", Run(steps=100))
    resumed = resume.cooldown(state_at(recipe, 105), "10 steps")
    assert (resumed.plan.total, resumed.plan.at(105)["lr"]["all"]) == (115, 1.0)
    with pytest.raises(InputError, match="extend: 103 steps is 103 steps, and the run has made 105: ask for more"):
        resume.extend(state_at(recipe, 105), "103 steps")
    with pytest.raises(InputError, match="the run would be over: it has 50 steps then, and 105 are made already"):
        resume.replace(state_at(recipe, 105), recipe, Run(steps=50))


def test_a_run_without_an_end():
    recipe = one('chain(linear(0, 1, over="5 steps"), constant(1))', Run())
    cooled = resume.cooldown(state_at(recipe, 20), "10 steps")
    assert rates(cooled.plan) == pytest.approx(
        [
            *(recipe.plan().at(step)["lr"]["all"] for step in range(20)),
            *(1 - k / 10 for k in range(10)),
        ]
    )
    assert "the run ends at step 30, and was to end at no step of its own" in str(cooled)
    assert str(resume.extend(state_at(recipe, 20), "100 steps")).startswith("extend to 100 steps, from step 20 on, to step 100")
    restarted = resume.restart(state_at(recipe, 20))
    assert [restarted.plan.at(step)["lr"]["all"] for step in (19, 20, 22, 400)] == [1.0, 0.0, 0.4, 1.0]
    assert "to no step of its own" in str(restarted)


def test_another_recipe_without_a_plateau_leaves_the_metrics_behind():
    recipe = one("plateau(0.5, patience=0)", Run(steps=100))
    plain = one("linear(1, 0)", Run(steps=100))
    state = {**state_at(recipe, 60), "metrics": [[[10], "val_loss", 1.0], [[20], "val_loss", 2.0]]}
    for resumed in (resume.continue_from(state, plain), resume.replace(state, plain), resume.restart(state, plain)):
        assert resumed.plan.at(59) == recipe.plan().at(59)
        assert resumed.after.at(59)["lr"]["all"] == 0.5
        driver = etude.torch.drive(etude.torch.build(nn.Linear(1, 1), resumed.recipe), resumed.plan)
        driver.load_state_dict(resumed.state)
    early = {**state_at(recipe, 0), "metrics": [[[0], "val_loss", 1.0]]}
    assert resume.replace(early, plain).state["metrics"] == []


@pytest.mark.parametrize("size", [49, 64, 7])
def test_every_length_of_a_cooldown_is_one(size):
    staged = one("linear(1, 0.5)", Run(samples=size, stages=(Stage(epochs=4, batch_size=1), Stage(epochs=4, batch_size=1))))
    moving = one(
        "linear(1, 0.5)",
        Run(samples=size, epochs=8, batch_size=1, accumulate=etude.parse("rounded(linear(1, 2))")),
        clock="batch",
    )
    for steps in range(1, 2 * size):
        assert resume.cooldown(state_at(staged, 5), f"{steps} steps").plan.total == 5 + steps
    for batches in range(1, 40):
        assert resume.cooldown(state_at(moving, 5), f"{batches} batches").plan.clock.total == 5 + batches


def test_a_group_that_joins_after_a_change_follows_the_run():
    groups = {"head": Group(module="head"), "body": Group()}
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": etude.constant(1)}, run=Run(steps=100)
    )
    model = nn.ModuleDict({"head": nn.Linear(1, 1), "body": nn.Linear(1, 1)})
    optimizer = torch.optim.SGD([{"params": model["body"].parameters(), "name": "body"}], lr=0.1)
    driver = etude.torch.drive(optimizer, recipe.plan())
    for _ in range(50):
        optimizer.step()
    resumed = resume.cooldown(driver.state_dict(), "10 steps")
    driver = etude.torch.drive(optimizer, resumed.plan)
    driver.load_state_dict(resumed.state)
    for _ in range(5):
        optimizer.step()
    optimizer.add_param_group({"params": model["head"].parameters(), "name": "head"})
    optimizer.step()
    assert driver.get_last_lr() == [pytest.approx(0.05), pytest.approx(0.05)]


@given(schedules, runs, st.data())
def test_every_intent_keeps_the_past_and_a_driver_takes_its_state(schedule, run, data):
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": etude.clip(schedule, lo=etude.abs(0))})
    try:
        plan = recipe.plan(run)
        total = plan.end()
        updates = data.draw(st.integers(0, total))
        state = state_at(replace(recipe, run=run), updates)
        intents = [lambda: resume.extend(state, f"{total + 20} steps"), lambda: resume.cooldown(state, "7 steps")]
        intents += [lambda: resume.continue_from(state)] + ([] if run.stages else [lambda: resume.restart(state)])
        resumed = data.draw(st.sampled_from(intents))()
    except InputError:
        return  # no plan in this run, or nothing that a factor brings to today's value
    assert rates(resumed.plan, 0, updates) == rates(plan, 0, updates)
    optimizer = etude.torch.build(nn.Linear(1, 1), resumed.recipe)
    driver = etude.torch.drive(optimizer, resumed.plan)
    driver.load_state_dict(resumed.state)
    if "extend" not in resumed.intent and "restart" not in resumed.intent:
        assert resumed.plan.at(updates)["lr"]["all"] == pytest.approx(plan.at(updates)["lr"]["all"], rel=1e-14, abs=1e-300)
    assert etude.parse(repr(resumed.recipe.schedules["lr"])) == resumed.recipe.schedules["lr"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda state: resume.extend(state, "5 epochs"), r"extend: 5 epochs is 50 steps, and the run has made 60: ask for more"),
        (lambda state: resume.extend(state, 20), "extend must carry its unit, got 20"),
        (lambda state: resume.cooldown(state, "100%"), "a part of the run must be below 100%, got 100%"),
        (lambda state: resume.cooldown(state, "0 steps"), "cooldown must be longer than nothing"),
        (lambda state: resume.cooldown(state, "5 steps", 5), "shape must be a schedule from 1 on, such as linear"),
        (lambda state: resume.cooldown(state, "5 steps", "constant(5)"), "shape must begin at 1 and fill its time"),
        (
            lambda state: resume.cooldown(state, "5 steps", 'linear(1, 0, over="2 steps")'),
            "shape must begin at 1 and fill its time",
        ),
        (lambda state: resume.replace(state, "x.yaml"), r"a recipe is needed, as in etude.read\(...\), got str"),
        (lambda state: resume.extend({**state, "updates": []}, "20 epochs"), "this is not the state of an etude driver"),
        (lambda state: resume.cooldown(state, "5 steps", "cosin(1, 0)"), "unknown schedule 'cosin'; did you mean 'cosine'"),
        (lambda state: resume.extend({}, "20 epochs"), "this is not the state of an etude driver"),
        (
            lambda state: resume.replace(state, replace(RECIPE, groups={"decay": Group()})),
            "the run's groups are no_decay, decay, the recipe's decay: .* they must be the same, in the same order",
        ),
        (
            lambda state: resume.replace(state, replace(RECIPE, optimizer=replace(RECIPE.optimizer, eps=1e-3, betas=(0.9, 0.5)))),
            r"the optimizer is another one \(eps: None -> 0.001; betas\[1\]: 0.999 -> 0.5\), and its saved state would bring the old",
        ),
        (
            lambda state: resume.replace(state, replace(RECIPE, clock="batch")),
            "the run counts by step, the recipe by batch: an intent can't change that",
        ),
        (
            lambda state: resume.replace(state, replace(RECIPE, optimizer=replace(RECIPE.optimizer, name="SGD", betas=None))),
            "the run has lr, momentum, weight_decay, the recipe lr, weight_decay",
        ),
        (
            lambda state: resume.extend({**state, "updates": [60, 61], "skipped": [], "joined": []}, "20 epochs"),
            "the optimizers have made 60, 61 updates: an intent needs one step that all have reached",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(state_at(RECIPE, 60))
