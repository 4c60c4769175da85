"""The house itself: what importing costs, which way imports run, and that every public name is there and documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import etude

SOURCE = Path(etude.__file__).parent
HEAVY = {"torch", "numpy", "matplotlib", "rich", "ruamel", "sklearn", "yaml"}


def loaded_by(code):
    """Return the heavy modules that a piece of code loads, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()} & HEAVY


def test_importing_etude_imports_nothing_heavy():
    assert loaded_by("import etude") == set()
    assert loaded_by("import etude; etude.cosine(1, 0); etude.Run(steps=3).clock(); etude.parse('cosine(1, 0)')") == set()


def test_table_needs_neither_numpy_nor_torch():
    call = "from etude.cli import main; main(['table', {!r}, '--steps', '100'])"
    assert loaded_by("try:\n  " + call.format("cosine(1, 0)") + "\nexcept SystemExit: pass") == set()
    assert loaded_by("try:\n  " + call.format("yolov5") + "\nexcept SystemExit: pass") == {"ruamel"}


# Which rooms a room may import from, by DESIGN: imports run one way.
FLOORS = [
    {"errors", "arrays"},
    {"units"},
    {"fields"},
    {"expression", "schedule"},
    {"ramp", "pace"},
    {"memory"},
    {"shapes", "laws", "phases", "compose", "timing", "formulas", "folding", "plateaus", "midway"},
    {"policies"},
    {"text"},
    {"run", "clock", "groups"},
    {"recipe"},
    {"recipe_yaml", "plan", "origin"},
    {"dialects", "replay", "diagnosis", "logs", "series", "late", "state", "resume"},
    {"sources", "schema"},
    {"hooked", "driver", "seat", "owned"},
    {"torch", "draw", "log", "watching"},
    {"train"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports_of(path):
    """Yield the rooms that a file imports at module level."""
    package = ["etude", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("etude."))
        elif isinstance(node, ast.ImportFrom) and node.level:
            home = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            home = [part for part in home if part]
            yield from [home[1]] if len(home) > 1 else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path):
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    assert room in FLOOR, f"{room} is a new room: put it on a floor"
    for other in imports_of(path):
        assert FLOOR.get(other, -1) <= FLOOR[room], f"{room} imports {other}"


def test_every_public_name_resolves_and_is_documented():
    for name in dir(etude):
        value = getattr(etude, name)
        if not name.startswith("_"):
            assert (value.__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="module 'etude' has no attribute 'cosin'"):
        _ = etude.cosin


def test_a_star_brings_every_name_but_those_that_would_hide_others():
    namespace = {}
    exec("from etude import *", namespace)
    assert {"Recipe", "Run", "cosine", "chain", "read"} <= namespace.keys()
    assert not {"abs", "torch"} & namespace.keys()


def test_type_checkers_see_the_names_that_users_do():
    """The lazy names are told to type checkers by hand: both lists must be one."""
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = set()
    for node in block.body:
        if node.module == "typing":
            continue
        for alias in node.names:
            if alias.name == "*":
                module = importlib.import_module(f"etude.{node.module}")
                told |= {
                    word
                    for word, value in vars(module).items()
                    if word in etude.schedule.families and inspect.getmodule(value) is module
                }
            else:
                told.add(alias.asname or alias.name)
    assert told == {name for name in dir(etude) if not name.startswith("_")}


def test_files_can_be_read_in_one_sitting():
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 350} == {}


def test_no_extra_pulls_torchvision_in():
    import tomllib

    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    assert not any(line.startswith(("torchvision", "timm")) for line in wanted)
