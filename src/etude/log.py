"""The truthful log: the values that each update was made with, by named group, read off the optimizer itself.

Three forms, by the path: `.csv` (columns step, lr/GROUP, momentum/GROUP, weight_decay/GROUP), `.jsonl` (a line an update,
{"step": 0, "lr": {GROUP: value}, ...}, as `etude train` writes them), and a folder for TensorBoard (scalars of the CSV's names).
Step k is update number k, from 0. Once AMP has skipped updates, `skipped/updates` counts them: those of a fused optimizer, and
with a driver that knows the scaler all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import InputError, need
from .fields import index
from .groups import HYPERPARAMETERS
from .hooked import was_skipped
from .watching import innermost

Values = dict[str, dict[str, float]]


class Record:
    """Writes down what an optimizer applied, update by update. Made by `etude.record`."""

    def __init__(self, optimizer: Any, path: Path, updates: int) -> None:
        self.optimizer, self.updates, self.skipped = innermost(optimizer), updates, 0
        self._file = _opened(path, updates, self.values())
        self._handle = self.optimizer.register_step_post_hook(self._after)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def values(self) -> Values:
        """Return what the optimizer's groups hold now."""
        groups = self.optimizer.param_groups
        found: Values = {}
        for name, group in zip(_names(groups), groups, strict=True):
            for hyperparameter in HYPERPARAMETERS:
                key = "betas" if hyperparameter == "momentum" and "betas" in group else hyperparameter
                if key in group:
                    value = group[key][0] if key == "betas" else group[key]
                    found.setdefault(hyperparameter, {})[name] = float(value)
        return found

    def close(self) -> None:
        """Take the hook off the optimizer and close the file; what was written stays."""
        self._handle.remove()
        self._file.close()

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        seat = getattr(optimizer, "_etude_seat", None)  # a driver's, which counts and sees more than a hook does
        if was_skipped(optimizer):
            self.skipped += 1
            return
        step = self.updates if seat is None else seat.last
        if step < self.updates:
            return  # the hooks of a step() inside another are called twice
        values = self.values()
        if skipped := max(self.skipped, seat.skipped if seat is not None else 0):
            values["skipped"] = {"updates": skipped}
        self._file.write(step, values)
        self.updates = step + 1


def record(optimizer: Any, path: str | os.PathLike[str], *, updates: int = 0) -> Record:
    """Write the values that each update is made with, by named group, into a log: one row an update, in full precision.

    Args:
        optimizer: A torch optimizer, driven by etude or not, or Accelerate's or Lightning's wrapper of one.
        path: A file that ends in .csv or .jsonl, or a folder for TensorBoard.
        updates: How many updates were made before. Rows from there on, of steps that will be made again, are cut.
    Returns:
        The record; `close()` it, or use it in a `with`. Of several processes let one write.
    Raises:
        InputError: the path has another ending, can't be written or holds something else; or groups share a name.

    Example:
        >>> import torch, etude, tempfile, pathlib
        >>> optimizer = torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)
        >>> path = pathlib.Path(tempfile.mkdtemp(), "applied.csv")
        >>> with record(optimizer, path):
        ...     optimizer.step()
        >>> print(path.read_text().strip())
        step,lr/all,momentum/all,weight_decay/all
        0,0.1,0.0,0.0
    """
    return Record(optimizer, Path(path), index(updates, "count of updates"))


def _names(groups: list[Any]) -> list[str]:
    """Return the names of the groups; the only one may have none, several are counted."""
    if len(groups) == 1 and groups[0].get("name") is None:
        return ["all"]
    names = [str(group.get("name", place)) for place, group in enumerate(groups)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two parameter groups are called {twice!r}: a log needs a 'name' of its own for each")
    odd = next((name for name in names if not name.isprintable()), None)
    if odd is not None:
        raise InputError(f"a parameter group is called {odd!r}: a log needs a name of one printable line")
    return names


def _opened(path: Path, updates: int, values: Values) -> Any:
    """Return the writer for a path, with what stands there cut back to the first step that will be written."""
    form = {".csv": _Csv, ".jsonl": _Lines}.get(path.suffix.lower())
    if form is None and path.suffix and not path.is_dir():
        raise InputError(f"{path} must end in .csv or .jsonl, or be a folder, got {path.suffix}")
    try:
        if form is not None and path.is_dir():
            raise InputError(f"{path} is a folder; a log that ends in {path.suffix} is a file")
        return _Board(path, updates) if form is None else form(path, updates, values)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no log of etude: it holds no text") from None


class _Lines:
    """JSON lines."""

    def __init__(self, path: Path, updates: int, values: Values) -> None:
        _keep(path, lambda lines: _before(lines, updates, path, _step_of_line))
        self._file = path.open("a", buffering=1, encoding="utf-8", newline="")  # a run that is killed leaves whole lines

    def write(self, step: int, values: Values) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")

    def close(self) -> None:
        self._file.close()


class _Csv(_Lines):
    """CSV. Columns that come later are added to the header, and left empty in the rows before."""

    def __init__(self, path: Path, updates: int, values: Values) -> None:
        self._path, self._columns = path, list(_flat(values))
        self._open(updates)

    def _open(self, updates: int) -> None:
        def lines(old: list[str]) -> Iterator[str]:
            known = _cells(old[0]) if old else ["step"]
            if known[0] != "step":
                raise InputError(f"{self._path} is no log of etude: its first column is {known[0]!r}, not step")
            self._columns = [*known[1:], *(name for name in self._columns if name not in known)]
            missing = "," * (len(self._columns) + 1 - len(known))
            yield _row(["step", *self._columns])
            for line in _before(old[1:], updates, self._path, lambda line: line.partition(",")[0]):
                yield line[:-1] + missing + "\n"

        _keep(self._path, lines)
        self._file = self._path.open("a", buffering=1, encoding="utf-8", newline="")

    def write(self, step: int, values: Values) -> None:
        flat = _flat(values)
        if not flat.keys() <= set(self._columns):
            self._file.close()
            self._columns += [name for name in flat if name not in self._columns]
            self._open(step)
        self._file.write(_row([str(step), *(repr(flat[name]) if name in flat else "" for name in self._columns)]))


class _Board:
    """TensorBoard's event files; what was written of steps to come is marked as void, as TensorBoard has it."""

    def __init__(self, path: Path, updates: int) -> None:
        self._writer = need("tensorboardX").SummaryWriter(str(path), purge_step=updates, filename_suffix=f".{updates}")

    def write(self, step: int, values: Values) -> None:
        for name, value in _flat(values).items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


def _flat(values: Values) -> dict[str, float]:
    return {f"{name}/{group}": value for name, groups in values.items() for group, value in groups.items()}


def _cells(line: str) -> list[str]:
    import csv

    return next(csv.reader([line]), [""])


def _row(cells: list[str]) -> str:
    quoted = ('"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell for cell in cells)
    return ",".join(quoted) + "\n"


def _step_of_line(line: str) -> Any:
    entry = json.loads(line)
    return entry["step"]


def _keep(path: Path, lines: Callable[[list[str]], Any]) -> None:
    """Put in place of a file what shall stay of its whole lines; a reader never sees half of it."""
    old = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            old = [line for line in file if line.endswith("\n")]  # the last one may have been cut off by a kill
    new = path.with_name(path.name + ".new")
    new.write_text("".join(lines(old)), encoding="utf-8", newline="")
    new.replace(path)


def _before(lines: list[str], updates: int, path: Path, step: Callable[[str], Any]) -> Iterator[str]:
    """Yield the lines of the steps before one."""
    for number, line in enumerate(lines, 1):
        try:
            place = int(step(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InputError(f"{path} is no log of etude: line {number} of its rows has no step") from None
        if place < updates:
            yield line
