// The measures of an item by view: a line a side in a chart, and the values as a table.

const MARKS = ["M-3.5,0a3.5,3.5 0 1 0 7,0a3.5,3.5 0 1 0 -7,0z", "M-3.2,-3.2h6.4v6.4h-6.4z", "M0,-4.2L4.2,3.2h-8.4z", "M0,-4.4L4.4,0L0,4.4L-4.4,0z"];

/** Number of a side among those that have values, for its colour and mark. */
const numberOf = (name) => Math.max(0, valuedSides().indexOf(name));
const sideColour = (name) => `var(--s${numberOf(name) % 7})`;
const sideMark = (name) => MARKS[numberOf(name) % MARKS.length];

/** The mark of a side, as its line in the chart has it. */
const markOf = (name) => svgOf("svg", { viewBox: "-6 -6 12 12", class: "mark", "aria-hidden": "true" }, svgOf("path", { d: sideMark(name), fill: sideColour(name) }));

/** Round numbers that enclose some values: about four steps of 1, 2 or 5 times a power of ten. */
function scaleOf(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rough = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return { ticks: Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step), digits: Math.max(0, -Math.floor(Math.log10(step))) };
}

/** Path through the values that there are: one that is missing is a gap. */
function pathOf(values, x, y) {
  let drawn = "";
  values.forEach((value, k) => {
    if (value === null) return;
    drawn += `${k && values[k - 1] !== null ? "L" : "M"}${x(k).toFixed(1)},${y(value).toFixed(1)}`;
  });
  return drawn;
}

function chart(item, measure, lines, wide) {
  const [high, left, right, top, bottom] = [216, 44, 10, 10, 26];
  const values = lines.flatMap(({ values }) => known(values));
  // The good end of what has one belongs to the picture.
  const best = measure.better === "low" ? [0] : Math.max(...values) <= 1 ? [1] : [];
  const { ticks, digits } = scaleOf([...values, ...best]);
  const last = item.frames - 1;
  const x = (k) => left + (last ? k / last : 0.5) * (wide - left - right);
  const y = (value) => high - bottom - ((value - ticks[0]) / (ticks.at(-1) - ticks[0])) * (high - top - bottom);
  const every = Math.max(1, Math.ceil(item.frames / Math.max(2, Math.floor((wide - left) / 52))));
  const node = svgOf("svg", { viewBox: `0 0 ${wide} ${high}`, class: "chart", width: wide, height: high });
  for (const tick of ticks) {
    node.append(
      svgOf("line", { class: "grid", x1: left, x2: wide - right, y1: y(tick), y2: y(tick) }),
      svgOf("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(digits)),
    );
  }
  for (let k = 0; k <= last; k += every) node.append(svgOf("text", { x: x(k), y: high - 6, "text-anchor": k === last && last ? "end" : "middle" }, frameName(item, k)));
  const now = svgOf("line", { class: "now", y1: top, y2: high - bottom });
  node.append(now);
  const points = lines.map(({ name, values }) => {
    const group = svgOf("g");
    group.style.setProperty("--c", sideColour(name));
    group.append(svgOf("path", { class: "line", d: pathOf(values, x, y) }));
    const marks = values.map((value, k) => {
      if (value === null) return null;
      const mark = svgOf("path", { class: "dot", d: sideMark(name), transform: `translate(${x(k).toFixed(1)} ${y(value).toFixed(1)})` });
      if (item.frames <= 40) group.append(mark);
      return mark;
    });
    const large = svgOf("path", { class: "dot large", d: sideMark(name) });
    group.append(large);
    node.append(group);
    return { marks, large };
  });
  node.setAttribute("role", "slider");
  node.setAttribute("tabindex", "0");
  node.setAttribute("aria-label", `${measure.name} by ${item.fps ? "frame" : "view"}`);
  node.setAttribute("aria-valuemin", 0);
  node.setAttribute("aria-valuemax", last);
  const at = (event) => {
    const box = node.getBoundingClientRect();
    return clamp(Math.round(((event.clientX - box.left - left) / (wide - left - right)) * last), 0, last);
  };
  const choosing = (event) => step(at(event) - look.frame);
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    choosing(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && choosing(event));
  node.addEventListener("keydown", (event) => {
    const next = { ArrowLeft: look.frame - 1, ArrowDown: look.frame - 1, ArrowRight: look.frame + 1, ArrowUp: look.frame + 1, Home: 0, End: last }[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step(clamp(next, 0, last) - look.frame);
  });
  node.show = () => {
    now.setAttribute("x1", x(look.frame));
    now.setAttribute("x2", x(look.frame));
    for (const { marks, large } of points) {
      const mark = marks[look.frame];
      large.setAttribute("visibility", mark ? "visible" : "hidden");
      if (mark) large.setAttribute("transform", `${mark.getAttribute("transform")} scale(1.7)`);
    }
    node.setAttribute("aria-valuenow", look.frame);
    const said = lines.map(({ name, values }) => `${name.slice(0, 60)} ${fixed(values[look.frame], measure.digits)}`);
    node.setAttribute("aria-valuetext", `${frameName(item, look.frame)}: ${said.join(", ")}`);
  };
  return node;
}

function tableOf(item, measure, lines) {
  const rows = Array.from({ length: item.frames }, (_, k) => {
    const row = h(
      "tr",
      {},
      h("th", { scope: "row" }, h("button", { type: "button", cls: "plain", onclick: () => step(k - look.frame) }, frameName(item, k))),
      lines.map(({ values }) => h("td", { cls: "number" }, fixed(values[k], measure.digits))),
    );
    return row;
  });
  const table = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, item.fps ? "Time" : "View"), lines.map(({ name }) => h("th", { scope: "col", cls: "number" }, named(name))))),
    h("tbody", {}, rows),
  );
  table.show = () => rows.forEach((row, k) => (k === look.frame ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
  return table;
}

/** The section of measures; nothing where no side has values. */
function curves(item) {
  const has = (key) => sideNames(item).filter((name) => known(item.sides[name].values?.[key]).length);
  const measures = state.data.measures.filter(({ key }) => has(key).length);
  if (!measures.length) return null;
  const choosing = measures.map((measure) => {
    const button = h("button", { type: "button", cls: "toggle", title: measure.note ?? "", onclick: () => setLook({ measure: measure.key }) }, measure.name);
    onLook(() => button.setAttribute("aria-pressed", String(measure.key === look.measure)));
    return button;
  });
  const [note, place, legend, values] = [h("p", { cls: "hint" }), h("div", { cls: "plot" }), h("ul", { cls: "legend", role: "list" }), h("div", { cls: "scroll" })];
  const details = h("details", {}, h("summary", {}, "Values"), values);
  let [made, shows, wide] = ["", [], 0];
  const show = () => {
    if (!wide) return;
    const wanted = `${look.measure} ${wide}`;
    if (made !== wanted) {
      made = wanted;
      const measure = measures.find(({ key }) => key === look.measure) ?? measures[0];
      const lines = has(measure.key).map((name) => ({ name, values: item.sides[name].values[measure.key] }));
      const [drawn, table] = [chart(item, measure, lines, wide), tableOf(item, measure, lines)];
      const rows = lines.map(({ name, values }) => {
        const now = h("b", { cls: "number" });
        return { node: h("li", {}, markOf(name), named(name), now, h("span", { cls: "soft number" }, `mean ${fixed(mean(known(values)), measure.digits)}`)), show: () => (now.textContent = fixed(values[look.frame], measure.digits)) };
      });
      note.textContent = `${measure.note ? `${measure.note}; ` : ""}${measure.better === "high" ? "higher is better" : "lower is better"}`;
      place.replaceChildren(drawn);
      legend.replaceChildren(...rows.map((row) => row.node));
      values.replaceChildren(table);
      shows = [drawn.show, table.show, ...rows.map((row) => row.show)];
    }
    for (const one of shows) one();
  };
  onLook(show);
  new ResizeObserver(([{ contentRect }]) => {
    wide = Math.max(240, Math.floor(contentRect.width));
    if (look.item === item) show();
  }).observe(place);
  const title = measures.length > 1 ? h("div", { cls: "toggles", role: "group", "aria-label": "Measure" }, choosing) : null;
  return h("section", { cls: "curves" }, h("div", { cls: "title" }, h("h2", {}, measures.length > 1 ? "Measures" : measures[0].name), title), note, place, legend, details);
}
