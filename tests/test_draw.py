"""Pictures: what they show, that they are the same each time, and the terms of a curve."""

from __future__ import annotations

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

import etude
from etude import Run
from etude.draw.figure import draw_columns, draw_plans, points
from etude.draw.stages import draw_stages, stages
from etude.draw.terminal import chart, sample
from etude.schedule import Frame


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_plan_makes_the_same_file(tmp_path, ending):
    plans = [etude.read(name).plan() for name in ("yolov5", "one-cycle")]
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    draw_plans(plans, first)
    draw_plans(plans, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 10_000
    assert plt.get_fignums() == []


def test_a_panel_shows_the_plan_and_names_the_groups():
    plan = etude.read("yolov5").plan()
    figure, panel = plt.subplots()
    draw_columns(panel, plan, "lr")
    shown = {line.get_label(): line for line in panel.get_lines()}
    assert list(shown) == ["norm, weight", "bias"]
    assert list(shown["bias"].get_ydata()) == plan.table()["lr"][:, 2].tolist()
    assert len({line.get_linestyle() for line in shown.values()}) == 2
    plt.close(figure)


def test_names_are_shown_as_they_are(tmp_path):
    names = ("_body", "head", "_rest")
    recipe = etude.read(etude.parse("cosine(1, 0)"))
    rules = {name: etude.Group(module=f"part{index}", lr=0.1 * (index + 1)) for index, name in enumerate(names)}
    plan = replace(recipe, groups=rules, name=r"$\bad$ and $x$").plan(Run(steps=10))
    _, panel = plt.subplots()
    draw_columns(panel, plan, "lr")
    shown = panel.get_legend().get_texts()
    assert [text.get_text().removeprefix("\u200b") for text in shown] == list(names)
    plt.close()
    draw_plans([plan], tmp_path / "names.png")


def test_a_long_run_is_drawn_with_both_sides_of_every_change():
    plan = etude.read("steps(0.1, at=['123457 steps'])").plan(Run(steps=1_000_000))
    steps = points(plan)
    assert len(steps) < 5_000
    assert {0, 123_456, 123_457, 999_999} <= set(steps)


def test_the_cosine_term_by_term():
    """lr0 0.01, lrf 0.2: cos, 1 + cos, halved, scaled by 1 - 0.2, shifted by 0.2."""
    terms = stages(etude.cosine(1, 0.2), Frame(Run(steps=100).clock()))
    for u in (0.0, 0.25, 0.5, 1.0):
        cos = math.cos(math.pi * u)
        expected = [cos, 1 + cos, (1 + cos) / 2, 0.8 * (1 + cos) / 2, 0.8 * (1 + cos) / 2 + 0.2]
        assert [term.value(u) for term in terms] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("text", ["yolov5", "chain(linear(0, 1, over='10 steps'), rex(1, 0))", "exponential(1, 0.1)"])
def test_stages_are_drawn(tmp_path, text):
    draw_stages(etude.read(text).override(epochs=10, samples=60, batch_size=10).plan(), tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_chart():
    assert chart([0.0, 1.0, 2.0], width=4, height=2) == ["2 ┤⠀⠀⡠⠊", "0 ┤⡠⠊⠀⠀"]
    assert chart([1.0, 1.0], width=3, height=2) == ["  ┤⣀⣀⣀", "1 ┤⠀⠀⠀"]
    assert {len(line) for line in chart([0.5, 0.25], width=64)} == {len("0.25 ┤") + 64}


def test_sample_keeps_the_ends():
    assert sample(5) == [0, 1, 2, 3, 4]
    assert sample(10_000, 3) == [0, 5000, 9999]
