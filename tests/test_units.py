"""Lengths: their one spelling, their arithmetic, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude import InputError, Run
from etude.units import Length, canonical


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("1 steps", "1 step"),
        ("3epochs", "3 epochs"),
        ("  1e3   step ", "1000 steps"),
        ("10 %", "10%"),
        (".5 epoch", "0.5 epochs"),
        ("30%-1 step", "30% - 1 step"),
        ("max( 3 epochs,100 steps )", "max(3 epochs, 100 steps)"),
        ("max(round(2.5 epochs), 100 batches) + 1 step", "max(round(2.5 epochs), 100 batches) + 1 step"),
        ("2e9 tokens", "2000000000 tokens"),
        ("1e6 samples", "1000000 samples"),
    ],
)
def test_one_spelling(text, spelling):
    assert canonical(text) == spelling
    assert canonical(spelling) == spelling


@given(st.floats(1e-3, 1e12), st.sampled_from(["steps", "batches", "epochs", "samples", "tokens", "%"]))
def test_round_trip_is_exact(value, unit):
    length = Length(unit, value)
    assert Length.parse(str(length)) == length


RUN = Run(epochs=10, samples=600, batch_size=20, tokens_per_sample=5)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("7 steps", 7),
        ("3 epochs", 90),
        ("0.5 epochs", 15),
        ("10%", 30),
        ("60 samples", 3),
        ("1000 tokens", 10),
        ("max(3 epochs, 100 steps)", 100),
        ("min(3 epochs, 100 steps)", 90),
        ("30% - 1 step", 89),
        ("round(0.35 epochs)", 10),
        ("round(0.25 epochs)", 8),
        ("floor(0.35 epochs)", 10),
        ("ceil(0.35 epochs)", 11),
        ("12 batches", 12),
    ],
)
def test_in_a_run(text, steps):
    assert Length.parse(text).ticks(RUN.clock().ticks) == steps


@given(st.integers(1, 300), st.integers(1, 100))
def test_whole_epochs_are_whole_steps(epochs, per_epoch):
    assert Run(steps=10, steps_per_epoch=per_epoch).clock().ticks(epochs, "epochs") == epochs * per_epoch


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a number with a unit is missing"),
        ("3", "a unit is missing after 3"),
        ("epochs", "expected a number, got 'epochs'"),
        ("3 parsecs", "unknown unit 'parsecs'"),
        ("3 step s", "unexpected 's'"),
        ("0 steps", "must be longer than nothing"),
        ("-1 step", "can't be negative"),
        ("nan steps", "expected a number, got 'nan'"),
        ("1e999 steps", "is too large"),
        ("max(1 step", r"max\( is never closed"),
        ("round(1 step, 2 steps)", "round takes one length, got 2"),
        ("1 step;", "unexpected ';'"),
        ("(" * 50, "a number with a unit is missing"),
        ("max(" * 40, "too many brackets"),
        ("1 step + " * 1000, "at most 1000 characters"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        canonical(text)


@pytest.mark.parametrize("value", [3, 3.0, None, ["3 steps"]])
def test_bare_numbers_are_refused(value):
    with pytest.raises(InputError, match="must carry its unit, got"):
        canonical(value)


@given(st.text(max_size=60))
def test_any_text_is_a_length_or_refused(text):
    try:
        assert canonical(canonical(text)) == canonical(text)
    except InputError as error:
        assert "\n" not in str(error) or "\n" in text
