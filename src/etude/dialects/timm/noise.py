"""timm's noise on the learning rate: what torch's generator draws on a CPU, without torch.

For each t a generator is seeded with `seed + t` anew. Normal noise is drawn until it is smaller than `pct`; the value is then
multiplied by 1 + noise.

Source: timm/scheduler/scheduler.py. torch's generator is the Mersenne Twister with Knuth's seeding of 2002, which is Python's own
but for the seeding; one number of randn is Box and Muller's, on two 53-bit uniforms, rounded to single precision, and the sine
that belongs to it is the next; one number of rand has 24 bits.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from functools import lru_cache

from ...errors import InputError

MOST = 10_000
"""Noisy values in a recipe."""

_TRIES = 100  # numbers to draw for a value, on average: no more than a second for MOST of them


def factors(first: int, stop: int, *, seed: int, pct: float, std: float, uniform: bool) -> list[float]:
    """Return what the values of t = first to stop - 1 are multiplied with.

    Raises:
        InputError: they are too many, or `pct` leaves nearly nothing of what is drawn.

    Example:
        >>> factors(20, 22, seed=42, pct=0.67, std=1.0, uniform=False)
        [1.2550301551818848, 1.2166232913732529]
    """
    if stop - first > MOST:
        raise InputError(f"the noise would be {stop - first} values of their own, and a recipe holds at most {MOST}")
    if not -(2**63) <= seed + first <= seed + stop < 2**63:
        raise InputError(f"the seed of the noise must be a number of 64 bits, got {seed}")
    # of a normal distribution of this width, erf(pct / std / sqrt(2)) is kept
    if not uniform and math.erf(pct / max(abs(std), 1e-300) / math.sqrt(2)) * _TRIES < 1:
        raise InputError(
            f"noise below {pct:g} is kept, of a deviation of {std:g}: more than {_TRIES} numbers would be drawn for each"
        )
    return [1 + _noise(seed + t, pct, std, uniform) for t in range(first, stop)]


@lru_cache(maxsize=MOST)
def _noise(seed: int, pct: float, std: float, uniform: bool) -> float:
    """Return the noise that one seed makes."""
    if uniform:
        drawn = (_twister(seed).getrandbits(32) & (2**24 - 1)) / 2**24
        return 2 * (drawn - 0.5) * pct
    return next(noise for number in normals(seed) if abs(noise := number * std) < pct)


def normals(seed: int) -> Iterator[float]:
    """Yield what torch.randn(1) returns, again and again, from a generator with this seed.

    Example:
        >>> next(normals(42))
        0.33669036626815796
    """
    twister = _twister(seed)
    while True:
        turn, far = _fraction(twister), _fraction(twister)
        radius, angle = math.sqrt(-2 * math.log1p(-far)), 2 * math.pi * turn
        yield _single(radius * math.cos(angle))
        yield _single(radius * math.sin(angle))


def _twister(seed: int) -> random.Random:
    word = seed & 0xFFFFFFFF
    words = [word]
    for index in range(1, 624):
        word = (1812433253 * (word ^ (word >> 30)) + index) & 0xFFFFFFFF
        words.append(word)
    twister = random.Random()
    twister.setstate((3, (*words, 624), None))
    return twister


def _fraction(twister: random.Random) -> float:
    """Return a number from 0 to below 1, of the lower 53 bits of two words."""
    high, low = twister.getrandbits(32), twister.getrandbits(32)
    return ((high << 32 | low) & (2**53 - 1)) / 2**53


def _single(value: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded
