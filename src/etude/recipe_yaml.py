"""Recipe files: YAML in, with the file, line and column of every mistake; YAML out, with the comments kept."""

from __future__ import annotations

import functools
import io
import itertools
import json
from pathlib import Path
from typing import Any

from .errors import InputError, did_you_mean
from .recipe import VERSION, Recipe
from .text import parse

# The shipped recipes have two thousand characters; these bounds keep any file within a second.
_LONGEST = 64 * 1024  # characters
_MOST = 4_000  # values, aliases written out
_DEEPEST = 20
_MOST_LINES = 20  # mistakes told at once
_KEYS = ("etude", "name", "optimizer", "groups", "schedules", "clock", "run", "train")


def loads(text: str, where: str = "recipe") -> Recipe:
    """Read a recipe from YAML text.

    Args:
        text: The file's text.
        where: What to call it in messages.
    Raises:
        InputError: a line for each mistake, beginning with file, line and column.
    """
    document = _document(text, where)
    plain = _plain(document, where, [_MOST], 0)
    version = plain.pop("etude")
    if version != VERSION or type(version) is not int:
        line, column = _place(document, ("etude",))
        raise InputError(
            f"{where}:{line}:{column}: etude: {version!r} is not a recipe format this etude reads; it reads {VERSION}"
        )
    return _validated(plain, document, where, text)


def dumps(recipe: Recipe) -> str:
    """Return a recipe as YAML; where it was read from YAML, that text with only what differs changed."""
    yaml = _yaml()
    plain = recipe.to_dict()
    if recipe.source is None:
        document: Any = plain
    else:
        document = yaml.load(recipe.source)
        _update(document, plain)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def read_file(path: Path) -> Recipe:
    """Read a recipe file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST + 1)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    return loads(text, str(path))


@functools.cache
def _representer() -> Any:
    from ruamel.yaml.representer import RoundTripRepresenter
    from ruamel.yaml.scalarfloat import ScalarFloat

    class Exact(RoundTripRepresenter):
        """Writes a number as it stood in the file, unless that loses its last digit, as ruamel's own form may."""

        def represent_exactly(self, data: Any) -> Any:
            node = self.represent_scalar_float(data)
            return node if float(node.value) == data else self.represent_float(float(data))

    Exact.add_representer(ScalarFloat, Exact.represent_exactly)
    return Exact


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.Representer = _representer()
    yaml.width = 1_000  # a schedule stays on its line
    yaml.preserve_quotes = True
    return yaml


def _document(text: str, where: str) -> Any:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text) > _LONGEST or sum(map(text.count, "\n,[{")) > _MOST:
        raise InputError(f"{where} is no recipe: longer than {_LONGEST} characters or {_MOST} lines and values")
    if text.startswith("%"):
        raise InputError(f"{where}:1:1: malformed YAML: a recipe is YAML 1.2 and takes no % directive")
    depths = itertools.accumulate(1 if letter in "[{" else -1 for letter in text if letter in "[]{}")
    if max(depths, default=0) > _DEEPEST:
        raise InputError(f"{where} is no recipe: brackets are nested deeper than {_DEEPEST}")
    try:
        document = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = (error.problem or error.context or "malformed").splitlines()[0]
        raise InputError(f"{where}{place}: malformed YAML: {problem}") from None
    except (YAMLError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise InputError(
            f"{where}: malformed YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    if not isinstance(document, dict) or "etude" not in document:
        raise InputError(f"{where} is no etude recipe: it must be a mapping with `etude: {VERSION}`")
    return document


def _plain(node: Any, where: str, left: list[int], depth: int) -> Any:
    """Return the document as plain data, refusing what only a crafted file holds: tags, cycles, alias bombs."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise InputError(f"{where} is no recipe: it holds more than {_MOST} values or is nested too deeply")
    tag = getattr(getattr(node, "tag", None), "value", None)
    if tag is not None:
        raise InputError(f"{where}: the tag {str(tag)[:40]} can't be read: a recipe holds plain values only")
    if isinstance(node, dict):
        for key in node:
            if not isinstance(key, str):
                line, column = _place(node, (key,))
                raise InputError(f"{where}:{line}:{column}: a key must be a text, got {key!r}")
        return {str(key): _plain(value, where, left, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, where, left, depth + 1) for value in node]
    if node is None or isinstance(node, bool | str | int | float):
        return node
    raise InputError(f"{where}: {str(node)[:40]!r} is a {type(node).__name__}, a kind of value that no recipe holds")


def _validated(plain: dict[str, Any], document: Any, where: str, text: str) -> Recipe:
    import pydantic

    plain.setdefault("name", Path(where).stem)
    if isinstance(plain["name"], int | float) and not isinstance(plain["name"], bool):
        plain["name"] = str(plain["name"])
    try:
        # JSON is where pydantic's strict mode takes a list for a tuple and nothing for anything else
        recipe: Recipe = _adapter().validate_json(json.dumps(plain), strict=True)
    except pydantic.ValidationError as error:
        raise InputError("\n".join(_lines(error.errors(include_url=False), plain, document, where))) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {error}") from None
    object.__setattr__(recipe, "source", text)
    return recipe


@functools.cache
def _adapter() -> Any:
    import pydantic

    return pydantic.TypeAdapter(Recipe)


def _lines(errors: list[Any], plain: Any, document: Any, where: str) -> list[str]:
    """Return a line for each place that pydantic complains about; of a union's complaints the most telling one."""
    best: dict[tuple[Any, ...], tuple[int, tuple[int, int], str]] = {}
    for error in errors:
        path, rest = _path(error["loc"], plain)
        if error["type"] == "value_error":
            path = (*path, *getattr(error["ctx"]["error"], "at", ()))
        rank, problem = _problem(error, path, rest)
        line, column = _place(document, path)
        text = f"{where}:{line}:{column}: {problem}"
        if path not in best or rank > best[path][0]:
            best[path] = rank, (line, column), text
    lines = [text for _, _, text in sorted(best.values(), key=lambda found: found[1])]
    return (
        lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], f"{where}: and {len(lines) - _MOST_LINES} more mistakes"]
    )


def _problem(error: Any, path: tuple[Any, ...], missing: str) -> tuple[int, str]:
    place = ".".join(map(str, path))
    if error["type"] == "unexpected_keyword_argument":
        parent, key = path[:-1], path[-1]
        inside = f" in {'.'.join(map(str, parent))}" if parent else ""
        return 3, f"unknown key {key!r}{inside}{did_you_mean(key, _known(parent))}"
    if error["type"] in ("missing", "missing_argument"):
        inside = f" in {place}" if place else ""
        return 3, f"{missing!r} is missing{inside}"
    if error["type"] == "value_error":
        problem = str(error["ctx"]["error"])
        told = problem.startswith(place.partition(".")[0]) or bool(getattr(error["ctx"]["error"], "at", ()))
        return 4, f"{place}: {problem}" if place and not told else problem
    expected = _EXPECTED.get(error["type"], error["msg"].removeprefix("Input should be "))
    got = repr(error["input"])
    return 1, f"{place} must be {expected}, got {got if len(got) <= 60 else got[:57] + '...'}"


_EXPECTED = {
    "string_type": "a text (in quotes, where it holds commas or brackets)",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "tuple_type": "a list",
    "missing": "there",
}


def _known(path: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the keys that may stand at a place of the file."""
    from dataclasses import fields

    from .groups import Group
    from .recipe import Optimizer, Training
    from .run import Run, Stage

    if not path:
        return _KEYS
    kind: Any = {"optimizer": Optimizer, "groups": Group, "run": Run, "train": Training}.get(path[0])
    if path[:2] == ("run", "stages"):
        kind = Stage
    return tuple(item.name for item in fields(kind)) if kind else ()


def _path(loc: tuple[Any, ...], plain: Any) -> tuple[tuple[Any, ...], str]:
    """Return the part of a pydantic location that exists in the file, and the name that doesn't."""
    path: list[Any] = []
    node = plain
    for key in loc:
        if (isinstance(node, dict) and key in node) or (isinstance(node, list) and isinstance(key, int) and key < len(node)):
            path.append(key)
            node = node[key]
        else:
            return tuple(path), str(key)
    return tuple(path), ""


def _place(document: Any, path: tuple[Any, ...]) -> tuple[int, int]:
    """Return line and column, from 1, of a key in the document; of the nearest one around it where there is none."""
    line, column = 0, 0
    for key in path:
        try:
            at = document.lc
            line, column = at.key(key) if isinstance(document, dict) else at.item(key)
            document = document[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line + 1, column + 1


def _update(document: Any, plain: dict[str, Any]) -> None:
    """Bring a document to new values in place, so that what stays keeps its comments."""
    for key in [key for key in document if key not in plain]:
        del document[key]
    for key, value in plain.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _update(document[key], value)
        elif key not in document or not _same(document[key], value):
            document[key] = value


def _same(written: Any, value: Any) -> bool:
    """Whether what the file says is the value: a schedule may be spelled in its own way."""
    if isinstance(written, str) and isinstance(value, str) and written != value and "(" in written:
        return repr(parse(written)) == value
    return bool(written == value)
