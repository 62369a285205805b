// Which items are shown and in what order: functions of the document and of the address' query.

const WARNED = "has warnings";
const UNREADABLE = "pictures cannot be read";
const FACETS = [
  { key: "split", name: "Split", of: (item) => [item.split] },
  { key: "backend", name: "Made by", of: (item) => valuedSides().filter((side) => item.sides[side] && !item.sides[side].problem) },
  { key: "source", name: "Source", of: (item) => [item.credit ?? "not stated"] },
  { key: "license", name: "Licence", of: (item) => [item.license ?? "not stated"] },
  { key: "action", name: "Action", of: (item) => (item.action === null ? [] : [item.action]) },
  { key: "flag", name: "Flag", of: flagsOf },
];

function flagsOf(item) {
  const found = [];
  if (item.warnings.length) found.push(WARNED);
  if (Object.values(item.sides).some((side) => side.problem)) found.push(UNREADABLE);
  return found;
}

/** A function of one key that is computed once. */
function once(compute) {
  const found = new Map();
  return (key = null) => {
    if (!found.has(key)) found.set(key, compute(key));
    return found.get(key);
  };
}

/** Sides that have values of a measure, or of any, in order. */
const valuedSides = once((measure) => {
  const has = (side) => (measure === null ? Object.keys(side?.values ?? {}).length : side?.values?.[measure]);
  return state.data.sides.filter((name) => state.data.items.some((item) => has(item.sides[name])));
});

const known = (values) => (values ?? []).filter((value) => value !== null && value !== undefined);
const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);
const worst = (values, measure) => (values.length ? Math[measure.better === "low" ? "max" : "min"](...values) : null);
const sideMean = (item, measure, side) => mean(known(item.sides[side]?.values?.[measure]));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const short = (number) => Number(number.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 4 });

/** What items can be sorted by: key, name, value of an item, and the end that comes first by default. */
function orders() {
  const found = [{ key: "name", name: "Name", of: (item) => item.id, first: "low" }];
  for (const measure of state.data.measures) {
    const first = measure.better === "low" ? "high" : "low";
    const over = (item, sides, take) => sides.map((side) => take(known(item.sides[side]?.values?.[measure.key]))).filter((v) => v !== null);
    const least = (values) => worst(values, measure);
    found.push(
      { key: measure.key, name: measure.name, digits: measure.digits, first, of: (item, sides) => mean(over(item, sides, mean)) },
      { key: `worst-${measure.key}`, name: `Worst ${state.data.moving ? "frame" : "view"}, ${measure.name}`, digits: measure.digits, first, of: (item, sides) => least(over(item, sides, least)) },
    );
  }
  found.push({ key: "warnings", name: "Warnings", digits: 0, first: "high", of: (item) => item.warnings.length });
  for (const number of state.data.numbers) found.push({ ...number, name: capital(number.name), first: "high", of: (item) => item.numbers[number.key] ?? null });
  return found;
}

/** What the query asks for. */
function choiceOf(query) {
  const every = orders();
  const order = every.find((one) => one.key === (query.get("sort") ?? "name")) ?? every[0];
  const end = query.get("first");
  const asked = query.getAll("backend").filter((side) => state.data.sides.includes(side));
  return {
    words: (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean),
    facets: FACETS.map((facet) => [facet, new Set(query.getAll(facet.key))]).filter(([, wanted]) => wanted.size),
    order,
    first: end === "low" || end === "high" ? end : order.first,
    sides: asked.length ? asked : valuedSides(),
  };
}

const texts = new WeakMap();
/** The text that is searched. */
function textOf(item) {
  if (!texts.has(item)) {
    const parts = [item.id, item.character, item.action, item.license, item.credit, item.split, ...item.warnings];
    texts.set(item, parts.filter(Boolean).join("\n").toLowerCase());
  }
  return texts.get(item);
}

/** Names of the criteria that an item does not meet. */
function failed(item, choice) {
  const found = choice.words.every((word) => textOf(item).includes(word)) ? [] : ["q"];
  for (const [facet, wanted] of choice.facets) if (!facet.of(item).some((value) => wanted.has(value))) found.push(facet.key);
  return found;
}

/** Whether an item meets all criteria, or all but one. */
function chosen(item, choice, but = null) {
  const names = choice.failed.get(item);
  return names.length === 0 || (names.length === 1 && names[0] === but);
}

const collator = new Intl.Collator("en", { numeric: true });

/** The chosen items in order; those without a value come last, equal ones by name. */
function sorted(items, choice) {
  const values = new Map(items.map((item) => [item, choice.order.of(item, choice.sides)]));
  const sign = choice.first === "low" ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? collator.compare(x, y) : x - y);
  };
  return [...items].sort((a, b) => compare(a, b) || collator.compare(a.id, b.id));
}

function choose(query) {
  const choice = choiceOf(query);
  choice.failed = new Map(state.data.items.map((item) => [item, failed(item, choice)]));
  state.query = query;
  state.shown = sorted(state.data.items.filter((item) => chosen(item, choice)), choice);
  return choice;
}

/** The query with a value added, or taken away where it was there. */
function toggled(query, key, value) {
  const next = new URLSearchParams(query);
  const there = next.getAll(key);
  next.delete(key);
  for (const one of there) if (one !== value) next.append(key, one);
  if (!there.includes(value)) next.append(key, value);
  return next;
}

function replaced(query, key, value) {
  const next = new URLSearchParams(query);
  if (value === null || value === "") next.delete(key);
  else next.set(key, value);
  return next;
}

/** The query without anything that leaves items out. */
function unfiltered(query) {
  const next = new URLSearchParams(query);
  for (const key of ["q", ...FACETS.map((facet) => facet.key)]) next.delete(key);
  return next;
}

/** Go on in the same view with another query. */
const ask = (query, replace = false) => go(addressOf(state.route.name, query), replace);

/** The values of a facet with their counts, pressed to choose; nothing where there is no choice. */
function facet(one, choice, most = 8) {
  const wanted = new Set(state.route.query.getAll(one.key));
  const counts = new Map([...wanted].map((value) => [value, { all: 0, left: 0 }]));
  for (const item of state.data.items) {
    const left = chosen(item, choice, one.key);
    for (const value of one.of(item)) {
      const found = counts.get(value) ?? { all: 0, left: 0 };
      counts.set(value, { all: found.all + 1, left: found.left + left });
    }
  }
  if (!counts.size || (counts.size === 1 && one.key !== "flag" && !wanted.size)) return null;
  const every = [...counts].sort(([, a], [, b]) => b.all - a.all);
  const total = state.data.items.length;
  const row = ([value, { all, left }]) => {
    const props = { type: "button", cls: "value", "aria-pressed": String(wanted.has(value)), data: { focus: `${one.key} ${value}` }, style: { "--share": all / total, "--part": left / total } };
    const number = left === all ? count(all) : `${count(left)} of ${count(all)}`;
    return h("li", {}, h("button", { ...props, onclick: () => ask(toggled(state.route.query, one.key, value)) }, named(value), h("span", { cls: "number" }, number)));
  };
  const rest = every.slice(most);
  const more = rest.length ? h("details", { open: rest.some(([value]) => wanted.has(value)) }, h("summary", {}, `${count(rest.length)} more`), h("ul", { role: "list" }, rest.map(row))) : null;
  return h("section", { cls: "facet", "aria-label": one.name }, h("h3", {}, one.name), h("ul", { role: "list" }, every.slice(0, most).map(row)), more);
}

/** What leaves items out, each with a button that takes it back. */
function chips(choice) {
  const query = state.route.query;
  const chip = (label, next, key) => h("li", {}, h("button", { type: "button", cls: "chip", "aria-label": `Remove: ${label}`, data: { focus: `chip ${key}` }, onclick: () => ask(next) }, named(label), icon("close")));
  const found = choice.words.length ? [chip(`“${query.get("q")}”`, replaced(query, "q", null), "q")] : [];
  for (const [one, wanted] of choice.facets) for (const value of wanted) found.push(chip(`${one.name}: ${value}`, toggled(query, one.key, value), value));
  if (found.length > 1) found.push(h("li", {}, h("button", { type: "button", cls: "plain", data: { focus: "chip all" }, onclick: () => ask(unfiltered(query)) }, "clear all")));
  return found;
}

/** How many are shown of how many. */
function tally() {
  const [some, all] = [state.shown.length, state.data.items.length];
  return some === all ? plural(all, noun()) : `${count(some)} of ${plural(all, noun())}`;
}

const nothing = () => (state.data.items.length ? "Nothing matches all of this. " : "There is nothing to look at.");

/** Replace the children of a node; the focus stays on what has the same `data-focus`. */
function refill(node, ...children) {
  const focus = node.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  node.replaceChildren(...children.flat(9).filter(Boolean));
  if (focus === undefined) return;
  const again = [...node.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focus);
  (again ?? document.getElementById("main")).focus({ preventScroll: true });
}
