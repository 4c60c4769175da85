"""Pictures of plans, with matplotlib: every group and hyperparameter over the run.

Colours are Okabe and Ito's, told apart by the colour-blind, and each line has its own dashes, so that a picture printed in grey
can be read too. Groups whose values are the same share a line and are named together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, need
from ..plan import Plan
from .terminal import sample

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
LABELS = {"lr": "learning rate", "momentum": "momentum", "weight_decay": "weight decay"}
_MOST_POINTS = 4_000


def draw_plans(plans: Sequence[Plan], path: Path) -> None:
    """Draw plans side by side, a row for each hyperparameter.

    Args:
        plans: The plans; each must have an end.
        path: Where to, by its ending: .png or .svg.
    Raises:
        InputError: matplotlib is missing, or the ending is another.
    """
    check_ending(path)
    names = [name for name in LABELS if any(name in plan.hyperparameters for plan in plans)]
    figure, axes = new_figure(len(names), len(plans), heights=[2 if name == "lr" else 1 for name in names])
    for column, plan in enumerate(plans):
        lowest = axes[0][column]
        for row, name in enumerate(names):
            panel = axes[row][column]
            if name in plan.hyperparameters:
                draw_columns(panel, plan, name)
                style(panel, LABELS[name] if column == 0 else "")
                lowest = panel
            else:
                panel.set_axis_off()
        axes[0][column].set_title(title(plan), parse_math=False)
        lowest.set_xlabel("step (optimizer updates)")
        lowest.tick_params(labelbottom=True)
        epochs_above(axes[0][column], plan)
    save(figure, path)


def new_figure(
    rows: int, columns: int, *, sharex: bool = True, sharey: Any = False, heights: Sequence[float] | None = None
) -> tuple[Any, Any]:
    """Return a figure and its panels, with one look for every picture of this package."""
    matplotlib = need("matplotlib")
    matplotlib.use("Agg", force=False)
    pyplot = need("matplotlib.pyplot")
    heights = heights or [1] * rows
    figure, axes = pyplot.subplots(
        rows,
        columns,
        squeeze=False,
        sharex="col" if sharex else False,
        sharey=sharey,
        figsize=(0.8 + 5.4 * columns, 1.0 + 1.5 * sum(heights)),
        layout="constrained",
        gridspec_kw={"height_ratios": heights},
    )
    return figure, axes


def draw_columns(panel: Any, plan: Plan, name: str) -> None:
    """Draw one hyperparameter, a line for the groups that share their values."""
    steps = points(plan)
    rows = plan.rows([plan.tick(step) for step in steps])[name]
    for line, groups in shared(plan, rows).items():
        named = f"all {len(groups)} groups" if 3 < len(groups) == len(plan.groups) else ", ".join(groups)
        panel.plot(steps, line, label=label(named), linewidth=1.8, **look(plan.groups.index(groups[0])))
    if plan.groups != ("all",):
        panel.legend(title="group", frameon=False, fontsize=8, title_fontsize=8)


def shared(plan: Plan, rows: Sequence[tuple[float, ...]]) -> dict[tuple[float, ...], list[str]]:
    """Return the lines to draw of a hyperparameter's rows, and the groups that share each."""
    lines: dict[tuple[float, ...], list[str]] = {}
    for group, values in zip(plan.groups, zip(*rows, strict=True), strict=True):
        lines.setdefault(values, []).append(group)
    return lines


def title(plan: Plan) -> str:
    """Return a recipe's name, cut where an expression is its own name and a long one."""
    name = plan.recipe.name
    return name if len(name) <= 60 else name[:57] + "..."


def label(groups: str) -> str:
    """Return groups' names as a legend's label; one that begins with _ would be hidden, were nothing before it."""
    return "\u200b" + groups if groups.startswith("_") else groups


def look(index: int) -> dict[str, Any]:
    """Return the colour and dashes of the group with this index, the same in every panel."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}


def points(plan: Plan) -> list[int]:
    """Return the steps to draw: all of a short run, else an even choice and both sides of every change."""
    total = int(plan.end())
    steps = set(sample(total, _MOST_POINTS))
    if total > _MOST_POINTS:
        for change in plan.changes()[:_MOST_POINTS]:
            steps.update(step for step in (change.step - 1, change.step) if 0 <= step < total)
    return sorted(steps)


def style(panel: Any, label: str) -> None:
    """Give a panel its label, its grid and no needless frame."""
    panel.set_ylabel(label)
    panel.grid(alpha=0.25, linewidth=0.6)
    panel.margins(x=0.01)
    panel.spines[["top", "right"]].set_visible(False)


def epochs_above(panel: Any, plan: Plan) -> None:
    """Add a scale of epochs above a panel, where the run counts in equal ones."""
    parts = plan.run.parts()
    if len(parts) == 1 and parts[0].steps:
        per_epoch = parts[0].steps
        scale = panel.secondary_xaxis("top", functions=(lambda step: step / per_epoch, lambda epoch: epoch * per_epoch))
        scale.set_xlabel("epoch")


def check_ending(path: Path) -> None:
    """Refuse a kind of file that is not drawn, before anything is."""
    if path.suffix not in (".png", ".svg"):
        raise InputError(f"a picture must end in .png or .svg, a page in .html, got {str(path)!r}")


def save(figure: Any, path: Path) -> None:
    """Write a figure, and let it go."""
    figure.align_ylabels()
    try:
        # without a date and with a fixed salt, the same plan makes the same file
        with need("matplotlib").rc_context({"svg.hashsalt": "etude"}):
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
    except (ArithmeticError, ValueError) as error:
        raise InputError(f"these values can't be drawn: {error}") from None
    finally:
        need("matplotlib.pyplot").close(figure)
