"""Config files opened: only below a root, only regular ones, only so many and so long."""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ...errors import InputError, shown

_LONGEST = 96 * 1024  # bytes of a file; the largest real config has 75 thousand
_TOGETHER = 160 * 1024  # of all files
_LINES = 20_000  # of a file, and statements between semicolons
_BRACES = 4_000  # of a file: Python needs long for f-strings of many; real ones have 30
_LOADS = 300
_MARKS = (".git", ".mim", "setup.py", "setup.cfg", "pyproject.toml")  # what a repository's root or a package's folder holds
_PACKAGES = (  # whose configs a config may name, as in mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py
    *("mmcls", "mmdet", "mmdet3d", "mmseg", "mmaction", "mmtrack", "mmpose", "mmedit", "mmocr", "mmgen", "mmfewshot", "mmrazor"),
    *("mmflow", "mmhuman3d", "mmrotate", "mmselfsup", "mmyolo", "mmpretrain", "mmagic"),
)


def root_of(path: Path) -> Path:
    """Return the folder out of which a config's bases are not looked for: its repository, its package, or `configs`."""
    folder = path.absolute().parent
    above = (folder, *folder.parents)
    try:
        marked = next((one for one in above if any((one / mark).exists() for mark in _MARKS)), None)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error}") from None
    return marked or next((one for one in above if one.name == "configs"), folder)


_VARIABLE = r"""\{\{['"]?\s*+\$(\w++)\s*+:\s*+([^\s{}]{0,200}?)\s*+['"]?\}\}"""  # {{ $NAME:default }}


class Files:
    """What one config may open.

    Args:
        root: The folder out of which nothing is read; packages that are installed may be read beside it.
        environment: Whether {{ $NAME:default }} in a text stands for a variable; its default is put in.
    """

    def __init__(self, root: Path, *, environment: bool) -> None:
        self.roots, self.environment = [root.resolve()], environment
        self.left, self.loads = _TOGETHER, _LOADS
        self.read: list[Path] = []
        self.notes: list[str] = []

    def check(self, path: Path) -> int:
        """Refuse what lies outside or is no file; return how long it is."""
        try:
            real = path.resolve()
            found = real.stat() if any(real.is_relative_to(root) for root in self.roots) else None
        except (OSError, ValueError, RuntimeError):
            raise InputError(f"{path} does not exist") from None
        if found is None:
            raise InputError(f"{path} lies outside {self.roots[0]}, out of which nothing is read: --root names another folder")
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} is no file")
        if path.suffix not in (".py", ".json", ".yaml", ".yml"):
            raise InputError(f"{path}: configs are .py, .json, .yaml or .yml files")
        return found.st_size

    def text(self, path: Path) -> str:
        """Return the text of a file."""
        self.left -= (size := self.check(path))
        self.loads -= 1
        if size > _LONGEST or self.left < 0:
            raise InputError(f"{path} is no config: it holds more than {_LONGEST} bytes, or {_TOGETHER} with what it is based on")
        if self.loads < 0:
            raise InputError(f"{path}: a config with more than {_LOADS} bases is no config")
        if path not in self.read:
            self.read.append(path)
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(_LONGEST + 1)
        except (OSError, UnicodeError) as error:
            raise InputError(f"{path} can't be read: {error}") from None

    def filled(self, path: Path, text: str) -> tuple[str, dict[str, str]]:
        """Return a text with what stands in {{ }} put in, and what its stand-ins for names of the bases stand for."""
        taken: dict[str, str] = {}

        def stand_in(found: re.Match[str]) -> str:
            taken[stands := f"_{found[1]}_etude{self.loads}"] = found[1]
            return f'"{stands}"'

        own = {
            "fileDirname": str(path.parent),
            "fileBasename": path.name,
            "fileBasenameNoExtension": path.stem,
            "fileExtname": path.suffix,
        }
        text = re.sub(rf"\{{\{{\s*+({'|'.join(own)})\s*+\}}\}}", lambda found: own[found[1]], text)
        if self.environment:
            text = re.sub(_VARIABLE, lambda found: self._default(path, found[1], found[2]), text)
        text = re.sub(r"\{\{\s*+_base_\.([\w.]++)\s*+\}\}", stand_in, text)
        if len(text) > _LONGEST:
            raise InputError(
                f"{path} is no config: with what stands in {{{{ }}}} put in it holds more than {_LONGEST} characters"
            )
        return text, taken

    def _default(self, path: Path, name: str, default: str) -> str:
        if not default:
            raise InputError(f"{path}: the environment variable {name} has no default here, and the environment is not read")
        if set(default) & set(r"\^$*+?()[]|"):
            raise InputError(f"{path}: the default of {name}, {shown(default)}, is taken for a pattern by mmengine: write it out")
        note = f"{name} is {shown(default)[1:-1]}, its default: the environment is not read"
        if note not in self.notes:
            self.notes.append(note)
        return default

    # -- other packages -----------------------------------------------------------------------------------------

    def of_package(self, path: Path, package: str, inner: str) -> Path:
        """Return the path of a config that another package ships: its folder is above `path`, or installed.

        Its configs are inside it, where it was built, and beside it in a clone of its repository.
        """
        if package not in _PACKAGES:
            raise InputError(f"there is no package {package} that has configs; known: {', '.join(_PACKAGES)}")
        places = (
            folder / name
            for home in self._homes(path, package)
            for folder in self._shipped(home)
            for name in (inner, f"{inner}.py")
        )
        return self._found(places, f"{package}::{inner}")

    def _shipped(self, home: Path) -> Iterator[Path]:
        """Yield the folders in which the configs of a package may be."""
        yield home / ".mim" / "configs"
        with suppress(OSError):
            if home.parent.resolve().is_relative_to(self.roots[0]) and (home / "__init__.py").is_file():
                yield home.parent / "configs"

    def of_module(self, path: Path, module: str) -> Path:
        """Return the path of a module that is imported as a base."""
        name = module.lstrip(".")
        file = f"{name.replace('.', '/')}.py"
        if level := len(module) - len(name):
            return joined(path, "../" * (level - 1) + file)
        package, _, inner = file.partition("/")
        return self._found((home / inner for home in self._homes(path, package) if inner), module)

    def _found(self, places: Iterator[Path], what: str) -> Path:
        for place in places:
            with suppress(OSError):  # such as a name that is too long
                if place.is_file():
                    return joined(place, place.name)
        raise InputError(f"{what} is neither below {self.roots[0]} nor in a package that is installed")

    def _homes(self, path: Path, package: str) -> Iterator[Path]:
        """Yield the folders in which a package may be: those above a file, then where it is installed."""
        for above in path.parents:
            yield above / package
            if above.resolve() in self.roots:
                break
        if package in _PACKAGES:
            from importlib.machinery import PathFinder  # it finds a package without importing it

            spec = PathFinder.find_spec(package)
            for place in (spec.submodule_search_locations if spec else None) or ():
                self.roots.append(Path(place).resolve())
                yield Path(place)


def joined(path: Path, base: str) -> Path:
    """Return what a path means that is written in a file, without its `..`."""
    return Path(os.path.normpath(path.parent / base))


def parsed(path: Path, text: str) -> ast.Module:
    """Return the syntax tree of a text."""
    if text.count("\n") + text.count(";") > _LINES or text.count("{") > _BRACES:
        raise InputError(f"{path} is no config: it holds more than {_LINES} lines or {_BRACES} braces")
    try:
        with warnings.catch_warnings(action="ignore"):  # of an escape such as \d, which is no mistake
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, problem = getattr(error, "lineno", None) or 1, getattr(error, "msg", None) or str(error) or type(error).__name__
        raise InputError(f"{path}:{line}: no Python that can be parsed: {problem}") from None
