"""Schedulers of mmengine together: several that move one value in place.

They come in turns: what acts at the same time is one turn, and the next begins when all of it is over. Turns are the phases of a
chain wherever the value is known at which a turn begins; else what follows is part of the turn before.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ...arrays import Scalar
from ...errors import InputError, MissingFactError
from ...fields import Absolute, Level
from ...folding import fold
from ...phases import Chain, chain, phase
from ...plateaus import plateau
from ...run import Run
from ...schedule import Frame, Schedule, constant
from ...timing import hold, per_epoch
from .amounts import Amount, Loop
from .pieces import Piece

Turn = list[Piece]
_EPS = 1e-8  # mmengine's default


def composed(pieces: list[Piece], loop: Loop) -> Schedule:
    """Return what several schedulers make of one value.

    In an iteration those by iteration act before those by epoch, each in the order of the config; plateaus after a validation.
    """
    if loop.epochs is None:
        pieces = [_frozen(piece, loop) if piece.by_epoch else piece for piece in pieces]
    pieces = [
        piece
        for piece in pieces
        if (piece.sets or piece.curve != constant(1)) and loop.before(piece.begin, loop.total) is not False
    ]
    if not pieces:
        return constant(1)
    turns = _turns(sorted(pieces, key=lambda piece: (piece.by_epoch, isinstance(piece.curve, plateau))), loop)
    begins = [_begin(turn, loop) for turn, _ in turns]
    phases: list[Schedule] = [constant(1, over=loop.text(begins[0]))] if any(begins[0]) else []
    for (turn, level), begin, until in zip(turns, begins, [*begins[1:], loop.total], strict=True):
        made = _together(turn, level, begin, until, loop)
        over = loop.text(until.less(begin))
        # the last phase needs no length, but for factors of which one ends: all would end with it
        free = turn is turns[-1][0] and (not phases or not turn[1:] or not any(isinstance(one, Chain) for one in made.walk()))
        phases.append(made if free or getattr(made, "over", None) == over else phase(made, over=over))
    return chain(*phases)


def _frozen(piece: Piece, loop: Loop) -> Piece:
    """A loop that counts iterations is one epoch: what goes by epochs acts once, before it; a plateau at each validation."""
    acts = not piece.begin.epochs
    if acts and isinstance(piece.curve, plateau):
        return replace(piece, end=loop.total, goes_on=False)
    loop.notes.append(
        f"{piece.name} goes by epochs, and max_iters is one epoch to mmengine: it "
        + ("acts once, before the first iteration" if acts else "never acts")
    )
    curve = piece.way(1.0, piece.floor)
    first = float(curve.bind(Frame(Run(steps=2, steps_per_epoch=1).clock(), span=2.0, base=1.0)).value(0.0, Scalar))
    held = constant((Absolute(first) if piece.absolute else first) if acts else 1)
    return Piece(piece.name, Amount(), loop.total, False, held, sets=piece.sets and acts)


def _turns(pieces: list[Piece], loop: Loop) -> list[tuple[Turn, Level]]:
    """Return the turns, and the factor or value at which each begins."""
    if _unordered(pieces, loop):
        return [(pieces, 1.0)]
    turns: list[Turn] = []
    for piece in sorted(pieces, key=lambda piece: loop.measured(piece.begin)):
        if turns and any(loop.before(piece.begin, one.end) for one in turns[-1]):
            turns[-1].append(piece)
        else:
            turns.append([piece])
    made: list[tuple[Turn, Level]] = []
    for turn in turns:
        _follow(made, turn, loop)
    return [(sorted(turn, key=pieces.index), level) for turn, level in made]


def _follow(made: list[tuple[Turn, Level]], turn: Turn, loop: Loop) -> None:
    """Put a turn behind others, or in one with the last of them where it can't be said from where that ends."""
    level = _left(*made[-1]) if made else 1.0
    if any(_anew(piece, turn, loop) for piece in turn):
        made.append((turn, 1.0))
    elif isinstance(level, float) or (level and not any(one.turns or (one.floor and turn[1:]) for one in turn)):
        made.append((turn, level))
    else:
        _follow(made, made.pop()[0] + turn, loop)


def _anew(piece: Piece, turn: Turn, loop: Loop) -> bool:
    """Whether a scheduler writes values of its own, and the others do nothing before it is over."""
    return piece.sets and not any(
        loop.before(other.begin, piece.begin) is not False or loop.before(other.idle or other.begin, piece.end) is not False
        for other in turn
        if other is not piece
    )


def _unordered(pieces: list[Piece], loop: Loop) -> bool:
    """Whether it follows from an epoch's length, which is not known, what begins or ends first."""
    edges = [amount for piece in pieces for amount in (piece.begin, piece.end) if any(amount)]
    return any(loop.before(one, other) is None for one in edges for other in edges)


def _begin(turn: Turn, loop: Loop) -> Amount:
    begins = [piece.begin for piece in turn]
    unknown = any(loop.before(one, other) is None for one in begins for other in begins)
    return Amount() if unknown else min(begins, key=loop.measured)


def _left(turn: Turn, level: Level) -> Level | None:
    """Return the factor or value at which a turn that began at a level ends; None where it is not known."""
    if len(turn) == 1 and (turn[0].sets or turn[0].floor):
        return turn[0].still
    for piece in turn:
        if piece.sets or piece.floor or not isinstance(piece.still, float):
            return None
        level = Absolute(level.value * piece.still) if isinstance(level, Absolute) else level * piece.still
    return level


def _together(turn: Turn, level: Level, begin: Amount, until: Amount, loop: Loop) -> Schedule:
    """Return what a turn makes of a level: its one scheduler, the product of several, or `fold` where floors meet."""
    if len(turn) == 1 and (level == 1 or not turn[0].turns):
        piece = turn[0] if level == 1 else _pure(turn[0], loop)
        return _clocked(piece, _windowed(piece, level, piece.floor, until, loop))
    for piece in turn:
        if piece.sets and not _anew(piece, turn, loop):
            if _unordered([replace(one, begin=one.idle or one.begin) for one in turn], loop):
                raise MissingFactError(f"it follows from the length of an epoch whether {piece.name} acts alone: {loop.ask}")
            raise InputError(f"{piece.name} writes values of its own, which another scheduler moves: no schedule says that")
        leads = any(other.floor or other.turns for other in turn)
        if piece.sets and leads and isinstance(piece.curve, Schedule) and piece.curve.absolute:
            raise InputError(f"{piece.name} writes values that another scheduler leads to a floor: no schedule says that")
    factors = [_placed(_pure(piece, loop), begin, until, loop) for piece in turn]
    floors = [piece.floor for piece in turn]
    if level != 1:
        factors, floors = [constant(level), *factors], [0.0, *floors]
    if not any(piece.turns or piece.floor for piece in turn):
        return math.prod(factors[1:], start=factors[0])
    every = all(piece.by_epoch for piece in turn)
    for piece in turn:
        _check_rest(piece, turn, every, until, loop)
    return fold(tuple(factors), floors, every="1 epoch" if every else None)


def _check_rest(piece: Piece, turn: Turn, every: bool, until: Amount, loop: Loop) -> None:
    """Refuse what moves a value on from the floor where another scheduler has left it: `fold` keeps it there."""
    if piece.by_epoch and not every:
        since = piece.arrives
    else:
        since = piece.end.less(piece.one) if piece.rests and loop.before(piece.end, until) is not False else None
    if since is None or not piece.floor:
        return
    for other in turn:
        moves = other is not piece and loop.before(since, other.end)
        if moves is None:
            raise MissingFactError(f"it follows from the length of an epoch what {other.name} moves: {loop.ask}")
        if moves:
            raise InputError(f"{other.name} moves the value on from the floor of {piece.name}: no schedule says that")


def _pure(piece: Piece, loop: Loop) -> Piece:
    """Return a plateau as one factor among others."""
    rule = piece.curve
    if not isinstance(rule, plateau):
        return piece
    if rule.floor or (isinstance(rule.eps, Absolute) and rule.eps.value > _EPS):
        raise InputError(
            f"{piece.name}: min_value and eps are of a value that another scheduler moves as well, and no schedule says that: "
            f"leave out min_value, and eps or make it at most {_EPS:g}"
        )
    if rule.eps:
        loop.notes.append(f"{piece.name}: falls of {_EPS:g} or less, which mmengine leaves out, are shown")
    return replace(piece, curve=replace(rule, eps=0.0))


def _placed(piece: Piece, begin: Amount, until: Amount, loop: Loop) -> Schedule:
    """Return a scheduler as a factor from the begin of its turn on, which its floor is left out of."""
    made = _windowed(piece, 1.0, 0.0, until, loop)
    lead = piece.begin.less(begin)
    return _clocked(piece, chain(constant(1, over=loop.text(lead)), made) if any(lead) else made)


def _windowed(piece: Piece, start: Level, floor: Level, until: Amount, loop: Loop) -> Schedule:
    """Return a scheduler from its begin on, held where its end comes before that of its turn."""
    made = piece.way(start, floor)
    if not piece.goes_on or loop.before(piece.end, until) is False:
        return made
    return hold(made, at=loop.text(piece.end.less(piece.begin).less(piece.one)))


def _clocked(piece: Piece, made: Schedule) -> Schedule:
    return made if piece.jumps or not piece.by_epoch else per_epoch(made)
