"""The log holds what was applied, whoever wrote it into the optimizer, and goes on rightly after a resume."""

from __future__ import annotations

import csv
import json

import pytest
import torch

import etude
from etude import InputError
from etude.logs import read_log

YOLO = etude.read("yolov5").override(epochs=40, samples=60)


def built():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    return etude.torch.build(net, YOLO)


def plain():
    return torch.optim.SGD([{"params": [torch.zeros(1)], "name": "a"}, {"params": [torch.ones(1)], "name": "b"}], lr=0.1)


def made(path, steps, updates=0):
    """Drive and record some updates."""
    optimizer = built()
    etude.torch.drive(optimizer, YOLO.plan(), updates=updates)
    with etude.record(optimizer, path, updates=updates):
        for _ in range(steps):
            optimizer.step()


@pytest.mark.parametrize("name", ["applied.csv", "applied.jsonl", "board"])
@pytest.mark.parametrize("stop", [0, 5, 20])
def test_every_form_holds_the_plan_also_after_a_resume(tmp_path, name, stop):
    path, plan = tmp_path / name, YOLO.plan()
    made(path, 20)
    if stop < 20:
        made(path, 30 - stop, updates=stop)  # the steps from there on are made again
    log = read_log(path)
    assert list(log.columns) == [
        f"{name}/{group}" for name in ("lr", "momentum", "weight_decay") for group in ("norm", "weight", "bias")
    ]
    for column in log.columns:
        hyperparameter, group = column.split("/")
        values = [(step, value) for step, value, _ in log.rows(column, None)]
        wanted = [plan.at(step)[hyperparameter][group] for step in range(20 if stop == 20 else 30)]
        if name == "board":
            wanted = torch.tensor(wanted).tolist()  # TensorBoard's scalars have 32 bits
        assert values == list(enumerate(wanted))


def test_the_lines_are_those_of_etude_train(tmp_path):
    made(tmp_path / "a.jsonl", 2)
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert first == {"step": 0, **YOLO.plan().at(0)}
    assert second == {"step": 1, **YOLO.plan().at(1)}


def test_what_a_scheduler_writes_after_an_update_belongs_to_the_next(tmp_path):
    """The fault of transformers#35942: the rate logged was the next step's."""
    optimizer = plain()
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / 2**step)
    with etude.record(optimizer, tmp_path / "a.csv"):
        for _ in range(3):
            optimizer.step()
            scheduler.step()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["lr/a"], row["lr/b"]) for row in rows] == [
        ("0", "0.1", "0.1"),
        ("1", "0.05", "0.05"),
        ("2", "0.025", "0.025"),
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_that_a_kill_cut_off_is_dropped_and_each_line_is_written_at_once(tmp_path, name):
    path, optimizer = tmp_path / name, plain()
    record = etude.record(optimizer, path)
    optimizer.step()
    optimizer.step()
    assert path.read_text().count("\n") == (3 if name == "a.csv" else 2)  # not closed yet
    record.close()
    optimizer.step()
    with path.open("a") as file:
        file.write('{"step": 2, "l' if name == "a.jsonl" else "2,0.")
    with etude.record(optimizer, path, updates=2) as record:
        optimizer.step()
    assert record.updates == 3
    assert [step for step, _, _ in read_log(path).rows("lr/a", None)] == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_group_that_comes_later_has_a_column_from_then_on(tmp_path):
    optimizer = plain()
    with etude.record(optimizer, tmp_path / "a.csv"):
        optimizer.step()
        optimizer.add_param_group({"params": [torch.zeros(1)], "name": 'late, "new"', "lr": 0.5})
        optimizer.step()
    columns = {
        name: [(step, value) for step, value, _ in read_log(tmp_path / "a.csv").rows(name, None)]
        for name in ("lr/a", 'lr/late, "new"')
    }
    assert columns == {"lr/a": [(0, 0.1), (1, 0.1)], 'lr/late, "new"': [(1, 0.5)]}


def test_names_betas_and_tensors(tmp_path):
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=torch.tensor(0.5), betas=(0.8, 0.9))
    with etude.record(optimizer, tmp_path / "a.csv") as record:
        assert record.values() == {"lr": {"all": 0.5}, "momentum": {"all": 0.8}, "weight_decay": {"all": 0.0}}
        optimizer.add_param_group({"params": [torch.ones(1)]})
        assert record.values()["lr"] == {"0": 0.5, "1": 0.5}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", None, r"a.txt must end in .csv or .jsonl, or be a folder, got .txt"),
        ("no/a.csv", None, "a.csv can't be written: No such file or directory"),
        ("a.csv", "epoch,loss\n1,2\n", "a.csv is no log of etude: its first column is 'epoch', not step"),
        ("a.csv", "step,lr\nx,2\n", "a.csv is no log of etude: line 1 of its rows has no step"),
        ("a.csv", b"\xff\xfe\n", "a.csv is no log of etude: it holds no text"),
        ("a.jsonl", "{}\n", "a.jsonl is no log of etude: line 1 of its rows has no step"),
        ("a.jsonl", "[" * 100_000 + "\n", "a.jsonl is no log of etude: line 1 of its rows has no step"),
    ],
)
def test_what_is_no_log_is_left_as_it_is(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        etude.record(plain(), path)
    if text is not None:
        assert path.read_bytes() == (text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: etude.record(3, path / "a.csv"), "a torch optimizer is needed, got int"),
        (
            lambda path: etude.record(plain(), path / "a.csv", updates=-1),
            "a count of updates must be a whole number, 0 or above, got -1",
        ),
        (
            lambda path: etude.record(named("a", "a"), path / "a.csv"),
            "two parameter groups are called 'a': a log needs a 'name' of its own",
        ),
        (
            lambda path: etude.record(named("a", "b\n"), path / "a.csv"),
            r"a parameter group is called 'b\\n': a log needs a name of one",
        ),
        (lambda path: etude.record(plain(), folder(path / "a.csv")), "a.csv is a folder; a log that ends in .csv is a file"),
    ],
)
def test_odd_arguments_are_refused(tmp_path, call, message):
    with pytest.raises(InputError, match=message):
        call(tmp_path)


def named(*names):
    return torch.optim.SGD([{"params": [torch.zeros(1)], "name": name} for name in names], lr=0.1)


def folder(path):
    path.mkdir()
    return path


def test_without_tensorboardx_the_cure_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"needs tensorboardX, .*: pip install 'etude\[tensorboard\]'"):
        etude.record(plain(), tmp_path / "board")


def test_skipped_updates_are_counted_and_have_no_row(tmp_path):
    recipe = etude.read("linear(1, 0)").override(lr=0.1, steps=10)
    for fused, policy, steps in ((False, "hold", [0, 1, 2]), (False, "count", [0, 3, 4]), (True, "hold", [0, 1, 2])):
        net = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD([{"params": net.parameters(), "name": "all"}], lr=0.1, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        driver = etude.torch.drive(optimizer, recipe.plan(), scaler=scaler, skipped=policy)
        path = tmp_path / f"{fused}-{policy}.jsonl"
        with etude.record(optimizer, path):
            for good in (True, False, False, True, True):
                optimizer.zero_grad()
                scaler.scale(net(torch.ones(1, 2) * (1.0 if good else float("inf"))).sum()).backward()
                scaler.step(optimizer)
                scaler.update()
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["step"] for row in rows] == steps
        assert [row["lr"]["all"] for row in rows] == [driver.plan.at(step)["lr"]["all"] for step in steps]
        assert [row.get("skipped") for row in rows] == [None, {"updates": 2}, {"updates": 2}]


def test_a_record_made_before_the_driver_has_the_same_steps(tmp_path):
    recipe = etude.read("linear(1, 0)").override(lr=0.1, steps=10)
    optimizer = torch.optim.SGD([{"params": torch.nn.Linear(2, 1).parameters(), "name": "all"}], lr=0.1)
    with etude.record(optimizer, tmp_path / "log.jsonl"):
        driver = etude.torch.drive(optimizer, recipe.plan())
        for _ in range(3):
            optimizer.step()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["step"], row["lr"]["all"]) for row in rows] == [(step, driver.plan.at(step)["lr"]["all"]) for step in range(3)]


def test_tensors_of_a_driver_are_recorded_and_watched_as_numbers(tmp_path):
    recipe = etude.read("warmup-cosine").override(epochs=2, samples=40, batch_size=10)
    optimizer = etude.torch.build(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2)), recipe)
    etude.torch.drive(optimizer, recipe.plan(), tensors=True)
    watch = etude.watch(optimizer, recipe.plan())
    with etude.record(optimizer, tmp_path / "log.jsonl"):
        for _ in range(8):
            optimizer.step()
    assert watch.findings() == []
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["lr"]["decay"] == pytest.approx(recipe.plan().at(7)["lr"]["decay"], rel=1e-6)
