"""What a Python config says of its bases and imports: read off its syntax tree, before anything is evaluated."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from .calls import CONSTANTS
from .values import Opaque


def is_lazy(tree: ast.Module, path: Path) -> bool:
    """Whether mmengine takes a file for one that imports its bases: the first sign in it decides."""
    for node in ast.walk(tree):
        if is_base(node):
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


def base_modules(tree: ast.Module, path: Path) -> list[str]:
    """Return the modules that the first `with read_base():` imports."""
    for node in tree.body:
        if is_base(node):
            raise InputError(f"{path}:{getattr(node, 'lineno', 1)}: a config that imports names its bases there, not in _base_")
        if isinstance(node, ast.With):
            _check_with(node, path)
            for inner in node.body:
                if not isinstance(inner, ast.ImportFrom) or inner.module is None:
                    raise InputError(f"{path}:{inner.lineno}: only `from ... import ...` can stand in `with read_base():`")
            return [module_of(inner) for inner in node.body if isinstance(inner, ast.ImportFrom)]
    return []


def is_base(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_base_"


def without_base(tree: ast.Module) -> ast.Module:
    """Return a file without what it says of its bases, which mmengine has read by then."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            if isinstance(inner := getattr(node, name, None), list):
                setattr(node, name, [one for one in inner if not is_base(one)])
    return tree


def imports(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports of a file, wherever they stand in it, from the first line to the last."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def module_of(node: ast.Import | ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""


def checked_import(node: ast.Import | ast.ImportFrom, path: Path) -> set[str]:
    """Return the names that an import binds which is of no base, or refuse it as mmengine does."""
    if isinstance(node, ast.Import) and len(node.names) > 1:
        raise InputError(f"{path}:{node.lineno}: mmengine takes one module in an import, not several")
    try:
        return set(bound(node))
    except ImportError as error:
        raise InputError(f"{path}:{node.lineno}: {error}") from None


def bound(node: ast.Import | ast.ImportFrom) -> dict[str, Any]:
    """Return what an import binds: names that say what would be there."""
    if isinstance(node, ast.Import):
        tops = {one.name.partition(".")[0] for one in node.names if not one.asname}
        return {top: Opaque(top) for top in tops} | {one.asname: Opaque(one.name) for one in node.names if one.asname}
    if any(one.name == "*" for one in node.names):
        raise ImportError("import * is for bases, in `with read_base():`")
    wholes = {one.asname or one.name: f"{module_of(node)}.{one.name}" for one in node.names}
    return {name: CONSTANTS.get(whole, Opaque(whole)) for name, whole in wholes.items()}


def chosen(node: ast.ImportFrom, base: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the names of a base that an import takes."""
    if any(one.name == "*" for one in node.names):
        return dict(base)
    for one in node.names:
        if one.name not in base:
            raise InputError(f"{path}:{node.lineno}: KeyError: the base {module_of(node)} has no {one.name!r}")
    return {one.asname or one.name: base[one.name] for one in node.names}
