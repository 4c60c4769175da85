"""Schedulers of mmengine together: several that move one value in place."""

from __future__ import annotations

import math

from ...arrays import Scalar
from ...errors import InputError
from ...fields import Absolute, Level
from ...folding import fold
from ...phases import chain, phase, wave
from ...run import Run
from ...schedule import Frame, Schedule, constant
from ...timing import hold, per_epoch
from .amounts import Amount
from .pieces import Loop, Piece


def composed(pieces: list[Piece], loop: Loop) -> Schedule:
    """Return what several schedulers make of one value: one after the other, their product, or `fold` where floors meet.

    In an iteration those by iteration act before those by epoch, each in the order of the config.
    """
    if loop.epochs is None:
        pieces = [_frozen(piece, loop) if piece.by_epoch else piece for piece in pieces]
    pieces = sorted((piece for piece in pieces if repr(piece.curve) != "constant(1)"), key=lambda piece: piece.by_epoch)
    if not pieces:
        return constant(1)
    if found := _in_turn(pieces, loop):
        return found
    for piece in pieces:
        if piece.sets:
            raise InputError(f"{piece.name} writes values of its own while another scheduler moves them: no schedule says that")
    factors = [_placed(piece, loop, 0.0) for piece in pieces]
    rising = any(isinstance(one, wave) for factor in factors for one in factor.walk())
    if not rising and not any(piece.floor for piece in pieces):
        return math.prod(factors[1:], start=factors[0])
    every = "1 epoch" if all(piece.by_epoch for piece in pieces) else None
    return fold(tuple(factors), [piece.floor for piece in pieces], every=every)


def _frozen(piece: Piece, loop: Loop) -> Piece:
    """A loop that counts iterations is one epoch: what goes by epochs acts once, before it."""
    loop.notes.append(
        f"{piece.name} goes by epochs, and max_iters is one epoch to mmengine: it acts once, before the first iteration"
    )
    if piece.begin.epochs > 0:
        return Piece(piece.name, Amount(), loop.total, False, constant(1))
    curve = piece.way(1.0, piece.floor)
    first = float(curve.bind(Frame(Run(steps=2, steps_per_epoch=1).clock(), span=2.0, base=1.0)).value(0.0, Scalar))
    held = constant(Absolute(first) if curve.absolute and first != 1 else first)
    return Piece(piece.name, Amount(), loop.total, False, held, sets=piece.sets)


def _placed(piece: Piece, loop: Loop, floor: Level) -> Schedule:
    """Return a scheduler over the whole run, on its way from 1 to a floor if it has one."""
    made = _windowed(piece, loop, 1.0, floor)
    if any(piece.begin):
        made = chain(constant(1, over=piece.begin.text(loop.tick)), made)
    return made if piece.jumps or not piece.by_epoch else per_epoch(made)


def _windowed(piece: Piece, loop: Loop, start: float, floor: Level) -> Schedule:
    """Return a scheduler from its begin on, held where its end comes before the run's."""
    made = piece.way(start, floor)
    if not piece.goes_on or piece.end.measured(loop.per_epoch) >= loop.total.measured(loop.per_epoch):
        return made
    last = piece.end.less(piece.begin).less(Amount(1) if piece.by_epoch else Amount(0, 1))
    return hold(made, at=last.text(loop.tick))


def _in_turn(pieces: list[Piece], loop: Loop) -> Schedule | None:
    """Return schedulers that act one after the other as a chain; None of those that act together."""
    if len(pieces) == 1:
        return _placed(pieces[0], loop, pieces[0].floor)
    in_epochs = {bool(amount.epochs) for piece in pieces for amount in (piece.begin, piece.end) if any(amount)}
    if loop.per_epoch is None and len(in_epochs) > 1:
        return None  # which ends first is not known
    pieces = sorted(pieces, key=lambda piece: piece.begin.measured(loop.per_epoch))
    phases: list[Schedule] = [constant(1, over=pieces[0].begin.text(loop.tick))] if any(pieces[0].begin) else []
    level: float | None = 1.0  # what the value has been multiplied with by then
    for piece, later in zip(pieces, [*pieces[1:], None], strict=True):
        if level is None and not piece.sets:
            return None  # it goes on from a value that a floor is part of
        made = _windowed(piece, loop, 1.0 if level is None else level, piece.floor)
        made = made if piece.jumps or not piece.by_epoch else per_epoch(made)
        if later is not None:
            if piece.end.measured(loop.per_epoch) > later.begin.measured(loop.per_epoch):
                return None
            over = later.begin.less(piece.begin).text(loop.tick)
            made = made if getattr(made, "over", None) == over else phase(made, over=over)
        phases.append(made)
        level = None if piece.still is None else piece.still if piece.sets else (1.0 if level is None else level) * piece.still
    return chain(*phases)
