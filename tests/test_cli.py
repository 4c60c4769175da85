"""Command lines as a user types them: what is printed, where, and the exit code."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import etude
from etude.cli import COMMANDS, main


def run(*words):
    """Call the command line in this process; (exit code, stdout, stderr)."""
    result = CliRunner().invoke(main, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def typed(*words):
    """Type a command line into a process of its own."""
    done = subprocess.run([sys.executable, "-m", "etude", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_help_lists_the_commands():
    code, out, _ = typed("--help")
    assert code == 0
    assert all(f"\n  {command} " in out for command in COMMANDS)


def test_table_json_is_the_contract():
    code, out, err = typed("table", "yolov5", "--format", "json")
    assert (code, err) == (0, "")
    table = json.loads(out)
    plan = etude.read("yolov5").plan()
    assert list(table) == ["steps", "groups", "lr", "momentum", "weight_decay", "accumulate"]
    assert table["steps"] == list(range(3000))
    assert table["groups"] == ["norm", "weight", "bias"]
    for name in ("lr", "momentum", "weight_decay"):
        assert table[name] == plan.table()[name].tolist()
    assert table["accumulate"] is None


def test_table_of_an_expression():
    code, out, _ = run("table", "cosine(1, 0)", "--steps", "3", "--lr", "0.1")
    assert code == 0
    assert out == "step  lr/all\n   0     0.1\n   1   0.075\n   2   0.025\n"
    table = json.loads(run("table", "cosine(1, 0)", "--steps", "3", "--format", "json")[1])
    assert (table["groups"], table["momentum"], table["weight_decay"]) == (["all"], None, None)


def test_table_csv_has_every_digit():
    plan = etude.read("one-cycle").plan()
    _, out, _ = run("table", "one-cycle", "--every", "1000", "--format", "csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["step"] for row in rows] == ["0", "1000", "2000", "2999"]
    assert [float(row["lr/all"]) for row in rows] == [plan.at(step)["lr"]["all"] for step in (0, 1000, 2000, 2999)]
    assert [float(row["momentum/all"]) for row in rows] == [plan.at(step)["momentum"]["all"] for step in (0, 1000, 2000, 2999)]


def test_table_by_batch():
    words = (
        "table",
        "linear(1, 0)",
        "--epochs",
        "2",
        "--samples",
        "100",
        "--batch-size",
        "10",
        "--accumulate",
        "4",
        "--format",
        "json",
    )
    by_step = json.loads(run(*words)[1])
    assert by_step["accumulate"] == [4, 4, 2, 4, 4, 2]
    by_batch = json.loads(run(*words, "--by", "batch")[1])
    assert by_batch["steps"] == list(range(20))
    assert [row[0] for row in by_batch["lr"]] == [
        by_step["lr"][k][0] for k in (0,) * 4 + (1,) * 4 + (2,) * 2 + (3,) * 4 + (4,) * 4 + (5,) * 2
    ]


def test_table_at():
    assert [line.split()[0] for line in run("table", "yolov5", "--at", "0,10,500")[1].splitlines()] == ["step", "0", "10", "500"]


def test_show_says_what_matters():
    code, out, _ = run("show", "yolov5")
    assert code == 0
    for line in (
        "yolov5: SGD, lr 0.01, momentum 0.937, nesterov True, weight_decay 0",
        "  600 samples / 20 a batch = 30 batches an epoch",
        "  100 epochs x 30 steps = 3000 steps",
        "  weight  kind weight or embedding: lr 0.01, momentum 0.937, weight_decay 0.0005",
        '  momentum: linear(abs(0.8), 1, over="1000 batches")',
        "  step 1000, epoch 33: lr warmup ends: norm 0.00803617, weight 0.00803617, bias 0.00803617",
    ):
        assert line in out.splitlines()
    assert "lr of bias\n     0.1 ┤⠑" in out


def test_show_says_what_the_runs_end_cuts():
    _, out, _ = run("show", "yolov5", "--epochs", "10")
    assert "ignored or cut" in out
    assert "  lr of norm, weight, bias: warmup ends at step 1000, after the run's 300 steps: cut by its end" in out


def test_show_says_what_is_ignored(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "etude: 1\noptimizer: {name: SGD, lr: 1}\ngroups: {a: {schedules: {lr: 'constant(1)'}}}\n"
        "schedules: {lr: 'cosine(1, 0)'}\nrun: {steps: 5, samples: 100, batch_size: 5, steps_per_epoch: 5}\n"
    )
    _, out, _ = run("show", str(path))
    assert "  schedules.lr: every group has its own" in out
    assert "  run.samples: steps_per_epoch is given, and counts" in out


def test_flags_fill_in_and_override():
    _, out, _ = run("show", "yolov5", "--samples", "605", "--batch-size", "10", "--epochs", "3", "--lr", "0.5")
    assert "605 samples / 10 a batch = 61 batches an epoch (ceil of 60.5; with drop_last 60)" in out
    assert "3 epochs x 61 steps = 183 steps" in out
    assert "lr 0.5" in out


@pytest.mark.filterwarnings("always")
def test_a_logged_metric_is_replayed(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,val_loss\n0,1.0\n1,1.0\n2,1.0\n")
    words = ("plateau(0.1, patience=1)", "--epochs", "5", "--steps-per-epoch", "1", "--metrics", str(log))
    code, out, err = run("table", *words)
    assert (code, err) == (0, f"note: {log} ends at epoch 2, the run at 4: after it nothing more is decided\n")
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["1", "1", "1", "0.1", "0.1"]
    shown = run("show", *words)[1]
    assert "  step 3, epoch 3: lr times 0.1: val_loss 1: all 0.1" in shown.splitlines()
    assert "plateau on val_loss: 3 values of it are replayed" in shown
    assert "plateau on val_loss: shown as if it never decided; --metrics FILE.csv replays a log" in run("show", *words[:-2])[1]
    assert run("plot", "constant(1)", *words, "-o", str(tmp_path / "a.svg"))[0] == 0  # beside one that waits for nothing


def test_a_file_of_another_framework_is_shown_with_its_notes(tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_text('{"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 20}, "optimizer": {"lr": 0.5}}')
    code, out, _ = run("show", str(path))
    assert code == 0
    assert "  20 steps in the run, as given" in out
    assert "notes\n  OneCycleLR ends after 20 steps: torch raises there, here its last value is held\n" in out
    assert "  optimizer.lr 0.5: OneCycleLR sets its own, from max_lr" in out
    assert run("table", str(path), "--at", "5")[1].split()[-3:] == ["0.1", "0.85", "0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("table", "cosine(1, 0)", "--steps", "9", "--metrics", "x.csv"),
            "x.csv: no schedule of cosine(1, 0) waits for a metric",
        ),
        (("table", "plateau(0.1)", "--steps", "9", "--metrics", "/no/such.csv"), "/no/such.csv is no file"),
        (("tabel", "yolov5"), "etude: no command 'tabel'; did you mean 'table'?"),
        (("table", "yolo5"), "etude: 'yolo5' is no file, no ready recipe"),
        (("table",), "etude: Missing argument 'RECIPE'."),
        (("table", "cosine(1, 0)"), "fills the run, and this run has no end: give --epochs or --steps"),
        (("table", "linear(0, 1, over='3 epochs')", "--steps", "9"), "give --steps-per-epoch, or --samples and --batch-size"),
        (("table", "constant(1)"), "the run has no end: give --epochs or --steps"),
        (("table", "cosine(1, 0", "--steps", "9"), "is not a complete expression"),
        (("table", "cosine(1, nan)", "--steps", "9"), "unknown name 'nan'"),
        (("table", "cosine(1, 0)", "--steps", "0"), "steps must be a whole number above 0, got 0"),
        (("table", "cosine(1, 0)", "--steps", "x"), "Invalid value for '--steps'"),
        (("table", "cosine(1, 0)", "--epochs", "-1"), "epochs must be a number above 0, got -1"),
        (("table", "yolov5", "--at", "1,x"), "--at must be whole numbers with commas between"),
        (("table", "yolov5", "--at", "-1"), "a step must be a whole number, 0 or above, got -1"),
        (("table", "yolov5", "--every", "0"), "--every must be a whole number above 0, got 0"),
        (("table", "yolov5", "--every", "2", "--at", "1"), "give either --at or --every, got both"),
        (
            ("table", "yolov5", "--accumulate", "linear(1"),
            "--accumulate must be a whole number or a schedule: 'linear(1' is not a",
        ),
        (("table", "yolov5", "--accumulate", "²"), "--accumulate must be a whole number or a schedule"),
        (("table", "yolov5", "--epochs", "inf"), "epochs must be a number above 0, got inf"),
        (("table", "yolov5", "--epochs", "nan"), "epochs must be a number above 0, got nan"),
        (("table", "cosine(1, 0)", "--steps", "1" + "0" * 18), "steps must be at most 9007199254740992, got a larger number"),
        (("table", "cosine(1, 0)", "--steps", "1" + "0" * 15), "is more than the 2000000 that are printed: use --every or --at"),
        (("table", "constant(1e300)", "--lr", "1e300", "--steps", "3"), "the values are not finite at step 0"),
        (
            ("train", "linear(1, -1)", "--steps", "10", "--batch-size", "20", "--out", "x"),
            "lr of group 'all' is below 0 from step 6 on",
        ),
        (("table", "decay(1e10, per='1 step')", "--steps", "99"), "the values are not finite at step 31"),
        (("plot", "yolov5", "-o", "x.pdf"), "a picture must end in .png or .svg, a page in .html, got 'x.pdf'"),
        (("plot", "yolov5", "-o", "/no/such/x.html"), "/no/such/x.html can't be written: No such file or directory"),
        (("plot", "constant(1)", "-o", "x.html"), "the run has no end: give --epochs or --steps"),
        (("plot", "cosine", "--stages", "-o", "x.html"), "--stages makes a picture, .png or .svg, got 'x.html'"),
        (("plot", "yolov5", "-o", "/no/such/x.png"), "/no/such/x.png can't be written: No such file or directory"),
        (("plot", "yolov5", "cosine", "--stages"), "--stages takes one recipe, got 2"),
        (("plot", "steps(0.1, every='9 steps')", "--steps", "20", "--stages"), "--stages needs a shape such as cosine(1, 0)"),
        (("resume", "/no/such/run"), "/no/such/run holds no run: there is no recipe.yaml in it"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(words, message):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("etude: ")
    assert err.count("\n") == 1


def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("etude: 1\noptimizer: {name: SGD, lr: 1}\nrun: {foo: 1}\n")
    code, _, err = run("table", str(path))
    assert (code, err) == (2, f"etude: {path}:3:7: unknown key 'foo' in run; known: " + err.partition("known: ")[2])


def test_past_the_end_is_said():
    code, out, err = run("table", "linear(1, 0)", "--steps", "10", "--at", "9,10,11")
    assert (code, err) == (0, "note: step 10 is past the run's 10 steps; every schedule holds its end there\n")
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["0.1", "0", "0"]


def test_show_warns_of_values_below_nothing():
    assert "beware: lr of group 'all' is below 0 from step 6 on" in run("show", "linear(1, -1)", "--steps", "10")[1]


def test_names_with_signs_of_mathematics_are_drawn_as_they_are(tmp_path):
    (tmp_path / "r.yaml").write_text("etude: 1\nname: '$x_{$'\noptimizer: {name: SGD, lr: 1}\nrun: {steps: 5}\n")
    assert run("plot", str(tmp_path / "r.yaml"), "-o", str(tmp_path / "a.png"))[0] == 0


def test_a_missing_extra_prints_its_pip_line():
    hide = "import sys; sys.modules['matplotlib'] = sys.modules['torch'] = None; from etude.cli import main; main(sys.argv[1:])"
    for words, extra in ((("plot", "cosine"), "plot"), (("train", "cosine"), "torch")):
        done = subprocess.run([sys.executable, "-c", hide, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"pip install 'etude[{extra}]'" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_closed_pipe_is_no_mistake():
    done = subprocess.run(
        f"{sys.executable} -m etude table yolov5 | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("step")
