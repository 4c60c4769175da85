"""Recipe files: YAML in, with the file, line and column of every mistake; YAML out, with the comments kept."""

from __future__ import annotations

import functools
import io
import itertools
import re
import warnings
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from .errors import InputError, did_you_mean, shown
from .groups import Group
from .recipe import VERSION, Optimizer, Recipe, Training
from .run import Run, Stage
from .text import parse

# The shipped recipes have two thousand characters; these bounds keep any file within a second.
_LONGEST = 64 * 1024  # characters
_MOST = 4_000  # values, aliases written out
_DEEPEST = 20
_MOST_LINES = 20  # mistakes told at once


def loads(text: str, where: str = "recipe") -> Recipe:
    """Read a recipe from YAML text.

    Args:
        text: The file's text.
        where: What to call it in messages.
    Raises:
        InputError: a line for each mistake, beginning with file, line and column.
    """
    document = _document(text, where)
    if "etude" not in document:
        raise InputError(f"{where} is no etude recipe: it must be a mapping with `etude: {VERSION}`")
    plain = _plain(document, where, [_MOST], 0)
    version = plain.pop("etude")
    if version != VERSION or type(version) is not int:
        line, column = _place(document, ("etude",))
        raise InputError(
            f"{where}:{line}:{column}: etude: {version!r} is not a recipe format this etude reads; it reads {VERSION}"
        )
    return _Builder(document, where).recipe(plain, text)


def from_plain(plain: dict[str, Any], where: str) -> Recipe:
    """Read a recipe from what `to_dict` made of it."""
    return replace(_Builder({}, where).recipe({"name": "recipe", **plain}, ""), source=None)


def dumps(recipe: Recipe) -> str:
    """Return a recipe as YAML; where it was read from YAML, that text with only what differs changed."""
    yaml = _yaml()
    plain = recipe.to_dict()
    if recipe.source is None:
        return "".join(f"# {' '.join(note.split())}\n" for note in recipe.notes) + _text(yaml, plain)
    import json  # it costs the start of every command a millisecond

    document = yaml.load(recipe.source)
    _update(document, plain)
    if json.dumps(loads(_text(yaml, document)).to_dict()) != json.dumps(plain):
        document = plain  # a new order of groups or a shared anchor: what it says goes before its comments
    return _text(yaml, document)


def _text(yaml: Any, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def mapping(text: str, where: str) -> dict[str, Any]:
    """Return what YAML or JSON text holds as plain data, within the same bounds as a recipe: for the dialects."""
    plain: dict[str, Any] = _plain(_document(text, where), where, [_MOST], 0)
    return plain


def text_of_file(path: Path) -> str:
    """Return a file's text, no more of it than a recipe may hold."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST + 1)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    return text


def read_file(path: Path) -> Recipe:
    """Read a recipe file."""
    return loads(text_of_file(path), str(path))


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor may be set anew
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
    if not isinstance(document, dict):
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
    for kind in (bool, str, int, float):  # ruamel's own kinds of number and text go no further than this file
        if isinstance(node, kind):
            return kind(node)
    if node is None:
        return None
    raise InputError(f"{where}: {str(node)[:40]!r} is a {type(node).__name__}, a kind of value that no recipe holds")


class _Builder:
    """Builds a recipe from plain data by the annotations of its dataclasses, and gathers every mistake with its place."""

    def __init__(self, document: Any, where: str) -> None:
        self.document, self.where = document, where
        self.mistakes: list[tuple[tuple[int, int], str]] = []

    def recipe(self, plain: dict[str, Any], text: str) -> Recipe:
        plain.setdefault("name", Path(self.where).stem)
        if type(plain["name"]) in (int, float):
            plain["name"] = str(plain["name"])
        built: Recipe = self.build(Recipe, plain, ())
        if self.mistakes:
            lines = [line for _, line in sorted(self.mistakes)]
            more = [f"{self.where}: and {len(lines) - _MOST_LINES} more mistakes"] if len(lines) > _MOST_LINES else []
            raise InputError("\n".join(lines[:_MOST_LINES] + more))
        return replace(built, source=text)

    def wrong(self, path: _Path, problem: str) -> None:
        place = _place(self.document, path)
        self.mistakes.append((place, f"{self.where}:{place[0]}:{place[1]}: {problem}"))

    def build(self, kind: Any, plain: Any, path: _Path) -> Any:
        """Return an instance of a dataclass; nothing useful where there are mistakes."""
        if not isinstance(plain, dict):
            return self.must(path, "a mapping of keys to values", plain)
        known = {item.name: item for item in fields(kind) if item.compare}
        before = len(self.mistakes)
        for key in plain.keys() - known.keys():
            inside = f" in {'.'.join(map(str, path))}" if path else ""
            self.wrong((*path, key), f"unknown key {key!r}{inside}{did_you_mean(key, known)}")
        values = {}
        for name, item in known.items():
            if name in plain:
                values[name] = self.value(str(item.type), plain[name], (*path, name))
            elif item.default is MISSING and item.default_factory is MISSING:
                self.wrong(path, f"{name!r} is missing{' in ' if path else ''}{'.'.join(map(str, path))}")
        return self.made(lambda: kind(**values), path) if len(self.mistakes) == before else None

    def made(self, make: Callable[[], Any], path: _Path) -> Any:
        """Call a constructor; what it refuses is a mistake at this place, or at the one it names."""
        try:
            return make()
        except InputError as error:
            place = ".".join(map(str, path))
            self.wrong((*path, *error.at), f"{place}: {error}" if place and not error.at else str(error))

    def value(self, kind: str, value: Any, path: _Path) -> Any:
        """Return a value of the kind that a field is annotated with."""
        if kind.endswith(" | None") and value is None:
            return None
        kind = kind.removesuffix(" | None")
        if kind == "int | Schedule":
            kind = "Schedule" if isinstance(value, str) else "int"
        if kind == "str | tuple[str, ...]":
            kind = "tuple[str, ...]" if isinstance(value, list) else "str"
        if kind == "Any":
            return value
        if kind in _PARTS:
            return self.build(_PARTS[kind], value, path)
        if kind == "Schedule":
            return self.made(lambda: parse(value), path) if isinstance(value, str) else self.must(path, _EXPECTED["str"], value)
        inner = _INNER.match(kind)
        if inner is None:
            right = isinstance(value, _TYPES[kind]) and (kind == "bool") == isinstance(value, bool)
            return value if right else self.must(path, _EXPECTED[kind], value)
        if inner["outer"] == "dict":
            if not isinstance(value, dict):
                return self.must(path, "a mapping of names to values", value)
            return {name: self.value(inner["of"], item, (*path, name)) for name, item in value.items()}
        if not isinstance(value, list):
            return self.must(path, "a list", value)
        return tuple(self.value(inner["of"], item, (*path, index)) for index, item in enumerate(value))

    def must(self, path: _Path, expected: str, value: Any) -> None:
        self.wrong(path, f"{'.'.join(map(str, path))} must be {expected}, got {'nothing' if value is None else shown(value)}")


_Path = tuple[Any, ...]
_PARTS: dict[str, type] = {"Optimizer": Optimizer, "Group": Group, "Run": Run, "Stage": Stage, "Training": Training}
_INNER = re.compile(r"(?P<outer>dict|tuple)\[(?:str, )?(?P<of>\w+)")
_TYPES: dict[str, Any] = {"float": (int, float), "int": int, "bool": bool, "str": str}
_EXPECTED = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "a text (in quotes, where it holds commas or brackets)",
}


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
        try:
            return repr(parse(written)) == value
        except InputError:
            return False  # a name or pattern with a bracket
    return bool(written == value)
