"""Schedulers of torch together, and begun in the middle: ChainedScheduler, SequentialLR, and last_epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from ...compose import between
from ...fields import Absolute
from ...folding import fold
from ...phases import chain, phase, repeat, wave
from ...schedule import Schedule, constant
from ...timing import skip
from ..arguments import Arguments
from .place import Law, Place


def chained(laws: list[Law], every: str | None = None) -> Law:
    """Return several schedulers that act on one value, in order, at every step, or every so often."""
    last = max((index for index, law in enumerate(laws) if law.sets), default=-1)
    on, moving = laws[last].curve if last >= 0 else None, laws[last + 1 :]
    momenta = [law.momentum for law in laws if law.momentum]
    momentum = momenta[-1] if momenta else None
    if on is not None and not moving:
        return Law(on, sets=True, momentum=momentum)
    pieces = tuple(law.factor for law in moving if law.factor is not None)
    floors = [Absolute(law.floor) if law.floor else 0.0 for law in moving]
    # what has come down to 0 and rises anew begins from the base value, whatever the others have done
    rises = len(pieces) > 1 and any(isinstance(piece, wave) for piece in pieces)
    if on is None and not any(floors) and not rises:
        product = math.prod(pieces[1:], start=pieces[0])
        return Law(product, factor=product, momentum=momentum)
    return Law(fold(pieces, floors if any(floors) else None, on, every), sets=on is not None, momentum=momentum)


def cyclic_begun(law: Law, a: Arguments, place: Place, begun: int) -> Law:
    """Return a CyclicLR whose constructor finds an initial_lr: it makes its first step from there instead of base_lr."""
    assert isinstance(law.curve, between)
    high = a.numbers("max_lr", place.groups)[place.group]
    first = constant(place.of(place.own + (high - place.own) * place.part(law.curve.schedule, begun)), over=place.span(1))
    momentum = None if law.momentum is None else (_skipped(law.momentum[0], place, begun), law.momentum[1])
    return law._replace(curve=chain(first, skip(law.curve, place.span(begun + 1))), momentum=momentum)


def _skipped(schedule: Schedule, place: Place, begun: int) -> Schedule:
    return skip(schedule, place.span(begun)) if begun else schedule


def resumed(law: Law, a: Arguments, place: Place, last: int) -> Law:
    """Return what a scheduler built with last_epoch=`last` does: torch leaves the value it finds and goes on from there.

    `place.base` is the value found, `place.own` the group's initial_lr.
    """
    begun = last + 1
    if a.name == "OneCycleLR":
        raise a.refuse("last_epoch needs what an earlier OneCycleLR wrote into the groups")
    if a.name == "CyclicLR":
        return cyclic_begun(law, a, place, begun)
    return Law(_resumed(law, a, place, begun))


def _resumed(law: Law, a: Arguments, place: Place, begun: int) -> Schedule:
    if isinstance(law.curve, repeat):
        return _restarts_resumed(law.curve, a, place, begun)
    if law.sets:
        return _skipped(law.curve, place, begun)
    if a.name == "CosineAnnealingLR":
        return cosine_from(law, a, place, begun, place.base)
    if a.name == "SWALR":
        return law.curve  # it counts its own steps, from 0
    assert law.factor is not None
    part = place.part(law.factor, begun - 1 if law.at_once else begun)
    if part == 0:
        return constant(1)
    return _skipped(law.factor, place, begun) if part == 1 else (1 / part) * _skipped(law.factor, place, begun)


def _restarts_resumed(cycles: repeat, a: Arguments, place: Place, begun: int) -> Schedule:
    """The constructor of CosineAnnealingWarmRestarts leaves one cycle behind, at most."""
    first, grow = a.whole("T_0"), a.whole("T_mult", 1)
    if begun >= first:
        cycles, begun = repeat(cycles.schedule, place.span(first * grow), grow=grow), begun % first
    return _skipped(cycles, place, begun)


def cosine_from(law: Law, a: Arguments, place: Place, begun: int, start: float) -> Schedule:
    """Return a CosineAnnealingLR that begins at a step of its own with a value other than its own.

    It goes down from `start` in proportion; after its lowest point it goes by the base value that it was built with.
    """
    half, floor, initial = a.number("T_max"), law.floor, place.own
    level = Absolute(floor) if floor else 0.0
    assert law.factor is not None
    ahead = (half - begun) % (2 * half)  # steps to the next turning point
    phases: list[Schedule] = []
    if ahead == 0:  # at the bottom it keeps what it finds, then adds the first step of its own way up
        first = place.part(law.factor, begun + 1)
        if start == floor:
            raise a.refuse(
                f"last_epoch {begun - 1} begins at the bottom of the cosine and at eta_min, from where nothing leads up"
            )
        scale = (1 + (initial - floor) / (start - floor) * first) / first
        phases, begun, ahead = [constant(place.of(start), over=place.span(1))], begun + 1, 2 * half - 1
    else:
        scale = 1 / place.part(law.factor, begun)
    way = _skipped(law.factor, place, begun)
    moved = between(level, place.of(start), way if scale == 1 else scale * way)
    back = skip(wave(place.of(initial), level, half=place.span(half)), place.span(half))
    return chain(*phases, phase(moved, place.span(ahead)), back)


def sequential(children: list[tuple[Arguments, Place]], milestones: list[float], read: Callable[[Arguments, Place], Law]) -> Law:
    """Return schedulers one after the other, each begun anew from its base value at its milestone."""
    edges = [0.0, *(max(one, 0.0) for one in milestones), math.inf]
    laws: list[Law] = []
    lengths: list[float] = []
    place = children[0][1]
    for (a, place), begin, end in zip(children, edges, edges[1:], strict=False):
        if begin == end:  # it never acts, but it was constructed
            place.length = 0
            read(a, place)
            a.done()
            continue
        place.switched = begin > 0
        left = math.inf if place.length is None else place.length - begin
        place.followed = end < math.inf
        # the first step of the next one takes the place of this one's last
        longest = min(left, end - begin - 1)
        place.length = None if longest == math.inf else longest
        if laws:
            place.before = partial(place.value, laws[-1].curve, lengths[-1] - 1)
        laws.append(read(a, place))
        a.done()
        lengths.append(end - begin)

    def joined(parts: list[Schedule]) -> Schedule:
        spans = [place.span(length) for length in lengths[:-1]]
        timed = (
            part if getattr(part, "over", None) == over else phase(part, over) for part, over in zip(parts, spans, strict=False)
        )
        return chain(*timed, parts[-1])

    return Law(joined([law.curve for law in laws]), sets=True, momentum=_joined_momentum(laws, lengths, place, joined))


def _joined_momentum(
    laws: list[Law], lengths: list[float], place: Place, joined: Callable[[list[Schedule]], Schedule]
) -> tuple[Schedule, float] | None:
    """A momentum that some phases cycle stands where their constructors left it before them, and where they leave it after."""
    if place.momenta is None:
        return None
    base = place.left
    parts: list[Schedule] = []
    held: Schedule = constant(1)
    for law, length in zip(laws, lengths, strict=True):
        parts.append(law.momentum[0] if law.momentum else held)
        if law.momentum and length < math.inf:
            held = constant(place.value(law.momentum[0], length - 1, base) / base)
    return joined(parts), base
