"""How Trainer of transformers counts a run, its warmup in it, and which optimizer it builds.

Source: transformers 5.23, trainer.py (set_initial_training_values), training_args.py (get_warmup_steps), trainer_optimizer.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ...errors import InputError, did_you_mean, shown
from ...recipe import Optimizer
from ...run import Facts, Run
from ...units import number_text
from ..arguments import Arguments, run_over


def run_of_trainer(a: Arguments, given: Facts, notes: list[str]) -> Run:
    """Return the run as Trainer counts it: ceil(batches / accumulation) updates an epoch, ceil(epochs * those) in all."""
    old = a.take("per_gpu_train_batch_size", None)
    size = a.whole("per_device_train_batch_size", 8, least=1) if old is None else a.whole("per_gpu_train_batch_size", least=1)
    accumulate, split = _accelerator(a, a.whole("gradient_accumulation_steps", 1, least=1), notes)
    epochs, updates = a.number("num_train_epochs", 3.0), a.whole("max_steps", -1, least=-(2**53))
    if not updates:
        raise a.refuse("max_steps 0 is a run of no updates to Trainer: leave it out, or say -1 for num_train_epochs to count")
    if updates > 0 and "num_train_epochs" in a.given:
        notes.append(f"ignored: num_train_epochs {number_text(epochs)}, as max_steps {updates} wins")
    own = {
        "steps": updates if updates > 0 else None,
        "epochs": None if updates > 0 else epochs,
        "batch_size": size if split else size * given.get("devices", 1),
        "accumulate": accumulate,
        "drop_last": a.flag("dataloader_drop_last", False),
    }
    run = run_over(own, given)
    taken = {
        "lr_scheduler_type": "linear",
        "learning_rate": "5e-05",
        "num_train_epochs": "" if run.steps or run.stages or given.get("epochs") else "3",
        "per_device_train_batch_size": "" if given.get("batch_size") or old is not None else "8",
    }
    defaults = [f"{key} {value}" for key, value in taken.items() if value and key not in a.given]
    if defaults:
        notes.append(f"by default of TrainingArguments: {', '.join(defaults)}")
    if "devices" not in given and "batch_size" not in given and not split:
        notes.append(f"per_device_train_batch_size {size} is one device's: --devices says how many there are")
    if a.take("parallelism_config", None) is not None:
        notes.append("not read: parallelism_config, by whose tensor and context sizes the devices that share a batch are fewer")
    return _rounded(run, notes)


def _rounded(run: Run, notes: list[str]) -> Run:
    """Return a run whose updates are whole numbers where Trainer rounds them, each with what it has been."""
    size, samples = run.batch_size or 1, run.samples
    if samples and run.drop_last and -(-samples // run.devices) // (size // run.devices) != samples // size:
        if samples < size:
            raise InputError(f"dataloader_drop_last leaves nothing of {samples} samples in batches of {size}")
        notes.append(f"dataloader_drop_last leaves {samples - samples % size} of {samples} samples: no device is padded")
        run = run.override(samples=samples - samples % size)
    part = run.parts()[0]
    left = part.batches % run.accumulate if part.batches and isinstance(run.accumulate, int) else 0
    if left and not run.steps:
        notes.append(f"transformers up to 4.48 leaves out the update that an epoch's last {left} batches make")
    each = None if run.steps or run.stages else part.steps
    if each and run.epochs and run.epochs * each != int(run.epochs * each):
        steps = math.ceil(run.epochs * each)
        notes.append(
            f"num_train_epochs {run.epochs:g} of {each} updates each become {steps} updates: ceil({run.epochs * each:g})"
        )
        run = run.override(steps=steps)
    return run


def _accelerator(a: Arguments, accumulate: int, notes: list[str]) -> tuple[int, bool]:
    """Return the batches of an update, and whether a batch is split among the devices instead of one for each."""
    config = parsed(a, "accelerator_config")
    if isinstance(config, str):
        notes.append(f"not read: accelerator_config {shown(config)}, whose split_batches or num_steps would change the batches")
    if not isinstance(config, Mapping):
        return accumulate, False
    inner = config.get("gradient_accumulation_kwargs")
    own = inner.get("num_steps") if isinstance(inner, Mapping) else None
    if own is not None:
        if accumulate > 1:
            raise a.refuse(f"accelerator_config has num_steps {own} beside gradient_accumulation_steps {accumulate}")
        accumulate = Arguments("accelerator_config", {"num_steps": own}).whole("num_steps", least=1)
    return accumulate, bool(config.get("split_batches"))


def parsed(a: Arguments, key: str) -> Any:
    """Return a setting that may be given as a text of JSON, as on a command line; any other text is left as it is."""
    given = a.take(key, None)
    if not isinstance(given, str) or not given.startswith("{"):
        return given
    try:
        return _plain(json.loads(given))
    except (ValueError, RecursionError):
        raise a.refuse(f"{key} is no JSON: {shown(given[:80])}") from None


def _plain(value: Any) -> Any:
    """Return what TrainingArguments make of texts in such a text: digits, with a point at most, are a number, true is a flag."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if value.isdecimal() else float(value) if value.replace(".", "", 1).isdecimal() else value


def warmup_of(a: Arguments, total: int | None, notes: list[str]) -> tuple[str | None, int | None]:
    """Return the warmup as a length, and in updates where they are known: ceil(total * ratio)."""
    steps, ratio = a.number("warmup_steps", 0), a.take("warmup_ratio", None)
    if steps < 0:
        raise a.refuse(f"warmup_steps must be 0 or above, got {steps:g}")
    if ratio is not None:
        ratio = a.number("warmup_ratio")
        if not 0 <= ratio <= 1:
            raise a.refuse(f"warmup_ratio must be from 0 to 1, got {ratio:g}")
        if ratio:
            notes.append(
                f"ignored: warmup_ratio {ratio:g}, as warmup_steps {number_text(steps)} wins"
                if steps
                else f"warmup_ratio is transformers 4's; later ones say warmup_steps {ratio:g}"
            )
    if steps >= 1:
        if steps != int(steps):
            notes.append(f"warmup_steps {steps:g} becomes {int(steps)}")
        return f"{int(steps)} steps", int(steps)
    part = steps or ratio or 0.0
    if not part:
        return None, 0
    percent = float(f"{part * 100:.15g}")  # 0.07 is 7%, not 7.000000000000001%
    length = f"ceil({number_text(percent)}%)"
    if total is None:
        return length, None
    exact = math.ceil(total * part)
    if exact == math.ceil(total * percent / 100):
        return length, exact
    notes.append(f"the warmup is {exact} steps: Trainer rounds {total} * {part!r} = {total * part!r} up")
    return f"{exact} steps", exact


_ADAMW = ("adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_apex_fused", "adamw_torch_xla", "adamw_torch_npu_fused")
_ADAMW_LIKE = (
    *("adamw_anyprecision", "adamw_torch_4bit", "adamw_torch_8bit", "adamw_bnb_8bit", "adamw_8bit"),
    *("paged_adamw_32bit", "paged_adamw_8bit"),
)
_TORCHS = {  # and which of optim_args torch's own takes from Trainer
    "sgd": ("SGD", ("momentum", "dampening", "nesterov")),
    "adagrad": ("Adagrad", ("lr_decay", "eps")),
    "rmsprop": ("RMSprop", ("momentum", "alpha", "eps", "centered")),
}
_OTHERS = (
    *("galore_", "apollo_", "lomo", "adalomo", "schedule_free_", "ademamix", "paged_ademamix"),
    *("lion_", "paged_lion_", "grokadamw", "stable_adamw", "rmsprop_bnb"),
)


def optimizer_of_trainer(a: Arguments, lr: float, decay: float, notes: list[str]) -> Optimizer:
    """Return the optimizer that `optim` names; Trainer gives beta1, beta2 and epsilon to the Adam family alone."""
    kind = "adafactor" if a.take("adafactor", False) else str(a.take("optim", None) or "adamw_torch")
    betas, eps = (a.number("adam_beta1", 0.9), a.number("adam_beta2", 0.999)), a.number("adam_epsilon", 1e-8)
    if kind in _ADAMW or kind in _ADAMW_LIKE:
        if kind in _ADAMW_LIKE:
            notes.append(f"optim {kind} is an AdamW that stores its state in other numbers; etude builds torch's AdamW")
        return Optimizer(name="AdamW", lr=lr, betas=betas, eps=eps, weight_decay=decay)
    notes += [f"ignored: {key}, as {kind} has none" for key in ("adam_beta1", "adam_beta2", "adam_epsilon") if key in a.given]
    if kind == "adafactor":
        options = {"scale_parameter": False, "relative_step": False}
        notes.append("optim adafactor is transformers' own, by whose name it is built")
        return Optimizer(name="transformers.optimization:Adafactor", lr=lr, weight_decay=decay, options=options)
    if kind not in _TORCHS:
        known = (*_ADAMW, *_ADAMW_LIKE, "adafactor", *_TORCHS)
        if kind.startswith(_OTHERS):
            raise a.refuse(
                f"optim {shown(kind)} has groups, a warmup or a rule of its own, and can't be read; known: {', '.join(known)}"
            )
        raise a.refuse(f"optim must be an optimizer of transformers, got {shown(kind)}{did_you_mean(kind, known)}")
    name, own = _TORCHS[kind]
    return Optimizer(name=name, lr=lr, weight_decay=decay, **_optim_args(a, own, notes))


def _optim_args(a: Arguments, known: tuple[str, ...], notes: list[str]) -> dict[str, Any]:
    """Return optim_args, such as "momentum=0.9,nesterov=true"; what isn't known there is dropped, as Trainer does."""
    found: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for word in filter(None, str(a.take("optim_args", None) or "").replace(" ", "").split(",")):
        key, _, value = word.partition("=")
        if key not in known:
            notes.append(f"ignored: {word} of optim_args, as Trainer {'has it for each group' if 'decay' in key else 'drops it'}")
            continue
        into = found if key in ("momentum", "nesterov", "eps") else options
        try:
            into[key] = value.lower() in ("true", "1", "yes") if key in ("nesterov", "centered") else float(value)
        except ValueError:
            raise a.refuse(f"optim_args: {key} must be a number, got {shown(value)}") from None
    return {**found, "options": options}
