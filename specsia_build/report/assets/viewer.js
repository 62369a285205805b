// An item's page: what is looked at, kept in the address, and how keys, buttons and the pointer change it.

Object.assign(ICONS, {
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  swap: "M4 9h15l-4-4M20 15H5l4 4",
  play: "M8 5l11 7-11 7z",
  pause: "M9 5v14M15 5v14",
  loop: "M17 3l3 3-3 3M20 6H8a4 4 0 0 0-4 4v1M7 21l-3-3 3-3M4 18h12a4 4 0 0 0 4-4v-1",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
});

// What is looked at now: everything but the last line is in the address.
const look = {
  item: null, frame: 0, layers: new Set(), sides: new Set(), compare: "wipe", left: "", right: "", wipe: 50,
  measure: null, zoom: 1, x: 0.5, y: 0.5, speed: 1, loop: true,
  root: null, shows: [], writing: 0,
};

const MOST_ZOOM = 12;
const COMPARISONS = ["wipe", "difference", "outlines"];

/** Do something whenever what is looked at has changed, until the page is left. */
const onLook = (show) => look.shows.push(show);

const sideNames = (item) => state.data.sides.filter((name) => item.sides[name]);
const isTarget = (side) => "gt" in side.strips || "gt_mask" in side.strips;
const layerOf = (key) => state.data.layers.find((layer) => layer.key === key) ?? { key, name: key, note: "" };
const stripsOf = (item) =>
  sideNames(item).flatMap((side) =>
    state.data.layers.filter(({ key }) => item.sides[side].strips[key]).map(({ key }) => ({ side, key, strip: item.sides[side].strips[key] })),
  );
/** A picture's name in the address: the layer's key has no @ in it. */
const pictureKey = ({ side, key }) => `${key}@${side}`;

function startOf(item) {
  const pictures = stripsOf(item);
  const colours = pictures.filter(({ key }) => key === "color");
  const [left = pictures[0], right = pictures[1] ?? left] = [pictures.find(({ key }) => key === "gt"), colours[0]];
  const layers = new Set(pictures.map(({ key }) => key));
  return {
    frame: 0, compare: "wipe", wipe: 50, zoom: 1, x: 0.5, y: 0.5, speed: 1, loop: true,
    layers: layers.size > 1 ? new Set([...layers].filter((key) => key !== "gt_mask")) : layers,
    sides: new Set(sideNames(item)),
    left: left ? pictureKey(left) : "",
    right: right ? pictureKey(right) : "",
    measure: state.data.measures.find(({ key }) => Object.values(item.sides).some((side) => side.values?.[key]))?.key ?? null,
  };
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const numberOr = (text, other) => (text === null || text.trim() === "" || !Number.isFinite(Number(text)) ? other : Number(text));
const same = (one, other) => (one instanceof Set ? one.size === other.size && [...one].every((v) => other.has(v)) : one === other);

function readLook(item, query) {
  const start = startOf(item);
  const known = new Set(stripsOf(item).map(pictureKey));
  const among = (key, all, other) => (all.includes(query.get(key)) ? query.get(key) : other);
  const some = (key, all, other) => (query.has(key) ? new Set(query.getAll(key).filter((value) => all.has(value))) : other);
  const [x, y] = (query.get("at") ?? "").split(",");
  return {
    frame: clamp(Math.round(numberOr(query.get("frame"), 0)), 0, item.frames - 1),
    layers: some("layer", new Set(state.data.layers.map(({ key }) => key)), start.layers),
    sides: some("side", start.sides, start.sides),
    compare: among("compare", COMPARISONS, start.compare),
    left: among("left", [...known], start.left),
    right: among("right", [...known], start.right),
    wipe: clamp(numberOr(query.get("wipe"), 50), 0, 100),
    measure: among("measure", state.data.measures.map(({ key }) => key), start.measure),
    zoom: clamp(numberOr(query.get("zoom"), 1), 1, MOST_ZOOM),
    x: clamp(numberOr(x ?? null, 0.5), 0, 1),
    y: clamp(numberOr(y ?? null, 0.5), 0, 1),
    speed: clamp(numberOr(query.get("speed"), 1), 0.25, 2),
    loop: query.get("loop") !== "no",
  };
}

/** The address of what is looked at; what is as it starts is not in it. */
function lookAddress() {
  const start = startOf(look.item);
  const query = new URLSearchParams();
  for (const key of ["frame", "compare", "left", "right", "measure", "speed"]) if (look[key] !== start[key]) query.set(key, look[key]);
  for (const [key, name] of [["layers", "layer"], ["sides", "side"]]) {
    if (same(look[key], start[key])) continue;
    for (const value of look[key]) query.append(name, value);
    if (!look[key].size) query.append(name, "");
  }
  if (look.wipe !== 50) query.set("wipe", String(Math.round(look.wipe)));
  if (!look.loop) query.set("loop", "no");
  if (look.zoom > 1) {
    query.set("zoom", String(Number(look.zoom.toFixed(2))));
    query.set("at", `${look.x.toFixed(3)},${look.y.toFixed(3)}`);
  }
  return `${itemAddress(look.item.id)}${[...query].length ? `?${query}` : ""}`;
}

/** Show what is looked at. */
function showLook() {
  for (const name of ["zoom", "x", "y"]) look.root.style.setProperty(`--${name}`, look[name]);
  look.root.classList.toggle("near", look.zoom > 1);
  for (const show of look.shows) show();
}

/** Look at something else; the address follows once things are quiet, since browsers count how often it changes. */
function setLook(changes) {
  Object.assign(look, changes);
  showLook();
  clearTimeout(look.writing);
  look.writing = setTimeout(writeLook, 200);
}

function writeLook() {
  clearTimeout(look.writing);
  look.writing = 0;
  if (!look.item || isPlaying()) return;
  const address = lookAddress();
  if (address === location.hash) return;
  history.replaceState(null, "", address);
  state.route = routeOf(address);
}

/** Turn to a frame; a turn goes round. */
function turn(frame) {
  setLook({ frame: ((frame % look.item.frames) + look.item.frames) % look.item.frames });
}

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

/** What a frame is called: its angle, or its time. */
function frameName(item, frame) {
  if (item.yaws) return `${Math.round(item.yaws[frame])}°`;
  return item.fps ? `${(frame / item.fps).toFixed(2)} s` : String(frame);
}

const frameWords = (item, frame) => `${item.fps ? "frame" : "view"} ${frame + 1} of ${item.frames}`;

function press(label, props = {}, ...children) {
  return h("button", { type: "button", title: label, "aria-label": label, ...props }, children);
}

/** Neighbour of the item in the gallery's order, or null at its end. */
function neighbour(step) {
  const at = state.shown.findIndex(({ id }) => id === look.item.id);
  return (at < 0 ? null : state.shown[at + step]) ?? null;
}

function toNeighbour(step) {
  const next = neighbour(step);
  if (!next) return;
  // What is being compared is kept, and where one is on the page, so that one can go through many in the same way.
  const [top, label, playing] = [scrollY, document.activeElement.getAttribute("aria-label"), isPlaying()];
  go(`${itemAddress(next.id)}${lookAddress().slice(itemAddress(look.item.id).length)}`, true);
  scrollTo(0, top);
  if (playing !== isPlaying()) togglePlay();
  say(next.id.slice(0, 100));
  focusOn(label);
}

/** Give the focus back to what is called so. */
function focusOn(label) {
  if (label) look.root.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus({ preventScroll: true });
}

/** The head anew, as what stands beside the item has become other. */
function showNeighbours() {
  const before = look.root.querySelector("header.head");
  const label = before.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
  before.replaceWith(head(look.item));
  focusOn(label);
}

function toGallery() {
  writeLook();
  go(state.list);
}

function head(item) {
  const at = state.shown.findIndex(({ id }) => id === item.id);
  const copy = press("Copy a link to what is seen now", { cls: "tool", onclick: () => copyText(new URL(lookAddress(), location.href).href, copy) }, icon("link"));
  const beside = (by, words, drawing) => press(words, { cls: "tool", disabled: !neighbour(by), onclick: () => toNeighbour(by) }, icon(drawing));
  return h(
    "header",
    { cls: "head" },
    h("a", { cls: "back", href: state.list }, icon("left"), "Gallery"),
    named(item.id, "h1", "name"),
    item.split ? named(item.split, "span", "name split") : null,
    saidOf(item).map((flag) => named(flag, "span", "name split")),
    item.warnings.length
      ? h("button", { type: "button", cls: "plain warned", onclick: () => look.root.querySelector(".warnings").scrollIntoView({ block: "center" }) }, icon("warning"), plural(item.warnings.length, "warning"))
      : null,
    h(
      "div",
      { cls: "tools" },
      at < 0 ? null : h("span", { cls: "soft" }, `${count(at + 1)} of ${count(state.shown.length)}`),
      beside(-1, `Previous ${noun()} (K)`, "left"),
      beside(1, `Next ${noun()} (J)`, "right"),
      copy,
      starButton(item),
    ),
  );
}

/** What an arrow does: turn, or with Shift move what is near. */
const arrow = (by, right, down) => (event) => {
  if (event.shiftKey && look.zoom > 1) setLook({ x: clamp(look.x + right, 0, 1), y: clamp(look.y + down, 0, 1) });
  else if (by) step(by);
  else return false;
};

const ACTIONS = {
  ArrowLeft: arrow(-1, -0.1, 0), ArrowRight: arrow(1, 0.1, 0), ArrowUp: arrow(0, 0, -0.1), ArrowDown: arrow(0, 0, 0.1),
  Home: () => step(-look.frame), End: () => step(look.item.frames - 1 - look.frame),
  ",": () => step(-1), ".": () => step(1), " ": () => togglePlay(),
  "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => zoomBy(0),
  j: () => toNeighbour(1), k: () => toNeighbour(-1), Escape: toGallery,
};

function lookKeys(event) {
  if (!look.item || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  if (target.closest("select, textarea, input:not([type=range])")) return;
  // What has the focus has its own use for some keys.
  if (/^(Arrow|Home|End)/.test(key) && target.closest("input, [role=slider]")) return;
  if (key === " " && target.closest("button, a, summary")) return;
  const before = look.frame;
  const act = ACTIONS[key.length === 1 ? key.toLowerCase() : key];
  if (!act || act(event) === false) return;
  event.preventDefault();
  if (look.item && look.frame !== before) say(`${frameName(look.item, look.frame)}, ${frameWords(look.item, look.frame)}`);
}

const KEYS = [
  ["← →, or , .", "turn by one"], ["Home, End", "first, last"], ["Space", "turn by itself, stop"], ["+ − 0", "nearer, farther, whole"], ["Shift and arrows", "where, when near"],
  ["J, K", "next, previous"], ["Esc", "back to the gallery"],
];

function openItem(main, route) {
  const item = state.byId.get(route.arg);
  if (!state.shown.length) choose(new URLSearchParams());
  Object.assign(look, { item: item ?? null, root: main, shows: [] });
  if (!item) {
    main.append(
      named(route.arg, "h1", "name"),
      h("p", { cls: "problem" }, `No ${noun()} of this name is in ${state.data.title}.`),
      h("p", {}, h("a", { href: "#gallery" }, "See all in the gallery")),
    );
    return;
  }
  Object.assign(look, readLook(item, route.query));
  main.append(
    ...[
      svgFilters(),
      head(item),
      stage(item),
      item.frames > 1 ? turner(item) : null,
      siblings(item),
      h("div", { cls: "close" }, contrast(item), h("div", {}, curves(item), about(item))),
      h("details", { cls: "keys" }, h("summary", {}, "Keys"), h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, key), h("dd", {}, what))))),
    ].filter(Boolean),
  );
  showLook();
  if (item.fps && !route.query.has("frame") && !calm.matches) togglePlay();
}

views.set("item", {
  show: openItem,
  update(route) {
    if (!look.item) return;
    clearTimeout(look.writing);
    stopPlay();
    Object.assign(look, readLook(look.item, route.query));
    showLook();
  },
  renew() {
    const now = state.byId.get(state.route.arg);
    choose(state.query);
    if (look.item && JSON.stringify(now) === JSON.stringify(look.item)) return showNeighbours();
    if (look.item) writeLook();
    this.hide();
    look.root.replaceChildren();
    openItem(look.root, state.route);
  },
  hide() {
    clearTimeout(look.writing);
    stopPlay();
    look.root.classList.remove("near");
    Object.assign(look, { item: null, shows: [] });
  },
});
document.addEventListener("keydown", lookKeys);
