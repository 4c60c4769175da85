"""Logs of runs, read back: CSV, JSON lines, a trainer's state as JSON, or a folder with TensorBoard's event files.

What is read is numbers by step, in columns; of a step that stands there twice the later one counts, since a run that was
resumed made it again. Numbers keep how many digits they were written with, for a log may be rounded.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

from .errors import InputError, need

STEPS = ("step", "global_step", "iteration")
_LONGEST = 256_000_000  # bytes of a log
_MOST = 2_000_000  # numbers
_LONGEST_RECORD = 64_000_000  # bytes of one event of TensorBoard's: pictures have theirs between the scalars
_FULL = 8  # significant digits from which on a column is not a rounded one: 32 bits hold as many


@dataclass
class Log:
    """Columns of numbers by step: {column: {step: number as written}}."""

    path: Path
    columns: dict[str, dict[int, Decimal]] = field(default_factory=dict)
    count: int = 0

    def add(self, step: int, column: str, value: Decimal) -> None:
        self.count += 1
        if self.count > _MOST:
            raise InputError(f"{self.path} holds more than the {_MOST} numbers that are read: log every 10th step, say")
        self.columns.setdefault(column, {})[step] = value

    def rounded(self, columns: Iterable[str]) -> int | None:
        """Return to how many digits the numbers of some columns were rounded, as "%.5g" does; None where they seem whole."""
        seen: set[Decimal] = set()
        for column in columns:
            seen.update(value for value in self.columns[column].values() if value.is_finite())
        digits = max((len(value.as_tuple().digits) for value in seen), default=0)
        return digits if 3 <= digits < _FULL and len(seen) >= 5 else None

    def rows(self, column: str, digits: int | None) -> Iterator[tuple[int, float, float]]:
        """Yield a column in the order of its steps: step, value, and how much of it the writing may have rounded away."""
        cells = sorted(self.columns[column].items())
        places = [place if isinstance(place := value.as_tuple().exponent, int) else 0 for _, value in cells]
        zeros = any(value.as_tuple().digits[-1:] == (0,) for _, value in cells)
        fixed = len(set(places)) == 1 and places[0] <= -2 and zeros  # as "%.4f" writes; Python itself leaves no zeros there
        for (step, value), place in zip(cells, places, strict=True):
            number, half = float(value), 0.0
            if fixed:
                half = 0.5 * 10.0**place
            elif digits is not None and number and math.isfinite(number):
                half = 0.5 * 10.0 ** (value.adjusted() - digits + 1)
            yield step, number, half * (1 + 1e-6)


def read_log(path: Path) -> Log:
    """Read a log, whatever its form.

    Raises:
        InputError: it can't be read, is too large, or has no column that says the step; tells the line.
    """
    try:
        if path.is_dir():
            return _lines(path / "log.jsonl") if (path / "log.jsonl").is_file() else _board(path)
        if not path.exists():
            raise InputError(f"{path} is no file or folder")
        if path.stat().st_size > _LONGEST:
            raise InputError(f"{path} is longer than the {_LONGEST} bytes that are read")
        if "tfevents" in path.name:
            return _events([path], path)
        with path.open(encoding="utf-8-sig") as file:
            begin = file.read(4096).lstrip()
        if begin.startswith("{"):
            return _lines(path)
        return _table(path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}; a log is CSV, JSON lines, or a folder of TensorBoard's") from None


def _step(words: Iterable[str], where: str) -> str:
    words = list(words)
    for name in STEPS:
        if name in words:
            return name
    raise InputError(f"{where}: no column says the step ({', '.join(STEPS)}); got {', '.join(words)[:200] or 'none'}")


def _whole(value: Any, what: str, written: Any) -> int:
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= 2**53 or value != int(value):
        raise InputError(f"{what} must be a whole number, 0 or above, got {str(written)[:40]!r}")
    return int(value)


# -- CSV -------------------------------------------------------------------------------------------------------------


def _table(path: Path) -> Log:
    log = Log(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        try:
            header = [cell.strip() for cell in next(rows, [])]
            when = _step(header, f"{path}:1")
            twice = next((word for word in header if header.count(word) > 1), None)
            if twice is not None:
                raise InputError(f"{path}:1: two columns are called {twice!r}")
            place = header.index(when)
            for row in rows:
                if not row:
                    continue
                where = f"{path}:{rows.line_num}"
                if len(row) != len(header):
                    raise InputError(f"{where}: {len(row)} cells under {len(header)} columns")
                step: int | None = None
                for number, cell in enumerate(row):
                    if number == place or not cell.strip() or (value := _decimal(cell)) is None:
                        continue  # an empty cell is no measurement, and words are a column that is not meant
                    if step is None:
                        step = _whole(_decimal(row[place]), f"{where}: {when}", row[place])
                    log.add(step, header[number], value)
        except csv.Error as error:
            raise InputError(f"{path}:{rows.line_num} is no CSV text: {error}") from None
    return log


def _decimal(cell: str) -> Decimal | None:
    try:
        value = Decimal(cell.strip()) if "_" not in cell and len(cell) < 400 else None
        return None if value is None or value.is_snan() else value
    except DecimalException:
        return None


# -- JSON ------------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Log:
    """JSON lines, or one document with a list of entries, as transformers' trainer_state.json has."""
    log = Log(path)
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                entry = _json(line)
            except (ValueError, RecursionError) as error:
                if number == 1:
                    return _document(path)
                if not line.endswith("\n"):
                    break  # cut off as the run was killed
                raise InputError(f"{where} is no JSON: {error}") from None
            if number == 1 and isinstance(entry, dict) and "log_history" in entry:
                return _document(path)
            _entry(log, entry, where)
    return log


def _document(path: Path) -> Log:
    log = Log(path)
    try:
        document = _json(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON, nor lines of it: {error}") from None
    entries = document.get("log_history") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path} is JSON without a list `log_history`; a log is an object a line, with its step")
    for number, entry in enumerate(entries):
        _entry(log, entry, f"{path}: log_history[{number}]")
    return log


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=_bounded, parse_constant=Decimal)


def _bounded(digits: str) -> Decimal:
    return Decimal(digits[:400])


def _entry(log: Log, entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: an object with its step is expected, got {type(entry).__name__}")
    when = _step(entry, where)
    step = None
    for name, value in entry.items():
        values = value if isinstance(value, Mapping) else {None: value}
        for group, one in values.items():
            if name != when and isinstance(one, Decimal):
                if step is None:
                    step = _whole(entry[when], f"{where}: {when}", entry[when])
                log.add(step, name if group is None else f"{name}/{group}", one)


# -- TensorBoard -----------------------------------------------------------------------------------------------------


def _board(path: Path) -> Log:
    files = sorted(path.glob("*tfevents*"), key=lambda file: (file.name.split("tfevents.")[-1][:10], file.stat().st_mtime_ns))
    if not files:
        runs = sorted({file.parent for depth in ("*", "*/*") for file in path.glob(f"{depth}/*tfevents*")})
        hint = f"; its runs: {', '.join(map(str, runs[:5]))}" if runs else ""
        raise InputError(f"{path} holds no event file of TensorBoard's, and no log.jsonl{hint}")
    if sum(file.stat().st_size for file in files) > _LONGEST:
        raise InputError(f"{path} is longer than the {_LONGEST} bytes that are read")
    return _events(files, path)


def _events(files: list[Path], path: Path) -> Log:
    need("tensorboardX")
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    log = Log(path)
    for file in files:
        for offset, record in _records(file):
            try:
                event = Event.FromString(record)
            except DecodeError:
                raise InputError(f"{file} is no event file of TensorBoard's: its record at byte {offset} can't be read") from None
            if event.session_log.status == SessionLog.START:  # a run that goes on: later steps are made again
                for cells in log.columns.values():
                    for step in [step for step in cells if step >= event.step]:
                        del cells[step]
            for value in event.summary.value:
                number = _scalar(value)
                if number is not None and event.step >= 0:
                    log.add(event.step, value.tag, Decimal(number))
    return log


def _scalar(value: Any) -> float | None:
    """Return a scalar, as torch and tensorboardX write it or as TensorFlow does; None for anything else."""
    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    if value.WhichOneof("value") == "tensor" and not value.tensor.tensor_shape.dim:
        numbers = [*value.tensor.float_val, *value.tensor.double_val]
        if not numbers and value.tensor.dtype == 1 and len(value.tensor.tensor_content) == 4:
            import struct

            numbers = list(struct.unpack("<f", value.tensor.tensor_content))
        return float(numbers[0]) if len(numbers) == 1 else None
    return None


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the records of an event file: 8 bytes of length, 4 of checksum, the record, 4 of checksum; the last may be cut."""
    with path.open("rb") as file:
        while True:
            offset = file.tell()
            head = file.read(12)
            if len(head) < 12:
                return
            length = int.from_bytes(head[:8], "little")
            if length > _LONGEST_RECORD:
                raise InputError(f"{path} is no event file of TensorBoard's: its record at byte {offset} has {length} bytes")
            record = file.read(length + 4)
            if len(record) < length + 4:
                return
            yield offset, record[:length]
