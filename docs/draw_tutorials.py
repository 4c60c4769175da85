"""Draw the pictures of docs/tutorials.md from the values that its own code computes.

    python docs/draw_tutorials.py [FOLDER]     # docs/tutorials by default

The document is run block by block in one namespace, and each picture below takes its data from there: what is shown is what the
text asserts.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
from pathlib import Path
from typing import Any

from etude.draw.figure import COLOURS, DASHES, epochs_above, new_figure, save, style

HERE = Path(__file__).parent
BLUE, RED, GREEN, PURPLE = COLOURS[:4]
SOLID, DASHED, DASHDOT, DOTTED = DASHES[:4]
GREY = "#8A8A8A"
QUARTERS = [0, 0.005, 0.01, 0.015, 0.02]


def values() -> dict[str, Any]:
    """Run the document's code, and return the names it leaves."""
    namespace: dict[str, Any] = {}
    text = (HERE / "tutorials.md").read_text(encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        for kind, code in re.findall(r"^```(python|pycon)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            sources = [code] if kind == "python" else [one.source for one in doctest.DocTestParser().get_examples(code)]
            for source in sources:
                exec(compile(source, "tutorials.md", "exec"), namespace)
    return namespace


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Any, list[Any]]:
    """Return a figure of this size in inches, as wide as a page shows it, and its panels in reading order."""
    figure, axes = new_figure(rows, columns, **options)
    figure.set_size_inches(width, height)
    return figure, list(axes.flat)


def label(panel: Any, title: str, x: str, y: str) -> None:
    style(panel, y)
    panel.set_xlabel(x)
    if title:
        panel.set_title(title, loc="left", fontsize=10, parse_math=False)


def legend(panel: Any, **options: Any) -> None:
    panel.legend(frameon=False, fontsize=9, title_fontsize=9, alignment="left", **options)


def note(panel: Any, text: str, at: tuple[float, float], text_at: tuple[float, float], **options: Any) -> None:
    """Write beside a point, with a thin line to it."""
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkB": 4}
    panel.annotate(text, at, text_at, fontsize=9, arrowprops=line, **options)


def draw_yolov5(v: dict[str, Any]) -> Any:
    figure, (lr, momentum) = panels(2, 1, 8, 5, heights=[2, 1])
    rates, steps = v["yolov5"], range(3000)
    assert rates["norm"] == rates["weight"]
    lr.plot(steps, rates["weight"], color=BLUE, linestyle=SOLID, label="norm, weight")
    lr.plot(steps, rates["bias"], color=RED, linestyle=DASHED, label="bias")
    momentum.plot(steps, v["momentum"], color=GREEN, linestyle=DASHDOT, label="norm, weight, bias")
    for panel in (lr, momentum):
        panel.axvline(1000, color=GREY, linewidth=0.8, linestyle=DOTTED)
    lr.annotate("the warmup ends", (1030, 0.06), fontsize=9, color="#555555")
    label(lr, "", "", "learning rate")
    label(momentum, "", "step (optimizer updates)", "momentum")
    legend(lr, title="group")
    legend(momentum, title="group", loc="center right")
    epochs_above(lr, v["etude"].read("yolov5").plan())
    inset = lr.inset_axes((0.57, 0.32, 0.36, 0.4))
    inset.plot(steps, rates["weight"], color=BLUE, linewidth=1.2)
    inset.plot(steps, rates["bias"], color=RED, linewidth=1.2, linestyle=DASHED)
    inset.set(xlim=(900, 1300), ylim=(0.0068, 0.0092))
    inset.tick_params(labelsize=8)
    inset.grid(alpha=0.25, linewidth=0.6)
    lr.indicate_inset_zoom(inset, edgecolor=GREY)
    return figure


def draw_cosine(v: dict[str, Any]) -> Any:
    figure, axes = panels(2, 3, 10, 5.4, sharex=False)
    names = {
        "cos": "cos(πx / 200)",
        "lifted": "1 + cos(πx / 200)",
        "halved": "(1 + cos(πx / 200)) / 2",
        "scaled": "× (1 − 0.2)",
        "shifted": "+ 0.2",
    }
    before = None
    for number, (panel, (key, name)) in enumerate(zip(axes, names.items(), strict=False), 1):
        term = v[key]
        if before is not None:
            panel.plot(before, color=GREY, linewidth=1, linestyle=DASHED)
        panel.plot(term, color=BLUE, linewidth=2)
        label(panel, f"{number}.  {name}", "epoch x", "factor" if number in (1, 4) else "")
        panel.set_ylim(-1.5, 2.5)
        ends(panel, term, BLUE, above=(number != 4, number == 5))
        before = term
    last = axes[-1]
    last.plot(v["cosine_lr"], color=RED, linewidth=2)
    label(last, "6.  × 0.01: the learning rate", "epoch x", "learning rate")
    last.set_ylim(0, 0.0115)
    ends(last, v["cosine_lr"], RED, above=(True, False))
    last.plot([100], v["cosine_lr"][100], "o", color=RED, markersize=3.5)
    last.annotate(f"{v['cosine_lr'][100]:g}", (100, v["cosine_lr"][100]), (106, 0.0062), fontsize=9, color=RED)
    return figure


def ends(panel: Any, line: list[float], colour: str, *, above: tuple[bool, bool]) -> None:
    """Mark where a line over 200 epochs begins and ends, and write the values there."""
    for x, side, up in zip((0, 200), ("left", "right"), above, strict=True):
        panel.plot([x], [line[x]], "o", color=colour, markersize=3.5, clip_on=False)
        text = f"{line[x]:g}".replace("-", "−")
        there = {"textcoords": "offset points", "ha": side, "va": "bottom" if up else "top"}
        panel.annotate(text, (x, line[x]), (5 if x == 0 else -3, 5 if up else -5), fontsize=9, color=colour, **there)


def draw_interp(v: dict[str, Any]) -> Any:
    np = v["np"]
    figure, (left, right) = panels(1, 2, 10, 3.6, sharex=False)
    left.plot(np.arange(41) / 10, v["three_points"], color=BLUE, linestyle=SOLID, label="the lines")
    left.plot([1, 2, 3], [3, 2, 0], "s", color=RED, markersize=7, label="the points")
    left.plot([2.5, 2.5, 0], [-0.15, 1, 1], color=GREY, linewidth=0.9, linestyle=DASHED)
    left.plot([2.5], [1], "o", color=GREEN, markersize=8, markerfacecolor="white", markeredgewidth=2, label="at x = 2.5: 1.0")
    label(left, "Three points", "x", "y")
    left.set(xlim=(0, 4), ylim=(-0.15, 3.3))
    legend(left)
    smooth = np.linspace(0, 2 * np.pi, 400)
    right.plot(smooth, np.sin(smooth), color=GREY, linewidth=1.2, linestyle=DASHED, label="sin x")
    right.plot(v["fine"], v["sine"], "o", color=BLUE, markersize=3.2, label="50 values, read from the lines")
    right.plot(v["knots"], np.sin(v["knots"]), "s", color=RED, markersize=7, markerfacecolor="none", label="10 points of it")
    label(right, "A sine through ten of its points", "x (radians)", "y")
    right.margins(x=0.03)
    legend(right)
    return figure


def draw_schedulers(v: dict[str, Any]) -> Any:
    settings = {
        "LambdaLR": "1 / (epoch + 1)",
        "StepLR": "3, 0.1",
        "MultiStepLR": "[3, 7], 0.1",
        "ExponentialLR": "0.1",
        "CosineAnnealingLR": "T_max=20",
        "ReduceLROnPlateau": "patience=2",
    }
    figure, axes = panels(2, 3, 10, 5.6, sharex=False)
    for panel, (name, setting) in zip(axes, settings.items(), strict=True):
        torchs, ours = v["family"][name]
        epochs = range(len(ours))
        every = 4 if len(ours) > 50 else 1
        panel.plot(epochs, ours, color=BLUE, linewidth=1.6, drawstyle="steps-post", label="etude")
        look = {"markersize": 4.5, "markerfacecolor": "none", "markeredgewidth": 1.1, "markevery": every}
        panel.plot(epochs, torchs, "o", color=RED, label="torch", **look)
        label(panel, f"{name}({setting})", "epoch", "learning rate" if panel in (axes[0], axes[3]) else "")
        if name in ("LambdaLR", "CosineAnnealingLR"):
            panel.set_ylim(-0.003, 0.108)
        else:
            panel.set_yscale("log")
        if len(ours) == 10:
            panel.set_xticks(range(0, 10, 1))
        elif len(ours) == 20:
            panel.set_xticks(range(0, 20, 3))
        panel.margins(x=0.03)
    note(axes[5], "1e-08: eps stops here", (60, 1e-8), (30, 1e-5))
    legend(axes[0])
    return figure


def draw_cyclegan(v: dict[str, Any]) -> Any:
    figure, (panel,) = panels(1, 1, 8, 3.6)
    (formula, points), (pieces, line) = v["cyclegan"].items()
    inset = panel.inset_axes((0.75, 0.62, 0.23, 0.34))
    for where, every in ((panel, 5), (inset, 1)):
        where.plot([*line, 0], color=BLUE, linestyle=SOLID, linewidth=1.6, label=pieces)
        look = {"markersize": 5, "markerfacecolor": "none"}
        where.plot(range(0, 200, every), points[::every], "o", color=RED, label=f"{formula} (every fifth epoch)", **look)
        where.plot([199], [points[199]], "s", color=GREEN, markersize=6, label="the last epoch: a 101st is left", zorder=3)
    panel.axvline(99, color=GREY, linewidth=0.8, linestyle=DOTTED)
    panel.annotate("epoch 99", (97, 0.00012), ha="right", fontsize=9, color="#555555")
    label(panel, "", "epoch", "learning rate")
    ticks = [0, 0.00005, 0.0001, 0.00015, 0.0002]
    panel.set_yticks(ticks, [f"{tick:.5f}" for tick in ticks])
    panel.set(ylim=(-0.000005, 0.000215), xlim=(-3, 203))
    inset.set(xlim=(193.5, 200.5), ylim=(-0.0000008, 0.000014))
    inset.set_yticks([0, 0.00001], ["0", "0.00001"])
    inset.tick_params(labelsize=8)
    inset.grid(alpha=0.25, linewidth=0.6)
    legend(panel, loc="lower left")
    return figure


def draw_order(v: dict[str, Any]) -> Any:
    figure, axes = panels(1, 3, 10, 3.6, sharex=False)
    for panel, (name, (right, wrong)) in zip(axes, v["orders"].items(), strict=True):
        updates = range(len(right))
        panel.plot(
            updates,
            right,
            "o",
            linestyle=SOLID,
            drawstyle="steps-post",
            color=BLUE,
            linewidth=1.4,
            markersize=6.5,
            markerfacecolor="none",
            label="right order",
        )
        panel.plot(
            updates,
            wrong,
            "s",
            linestyle=DASHED,
            drawstyle="steps-post",
            color=RED,
            linewidth=1.2,
            markersize=4,
            label="wrong order",
        )
        label(panel, name, "update", "learning rate" if panel is axes[0] else "")
        panel.set_xticks(updates)
        panel.margins(x=0.04)
    axes[0].set_yscale("log")
    legend(axes[0])
    right, wrong = v["orders"]["LinearLR, a warmup"]
    note(axes[1], "2.8 times as\nlarge as meant", (0, wrong[0]), (1.6, 0.014))
    right, wrong = v["orders"]["CosineAnnealingLR"]
    note(axes[2], "an update with 0", (9, 0), (0.2, 0.004))
    return figure


def draw_exponential_decay(v: dict[str, Any]) -> Any:
    figure, (left, right) = panels(1, 2, 10, 3.7, sharex=False)
    smooth, stairs = v["exponential"].items()
    left.plot(smooth[1], color=BLUE, linestyle=SOLID, label=smooth[0])
    left.plot(stairs[1], color=RED, linestyle=DASHED, drawstyle="steps-post", label=stairs[0])
    label(left, "0.1 · 0.96^(step / 10)", "step", "learning rate")
    legend(left)
    (divided, on_time), (graph, late) = v["late_drop"].items()
    steps = range(36, 36 + len(late))
    right.plot(
        steps,
        on_time,
        "o",
        linestyle=SOLID,
        drawstyle="steps-post",
        color=BLUE,
        markersize=7,
        markerfacecolor="none",
        label=divided,
    )
    right.plot(steps, late, "s", linestyle=DASHED, drawstyle="steps-post", color=RED, markersize=4, label=graph)
    label(right, "decay_steps 41: the first drop", "step", "")
    right.set_ylim(0.0952, 0.1008)
    right.set_xticks(range(36, 49, 2))
    right.margins(x=0.04)
    note(right, "step 41 still has 0.1", (41, 0.1), (42.2, 0.0988))
    legend(right, loc="lower left")
    return figure


def draw_descent(v: dict[str, Any]) -> Any:
    np = v["np"]
    figure, (bowl, swing, distance) = panels(1, 3, 11, 3.9, sharex=False)
    x = np.linspace(-5.7, 5.7, 200)
    bowl.plot(x, x**2, color=GREY, linewidth=1)
    looks = {
        1.0: (RED, DASHED, "s", "1.0"),
        0.1: (BLUE, SOLID, "o", "0.1"),
        0.001: (PURPLE, DASHDOT, "^", "0.001"),
        "decayed": (GREEN, DOTTED, "D", "0.1, 4 % less each step"),
    }
    for rate, (colour, dashes, marker, name) in looks.items():
        xs = np.array(v["paths"][rate])
        look = {
            "color": colour,
            "linestyle": dashes,
            "linewidth": 1.3,
            "markersize": 4.5,
            "markerfacecolor": "none",
            "label": name,
        }
        if rate != "decayed":
            few = xs[: 2 if rate == 1.0 else 6]
            bowl.plot(few, few**2, marker, **look)
            swing.plot(xs[:21], marker, **look)
        distance.plot(abs(xs), marker, **look, markevery=10)
    label(bowl, "Five steps on the parabola", "x", "x²")
    label(swing, "Where x is", "iteration", "x")
    label(distance, "How far it still is", "iteration", "|x|")
    bowl.set_ylim(-1.5, 33)
    bowl.annotate("there and back", (0, 25.4), ha="center", va="bottom", fontsize=9, color=RED)
    swing.set_xticks(range(0, 21, 5))
    swing.margins(x=0.03)
    distance.set_yscale("log")
    distance.margins(x=0.03)
    legend(distance, title="learning rate", loc="lower left")
    return figure


def draw_yolox(v: dict[str, Any]) -> Any:
    figure, (left, right) = panels(1, 2, 10, 3.8, sharex=False)
    looks = {"cos": (BLUE, SOLID, "o"), "cos, from 5e-5": (RED, DASHED, "s"), "step": (GREEN, DASHDOT, "^")}
    for name, (colour, dashes, marker) in looks.items():
        curve = v["yolox"][name]
        look = {"color": colour, "linestyle": dashes, "drawstyle": "steps-post", "label": name}
        left.plot(curve, linewidth=1.6, **look)
        right.plot(curve[:9], marker, markersize=5, markerfacecolor="none", linewidth=1.2, **look)
    for edge in (3, 95):
        left.axvline(edge, color=GREY, linewidth=0.8, linestyle=DOTTED)
    left.annotate("the tail", (96, 0.00004), fontsize=9, color="#555555", rotation=90)
    label(left, "100 epochs", "epoch", "learning rate")
    label(right, "The first nine", "epoch", "")
    for panel in (left, right):
        panel.set_ylim(0, 0.00032)
        panel.ticklabel_format(axis="y", style="sci", scilimits=(-4, -4), useMathText=True)
    right.set_xticks(range(0, 9, 1))
    legend(left, title="lr_decay_type")
    return figure


def draw_yolox_fit(v: dict[str, Any]) -> Any:
    figure, (panel,) = panels(1, 1, 8, 3.8)
    for (name, rates), colour, dashes, marker in zip(v["rates"].items(), (BLUE, RED), (SOLID, DASHED), "os", strict=True):
        panel.plot(v["batches"], rates, marker, color=colour, linestyle=dashes, markersize=6, markerfacecolor="none", label=name)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(v["batches"], [str(batch) for batch in v["batches"]])
    panel.axvline(64, color=GREY, linewidth=0.8, linestyle=DOTTED)
    panel.annotate("nbs 64", (66, 1.5e-4), fontsize=9, color="#555555")
    note(panel, "1e-3 at batch 16:\n3e-4, not 2.5e-4", (16, 3e-4), (1.6, 1.2e-3))
    panel.set_ylim(1.2e-4, 0.1)
    label(panel, "", "batch size", "fitted learning rate")
    legend(panel)
    return figure


def draw_yolox_freeze(v: dict[str, Any]) -> Any:
    figure, (panel,) = panels(1, 1, 8, 3.6)
    steps = range(len(v["frozen"]))
    panel.plot(steps, v["frozen"], color=BLUE, linewidth=1.6, drawstyle="steps-post")
    panel.axvline(500, color=GREY, linewidth=0.8, linestyle=DOTTED)
    panel.annotate("epochs 0 to 49, frozen: batch 16", (490, 0.00255), ha="right", fontsize=9, color="#555555")
    panel.annotate("epochs 50 to 99: batch 8", (515, 0.00255), fontsize=9, color="#555555")
    panel.set_ylim(0, 0.00275)
    label(panel, "", "step (optimizer updates)", "learning rate")
    inset = panel.inset_axes((0.64, 0.4, 0.34, 0.42))
    inset.plot(steps, v["frozen"], color=BLUE, linewidth=1.2, drawstyle="steps-post")
    inset.set(xlim=(440, 580), ylim=(0.0005, 0.0015), xticks=[440, 500, 560], yticks=[0.0006, 0.001, 0.0014])
    inset.tick_params(labelsize=8)
    inset.grid(alpha=0.25, linewidth=0.6)
    panel.indicate_inset_zoom(inset, edgecolor=GREY)
    return figure


def draw_yolox_schedulers(v: dict[str, Any]) -> Any:
    figure, axes = panels(1, 5, 11, 2.9, sharex=True)
    for panel, (name, curve) in zip(axes, v["original"].items(), strict=True):
        panel.plot(curve, color=BLUE, linewidth=1.6)
        panel.plot([0], [curve[0]], "s", color=RED, markersize=6, clip_on=False)
        label(panel, name, "iteration", "learning rate" if panel is axes[0] else "")
        panel.set_ylim(-0.0003, 0.0105)
        panel.set_xticks([0, 750, 1500])
        if panel is not axes[0]:
            panel.tick_params(labelleft=False)
    note(axes[0], "the first update:\nwarmup_lr", (0, 0), (150, 0.0012))
    return figure


def draw_paddleocr(v: dict[str, Any]) -> Any:
    figure, (left, right) = panels(1, 2, 10, 3.8, sharex=True)
    for panel in (left, right):
        panel.plot(v["paddle"]["Cosine"], color=BLUE, linestyle=SOLID, linewidth=1.6, label="Cosine")
        panel.plot(
            v["paddle"]["Piecewise"], color=RED, linestyle=DASHED, linewidth=1.6, drawstyle="steps-post", label="Piecewise"
        )
        panel.set_xlim(0, 2000)
    label(left, "Linear scale", "iteration", "learning rate")
    label(right, "Logarithmic scale", "iteration", "")
    right.set_yscale("log")
    legend(left)
    for panel in (left, right):
        above = panel.secondary_xaxis("top", functions=(lambda step: step / 100, lambda epoch: epoch * 100))
        above.set_xlabel("epoch", fontsize=9)
        above.set_xticks(range(0, 21, 4))
    return figure


def draw_paddleocr_warmup(v: dict[str, Any]) -> Any:
    figure, (panel,) = panels(1, 1, 8, 3.6)
    np = v["np"]
    for (epochs, curve), colour, dashes in zip(v["warmups"].items(), (BLUE, RED, GREEN), DASHES, strict=False):
        plural = f"{epochs} epochs" if epochs else "none"
        panel.plot(curve, color=colour, linestyle=dashes, linewidth=1.6, label=plural)
        beyond = np.arange(2000, 2000 + 100 * epochs + 1)
        panel.plot(beyond, 0.0005 * (1 + np.cos(np.pi * (beyond - 100 * epochs) / 2000)), color=GREY, linewidth=0.8)
        panel.plot([1999], [curve[-1]], "o", color=colour, markersize=5, markerfacecolor="white", zorder=3)
    panel.axvline(2000, color=GREY, linewidth=0.8, linestyle=DOTTED)
    panel.annotate("the run ends", (2015, 0.00085), fontsize=9, color="#555555")
    panel.set_xlim(0, 2520)
    label(panel, "", "iteration", "learning rate")
    legend(panel, title="warmup_epoch", loc="upper right", bbox_to_anchor=(1.0, 0.72))
    return figure


def draw_paddleocr_policies(v: dict[str, Any]) -> Any:
    figure, axes = panels(3, 4, 11, 6.6, sharex=False)
    for panel, (name, (plain, warmed)) in zip(axes, v["policy_curves"].items(), strict=False):
        panel.plot(warmed, color=RED, linestyle=DASHED, linewidth=1.4, label="warmup_epoch: 2")
        panel.plot(plain, color=BLUE, linestyle=SOLID, linewidth=1.4, label="none", zorder=1)
        label(panel, name, "iteration" if panel in axes[7:11] else "", "learning rate" if panel in axes[0:11:4] else "")
        panel.set(ylim=(-0.00003, 0.00108), xticks=[0, 1000, 2000])
        panel.ticklabel_format(axis="y", style="sci", scilimits=(-3, -3), useMathText=True)
    axes[11].axis("off")
    handles, names = axes[0].get_legend_handles_labels()
    axes[11].legend(handles, names, frameon=False, fontsize=10, loc="center", title="warmup")
    return figure


def draw_mmdet(v: dict[str, Any]) -> Any:
    figure, (left, right) = panels(1, 2, 10, 3.8, sharex=False)
    each = 7330
    for (name, plan), colour, dashes in zip(v["lengths"].items(), (BLUE, RED, GREEN), DASHES, strict=False):
        rates = plan.table()["lr"][:, 0]
        steps = [*range(0, 600, 20), *range(each, len(rates), each), len(rates) - 1]
        epochs = [(step + 1 if step == len(rates) - 1 else step) / each for step in steps]
        look = {"color": colour, "linestyle": dashes, "linewidth": 1.6, "drawstyle": "steps-post"}
        left.plot(epochs, rates[steps], label=f"{name}: {len(rates) // each} epochs", **look)
        left.plot(epochs[-1:], rates[-1:], "o", color=colour, markersize=5, markerfacecolor="white", zorder=3)
    right.plot(v["one_x"].table()["lr"][:700, 0], color=BLUE, linewidth=1.6)
    right.axvline(500, color=GREY, linewidth=0.8, linestyle=DOTTED)
    right.annotate("the warmup ends", (508, 0.0004), fontsize=9, color="#555555")
    note(right, "2e-05, a thousandth", (0, 2e-5), (60, 0.0004))
    left.set_yscale("log")
    left.set(ylim=(1.4e-5, 0.03), xlim=(-0.3, 24.3), xticks=range(0, 25, 4))
    right.set(ylim=(-0.0003, 0.0212), xlim=(-8, 700), yticks=QUARTERS)
    label(left, "The schedules", "epoch (of 7330 iterations)", "learning rate")
    label(right, "The first 700 iterations", "iteration", "")
    legend(left, loc="lower left", bbox_to_anchor=(0.03, 0.02))
    return figure


def draw_mmdet_warmup(v: dict[str, Any]) -> Any:
    figure, (left, right) = panels(1, 2, 10, 3.8, sharex=False)
    for (kind, curve), colour, dashes in zip(v["kinds"].items(), (RED, BLUE, GREEN), (DASHED, SOLID, DASHDOT), strict=True):
        left.plot(curve, color=colour, linestyle=dashes, linewidth=1.6, label=kind)
        left.plot([250], [curve[250]], "o", color=colour, markersize=5, markerfacecolor="white", zorder=3)
    left.set(ylim=(0, 0.0212), yticks=QUARTERS)
    label(left, "Three kinds, from a ratio of 0.1", "iteration", "learning rate")
    legend(left, title="warmup")
    regular, in_force = zip(*v["meeting"], strict=True)
    right.plot(regular, color=GREY, linestyle=DASHED, drawstyle="steps-post", linewidth=1.2, label="regular_lr")
    right.plot(in_force, "o", color=BLUE, linestyle=SOLID, linewidth=1, markersize=4.5, markerfacecolor="none", label="in force")
    right.set(ylim=(0, 0.0212), yticks=QUARTERS, xticks=range(0, 31, 5))
    note(right, "the epoch ends\nat half the rate", (9, in_force[9]), (1, 0.0148))
    note(right, "the warmup ends", (20, in_force[20]), (19, 0.0062))
    label(right, "A drop inside a warmup", "iteration", "")
    legend(right, loc="upper right")
    return figure


def draw_mmdet_policies(v: dict[str, Any]) -> Any:
    figure, axes = panels(3, 4, 11, 7, sharex=False)
    for number, (panel, (name, (stairs, glide))) in enumerate(zip(axes, v["mm_curves"].items(), strict=True)):
        panel.plot(glide, color=BLUE, linestyle=SOLID, linewidth=1.4, label="by iteration")
        if stairs is not None:
            panel.plot(stairs, color=RED, linestyle=DASHED, linewidth=1.4, drawstyle="steps-post", label="by epoch")
        label(panel, name, "iteration" if number > 7 else "", "learning rate" if number % 4 == 0 else "")
        top = 0.2 if name == "cyclic" else 0.02
        panel.set(xticks=range(0, 601, 150), ylim=(-0.03 * top, 1.06 * top))
        panel.set_yticks([0, top / 2, top], ["0", f"{top / 2:g}", f"{top:g}"])
    handles, names = axes[1].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, fontsize=10, loc="outside lower center", ncols=2)
    return figure


def draw_mmdet_momentum(v: dict[str, Any]) -> Any:
    np = v["np"]
    figure, axes = panels(2, 2, 10, 5.4, sharex=False)
    looks = {0: (RED, DASHED, "s"), 0.5: (GREEN, DASHDOT, "^"), 0.9: (BLUE, SOLID, "o")}
    turn = np.linspace(0, 2 * np.pi, 73)
    last = axes[3]
    for panel, (m, places) in zip(axes, v["balls"].items(), strict=False):
        colour, dashes, marker = looks[m]
        for level in (2, 10, 25, 50, 90):
            across = (2 * level) ** 0.5
            panel.plot(across * np.cos(turn), across / 10 * np.sin(turn), color="#C4C4C4", linewidth=0.9)
        look = {"color": colour, "linestyle": dashes, "linewidth": 1.2, "markersize": 3.8, "markerfacecolor": "none"}
        panel.plot(*places[:41].T, marker, **look)
        panel.plot([0], [0], "+", color="black", markersize=9, markeredgewidth=1.6)
        panel.set(xlim=(-11, 4), ylim=(-1.3, 1.3))
        label(panel, f"Momentum {m}", "x", "y" if panel is not axes[1] else "")
        last.plot([v["height"](place) for place in places], marker, **look, markevery=10, label=f"{m}")
    last.set_yscale("log")
    last.set_ylim(2e-5, 400)
    label(last, "How high it still is", "update", "height")
    legend(last, title="momentum", loc="lower left")
    return figure


def draw_mmdet_decay(v: dict[str, Any]) -> Any:
    figure, (panel,) = panels(1, 1, 8, 3.8)
    looks = ((BLUE, SOLID), (RED, DASHED), (GREEN, DASHDOT))
    every = 733  # a tenth of an epoch
    for (name, left), (colour, dashes) in zip(v["norms"].items(), looks, strict=True):
        some = left[::every]
        panel.plot([number / 10 for number in range(len(some))], some, color=colour, linestyle=dashes, linewidth=1.8, label=name)
        panel.annotate(f"{left[-1]:.1%}".replace("%", " %"), (12.1, left[-1]), va="center", fontsize=9, color=colour)
    for epoch in (8, 11):
        panel.axvline(epoch, color=GREY, linewidth=0.8, linestyle=DOTTED)
        panel.annotate("lr / 10", (epoch + 0.08, 0.03), fontsize=9, color="#555555")
    panel.set(xlim=(0, 13), ylim=(0, 1.03), xticks=range(13))
    label(panel, "", "epoch (of 7330 iterations)", "norm (1 at first)")
    legend(panel, loc="lower left", bbox_to_anchor=(0.02, 0.02))
    return figure


PICTURES = {
    "yolov5": draw_yolov5,
    "cosine": draw_cosine,
    "interp": draw_interp,
    "schedulers": draw_schedulers,
    "cyclegan": draw_cyclegan,
    "order": draw_order,
    "exponential_decay": draw_exponential_decay,
    "descent": draw_descent,
    "yolox": draw_yolox,
    "yolox_fit": draw_yolox_fit,
    "yolox_freeze": draw_yolox_freeze,
    "yolox_schedulers": draw_yolox_schedulers,
    "paddleocr": draw_paddleocr,
    "paddleocr_warmup": draw_paddleocr_warmup,
    "paddleocr_policies": draw_paddleocr_policies,
    "mmdet": draw_mmdet,
    "mmdet_warmup": draw_mmdet_warmup,
    "mmdet_policies": draw_mmdet_policies,
    "mmdet_momentum": draw_mmdet_momentum,
    "mmdet_decay": draw_mmdet_decay,
}


def draw(folder: Path, ending: str = "svg") -> None:
    """Draw every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    namespace = values()
    for name, picture in PICTURES.items():
        save(picture(namespace), folder / f"{name}.{ending}")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "tutorials")
