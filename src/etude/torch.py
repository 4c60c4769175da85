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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .errors import InputError, did_you_mean, need
from .groups import Parameter, assign
from .plan import BLOCK, Plan
from .recipe import VERSION, Recipe, difference

__all__ = ["Driver", "EtudeWarning", "build", "drive", "parameters"]

_NORMS = ("Norm",)  # by class name, so that a user's own RMSNorm is one too
_EMBEDDINGS = ("Embedding",)


class EtudeWarning(UserWarning):
    """Something that would have moved a schedule silently, told once with its cure."""


# -- building -------------------------------------------------------------------------------------------------------


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
    named = list(parameters(models))
    assignment = assign(recipe.rules, [parameter for parameter, _ in named])
    for name in assignment.empty:
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
    torch = need("torch")
    if isinstance(models, torch.nn.Module):
        prefixed: Iterable[tuple[str, Any]] = [("", models)]
    elif isinstance(models, Mapping):
        prefixed = [(f"{name}.", model) for name, model in models.items()]
    else:
        prefixed = [(f"{index}.", model) for index, model in enumerate(models)]
    seen = set()
    for prefix, model in prefixed:
        for path, module in model.named_modules():
            for name, value in module.named_parameters(recurse=False):
                if id(value) not in seen:
                    seen.add(id(value))
                    full = f"{prefix}{path}.{name}" if path else f"{prefix}{name}"
                    yield Parameter(full, _kind(module, name)), value


def _kind(module: Any, name: str) -> str:
    if name == "bias" or name.startswith("bias_") or name.endswith("_bias"):
        return "bias"
    classes = [cls.__name__ for cls in type(module).__mro__]
    if any(word in cls for word in _NORMS for cls in classes):
        return "norm"
    return "embedding" if any(word in cls for word in _EMBEDDINGS for cls in classes) else "weight"


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
    except (TypeError, ValueError) as error:
        raise InputError(f"optimizer {settings.name} refuses its arguments: {error}") from None


# -- driving --------------------------------------------------------------------------------------------------------


def drive(optimizers: Any, plan: Plan) -> Driver:
    """Put a plan's values into one optimizer or several, from now on before each of their updates.

    Args:
        optimizers: A torch optimizer or a list of them; groups are matched by their "name".
        plan: The plan.
    Returns:
        The driver, duck-typed like a torch scheduler.
    Raises:
        InputError: a parameter group's name is not in the plan, or several groups have none.

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
    return Driver(list(optimizers) if isinstance(optimizers, Sequence) else [optimizers], plan)


class Driver:
    """Holds a plan to its optimizers. The state is how many updates each has made, and the recipe itself."""

    def __init__(self, optimizers: Sequence[Any], plan: Plan) -> None:
        self.plan = plan
        self.overrides: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()
        self._updates_at_step = [0] * len(optimizers)
        self._seats = [_Seat(self, optimizer) for optimizer in optimizers]

    @property
    def optimizer(self) -> Any:
        """The first optimizer, where other libraries look for a scheduler's own."""
        return self._seats[0].optimizer

    @property
    def updates(self) -> list[int]:
        """Updates made so far, by optimizer."""
        return [seat.updates for seat in self._seats]

    def step(self, *_: Any) -> None:
        """Do nothing but notice: the schedule moves with the optimizer's updates, however often and whenever this is called."""
        if self.updates == self._updates_at_step:
            self.tell(
                "step",
                "driver.step() was called without an update since its last call: before optimizer.step(), several times for "
                "one update, or after one that AMP skipped. The schedule counts the updates themselves and did not move; "
                "call it once after optimizer.step(), or not at all",
            )
        self._updates_at_step = self.updates

    def get_last_lr(self) -> list[float]:
        """Return the learning rate that each group holds: of its last update, or of the first to come before any."""
        return [float(group["lr"]) for seat in self._seats for group in seat.optimizer.param_groups]

    def override(self, group: str | None = None, **values: float | None) -> None:
        """Put a value by hand in place of the plan's, from the next update on; None gives it back to the plan.

        Args:
            group: The group meant; all of them by default.
            values: lr, momentum or weight_decay.
        Raises:
            InputError: the plan has no such group or hyperparameter.

        Example:
            >>> driver.override(lr=0.001, group="bias")             # doctest: +SKIP
        """
        for name, value in values.items():
            groups = self.plan.groups if group is None else (group,)
            for word, known in ((name, self.plan.hyperparameters), (groups[0], self.plan.groups)):
                if word not in known:
                    raise InputError(f"the plan has no {word!r}{did_you_mean(word, known)}")
            for one in groups:
                self.overrides.pop((name, one), None)
                if value is not None:
                    self.overrides[name, one] = float(value)
        for seat in self._seats:
            seat.take()

    def state_dict(self) -> dict[str, Any]:
        """Return counters and the recipe, as plain data."""
        return {
            "etude": VERSION,
            "updates": self.updates,
            "recipe": self._identity(),
            "overrides": [[name, group, value] for (name, group), value in self.overrides.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, before or after the optimizer's own is loaded.

        Raises:
            InputError: the state is of another recipe or run, with the differences, or is none of etude's.
        """
        if not isinstance(state, Mapping) or state.get("etude") != VERSION or not isinstance(state.get("updates"), list):
            raise InputError("this is not the state of an etude driver: it has no `etude: 1` with a list of `updates`")
        changed = difference(state["recipe"], self._identity())
        if changed:
            raise InputError("the checkpoint is of another recipe (there -> here): " + "; ".join(changed))
        if len(state["updates"]) != len(self._seats):
            raise InputError(f"the checkpoint drives {len(state['updates'])} optimizers, this driver {len(self._seats)}")
        self.overrides = {(name, group): value for name, group, value in state["overrides"]}
        for seat, updates in zip(self._seats, state["updates"], strict=True):
            seat.updates = updates
            seat.take()
        self._updates_at_step = [-1] * len(self._seats)

    def release(self) -> None:
        """Take the hooks off the optimizers; the values stay as they are."""
        for seat in self._seats:
            seat.release()

    def tell(self, topic: str, message: str) -> None:
        """Warn, once a topic."""
        if topic not in self._told:
            self._told.add(topic)
            warnings.warn(message, EtudeWarning, stacklevel=4)

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to go on: the recipe and the run, not names or what is trained."""
        recipe = self.plan.recipe.to_dict()
        for key in ("name", "train", "run"):
            recipe.pop(key, None)
        return {**recipe, "run": self.plan.run.to_dict()}


class _Seat:
    """One optimizer under a driver: its counter, its hooks, and the lanes on which values reach its groups."""

    def __init__(self, driver: Driver, optimizer: Any) -> None:
        self.driver, self.plan, self.optimizer = driver, driver.plan, optimizer
        self.updates = 0
        previous = getattr(optimizer, "_etude_seat", None)
        if previous is not None:
            previous.release()  # one plan to an optimizer: a notebook cell run again replaces its driver
        self.take()
        self._handles = [
            optimizer.register_step_pre_hook(self.before),
            optimizer.register_step_post_hook(self.after),
        ]
        optimizer._etude_seat = self

    def release(self) -> None:
        for handle in self._handles:
            handle.remove()

    # The two hooks are the hot path: about a third of a microsecond for three groups.

    def before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Write this update's values; what is found changed since the last one is told, and undone."""
        groups = optimizer.param_groups
        if groups is not self._groups or len(groups) != self._width:
            self.take()  # load_state_dict has put new groups in place, or some were added
        index = self.updates - self._first
        if not 0 <= index < self._size:
            index = self._load()
        for lane in self._lanes:
            key, values, pairs, last = lane
            value = values[index]
            for group, base in pairs:
                if group[key] != base * last:
                    self._changed(group, key, base * last, base * value)
                group[key] = base * value
            lane[3] = value
        if self._others:
            self._write_others(index)
        if self._checked:
            # what no schedule moves is not written again, so one look an update finds whatever was changed by hand
            group, key, value = self._checked[self.updates % len(self._checked)]
            if group[key] != value:
                self._changed(group, key, value, value)
                group[key] = value

    def after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Count the update."""
        self.updates += 1

    def take(self) -> None:
        """Match the optimizer's groups by name as they are now, and write the values of the next update."""
        self._groups = self.optimizer.param_groups
        self._width = len(self._groups)
        columns = [self._columns(group) for group in self._groups]
        self._constants: list[tuple[Any, str, float]] = []
        lanes: dict[tuple[str, int], list[tuple[Any, float]]] = {}
        self._others: list[tuple[Any, str, int, float]] = []  # group, key, curve, base: what needs more than an assignment
        for group, name in zip(self._groups, columns, strict=True):
            for hyperparameter in self.plan.hyperparameters:
                key = "betas" if hyperparameter == "momentum" and "betas" in group else hyperparameter
                if key not in group:
                    raise InputError(f"group {name!r} of {type(self.optimizer).__name__} has no {key}, but the recipe has one")
                column = self.plan.columns[hyperparameter][self.plan.groups.index(name)]
                by_hand = self.driver.overrides.get((hyperparameter, name))
                if by_hand is not None or column.curve is None:
                    self._constants.append((group, key, column.base if by_hand is None else by_hand))
                elif key == "betas" or not isinstance(group[key], int | float):
                    self._others.append((group, key, column.curve, column.base))
                else:
                    lanes.setdefault((key, column.curve), []).append((group, column.base))
        self._first, self._size = 0, 0
        self._load(lanes)

    def _columns(self, group: Mapping[str, Any]) -> str:
        """Return the plan's group for a parameter group."""
        groups = self.plan.groups
        name = group.get("name")
        if name is None and len(groups) == 1 and self._width == 1:
            return groups[0]
        if name is None:
            raise InputError(
                "a parameter group has no name, and groups are matched by name, never by position: build the optimizer "
                f"with etude.torch.build, or give each group a 'name' out of {', '.join(groups)}"
            )
        if name not in groups:
            raise InputError(f"the plan has no group {name!r}{did_you_mean(str(name), groups)}")
        return str(name)

    def _load(self, lanes: Mapping[tuple[str, int], list[tuple[Any, float]]] | None = None) -> int:
        """Bring in the block of values that holds the next update; return its index there."""
        if self.updates < self.plan.total:
            number = self.updates // BLOCK
            self._first = number * BLOCK
            curves = [curve.tolist() for curve in self.plan.block(number)]
            self._size = len(curves[0]) if curves else int(min(BLOCK, self.plan.total - self._first))
        else:
            if self.updates > self.plan.total - 1 and self._size:
                self.driver.tell(
                    "end",
                    f"the run is over: the plan has {self.plan.total} updates, and more are made; the last values are held. "
                    "Give the recipe's run its real length",
                )
            tick = self.plan.tick(self.updates)
            curves = [[value] for value in self.plan.levels(tick)]
            self._first, self._size = self.updates, 1
        self._curves = curves
        index = self.updates - self._first
        if lanes is not None:
            self._lanes: list[list[Any]] = [
                [key, curves[curve], pairs, curves[curve][index]] for (key, curve), pairs in lanes.items()
            ]
            self._curve_of_lane = [curve for _, curve in lanes]
            for group, key, value in self._constants:
                self._set(group, key, value)
            self._checked = [(group, key, group[key]) for group, key, _ in self._constants if _is_plain(group[key])]
            for key, values, pairs, _ in self._lanes:
                for group, base in pairs:
                    group[key] = base * values[index]
            self._write_others(index)
        else:
            for lane, curve in zip(self._lanes, self._curve_of_lane, strict=True):
                lane[1] = curves[curve]
        return index

    def _write_others(self, index: int) -> None:
        """Write tensors in place and the first of betas."""
        for group, key, curve, base in self._others:
            self._set(group, key, base * self._curves[curve][index])

    @staticmethod
    def _set(group: Any, key: str, value: float) -> None:
        """Put a value where it belongs: tensors are filled in place and keep their identity."""
        old = group[key]
        if key == "betas":
            group[key] = (value, *old[1:])
        elif isinstance(old, int | float):
            group[key] = value
        else:
            old.fill_(value)

    def _changed(self, group: Any, key: str, planned: Any, now: Any) -> None:
        name = "momentum" if key == "betas" else key
        self.driver.tell(
            f"{key} changed",
            f"{key} of group {group.get('name', 'all')!r} was changed from {planned} to {group[key]} by something else (a "
            f"scheduler, a callback, a line of the loop); the plan's {now} is applied. "
            f"To keep a value of your own: driver.override({name}=...)",
        )


def _is_plain(value: Any) -> bool:
    """Whether comparing a value costs no look at a device."""
    return isinstance(value, int | float) or (isinstance(value, tuple) and all(isinstance(one, int | float) for one in value))
