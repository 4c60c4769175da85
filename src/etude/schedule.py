"""The schedule: an immutable value and a pure function of time.

A schedule says *factor of the group's base value* over *time in ticks* (a tick is a step, or a batch where a recipe
counts by batch). It knows no optimizer, no framework and not what it drives. To become numbers it is bound:

    schedule.bind(Frame(clock, origin, span, base)) -> Curve

The frame holds what the schedule must not know by itself: the clock that turns "3 epochs" into ticks, where its phase
begins, how long that phase is, and the base value that a level of 1 stands for. Times are the run's own; a phase that
begins at tick 100 is bound with origin 100 and subtracts it, so that epoch boundaries stay the run's everywhere.

A family is a frozen dataclass whose lower-case name is its constructor in Python, in recipe files and on the
command line: `repr(s)` is that text. Fields are checked by their annotation, so a family only states its formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, dataclass_transform

from .arrays import Function, Value
from .errors import InputError
from .fields import CHECKS, Absolute, Level, Span, text_of, tuple_of
from .units import Length


class Clock(Protocol):
    """What a schedule may ask of a run."""

    @property
    def total(self) -> float:
        """Ticks in the whole run; inf for a run without an end."""

    @property
    def starts(self) -> Sequence[float]:
        """The ticks at which the run's stages begin, the first of them 0: an epoch may be shorter from there on."""

    @property
    def by_epoch(self) -> Clock | None:
        """The same run's time in epochs, where they are not all alike."""

    def ticks(self, value: float, unit: str, origin: float) -> float:
        """An amount of a unit, from `origin` on, in ticks."""

    def of(self, facts: Mapping[str, Any]) -> Clock:
        """The clock of this run with other facts; a length given takes the place of its own."""

    def elapsed(self, tick: float) -> float:
        """The epochs that have gone by at a tick, with the part of the one that it lies in."""

    def tick_of(self, epochs: float) -> float:
        """The tick at which so many epochs have gone by."""

    def epoch(self, t: Value, xp: Any) -> Value:
        """The number of the epoch that tick t lies in, never past the run's last."""

    def epoch_start(self, t: Value, xp: Any) -> Value:
        """The tick at which the epoch of tick t begins."""


class Curve(NamedTuple):
    """A bound schedule: the value at a tick; its knots, the ticks where something begins or ends, and what; and the tick from
    which on it is known to stay as it is."""

    value: Function
    knots: tuple[tuple[float, str], ...] = ()
    still: float = math.inf


class Metric(NamedTuple):
    """A measurement that was fed to a run: known from this tick on."""

    tick: float
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Where and for whom a schedule is bound. Times and spans in ticks."""

    clock: Clock
    origin: float = 0.0
    span: float = math.inf
    base: float = 1.0
    speed: float = 1.0  # of the clock that is read here, where `scaled` has changed it
    metrics: tuple[Metric, ...] = ()  # what has been measured in this run so far, by tick

    def ticks(self, length: str, what: str) -> float:
        """Return a length in ticks, measured from this frame's origin; InputError if it comes out negative."""
        ticks = Length.parse(length).ticks(self.clock.ticks, self.origin)
        if ticks < 0:
            raise InputError(f"{what} must not be negative, got {length!r} = {ticks:g} in this run")
        return ticks

    def level(self, level: Level) -> float:
        """Return what a level is worth here: a factor of the base, or the absolute value itself."""
        return level.value if isinstance(level, Absolute) else level * self.base

    def at(self, origin: float, span: float) -> Frame:
        return replace(self, origin=origin, span=span)

    def unit(self) -> Frame:
        """The same frame for a pure factor."""
        return replace(self, base=1.0)


def _schedule(value: object, what: str) -> Schedule:
    if isinstance(value, Schedule):
        return value
    raise InputError(f"{what} must be a schedule such as cosine(1, 0), got {value!r}")


CHECKS["Schedule"] = _schedule
CHECKS["Schedules"] = tuple_of(_schedule)
Schedules = tuple["Schedule", ...]

T = TypeVar("T")

families: dict[str, Callable[..., Schedule]] = {}
"""Every constructor by name: the text form, the command line, the documents and the tests read it."""


class Schedule:
    """What every family shares: checked fields, text form, `*` and `+`."""

    __slots__ = ()
    positional: ClassVar[int] = 2  # how many fields the text form writes without their name

    def __init_subclass__(cls) -> None:
        if cls.__name__.islower() and not cls.__name__.startswith("_"):
            families[cls.__name__] = cls  # a dataclass with slots is made anew: the last one stays

    def __post_init__(self) -> None:
        for field in fields_of(self):
            value, kind = getattr(self, field.name), str(field.type)
            if value is None and kind.endswith(" | None"):
                continue
            check = CHECKS[kind.removesuffix(" | None")]
            object.__setattr__(self, field.name, check(value, f"{type(self).__name__.lower()}: {field.name}"))
        self.check()

    def check(self) -> None:
        """Refuse combinations of fields that are wrong together."""

    def bind(self, frame: Frame) -> Curve:
        """Return the curve of this schedule in a frame."""
        raise NotImplementedError(type(self).__name__)

    def length(self, frame: Frame) -> float | None:
        """Return how many ticks this schedule lasts by itself, None where it has no end of its own."""
        over = getattr(self, "over", None)
        return None if over is None else frame.ticks(over, f"{type(self).__name__}: over")

    @property
    def tied_to_run(self) -> bool:
        """Whether something in it asks for the run's epochs or metrics, so that no two cycles of it need be alike."""
        return any(inner.tied_to_run for inner in self.inner())

    def inner(self) -> Iterator[Schedule]:
        """Yield the schedules that this one is made of."""
        for field in fields_of(self):
            value = getattr(self, field.name)
            yield from (one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Schedule))

    def walk(self) -> Iterator[Schedule]:
        """Yield this schedule and all that it is made of, however deep."""
        yield self
        for one in self.inner():
            yield from one.walk()

    @property
    def absolute(self) -> bool:
        """Whether a level somewhere in it is `abs(x)`, so that the curve is not the same factor for every base."""
        return any(_absolute(getattr(self, field.name)) for field in fields_of(self))

    def __repr__(self) -> str:
        words = []
        for index, field in enumerate(fields_of(self)):
            value = getattr(self, field.name)
            if index < self.positional:
                words.append(text_of(value))
            elif value != field.default:
                words.append(f"{field.name}={text_of(value)}")
        return f"{type(self).__name__}({', '.join(words)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _values(other) == _values(self)

    def __hash__(self) -> int:
        return hash((type(self), _values(self)))

    def __mul__(self, other: Schedule | float) -> Schedule:
        return Product((*_factors(self), *_factors(other)))

    def __rmul__(self, other: float) -> Schedule:
        return Product((*_factors(other), *_factors(self)))

    def __add__(self, other: Schedule) -> Schedule:
        if not isinstance(other, Schedule):
            raise InputError(f"+ stands between two schedules, got {other!r}; a number is written constant(...)")
        return Sum((*_terms(self), *_terms(other)))


class Wrapper(Schedule):
    """A schedule around one other, as long as that one."""

    __slots__ = ()
    positional: ClassVar[int] = 1
    schedule: Schedule

    def length(self, frame: Frame) -> float | None:
        return self.schedule.length(frame)


def fields_of(schedule: Any) -> tuple[Field[Any], ...]:
    """Return the fields of a schedule; `Schedule` itself is no dataclass, but every concrete family is."""
    return fields(schedule)


def _values(schedule: Any) -> tuple[Any, ...]:
    return tuple(getattr(schedule, name) for name in schedule.__dataclass_fields__)


def _absolute(value: object) -> bool:
    if isinstance(value, tuple):
        return any(map(_absolute, value))
    return isinstance(value, Absolute) or (isinstance(value, Schedule) and value.absolute)


@dataclass_transform(frozen_default=True)
def family(cls: type[T]) -> type[T]:
    """Make a class a family: a frozen dataclass that takes its text form and equality from `Schedule`.

    Written there once instead of generated for each of them, they halve the time that importing the families takes.
    """
    return dataclass(frozen=True, slots=True, repr=False, eq=False)(cls)


@family
class constant(Schedule):
    """One value throughout.

    value(t) = level

    Args:
        value: Level, a factor of the base value or `abs(x)`.
        over: Length, where it is a phase of a chain that others follow.

    Example:
        >>> constant(1, over="10 epochs")
        constant(1, over="10 epochs")

    Source: torch ConstantLR, whose factor ends at `total_iters`: here `chain(constant(f, over=...), constant(1))`.
    """

    value: Level
    over: Span | None = None
    positional: ClassVar[int] = 1

    def bind(self, frame: Frame) -> Curve:
        value = frame.level(self.value)
        return Curve(lambda t, xp: xp.full(t, value), still=frame.origin)


@family
class Product(Schedule):
    """`a * b`: the values multiplied. At most one factor may hold absolute levels; it alone meets the base value."""

    factors: Schedules

    def check(self) -> None:
        absolute = [factor for factor in self.factors if factor.absolute]
        if len(absolute) > 1:
            raise InputError(
                f"a product must hold abs(...) in one factor at most, got {absolute[0]!r} and {absolute[1]!r}: "
                "absolute values multiplied have no unit"
            )

    def bind(self, frame: Frame) -> Curve:
        carrier = next((index for index, factor in enumerate(self.factors) if factor.absolute), 0)
        curves = [factor.bind(frame if index == carrier else frame.unit()) for index, factor in enumerate(self.factors)]
        return _fold(curves, lambda a, b: a * b)

    def length(self, frame: Frame) -> float | None:
        return longest(self.factors, frame)

    def __repr__(self) -> str:
        parts = [
            text_of(factor.value)
            if index == 0 and isinstance(factor, constant) and factor.over is None and isinstance(factor.value, float)
            else f"({factor!r})"
            if isinstance(factor, Sum)
            else repr(factor)
            for index, factor in enumerate(self.factors)
        ]
        return " * ".join(parts)


@family
class Sum(Schedule):
    """`a + b`: the values added, each term a factor of the base value or absolute by itself."""

    terms: Schedules

    def bind(self, frame: Frame) -> Curve:
        return _fold([term.bind(frame) for term in self.terms], lambda a, b: a + b)

    def length(self, frame: Frame) -> float | None:
        return longest(self.terms, frame)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))


def _factors(value: Schedule | float) -> tuple[Schedule, ...]:
    if isinstance(value, Product):
        return value.factors
    return (value,) if isinstance(value, Schedule) else (constant(value),)


def _terms(value: Schedule) -> tuple[Schedule, ...]:
    return value.terms if isinstance(value, Sum) else (value,)


def longest(parts: tuple[Schedule, ...], frame: Frame) -> float | None:
    lengths = [length for part in parts if (length := part.length(frame)) is not None]
    return max(lengths, default=None)


def _fold(curves: list[Curve], combine: Callable[[Value, Value], Value]) -> Curve:
    """Combine the values of several curves, from the left, as Python's own operators would."""
    first, *rest = [curve.value for curve in curves]

    def value(t: Value, xp: Any) -> Value:
        result = first(t, xp)
        for function in rest:
            result = combine(result, function(t, xp))
        return result

    return Curve(value, tuple(knot for curve in curves for knot in curve.knots))
