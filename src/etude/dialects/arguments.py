"""A framework's settings, taken one by one: each is checked, and what nobody took is no setting of it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import InputError, MissingFactError, did_you_mean, shown
from ..fields import number
from ..recipe import Optimizer
from ..run import Facts, Run, given_facts

_REQUIRED: Any = object()
_FLAGS = {"epochs": "--epochs", "samples": "--samples", "batch_size": "--batch-size"}
_FACTS = ("epochs", "samples", "batch_size", "devices", "accumulate", "drop_last", "steps_per_epoch", "steps")


def run_of(facts: Any) -> Run:
    """Return the run that a description gives the facts of."""
    for key in mapping(facts, "run"):
        if key not in _FACTS:
            raise InputError(f"run has no fact {shown(key)}{did_you_mean(str(key), _FACTS)}")
    return Run(**facts)


def run_over(own: Facts, given: Facts) -> Run:
    """Return a run of a file's own facts, with those that were given beside it put over them; None is unknown."""
    return Run(**{name: value for name, value in {**own, **given_facts(given)}.items() if value is not None})


def only(given: Facts, known: Sequence[str], title: str, cure: str) -> None:
    """Refuse facts of a run that a framework leaves no room for."""
    for name in given:
        if name not in known:
            raise InputError(f"{title} {cure}: leave --{name.replace('_', '-')} out")


def whole_epochs(epochs: float | None, title: str) -> int:
    """Return a number of epochs, which must be whole."""
    if epochs is None or epochs != int(epochs):
        raise InputError(f"{title} trains whole epochs, got {shown(epochs)}: give --epochs")
    return int(epochs)


def steps_of(run: Run) -> int | None:
    """Return the updates of a run; None while they are not known."""
    try:
        total = run.clock().total
    except InputError:  # facts are missing, as they may be
        return None
    return int(total) if total < math.inf else None


def ratio(value: float, base: float) -> float:
    """Return a value as a factor of a base: 0.01 of 0.1 is 0.1, and not the 0.09999999999999999 of a division."""
    factor = value / base
    short = float(f"{factor:.12g}")
    return short if math.isclose(short, factor, rel_tol=1e-15) else factor


def need(run: Run, facts: Sequence[str], why: str) -> None:
    """Ask for the facts of a run that are not known, by the flags that give them."""
    missing = [_FLAGS[name] for name in facts if getattr(run, name) is None and not (name == "epochs" and run.stages)]
    if missing:
        raise MissingFactError(f"{why}: give {' and '.join([', '.join(missing[:-1]), missing[-1]] if missing[1:] else missing)}")


def optimizer_of(facts: Any) -> dict[str, Any]:
    """Return the settings of an Optimizer that a description gives beside a schedule, its lr left out."""
    known = [item.name for item in fields(Optimizer) if item.name != "lr"]
    given = dict(mapping(facts, "optimizer"))
    for key in given:
        if key not in known:
            raise InputError(f"optimizer has no setting {shown(key)}{did_you_mean(str(key), known)}")
    return given


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a mapping, refusing everything else by name."""
    if value is None:
        raise InputError(f"{what} is missing")
    if not isinstance(value, Mapping):
        raise InputError(f"{what} must be a mapping of keys to values, got {shown(value)}")
    return value


def numbers_of(value: Any, what: str) -> list[float]:
    """Return a list of finite numbers, which may be empty."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{what} must be a list of numbers, got {shown(value)}{bracketed(value)}")
    return [number(one, f"{what}[{index}]") for index, one in enumerate(value)]


def bracketed(value: Any) -> str:
    """Return how numbers that were written without brackets are written, for the end of a message."""
    return f": write [{value}]" if isinstance(value, str) and re.fullmatch(r"[-+.eE0-9]+( *, *[-+.eE0-9]+)+", value) else ""


def closest(word: str, known: Sequence[str]) -> str:
    """Return ": did you mean 'x'" for the closest known word, and "" where none is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {close[0]!r}" if close else ""


def _dotted(value: float) -> str:
    """Return a number as PyYAML takes it for one: 5.0e-05."""
    mantissa, e, exponent = repr(value).partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + (f"e{exponent if exponent[0] in '+-' else '+' + exponent}" if e else "")


_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]{1,3})?")


class Arguments:
    """The settings of one scheduler, by name.

    Args:
        name: What they belong to, for messages.
        given: The settings as they were read.
    """

    _unquoted = "PyYAML takes a number without a dot and a signed exponent for a text: write {}"

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name, self.given = name, dict(given)
        self.taken: dict[str, None] = {}

    def refuse(self, problem: str) -> InputError:
        return InputError(f"{self.name}: {problem}")

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a setting as it is."""
        self.taken[key] = None
        value = self.given.get(key, default)
        if value is _REQUIRED:
            raise self.missing(key)
        return value

    def missing(self, key: str, need: str = "") -> InputError:
        """Return the error of a setting that is not there, or is there misspelt."""
        close = difflib.get_close_matches(key, [str(word) for word in self.given if word not in self.taken], n=1)
        return self.refuse((need or f"{shown(key)} is missing") + (f"; did you mean it by {close[0]!r}?" if close else ""))

    def number(
        self, key: str, default: float = _REQUIRED, *, least: float = -math.inf, most: float = math.inf, above: float = -math.inf
    ) -> float:
        """Return a finite number within bounds."""
        value = self.take(key, default)
        if isinstance(value, str) and _FLOAT.fullmatch(value):
            raise self.refuse(
                f"{key} must be a number, got the text {shown(value)}; {self._unquoted.format(_dotted(float(value)))}"
            )
        found = number(value, f"{self.name}: {key}")
        if not least <= found <= most or found <= above:
            bounds = [
                f"{word} {bound:g}"
                for word, bound in (("at least", least), ("above", above), ("at most", most))
                if abs(bound) < math.inf
            ]
            raise self.refuse(f"{key} must be {' and '.join(bounds)}, got {found:g}")
        return found

    def whole(self, key: str, default: int = _REQUIRED, *, least: int = 0) -> int:
        """Return a whole number; a float is none, as the frameworks have it."""
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.refuse(f"{key} must be a whole number of at least {least}, got {shown(value)}")
        if value > 2**53:
            raise self.refuse(f"{key} must be at most {2**53}, got a larger number")
        return value

    def word(self, key: str, words: Sequence[str], default: str = _REQUIRED) -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or value not in words:
            raise self.refuse(f"{key} must be {' or '.join(map(repr, words))}, got {shown(value)}")
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise self.refuse(f"{key} must be true or false, got {shown(value)}")
        return value

    def numbers(self, key: str, count: int, default: float = _REQUIRED) -> list[float]:
        """Return a number for each of `count` groups: one for all, or a list of so many."""
        value = self.take(key, default)
        if not isinstance(value, list | tuple):
            return [number(value, f"{self.name}: {key}")] * count
        if len(value) != count:
            raise self.refuse(f"{key} must be one number, or one for each group, of which there are {count}; got {len(value)}")
        return [number(item, f"{self.name}: {key}[{index}]") for index, item in enumerate(value)]

    def near(self) -> None:
        """Refuse what looks like a setting that was not given, misspelt; the rest of what nobody took is of no schedule."""
        wanted = [key for key in self.taken if key not in self.given and len(key) > 5]
        for key in self.given:
            close = difflib.get_close_matches(str(key), wanted, n=1, cutoff=0.86) if key not in self.taken else []
            if close:
                raise self.refuse(f"has no setting {shown(key)}; did you mean {close[0]!r}?")

    def done(self) -> None:
        """Refuse what was not taken."""
        for key in self.given:
            if key not in self.taken and key in ("lr", "momentum", "weight_decay"):
                raise self.refuse(
                    f"{shown(key)} is the optimizer's: put it beside the scheduler, as in 'optimizer': {{{shown(key)}: 0.1}}"
                )
            if key not in self.taken:
                raise self.refuse(f"has no setting {shown(key)}{did_you_mean(str(key), self.taken)}")


class Settings(Arguments):
    """Settings of a config that may be Python as well as YAML."""

    _unquoted = "write {}, without quotes"


def as_float(a: Arguments, key: str) -> float:
    """Return a number that the framework passes through float(), so that it may be a text such as '1e-6'."""
    value = a.take(key)
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        return number(float(value), f"{a.name}: {key}")
    return a.number(key)
