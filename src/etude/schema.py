"""The JSON Schema of recipe files, for editors: what `recipe_yaml` reads, from the same annotations of the same dataclasses."""

from __future__ import annotations

import inspect
import re
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from .groups import HYPERPARAMETERS, KINDS
from .recipe import VERSION, Recipe
from .schedule import Schedule

EXAMPLES = (
    "cosine(1, 0)",
    'chain(linear(0, 1, over="3 epochs"), cosine(1, 0.01))',
    'chain(linear(0, 1, over="5%"), constant(1, over="75%"), power(1, 0, 0.5))',
    'steps(0.1, at=["30 epochs", "60 epochs"])',
)
"""Schedules that an editor offers."""

_CHOICES = {"clock": ("step", "batch"), "kind": KINDS}  # the texts that a key takes, where it does not take any
_TYPES = {float: "number", int: "integer", bool: "boolean", str: "string", types.NoneType: "null"}


def recipe_schema() -> dict[str, Any]:
    """Return the schema of a recipe file, JSON Schema draft 2020-12.

    It holds what can be said of one value at a time; that the text of a schedule is right, or that two keys contradict
    each other, is told by `etude show`.

    Example:
        >>> recipe_schema()["required"]
        ['etude', 'optimizer']
    """
    parts: dict[str, Any] = {}
    recipe = _mapping(Recipe, parts)
    recipe["properties"] = {"etude": {"const": VERSION, "description": "The format of this file."}, **recipe["properties"]}
    recipe["properties"]["name"]["type"] = ["string", "number"]  # a number is a name too
    recipe["required"].insert(0, "etude")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "etude recipe", **recipe}
    return {**schema, "$defs": dict(sorted(parts.items()))}


def _mapping(kind: type, parts: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a dataclass; those inside it go into `parts`."""
    hints, texts = get_type_hints(kind, localns={"Origin": Any}), _arguments(kind)  # where it was read from is no key of a file
    known = [item for item in fields(kind) if item.compare]
    return {
        "description": _summary(kind),
        "type": "object",
        "properties": {
            item.name: {
                **({"description": texts[item.name]} if item.name in texts else {}),
                **_value(hints[item.name], parts, _CHOICES.get(item.name)),
            }
            for item in known
        },
        "required": [item.name for item in known if item.default is MISSING and item.default_factory is MISSING],
        "additionalProperties": False,
    }


def _value(hint: Any, parts: dict[str, Any], choices: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return the schema of a value annotated so."""
    if hint is Any:
        return {}
    if hint is str and choices:
        return {"enum": list(choices)}
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    if hint is Schedule:
        parts["Schedule"] = {"description": "A schedule, as it prints.", "type": "string", "examples": list(EXAMPLES)}
        return {"$ref": "#/$defs/Schedule"}
    if is_dataclass(hint):
        assert isinstance(hint, type)
        if hint.__name__ not in parts:
            parts[hint.__name__] = {}  # its place, should it hold itself
            parts[hint.__name__] = _mapping(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    inner = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        options = [_value(one, parts, choices) for one in inner]
        alike = all(option.keys() == {"type"} for option in options)
        return {"type": [option["type"] for option in options]} if alike else {"anyOf": options}
    if get_origin(hint) is dict:
        value = _value(inner[1], parts)
        if inner[1] is Schedule:
            return {"type": "object", "properties": dict.fromkeys(HYPERPARAMETERS, value), "additionalProperties": False}
        return {"type": "object", "additionalProperties": value}
    assert get_origin(hint) is tuple, f"no schema for {hint}"
    bounds = {} if inner[-1] is ... else {"minItems": len(inner), "maxItems": len(inner)}
    return {"type": "array", "items": _value(inner[0], parts, choices), **bounds}


def _summary(kind: type) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def _arguments(kind: type) -> dict[str, str]:
    """Return what a docstring's Args say, by argument; a line may name several."""
    texts: dict[str, str] = {}
    block = re.search(r"^Args:\n((?: .*\n?)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", block[1] if block else "", re.MULTILINE):
        texts |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return texts
