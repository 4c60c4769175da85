"""Config files and their bases put together, as mmcv 1.x and as mmengine do, which differ.

mmcv evaluates a file, then merges it into its bases. mmengine reads the bases first, so that a file may use `_base_.model`; or,
where a file imports (`with read_base():`), it takes bases for modules, whose names become its own.

Source: mmcv/utils/config.py of mmcv 1.7.2; mmengine/config/config.py and utils.py of mmengine 0.10.7.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError, told
from .calls import CONSTANTS
from .evaluate import Evaluator
from .files import Files, joined, parsed, root_of
from .values import Budget, ConfigDict, ExhaustedError, Opaque, RefusedError, config, plain

_RESERVED = {"mmcv": ("filename", "text", "pretty_text"), "mmengine": ("filename", "text", "pretty_text", "env_variables")}
_SIGNS = {
    "mmengine": ("optim_wrapper", "param_scheduler", "train_dataloader", "default_scope", "default_hooks"),
    "mmcv": ("lr_config", "optimizer", "optimizer_config", "runner", "total_epochs"),
}
"""What tells a config of mmengine from one of mmcv 1.x."""


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
    assert failed is not None, "mmengine reads every config that is not mmcv's"
    raise failed


def generation(source: Mapping[str, Any]) -> str | None:
    """Return whose config it is by what it holds, if that tells."""
    return next((name for name, keys in _SIGNS.items() if any(key in source for key in keys)), None)


def _resolved(path: Path, root: Path, dialect: str) -> Resolved:
    files = Files(root, environment=dialect == "mmengine")
    files.check(path)
    loader = (_Mmengine if dialect == "mmengine" else _Mmcv)(files)
    try:
        made = plain(loader.config(path.absolute()), loader.budget)
    except (ExhaustedError, RecursionError) as error:
        raise InputError(f"{path}: {error}; configs of strangers are read within bounds") from None
    for key in made:
        if key in _RESERVED[dialect]:
            raise InputError(f"{path}: {dialect} keeps the name {key} for itself")
    return Resolved(dialect, made, tuple(files.read), tuple(files.notes))


class _Mmcv:
    """Files on their way to one config of mmcv 1.x: evaluated, then merged into their bases."""

    def __init__(self, files: Files) -> None:
        self.files, self.budget = files, Budget()
        self.active: list[Path] = []

    def config(self, path: Path) -> dict[str, Any]:
        """Return the whole config of a file."""
        return self.merged(path)

    def merged(self, path: Path) -> dict[str, Any]:
        """Return what a file says, merged into what its bases say."""
        with self._reading(path):
            text, taken = self.files.filled(path, self.files.text(path))
            own, bases = self._own(path, text) if path.suffix == ".py" else self._document(path, text)
            own.pop("_deprecation_", None)
            made = self._merge(self._unshared(own, taken, bases), bases)
        return {name: value for name, value in made.items() if name[:2] != "__"}

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        if path in self.active:
            raise InputError(
                f"{path} is based on itself, by way of {' and '.join(map(str, self.active[self.active.index(path) :]))}"
            )
        self.active.append(path)
        yield
        self.active.pop()

    def _own(self, path: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a file says, and what its bases say."""
        own = self._evaluated(path, parsed(path, text), {})
        return own, self._bases(path, own.pop("_base_", []))

    def _document(self, path: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        from .. import pyyaml

        own = dict(pyyaml.load(text, str(path)))
        return own, self._bases(path, own.pop("_base_", []))

    def _evaluated(self, path: Path, tree: ast.Module, names: dict[str, Any]) -> dict[str, Any]:
        names |= {"__file__": str(path), "__name__": "config"}
        Evaluator(str(path), names, self.budget, _bound).run(tree.body)
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
        return self.merged(joined(path, base))

    def _unshared(self, value: Any, taken: Mapping[str, str], bases: Mapping[str, Any], depth: int = 0) -> Any:
        """Return a copy that shares nothing, in which names of the bases stand for their values."""
        if depth > DEPTH:
            raise ExhaustedError(f"values lie in each other more than {DEPTH} levels deep")
        if isinstance(value, str) and value in taken:
            return self._unshared(_looked_up(bases, taken[value]), {}, {}, depth)
        if isinstance(value, dict):
            self.budget.make(10 * len(value) + 1)
            return {key: self._unshared(one, taken, bases, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            self.budget.make(10 * len(value) + 1)
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

    def __init__(self, files: Files) -> None:
        super().__init__(files)
        self.imported: set[str] = set()

    def config(self, path: Path) -> dict[str, Any]:
        if path.suffix != ".py" or not _is_lazy(parsed(path, text := self.files.text(path)), path):
            return self.merged(path)
        return {name: value for name, value in self._lazy(path, text).items() if name not in self.imported}

    def _own(self, path: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        tree = parsed(path, text)
        if _is_lazy(tree, path):
            raise InputError(f"{path} imports, and is named in a _base_: mmengine takes the one or the other, not both")
        named = next((node.value for node in tree.body if isinstance(node, ast.Assign) and _is_base(node)), None)
        bases = self._bases(path, Evaluator(str(path), {}, self.budget).value(named)) if named else ConfigDict()
        own = self._evaluated(path, _WithoutBase().visit(tree), {"_base_": bases})
        own.pop("_base_", None)
        return own, bases

    def _base(self, path: Path, base: str) -> dict[str, Any]:
        package, foreign, inner = base.partition("::")
        found = self.files.of_package(path, package, inner) if foreign else joined(path, base)
        made = config(self.merged(found), self.budget, package if foreign else None)
        assert isinstance(made, dict)
        return made

    def _lazy(self, path: Path, text: str) -> dict[str, Any]:
        """Return what a file says that imports its bases."""
        with self._reading(path):
            tree = parsed(path, text)
            bases: dict[str, dict[str, Any]] = {}
            for module in _base_modules(tree, path):
                found = self.files.of_module(path, module)
                bases[module] = self._lazy(found, self.files.text(found))
            names: dict[str, Any] = {"__file__": str(path), "__name__": "config"}
            for node in ast.walk(tree):  # the names of bases are there before the first line
                if isinstance(node, ast.ImportFrom) and _module(node) in bases:
                    names.update(_chosen(node, bases[_module(node)], path))
            Evaluator(str(path), names, self.budget, lambda node: self._lazily_bound(node, bases)).run(tree.body)
        return {name: value for name, value in config(names, self.budget).items() if name[:2] != "__"}

    def _lazily_bound(self, node: ast.Import | ast.ImportFrom, bases: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(node, ast.ImportFrom) and _module(node) in bases:
            return {}
        made = _bound(node)
        self.imported |= made.keys()
        return made


def _looked_up(bases: Mapping[str, Any], name: str) -> Any:
    found: Any = bases
    for word in name.split("."):
        if not isinstance(found, dict) or word not in found:
            raise InputError(f"{{{{_base_.{name}}}}} names nothing: the bases have no {word} there")
        found = found[word]
    return found


def _module(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _bound(node: ast.Import | ast.ImportFrom) -> dict[str, Any]:
    """Return what an import binds: names that say what would be there."""
    if isinstance(node, ast.Import):
        tops = {one.name.partition(".")[0] for one in node.names if not one.asname}
        return {top: Opaque(top) for top in tops} | {one.asname: Opaque(one.name) for one in node.names if one.asname}
    if any(one.name == "*" for one in node.names):
        raise ImportError("import * is for bases, in `with read_base():`")
    return {one.asname or one.name: Opaque(f"{_module(node)}.{one.name}") for one in node.names}


def _chosen(node: ast.ImportFrom, base: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the names of a base that an import takes."""
    if any(one.name == "*" for one in node.names):
        return dict(base)
    for one in node.names:
        if one.name not in base:
            raise InputError(f"{path}:{node.lineno}: KeyError: the base {_module(node)} has no {one.name!r}")
    return {one.asname or one.name: base[one.name] for one in node.names}


def _is_base(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_base_"


class _WithoutBase(ast.NodeTransformer):
    """A file without what it says of its bases, which mmengine has read by then."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        return None if _is_base(node) else node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        return node  # no statement lies in it


def _is_lazy(tree: ast.Module, path: Path) -> bool:
    """Whether mmengine takes a file for one that imports its bases: the first sign in it decides."""
    for node in ast.walk(tree):
        if _is_base(node):
            return False
        if isinstance(node, ast.With):
            _check_with(node, path)
            return True
        if isinstance(node, ast.ImportFrom):
            if node.level:
                return True
            if not (node.module == "mmengine" and [one.name for one in node.names] == ["Config"]) and not _standard(node.module):
                return True
        if isinstance(node, ast.Import) and not all(_standard(one.name) for one in node.names):
            return True
    return False


def _standard(module: str | None) -> bool:
    """Whether mmengine takes a module for one of Python's own, or its own."""
    return module is None or module.startswith("mmengine.config") or module.partition(".")[0] in sys.stdlib_module_names


def _check_with(node: ast.With, path: Path) -> None:
    call = node.items[0].context_expr
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "read_base"):
        raise InputError(f"{path}:{node.lineno}: only `with read_base():` can be used in a config")


def _base_modules(tree: ast.Module, path: Path) -> list[str]:
    """Return the modules that the first `with read_base():` imports."""
    for node in tree.body:
        if _is_base(node):
            raise InputError(f"{path}:{getattr(node, 'lineno', 1)}: a config that imports names its bases there, not in _base_")
        if isinstance(node, ast.With):
            _check_with(node, path)
            for inner in node.body:
                if not isinstance(inner, ast.ImportFrom) or inner.module is None:
                    raise InputError(f"{path}:{inner.lineno}: only `from ... import ...` can stand in `with read_base():`")
            return [_module(inner) for inner in node.body if isinstance(inner, ast.ImportFrom)]
    return []
