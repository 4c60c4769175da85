"""Parameter groups: which parameter belongs where.

Every parameter has a name ("layer1.0.bn1.weight") and one kind:

    bias        a parameter called bias, or in_proj_bias, bias_ih_l0 and the like; a norm's bias is a bias
    norm bias   such a bias, where it is a normalisation layer's: a rule for `bias` takes it too, one for `norm bias` nothing else
    norm        any other parameter of a normalisation layer
    embedding   any other parameter of an embedding
    weight      all the rest

Rules are tried in their order and the first that matches takes the parameter, so every parameter is in one group.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from .errors import InputError, did_you_mean
from .fields import number
from .schedule import Schedule

KINDS = ("weight", "bias", "norm bias", "norm", "embedding")
HYPERPARAMETERS = ("lr", "momentum", "weight_decay")


class Parameter(NamedTuple):
    """What a rule may look at: a bias of a normalisation layer has the kind bias, and `norm` tells whose it is."""

    name: str
    kind: str
    norm: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    """A rule for parameters, and the base values and schedules of those it takes. No criterion at all takes every one.

    Args:
        kind: One of weight, bias, norm bias, norm, embedding, or several of them.
        pattern: Shell pattern of whole parameter names, such as "backbone.*.weight", or several.
        module: Dotted path of a module whose parameters are meant, such as "backbone.layer1", or several.
        lr, momentum, weight_decay: Base values, where they differ from the optimizer's.
        schedules: Schedules by hyperparameter, where they differ from the recipe's.
        layers: Modules from the input to the output, in place of `module`; "encoder.0..11" are twelve. Each is a group of its
            own, called NAME.LAYER.
        layer_decay: What lr is multiplied with for each layer further from the last, above 0 and up to 1, dimensionless.
    Raises:
        InputError: an unknown kind or hyperparameter, or layers without their decay.
    """

    kind: str | tuple[str, ...] | None = None
    pattern: str | tuple[str, ...] | None = None
    module: str | tuple[str, ...] | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    schedules: dict[str, Schedule] = field(default_factory=dict)
    layers: str | tuple[str, ...] | None = None
    layer_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("kind", "pattern", "module", "layers"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif not isinstance(value, str | tuple | None):
                raise InputError(f"{name} must be a text or a list of texts, got {value!r}")
        for kind in several(self.kind):
            if kind not in KINDS:
                raise InputError(f"unknown kind {kind!r}{did_you_mean(kind, KINDS)}")
        for name in HYPERPARAMETERS:
            object.__setattr__(self, name, base_value(getattr(self, name), name))
        check_hyperparameters(self.schedules)
        if (self.layers is None) != (self.layer_decay is None):
            raise InputError("layers and layer_decay go together: the modules from input to output, and a factor such as 0.75")
        if self.layers is not None and self.module is not None:
            raise InputError("give layers or module, not both: layers are modules")
        if self.layer_decay is not None and not 0 < number(self.layer_decay, "layer_decay") <= 1:
            raise InputError(f"layer_decay must be above 0 and at most 1, got {self.layer_decay:g}")

    def takes(self, parameter: Parameter) -> bool:
        """Whether every criterion given matches."""
        kinds, patterns, modules = several(self.kind), several(self.pattern), several(self.module)
        return (
            (not kinds or parameter.kind in kinds or (parameter.norm and parameter.kind == "bias" and "norm bias" in kinds))
            and (not patterns or any(fnmatchcase(parameter.name, pattern) for pattern in patterns))
            and (not modules or any(parameter.name.startswith(f"{module}.") for module in modules))
        )

    def __str__(self) -> str:
        rules = [
            f"{name} {' or '.join(several(getattr(self, name)))}" for name in ("kind", "pattern", "module") if getattr(self, name)
        ]
        return " and ".join(rules) or "every parameter"


_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_LAYERS = 1_000


def layered(groups: Mapping[str, Group], lr: float) -> dict[str, Group]:
    """Return groups with a group for each layer in place of those that have some.

    lr of layer i of n = lr * layer_decay^(n - 1 - i)

    Example:
        >>> rules = layered({"body": Group(layers=("stem", "blocks.0..1", "head"), layer_decay=0.5)}, 0.1)
        >>> {name: group.lr for name, group in rules.items()}
        {'body.stem': 0.0125, 'body.blocks.0': 0.025, 'body.blocks.1': 0.05, 'body.head': 0.1}

    Source: layer-wise lr decay of ELECTRA (arXiv 2003.10555) and BEiT; timm's layer_decay, which finds the layers by itself.
    """
    made: dict[str, Group] = {}
    for name, group in groups.items():
        if group.layer_decay is None:
            made[name] = group
            continue
        modules = [one for layer in several(group.layers) for one in _numbered(layer)]
        base = lr if group.lr is None else group.lr
        for place, module in enumerate(modules):
            rate = base * group.layer_decay ** (len(modules) - 1 - place)
            made[f"{name}.{module}"] = replace(group, module=module, lr=rate, layers=None, layer_decay=None)
    return made


def _numbered(layer: str) -> list[str]:
    """Return the layers that a range such as "encoder.0..11" names."""
    found = _RANGE.search(layer)
    if found is None:
        return [layer]
    first, last = map(int, found.groups())
    if not first <= last < first + _MOST_LAYERS:
        raise InputError(f"layers: {layer!r} must go up, by at most {_MOST_LAYERS} layers")
    return [f"{layer[: found.start()]}{number}{layer[found.end() :]}" for number in range(first, last + 1)]


class Assignment(NamedTuple):
    """Parameters by group, and the groups whose rule matched none."""

    groups: dict[str, list[int]]
    empty: list[str]


def assign(groups: Mapping[str, Group], parameters: Sequence[Parameter]) -> Assignment:
    """Give each parameter, by its index, to the first group whose rule takes it.

    Raises:
        InputError: a parameter is taken by no rule; it would silently not be trained.

    Example:
        >>> rules = {"norm": Group(kind="norm"), "rest": Group()}
        >>> assign(rules, [Parameter("conv.weight", "weight"), Parameter("bn.weight", "norm")]).groups
        {'norm': [1], 'rest': [0]}
    """
    for before, after in itertools.pairwise(groups):
        if str(groups[before]) == str(Group()):
            raise InputError(
                f"group {after!r} can take no parameter: {before!r} before it has no rule and takes every one; put that last, "
                "or give it a kind, pattern or module"
            )
    taken: dict[str, list[int]] = {name: [] for name in groups}
    left = []
    for index, parameter in enumerate(parameters):
        name = next((name for name, group in groups.items() if group.takes(parameter)), None)
        if name is None:
            left.append(parameter)
        else:
            taken[name].append(index)
    if left:
        shown = ", ".join(f"{parameter.name} ({parameter.kind})" for parameter in left[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise InputError(
            f"no group takes {shown}{more}, which would not be trained; groups: "
            + "; ".join(f"{name}: {group}" for name, group in groups.items())
            + "; a last group without any rule takes the rest"
        )
    return Assignment(taken, [name for name, indices in taken.items() if not indices])


def several(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return one text, several or none as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def base_value(value: float | None, name: str) -> float | None:
    """Return a base value as a Python float, which checkpoints can hold; refuse one that no optimizer takes."""
    if value is None:
        return None
    if number(value, name) < 0:
        raise InputError(f"{name} must be 0 or above, got {value!r}")
    return float(value)


def check_hyperparameters(schedules: Mapping[str, Schedule]) -> None:
    if not isinstance(schedules, Mapping):
        raise InputError(f"schedules must be by hyperparameter, as in {{'lr': cosine(1, 0)}}, got {schedules!r}")
    for name, schedule in schedules.items():
        if name not in HYPERPARAMETERS:
            hint = (
                "; momentum drives beta1 for Adam" if str(name).startswith("beta") else did_you_mean(str(name), HYPERPARAMETERS)
            )
            raise InputError(f"schedules: unknown hyperparameter {name!r}{hint}", ("schedules", str(name)))
        if not isinstance(schedule, Schedule):
            raise InputError(f"schedules: {name} must be a schedule such as cosine(1, 0), got {schedule!r}")
