"""Golden rows: a schedule's text, a step and its value, worked out from the formula in 300-bit arithmetic (mpmath).

The run has 1000 steps of 10 to an epoch, the base value is 1. Every family has at least one row, and every property test
takes its schedules from here: a new family is covered by adding its row.
"""

from __future__ import annotations

from typing import NamedTuple

from etude import Run

RUN = Run(steps=1000, steps_per_epoch=10)


class Row(NamedTuple):
    text: str
    step: int
    value: float


ROWS = [
    Row("constant(0.5)", 700, 0.5),
    Row('linear(0, 1, over="300 steps")', 100, 0.3333333333333333),
    Row("linear(1, 0.01)", 999, 0.01099),
    Row("cosine(1, 0)", 999, 2.467399070916944e-06),
    Row("cosine(1, 0.01)", 250, 0.855017856687341),
    Row("cosine(0, 1)", 1, 2.467399070916944e-06),
    Row("exponential(1, 0.001)", 999, 0.0010069316688518042),
    Row("poly(1, 0, 0.9)", 999, 0.00199526231496888),
    Row("poly(0, 1, 2)", 1, 0.001999),
    Row("power(1, 0, 0.5)", 999, 0.0005001250625390898),
    Row('power(0, 1, 2, over="100 steps")', 10, 0.01),
    Row("rex(1, 0)", 999, 0.001998001998001998),
    Row("rex(0.2, 1)", 500, 0.4666666666666667),
    Row("sigmoid(1, 0, low=-14, high=6)", 999, 4.99478478732318e-05),
    Row("sigmoid(1, 0)", 500, 0.5),
    Row('wave(1, 0, half="200 steps")', 350, 0.8535533905932737),
    Row('values([1, 0.1, 0.01], at=["300 steps", "60%"])', 299, 1.0),
    Row('values([1, 0.1, 0.01], at=["300 steps", "60%"])', 300, 0.1),
    Row('values([1, 0.1, 0.01], at=["300 steps", "60%"])', 600, 0.01),
    Row('steps(0.5, at=["100 steps", "200 steps"])', 200, 0.25),
    Row('steps(0.5, every="100 steps")', 399, 0.125),
    Row('decay(0.96, per="100 steps")', 250, 0.9029798987795907),
    Row('inverse(0.5, per="100 steps")', 200, 0.5),
    Row('inverse(1, per="100 steps", power=0.5)', 300, 0.5),
    Row('table([["100 steps", 0], ["300 steps", 1], ["500 steps", 0.5]])', 350, 0.875),
    Row('formula("1 / (epoch + 1)")', 35, 0.25),
    Row('formula("0.5 * (1 + cos(pi * step / steps))")', 250, 0.8535533905932737),
    Row('chain(linear(0, 1, over="100 steps"), cosine(1, 0))', 100, 1.0),
    Row('chain(linear(0, 1, over="100 steps"), cosine(1, 0))', 550, 0.5),
    Row('repeat(cosine(1, 0), "100 steps", grow=2, shrink=0.5)', 500, 0.125),
    Row('repeat(linear(1, 0), "100 steps", times=2)', 500, 0.0),
    Row('chain(phase(steps(0.5, every="10 steps"), over="20 steps"), constant(0.1))', 19, 0.5),
    Row('chain(phase(steps(0.5, every="10 steps"), over="20 steps"), constant(0.1))', 20, 0.1),
    Row("between(0.2, 0.6, linear(0, 1))", 500, 0.4),
    Row("clip(linear(1, 0), lo=0.25, hi=0.75)", 900, 0.25),
    Row("clip(linear(1, 0), lo=0.25, hi=0.75)", 100, 0.75),
    Row("rounded(linear(1, 4))", 500, 2.0),
    Row('rounded(linear(1, 8, over="500 steps"))', 250, 4.0),
    Row('shift(linear(1, 0), "100 steps", at="200 steps")', 250, 0.8),
    Row('shift(linear(1, 0), "100 steps", at="200 steps")', 400, 0.7),
    Row('hold(linear(1, 0), at="30%")', 900, 0.7),
    Row("per_epoch(linear(1, 0))", 19, 0.99),
    Row("scaled(linear(1, 0), 4)", 100, 0.6),
    Row('approach(linear(1, 0), 0.5, over="100 steps")', 50, 0.725),
    Row('skip(linear(1, 0), "500 steps")', 250, 0.5),
    Row('stairs(linear(1, 0), "100 steps")', 299, 0.8),
    Row("kdecay(cosine(1, 0), 1.5)", 500, 0.7220079201631067),
    Row('fold([steps(0.5, at=["10 steps"]), steps(0.5, at=["20 steps"])], floors=[0, 0.25])', 20, 0.375),
    Row('fold([steps(0.5, at=["10 steps"])], on=linear(1, 0))', 10, 0.495),
    Row('fold([steps(0.5, at=["10 steps"])], on=linear(1, 0))', 500, 0.5),
    Row('recursion("lr * 0.5 + 0.25")', 3, 0.5625),
    Row('recursion("lr * (1 - 1 / (epoch + 1))", every="1 epoch")', 15, 0.5),
    Row('fold([steps(0.5, at=["10 steps"])], floors=[abs(0.5)])', 10, 0.75),
    Row('fold([steps(0.5, at=["10 steps"])], on=linear(1, 0), every="1 epoch")', 15, 0.495),
    Row("plateau(0.5)", 700, 1.0),
    Row("plateau(0.5, floor=abs(0.1), eps=abs(1e-8))", 700, 1.0),
    Row('wsd("100 steps", "20%")', 900, 0.2928932188134524),
    Row('wsd("100 steps", "20%", "exponential", 0.01)', 900, 0.1),
    Row('triangular(0.1, 1, "100 steps", shrink=0.5)', 300, 0.55),
    Row("tanh(1, 0)", 500, 0.9819700252404027),
    Row("untuned_warmup(0.99)", 99, 0.5),
    Row('formula("0.5 ** floor(step * (1 / 41))", bits=32)', 41, 1.0),
    Row('formula("0.1 if epoch < 5 and step != 3 else 0.2")', 49, 0.1),
    Row("0.5 * linear(1, 0) * linear(1, 0)", 500, 0.125),
    Row("linear(1, 0) + constant(0.1)", 500, 0.6),
    Row("cosine(1, abs(0.3))", 1000, 0.3),
    Row("for_run(cosine(1, 0), steps=2000)", 500, 0.8535533905932737),
    Row("for_run(linear(1, 0), steps=500)", 900, 0.0),
    Row('for_run(linear(0, 1, over="10%"), steps=500, base=4)', 25, 2.0),
    Row("for_run(per_epoch(linear(1, 0)), epochs=50, steps_per_epoch=20)", 39, 0.98),
    Row('switch(linear(1, 0), cosine(1, 0), at="500 steps")', 499, 0.501),
    Row('switch(linear(1, 0), cosine(1, 0), at="500 steps")', 750, 0.14644660940672624),
]
