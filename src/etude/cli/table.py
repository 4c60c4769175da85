"""`etude table`: the values in force, as text, CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from ..errors import InputError
from ..groups import HYPERPARAMETERS
from ..plan import Plan
from .options import metrics_option, planned, recipe_options


@click.command()
@click.argument("recipe")
@recipe_options
@metrics_option
@click.option("--at", metavar="K,K,...", help="These steps only.")
@click.option("--every", type=int, metavar="N", help="Every N-th step, and the last.")
@click.option("--by", type=click.Choice(["step", "batch"]), default="step", show_default=True, help="What is counted.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def table(recipe: str, metrics: str | None, at: str | None, every: int | None, by: str, form: str, **flags: Any) -> None:
    """Print the values in force at every step: learning rate, momentum and weight decay of each group."""
    plan = planned(recipe, flags, metrics)
    indices = _indices(plan, at, every, by)
    past = [index for index in indices if by == "step" and index >= plan.total]
    if past:
        click.echo(f"note: step {past[0]} is past the run's {plan.total} steps; every schedule holds its end there", err=True)
    rows = plan.rows([plan.tick(index) if by == "step" else plan.tick_of_batch(index) for index in indices])
    accumulate = _accumulate(plan, indices, by)
    lines = {"text": _text, "csv": _csv, "json": _json}[form](plan, indices, rows, accumulate, by)
    click.echo("\n".join(lines))


_MOST_ROWS = 2_000_000


def _indices(plan: Plan, at: str | None, every: int | None, by: str) -> list[int]:
    if at is not None and every is not None:
        raise InputError("give either --at or --every, got both")
    if at is not None:
        try:
            indices = [int(word) for word in at.split(",")]
        except ValueError:
            raise InputError(f"--at must be whole numbers with commas between, such as 0,10,500, got {at!r}") from None
        return indices
    if every is not None and every < 1:
        raise InputError(f"--every must be a whole number above 0, got {every}")
    total = plan.end()
    if by == "batch":
        total = plan.clock.batch_of_step(total - 1) + 1
    if total // (every or 1) > _MOST_ROWS:
        raise InputError(
            f"a table of {total // (every or 1)} rows is more than the {_MOST_ROWS} that are printed: use --every or --at"
        )
    return sorted({*range(0, total, every or 1), total - 1})


def _accumulate(plan: Plan, indices: list[int], by: str) -> list[int] | None:
    if by == "batch":
        return plan.accumulate([plan.clock.step_of_batch(index) for index in indices])
    return plan.accumulate(indices)


def _columns(
    plan: Plan, rows: dict[str, list[tuple[float, ...]]], accumulate: list[int] | None
) -> tuple[list[str], Iterator[list[float]]]:
    """Return the header and the numbers of a flat table."""
    header = [f"{name}/{group}" for name in plan.hyperparameters for group in plan.groups]
    cells = ([value for row in step for value in row] for step in zip(*rows.values(), strict=True))
    if accumulate is None:
        return header, cells
    return [*header, "accumulate"], ([*row, count] for row, count in zip(cells, accumulate, strict=True))


def _text(plan: Plan, indices: list[int], rows: Any, accumulate: Any, by: str) -> list[str]:
    header, cells = _columns(plan, rows, accumulate)
    header = [by, *header]
    table = [[str(index), *(f"{value:.8g}" for value in row)] for index, row in zip(indices, cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)]
    form = "  ".join(f"%{width}s" for width in widths)
    return [form % tuple(row) for row in [header, *table]]


def _csv(plan: Plan, indices: list[int], rows: Any, accumulate: Any, by: str) -> list[str]:
    header, cells = _columns(plan, rows, accumulate)
    return [",".join([by, *header]), *(f"{index},{','.join(map(repr, row))}" for index, row in zip(indices, cells, strict=True))]


def _json(plan: Plan, indices: list[int], rows: Any, accumulate: Any, by: str) -> list[str]:
    import json

    values = {name: rows.get(name) for name in HYPERPARAMETERS}
    return [json.dumps({"steps": indices, "groups": list(plan.groups), **values, "accumulate": accumulate}, allow_nan=False)]
