"""`etude audit`: logs as people have them, held against a recipe."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from click.testing import CliRunner

import etude
from etude.cli import main
from etude.cli.audit import _meaning

LINEAR = ["--against", "linear(1, 0)", "--lr", "0.1", "--steps", "100"]
COSINE = ["--against", "cosine(1, 0)", "--lr", "0.1", "--steps", "1000"]


def rate(step):
    return 0.1 * (1 - step / 100)


def cosine(step):
    return 0.05 * (1 + math.cos(math.pi * step / 1000))


def audit(path, *arguments):
    done = CliRunner().invoke(main, ["audit", str(path), *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, done.stderr


def written(path, text):
    path.write_text(text if isinstance(text, str) else "\n".join(text) + "\n")
    return path


def test_our_own_table_and_log_are_as_planned(tmp_path):
    yolo = ["yolov5", "--epochs", "40", "--samples", "60"]
    table = CliRunner().invoke(main, ["table", *yolo, "--format", "csv"]).stdout.replace("step,", "step,loss,", 1).splitlines()
    rows = [table[0], *(row.replace(",", ",0.5,", 1) for row in table[1:])]
    code, out, err = audit(written(tmp_path / "a.csv", rows), "--against", *yolo)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'a.csv'} against yolov5: 120 steps from 0 to 119, 1080 values of lr/norm, lr/weight, ")
    assert out.endswith("\nall as planned\n")
    plan = etude.read("yolov5").override(epochs=40, samples=60).plan()
    lines = [json.dumps({"step": step, "epoch": step // 3, "loss": 1.0, **plan.at(step)}) for step in range(120)]
    written(tmp_path / "log.jsonl", lines)
    for path in (tmp_path / "log.jsonl", tmp_path):  # a run's folder too
        assert audit(path, "--against", *yolo)[0] == 0


def test_findings_are_told_in_words_with_exit_code_1(tmp_path):
    path = written(
        tmp_path / "a.csv", ["step,lr/all", *(f"{step},{cosine(min(4 * step, 1000))!r}" for step in range(0, 1000, 50))]
    )
    what = "stepped 4 times per update: looks like Accelerate, which ticks a prepared scheduler once for each process; so the schedule is over at update 250"
    code, out, _ = audit(path, *COSINE)
    assert (code, out.splitlines()[1]) == (
        1,
        f"lr of group all: planned 0.09938, applied 0.09045 since step 50 (step 0 was right): {what}",
    )


def test_a_sparse_log_tells_where_it_was_still_right(tmp_path):
    rows = [(step, cosine(step) if step < 420 else cosine(step - 420)) for step in range(0, 1000, 50)]
    path = written(tmp_path / "a.csv", ["step,lr/all", *(f"{step},{value!r}" for step, value in rows)])
    what = "the schedule began anew at step 420: a scheduler was built there, and its state not loaded"
    assert audit(path, *COSINE)[1].splitlines()[1:] == [
        f"lr of group all: planned 0.05782, applied 0.09978 since step 450 (step 400 was right): {what}"
    ]


FORMS = {
    "a.csv": lambda rows: ["step,lr/all", *(f"{step},{value!r}" for step, value in rows)],
    "quoted.csv": lambda rows: [
        '"global_step","learning_rate","note"',
        *(f'{step},{value!r},"all, well"' for step, value in rows),
    ],
    "lightning.csv": lambda rows: [
        "epoch,lr-SGD,step,train_loss",
        *(f"0,{value!r},{step},\n0,,{step},0.5" for step, value in rows),
    ],
    "a.jsonl": lambda rows: [
        json.dumps({"iteration": step, "train/lr": value, "tags": ["x"], "note": None}) for step, value in rows
    ],
    "nested.jsonl": lambda rows: [json.dumps({"step": step, "lr": {"all": value}}) for step, value in rows],
    "trainer_state.json": lambda rows: json.dumps(
        {
            "best_metric": None,
            "log_history": [{"loss": 1, "learning_rate": value, "epoch": 0.1, "step": step} for step, value in rows],
        },
        indent=2,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read(tmp_path, name):
    path = written(tmp_path / name, FORMS[name]([(step, rate(step)) for step in range(0, 100, 7)]))
    code, out, err = audit(path, *LINEAR)
    assert (code, err) == (0, "")
    assert "15 steps from 0 to 98, 15 values of lr/all" in out
    assert audit(written(path, FORMS[name]([(step, 2 * rate(step)) for step in range(0, 100, 7)])), *LINEAR)[0] == 1


@pytest.mark.parametrize("form", ["simple", "tensor", "bytes"])
def test_event_files_of_tensorboard(tmp_path, form):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    def record(step, value):
        one = Summary.Value(tag="train/learning_rate")
        if form == "simple":
            one.simple_value = value
        else:
            one.tensor.dtype = 1
            if form == "tensor":
                one.tensor.float_val.append(value)
            else:
                one.tensor.tensor_content = __import__("struct").pack("<f", value)
        data = Event(step=step, summary=Summary(value=[Summary.Value(tag="text"), one])).SerializeToString()
        return len(data).to_bytes(8, "little") + bytes(4) + data + bytes(4)

    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(b"".join(record(step, rate(step)) for step in range(100)) + record(100, 0.5)[:-9])  # the last is cut off
    for where in (tmp_path, path):
        code, out, err = audit(where, *LINEAR)
        assert (code, err) == (0, "")
        assert "100 steps from 0 to 99" in out


def test_steps_that_stand_there_twice_count_as_made_last(tmp_path):
    rows = [(step, 0.7) for step in range(20, 30)] + [(step, rate(step)) for step in range(40)]
    assert audit(written(tmp_path / "a.csv", FORMS["a.csv"](rows)), *LINEAR)[0] == 0


@pytest.mark.parametrize("steps", [range(1, 101), range(10, 101, 10)])
def test_a_log_that_counts_from_1_is_told_and_taken_so(tmp_path, steps):
    path = written(tmp_path / "a.csv", FORMS["a.csv"]([(step, rate(step - 1)) for step in steps]))
    code, out, err = audit(path, *LINEAR)
    assert (code, err) == (
        0,
        f"note: {path} counts from 1: its step {steps[0]} is update {steps[0] - 1}, as updates count from 0\n",
    )
    path = written(tmp_path / "b.csv", FORMS["a.csv"]([(0, rate(0)), *((step, rate(step - 1)) for step in steps)]))
    code, out, err = audit(path, *LINEAR)
    assert (code, err) == (1, "")
    assert out.endswith("the schedule stands one step behind\n")


@pytest.mark.parametrize("form", ["%.4f", "%.5g", "%.3e"])
def test_numbers_that_were_rounded_are_compared_as_far_as_they_go(tmp_path, form):
    path = written(tmp_path / "a.csv", ["step,lr", *(f"{step},{form % cosine(step)}" for step in range(1000))])
    assert audit(path, *COSINE)[:1] == (0,)
    path = written(tmp_path / "a.csv", ["step,lr", *(f"{step},{form % (cosine(step) * 1.01)}" for step in range(1000))])
    assert audit(path, *COSINE)[0] == 1


def test_round_numbers_are_not_taken_for_rounded_ones(tmp_path):
    path = written(tmp_path / "a.csv", ["step,lr", *(f"{step},0.1" for step in range(50))])
    code, out, _ = audit(path, *LINEAR)
    assert (code, out.splitlines()[1:]) == (
        1,
        [
            "lr of group all: planned 0.099, applied 0.1 since step 1: it has not moved yet: no scheduler is stepped, or too rarely"
        ],
    )


def test_rates_of_32_bits_agree(tmp_path):
    import numpy as np

    path = written(tmp_path / "a.csv", ["step,lr", *(f"{step},{float(np.float32(cosine(step)))!r}" for step in range(1000))])
    assert audit(path, *COSINE)[0] == 0


def test_columns_are_matched_by_name_or_told(tmp_path):
    groups = ["--against", "yolov5", "--epochs", "2", "--samples", "60"]
    plan = etude.read("yolov5").override(epochs=2, samples=60).plan()
    rows = [plan.at(step) for step in range(6)]
    text = [
        "step,x/lr0,x/lr1,x/lr2,m",
        *(
            f"{step},{','.join(repr(value) for value in row['lr'].values())},{row['momentum']['bias']!r}"
            for step, row in enumerate(rows)
        ),
    ]
    path = written(tmp_path / "a.csv", text)
    code, _, err = audit(path, *groups)
    assert code == 2
    assert (
        "has no column of a learning rate (lr/GROUP, lr, learning_rate, or Lightning's lr-SGD/GROUP), got x/lr0, x/lr1, x/lr2, m: "
        in err
    )
    named = [
        word
        for pair in zip(["--column"] * 4, ["x/lr0=norm", "x/lr1=weight", "x/lr2=bias", "m=momentum/bias"], strict=True)
        for word in pair
    ]
    code, out, err = audit(path, *named, *groups)
    assert (code, err) == (0, "")
    assert "lr/norm, lr/weight, lr/bias, momentum/bias" in out
    assert audit(path, "--column", "x/lr0=bias", *groups)[0] == 1
    path = written(path, [text[0].replace("x/lr0", "lr-SGD/pg1").replace("x/lr1", "lr-SGD/pg2"), *text[1:]])
    code, _, err = audit(path, *groups)
    assert code == 2
    assert (
        "has the columns lr-SGD/pg1, lr-SGD/pg2, and the plan the groups norm, weight, bias: say which is whose, as in --column lr-SGD/pg1=norm"
        in err
    )
    code, _, err = audit(path, "--column", "lr-SGD/pg1=norm", *groups)
    assert (code, err) == (0, "note: not compared, as the plan has the groups norm, weight, bias alone: lr-SGD/pg2\n")


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("lr/bias", ("lr", "bias")),
        ("train/lr/bias", ("lr", "bias")),
        ("learning_rate", ("lr", None)),
        ("momentum/all", ("momentum", "all")),
        ("lr-SGD", ("lr", None)),
        ("lr-AdamW-1/pg2", ("lr", "pg2")),
        ("lr-SGD/bias-momentum", ("momentum", "bias")),
        ("lr-SGD-weight_decay", ("weight_decay", None)),
        ("x/lr0", None),
        ("lr_scale", None),
        ("loss", None),
    ],
)
def test_what_a_column_means(column, meant):
    assert _meaning(column) == meant


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "epoch,lr\n0,1\n", r"a.csv:1: no column says the step (step, global_step, iteration); got epoch, lr"),
        ("a.csv", "", r"a.csv:1: no column says the step (step, global_step, iteration); got none"),
        ("a.csv", "step,lr,lr\n0,1,1\n", "a.csv:1: two columns are called 'lr'"),
        ("a.csv", "step,lr\n0,1\n1\n", "a.csv:3: 1 cells under 2 columns"),
        ("a.csv", "step,lr\n1.5,1\n", "a.csv:2: step must be a whole number, 0 or above, got '1.5'"),
        ("a.csv", "step,lr\n1e999999999,1\n", "a.csv:2: step must be a whole number, 0 or above, got '1e999999999'"),
        ("a.csv", "step,lr\n,1\n", "a.csv:2: step must be a whole number, 0 or above, got ''"),
        ("a.csv", "step,lr\n", "a.csv has no column of a learning rate"),
        ("a.csv", "step,lr\n0,snan\n", "a.csv has no column of a learning rate"),
        ("a.csv", b"step,lr\n0,\xff\n", "a.csv is no text: "),
        ("a.jsonl", '{"lr": 1}\n', "a.jsonl:1: no column says the step"),
        ("a.jsonl", '{"step": 0, "lr": 1}\n3\n', "a.jsonl:2: an object with its step is expected, got Decimal"),
        ("a.jsonl", '{"step": 0, "lr": 1}\n{"step"\n{}\n', "a.jsonl:2 is no JSON: "),
        ("a.jsonl", '{"step": null, "lr": 1}\n', "a.jsonl:1: step must be a whole number, 0 or above, got 'None'"),
        ("a.json", "{\n" + '"a": ' + "[" * 100_000, "a.json is no JSON, nor lines of it: "),
        ("a.json", '{\n"a": 1}', "a.json is JSON without a list `log_history`; a log is an object a line, with its step"),
        (
            "a.tfevents.1",
            b"\xff" * 40,
            "a.tfevents.1 is no event file of TensorBoard's: its record at byte 0 has 18446744073709551615 bytes",
        ),
        (
            "a.tfevents.1",
            (9).to_bytes(8, "little") + b"\xff" * 17,
            "a.tfevents.1 is no event file of TensorBoard's: its record at byte 0 can't",
        ),
        ("nix", None, "nix is no file or folder"),
    ],
)
def test_what_is_no_log_is_told_in_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = audit(path, *LINEAR)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_folders_without_a_log_name_the_runs_below(tmp_path):
    assert "holds no event file of TensorBoard's, and no log.jsonl\n" in audit(tmp_path, *LINEAR)[2]
    (tmp_path / "version_0").mkdir()
    (tmp_path / "version_0" / "events.out.tfevents.1.host").write_bytes(b"")
    assert f"; its runs: {tmp_path / 'version_0'}\n" in audit(tmp_path, *LINEAR)[2]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("lr", "--column must be NAME=GROUP, got 'lr'"),
        ("nix=all", "has no column 'nix'; known: lr"),
        ("lr=al", "--column lr=al: the plan has no 'al'; did you mean 'all'?"),
        ("lr=weight_decay/nix", "--column lr=weight_decay/nix: the plan has no"),
    ],
)
def test_columns_that_are_named_wrongly_are_refused(tmp_path, column, message):
    code, _, err = audit(written(tmp_path / "a.csv", "step,lr\n0,1\n"), "--column", column, *LINEAR)
    assert code == 2
    assert message in err


def test_rates_that_are_no_numbers_are_findings(tmp_path):
    code, out, _ = audit(
        written(tmp_path / "a.jsonl", '{"step": 0, "lr": 0.1}\n{"step": 1, "lr": NaN}\n{"step": 2, "lr": 1e999}\n'), *LINEAR
    )
    assert (code, out.splitlines()[1]) == (1, "lr of group all: planned 0.099, applied nan since step 1")


def test_without_tensorboardx_the_cure_is_told(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert "needs tensorboardX, which can't be imported" in audit(tmp_path, *LINEAR)[2]


def test_the_exit_code_of_the_real_command(tmp_path):
    path = written(tmp_path / "a.csv", ["step,lr", "0,0.1", "1,0.2"])
    command = [sys.executable, "-m", "etude", "audit", str(path), *LINEAR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("lr of group all: planned 0.099, applied 0.2 since step 1\n")
