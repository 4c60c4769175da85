"""The table of docs/why.md: what people do, what is right, what their library gives and what etude gives, row by row."""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau

import etude
from etude import Group, InputError, Optimizer, Recipe, Run, resume
from tests import peers

PAGE = Path(__file__).parent.parent / "docs" / "why.md"

# -- etude's side --------------------------------------------------------------------------------------------------------

WARM_COSINE = 'chain(linear(0.1, 1, over="5 steps"), cosine(1, 0, over="15 steps"))'
RISING = 'linear(0.1, 1, over="5 steps")'
FALLING = "linear(1, 0)"
WARM_LINEAR = 'chain(linear(0, 1, over="10 steps"), linear(1, 0))'
ONE_CYCLE = 'chain(cosine(0.04, 1, over="5 steps"), cosine(1, 4e-6, over="14 steps"))'
ONE_CYCLE_OF_10 = 'chain(cosine(0.04, 1, over="2 steps"), cosine(1, 4e-6, over="7 steps"))'
DROP_AT_EPOCH_3 = 'steps(0.1, at=["3 epochs"])'
HELD_THEN_DECAYING = 'chain(phase(constant(0.1), over="3 steps"), decay(0.9, per="1 step"))'


def planned(text, lr=1.0, **run):
    return etude.read(text).override(lr=lr, **(run or {"steps": 20}))


def driven(text, *, updates=0, **settings):
    """An optimizer and its driver."""
    recipe = planned(text, **settings)
    optimizer = etude.torch.build(torch.nn.Linear(1, 1, bias=False), recipe)
    return optimizer, etude.torch.drive(optimizer, recipe.plan(), updates=updates)


def stopped(text, at, **run):
    optimizer, driver = driven(text, **run)
    peers.train(optimizer, at, driver.step)
    return copy.deepcopy((optimizer.state_dict(), driver.state_dict()))


def meant(text, at, intent, later=0, **run):
    """A run that goes on otherwise: an intent makes of its driver's state what comes then."""
    of_optimizer, of_driver = stopped(text, at, **run)
    resumed = intent(of_driver)
    optimizer = etude.torch.build(torch.nn.Linear(1, 1, bias=False), resumed.recipe)
    driver = etude.torch.drive(optimizer, resumed.plan)
    optimizer.load_state_dict(of_optimizer)
    driver.load_state_dict(resumed.state)
    return peers.train(optimizer, later + 3, driver.step)[later:]


def resumed(text, at, *, load_optimizer=True, calls=0):
    """The optimizer is loaded first; then come calls of step that belong to no update."""
    of_optimizer, of_driver = stopped(text, at)
    optimizer, driver = driven(text)
    if load_optimizer:
        optimizer.load_state_dict(of_optimizer)
    driver.load_state_dict(of_driver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", etude.torch.EtudeWarning)
        for _ in range(calls):
            driver.step()
    return peers.train(optimizer, 3, driver.step)


def taken_over(text, at, **settings):
    """A checkpoint that holds an optimizer alone; the driver is told how many updates it has made."""
    optimizer, driver = driven(text, updates=at, **settings)
    optimizer.load_state_dict(peers.stopped(peers.falling, at)[0])
    return peers.train(optimizer, 3, driver.step)


def saved_before_its_step(text, at):
    """The checkpoint is written after the optimizer's step, before a call of the driver's."""
    optimizer, driver = driven(text)
    peers.train(optimizer, at - 1, driver.step)
    optimizer.step()
    states = copy.deepcopy((optimizer.state_dict(), driver.state_dict()))
    optimizer, driver = driven(text)
    optimizer.load_state_dict(states[0])
    driver.load_state_dict(states[1])
    return peers.train(optimizer, 3, driver.step)


def of_another_recipe(text, at, difference, other, **settings):
    try:
        driven(other, **settings)[1].load_state_dict(stopped(text, at)[1])
    except InputError as error:
        assert "the checkpoint is of another recipe" in str(error)
        assert difference in str(error)
        return "refused"


def late(schedule):
    """A group joins after 8 of 20 updates; its rates from there."""
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0),
        groups={"late": Group(module="late"), "early": Group()},
        schedules={"lr": etude.parse(schedule)},
        run=Run(steps=20),
    )
    optimizer = peers.sgd(1.0)
    optimizer.param_groups[0]["name"] = "early"
    driver = etude.torch.drive(optimizer, recipe.plan())
    peers.train(optimizer, 8, driver.step)
    peers.add_group(optimizer)
    return [group[1] for group in peers.train_groups(optimizer, 3, driver.step)]


def groups_at(groups, at, schedule="constant(1)"):
    """The rates of several groups at one update of ten."""
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1.0),
        groups={name: Group(module=name, **settings) for name, settings in groups.items()},
        schedules={"lr": etude.parse(schedule)},
        run=Run(steps=10),
    )
    optimizer = etude.torch.build({name: torch.nn.Linear(1, 1) for name in groups}, recipe)
    driver = etude.torch.drive(optimizer, recipe.plan())
    return peers.train_groups(optimizer, at + 1, driver.step)[at]


def wrapped():
    inner, driver = driven(FALLING)
    wrapper, rates = peers.Wrapper(inner), []
    wrapper.load_state_dict(wrapper.state_dict())
    for _ in range(3):
        wrapper.step()
        rates.append(inner.param_groups[0]["lr"])
        driver.step()
    return rates


def skipped(policy):
    recipe = planned('linear(0.1, 1, over="10 steps")')
    optimizer, scaler = peers.sgd(1.0), peers.fp16_scaler()
    driver = etude.torch.drive(optimizer, recipe.plan(), scaler=scaler, skipped=policy)
    rates = peers.overflowing(optimizer, driver.step, scaler)
    assert driver.skipped == [2]
    return rates


def driver_before_optimizer():
    optimizer, driver = driven(RISING)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", etude.torch.EtudeWarning)
        for _ in range(3):
            driver.step()
            rates += peers.train(optimizer, 1)
    return rates


def compiled(kind, schedules, **settings):
    """All that a recipe moves as tensors; the group holds the plan's values when the graphs have run."""
    moving = {name: etude.parse(schedule) for name, schedule in schedules.items()}
    recipe = Recipe(optimizer=Optimizer(name=kind.__name__, lr=1.0, **settings), schedules=moving, run=Run(steps=20))
    optimizer = peers.to_compile(kind, **settings)
    optimizer.param_groups[0]["name"] = "all"
    etude.torch.drive(optimizer, recipe.plan(), tensors=True)
    graphs, (group,) = peers.graphs(optimizer), optimizer.param_groups
    for name, values in recipe.plan().at(11).items():
        key = "betas" if name == "momentum" and "betas" in group else name
        assert float(group[key][0] if key == "betas" else group[key]) == pytest.approx(values["all"], rel=1e-6)
    return graphs


# -- what a watch beside the peer's loop says ------------------------------------------------------------------------------


def watched(optimizer, text, updates, scheduler, made):
    """Make updates beside a watch; return what it warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", etude.torch.EtudeWarning)
        etude.watch(optimizer, planned(text).plan(), scheduler, updates=updates)
        for _ in range(4):
            made.step()
            scheduler.step()
    return [str(one.message) for one in told if one.category is etude.torch.EtudeWarning]


def watched_resume():
    of_optimizer, of_scheduler = peers.stopped(peers.warm_cosine, 8)
    optimizer = peers.sgd(1.0)
    optimizer.load_state_dict(of_optimizer)
    scheduler = peers.warm_cosine(optimizer)
    scheduler.load_state_dict(of_scheduler)
    return watched(optimizer, WARM_COSINE, 8, scheduler, optimizer)


def watched_wrapper():
    inner = peers.sgd(1.0)
    wrapper = peers.Wrapper(inner)
    scheduler = peers.falling(wrapper)
    wrapper.load_state_dict(wrapper.state_dict())
    return watched(inner, FALLING, 0, scheduler, wrapper)


# -- the rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of the page, and how each of its figures is come by."""

    threads: str
    does: str
    right: str
    wrong: str
    truth: Callable[[], Any]
    """What is right, without etude: a run that never stopped, or a formula."""
    peer: Callable[[], Any]
    ours: Callable[[], Any]
    by: str = ""
    """What of etude gives it, where that is not the driver alone."""
    needs: str = "torch"
    watch: Callable[[], list[str]] | None = None


def launched(name, needs, processes=1):
    return {
        "peer": lambda: peers.elsewhere(name, processes)["peer"],
        "ours": lambda: peers.elsewhere(name, processes)["ours"],
        "needs": needs,
    }


def scaled(value, *factors):
    return [value * factor for factor in factors]


def dropping_at_30(optimizer):
    return peers.dropping(optimizer, 30)


@dataclass(frozen=True)
class Table:
    """The rows of one pain."""

    heading: str
    rows: list[Row]
    told: dict[str, str] = field(default_factory=dict)
    """By thread, what `etude.watch` says beside the peer's loop."""
    note: str = ""


RESUME = [
    Row(
        "pytorch/pytorch#119168",
        "warmup and cosine in a `SequentialLR`, resumed at step 8: optimizer loaded, then the schedulers built, then loaded",
        "0.9045, 0.8346, 0.75",
        "0.1, 0.09227, 0.08292",
        lambda: peers.uninterrupted(peers.warm_cosine, 8),
        lambda: peers.optimizer_first(peers.warm_cosine, 8),
        lambda: resumed(WARM_COSINE, 8),
        watch=watched_resume,
    ),
    Row(
        "pytorch/pytorch#119168, torch-points3d/torch-points3d!630",
        "the same with a `LinearLR` whose warmup is long over",
        "1, 1, 1",
        "0.1, 0.1, 0.1",
        lambda: peers.uninterrupted(peers.rising, 8),
        lambda: peers.optimizer_first(peers.rising, 8),
        lambda: resumed(RISING, 8),
    ),
    Row(
        "ultralytics/yolov5#292, ultralytics/yolov5#284",
        "the same with a `LambdaLR`",
        "0.6, 0.55, 0.5",
        "1, 0.55, 0.5",
        lambda: peers.uninterrupted(peers.falling, 8),
        lambda: peers.optimizer_first(peers.falling, 8),
        lambda: resumed(FALLING, 8),
    ),
    Row(
        "pytorch/pytorch#29697",
        "`MultiStepLR` after its drop; only the schedule's state is kept",
        "0.1, 0.1, 0.1",
        "1, 1, 1",
        lambda: peers.uninterrupted(peers.dropping, 8),
        lambda: peers.scheduler_only(peers.dropping, 8),
        lambda: resumed('steps(0.1, at=["5 steps"])', 8, load_optimizer=False),
    ),
    Row(
        "verl-project/verl#7953, lightly-ai/lightly-train!301, facebookresearch/mmf!513",
        "the schedule's state is never loaded, only the optimizer's; the warmup is done again, here upon what has been reached",
        "0.9045, 0.8346, 0.75",
        "0.9045, 2.533, 4.161",
        lambda: peers.uninterrupted(peers.warm_cosine, 8),
        lambda: peers.optimizer_only(peers.warm_cosine, 8),
        lambda: taken_over(WARM_COSINE, 8),
    ),
    Row(
        "pytorch/pytorch#162591",
        "`SequentialLR(..., last_epoch=4)` after 5 steps, past its milestone",
        "0.81, 0.729, 0.6561",
        "0.1, 0.09, 0.081",
        lambda: peers.uninterrupted(peers.held_then_decaying, 5),
        lambda: peers.with_last_epoch(peers.held_then_decaying, 5, 4),
        lambda: taken_over(HELD_THEN_DECAYING, 5),
    ),
    Row(
        "ultralytics/yolov3#902",
        "`last_epoch` is given the epochs done, 5: one too many",
        "0.75, 0.7, 0.65",
        "0.7, 0.65, 0.6",
        lambda: peers.uninterrupted(peers.falling, 5),
        lambda: peers.with_last_epoch(peers.falling, 5, 5),
        lambda: taken_over(FALLING, 5),
    ),
    Row(
        "vllm-project/speculators!900",
        "`last_epoch` of a schedule in steps is given the epoch, 2, after 20 steps",
        "0.6667, 0.6333, 0.6",
        "0.3, 0.4, 0.5",
        lambda: peers.uninterrupted(peers.warm_linear, 20),
        lambda: peers.with_last_epoch(peers.warm_linear, 20, 2),
        lambda: taken_over(WARM_LINEAR, 20, steps=40),
    ),
    Row(
        "vllm-project/speculators!900",
        "`last_epoch` with a checkpoint of an optimizer that had no scheduler",
        "0.6667, 0.6333, 0.6",
        "KeyError",
        lambda: peers.uninterrupted(peers.warm_linear, 20),
        lambda: peers.with_last_epoch_onto_a_plain_optimizer(peers.warm_linear, 20),
        lambda: taken_over(WARM_LINEAR, 20, steps=40),
    ),
    Row(
        "allenai/allennlp!1650, Lightning-AI/pytorch-lightning#1772",
        "the checkpoint is written before `scheduler.step()`: one step behind from then on",
        "0.9045, 0.8346, 0.75",
        "0.9568, 0.9045, 0.8346",
        lambda: peers.uninterrupted(peers.warm_cosine, 8),
        lambda: peers.saved_before_its_step(peers.warm_cosine, 8),
        lambda: saved_before_its_step(WARM_COSINE, 8),
    ),
    Row(
        "radixark/miles!1627",
        "the schedule's state is loaded, and the 8 steps done are counted once more",
        "0.6, 0.55, 0.5",
        "0.2, 0.15, 0.1",
        lambda: peers.uninterrupted(peers.falling, 8),
        lambda: peers.counted_twice(peers.falling, 8),
        lambda: resumed(FALLING, 8, calls=8),
    ),
]

ANOTHER_PLAN = [
    Row(
        "pytorch/examples#816, open-mmlab/mmdetection#6402, facebookresearch/detr#301, pytorch/pytorch#156846",
        "resumed with another base rate, 0.05: the checkpoint's wins",
        "0.0375, 0.035, 0.0325",
        "0.75, 0.7, 0.65",
        lambda: peers.uninterrupted(peers.falling, 5, rate=0.05),
        lambda: peers.loaded(peers.falling, *peers.stopped(peers.falling, 5), rate=0.05),
        lambda: meant(FALLING, 5, lambda state: resume.replace(state, planned(FALLING, lr=0.05))),
        by="resume.replace",
    ),
    Row(
        "ultralytics/ultralytics#19467, deepinsight/insightface!2143",
        "a cosine of 10 steps is done, and goes on as one of 30: the checkpoint's length wins, and the rate climbs again",
        "0.75, 0.7034, 0.6545",
        "0, 0.02447, 0.09549",
        lambda: peers.uninterrupted(peers.cosine(30), 10),
        lambda: peers.loaded(peers.cosine(30), *peers.stopped(peers.cosine(10), 10)),
        lambda: meant("cosine(1, 0)", 10, lambda state: resume.extend(state, "30 steps"), steps=10),
        by="resume.extend",
    ),
    Row(
        "ourownstory/neural_prophet#828",
        "the same with `OneCycleLR`, 10 steps and then 20",
        "0.7169, 0.6113, 0.5",
        "ValueError",
        lambda: peers.uninterrupted(peers.one_cycle(20), 10),
        lambda: peers.loaded(peers.one_cycle(20), *peers.stopped(peers.one_cycle(10), 10)),
        lambda: meant(ONE_CYCLE_OF_10, 10, lambda state: resume.replace(state, planned(ONE_CYCLE)), steps=10),
        by="resume.replace",
    ),
    Row(
        "mlfoundations/open_clip#413",
        "a cosine of 10 steps becomes one of 20 at step 8, and is to go on from the rate that it has there; a function of the step "
        "jumps to the longer curve",
        "0.09549, 0.08436, 0.07295",
        "0.09549, 0.5782, 0.5",
        lambda: scaled(
            (1 + math.cos(0.8 * math.pi)) / (1 + math.cos(0.4 * math.pi)), *peers.uninterrupted(peers.cosine_of(20), 8)
        ),
        lambda: peers.loaded(peers.cosine_of(20), *peers.stopped(peers.cosine_of(10), 8)),
        lambda: meant("cosine(1, 0)", 8, lambda state: resume.continue_from(state, run=Run(steps=20)), steps=10),
        by="resume.continue_from",
    ),
    Row(
        "kohya-ss/sd-scripts#141, kohya-ss/sd-scripts#1999, Lightning-AI/pytorch-lightning#19865",
        "a schedule of 10 steps has ended at 0, and 10 steps more are to follow it anew; its state is loaded, and is over",
        "1, 0.9, 0.8",
        "0, 0, 0",
        lambda: peers.uninterrupted(peers.fading(10), 0),
        lambda: peers.loaded(peers.fading(10), *peers.stopped(peers.fading(10), 10)),
        lambda: meant("linear(1, 0)", 10, resume.restart, steps=10),
        by="resume.restart",
    ),
    Row(
        "ecmwf/WeatherGenerator#1199",
        "a constant rate, to be annealed to 0 over 5 steps from step 10, in epochs of 4 steps: a schedule that falls over its last 5 "
        "steps is given 3 epochs",
        "1, 0.8, 0.6",
        "1, 0.2, 0",
        lambda: [1.0, 0.8, 0.6],
        lambda: peers.loaded(peers.annealed(12, 5), *peers.stopped(peers.annealed(100, 5), 10)),
        lambda: meant("constant(1)", 10, lambda state: resume.cooldown(state, "5 steps"), steps=100),
        by="resume.cooldown",
    ),
    Row(
        "Nerogar/OneTrainer#1604",
        "a cosine of 20 steps at step 15, built anew from the step count in a run that has 12 now, with fewer data: past its end it rises",
        "refused",
        "0.1464, 0.25, 0.3706",
        lambda: "refused",
        lambda: peers.rebuilt(peers.cosine_of(20), 15, peers.cosine_of(12)),
        lambda: of_another_recipe("cosine(1, 0)", 15, "run.steps: 20 -> 12", "cosine(1, 0)", steps=12),
    ),
    Row(
        "mlc-ai/pith-train!55",
        "the state of a `StepLR` is loaded into a `CosineAnnealingLR`",
        "refused",
        "0.1, 0.0691, 0.04122",
        lambda: "refused",
        lambda: peers.loaded(peers.cosine(10), *peers.stopped(peers.stairs, 5)),
        lambda: of_another_recipe('steps(0.1, every="3 steps")', 5, "lr: ", "cosine(1, 0)"),
    ),
]

PROCESSES = [
    Row(
        "huggingface/accelerate#2773, huggingface/accelerate#1382, huggingface/accelerate#2165, huggingface/transformers#26827, "
        "huggingface/diffusers#3954, Lightricks/LTX-Video-Trainer#67",
        "a cosine of 8 steps, prepared by Accelerate, in 2 processes: steps 3, 4 and 5",
        "0.6913, 0.5, 0.3087",
        "0.1464, 0, 0.1464",
        lambda: [(1 + math.cos(math.pi * step / 8)) / 2 for step in (3, 4, 5)],
        **launched("accelerate_cosine", "accelerate", 2),
        watch=lambda: peers.elsewhere("accelerate_cosine", 2)["watch"],
    ),
    Row(
        "huggingface/accelerate#3797",
        "`ReduceLROnPlateau(patience=2)`, prepared by Accelerate, in 2 processes, where nothing improves: steps 2, 3 and 4",
        "1, 1, 0.1",
        "0.1, 0.1, 0.01",
        lambda: [1.0, 1.0, 0.1],
        **launched("accelerate_plateau", "accelerate", 2),
    ),
    Row(
        "roytseng-tw/Detectron.pytorch#32, IDEA-Research/detrex#214",
        "a drop after 300 samples, by `MultiStepLR` at step 30 of batches of 10; from step 20 on batches hold 20, and the step stays: "
        "steps 24, 25 and 26 of 30",
        "1, 0.1, 0.1",
        "1, 1, 1",
        lambda: [0.1 if 200 + 20 * step >= 300 else 1.0 for step in (4, 5, 6)],
        lambda: peers.loaded(dropping_at_30, *peers.stopped(dropping_at_30, 20), later=4),
        lambda: meant(
            DROP_AT_EPOCH_3,
            20,
            lambda state: resume.replace(state, planned(DROP_AT_EPOCH_3), Run(epochs=4, samples=100, batch_size=20)),
            later=4,
            epochs=4,
            samples=100,
            batch_size=10,
        ),
        by="resume.replace",
    ),
    Row(
        "huggingface/transformers#22580",
        "linear to 0 over 400 samples, as 40 steps of 10; resumed at step 20 with batches of 20, the step count and the length are kept",
        "0.5, 0.45, 0.4",
        "0.5, 0.475, 0.45",
        lambda: [1 - (200 + 20 * step) / 400 for step in (0, 1, 2)],
        lambda: peers.loaded(peers.fading(40), *peers.stopped(peers.fading(40), 20)),
        lambda: meant(
            FALLING,
            20,
            lambda state: resume.continue_from(state, run=Run(epochs=4, samples=100, batch_size=20)),
            epochs=4,
            samples=100,
            batch_size=10,
        ),
        by="resume.continue_from",
    ),
]

UNUSED = [
    Row(
        "microsoft/dp-transformers#43, NVIDIA/apex#766, pytorch/ignite#545",
        "a wrapper around the optimizer shares its groups until they are replaced; the scheduler then moves the wrapper's",
        "1, 0.95, 0.9",
        "1, 1, 1",
        lambda: peers.uninterrupted(peers.falling, 0),
        lambda: peers.wrapped(peers.falling),
        wrapped,
        watch=watched_wrapper,
    ),
]

GROUPS = [
    Row(
        "pytorch/pytorch#73305, Lightning-AI/pytorch-lightning#4983, katsura-jp/pytorch-cosine-annealing-with-warmup#14",
        "groups with rates 1, 0.1 and 0.01 under `OneCycleLR(max_lr=1)`, at step 3 of 10",
        "0.9505, 0.09505, 0.009505",
        "0.9505, 0.9505, 0.9505",
        lambda: scaled(peers.uninterrupted(peers.one_cycle(10), 3)[0], 1, 0.1, 0.01),
        lambda: peers.groups_at(peers.one_cycle(10), (1.0, 0.1, 0.01), 3),
        lambda: groups_at(
            {"a": {}, "b": {"lr": 0.1}, "c": {"lr": 0.01}},
            3,
            'chain(cosine(0.04, 1, over="2 steps"), cosine(1, 4e-6, over="7 steps"))',
        ),
    ),
    Row(
        "open-mmlab/mmdetection3d#3059, open-mmlab/mmengine#1612",
        "the same groups under a cosine to a fiftieth, `eta_min=0.02`, at step 9 of 10: the last one has risen",
        "0.04398, 0.004398, 0.0004398",
        "0.04398, 0.02196, 0.01976",
        lambda: scaled(0.02 + 0.98 * (1 + math.cos(0.9 * math.pi)) / 2, 1, 0.1, 0.01),
        lambda: peers.groups_at(peers.cosine(10, 0.02), (1.0, 0.1, 0.01), 9),
        lambda: groups_at({"a": {}, "b": {"lr": 0.1}, "c": {"lr": 0.01}}, 9, "cosine(1, 0.02)"),
    ),
    Row(
        "facebookresearch/mae#216, huggingface/pytorch-image-models!2532",
        "layer-wise decay as `lr_scale` 1, 0.75 and 0.5625 in the groups, halfway through a cosine: no scheduler of torch reads it",
        "0.5, 0.375, 0.2812",
        "0.5, 0.5, 0.5",
        lambda: scaled(0.5, 1, 0.75, 0.5625),
        lambda: peers.scaled_groups((1, 0.75, 0.5625), 5),
        lambda: groups_at({"a": {}, "b": {"lr": 0.75}, "c": {"lr": 0.5625}}, 5, "cosine(1, 0)"),
    ),
    Row(
        "pytorch/pytorch#67761, Lightning-AI/pytorch-lightning#4983",
        "one scheduler for each of two groups, the first falling to 0, halfway: the last to step writes both groups",
        "0.5, 1",
        "1, 1",
        lambda: [0.5, 1.0],
        lambda: peers.two_schedulers(5),
        lambda: groups_at({"a": {"schedules": {"lr": etude.parse("linear(1, 0)")}}, "b": {}}, 5),
    ),
]

LATE = [
    Row(
        "huggingface/transformers#20029, Lightning-AI/pytorch-lightning#12141",
        "a warmup of 5 steps by `LambdaLR`",
        "0.1, 0.28, 0.46",
        "ValueError",
        lambda: peers.uninterrupted(peers.climbing, 0),
        lambda: peers.late(peers.climbing),
        lambda: late(RISING),
    ),
    Row(
        "pytorch/pytorch#79888",
        "`CosineAnnealingWarmRestarts`, every 4 steps",
        "1, 0.8536, 0.5",
        "ValueError",
        lambda: peers.uninterrupted(peers.restarting(4), 8),
        lambda: peers.late(peers.restarting(4)),
        lambda: late('repeat(cosine(1, 0), "4 steps")'),
    ),
    Row(
        "Lightning-Universe/lightning-flash#1321",
        "`OneCycleLR` of 20 steps",
        "0.04, 0.1317, 0.3717",
        "KeyError",
        lambda: peers.uninterrupted(peers.one_cycle(20), 0),
        lambda: peers.late(peers.one_cycle(20)),
        lambda: late(ONE_CYCLE),
    ),
    Row(
        "pytorch/pytorch#53712",
        "a cosine to 0 over the 12 steps that are left; torch's goes on with the ratios of the first 20, from the rate that the group "
        "came with",
        "1, 0.983, 0.933",
        "1, 0.8834, 0.7639",
        lambda: peers.uninterrupted(peers.cosine(12), 0),
        lambda: peers.late(peers.cosine(20)),
        lambda: late("cosine(1, 0)"),
    ),
]

ORDER = [
    Row(
        "pytorch/pytorch#55585, pytorch/pytorch#44511",
        "a warmup in fp16 whose first two updates overflow: the rates of the first three that are made",
        "0.1, 0.19, 0.28",
        "0.28, 0.37, 0.46",
        lambda: [0.1, 0.19, 0.28],
        peers.skipped,
        lambda: skipped("hold"),
    ),
    Row(
        "Lightning-AI/pytorch-lightning#5558, Lightning-AI/pytorch-lightning#16228",
        "the same in Lightning's own loop",
        "0.1, 0.19, 0.28",
        "0.28, 0.37, 0.46",
        lambda: [0.1, 0.19, 0.28],
        **launched("lightning_overflow", "lightning"),
    ),
    Row(
        "huggingface/transformers!11144",
        "the first again, where the schedule is to end with the data, so that skipped updates count: a scheduler that is stepped only "
        "after those that were made falls behind",
        "0.28, 0.37, 0.46",
        "0.1, 0.19, 0.28",
        lambda: peers.uninterrupted(lambda optimizer: peers.rising(optimizer, 10), 2),
        peers.stepped_if_made,
        lambda: skipped("count"),
        by='drive(..., skipped="count")',
    ),
    Row(
        "pytorch/pytorch!7889, Lightning-AI/pytorch-lightning#101",
        "`scheduler.step()` before `optimizer.step()`: the first value is never used",
        "0.1, 0.28, 0.46",
        "0.28, 0.46, 0.64",
        lambda: peers.uninterrupted(peers.rising, 0),
        lambda: peers.scheduler_before_optimizer(peers.rising),
        driver_before_optimizer,
    ),
]

COMPILE = [
    Row(
        "pytorch/pytorch#107076, pytorch/pytorch#120934",
        "a rate that is a number and moves, under SGD",
        "1 graph",
        "8 graphs, 4 updates without one",
        lambda: peers.compiled(SGD),
        lambda: peers.compiled(SGD, peers.falling),
        lambda: compiled(SGD, {"lr": FALLING}),
        by="drive(..., tensors=True)",
    ),
    Row(
        "pytorch/pytorch#133898",
        "AdamW, its rate a tensor, under `OneCycleLR`, which moves the betas too",
        "1 graph",
        "8 graphs, 4 updates without one",
        lambda: peers.compiled(AdamW, rate=torch.tensor(1.0)),
        lambda: peers.compiled(AdamW, lambda optimizer: OneCycleLR(optimizer, 1.0, 20), torch.tensor(1.0)),
        lambda: compiled(AdamW, {"lr": ONE_CYCLE, "momentum": "linear(1, 0.9)"}, betas=(0.9, 0.999)),
        by="drive(..., tensors=True)",
    ),
    Row(
        "pytorch/pytorch#22343",
        "SGD, its rate a tensor; momentum and weight decay are moved by the loop, for no scheduler of torch moves the latter (the first "
        "update, which makes the momentum's buffers, has a graph of its own)",
        "2 graphs",
        "8 graphs, 4 updates without one",
        lambda: peers.compiled(SGD, rate=torch.tensor(1.0), momentum=0.9, weight_decay=0.1),
        lambda: peers.compiled_while_moved(SGD, "momentum", "weight_decay", momentum=0.9, weight_decay=0.1),
        lambda: compiled(
            SGD, dict.fromkeys(("lr", "momentum", "weight_decay"), "linear(1, 0.5)"), momentum=0.9, weight_decay=0.1
        ),
        by="drive(..., tensors=True)",
    ),
]

TABLES = [
    Table(
        "Resuming the same run",
        RESUME,
        {
            "pytorch/pytorch#119168": "lr of group all: planned 0.9045, applied 0.1 since step 8: 0.1106 times the plan's",
        },
    ),
    Table("Going on with another plan", ANOTHER_PLAN),
    Table(
        "More processes, other hardware",
        PROCESSES,
        {
            "huggingface/accelerate#2773": "lr of group all: planned 0.9619, applied 0.8536 since step 1: stepped 2 times per update: "
            "looks like Accelerate, which ticks a prepared scheduler once for each process; so the schedule is over at update 4",
        },
        "A new batch size begins with the next epoch, and what is written in epochs moves with the samples. A curve that fills the run is\n"
        "spread over its steps: at fewer of them it would jump, and `continue_from` brings it to the rate that it had.",
    ),
    Table(
        "A rate that is set, and not used",
        UNUSED,
        {
            "microsoft/dp-transformers#43": "the scheduler moves another optimizer than the one that makes the updates: build it on the "
            "optimizer that is stepped, after wrapping",
        },
    ),
    Table("Groups", GROUPS),
    Table(
        "Groups that join at step 8 of 20",
        LATE,
        note="The rates are those of the group that joins. It comes with the rate 1, and is to follow a schedule of its own from there.",
    ),
    Table("The order of steps, and skipped updates", ORDER),
    Table(
        "The graphs that torch.compile makes of 12 updates",
        COMPILE,
        note="The backend is `aot_eager`, on a CPU. Where nothing moves there are as many graphs as is right; an update without one is made\n"
        "as if the step had not been compiled.",
    ),
]
ROWS = [row for table in TABLES for row in table.rows]


def shown(found):
    return found if isinstance(found, str) else ", ".join(f"{rate:.4g}" for rate in found)


def linked(threads):
    """Each thread as a link: # is an issue, ! a pull request."""
    links = []
    for thread in threads.split(", "):
        repository, mark, number = re.fullmatch(r"([\w.-]+/[\w.-]+)([#!])(\d+)", thread).groups()
        page = "issues" if mark == "#" else "pull"
        links.append(f"[{thread}](https://github.com/{repository}/{page}/{number})")
    return ", ".join(links)


VERSIONS = {"torch": "", "accelerate": "Accelerate 1.15: ", "lightning": "Lightning 2.6: "}


def line(row):
    by = f", by `{row.by}`" * bool(row.by)
    return f"| {linked(row.threads)} | {row.does} | {row.right} | {VERSIONS[row.needs]}{row.wrong} | {row.right}{by} |"


def lines(table):
    """A table as the page has it: heading, head, rows, and what a watch says."""
    yield from (
        f"### {table.heading}",
        "",
        "| thread | what is done | right | the peer gives | etude gives |",
        "|---|---|---|---|---|",
    )
    yield from map(line, table.rows)
    for thread, says in table.told.items():
        yield from ("", f"Beside the loop of {linked(thread)} `etude.watch` says: `{says}`")
    if table.note:
        yield from ("", table.note)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"\W+", "-", row.threads.split(", ")[0] + " " + row.right))
def test_the_peer_gives_the_wrong_value_and_etude_the_right_one(row):
    pytest.importorskip(row.needs)
    truth, ours = row.truth(), row.ours()
    assert shown(truth) == row.right
    assert shown(row.peer()) == row.wrong != row.right
    assert shown(ours) == row.right
    assert ours == truth if isinstance(truth, str) else ours == pytest.approx(truth, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("table", [table for table in TABLES if table.told], ids=lambda table: next(iter(table.told)))
def test_the_watch_says_so(table):
    ((thread, says),) = table.told.items()
    row = next(row for row in table.rows if thread in row.threads and row.watch)
    pytest.importorskip(row.needs)
    assert says in row.watch()


def test_what_the_page_says_of_a_curve_that_fills_the_run():
    half = {"epochs": 4, "samples": 100, "batch_size": 20}
    for intent, rate in ((resume.replace, 0.25), (resume.continue_from, 0.5)):
        rates = meant(
            "cosine(1, 0)",
            20,
            lambda state, intent=intent: intent(state, planned("cosine(1, 0)", **half)),
            **half | {"batch_size": 10},
        )
        assert rates[0] == pytest.approx(rate, rel=1e-12)


def test_the_page_holds_these_rows():
    text = PAGE.read_text()
    assert "\n\n".join("\n".join(lines(table)) for table in TABLES) in text
    assert text.count("\n| ") == len(ROWS) + len(TABLES)


def test_what_the_page_says_is_mended_in_torch():
    """pytorch#162359, pytorch#163093, pytorch#52911, pytorch#104361 and pytorch#107076."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(1.0, dtype=torch.float64))
    rates = [float(rate) for rate in peers.train(optimizer, 9, peers.warm_cosine(optimizer).step)]
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.8346, abs=1e-4), rates
    held, plateau = optimizer.param_groups[0]["lr"], ReduceLROnPlateau(optimizer, patience=0)
    peers.train(optimizer, 3, lambda: plateau.step(1.0))
    assert optimizer.param_groups[0]["lr"] is held

    optimizer = peers.sgd(1.0)
    settings = {"step_size_up": 1, "mode": "exp_range", "cycle_momentum": False}
    saved = CyclicLR(optimizer, 0.01, 0.1, gamma=0.9, **settings).state_dict()
    scheduler = CyclicLR(optimizer, 0.01, 0.1, gamma=1.0, **settings)
    scheduler.load_state_dict(saved)
    assert peers.train(optimizer, 2, scheduler.step)[1] == pytest.approx(0.01 + 0.09 * 0.9)

    optimizer = peers.sgd(1.0)
    plateau = ReduceLROnPlateau(optimizer, patience=0)
    peers.add_group(optimizer)
    assert peers.train_groups(optimizer, 3, lambda: plateau.step(1.0))[2] == pytest.approx([0.1, 0.1])

    assert peers.compiled(AdamW, peers.falling) == "2 graphs"
    assert peers.compiled(AdamW, peers.falling, foreach=True) == "8 graphs, 4 updates without one"
