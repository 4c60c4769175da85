"""Config files and their bases put together, as mmcv 1.x and as mmengine do, which differ.

mmcv evaluates a file, then merges it into its bases. mmengine reads the bases first, so that a file may use `_base_.model`; or,
where a file imports (`with read_base():`), it takes bases for modules, whose names become its own.

Source: mmcv/utils/config.py of mmcv 1.7.2; mmengine/config/config.py and utils.py of mmengine 0.10.7.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError, shown
from .evaluate import Evaluator
from .files import Files, joined, parsed, root_of
from .imports import base_modules, bound, checked_import, chosen, imports, is_base, is_lazy, module_of, without_base
from .values import Budget, ConfigDict, ExhaustedError, Opaque, RefusedError, config, plain

_RESERVED = {"mmcv": ("filename", "text", "pretty_text"), "mmengine": ("filename", "text", "pretty_text", "env_variables")}
_SIGNS = {
    "mmengine": ("optim_wrapper", "param_scheduler", "train_dataloader", "default_scope", "default_hooks"),
    "mmcv": ("lr_config", "optimizer", "optimizer_config", "runner", "total_epochs"),
}
"""What tells a config of mmengine from one of mmcv 1.x."""

_LONGEST_LINE = 900


class Resolved(NamedTuple):
    """A config with all its bases in it, and the files that it was read from."""

    dialect: str
    config: dict[str, Any]
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def resolve(path: Path, root: Path | None = None, dialect: str | None = None) -> Resolved:
    """Read a config file and all that it is based on; nothing is executed, and no file outside the root is opened.

    Args:
        path: A .py, .json, .yml or .yaml file.
        root: The folder out of which nothing is read; that of the repository, the package or the configs by default.
        dialect: "mmcv" or "mmengine"; what the config holds decides by default.
    Returns:
        The config as plain mappings, lists, tuples and scalars; imported objects are their dotted names.
    Raises:
        InputError: with file and line: what the framework refuses, and what is no literal, arithmetic or known function.
    """
    failed: InputError | None = None
    for kind in [dialect] if dialect else ["mmengine", "mmcv"]:
        try:
            found = _resolved(path, root or root_of(path), kind)
        except InputError as error:
            failed = failed or error
            continue
        if dialect or kind == (generation(found.config) or "mmengine"):
            return found
    raise failed or InputError(f"{path}: it is mmcv's to mmengine and mmengine's to mmcv; name the one that it is of")


def generation(source: Mapping[str, Any]) -> str | None:
    """Return whose config it is by what it holds, if that tells."""
    return next((name for name, keys in _SIGNS.items() if any(key in source for key in keys)), None)


def _resolved(path: Path, root: Path, dialect: str) -> Resolved:
    files = Files(root, environment=dialect == "mmengine")
    loader = (_Mmengine if dialect == "mmengine" else _Mmcv)(files)
    try:
        found = loader.config(path.absolute())
        for key in found.keys() & _RESERVED[dialect]:
            raise InputError(f"{path}: {dialect} keeps the name {key} for itself")
        made = plain({key: value for key, value in found.items() if key not in loader.imported}, loader.budget)
    except InputError as error:
        raise _line(error, path) from None
    except RefusedError as error:
        raise _line(InputError(f"{path}: {error} is not evaluated, as nothing of a config is executed"), path) from None
    except (ExhaustedError, RecursionError) as error:
        raise InputError(f"{path}: {error}; configs of strangers are read within bounds") from None
    return Resolved(dialect, made, tuple(files.read), tuple(files.notes))


def _line(error: InputError, path: Path) -> InputError:
    """Return a message as one line that begins with the file, though a stranger wrote half of it."""
    text = " ".join(str(error).split())
    if not path.is_absolute():
        text = text.replace(f"{Path.cwd()}{os.sep}", "")
    if not text.startswith(str(path)):
        text = f"{path}: {text}"
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return InputError(text if len(text) < _LONGEST_LINE else f"{text[: _LONGEST_LINE // 2]} ... {text[-_LONGEST_LINE // 2 :]}")


class _Mmcv:
    """Files on their way to one config of mmcv 1.x: evaluated, then merged into their bases."""

    def __init__(self, files: Files) -> None:
        self.files, self.budget = files, Budget()
        self.active: list[Path] = []
        self.imported: set[str] = set()  # names that imports bind, and that are no part of a config

    def config(self, path: Path) -> dict[str, Any]:
        """Return the whole config of a file."""
        return self.merged(path, self.files.text(path))

    def merged(self, path: Path, raw: str) -> dict[str, Any]:
        """Return what a file says, merged into what its bases say."""
        with self._reading(path):
            text, taken = self.files.filled(path, raw)
            own, bases = self._own(path, raw, text) if path.suffix == ".py" else self._document(path, text)
            own.pop("_deprecation_", None)
            return self._merge(self._unshared(own, taken, bases), bases)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        if path in self.active:
            raise InputError(
                f"{path} is based on itself, by way of {' and '.join(map(str, self.active[self.active.index(path) :]))}"
            )
        self.active.append(path)
        yield
        self.active.pop()

    def _own(self, path: Path, raw: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a file says, and what its bases say."""
        own = self._evaluated(path, self._tree(path, raw, text), {"__file__": str(path), "__name__": "config"})
        return own, self._bases(path, own.pop("_base_", []))

    def _tree(self, path: Path, raw: str, text: str) -> ast.Module:
        """Return the syntax tree of a text, which must be Python before {{ }} are put in, too."""
        tree = parsed(path, raw)
        return tree if raw == text else parsed(path, text)

    def _document(self, path: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        from .. import pyyaml

        own = dict(_json(text, str(path)) if path.suffix == ".json" else pyyaml.load(text, str(path)))
        return own, self._bases(path, own.pop("_base_", []))

    def _evaluated(self, path: Path, tree: ast.Module, names: dict[str, Any]) -> dict[str, Any]:
        Evaluator(str(path), names, self.budget, bound).run(tree.body)
        return {name: value for name, value in names.items() if name[:2] != "__" and not isinstance(value, Opaque)}

    def _bases(self, path: Path, named: Any) -> dict[str, Any]:
        """Return what the bases that a file names say, together."""
        together: dict[str, Any] = ConfigDict()
        for base in named if isinstance(named, list) else [named]:
            if not isinstance(base, str):
                raise InputError(f"{path}: _base_ must be a path or a list of paths, got {type(base).__name__}")
            try:
                given = self._base(path, base)
            except InputError as error:
                raise error if str(error).startswith(str(path)) else InputError(f"{path}: _base_ {base}: {error}") from None
            if twice := together.keys() & given.keys():
                raise InputError(f"{path}: the base {base} holds {', '.join(sorted(twice))}, as one before it does: only one may")
            together.update(given)
        return together

    def _base(self, path: Path, base: str) -> dict[str, Any]:
        found = joined(path, base)
        return self.merged(found, self.files.text(found))

    def _unshared(self, value: Any, taken: Mapping[str, str], bases: Mapping[str, Any], depth: int = 0) -> Any:
        """Return a copy that shares nothing, in which names of the bases stand for their values."""
        if isinstance(value, str) and value in taken:
            return _looked_up(bases, taken[value])
        if isinstance(value, dict):
            self.budget.hold(value, depth)
            return {key: self._unshared(one, taken, bases, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            self.budget.hold(value, depth)
            return type(value)([self._unshared(one, taken, bases, depth + 1) for one in value])
        return value

    def _merge(self, own: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
        """Return a base with what a file says put over it; a mapping with `_delete_` takes its place instead."""
        made = dict(base)
        for key, value in own.items():
            if isinstance(value, dict) and key in made and not value.pop("_delete_", False):
                if not isinstance(made[key], dict):
                    raise InputError(
                        f"{key} is a mapping, and a {type(made[key]).__name__} in the base: give it _delete_=True to replace that"
                    )
                made[key] = self._merge(value, made[key])
            else:
                made[key] = value
        return made


class _Mmengine(_Mmcv):
    """Files on their way to one config of mmengine: bases first, then what uses them."""

    def config(self, path: Path) -> dict[str, Any]:
        text = self.files.text(path)
        if path.suffix != ".py" or not is_lazy(tree := parsed(path, text), path):
            return self.merged(path, text)
        return {name: value for name, value in self._lazy(path, tree).items() if not _is_function(value)}

    def merged(self, path: Path, raw: str) -> dict[str, Any]:
        made = super().merged(path, raw)
        for name in made:
            if not isinstance(name, str):
                raise InputError(f"{path}: a config's keys are texts, got {shown(name)}")
        return {name: value for name, value in made.items() if name[:2] != "__"}

    def _own(self, path: Path, raw: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        tree = self._tree(path, raw, text)
        if is_lazy(tree, path):
            raise InputError(f"{path} imports, and is named in a _base_: mmengine takes the one or the other, not both")
        named = next((node.value for node in tree.body if isinstance(node, ast.Assign) and is_base(node)), None)
        bases = self._bases(path, Evaluator(str(path), {}, self.budget).value(named)) if named else ConfigDict()
        own = self._evaluated(path, without_base(tree), {"_base_": bases, "__name__": "builtins"})
        own.pop("_base_", None)
        return own, bases

    def _base(self, path: Path, base: str) -> dict[str, Any]:
        package, foreign, inner = base.partition("::")
        found = self.files.of_package(path, package, inner) if foreign else joined(path, base)
        made: dict[str, Any] = config(self.merged(found, self.files.text(found)), self.budget, package if foreign else None)
        return made

    def _lazy(self, path: Path, tree: ast.Module) -> dict[str, Any]:
        """Return what a file says that imports its bases."""
        with self._reading(path):
            bases: dict[str, dict[str, Any]] = {}
            for module in base_modules(tree, path):
                found = self.files.of_module(path, module)
                bases[module] = self._lazy(found, parsed(found, self.files.text(found)))
            names: dict[str, Any] = {"__file__": str(path), "__name__": "builtins"}
            for node in imports(tree):  # what bases hold is there before the first line
                if isinstance(node, ast.ImportFrom) and module_of(node) in bases:
                    names.update(chosen(node, bases[module_of(node)], path))
                else:
                    self.imported |= checked_import(node, path)
            Evaluator(str(path), names, self.budget, lambda node: {} if module_of(node) in bases else bound(node)).run(tree.body)
        made: dict[str, Any] = config(names, self.budget)
        return {name: value for name, value in made.items() if name[:2] != "__"}


def _looked_up(bases: Mapping[str, Any], name: str) -> Any:
    found: Any = bases
    for word in name.split("."):
        if not isinstance(found, dict) or word not in found:
            raise InputError(f"{{{{_base_.{name}}}}} names nothing: the bases have no {word} there")
        found = found[word]
    return found


def _json(text: str, where: str) -> dict[str, Any]:
    import json

    from .. import pyyaml

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: malformed JSON: {error}") from None
    pyyaml.check_size(found, where)
    if not isinstance(found, dict):
        raise InputError(f"{where} is no config: it must be a mapping of keys to values")
    return found


def _is_function(value: Any) -> bool:
    return isinstance(value, Opaque) and value.function
