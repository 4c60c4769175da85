"""torch's schedulers read as recipes: against the installed torch, over whole runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError
from tests import twins

small = st.integers(1, 12)
factors = st.floats(0.05, 1.0)
rates = st.sampled_from([0.1, 0.02, 0.5, 1e-3])
texts = st.sampled_from(
    [
        "1/(epoch+1)",
        "0.95**epoch",
        "epoch//3",
        "0.5 if epoch%10==0 else 1.01",
        "((1+math.cos(epoch*math.pi/30))/2)*(1-0.2)+0.2",
        "min(1.0, (epoch+1)/5) * max(0.0, 1 - epoch/40)",
        "1 if epoch < 5 else 0.1 if epoch < 9 and epoch != 7 else np.exp(-0.1*epoch)",
        "1.0 - abs(2*(epoch/20 - math.floor(epoch/20)) - 1)",
        "(not epoch > 3) + 0.5",
        "round(epoch / 4) + int(epoch > 2) / 8",
    ]
)
# A value of exactly 0 that torch goes on multiplying is where a rounding can be anything: left out of what is multiplied.
moving = {
    "MultiplicativeLR": st.fixed_dictionaries(
        {"lr_lambda": st.sampled_from(["0.9", "1-1/(epoch+3)", "0.5 if epoch%4==0 else 1.1"])}
    ),
    "StepLR": st.fixed_dictionaries({"step_size": small}, optional={"gamma": st.sampled_from([0.1, 0.5, 1.3])}),
    "MultiStepLR": st.fixed_dictionaries({"milestones": st.lists(st.integers(0, 30), min_size=1, max_size=4), "gamma": factors}),
    "ConstantLR": st.fixed_dictionaries({"factor": factors}, optional={"total_iters": st.integers(1, 12)}),
    "LinearLR": st.fixed_dictionaries(
        {}, optional={"start_factor": factors, "end_factor": factors, "total_iters": st.one_of(small, st.just(4.5))}
    ),
    "ExponentialLR": st.fixed_dictionaries({"gamma": st.floats(0.5, 1.1)}),
    "PolynomialLR": st.fixed_dictionaries({}, optional={"total_iters": small, "power": st.sampled_from([0.5, 1.0, 2.0])}),
    "CosineAnnealingLR": st.fixed_dictionaries(
        {"T_max": st.integers(1, 25)}, optional={"eta_min": st.sampled_from([0.0, 1e-3, 0.05])}
    ),
    "SWALR": st.fixed_dictionaries(
        {"swa_lr": rates},
        optional={"anneal_epochs": st.integers(0, 10), "anneal_strategy": st.sampled_from(["cos", "linear"])},
    ),
}
setting = {
    "LambdaLR": st.fixed_dictionaries({"lr_lambda": texts}),
    "CosineAnnealingWarmRestarts": st.fixed_dictionaries(
        {"T_0": small}, optional={"T_mult": st.integers(1, 3), "eta_min": st.sampled_from([0.0, 1e-3])}
    ),
    "CyclicLR": st.fixed_dictionaries(
        {"base_lr": st.sampled_from([1e-3, 1e-2]), "max_lr": st.sampled_from([0.1, 0.3])},
        optional={
            "step_size_up": st.sampled_from([5, 7, 7.5, 2000]),
            "step_size_down": st.sampled_from([3, 9]),
            "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
            "gamma": st.sampled_from([0.99, 0.9]),
            "cycle_momentum": st.booleans(),
            "base_momentum": st.just(0.85),
            "max_momentum": st.just(0.95),
        },
    ),
    "OneCycleLR": st.fixed_dictionaries(
        {"max_lr": rates, "total_steps": st.integers(1, 60)},
        optional={
            "pct_start": st.floats(0, 1).map(lambda part: round(part, 2)),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "three_phase": st.booleans(),
            "div_factor": st.sampled_from([10.0, 25.0]),
            "final_div_factor": st.sampled_from([1e2, 1e4]),
            "cycle_momentum": st.booleans(),
        },
    ),
}


def named(laws):
    return st.one_of([law.map(lambda given, name=name: {"name": name, **given}) for name, law in laws.items()])


optimizers = st.one_of(
    st.builds(lambda lr: {"lr": lr, "momentum": 0.9}, rates),
    st.builds(lambda lr: {"type": "AdamW", "lr": lr}, rates),
    st.builds(lambda a, b: {"lr": a, "groups": [{"lr": a}, {"lr": b, "weight_decay": 0.01}]}, rates, rates),
)
runs = st.integers(1, 70).map(lambda steps: {"steps": steps})
singles = named({**moving, **setting})
chained = st.lists(st.one_of(named(moving), named(moving), singles), min_size=1, max_size=3).map(
    lambda children: {"name": "ChainedScheduler", "schedulers": children}
)
sequences = st.lists(
    st.one_of(named(moving), singles),
    min_size=1,
    max_size=4,
).flatmap(
    lambda children: st.lists(st.integers(0, 40), min_size=len(children) - 1, max_size=len(children) - 1).map(
        lambda milestones: {"name": "SequentialLR", "schedulers": children, "milestones": sorted(milestones)}
    )
)


UNREADABLE = (
    "behind a scheduler that writes initial_lr",
    "two SWALR on one optimizer",
    "steps of it run past its end",
    "begins at the bottom of the cosine and at eta_min",
)


def close(ours, theirs, peak):
    return abs(ours - theirs) <= 1e-10 * abs(theirs) + 1e-15 * peak


def check(description, metrics=()):
    """What torch applies is what we read; what torch refuses we refuse."""
    try:
        theirs = twins.trace(description, metrics)
    except (ArithmeticError, KeyError, ValueError, NotImplementedError) as error:
        with pytest.raises(InputError, match=r"."):
            etude.read(description).plan().at(0)
        return error
    try:
        plan = etude.read(description).plan()
    except InputError as refused:
        assert any(reason in str(refused) for reason in UNREADABLE), refused
        return refused
    if metrics:
        plan = plan.fed((step + 1, plan.watched()[0], metric) for step, metric in enumerate(metrics))
    compare(plan, theirs, 1)
    if not metrics:
        # the same loop with a scheduler step an epoch, of three updates
        run = {"epochs": description["run"]["steps"], "steps_per_epoch": 3}
        compare(etude.read({**description, "interval": "epoch", "run": run}).plan(), theirs, 3)
    return None


def compare(plan, theirs, each):
    """Every value, for one step and from the table that a driver writes; the last update of an epoch has its value too."""
    count = len(theirs["lr"])
    table = plan.table()
    for name in ("lr", "momentum"):
        if name not in table:
            continue
        peak = max(value for row in theirs[name] for value in row)
        for at in (0, each - 1):
            rows = plan.rows([plan.tick(step * each + at) for step in range(count)])[name]
            for step, (ours, written, torchs) in enumerate(zip(rows, table[name][at::each], theirs[name], strict=True)):
                for a, b, c in zip(ours, written, torchs, strict=True):
                    assert close(a, c, peak), (name, step, ours, torchs, plan.recipe.schedules)
                    assert close(b, c, peak), (name, step, written, torchs, plan.recipe.schedules)


@given(singles, optimizers, runs)
def test_each_class(scheduler, optimizer, run):
    check({"scheduler": scheduler, "optimizer": optimizer, "run": run})


@given(chained, optimizers, runs)
def test_chained(scheduler, optimizer, run):
    check({"scheduler": scheduler, "optimizer": optimizer, "run": run})


@given(sequences, optimizers, runs)
def test_sequential(scheduler, optimizer, run):
    check({"scheduler": scheduler, "optimizer": optimizer, "run": run})


@given(
    named(moving | {key: setting[key] for key in ("LambdaLR", "CosineAnnealingWarmRestarts", "CyclicLR")}),
    st.integers(0, 45),
    runs,
)
def test_last_epoch(scheduler, last, run):
    description = {"scheduler": {**scheduler, "last_epoch": last}, "optimizer": {"lr": 0.1, "momentum": 0.9}, "run": run}
    check({**description, "initial_lr": [0.1]})


@given(
    st.fixed_dictionaries(
        {"patience": st.integers(0, 4)},
        optional={
            "mode": st.sampled_from(["min", "max"]),
            "factor": st.sampled_from([0.0, 0.1, 0.5, 0.9]),
            "threshold": st.sampled_from([0.0, 1e-4, 0.1]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 4),
            "min_lr": st.sampled_from([0.0, 1e-3, 0.02]),
            "eps": st.sampled_from([0.0, 1e-8, 1e-3]),
        },
    ),
    optimizers,
    st.lists(st.sampled_from([1.0, 0.99995, 0.9, 0.5, 0.0, -0.5, -1.0, float("nan"), float("inf")]), min_size=1, max_size=60),
)
def test_plateau(rule, optimizer, metrics):
    scheduler = {"name": "ReduceLROnPlateau", **rule}
    check({"scheduler": scheduler, "optimizer": optimizer, "run": {"steps": len(metrics)}}, metrics)
