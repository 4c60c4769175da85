"""What etude costs beside its peers and the floor, as ratios in one run: `python -m benchmarks.speed [--quick]`.

    step      what the driver adds to an update, beside the same bare assignments
    tensor    the same with tensor learning rates, beside `fill_`, and with one buffer for all
    graphs    how many graphs torch.compile makes of twelve updates in which everything moves
    watch     what `etude.watch` adds to a real step
    curve     the values of a million steps, beside NumPy's plain closed form
    jump      the value at any step, first and last
    start     wall time of command lines and imports, beside bare Python and `import click`

Exit code 1 where a ratio is above its limit. Peers that are not installed are left out.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from tests.fuzz_readers import SEEDS

import etude
from benchmarks.timing import interleaved
from etude import Group, Optimizer, Recipe, Run

QUICK = "--quick" in sys.argv
STEPS = 1_000_000
TEXT = "chain(linear(0, 1, over='5%'), cosine(1, 0.01))"


class Line(NamedTuple):
    """A row of the report; `limit` where one is promised."""

    name: str
    seconds: float
    ratio: float
    limit: float | None = None


def optimizer(groups: int, *, tensor: bool = False) -> torch.optim.Optimizer:
    """An SGD whose groups have rates of their own."""
    rates = [0.1 * (index + 1) / groups for index in range(groups)]
    return torch.optim.SGD(
        [
            {"params": [torch.nn.Parameter(torch.zeros(1))], "name": f"g{index}", "lr": torch.tensor(rate) if tensor else rate}
            for index, rate in enumerate(rates)
        ],
        lr=0.1,
    )


def driven(groups: int, *, tensor: bool = False, buffer: bool = False) -> Callable[[], None]:
    """Both hooks of the driver, which are all that etude adds to `optimizer.step()`."""
    target = optimizer(groups, tensor=tensor)
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=0.1),
        groups={f"g{index}": Group(lr=0.1 * (index + 1) / groups) for index in range(groups)},
        schedules={"lr": etude.parse(TEXT)},
        run=Run(steps=10 * STEPS),
    )
    seat = etude.torch.drive(target, recipe.plan(), tensors=buffer)._seats[0]
    before, after = seat.before, seat.after

    def step() -> None:
        before(target, (), {})
        after(target, (), {})

    return step


def peers(groups: int, *, tensor: bool = False) -> Iterator[tuple[str, Callable[[], object]]]:
    """A step of the schedulers people use, each on an optimizer of its own."""
    scheduler = torch.optim.lr_scheduler

    def sequential(target: torch.optim.Optimizer) -> Any:
        parts = [scheduler.LinearLR(target, 0.01, total_iters=500), scheduler.CosineAnnealingLR(target, STEPS)]
        return scheduler.SequentialLR(target, parts, milestones=[500])

    makers: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
        "torch LambdaLR": lambda target: scheduler.LambdaLR(target, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS))),
        "torch CosineAnnealingLR": lambda target: scheduler.CosineAnnealingLR(target, STEPS),
        "torch SequentialLR": sequential,
    }
    if importlib.util.find_spec("transformers") and not tensor:
        transformers = importlib.import_module("transformers.optimization")
        makers["transformers cosine"] = lambda target: transformers.get_cosine_schedule_with_warmup(target, 500, STEPS)
    for name, make in makers.items():
        target = optimizer(groups, tensor=tensor)
        target.step()
        made = make(target)
        target._opt_called = True  # type: ignore[attr-defined]  # torch warns of a step without an update otherwise
        yield name, made.step
    if importlib.util.find_spec("timm") and not tensor:
        try:
            timm = importlib.import_module("timm.scheduler")
        except (ImportError, RuntimeError):  # timm needs a torchvision that fits the torch
            return
        made = timm.CosineLRScheduler(optimizer(groups), t_initial=STEPS, warmup_t=500, t_in_epochs=False)
        counter = itertools.count()
        yield "timm CosineLRScheduler", lambda: made.step_update(next(counter))
    if not tensor:
        yield "YOLOv5's hand loop", hand_loop(groups)


def hand_loop(groups: int) -> Callable[[], None]:
    """np.interp for each group, as in YOLOv5's train.py; it writes the momentum too."""
    target, counter = optimizer(groups), itertools.count()
    for group in target.param_groups:
        group["initial_lr"], group["momentum"] = group["lr"], 0.9

    def step() -> None:
        now = next(counter)
        for group in target.param_groups:
            goal = group["initial_lr"] * (0.5 * (1 + math.cos(math.pi * now / STEPS)))
            group["lr"] = np.interp(now, [0, 500], [0.0, goal])
            group["momentum"] = np.interp(now, [0, 500], [0.8, 0.937])

    return step


def step_lines(groups: int, limit: float) -> Iterator[Line]:
    target = optimizer(groups)
    values = [group["lr"] for group in target.param_groups]

    def bare() -> None:
        for group in target.param_groups:
            group["lr"] = 0.1

    def same() -> None:
        for group, value in zip(target.param_groups, values, strict=True):
            group["lr"] = value

    contenders = {
        "bare assignment of one value": bare,
        "the same bare assignments": same,
        "etude": driven(groups),
        **dict(peers(groups)),
    }
    times = interleaved(contenders, calls=max(20, 3000 // groups), rounds=11 if QUICK else 61)
    floor = times["bare assignment of one value"]
    for name, seconds in times.items():
        yield Line(f"step, {groups} groups: {name}", seconds, seconds / floor, limit if name == "etude" else None)


def tensor_lines(groups: int) -> Iterator[Line]:
    target = optimizer(groups, tensor=True)

    def fill() -> None:
        for group in target.param_groups:
            group["lr"].fill_(0.1)

    contenders = {
        "fill_": fill,
        "etude": driven(groups, tensor=True),
        "etude, one buffer": driven(groups, buffer=True),
        **dict(peers(groups, tensor=True)),
    }
    times = interleaved(contenders, calls=max(5, 300 // groups), rounds=11 if QUICK else 41)
    for name, seconds in times.items():
        limit = 1.3 if name.startswith("etude") else None
        yield Line(f"tensor step, {groups} groups: {name}", seconds, seconds / times["fill_"], limit)


def graph_lines() -> Iterator[Line]:
    """Graphs, not seconds: with numbers torch gives up at the ninth, and goes on uncompiled without a word."""
    from tests.test_compiled import made, recipe, run

    for name in ("SGD", "AdamW"):
        numbers, tensors = (run(made(recipe(name), tensors=tensors), backend="aot_eager")[1] for tensors in (False, True))
        yield Line(f"graphs of 12 updates of {name}: etude and peers with numbers", math.nan, numbers)
        yield Line(f"graphs of 12 updates of {name}: etude with tensors", math.nan, tensors, 2.0 if name == "SGD" else 1.0)


def watch_lines() -> Iterator[Line]:
    """A step of a small convolutional net on 64 digits, and what a watch does after it."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3)]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(32 * 100, 10))
    recipe = etude.read("yolov5").override(epochs=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the net has no norm
        target = etude.torch.build(net, recipe)
    driver = etude.torch.drive(target, recipe.plan())
    watch = etude.watch(target, recipe.plan())
    watch.release()
    inputs, labels = torch.randn(64, 1, 16, 16), torch.randint(10, (64,))

    def train() -> None:
        target.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs), labels).backward()
        target.step()

    steps, looks = [], []
    for _ in range(100 if QUICK else 400):
        begun = time.perf_counter()
        train()
        trained = time.perf_counter()
        watch.updates = driver.updates[0] - 1
        watch._after(target, (), {})  # with caches as cold as a step leaves them
        looks.append(time.perf_counter() - trained)
        steps.append(trained - begun)
    assert not watch.findings()
    step, look = statistics.median(steps), statistics.median(looks)
    yield Line("a step of training: without", step, 1.0)
    yield Line("a step of training: with etude.watch", step + look, 1 + look / step, 1.02)


def curve_lines() -> Iterator[Line]:
    bases = np.array([0.1, 0.01, 0.001])
    groups = {f"g{index}": Group(lr=float(base)) for index, base in enumerate(bases)}

    def planned(text: str) -> Callable[[], object]:
        recipe = Recipe(
            optimizer=Optimizer(name="SGD", lr=0.1), groups=groups, schedules={"lr": etude.parse(text)}, run=Run(steps=STEPS)
        )
        return recipe.plan().table

    def plain() -> object:
        t = np.arange(STEPS)[:, None]
        return bases * (0.01 + 0.99 * 0.5 * (1 + np.cos(math.pi * t / STEPS)))

    contenders = {
        "NumPy's plain closed form": plain,
        "etude cosine(1, 0.01)": planned("cosine(1, 0.01)"),
        f"etude {TEXT}": planned(TEXT),
    }
    times = interleaved(contenders, calls=1, rounds=5 if QUICK else 21)
    floor = times["NumPy's plain closed form"]
    for name, seconds in times.items():
        yield Line(f"curve, 1M steps x 3 groups: {name}", seconds, seconds / floor, 0.5 if name.startswith("etude") else None)


def jump_lines() -> Iterator[Line]:
    plan = etude.read(TEXT).plan(Run(steps=STEPS))
    times = interleaved({"first": lambda: plan.at(0), "last": lambda: plan.at(STEPS - 1)}, calls=500, rounds=21)
    for name, seconds in times.items():
        # the last may cost more than the first by its phase's own formula, never by its distance
        yield Line(
            f"jump: plan.at the {name} of a million steps", seconds, seconds / times["first"], 3.0 if name == "last" else None
        )


def start_lines() -> Iterator[Line]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def typed(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *words], env=environment, check=True, stdout=subprocess.DEVNULL)

    # the installed command, as a user types it: `python -m` alone costs 5 ms more
    command = str(Path(sys.executable).with_name("etude"))

    def called(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([command, *words], env=environment, check=True, stdout=subprocess.DEVNULL)

    folder = Path(tempfile.mkdtemp())
    files = {
        "hyp.yaml": ("--epochs", "30", "--samples", "1600", "--batch-size", "40"),
        "paddleocr.yml": ("--steps-per-epoch", "100"),
    }
    for name, seed in zip(files, (SEEDS[0], SEEDS[6]), strict=True):
        (folder / name).write_text(seed, encoding="utf-8")
    contenders = {
        "python": typed("-c", "pass"),
        "import click": typed("-c", "import click"),
        "import etude": typed("-c", "import etude"),
        "etude table 'cosine(1, 0)' --steps 100": called("table", "cosine(1, 0)", "--steps", "100"),
        "etude table yolov5": called("table", "yolov5"),
        **{f"etude table {name}": called("table", str(folder / name), *facts) for name, facts in files.items()},
    }
    for call in contenders.values():
        call()  # compiles what is not compiled
    times = interleaved(contenders, calls=1, rounds=5 if QUICK else 21)
    limits = {
        "etude table 'cosine(1, 0)' --steps 100": 2.0,
        "etude table yolov5": 5.0,
        **{f"etude table {name}": 5.0 for name in files},
    }
    for name, seconds in times.items():
        yield Line(f"start: {name}", seconds, seconds / times["import click"], limits.get(name))
    over = 1000 * (times["import etude"] - times["python"])
    print(f"import etude takes {over:.1f} ms over bare Python (limit 25)")
    timed = "import time, torch; begun = time.perf_counter(); import etude.torch; print(time.perf_counter() - begun)"
    after = [
        float(subprocess.run([sys.executable, "-c", timed], env=environment, check=True, capture_output=True, text=True).stdout)
        for _ in range(3 if QUICK else 9)
    ]
    print(f"import etude.torch takes {1000 * statistics.median(after):.1f} ms after torch (limit 5)")


def read_lines() -> Iterator[Line]:
    """A foreign file becomes a recipe; PyYAML's own loader, as fast as it comes, is the floor."""
    folder = Path(tempfile.mkdtemp())
    path, text = folder / "paddleocr.yml", SEEDS[6]
    path.write_text(text, encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    contenders = {"PyYAML": lambda: yaml.load(text, loader), "etude": lambda: etude.read(path)}
    times = interleaved(contenders, calls=20, rounds=21)
    for name, seconds in times.items():
        yield Line(f"read a PaddleOCR config: {name}", seconds, seconds / times["PyYAML"])
    print(f"reading it takes {1000 * times['etude']:.1f} ms (limit 30)")


def config_lines() -> Iterator[Line]:
    """A Python config with its bases becomes a recipe; parsing the files is the floor."""
    folder = Path(tempfile.mkdtemp())
    stages = ", ".join(f"dict(type='Block', width={64 * index}, norm=dict(type='BN', eps=1e-5))" for index in range(60))
    files = {
        "model.py": f"model = dict(type='Detector', backbone=dict(stages=[{stages}]), neck=dict(type='FPN', out=256))\n",
        "data.py": "size = (1333, 800)\ndata = dict(samples_per_gpu=2, train=dict(steps=[dict(type='Resize', to=size)] * 8))\n",
        "schedule.py": "optimizer = dict(type='SGD', lr=0.02, momentum=0.9)\nlr_config = dict(policy='step', step=[8, 11])\n"
        "runner = dict(type='EpochBasedRunner', max_epochs=12)\n",
        "faster_rcnn_r50_fpn_2x_coco.py": "_base_ = ['model.py', 'data.py', 'schedule.py']\nlr_config = dict(step=[16, 22])\n"
        "runner = dict(max_epochs=24)\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "faster_rcnn_r50_fpn_2x_coco.py"
    contenders = {"ast.parse": lambda: [ast.parse(text) for text in files.values()], "etude": lambda: etude.read(path)}
    times = interleaved(contenders, calls=10, rounds=21)
    for name, seconds in times.items():
        yield Line(f"read an MMDetection config: {name}", seconds, seconds / times["ast.parse"])
    print(f"reading it takes {1000 * times['etude']:.1f} ms (limit 30)")


def main() -> int:
    """Print the report; 1 where a limit is broken."""
    torch.set_num_threads(1)
    broken = 0
    sections = (
        step_lines(3, 6.0),
        step_lines(100, 2.6),
        tensor_lines(3),
        tensor_lines(100),
        graph_lines(),
        watch_lines(),
        curve_lines(),
        jump_lines(),
        read_lines(),
        config_lines(),
        start_lines(),
    )
    for line in itertools.chain.from_iterable(sections):
        verdict = "" if line.limit is None else f"  limit {line.limit:g}{'  BROKEN' if line.ratio > line.limit else ''}"
        broken += line.limit is not None and line.ratio > line.limit
        print(f"{line.ratio:9.2f}x  {1e6 * line.seconds:12.2f} us  {line.name}{verdict}", flush=True)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
