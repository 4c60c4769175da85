"""Checkpoints that a kill at any moment leaves whole: written beside, synced, then put in place in one move."""

from __future__ import annotations

import os
import random
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError

WEIGHTS = "model.safetensors"
"""Written last: a run folder that holds it is whole."""

KEYS = {"step", "train", "model", "optimizer", "driver", "random", "sums", "metrics", "sizes"}
"""What a checkpoint holds; one without a driver needs to be told the step."""

_KEPT = 2
_SHARE = 0.05  # of the time, at most, goes into saving


def write_atomically(path: Path, content: str | Callable[[Path], None]) -> None:
    """Write a text, or what a function writes, to a file that appears under its name only when it is whole and on the disk."""
    beside = path.with_name(f".{path.name}.part")
    if isinstance(content, str):
        beside.write_text(content)
    else:
        content(beside)
    with beside.open("rb+") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Checkpoints:
    """The checkpoints of a run folder, the last two kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved, self._cost = time.monotonic(), 0.0

    def due(self) -> bool:
        """Whether enough time has gone by for another save to stay within its share."""
        return time.monotonic() - self._saved >= self._cost / _SHARE

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Save a state that `torch.load(weights_only=True)` can read: tensors, numbers, texts, lists and dicts."""
        begun = time.monotonic()
        try:
            self.folder.mkdir(exist_ok=True)
            path = self.folder / f"step-{step:08d}.pt"
            write_atomically(path, lambda beside: torch.save(state, beside))
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
            raise InputError(
                f"{self.folder} can't be written: {str(error).splitlines()[0]}; the checkpoints there are whole"
            ) from None
        for old in self.paths()[:-_KEPT]:
            old.unlink()
        self._saved = time.monotonic()
        self._cost = self._saved - begun

    def paths(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        return sorted(self.folder.glob("step-*.pt"))

    def load(self) -> dict[str, Any] | None:
        """Return the newest state, None before the first save.

        Raises:
            InputError: the file can't be read; names it and what to do.
        """
        paths = self.paths()
        if not paths:
            return None
        try:
            with zipfile.ZipFile(paths[-1]) as archive:
                damaged = archive.testzip()  # torch.load itself looks at no checksum
            if damaged:
                raise ValueError(f"{damaged} is damaged")
            state: dict[str, Any] = torch.load(paths[-1], map_location="cpu", weights_only=True)
            if not isinstance(state, dict) or set(state) | {"driver"} != KEYS:
                raise ValueError("it holds something else")
        except Exception as error:  # torch.load raises whatever its zip and pickle readers meet
            reason = (str(error) or type(error).__name__).splitlines()[0][:100]
            raise self.broken(reason) from None
        return state

    def broken(self, reason: str) -> InputError:
        """Return the error that names the newest checkpoint, and what to do about it."""
        *before, newest = self.paths()
        cure = f"to go on from {before[-1].name}, delete it" if before else "to start over, delete it"
        return InputError(f"{newest} is not a whole checkpoint ({reason}): {cure}")


def random_state() -> dict[str, Any]:
    """Return the state of torch's, Python's and (where it is loaded) NumPy's global generators."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, keys.tolist(), *rest]
    return state


def set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "numpy" in state:
        import numpy as np

        np.random.set_state(tuple(state["numpy"]))
