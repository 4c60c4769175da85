"""Names for compositions that people know under one: what they return is made of the other pieces, and prints as those."""

from __future__ import annotations

import math

from .compose import between
from .errors import InputError, did_you_mean
from .fields import Level, number
from .formulas import formula
from .laws import decay
from .phases import chain, repeat
from .schedule import Schedule, constant, families
from .shapes import cosine, exponential, linear, power, sigmoid
from .units import canonical

COOLDOWNS = ("linear", "cosine", "1-sqrt", "exponential")


def wsd(warmup: str | Schedule, cooldown: str | None = None, shape: str = "1-sqrt", floor: Level = 0.0) -> Schedule:
    """Warmup, stable, decay: up in a straight line, a flat trunk, and a cooldown at the end of the run.

    value = t / warmup, then 1, then from 1 to floor over the last `cooldown` of the run:
    linear v, cosine sin(pi v / 2)^2, 1-sqrt 1 - sqrt(u), exponential floor^u, with u elapsed and v = 1 - u to go

    Args:
        warmup: Length of the way up from 0, "0 steps" for none; or a schedule with a length of its own.
        cooldown: Length of the way down; without it the trunk has no end, and a run may have none either.
        shape: Of the cooldown: linear, cosine, 1-sqrt or exponential.
        floor: Level at the run's end; above 0 for the exponential.
    Returns:
        The chain of the three phases; the trunk's length is written as the rest of the run.
    Raises:
        InputError: a length or the shape is none.

    Example:
        >>> wsd("3 epochs", "20%")
        chain(linear(0, 1, over="3 epochs"), constant(1, over="100% - 3 epochs - 20%"), power(1, 0, 0.5))
        >>> wsd("500 steps")
        chain(linear(0, 1, over="500 steps"), constant(1))
        >>> wsd(untuned_warmup(0.99), "20%", "linear")
        chain(linear(0.005, 1, over="199 steps"), constant(1, over="100% - 199 steps - 20%"), linear(1, 0))

    Source: Hu et al., MiniCPM, 2024 (arXiv 2404.06395), section 4; 1-sqrt: Haegele et al. 2024 (arXiv 2405.18392). transformers
    get_wsd_schedule counts the cooldown's first step as full; so does ours.
    """
    rising = warmup if isinstance(warmup, Schedule) else _rise(canonical(warmup, "wsd: warmup", zero=True))
    up = [] if rising is None else [rising]
    over = getattr(rising, "over", None) if rising else "0 steps"
    if over is None:
        raise InputError(f"wsd: the warmup {rising!r} has no length of its own; wrap it in phase(..., over='...')")
    if cooldown is None:
        return chain(*up, constant(1))
    down = canonical(cooldown, "wsd: cooldown")
    cooldowns: dict[str, Schedule] = {
        "linear": linear(1, floor),
        "cosine": cosine(1, floor),
        "1-sqrt": power(1, floor, 0.5),
    }
    if shape == "exponential":
        last: Schedule = exponential(1, floor)
    elif shape in cooldowns:
        last = cooldowns[shape]
    else:
        raise InputError(f"wsd: shape must be one of {', '.join(COOLDOWNS)}, got {shape!r}{did_you_mean(str(shape), COOLDOWNS)}")
    before = f" - {_grouped(over)}" if up else ""
    return chain(*up, constant(1, over=f"100%{before} - {_grouped(down)}"), last)


def _rise(over: str) -> Schedule | None:
    return None if over.startswith("0 ") else linear(0, 1, over=over)


def triangular(lo: Level, hi: Level, up: str, down: str | None = None, shrink: float = 1.0, gamma: float = 1.0) -> Schedule:
    """Cyclical learning rates: straight up from lo to hi and down again, over and over.

    value(t) = lo + (hi - lo) tri(t) shrink^c gamma^t, c the number of cycles done, t in steps

    Args:
        lo, hi: Levels at the foot and the first peak.
        up: Length of the way up.
        down: Length of the way down; that of the way up by default.
        shrink: Factor of the height from one cycle to the next; 0.5 is mode triangular2.
        gamma: Factor of the height from one step to the next, above 0; below 1 it is mode exp_range.
    Raises:
        InputError: a level or length is none, or `gamma` is not above 0.

    Example:
        >>> triangular(0.1, 1, "125 steps", shrink=0.5)
        between(0.1, 1, repeat(chain(linear(0, 1, over="125 steps"), linear(1, 0)), "125 steps + 125 steps", shrink=0.5))

    Source: Smith, Cyclical learning rates, 2017 (arXiv 1506.01186), section 3; torch CyclicLR.
    """
    up = canonical(up, "triangular: up")
    down = up if down is None else canonical(down, "triangular: down")
    cycle = repeat(chain(linear(0, 1, over=up), linear(1, 0)), f"{_grouped(up)} + {_grouped(down)}", shrink=shrink)
    return between(lo, hi, cycle if gamma == 1 else cycle * decay(gamma, per="1 step"))


def tanh(start: Level, end: Level, low: float = -7.0, high: float = 3.0, over: str | None = None) -> Schedule:
    """A hyperbolic tangent between two of its arguments, stretched to meet both levels.

    rest = (tanh(high) - tanh(x)) / (tanh(high) - tanh(low)), x = low v + high u

    Args:
        start: Level at the first tick.
        end: Level from `over` on.
        low, high: Arguments of the tangent at both ends, low < high.
        over: Length; without it, what is left of the phase.
    Returns:
        The same curve as a `sigmoid` of twice the arguments, since 1 + tanh(x) = 2 / (1 + exp(-2x)).
    Raises:
        InputError: the arguments are in the wrong order or too far apart, or `over` is no length.

    Example:
        >>> tanh(1, 0)
        sigmoid(1, 0, low=-14)

    Source: Hsueh et al., Stochastic gradient descent with hyperbolic-tangent decay, 2019 (arXiv 1806.01593); timm
    TanhLRScheduler, which misses its levels by up to 0.25 %: at the end it jumps onto its floor, ours arrives there.
    """
    return sigmoid(start, end, low=2 * number(low, "tanh: low"), high=2 * number(high, "tanh: high"), over=over)


def untuned_warmup(beta2: float, shape: str = "linear") -> Schedule:
    """A warmup whose length follows from Adam's beta2 instead of being tuned.

    linear: min(1, (t + 1) / W), W = floor(2 / (1 - beta2));  exponential: 1 - exp(-(t + 1) / W), W = floor(1 / (1 - beta2))

    Args:
        beta2: Adam's second beta, 0 to 1.
        shape: linear or exponential.
    Returns:
        A factor to multiply a schedule with; the linear one is a phase of its own in a chain, too.
    Raises:
        InputError: beta2 or the shape is out of its domain.

    Example:
        >>> untuned_warmup(0.99)
        linear(0.005, 1, over="199 steps")

    Source: Ma & Yarats, On the adequacy of untuned warmup for adaptive optimization, 2021 (arXiv 1910.04209), section 5;
    the package pytorch-warmup, whose W falls short by one where the float of 1 - beta2 is a little too large: 1999 for 0.999.
    """
    beta2 = number(beta2, "untuned_warmup: beta2")
    if not 0 <= beta2 < 1:
        raise InputError(f"untuned_warmup: beta2 must be in [0, 1), got {beta2:g}")
    if shape not in ("linear", "exponential"):
        raise InputError(f"untuned_warmup: shape must be linear or exponential, got {shape!r}")
    # beta2 is a decimal that no float holds: 2 / (1 - 0.999) is 1999.9999999999982
    steps = math.floor((2 if shape == "linear" else 1) / (1 - beta2) * (1 + 1e-12))
    if shape == "exponential":
        return formula(f"1 - exp(-(step + 1) / {steps})")
    return constant(1) if steps == 1 else linear(1 / steps, 1, over=f"{steps - 1} steps")


def _grouped(text: str) -> str:
    """Return a length that can stand behind a minus: a sum's signs would turn, so it is put inside a function."""
    return f"max({text}, 0 steps)" if " - " in text or " + " in text else text


families.update({"wsd": wsd, "triangular": triangular, "tanh": tanh, "untuned_warmup": untuned_warmup})
__all__ = ["tanh", "triangular", "untuned_warmup", "wsd"]
