"""Every schedule family on one page, with its curves: `python docs/draw_families.py` writes families.md and families/*.svg.

The page is made from the registry alone: what a family means, its formula, arguments, example and source stand in its docstring,
and its picture shows that example and its golden rows. A new family is on it without a change here. The second part, what other
frameworks call a curve, is the data of names.py.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the golden rows are the tests', and names.py is beside this file

from docs.names import FAMILIES, NAMES, Name  # noqa: E402
from tests.golden.families import ROWS, RUN  # noqa: E402

import etude  # noqa: E402
import etude.text  # noqa: E402
from etude.fields import text_of  # noqa: E402

PAGE, PICTURES = HERE / "families.md", HERE / "families"
ORDER = ("schedule", "shapes", "laws", "phases", "compose", "timing")  # then the other modules, as the registry has them
MOST_LINES = 3
SECTIONS = ("Args", "Returns", "Raises", "Example", "Source")
INCH = 96  # pixels of a browser
STEPS = int(RUN.steps or 0)


# -- docstrings -------------------------------------------------------------------------------------------------------


@dataclass
class Family:
    """A constructor, as its docstring tells of it."""

    name: str
    module: str
    signature: str
    meaning: str
    formula: str
    notes: list[str]
    arguments: list[tuple[str, str]]
    returns: str
    examples: list[tuple[str, str]]  # what is written, and how it prints
    source: str


@dataclass
class Group:
    """The families of one module."""

    module: str
    title: str
    intro: str
    families: list[Family] = field(default_factory=list)


def family(name: str) -> Family:
    """Return what the docstring of a constructor says."""
    make = etude.text.families[name]
    first, *lines = (inspect.getdoc(make) or name).splitlines()
    parts: dict[str, list[str]] = {"body": [], "notes": [], **{section: [] for section in SECTIONS}}
    here, before = "body", ""
    for line in lines:
        section, colon, rest = line.partition(":")
        if colon and section in SECTIONS:
            here = section
            parts[here].append(rest.strip())
        else:
            if line and not line[0].isspace() and not before and here != "body":
                here = "notes"
            parts[here].append(line)
        before = line.strip()
    return Family(
        name=name,
        module=make.__module__,
        signature=signature(name, make),
        meaning=first,
        formula="\n".join(parts["body"]).strip("\n"),
        notes=paragraphs(parts["notes"]),
        arguments=list(arguments(parts["Args"])),
        returns=joined(parts["Returns"]),
        examples=list(examples(parts["Example"])),
        source=joined(parts["Source"]),
    )


def signature(name: str, make: Callable[..., Any]) -> str:
    words = []
    for one in inspect.signature(make).parameters.values():
        star = "*" if one.kind is one.VAR_POSITIONAL else ""
        default = "" if one.default is one.empty else f"={None if one.default is None else text_of(one.default)}"
        words.append(f"{star}{one.name}{default}")
    return f"{name}({', '.join(words)})"


def arguments(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each argument and what is said of it; a line that is indented further goes on with the one before."""
    found: list[list[str]] = []
    for line in filter(str.strip, lines):
        if len(line) - len(line.lstrip()) <= 4 and (match := re.match(r" {4}([\w, ]+): (.*)", line)):
            found.append(list(match.groups()))
        elif found:
            found[-1][1] += f" {line.strip()}"
    yield from ((name, text) for name, text in found)


def examples(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    stripped = [line.strip() for line in lines]
    for line, after in zip(stripped, [*stripped[1:], ""], strict=True):
        if line.startswith(">>> "):
            yield line.removeprefix(">>> "), after


def joined(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


def paragraphs(lines: Sequence[str]) -> list[str]:
    return [joined(part.splitlines()) for part in "\n".join(lines).split("\n\n") if part.strip()]


def groups() -> list[Group]:
    """Return the families by the module that they live in."""
    found: dict[str, Group] = {}
    for name in etude.text.families:
        one = family(name)
        if one.module not in found:
            title, intro = headline(one.module)
            found[one.module] = Group(one.module, title, intro)
        found[one.module].families.append(one)
    first = {f"etude.{module}": place for place, module in enumerate(ORDER)}
    return sorted(found.values(), key=lambda group: first.get(group.module, len(ORDER)))


def headline(module: str) -> tuple[str, str]:
    """Return what a module's docstring begins with: a title, and the rest of its first sentence."""
    text = joined((inspect.getdoc(sys.modules[module]) or module).split("\n\n")[0].splitlines())
    sentence = re.split(r"(?<=\.)\s", text)[0]
    title, _, rest = sentence.partition(": ") if ": " in sentence else sentence.partition(", ")
    return title.rstrip("."), rest[:1].upper() + rest[1:]


# -- pictures ---------------------------------------------------------------------------------------------------------


def curves(one: Family) -> list[tuple[str, list[float]]]:
    """Return the lines of a family's picture: its example, then its golden rows, none that looks like another or hides."""
    own = [text for text, _ in one.examples]
    golden = list(dict.fromkeys(row.text for row in ROWS))
    whole = [text for text in golden if outermost(text) == one.name]
    inside = [text for text in golden if re.search(rf"\b{one.name}\(", text)]
    found: list[tuple[str, list[float]]] = []
    for text in (*own, *whole, *([] if whole or len(own) > 1 else inside)):
        try:
            values = [row[0] for row in plan(text).rows([float(step) for step in range(STEPS)])["lr"]]
        except etude.InputError:  # an example of lengths that don't fit this run
            continue
        if not any(alike(values, other) for _, other in found):
            found.append((text, values))
    return [line for line in found if lasting(line[1])][:MOST_LINES] or found[:MOST_LINES]


def lasting(values: Sequence[float]) -> bool:
    """Whether a line can be seen: it moves once the first fortieth of the run is over, or not at all."""
    return len(set(values[STEPS // 40 :])) > 1 or len(set(values)) == 1


def outermost(text: str) -> str:
    match ast.parse(text, mode="eval").body:
        case ast.Call(func=ast.Name(id=name)):
            return name
    return ""


def alike(a: Sequence[float], b: Sequence[float]) -> bool:
    height = max(*a, *b) - min(*a, *b)
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 0.01 * height


def plan(text: str) -> Any:
    """Return the plan of a text, fed with a metric where it waits for one."""
    made = etude.read(etude.parse(text)).plan(RUN)
    return made.fed(metrics(made)) if made.watched() else made


def metrics(made: Any) -> list[tuple[int, str, float]]:
    """Return a metric of each kind that is waited for, at the end of each epoch: better in stages, and flat between them."""
    epoch = int(RUN.steps_per_epoch or 1)
    lower = {one.metric: one.mode == "min" for one in made.recipe.schedules["lr"].walk() if hasattr(one, "metric")}
    told = []
    for updates in range(epoch, STEPS, epoch):
        progress = sum(min(max(updates / STEPS - begin, 0.0), 0.2) for begin in (0.0, 0.4, 0.8))
        better = 1 - math.exp(-5 * progress)
        told += [(updates, name, 1 - 0.8 * better if down else 0.2 + 0.7 * better) for name, down in lower.items()]
    return told


def draw(one: Family, path: Path) -> None:
    """Draw the curves of a family."""
    from matplotlib import rc_context

    from etude.draw import figure as look

    lines = curves(one)
    labels = [textwrap.fill(text, 78, subsequent_indent="  ", break_long_words=False) for text, _ in lines]
    height = 200 + 13 * sum(label.count("\n") + 1 for label in labels)
    with rc_context({"svg.fonttype": "none", "font.size": 7.5, "path.simplify_threshold": 0.2}):
        picture, ((panel,),) = look.new_figure(1, 1)
        picture.set_size_inches(480 / INCH, height / INCH)
        metric(panel, [plan(text) for text, _ in lines])
        for index, ((_, values), label) in enumerate(zip(lines, labels, strict=True)):
            steps = corners(values)
            shown = [values[step] for step in steps]
            panel.plot(steps, shown, label=label, linewidth=2.4 - 0.5 * index, zorder=3 + index, **look.look(index))
        look.style(panel, "factor of the base value")
        panel.set_xlabel("step (optimizer updates)")
        panel.set_ylim(bottom=min(0.0, *panel.get_ylim()) if min(min(values) for _, values in lines) >= 0 else None)
        picture.legend(
            *panel.get_legend_handles_labels(),
            loc="outside lower left",
            frameon=False,
            prop={"family": "monospace", "size": 6.8},
            handlelength=3.2,
            labelspacing=0.35,
        )
        look.save(picture, path)


def metric(panel: Any, plans: Sequence[Any]) -> None:
    """Draw what was fed lightly, on a scale of its own."""
    fed = {name: made for made in plans for name in made.watched()}
    if not fed:
        return
    beside = panel.twinx()
    for name, made in fed.items():
        told = [one for one in made.metrics if one.name == name]
        beside.plot([one.tick for one in told], [one.value for one in told], color="0.7", linewidth=1.0)
    beside.set_ylabel(f"{', '.join(fed)}, once an epoch", color="0.5")
    beside.tick_params(colors="0.5")
    beside.set_ylim(bottom=0)
    beside.spines[["top", "right", "left", "bottom"]].set_visible(False)
    panel.set_zorder(beside.get_zorder() + 1)
    panel.patch.set_visible(False)


def corners(values: Sequence[float]) -> list[int]:
    """Return the steps that a line must go through to be within 1/2000 of its height everywhere."""
    limit = (max(values) - min(values)) / 2000
    kept, open_ = {0, len(values) - 1}, [(0, len(values) - 1)]
    while open_:
        a, b = open_.pop()
        if b - a < 2:
            continue
        slope = (values[b] - values[a]) / (b - a)
        far, worst = max((abs(values[a] + slope * (step - a) - values[step]), step) for step in range(a + 1, b))
        if far > limit:
            kept.add(worst)
            open_ += [(a, worst), (worst, b)]
    return sorted(kept)


# -- the page ---------------------------------------------------------------------------------------------------------


class Anchors:
    """Where headings are found, as GitHub names them: a second one of the same name gets a number."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def of(self, heading: str) -> str:
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        self.seen[name] = self.seen.get(name, -1) + 1
        return f"{name}-{self.seen[name]}" if self.seen[name] else name


def page() -> str:
    """Return the page."""
    anchors, contents, body = Anchors(), [], []
    anchors.of("Schedule families")
    for group in groups():
        where = anchors.of(group.title)
        links = [f"[{one.name}](#{anchors.of(one.name)})" for one in group.families]
        contents += wrapped(f"- [{group.title}](#{where}): {' · '.join(links)}", indent="  ")
        body += [f"## {group.title}", "", *intro(group), ""]
        for one in group.families:
            body += [*section(one), ""]
    heading = "Same name, different curve"
    where, named = anchors.of(heading), [f"[{title}](#{anchors.of(title)})" for title in FAMILIES.values()]
    contents += wrapped(f"- [{heading}](#{where}): {' · '.join(named)}", indent="  ")
    head = ["# Schedule families", "", *wrapped(HEAD), ""]
    return "\n".join([*head, *contents, "", *body, f"## {heading}", "", *names()])


HEAD = f"""
Every constructor that the text form, recipe files and the command line know, and then what
[other frameworks call their curves](#same-name-different-curve). Made by `python docs/draw_families.py` from the docstrings; the
pictures show a run of {STEPS} steps, {RUN.steps_per_epoch:g} to an epoch.
"""


def intro(group: Group) -> list[str]:
    home = group.module.removeprefix("etude.").replace(".", "/") + ".py"
    link = f"[{home}](../src/etude/{home})" if group.module.startswith("etude.") else f"`{group.module}`"
    return wrapped(f"{prose(group.intro)} ({link})" if group.intro else f"({link})")


def section(one: Family) -> list[str]:
    drawn = "; ".join(text for text, _ in curves(one)).replace("[", "").replace("]", "").replace('"', "'")
    lines = [f"### {one.name}", "", *wrapped(prose(one.meaning)), "", f"![{drawn}](families/{one.name}.svg)", ""]
    if one.formula:
        lines += ["```text", *one.formula.splitlines(), "```", ""]
    lines += ["```text", *textwrap.wrap(one.signature, 110, subsequent_indent="    "), "", *written(one.examples), "```", ""]
    if one.arguments:
        lines += ["| argument | |", "|---|---|"]
        lines += [f"| {', '.join(f'`{word}`' for word in name.split(', '))} | {cell(text)} |" for name, text in one.arguments]
        lines += [""]
    if one.returns:
        lines += [*wrapped(f"**Returns** {prose(one.returns[0].lower() + one.returns[1:])}"), ""]
    for note in one.notes:
        lines += [*wrapped(prose(note)), ""]
    if one.source:
        lines += [*wrapped(f"**Source** {prose(one.source)}"), ""]
    return lines[:-1]


def written(examples: Iterable[tuple[str, str]]) -> Iterator[str]:
    for text, printed in examples:
        yield text
        if printed != text:
            yield f"    = {printed}"


def prose(text: str) -> str:
    """Return a docstring's words as Markdown: papers become links, and what Markdown would take for its own is kept."""
    text = re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)
    parts = text.split("`")  # every second part is code, which Markdown leaves alone
    return "`".join(part if index % 2 else re.sub(r"(?<!\])([*<])", r"\\\1", part) for index, part in enumerate(parts))


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return paragraphs in lines of a bearable length; none begins like a list or a heading."""
    lines: list[str] = []
    for part in paragraphs(text.splitlines()):
        short = textwrap.wrap(part, 128, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        lines += ["", short[0], *(re.sub(r"^(\s*)([-+#>])", r"\1\\\2", line) for line in short[1:])]
    return lines[1:]


def cell(text: str) -> str:
    return prose(text).replace("|", "\\|")


ABOUT_NAMES = f"""
The same word means another curve in the next framework: its warmup begins elsewhere, takes its length from the curve or does not,
the end is met a step early or never, and what follows it differs. Each row names a framework's scheduler, with settings for a run
of {STEPS} steps of {RUN.steps_per_epoch:g} to an epoch and a learning rate of 0.1, and the text form that gives the same values.

✓ means checked at every step by the tests: against etude's reader of that framework, or against the framework's own formula.
Without it, the text form is the nearest, or the curve depends on more than the step. t is the step, W the warmup, T the run.
"""


def names() -> Iterator[str]:
    yield from wrapped(ABOUT_NAMES)
    yield ""
    for key, title in FAMILIES.items():
        yield f"### {title}"
        yield ""
        yield "| | there | here, and what to mind |"
        yield "|---|---|---|"
        yield from (name_row(row) for row in NAMES if row.family == key)
        yield ""


def name_row(row: Name) -> str:
    there, here = (text.replace("|", "\\|") for text in (row.there, row.here or "nothing"))
    return f"| {'✓' if row.proof else ''} | {row.framework}<br>`{there}` | `{here}`<br>{cell(row.mind)} |"


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        if old.stem not in etude.text.families:
            old.unlink()
    for name in etude.text.families:
        draw(family(name), PICTURES / f"{name}.svg")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE} and {len(etude.text.families)} pictures")


if __name__ == "__main__":
    main()
