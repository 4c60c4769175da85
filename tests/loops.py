"""The training loops of YOLOv5, Ultralytics and YOLOX and the bubbliiiing trainers' schedule, run on torch's LambdaLR and NumPy.

Each yields, batch by batch, what the optimizer has when its gradients are computed: the learning rates of the groups, the
momentum, the accumulation, and whether an update is made.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

BIAS, WEIGHT, NORM = range(3)


def groups(kind, lr, momentum):
    """An SGD or Adam of three groups."""
    parameters = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(3)]
    if kind == "SGD":
        return torch.optim.SGD(parameters, lr=lr, momentum=momentum)
    return torch.optim.Adam(parameters, lr=lr, betas=(momentum, 0.999))


def factor(cos, lrf, epochs):
    if cos:
        return lambda x: ((1 - math.cos(x * math.pi / epochs)) / 2) * (lrf - 1) + 1
    return lambda x: (1 - x / epochs) * (1.0 - lrf) + lrf


def yolov5(hyp, *, epochs, nb, batch, cos, kind="SGD", nbs=64):
    """train.py: the scheduler steps as an epoch ends, but its count was set back by one: past the warmup it is an epoch late."""
    optimizer = groups(kind, hyp["lr0"], hyp["momentum"])
    lf = factor(cos, hyp["lrf"], epochs)
    scheduler = LambdaLR(optimizer, lr_lambda=lf)
    scheduler.last_epoch = -1
    nw, last, accumulate = max(round(hyp["warmup_epochs"] * nb), 100), -1, max(round(nbs / batch), 1)
    for epoch in range(epochs):
        for i in range(nb):
            ni = i + nb * epoch
            if ni <= nw:
                accumulate = max(1, np.interp(ni, [0, nw], [1, nbs / batch]).round())
                warm(optimizer, ni, nw, hyp, lf(epoch))
            stepped = ni - last >= accumulate
            last = ni if stepped else last
            yield state(optimizer, accumulate, stepped)
        step(scheduler)


def ultralytics(hyp, *, epochs, nb, batch, cos, old, kind="SGD", nbs=64):
    """engine/trainer.py: the scheduler steps as an epoch begins."""
    optimizer = groups(kind, hyp["lr0"], hyp["momentum"])
    lf = factor(cos, hyp["lrf"], epochs)
    scheduler = LambdaLR(optimizer, lr_lambda=lf)
    scheduler.last_epoch = -1
    full = max(round(nbs / batch), 1)
    if old:
        nw, target, accumulate = max(round(hyp["warmup_epochs"] * nb), 100) if hyp["warmup_epochs"] > 0 else -1, nbs / batch, full
    else:
        kept = min(hyp["warmup_epochs"], max(epochs - 1, 0))
        nw, accumulate = round(kept * nb) if kept > 0 else 0, min(full, nb * epochs)
        target = accumulate
    last = -1
    for epoch in range(epochs):
        step(scheduler)
        for i in range(nb):
            ni = i + nb * epoch
            if nw > 0 and ni <= nw:
                accumulate = max(1, int(np.interp(ni, [0, nw], [1, target]).round()))
                warm(optimizer, ni, nw, hyp, lf(epoch))
            stepped = ni - last >= accumulate
            last = ni if stepped else last
            yield state(optimizer, accumulate, stepped)


def warm(optimizer, ni, nw, hyp, target):
    for index, group in enumerate(optimizer.param_groups):
        start = hyp["warmup_bias_lr"] if index == BIAS else 0.0
        group["lr"] = np.interp(ni, [0, nw], [start, group["initial_lr"] * target])
        if "momentum" in group:
            group["momentum"] = np.interp(ni, [0, nw], [hyp["warmup_momentum"], hyp["momentum"]])


def state(optimizer, accumulate, stepped):
    first = optimizer.param_groups[0]
    momentum = first["momentum"] if "momentum" in first else first["betas"][0]
    return [float(group["lr"]) for group in optimizer.param_groups], float(momentum), int(accumulate), stepped


def step(scheduler):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler.step()


def yolox_warm_cosine(lr, low, total, warmup, start, tail, t):
    """yoloxwarmcos, and the bubbliiiing trainers' cos."""
    if t <= warmup:
        return (lr - start) * pow(t / float(warmup), 2) + start if warmup else lr
    if t >= total - tail:
        return low
    return low + 0.5 * (lr - low) * (1.0 + math.cos(math.pi * (t - warmup) / (total - warmup - tail)))


def bubbliiiing(kind, lr, low, total, t):
    """get_lr_scheduler with its defaults."""
    if kind == "cos":
        warmup, tail = min(max(0.05 * total, 1), 3), min(max(0.05 * total, 1), 15)
        return yolox_warm_cosine(lr, low, total, warmup, max(0.1 * lr, 1e-6), tail, t)
    return lr * ((low / lr) ** (1 / 9)) ** (t // (total / 10))
