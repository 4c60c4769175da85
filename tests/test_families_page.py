"""The page of families: as its generator makes it, from the registry alone, and its table of other frameworks' names true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from docs import draw_families
from docs.names import FAMILIES, NAMES

import etude
from etude.dialects import keras
from etude.recipe import Optimizer, Recipe
from tests import twins
from tests.golden.families import RUN

DOCS = Path(draw_families.__file__).parent
PAGE = (DOCS / "families.md").read_text(encoding="utf-8")
STEPS = int(RUN.steps or 0)
BASE = 0.1


def test_the_page_is_what_the_generator_makes():
    assert draw_families.page() == PAGE, "python docs/draw_families.py makes it anew"


def test_every_picture_exists_and_is_small():
    pictures = re.findall(r"\]\((families/[^)]*)\)", PAGE)
    assert [f"families/{name}.svg" for name in sorted(etude.text.families)] == sorted(pictures)
    for picture in pictures:
        assert 0 < (DOCS / picture).stat().st_size < 60_000, picture


def test_every_link_of_the_page_leads_somewhere():
    anchors = draw_families.Anchors()
    found = {anchors.of(heading) for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= found


def test_lines_of_the_page_are_short_outside_its_tables():
    assert [line for line in PAGE.splitlines() if len(line) > 130 and not line.startswith(("|", "!["))] == []


def test_a_new_family_is_on_the_page(monkeypatch, tmp_path):
    def plain(level, over=None):
        """A plain one.

        value(t) = level / 2

        Args:
            level: What it is
                halved from.
            over: Length.

        Example:
            >>> plain(1)
            constant(0.5)

        Source: nobody. Ours is half of theirs.
        """
        return etude.constant(level / 2, over)

    monkeypatch.setitem(etude.text.families, "plain", plain)
    page = draw_families.page()
    section = page[page.index("### plain") :].partition("\n##")[0]
    for part in (
        "A plain one.",
        "(families/plain.svg)",
        "value(t) = level / 2",
        "plain(level, over=None)",
        "plain(1)\n    = constant(0.5)",
        "| `level` | What it is halved from. |",
        "**Source** nobody. Ours is half of theirs.",
    ):
        assert part in section
    assert "[plain](#plain)" in page
    draw_families.draw(draw_families.family("plain"), tmp_path / "plain.svg")
    drawn = (tmp_path / "plain.svg").read_text(encoding="utf-8")
    assert "plain(1)" in drawn
    assert "factor of the base value" in drawn


def test_the_generator_names_no_family():
    text = Path(draw_families.__file__).read_text(encoding="utf-8").partition('"""')[2]
    assert [name for name in etude.text.families if re.search(rf"\b{name}\(\d", text)] == []


def test_the_same_picture_is_the_same_file(tmp_path):
    for name in ("first.svg", "second.svg"):
        draw_families.draw(draw_families.family("cosine"), tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


# -- names of other frameworks ----------------------------------------------------------------------------------------

each = pytest.mark.parametrize("row", NAMES, ids=lambda row: f"{row.framework} {row.there}"[:80])
METRICS = [1 / (1 + 0.1 * min(epoch, 20)) + 0.05 * (epoch > 60) for epoch in range(STEPS)]


def curve(recipe, metrics=()):
    plan = recipe.plan(RUN)
    if metrics and plan.watched():
        plan = plan.fed((step + 1, plan.watched()[0], metric) for step, metric in enumerate(metrics))
    return [row[0] for row in plan.rows([float(step) for step in range(STEPS)])["lr"]]


def here(row):
    schedule = etude.parse(row.here)
    return curve(Recipe(optimizer=Optimizer(name="SGD", lr=BASE), schedules={"lr": schedule}), METRICS)


def same(ours, theirs, relative=1e-12):
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert abs(a - b) <= relative * abs(b) + 1e-15 * BASE, (step, a, b)


def description(row):
    """What a row says that it reads, in the run of all rows."""
    run = {"steps": STEPS, "steps_per_epoch": int(RUN.steps_per_epoch or 1)}
    if row.framework == "torch":
        return {"scheduler": row.reads, "optimizer": {"type": "SGD", "lr": BASE, "momentum": 0.9}, "run": run}
    return {**row.reads, "run": run}


@each
def test_every_text_form_parses(row):
    assert row.family in FAMILIES
    if row.here is not None:
        assert len(here(row)) == STEPS
    assert row.here is not None or row.proof is None


@pytest.mark.parametrize("row", [row for row in NAMES if row.reads], ids=lambda row: f"{row.framework} {row.there}"[:80])
def test_a_text_form_is_what_the_description_reads_as(row):
    same(here(row), curve(etude.read(description(row)), METRICS))


@pytest.mark.parametrize("row", [row for row in NAMES if row.framework == "torch"], ids=lambda row: row.there[:80])
def test_a_text_form_is_what_torch_itself_does(row):
    metrics = METRICS if row.reads["name"] == "ReduceLROnPlateau" else ()
    same(here(row), [lr for (lr,) in twins.trace(description(row), metrics)["lr"]], 1e-10)


@pytest.mark.parametrize("row", [row for row in NAMES if row.formula], ids=lambda row: f"{row.framework} {row.there}"[:80])
def test_a_text_form_is_what_the_formula_computes(row):
    names = {**vars(math), "abs": abs, "min": min, "max": max, "b": BASE}
    epoch = int(RUN.steps_per_epoch or 1)
    value = eval(f"lambda t, e: {row.formula}", names)
    same(here(row), [value(step, step // epoch) for step in range(STEPS)])


def test_torch_and_keras_are_all_proven():
    torch = {row.reads["name"] for row in NAMES if row.framework == "torch"}
    from etude.dialects import torch as readers

    assert torch == set(readers.NAMES)
    read = {
        name for row in NAMES if row.framework != "torch" and row.reads for name in row.reads.values() if isinstance(name, str)
    }
    assert {*keras.LAWS, *keras.CALLBACKS} - {"cosine_decay", "piecewise_constant_decay"} <= read | {"cosine_decay"}


def test_rows_without_a_proof_have_no_tick():
    assert PAGE.count("| ✓ |") == sum(1 for row in NAMES if row.proof)
    assert PAGE.count("|  |") == sum(1 for row in NAMES if not row.proof)
