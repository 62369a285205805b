// Pieces that several views show: histograms, facets, what is left out.

/** Go on in the same view with another query. */
const ask = (query, replace = false) => go(addressOf(state.route.name, query), replace);

const short = (number) => Number(number.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 4 });

/** One histogram whose bars choose items; what the other choices leave is drawn over what there is. */
function histogram(figure, choice) {
  const pressed = new Set((choice.bars.get(figure.id) ?? []).map((bar) => bar.text));
  const counts = figure.bins.map((bin) => ({ ...bin, all: 0, left: 0 }));
  const [from, wide] = [counts[0].low, counts[0].high - counts[0].low];
  state.data.items.forEach((item, k) => {
    const value = figure.values[k];
    if (value === null) return;
    const near = Math.floor((value - from) / wide);
    const bin = [counts[near], counts[near + 1], counts[near - 1]].find((one) => one && within(value, one));
    bin.all += 1;
    if (chosen(item, choice, figure.id)) bin.left += 1;
  });
  const most = Math.max(...counts.map((bin) => bin.all));
  const bars = counts.map((bin) => {
    const text = barText(bin.low, bin.high, figure.key, figure.side);
    const label = `${short(bin.low)} to ${short(bin.high)}: ${plural(bin.all, noun())}`;
    return h(
      "button",
      {
        type: "button",
        cls: "bin",
        "aria-pressed": String(pressed.has(text)),
        "aria-label": bin.left === bin.all ? label : `${label}, ${count(bin.left)} shown`,
        title: label,
        disabled: bin.all === 0,
        tabindex: "-1",
        data: { focus: `bar ${text}` },
        style: { "--all": bin.all / most, "--left": bin.left / most },
        onclick: () => ask(toggled(state.route.query, "bar", text)),
      },
      h("span", { cls: "all" }),
      h("span", { cls: "left" }),
    );
  });
  // One stop for the Tab key; the arrows lead from bar to bar.
  const open = bars.filter((bar) => !bar.disabled);
  (open.find((bar) => bar.getAttribute("aria-pressed") === "true") ?? open[0]).tabIndex = 0;
  const step = (event) => {
    const at = open.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: open.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    open[Math.min(open.length - 1, Math.max(0, to))].focus();
  };
  return h(
    "figure",
    {
      onkeydown: step,
      cls: `histogram${pressed.size ? " pressed" : ""}`,
      role: "group",
      "aria-label": `Histogram: ${figure.title}`,
    },
    h(
      "figcaption",
      { title: figure.note ?? "" },
      named(figure.title, "b", "name"),
      pressed.size ? clearBars(figure, pressed) : null,
    ),
    h("div", { cls: "bins" }, bars),
    h(
      "div",
      { cls: "ends", "aria-hidden": "true" },
      h("span", {}, short(counts[0].low)),
      h("span", {}, short(counts.at(-1).high)),
    ),
  );
}

function clearBars(figure, pressed) {
  const clear = () => {
    const next = new URLSearchParams(state.route.query);
    next.delete("bar");
    for (const text of state.route.query.getAll("bar")) if (!pressed.has(text)) next.append("bar", text);
    ask(next);
  };
  return h("button", { type: "button", cls: "plain", "aria-label": `Clear ${figure.title}`, onclick: clear }, "clear");
}

/** The values of a facet with how many there are, pressed to choose; nothing where there is no choice. */
function facet(one, choice, most = 8) {
  const wanted = new Set(state.route.query.getAll(one.key));
  const counts = new Map();
  for (const item of state.data.items) {
    const left = chosen(item, choice, one.key);
    for (const value of one.of(item)) {
      const found = counts.get(value) ?? { all: 0, left: 0 };
      counts.set(value, { all: found.all + 1, left: found.left + left });
    }
  }
  for (const value of wanted) if (!counts.has(value)) counts.set(value, { all: 0, left: 0 });
  if (!counts.size || (counts.size === 1 && one.key !== "flag" && !wanted.size)) return null;
  const every = [...counts].sort(([, a], [, b]) => b.all - a.all);
  const row = ([value, found]) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          cls: "value",
          "aria-pressed": String(wanted.has(value)),
          data: { focus: `${one.key} ${value}` },
          style: { "--share": found.all / state.data.items.length, "--part": found.left / state.data.items.length },
          onclick: () => ask(toggled(state.route.query, one.key, value)),
        },
        named(value),
        h(
          "span",
          { cls: "number" },
          found.left === found.all ? count(found.all) : `${count(found.left)} of ${count(found.all)}`,
        ),
      ),
    );
  const rest = every.slice(most);
  return h(
    "section",
    { cls: "facet", "aria-label": one.name },
    h("h3", {}, one.name),
    h("ul", { role: "list" }, every.slice(0, most).map(row)),
    rest.length
      ? h(
          "details",
          { open: rest.some(([value]) => wanted.has(value)) },
          h("summary", {}, `${count(rest.length)} more`),
          h("ul", { role: "list" }, rest.map(row)),
        )
      : null,
  );
}

/** What leaves items out, each with a button that takes it back. */
function chips(choice) {
  const query = state.route.query;
  const chip = (label, next, key) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          cls: "chip",
          "aria-label": `Remove: ${label}`,
          data: { focus: `chip ${key}` },
          onclick: () => ask(next),
        },
        named(label),
        icon("close"),
      ),
    );
  const found = [];
  if (choice.words.length) found.push(chip(`“${query.get("q")}”`, replaced(query, "q", null), "q"));
  for (const [one, wanted] of choice.facets) {
    for (const value of wanted) found.push(chip(`${one.name}: ${value}`, toggled(query, one.key, value), value));
  }
  for (const bars of choice.bars.values()) {
    for (const bar of bars) {
      const measure = [...state.data.measures, ...state.data.numbers].find((m) => m.key === bar.key);
      const name = `${measure?.name ?? bar.key}${bar.side === null ? "" : `, ${bar.side}`}`;
      found.push(chip(`${name}: ${short(bar.low)} to ${short(bar.high)}`, toggled(query, "bar", bar.text), bar.text));
    }
  }
  if (found.length < 2) return found;
  const all = h(
    "button",
    { type: "button", cls: "plain", data: { focus: "chip all" }, onclick: () => ask(unfiltered(query)) },
    "clear all",
  );
  return [...found, h("li", {}, all)];
}

/** How many are shown of how many. */
function tally() {
  const [some, all] = [state.shown.length, state.data.items.length];
  return some === all ? plural(all, noun()) : `${count(some)} of ${plural(all, noun())}`;
}

/** Why no item is shown. */
const nothing = () => (state.data.items.length ? "Nothing matches all of this. " : "There is nothing to look at.");

/**
 * Replace what a node shows; the focus stays where it was, or on what takes the place of what had it.
 *
 * A function among the children is called last: it may use elements again that the node shows now.
 */
function refill(node, ...children) {
  const active = node.contains(document.activeElement) ? document.activeElement : null;
  const built = children.flat(9).map((child) => (typeof child === "function" ? child() : child));
  node.replaceChildren(...built.filter(Boolean));
  if (node.contains(active)) active.focus({ preventScroll: true });
  const focus = active?.dataset.focus;
  if (focus === undefined || node.contains(active)) return;
  const again = [...node.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focus);
  (again ?? document.getElementById("main")).focus({ preventScroll: true });
}

/** Escape takes back the bars that are pressed. */
function clearOnEscape(event) {
  if (event.key !== "Escape" || event.defaultPrevented || !state.route.query.has("bar")) return;
  const next = new URLSearchParams(state.route.query);
  next.delete("bar");
  ask(next);
}
