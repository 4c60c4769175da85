"""The trainer on a tiny net: the plan is applied, a run that was stopped ends in the same weights, nothing is overwritten."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

import etude
from etude import InputError, Run, Stage, Training
from etude.replay import replay
from etude.train.checkpoint import Checkpoints, write_atomically
from etude.train.data import digits, find, load_data
from etude.train.log import read_metrics, read_steps
from etude.train.loop import resume, train
from etude.train.order import batches
from etude.train.resnet import resnet18

RECIPE = etude.read("yolov5").override(epochs=3, samples=100)  # 5 batches an epoch, 15 steps


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's own module, in the folder where the command is typed."""
    (tmp_path / "mine.py").write_text(
        "import torch, random\n"
        "def net(num_classes):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 8), torch.nn.BatchNorm1d(8),\n"
        "                               torch.nn.Dropout(0.2), torch.nn.Linear(8, num_classes))\n"
        "class Noisy(torch.utils.data.Dataset):\n"
        "    def __init__(self, inner): self.inner, self.classes = inner, list('0123456789')\n"
        "    def __len__(self): return len(self.inner)\n"
        "    def __getitem__(self, index):\n"
        "        image, label = self.inner[index]\n"
        "        return image + 0.1 * torch.rand(()) + 0.1 * random.random(), label\n"
        "def data():\n"
        "    from etude.train.data import digits\n"
        "    training, test = digits()\n"
        "    return Noisy(training), torch.utils.data.Subset(test, range(50))\n"
        "def two_classes(num_classes): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 2), torch.nn.BatchNorm1d(2))\n"
        "def too_narrow(num_classes): return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm2d(3))\n"
        "def tied(num_classes):\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 10), torch.nn.BatchNorm1d(10), torch.nn.Linear(10, 10), torch.nn.Linear(10, 10))\n"
        "    net[4].weight = net[3].weight\n"
        "    net[1].weight.requires_grad_(False)\n"
        "    return net\n"
        "def drawn():\n"
        "    import numpy as np\n"
        "    from etude.train.data import digits\n"
        "    training, test = digits()\n"
        "    return torch.utils.data.Subset(training, np.random.permutation(600)[:100]), torch.utils.data.random_split(test, [50, 1147])[0]\n"
        "def not_a_net(): return 3\n"
        "def empty(): return [], []\n"
        "def fails(): return digits\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return etude.Recipe(
        optimizer=RECIPE.optimizer,
        groups=RECIPE.groups,
        schedules=RECIPE.schedules,
        clock="batch",
        run=RECIPE.run,
        train=Training(model="mine:net", data="mine:data", seed=3),
        name="tiny",
    )


def test_a_run_folder_holds_what_it_should(mine, tmp_path):
    metrics = train(mine, tmp_path / "run", quiet=True)
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} == {
        "recipe.yaml", "log.jsonl", "metrics.csv", "checkpoints", "lr.png", "training.png", "model.safetensors"
    }  # fmt: skip
    steps = read_steps(folder)
    plan = mine.plan()
    assert [line["step"] for line in steps] == list(range(15))
    assert [line["epoch"] for line in steps] == [step // 5 for step in range(15)]
    for line in steps:
        assert {name: line[name] for name in ("lr", "momentum", "weight_decay")} == plan.at(line["step"])
    columns = read_metrics(folder)
    assert columns["step"] == [5, 10, 15]
    assert columns["lr/bias"] == [plan.at(step)["lr"]["bias"] for step in (4, 9, 14)]
    assert metrics["test_accuracy"] == columns["test_accuracy"][-1]
    assert etude.read(folder / "recipe.yaml") == mine


def stop_after(monkeypatch, step):
    """Have the run killed, as far as the files can tell, just before an update; every step is saved."""
    from etude.train import loop

    monkeypatch.setattr(Checkpoints, "due", lambda self: True)
    real = loop._Job._backward

    def backward(self, batch, in_step):
        if self.step == step:
            raise KeyboardInterrupt
        return real(self, batch, in_step)

    monkeypatch.setattr(loop._Job, "_backward", backward)


@pytest.mark.parametrize("step", [0, 1, 5, 7, 14])
def test_a_run_stopped_anywhere_ends_in_the_same_weights_and_logs(mine, tmp_path, step):
    train(mine, tmp_path / "whole", quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(KeyboardInterrupt):
            train(mine, tmp_path / "stopped", quiet=True)
    with (tmp_path / "stopped" / "log.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')  # a line cut short, after the last checkpoint
    resume(tmp_path / "stopped", quiet=True)
    whole, stopped = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    for name in ("log.jsonl", "metrics.csv", "recipe.yaml"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    assert resume(tmp_path / "stopped", quiet=True) is None


@pytest.mark.parametrize("step", [4, 10, 13])
def test_a_plateau_is_fed_at_each_epochs_end_and_resumed(mine, tmp_path, step):
    """A metric that never gets better by a tenth reduces from the second epoch on, whether the run was stopped or not."""
    rule = etude.plateau(0.5, patience=0, delta=10)
    recipe = dataclasses.replace(mine, groups={}, schedules={"lr": rule})
    train(recipe, tmp_path / "whole", quiet=True)
    assert [line["lr"]["all"] for line in read_steps(tmp_path / "whole")] == [0.01] * 10 + [0.005] * 5
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "stopped", quiet=True)
    resume(tmp_path / "stopped", quiet=True)
    for name in ("log.jsonl", "metrics.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    # what the run logged is what its log says when it is replayed
    again = replay(recipe.plan(), tmp_path / "whole" / "metrics.csv", {"val_loss": "test_loss"})
    assert [again.at(step)["lr"]["all"] for step in range(15)] == [0.01] * 10 + [0.005] * 5


def test_a_plateau_on_what_is_not_measured_is_refused(mine, tmp_path):
    recipe = dataclasses.replace(mine, groups={}, schedules={"lr": etude.plateau(0.5, metric="val_los")})
    with pytest.raises(InputError, match=r"a plateau waits for 'val_los', which is not measured here; did you mean 'val_loss'\?"):
        train(recipe, tmp_path / "run", quiet=True)


def test_a_real_kill_leaves_a_run_that_goes_on_to_the_same_weights(mine, tmp_path):
    """kill -9, at whatever moment it comes."""
    words = [
        sys.executable,
        "-m",
        "etude",
        "train",
        "yolov5",
        "--epochs",
        "40",
        "--samples",
        "100",
        "--model",
        "mine:net",
        "--data",
        "mine:data",
    ]
    subprocess.run([*words, "--out", "whole"], check=True, capture_output=True)
    child = subprocess.Popen([*words, "--out", "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("killed/checkpoints/step-*.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = subprocess.run([sys.executable, "-m", "etude", "resume", "killed"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    again = subprocess.run([sys.executable, "-m", "etude", "resume", "killed"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "killed is finished already; nothing to do\n")


def test_a_torn_checkpoint_is_named_with_its_cure(mine, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            train(mine, tmp_path / "run", quiet=True)
    newest = Checkpoints(tmp_path / "run" / "checkpoints").paths()[-1]
    whole = newest.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for torn in (b"", b"junk", whole[: len(whole) // 2], bytes(flipped)):
        newest.write_bytes(torn)
        with pytest.raises(
            InputError, match=r"step-00000004.pt is not a whole checkpoint .*: to go on from step-00000003.pt, delete it"
        ):
            resume(tmp_path / "run", quiet=True)
    newest.unlink()
    resume(tmp_path / "run", quiet=True)


def test_a_changed_recipe_is_refused_with_what_differs(mine, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            train(mine, tmp_path / "run", quiet=True)
    path = tmp_path / "run" / "recipe.yaml"
    text = path.read_text()
    for there, here, message in (
        ("lr: 0.01", "lr: 0.02", r"of another recipe \(there -> here\): optimizer.lr: 0.01 -> 0.02"),
        ("seed: 3", "seed: 4", r"of another run \(there -> here\): train.seed: 3 -> 4"),
    ):
        path.write_text(text.replace(there, here))
        with pytest.raises(InputError, match=message):
            resume(tmp_path / "run", quiet=True)


def test_a_log_that_lost_lines_is_told(mine, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            train(mine, tmp_path / "run", quiet=True)
    (tmp_path / "run" / "log.jsonl").write_text("")
    with pytest.raises(
        InputError, match=r"log.jsonl is shorter than when the checkpoint was made \(\d+ bytes\): put it back, or train anew"
    ):
        resume(tmp_path / "run", quiet=True)


def test_nothing_is_overwritten(mine, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.tex").write_text("x")
    with pytest.raises(
        InputError, match=r"there already holds something: go on with `etude resume .*there`, or name another --out"
    ):
        train(mine, tmp_path / "there", quiet=True)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, "old")

    def fails(beside):
        beside.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fails)
    assert path.read_text() == "old"


def test_accumulated_gradients_are_the_mean_over_the_step(mine, tmp_path):
    """Two batches of 10 to a step make the step of one batch of 20, without batch norm and dropout."""
    (tmp_path / "plain.py").write_text(
        "import torch\ndef net(num_classes):\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, num_classes))\n"
    )
    base = etude.read("cosine").override(epochs=2, samples=100, batch_size=20)
    whole = etude.Recipe(optimizer=base.optimizer, schedules=base.schedules, run=base.run, train=Training(model="plain:net"))
    halves = etude.Recipe(
        optimizer=base.optimizer,
        schedules=base.schedules,
        run=base.run.override(batch_size=10, accumulate=2),
        train=Training(model="plain:net"),
    )
    train(whole, tmp_path / "a", quiet=True)
    train(halves, tmp_path / "b", quiet=True)
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.allclose(a[name], b[name], atol=1e-6) for name in a)
    assert len(read_steps(tmp_path / "b")) == 10


def test_stages_freeze_their_groups(mine, tmp_path):
    recipe = etude.Recipe(
        optimizer=mine.optimizer,
        groups={"head": etude.Group(pattern="4.*"), "body": etude.Group()},
        run=Run(samples=40, stages=(Stage(epochs=1, batch_size=20, frozen=("body",)), Stage(epochs=1, batch_size=10))),
        train=mine.train,
    )
    seen = []
    from etude.train import loop

    with pytest.MonkeyPatch.context() as patch:
        real = loop._Job._freeze

        def freeze(self, part):
            real(self, part)
            seen.append([all(p.requires_grad for p in group["params"]) for group in self.optimizer.param_groups])

        patch.setattr(loop._Job, "_freeze", freeze)
        train(recipe, tmp_path / "run", quiet=True)
    assert seen == [[True, False], [True, True]]
    assert len(read_steps(tmp_path / "run")) == 2 + 4


def test_an_epoch_that_goes_several_times_through_the_samples_takes_them_again(mine, tmp_path):
    dataset = {"type": "RepeatDataset", "times": 3, "dataset": {}}
    config = {
        "optimizer": {"type": "SGD", "lr": 0.01},
        "lr_config": {"policy": "step", "step": [1]},
        "runner": {"type": "EpochBasedRunner", "max_epochs": 1},
        "data": {"samples_per_gpu": 16, "train": dataset},
    }
    recipe = etude.read(config)
    train(recipe, tmp_path / "run", model="mine:net", data="mine:data", samples=16, quiet=True)
    again = etude.read(tmp_path / "run" / "recipe.yaml")
    assert (again.run.samples, again.train.samples) == (48, 16)
    assert len(read_steps(tmp_path / "run")) == 3
    seen = [sample for batch in batches(again.plan(), again.train) for sample in batch.samples]
    assert sorted(seen) == sorted([*range(16)] * 3)
    train(again, tmp_path / "again", quiet=True)
    assert read_steps(tmp_path / "again") == read_steps(tmp_path / "run")


def test_the_order_of_data_is_a_function_of_seed_and_epoch():
    plan = etude.read("cosine").override(epochs=3, samples=50, batch_size=20).plan()
    whole = list(batches(plan, Training(seed=1)))
    assert [len(batch.samples) for batch in whole] == [20, 20, 10] * 3
    for start in range(9):
        assert list(batches(plan, Training(seed=1), start=start)) == whole[start:]
    epochs = [[sample for batch in whole if batch.epoch == epoch for sample in batch.samples] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert [batch.samples for batch in batches(plan, Training(seed=2))] != [batch.samples for batch in whole]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "mine"}, "model must be 'module:function', got 'mine'"),
        ({"model": "nowhere:net"}, "model 'nowhere:net' can't be imported: ModuleNotFoundError"),
        ({"model": "mine:nte"}, "module 'mine' has no function 'nte'"),
        ({"model": "mine:not_a_net"}, "must return a torch.nn.Module, got int"),
        ({"data": "mine:empty"}, r"must return \(training set, test set\), datasets with a length"),
        ({"data": "mine:fails"}, r"data 'mine:fails' failed: NameError: name 'digits' is not defined \(.*mine.py:29\)"),
    ],
)
def test_models_and_data_that_are_none(mine, tmp_path, change, message):
    import dataclasses

    recipe = dataclasses.replace(mine, train=dataclasses.replace(mine.train, **change))
    with pytest.raises(InputError, match=message):
        train(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mine:two_classes", r"must give \(batch, classes\) scores for labels from 0 to classes - 1; got scores \(20, 2\) for"),
        ("mine:too_narrow", r"model 'mine:too_narrow' can't take data 'mine:data': RuntimeError: mat1 and mat2 shapes"),
    ],
)
def test_models_that_do_not_fit_the_data(mine, tmp_path, model, message):
    import dataclasses

    recipe = dataclasses.replace(mine, train=dataclasses.replace(mine.train, model=model))
    with pytest.raises(InputError, match=message):
        train(recipe, tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"samples": 601}, "samples must be at most 600, what the training data holds; got 601"),
        ({"samples": 41}, "the last of 41 samples in batches of 20 would stand alone, and batch norm needs two"),
        ({"devices": 2}, "devices must be 1 here, got 2: this trainer runs in one process"),
        ({"steps_per_epoch": 6, "epochs": 2}, "an epoch of 6 batches of 20 needs more than the 100 samples there are"),
    ],
)
def test_runs_that_cannot_be_trained(mine, tmp_path, facts, message):
    recipe = mine.override(**{"samples": 100, **facts})
    with pytest.raises(InputError, match=message):
        train(recipe, tmp_path / "run", quiet=True)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_so(mine, tmp_path):
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step \d+: lower --lr or lengthen the warmup"):
        train(mine.override(lr=1e30), tmp_path / "run", quiet=True)


def test_digits_are_the_embedded_ones():
    training, test = digits()
    assert (len(training), len(test)) == (600, 1197)
    image, label = training[0]
    assert (image.shape, image.dtype, int(label)) == ((3, 16, 16), torch.float32, 0)
    assert load_data("etude.train.data:digits")[0][599][1] == training[599][1]


def test_resnet18_has_torchvisions_keys():
    model = resnet18()
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_689_512
    keys = list(model.state_dict())
    assert len(keys) == 122
    assert (keys[0], keys[-1]) == ("conv1.weight", "fc.bias")
    assert "layer2.0.downsample.1.running_var" in keys
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 1000)


def test_torchvision_by_its_short_name():
    pytest.importorskip("torchvision.models", exc_type=Exception)
    assert find("torchvision:resnet18", "model").__name__ == "resnet18"


def test_a_broken_torchvision_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(InputError, match="can't be imported: RuntimeError: operator torchvision::nms does not exist"):
        find("torchvision:resnet18", "model")


def test_the_log_can_be_read_by_anyone(mine, tmp_path):
    train(mine, tmp_path / "run", quiet=True)
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[3])
    assert set(line) == {"step", "epoch", "loss", "lr", "momentum", "weight_decay"}
    assert set(line["lr"]) == {"norm", "weight", "bias"}


def test_tied_and_frozen_weights_and_drawn_data(mine, tmp_path):
    import dataclasses

    recipe = dataclasses.replace(mine, train=dataclasses.replace(mine.train, model="mine:tied", data="mine:drawn"))
    train(recipe, tmp_path / "whole", quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "stopped", quiet=True)
    resume(tmp_path / "stopped", quiet=True)
    whole, stopped = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert torch.equal(whole["3.weight"], whole["4.weight"])
    torch.manual_seed(3)
    assert torch.equal(find("mine:tied", "model")(10)[1].weight, whole["1.weight"])  # frozen by the user, and so it stayed


def test_a_start_that_fails_leaves_its_folder_to_the_next(mine, tmp_path):
    import dataclasses

    wrong = dataclasses.replace(mine, train=dataclasses.replace(mine.train, model="mine:too_narrow"))
    with pytest.raises(InputError, match="can't take data"):
        train(wrong, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    train(mine, tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (Run(steps=10), "the run has no batch size: give --batch-size"),
        (Run(batch_size=20, stages=(Stage(epochs=1, frozen=("norm", "weight", "bias")),)), "a stage freezes every group"),
    ],
)
def test_runs_that_train_nothing(mine, tmp_path, run, message):
    import dataclasses

    with pytest.raises(InputError, match=message):
        train(dataclasses.replace(mine, run=run), tmp_path / "run", quiet=True)
