"""Schedules to try a claim on: those of the golden rows, composed at random. No family is named here."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from etude import InputError, Run, Schedule, Stage, parse
from etude.arrays import Scalar
from etude.schedule import Frame
from tests.golden.families import ROWS

INSTANCES = [parse(text) for text in dict.fromkeys(row.text for row in ROWS)]
PURE = [schedule for schedule in INSTANCES if not schedule.absolute]

lengths = st.sampled_from(["7 steps", "1 epoch", "2.5 epochs", "13%", "max(2 epochs, 30 steps)", "10% + 3 steps", "round(33%)"])
levels = st.floats(1e-6, 2.0)


def _around(inner: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    """Compose schedules; what the constructors refuse is no schedule."""
    import etude

    def chained(parts: list[Schedule], length: str) -> Any:
        return etude.chain(*(etude.phase(part, length) for part in parts[:-1]), parts[-1])

    return st.one_of(
        st.builds(chained, st.lists(inner, min_size=1, max_size=3), lengths),
        st.builds(lambda a, b: _or(lambda: a * b, a), inner, inner),
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, factor: factor * a, inner, levels),
        st.builds(etude.shift, inner, lengths, lengths),
        st.builds(etude.hold, inner, lengths),
        st.builds(etude.per_epoch, inner),
        st.builds(etude.approach, inner, levels, lengths),
        st.builds(etude.clip, inner, levels),
        st.builds(lambda a, by: _or(lambda: etude.skip(a, by), a), inner, lengths),
        st.builds(etude.stairs, inner, lengths),
        st.builds(lambda a, by: _or(lambda: etude.scaled(a, by), a), inner, st.sampled_from([0.5, 2.0, 3.0])),
        st.builds(lambda a, b: _or(lambda: etude.fold([a, b], floors=[0, 0.1]), a), inner, inner),
        st.builds(lambda a, b: _or(lambda: etude.fold([a], on=b, every="1 epoch"), a), inner, inner),
        st.sampled_from([etude.recursion("lr * (1 - 1 / (step + 3))"), etude.recursion("lr * 0.9", every="1 epoch")]),
        st.builds(etude.repeat, inner, lengths),
        st.builds(lambda a, steps: etude.for_run(a, steps=steps), inner, st.integers(1, 200)),
        st.builds(etude.switch, inner, inner, lengths),
    )


def _or(make: Any, otherwise: Schedule) -> Schedule:
    try:
        made: Schedule = make()
    except InputError:
        return otherwise
    return made


schedules = st.recursive(st.sampled_from(INSTANCES), _around, max_leaves=5)
pure_schedules = st.recursive(st.sampled_from(PURE), _around, max_leaves=5)

runs = st.one_of(
    st.builds(lambda steps, epoch: Run(steps=steps, steps_per_epoch=epoch), st.integers(30, 400), st.integers(1, 40)),
    st.builds(
        lambda epochs, samples, size: Run(epochs=epochs, samples=samples, batch_size=size),
        st.integers(2, 12),
        st.integers(5, 200),
        st.integers(1, 16),
    ),
    st.builds(
        lambda first, second, samples: Run(
            samples=samples, batch_size=4, stages=(Stage(epochs=first), Stage(epochs=second, batch_size=8))
        ),
        st.integers(1, 5),
        st.integers(1, 5),
        st.integers(9, 80),
    ),
)


def bound(schedule: Schedule, run: Run, base: float = 1.0) -> Any:
    """Return a schedule as a function of the step; a run in which it has none is no example."""
    clock = run.clock()
    try:
        curve = schedule.bind(Frame(clock, 0.0, clock.total, base))
    except InputError:
        reject()
    return lambda step: float(curve.value(float(step), Scalar))
