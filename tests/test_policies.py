"""Compositions under one name: what they are made of, what they are worth, and what is refused."""

from __future__ import annotations

import math

import pytest

import etude
from etude import InputError, Run, parse


def curve(text, steps=100, **facts):
    plan = etude.read(text).plan(Run(steps=steps, **facts))
    return [plan.at(step)["lr"]["all"] for step in range(steps + 1)]


@pytest.mark.parametrize(
    ("shape", "half"), [("linear", 0.5), ("cosine", 0.5), ("1-sqrt", 1 - math.sqrt(0.5)), ("exponential", 0.1)]
)
def test_wsd_goes_up_stays_and_comes_down(shape, half):
    floor = 0.01 if shape == "exponential" else 0
    values = curve(f'wsd("10 steps", "20%", "{shape}", {floor})')
    assert values[:3] == [0.0, 0.1, 0.2]
    assert values[10:81] == [1.0] * 71
    assert values[90] == pytest.approx(half)
    assert values[100] == floor


def test_wsd_has_an_open_ended_trunk():
    schedule = parse('wsd("10 steps")')
    plan = etude.read(schedule).plan(Run())
    assert [plan.at(step)["lr"]["all"] for step in (5, 10, 10**9)] == [0.5, 1.0, 1.0]


def test_wsd_lengths_may_be_sums_and_shares():
    values = curve('wsd("max(1 epoch, 5 steps)", "1 epoch + 5 steps", "linear")', steps_per_epoch=10)
    assert values[10] == values[85] == 1.0
    assert values[86] == pytest.approx(1 - 1 / 15)


def test_a_warmup_and_a_cooldown_that_the_run_can_not_hold_are_refused():
    with pytest.raises(InputError, match=r"constant: over must not be negative, got .* = -20 in this run"):
        curve('wsd("70 steps", "50%")')


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ('triangular(0.1, 1, "10 steps")', lambda tri, cycle, step: tri),
        ('triangular(0.1, 1, "10 steps", shrink=0.5)', lambda tri, cycle, step: tri * 0.5**cycle),
        ('triangular(0.1, 1, "10 steps", gamma=0.99)', lambda tri, cycle, step: tri * 0.99**step),
    ],
)
def test_triangular_modes(text, formula):
    for step, value in enumerate(curve(text)[:-1]):
        tri = 1 - abs(step % 20 - 10) / 10
        assert value == pytest.approx(0.1 + 0.9 * formula(tri, step // 20, step)), step


def test_restarts_with_growing_periods_and_falling_peaks():
    values = curve('repeat(cosine(1, 0), "10 steps", grow=2, shrink=0.5)')
    assert [values[step] for step in (0, 10, 30, 70)] == [1.0, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("u", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_tanh_is_the_tangent_stretched_to_its_levels(u):
    high, low, x = math.tanh(3), math.tanh(-7), math.tanh(-7 * (1 - u) + 3 * u)
    assert curve("tanh(1, 0)")[round(100 * u)] == pytest.approx((high - x) / (high - low), abs=1e-13)


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_k_decay_is_the_shape_at_a_power_of_the_time(k):
    values = curve(f"kdecay(cosine(1, 0.1), {k})")
    for step in (0, 1, 50, 99, 100):
        assert values[step] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * (step / 100) ** k)) / 2)


@pytest.mark.parametrize(("beta2", "steps"), [(0.999, 2000), (0.99, 200), (0.95, 40), (0.0, 2)])
def test_a_warmup_as_long_as_beta2_says(beta2, steps):
    values = curve(f"untuned_warmup({beta2})", steps + 5)
    assert values[:-6] == pytest.approx([(step + 1) / steps for step in range(steps)], rel=1e-13)
    assert values[-6:] == [1.0] * 6
    slow = curve(f'untuned_warmup({beta2}, "exponential")', 50)
    assert slow[:50] == pytest.approx([1 - math.exp(-(step + 1) / (steps // 2)) for step in range(50)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wsd('3')", "wsd: warmup: a unit is missing after 3"),
        ("wsd('3 steps', '5')", "wsd: cooldown: a unit is missing after 5"),
        ("wsd('3 steps', '5 steps', 'sine')", "wsd: shape must be one of linear, cosine, 1-sqrt, exponential, got 'sine'"),
        ("wsd('3 steps', '5 steps', 'exponential')", "exponential: end must be above 0, got 0"),
        ("triangular(0, 1, '5')", "triangular: up: a unit is missing after 5"),
        ("triangular(0, 1, '5 steps', gamma=0)", "decay: gamma must be above 0, got 0"),
        ("untuned_warmup(1)", r"beta2 must be in \[0, 1\), got 1"),
        ("untuned_warmup(0.9, 'cubic')", "shape must be linear or exponential, got 'cubic'"),
        ("kdecay(steps(0.1, every='3 steps'), 2)", r"kdecay: needs a shape such as cosine\(1, 0\), got steps"),
        ("kdecay(cosine(1, 0), 0)", "kdecay: k must be above 0, got 0"),
        ("tanh(1, 0, low=3, high=2)", "must have -300 <= low < high <= 300"),
        ("fold([cosine(1, abs(0.1))])", r"fold: pieces must be pure factors, got abs\(...\)"),
        ("fold([cosine(1, 0)], floors=[0, 1])", "fold: 1 pieces need 1 floors, got 2"),
        ("recursion('open(1)')", r"open\(...\) can't be used so"),
        ("skip(cosine(1, 0), '0 steps')", "by must be longer than nothing"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)
