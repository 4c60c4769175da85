"""Configs of MMDetection 2.x read as recipes, from mappings and from files; whole curves are held in test_fidelity."""

from __future__ import annotations

import json
import math

import pytest
from benchmarks import resolve
from click.testing import CliRunner

import etude
from etude import InputError
from etude.cli import main

ONE = {
    "optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001},
    "optimizer_config": {"grad_clip": None},
    "lr_config": {"policy": "step", "warmup": "linear", "warmup_iters": 500, "warmup_ratio": 0.001, "step": [8, 11]},
    "runner": {"type": "EpochBasedRunner", "max_epochs": 12},
}


def read(settings=None, **changes):
    return etude.read({**ONE, **changes}, settings=settings)


def test_the_ready_recipe_is_what_its_config_makes():
    found = read().override(samples=117266, batch_size=16)
    ready = etude.read("mmdet-1x")
    assert (found.optimizer, found.schedules, found.groups, found.run) == (
        ready.optimizer,
        ready.schedules,
        ready.groups,
        ready.run,
    )
    assert found.plan().total == 87960


@pytest.mark.parametrize(("epochs", "steps"), [(24, [16, 22]), (20, [16, 19])])
def test_2x_and_20e_are_one_line(epochs, steps):
    found = read({"lr_config.step": steps}).override(epochs=epochs, steps_per_epoch=100)
    plan = found.plan()
    assert plan.total == epochs * 100
    assert [plan.at(tick)["lr"]["all"] for tick in (steps[0] * 100 - 1, steps[0] * 100, steps[1] * 100)] == pytest.approx(
        [0.02, 0.002, 0.0002]
    )


def test_a_batch_is_a_gpus_and_a_dataset_may_be_repeated():
    data = {"samples_per_gpu": 2, "train": {"type": "RepeatDataset", "times": 3, "dataset": {"type": "VOCDataset"}}}
    found = read(data=data).override(samples=1000, devices=8)
    assert (found.run.batch_size, found.run.samples) == (16, 3000)
    assert found.notes == ("RepeatDataset: an epoch goes 3 times through the samples",)
    alone = read(data={"samples_per_gpu": 2}).override(samples=1000)
    assert alone.run.batch_size == 2
    assert alone.notes == ("samples_per_gpu 2 is one device's: --devices says how many there are",)


def test_the_learning_rate_follows_the_batch_only_when_asked():
    off = read(auto_scale_lr={"enable": False, "base_batch_size": 16}).override(samples=1000, batch_size=8)
    assert off.optimizer.lr == 0.02
    assert off.notes == ("lr 0.02 is for a batch of 16, and it is 8: --set auto_scale_lr.enable=true makes it 0.01",)
    on = read({"auto_scale_lr.enable": True}, auto_scale_lr={"base_batch_size": 16}).override(samples=1000, batch_size=8)
    assert on.optimizer.lr == 0.01
    with pytest.raises(InputError, match="auto_scale_lr follows from the batch: give --batch-size, or --devices"):
        read({"auto_scale_lr.enable": True}, auto_scale_lr={"base_batch_size": 16}).plan()


def test_groups_are_rules_with_the_longest_key_first():
    paramwise = {"custom_keys": {"head": {"lr_mult": 10}, "head.norm": {"decay_mult": 0}}, "norm_decay_mult": 0.0}
    found = read(optimizer={**ONE["optimizer"], "paramwise_cfg": paramwise})
    assert {name: (str(group), group.lr, group.weight_decay) for name, group in found.groups.items()} == {
        "head.norm": ("pattern *head.norm*", None, 0.0),
        "head": ("pattern *head*", 0.2, None),
        "norm": ("kind norm", None, 0.0),
        "norm bias": ("kind norm bias", None, 0.0),
        "rest": ("every parameter", None, None),
    }
    assert found.notes == ("a layer is a norm here by its class's name; there it is one of torch's norms, or derived from one",)


@pytest.mark.parametrize(
    ("paramwise", "of_bias", "of_norm"),
    [
        ({"bias_lr_mult": 2, "bias_decay_mult": 0}, (0.04, 0), (0.02, 1e-4)),  # a norm's keeps the optimizer's own values
        ({"norm_decay_mult": 0}, (0.02, 1e-4), (0.02, 0)),
        ({"bias_decay_mult": 0, "norm_decay_mult": 0}, (0.02, 0), (0.02, 0)),
    ],
)
def test_a_norm_s_bias_is_what_the_constructor_makes_of_it(paramwise, of_bias, of_norm):
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict({"conv": torch.nn.Conv2d(1, 4, 3), "bn": torch.nn.BatchNorm2d(4), "gn": torch.nn.GroupNorm(2, 4)})
    optimizer = etude.torch.build(model, read(optimizer={**ONE["optimizer"], "paramwise_cfg": paramwise}))
    made = {id(one): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for one in group["params"]}
    found = {name: made[id(one)] for name, one in model.named_parameters()}
    norm = (0.02, 1e-4 * paramwise.get("norm_decay_mult", 1))
    expected = {"conv.weight": (0.02, 1e-4), "conv.bias": of_bias, "bn.bias": of_norm, "gn.bias": of_norm}
    assert found == {**expected, "bn.weight": norm, "gn.weight": norm}


def test_a_last_batch_is_filled_unless_nothing_is_shuffled():
    """GroupSampler pads to whole batches; DistributedSampler to as many samples a GPU, of which the loader drops the rest."""
    loader = {"samples_per_gpu": 2, "drop_last": True}
    filled = read(data={"train_dataloader": loader}).override(samples=11, devices=2)
    assert filled.run.parts()[0].batches == 3
    assert filled.notes[0].startswith("data.train_dataloader: drop_last drops nothing in MMDetection, whose sampler fills the")
    dropped = read(data={"train_dataloader": {**loader, "shuffle": False}})
    assert (dropped.override(samples=10, devices=2).run.parts()[0].batches, dropped.notes) == (2, ())
    assert dropped.override(steps_per_epoch=7).plan().total == 84


def test_classes_that_are_none_of_the_framework_s_own_are_told():
    runner, optimizer = {"type": "EpochBasedRuner", "max_epochs": 12}, {"type": "Lamb", "lr": 0.1, "momentun": 0.9}
    assert read(runner=runner, optimizer=optimizer).notes == (
        "EpochBasedRuner is none of MMCV's runners: did you mean 'EpochBasedRunner'; taken for a class of your own that counts epochs",
        "Lamb is none of torch's optimizers; taken for a class of your own",
    )


def test_every_optimizer_of_torch_takes_what_it_takes():
    torch = pytest.importorskip("torch")
    from inspect import signature

    from etude.dialects.openmmlab import _ACCEPTED

    own = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type) and name != "Optimizer"}
    assert {name: set(words.split()) for name, words in _ACCEPTED.items()} == {
        name: signature(kind).parameters.keys() - {"params"} for name, kind in own.items()
    }


def test_what_an_optimizer_does_not_take_may_be_set_to_null():
    adam = {"optimizer.type": "AdamW", "optimizer.momentum": None}
    assert read(adam).optimizer.name == "AdamW"
    assert read(adam).notes == ()


def test_auto_scale_lr_tells_that_a_batch_is_one_device_s():
    found = read({"auto_scale_lr.enable": True}, auto_scale_lr={"base_batch_size": 16}, data={"samples_per_gpu": 2})
    told = "auto_scale_lr: the batch is taken to be one device's, 2: --devices says how many there are"
    assert (found.optimizer.lr, told in found.notes) == (0.0025, True)
    assert told not in found.override(devices=8).notes


def test_a_batch_that_the_file_holds_is_not_asked_for():
    with pytest.raises(InputError, match=r"iterations: give --steps-per-epoch, or --samples$"):
        read(lr_config={"policy": "cyclic"}, data={"samples_per_gpu": 2}).plan()
    with pytest.raises(InputError, match=r"12 epochs need steps per epoch: give --steps-per-epoch, or --samples$"):
        read(data={"samples_per_gpu": 2}).plan()


def test_a_momentum_policy_may_put_another_base_value():
    cycle = {"policy": "OneCycle", "base_momentum": 0.85, "max_momentum": 0.95}
    found = read(lr_config={"policy": "OneCycle", "max_lr": 0.1}, momentum_config=cycle)
    plan = found.override(steps_per_epoch=10).plan()
    assert found.override(steps_per_epoch=10).optimizer.momentum == 0.95
    assert plan.at(0)["momentum"]["all"] == pytest.approx(0.95)
    assert plan.at(35)["momentum"]["all"] == pytest.approx(0.85)
    adam = read(optimizer={"type": "Adam", "lr": 0.001}, lr_config={"policy": "fixed"}, momentum_config=cycle)
    assert adam.override(steps_per_epoch=10).optimizer.betas == (0.95, 0.999)


@pytest.mark.parametrize("least", [{"min_lr": 1e-5}, {"min_lr_ratio": 0.05}])
@pytest.mark.parametrize(("by_epoch", "total"), [(True, 12), (False, 84)])
def test_mmcls_cools_down_after_its_cosine(by_epoch, total, least):
    config = {"policy": "CosineAnnealingCooldown", "by_epoch": by_epoch, "cool_down_ratio": 0.1, "cool_down_time": 5, **least}
    plan = read(lr_config=config).override(steps_per_epoch=7).plan()
    end = least.get("min_lr", 0.02 * least.get("min_lr_ratio", 0))
    for tick in range(84):
        time = tick // 7 if by_epoch else tick
        way = end + 0.5 * (0.02 - end) * (math.cos(math.pi * (time / (total - 5))) + 1)
        assert plan.at(tick)["lr"]["all"] == pytest.approx(end * 0.1 if time > total - 5 else way, rel=1e-10), tick
    with pytest.raises(InputError, match="cool_down_time must not be all of the run, got 12 of 12 epochs"):
        read(lr_config={**config, "by_epoch": True, "cool_down_time": 12})


def test_a_config_of_old_says_total_epochs():
    config = {key: value for key, value in ONE.items() if key != "runner"}
    assert etude.read({**config, "total_epochs": 12}).run.epochs == 12
    assert etude.read({**config, "runner": {"type": "IterBasedRunner", "max_iters": 90}}).run.steps == 90


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runner": None}, "runner is missing: give one, or total_epochs"),
        ({"total_epochs": 24}, "runner: total_epochs is 24 and max_epochs 12: they must agree"),
        ({"runner": {"type": "EpochBasedRunner"}}, "runner: 'max_epochs' is missing"),
        ({"runner": {"max_epochs": 3}}, "runner: 'type' is missing"),
        ({"lr_config": 3}, "lr_config must be a mapping of keys to values, got 3"),
        ({"optimizer": {"type": "SGD", "lr": "0.1"}}, "optimizer: lr must be a number, got the text '0.1'; write 0.1, without"),
        ({"optimizer": {"type": "SGD", "lr": "5e-5"}}, "got the text '5e-5'; write 5.0e-05, without quotes$"),
        ({"optimizer": None}, "optimizer is missing$"),
        (
            {"optimizer": {"type": "SGD", "lr": 0.1, "momentun": 0.9}},
            "optimizer: SGD has no setting 'momentun'; did you mean 'momentum'",
        ),
        (
            {"optimizer": {"type": "AdamW", "lr": 0.1, "momentum": 0.9}},
            "optimizer: AdamW has no momentum: take it out, or set it to null as in --set optimizer.momentum=null$",
        ),
        (
            {"optimizer": {"a": {"type": "Adam"}, "b": {"type": "Adam"}, "constructor": "X", "c": {}}},
            "optimizer holds several, a, b: a recipe is of one; give one of them as the optimizer of a config of its own$",
        ),
        ({"optimizer": {"type": "Mystery"}}, "optimizer: 'lr' is missing"),
        ({"optimizer": {"generator": {"type": "Adam"}}}, "optimizer holds several, generator: a recipe is of one"),
        (
            {"optimizer_config": {"type": "GradientCumulativeOptimizerHook", "cumulative_iters": 4}},
            "optimizer_config: cumulative_iters 4: schedules follow iterations, of which several make an update",
        ),
        (
            {"optimizer": {"type": "SGD", "lr": 0.1, "paramwise_cfg": {"norm_decay_mult": 0}}},
            "optimizer: paramwise_cfg: weight_decay must be given where it is multiplied",
        ),
        ({"auto_scale_lr": {"enable": True}}, "auto_scale_lr: base_batch_size must be a whole number above 0, got None"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(InputError, match=message):
        read(**changes).override(batch_size=4).plan()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"steps": 3}, "runner: it counts epochs: give --epochs, not --steps"),
        ({"epochs": 1.5}, "runner trains whole epochs, got 1.5"),
        ({"accumulate": 2}, "MMCV says the rest itself: leave --accumulate out"),
    ],
)
def test_facts_that_the_framework_leaves_no_room_for(facts, message):
    with pytest.raises(InputError, match=message):
        read().override(**facts)


# -- files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def configs(tmp_path):
    """A small tree of configs of both generations, its root marked."""
    (tmp_path / "setup.py").touch()
    base = tmp_path / "configs" / "_base_"
    base.mkdir(parents=True)
    (base / "schedule_1x.py").write_text("".join(f"{key} = {value!r}\n" for key, value in ONE.items()))
    (base / "engine_1x.py").write_text(
        "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9))\n"
        "param_scheduler = [dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),\n"
        "                   dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11])]\n"
        "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12)\n"
    )
    models = tmp_path / "configs" / "mine"
    models.mkdir()
    old = "_base_ = '../_base_/schedule_1x.py'\ndata = dict(samples_per_gpu=4)\nlr_config = dict(step=[16, 22])\n"
    (models / "faster_rcnn_r50_fpn_8x2_2x_coco.py").write_text(old + "runner = dict(max_epochs=24)\n")
    new = "_base_ = ['../_base_/engine_1x.py']\ntrain_dataloader = dict(batch_size=2, dataset=dict(type='RepeatDataset', times=8))\n"
    (models / "faster-rcnn_r50_fpn_1x_coco.py").write_text(new + "train_cfg = dict(max_epochs=8)\n")
    return tmp_path


def etude_cli(*words):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_show_reads_a_config_and_its_name(configs):
    path = configs / "configs" / "mine" / "faster_rcnn_r50_fpn_8x2_2x_coco.py"
    shown = etude_cli("show", path, "--samples", 117266, "--batch-size", 16)
    assert shown.exit_code == 0, shown.output
    assert "24 epochs x 7330 steps = 175920 steps" in shown.output
    assert 'lr: linear(0.001, 1, over="500 steps") * steps(0.1, at=["16 epochs", "22 epochs"])' in shown.output
    assert "2x (24 epochs)" in shown.output
    assert "the name says 8x2, 2 a GPU; the content has 4" in shown.output


def test_repeats_count_where_a_name_promises_epochs(configs):
    recipe = etude.read(configs / "configs" / "mine" / "faster-rcnn_r50_fpn_1x_coco.py")
    assert repr(recipe.schedules["lr"]) == 'linear(0.001, 1, over="499 steps")'  # its drops come after the end
    assert any("the name says 1x, 12 epochs; the content trains 8" in note for note in recipe.notes), recipe.notes


def test_settings_reach_into_lists(configs):
    path = configs / "configs" / "mine" / "faster-rcnn_r50_fpn_1x_coco.py"
    table = etude_cli("table", path, "--steps-per-epoch", 100, "--set", "param_scheduler.0.end=100", "--at", "98,99")
    assert table.exit_code == 0, table.output
    assert [line.split()[1] for line in table.output.splitlines()[1:]] == ["0.019798182", "0.02"]
    wrong = etude_cli("table", path, "--steps-per-epoch", 100, "--set", "param_scheduler.7.end=100")
    assert (wrong.exit_code, "setting param_scheduler.7.end: '7' must be an index of a list of 2" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--as", "yolov5"], "a Python file is read as a config of OpenMMLab: --as mmcv or mmengine, or nothing"),
        (["--root", "configs/mine"], "lies outside"),
        (["--as", "mmengine"], "optim_wrapper"),
    ],
)
def test_a_config_can_be_insisted_on(configs, monkeypatch, words, message):
    monkeypatch.chdir(configs)
    result = etude_cli("show", "configs/mine/faster_rcnn_r50_fpn_8x2_2x_coco.py", *words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_config_may_be_yaml_with_a_base(configs):
    path = configs / "configs" / "mine" / "retinanet_2x.yaml"
    path.write_text("_base_: ../_base_/schedule_1x.py\nrunner: {max_epochs: 24}\nlr_config: {step: [16, 22]}\n")
    recipe = etude.read(path)
    assert recipe.run.epochs == 24
    assert repr(recipe.schedules["lr"]) == 'linear(0.001, 1, over="500 steps") * steps(0.1, at=["16 epochs", "22 epochs"])'


def test_a_python_file_that_is_no_config(tmp_path):
    (tmp_path / "train.py").write_text("import torch\n\n\nclass Net(torch.nn.Module):\n    pass\n")
    result = etude_cli("show", tmp_path / "train.py")
    assert result.exit_code == 2
    assert "train.py:4: a ClassDef statement is not evaluated, as nothing of a config is executed" in result.output


@pytest.mark.parametrize("name", ["run_12e_v2", "my_2x"])
def test_a_name_without_a_known_network_is_not_read(configs, name):
    path = configs / "configs" / "mine" / f"{name}.py"
    path.write_text("_base_ = '../_base_/schedule_1x.py'\n")
    assert etude.read(path).notes == ()


def test_a_tree_is_resolved_and_compared(configs, capsys):
    old, new = "configs/mine/faster_rcnn_r50_fpn_8x2_2x_coco.py", "configs/mine/faster-rcnn_r50_fpn_1x_coco.py"
    lr_config = {**ONE["lr_config"], "step": [16, 22]}
    truth = {
        "_meta": {},
        old: {"framework": "mmcv1", "resolved": {**ONE, "lr_config": lr_config, "runner": {**ONE["runner"], "max_epochs": 24}}},
        new: {"framework": "mmengine", "error": "FileNotFoundError"},
    }
    (configs / "truth.json").write_text(json.dumps(truth))
    code = resolve.main([str(configs), "--truth", str(configs / "truth.json")])
    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[2].startswith("1 of 2 match")
    assert lines[3] == f"  {new}: read, where the loader refuses: FileNotFoundError"
    del truth[new]
    (configs / "truth.json").write_text(json.dumps(truth))
    assert resolve.main([str(configs), "--truth", str(configs / "truth.json")]) == 0
    for text in ("{", "{}", '{"a.py": {}}', '{"a.py": {"framework": "mmcv1", "error": ""}}'):
        (configs / "truth.json").write_text(text)
        assert resolve.main([str(configs), "--truth", str(configs / "truth.json")]) == 2
