"""timm's optimizers by name: which of them torch has, and what the others take for a momentum or betas.

Source: timm 1.0.31, timm/optim/_optim_factory.py (`opt`, which may begin with lookahead_).
"""

from __future__ import annotations

from typing import Any

from ...errors import did_you_mean, shown
from ...fields import number
from ...recipe import Optimizer
from ..arguments import Arguments, mapping, numbers_of

_TORCHS = {"sgd": "SGD", "nesterov": "SGD", "momentum": "SGD", "rmsprop": "RMSprop", "adadelta": "Adadelta", "adagrad": "Adagrad"}
_TORCHS |= {"adam": "Adam", "adamw": "AdamW", "nadam": "NAdam", "radam": "RAdam", "radamw": "RAdam", "adamax": "Adamax"}
_OPTIONS: dict[str, dict[str, Any]] = {"rmsprop": {"alpha": 0.9}, "radamw": {"decoupled_weight_decay": True}}

# What they take, and their own betas where those are not given: a momentum, betas, or neither.
_TAKES: dict[tuple[float, float] | str, str] = {
    "neither": "adadelta adagrad adafactor",
    "momentum": "sgd nesterov momentum rmsprop nesterovw sgdp sgdw sgdc csgdw csgdp csgdc lars larc nlars nlarc kron kronw kronc "
    "madgrad madgradw rmsproptf rmsproptfw rmsproptfc crmsproptf adafactorbv adafactorbvc cadafactorbv cadafactorbvc "
    "muon nmuon adamuon nadamuon fusedsgd bnbsgd bnbsgd8bit",
    (
        0.9,
        0.999,
    ): "adam adamw nadam radam radamw adamax adamwlegacy adamp nadamlegacy nadamw radamlegacy lamb lambc lambw lambcw adamc "
    "nadamc lambcd lapropc cadamc cnadamc cadafactor cadamw clamb clambw claprop cnadamw cadamp adabelief radabelief "
    "adahessian laprop fusedadam fusedadamw fusedlamb bnbadam bnbadam8bit bnbadamw bnbadamw8bit",
    (0.9, 0.99): "lion lionc clion clionc mars cmars bnblion bnblion8bit",
    (0.9, 0.9999): "adopt adoptw adoptc cadopt cadoptw cadoptc",
    (0.95, 0.98): "novograd novogradw novogradc fusednovograd",
    (0.98, 0.92): "adan adanw cadan cadanw",  # and a third, 0.99
}
_BY_NAME = {name: takes for takes, names in _TAKES.items() for name in names.split()}


def optimizer_of_args(a: Arguments, lr: float, notes: list[str]) -> Optimizer:
    """Return the optimizer that an args.yaml names, with the momentum or betas that timm gives it."""
    full = str(a.take("opt", "sgd")).lower()
    name = full.removeprefix("lookahead_")
    if name not in _BY_NAME:
        raise a.refuse(f"opt must be one of timm's {len(_BY_NAME)} optimizers, got {shown(full)}{_meant(name)}")
    if name != full:
        notes.append(f"ignored: lookahead, which averages the weights that {name} makes and leaves its settings alone")
    if name not in _TORCHS:
        notes.append(f"opt {name} is timm's own optimizer: etude shows what it is given, and builds none")
    eps, betas, momentum = a.take("opt_eps", None), a.take("opt_betas", None), a.number("momentum", 0.9)
    options = {**_OPTIONS.get(name, {}), **mapping(a.take("opt_kwargs", None) or {}, "opt_kwargs")}
    facts: dict[str, Any] = {"name": _TORCHS.get(name, name), "lr": lr, "weight_decay": 0, "options": options}
    if name == "adagrad":
        facts["eps"] = 1e-8
    if eps is not None and name not in ("sgd", "nesterov", "momentum"):
        facts["eps"] = number(eps, "timm: opt_eps")
    takes = _BY_NAME[name]
    if takes == "neither":
        return Optimizer(**facts)
    if isinstance(takes, str):
        return Optimizer(momentum=momentum, nesterov=name in ("sgd", "nesterov") and momentum > 0, **facts)
    return Optimizer(betas=_pair(a, betas, takes), **facts)


def _meant(name: str) -> str:
    hint = did_you_mean(name, _BY_NAME)
    return hint if hint.startswith("; did") else ", such as sgd, adamw or lamb"


def _pair(a: Arguments, betas: Any, own: tuple[float, float]) -> tuple[float, float]:
    found = numbers_of(list(own) if betas is None else betas, "timm: opt_betas")
    if len(found) != 2:
        raise a.refuse(f"opt_betas must be two numbers to be shown, got {shown(betas)}")
    return found[0], found[1]
