"""transformers read as recipes: against the formulas of its schedulers, the installed library if there is one, and Trainer's counts."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run, dialects
from etude.dialects import transformers
from etude.origin import Origin


def read(source, **facts):
    return transformers.read(source, facts)


def law(source, **facts):
    return repr(read(source, **facts).schedules["lr"])


def call(name, warmup=None, total=None, **more):
    return {"name": name, "lr": 0.1, "num_warmup_steps": warmup, "num_training_steps": total, **more}


def rows(recipe, count=None):
    plan = recipe.plan()
    return [list(row) for row in plan.rows(list(range(count or int(recipe.run.clock().total))))["lr"]]


def close(ours, theirs, peak):
    return abs(ours - theirs) <= 1e-10 * abs(theirs) + 1e-15 * peak


# -- figures ------------------------------------------------------------------------------------------------------------

FIGURES = [  # base value 0.1, 5 steps of warmup, 20 in all, at the steps 0 1 4 5 6 10 19 20 21 25
    ("linear", {}, [0, 0.02, 0.08, 0.1, 0.09333333333333334, 0.06666666666666667, 0.006666666666666667, 0, 0, 0]),
    ("polynomial", {"lr_end": 0.01}, [0, 0.02, 0.08, 0.1, 0.094, 0.07, 0.016, 0.01, 0.01, 0.01]),
    (
        "cosine",
        {},
        [0, 0.02, 0.08, 0.1, 0.09890738003669029, 0.075, 0.0010926199633097156, 0, 0.0010926199633097156, 0.025],
    ),
    ("cosine_with_min_lr", {"min_lr": 0.01}, [0, 0.02, 0.08, 0.1, 0.0990166, 0.0775, 0.0109834, 0.01, 0.0109834, 0.0325]),
    (
        "cosine_warmup_with_min_lr",
        {"min_lr_rate": 0.1},
        [0.02, 0.04, 0.1, 0.0990166, 0.0961095, 0.0689058, 0.01, 0.0109834, 0.0138905, 0.0410943],
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 5, "num_stable_steps": 10, "decay_type": "1-sqrt", "min_lr_ratio": 0.1},
        [0.01, 0.028, 0.082, 0.1, 0.1, 0.1, 0.019501552810007573, 0.01, 0.01, 0.01],
    ),
]


@pytest.mark.parametrize(("name", "settings", "figures"), FIGURES)
def test_figures(name, settings, figures):
    found = rows(read(call(name, 5, 20, scheduler_specific_kwargs=settings, n_steps=26)))
    assert [found[step][0] for step in (0, 1, 4, 5, 6, 10, 19, 20, 21, 25)] == pytest.approx(figures, rel=4e-5, abs=1e-15)


# -- formulas -----------------------------------------------------------------------------------------------------------


def wave_at(progress, cycles, floor=0.0):
    return max(0.0, 0.5 * (1 + math.cos(math.pi * cycles * 2 * progress)) * (1 - floor) + floor)


def factor(name, t, w, total, lr, k):
    """A scheduler's factor at a step, by its formula."""
    if name == "constant":
        return 1.0
    if name == "cosine_warmup_with_min_lr":
        floor, start = k["min_lr"] / lr if "min_lr" in k else k["min_lr_rate"], k.get("warmup_lr_rate")
        if t < w:
            return (t + 1) / max(1, w) if start is None else start + (1 - start) * t / max(1, w - 1)
        return wave_at((t - w + 1) / max(1, total - w), k.get("num_cycles", 0.5), floor)
    if name == "warmup_stable_decay":
        floor, fall = k.get("min_lr_ratio", 0), k["num_decay_steps"]
        stable = k.get("num_stable_steps", (total or 0) - w - fall)
        if t < w:
            up = {"linear": t / w, "cosine": 0.5 * (1 - math.cos(math.pi * t / w)), "1-sqrt": 1 - math.sqrt(1 - t / w)}
            return up[k.get("warmup_type", "linear")] * (1 - floor) + floor
        if t < w + stable:
            return 1.0
        if t >= w + stable + fall:
            return floor
        u = (t - w - stable) / fall
        down = {"linear": 1 - u, "cosine": wave_at(u, k.get("num_cycles", 0.5)), "1-sqrt": 1 - math.sqrt(u)}
        return down[k.get("decay_type", "cosine")] * (1 - floor) + floor
    if t < w:
        return t / w
    progress = (t - w) / max(1, (total or 0) - w)
    if name == "constant_with_warmup":
        return 1.0
    if name == "linear":
        return max(0.0, (total - t) / max(1, total - w))
    if name == "polynomial":
        left = 0 if t > total else (1 - (t - w) / (total - w)) ** k.get("power", 1)
        return ((lr - k.get("lr_end", 1e-7)) * left + k.get("lr_end", 1e-7)) / lr
    if name == "inverse_sqrt":
        scale = k.get("timescale") or w or 10_000
        return 1 / math.sqrt((t + scale - w) / scale)
    if name == "cosine_with_restarts":
        return 0.0 if progress >= 1 else wave_at((k.get("num_cycles", 1) * progress) % 1, 0.5)
    floor = k["min_lr"] / lr if "min_lr" in k else k.get("min_lr_rate", 0.0)
    return wave_at(progress, k.get("num_cycles", 0.5), floor)


cycles = st.sampled_from([0.5, 0.25, 1.0, 1.5, 2, 0, 0.1, -1])
floors = st.one_of(
    st.sampled_from([1e-5, 0.0, -1e-5]).map(lambda level: {"min_lr": level}),
    st.sampled_from([0.1, 0, 1.0, -0.2]).map(lambda rate: {"min_lr_rate": rate}),
)
shapes = st.sampled_from(["linear", "cosine", "1-sqrt"])
settings = {
    "linear": st.just({}),
    "constant": st.just({}),
    "constant_with_warmup": st.just({}),
    "cosine": st.fixed_dictionaries({}, optional={"num_cycles": cycles}),
    "cosine_with_restarts": st.fixed_dictionaries(
        {}, optional={"num_cycles": st.sampled_from([1, 2, 3, 5, 7, 10, 49, 0, 0.5, 1.5, 2.5])}
    ),
    "polynomial": st.fixed_dictionaries(
        {}, optional={"lr_end": st.sampled_from([0, 1e-5, 1e-6]), "power": st.sampled_from([0, 0.5, 1, 2.0])}
    ),
    "inverse_sqrt": st.fixed_dictionaries({}, optional={"timescale": st.sampled_from([1, 10, 55.5, None])}),
    "cosine_with_min_lr": st.builds(lambda a, b: {**a, **b}, floors, st.fixed_dictionaries({}, optional={"num_cycles": cycles})),
    "cosine_warmup_with_min_lr": st.builds(
        lambda a, b: {**a, **b},
        floors,
        st.fixed_dictionaries({}, optional={"num_cycles": cycles, "warmup_lr_rate": st.sampled_from([0.1, 0, 1.0, None])}),
    ),
    "warmup_stable_decay": st.fixed_dictionaries(
        {"num_decay_steps": st.sampled_from([0, 1, 5, 10, 30])},
        optional={
            "num_stable_steps": st.sampled_from([0, 5, 20]),
            "warmup_type": shapes,
            "decay_type": shapes,
            "min_lr_ratio": st.sampled_from([0, 0.1, 1.0]),
            "num_cycles": cycles,
        },
    ),
}
calls = st.sampled_from(list(settings)).flatmap(
    lambda name: st.fixed_dictionaries(
        {
            "name": st.just(name),
            "lr": st.sampled_from([1e-3, [1e-3, 1e-4], [5e-4]]),
            "num_warmup_steps": st.sampled_from([0, 0, 1, 2, 5, 10, 30]),
            "num_training_steps": st.sampled_from([1, 2, 7, 10, 35, 50, 98]),
            "scheduler_specific_kwargs": settings[name],
            "n_steps": st.sampled_from([1, 2, 20, 50, 98, 120]),
        }
    )
)


def agree(found, theirs, what):
    peak = max(abs(value) for row in theirs for value in row)
    for step, (ours, row) in enumerate(zip(found, theirs, strict=True)):
        for a, b in zip(ours, row, strict=True):
            assert close(a, b, peak), (step, ours, row, what)


@given(calls)
def test_a_loop_of_ones_own(source):
    w, total, k = source["num_warmup_steps"], source["num_training_steps"], source["scheduler_specific_kwargs"]
    lrs = source["lr"] if isinstance(source["lr"], list) else [source["lr"]]
    if source["name"] == "polynomial" and w == total and source["n_steps"] >= total:
        with pytest.raises(InputError, match="divides by 0 there"):
            read(source)
        return
    recipe = read(source)
    steps = range(source["n_steps"])
    agree(rows(recipe), [[lr * factor(source["name"], t, w, total, lrs[0], k) for lr in lrs] for t in steps], recipe.schedules)


ratios = st.sampled_from([0, 0, 1, 2, 5, 40, 0.1, 0.07, 0.3, 0.999])


@given(
    st.sampled_from([name for name in settings if name != "warmup_stable_decay"]).flatmap(
        lambda name: st.tuples(st.just(name), settings[name])
    ),
    ratios,
    st.sampled_from([1, 7, 10, 70, 98]),
)
def test_trainer_fills_the_run(kind, warmup, total):
    name, k = kind
    source = {"learning_rate": 1e-3, "lr_scheduler_type": name, "lr_scheduler_kwargs": k, "warmup_steps": warmup}
    w = int(warmup) if warmup >= 1 else math.ceil(total * warmup)
    if name == "polynomial" and w == total:
        with pytest.raises(InputError, match="divides by 0 there"):
            read(source, steps=total)
        return
    recipe = read({**source, "max_steps": total})
    agree(rows(recipe), [[1e-3 * factor(name, t, w, total, 1e-3, k)] * 2 for t in range(total)], recipe.schedules)


@pytest.mark.filterwarnings("ignore")
def test_against_the_installed_library():
    optimization = pytest.importorskip("transformers.optimization")
    for name, k in (*((name, k) for name, k, _ in FIGURES), ("cosine_with_restarts", {"num_cycles": 49}), ("inverse_sqrt", {})):
        for warmup in (0, 1, 12, 98):
            groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.02)]
            made = torch.optim.AdamW(groups, lr=0.1)
            source = call(name, warmup, 110, scheduler_specific_kwargs=k, n_steps=130) | {"lr": [0.1, 0.02]}
            scheduler = optimization.get_scheduler(name, made, warmup, 110, k)
            theirs = []
            for _ in range(130):
                theirs.append([group["lr"] for group in made.param_groups])
                made.step()
                scheduler.step()
            agree(rows(read(source)), theirs, source)


# -- how it reads -------------------------------------------------------------------------------------------------------

TEXTS = [
    ({"lr_scheduler_type": "linear"}, "linear(1, 0)"),
    ({"lr_scheduler_type": "linear", "warmup_steps": 500}, 'chain(linear(0, 1, over="500 steps"), linear(1, 0))'),
    ({"lr_scheduler_type": "cosine", "warmup_steps": 0.07}, 'chain(linear(0, 1, over="ceil(7%)"), cosine(1, 0))'),
    (
        {"lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "lr_scheduler_kwargs": {"num_cycles": 0.25}},
        'chain(linear(0, 1, over="ceil(10%)"), scaled(cosine(1, 0), 0.5))',
    ),
    (
        {"lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "lr_scheduler_kwargs": {"num_cycles": 1.5}},
        'chain(linear(0, 1, over="ceil(10%)"), scaled(wave(1, 0, half="100% - ceil(10%)"), 3))',
    ),
    (
        {"lr_scheduler_type": "cosine_with_restarts", "warmup_steps": 50, "lr_scheduler_kwargs": '{"num_cycles": "3"}'},
        'chain(linear(0, 1, over="50 steps"), scaled(repeat(cosine(1, 0), "100% - 50 steps"), 3))',
    ),
    ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2}}, "poly(1, abs(1e-07), 2)"),
    (
        {"lr_scheduler_type": "inverse_sqrt", "warmup_steps": 0.05},
        'chain(linear(0, 1, over="ceil(5%)"), inverse(1, per="ceil(5%)", power=0.5))',
    ),
    ({"lr_scheduler_type": "inverse_sqrt"}, 'inverse(1, per="10000 steps", power=0.5)'),
    (
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-6}},
        "cosine(1, abs(1e-06))",
    ),
    (
        {"lr_scheduler_type": "cosine_warmup_with_min_lr", "warmup_steps": 100, "lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
        'chain(skip(linear(0, 1, over="100 steps"), "1 step"), cosine(1, 0.1, over="100% - 100 steps"))',
    ),
    (
        {
            "lr_scheduler_type": "warmup_stable_decay",
            "warmup_steps": 100,
            "lr_scheduler_kwargs": {"num_decay_steps": 200, "decay_type": "1-sqrt"},
        },
        'chain(linear(0, 1, over="100 steps"), constant(1, over="100% - 300 steps"), power(1, 0, 0.5, over="200 steps"))',
    ),
    ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 1.5}, 'chain(linear(0, 1, over="1 step"), constant(1))'),
    (call("linear", 10, 100), 'chain(linear(0, 1, over="10 steps"), linear(1, 0, over="90 steps"))'),
    (call("linear", 30, 20), 'chain(linear(0, 1, over="30 steps"), constant(0))'),
    (call("cosine", 0, 100, n_steps=110), 'wave(1, 0, half="100 steps")'),
    (
        call("cosine_with_restarts", 0, 90, scheduler_specific_kwargs={"num_cycles": 3}),
        'repeat(cosine(1, 0), "30 steps", times=3)',
    ),
]


@pytest.mark.parametrize(("source", "text"), TEXTS)
def test_as_text(source, text):
    assert law(source) == text


def test_groups_with_other_base_values_end_at_a_part_of_them():
    """The end is divided by the optimizer's own lr, whatever a group's is."""
    recipe = read({**call("polynomial", 0, 100, scheduler_specific_kwargs={"lr_end": 0.01}), "lr": [0.1, 0.02]})
    assert repr(recipe.schedules["lr"]) == 'linear(1, 0.09999999999999999, over="100 steps")'
    assert list(recipe.plan().at(100)["lr"].values()) == pytest.approx([0.01, 0.002])
    assert law(call("polynomial", 0, 100, scheduler_specific_kwargs={"lr_end": 0.01})) == 'linear(1, abs(0.01), over="100 steps")'


def test_a_restart_that_rounding_misses_is_written_out():
    source = {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 49}}
    assert law(source) == 'scaled(repeat(cosine(1, 0), "100%"), 49)'
    recipe = read(source, steps=98)
    assert "of the restarts come a step late" in recipe.notes[-1]
    assert " * values([1, 0, 1" in repr(recipe.schedules["lr"])


# -- the run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "facts", "steps"),
    [
        ({}, {"samples": 100}, 39),
        ({"gradient_accumulation_steps": 4}, {"samples": 100}, 12),
        ({"gradient_accumulation_steps": 4}, {"samples": 100, "devices": 2}, 6),
        ({"dataloader_drop_last": True}, {"samples": 100}, 36),
        ({"dataloader_drop_last": True, "per_device_train_batch_size": 2}, {"samples": 31, "devices": 4}, 9),
        ({"num_train_epochs": 2.3}, {"samples": 80}, 23),
        ({"num_train_epochs": 2.3}, {"samples": 70}, 21),
        ({"num_train_epochs": 2.3, "max_steps": 5}, {"samples": 70}, 5),
        ({"max_steps": -1}, {"samples": 80}, 30),
        ({"per_gpu_train_batch_size": 4}, {"samples": 80}, 60),
        ({"accelerator_config": {"split_batches": True}}, {"samples": 80, "devices": 4}, 30),
        ({"accelerator_config": '{"gradient_accumulation_kwargs": {"num_steps": "2"}}'}, {"samples": 80}, 15),
        ({"num_train_epochs": 1}, {"samples": 80, "epochs": 2.0}, 20),
        ({"max_steps": 7}, {"samples": 80, "epochs": 2.0}, 20),
    ],
)
def test_the_run_as_trainer_counts_it(settings, facts, steps):
    recipe = read({"lr_scheduler_type": "linear", **settings}, **facts)
    assert recipe.run.clock().total == steps
    assert rows(recipe)[-1][0] == pytest.approx(5e-5 / steps)


def test_one_recipe_for_every_run():
    recipe = Origin(lambda given: transformers.read({"lr_scheduler_type": "cosine", "warmup_steps": 0.07}, given)).recipe()
    assert "ceil(7%)" in repr(recipe.schedules["lr"])
    assert recipe.plan(Run(samples=400, devices=2)).clock.total == 75
    exact = recipe.plan(Run(steps=100)).recipe
    assert repr(exact.schedules["lr"]) == 'chain(linear(0, 1, over="8 steps"), cosine(1, 0))'
    assert "the warmup is 8 steps: Trainer rounds 100 * 0.07 = 7.000000000000001 up" in exact.notes


def test_groups_and_optimizer():
    recipe = read({"lr_scheduler_type": "linear", "weight_decay": 0.01, "adam_beta2": 0.98, "optim": "adamw_torch_fused"})
    assert list(recipe.groups) == ["decay", "no decay"]
    assert [recipe.base("weight_decay", name) for name in recipe.groups] == [0.01, 0]
    assert (recipe.optimizer.name, recipe.optimizer.betas, recipe.optimizer.eps) == ("AdamW", (0.9, 0.98), 1e-8)
    model = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.LayerNorm(2), torch.nn.Linear(2, 2))
    built = etude.torch.build(model, recipe)
    assert [(group["name"], len(group["params"]), group["weight_decay"]) for group in built.param_groups] == [
        ("decay", 2, 0.01),
        ("no decay", 3, 0.0),
    ]


@pytest.mark.parametrize(
    ("settings", "name", "more"),
    [
        ({"optim": "paged_adamw_8bit"}, "AdamW", {}),
        ({"optim": "adafactor"}, "transformers.optimization:Adafactor", {"scale_parameter": False, "relative_step": False}),
        ({"adafactor": True}, "transformers.optimization:Adafactor", {"scale_parameter": False, "relative_step": False}),
        ({"optim": "sgd", "optim_args": "momentum=0.9, nesterov=true, dampening=0"}, "SGD", {"dampening": 0}),
        ({"optim": "rmsprop", "optim_args": "alpha=0.9,centered=yes"}, "RMSprop", {"alpha": 0.9, "centered": True}),
        ({"optim": "adagrad", "optim_args": "lr_decay=0.1"}, "Adagrad", {"lr_decay": 0.1}),
    ],
)
def test_optimizers(settings, name, more):
    found = read({"lr_scheduler_type": "linear", **settings}).optimizer
    assert (found.name, found.options) == (name, more)
    assert name != "SGD" or (found.momentum, found.nesterov) == (0.9, True)


# -- metrics ------------------------------------------------------------------------------------------------------------


def test_a_plateau_is_measured_at_evaluations():
    source = {
        "lr_scheduler_type": "reduce_lr_on_plateau",
        "lr_scheduler_kwargs": {"patience": 1, "factor": 0.5, "min_lr": [1e-6, 1e-5]},
        "eval_strategy": "epoch",
        "metric_for_best_model": "accuracy",
        "warmup_steps": 10,
        "learning_rate": 1e-4,
    }
    recipe = read(source, samples=80)
    assert repr(recipe.groups["decay"].schedules["lr"]) == (
        'plateau(0.5, patience=1, floor=abs(1e-06), eps=abs(1e-08), metric="eval_accuracy")'
    )
    assert recipe.notes == (
        "by default of TrainingArguments: num_train_epochs 3, per_device_train_batch_size 8",
        "per_device_train_batch_size 8 is one device's: --devices says how many there are",
        "ignored: a warmup of 10 steps, as reduce_lr_on_plateau has none",
        "reduce_lr_on_plateau has mode min, although more of accuracy is better: say lr_scheduler_kwargs mode: max",
        "eval_accuracy is measured at each evaluation, eval_strategy epoch",
    )
    plan = recipe.plan().fed((tick, "eval_accuracy", 0.5) for tick in (10, 20, 25))
    assert [plan.at(step)["lr"]["decay"] for step in (0, 24, 25, 29)] == [1e-4, 1e-4, 5e-5, 5e-5]


def test_greedy_is_what_its_metrics_led_to():
    """Up while they improve, down while they don't, and anew from the lowest."""
    source = {
        **call("greedy", n_steps=12, metrics=[9, 8, 7, 6, 6, 6, 6, 6, 6, 6, 6]),
        "scheduler_specific_kwargs": {"patience": 1, "factor": 0.5, "min_lr": 0.05, "max_lr": 0.3, "reset_start": 1},
    }
    recipe = read(source)
    values = [row[0] for row in rows(recipe)]
    assert values == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.15, 0.15, 0.075, 0.075, 0.1, 0.1])
    assert "greedy is written as the values that its 11 metrics led to" in recipe.notes[0]
    assert law({**source, "metrics": [1.0]}) == "constant(1)"


# -- what is refused, and what is told ----------------------------------------------------------------------------------

REFUSED = [
    ({"lr_scheduler_type": "cosin"}, "lr_scheduler_type must be a scheduler of transformers, got 'cosin'; did you mean 'cosine'"),
    ({"learning_rate": "5e-5", "warmup_steps": 1}, "learning_rate must be a number, got the text '5e-5'"),
    ({"learning_rate": 1e-4, "num_train_epochs": 3, "lr_scheduler": "cosine"}, "did you mean 'lr_scheduler_type'"),
    ({"lr_scheduler_type": "cosine", "warmup_step": 100}, "has no setting 'warmup_step'; did you mean 'warmup_steps'"),
    ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycle": 1}}, "has no setting 'num_cycle'; did you mean"),
    ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"last_epoch": 3}}, "last_epoch must be left out"),
    ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": "{num"}, "lr_scheduler_kwargs is no JSON"),
    ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": "num"}, "lr_scheduler_kwargs must be a mapping"),
    ({"lr_scheduler_type": "cosine", "warmup_steps": -1}, "warmup_steps must be 0 or above"),
    ({"lr_scheduler_type": "cosine", "warmup_ratio": 1.5}, "warmup_ratio must be from 0 to 1"),
    ({"lr_scheduler_type": "cosine", "max_steps": 0}, "max_steps 0 is a run of no updates"),
    ({"lr_scheduler_type": "cosine_with_min_lr"}, "give min_lr or min_lr_rate, got neither"),
    (
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 0, "min_lr_rate": 0}},
        "give min_lr or min_lr_rate, got both",
    ),
    ({"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-6}, "learning_rate": 0}, "divided by"),
    ({"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": -1}}, "num_cycles must be from 0"),
    ({"lr_scheduler_type": "inverse_sqrt", "lr_scheduler_kwargs": {"timescale": 0}}, "timescale must be above 0"),
    ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 1}}, "lr_end 1 must be below the learning rate"),
    ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": -1}}, "power must be 0 or above"),
    ({"lr_scheduler_type": "polynomial", "warmup_steps": 5, "max_steps": 5}, "divides by 0 there"),
    ({"lr_scheduler_type": "warmup_stable_decay"}, "'num_decay_steps' is missing"),
    (
        {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 5, "decay_type": "sqrt"}},
        "decay_type must be 'linear' or 'cosine' or '1-sqrt'",
    ),
    (
        {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 5, "min_lr_ratio": -1}},
        "min_lr_ratio must be 0 or above",
    ),
    ({"lr_scheduler_type": "reduce_lr_on_plateau"}, "requires an eval_strategy of 'steps' or 'epoch', got 'no'"),
    (
        {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "epoch", "lr_scheduler_kwargs": {"metric": "x"}},
        "has no setting 'metric'",
    ),
    ({"lr_scheduler_type": "greedy", "eval_strategy": "epoch"}, "moves the learning rate up as well as down"),
    ({"lr_scheduler_type": "linear", "optim": "galore_adamw"}, "has groups, a warmup or a rule of its own"),
    ({"lr_scheduler_type": "linear", "optim": "adam_torch"}, "optim must be an optimizer of transformers.*did you mean"),
    ({"lr_scheduler_type": "linear", "optim": "sgd", "optim_args": "momentum=x"}, "momentum must be a number, got 'x'"),
    ({"lr_scheduler_type": "linear", "deepspeed": {"scheduler": {}}}, "deepspeed holds a scheduler or an optimizer of its own"),
    (
        {
            "lr_scheduler_type": "linear",
            "gradient_accumulation_steps": 2,
            "accelerator_config": {"gradient_accumulation_kwargs": {"num_steps": 2}},
        },
        "num_steps 2 beside gradient_accumulation_steps 2",
    ),
    ({"log_history": [], "global_step": 5}, "this is a trainer_state.json"),
    (call("linear", 5), "linear requires 'num_training_steps'"),
    (call("inverse_sqrt"), "inverse_sqrt requires 'num_warmup_steps'"),
    (call("warmup_stable_decay", 5, scheduler_specific_kwargs={"num_decay_steps": 5}), "give num_training_steps or num_stable"),
    (call("linear", 5, 10, scheduler_specific_kwargs={"num_cycles": 1}), "linear: has no setting 'num_cycles'"),
    (call("linear", 5, 10, n_step=3), "has no setting 'n_step'; did you mean 'n_steps'"),
    (call("linear", 0.5, 10), "num_warmup_steps must be a whole number"),
    ({**call("linear", 5, 10), "lr": []}, "lr must hold a number for each group"),
    (call("greedy", metrics=[1], scheduler_specific_kwargs={"factor": 1}), "factor must be above 0 and below 1"),
]


@pytest.mark.parametrize(("source", "problem"), REFUSED)
def test_refused(source, problem):
    with pytest.raises(InputError, match=problem):
        read(source)


def test_nothing_is_left_of_the_samples():
    with pytest.raises(InputError, match="dataloader_drop_last leaves nothing of 31 samples in batches of 32"):
        read({"lr_scheduler_type": "linear", "dataloader_drop_last": True}, samples=31, devices=4)


TOLD = [
    ({"learning_rate": 1e-4, "num_train_epochs": 3}, "by default of TrainingArguments: lr_scheduler_type linear, per_device_"),
    ({"lr_scheduler_type": "constant", "warmup_steps": 5}, "ignored: a warmup of 5 steps, as constant has none"),
    ({"lr_scheduler_type": "constant", "lr_scheduler_kwargs": {"a": 1}}, "ignored: a 1, as get_scheduler hands constant no"),
    (
        {"lr_scheduler_type": "linear", "warmup_steps": 5, "warmup_ratio": 0.1},
        "ignored: warmup_ratio 0.1, as warmup_steps 5 wins",
    ),
    ({"lr_scheduler_type": "linear", "warmup_ratio": 0.1}, "warmup_ratio is transformers 4's; later ones say warmup_steps 0.1"),
    ({"lr_scheduler_type": "linear", "warmup_steps": 10.5}, "warmup_steps 10.5 becomes 10"),
    ({"lr_scheduler_type": "linear", "warmup_steps": 9, "max_steps": 9}, "the warmup of 9 steps is as long as the run of 9"),
    ({"lr_scheduler_type": "linear", "max_steps": 9, "num_train_epochs": 2}, "ignored: num_train_epochs 2, as max_steps 9 wins"),
    ({"lr_scheduler_type": "linear", "auto_find_batch_size": True}, "auto_find_batch_size may lower the batch size"),
    ({"lr_scheduler_type": "linear", "deepspeed": "ds.json"}, "not read: deepspeed 'ds.json'"),
    ({"lr_scheduler_type": "linear", "accelerator_config": "a.json"}, "not read: accelerator_config 'a.json'"),
    ({"lr_scheduler_type": "linear", "max_grad_norm": 1.0}, "left out: max_grad_norm 1.0"),
    ({"lr_scheduler_type": "linear", "weight_decay": 0.1}, "Trainer finds the norms that it does not decay by nn.LayerNorm"),
    ({"lr_scheduler_type": "linear", "optim": "adamw_8bit"}, "optim adamw_8bit is an AdamW that stores its state"),
    ({"lr_scheduler_type": "linear", "optim": "sgd", "adam_beta1": 0.8}, "ignored: adam_beta1, as sgd has none"),
    ({"lr_scheduler_type": "linear", "optim": "sgd", "optim_args": "weight_decay=1"}, "as Trainer has it for each group"),
    (call("inverse_sqrt", 5, 100), "ignored: num_training_steps 100, as inverse_sqrt has none"),
    (call("constant", 5, n_steps=10), "ignored: num_warmup_steps 5, as constant has none"),
    (call("reduce_lr_on_plateau", n_steps=1, metrics=[1]), "left out: metrics, which are not the recipe's"),
    (
        call("warmup_stable_decay", 5, 50, scheduler_specific_kwargs={"num_decay_steps": 5, "num_stable_steps": 5}),
        "num_stable_steps 5 decides",
    ),
]


@pytest.mark.parametrize(("source", "note"), TOLD)
def test_told(source, note):
    assert any(note in one for one in read(source).notes), read(source).notes


def test_other_settings_of_the_same_names_are_let_be():
    beside = {"lr_scheduler_type": "linear", "learning_rate": 1e-4, "lr": 3, "logging_steps": 10, "per_device_eval_batch_size": 4}
    assert read(beside).optimizer.lr == 1e-4


# -- what it takes ------------------------------------------------------------------------------------------------------

THEIRS = [
    {"name": "StepLR", "step_size": 30},
    {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 10}},
    {"lr0": 0.01, "lrf": 0.01, "warmup_bias_lr": 0.1, "anchor_t": 4},
    {"task": "detect", "mode": "train", "lr0": 0.01, "lrf": 0.01},
    {"name": "cos", "lr": 0.01, "iters_per_epoch": 30, "total_epochs": 50},
    {"name": "linear", "lr": 0.1},
    {"learning_rate": 0.1},
    {},
]


def test_takes_its_own():
    for source, *_ in (*TEXTS, *TOLD, ({"log_history": [], "global_step": 5},)):
        assert transformers.takes(source)
        others = [importlib.import_module(f"etude.dialects.{name}") for name in dialects.KNOWN if name != "transformers"]
        assert not any(other.takes(source) for other in others)
    assert not any(map(transformers.takes, THEIRS))
