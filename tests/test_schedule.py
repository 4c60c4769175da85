"""Every family: its golden rows, its text form, its accuracy, and the laws of composition."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

import etude
from etude import InputError, Run, parse
from etude.ramp import Ramp, Way
from etude.schedule import families
from tests.golden.families import ROWS, RUN
from tests.strategies import INSTANCES, bound, lengths, levels, pure_schedules, runs, schedules

mp.dps = 60
MILLION = Run(steps=1_000_000)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.text} at {row.step}")
def test_golden(row):
    assert bound(parse(row.text), RUN)(row.step) == pytest.approx(row.value, rel=1e-15, abs=0)


def test_every_family_has_a_golden_row():
    named = " ".join(row.text for row in ROWS)
    assert [name for name in families if f"{name}(" not in named] == []


def test_every_family_has_formula_example_and_source():
    for name, make in families.items():
        text = make.__doc__ or ""
        assert ">>> " in text, name
        assert "Args:" in text, name
        assert "Source:" in text, name


@given(schedules)
def test_text_round_trip_is_exact(schedule):
    assert parse(repr(schedule)) == schedule
    assert repr(parse(repr(schedule))) == repr(schedule)


@given(schedules, runs)
def test_text_round_trip_keeps_the_curve(schedule, run):
    ours, again = bound(schedule, run), bound(parse(repr(schedule)), run)
    assert all(ours(step) == again(step) for step in range(0, 40, 3))


@pytest.mark.parametrize("schedule", INSTANCES, ids=repr)
def test_a_schedule_is_a_value(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(parse(repr(schedule)))
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        setattr(schedule, dataclasses.fields(schedule)[0].name, None)


@given(schedules)
def test_a_chain_of_one_is_that_one(schedule):
    assert etude.chain(schedule) == schedule


@given(schedules, schedules, schedules, lengths, lengths, runs)
def test_nesting_never_changes_a_curve(a, b, c, over_a, over_b, run):
    first, second = etude.phase(a, over_a), etude.phase(b, over_b)
    flat = etude.chain(first, second, c)
    assert etude.chain(etude.chain(first, second), c) == flat
    assert etude.chain(first, etude.chain(second, c)) == flat
    total = int(run.clock().total)
    assert [bound(flat, run)(k) for k in range(total)] == [bound(etude.chain(flat), run)(k) for k in range(total)]


@given(pure_schedules, runs)
def test_a_pure_factor_multiplies_every_base_alike(schedule, run):
    one, tenth = bound(schedule, run), bound(schedule, run, base=0.1)
    for step in range(0, int(run.clock().total), 7):
        assert tenth(step) == pytest.approx(0.1 * one(step), rel=1e-12, abs=1e-300)


# -- shapes: ends, bounds, order, accuracy ----------------------------------------------------------------------------

RAMPS = sorted({type(schedule) for schedule in INSTANCES if isinstance(schedule, Ramp)}, key=lambda kind: kind.__name__)


def ramp(kind, start, end, over=None):
    """A shape between two levels, with whatever else its golden row gives it."""
    row = next(schedule for schedule in INSTANCES if type(schedule) is kind)
    return dataclasses.replace(row, start=start, end=end, over=over)


each_ramp = pytest.mark.parametrize("kind", RAMPS, ids=lambda kind: kind.__name__)


@each_ramp
@given(start=levels, end=levels, steps=st.integers(1, 300))
def test_a_shape_meets_its_levels_and_holds_the_end(kind, start, end, steps):
    value = bound(ramp(kind, start, end, f"{steps} steps"), Run(steps=2 * steps + 1))
    assert value(0) == start
    assert value(steps) == value(2 * steps) == end


@each_ramp
@given(start=levels, end=levels)
def test_a_shape_stays_between_its_levels_and_never_turns(kind, start, end):
    value = bound(ramp(kind, start, end), Run(steps=200))
    curve = [value(step) for step in range(201)]
    slack = 4 * math.ulp(max(start, end))
    assert min(start, end) - slack <= min(curve)
    assert max(curve) <= max(start, end) + slack
    up = 1 if end >= start else -1
    assert all(up * (after - before) >= -slack for before, after in itertools.pairwise(curve))


@each_ramp
@given(level=levels)
def test_a_shape_between_equal_levels_is_that_level(kind, level):
    value = bound(ramp(kind, level, level), Run(steps=50))
    assert all(value(step) == level for step in range(50))


class Digits:
    """The namespace of mpmath: a shape's own formula in 60 digits."""

    sin, cos, tanh, exp, log, expm1, log1p, sqrt = mp.sin, mp.cos, mp.tanh, mp.exp, mp.log, mp.expm1, mp.log1p, mp.sqrt
    minimum, maximum = min, max
    where = staticmethod(lambda condition, a, b: a if condition else b)


def exact(kind, start, end, u):
    """The textbook formula of a shape in 60 digits; its own, which has its golden row, where it is not listed."""
    a, b, v = mpf(start), mpf(end), 1 - u
    row = next(schedule for schedule in INSTANCES if type(schedule) is kind)
    rest = {
        "linear": lambda: v,
        "cosine": lambda: (1 + mp.cos(mp.pi * u)) / 2,
        "poly": lambda: v ** mpf(row.power),
        "power": lambda: 1 - u ** mpf(row.power),
        "rex": lambda: v / (mpf(1) / 2 + v / 2),
        "sigmoid": lambda: _sigmoid(row, u),
    }
    if kind.__name__ == "exponential":
        return a * (b / a) ** u
    if kind.__name__ not in rest:
        return b + (a - b) * row.rest(Way(u, mpf(1)), Digits)
    return b + (a - b) * rest[kind.__name__]()


def _sigmoid(row, u):
    def s(x):
        return 1 / (1 + mp.exp(-x))

    low, high = mpf(row.low), mpf(row.high)
    return (s(high) - s(low + (high - low) * u)) / (s(high) - s(low))


@each_ramp
@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.01), (0.3, 1.0)])
def test_accurate_to_the_last_of_a_million_steps(kind, start, end):
    if kind.__name__ == "exponential":
        start, end = max(start, 1e-3), max(end, 1e-3)
    limit = 4e-15 if kind.__name__ == "sigmoid" else 1e-15  # with low = -14: its docstring says why
    steps = [1, 2, 3, 10, 1_234, 333_333, 499_999, 500_000, 500_001, 777_777, 999_990, 999_998, 999_999]
    plan = etude.read(ramp(kind, start, end)).plan(MILLION)
    table = np.concatenate([plan.table(step, step + 1)["lr"][:, 0] for step in steps])
    for step, in_table in zip(steps, table, strict=True):
        true = exact(kind, start, end, mpf(step) / 1_000_000)
        for value in (plan.at(step)["lr"]["all"], float(in_table)):
            assert abs((mpf(value) - true) / true) <= limit, (step, value)


# -- what is refused --------------------------------------------------------------------------------------------------

REFUSED = [
    ("cosine(1)", r"column 1: cosine: missing a required argument: 'end'; it takes \(start, end, over\)"),
    ("cosin(1, 0)", r"column 1: unknown schedule 'cosin'; did you mean 'cosine'\?"),
    ("cosine(1, 0, ovr='3 epochs')", r"cosine has no argument 'ovr'; did you mean 'over'\?"),
    ("cosine(1, 0, over=3)", r"over must carry its unit, got 3; write for example '500 steps'"),
    ("cosine(1, 0, over='3')", r"over: a unit is missing after 3"),
    ("cosine(1, 0, over='3 epocs')", r"unknown unit 'epocs'; did you mean 'epochs'\?"),
    ("cosine(1, 0, over='0 epochs')", r"over must be longer than nothing, got '0 epochs'"),
    ("cosine(1, 0, over='-3 epochs')", r"a length can't be negative"),
    ("cosine(1, 0, over='max(3 epochs)')", r"max takes two lengths or more, got 1"),
    ("cosine(1, 0, over='3 epochs 4')", r"unexpected '4'"),
    ("cosine(nan, 0)", r"unknown name 'nan'"),
    ("cosine(1e999, 0)", r"start .* must be a finite number, got inf"),
    ("cosine('1', 0)", r"start .* must be a finite number, got '1'"),
    ("exponential(1, 0)", r"exponential: end must be above 0, got 0"),
    ("poly(1, 0, 0)", r"poly: power must be above 0, got 0"),
    ("values([1, 2], at=['1 epoch', '2 epochs'])", r"2 positions need 3 values, got 2"),
    ("steps(0.1)", r"give either at=\[...\] or every='...'"),
    ("steps(0.1, at=[])", r"at must be a list of at least one item"),
    ("sigmoid(1, 0, low=3, high=2)", r"must have -300 <= low < high <= 300, got low=3, high=2"),
    ("constant(abs(1)) * constant(abs(2))", r"a product must hold abs\(...\) in one factor at most"),
    ("between(0, 1, constant(abs(1)))", r"the schedule must be a pure factor"),
    ("repeat(cosine(1, 0), '1 epoch', times=0)", r"times must be a whole number of at least 1, got 0"),
    ("__import__('os').system('x')", r"can't be used here"),
    ("cosine", r"cosine needs its arguments, as in cosine\(1, 0.01\)"),
    ("cosine(*[1, 0])", r"\* and \*\* can't be used"),
    ("[x for x in 'a']", r"can't be used here"),
    ("cosine(1, 0", r"is not a complete expression"),
    ("3", r"expected a schedule such as cosine\(1, 0\), got '3'"),
    ("2 + cosine(1, 0)", r"\+ stands between two schedules"),
    ("(" * 5000, r"can't be read|is not a complete expression|must be at most"),
    ("chain(" * 150 + "constant(1)" + ")" * 150, r"nested deeper than 100|nested too deeply|can't be read"),
    ("formula('__import__(1)')", r"__import__\(...\) can't be used so"),
    ("formula('epoch.real')", r"can't be used"),
    ("cosine(start=1, end=0, end=0.9)", r"cosine: end is given twice|is not a complete expression: keyword argument repeated"),
    ("clip(linear(1, 0), lo=1, hi=0.5)", r"clip: lo must not be above hi, got lo=1, hi=0.5"),
    ("constant(1" + "0" * 400 + ")", r"constant: value .* must be a finite number, got a larger one"),
    ("chain(1)", r"chain: phases\[0\] must be a schedule such as cosine\(1, 0\), got 1"),
    ("formula('stp + 1')", r"unknown name 'stp' in 'stp \+ 1'; did you mean 'step'\?"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("formula('9**9**9**9')", r"'9\*\*9\*\*9\*\*9' has no value: "),
        ("formula('floor(9)**floor(9)**floor(9)')", r"has no value: math range error"),
        ("formula('floor(0 - 8)**0.5')", r"has no value: math domain error"),
        ("formula('1 / (step - 2)')", r"'1 / \(step - 2\)' has no value at step=2: float division by zero"),
        ("constant(1e300) * constant(1e300)", r"the values are not finite at step 0"),
        ("repeat(cosine(1, 0), '1 step', shrink=1e308)", r"overflows in this run|not finite"),
        ("steps(1e308, at=['1 step', '2 steps', '3 steps'])", r"overflows in this run"),
        ("repeat(cosine(1, 0), '1e-7 steps')", r"every must be longer than nothing, got '1e-07 steps' = 1e-07 ticks"),
        ("linear(0, 1, over='round(1e308 epochs)')", r"overflows in this run|this run has no end|finite"),
    ],
)
def test_what_has_no_value_in_a_run_says_where(text, message):
    with pytest.raises(InputError, match=message):
        [etude.read(text).plan(Run(steps=5, steps_per_epoch=2)).at(step) for step in range(5)]


def test_a_million_million_cycles_cost_nothing():
    long = etude.read("chain(repeat(cosine(1, 0), '1 step', times=1000000000000), constant(1))").plan(Run(steps=100))
    assert long.at(7)["lr"]["all"] == 1.0


def test_a_phase_without_a_length_cannot_be_followed():
    with pytest.raises(InputError, match=r"phase 1 of 2, decay\(.*\), has no length of its own; give it over='...' or wrap"):
        etude.read("chain(decay(0.9, per='1 epoch'), cosine(1, 0))").plan(RUN)


def test_a_shape_that_fills_an_endless_run_is_refused():
    with pytest.raises(InputError, match=r"fills the run, and this run has no end: give --epochs or --steps"):
        etude.read("cosine(1, 0)").plan(Run())


def test_phases_of_no_length_vanish():
    whole = bound(parse("chain(linear(0, 1, over='10% - 100 steps'), constant(0.5, over='3 epochs'), cosine(1, 0))"), RUN)
    assert [whole(0), whole(29), whole(30)] == [0.5, 0.5, 1.0]


def test_a_length_may_come_out_negative_only_to_be_refused():
    with pytest.raises(InputError, match=r"over must not be negative, got '10% - 200 steps' = -100 in this run"):
        etude.read("linear(0, 1, over='10% - 200 steps')").plan(RUN)


def test_epochs_are_the_runs_whatever_the_inner_clock():
    chained = bound(parse("chain(linear(0, 1, over='15 steps'), per_epoch(linear(1, 0)))"), RUN)
    assert chained(15) == chained(19) == 1.0
    assert chained(20) == chained(29) == pytest.approx(1 - 5 / 985)
    cycles = bound(parse("repeat(per_epoch(linear(1, 0)), '25 steps')"), RUN)
    assert cycles(25) == cycles(29) == 1.0
    assert cycles(30) == cycles(39) == pytest.approx(1 - 5 / 25)


def test_a_faster_clock_reaches_later_cycles():
    fast = bound(parse("chain(scaled(repeat(linear(1, 0), '10 steps', times=4), 2), constant(0.5))"), Run(steps=100))
    assert [fast(step) for step in (0, 5, 10, 15, 19, 20)] == [1.0, 1.0, 1.0, 1.0, pytest.approx(0.2), 0.5]
    four = bound(parse("scaled(repeat(linear(1, 0), '10 steps'), 4)"), Run(steps=100))
    assert [four(step) for step in (25, 26, 95)] == [1.0, 0.6, 1.0]


def test_lengths_in_epochs_are_measured_where_they_stand():
    """Two stages: an epoch has 30 steps, then 60."""
    run = Run(samples=60, stages=[etude.Stage(epochs=1, batch_size=2), etude.Stage(epochs=10, batch_size=1)])
    two = bound(parse("chain(repeat(linear(1, 0), '1 epoch', times=2), constant(5))"), run)
    assert [two(step) for step in (29, 30, 60, 89, 90)] == [pytest.approx(1 / 30), 1.0, 0.5, pytest.approx(1 / 60), 5.0]
    clock = run.clock()
    assert etude.units.Length.parse("3 epochs - 1 epoch").ticks(clock.ticks) == 90
    assert etude.units.Length.parse("1 epoch + 1 epoch - 2 epochs").ticks(clock.ticks) == 0


def test_endless_cycles_that_are_not_alike_are_refused():
    with pytest.raises(InputError, match="would hold more than 10000 cycles in this run, and not all alike"):
        etude.read("repeat(per_epoch(linear(1, 0)), '45 steps')").plan(Run(steps_per_epoch=30))
    endless = bound(parse("repeat(linear(1, 0), '45 steps')"), Run(steps_per_epoch=30))
    assert [endless(step) for step in (0, 45, 90, 45 * 10**6 + 9)] == [1.0, 1.0, 1.0, 0.8]
