"""The pictures of docs/tutorials.md: those that it names are those that its script draws. (Its code is tested where it stands.)"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_tutorials", DOCS / "draw_tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named() -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(tutorials/([^)]+)\)", (DOCS / "tutorials.md").read_text(encoding="utf-8"))


def test_every_picture_that_the_document_names_is_there_and_none_else():
    assert sorted(named()) == sorted(path.name for path in (DOCS / "tutorials").iterdir())
    assert len(named()) == 20


def test_the_script_draws_what_the_document_names(script, tmp_path):
    script.draw(tmp_path)
    drawn = {path.name: path for path in tmp_path.iterdir()}
    assert sorted(drawn) == sorted(named())
    for path in drawn.values():
        text = path.read_text(encoding="utf-8")
        assert text.rstrip().endswith("</svg>")
        assert "<dc:date>" not in text
        assert 10_000 < len(text) < 150_000


def test_every_anchor_of_the_document_is_a_heading():
    text = (DOCS / "tutorials.md").read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for line in re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines()
        if line.startswith("#")
    }
    anchors = re.findall(r"\]\(#([^)]+)\)", text)
    assert anchors
    assert set(anchors) <= headings
