"""Expressions as people write them in a lambda: what they are worth, for a number and for an array, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run
from etude.arrays import Scalar, namespace
from etude.expression import compile_expression

TEXTS = [
    "1 / (epoch + 1)",
    "0.95 ** epoch",
    "epoch // 30 + epoch % 7",
    "0.5 if epoch % 10 == 0 else 1.01",
    "1 if epoch < 5 else 0.1 if epoch < 9 and epoch != 7 else exp(-0.1 * epoch)",
    "(3 < epoch <= 9) * 2 + (epoch >= 4)",
    "epoch > 5 and 0.1 or 0.7",
    "(epoch - 3) and (epoch or 5) + epoch // 0.7",
    "0.1 * (epoch < 3 or epoch > 8) + (not epoch > 3)",
    "min(1.0, (epoch + 1) / 5, 0.9) * max(0.1, 1 - epoch / 40)",
    "pow(epoch, 2) + abs(3 - epoch) + round(epoch / 4) + int(epoch / 3) + ceil(epoch / 3) - +epoch",
    "tanh(epoch / 9) + tan(0.1 * epoch) + log(1 + epoch) + log2(1 + epoch) + log10(1 + epoch) + sqrt(epoch)",
    "((1 + math.cos(epoch * math.pi / 100)) / 2) * (1 - 0.2) + 0.2",
    "np.exp(-epoch) + numpy.sin(epoch) + math.e",
]


def python(text, epoch):
    names = {
        "math": math,
        "np": np,
        "numpy": np,
        "epoch": epoch,
        "abs": abs,
        "min": min,
        "max": max,
        "round": round,
        "int": int,
        "pow": pow,
    }
    names |= {name: getattr(math, name) for name in ("exp", "tanh", "tan", "log", "log2", "log10", "sqrt", "ceil", "sin")}
    return float(eval(text, {"__builtins__": {}}, names))


@pytest.mark.parametrize("text", TEXTS)
def test_they_are_worth_what_python_says(text):
    expression = compile_expression(text, ("epoch",))
    for epoch in range(60):
        assert expression({"epoch": float(epoch)}, Scalar) == pytest.approx(python(text, epoch), rel=1e-15)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("make", [lambda values: np.array(values), lambda values: torch.tensor(values, dtype=torch.float64)])
def test_an_array_is_worth_what_its_numbers_are(text, make):
    expression, epochs = compile_expression(text, ("epoch",)), [float(epoch) for epoch in range(60)]
    array = make(epochs)
    values = expression({"epoch": array}, namespace(array))
    assert [float(value) for value in values] == pytest.approx(
        [expression({"epoch": epoch}, Scalar) for epoch in epochs], rel=1e-14
    )


def test_what_decides_is_all_that_is_evaluated_of_a_number():
    text = "0.0 if epoch == 0 else 1 / epoch + (epoch > 5 and 1 / (epoch - 5) > 0.5)"
    assert [compile_expression(text, ("epoch",))({"epoch": e}, Scalar) for e in (0.0, 5.0, 6.0)] == [
        0.0,
        0.2,
        pytest.approx(7 / 6),
    ]


@given(st.integers(0, 2**24))
def test_single_precision_rounds_every_result_as_numpy_does(step):
    text = "0.1 * 0.96 ** (step / 1000) + (1 - step * (1 / 41)) / 3"
    f = np.float32
    value = compile_expression(text, ("step",), 32)({"step": float(step)}, Scalar)
    power = f(math.pow(float(f(0.96)), float(f(step) / f(1000))))
    assert value == float(f(0.1) * power + (f(1) - f(step) * (f(1) / f(41))) / f(3))
    plan = etude.read(f'formula("{text}", bits=32)').plan(Run(steps=2**24 + 1))
    assert plan.at(step)["lr"]["all"] == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch.real", "can't be used"),
        ("os.system('x')", r"os.system\(...\) can't be used so"),
        ("math.system(1)", r"math.system\(...\) can't be used so"),
        ("open('x')", r"open\(...\) can't be used so"),
        ("(lambda: 1)()", r"can't be used"),
        ("[1][0]", "can't be used"),
        ("'a' * 10", "can't be used"),
        ("True", "can't be used"),
        ("epoch is 1", "comparisons are < <= > >= == !="),
        ("epoch in (1, 2)", "comparisons are|can't be used"),
        ("~epoch", "can't be used"),
        ("sin(epoch, 1)", r"sin\(...\) can't be used so"),
        ("min(epoch)", r"min\(...\) can't be used so"),
        ("total / 2", "unknown name 'total' in 'total / 2'; known: epoch, pi, e"),
        ("epoch +", "is not a complete expression"),
        ("-" * 60 + "epoch", "nested deeper than 50"),
        ("1e999 + 9" + "9" * 400, "holds a number that is too large"),
        ("epoch if epoch else", "is not a complete expression"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        compile_expression(text, ("epoch",))


def test_where_it_has_no_value_is_told():
    with pytest.raises(InputError, match=r"'1 / epoch' has no value at epoch=0: float division by zero"):
        compile_expression("1 / epoch", ("epoch",))({"epoch": 0.0}, Scalar)
    with pytest.raises(InputError, match="bits must be 32 or 64, got 16"):
        etude.formula("step", bits=16)
