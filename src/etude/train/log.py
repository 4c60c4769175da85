"""What a run leaves behind: log.jsonl, a line a step with the values applied, and metrics.csv, a line an epoch."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from .checkpoint import write_atomically

METRICS = ("epoch", "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


class Log:
    """The two files of a run folder, cut back to a step and then written on."""

    def __init__(self, folder: Path, groups: Sequence[str], step: int) -> None:
        self.groups = groups
        self._steps = _reopen(folder / "log.jsonl", lambda line: json.loads(line)["step"] < step)
        header = ",".join([*METRICS, *(f"lr/{group}" for group in groups)]) + "\n"
        self._metrics = _reopen(folder / "metrics.csv", lambda line: line == header or int(line.split(",")[1]) <= step)
        self._writer = csv.writer(self._metrics, lineterminator="\n")
        if self._metrics.tell() == 0:
            self._metrics.write(header)

    def step(self, step: int, epoch: int, loss: float, applied: dict[str, dict[str, float]]) -> None:
        self._steps.write(json.dumps({"step": step, "epoch": epoch, "loss": loss, **applied}) + "\n")

    def epoch(self, values: dict[str, float], lr: dict[str, float]) -> None:
        self._writer.writerow([*(values[name] for name in METRICS), *(lr[group] for group in self.groups)])

    def flush(self) -> None:
        self._steps.flush()
        self._metrics.flush()

    def close(self) -> None:
        self._steps.close()
        self._metrics.close()


def _reopen(path: Path, keep: Any) -> TextIO:
    """Open a file to append to, after dropping the lines of steps that will be made again, and a half-written last one."""
    if path.exists():
        lines = []
        for line in path.read_text().splitlines(keepends=True):
            if not line.endswith("\n") or not keep(line):
                break
            lines.append(line)
        write_atomically(path, "".join(lines))
    return path.open("a")


def read_metrics(folder: Path) -> dict[str, list[float]]:
    """Return the columns of metrics.csv."""
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else METRICS)}


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of log.jsonl."""
    with (folder / "log.jsonl").open() as file:
        return [json.loads(line) for line in file]
