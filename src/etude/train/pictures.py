"""Pictures of a finished run: the learning rate of each group by epoch, and loss and accuracy above it."""

from __future__ import annotations

from pathlib import Path

from ..draw.figure import COLOURS, label, look, new_figure, save, style
from ..plan import Plan
from .log import read_metrics, read_steps


def draw_run(folder: Path, plan: Plan) -> None:
    """Draw lr.png and training.png into a run folder, from what its logs say was applied."""
    metrics = read_metrics(folder)
    epochs = [epoch + 1 for epoch in metrics["epoch"]]
    _draw_rates(folder / "lr.png", plan, epochs, metrics)
    steps = read_steps(folder)
    figure, axes = new_figure(3, 1)
    loss, accuracy, rate = (row[0] for row in axes)
    ends = metrics["step"]
    loss.plot(
        [line["step"] for line in steps],
        [line["loss"] for line in steps],
        color="#BBBBBB",
        linewidth=0.7,
        label="train, each step",
    )
    for panel, name in ((loss, "loss"), (accuracy, "accuracy")):
        for index, part in enumerate(("train", "test")):
            panel.plot(ends, metrics[f"{part}_{name}"], label=part, marker="." if len(ends) < 3 else None, **look(index))
        style(panel, name)
    loss.set_yscale("log")
    loss.legend(frameon=False, fontsize=8)
    accuracy.legend(frameon=False, fontsize=8, title=f"at the end {metrics['test_accuracy'][-1]:.3f}", title_fontsize=8)
    for index, group in enumerate(plan.groups):
        rate.plot([line["step"] for line in steps], [line["lr"][group] for line in steps], label=label(group), **look(index))
    style(rate, "learning rate")
    rate.legend(title="group", frameon=False, fontsize=8, title_fontsize=8)
    rate.set_xlabel("step (optimizer updates)")
    loss.set_title(f"{plan.recipe.name}: loss and accuracy above the learning rate applied", parse_math=False)
    save(figure, folder / "training.png")


def _draw_rates(path: Path, plan: Plan, epochs: list[float], metrics: dict[str, list[float]]) -> None:
    """Draw the learning rate each group ended its epochs with, a panel a group, as the YOLOv5 tutorial does."""
    figure, axes = new_figure(1, len(plan.groups), heights=[2.2])
    for index, (panel, group) in enumerate(zip(axes[0], plan.groups, strict=True)):
        panel.plot(epochs, metrics[f"lr/{group}"], color=COLOURS[index % len(COLOURS)], marker=".", markersize=4)
        panel.set_title(f"group {group}")
        panel.set_xlabel("epoch, at its end")
        style(panel, "learning rate" if index == 0 else "")
        panel.set_ylim(bottom=0)
    save(figure, path)
