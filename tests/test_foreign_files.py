"""Files of other frameworks on the command line: recognised, refused, with the settings that go beside them; real ones, and damaged ones."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import etude
from etude import InputError
from etude.cli import main
from etude.dialects import pyyaml, recognised
from tests.fuzz_readers import SEEDS, mutated, target

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
HYP, ARGS, PADDLE = SEEDS[0], SEEDS[1], SEEDS[6]


def run(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def files(tmp_path):
    for name, text in (("hyp.yaml", HYP), ("args.yaml", ARGS), ("det.yml", PADDLE)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_foreign_file_is_shown_with_what_was_made_of_it(files):
    code, out, err = run("show", files / "hyp.yaml", "--samples", 1600, "--batch-size", 40, "--epochs", 30)
    assert (code, err) == (0, "")
    assert out.startswith("hyp: SGD, lr 0.01, momentum 0.9, nesterov True, weight_decay 0\n")
    assert "1600 samples / 40 a batch = 40 batches an epoch" in out
    assert "a step every rounded(table(" in out
    assert "weight_decay 0.0005 becomes 0.000625: times batch size 40 * accumulate 2 / nbs 64" in out
    code, out, _ = run("show", files / "det.yml", "--steps-per-epoch", 100)
    assert (code, out.splitlines()[0]) == (0, "det: Adam, lr 0.001, betas [0.9, 0.999], weight_decay 1e-05, eps 1e-08")
    assert 'chain(linear(0, 1, over="2 epochs"), cosine(1, 0, over="100%"))' in out


def test_what_a_file_leaves_open_is_asked_for_in_one_line(files):
    code, out, err = run("table", files / "hyp.yaml")
    assert (code, out) == (2, "")
    said = "warmup, accumulation and weight decay follow from the run: give --epochs, --samples and --batch-size"
    assert err == f"etude: {files / 'hyp.yaml'}: {said}\n"
    assert run("table", files / "det.yml")[2].endswith("give --steps-per-epoch, or --samples and --batch-size\n")


def test_settings_of_a_command_line_are_set_beside_the_file(files):
    facts = ("--samples", 1600, "--batch-size", 64, "--epochs", 30)
    assert "linear(1, 0.1)" in run("show", files / "hyp.yaml", *facts, "--set", "cos_lr=false")[1]
    code, out, _ = run("show", files / "hyp.yaml", *facts, "--set", "cos_lr=true", "--set", "optimizer=Adam")
    assert (code, "cosine(1, 0.1)" in out, out.startswith("hyp: Adam")) == (0, True, True)
    assert (
        run("show", files / "det.yml", "--steps-per-epoch", 9, "--set", "Global.epoch_num=7")[1].count(
            "7 epochs x 9 steps = 63 steps"
        )
        == 1
    )
    assert run("show", files / "det.yml", "--set", "epochs")[2] == "etude: --set must be KEY=VALUE, got 'epochs'\n"
    assert run("table", "yolov5", "--set", "lr0=1")[0] == 2


def test_as_insists_on_a_dialect(files):
    facts = ("--samples", 1600, "--batch-size", 64, "--epochs", 30)
    assert "ignored: lr0" in run("show", files / "hyp.yaml", "--as", "ultralytics", "--set", "nc=80", *facts)[1]
    code, _, err = run("show", files / "det.yml", "--as", "yolov5", *facts)
    assert (code, err) == (2, f"etude: {files / 'det.yml'}: YOLOv5: 'warmup_epochs' is missing\n")
    assert "there is no dialect 'yolo'; did you mean 'yolox'" in run("show", files / "det.yml", "--as", "yolo")[2]
    (files / "bare.yaml").write_text(HYP.replace("anchor_t: 4.0", "").replace("cos_lr: true", "").replace("resume_epoch: 1", ""))
    err = run("show", files / "bare.yaml", *facts)[2]
    assert "this may be yolov5 or ultralytics: say which, with --as yolov5" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("seed", "right", "wrong"),
    [
        (1, "warmup_epochs: 3.0", "warmup_epoch: 3.0"),
        (1, "optimizer: auto", "optimiser: auto"),
        (2, "min_lr_ratio: 0.05", "min_lr_ration: 0.05"),
        (4, "lr_decay_type: step", "lr_decay_typ: step"),
        (4, "Freeze_Epoch: 5", "Freeze_Epochs: 5"),
        (11, "num_train_epochs: 3", "num_train_epoch: 3"),
    ],
)
def test_a_setting_that_is_misspelt_is_refused(tmp_path, seed, right, wrong):
    assert right in SEEDS[seed]
    (tmp_path / "a.yaml").write_text(SEEDS[seed].replace(right, wrong))
    code, _, err = run("show", tmp_path / "a.yaml", "--samples", 1600, "--batch-size", 64)
    assert (code, err.count("\n")) == (2, 1)
    assert f"has no setting '{wrong.partition(':')[0]}'; did you mean '{right.partition(':')[0]}'?" in err


def test_a_file_of_nobody_says_what_was_looked_for(tmp_path):
    (tmp_path / "a.yaml").write_text("lr: 0.1\nscheduler: cosine\n")
    code, _, err = run("show", tmp_path / "a.yaml")
    assert code == 2
    assert err.startswith(f"etude: {tmp_path / 'a.yaml'} is no recipe: looked for `etude: 1` and what tells ")
    for dialect in (
        "yolov5",
        "ultralytics",
        "yolox",
        "bubbliiiing",
        "paddleocr",
        "paddle",
        "transformers",
        "timm",
        "optax",
        "torch",
        "keras",
    ):
        assert f" {dialect} (" in err
    assert err.count("\n") == 1


def test_every_seed_is_known_for_what_it_is():
    found = [recognised(pyyaml.load(seed, "seed")) for seed in SEEDS]
    assert found == [
        *(
            "yolov5",
            "ultralytics",
            "yolox",
            "yolox",
            "bubbliiiing",
            "bubbliiiing",
            "paddleocr",
            "paddleocr",
            "paddleocr",
            "paddle",
            "paddle",
        ),
        *("transformers", "transformers", "timm", "optax", "torch", "keras", "keras"),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_become_a_recipe_or_a_line(tmp_path, seed):
    chance = random.Random(seed)
    for _ in range(12):
        target(mutated(chance.choice(SEEDS), chance), tmp_path)


EXTREMES = [[1], {}, {"name": []}, None, "x" * 5_000, "two\nlines", "1e-3", True, -1, 0, 0.5, 10**400, 1e308, -1e308, 1e-320]
EXTREMES += [float("inf"), float("nan")]


def nested(plain, path=()):
    """Yield the path of every key in a description."""
    for key, value in plain.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from nested(value, (*path, key))


@pytest.mark.parametrize("index", range(len(SEEDS)))
def test_any_value_anywhere_becomes_a_recipe_or_a_line(index):
    plain = yaml.safe_load(SEEDS[index])
    dialect = recognised(plain)
    for path in nested(plain):
        for extreme in EXTREMES:
            damaged = copy.deepcopy(plain)
            inner = damaged
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = extreme
            begun = time.perf_counter()
            try:
                plan = etude.read(damaged, dialect=dialect).override(epochs=3, samples=64, batch_size=8).plan()
                plan.at(0)
                assert all("\n" not in note for note in plan.recipe.notes)
            except InputError as error:
                assert "\n" not in str(error), (path, extreme)
                assert len(str(error)) < 1_000, (path, str(error))
            assert time.perf_counter() - begun < 1, (path, extreme)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00a", b"lr0: \xe9", b"\x00" * 100, b"a: '" + b"x" * 10_000_000, b"&a [*a]", b"", b"{", b"\xef\xbb\xbf"]
)
def test_bytes_that_are_no_file_of_anybody_are_one_line(tmp_path, data):
    target(data, tmp_path)
    (tmp_path / "a.yaml").write_bytes(data)
    code, out, err = run("show", tmp_path / "a.yaml")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_reading_opens_nothing_but_the_file(tmp_path, monkeypatch):
    (tmp_path / "opt.yaml").write_text("hyp: ../secret.yaml\nepochs: 3\nbatch_size: 4\nlr0: 0.1\nlrf: 0.1\n")
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *more, **options: opened.append(self) or real(self, *more, **options))
    with pytest.raises(InputError, match=r"hyp names the file '../secret.yaml'"):
        etude.read(tmp_path / "opt.yaml", dialect="yolov5").plan(etude.Run(samples=9))
    assert opened == [tmp_path / "opt.yaml"]


@pytest.mark.skipif(not CORPUS.exists(), reason="real config files are not beside this checkout")
def test_every_real_file_is_shown():
    refused = []
    files = sorted(CORPUS.rglob("*.y*ml"))
    facts = {"paddleocr": ("--steps-per-epoch", 100), "yolov5": ("--samples", 117266, "--batch-size", 16, "--epochs", 300)}
    assert len(files) == 190
    for path in files:
        given = facts.get(path.relative_to(CORPUS).parts[0], ("--samples", 500_000))
        code, out, err = run("show", path, *given)
        assert code in (0, 2), path
        assert (err == "") if code == 0 else err.count("\n") == 1
        if code:
            refused.append((path.name, err))
        else:
            assert "the last step, lr" in out
    # PaddleOCR itself refuses it
    assert [name for name, _ in refused] == ["kie_unet_sdmgr.yml"]
    assert "the values must be one more than the boundaries, got 3 values for 3 boundaries" in refused[0][1]
