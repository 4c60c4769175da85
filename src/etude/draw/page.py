"""Pages of plans: one HTML file that draws every group and hyperparameter with uPlot, and fetches nothing.

What a recipe says is data: its names are escaped where they stand, and its values are JSON that nothing runs. Besides, the page's
own policy lets no script run but this package's, known by its hash, and no address be asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..plan import Change, Plan
from .figure import COLOURS, LABELS, points, shared, title

_HERE = Path(__file__).parent
_DASHES = ((), (9, 4), (9, 3, 2, 3), (2, 3), (15, 4), (9, 3, 2, 3, 2, 3), (4, 3))  # figure.py's, in pixels
_MOST_CHANGES = 20  # of each recipe, as `etude show` lists them
_LARGEST = 1e300  # beyond it the axis would need numbers that there are not


def draw_page(plans: Sequence[Plan], path: Path) -> None:
    """Write a page that shows plans over each other: a panel for each hyperparameter, a row for each group.

    Args:
        plans: The plans; each must have an end.
        path: Where to.
    Raises:
        InputError: the file can't be written, or the values can't be drawn.
    """
    text = page(plans)
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None


def page(plans: Sequence[Plan]) -> str:
    """Return the page's HTML; the same plans give the same text."""
    names = [name for name in LABELS if any(name in plan.hyperparameters for plan in plans)]
    numbers = count()
    looks = [[_look(next(numbers)) for _ in plan.groups] for plan in plans]
    changes = [[change for change in plan.changes() if change.step < plan.end()] for plan in plans]
    drawn = [_drawn(*each, names) for each in zip(plans, looks, changes, strict=True)]
    script = "".join([f"/*\n{_file('vendor/LICENSE')}\n*/\n", _file("vendor/uPlot.iife.min.js"), _file("page.js")])
    parts = {
        "title": ", ".join(escape(title(plan)) for plan in plans),
        "hash": "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "uplot": _file("vendor/uPlot.min.css"),
        "heads": "".join(f"<th>{_switch(LABELS[name])}</th>" for name in names),
        "bodies": "\n".join(_body(plan, look, len(names)) for plan, look in zip(plans, looks, strict=True)),
        "panels": "\n".join(f'<section aria-label="{LABELS[name]}"></section>' for name in names),
        "changes": "\n".join(line for plan, found in zip(plans, changes, strict=True) for line in _list(plan, found)),
        "plans": json.dumps(drawn, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "script": script,
    }
    # in one pass, so that nothing put in is read as a place for something else
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _file("page.html"))


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _look(number: int) -> dict[str, Any]:
    """Return the colour and dashes of a group, by its number among those of all recipes: 49 are told apart."""
    colour = COLOURS[number % len(COLOURS)]
    dash = _DASHES[(number + number // len(COLOURS)) % len(_DASHES)]
    return {"colour": "currentColor" if colour == "#000000" else colour, "dash": dash}  # black, and white in the dark


def _drawn(plan: Plan, looks: list[dict[str, Any]], changes: list[Change], names: list[str]) -> dict[str, Any]:
    """Return what page.js draws of a plan: no text of the recipe's own, groups go by their number."""
    steps = points(plan)
    rows = plan.rows([plan.tick(step) for step in steps])
    lines = [
        [
            {"groups": [plan.groups.index(group) for group in groups], "values": values}
            for values, groups in (shared(plan, rows[name]) if name in rows else {}).items()
        ]
        for name in names
    ]
    if any(abs(value) > _LARGEST for panel in lines for line in panel for value in line["values"]):
        raise InputError(f"these values can't be drawn: {plan.recipe.name} goes beyond {_LARGEST:g}")
    return {
        "looks": looks,
        "steps": steps,
        "epochs": [_epoch(plan, step) for step in steps] if _counts_epochs(plan) else None,
        "lines": lines,
        "changes": [
            sorted({change.step for change in changes[:_MOST_CHANGES] if change.hyperparameter == name}) for name in names
        ],
    }


def _counts_epochs(plan: Plan) -> bool:
    return all(part.batches for part in plan.run.parts())


def _epoch(plan: Plan, step: int) -> int:
    return int(plan.clock.epoch(plan.tick(step)))


def _switch(label: str, sample: str = "") -> str:
    return f'<label><input type="checkbox" checked>{sample}{escape(label)}</label>'


def _body(plan: Plan, looks: list[dict[str, Any]], columns: int) -> str:
    """Return the rows of a recipe: its name and where it is, then its groups with a sample of their line."""
    lines = [f'<tbody>\n<tr><th>{_switch(title(plan))}</th><td colspan="{columns}"></td></tr>']
    for group, look in zip(plan.groups, looks, strict=True):
        dash = " ".join(map(str, look["dash"]))
        sample = f'<svg aria-hidden="true"><path d="M0 4h30" stroke="{look["colour"]}" stroke-dasharray="{dash}"/></svg>'
        lines.append(f"<tr><th>{_switch(group, sample)}</th>{'<td></td>' * columns}</tr>")
    return "\n".join([*lines, "</tbody>"])


def _list(plan: Plan, changes: list[Change]) -> Iterator[str]:
    """Yield the lines that list what begins or ends in a run."""
    if not changes:
        return
    yield f"<h2>{escape(title(plan))}: change points</h2>\n<ul>"
    for change in changes[:_MOST_CHANGES]:
        epoch = f", epoch {_epoch(plan, change.step)}" if _counts_epochs(plan) else ""
        what = escape(f"{LABELS[change.hyperparameter]} {change.what}: {', '.join(change.groups)}")
        yield f'<li><button type="button" value="{change.step}">step {change.step}</button>{epoch}: {what}</li>'
    if len(changes) > _MOST_CHANGES:
        yield f"<li>and {len(changes) - _MOST_CHANGES} more: see `etude table`</li>"
    yield "</ul>"
