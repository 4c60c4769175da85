"""A logged metric replayed: what a recipe's plateaus would have made of it, or made of it.

The log is CSV with a header. One column says when a row was measured: `step`, how many updates had been made by then, or `epoch`,
the number (from 0) of the epoch that had just ended. The others are metrics by name; an empty cell is no measurement.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from .arrays import Scalar
from .errors import InputError, did_you_mean
from .plan import Plan
from .schedule import Metric

_LONGEST = 4_000_000  # bytes
_MOST = 200_000  # lines, about a second


def replay(plan: Plan, path: Path, called: Mapping[str, str] | None = None) -> Plan:
    """Return a plan fed with the metrics of a log that its plateaus wait for.

    Args:
        plan: The plan.
        path: The CSV file.
        called: The column of a metric, where the log calls it otherwise.
    Raises:
        InputError: the file can't be read, lacks a column that is needed, or holds something else than numbers; tells the line.
    """
    names = plan.watched()
    if not names:
        raise InputError(f"{path}: no schedule of {plan.recipe.name} waits for a metric; one with plateau(...) does")
    lines = _lines(path)
    header = next(lines, (0, []))[1]
    twice = next((word for word in header if header.count(word) > 1), None)
    if twice is not None:
        raise InputError(f"{path}:1: two columns are called {twice!r}")
    when = next((word for word in ("step", "epoch") if word in header), None)
    if when is None:
        got = ", ".join(header) or "none"
        commas = "; columns are divided by commas" if len(header) == 1 and any(sign in got for sign in ";\t") else ""
        raise InputError(f"{path}:1: a column must say when, `step` (updates made) or `epoch`; got {got}{commas}")
    columns = _columns({name: (called or {}).get(name, name) for name in names}, header, path)
    metrics = []
    places: list[int] = []
    for line, row in lines:
        if len(places) == _MOST:
            raise InputError(f"{path}:{line}: more than {_MOST} measurements")
        if len(row) != len(header):
            raise InputError(f"{path}:{line}: {len(row)} cells under {len(header)} columns")
        place = _number(row[header.index(when)], f"{path}:{line}: {when}")
        if not (place >= 0 and place.is_integer()):
            raise InputError(f"{path}:{line}: {when} must be a whole number, 0 or above, got {place:g}")
        places.append(int(place))
        tick = plan.clock.ticks(place + 1, "epochs") if when == "epoch" else plan.tick_after(int(place))
        for name, column in columns.items():
            if row[column].strip():
                metrics.append(Metric(tick, name, _number(row[column], f"{path}:{line}: {header[column]}")))
    _tell(plan, path, when, places)
    return Plan(plan.recipe, plan.run, (*plan.metrics, *metrics))


def _tell(plan: Plan, path: Path, when: str, places: list[int]) -> None:
    """Warn of a log that counts otherwise than it seems, or covers a part of the run only."""
    if not places:
        warnings.warn(f"{path} holds no measurement", stacklevel=3)
        return
    if when == "epoch" and min(places) == 1:
        warnings.warn(
            f"{path} begins with epoch 1, and epochs count from 0 here: if it is the first one, take 1 off", stacklevel=3
        )
    last = plan.total - 1 if when == "step" else plan.clock.epoch(plan.clock.total - 1, Scalar) if plan.total < math.inf else 0
    if max(places) < last:
        warnings.warn(f"{path} ends at {when} {max(places)}, the run at {last:g}: after it nothing more is decided", stacklevel=3)


def _columns(called: Mapping[str, str], header: list[str], path: Path) -> dict[str, int]:
    """Return the column of each metric; the only metric may be in the only other column, whatever it is called."""
    others = [word for word in header if word not in ("step", "epoch")]
    if len(called) == len(others) == 1 and not set(called.values()) & set(others):
        warnings.warn(f"{path}: {others[0]!r} is taken for {', '.join(called.values())}, as the only other column", stacklevel=3)
        return {name: header.index(others[0]) for name in called}
    for name in called.values():
        if name not in header:
            raise InputError(f"{path}:1: no column {name!r}, which a plateau waits for{did_you_mean(name, others)}")
    return {name: header.index(column) for name, column in called.items()}


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a file with their lines, leaving out empty ones."""
    try:
        if not path.is_file():
            raise InputError(f"{path} is no file")
        if path.stat().st_size > _LONGEST:
            raise InputError(f"{path} is longer than the {_LONGEST} bytes that are read")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            for row in rows:
                if row:
                    yield rows.line_num, [cell.strip() for cell in row]
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV text: {error}") from None


def _number(cell: str, what: str) -> float:
    try:
        if "_" in cell:
            raise ValueError
        return float(cell)
    except ValueError:
        raise InputError(f"{what} must be a number, got {cell[:40]!r}") from None
