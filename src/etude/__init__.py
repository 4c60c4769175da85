"""etude: the learning-rate schedule as a value.

    recipe x run facts  =  plan            pure, no framework imported
    plan   ->  driver   ->  optimizer      absolute values; the state is a counter and the recipe itself

Names resolve at their first use, so that importing etude imports neither torch, NumPy nor matplotlib.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers know the name; importing typing for it would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

    from . import resume as resume
    from . import torch as torch
    from .compose import *
    from .errors import InputError
    from .fields import Absolute as abs
    from .folding import *
    from .formulas import *
    from .groups import Group
    from .laws import *
    from .log import record
    from .midway import *
    from .phases import *
    from .plan import Plan
    from .plateaus import *
    from .policies import *
    from .recipe import Optimizer, Recipe, Training
    from .run import Run, Stage
    from .schedule import Schedule, constant
    from .shapes import *
    from .sources import read
    from .text import parse
    from .timing import *
    from .watching import watch

__version__ = "0.1.0"

_HOMES = {
    "Group": "groups",
    "InputError": "errors",
    "Optimizer": "recipe",
    "Plan": "plan",
    "Recipe": "recipe",
    "Run": "run",
    "Schedule": "schedule",
    "Stage": "run",
    "Training": "recipe",
    "parse": "text",
    "read": "sources",
    "record": "log",
    "watch": "watching",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value: Any = getattr(importlib.import_module(f"etude.{_HOMES[name]}"), name)
    elif name in ("resume", "torch"):
        return importlib.import_module(f"etude.{name}")
    elif name == "__all__":
        # a star must hide neither Python's abs nor the real torch
        return [word for word in __dir__() if word not in ("__version__", "abs", "torch")]
    elif name.startswith("_"):
        raise AttributeError(f"module 'etude' has no attribute {name!r}")
    else:
        from .fields import Absolute
        from .text import families

        constructors = {"abs": Absolute, **families}
        if name not in constructors:
            raise AttributeError(f"module 'etude' has no attribute {name!r}")
        value = constructors[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from .text import families

    return sorted(["__version__", "abs", "resume", "torch", *_HOMES, *families])
