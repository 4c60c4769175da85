"""A curve in the terminal: two by four dots to a character, in Unicode's braille patterns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..units import number_text

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, then by row from the top


def chart(values: Sequence[float], *, width: int = 64, height: int = 8) -> list[str]:
    """Return lines that draw values at even distances, the highest and lowest named at the left.

    Args:
        values: What to draw, left to right; finite.
        width, height: Size in characters.

    Example:
        >>> print("\\n".join(chart([0.0, 1.0, 2.0], width=4, height=2)))
        2 ┤⠀⠀⡠⠊
        0 ┤⡠⠊⠀⠀
    """
    low, high = min(values), max(values)
    if not math.isfinite(high - low):  # the widest floats: their difference is none
        return chart([value / 4 for value in values], width=width, height=height)
    columns, rows = width * 2, height * 4
    cells = [[0] * width for _ in range(height)]
    previous = None
    for column in range(columns):
        at = column * (len(values) - 1) / (columns - 1)
        left = min(int(at), len(values) - 1)
        right = min(left + 1, len(values) - 1)
        value = values[left] + (values[right] - values[left]) * (at - left)
        part = (value - low) / (high - low) if high > low else 0.5
        row = rows - 1 - round(part * (rows - 1))
        # a steep curve leaves no gaps: every row between two neighbouring dots is set
        span = range(row, row + 1) if previous is None or abs(previous - row) <= 1 else _between(previous, row)
        for filled in span:
            cells[filled // 4][column // 2] |= _DOTS[column % 2][filled % 4]
        previous = row
    names = [""] * height
    names[0], names[-1] = (f"{bound:.4g}" for bound in (high, low))
    if high == low:
        names = [f"{low:.4g}" if index == height // 2 else "" for index in range(height)]
    margin = max(map(len, names))
    return [f"{name:>{margin}} ┤" + "".join(chr(0x2800 + cell) for cell in row) for name, row in zip(names, cells, strict=True)]


def _between(previous: int, row: int) -> range:
    """Return the rows from beside the previous dot to this one."""
    return range(previous + 1, row + 1) if row > previous else range(row, previous)


def axis(total: int, margin: int, *, width: int = 64, unit: str = "step") -> str:
    """Return the line under a chart that names its first, middle and last position."""
    middle, last = f"{(total - 1) // 2}", f"{unit} {total - 1}"
    line = "0".ljust(width // 2 - len(middle) // 2) + middle
    return " " * (margin + 2) + line + last.rjust(width - len(line))


def sample(total: int, most: int = 512) -> list[int]:
    """Return at most so many steps of a run, evenly spread, the first and the last among them."""
    if total <= most:
        return list(range(total))
    return [round(index * (total - 1) / (most - 1)) for index in range(most)]


def short(value: float) -> str:
    """Return a number for reading: six digits, no needless zeros."""
    return number_text(float(f"{value:.6g}")) if math.isfinite(value) else str(value)
