"""Schedules said as an expression: of the time, or of the value before. They are texts, so they can be saved and checked."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .arrays import Scalar, Value
from .errors import InputError
from .expression import compile_expression, parse_tree
from .fields import Span
from .memory import Beat, remembered
from .schedule import Curve, Frame, Schedule, family

_NAMES = ("step", "epoch", "steps", "epochs")


def _clock_names(what: str, used: frozenset[str], frame: Frame) -> Callable[[Value, Any], Mapping[str, Value]]:
    """Return what gives the names that an expression uses their values at a tick."""
    clock, origin = frame.clock, frame.origin
    first = clock.epoch(origin, Scalar) if {"epoch", "epochs"} & used else 0.0
    whole = {"steps": clock.total, "epochs": math.inf}
    if "epochs" in used:
        whole["epochs"] = clock.epoch(clock.total - 1, Scalar) + 1 if clock.total < math.inf else math.inf
    for name in used & whole.keys():
        if whole[name] == math.inf:
            raise InputError(f"{what}: {name!r} needs a run with an end: give --epochs or --steps")

    def names(t: Value, xp: Any) -> Mapping[str, Value]:
        values = {"step": t - origin, **whole}
        if "epoch" in used:
            values["epoch"] = clock.epoch(t, xp) - first
        return values

    return names


@family
class formula(Schedule):
    """An expression of the time, as people write it in a lambda.

    value = the expression, with `step` (ticks since this phase began), `epoch` (epochs of the run begun since then), `steps` and
    `epochs` (the run's length in both), `pi`, `e`, a if condition else b, comparisons, `and`, `or`, `not`, and the functions
    sin cos tan exp log log2 log10 sqrt tanh floor ceil round int float abs min max pow

    Args:
        text: A Python expression over those names; numbers are floats, and nothing else can be named.
        bits: 32 rounds every number and every result to single precision, as TensorFlow and Keras compute; 64 by default.
    Raises:
        InputError: anything else in the expression, or other `bits`.

    Example:
        >>> formula("1 / (epoch + 1)")
        formula("1 / (epoch + 1)")

    Source: torch LambdaLR, whose lambda can't be saved: this text can.
    """

    text: str
    bits: int = 64
    positional: ClassVar[int] = 1

    def check(self) -> None:
        if self.bits not in (32, 64):
            raise InputError(f"formula: bits must be 32 or 64, got {self.bits}")
        compile_expression(self.text, _NAMES)

    @property
    def tied_to_run(self) -> bool:
        return "epoch" in compile_expression(self.text, _NAMES).names

    def bind(self, frame: Frame) -> Curve:
        evaluate = compile_expression(self.text, _NAMES, self.bits)
        names, origin, base = _clock_names("formula", evaluate.names, frame), frame.origin, frame.base

        def curve(t: Value, xp: Any) -> Value:
            t = xp.maximum(t, origin)
            value = evaluate(names(t, xp), xp)
            # an expression without a time is one number, and must be as many as there are times
            return base * (xp.full(t, value) if isinstance(value, int | float) else value)

        return Curve(curve, ((origin, f"{self!r} begins"),))


@family
class recursion(Schedule):
    """Each value an expression of the one before.

    value(0) = base, value(k) = the expression with `lr` = value(k - 1), at the k-th `every` of the phase

    Args:
        text: A Python expression over `lr` and the names of `formula`; anything but "lr * ..." is in absolute values.
        every: How often a new value is made; each tick by default.
    Raises:
        InputError: anything else in the expression, or `every` is no length.

    Example:
        >>> recursion("lr * 0.95 if epoch > 10 else lr", every="1 epoch")
        recursion("lr * 0.95 if epoch > 10 else lr", every="1 epoch")

    The value of step k is found by way of all before it, which are kept: the first look at step k takes k evaluations.

    Source: torch MultiplicativeLR; keras LearningRateScheduler with a function of (epoch, lr), whose first call is at epoch 0.
    """

    text: str
    every: Span | None = None
    positional: ClassVar[int] = 1

    def check(self) -> None:
        compile_expression(self.text, ("lr", *_NAMES))

    @property
    def tied_to_run(self) -> bool:
        return self.every == "1 epoch" or "epoch" in compile_expression(self.text, ("lr", *_NAMES)).names

    @property
    def absolute(self) -> bool:
        """Whether the law is anything but a factor of the value before."""
        match parse_tree(self.text, len(self.text)):
            case ast.BinOp(left=ast.Name(id="lr"), op=ast.Mult(), right=factor):
                return any(isinstance(node, ast.Name) and node.id == "lr" for node in ast.walk(factor))
        return True

    def bind(self, frame: Frame) -> Curve:
        evaluate = compile_expression(self.text, ("lr", *_NAMES))
        names, origin = _clock_names("recursion", evaluate.names - {"lr"}, frame), frame.origin
        beat = Beat(frame, self.every, "recursion")

        def value(k: int, before: float) -> float:
            return float(evaluate({"lr": before, **names(beat.tick(k), Scalar)}, Scalar)) if k else frame.base

        return Curve(remembered(value, frame.base, beat), ((origin, f"{self!r} begins"),))
