"""A resume with an intent drawn: what was to come, and what comes now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..plan import Plan
from ..resume import Resumed
from .figure import LABELS, label, look, new_figure, points, save, shared, style, title
from .terminal import axis, chart, sample


def draw_resumed(resumed: Resumed, path: Path) -> None:
    """Draw the new plan and, dotted over it, the old one: a row for each hyperparameter that has a schedule."""
    new, old = resumed.after, resumed.before
    names = [name for name in new.hyperparameters if any(new.recipe.schedule(name, group) for group in new.groups)] or ["lr"]
    figure, axes = new_figure(len(names), 1, heights=[2 if name == "lr" else 1 for name in names])
    for name, (panel,) in zip(names, axes, strict=True):
        for line, groups in _lines(new, name):
            panel.plot(points(new), line, linewidth=1.8, label=label(", ".join(groups)), **look(new.groups.index(groups[0])))
        for place, (line, _) in enumerate(_lines(old, name)):  # over them, for until now both are the same
            panel.plot(
                points(old), line, color="#000000", linestyle=":", linewidth=1.2, label=None if place else "as it was planned"
            )
        panel.axvline(resumed.at, color="#888888", linewidth=0.8)
        panel.xaxis.get_major_locator().set_params(integer=True)
        style(panel, LABELS[name])
        panel.legend(frameon=False, fontsize=8)
    axes[0][0].set_title(f"{title(new)}: {resumed.intent}, at step {resumed.at}", parse_math=False)
    axes[-1][0].set_xlabel("step (optimizer updates)")
    save(figure, path)


def _lines(plan: Plan, name: str) -> Iterator[tuple[tuple[float, ...], list[str]]]:
    """Yield the lines of a hyperparameter, and the groups that share each."""
    yield from shared(plan, plan.rows([plan.tick(step) for step in points(plan)])[name]).items()


def charts(resumed: Resumed) -> Iterator[str]:
    """Yield the learning rate of the first group in the terminal, as it was planned and as it is now."""
    group = resumed.plan.groups[0]
    for plan, when in ((resumed.before, "was planned"), (resumed.after, "is now")):
        yield f"lr of {group} as it {when}"
        drawn = chart(_rates(plan))
        yield from drawn
        yield axis(plan.end(), drawn[0].index("┤") - 1)


def _rates(plan: Plan) -> list[float]:
    return [row[0] for row in plan.rows([plan.tick(step) for step in sample(plan.end())])["lr"]]
