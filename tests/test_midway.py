"""A schedule meant for another run is what it is in that run; a switch reads both schedules on one clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Optimizer, Recipe, Run
from etude.resume.endings import facts_beside
from tests.strategies import bound, runs, schedules


@given(schedules, runs, runs)
def test_for_run_is_the_schedule_in_that_run_whatever_the_other(schedule, run, other):
    there, here = (
        bound(schedule, run),
        bound(etude.for_run(schedule, **facts_beside(run, other)) if run != other else schedule, other),
    )
    steps = range(int(min(run.clock().total, other.clock().total)))
    assert [here(step) for step in steps] == [there(step) for step in steps]


@given(schedules, runs, st.integers(1, 50))
def test_in_a_chain_it_begins_its_own_run(schedule, run, before):
    other = Run(steps=before + int(run.clock().total), steps_per_epoch=7)
    there = bound(schedule, run)
    chained = etude.chain(etude.constant(1, over=f"{before} steps"), etude.for_run(schedule, **facts_beside(run, other)))
    here = bound(chained, other)
    assert [here(before + step) for step in range(int(run.clock().total))] == pytest.approx(
        [there(step) for step in range(int(run.clock().total))], rel=1e-9, abs=1e-12
    )


@given(schedules, schedules, runs, st.integers(0, 400))
def test_a_switch_is_one_before_and_the_other_from_there_on(one, other, run, at):
    first, second = bound(one, run), bound(other, run)
    both = bound(etude.switch(one, other, at=f"{at} steps"), run)
    for step in range(int(run.clock().total)):
        assert both(step) == (first if step < at else second)(step)


def test_a_plateau_behind_a_switch_has_seen_every_metric():
    text = 'switch(linear(1, 0), plateau(0.1, patience=0), at="50 steps")'
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=1.0), schedules={"lr": etude.parse(text)})
    plan = recipe.plan(Run(steps=100))
    fed = plan.fed([(10, "val_loss", 1.0), (20, "val_loss", 2.0)])
    assert fed.at(49)["lr"]["all"] == plan.at(49)["lr"]["all"]
    assert fed.at(50)["lr"]["all"] == 0.1


def test_a_base_of_its_own_stands_for_the_groups():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1), schedules={"lr": etude.parse("for_run(linear(1, 0), steps=10, base=2)")}
    )
    assert recipe.plan(Run(steps=20)).at(5)["lr"]["all"] == 1.0
    with pytest.raises(InputError, match="for_run: base must be 0 or above, got -1"):
        etude.parse("for_run(linear(1, 0), steps=10, base=-1)")
