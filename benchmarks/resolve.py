"""Configs of OpenMMLab, resolved here without being run, compared with what the real loaders made of them.

    python -m benchmarks.resolve FOLDER --truth FILE.json

FILE holds a mapping of config paths, below FOLDER, to {"framework": "mmcv1" or "mmengine", "resolved": {...}}, or to
{"framework": ..., "error": "..."} where the loader refuses; a key that begins with `_` is no path. Compared are the optimizer,
the schedule, the runner or loop, clipping and auto_scale_lr. Exit code 1 if any differs, 2 if the files can't be used.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import etude
from etude.dialects.pyconfig import resolve

KEYS = {
    "mmcv1": ("optimizer", "optimizer_config", "lr_config", "momentum_config", "runner", "total_epochs", "auto_scale_lr", "fp16"),
    "mmengine": ("optim_wrapper", "param_scheduler", "train_cfg", "auto_scale_lr", "default_scope"),
}
DIALECTS = {"mmcv1": "mmcv", "mmengine": "mmengine"}
_SHOWN = 10  # misses that are printed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resolve", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the configs are; nothing outside it is read")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE.json", help="what the real loaders made of them")
    options = parser.parse_args(arguments)
    try:
        truth = _records(options.truth)
    except (OSError, ValueError) as error:
        print(f"resolve: {options.truth} holds no truth: {error}", file=sys.stderr)
        return 2
    missing = [path for path in truth if not (options.folder / path).is_file()]
    if missing or not truth:
        print(f"resolve: {len(missing)} of {len(truth)} configs are not below {options.folder}: {missing[:1]}", file=sys.stderr)
        return 2
    counts: Counter[str] = Counter()
    misses, times = [], []
    for path, record in truth.items():
        begun = time.perf_counter()
        problem = judge(options.folder, path, record)
        times.append(time.perf_counter() - begun)
        counts[f"{record['framework']}: {'refused by the loader' if 'error' in record else 'accepted by the loader'}"] += 1
        if problem:
            misses.append(f"{path}: {problem}")
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")
    print(f"{len(truth) - len(misses)} of {len(truth)} match; median {1e3 * statistics.median(times):.1f} ms a config")
    for line in misses[:_SHOWN]:
        print(f"  {line}")
    return 1 if misses else 0


def _records(path: Path) -> dict[str, Mapping[str, Any]]:
    packed = path.read_bytes()
    found = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
    records = {key: record for key, record in found.items() if not key.startswith("_")}
    for key, record in records.items():
        if record.get("framework") not in KEYS or not record.keys() & {"resolved", "error"}:
            raise ValueError(f"{key} has no framework, or neither resolved nor error")
    return records


def judge(folder: Path, path: str, record: Mapping[str, Any]) -> str | None:
    """Return how a config differs from its record; None if it doesn't."""
    try:
        found = resolve(folder / path, root=_root(folder, path))
    except etude.InputError as error:
        return None if "error" in record else f"refused: {error}"
    if "error" in record:
        return f"read, where the loader refuses: {record['error'][:100]}"
    theirs, framework = record["resolved"], record["framework"]
    if found.dialect != DIALECTS[framework] and any(theirs.get(key) is not None for key in KEYS[framework]):
        return f"read as {found.dialect}"
    return next(_differences(found.config, theirs, KEYS[framework]), None)


def _root(folder: Path, path: str) -> Path:
    """Return the folder to stay in: the given one, or what a link in it to a tree of configs leads to."""
    inner = [folder.joinpath(*Path(path).parts[:count]) for count in range(1, len(Path(path).parts))]
    return next((one.resolve() for one in reversed(inner) if one.is_symlink()), folder)


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if (mine := _plain(ours.get(key))) != theirs.get(key):
            yield f"{key} is {str(mine)[:100]}, and should be {str(theirs.get(key))[:100]}"


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    sys.exit(main())
