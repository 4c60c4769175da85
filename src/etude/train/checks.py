"""What a recipe must bring to be trained here: facts of the run that this loop can follow, and data enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ..errors import InputError
from ..recipe import Recipe


def with_samples(recipe: Recipe, wanted: int | None, available: int) -> tuple[Recipe, int | None]:
    """Return the recipe with the number of samples of an epoch, and how many different ones they are where they come again."""
    wanted = wanted or available
    if wanted > available:
        raise InputError(f"samples must be at most {available}, what the training data holds; got {wanted}")
    if recipe.train.samples == wanted:
        return recipe, wanted
    if recipe.origin is not None and recipe.run.samples != wanted and recipe.run.steps_per_epoch is None:
        recipe = recipe.override(samples=wanted)  # its values may follow from them
        if recipe.run.samples and recipe.run.samples > wanted:
            return recipe, wanted
    return replace(recipe, run=replace(recipe.run, samples=wanted)), None


def check_run(recipe: Recipe) -> None:
    """Refuse what this loop would otherwise ignore."""
    run = recipe.run
    if run.devices > 1:
        raise InputError(f"devices must be 1 here, got {run.devices}: this trainer runs in one process")
    if any(not part.batch_size for part in run.parts()):
        raise InputError("the run has no batch size: give --batch-size")
    if any(set(recipe.rules) <= set(part.frozen) for part in run.parts()):
        raise InputError("a stage freezes every group: nothing would be trained in it")
    for part in run.parts():
        if part.batches and part.batch_size and run.samples and (part.batches - 1) * part.batch_size >= run.samples:
            raise InputError(
                f"an epoch of {part.batches} batches of {part.batch_size} needs more than the {run.samples} samples there are: "
                "take fewer --steps-per-epoch"
            )
    if run.epochs is not None and run.epochs != int(run.epochs):
        raise InputError("epochs must be whole here: give --steps to end a run inside an epoch")


def check_last_batch(recipe: Recipe, model: Any) -> None:
    """Refuse a last batch of one sample under batch norm, which has no deviation of one value."""
    run = recipe.run
    for part in run.parts():
        alone = part.batches and part.batch_size and run.samples == (part.batches - 1) * part.batch_size + 1
        if alone and any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules()):
            raise InputError(
                f"the last of {run.samples} samples in batches of {part.batch_size} would stand alone, and batch norm needs two: "
                "take another --batch-size or --samples, or drop_last"
            )
