"""One exception for every mistake a user can make, and the two sentences that several modules need.

Only this module and the standard library are imported here, so that anything may raise it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

EXTRAS = {
    "matplotlib": "plot",
    "torch": "torch",
    "rich": "train",
    "safetensors": "train",
    "sklearn": "train",
    "tensorboardX": "tensorboard",
}


class InputError(ValueError):
    """A user's mistake, told in one line: what, where, the value got, what was expected and the cure.

    The command line prints it and exits with code 2; a library user may catch it as a ValueError. `at` is the path of the
    key in a recipe file that is meant, for a mistake that only several keys together make.
    """

    def __init__(self, message: str, at: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.at = at


class MissingFactError(InputError):
    """A fact that a foreign recipe does not hold, and that nobody has given yet."""


def told(error: Exception, where: str) -> InputError:
    """Return what went wrong in reading somebody's file or object as one line that begins with its name."""
    if isinstance(error, InputError):
        return error if str(error).startswith(where) else type(error)(f"{where}: {error}")
    return InputError(
        f"{where} can't be read: {type(error).__name__}: {' '.join(str(error).split())[:200]}; check the settings there"
    )


def shown(value: object) -> str:
    """Return a value as a message shows it: no longer than a line can bear."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known word, or the list of all when none is close."""
    import difflib  # a mistake may take a moment longer

    names = list(known)
    close = difflib.get_close_matches(str(word), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def need(module: str) -> ModuleType:
    """Import an optional dependency, or say which pip line brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = EXTRAS[module.partition(".")[0]]
        raise InputError(
            f"this needs {module.partition('.')[0]}, which can't be imported ({error}): pip install 'etude[{extra}]'"
        ) from error
