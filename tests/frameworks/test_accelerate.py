"""Accelerate: the driver given to `prepare`, kept out of it and made after it, in one process and in two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import etude
from tests.frameworks import STEPS, planned

pytest.importorskip("accelerate")

ROOT = Path(__file__).parents[2]
COSINE = etude.read("cosine(1, 0)").override(lr=0.05, steps=STEPS).plan().table()["lr"][:, 0].tolist()


@pytest.fixture(scope="module", params=[1, 2], ids="{} processes".format)
def seen(request, tmp_path_factory):
    """What each process saw."""
    folder = tmp_path_factory.mktemp("accelerate")
    launch = f"torch.distributed.run --standalone --nproc-per-node={request.param}".split()
    done = subprocess.run(
        [sys.executable, "-m", *launch, ROOT / "tests/frameworks/accelerated.py", folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    files = sorted(folder.glob("*.json"))
    assert len(files) == request.param
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("way", ["prepared", "not prepared", "made after"])
def test_what_is_applied_is_the_plan_also_from_a_saved_state(seen, way, accumulate):
    for process in seen:
        run = process[f"{way} {accumulate}"]
        assert run["rows"] == planned()
        assert run["resumed"] == planned(20)
        assert run["updates"] == [STEPS, STEPS]
        assert run["same"], "the weights of both runs"


def test_a_torch_scheduler_ends_as_many_times_too_early_as_there_are_processes(seen):
    """accelerate#2773, #1382, #2165; by design there. Past its end torch's cosine rises again."""
    processes = len(seen)
    for process in seen:
        assert process["processes"] == processes
        ours, peer = process["cosine"], process["peer's cosine"]
        assert ours == COSINE
        assert peer[: STEPS // processes] == pytest.approx(COSINE[::processes])
        if processes == 2:
            assert (ours[30], peer[30]) == (pytest.approx(0.025), 0.0)
            assert (ours[59], peer[59]) == (pytest.approx(3.4262e-5, rel=1e-4), pytest.approx(0.049863, rel=1e-4))


def test_a_metric_given_through_accelerate_counts_once(seen):
    """accelerate#3797: a prepared ReduceLROnPlateau hears each metric once for each process, and loses patience so much sooner."""
    right = [0.05] * 9 + [0.005] * 6 + [0.0005] * 6 + [0.00005] * 6 + [0.000005] * 3
    for process in seen:
        assert process["plateau"] == pytest.approx(right, rel=1e-12)
        peer = right if len(seen) == 1 else [0.05 * 0.1**drop for drop in (0, 0, 1, 2, 3, 4, 5, 6, 7, 7) for _ in range(3)]
        assert process["peer's plateau"] == pytest.approx(peer, rel=1e-12)


def test_called_before_the_first_update_it_tells_so_once_through_the_wrapper_too(seen):
    for process in seen:
        (told,) = process["called first"]
        assert told.startswith("driver.step() was called without an update since its last call")
