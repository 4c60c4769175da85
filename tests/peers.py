"""What people do with torch's schedulers, and with Accelerate and Lightning, as their threads tell it.

Each function returns the learning rates that the updates were really made with, or the name of what was raised instead; those
of torch.compile return how many graphs were made.
Those of other libraries run in processes of their own, `elsewhere`, and give back both the peer's rates and etude's.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

# -- schedulers, each a function of the optimizer --------------------------------------------------------------------


def warm_cosine(optimizer):
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, 1.0, 5), CosineAnnealingLR(optimizer, 15)], [5])


def rising(optimizer, length=5):
    return LinearLR(optimizer, 0.1, 1.0, length)


def falling(optimizer, last_epoch=-1):
    return LambdaLR(optimizer, lambda step: 1 - step / 20, last_epoch)


def fading(length):
    """Linear to 0, and 0 from there."""
    return lambda optimizer: LambdaLR(optimizer, lambda step: max(0.0, 1 - step / length))


def climbing(optimizer):
    """The same warmup as `rising`, as a lambda."""
    return LambdaLR(optimizer, lambda step: min(1.0, 0.1 + 0.18 * step))


def warm_linear(optimizer, last_epoch=-1):
    """transformers' linear schedule: 10 steps of warmup, 0 at step 40."""
    return LambdaLR(optimizer, lambda step: step / 10 if step < 10 else (40 - step) / 30, last_epoch)


def dropping(optimizer, at=5):
    return MultiStepLR(optimizer, [at], 0.1)


def stairs(optimizer):
    return StepLR(optimizer, 3, 0.1)


def held_then_decaying(optimizer, last_epoch=-1):
    return SequentialLR(optimizer, [ConstantLR(optimizer, 0.1, 20), ExponentialLR(optimizer, 0.9)], [3], last_epoch)


def cosine(length, floor=0.0):
    return lambda optimizer: CosineAnnealingLR(optimizer, length, floor)


def cosine_of(length):
    """The cosine as trainers write it, a function of the step: nothing holds it at its end."""
    return lambda optimizer, last_epoch=-1: LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / length)) / 2, last_epoch
    )


def restarting(every):
    return lambda optimizer: CosineAnnealingWarmRestarts(optimizer, every)


def annealed(length, over):
    """1, and to 0 over the last steps."""
    return lambda optimizer: LambdaLR(optimizer, lambda step: min(1.0, (length - step) / over))


def one_cycle(length):
    return lambda optimizer: OneCycleLR(optimizer, 1.0, length, cycle_momentum=False)


# -- loops ------------------------------------------------------------------------------------------------------------


def sgd(*rates, **more):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=rates[0], **more)


def train(optimizer, updates, after=None):
    """Make updates, each followed by a call; return the rates of the first group."""
    return [group[0] for group in train_groups(optimizer, updates, after)]


def train_groups(optimizer, updates, after=None):
    rates = []
    for _ in range(updates):
        optimizer.step()
        rates.append([group["lr"] for group in optimizer.param_groups])
        if after:
            after()
    return rates


def uninterrupted(make, at, rate=1.0):
    """Three updates of a run that never stopped: what is right after a resume."""
    optimizer = sgd(rate)
    scheduler = make(optimizer)
    return train(optimizer, at + 3, scheduler.step)[at:]


def stopped(make, at):
    """The optimizer's state and the scheduler's after some updates."""
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    train(optimizer, at, scheduler.step)
    return copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))


# -- resuming -----------------------------------------------------------------------------------------------------------


def optimizer_first(make, at):
    """The optimizer is loaded, then the scheduler built, then loaded."""
    of_optimizer, of_scheduler = stopped(make, at)
    optimizer = sgd(1.0)
    optimizer.load_state_dict(of_optimizer)
    scheduler = make(optimizer)
    scheduler.load_state_dict(of_scheduler)
    return train(optimizer, 3, scheduler.step)


def scheduler_only(make, at):
    """The optimizer's state is not loaded: its buffers would double the checkpoint."""
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    scheduler.load_state_dict(stopped(make, at)[1])
    return train(optimizer, 3, scheduler.step)


def optimizer_only(make, at):
    """The scheduler's state is saved, and never loaded."""
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    optimizer.load_state_dict(stopped(make, at)[0])
    return train(optimizer, 3, scheduler.step)


def with_last_epoch(make, at, last_epoch):
    """The scheduler is built with last_epoch, as its argument's name asks for."""
    optimizer = sgd(1.0)
    optimizer.load_state_dict(stopped(make, at)[0])
    return train(optimizer, 3, make(optimizer, last_epoch).step)


def with_last_epoch_onto_a_plain_optimizer(make, at):
    """The checkpoint is of an optimizer that had no scheduler."""
    before, optimizer = sgd(1.0), sgd(1.0)
    train(before, at)
    optimizer.load_state_dict(before.state_dict())
    try:
        return train(optimizer, 3, make(optimizer, at - 1).step)
    except KeyError:
        return "KeyError"


def saved_before_its_step(make, at):
    """The checkpoint is written between the optimizer's step and the scheduler's."""
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    train(optimizer, at - 1, scheduler.step)
    optimizer.step()
    states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    return loaded(make, *states)


def loaded(make, of_optimizer, of_scheduler, rate=1.0, later=0):
    """Both states are loaded in the order that the documentation asks for; three updates from there, or some updates later."""
    optimizer = sgd(rate)
    scheduler = make(optimizer)
    optimizer.load_state_dict(of_optimizer)
    scheduler.load_state_dict(of_scheduler)
    try:
        return train(optimizer, later + 3, scheduler.step)[later:]
    except ValueError:
        return "ValueError"


def rebuilt(make, at, other):
    """No state of the scheduler is saved: it is built anew, by what the run's length is now, where the step count stands."""
    optimizer = sgd(1.0)
    optimizer.load_state_dict(stopped(make, at)[0])
    return train(optimizer, 3, other(optimizer, at - 1).step)


def counted_twice(make, at):
    """The state is loaded, and then the scheduler is moved on by the updates that were made."""
    of_optimizer, of_scheduler = stopped(make, at)
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    optimizer.load_state_dict(of_optimizer)
    scheduler.load_state_dict(of_scheduler)
    optimizer.step()
    for _ in range(at):
        scheduler.step()
    return train(optimizer, 3, scheduler.step)


# -- groups, wrappers, skipped updates --------------------------------------------------------------------------------


def groups_at(make, rates, at):
    """The rates of all groups at one update."""
    optimizer = sgd(*rates)
    return train_groups(optimizer, at + 1, make(optimizer).step)[at]


def scaled_groups(scales, at):
    """Layer-wise decay as MAE and timm write it: a factor in the group, which nothing of torch reads."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr_scale": scale} for scale in scales]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    return train_groups(optimizer, at + 1, CosineAnnealingLR(optimizer, 10).step)[at]


def two_schedulers(at):
    """One scheduler meant for each of two groups; each writes both."""
    optimizer = sgd(1.0, 1.0)
    first, second = LambdaLR(optimizer, lambda step: 1 - step / 10), LambdaLR(optimizer, lambda step: 1.0)

    def step():
        first.step()
        second.step()

    return train_groups(optimizer, at + 1, step)[at]


def late(make):
    """A group with rate 1 joins after 8 updates; its rates from there."""
    optimizer = sgd(1.0)
    scheduler = make(optimizer)
    train(optimizer, 8, scheduler.step)
    add_group(optimizer)
    try:
        return [group[1] for group in train_groups(optimizer, 3, scheduler.step)]
    except (KeyError, ValueError) as error:
        return type(error).__name__


def add_group(optimizer, name="late"):
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0, "name": name})


class Wrapper(torch.optim.Optimizer):
    """A wrapper as Opacus writes one: it shares the groups by reference, until its load_state_dict puts new ones in place."""

    def __init__(self, optimizer):
        self.original = optimizer
        self.defaults, self.state, self.param_groups = optimizer.defaults, optimizer.state, optimizer.param_groups

    def __getattr__(self, name):
        return getattr(self.original, name)

    def step(self, closure=None):
        return self.original.step(closure)


def wrapped(make):
    """The scheduler follows the wrapper, whose groups were replaced as it was placed on a device."""
    inner = sgd(1.0)
    wrapper = Wrapper(inner)
    scheduler = make(wrapper)
    wrapper.load_state_dict(wrapper.state_dict())
    rates = []
    for _ in range(3):
        wrapper.step()
        rates.append(inner.param_groups[0]["lr"])
        scheduler.step()
    return rates


def fp16_scaler():
    return torch.amp.GradScaler("cpu", init_scale=4.0)


def overflowing(optimizer, after, scaler):
    """Five updates of fp16 training, of which the scaler skips the first two; return the rates of those made."""
    rates = []
    optimizer.register_step_post_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    (parameter,) = optimizer.param_groups[0]["params"]
    for finite in (False, False, True, True, True):
        optimizer.zero_grad()
        loss = parameter.sum() * (1.0 if finite else float("inf"))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        with warnings.catch_warnings():  # of torch's order of steps, and of etude's
            warnings.simplefilter("ignore")
            after()
    return rates


def skipped():
    optimizer = sgd(1.0)
    return overflowing(optimizer, rising(optimizer, 10).step, fp16_scaler())


def stepped_if_made():
    """The scheduler is stepped only where the scale did not fall: the way to know, as transformers did."""
    optimizer, scaler = sgd(1.0), fp16_scaler()
    scheduler, scales = rising(optimizer, 10), [scaler.get_scale()]

    def after():
        scales.append(scaler.get_scale())
        if scales[-1] >= scales[-2]:
            scheduler.step()

    return overflowing(optimizer, after, scaler)


def scheduler_before_optimizer(make):
    """The order of torch before 1.1."""
    optimizer, rates = sgd(1.0), []
    scheduler = make(optimizer)
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


# -- torch.compile -----------------------------------------------------------------------------------------------------


def graphs(optimizer, after=None):
    """Compile the step and make 12 updates; return how many graphs were made, and how many updates without any."""
    from torch._dynamo.backends.debugging import aot_eager

    torch._dynamo.reset()
    made, runs, eager = [], [], 0

    def backend(graph, inputs):
        compiled = aot_eager(graph, inputs)
        made.append(graph)

        def run(*arguments):
            runs.append(graph)
            return compiled(*arguments)

        return run

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what dynamo does not trace
        step = torch.compile(lambda: optimizer.step(), backend=backend)
        for _ in range(12):
            before = len(runs)
            step()
            eager += len(runs) == before
            if after:
                after()
    torch._dynamo.reset()
    return f"{len(made)} graph{'s' * (len(made) > 1)}" + f", {eager} updates without one" * bool(eager)


def to_compile(kind, rate=1.0, **settings):
    parameter = torch.nn.Parameter(torch.zeros(4))
    parameter.grad = torch.ones(4)
    return kind([parameter], lr=rate, **settings)


def compiled(kind, make=None, rate=1.0, **settings):
    """Under a scheduler, or with nothing that moves."""
    optimizer = to_compile(kind, rate, **settings)
    return graphs(optimizer, make(optimizer).step if make else None)


def compiled_while_moved(kind, *keys, **settings):
    """The rate is a tensor; other values are moved by the loop, for no scheduler does it."""
    optimizer = to_compile(kind, torch.tensor(1.0), **settings)
    (group,) = optimizer.param_groups

    def move():
        for key in keys:
            group[key] *= 0.99

    return graphs(optimizer, move)


# -- other libraries, in processes of their own -----------------------------------------------------------------------


@functools.cache
def elsewhere(name, processes=1):
    """Run a function of this file in a number of processes; return the peer's rates and etude's from the first of them."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "tests.peers", name],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def net():
    torch.manual_seed(0)
    return torch.nn.Linear(1, 1)


def driven(model, text, **run):
    import etude

    recipe = etude.read(text).override(lr=1.0, **run)
    optimizer = etude.torch.build(model, recipe)
    return optimizer, etude.torch.drive(optimizer, recipe.plan())


def prepared(accelerator, model, optimizer, *schedulers):
    """Prepare all; return a function that makes one update and gives its rate, and the schedulers."""
    model, optimizer, *schedulers = accelerator.prepare(model, optimizer, *schedulers)

    def update():
        optimizer.zero_grad()
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        return optimizer.param_groups[0]["lr"]

    return update, *schedulers


def accelerate_cosine():
    """A cosine of 8 updates that Accelerate has prepared; its updates 3 to 5, and what is found beside it."""
    from accelerate import Accelerator

    import etude

    accelerator, rates = Accelerator(cpu=True), {}
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    update, scheduler = prepared(accelerator, model, optimizer, CosineAnnealingLR(optimizer, 8))
    watch = etude.watch(optimizer, etude.read("cosine(1, 0)").override(lr=1.0, steps=8).plan(), scheduler)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", etude.torch.EtudeWarning)
        rates["peer"] = [(update(), scheduler.step())[0] for _ in range(6)][3:]
    rates["watch"] = list(map(str, watch.findings()))
    model = net()
    optimizer, driver = driven(model, "cosine(1, 0)", steps=8)
    (update,) = prepared(accelerator, model, optimizer)
    rates["ours"] = [(update(), driver.step())[0] for _ in range(6)][3:]
    return rates


def accelerate_plateau():
    """A plateau that Accelerate has prepared, fed the same loss after each of five updates; updates 2 to 4."""
    from accelerate import Accelerator

    accelerator, rates = Accelerator(cpu=True), {}
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    update, scheduler = prepared(accelerator, model, optimizer, ReduceLROnPlateau(optimizer, factor=0.1, patience=2))
    rates["peer"] = [(update(), scheduler.step(1.0))[0] for _ in range(5)][2:]
    model = net()
    optimizer, driver = driven(model, "plateau(0.1, patience=2)", steps=8)
    (update,) = prepared(accelerator, model, optimizer)
    rates["ours"] = [(update(), driver.feed(1.0))[0] for _ in range(5)][2:]
    return rates


def lightning_overflow():
    """Lightning's own loop in fp16, of whose five updates the scaler skips the first two; the rates of those made."""
    import lightning
    from lightning.pytorch.plugins.precision import MixedPrecision

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self, drive):
            super().__init__()
            self.layer, self.drive, self.rates = torch.nn.Linear(1, 1), drive, []

        def training_step(self, batch, index):
            return self.layer(batch).sum() * (1.0 if index > 1 else float("inf"))

        def configure_optimizers(self):
            if self.drive:
                optimizer, self.driver = driven(self, 'linear(0.1, 1, over="10 steps")', steps=20)
                settings = {"optimizer": optimizer}
            else:
                optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
                settings = {
                    "optimizer": optimizer,
                    "lr_scheduler": {"scheduler": LinearLR(optimizer, 0.1, 1.0, 10), "interval": "step"},
                }
            optimizer.register_step_post_hook(lambda *_: self.rates.append(optimizer.param_groups[0]["lr"]))
            return settings

    rates = {}
    for who in ("peer", "ours"):
        module = Module(who == "ours")
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        precision = MixedPrecision("16-mixed", "cpu", scaler=fp16_scaler())
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", plugins=[precision], **quiet)
        trainer.fit(module, torch.utils.data.DataLoader(torch.ones(5, 1)))
        rates[who] = module.rates
    return rates


if __name__ == "__main__":
    found = globals()[sys.argv[1]]()
    if int(os.environ.get("RANK", "0")) == 0:
        print(json.dumps(found), flush=True)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        os._exit(0)  # threads of gloo now and then abort a process that ends by itself
