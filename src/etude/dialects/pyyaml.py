"""YAML as PyYAML reads it, within bounds: the rules of YOLOv5, Ultralytics, PaddleOCR, timm and transformers.

PyYAML speaks YAML 1.1: `5e-5` and `1.0e5` are texts to it (a float needs a dot and a signed exponent), `on` is true, `010` is 8.
The events of its parser are taken one by one, so that size, depth and what aliases repeat are bounded before anything is
built; tags are refused, and nothing is constructed but mappings, lists and plain values.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, shown

_LONGEST = 64 * 1024  # characters; the longest config seen has twelve thousand
_MOST = 10_000  # values, with those that an alias repeats
_DEEPEST = 20


def load(text: str, where: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Args:
        text: The text.
        where: What to call it in messages.
    Raises:
        InputError: malformed, not a mapping, or beyond the bounds; with line and column where there is one.

    Example:
        >>> load("{lr: 5e-5, wd: 5.0e-4, amp: on}", "text")
        {'lr': '5e-5', 'wd': 0.0005, 'amp': True}
    """
    if len(text) > _LONGEST:
        raise InputError(f"{where} is no recipe: longer than {_LONGEST} characters")
    found = _Document(text, where).value
    if not isinstance(found, dict):
        raise InputError(f"{where} is no recipe: it must be a mapping of keys to values")
    return found


def check_size(value: Any, where: str) -> None:
    """Refuse plain data that holds more, or is nested deeper, than a file may."""
    row, count = [value], 0
    for _ in range(_DEEPEST + 1):
        count += len(row)
        inner = (one.values() if isinstance(one, dict) else one for one in row if isinstance(one, dict | list))
        row = list(itertools.islice(itertools.chain.from_iterable(inner), _MOST + 1))
        if count + len(row) > _MOST:
            raise InputError(f"{where} is no recipe: it holds more than {_MOST} values")
    if row:
        raise InputError(f"{where} is no recipe: nested deeper than {_DEEPEST}")


def scalar(text: str) -> Any:
    """Return what a text alone is: a number, a flag, a text, or a list of them in brackets."""
    return _Document(text, repr(text[:40])).value if len(text) <= _LONGEST else text


class _Document:
    """One document on its way from events to plain data."""

    def __init__(self, text: str, where: str) -> None:
        self.where, self.left = where, _MOST
        self.anchors: dict[str, Any] = {}
        self.sizes: dict[int, int] = {}  # values in an anchored collection, by its id: they count again in every alias
        yaml, loader = _yaml()
        try:
            self.events = self._checked(yaml, yaml.parse(text, Loader=loader))
            next(self.events)  # the stream begins
            event = next(self.events)
            if isinstance(event, yaml.StreamEndEvent):
                self.value = None
                return
            self.value = self._build(next(self.events))
            next(self.events)
            if not isinstance(next(self.events), yaml.StreamEndEvent):
                raise InputError(f"{where} is no recipe: it holds more than one YAML document")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise InputError(f"{where}{place}: malformed YAML: {_line(error.problem or error.context)}") from None
        except (yaml.YAMLError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{where}: malformed YAML: {_line(error)}") from None

    def _checked(self, yaml: Any, events: Iterator[Any]) -> Iterator[Any]:
        depth = 0
        for event in events:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise InputError(f"{self._place(event)} is no recipe: nested deeper than {_DEEPEST}")
            if getattr(event, "tag", None) not in (None, "!"):
                raise InputError(f"{self._place(event)}: the tag {event.tag[:60]} can't be read: only plain values are")
            yield event

    def _place(self, event: Any) -> str:
        return f"{self.where}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def _count(self, event: Any, values: int = 1) -> None:
        self.left -= values
        if self.left < 0:
            raise InputError(f"{self._place(event)} is no recipe: it holds more than {_MOST} values")

    def _build(self, event: Any) -> Any:
        """Return the value that begins with an event."""
        yaml, _ = _yaml()
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise InputError(f"{self._place(event)}: the alias *{event.anchor} names nothing before it")
            found = self.anchors[event.anchor]
            self._count(event, self.sizes.get(id(found), 1))
            return found
        self._count(event)
        before = self.left
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _resolved(event, self._place(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self._build(inner) for inner in self._until(yaml.SequenceEndEvent)]
        else:
            value = self._mapping(yaml)
        if event.anchor:
            self.anchors[event.anchor] = value
            self.sizes[id(value)] = before - self.left + 1
        return value

    def _until(self, end: type) -> Iterator[Any]:
        return itertools.takewhile(lambda event: not isinstance(event, end), self.events)

    def _mapping(self, yaml: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._build(event)
            value = self._build(next(self.events))
            if key == "<<" and not event.style:
                for each in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(each, dict):
                        raise InputError(f"{self._place(event)}: << merges mappings, got {shown(str(each)[:60])}")
                    merged |= each
            elif isinstance(key, dict | list):
                raise InputError(f"{self._place(event)}: a key must be a text, got {str(key)[:60]}")
            else:
                own[key if isinstance(key, str) else _text(event)] = value
        return merged | own


def _text(event: Any) -> str:
    """Return a key that is no text to PyYAML (a number, `on`) as it is written."""
    return str(getattr(event, "value", event.__class__.__name__))


def _resolved(event: Any, place: str) -> Any:
    """Return a scalar as PyYAML's own rules and constructors have it."""
    yaml, _ = _yaml()
    rules = _rules()
    tag = rules.resolve(yaml.ScalarNode, event.value, event.implicit)
    make = _KINDS.get(tag.rpartition(":")[2])
    if make is None:
        return event.value
    if len(event.value) > 400:  # Python itself needs long for a number of many digits
        raise InputError(f"{place}: a number of {len(event.value)} characters is none that a recipe holds")
    try:
        return getattr(rules, make)(yaml.ScalarNode(tag, event.value))
    except (ArithmeticError, LookupError, ValueError):
        return event.value  # such as 0o9 or 99:99:99.9, which look like numbers


_KINDS = {
    "int": "construct_yaml_int",
    "float": "construct_yaml_float",
    "bool": "construct_yaml_bool",
    "null": "construct_yaml_null",
}


@functools.cache
def _yaml() -> tuple[Any, Any]:
    import yaml

    return yaml, getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same rules; the one in C is ten times faster


@functools.cache
def _rules() -> Any:
    import yaml

    return yaml.SafeLoader("")


def _line(problem: object) -> str:
    return (" ".join(str(problem).split()) or "malformed")[:200]
