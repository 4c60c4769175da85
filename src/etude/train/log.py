"""What a run leaves behind: log.jsonl, a line a step with the values applied, and metrics.csv, a line an epoch."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError

METRICS = ("epoch", "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
FILES = ("log.jsonl", "metrics.csv")


class Log:
    """The two files of a run folder, cut back to where a checkpoint left them and then written on."""

    def __init__(self, folder: Path, groups: Sequence[str], sizes: Mapping[str, int] | None) -> None:
        self.groups = groups
        self._paths = [folder / name for name in FILES]
        for path in self._paths:
            _cut(path, (sizes or {}).get(path.name, 0))
        self._steps, self._metrics = (path.open("a", newline="") for path in self._paths)
        self._writer = csv.writer(self._metrics, lineterminator="\n")
        if not sizes:
            self._writer.writerow([*METRICS, *(f"lr/{group}" for group in groups)])

    def step(self, step: int, epoch: int, loss: float, applied: dict[str, dict[str, float]]) -> None:
        self._steps.write(json.dumps({"step": step, "epoch": epoch, "loss": loss, **applied}) + "\n")

    def epoch(self, values: dict[str, float], lr: dict[str, float]) -> None:
        self._writer.writerow([*(values[name] for name in METRICS), *(lr[group] for group in self.groups)])

    def sizes(self) -> dict[str, int]:
        """Write out what is under way; return the bytes of each file, which a checkpoint keeps."""
        for file in (self._steps, self._metrics):
            file.flush()
            os.fsync(file.fileno())  # a checkpoint must not outlive the lines it counts on
        return {path.name: path.stat().st_size for path in self._paths}

    def close(self) -> None:
        self._steps.close()
        self._metrics.close()


def _cut(path: Path, size: int) -> None:
    """Drop the lines of steps that will be made again."""
    try:
        if size > (path.stat().st_size if path.exists() else 0):
            raise InputError(f"{path} is shorter than when the checkpoint was made ({size} bytes): put it back, or train anew")
        with path.open("ab") as file:
            file.truncate(size)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None


def read_metrics(folder: Path) -> dict[str, list[float]]:
    """Return the columns of metrics.csv."""
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else METRICS)}


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of log.jsonl."""
    with (folder / "log.jsonl").open() as file:
        return [json.loads(line) for line in file]
