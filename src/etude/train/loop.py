"""The training loop: one loop, one recipe, one folder.

Everything that decides the run is in the folder's recipe.yaml; the order of the data is a function of seed and epoch, and the
position in it is the number of batches done. So a run that is stopped anywhere goes on to the same weights, bit for bit.
"""

from __future__ import annotations

import math
import random
import traceback
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import default_collate

from .. import torch as etude_torch
from ..errors import InputError, did_you_mean, need
from ..recipe import Recipe, Training, difference
from ..recipe_yaml import dumps
from .branch import settled
from .checkpoint import WEIGHTS, Checkpoints, random_state, set_random_state, write_atomically
from .checks import check_last_batch, check_run, with_samples
from .data import classes, load_data, load_model
from .log import METRICS, Log
from .order import Batch, batches
from .progress import Progress

DIGITS = "etude.train.data:digits"
RESNET = "etude.train.resnet:resnet18"
# What a plateau may wait for. The test set is what validates here, so its metrics go by that name too.
_MEASURED = {name: name for name in METRICS if "_" in name} | {"val_loss": "test_loss", "val_accuracy": "test_accuracy"}


def train(
    recipe: Recipe,
    folder: Path,
    *,
    model: str | None = None,
    data: str | None = None,
    seed: int | None = None,
    samples: int | None = None,
    quiet: bool = False,
) -> dict[str, float]:
    """Train from the start.

    Args:
        recipe: Its `train` names model and data, by default ResNet-18 and the digits; its run's `samples`, where given,
            takes the first so many training samples.
        folder: The run folder; must not hold anything.
        model, data, seed: What to train, in place of the recipe's own.
        samples: How many training samples to take; all of them, where `data` is given without.
        quiet: Draw no progress bar.
    Returns:
        The last epoch's metrics.
    Raises:
        InputError: the folder holds something, or recipe, model or data are wrong.
    """
    _need_all()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} already holds something: go on with `etude resume {folder}`, or name another --out")
    own = recipe.train
    settings = Training(
        model=model or own.model or RESNET, data=data or own.data or DIGITS, seed=own.seed if seed is None else seed
    )
    _seed(settings.seed)
    training, test = load_data(settings.data or DIGITS)
    # a recipe's own number is of its own data
    wanted = samples if samples or data is not None else own.samples or recipe.run.samples
    recipe, distinct = with_samples(recipe, wanted, len(training))
    recipe = replace(recipe, train=replace(settings, samples=distinct))
    job = _Job(recipe, folder, training, test)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "recipe.yaml", dumps(recipe))
    except OSError as error:
        raise InputError(f"{folder} can't be made: {error.strerror}") from None
    try:
        return job.go(None, quiet)
    except InputError:
        if job.step == 0 and not job.checkpoints.paths():
            for name in ("recipe.yaml", "log.jsonl", "metrics.csv"):  # nothing was trained: the next try may have the folder
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
        raise


def resume(folder: Path, *, at_step: int | None = None, quiet: bool = False) -> dict[str, float] | None:
    """Go on with a run from its newest checkpoint; from the start before the first one.

    Args:
        folder: The run folder.
        at_step: The updates that were made, where the checkpoint has no schedule state that says it.
        quiet: Draw no progress bar.
    Returns:
        The last epoch's metrics, or None where the run is finished already.
    Raises:
        InputError: the folder holds no run, a checkpoint is torn, or recipe.yaml is no longer the one it was made with.
    """
    if not (folder / "recipe.yaml").is_file():
        raise InputError(f"{folder} holds no run: there is no recipe.yaml in it")
    if (folder / WEIGHTS).exists():
        return None
    _need_all()
    state = Checkpoints(folder / "checkpoints").load()
    recipe = settled(folder, state)
    _seed(recipe.train.seed)
    training, test = load_data(recipe.train.data or DIGITS)
    return _Job(recipe, folder, training, test).go(state, quiet, at_step)


def _need_all() -> None:
    """Ask for what the end of a run needs before its beginning."""
    for module in ("safetensors", "matplotlib", "rich"):
        need(module)


def _seed(seed: int) -> None:
    """Bring every global generator to where a run begins: once for its data, and again for its model."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class _Job:
    """A run in its folder: model, data, optimizer and driver made ready, then driven to the end."""

    def __init__(self, recipe: Recipe, folder: Path, training: Any, test: Any) -> None:
        settings: Training = recipe.train
        check_run(recipe)
        self.recipe, self.folder, self.training, self.test = recipe, folder, training, test
        self.plan = recipe.plan()
        self.total = self.plan.end()
        for name in self.plan.watched():
            if name not in _MEASURED:
                raise InputError(f"a plateau waits for {name!r}, which is not measured here{did_you_mean(name, _MEASURED)}")
        outside = self.plan.outside()
        if outside:
            raise InputError(f"{outside}: an optimizer can't be driven with it; see `etude show`")
        _seed(settings.seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = load_model(settings.model or RESNET, classes(training)).to(self.device)
        check_last_batch(recipe, self.model)
        self.trained = {id(parameter) for parameter in self.model.parameters() if parameter.requires_grad}
        self.optimizer = etude_torch.build(self.model, recipe)
        self.driver = etude_torch.drive(self.optimizer, self.plan)
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.metrics: dict[str, float] = {}
        self.sums = [0.0, 0.0, 0.0]  # of the epoch under way: loss, hits, samples

    @property
    def step(self) -> int:
        return self.driver.updates[0]

    def go(self, state: dict[str, Any] | None, quiet: bool, at_step: int | None = None) -> dict[str, float]:
        if state is not None:
            self._load({**state, "driver": self._schedule_state(state, at_step)})
        elif at_step is not None:
            raise InputError("--at-step needs a checkpoint, and there is none yet")
        log = Log(self.folder, self.plan.groups, state and state["sizes"])
        start = self.plan.clock.batch_of_step(self.step - 1) + 1 if self.step else 0
        try:
            with Progress(self.total, self.step, self.plan.groups, quiet) as progress:
                self._run(start, log, progress)
            self.checkpoints.save(self.step, self._state(log))
        finally:
            log.close()
        self._finish()
        return self.metrics

    def _run(self, start: int, log: Log, progress: Progress) -> None:
        losses: list[torch.Tensor] = []
        part = -1
        for batch in batches(self.plan, self.recipe.train, start):
            if batch.part != part:
                part = batch.part
                self._freeze(part)
            ends = self.plan.clock.batch_of_step(self.step)
            begins = self.plan.clock.batch_of_step(self.step - 1) + 1 if self.step else 0
            losses.append(self._backward(batch, ends - begins + 1))
            if batch.number == ends:
                self.optimizer.step()
                self.optimizer.zero_grad()
                loss = float(torch.stack(losses).mean())
                losses = []
                if not math.isfinite(loss):
                    raise InputError(
                        f"the loss is {loss} at step {self.step - 1}: "
                        f"lower --lr or lengthen the warmup; what {self.folder} holds is kept"
                    )
                log.step(self.step - 1, batch.epoch, loss, self._applied())
                progress.step(batch.epoch, loss, self.driver.get_last_lr())
            if batch.last_of_epoch:
                self._end_epoch(batch.epoch, log)
                progress.epoch(self.metrics)
            if not losses and self.step < self.total and self.checkpoints.due():
                self.checkpoints.save(self.step, self._state(log))

    def _backward(self, batch: Batch, in_step: int) -> torch.Tensor:
        """Add a batch's gradient, as its part of the mean over the step's batches; return its loss."""
        self.model.train()
        scores, labels = self._scores(self.training, batch.samples)
        loss = cross_entropy(scores, labels)
        (loss / in_step).backward()  # type: ignore[no-untyped-call]
        count = len(labels)
        self.sums[0] += float(loss.detach()) * count
        self.sums[1] += int((scores.argmax(1) == labels).sum())
        self.sums[2] += count
        return loss.detach()

    def _scores(self, dataset: Any, samples: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the model's scores of some samples, and their labels."""
        try:
            inputs, labels = (part.to(self.device) for part in default_collate([dataset[index] for index in samples]))
            scores = self.model(inputs)
        except Exception as error:  # a user's model and data may raise anything
            frame = traceback.extract_tb(error.__traceback__)[-1]
            problem = " ".join(str(error).split())[:300]
            raise InputError(
                f"model {self.recipe.train.model!r} can't take data {self.recipe.train.data!r}: {type(error).__name__}: "
                f"{problem} ({frame.filename}:{frame.lineno})"
            ) from error
        if not (scores.ndim == 2 and labels.ndim == 1 and int(labels.min()) >= 0 and int(labels.max()) < scores.shape[1]):
            raise InputError(
                f"model {self.recipe.train.model!r} must give (batch, classes) scores for labels from 0 to classes - 1; "
                f"got scores {tuple(scores.shape)} for labels {tuple(labels.shape)} up to {int(labels.max())}"
            )
        return scores, labels

    def _freeze(self, part: int) -> None:
        """Let the groups that a stage freezes rest: without gradients their optimizer passes them by."""
        frozen = self.plan.run.parts()[part].frozen
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(id(parameter) in self.trained and group["name"] not in frozen)
                parameter.grad = None

    def _applied(self) -> dict[str, dict[str, float]]:
        """Return what the optimizer's groups really held in the update just made."""
        applied: dict[str, dict[str, float]] = {}
        for name in self.plan.hyperparameters:
            for group in self.optimizer.param_groups:
                value = group["betas"][0] if name == "momentum" and "betas" in group else group[name]
                applied.setdefault(name, {})[group["name"]] = float(value)
        return applied

    def _end_epoch(self, epoch: int, log: Log) -> None:
        loss, hits, count = self.sums
        test_loss, test_accuracy = self._evaluate()
        self.metrics = {
            "epoch": epoch,
            "step": self.step,
            "train_loss": loss / count,
            "train_accuracy": hits / count,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
        }
        self.sums = [0.0, 0.0, 0.0]
        log.epoch(self.metrics, self._applied()["lr"])
        if waiting := self.plan.watched():  # after the log, which tells what was applied in this epoch
            self.driver.feed(**{name: self.metrics[_MEASURED[name]] for name in waiting})

    @torch.no_grad()
    def _evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy on the test set."""
        self.model.eval()
        loss = hits = 0.0
        for first in range(0, len(self.test), 256):
            scores, labels = self._scores(self.test, range(first, min(first + 256, len(self.test))))
            loss += float(cross_entropy(scores, labels, reduction="sum"))
            hits += int((scores.argmax(1) == labels).sum())
        return loss / len(self.test), hits / len(self.test)

    def _state(self, log: Log) -> dict[str, Any]:
        return {
            "step": self.step,
            "train": asdict(self.recipe.train),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "driver": self.driver.state_dict(),
            "random": random_state(),
            "sums": self.sums,
            "metrics": self.metrics,
            "sizes": log.sizes(),
        }

    def _schedule_state(self, state: dict[str, Any], at_step: int | None) -> dict[str, Any]:
        """Return the driver's state in a checkpoint; where it has none, that of so many updates."""
        saved: dict[str, Any] | None = state.get("driver")
        if saved is None and at_step is None:
            raise InputError("the checkpoint has no schedule state: say how many updates were made with --at-step N")
        if at_step not in (None, state["step"]):
            raise InputError(f"the checkpoint itself counts {state['step']} updates, not {at_step}: leave --at-step out")
        return saved or {**self.driver.state_dict(), "updates": [at_step]}

    def _load(self, state: dict[str, Any]) -> None:
        changed = difference({"train": state["train"]}, {"train": asdict(self.recipe.train)})
        if changed:
            raise InputError("the checkpoint is of another run (there -> here): " + "; ".join(changed))
        self.driver.load_state_dict(state["driver"])
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            set_random_state(state["random"])
            self.sums, self.metrics = state["sums"], state["metrics"]
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise self.checkpoints.broken(f"it does not fit the model: {' '.join(str(error).split())[:200]}") from None

    def _finish(self) -> None:
        """Draw the pictures, then write the weights: their file says that the run is whole."""
        from .pictures import draw_run

        safetensors = need("safetensors.torch")
        draw_run(self.folder, self.driver.plan)
        # clones, because tied weights share memory, which the file format refuses
        weights = {name: value.contiguous().clone() for name, value in self.model.state_dict().items()}
        write_atomically(self.folder / WEIGHTS, lambda beside: safetensors.save_file(weights, beside))
