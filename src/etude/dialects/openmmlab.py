"""What the configs of MMDetection 2.x (mmcv) and 3.x (mmengine) have in common: optimizers, groups, batches, names of files.

Source: DefaultOptimizerConstructor of mmcv 1.7.2 and DefaultOptimWrapperConstructor of mmengine 0.10.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError, MissingFactError, did_you_mean, shown
from ..groups import Group
from ..recipe import Optimizer, Recipe
from ..run import Facts, Run
from .arguments import Settings, closest, mapping, numbers_of, run_over
from .mmnames import decode, disagreements
from .torch.description import DEFAULTS

_SCALARS = (bool, int, float, str)
_SHARED = "lr weight_decay foreach maximize differentiable"
_ADAM = f"{_SHARED} betas eps capturable"
_ACCEPTED = {  # by the optimizers of torch 2.13
    "ASGD": f"{_SHARED} lambd alpha t0 capturable",
    "Adadelta": f"{_SHARED} rho eps capturable",
    "Adafactor": "lr weight_decay beta2_decay eps d foreach maximize",
    "Adagrad": f"{_SHARED} lr_decay initial_accumulator_value eps fused",
    "Adam": f"{_ADAM} amsgrad fused decoupled_weight_decay",
    "AdamW": f"{_ADAM} amsgrad fused",
    "Adamax": _ADAM,
    "LBFGS": "lr max_iter max_eval tolerance_grad tolerance_change history_size line_search_fn",
    "Muon": "lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn",
    "NAdam": f"{_ADAM} momentum_decay decoupled_weight_decay",
    "RAdam": f"{_ADAM} decoupled_weight_decay",
    "RMSprop": f"{_SHARED} alpha eps momentum centered capturable",
    "Rprop": "lr etas step_sizes foreach maximize differentiable capturable",
    "SGD": f"{_SHARED} momentum dampening nesterov fused",
    "SparseAdam": "lr betas eps maximize",
}
_MULTS = ("bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult", "flat_decay_mult", "dcn_offset_lr_mult")


def kind_of(value: Any, what: str) -> str:
    """Return the name of a type that a config names: `SGD` of "SGD", "mmdet.SGD" or an imported torch.optim.sgd.SGD."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{what} must be a name, got {shown(value)}")
    return value.rpartition(".")[2]


def tell_of_class(name: str, known: Sequence[str], whose: str, notes: list[str], more: str = "") -> None:
    """Tell of a class that is none of a framework's own: it may be a user's, or misspelt."""
    if name not in known:
        notes.append(f"{name} is none of {whose}{closest(name, known)}; taken for a class of your own{more}")


def _accepted(given: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return the settings of an optimizer of torch without those that are None; refuse what torch raises at."""
    known, made = ["type", "_scope_", *_ACCEPTED[name].split()], {}
    for key, value in given.items():
        if key in known:
            made[key] = value
        elif any(key in words.split() for words in _ACCEPTED.values()) and value is not None:
            path = f"{where.replace(': ', '.')}.{key}"
            raise InputError(f"{where}: {name} has no {key}: take it out, or set it to null as in --set {path}=null")
        elif value is not None:
            raise InputError(f"{where}: {name} has no setting {shown(key)}{did_you_mean(str(key), known[2:])}")
    return made


def optimizer_of(given: Mapping[str, Any], where: str, notes: list[str]) -> Optimizer:
    """Return the optimizer of its settings; where they are silent it is what torch's own default is.

    Args:
        given: The settings.
        where: What they are called, for messages.
        notes: What is to be told is added.
    """
    a = Settings(where, given)
    name = kind_of(a.take("type"), f"{where}: type")
    tell_of_class(name, tuple(_ACCEPTED), "torch's optimizers", notes)
    home = str(given["type"]).rpartition(".")[0]
    if name in _ACCEPTED and re.fullmatch(r"(torch\..*|mm\w+|)", home):  # none of somebody's own modules
        a.given = given = _accepted(given, name, where)
    own = DEFAULTS.get(name, {})
    if "lr" not in given and "lr" not in own:
        raise a.missing("lr")
    a.take("_scope_", None)
    betas = a.take("betas", own.get("betas"))
    if betas is not None:
        betas = tuple(numbers_of(betas, f"{where}: betas"))
    momentum = a.number("momentum", own.get("momentum", 0.0)) if betas is None and "momentum" in {**own, **given} else None
    return Optimizer(
        name=name,
        lr=a.number("lr", own.get("lr", 0.0)),
        momentum=momentum,
        betas=betas,
        nesterov=a.flag("nesterov", False),
        weight_decay=a.number("weight_decay", own.get("weight_decay", 0.0)),
        eps=a.number("eps") if "eps" in given else None,
        options={str(key): value for key, value in a.given.items() if key not in a.taken and isinstance(value, _SCALARS)},
    )


def groups_of(wrapper: Mapping[str, Any], optimizer: Optimizer, where: str, notes: list[str]) -> dict[str, Group]:
    """Return the groups that paramwise_cfg makes, as rules: custom keys by their length, then norms, biases and the rest.

    Args:
        wrapper: What holds paramwise_cfg and constructor: an optim_wrapper of mmengine, or mmcv's optimizer.
        optimizer: Whose lr and weight_decay are multiplied.
        where: What it is called, for messages.
        notes: What can't be said in rules is told here.
    """
    constructor, engine = wrapper.get("constructor"), "optimizer" in wrapper
    if constructor is not None and not kind_of(constructor, f"{where}: constructor").startswith("DefaultOptim"):
        notes.append(
            f"{constructor} makes groups by the model: they are not read, and here is one with the optimizer's own values"
        )
        return {}
    a = Settings(f"{where}: paramwise_cfg", mapping(wrapper.get("paramwise_cfg") or {}, f"{where}: paramwise_cfg"))
    keys = mapping(a.take("custom_keys", {}), f"{a.name}: custom_keys")
    mults = {key: a.number(key) for key in _MULTS if a.take(key, None) is not None and (engine or key != "flat_decay_mult")}
    a.take("bypass_duplicate", None)
    if unread := [str(key) for key in a.given if key not in a.taken]:
        notes.append(f"ignored: {a.name}: {', '.join(unread)}: the default constructor has no such setting")
    if mapping(wrapper.get("optimizer", wrapper), where).get("weight_decay") is None:
        decays = mults.keys() & {"bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult"}
        decays |= {key for key in keys if isinstance(keys[key], Mapping) and "decay_mult" in keys[key]}
        if decays:
            raise a.refuse("weight_decay must be given where it is multiplied: the framework refuses it so")
        mults.pop("flat_decay_mult", None)  # the one that is passed over in silence
    groups: dict[str, Group] = {}
    for key in sorted(sorted(map(str, keys)), key=len, reverse=True):  # the longest that a name holds counts
        groups[_name(key, groups)] = _custom(f"{a.name}: {key}", key, mapping(keys[key], key), optimizer, engine, notes)
    for name, group in _by_kind(mults, optimizer, engine, notes).items():
        groups[_name(name, groups)] = group
    return {**groups, "rest": Group()} if groups else {}


def _custom(where: str, key: str, given: Mapping[str, Any], optimizer: Optimizer, engine: bool, notes: list[str]) -> Group:
    """Return the group of a custom key, which takes every parameter whose name holds it."""
    a = Settings(where, given)
    patterns: tuple[str, ...] = (f"*{_literal(key)}*",)
    if key.startswith("."):
        patterns = (*patterns, f"{_literal(key[1:])}*")  # a parameter of the whole model is called ".cls_token" there
    group = _group(optimizer, a.number("lr_mult", 1.0), a.number("decay_mult", 1.0), pattern=patterns)
    # mmengine puts what it does not know into the group, a rate among it
    own: dict[str, Any] = {name: a.number(name) for name in ("lr", "momentum", "weight_decay") if engine and name in given}
    if other := [str(word) for word in given if word not in a.taken]:
        notes.append(f"{where}: {', '.join(other)}: " + ("put into the group, and not read" if engine else "ignored by mmcv"))
    return replace(group, **own) if own else group


def _by_kind(mults: Mapping[str, float], optimizer: Optimizer, engine: bool, notes: list[str]) -> dict[str, Group]:
    """Return the groups of norms and biases: what a multiplier is not given for goes by the next that is."""
    flat = mults.get("flat_decay_mult", 1.0)
    rate, decay = mults.get("bias_lr_mult", 1.0), mults.get("bias_decay_mult", flat)
    norm = (1.0, mults.get("norm_decay_mult", flat))
    bias = (rate, decay)
    its_bias = (1.0, mults.get("norm_decay_mult", decay if engine else 1.0))  # a norm's
    groups: dict[str, Group] = {}
    if mults.get("dcn_offset_lr_mult", 1.0) != 1:
        groups["dcn offset"] = _group(optimizer, mults["dcn_offset_lr_mult"], 1.0, pattern="*conv_offset*")
    if norm != (1.0, 1.0):
        groups["norm"] = _group(optimizer, *norm, kind="norm")
    if its_bias != bias:
        groups["norm bias"] = _group(optimizer, *its_bias, kind="norm bias")
    if norm != (1.0, 1.0) or its_bias != bias:
        notes.append("a layer is a norm here by its class's name; there it is one of torch's norms, or derived from one")
    if bias != (1.0, flat):
        # in_proj_bias and the like are no biases there
        groups["bias"] = _group(optimizer, *bias, kind="bias", pattern=("bias", "*.bias"))
    if flat != 1:  # to it they are what has one dimension
        groups["other bias" if "bias" in groups else "bias"] = _group(optimizer, 1.0, flat, kind="bias")
    if bias != (1.0, 1.0):
        spared = "a DCN's offsets" if engine else "a DCN's offsets and depthwise convolutions"
        notes.append(f"biases of {spared} keep their own values there; rules of groups see a bias")
    if mults.get("dwconv_decay_mult", 1.0) != 1:
        notes.append(f"dwconv_decay_mult {mults['dwconv_decay_mult']:g} goes by a layer's shape, which rules of groups don't see")
    if flat != 1:
        notes.append(
            f"flat_decay_mult {flat:g} is for every parameter of one dimension; rules of groups see norms and biases alone"
        )
    return groups


def _group(optimizer: Optimizer, lr: float, decay: float, **rule: Any) -> Group:
    rate = optimizer.lr * lr if lr != 1 else None
    return Group(**rule, lr=rate, weight_decay=(optimizer.weight_decay or 0.0) * decay if decay != 1 else None)


def _name(key: str, groups: Mapping[str, Group]) -> str:
    """Return a group's name of a key, which may hold what no name holds."""
    made = "".join(letter if letter.isalnum() or letter in " .:+-_" else "-" for letter in key).strip() or "key"
    while made in groups or made == "rest":
        made += "-"
    return made


def _literal(key: str) -> str:
    """Return a pattern of a key as it is written."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in key)


def scaled(lr: float, scale: Any, run: Run, given: Facts, notes: list[str]) -> float:
    """Return the rate that auto_scale_lr makes of one: in proportion to the batch, where it is enabled.

    Args:
        lr: The rate that the config says, which is for `base_batch_size`.
        scale: The mapping auto_scale_lr, or None.
        run: Whose batch it is, over all devices.
        given: The facts that were given beside the config: without them the number of devices is a guess.
    """
    batch = run.batch_size
    if not isinstance(scale, Mapping):
        return lr
    base = scale.get("base_batch_size")
    if scale.get("enable") is not True:
        if isinstance(base, int) and batch and batch != base and (given.get("batch_size") or given.get("devices")):
            notes.append(
                f"lr {lr:g} is for a batch of {base}, and it is {batch}: --set auto_scale_lr.enable=true makes it "
                f"{batch / base * lr:g}"
            )
        return lr
    if isinstance(base, bool) or not isinstance(base, int) or base <= 0:
        raise InputError(f"auto_scale_lr: base_batch_size must be a whole number above 0, got {shown(base)}")
    if batch is None:
        raise MissingFactError("auto_scale_lr follows from the batch: give --batch-size, or --devices")
    if not given.get("devices") and not given.get("batch_size"):
        notes.append(f"auto_scale_lr: the batch is taken to be one device's, {batch}: --devices says how many there are")
    if batch != base:
        notes.append(f"auto_scale_lr: lr is {lr:g} * {batch} / {base} = {batch / base * lr:g}")
    return batch / base * lr


def repeats(dataset: Any, depth: int = 0) -> int:
    """Return how many times an epoch goes through a dataset: RepeatDataset around it, or around what wraps it."""
    if isinstance(dataset, list | tuple):
        return repeats(dataset[0], depth + 1) if len(dataset) == 1 else 1
    if not isinstance(dataset, Mapping) or depth > 20:
        return 1
    times = dataset.get("times", 1) if _dataset_type(dataset) == "RepeatDataset" else 1
    return (times if isinstance(times, int) and times > 0 else 1) * repeats(dataset.get("dataset"), depth + 1)


def _dataset_type(dataset: Mapping[str, Any]) -> str:
    return str(dataset.get("type")).rpartition(".")[2]


_RESIZING = ("ClassBalancedDataset", "CBGSDataset")


def tell_of_datasets(dataset: Any, notes: list[str], depth: int = 0, among: bool = False) -> None:
    """Tell of what makes an epoch longer by a number that only the data knows."""
    if isinstance(dataset, list | tuple):
        for one in dataset[:1_000]:
            tell_of_datasets(one, notes, depth + 1, among or len(dataset) > 1)
    elif isinstance(dataset, Mapping) and depth <= 20:
        kind = _dataset_type(dataset)
        if kind in _RESIZING or (kind == "RepeatDataset" and among):
            inside = "of one dataset among several" if kind == "RepeatDataset" else "by its classes"
            notes.append(f"{kind} repeats samples {inside}: --samples must be the epoch's own number")
        for key in ("dataset", "datasets"):
            tell_of_datasets(dataset.get(key), notes, depth + 1, among)


def told_by_name(stem: str, recipe: Recipe, *, iterations: int | None, repeat: int, batch: Any, base: Any) -> Recipe:
    """Return a recipe with what its file's name says, and where it says what the content doesn't."""
    if stem.startswith(("schedule", "default_runtime")):  # a base: it names no model
        return recipe
    name = decode(stem)
    if not name.telling:
        return recipe
    lines = disagreements(
        name,
        epochs=recipe.run.epochs if iterations is None else None,
        iterations=iterations,
        repeat=repeat,
        batch_per_gpu=batch if isinstance(batch, int) else None,
        base_batch_size=base if isinstance(base, int) else None,
    )
    told: Sequence[str] = [line for line in (name.line(), *lines) if line]
    return replace(recipe, notes=(*told, *recipe.notes)) if told else recipe


def run_facts(own: Mapping[str, Any], given: Facts, times: int, notes: list[str]) -> Run:
    """Return the run that a config's own facts and those given beside it make; an epoch may go several times through the data."""
    if times > 1:
        notes.append(f"RepeatDataset: an epoch goes {times} times through the samples")
        if given.get("samples"):
            given = {**given, "samples": given["samples"] * times}
    return run_over(own, given)


def batches_of(size: Any, key: str, given: Facts, notes: list[str]) -> dict[str, Any]:
    """Return the facts of a loader that says one device's batch.

    Args:
        size: Its batch, if it says one.
        key: What it calls it.
        given: The facts that were given beside the config.
    """
    devices = given.get("devices") or 1
    own: dict[str, Any] = {"devices": devices}
    if isinstance(size, int) and not isinstance(size, bool) and given.get("batch_size") is None:
        own["batch_size"] = size * devices
        if given.get("samples") and not given.get("devices"):
            notes.append(f"{key} {size} is one device's: --devices says how many there are")
    return own
