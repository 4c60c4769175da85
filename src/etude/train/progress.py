"""The progress bar of a training run, on stderr; where that is no terminal, one line at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import need


class Progress:
    """Epoch, loss, accuracy and the applied learning rate of each group, while the steps go by."""

    def __init__(self, total: int, done: int, groups: Sequence[str], quiet: bool) -> None:
        self.groups, self.accuracy = groups, ""
        self.bar: Any = None
        if quiet:
            return
        rich_progress, console = need("rich.progress"), need("rich.console")
        self.bar = rich_progress.Progress(
            rich_progress.BarColumn(bar_width=20),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.description}"),
            console=console.Console(stderr=True),
            refresh_per_second=4,
        )
        self.task = self.bar.add_task("", total=total, completed=done)

    def __enter__(self) -> Progress:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, epoch: int, loss: float, rates: Sequence[float]) -> None:
        if self.bar:
            lr = " ".join(f"{group} {rate:.2e}" for group, rate in zip(self.groups, rates, strict=True))
            text = f"epoch {epoch + 1}  loss {loss:.4f}{self.accuracy}  lr {lr}"
            self.bar.update(self.task, advance=1, description=text)

    def epoch(self, metrics: dict[str, float]) -> None:
        self.accuracy = f"  accuracy {metrics['test_accuracy']:.3f}"
