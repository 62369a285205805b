"use strict";

// What every view needs: the document, elements, the address, storage, announcements.

const state = {
  data: null,
  byId: new Map(),
  route: null,
  query: new URLSearchParams(),
  shown: [],
  selected: new Set(),
  list: "#gallery",
};
const views = new Map();
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** An element; `on…` props are listeners, `data`/`style` objects, false and null leave out; texts stay texts. */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key === "style") for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
    else if (key === "cls") node.className = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15V4h11",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  warning: "M12 4.5L2.8 20h18.4zM12 10v4.5M12 17.2v.3",
  filter: "M4 6h16M7 12h10M10 18h4",
};

/** A small drawing that says nothing to a screen reader. */
function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A text with its control characters made visible. */
const readable = (text) => text.replace(/[\0-\x1f\x7f]/g, (c) => (c === "\x7f" ? "␡" : String.fromCharCode(0x2400 + c.charCodeAt())));

/** A name or text from the data, which may be in any script and of any length. */
function named(text, tag = "span", cls = "name") {
  return h(tag, { cls, dir: "auto", title: readable(text.slice(0, 300)) }, readable(text));
}

const count = (number) => number.toLocaleString("en");
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
const fixed = (number, digits) => (number === null || number === undefined ? "–" : number.toFixed(digits));
const noun = () => (state.data.moving ? "clip" : "character");

/** A word as a POSIX shell takes it. */
const shellWord = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

let saying = 0;
/** Tell a screen reader, once things are quiet. */
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => {
    document.getElementById("said").textContent = text;
  }, 150);
}

async function copyText(text, button) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  say(done ? "Copied." : "This browser does not let a page copy: select the text instead.");
  button.classList.toggle("done", Boolean(done));
  setTimeout(() => button.classList.remove("done"), 1600);
}

const press = (label, props = {}, ...children) => h("button", { type: "button", title: label, "aria-label": label, ...props }, children);

/** A command or other text to take away: shown, copied by a button. */
function copyable(text, label = "Copy the command") {
  const button = press(label, { cls: "copy", onclick: () => copyText(text, button) }, icon("copy"));
  return h("div", { cls: "copyable" }, h("pre", { tabindex: "0", "aria-label": "command" }, h("code", {}, text)), button);
}

// The address: `#view/argument?query`. What one sees follows from it, so Back works.

function routeOf(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [name, ...rest] = path.split("/");
  let arg = rest.join("/");
  try {
    arg = decodeURIComponent(arg);
  } catch {
    // A percent sign that somebody typed stays one.
  }
  return { name: views.has(name) ? name : "overview", arg, query: new URLSearchParams(query), hash };
}

const addressOf = (name, query) => `#${name}${[...query].length ? `?${query}` : ""}`;
const itemAddress = (id) => `#/item/${encodeURIComponent(id)}`;

/** Go to an address; `replace` leaves no step to come back to, for what changes with each key pressed. */
function go(hash, replace = false) {
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  follow();
}

const places = new Map();
/** Show what the address says. */
function follow() {
  const route = routeOf(location.hash);
  const before = state.route;
  const same = before?.name === route.name && before.arg === route.arg;
  const view = views.get(route.name);
  leave();
  state.route = route;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.dataset.view === (route.name === "item" ? "gallery" : route.name);
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    // A choice made in one view holds in the other.
    const carried = ["overview", "gallery"].includes(route.name) && ["overview", "gallery"].includes(link.dataset.view);
    if (carried) link.href = addressOf(link.dataset.view, route.query);
  }
  if (same && view.update) return view.update(route);
  if (before) views.get(before.name).hide?.();
  if (before?.name === "gallery") state.list = before.hash;
  const main = document.getElementById("main");
  main.className = route.name;
  main.replaceChildren();
  view.show(main, route);
  const title = main.querySelector("h1")?.textContent ?? route.name;
  document.title = readable(`specsia: ${state.data.title.slice(0, 200)} – ${title.slice(0, 120)}`);
  if (!before) return;
  if (!view.back?.(before)) {
    scrollTo(0, places.get(route.hash) ?? 0);
    main.focus({ preventScroll: true });
  }
}

/** Remember how far down an address was read. */
function leave() {
  if (state.route && state.route.name !== "item") places.set(state.route.hash, scrollY);
}

function start() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  state.data = JSON.parse(document.getElementById("data").textContent);
  state.byId = new Map(state.data.items.map((item) => [item.id, item]));
  document.getElementById("lost").textContent = state.data.failures.length ? count(state.data.failures.length) : "";
  history.scrollRestoration = "manual";
  addEventListener("popstate", follow);
  addEventListener("scroll", leave, { passive: true });
  follow();
}
