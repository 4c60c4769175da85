"""The plateau: a function of the time and of what was measured until then."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run
from etude.driver import EtudeWarning
from etude.replay import replay

CONSTANT = [(step, "val_loss", 1.0) for step in range(1, 30)]


def plan(text, metrics=(), *, lr=1.0, **facts):
    return etude.read(text).override(lr=lr, **(facts or {"steps": 30})).plan().fed(metrics)


def rates(made, stop=30):
    return [made.at(step)["lr"]["all"] for step in range(stop)]


def test_before_anything_is_measured_it_is_one():
    assert rates(plan("plateau(0.1)")) == [1.0] * 30


def test_a_metric_counts_from_the_update_that_follows_it():
    # the first is the best, two more are suffered, the fourth reduces: known after 4 updates, so update number 4 has it
    assert rates(plan("plateau(0.1, patience=2)", CONSTANT), 8) == [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, pytest.approx(0.01)]


def test_it_multiplies_a_warmup():
    made = plan('plateau(0.5, patience=0) * linear(0, 1, over="4 steps")', [(1, "val_loss", 1.0), (2, "val_loss", 1.0)])
    assert rates(made, 5) == [0.0, 0.25, 0.25, 0.375, 0.5]


def test_in_a_chain_it_sees_what_is_measured_within_its_phase():
    worse = [(step, "val_loss", float(step)) for step in range(1, 8)]
    made = plan('chain(linear(0, 1, over="5 steps"), plateau(0.5, patience=0))', worse)
    # the metrics of steps 1 to 5 belong to the warmup; 6 is the first that it sees, and the best
    assert rates(made, 9)[5:] == [1.0, 1.0, 0.5, 0.5]


def test_floors_and_metrics_of_their_own_by_group():
    recipe = etude.Recipe(
        optimizer=etude.Optimizer(name="SGD", lr=1.0),
        groups={
            "a": etude.Group(pattern="a*", schedules={"lr": etude.plateau(0.1, patience=0, floor=0.5)}),
            "b": etude.Group(lr=0.1, schedules={"lr": etude.plateau(0.1, patience=0, metric="acc", mode="max")}),
        },
        run=Run(steps=9),
    )
    made = recipe.plan().fed([(1, "val_loss", 1.0), (2, "val_loss", 1.0), (1, "acc", 0.1), (2, "acc", 0.2), (3, "acc", 0.2)])
    assert made.watched() == ["val_loss", "acc"]
    assert [tuple(made.at(step)["lr"].values()) for step in (1, 2, 3)] == [(1.0, 0.1), (0.5, 0.1), (0.5, pytest.approx(0.01))]


def test_a_blind_cooldown_does_not_follow_the_best():
    values = [5.0, 5.0, 3.0, 4.0, 4.0, 4.0]  # reduced at the second; the third, the best of all, comes in the cooldown
    metrics = [(step, "val_loss", value) for step, value in enumerate(values, 1)]
    watch = rates(plan("plateau(0.5, patience=0, cooldown=1)", metrics), 8)
    blind = rates(plan('plateau(0.5, patience=0, cooldown=1, resting="blind")', metrics), 8)
    assert watch[2:] == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert blind[2:] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_change_points_say_what_was_measured():
    changes = plan("plateau(0.1, patience=2)", CONSTANT).changes()
    assert (changes[0].step, changes[0].what) == (4, "times 0.1: val_loss 1")


rules = st.builds(
    lambda factor, patience, cooldown: etude.plateau(factor, patience=patience, cooldown=cooldown, eps=etude.abs(1e-8)),
    st.sampled_from([0.1, 0.5]),
    st.integers(0, 3),
    st.integers(0, 2),
)
logs = st.lists(st.tuples(st.integers(0, 40), st.floats(0, 2)), max_size=25).map(
    lambda log: [(step, "val_loss", value) for step, value in sorted(log, key=lambda entry: entry[0])]
)


@given(rules, logs, st.integers(0, 41))
def test_what_is_not_yet_measured_decides_nothing(rule, log, now):
    made = etude.read(rule * etude.linear(1, 0)).plan(Run(steps=40))
    known = [entry for entry in log if entry[0] <= now]
    assert rates(made.fed(known), min(now + 1, 40)) == rates(made.fed(log), min(now + 1, 40))


@given(rules, logs)
def test_fed_at_once_or_one_by_one_is_the_same(rule, log):
    made = etude.read(rule).plan(Run(steps=40))
    one_by_one = made
    for entry in log:
        one_by_one = one_by_one.fed([entry])
    assert rates(one_by_one, 40) == rates(made.fed(log), 40) == made.fed(log).table()["lr"][:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plateau(1)", "factor must be at least 0 and below 1, got 1"),
        ("plateau(0.1, patience=-1)", "patience must be a whole number of metrics, 0 or more, got -1"),
        ("plateau(0.1, cooldown=0.5)", "cooldown must be a whole number of metrics, 0 or more, got 0.5"),
        ("plateau(0.1, mode='median')", "mode must be min or max, got 'median'"),
        ("plateau(0.1, resting='deep')", "resting must be watch or blind, got 'deep'"),
        ("plateau(0.1, metric='')", "metric must be a name such as 'val_loss', got ''"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        etude.parse(text)


def test_a_metric_that_nothing_waits_for_is_refused():
    with pytest.raises(InputError, match=r"waits for the metric 'val_los'; did you mean 'val_loss'\?"):
        plan("plateau(0.1)", [(1, "val_los", 1.0)])
    with pytest.raises(InputError, match=r"waits for the metric 'x'; plateau\(...\) in a schedule does"):
        plan("cosine(1, 0)", [(1, "x", 1.0)])


# -- driven -----------------------------------------------------------------------------------------------------------


def driven(text, *, steps=30, count=1):
    recipe = etude.read(text).override(lr=0.1, steps=steps)
    nets = [torch.nn.Linear(2, 1) for _ in range(count)]
    optimizers = [etude.torch.build(net, recipe) for net in nets]
    return recipe, optimizers, etude.torch.drive(optimizers, recipe.plan())


@given(
    rules, st.lists(st.tuples(st.booleans(), st.sampled_from([1.0, 0.9, 0.5, float("nan")])), min_size=1, max_size=30), st.data()
)
def test_a_resume_decides_as_the_run_that_never_stopped(rule, steps, data):
    """Metrics come after some updates; the run is stopped anywhere and goes on from its states, in either order."""
    stop, optimizer_first = data.draw(st.integers(0, len(steps) - 1)), data.draw(st.booleans())
    text = repr(rule * etude.linear(1, 0.2, over="7 steps"))
    _, (optimizer,), driver = driven(text)
    seen, states = [], None
    for step, (measured, value) in enumerate(steps):
        if step == stop:
            states = copy.deepcopy((optimizer.state_dict(), driver.state_dict()))
        optimizer.step()
        seen.append(driver.get_last_lr()[0])
        if measured:
            driver.feed(val_loss=value)
    _, (other,), again = driven(text)
    loads = [lambda: other.load_state_dict(states[0]), lambda: again.load_state_dict(states[1])]
    for load in loads if optimizer_first else reversed(loads):
        load()
    resumed = []
    for measured, value in steps[stop:]:
        other.step()
        resumed.append(again.get_last_lr()[0])
        if measured:
            again.feed(val_loss=value)
    assert resumed == seen[stop:]
    whole = driver.plan
    assert seen == [whole.at(step)["lr"]["all"] for step in range(len(steps))]


def test_the_state_holds_every_metric_as_plain_data():
    _, (optimizer,), driver = driven("plateau(0.5, patience=0)")
    optimizer.step()
    driver.feed(torch.tensor(0.25))
    state = json.loads(json.dumps(driver.state_dict()))
    assert state["metrics"] == [[[1], "val_loss", 0.25]]


def test_a_metric_without_a_name_is_the_only_one():
    _, _, driver = driven("plateau(0.5)")
    driver.feed(1.0)
    _, _, other = driven('plateau(0.5) * plateau(0.5, metric="acc", mode="max")')
    with pytest.raises(
        InputError, match=r"feed needs the metric's name, as in feed\(val_loss=0.71\); the recipe waits for \['val_loss', 'acc'\]"
    ):
        other.feed(1.0)
    with pytest.raises(InputError, match="metric 'acc' must be a number, got 'good'"):
        other.feed(acc="good")
    with pytest.raises(InputError, match="waits for the metric 'auc'"):
        other.feed(auc=1.0)


def test_what_is_fed_is_applied_before_the_next_update_and_told_nowhere_as_a_change():
    import warnings

    _, (optimizer,), driver = driven("plateau(0.5, patience=0)")
    with warnings.catch_warnings():
        warnings.simplefilter("error", EtudeWarning)
        optimizer.step()
        driver.feed(1.0)
        driver.feed(1.0)
        assert driver.get_last_lr() == [0.1]  # what the last update was made with
        optimizer.step()
    assert driver.get_last_lr() == [0.05]


def test_several_optimizers_each_count_from_their_own_updates():
    _, (first, second), driver = driven("plateau(0.5, patience=0)", count=2)
    for _ in range(3):
        first.step()
    driver.feed(1.0)
    driver.feed(1.0)
    first.step(), second.step()
    assert driver.get_last_lr() == [0.05, 0.05]
    assert driver.metrics == [([3, 0], "val_loss", 1.0)] * 2


def _one_process(rank, port, seen):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    _, (optimizer,), driver = driven("plateau(0.5, patience=0)")
    for value in (1.0, 0.5, 0.25) if rank else (1.0, 1.0, 1.0):  # the second process would never reduce
        optimizer.step()
        driver.feed(value)
    optimizer.step()
    seen.put((rank, driver.get_last_lr()[0], [value for _, _, value in driver.metrics]))
    dist.destroy_process_group()


def test_all_processes_make_one_decision():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context("spawn")
    seen = context.Queue()
    workers = [context.Process(target=_one_process, args=(rank, port, seen)) for rank in range(2)]
    for worker in workers:
        worker.start()
    told = sorted(seen.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    assert told == [(0, 0.025, [1.0, 1.0, 1.0]), (1, 0.025, [1.0, 1.0, 1.0])]


def test_a_metric_given_to_step_is_fed_as_torch_has_it():
    _, (optimizer,), driver = driven("plateau(0.5, patience=0)")
    for _ in range(3):
        optimizer.step()
        driver.step(1.0)
    assert driver.metrics == [([count], "val_loss", 1.0) for count in (1, 2, 3)]
    _, (optimizer,), driver = driven("cosine(1, 0)")
    optimizer.step()
    with pytest.warns(EtudeWarning, match=r"driver.step\(1.0\): no plateau waits for a metric"):
        driver.step(1.0)


def test_a_plateau_that_nothing_was_fed_to_is_told_at_a_checkpoint():
    recipe = etude.read("plateau(0.5)").override(epochs=9, steps_per_epoch=2)
    optimizer = etude.torch.build(torch.nn.Linear(2, 1), recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    for step in range(4):
        optimizer.step()
        if step < 3:
            driver.state_dict()
    with pytest.warns(EtudeWarning, match="a plateau waits for val_loss, and nothing was fed in 4 updates"):
        driver.state_dict()


def test_one_wrong_metric_feeds_none():
    _, _, driver = driven("plateau(0.5)")
    with pytest.raises(InputError, match="waits for the metric 'nope'"):
        driver.feed(val_loss=1.0, nope=2.0)
    assert driver.metrics == []


@pytest.mark.parametrize("entry", [(1, "val_loss", "abc"), (1, "val_loss", None), (None, "val_loss", 1.0), (1, 2), 3])
def test_what_is_no_metric_is_refused(entry):
    with pytest.raises(
        InputError, match=r"must be a number, got|a count of updates must be a whole number|a metric is \(updates made"
    ):
        plan("plateau(0.1)", [entry])


@pytest.mark.parametrize("metrics", [5, None, [5], [[1, "val_loss", 1.0]], [[[1, 2], "val_loss", 1.0]]])
def test_a_damaged_state_is_refused(metrics):
    _, _, driver = driven("plateau(0.5)")
    with pytest.raises(InputError, match="this is not the state of an etude driver"):
        driver.load_state_dict({**driver.state_dict(), "metrics": metrics})
    with pytest.raises(InputError, match="this is not the state of an etude driver"):
        driver.load_state_dict({key: value for key, value in driver.state_dict().items() if key != "updates"})


def test_a_plateau_sees_the_runs_own_time_in_cycles_without_number():
    metrics = [(3, "val_loss", 1.0), (5, "val_loss", 1.0)]
    short, long = (plan('repeat(plateau(0.1, patience=0), "10 steps")', metrics, steps=steps) for steps in (50, 50_000))
    assert rates(short, 30) == rates(long, 30)
    with pytest.raises(InputError, match="would hold more than 10000 cycles in this run, and not all alike"):
        plan('repeat(plateau(0.1, patience=0), "10 steps")', steps=200_000)
    with pytest.raises(InputError, match="skip: a plateau has no past that could be skipped"):
        etude.parse('skip(plateau(0.1), "3 steps")')


def test_metrics_by_batch_count_from_the_first_batch_after_an_update():
    recipe = etude.Recipe(
        optimizer=etude.Optimizer(name="SGD", lr=1.0),
        schedules={"lr": etude.plateau(0.5, patience=0)},
        clock="batch",
        run=Run(epochs=5, samples=40, batch_size=4, accumulate=2),
    )
    made = recipe.plan().fed([(1, "val_loss", 1.0), (2, "val_loss", 1.0)])
    assert [made.at(batch=batch)["lr"]["all"] for batch in (3, 4)] == [1.0, 0.5]
    assert [made.at(step)["lr"]["all"] for step in (1, 2)] == [1.0, 0.5]


# -- replayed ---------------------------------------------------------------------------------------------------------


def logged(tmp_path, text, recipe="plateau(0.1, patience=1)", **facts):
    path = tmp_path / "log.csv"
    path.write_text(text)
    return replay(etude.read(recipe).override(**(facts or {"epochs": 6, "steps_per_epoch": 2})).plan(), path)


def test_a_log_by_epoch_counts_from_the_next_epoch_on(tmp_path):
    with pytest.warns(UserWarning, match="log.csv ends at epoch 2, the run at 5: after it nothing more is decided"):
        made = logged(tmp_path, "epoch,val_loss,train_loss\n0,1.0,9\n1,1.0,8\n2,1.0,7\n")
    assert rates(made, 8) == [1.0] * 6 + [0.1] * 2


def test_a_log_by_step_counts_updates_made(tmp_path):
    made = logged(tmp_path, "epoch,step,val_loss\n0,2,1.0\n1,4,1.0\n2,6,1.0\n", steps=6)  # as `etude train` writes it
    assert rates(made, 8) == [1.0] * 6 + [0.1] * 2


def test_empty_cells_are_no_measurement_and_the_only_column_needs_no_name(tmp_path):
    with pytest.warns(UserWarning, match="'loss' is taken for val_loss, as the only other column"):
        made = logged(tmp_path, "step, loss\n1, 1.0\n2,\n3, 1.0\n\n4, nan\n", steps=5)
    assert rates(made, 6) == [1.0] * 4 + [0.1] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "log.csv:1: a column must say when, `step` .* or `epoch`; got none"),
        ("time,val_loss\n", "log.csv:1: a column must say when, .* got time, val_loss"),
        ("step,val_los,b\n", "log.csv:1: no column 'val_loss', which a plateau waits for; did you mean 'val_los'"),
        ("step,val_loss\n1,x\n", "log.csv:2: val_loss must be a number, got 'x'"),
        ("step,val_loss\n1.5,1\n", "log.csv:2: step must be a whole number, 0 or above, got 1.5"),
        ("step,val_loss\n1\n", "log.csv:2: 1 cells under 2 columns"),
        ("step,val_loss\nnan,1\n", "log.csv:2: step must be a whole number, 0 or above, got nan"),
        ("step;val_loss\n1;2\n", "got step;val_loss; columns are divided by commas"),
    ],
)
def test_a_broken_log_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        logged(tmp_path, text)


def test_a_log_for_a_recipe_that_waits_for_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"log.csv: no schedule of cosine\(1, 0\) waits for a metric"):
        logged(tmp_path, "step,x\n", recipe="cosine(1, 0)")


def test_epochs_of_a_log_need_a_run_that_knows_them(tmp_path):
    with pytest.raises(InputError, match="give --steps-per-epoch"):
        logged(tmp_path, "epoch,val_loss\n0,1\n", steps=9)
