"""The JSON Schema of recipe files: it takes what is read, and refuses what of one value alone can be refused."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, fields

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

import etude
from etude import Group, InputError, Optimizer, Run
from etude.cli import main
from etude.recipe import Recipe, Training
from etude.recipe_yaml import loads
from etude.run import Stage
from etude.schedule import Schedule
from etude.schema import EXAMPLES, _mapping, recipe_schema
from etude.sources import ready, ready_text

WHOLE = """
etude: 1
name: mine
optimizer: {name: AdamW, lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, options: {foreach: true}}
groups:
  norm: {kind: [norm, bias], weight_decay: 0}
  head: {pattern: "fc.*", lr: 1, momentum: null}
  rest: {module: [a, b], schedules: {lr: "constant(0.1)"}}
schedules: {lr: "cosine(1, abs(1e-5))"}
clock: batch
run: {samples: 50000, batch_size: 256, stages: [{epochs: 1, frozen: [head]}, {epochs: 2.5, accumulate: 2}]}
train: {seed: 0, model: "m:f"}
"""
CHECK = jsonschema.Draft202012Validator(recipe_schema())


def load(text):
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize("text", [WHOLE, *map(ready_text, ready())], ids=["whole", *ready()])
def test_what_is_read_is_valid(text):
    loads(text)
    CHECK.validate(load(text))


@pytest.mark.parametrize("text", [WHOLE, *map(ready_text, ready())], ids=["whole", *ready()])
def test_what_is_written_is_valid(text):
    CHECK.validate(load(etude.recipe_yaml.dumps(loads(text))))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("etude",), 2),
        (("etude",), "1"),
        (("momentun",), 1),
        (("optimizer",), "SGD"),
        (("optimizer", "momentun"), 0.9),
        (("optimizer", "lr"), "0.1"),
        (("optimizer", "lr"), True),
        (("optimizer", "lr"), None),
        (("optimizer", "betas"), [0.9]),
        (("optimizer", "nesterov"), 1),
        (("optimizer", "options"), [1]),
        (("groups",), ["norm"]),
        (("groups", "norm"), None),
        (("groups", "norm", "kind"), "norms"),
        (("groups", "norm", "kind"), ["norm", "biases"]),
        (("groups", "norm", "pattern"), 3),
        (("groups", "norm", "schedules"), {"beta1": "constant(1)"}),
        (("schedules",), {"rate": "constant(1)"}),
        (("schedules", "lr"), 0.1),
        (("clock",), "epoch"),
        (("run", "samples"), 1.5),
        (("run", "accumulate"), 1.5),
        (("run", "drop_last"), "yes"),
        (("run", "stages"), {"epochs": 1}),
        (("run", "stages", 0), {}),
        (("run", "stages", 0, "lr"), 1),
        (("train", "seed"), "0"),
        (("name",), ["mine"]),
        (("source",), "text"),
    ],
    ids=str,
)
def test_what_is_refused_is_not_valid(path, value):
    plain = load(WHOLE)
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError):
        loads(json.dumps(plain))
    assert not CHECK.is_valid(plain)


@pytest.mark.parametrize(
    "path", [("etude",), ("optimizer",), ("optimizer", "name"), ("optimizer", "lr"), ("run", "stages", 0, "epochs")]
)
def test_what_is_needed_is_required(path):
    plain = copy.deepcopy(load(WHOLE))
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(InputError):
        loads(json.dumps(plain))
    assert not CHECK.is_valid(plain)


def test_the_schema_is_one_of_the_draft():
    schema = recipe_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(CliRunner().invoke(main, ["schema"]).stdout) == schema


def test_every_field_is_there_and_told_what_the_docstring_says():
    schema = recipe_schema()
    assert list(schema["properties"]) == ["etude", *(item.name for item in fields(Recipe) if item.compare)]
    for kind in (Optimizer, Group, Run, Stage, Training):
        properties = schema["$defs"][kind.__name__]["properties"]
        assert list(properties) == [item.name for item in fields(kind)]
        if "Args:" in kind.__doc__:
            assert all(value.get("description") for value in properties.values()), kind
    group = schema["$defs"]["Group"]["properties"]
    assert group["momentum"]["description"] == "Base values, where they differ from the optimizer's."
    assert schema["$defs"]["Run"]["properties"]["accumulate"]["description"].endswith(
        '`rounded(linear(1, 4, over="1000 batches"))`.'
    )


def test_the_examples_are_as_they_print():
    for text in EXAMPLES:
        assert repr(etude.parse(text)) == text


@dataclass(frozen=True)
class Later:
    """A part
    of a recipe to come.

    Args:
        lr: What the
            rate does.
    Raises:
        InputError: never.
    """

    lr: Schedule
    inner: dict[str, Stage] = field(default_factory=dict)


def test_a_new_field_needs_no_word_here():
    parts = {}
    assert _mapping(Later, parts) == {
        "description": "A part of a recipe to come.",
        "type": "object",
        "properties": {
            "lr": {"description": "What the rate does.", "$ref": "#/$defs/Schedule"},
            "inner": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Stage"}},
        },
        "required": ["lr"],
        "additionalProperties": False,
    }
    assert parts.keys() == {"Schedule", "Stage"}
