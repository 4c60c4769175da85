"""What each learning-rate schedule of Keras and TensorFlow computes: in pieces of ours, and as its own expression.

TensorFlow computes in single precision. On a smooth curve that is a rounding of 1e-7 of the peak, and the pieces say what is
meant. But where a floor, a ceil or a logarithm decides, it can move a drop by a step: a graph (`Model.fit`, `tf.function`, TF 1)
multiplies by the rounded reciprocal of decay_steps instead of dividing, and floor(41 * fl(1/41)) is 0. The expression says
what is computed, operation by operation, and `formula(..., bits=32)` computes it.

Source: keras/src/optimizers/schedules/learning_rate_schedule.py (3.15), tf_keras/src/optimizers/legacy_learning_rate_decay.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ...arrays import Scalar
from ...compose import between
from ...errors import shown
from ...expression import compile_expression
from ...fields import number
from ...formulas import formula
from ...laws import decay, inverse, steps, values
from ...phases import chain, repeat, wave
from ...schedule import Schedule, constant
from ...shapes import cosine, linear, poly
from ...timing import hold, stairs
from ...units import number_text
from ..arguments import Arguments

_LARGEST = 2**24  # the last step that single precision counts


class Law(NamedTuple):
    """A schedule of Keras: factors of `base`."""

    base: float
    pieces: Schedule
    text: str  # what TensorFlow computes
    jump: float = 0.0  # every so many steps the reciprocal of a graph decides, where it does
    moved: bool = False  # whether single precision moves a jump even where it divides


def late(every: float) -> bool:
    """Whether a multiple of `every`, times its rounded reciprocal, comes out below the whole number that it is.

    Below 2^24 that is so for some multiple just where the reciprocal is short by more than 2^-25 of itself.
    """
    return Scalar.float32(1 / every) * every < 1 - 2.0**-25


class _Words:
    """How an expression divides the step by a length: a graph multiplies by the reciprocal; and how far it is looked at."""

    def __init__(self, horizon: float, *, graph: bool) -> None:
        self.horizon, self.graph = horizon, graph

    def part(self, top: str, length: float | str) -> str:
        bottom = length if isinstance(length, str) else _n(length)
        return f"{top} * (1 / {bottom})" if self.graph else f"{top} / {bottom}"


def _n(value: float) -> str:
    return number_text(value)


def _steps(length: float) -> str:
    return f"{_n(length)} steps"


def _length(a: Arguments, key: str = "decay_steps") -> float:
    length = a.number(key)
    if length <= 0:
        raise a.refuse(f"{key} must be above 0, got {length:g}")
    return length


def _rate(a: Arguments) -> float:
    """Return the initial learning rate, by the name it has in Keras or in TF 1."""
    key = _key(a)
    rate = _rate_of(a, key)
    if rate <= 0:
        raise a.refuse(f"{key} must be above 0, got {rate:g}")
    return rate


def _rate_of(a: Arguments, key: str) -> float:
    """Return a rate, which must have a point: of a whole number Keras makes whole numbers throughout, so 1, 0, 0, ..."""
    if type(a.take(key)) is int:
        raise a.refuse(f"{key} {a.take(key)} is a whole number, and Keras then computes in whole numbers: write {a.take(key)}.0")
    return a.number(key)


def exponential_decay(a: Arguments, words: _Words) -> Law:
    base, length, rate, staircase = _rate(a), _length(a), a.number("decay_rate"), a.flag("staircase", False)
    if rate <= 0:
        raise a.refuse(f"decay_rate must be above 0, got {rate:g}")
    part = words.part("step", length)
    if staircase:
        return Law(base, steps(rate, every=_steps(length)), f"{_n(rate)} ** floor({part})", jump=length)
    return Law(base, decay(rate, per=_steps(length)), f"{_n(rate)} ** ({part})")


def natural_exp_decay(a: Arguments, words: _Words) -> Law:
    base, length, rate, staircase = _rate(a), _length(a), a.number("decay_rate"), a.flag("staircase", False)
    if abs(rate) > 700:
        raise a.refuse(f"decay_rate must be from -700 to 700, got {rate:g}: no number holds its exponential")
    part = words.part("step", length)
    gamma = math.exp(-rate)
    if staircase:
        return Law(base, steps(gamma, every=_steps(length)), f"exp({_n(-rate)} * floor({part}))", jump=length)
    return Law(base, decay(gamma, per=_steps(length)), f"exp({_n(-rate)} * ({part}))")


def inverse_time_decay(a: Arguments, words: _Words) -> Law:
    base, length, rate, staircase = _rate(a), _length(a), a.number("decay_rate"), a.flag("staircase", False)
    if rate < 0:
        raise a.refuse(f"decay_rate must be 0 or above, got {rate:g}")
    part, law = words.part("step", length), inverse(rate, per=_steps(length))
    if staircase:
        return Law(base, stairs(law, _steps(length)), f"1 / (1 + {_n(rate)} * floor({part}))", jump=length)
    return Law(base, law, f"1 / (1 + {_n(rate)} * ({part}))")


def piecewise_constant_decay(a: Arguments, words: _Words) -> Law:
    boundaries, levels = a.take("boundaries"), a.take("values")
    if not all(isinstance(one, list | tuple) for one in (boundaries, levels)) or len(levels) != len(boundaries) + 1:
        raise a.refuse(f"values must be one more than boundaries, got {shown(levels)} and {shown(boundaries)}")
    boundaries, levels = (
        [number(one, f"{a.name}: {key}") for one in given] for key, given in (("boundaries", boundaries), ("values", levels))
    )
    if sorted(boundaries) != boundaries:
        raise a.refuse(f"boundaries must not go back, got {boundaries}")
    base = levels[0] or 1.0
    if not boundaries:
        return Law(base, constant(levels[0] / base), _n(levels[0] / base))
    # the value on the boundary itself is still the old one
    at = [_steps(max(math.floor(boundary) + 1, 0)) for boundary in boundaries]
    text = _n(levels[-1] / base)
    for boundary, level in reversed(list(zip(boundaries, levels, strict=False))):
        text = f"{_n(level / base)} if step <= {_n(boundary)} else {text}"
    return Law(base, values([level / base for level in levels], at=at), text)


def polynomial_decay(a: Arguments, words: _Words) -> Law:
    base, length, end = _rate(a), _length(a), a.number("end_learning_rate", 1e-4)
    power, cycle = a.number("power", 1.0), a.flag("cycle", False)
    floor = end / base
    if power <= 0:
        raise a.refuse(f"power must be above 0, got {power:g}")
    if not cycle:
        text = f"(1 - {_n(floor)}) * (1 - {words.part(f'min(step, {_n(length)})', length)}) ** {_n(power)} + {_n(floor)}"
        return Law(base, poly(1, floor, power, over=_steps(length)), text)
    count = f"(1 if step == 0 else ceil({words.part('step', length)}))"
    text = f"(1 - {_n(floor)}) * (1 - step / ({_n(length)} * {count})) ** {_n(power)} + {_n(floor)}"
    part = f"(1 - step / ({_n(length)} * max(1, ceil(step / {_n(length)})))) ** {_n(power)}"
    return Law(base, between(floor, 1, formula(part)), text, jump=length)


def cosine_decay(a: Arguments, words: _Words) -> Law:
    initial, length, alpha = _rate_of(a, _key(a)), _length(a), a.number("alpha", 0.0)
    target, warmup = a.take("warmup_target", None), a.number("warmup_steps", 0)
    if target is None:  # warmup_steps alone do nothing
        step = f"min(step, {_n(length)})"
        angle = f"(pi * (1 / {_n(length)})) * {step}" if words.graph else f"pi * ({step} / {_n(length)})"
        return Law(
            _rate(a), cosine(1, alpha, over=_steps(length)), f"(1 - {_n(alpha)}) * (0.5 * (1 + cos({angle}))) + {_n(alpha)}"
        )
    peak = a.number("warmup_target")
    if peak <= 0 or initial < 0 or warmup < 0:
        raise a.refuse(f"warmup_target must be above 0, the rest not below it, got {peak:g}, {initial:g} and {warmup:g}")
    start = initial / peak
    down = (
        f"pi * ((min(step, {_n(length)} + {_n(warmup)}) - {_n(warmup)}) / {_n(length)})"  # inside a condition nothing is folded
    )
    text = _above(alpha, f"0.5 * (1 + cos({down}))")
    fall = cosine(1, alpha, over=_steps(length))
    if warmup == 0:
        return Law(peak, fall, text)
    up = f"(1 - {_n(start)}) * (step / {_n(warmup)}) + {_n(start)}"
    return Law(peak, chain(linear(start, 1, over=_steps(warmup)), fall), f"{up} if step < {_n(warmup)} else {text}")


def _above(alpha: float, text: str) -> str:
    return f"(1 - {_n(alpha)}) * ({text}) + {_n(alpha)}" if alpha else text


def _key(a: Arguments) -> str:
    return "learning_rate" if "learning_rate" in a.given else "initial_learning_rate"


def cosine_decay_restarts(a: Arguments, words: _Words) -> Law:
    base, length = _rate(a), _length(a, "first_decay_steps")
    grow, shrink, alpha = a.number("t_mul", 2.0), a.number("m_mul", 1.0), a.number("alpha", 0.0)
    if not 1 <= grow <= 1000 or (grow != 1 and Scalar.float32(grow) == 1):
        raise a.refuse(f"t_mul must be 1, or above it in single precision and at most 1000, got {shown(grow)}")
    part = f"({words.part('step', length)})"
    if grow == 1:
        count, done = f"floor({part})", f"({part} - floor({part}))"
    else:
        ratio = _n(grow)
        logarithm, sum_of = words.part(f"log(1 - {part} * (1 - {ratio}))", f"log({ratio})"), f"(1 - {ratio})"
        count = f"floor({logarithm})"
        done = f"(({part} - {words.part(f'(1 - {ratio} ** {count})', sum_of)}) / {ratio} ** {count})"
    height = f"0.5 * {_n(shrink)} ** {count}" if shrink != 1 else "0.5"
    text = _above(alpha, f"{height} * (1 + cos(pi * {done}))")
    cycles: Schedule = repeat(cosine(1, 0), _steps(length), grow=grow, shrink=shrink)
    late_at, early = ([], False) if grow == 1 else _restarts_moved(count, length, grow, words.horizon)
    if late_at:  # a step that is counted to the cycle before it stands at that one's end, at 0
        cycles = cycles * values([1.0, *[0.0, 1.0] * len(late_at)], at=[_steps(at + more) for at in late_at for more in (0, 1)])
    pieces = between(alpha, 1, cycles) if alpha else cycles
    return Law(base, pieces, text, jump=length if grow == 1 else 0.0, moved=early)


def _restarts_moved(count: str, length: float, grow: float, horizon: float) -> tuple[list[int], bool]:
    """Return the steps that begin a cycle and are counted to the one before, and whether any is counted to the one after.

    It is a logarithm that counts, and single precision rounds it.
    """
    cycle = compile_expression(count, ("step",), 32)
    late_at: list[int] = []
    begin, index = length, 1
    while begin < min(horizon, _LARGEST):
        first = math.ceil(begin)
        if cycle({"step": float(first - 1)}, Scalar) != index - 1:
            return late_at, True
        if cycle({"step": float(first)}, Scalar) != index:
            if first != begin:
                return late_at, True
            late_at.append(first)
        begin, index = begin + length * grow**index, index + 1
    return late_at, False


def linear_cosine_decay(a: Arguments, words: _Words) -> Law:
    base, length, alpha, beta = _rate(a), _length(a), a.number("alpha", 0.0), a.number("beta", 0.001)
    waves = 2 * a.number("num_periods", 0.5)
    step = f"min(step, {_n(length)})"
    if words.graph:
        line, angle = f"({_n(length)} - {step}) * (1 / {_n(length)})", f"(pi * ({_n(waves)} * (1 / {_n(length)}))) * {step}"
    else:
        line, angle = f"({_n(length)} - {step}) / {_n(length)}", f"pi * ({_n(waves)} * ({step} / {_n(length)}))"
    text = f"({_n(alpha)} + {line}) * (0.5 * (1 + cos({angle}))) + {_n(beta)}"
    falling = linear(1 + alpha, alpha, over=_steps(length))
    if waves <= 0:
        raise a.refuse(f"num_periods must be above 0, got {waves / 2:g}")
    curve = hold(falling * wave(1, 0, half=_steps(length / waves)), at=_steps(length))
    return Law(base, curve + constant(beta) if beta else curve, text)


LAWS: dict[str, Callable[[Arguments, _Words], Law]] = {
    "ExponentialDecay": exponential_decay,
    "InverseTimeDecay": inverse_time_decay,
    "PiecewiseConstantDecay": piecewise_constant_decay,
    "PolynomialDecay": polynomial_decay,
    "CosineDecay": cosine_decay,
    "CosineDecayRestarts": cosine_decay_restarts,
    "exponential_decay": exponential_decay,
    "natural_exp_decay": natural_exp_decay,
    "inverse_time_decay": inverse_time_decay,
    "piecewise_constant": piecewise_constant_decay,
    "piecewise_constant_decay": piecewise_constant_decay,
    "polynomial_decay": polynomial_decay,
    "cosine_decay": cosine_decay,
    "cosine_decay_restarts": cosine_decay_restarts,
    "linear_cosine_decay": linear_cosine_decay,
}
"""By the name of the class in Keras, or of the function in tf.compat.v1.train."""


REFUSED = {"noisy_linear_cosine_decay": "draws its noise at random, step by step: no schedule is that curve"}


def law(name: str, a: Arguments, horizon: float, *, graph: bool) -> Law:
    """Return what a schedule computes, in a graph or not; restarts are looked at up to a horizon, in steps."""
    return LAWS[name](a, _Words(horizon, graph=graph))
