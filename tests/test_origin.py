"""Recipes whose values follow from the run's facts: drafts, and reading again for another run."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

import etude
from etude import InputError, Run
from etude.recipe_yaml import dumps, loads

HYP = """
lr0: 0.01
lrf: 0.1
momentum: 0.937
weight_decay: 5.0e-4
warmup_epochs: 3.0
warmup_momentum: 0.8
warmup_bias_lr: 0.1
anchor_t: 4.0
"""
RUN = Run(epochs=30, samples=1600, batch_size=40)


@pytest.fixture
def hyp(tmp_path):
    path = tmp_path / "hyp.yaml"
    path.write_text(HYP)
    return path


def test_a_recipe_is_complete_as_soon_as_its_facts_are_known(hyp):
    draft = etude.read(hyp)
    assert draft.name == "hyp"
    one = draft.plan(RUN)
    other = draft.override(epochs=30).override(samples=1600).override(batch_size=40).plan()
    assert one.recipe == other.recipe
    assert one.at(700) == other.at(700)
    assert one.recipe.run.accumulate == etude.parse('rounded(table([["0 batches", 1], ["3 epochs", 1.6]]))')


def test_a_draft_asks_for_what_is_missing_whatever_it_is_asked(hyp):
    draft = etude.read(hyp)
    problem = r"hyp.yaml: warmup, accumulation and weight decay follow from the run: give --epochs, --samples and --batch-size"
    asked = (
        draft.plan,
        lambda: draft.optimizer,
        lambda: draft.schedules,
        lambda: draft.notes,
        draft.to_dict,
        lambda: draft.rules,
    )
    for ask in asked:
        with pytest.raises(InputError, match=problem):
            ask()
    with pytest.raises(InputError, match=r"hyp.yaml: YOLOv5 trains epochs, .*: leave --steps out"):
        draft.plan(Run(steps=3))
    assert repr(draft).startswith("<draft: ")
    assert draft == draft
    assert draft != etude.read(hyp)
    with pytest.raises(InputError, match="give --epochs and --batch-size"):
        draft.plan(Run(samples=3))


def test_a_complete_recipe_is_read_again_for_another_run(hyp):
    recipe = etude.read(hyp).override(epochs=30, samples=1600, batch_size=40)
    assert recipe.groups["weight"].weight_decay == 0.0005 * 40 * 2 / 64
    assert recipe.override(batch_size=64).groups["weight"].weight_decay == 0.0005
    assert recipe.plan(Run(epochs=30, samples=1600, batch_size=128)).recipe.groups["weight"].weight_decay == 0.001
    assert recipe.override(accumulate=None, batch_size=64).override(batch_size=40) == recipe
    assert recipe.override() is recipe
    with pytest.raises(
        InputError, match=r"hyp.yaml: --lr is for recipes of etude; say it in this one's own words, as in --set KEY=0.5"
    ):
        recipe.override(lr=0.5)


def test_what_was_changed_by_hand_is_not_thrown_away(hyp):
    recipe = etude.read(hyp).override(epochs=30, samples=1600, batch_size=40)
    changed = replace(recipe, schedules={})
    assert changed.plan().at(5)["lr"]["weight"] == 0.01
    with pytest.raises(InputError, match="hyp was changed since it was read for another run, from whose facts its values follow"):
        changed.override(epochs=10)
    with pytest.raises(InputError, match="hyp was changed since"):
        changed.plan(RUN)


def test_a_complete_recipe_is_written_as_one_of_etudes_own(hyp):
    recipe = etude.read(hyp).override(epochs=30, samples=1600, batch_size=40)
    again = loads(dumps(recipe))
    assert again == recipe
    assert again.plan().at(100) == recipe.plan().at(100)


def test_a_mistake_that_only_a_run_shows_names_the_file(hyp):
    hyp.write_text(HYP.replace("0.01", "1e-2"))
    with pytest.raises(InputError, match=r"hyp.yaml: YOLOv5: lr0 must be a number, got the text '1e-2'"):
        etude.read(hyp).override(epochs=30, samples=1600, batch_size=40)


def test_drafts_and_recipes_can_be_pickled_and_nothing_given_is_shared(hyp):
    draft = pickle.loads(pickle.dumps(etude.read(hyp)))
    recipe = pickle.loads(pickle.dumps(draft.override(epochs=30, samples=1600, batch_size=40)))
    assert recipe.plan().at(100) == etude.read(hyp).plan(RUN).at(100)
    source = {"hyp": {**recipe_settings(), "anchor_t": 4.0}, "cos_lr": True}
    draft = etude.read(source)
    source["hyp"]["lr0"] = 9.0
    assert draft.plan(RUN).recipe.optimizer.lr == 0.01


def recipe_settings():
    return {key: float(value) for key, value in (line.split(": ") for line in HYP.split("\n") if line)}


def test_a_flag_that_says_the_default_is_given_all_the_same():
    arguments = {"learning_rate": 5e-5, "num_train_epochs": 3, "gradient_accumulation_steps": 4, "per_device_train_batch_size": 8}
    recipe = etude.read(arguments).override(samples=800)
    assert recipe.plan().total == 75
    assert recipe.override(accumulate=1).plan().total == 300
    assert recipe.override(accumulate=2).override(accumulate=1).plan().total == 300


def test_settings_that_change_nothing_are_told(hyp):
    recipe = etude.read(hyp, settings={"colour": True, "lr0": 0.02}).override(epochs=30, samples=1600, batch_size=40)
    assert [note for note in recipe.notes if note.startswith("set ")] == ["set colour=True: changes nothing here"]
    insisted = etude.read({"sched": "step"}, dialect="transformers")
    assert "nothing in it tells transformers, which is known by lr_scheduler_type" in insisted.notes[-1]


@pytest.mark.parametrize("settings", ["cos_lr=true", [("cos_lr", True)], 5, {1: 2}, {"": 1}, {"a..b": 1}, {" lr0": 1}, {".": 1}])
def test_settings_are_by_key(hyp, settings):
    with pytest.raises(InputError, match=r"settings must be by key|a setting's key must be words with dots between"):
        etude.read(hyp, settings=settings)


def test_settings_are_put_over_the_files(hyp):
    plan = etude.read(hyp, settings={"cos_lr": True, "lr0": 0.02}).plan(RUN)
    assert plan.recipe.optimizer.lr == 0.02
    assert "cosine(1, 0.1)" in repr(plan.recipe.schedules["lr"])
    config = {"Global": {"epoch_num": 3}, "Optimizer": {"name": "Adam", "lr": {"learning_rate": 0.1}}}
    more = {"Global.epoch_num": 5, "Optimizer.lr.name": "Cosine", "Train.loader.drop_last": True}
    recipe = etude.read(config, settings=more)
    assert (recipe.run.epochs, recipe.run.drop_last, recipe.schedules["lr"]) == (
        5,
        True,
        etude.parse('cosine(1, 0, over="100%")'),
    )
    assert config["Global"] == {"epoch_num": 3}
    with pytest.raises(InputError, match=r"setting Optimizer.name.x: 'name' is 'Adam', which holds no keys"):
        etude.read(config, settings={"Optimizer.name.x": 1})


def test_dialects_are_for_foreign_recipes(tmp_path, hyp):
    (tmp_path / "own.yaml").write_text("etude: 1\noptimizer: {name: SGD, lr: 0.1}\n")
    for source in ("yolov5", etude.cosine(1, 0)):
        with pytest.raises(InputError, match="a recipe or schedule of etude says all of it itself"):
            etude.read(source, settings={"lr": 1})
    with pytest.raises(InputError, match=r"own.yaml is a recipe of etude, which says all of it itself"):
        etude.read(tmp_path / "own.yaml", settings={"lr": 1})
    with pytest.raises(InputError, match="there is no dialect 'yolo5'; did you mean 'yolov5'"):
        etude.read(hyp, dialect="yolo5")
    with pytest.raises(InputError, match="steps= and interval= are for schedulers of torch and Keras"):
        etude.read(hyp, interval="epoch")


def test_json_is_read_as_json_and_yaml_as_its_tool_reads_it(tmp_path):
    config = {"Global": {"epoch_num": 3}, "Optimizer": {"name": "Adam", "lr": {"name": "Cosine", "learning_rate": 5e-5}}}
    (tmp_path / "a.json").write_text(json.dumps(config))
    assert "5e-05" in json.dumps(config)
    assert etude.read(tmp_path / "a.json").optimizer.lr == 5e-5
    (tmp_path / "a.yml").write_text("Global: {epoch_num: 3}\nOptimizer: {name: Adam, lr: {name: Cosine, learning_rate: 5e-5}}\n")
    with pytest.raises(InputError, match=r"a.yml: .*learning_rate must be a number, got the text '5e-5'; PyYAML takes"):
        etude.read(tmp_path / "a.yml")
    # a description of torch has no tool of its own: it is YAML 1.2
    (tmp_path / "t.yaml").write_text("{name: ExponentialLR, gamma: 9e-1}")
    assert etude.read(tmp_path / "t.yaml").schedules["lr"] == etude.parse('decay(0.9, per="1 step")')
