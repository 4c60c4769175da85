"""etude's face to torch: optimizers with the recipe's groups, and the driver that puts a plan into them.

    optimizer = etude.torch.build(model, recipe)
    driver = etude.torch.drive(optimizer, recipe.plan(run))

From then on `optimizer.step()` is all a loop needs. The driver writes the plan's absolute values before each update, in the
optimizer's own pre-step hook, and counts updates where they happen, in its post-step hook: nothing else moves the
schedule, and nothing live is ever read to compute the next value.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import InputError, did_you_mean, need

if TYPE_CHECKING:
    from .driver import Driver, EtudeWarning
    from .groups import Parameter
    from .plan import Plan
    from .recipe import Recipe

__all__ = ["Driver", "EtudeWarning", "build", "drive", "parameters"]


def __getattr__(name: str) -> Any:
    if name not in ("Driver", "EtudeWarning"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(
        importlib.import_module(".driver", __package__), name
    )  # a script that has torch pays for the rest when it drives


_NORMS = ("Norm",)  # by class name, so that a user's own RMSNorm is one too
_EMBEDDINGS = ("Embedding",)


def build(models: Any, recipe: Recipe) -> Any:
    """Return an optimizer over one model or several, with the recipe's groups, each under its name.

    Args:
        models: A torch module; a list of modules, whose parameters are called "0.conv.weight" and so on; or a
            dict of modules by name, "backbone.conv.weight".
        recipe: The recipe; its groups are tried in order, the first that matches takes a parameter.
    Returns:
        The torch optimizer, every group at its base values until a driver takes it.
    Raises:
        InputError: a parameter belongs to no group, or the optimizer is unknown or refuses an argument.

    Example:
        >>> import torch, etude
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4))
        >>> [(group["name"], len(group["params"])) for group in build(net, etude.read("yolov5")).param_groups]
        [('norm', 1), ('weight', 1), ('bias', 2)]
    """
    from .driver import EtudeWarning
    from .groups import assign
    from .recipe import Recipe

    if not isinstance(recipe, Recipe):
        raise InputError(f"build needs a recipe, got {type(recipe).__name__}")
    named = list(parameters(models))
    if not named:
        raise InputError("the model has no parameters to train")
    assignment = assign(recipe.rules, [parameter for parameter, _ in named])
    used = {recipe.rules[name].module for name in assignment.groups if name not in assignment.empty}
    for name in assignment.empty:
        if recipe.rules[name].module in used - {None}:
            continue  # a layer without parameters of one kind has others
        warnings.warn(f"group {name!r} ({recipe.rules[name]}) matches no parameter", EtudeWarning, stacklevel=2)
    groups = []
    for name, indices in assignment.groups.items():
        group: dict[str, Any] = {"params": [named[index][1] for index in indices], "name": name}
        for hyperparameter in ("lr", "momentum", "weight_decay"):
            value = recipe.base(hyperparameter, name)
            if value is None:
                continue
            if hyperparameter == "momentum" and recipe.optimizer.betas is not None:
                group["betas"] = (value, recipe.optimizer.betas[1])
            else:
                group[hyperparameter] = value
        groups.append(group)
    return _optimizer(recipe, groups)


def parameters(models: Any) -> Iterator[tuple[Parameter, Any]]:
    """Yield every parameter once, with its name and kind; a shared one under its first name."""
    from .groups import Parameter

    torch = need("torch")
    if isinstance(models, torch.nn.Module):
        prefixed: Iterable[tuple[str, Any]] = [("", models)]
    elif isinstance(models, Mapping):
        prefixed = [(f"{name}.", model) for name, model in models.items()]
    else:
        prefixed = [(f"{index}.", model) for index, model in enumerate(models if isinstance(models, Sequence) else [models])]
    for _, model in prefixed:
        if not isinstance(model, torch.nn.Module):
            raise InputError(f"build needs torch modules, got {type(model).__name__}")
    seen = set()
    for prefix, model in prefixed:
        for path, module in model.named_modules():
            for name, value in module.named_parameters(recurse=False):
                if id(value) not in seen:
                    seen.add(id(value))
                    full = f"{prefix}{path}.{name}" if path else f"{prefix}{name}"
                    yield Parameter(full, *_kind(module, name)), value


def _kind(module: Any, name: str) -> tuple[str, bool]:
    """Return a parameter's kind, and whether its layer is a normalisation."""
    classes = [cls.__name__ for cls in type(module).__mro__]
    norm = any(word in cls for word in _NORMS for cls in classes)
    if name == "bias" or name.startswith("bias_") or name.endswith("_bias"):
        return "bias", norm
    if norm:
        return "norm", True
    return ("embedding" if any(word in cls for word in _EMBEDDINGS for cls in classes) else "weight"), False


def _optimizer(recipe: Recipe, groups: list[dict[str, Any]]) -> Any:
    torch = need("torch")
    settings = recipe.optimizer
    home, _, name = settings.name.rpartition(":")
    if home:
        try:
            make = getattr(importlib.import_module(home), name)
        except (ImportError, AttributeError) as error:
            raise InputError(f"optimizer {settings.name!r} can't be imported: {error}") from None
    else:
        known = [word for word, kind in vars(torch.optim).items() if isinstance(kind, type) and word != "Optimizer"]
        if name not in known:
            raise InputError(f"unknown optimizer {name!r}{did_you_mean(name, known)}; or write 'module:Class'")
        make = getattr(torch.optim, name)
    arguments = dict(settings.options)
    for key in ("lr", "momentum", "betas", "weight_decay", "eps"):
        if getattr(settings, key) is not None:
            arguments[key] = getattr(settings, key)
    if settings.nesterov:
        arguments["nesterov"] = True
    try:
        return make(groups, **arguments)
    except Exception as error:  # a user's own optimizer may raise anything
        raise InputError(f"optimizer {settings.name} refuses its arguments: {error}") from None


def drive(
    optimizers: Any, plan: Plan, *, updates: int = 0, scaler: Any = None, skipped: str = "hold", tensors: bool = False
) -> Driver:
    """Put a plan's values into one optimizer or several, from now on before each of their updates.

    Args:
        optimizers: A torch optimizer or a list of them, also as Accelerate or Lightning has wrapped them; groups are matched
            by their "name".
        plan: The plan.
        updates: How many updates were made before, where a run is taken over that no driver counted.
        scaler: The GradScaler of torch.amp, where there is one: only so are the updates seen that it skips.
        skipped: What the schedule does at a skipped update: `hold` waits, `count` moves on; `driver.skipped` counts them.
        tensors: Hold the values that move as tensors of one buffer (32 bits), for torch.compile and CUDA graphs: one graph
            serves every step, where numbers are compiled anew, and after eight times no more.
    Returns:
        The driver, which is a torch scheduler too (`isinstance(driver, LRScheduler)`), as trainers ask for one.
    Raises:
        InputError: a parameter group's name is not in the plan, several groups have none, `updates` is below 0, or skipped
            updates are to be counted that nobody can see.

    Example:
        >>> import torch, etude
        >>> net = torch.nn.Linear(2, 1)
        >>> recipe = etude.read("cosine(1, 0)").override(lr=0.1, steps=4)
        >>> optimizer = build(net, recipe)
        >>> driver = drive(optimizer, recipe.plan())
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     print(round(driver.get_last_lr()[0], 4))
        0.1
        0.0854
        0.05
        0.0146
    """
    from .fields import index
    from .hooked import unwrapped

    given = optimizers if isinstance(optimizers, Sequence) else [optimizers]
    inner = [unwrapped(optimizer) for optimizer in given]
    hooks = _outside_of_graphs if tensors else None
    return _scheduler()(inner, plan, index(updates, "count of updates"), _agree, scaler=scaler, skipped=skipped, tensors=hooks)


def _outside_of_graphs(hook: Callable[..., None]) -> Callable[..., None]:
    """Keep a hook out of graphs: compiled it would be one for each update; captured it would write the same values for ever."""
    torch = need("torch")
    graphs = torch.cuda.is_available()

    def unless_captured(*args: Any) -> None:
        if not (graphs and torch.cuda.is_current_stream_capturing()):
            hook(*args)

    outside: Callable[..., None] = torch.compiler.disable(unless_captured)
    return outside


@cache
def _scheduler() -> type[Driver]:
    """Return the driver's class as one of torch's schedulers: Lightning refuses others, Accelerate does not save them.

    Nothing of torch's own is used but the name: neither its counter, nor its `__init__`, which writes into the optimizer.
    """
    from .driver import Called, Driver

    base = need("torch.optim.lr_scheduler").LRScheduler
    made: type[Driver] = type("Driver", (Called, base), {"__doc__": Driver.__doc__, "__module__": __name__})
    return made


def _agree(value: float) -> float:
    """Return the first process's value in all of them, so that a plateau decides once for all."""
    torch = need("torch")
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    values = [value]
    torch.distributed.broadcast_object_list(values, src=0)
    return float(values[0])
