"""Golden traces, recreated from their settings through the public readers and compared with what was recorded.

    python -m benchmarks.fidelity FILE.jsonl.gz... [--dump OUT.jsonl.gz]

A file holds a JSON object a line (gzip), or one JSON list. A record has `settings`, with which the framework was run, and the
values that were in force at the recorded steps; or an `error`, where the framework refused. Settings alone go into
`etude.read`; recorded values are only looked at to compare. A line for each framework:

    name: N records, M match, worst relative error E, first misses: ids

and exit code 1 unless all match. The tolerance is 1e-10 of the value and 1e-15 of the peak; 5e-6 of the value for what was
computed in float32, which is read as TensorFlow computes it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import etude
from benchmarks.recreate import CASES
from etude.arrays import Scalar
from etude.plan import Plan
from etude.schedule import Frame

_SHOWN = 5  # misses named on a line


class BrokenFileError(Exception):
    """A file that holds no traces."""


class Outcome(NamedTuple):
    """One record: whether it matches, how far off, our own values or why they were refused."""

    identity: str
    framework: str
    matches: bool
    error: float
    dump: dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="golden traces: .jsonl.gz, .jsonl or .json")
    parser.add_argument("--dump", type=Path, metavar="OUT.jsonl.gz", help="write our own values at the recorded steps")
    options = parser.parse_args(arguments)
    try:
        outcomes = [judge(record) for path in options.files for record in records(path)]
    except BrokenFileError as error:
        print(f"fidelity: {error}", file=sys.stderr)
        return 2
    if not outcomes:
        print(f"fidelity: no record in {', '.join(map(str, options.files))}", file=sys.stderr)
        return 2
    if options.dump:
        with gzip.open(options.dump, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": outcome.identity, **outcome.dump}) + "\n" for outcome in outcomes)
    for line in report(outcomes):
        print(line)
    return 0 if all(outcome.matches for outcome in outcomes) else 1


def records(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a file."""
    try:
        packed = path.read_bytes()
        text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
        found = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except (EOFError, OSError, RecursionError, ValueError, zlib.error) as error:
        raise BrokenFileError(f"{path} holds no traces: {error}") from None
    for number, record in enumerate(found):
        needed = ("id", "framework", "schedule" if isinstance(record, dict) and "schedule" in record else "settings")
        missing = [key for key in needed if key not in record] if isinstance(record, dict) else list(needed)
        if missing:
            raise BrokenFileError(f"{path}: record {number} has no {missing[0]}")
        yield record


def report(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield a line for each framework."""
    by_framework: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_framework.setdefault(outcome.framework, []).append(outcome)
    for framework, found in by_framework.items():
        misses = [outcome.identity for outcome in found if not outcome.matches]
        worst = max(outcome.error for outcome in found)
        line = f"{framework}: {len(found)} records, {len(found) - len(misses)} match, worst relative error {worst:.2g}"
        yield line + (f", first misses: {', '.join(misses[:_SHOWN])}" if misses else "")


def judge(record: Mapping[str, Any]) -> Outcome:
    """Recreate a record and compare."""
    identity, framework = record["id"], record["framework"]
    try:
        plan, ticks = recreate(record)
        ours = values(plan, ticks)
    except etude.InputError as error:
        # refused rightly where the framework refused as well, and never otherwise
        return Outcome(identity, framework, "error" in record, 0.0, {"refused": str(error)})
    if "error" in record:
        return Outcome(identity, framework, False, math.inf, ours)
    single = record.get("dtype") == "float32"
    error, matches = 0.0, bool(ours["lr"])  # nothing recorded is nothing met
    for name in ("lr", "momentum", "weight_decay"):
        theirs = table(record, name, len(ours["lr"]))
        if theirs is None:
            continue
        mine = ours[name] or [[0.0] * len(row) for row in theirs]
        peak = max((abs(value) for row in theirs for value in row if math.isfinite(value)), default=0.0)
        for a, b in ((a, b) for row, other in zip(mine, theirs, strict=True) for a, b in zip(row, other, strict=True)):
            apart = abs(a - b)
            error = max(error, 0.0 if apart <= 1e-15 * peak else apart / abs(b) if b else math.inf)
            matches = matches and (apart <= (5e-6 if single else 1e-10) * abs(b) + 1e-15 * peak)
    if record.get("accumulate") is not None:
        matches = matches and (ours["accumulate"] or [1.0] * len(ticks)) == record["accumulate"]
    return Outcome(identity, framework, matches, error, ours)


def recorded_steps(record: Mapping[str, Any]) -> list[int]:
    steps = record.get("steps")
    return list(range(len(record.get("lr", ())))) if steps is None else list(steps)


def table(record: Mapping[str, Any], name: str, rows: int) -> list[list[float]] | None:
    """Return what was recorded of a hyperparameter, a row of all groups a step; None where it was not scheduled."""
    found, groups = record.get(name), len(record["groups"])
    if found is None:
        return None
    if name == "weight_decay" and not isinstance(found, list):
        return [[float(found)] * groups] * rows  # one for all
    if name == "weight_decay" and not isinstance(found[0], list):
        return [[float(value) for value in found]] * rows  # one a group, for the whole run
    return [[float(value) for value in (row if isinstance(row, list) else [row] * groups)] for row in found]


def values(plan: Plan, ticks: list[float]) -> dict[str, Any]:
    """Return a plan's values at some ticks, as the dump has them."""
    rows = plan.rows(ticks)
    return {**{name: rows.get(name) for name in ("lr", "momentum", "weight_decay")}, "accumulate": accumulation(plan, ticks)}


def accumulation(plan: Plan, ticks: list[float]) -> list[float] | None:
    """Return how many batches an update takes at some ticks, None where each is one."""
    wanted = plan.run.accumulate
    if not isinstance(wanted, etude.Schedule):
        return None if wanted == 1 else [float(wanted)] * len(ticks)
    count = wanted.bind(Frame(plan.clock, span=plan.clock.total)).value
    return [float(round(count(tick, Scalar))) for tick in ticks]


def recreate(record: Mapping[str, Any]) -> tuple[Plan, list[float]]:
    """Return the plan of a record's settings, and the ticks of its steps."""
    if record["framework"] not in CASES:
        raise etude.InputError(f"there is no reader for {record['framework']} yet")
    case = CASES[record["framework"]](record)
    recipe = etude.read(case.description, dialect=case.dialect).override(**case.facts)
    plan = (replace(recipe, groups=case.groups) if case.groups else recipe).plan()
    names = plan.watched()
    if names:
        plan = plan.fed((update, names[0], value) for update, value in case.metrics)
    indices = [case.first + step * case.stride for step in recorded_steps(record)]
    # what is recorded by iteration is read by batch; past the end values are held
    return plan, [min(float(index), plan.clock.total) if plan.recipe.clock == "batch" else plan.tick(index) for index in indices]


if __name__ == "__main__":
    sys.exit(main())
