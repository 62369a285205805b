// The pictures of an item, a panel for each side, all turned, dragged and enlarged together.

/** A strip that turns with all the others. */
function turned(strip, label) {
  const view = stripView(strip, look.item.frames, look.frame, label);
  onLook(() => view.show(look.frame));
  return view;
}

const lossOf = (side) => side.problem ?? (Object.keys(side.strips).length ? null : "It has no pictures.");

function panel(item, name) {
  const side = item.sides[name];
  const value = h("span", { cls: "soft number" }, h("span", { cls: "key" }), h("span"));
  onLook(() => {
    const measure = state.data.measures.find(({ key }) => key === look.measure);
    const values = measure && side.values?.[measure.key];
    value.firstChild.textContent = values ? `${measure.name} ` : "";
    value.lastChild.textContent = values ? fixed(values[look.frame], measure.digits) : "";
  });
  const figures = state.data.layers
    .filter(({ key }) => side.strips[key])
    .map((layer) => {
      const figure = h("figure", { data: { layer: layer.key } }, turned((layer.key === "gt" && side.large) || side.strips[layer.key], `${layer.name}, ${name}`), h("figcaption", { title: layer.note ?? "" }, layer.name));
      onLook(() => (figure.hidden = !look.layers.has(layer.key)));
      return figure;
    });
  // What stands alone is called by its side.
  onLook(() => {
    const alone = figures.filter((one) => !one.hidden).length === 1;
    for (const { lastChild: words } of figures) words.hidden = alone && (figures.length === 1 || words.textContent === name);
  });
  const node = h(
    "section",
    { cls: `side${isTarget(side) ? " target" : ""}`, "aria-label": name, data: { side: name } },
    h("h2", {}, side.values ? markOf(name) : null, named(name), value),
    lossOf(side) ? h("p", { cls: "problem", dir: "auto" }, lossOf(side)) : null,
    h("div", { cls: "figures" }, figures),
  );
  onLook(() => (node.hidden = !look.sides.has(name) || (!lossOf(side) && figures.every((figure) => figure.hidden))));
  return node;
}

/** Buttons that show and hide. */
function toggles(name, key, values) {
  const flip = (value) => {
    const next = new Set(look[key]);
    if (!next.delete(value)) next.add(value);
    setLook({ [key]: next });
  };
  const buttons = values.map(({ value, text, note }) => {
    const button = h("button", { type: "button", cls: "toggle", title: note ?? text, onclick: () => flip(value) }, named(text));
    onLook(() => button.setAttribute("aria-pressed", String(look[key].has(value))));
    return button;
  });
  return h("div", { cls: "toggles", role: "group", "aria-label": name }, h("span", { cls: "soft", "aria-hidden": "true" }, name), buttons);
}

function magnifier() {
  const said = h("output", { cls: "number" });
  onLook(() => (said.textContent = `${Number(look.zoom.toFixed(1))}×`));
  return h(
    "div",
    { cls: "toggles", role: "group", "aria-label": "Size" },
    press("Farther (−)", { cls: "tool", onclick: () => zoomBy(1 / 1.5) }, icon("minus")),
    said,
    press("Nearer (+); then the pointer says where", { cls: "tool", onclick: () => zoomBy(1.5) }, icon("plus")),
  );
}

/** Narrower than this things stand one below the other, as on a phone. */
const UPRIGHT = 600;
const GAPS = { panels: 14, pictures: 6, words: 54 };

/** The largest squares with which all that is shown fits the window: as wide as it is and about as high. */
function fitted({ wide, high, makers, layers, targets }) {
  if (wide < UPRIGHT) {
    const cell = Math.floor((wide - GAPS.pictures) / (Math.max(layers, targets) > 1 || makers > 1 ? 2 : 1));
    return { cell, large: targets > 1 ? cell : Math.min(wide, Math.max(cell, 0.36 * innerHeight)), across: 2 };
  }
  let best = { cell: 0 };
  for (let beside = 1; beside <= Math.max(1, makers); beside++) {
    const rows = Math.max(1, Math.ceil(makers / beside));
    // Beside two rows of makers the target is twice as large; where it has more pictures they fill the rows.
    const tall = rows > 1 && targets === 1 ? 2 : 1;
    const across = Math.ceil(targets / rows);
    const columns = (makers ? beside * layers : 0) + tall * across;
    const gaps = (makers ? beside * (layers - 1) * GAPS.pictures + (beside - 1 + (targets ? 1 : 0)) * GAPS.panels : 0) + (tall - 1) * GAPS.words + across * GAPS.pictures;
    const cell = Math.floor(Math.min((wide - gaps) / Math.max(1, columns), Math.max((high - rows * GAPS.words) / rows, 132), 420));
    if (cell > best.cell) best = { cell, large: tall * cell + (tall - 1) * GAPS.words, across };
  }
  return best;
}

function stage(item) {
  const names = sideNames(item);
  const panels = names.map((name) => panel(item, name));
  // Each target begins a group: beside it are the sides made for it.
  const groups = [];
  names.forEach((name, k) => {
    if (!groups.length || isTarget(item.sides[name])) groups.push({ target: null, makers: [] });
    if (isTarget(item.sides[name])) groups.at(-1).target = panels[k];
    else groups.at(-1).makers.push(panels[k]);
  });
  const nodes = groups.map(({ target, makers }) => h("div", { cls: "group" }, target, h("div", { cls: "makers" }, makers)));
  const node = h("div", { cls: "stage", role: "group", "aria-label": "Pictures" }, nodes);
  let fitting = "";
  const fit = (wide = node.clientWidth) => {
    fitting = [wide, innerHeight, ...look.layers, "", ...look.sides].join("\n");
    if (!wide) return;
    const seen = (one) => (one && !one.hidden ? one.querySelectorAll("figure:not([hidden])").length : 0);
    groups.forEach(({ target, makers }, k) => {
      const shown = makers.filter((one) => !one.hidden);
      const layers = Math.max(1, ...shown.map(seen));
      const high = (innerHeight - 230) / groups.length;
      const { cell, large, across } = fitted({ wide, high, makers: shown.length, layers, targets: seen(target) });
      nodes[k].style.setProperty("--cell", `${cell}px`);
      nodes[k].style.setProperty("--large", `${large}px`);
      nodes[k].style.setProperty("--across", across);
      nodes[k].lastChild.hidden = !shown.length;
      for (const one of shown) one.style.setProperty("--span", Math.min(seen(one) ? Math.max(seen(one), Math.min(2, layers)) : layers, wide < UPRIGHT ? 2 : Infinity));
    });
  };
  let wide = 0;
  onLook(() => {
    // Asking for a width lays the page out, which is too slow for each frame of what plays.
    if (fitting !== [wide, innerHeight, ...look.layers, "", ...look.sides].join("\n")) fit(wide);
  });
  new ResizeObserver(([{ contentRect }]) => fit((wide = contentRect.width))).observe(node);
  const layers = state.data.layers.filter(({ key }) => stripsOf(item).some((one) => one.key === key));
  const bar = h(
    "div",
    { cls: "shownbar", role: "group", "aria-label": "What is shown" },
    layers.length > 1 ? toggles("Layers", "layers", layers.map(({ key, name, note }) => ({ value: key, text: name, note }))) : null,
    names.length > 1 ? toggles("Sides", "sides", names.map((name) => ({ value: name, text: name }))) : null,
    magnifier(),
  );
  const empty = h("p", { cls: "soft", hidden: true }, "Nothing is shown: choose layers and sides above.");
  onLook(() => (empty.hidden = panels.some((one) => !one.hidden)));
  dragged(node);
  return h("div", {}, bar, node, empty);
}

/** Where a pointer is in the picture under it, from 0 to 1; null where there is none. */
function pointAt(event, node) {
  const strip = event.target.closest?.(".strip") ?? null;
  if (!strip || !node.contains(strip)) return null;
  const box = strip.getBoundingClientRect();
  return { x: clamp((event.clientX - box.left) / box.width, 0, 1), y: clamp((event.clientY - box.top) / box.height, 0, 1), wide: box.width };
}

/** Have the pictures in a node enlarged by two fingers, by Ctrl and the wheel or a double click, and followed when near. */
function enlarged(node) {
  const fingers = new Map();
  let pinch = null;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event);
    const at = pointAt(event, node);
    if (fingers.size === 2 && at) pinch = { from: spread(), zoom: look.zoom, ...at };
  });
  node.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (pinch && fingers.size === 2) zoomBy((pinch.zoom * spread()) / pinch.from / look.zoom, pinch.x, pinch.y);
    else if (event.pointerType === "mouse" && !event.buttons && look.zoom > 1) {
      const at = pointAt(event, node);
      if (at) setLook({ x: at.x, y: at.y });
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    node.addEventListener(name, (event) => {
      fingers.delete(event.pointerId);
      if (fingers.size < 2) pinch = null;
    });
  }
  node.addEventListener("dblclick", (event) => {
    const at = pointAt(event, node);
    if (at) zoomBy(look.zoom > 1 ? 0 : 3, at.x, at.y);
  });
  node.addEventListener(
    "wheel",
    (event) => {
      const at = event.ctrlKey && pointAt(event, node);
      if (!at) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 200), at.x, at.y);
    },
    { passive: false },
  );
  return { pinched: () => pinch !== null };
}

/**
 * Have the pictures in a node turn as they are dragged: once round for twice the width of one.
 *
 * Under a finger, which cannot point without dragging, those that are near are moved instead.
 */
function dragged(node) {
  const { pinched } = enlarged(node);
  let from = null;
  node.addEventListener("pointerdown", (event) => {
    const at = pointAt(event, node);
    if (!at || event.button !== 0) return;
    from = { ...at, event, look: { ...look }, step: Math.max(8, (2 * at.wide) / look.item.frames) };
    node.setPointerCapture(event.pointerId);
    stopPlay();
  });
  node.addEventListener("pointermove", (event) => {
    if (!from || pinched()) return;
    const [right, down] = [event.clientX - from.event.clientX, event.clientY - from.event.clientY];
    if (event.pointerType === "touch" && look.zoom > 1) {
      const far = from.wide * (look.zoom - 1);
      return setLook({ x: clamp(from.look.x - right / far, 0, 1), y: clamp(from.look.y - down / far, 0, 1) });
    }
    const frame = from.look.frame + Math.round(((look.item.fps ? 1 : -1) * right) / from.step);
    if (frame !== look.frame) turn(frame);
  });
  for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => (from = null));
}
