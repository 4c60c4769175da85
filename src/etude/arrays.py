"""The tiny namespaces that let one formula serve a Python number and a whole array.

A formula is written against `xp`: `sin cos tan exp log log2 log10 expm1 log1p sqrt tanh floor ceil rint trunc absolute
minimum maximum where float32`, and `select`, which evaluates the phase that each time lies in. There is one namespace for
Python floats, one for NumPy and one for every library whose functions carry NumPy's names (torch on any device, JAX under jit).
"""

from __future__ import annotations

import functools
import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from .errors import InputError

Value = Any
"""A float, or an array of any namespace: the typing of arrays across libraries says no more than this."""

Function = Callable[[Value, Any], Value]
"""(time in ticks, namespace) -> value."""


_SINGLE = struct.Struct("f")


class Scalar:
    """Python floats. `select` bisects: one phase is evaluated, not all."""

    sin = staticmethod(math.sin)
    cos = staticmethod(math.cos)
    tan = staticmethod(math.tan)
    exp = staticmethod(math.exp)
    log = staticmethod(math.log)
    log2 = staticmethod(math.log2)
    log10 = staticmethod(math.log10)
    expm1 = staticmethod(math.expm1)
    log1p = staticmethod(math.log1p)
    sqrt = staticmethod(math.sqrt)
    tanh = staticmethod(math.tanh)
    absolute = staticmethod(abs)
    minimum = staticmethod(min)
    maximum = staticmethod(max)

    @staticmethod
    def floor(value: float) -> float:
        return float(math.floor(value))

    @staticmethod
    def ceil(value: float) -> float:
        return float(math.ceil(value))

    @staticmethod
    def trunc(value: float) -> float:
        return float(math.trunc(value))

    @staticmethod
    def rint(value: float) -> float:
        return float(round(value))

    @staticmethod
    def float32(value: float) -> float:
        """The nearest single-precision number; too large a one is infinite, as it is there."""
        try:
            nearest: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
        except OverflowError:
            return math.copysign(math.inf, value)
        return nearest

    @staticmethod
    def clip(value: float, low: float, high: float) -> float:
        return low if value < low else min(value, high)

    @staticmethod
    def where(condition: bool, a: float, b: float) -> float:
        return a if condition else b

    @classmethod
    def select(cls, t: float, edges: Sequence[float], functions: Sequence[Function]) -> float:
        value: float = functions[bisect_right(edges, t)](t, cls)
        return value

    @staticmethod
    def pick(index: int, values: Sequence[float]) -> float:
        return values[int(index)]

    @staticmethod
    def powers(base: float, exponent: float) -> float:
        """A power with a whole exponent."""
        value: float = base**exponent
        return value

    @staticmethod
    def count(t: float, edges: Sequence[float]) -> int:
        """How many edges have been reached at time t."""
        return bisect_right(edges, t)

    @staticmethod
    def floats(t: float) -> float:
        return float(t)

    @classmethod
    def unordered(cls) -> type[Scalar]:
        return cls

    @staticmethod
    def full(t: float, value: float) -> float:
        return value


class Arrays:
    """NumPy, torch or JAX: whatever the module defines under NumPy's names; the rest is written here once."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        return self.module.where(condition, a, b)

    def clip(self, value: Value, low: float, high: float) -> Value:
        return self.minimum(self.maximum(value, low), high)

    def select(self, t: Value, edges: Sequence[float], functions: Sequence[Function]) -> Value:
        result = functions[0](t, self)
        for edge, function in zip(edges, functions[1:], strict=True):
            result = self.where(t >= edge, function(t, self), result)
        return result

    def pick(self, index: Value, values: Sequence[float]) -> Value:
        return self.module.asarray(values, dtype=self.module.float64)[self.integer(index)]

    def powers(self, base: float, exponent: Value) -> Value:
        return base**exponent

    def largest(self, number: Value) -> int:
        """Return the largest whole number of an array, 0 of an empty one."""
        return int(number.max()) if len(number.shape) == 0 or number.shape[0] else 0

    def count(self, t: Value, edges: Sequence[float]) -> Value:
        total = self.full(t, 0.0)
        for edge in edges:
            total = total + (t >= edge)
        return total

    def full(self, t: Value, value: float) -> Value:
        return self.module.full_like(t, value)

    def float32(self, value: Value) -> Value:
        return value.astype(self.module.float32).astype(value.dtype)

    def floats(self, t: Value) -> Value:
        """Return times as floats, where they came as integers."""
        return t if self.module.issubdtype(t.dtype, self.module.floating) else t.astype(self.module.float64)

    def unordered(self) -> Any:
        """Return the namespace for times that may have lost their order."""
        return self

    def integer(self, index: Value) -> Value:
        return index.astype(int)


class NumPy(Arrays):
    """NumPy: times that lie inside one phase, or inside a shape, cost no more than that.

    Args:
        rising: Promise that times never fall, as in a block of steps, so that their ends are their bounds.
    """

    def __init__(self, module: Any, *, rising: bool = False) -> None:
        super().__init__(module)
        self.rising = rising

    def unordered(self) -> NumPy:
        return numpy()

    def _bounds(self, t: Value) -> tuple[float, float]:
        if not t.size:
            return 0.0, 0.0
        return (float(t[0]), float(t[-1])) if self.rising else (float(t.min()), float(t.max()))

    def clip(self, value: Value, low: float, high: float) -> Value:
        first, last = self._bounds(value)
        return value if low <= first and last <= high else super().clip(value, low, high)

    def select(self, t: Value, edges: Sequence[float], functions: Sequence[Function]) -> Value:
        np = self.module
        first, last = (bisect_right(edges, bound) for bound in self._bounds(t))
        if first == last:
            return functions[first](t, self)
        phase = np.searchsorted(np.asarray(edges), t, side="right")
        result = np.empty_like(t)
        for index in range(first, last + 1):
            inside = phase == index
            result[inside] = functions[index](t[inside], self)
        return result

    def powers(self, base: float, exponent: Value) -> Value:
        """Python's own powers, each computed once: NumPy's differ from them in the last digit."""
        whole, where = self.module.unique(exponent, return_inverse=True)
        try:
            known = [base ** float(index) for index in whole]
        except OverflowError:
            return base**exponent
        return self.module.asarray(known, dtype=float)[where.reshape(exponent.shape)]

    def count(self, t: Value, edges: Sequence[float]) -> Value:
        return self.module.searchsorted(self.module.asarray(edges, dtype=float), t, side="right")


class Torch(Arrays):
    """torch: minimum, maximum and where take tensors only, so plain numbers are lifted beside their partner."""

    def _lift(self, name: str, *values: Value) -> Value:
        like = next(value for value in values if isinstance(value, self.module.Tensor) and value.is_floating_point())
        return getattr(self.module, name)(
            *(value if isinstance(value, self.module.Tensor) else self.module.full_like(like, value) for value in values)
        )

    def float32(self, value: Value) -> Value:
        return value.float().to(value.dtype)

    def floats(self, t: Value) -> Value:
        return t if t.is_floating_point() else t.double()

    def minimum(self, a: Value, b: Value) -> Value:
        return self._lift("minimum", a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        return self._lift("maximum", a, b)

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        if not isinstance(a, self.module.Tensor):  # of two plain numbers it would make single precision
            a = self.module.tensor(a, dtype=self.module.float64, device=condition.device)
        return self.module.where(condition, a, b)

    def rint(self, value: Value) -> Value:
        return self.module.round(value)

    def pick(self, index: Value, values: Sequence[float]) -> Value:
        return self.module.tensor(values, dtype=self.module.float64, device=index.device)[index.long()]


@functools.cache
def numpy() -> NumPy:
    """NumPy's namespace, imported at the first array."""
    import numpy as np

    return NumPy(np)


@functools.cache
def numpy_rising() -> NumPy:
    """NumPy's namespace for times that never fall."""
    return NumPy(numpy().module, rising=True)


def namespace(t: Value) -> Any:
    """Return the namespace of a time: a Python number, or an array of NumPy, torch or JAX."""
    if isinstance(t, int | float):
        return Scalar
    library = type(t).__module__.partition(".")[0]
    if library == "numpy":
        return numpy()
    if library == "torch":
        import torch

        return Torch(torch)
    if library in ("jax", "jaxlib"):
        import jax.numpy as jnp

        return Arrays(jnp)
    raise InputError(f"a time must be a number or an array of NumPy, torch or JAX, got {type(t).__name__}")
