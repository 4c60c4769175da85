"""The fidelity bench: what it counts, and that every recorded trace at hand is met."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from benchmarks import fidelity

OWN = Path(__file__).parent / "golden" / "fidelity.jsonl.gz"
RECORDED = Path(__file__).parents[2] / "shared" / "golden"


def run(capsys, *words):
    code = fidelity.main([str(word) for word in words])
    return code, capsys.readouterr().out.splitlines()


def test_every_trace_that_is_shipped_is_met(capsys):
    code, lines = run(capsys, OWN)
    assert code == 0, lines
    counts = {line.partition(":")[0]: int(line.split()[1]) for line in lines}
    yolo = {"yolov5": 13, "yolov5-tutorial": 4, "yolov5-classify": 3, "ultralytics": 22, "yolox": 8, "bubbliiiing": 12}
    mm = {"mmcv1": 351, "mmengine": 223}
    assert counts == {"torch": 80, "tf1": 3, "keras": 10, **yolo, "paddleocr": 69, "paddle": 26, "hf": 39, "timm": 37, **mm}


@pytest.mark.skipif(not RECORDED.exists(), reason="recorded traces of the real frameworks are not beside this checkout")
@pytest.mark.parametrize(
    "name",
    [
        *("torch.jsonl.gz", "refused_torch.json", "tf_keras.jsonl.gz"),
        *("yolo.jsonl.gz", "paddle.jsonl.gz", "refused_paddleocr.json", "hf_timm.jsonl.gz"),
        *("mmdet.jsonl.gz", "mm_synthetic.jsonl.gz", "mmengine.jsonl.gz"),
    ],
)
def test_every_trace_that_was_recorded_is_met(capsys, name):
    code, lines = run(capsys, RECORDED / name)
    assert code == 0, lines


@pytest.fixture
def traces(tmp_path):
    """Four records: one that is met, one that is not, one that must be refused, one of nobody."""
    scheduler = {"name": "ExponentialLR", "gamma": 0.5}
    record = {"framework": "torch", "groups": ["g"], "steps": [0, 2], "lr": [[1.0], [0.25]], "dtype": "float64"}
    settings = {"scheduler": scheduler, "optimizer": {"lr": 1.0}, "n_steps": 3}
    refused = {"scheduler": {"name": "StepLR", "step_size": 0}, "optimizer": {"lr": 1.0}, "n_steps": 3}
    rows = [
        {"id": "met", "settings": settings, **record},
        {"id": "missed", "settings": settings, **record, "lr": [[1.0], [0.26]]},
        {"id": "refused", "framework": "torch", "settings": refused, "error": "ZeroDivisionError"},
        {"id": "unknown", "settings": {}, **record, "framework": "somebody's"},
    ]
    path = tmp_path / "traces.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    return path


def test_misses_are_counted_and_named(traces, tmp_path, capsys):
    code, lines = run(capsys, traces, "--dump", tmp_path / "out.jsonl.gz")
    assert code == 1
    assert lines == [
        "torch: 3 records, 2 match, worst relative error 0.038, first misses: missed",
        "somebody's: 1 records, 0 match, worst relative error 0, first misses: unknown",
    ]
    with gzip.open(tmp_path / "out.jsonl.gz", "rt") as file:
        dumped = [json.loads(line) for line in file]
    values = {"lr": [[1.0], [0.25]], "momentum": [[0.0], [0.0]], "weight_decay": [[0.0], [0.0]], "accumulate": None}
    assert dumped == [
        {"id": "met", **values},
        {"id": "missed", **values},
        {"id": "refused", "refused": "StepLR: step_size must be a whole number of at least 1, got 0"},
        {"id": "unknown", "refused": "there is no reader for somebody's yet"},
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", "[[[", "3", '{"id": "a"}'])
def test_a_file_without_traces_is_one_line_and_exit_code_2(tmp_path, capsys, text):
    (tmp_path / "a.jsonl").write_text(text)
    assert fidelity.main([str(tmp_path / "a.jsonl")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("fidelity: ")
    assert fidelity.main([str(tmp_path / "none.jsonl.gz")]) == 2


def test_an_accumulation_that_differs_is_a_miss(tmp_path, capsys):
    with gzip.open(OWN, "rt") as file:
        record = next(found for line in file if (found := json.loads(line))["framework"] == "yolov5")
    assert record["accumulate"]
    (tmp_path / "a.json").write_text(json.dumps([record]))
    assert run(capsys, tmp_path / "a.json")[0] == 0
    record["accumulate"][0] += 1
    (tmp_path / "a.json").write_text(json.dumps([record]))
    assert run(capsys, tmp_path / "a.json")[0] == 1


def test_a_record_without_values_is_not_met(tmp_path, capsys):
    settings = {"scheduler": {"name": "StepLR", "step_size": 3}, "n_steps": 3}
    (tmp_path / "a.json").write_text(json.dumps([{"id": "a", "framework": "torch", "settings": settings, "groups": ["a"]}]))
    assert run(capsys, tmp_path / "a.json")[0] == 1


def test_what_the_framework_refuses_and_we_do_not_is_a_miss(tmp_path, capsys):
    settings = {"scheduler": {"name": "StepLR", "step_size": 3}, "optimizer": {"lr": 1.0}, "n_steps": 3}
    (tmp_path / "a.json").write_text(json.dumps([{"id": "a", "framework": "torch", "settings": settings, "error": "ValueError"}]))
    code, lines = run(capsys, tmp_path / "a.json")
    assert (code, lines) == (1, ["torch: 1 records, 0 match, worst relative error inf, first misses: a"])
