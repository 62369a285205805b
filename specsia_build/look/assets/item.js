// An item's page: what is looked at, kept in the address; its pictures, turned and enlarged together; what is known of it.

Object.assign(ICONS, { left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7", play: "M8 5l11 7-11 7z", pause: "M9 5v14M15 5v14" });

// All but the last line is in the address.
const look = {
  item: null, frame: 0, layers: new Set(), sides: new Set(), compare: "wipe", left: "", right: "", wipe: 50,
  measure: null, zoom: 1, x: 0.5, y: 0.5,
  root: null, shows: [], writing: 0,
};

const MOST_ZOOM = 12;
const COMPARISONS = ["wipe", "difference"];

/** Call a function whenever what is looked at changes, until the page is left. */
const onLook = (show) => look.shows.push(show);
const sideNames = (item) => state.data.sides.filter((name) => item.sides[name]);
const layerOf = (key) => state.data.layers.find((layer) => layer.key === key) ?? { key, name: key, note: "" };
const stripsOf = (item) => sideNames(item).flatMap((side) => state.data.layers.filter(({ key }) => item.sides[side].strips[key]).map(({ key }) => ({ side, key, strip: item.sides[side].strips[key] })));
/** A picture's name in the address. */
const pictureKey = ({ side, key }) => `${key}@${side}`;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** The frame with the worst value of the main measure; of a clip the first. */
function worstFrame(item) {
  const measure = item.fps ? null : state.data.measures[0];
  let [at, least] = [0, null];
  for (const side of measure ? Object.values(item.sides) : []) {
    (side.values?.[measure.key] ?? []).forEach((value, k) => {
      if (value === null || (least !== null && (measure.better === "low" ? value <= least : value >= least))) return;
      [at, least] = [k, value];
    });
  }
  return at;
}

function startOf(item) {
  const pictures = stripsOf(item);
  const layers = new Set(pictures.map(({ key }) => key));
  const left = pictures.find(({ key }) => key === "gt") ?? pictures[0];
  const right = pictures.find((one) => one !== left && one.key === "color") ?? pictures[1] ?? left;
  return {
    frame: worstFrame(item), compare: "wipe", wipe: 50, zoom: 1, x: 0.5, y: 0.5,
    layers: layers.size > 1 ? new Set([...layers].filter((key) => key !== "gt_mask")) : layers,
    sides: new Set(sideNames(item)),
    left: left ? pictureKey(left) : "",
    right: right ? pictureKey(right) : "",
    measure: state.data.measures.find(({ key }) => Object.values(item.sides).some((side) => side.values?.[key]))?.key ?? null,
  };
}

function readLook(item, query) {
  const start = startOf(item);
  const number = (text, other, low, high) => clamp(text && Number.isFinite(Number(text)) ? Number(text) : other, low, high);
  const among = (key, all) => (all.includes(query.get(key)) ? query.get(key) : start[key]);
  const some = (key, all, other) => (query.has(key) ? new Set(query.getAll(key).filter((value) => all.has(value))) : other);
  const [x, y] = (query.get("at") ?? "").split(",");
  const pictures = stripsOf(item).map(pictureKey);
  return {
    frame: Math.round(number(query.get("frame"), start.frame, 0, item.frames - 1)),
    layers: some("layer", new Set(state.data.layers.map(({ key }) => key)), start.layers),
    sides: some("side", start.sides, start.sides),
    compare: among("compare", COMPARISONS),
    left: among("left", pictures),
    right: among("right", pictures),
    measure: among("measure", state.data.measures.map(({ key }) => key)),
    wipe: number(query.get("wipe"), 50, 0, 100),
    zoom: number(query.get("zoom"), 1, 1, MOST_ZOOM),
    x: number(x, 0.5, 0, 1),
    y: number(y, 0.5, 0, 1),
  };
}

/** The address of what is looked at, without what is as it starts. */
function lookAddress() {
  const start = startOf(look.item);
  const query = new URLSearchParams();
  const same = (one, other) => one.size === other.size && [...one].every((v) => other.has(v));
  for (const key of ["frame", "compare", "left", "right", "measure"]) if (look[key] !== start[key]) query.set(key, look[key]);
  for (const [key, name] of [["layers", "layer"], ["sides", "side"]]) {
    if (!same(look[key], start[key])) for (const value of look[key].size ? look[key] : [""]) query.append(name, value);
  }
  if (look.wipe !== 50) query.set("wipe", String(Math.round(look.wipe)));
  if (look.zoom > 1) {
    query.set("zoom", String(Number(look.zoom.toFixed(2))));
    query.set("at", `${look.x.toFixed(3)},${look.y.toFixed(3)}`);
  }
  return `${itemAddress(look.item.id)}${[...query].length ? `?${query}` : ""}`;
}

function showLook() {
  for (const name of ["zoom", "x", "y"]) look.root.style.setProperty(`--${name}`, look[name]);
  look.root.classList.toggle("near", look.zoom > 1);
  for (const show of look.shows) show();
}

/** Look at something else; the address follows a little later, since browsers limit how often it changes. */
function setLook(changes) {
  Object.assign(look, changes);
  showLook();
  clearTimeout(look.writing);
  look.writing = setTimeout(writeLook, 200);
}

function writeLook() {
  clearTimeout(look.writing);
  if (!look.item || isPlaying()) return;
  const address = lookAddress();
  if (address === location.hash) return;
  history.replaceState(null, "", address);
  state.route = routeOf(address);
}

/** Turn to a frame; a turn goes round. */
const turn = (frame) => setLook({ frame: ((frame % look.item.frames) + look.item.frames) % look.item.frames });

/** Turn on by some frames, by hand. */
function step(by) {
  stopPlay();
  turn(look.frame + by);
}

/** Look nearer or farther, at a point of all pictures. */
function zoomBy(factor, x = look.x, y = look.y) {
  const zoom = clamp(look.zoom * factor, 1, MOST_ZOOM);
  setLook({ zoom: Math.abs(zoom - 1) < 0.05 ? 1 : zoom, x, y });
}

/** Angle or time of a frame. */
function frameName(item, frame) {
  if (item.yaws) return `${Math.round(item.yaws[frame])}°`;
  return item.fps ? `${(frame / item.fps).toFixed(2)} s` : String(frame);
}
const frameWords = (item, frame) => `${item.fps ? "frame" : "view"} ${frame + 1} of ${item.frames}`;

// Playing, by the clock.

const player = { handle: 0, last: 0, at: 0 };
const isPlaying = () => player.handle !== 0;

function tick(now) {
  player.at += ((now - player.last) / 1000) * (look.item.fps ?? look.item.frames / 4);
  player.last = now;
  player.at %= look.item.frames;
  player.handle = requestAnimationFrame(tick);
  if (Math.floor(player.at) !== look.frame) turn(Math.floor(player.at));
}

function togglePlay() {
  if (isPlaying() || look.item.frames < 2) return stopPlay();
  player.at = look.frame;
  player.last = performance.now();
  player.handle = requestAnimationFrame(tick);
  showLook();
}

function stopPlay() {
  if (!isPlaying()) return;
  cancelAnimationFrame(player.handle);
  player.handle = 0;
  if (look.item) setLook({});
}

/** The bar with one slider for all pictures. */
function turner(item) {
  const slider = h("input", { type: "range", min: 0, max: item.frames - 1, step: 1, "aria-label": item.fps ? "Frame" : "View" });
  const said = h("output", { cls: "number where" });
  const play = press("", { cls: "tool play", onclick: togglePlay });
  slider.addEventListener("input", () => step(Number(slider.value) - look.frame));
  let drawn = null;
  onLook(() => {
    slider.value = look.frame;
    slider.setAttribute("aria-valuetext", `${frameName(item, look.frame)}, ${frameWords(item, look.frame)}`);
    said.textContent = frameName(item, look.frame);
    if (drawn === isPlaying()) return;
    drawn = isPlaying();
    play.replaceChildren(icon(drawn ? "pause" : "play"));
    play.title = drawn ? "Stop (Space)" : item.fps ? "Play (Space)" : "Turn by itself (Space)";
    play.setAttribute("aria-label", play.title);
  });
  return h(
    "div",
    { cls: "turner", role: "group", "aria-label": item.fps ? "Play" : "Turn" },
    play,
    press("One step back (,)", { cls: "tool", onclick: () => step(-1) }, icon("left")),
    h("span", { cls: "slide" }, slider),
    press("One step forward (.)", { cls: "tool", onclick: () => step(1) }, icon("right")),
    said,
  );
}

// The pictures, a panel for each side.

function panel(item, name) {
  const side = item.sides[name];
  const lost = side.problem ?? (Object.keys(side.strips).length ? null : "It has no pictures.");
  const value = h("span", { cls: "soft number" });
  onLook(() => {
    const measure = state.data.measures.find(({ key }) => key === look.measure);
    const values = measure && side.values?.[measure.key];
    value.textContent = values ? `${measure.name} ${fixed(values[look.frame], measure.digits)}` : "";
  });
  const figures = state.data.layers.filter(({ key }) => side.strips[key]).map((layer) => {
    const view = stripView((layer.key === "gt" && side.large) || side.strips[layer.key], item.frames, look.frame, `${layer.name}, ${name}`);
    const figure = h("figure", { data: { layer: layer.key } }, view, h("figcaption", { title: layer.note ?? "" }, layer.name));
    onLook(() => {
      view.show(look.frame);
      figure.hidden = !look.layers.has(layer.key);
    });
    return figure;
  });
  const node = h(
    "section",
    { cls: `side${isTarget(side) ? " target" : ""}`, "aria-label": name, data: { side: name } },
    h("h2", {}, side.values ? markOf(name) : null, named(name), value),
    lost ? h("p", { cls: "problem", dir: "auto" }, lost) : null,
    h("div", { cls: "figures" }, figures),
  );
  onLook(() => (node.hidden = !look.sides.has(name) || (!lost && figures.every((figure) => figure.hidden))));
  return node;
}

/** Buttons that show and hide layers or sides. */
function toggles(name, key, values) {
  const buttons = values.map(({ value, text, note }) => {
    const flip = () => {
      const next = new Set(look[key]);
      if (!next.delete(value)) next.add(value);
      setLook({ [key]: next });
    };
    const button = h("button", { type: "button", cls: "toggle", title: note ?? text, onclick: flip }, named(text));
    onLook(() => button.setAttribute("aria-pressed", String(look[key].has(value))));
    return button;
  });
  return h("div", { cls: "toggles", role: "group", "aria-label": name }, h("span", { cls: "soft", "aria-hidden": "true" }, name), buttons);
}

/** Largest squares with which all that is shown fits the window. */
function fit(node, target, makers) {
  const wide = node.clientWidth;
  const seen = (one) => (one && !one.hidden ? one.querySelectorAll("figure:not([hidden])").length : 0);
  const shown = makers.filter((one) => !one.hidden);
  const layers = Math.max(1, ...shown.map(seen));
  const targets = seen(target);
  let best = { cell: 0, large: 0 };
  for (let beside = 1; beside <= Math.max(1, shown.length); beside++) {
    const rows = Math.max(1, Math.ceil(shown.length / beside));
    // Beside two rows of makers the target is twice as large.
    const tall = targets && wide >= 600 ? Math.min(2, rows) : 1;
    const columns = (shown.length ? beside * layers : 0) + (wide < 600 ? 0 : tall * targets);
    const high = Math.max((innerHeight - 230 - rows * 54) / rows, 132);
    const cell = Math.floor(Math.min((wide - 14 * (beside + 1) - 6 * columns) / Math.max(1, columns), high, 420));
    if (cell > best.cell) best = { cell, large: tall * cell + (tall - 1) * 54 };
  }
  node.style.setProperty("--cell", `${best.cell}px`);
  node.style.setProperty("--large", `${best.large}px`);
  node.style.setProperty("--across", Math.max(1, targets));
  for (const one of shown) one.style.setProperty("--span", Math.max(1, seen(one)));
}

function stage(item) {
  const names = sideNames(item);
  const panels = names.map((name) => panel(item, name));
  const target = panels.find((one) => one.classList.contains("target")) ?? null;
  const makers = panels.filter((one) => one !== target);
  const node = h("div", { cls: "stage", role: "group", "aria-label": "Pictures" }, h("div", { cls: "group" }, target, h("div", { cls: "makers" }, makers)));
  let fitted = "";
  // Asking for a width lays the page out, which is too slow for each frame of what plays.
  const refit = () => {
    const wanted = [innerWidth, innerHeight, ...look.layers, "", ...look.sides].join("\n");
    if (fitted !== wanted && node.clientWidth) fit(node, target, makers, (fitted = wanted));
  };
  onLook(refit);
  new ResizeObserver(() => {
    fitted = "";
    refit();
  }).observe(node);
  const layers = state.data.layers.filter(({ key }) => stripsOf(item).some((one) => one.key === key));
  const bar = h(
    "div",
    { cls: "shownbar", role: "group", "aria-label": "What is shown" },
    layers.length > 1 ? toggles("Layers", "layers", layers.map(({ key, name, note }) => ({ value: key, text: name, note }))) : null,
    names.length > 1 ? toggles("Sides", "sides", names.map((name) => ({ value: name, text: name }))) : null,
  );
  dragged(node);
  return h("div", {}, bar, node);
}

/** Place of a pointer in the picture under it, from 0 to 1; null where there is none. */
function pointAt(event, node) {
  const strip = event.target.closest?.(".strip") ?? null;
  if (!strip || !node.contains(strip)) return null;
  const box = strip.getBoundingClientRect();
  return { x: clamp((event.clientX - box.left) / box.width, 0, 1), y: clamp((event.clientY - box.top) / box.height, 0, 1), wide: box.width };
}

/** Have the pictures in a node enlarged by a double click, and follow the pointer when near. */
function enlarged(node) {
  node.addEventListener("pointermove", (event) => {
    const at = event.pointerType === "mouse" && !event.buttons && look.zoom > 1 && pointAt(event, node);
    if (at) setLook({ x: at.x, y: at.y });
  });
  node.addEventListener("dblclick", (event) => {
    const at = pointAt(event, node);
    if (at) zoomBy(look.zoom > 1 ? 0 : 3, at.x, at.y);
  });
}

/** Have the pictures in a node turn as they are dragged; under a finger, those that are near are moved instead. */
function dragged(node) {
  enlarged(node);
  let from = null;
  node.addEventListener("pointerdown", (event) => {
    const at = pointAt(event, node);
    if (!at || event.button !== 0) return;
    from = { ...at, event, look: { ...look }, step: Math.max(8, (2 * at.wide) / look.item.frames) };
    node.setPointerCapture(event.pointerId);
    stopPlay();
  });
  node.addEventListener("pointermove", (event) => {
    if (!from) return;
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

// What is known of an item.

const FACTS = { scale: "scale", pitch: "pitch, °", yaw: "yaw, °", x: "shift x", y: "shift y", z: "shift z", frontal_before: "frontal IoU before" };
const told = (value) => (typeof value === "number" ? short(Number(value.toFixed(4)) + 0) : String(value));

function rowsOf(pairs) {
  return h("dl", { cls: "known" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value))));
}

/** Registration and other facts: a row a fact, a column a side. */
function sideFacts(item) {
  const names = sideNames(item).filter((name) => Object.keys(item.sides[name].facts ?? {}).length);
  const keys = [...new Set(names.flatMap((name) => Object.keys(item.sides[name].facts)))];
  if (!keys.length) return null;
  const cell = (key, name) => h("td", { cls: "number", dir: "auto" }, item.sides[name].facts[key] === undefined ? "–" : told(item.sides[name].facts[key]));
  const head = h("tr", {}, h("th", { scope: "col" }, "side"), names.map((name) => h("th", { scope: "col", cls: "number" }, named(name))));
  const rows = keys.map((key) => h("tr", {}, h("th", { scope: "row" }, FACTS[key] ?? key), names.map((name) => cell(key, name))));
  return h("div", { cls: "scroll", tabindex: "0", role: "group", "aria-label": "Sides" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
}

function about(item) {
  const { kind, root, numbers } = state.data;
  const [where, id] = [shellWord(root), shellWord(item.id)];
  // A name that begins as an option does is none after `--`.
  const one = (command, options) => `specsia ${command} ${item.id.startsWith("-") ? `${options} ${where} -- ${id}` : `${where} ${id} ${options}`}`;
  const commands = kind === "source" ? [`specsia characters ${where} --parts=${id}`] : [one("turntable", "--out turntable.webp"), one("sheet", "--out sheet.png")];
  const warnings = item.warnings.length
    ? h("div", { cls: "warnings" }, h("h3", {}, icon("warning"), plural(item.warnings.length, "warning")), h("ul", {}, item.warnings.map((text) => h("li", { dir: "auto" }, text))))
    : null;
  const frames = item.every > 1 ? `${count(item.frames)} of ${count(item.of)}` : count(item.frames);
  const figures = numbers.filter(({ key }) => (item.numbers[key] ?? null) !== null).map(({ key, name, unit, digits }) => [name, `${fixed(item.numbers[key], digits)}${unit ? ` ${unit}` : ""}`]);
  const stated = [["character", item.character === item.id ? null : item.character], ["action", item.action], ["split", item.split], ["licence", item.license ?? "not stated"], ["credit", item.credit ?? "not stated"]];
  return h(
    "section",
    { cls: "about" },
    h("h2", {}, "About"),
    warnings,
    h("div", { cls: "columns" }, rowsOf(stated), rowsOf([[item.fps ? "frames" : "views", item.fps ? `${frames}, ${short(item.fps)} a second` : frames], ...figures]), sideFacts(item)),
    h("div", { cls: "commands" }, commands.map((command) => copyable(command))),
  );
}

// The page.

/** Neighbour of the item in the gallery's order, or null at its end. */
function neighbour(by) {
  const at = state.shown.findIndex(({ id }) => id === look.item.id);
  return (at < 0 ? null : state.shown[at + by]) ?? null;
}

function toNeighbour(by) {
  const next = neighbour(by);
  if (!next) return;
  const top = scrollY;
  // What is compared is kept, so that one can go through many in the same way; the frame is the next one's worst.
  go(`${itemAddress(next.id)}${lookAddress().slice(itemAddress(look.item.id).length).replace(/([?&])frame=\d+&?/, "$1")}`, true);
  scrollTo(0, top);
  say(next.id.slice(0, 100));
}

function head(item) {
  const at = state.shown.findIndex(({ id }) => id === item.id);
  const beside = (by, words, drawing) => press(words, { cls: "tool", disabled: !neighbour(by), onclick: () => toNeighbour(by) }, icon(drawing));
  const scroll = () => look.root.querySelector(".warnings").scrollIntoView({ block: "center" });
  return h(
    "header",
    { cls: "head" },
    h("a", { cls: "back", href: state.list }, icon("left"), "Gallery"),
    named(item.id, "h1", "name"),
    item.split ? named(item.split, "span", "name split") : null,
    item.warnings.length ? h("button", { type: "button", cls: "plain warned", onclick: scroll }, icon("warning"), plural(item.warnings.length, "warning")) : null,
    h(
      "div",
      { cls: "tools" },
      at < 0 ? null : h("span", { cls: "soft" }, `${count(at + 1)} of ${count(state.shown.length)}`),
      beside(-1, `Previous ${noun()} (K)`, "left"),
      beside(1, `Next ${noun()} (J)`, "right"),
    ),
  );
}

const ACTIONS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  Home: () => step(-look.frame), End: () => step(look.item.frames - 1 - look.frame),
  ",": () => step(-1), ".": () => step(1), " ": () => togglePlay(),
  "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => zoomBy(0),
  j: () => toNeighbour(1), k: () => toNeighbour(-1), Escape: () => go(state.list),
};

document.addEventListener("keydown", (event) => {
  if (!look.item || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  if (target.closest("select, textarea, input:not([type=range])")) return;
  // What has the focus has its own use for some keys.
  if (/^(Arrow|Home|End)/.test(key) && target.closest("input")) return;
  if (key === " " && target.closest("button, a, summary")) return;
  const before = look.frame;
  const act = ACTIONS[key.length === 1 ? key.toLowerCase() : key];
  if (!act) return;
  act();
  event.preventDefault();
  if (look.item && look.frame !== before) say(`${frameName(look.item, look.frame)}, ${frameWords(look.item, look.frame)}`);
});

const KEYS = [["← →, or , .", "turn by one"], ["Home, End", "first, last"], ["Space", "turn by itself, stop"], ["+ − 0", "nearer, farther, whole"], ["J, K", "next, previous"], ["Esc", "back to the gallery"]];

views.set("item", {
  show(main, route) {
    const item = state.byId.get(route.arg) ?? null;
    if (!state.shown.length) choose(new URLSearchParams());
    Object.assign(look, { item, root: main, shows: [] });
    if (!item) {
      main.append(named(route.arg, "h1", "name"), h("p", { cls: "problem" }, `No ${noun()} of this name is in ${state.data.title}.`), h("p", {}, h("a", { href: "#gallery" }, "See all in the gallery")));
      return;
    }
    Object.assign(look, readLook(item, route.query));
    const keys = h("details", { cls: "keys" }, h("summary", {}, "Keys"), h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, key), h("dd", {}, what)))));
    const parts = [heatFilter(), head(item), stage(item), item.frames > 1 ? turner(item) : null, h("div", { cls: "close" }, contrast(item), h("div", {}, curves(item), about(item))), keys];
    main.append(...parts.filter(Boolean));
    showLook();
    if (item.fps && !route.query.has("frame") && !calm.matches) togglePlay();
  },
  update(route) {
    if (!look.item) return;
    stopPlay();
    setLook(readLook(look.item, route.query));
  },
  hide() {
    clearTimeout(look.writing);
    stopPlay();
    look.root.classList.remove("near");
    Object.assign(look, { item: null, shows: [] });
  },
});
