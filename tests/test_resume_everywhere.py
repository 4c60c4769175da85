"""Every family, every step, both orders of loading, numbers and tensors, in a fresh process: the run that never stopped, exactly."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from etude.text import families
from tests import resuming
from tests.resuming import HOW, ORDERS, RUN, TEXTS, made, update


def whole(text, how):
    """The states before each update of a run that never stops, the rates applied, and its weights in the end."""
    parts = made(text, how)
    states, rates = [], []
    for step in range(RUN.steps):
        states.append(
            {
                "text": text,
                "how": how,
                "step": step,
                "net": copy.deepcopy(parts[0].state_dict()),
                "optimizer": copy.deepcopy(parts[1].state_dict()),
                "driver": copy.deepcopy(parts[2].state_dict()),
            }
        )
        rates.append(update(parts, step))
    return states, rates, torch.cat([parameter.detach().flatten() for parameter in parts[0].parameters()]).tolist()


def test_every_family_is_tried():
    assert {name for name in families if any(f"{name}(" in text for text in TEXTS)} == set(families)


@pytest.mark.parametrize("how", HOW)
def test_resumed_in_a_fresh_process_it_is_the_run_that_never_stopped(how, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = [whole(text, how) for text in TEXTS]
    states = [state for run in runs for state in run[0]]
    path = tmp_path / "states.pt"
    torch.save(states, path)
    subprocess.run([sys.executable, "-m", "tests.resuming", str(path)], check=True, cwd=Path(resuming.__file__).parent.parent)
    found = iter(torch.load(f"{path}.out", weights_only=True))
    for _, rates, weights in runs:
        for step in range(RUN.steps):
            for order, (again, ended) in zip(ORDERS, next(found), strict=True):
                assert (again, ended) == (rates[step:], weights), order
