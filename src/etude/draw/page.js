
// The page of page.py. The table is there already: its rows are the recipes' groups, its columns the hyperparameters, and its
// boxes say what is shown. Here the plots are drawn, and the cells filled with the values at the step that is pointed at.
"use strict";
const recipes = JSON.parse(document.getElementById("plans").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name);
const slider = document.querySelector("input[type=range]");
const heads = all("tbody tr:first-child input"); // switch all groups of a recipe
const columns = all("thead input[type=checkbox]");
const sections = all("section");
const rows = all("tbody").map(body =>
  all("tr + tr", body).map(row => ({ box: row.querySelector("input"), cells: all("td", row) }))
);
const shown = line => line.groups.find(group => rows[line.recipe][group].box.checked);

// one axis for all recipes: where one has no point of its own, its lines pass through
const steps = [...new Set(recipes.flatMap(recipe => recipe.steps))].sort((a, b) => a - b);
slider.max = steps.length - 1;
for (const recipe of recipes) {
  let last = -1;
  recipe.last = steps.map(step => (recipe.steps[last + 1] <= step ? ++last : last)); // its own last point at each step
}

const whole = [...Array(16).keys()].flatMap(zeros => [1, 2, 5].map(digit => digit * 10 ** zeros)); // steps between ticks
const plots = sections.map((section, column) => {
  const lines = recipes.flatMap((recipe, index) => recipe.lines[column].map(line => ({ recipe: index, ...line })));
  const marks = recipes.flatMap(recipe => recipe.changes[column]).filter(step => step > 0);
  const label = { label: section.ariaLabel, labelSize: 24, labelGap: 4, labelFont: "13px system-ui, sans-serif" };
  const grid = { stroke: () => css("--grid"), width: 1 };
  const axis = { stroke: () => css("--ink"), grid, ticks: grid };
  const plain = (plot, splits) => splits.map(value => (value == null ? "" : String(+value.toPrecision(6))));
  const options = {
    width: section.clientWidth,
    height: column ? 170 : 320,
    legend: { show: false },
    scales: { x: { time: false }, y: { range: (plot, low, high) => padded(low, high) } },
    axes: [
      { ...axis, values: plain, size: 28, incrs: whole },
      { ...axis, values: plain, size: 88, ...label }, // wide enough for 0.000525, and the same in all panels
    ],
    series: [{}, ...lines.map(line => ({ width: 2, stroke: () => colour(line) }))],
    cursor: { y: false, sync: { key: "steps" }, points: { size: 8 }, hover: { prox: 20 } },
    hooks: {
      setCursor: [plot => plot.cursor.idx != null && tell(plot.cursor.idx)],
      drawAxes: [plot => mark(plot, marks)],
    },
  };
  const tables = recipes.map(recipe => [recipe.steps, ...recipe.lines[column].map(line => line.values)]);
  const plot = new uPlot(options, uPlot.join(tables), section);
  const fit = () => section.clientWidth && plot.setSize({ width: section.clientWidth, height: plot.height });
  new ResizeObserver(fit).observe(section);
  return { plot, lines };
});

function padded(low, high) {
  if (low == null) return [0, 1];
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - pad, high + pad];
}

function colour(line) {
  const look = recipes[line.recipe].looks[shown(line) ?? line.groups[0]];
  return look.colour === "currentColor" ? css("--ink") : look.colour;
}

// a thin line at every step where something begins or ends
function mark({ ctx, bbox, valToPos }, marks) {
  ctx.save();
  ctx.strokeStyle = css("--soft");
  ctx.globalAlpha = 0.6;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  for (const step of marks) {
    const x = Math.round(valToPos(step, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.restore();
}

// fill the cells with the values at a point of the axis
function tell(index) {
  slider.value = index;
  slider.setAttribute("aria-valuetext", `step ${steps[index]}`);
  recipes.forEach((recipe, number) => {
    const at = recipe.last[index];
    const over = steps[index] > recipe.steps.at(-1);
    const epoch = recipe.epochs ? `, epoch ${recipe.epochs[at]}` : "";
    heads[number].closest("tr").lastElementChild.textContent = `${over ? "ended with " : ""}step ${recipe.steps[at]}${epoch}`;
    recipe.lines.forEach((lines, column) => {
      for (const { groups, values } of lines)
        for (const group of groups) {
          const { box, cells } = rows[number][group];
          cells[column].textContent = box.checked && !over ? values[at] : "";
        }
    });
  });
}

// put the cursor of every plot there, for the keyboard
function go(index) {
  for (const { plot } of plots) {
    const left = plot.valToPos(steps[index], "x");
    plot.setCursor(left >= 0 && left <= plot.over.clientWidth ? { left, top: 0 } : { left: -10, top: -10 });
  }
  tell(index);
}

// bring plots and cells to what the boxes say
function apply() {
  rows.forEach((groups, number) => {
    const on = groups.filter(({ box }) => box.checked).length;
    heads[number].checked = on > 0;
    heads[number].indeterminate = on > 0 && on < groups.length;
  });
  plots.forEach(({ plot, lines }, column) => {
    sections[column].hidden = !columns[column].checked;
    plot.batch(() =>
      lines.forEach((line, index) => {
        const group = shown(line);
        if (group != null) plot.series[index + 1].dash = recipes[line.recipe].looks[group].dash;
        plot.setSeries(index + 1, { show: group != null });
      })
    );
    plot.redraw();
  });
  tell(+slider.value);
}

heads.forEach((head, number) =>
  head.addEventListener("change", () => rows[number].forEach(({ box }) => (box.checked = head.checked)))
);
for (const box of all("input[type=checkbox]")) box.addEventListener("change", apply);
for (const button of all("button")) button.addEventListener("click", () => go(steps.indexOf(+button.value)));
slider.addEventListener("input", () => go(+slider.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(({ plot }) => plot.redraw()));
apply();
