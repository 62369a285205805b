// Two pictures against each other, by a wipe or their difference as heat, and the measures of an item by view.

// Evenly brighter to the eye, and told apart without red and green.
const HEAT = ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4"];

const svgOf = (tag, props = {}, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

/** The filter that shows a difference as heat: half the range is as hot as it gets. */
function heatFilter() {
  const channel = (at) => HEAT.map((colour) => (parseInt(colour.slice(at, at + 2), 16) / 255).toFixed(3)).join(" ");
  const mean3 = Array(3).fill("0.667 0.667 0.667 0 0").join(" ");
  const heat = svgOf(
    "filter",
    { id: "heat", "color-interpolation-filters": "sRGB", x: 0, y: 0, width: 1, height: 1 },
    svgOf("feColorMatrix", { type: "matrix", values: `${mean3} 0 0 0 0 1` }),
    svgOf("feComponentTransfer", {}, ...["R", "G", "B"].map((name, k) => svgOf(`feFunc${name}`, { type: "table", tableValues: channel(1 + 2 * k) }))),
  );
  return svgOf("svg", { width: 0, height: 0, "aria-hidden": "true", class: "unseen" }, heat);
}

const pictureName = ({ side, key }) => (layerOf(key).name === side ? side : `${layerOf(key).name} · ${side}`);
const turnedIn = (picture) => stripView(picture.strip, look.item.frames, look.frame, pictureName(picture));

function wiped(left, right) {
  const [a, b] = [turnedIn(left), turnedIn(right)];
  const parts = [h("div", { cls: "part left" }, a), h("div", { cls: "part right" }, b)];
  const names = [["left", left], ["right", right]].map(([place, one]) => h("span", { cls: `name ${place}`, dir: "auto" }, pictureName(one)));
  const node = h("div", { cls: "duel wiped" }, parts, names, h("span", { cls: "handle", "aria-hidden": "true" }));
  const slider = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Wipe", oninput: () => setLook({ wipe: Number(slider.value) }) });
  const move = (event) => {
    const box = node.getBoundingClientRect();
    setLook({ wipe: clamp(Math.round(((event.clientX - box.left) / box.width) * 100), 0, 100) });
  };
  enlarged(node);
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    move(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && move(event));
  const show = () => {
    node.style.setProperty("--wipe", `${look.wipe}%`);
    slider.value = look.wipe;
    slider.setAttribute("aria-valuetext", `${Math.round(look.wipe)}% ${pictureName(left)}`);
    for (const view of [a, b]) view.show(look.frame);
  };
  return { node: h("div", { cls: "frame" }, node, slider), show };
}

function heated(left, right) {
  const [a, b] = [turnedIn(left), turnedIn(right)];
  const heat = h("div", { cls: "heat" }, h("div", { cls: "part" }, a), h("div", { cls: "part over" }, b));
  const node = h("div", { cls: "duel", role: "img", "aria-label": `Difference of ${pictureName(left)} and ${pictureName(right)}` }, heat);
  enlarged(node);
  const ramp = h("span", { cls: "ramp", "aria-hidden": "true", style: { background: `linear-gradient(to right, ${HEAT.join(", ")})` } });
  const show = () => [a, b].forEach((view) => view.show(look.frame));
  return { node: h("div", { cls: "frame" }, node, h("p", { cls: "legend" }, "the same", ramp, "half the range or more")), show };
}

/** The section that sets two pictures against each other; nothing where there is but one. */
function contrast(item) {
  const pictures = stripsOf(item);
  if (pictures.length < 2) return null;
  const chooser = (place) => {
    const select = h(
      "select",
      { "aria-label": `${capital(place)} picture`, onchange: () => setLook({ [place]: select.value }) },
      pictures.map((one) => h("option", { value: pictureKey(one) }, pictureName(one).slice(0, 80))),
    );
    onLook(() => (select.value = look[place]));
    return select;
  };
  const modes = COMPARISONS.map((mode) => {
    const button = h("button", { type: "button", cls: "toggle", onclick: () => setLook({ compare: mode }) }, capital(mode));
    onLook(() => button.setAttribute("aria-pressed", String(look.compare === mode)));
    return button;
  });
  const place = h("div", { cls: "shown" });
  let [made, found] = ["", null];
  onLook(() => {
    const wanted = [look.compare, look.left, look.right].join("\n");
    if (made !== wanted) {
      made = wanted;
      const [left, right] = [look.left, look.right].map((key) => pictures.find((one) => pictureKey(one) === key));
      found = (look.compare === "wipe" ? wiped : heated)(left, right);
      place.replaceChildren(found.node);
    }
    found.show();
  });
  const title = h("div", { cls: "title" }, h("h2", {}, "Compare"), h("div", { cls: "toggles", role: "group", "aria-label": "How" }, modes));
  return h("section", { cls: "contrast" }, title, h("div", { cls: "choosing" }, chooser("left"), chooser("right")), place);
}

// The measures of an item by view, a line a side.

const MARKS = ["M-3.5,0a3.5,3.5 0 1 0 7,0a3.5,3.5 0 1 0 -7,0z", "M-3.2,-3.2h6.4v6.4h-6.4z", "M0,-4.2L4.2,3.2h-8.4z"];
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
  const size = [1, 2, 5, 10].find((times) => times * power >= rough) * power;
  const first = Math.floor(low / size + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / size - 1e-9));
  return { ticks: Array.from({ length: last - first + 1 }, (_, k) => (first + k) * size), digits: Math.max(0, -Math.floor(Math.log10(size))) };
}

function chart(item, measure, lines, wide) {
  const [high, left, right, top, bottom] = [216, 44, 10, 10, 26];
  const values = lines.flatMap((line) => known(line.values));
  // The good end of a measure that has one belongs to the picture.
  const best = measure.better === "low" ? [0] : Math.max(...values) <= 1 ? [1] : [];
  const { ticks, digits } = scaleOf([...values, ...best]);
  const last = item.frames - 1;
  const x = (k) => left + (last ? k / last : 0.5) * (wide - left - right);
  const y = (value) => high - bottom - ((value - ticks[0]) / (ticks.at(-1) - ticks[0])) * (high - top - bottom);
  const every = Math.max(1, Math.ceil(item.frames / Math.max(2, Math.floor((wide - left) / 52))));
  const slider = { role: "slider", tabindex: "0", "aria-label": `${measure.name} by ${item.fps ? "frame" : "view"}`, "aria-valuemin": 0, "aria-valuemax": last };
  const node = svgOf("svg", { viewBox: `0 0 ${wide} ${high}`, class: "chart", width: wide, height: high, ...slider });
  for (const tick of ticks) {
    node.append(svgOf("line", { class: "grid", x1: left, x2: wide - right, y1: y(tick), y2: y(tick) }), svgOf("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(digits)));
  }
  for (let k = 0; k <= last; k += every) node.append(svgOf("text", { x: x(k), y: high - 6, "text-anchor": k === last && last ? "end" : "middle" }, frameName(item, k)));
  const now = svgOf("line", { class: "now", y1: top, y2: high - bottom });
  node.append(now);
  const dots = lines.map((line) => {
    const place = (value, k) => `${x(k).toFixed(1)},${y(value).toFixed(1)}`;
    // A value that is missing is a gap.
    const path = line.values.map((value, k) => (value === null ? "" : `${k && line.values[k - 1] !== null ? "L" : "M"}${place(value, k)}`)).join("");
    const dot = svgOf("path", { class: "dot", d: sideMark(line.name) });
    const group = svgOf("g", {}, svgOf("path", { class: "line", d: path }), dot);
    group.style.setProperty("--c", sideColour(line.name));
    node.append(group);
    return (k) => {
      const value = line.values[k];
      dot.setAttribute("visibility", value === null ? "hidden" : "visible");
      if (value !== null) dot.setAttribute("transform", `translate(${place(value, k)}) scale(1.7)`);
    };
  });
  const choosing = (event) => {
    const box = node.getBoundingClientRect();
    step(clamp(Math.round(((event.clientX - box.left - left) / (wide - left - right)) * last), 0, last) - look.frame);
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    choosing(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && choosing(event));
  node.show = () => {
    now.setAttribute("x1", x(look.frame));
    now.setAttribute("x2", x(look.frame));
    for (const dot of dots) dot(look.frame);
    const said = lines.map((line) => `${line.name.slice(0, 60)} ${fixed(line.values[look.frame], measure.digits)}`);
    node.setAttribute("aria-valuenow", look.frame);
    node.setAttribute("aria-valuetext", `${frameName(item, look.frame)}: ${said.join(", ")}`);
  };
  return node;
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
  const [note, place, legend] = [h("p", { cls: "hint" }), h("div", { cls: "plot" }), h("ul", { cls: "legend", role: "list" })];
  let [made, shows, wide] = ["", [], 0];
  const show = () => {
    if (!wide) return;
    if (made !== `${look.measure} ${wide}`) {
      made = `${look.measure} ${wide}`;
      const measure = measures.find(({ key }) => key === look.measure) ?? measures[0];
      const lines = has(measure.key).map((name) => ({ name, values: item.sides[name].values[measure.key] }));
      const drawn = chart(item, measure, lines, wide);
      const rows = lines.map(({ name, values }) => {
        const now = h("b", { cls: "number" });
        const node = h("li", {}, markOf(name), named(name), now, h("span", { cls: "soft number" }, `mean ${fixed(mean(known(values)), measure.digits)}`));
        return { node, show: () => (now.textContent = fixed(values[look.frame], measure.digits)) };
      });
      note.textContent = `${measure.note ? `${measure.note}; ` : ""}${measure.better === "high" ? "higher is better" : "lower is better"}`;
      place.replaceChildren(drawn);
      legend.replaceChildren(...rows.map((row) => row.node));
      shows = [drawn.show, ...rows.map((row) => row.show)];
    }
    for (const one of shows) one();
  };
  onLook(show);
  new ResizeObserver(([{ contentRect }]) => {
    wide = Math.max(240, Math.floor(contentRect.width));
    if (look.item === item) show();
  }).observe(place);
  const title = measures.length > 1 ? h("div", { cls: "toggles", role: "group", "aria-label": "Measure" }, choosing) : null;
  return h("section", { cls: "curves" }, h("div", { cls: "title" }, h("h2", {}, measures.length > 1 ? "Measures" : measures[0].name), title), note, place, legend);
}
