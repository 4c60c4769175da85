"""A fuzz target of the readers of foreign files: any bytes become a recipe or one clear line, within a second.

    python -m tests.fuzz_readers [SECONDS [SEED]]

mutates the files of `SEEDS` and prints what breaks the promise; `target` alone takes bytes, as fuzzers call it.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from pathlib import Path

import etude
from etude import InputError
from etude.dialects import KNOWN

SEEDS = [
    "lr0: 0.01\nlrf: 0.1\nmomentum: 0.9\nweight_decay: 0.0005\nwarmup_epochs: 3.0\nwarmup_momentum: 0.8\nwarmup_bias_lr: 0.1\nanchor_t: 4.0\ncos_lr: true\nresume_epoch: 1\n",
    "task: detect\nmode: train\nepochs: 3\nbatch: 16\noptimizer: auto\nnc: 80\nlr0: 0.01\nlrf: 0.01\nnbs: 64\nwarmup_epochs: 3.0\ntime: null\nfraction: 1.0\ncompile: false\n",
    "basic_lr_per_img: 0.00015625\nscheduler: yoloxwarmcos\nwarmup_epochs: 5\nmax_epoch: 30\nwarmup_lr: 0\nmin_lr_ratio: 0.05\nno_aug_epochs: 15\n",
    "name: yoloxsemiwarmcos\nlr: 0.01\niters_per_epoch: 30\ntotal_epochs: 50\nwarmup_epochs: 2\nsemi_epoch: 16\niters_per_epoch_semi: 33\nmilestones: [3, 5]\n",
    "optimizer_type: sgd\nlr_decay_type: step\nInit_lr: 0.01\nMin_lr: 0.0001\nFreeze_Train: true\nFreeze_Epoch: 5\nUnFreeze_Epoch: 30\nFreeze_batch_size: 16\nUnfreeze_batch_size: 8\n",
    "lr_decay_type: cos\nlr: 0.0003\nmin_lr: 0.000003\ntotal_iters: 100\nwarmup_lr_start: 0.00005\ninterval: epoch\n",
    "Global: {epoch_num: 20}\nOptimizer:\n  name: Adam\n  beta1: 0.9\n  lr: {name: Cosine, learning_rate: 0.001, warmup_epoch: 2}\n  regularizer: {name: L2, factor: 1.0e-05}\n",
    "Global: {epoch_num: 20}\nOptimizer:\n  name: Momentum\n  momentum: 0.9\n  lr: {name: Piecewise, decay_epochs: [8, 14], values: [0.1, 0.01, 0.001]}\nTrain: {loader: {batch_size_per_card: 8, drop_last: true}}\n",
    "Optimizer: {name: AdamW, lr: {name: OneCycle, max_lr: 0.1, three_phase: true, anneal_strategy: linear}}\nview: tutorial\nGlobal: {epoch_num: 2}\n",
    "name: LinearWarmup\nlearning_rate: {name: PolynomialDecay, learning_rate: 0.1, decay_steps: 10, cycle: true}\nwarmup_steps: 3\nstart_lr: 0.0\nend_lr: 0.1\n",
    "name: CyclicLR\nbase_learning_rate: 0.1\nmax_learning_rate: 0.5\nstep_size_up: 5\nmode: triangular2\n",
    "learning_rate: 5.0e-05\nlr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr_rate: 0.1}\nwarmup_steps: 10\nnum_train_epochs: 3\nper_device_train_batch_size: 8\n",
    "name: warmup_stable_decay\nlr: [0.1, 0.01]\nnum_warmup_steps: 5\nnum_training_steps: 30\nscheduler_specific_kwargs: {num_decay_steps: 9}\nn_steps: 40\n",
    "sched: cosine\nlr: 0.1\nepochs: 10\nwarmup_epochs: 2\nmin_lr: 0.001\nopt: sgd\nlr_noise: [0.4, 0.9]\nlr_cycle_mul: 2.0\nlr_cycle_limit: 3\nsched_on_updates: true\n",
    "name: warmup_cosine_decay_schedule\ninit_value: 0.0\npeak_value: 0.1\nwarmup_steps: 10\ndecay_steps: 100\nend_value: 0.001\n",
    "name: SequentialLR\nmilestones: [5]\nschedulers: [{name: LinearLR, total_iters: 5}, {name: CosineAnnealingLR, T_max: 20}]\n",
    "class_name: CosineDecay\nconfig: {initial_learning_rate: 0.1, decay_steps: 100, warmup_steps: 5, warmup_target: 0.2}\n",
    '{"schedule": "exponential_decay", "learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9, "staircase": true}',
]
EXTREMES = [
    "0",
    "-1",
    "1e308",
    "-1e308",
    "1.0e-320",
    ".inf",
    ".nan",
    "9007199254740993",
    "99999999999999999999999",
    "0.5",
    "null",
    "true",
    "''",
    "[]",
    "{}",
    "x",
    "[1]",
    "{a:",
    "1}",
    "1e-400",
    "-0.0",
    "&a",
    "*a",
    "!!python/object/apply:os.system",
    "1:30",
    "'\\x00'",
    "∞",
    "0x10",
    "1_0",
    "2026-01-01",
    "<<",
]
FACTS = {"epochs": 3, "samples": 64, "batch_size": 8}
PATIENCE = 1.0  # seconds


def target(data: bytes, folder: Path) -> None:
    """Read bytes as a file, as whatever it looks like and as each dialect; AssertionError where a promise is broken."""
    path = folder / "recipe.yaml"
    path.write_bytes(data)
    for dialect in (None, *KNOWN):
        for facts in (FACTS, {"epochs": 3, "steps_per_epoch": 8}):
            begun = time.perf_counter()
            try:
                plan = etude.read(path, dialect=dialect).override(**facts).plan()
                plan.at(0)
            except InputError as error:
                own = b"etude" in data  # its mistakes are told all at once
                assert own or "\n" not in str(error), f"more than a line: {error!r}"
                assert len(str(error)) < 5_000, f"{len(str(error))} characters"
            assert time.perf_counter() - begun < PATIENCE, f"{time.perf_counter() - begun:.1f} s as {dialect}"


def mutated(seed: str, chance: random.Random) -> bytes:
    """Return a seed with a few things changed in it."""
    text = seed
    for _ in range(chance.randint(1, 4)):
        kind = chance.randrange(6)
        lines = text.splitlines() or [""]
        if kind == 0:  # a value becomes an extreme
            spots = list(re.finditer(r"[-\w.]+", text))
            if spots:
                spot = chance.choice(spots)
                text = text[: spot.start()] + chance.choice(EXTREMES) + text[spot.end() :]
        elif kind == 1:
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(chance.choice(SEEDS).splitlines()))
            text = "\n".join(lines)
        elif kind == 2:
            lines.pop(chance.randrange(len(lines)))
            text = "\n".join(lines)
        elif kind == 3 and text:
            at = chance.randrange(len(text))
            text = (
                text[:at]
                + chr(chance.choice([0, 9, 10, 32, 34, 35, 42, 58, 91, 123, 125, 233, 0x2028]))
                + text[at + chance.randrange(2) :]
            )
        elif kind == 4 and text:
            text = text[: chance.randrange(len(text))]
        else:
            text = text + chance.choice(SEEDS)
    data = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.02 and data:
        at = chance.randrange(len(data))
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    return data


def main(seconds: float = 60.0, seed: int = 0) -> int:
    """Mutate until the time is over; return how many inputs broke the promise."""
    chance, broken, tried, end = random.Random(seed), 0, 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            data = mutated(chance.choice(SEEDS), chance)
            tried += 1
            try:
                target(data, Path(folder))
            except Exception as error:  # anything is a finding
                broken += 1
                print(f"{type(error).__name__}: {error}\n{data!r}\n")
    print(f"{tried} inputs, {broken} broken")
    return broken


if __name__ == "__main__":
    sys.exit(min(main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])), 1))
