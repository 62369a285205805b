// The overview, the gallery with its selection, and the failures.

const FEW = 8;
const OPEN = 2;
const AT_ONCE = 120;
const EXCLUSIONS = "exclude.txt";

const figureTile = (name, value, note = null) => h("div", { cls: "tile" }, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));

function tiles() {
  const { items, failures, moving, measures } = state.data;
  const found = [figureTile(moving ? "clips" : "characters", count(items.length))];
  if (moving) found.push(figureTile("characters", count(new Set(items.map((item) => item.character)).size)));
  found.push(figureTile(moving ? "frames" : "views", count(items.reduce((sum, item) => sum + item.frames, 0))));
  for (const measure of measures.slice(0, 1)) {
    for (const side of valuedSides(measure.key)) {
      const value = mean(items.map((item) => sideMean(item, measure.key, side)).filter((v) => v !== null));
      found.push(figureTile(`mean ${measure.name}`, fixed(value, measure.digits), side));
    }
  }
  const warned = items.filter((item) => item.warnings.length).length;
  if (warned) found.push(figureTile("with warnings", h("a", { href: addressOf("gallery", new URLSearchParams({ flag: WARNED })) }, count(warned))));
  if (failures.length) found.push(figureTile("failed", h("a", { href: "#failures" }, count(failures.length))));
  return h("dl", { cls: "tiles" }, found);
}

/** What a complete run would have besides, and the command that continues it. */
function lacking() {
  const { missing, go_on: goOn } = state.data;
  if (!missing.length) return null;
  return h("div", { cls: "note" }, h("ul", {}, missing.map((sentence) => h("li", { dir: "auto" }, readable(sentence)))), goOn ? copyable(goOn) : null);
}

/** All that depends on the choice: some of the chosen items, and the facets. */
function showSpread() {
  const choice = choose(state.route.query);
  const few = Math.min(FEW, state.shown.length);
  // Spread over all of them, so that neighbours alike do not stand for the rest.
  const some = Array.from({ length: few }, (_, k) => state.shown[Math.floor((k * state.shown.length) / few)]);
  const which = state.shown.length === state.data.items.length ? "all" : "these";
  refill(
    document.getElementById("spread"),
    h(
      "div",
      { cls: "tally" },
      h("p", { id: "count" }, tally()),
      h("ul", { cls: "chips", role: "list", "aria-label": "Filters" }, chips(choice)),
      h("a", { cls: "more", href: addressOf("gallery", state.route.query) }, `Look through ${which} in the gallery →`),
    ),
    some.length ? h("ul", { cls: "few", role: "list" }, some.map((item) => cardOf(item, choice, null))) : h("p", { cls: "empty" }, nothing()),
    h("div", { cls: "facets" }, FACETS.map((one) => facet(one, choice, 5))),
  );
}

views.set("overview", {
  show(main) {
    const { title, lead, sections } = state.data;
    const details = sections.map((one, k) => {
      const body = h("div", { cls: "made" });
      // Written by the program that made the page, which escapes what comes from data.
      body.innerHTML = one.html;
      return h("details", { id: `section-${one.anchor}`, open: k < OPEN }, h("summary", {}, h("h2", {}, one.title)), body);
    });
    const heading = h("h1", { dir: "auto", title: readable(title.slice(0, 300)) }, readable(title));
    main.append(...[heading, h("p", { cls: "lead", dir: "auto" }, readable(lead)), tiles(), lacking(), h("div", { id: "spread" }), h("div", { id: "sections" }, details)].filter(Boolean));
    showSpread();
  },
  update() {
    showSpread();
    say(tally());
  },
});

// The gallery: cards are added as one scrolls towards them.

const gallery = { grid: null, choice: null, last: null, more: null };

function addCards(all = false) {
  const { grid, choice } = gallery;
  const from = grid.children.length;
  const next = state.shown.slice(from, all ? undefined : from + AT_ONCE);
  grid.append(...next.map((item) => cardOf(item, choice, state.route.query.get("show"), (event) => pick(item, event))));
  for (const card of [...grid.children].slice(from)) markSelected(card);
}

function markSelected(card) {
  const on = state.selected.has(card.dataset.id);
  card.classList.toggle("selected", on);
  card.querySelector("input").checked = on;
}

/** Select an item; with Shift all from the one before to it. */
function pick(item, event) {
  const ids = state.shown.map((one) => one.id);
  const [from, to] = [ids.indexOf(gallery.last), ids.indexOf(item.id)];
  gallery.last = item.id;
  select(event.shiftKey && from >= 0 ? ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [item.id], event.target.checked);
}

function select(ids, on) {
  for (const id of ids) on ? state.selected.add(id) : state.selected.delete(id);
  for (const card of gallery.grid.children) markSelected(card);
  showDock();
  say(`${plural(state.selected.size, noun())} selected`);
}

function toolbar() {
  const query = state.route.query;
  const words = "Search names, warnings, licences";
  const search = h("input", {
    type: "search", id: "search", placeholder: words, "aria-label": words, autocomplete: "off", spellcheck: "false", value: query.get("q") ?? "",
    oninput: () => ask(replaced(state.route.query, "q", search.value), true),
    onkeydown: (event) => {
      if (event.key !== "Escape" || !search.value) return;
      event.preventDefault();
      search.value = "";
      ask(replaced(state.route.query, "q", null), true);
    },
  });
  const sort = () => ask(replaced(replaced(state.route.query, "sort", order.value), "first", null));
  const order = h("select", { id: "order", onchange: sort }, orders().map((one) => h("option", { value: one.key }, one.name)));
  const flip = () => ask(replaced(state.route.query, "first", gallery.choice.first === "low" ? "high" : "low"));
  const makers = state.data.sides.filter((side) => valuedSides().includes(side) || state.data.items.some((item) => item.sides[side] && !isTarget(item.sides[side])));
  const show = h("select", { id: "show", onchange: () => ask(replaced(state.route.query, "show", show.value === makers[0] ? null : show.value)) }, makers.map((side) => h("option", { value: side }, side.slice(0, 60))));
  const open = () => {
    const on = document.getElementById("choices").classList.toggle("open");
    filters.setAttribute("aria-expanded", String(on));
  };
  const filters = h("button", { type: "button", id: "filters", "aria-expanded": "false", "aria-controls": "choices", onclick: open }, icon("filter"), "Filters", h("span", { cls: "badge" }));
  return h(
    "div",
    { cls: "toolbar", role: "search", "aria-label": "Gallery" },
    search,
    h("label", { cls: "pair" }, h("span", {}, "Sort"), order),
    h("button", { type: "button", id: "end", onclick: flip }),
    makers.length > 1 ? h("label", { cls: "pair" }, h("span", {}, "Beside Y*"), show) : null,
    filters,
  );
}

function showGallery() {
  const choice = (gallery.choice = choose(state.route.query));
  const query = state.route.query;
  const search = document.getElementById("search");
  if (document.activeElement !== search) search.value = query.get("q") ?? "";
  document.getElementById("order").value = choice.order.key;
  const up = choice.first === "low";
  const [low, high] = choice.order.key === "name" ? ["A to Z", "Z to A"] : ["lowest first", "highest first"];
  document.getElementById("end").replaceChildren(icon(up ? "up" : "down"), up ? low : high);
  const show = document.getElementById("show");
  if (show && query.get("show")) show.value = query.get("show");
  document.querySelector("#filters .badge").textContent = choice.facets.length ? count(choice.facets.length) : "";
  refill(document.getElementById("chips"), chips(choice));
  document.getElementById("count").textContent = tally();
  const every = document.getElementById("every");
  every.disabled = !state.shown.length;
  every.textContent = `Select ${state.shown.length === state.data.items.length ? "all" : "these"} ${count(state.shown.length)}`;
  refill(document.getElementById("choices"), h("h2", { cls: "unseen" }, "Filters"), FACETS.map((one) => facet(one, choice)));
  const empty = document.getElementById("empty");
  empty.hidden = state.shown.length > 0;
  refill(empty, nothing(), state.data.items.length > 0 && h("button", { type: "button", cls: "plain", onclick: () => ask(unfiltered(state.route.query)) }, "Clear the filters"));
  gallery.grid.replaceChildren();
  addCards();
  showDock();
}

views.set("gallery", {
  show(main) {
    gallery.grid = h("ul", { cls: "grid", role: "list", "aria-label": state.data.moving ? "Clips" : "Characters" });
    const end = h("div", { "aria-hidden": "true" });
    const every = h("button", { type: "button", cls: "plain", id: "every", onclick: () => select(state.shown.map((item) => item.id), true) });
    const shownOf = h("div", { cls: "tally" }, h("p", { id: "count" }), h("ul", { id: "chips", cls: "chips", role: "list", "aria-label": "Filters" }), every);
    const found = h("div", { cls: "found" }, shownOf, gallery.grid, end, h("p", { id: "empty", cls: "empty", hidden: true }));
    main.append(h("h1", {}, "Gallery"), toolbar(), h("div", { cls: "browse" }, h("aside", { id: "choices", cls: "choices", "aria-label": "Filters" }), found), h("section", { id: "dock", cls: "dock", "aria-label": "Selection", hidden: true }));
    showGallery();
    gallery.more = new IntersectionObserver(([seen]) => seen.isIntersecting && addCards(), { rootMargin: "900px" });
    gallery.more.observe(end);
  },
  update() {
    const top = gallery.grid.getBoundingClientRect().top;
    showGallery();
    if (top < 0) document.querySelector(".browse").scrollIntoView({ block: "start" });
    say(tally());
  },
  hide() {
    gallery.more.disconnect();
    gallery.grid = null;
  },
  /** From an item's page back to its card. */
  back(before) {
    if (before.name !== "item") return false;
    const at = state.shown.findIndex((item) => item.id === before.arg);
    while (gallery.grid.children.length <= at) addCards();
    scrollTo(0, places.get(state.route.hash) ?? 0);
    (gallery.grid.children[at]?.querySelector("a") ?? document.getElementById("main")).focus({ preventScroll: true });
    return true;
  },
});
addEventListener("beforeprint", () => {
  if (gallery.grid) addCards(true);
  for (const one of document.querySelectorAll("main details")) one.open = true;
});
document.addEventListener("keydown", (event) => {
  if (!gallery.grid || event.key !== "/" || event.target.closest("input[type=search], select, textarea")) return;
  event.preventDefault();
  document.getElementById("search").focus();
});

/** How a selection is left out: the file of ids, and the command or the Python that reads it. */
function leavingOut() {
  const { root, go_on: goOn, kind, moving, sides } = state.data;
  if (kind !== "dataset") return `${goOn ?? `specsia ${moving ? "clips" : "build"} SOURCE --out DIR`} --exclude ${EXCLUSIONS}`;
  const makers = sides.slice(1);
  const loaded = [root, ...(makers.length > 1 ? makers.slice(0, 1) : [])].map((word) => JSON.stringify(word)).join(", ");
  return [
    "from datasets import load_dataset",
    `names = set(open("${EXCLUSIONS}", encoding="utf-8").read().split("\\n"))`,
    `pairs = load_dataset(${loaded})`,
    'pairs = pairs.filter(lambda uid: uid.rpartition("_")[0] not in names, input_columns="uid")',
  ].join("\n");
}

function download(name, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(`${name} is saved.`);
}

function showDock() {
  const node = document.getElementById("dock");
  const selected = state.data.items.filter((item) => state.selected.has(item.id));
  node.hidden = !selected.length;
  document.body.classList.toggle("docked", selected.length > 0);
  if (!selected.length) return node.replaceChildren();
  const idOf = (item) => (state.data.kind === "dataset" ? item.id : item.character);
  const ids = new Set(selected.map(idOf));
  const others = new Set(state.data.items.map(idOf).filter((id) => !ids.has(id)));
  const lines = (some) => [...some].map((id) => `${id}\n`).join("");
  // A repair has no source that drawings could be left out of.
  const leaves = state.data.kind !== "repair";
  const button = (name, focus, onclick) => h("button", { type: "button", cls: "tab", data: { focus }, onclick }, name);
  refill(
    node,
    h(
      "div",
      { cls: "line" },
      h("p", {}, h("b", {}, `${count(selected.length)} selected`)),
      h(
        "div",
        { cls: "tabs", role: "group", "aria-label": "Save a list" },
        leaves && button(`Save ${EXCLUSIONS} to leave them out`, "out", () => download(EXCLUSIONS, lines(ids))),
        leaves && button("… to keep only them", "only", () => download(EXCLUSIONS, lines(others))),
        button("Save ids.txt", "ids", () => download("ids.txt", lines(selected.map((item) => item.id)))),
      ),
      h("button", { type: "button", cls: "plain", data: { focus: "clear" }, onclick: () => select([...state.selected], false) }, "clear"),
    ),
    leaves && h("div", { cls: "action" }, copyable(leavingOut())),
  );
}

// Failures, those of one kind together, with the command that fixes them.

const MANY = 12;

function failureKinds() {
  const kinds = new Map();
  for (const one of state.data.failures) {
    const reason = one.reason.replace(/(["'“`]).*?["'”`]/g, "…").replace(/\d+(\.\d+)?/g, "#").slice(0, 300);
    const kind = [one.stage, one.backend, one.command, reason].join("\n");
    kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
  }
  return [...kinds.values()].sort((a, b) => b.length - a.length);
}

function lostOne(one, alone) {
  const picture = one.strip ? h("div", { cls: "picture" }, stripView(one.strip, one.frames, 0, `Pictures of ${one.key.slice(0, 100)}`)) : null;
  const reason = alone ? null : h("p", { dir: "auto", cls: "reason" }, readable(one.reason));
  const details = one.details ? h("p", { cls: "hint" }, "more in ", h("code", {}, one.details)) : null;
  return h("li", { cls: "lost" }, picture, h("div", {}, named(one.key, "b"), reason, details));
}

function failureGroup(group) {
  const [first] = group;
  const alike = group.every((one) => one.reason === first.reason);
  const list = (some) => h("ul", { cls: "losts", role: "list" }, some.map((one) => lostOne(one, alike)));
  return h(
    "section",
    { cls: "failure" },
    h("p", { cls: "where" }, named([first.stage, first.backend].filter(Boolean).join(", ")), h("span", { cls: "number" }, `× ${count(group.length)}`)),
    h("h2", { dir: "auto" }, readable(first.reason)),
    list(group.slice(0, MANY)),
    group.length > MANY ? h("details", {}, h("summary", {}, `${count(group.length - MANY)} more`), list(group.slice(MANY))) : null,
    first.command ? copyable(first.command) : null,
  );
}

views.set("failures", {
  show(main) {
    const kinds = failureKinds();
    const total = state.data.failures.length;
    main.append(h("h1", {}, "Failures"), h("p", { cls: "lead" }, total ? `${plural(total, "failure")} of ${plural(kinds.length, "kind")}.` : "Nothing failed."), ...kinds.map(failureGroup));
  },
});
