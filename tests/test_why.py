"""The table of docs/why.md: what people do, what is right, what their library gives and what etude gives, row by row."""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, ReduceLROnPlateau

import etude
from etude import Group, InputError, Optimizer, Recipe, Run
from tests import peers

PAGE = Path(__file__).parent.parent / "docs" / "why.md"

# -- etude's side --------------------------------------------------------------------------------------------------------

WARM_COSINE = 'chain(linear(0.1, 1, over="5 steps"), cosine(1, 0, over="15 steps"))'
RISING = 'linear(0.1, 1, over="5 steps")'
FALLING = "linear(1, 0)"
WARM_LINEAR = 'chain(linear(0, 1, over="10 steps"), linear(1, 0))'
ONE_CYCLE = 'chain(cosine(0.04, 1, over="5 steps"), cosine(1, 4e-6, over="14 steps"))'
HELD_THEN_DECAYING = 'chain(phase(constant(0.1), over="3 steps"), decay(0.9, per="1 step"))'


def driven(text, *, steps=20, lr=1.0, updates=0):
    """An optimizer and its driver."""
    recipe = etude.read(text).override(lr=lr, steps=steps)
    optimizer = etude.torch.build(torch.nn.Linear(1, 1, bias=False), recipe)
    return optimizer, etude.torch.drive(optimizer, recipe.plan(), updates=updates)


def stopped(text, at, steps=20):
    optimizer, driver = driven(text, steps=steps)
    peers.train(optimizer, at, driver.step)
    return copy.deepcopy((optimizer.state_dict(), driver.state_dict()))


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


def of_another_recipe():
    try:
        driven("cosine(1, 0)")[1].load_state_dict(stopped('steps(0.1, every="3 steps")', 5)[1])
    except InputError as error:
        assert "the checkpoint is of another recipe" in str(error)
        return "refused"


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


def skipped():
    recipe = etude.read('linear(0.1, 1, over="10 steps")').override(lr=1.0, steps=20)
    optimizer = peers.sgd(1.0)
    return peers.overflowing(optimizer, etude.torch.drive(optimizer, recipe.plan()).step)


def driver_before_optimizer():
    optimizer, driver = driven(RISING)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", etude.torch.EtudeWarning)
        for _ in range(3):
            driver.step()
            rates += peers.train(optimizer, 1)
    return rates


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
    needs: str = "torch"


def launched(name, needs, processes=1):
    return {
        "peer": lambda: peers.elsewhere(name, processes)["peer"],
        "ours": lambda: peers.elsewhere(name, processes)["ours"],
        "needs": needs,
    }


def scaled(value, *factors):
    return [value * factor for factor in factors]


ROWS = [
    # resume
    Row(
        "pytorch/pytorch#119168",
        "warmup and cosine in a `SequentialLR`, resumed at step 8: optimizer loaded, then the schedulers built, then loaded",
        "0.9045, 0.8346, 0.75",
        "0.1, 0.09227, 0.08292",
        lambda: peers.uninterrupted(peers.warm_cosine, 8),
        lambda: peers.optimizer_first(peers.warm_cosine, 8),
        lambda: resumed(WARM_COSINE, 8),
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
    # another plan
    Row(
        "pytorch/examples#816, open-mmlab/mmdetection#6402, facebookresearch/detr#301, pytorch/pytorch#156846",
        "resumed with another base rate, 0.05: the checkpoint's wins",
        "0.0375, 0.035, 0.0325",
        "0.75, 0.7, 0.65",
        lambda: peers.uninterrupted(peers.falling, 5, rate=0.05),
        lambda: peers.loaded(peers.falling, *peers.stopped(peers.falling, 5), rate=0.05),
        lambda: taken_over(FALLING, 5, lr=0.05),
    ),
    Row(
        "ultralytics/ultralytics#19467, deepinsight/insightface!2143",
        "a cosine of 10 steps is done, and goes on as one of 30: the checkpoint's length wins, and the rate climbs again",
        "0.75, 0.7034, 0.6545",
        "0, 0.02447, 0.09549",
        lambda: peers.uninterrupted(peers.cosine(30), 10),
        lambda: peers.loaded(peers.cosine(30), *peers.stopped(peers.cosine(10), 10)),
        lambda: taken_over("cosine(1, 0)", 10, steps=30),
    ),
    Row(
        "ourownstory/neural_prophet#828",
        "the same with `OneCycleLR`, 10 steps and then 20",
        "0.7169, 0.6113, 0.5",
        "ValueError",
        lambda: peers.uninterrupted(peers.one_cycle(20), 10),
        lambda: peers.loaded(peers.one_cycle(20), *peers.stopped(peers.one_cycle(10), 10)),
        lambda: taken_over(ONE_CYCLE, 10),
    ),
    Row(
        "mlc-ai/pith-train!55",
        "the state of a `StepLR` is loaded into a `CosineAnnealingLR`",
        "refused",
        "0.1, 0.0691, 0.04122",
        lambda: "refused",
        lambda: peers.loaded(peers.cosine(10), *peers.stopped(peers.stairs, 5)),
        of_another_recipe,
    ),
    # processes
    Row(
        "huggingface/accelerate#2773, huggingface/accelerate#1382, huggingface/accelerate#2165, huggingface/transformers#26827, "
        "huggingface/diffusers#3954, Lightricks/LTX-Video-Trainer#67",
        "a cosine of 8 steps, prepared by Accelerate, in 2 processes: steps 3, 4 and 5",
        "0.6913, 0.5, 0.3087",
        "0.1464, 0, 0.1464",
        lambda: [(1 + math.cos(math.pi * step / 8)) / 2 for step in (3, 4, 5)],
        **launched("accelerate_cosine", "accelerate", 2),
    ),
    Row(
        "huggingface/accelerate#3797",
        "`ReduceLROnPlateau(patience=2)`, prepared by Accelerate, in 2 processes, where nothing improves: steps 2, 3 and 4",
        "1, 1, 0.1",
        "0.1, 0.1, 0.01",
        lambda: [1.0, 1.0, 0.1],
        **launched("accelerate_plateau", "accelerate", 2),
    ),
    # set, but not used
    Row(
        "microsoft/dp-transformers#43, NVIDIA/apex#766, pytorch/ignite#545",
        "a wrapper around the optimizer shares its groups until they are replaced; the scheduler then moves the wrapper's",
        "1, 0.95, 0.9",
        "1, 1, 1",
        lambda: peers.uninterrupted(peers.falling, 0),
        lambda: peers.wrapped(peers.falling),
        wrapped,
    ),
    # groups
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
    # order, and skipped updates
    Row(
        "pytorch/pytorch#55585, pytorch/pytorch#44511, huggingface/transformers!11144",
        "a warmup in fp16 whose first two updates overflow: the rates of the first three that are made",
        "0.1, 0.19, 0.28",
        "0.28, 0.37, 0.46",
        lambda: [0.1, 0.19, 0.28],
        peers.skipped,
        skipped,
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
        "pytorch/pytorch!7889, Lightning-AI/pytorch-lightning#101",
        "`scheduler.step()` before `optimizer.step()`: the first value is never used",
        "0.1, 0.28, 0.46",
        "0.28, 0.46, 0.64",
        lambda: peers.uninterrupted(peers.rising, 0),
        lambda: peers.scheduler_before_optimizer(peers.rising),
        driver_before_optimizer,
    ),
]


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
    return f"| {linked(row.threads)} | {row.does} | {row.right} | {VERSIONS[row.needs]}{row.wrong} | {row.right} |"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"\W+", "-", row.threads.split(", ")[0] + " " + row.right))
def test_the_peer_gives_the_wrong_value_and_etude_the_right_one(row):
    pytest.importorskip(row.needs)
    truth, ours = row.truth(), row.ours()
    assert shown(truth) == row.right
    assert shown(row.peer()) == row.wrong != row.right
    assert shown(ours) == row.right
    assert ours == truth if isinstance(truth, str) else ours == pytest.approx(truth, rel=1e-12, abs=1e-15)


def test_the_page_holds_these_rows():
    table = [text for text in PAGE.read_text().splitlines() if text.startswith("|")]
    assert table[2:] == [line(row) for row in ROWS]


def test_what_the_page_says_is_mended_in_torch():
    """pytorch#162359, pytorch#163093 and pytorch#52911."""
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
