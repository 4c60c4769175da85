"""Pages: what they hold, that nothing in a recipe becomes markup or script, and that they run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import etude
from etude import Group, InputError, Optimizer, Recipe, Run, cosine
from etude.draw.figure import points
from etude.draw.page import draw_page, page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{script}} & \"'"


class Reader(HTMLParser):
    """Gathers a page's tags, its scripts, and the text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self.text, self.inside = [], [], "", None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.text += data

    @property
    def plans(self):
        return json.loads(self.scripts[0])


def test_the_same_plans_make_the_same_bytes(tmp_path):
    plans = [etude.read(name).plan() for name in ("yolov5", "one-cycle")]
    first, second = tmp_path / "a.html", tmp_path / "b.html"
    draw_page(plans, first)
    draw_page([etude.read(name).plan() for name in ("yolov5", "one-cycle")], second)
    assert first.read_bytes() == second.read_bytes()
    assert b"\r" not in first.read_bytes()


def test_the_page_holds_the_plan_to_the_last_digit():
    plan = etude.read("yolov5").plan()
    (drawn,) = Reader(page([plan])).plans
    assert drawn["steps"] == list(range(3000))
    assert (drawn["epochs"][999], drawn["epochs"][-1]) == (33, 99)
    rows = plan.rows([plan.tick(step) for step in range(3000)])
    for name, lines in zip(("lr", "momentum", "weight_decay"), drawn["lines"], strict=True):
        shown = {group: line["values"] for line in lines for group in line["groups"]}
        assert shown == {index: [row[index] for row in rows[name]] for index in range(3)}
    assert drawn["changes"] == [[0, 1000], [0, 1000], []]


def test_a_long_run_is_thinned_as_in_pictures():
    plan = etude.read("steps(0.1, at=['123457 steps'])").plan(Run(steps=1_000_000))
    (drawn,) = Reader(page([plan])).plans
    assert drawn["steps"] == points(plan)
    assert drawn["epochs"] is None
    assert len(drawn["lines"][0][0]["values"]) == len(points(plan))


def test_only_what_a_recipe_has_is_drawn():
    """A panel is there for what any recipe has; one without it has no line in it."""
    first, second = Reader(page([etude.read("one-cycle").plan(), etude.read("cosine(1, 0)").plan(Run(steps=9))])).plans
    assert [len(lines) for lines in first["lines"]] == [1, 1, 1]
    assert [len(lines) for lines in second["lines"]] == [1, 0, 0]


def test_every_group_of_every_recipe_looks_its_own():
    recipe = Recipe(optimizer=Optimizer(name="SGD", lr=1), groups={f"g{n}": Group(pattern=str(n)) for n in range(24)})
    plan = recipe.plan(Run(steps=3))
    looks = [json.dumps(look) for drawn in Reader(page([plan, plan])).plans for look in drawn["looks"]]
    assert len(set(looks)) == 48


def test_names_become_neither_markup_nor_script():
    recipe = Recipe(
        optimizer=Optimizer(name="SGD", lr=1),
        groups={"__proto__": Group(kind="bias"), "constructor": Group()},
        schedules={"lr": cosine(1, 0)},
        run=Run(steps=5),
        name=HOSTILE,
    )
    usual = Recipe(optimizer=recipe.optimizer, groups=recipe.groups, schedules=recipe.schedules, run=recipe.run, name="usual")
    hostile, plain = Reader(page([recipe.plan()])), Reader(page([usual.plan()]))
    assert hostile.tags == plain.tags
    assert hostile.scripts == plain.scripts
    assert HOSTILE[:57] + "..." in hostile.text
    short = Recipe(optimizer=recipe.optimizer, run=recipe.run, name="<!--<script>{{script}}")
    assert "<!--<script>{{script}}: change points" not in Reader(page([short.plan()])).text  # nothing changes, nothing is listed
    assert Reader(page([short.plan()])).text.count("<!--<script>{{script}}") == 3


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone():
    html = page([etude.read("yolov5").plan()])
    read = Reader(html)
    assert not [attrs for tag, attrs in read.tags if {"src", "href", "srcset", "onload"} & attrs.keys() or tag == "link"]
    assert not re.search(r"url\(|@import", html)
    policy = next(attrs["content"] for tag, attrs in read.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(read.scripts[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "Permission is hereby granted" in read.scripts[1]  # uPlot's license goes with it


@pytest.mark.parametrize("text", ["linear(1e301, 0)", "constant(-1e302)"])
def test_values_beyond_any_axis_are_told(text):
    with pytest.raises(InputError, match=re.escape("these values can't be drawn")):
        page([etude.read(text).plan(Run(steps=5))])


def test_a_page_needs_neither_matplotlib_nor_numpy(tmp_path):
    hide = "import sys; sys.modules['matplotlib'] = sys.modules['numpy'] = None; from etude.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", hide, "plot", "one-cycle", "cosine", "-o", str(tmp_path / "a.html")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"wrote {tmp_path / 'a.html'}\n")
    assert (tmp_path / "a.html").stat().st_size > 100_000


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_page_runs(tmp_path):
    """The cells are filled and the plots there only where the script has run to its last line."""
    draw_page([etude.read(name).plan() for name in ("yolov5", "one-cycle")], tmp_path / "a.html")
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user", "--dump-dom"]
    done = subprocess.run([*words, (tmp_path / "a.html").as_uri()], capture_output=True, text=True, check=True, timeout=120)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", done.stdout)
    assert cells[:4] == ["step 0, epoch 0", "0", "0.8", "0"]
    assert cells[-4:] == ["step 0, epoch 0", "0.004", "0.95", "0.0005"]
    assert done.stdout.count("<canvas") == 3
