"""Recipes as values and as files: round trips, comments, and every mistake with its file, line and column."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import Group, InputError, Optimizer, Recipe, Run, Stage
from etude.recipe import difference
from etude.recipe_yaml import dumps, loads, read_file
from etude.sources import ready, ready_text
from tests.strategies import schedules

HEAD = "etude: 1\noptimizer: {name: SGD, lr: 0.1, momentum: 0.9}\n"


@pytest.mark.parametrize("name", ready())
def test_ready_recipes_keep_every_comment(name):
    recipe = etude.read(name)
    assert recipe.name == name
    assert dumps(recipe) == ready_text(name)


def test_only_what_changes_is_written_anew():
    recipe = etude.read("yolov5").override(lr=0.02, epochs=3)
    before, after = ready_text("yolov5").splitlines(), dumps(recipe).splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        ("  lr: 0.01              # lr0", "  lr: 0.02              # lr0"),
        ("  epochs: 100", "  epochs: 3"),
    ]


recipes = st.builds(
    Recipe,
    optimizer=st.builds(
        Optimizer,
        name=st.sampled_from(["SGD", "a.b:C"]),
        lr=st.floats(0, 10, allow_subnormal=False),
        momentum=st.floats(0, 0.99, allow_subnormal=False),
        weight_decay=st.floats(0, 1, allow_subnormal=False),
        options=st.sampled_from([{}, {"dampening": 0.1}, {"foreach": True}]),
    ),
    groups=st.dictionaries(
        st.sampled_from(["norm", "weight", "no", "1e5", "null", "bias: x"]),
        st.builds(
            Group,
            kind=st.sampled_from([None, "norm", ("norm", "bias")]),
            pattern=st.sampled_from([None, "*.bn?.weight", "yes"]),
            lr=st.none() | st.floats(0, 1, allow_subnormal=False),
            schedules=st.dictionaries(st.sampled_from(["lr", "momentum"]), schedules, max_size=1),
        ),
        max_size=3,
    ),
    schedules=st.dictionaries(st.sampled_from(["lr", "momentum", "weight_decay"]), schedules, max_size=3),
    clock=st.sampled_from(["step", "batch"]),
    run=st.sampled_from(
        [
            Run(),
            Run(epochs=3, samples=600, batch_size=20, drop_last=True),
            Run(steps=5, accumulate=etude.rounded(etude.linear(1, 4, over="9 batches"))),
            Run(samples=600, batch_size=20, stages=(Stage(epochs=1), Stage(epochs=2.5, batch_size=40, accumulate=2))),
        ]
    ),
    name=st.sampled_from(["recipe", "no", "1.5", "ein Name"]),
)


@given(recipes)
def test_yaml_round_trip_is_exact(recipe):
    again = loads(dumps(recipe))
    assert again == recipe
    assert loads(dumps(again)) == recipe  # written over the text it was read from
    assert difference(recipe.to_dict(), again.to_dict()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("etude: 1\noptimizer: {name: SGD, lr: 1, momentun: 0.9}", "r.yaml:2:31: unknown key 'momentun' in optimizer; did you mean 'momentum'?"),
        (HEAD + "runs: {}", "r.yaml:3:1: unknown key 'runs'; did you mean 'run'?"),
        (HEAD + "run: {stages: [{epochs: 1, batchsize: 3}]}", "r.yaml:3:28: unknown key 'batchsize' in run.stages.0; did you mean 'batch_size'?"),
        (HEAD + "groups: {a: {kinds: norm}}", "r.yaml:3:14: unknown key 'kinds' in groups.a; did you mean 'kind'?"),
        (HEAD + "groups: {a: {kind: nrm}}", "r.yaml:3:10: groups.a: unknown kind 'nrm'; did you mean 'norm'?"),
        (HEAD + "schedules: {lr: 'cosine(1, 0, ovr=1)'}", "r.yaml:3:13: schedules.lr: column 1: cosine has no argument 'ovr'; did you mean 'over'?"),
        (HEAD + "schedules: {lr: 0.1}", "r.yaml:3:13: schedules.lr must be a text (in quotes, where it holds commas or brackets), got 0.1"),
        (HEAD + "schedules: {beta1: 'cosine(1, 0)'}", "r.yaml:3:13: schedules: unknown hyperparameter 'beta1'; momentum drives beta1 for Adam"),
        (HEAD + "schedules: {weight_decay: 'cosine(1, 0)'}", "weight_decay is scheduled for group 'all', but has no base value"),
        (HEAD + "clock: epoch", "clock must be 'step' or 'batch', got 'epoch'"),
        (HEAD + "run: {epochs: 0}", "r.yaml:3:1: run: epochs must be a number above 0, got 0"),
        (HEAD + "run: {samples: many}", "r.yaml:3:7: run.samples must be a whole number, got 'many'"),
        (HEAD + "run: {accumulate: 'linear(1'}", "run.accumulate: 'linear(1' is not a complete expression"),
        (HEAD + "run: {stages: [{epochs: 1, frozen: [nobody]}]}", "unknown group 'nobody' in frozen"),
        ("etude: 1\noptimizer: {name: SGD}", "r.yaml:2:1: 'lr' is missing in optimizer"),
        ("etude: 1\noptimizer: {name: SGD, lr: high}", "r.yaml:2:24: optimizer.lr must be a number, got 'high'"),
        ("etude: 1\noptimizer: {name: SGD, lr: '0.1'}", "optimizer.lr must be a number, got '0.1'"),
        ("etude: 1\noptimizer: {name: SGD, lr: .nan}", "lr must be a finite number, got nan"),
        ("etude: 1\noptimizer: {name: SGD, lr: -1}", "lr must be 0 or above, got -1"),
        ("etude: 1\noptimizer: {name: Adam, lr: 1, betas: [1, 0.9]}", "betas must be two numbers in [0, 1), got (1, 0.9)"),
        ("etude: 1\noptimizer: {name: Adam, lr: 1, betas: [0.9, 0.99], momentum: 0.9}", "give momentum or betas, not both"),
        ("etude: 1\noptimizer: {name: SGD, lr: 1, nesterov: true}", "nesterov needs a momentum above 0"),
        ("etude: 2\noptimizer: {name: SGD, lr: 1}", "r.yaml:1:1: etude: 2 is not a recipe format this etude reads; it reads 1"),
        ("lr: 1", "r.yaml is no etude recipe: it must be a mapping with `etude: 1`"),
        ("", "r.yaml is no etude recipe"),
        ("- 1", "r.yaml is no etude recipe"),
        ("etude: 1\noptimizer: [1", "r.yaml:2:14: malformed YAML"),
        ("etude: 1\n\tx: 1", "r.yaml:2:1: malformed YAML: found character '\\t'"),
        ("etude: 1\nrun: {}\nrun: {}", "malformed YAML: found duplicate key"),
        ("etude: 1\noptimizer: !!python/object:os.system {}", "r.yaml: the tag tag:yaml.org,2002:python/object:os.syste can't be read"),
        ("etude: 1\noptimizer: 2024-01-01", "is a date, a kind of value that no recipe holds"),
        ("etude: 1\n1: 2", "r.yaml:2:1: a key must be a text, got 1"),
        ("etude: 1\na: &a {b: *a}", "unknown key 'a'|nested too deeply"),
        ("etude: 1\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else '1'] * 9)}]\n" for i in range(9)), "holds more than"),
        ("[" * 3000, "brackets are nested deeper than 20"),
        ("etude: 1\noptimizer: !mine {name: SGD, lr: 1}", "r.yaml: the tag !mine can't be read: a recipe holds plain values only"),
        ("%YAML 1.1\n---\netude: 1\n", "r.yaml:1:1: malformed YAML: a recipe is YAML 1.2 and takes no % directive"),
        ("etude: true\noptimizer: {name: SGD, lr: 1}", "etude: True is not a recipe format this etude reads"),
        (HEAD + "name:", "r.yaml:3:1: name must be a text"),
        (HEAD + "name: \"a\\nb\"", "r.yaml:3:1: name must be a line of text, got 'a\\nb'"),
        (HEAD + "groups: {'a/b': {}}", "a group's name must be letters, digits, spaces and . : + - _, got 'a/b'"),
        (HEAD + "train: {seed: -1}", "seed must be a whole number from 0 to 2147483647, got -1"),
        ("etude: 1\noptimizer: {name: SGD, lr: 1, options: {lr: 5}}", "options: 'lr' has a key of its own"),
        (HEAD + "clock: !!bool zz", "malformed YAML"),
        (HEAD + "run: {samples: 1" + "0" * 400 + "}", "samples must be at most|must be a whole number"),
        ("etude: 1\n" + "".join(f"a{i}: 1\n" for i in range(100)), "and 81 more mistakes"),
        ("x" * 300_000, "r.yaml is no recipe: longer than"),
    ],
    ids=lambda value: value[:50],
)  # fmt: skip
def test_refused_with_its_place(text, message):
    with pytest.raises(InputError) as caught:
        loads(text, "r.yaml")
    assert any(one in str(caught.value) for one in message.split("|")), str(caught.value)
    assert all(line.startswith("r.yaml") for line in str(caught.value).splitlines())


def test_every_mistake_has_a_line():
    text = "etude: 1\noptimizer: {nam: SGD, lr: high}\nrun: {epochs: x}\n"
    with pytest.raises(
        InputError, match=r"^r:2:1: 'name' is missing.*\nr:2:13: .*'nam'.*\nr:2:23: .*'high'\nr:3:7: .*'x'"
    ) as caught:
        loads(text, "r")
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe\x00", "is not UTF-8 text: invalid start byte at byte 0"), (None, "can't be read: Is a directory")]
)  # fmt: skip
def test_unreadable_files(tmp_path, content, message):
    path = tmp_path / "r.yaml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_file(path)


def test_read_takes_a_path_a_name_a_text_a_schedule_and_a_recipe(tmp_path):
    recipe = etude.read("cosine")
    (tmp_path / "mine.yaml").write_text("\ufeff" + HEAD)
    assert etude.read(recipe) is recipe
    assert etude.read(etude.cosine(1, 0)) == etude.read("cosine(1, 0)")
    assert etude.read(tmp_path / "mine.yaml").name == "mine"
    with pytest.raises(InputError, match=r"'yolo5' is no file, no ready recipe .*; did you mean 'yolov5'\?"):
        etude.read("yolo5")
    with pytest.raises(InputError, match="is a folder, no ready recipe"):
        etude.read(tmp_path)


def test_a_group_takes_the_optimizers_base_unless_it_has_its_own():
    recipe = Recipe(
        optimizer=Optimizer(name="AdamW", lr=0.1, betas=(0.9, 0.99), weight_decay=0),
        groups={"slow": Group(module="backbone", lr=0.01, weight_decay=0.5), "rest": Group()},
    )
    plan = recipe.plan(Run(steps=1))
    assert plan.at(0) == {
        "lr": {"slow": 0.01, "rest": 0.1},
        "momentum": {"slow": 0.9, "rest": 0.9},
        "weight_decay": {"slow": 0.5, "rest": 0.0},
    }


def test_a_recipe_is_a_value():
    recipe = etude.read("yolov5")
    assert dataclasses.replace(recipe, source=None) == recipe
    assert recipe.override(lr=0.5).optimizer.lr == 0.5
    assert recipe.optimizer.lr == 0.01


def test_the_recipe_in_the_documents_is_one():
    text = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()
    recipe = loads(text.split("```yaml\n")[1].split("```")[0])
    assert list(recipe.groups) == ["norm", "head", "stem", "rest"]
    assert recipe.plan().end() == 100 * 196
    layers = loads(HEAD.replace("0.9}", "0.9, weight_decay: 0.1}") + text.split("```yaml\n")[2].split("```")[0])
    assert len(layers.rules) == 2 * 14
    stages = loads(HEAD + "groups: {backbone: {}}\n" + text.split("```yaml\n")[3].split("```")[0])
    assert [part.frozen for part in stages.run.parts()] == [("backbone",), ()]


def test_what_a_file_says_goes_before_its_comments():
    recipe = loads(HEAD + "groups: {bias: {kind: bias}, rest: {}}  # in this order")
    first = dataclasses.replace(recipe, groups={"head": Group(pattern="fc.*"), **recipe.groups})
    assert list(loads(dumps(first)).groups) == ["head", "bias", "rest"]
    shared = loads(HEAD + "groups: {a: &x {lr: 0.1}, b: *x}")
    changed = dataclasses.replace(shared, groups={"a": Group(lr=0.2), "b": Group(lr=0.1)})
    assert loads(dumps(changed)) == changed
    named = dataclasses.replace(loads(HEAD + "name: run (1)"), name="run (2)")
    assert loads(dumps(named)).name == "run (2)"


def test_a_base_value_for_some_groups_only_is_refused():
    with pytest.raises(
        InputError, match="weight_decay is given for some groups, but not for b: give the optimizer a base value too"
    ):
        Recipe(optimizer=SGD, groups={"a": Group(weight_decay=0.1), "b": Group()})


SGD = Optimizer(name="SGD", lr=0.1)
