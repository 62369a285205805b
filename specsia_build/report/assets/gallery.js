// The gallery: all chosen items as cards, of which only those near the window are there.

const gallery = { grid: null, cards: new Map(), columns: 1, width: 0, height: 0, choice: null, look: null, last: null };
const GAP = 14;
const NEAR = 900;

function leastWidth() {
  return innerWidth < 640 ? 150 : 190;
}

/** How many columns there are, and how large a card is; measured on one. */
function measureGrid() {
  const wide = gallery.grid.clientWidth;
  gallery.columns = Math.max(1, Math.floor((wide + GAP) / (leastWidth() + GAP)));
  gallery.width = (wide - GAP * (gallery.columns - 1)) / gallery.columns;
  gallery.grid.style.setProperty("--card", `${gallery.width}px`);
  if (!state.shown.length) return;
  const probe = cardOf({ ...state.shown[0], sides: {}, id: "probe" }, gallery.choice, null);
  const lines = scores(state.shown[0], gallery.choice);
  probe.querySelector(".scores")?.remove();
  if (lines) probe.append(lines);
  probe.style.visibility = "hidden";
  gallery.grid.append(probe);
  gallery.height = probe.offsetHeight;
  probe.remove();
}

/** Put cards where they are seen, or soon will be, and take away the others, pictures and all. */
function place(all = false) {
  const { grid, cards, columns, width, height } = gallery;
  if (!grid?.isConnected) return;
  const rows = Math.ceil(state.shown.length / columns);
  grid.style.height = rows ? `${rows * (height + GAP) - GAP}px` : "";
  const top = grid.getBoundingClientRect().top;
  const first = all ? 0 : Math.max(0, Math.floor((-top - NEAR) / (height + GAP)) * columns);
  const last = all ? Infinity : Math.ceil((innerHeight - top + NEAR) / (height + GAP)) * columns;
  const wanted = new Map(state.shown.slice(first, last).map((item, k) => [item.id, first + k]));
  const focused = document.activeElement?.closest?.(".card")?.dataset.id;
  if (focused !== undefined && cards.has(focused) && !wanted.has(focused)) {
    const at = state.shown.findIndex((item) => item.id === focused);
    if (at >= 0) wanted.set(focused, at);
  }
  for (const [id, card] of cards) {
    if (wanted.has(id)) continue;
    card.remove();
    cards.delete(id);
  }
  let before = null;
  for (const [id, at] of [...wanted].sort(([, a], [, b]) => a - b)) {
    const card = cards.get(id) ?? made(state.byId.get(id));
    cards.set(id, card);
    card.style.transform = `translate(${(at % columns) * (width + GAP)}px, ${Math.floor(at / columns) * (height + GAP)}px)`;
    card.setAttribute("aria-posinset", at + 1);
    card.setAttribute("aria-setsize", state.shown.length);
    // In the order they are read; one that is in its place already is not moved, so that it keeps the focus.
    if (before ? before.nextSibling !== card : grid.firstChild !== card)
      grid.insertBefore(card, before ? before.nextSibling : grid.firstChild);
    before = card;
  }
}

function made(item) {
  const card = cardOf(item, gallery.choice, state.route.query.get("show"), (event) => pick(item, event));
  card.dataset.id = item.id;
  card.item = JSON.stringify(item);
  markSelected(card);
  return card;
}

function markSelected(card) {
  const on = state.selected.has(card.dataset.id);
  card.classList.toggle("selected", on);
  card.querySelector("input").checked = on;
}

/** Select an item; with Shift all from the one before to it. */
function pick(item, event) {
  const on = event.target.checked;
  const ids = state.shown.map((one) => one.id);
  const [from, to] = [ids.indexOf(gallery.last), ids.indexOf(item.id)];
  const range = event.shiftKey && from >= 0 ? ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [item.id];
  gallery.last = item.id;
  select(range, on);
}

function select(ids, on) {
  for (const id of ids) {
    if (on) state.selected.add(id);
    else state.selected.delete(id);
  }
  for (const card of gallery.cards.values()) markSelected(card);
  showDock();
  say(`${plural(state.selected.size, noun())} selected`);
}

/** Cards anew, as after another choice, order or window. */
function lay(keep = false) {
  if (!keep) {
    for (const card of gallery.cards.values()) card.remove();
    gallery.cards.clear();
  }
  measureGrid();
  place();
}

function toolbar() {
  const query = state.route.query;
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search names, warnings, licences",
    "aria-label": "Search names, warnings, licences",
    autocomplete: "off",
    spellcheck: "false",
    value: query.get("q") ?? "",
    oninput: () => ask(replaced(state.route.query, "q", search.value), true),
    onkeydown: (event) => {
      if (event.key !== "Escape" || !search.value) return;
      event.preventDefault();
      search.value = "";
      ask(replaced(state.route.query, "q", null), true);
    },
  });
  const order = h(
    "select",
    { id: "order", onchange: () => ask(replaced(replaced(state.route.query, "sort", order.value), "first", null)) },
    orders().map((one) => h("option", { value: one.key }, one.name)),
  );
  const end = h("button", {
    type: "button",
    cls: "end",
    id: "end",
    onclick: () => ask(replaced(state.route.query, "first", gallery.choice.first === "low" ? "high" : "low")),
  });
  const show = h(
    "select",
    {
      id: "show",
      onchange: () => ask(replaced(state.route.query, "show", show.value === state.data.sides[0] ? null : show.value)),
    },
    state.data.sides.map((side) => h("option", { value: side }, side.slice(0, 60))),
  );
  const filters = h(
    "button",
    {
      type: "button",
      id: "filters",
      "aria-expanded": "false",
      "aria-controls": "choices",
      onclick: () => openFilters(filters.getAttribute("aria-expanded") !== "true"),
    },
    icon("filter"),
    "Filters",
    h("span", { cls: "badge" }),
  );
  return h(
    "div",
    { cls: "toolbar", role: "search", "aria-label": "Gallery" },
    search,
    h("label", { cls: "pair" }, h("span", {}, "Sort"), order),
    end,
    state.data.sides.length > 1 ? h("label", { cls: "pair" }, h("span", {}, "Picture"), show) : null,
    filters,
  );
}

function openFilters(open) {
  document.getElementById("filters").setAttribute("aria-expanded", String(open));
  document.getElementById("choices").classList.toggle("open", open);
  lay(true);
}

/** All that follows from the query but the cards. */
function showChoice() {
  const { choice } = gallery;
  const query = state.route.query;
  const search = document.getElementById("search");
  if (document.activeElement !== search) search.value = query.get("q") ?? "";
  document.getElementById("order").value = choice.order.key;
  const up = choice.first === "low";
  const words = choice.order.key === "name" ? ["A to Z", "Z to A"] : ["lowest first", "highest first"];
  const end = document.getElementById("end");
  end.replaceChildren(icon(up ? "up" : "down"), up ? words[0] : words[1]);
  const show = document.getElementById("show");
  if (show) show.value = query.get("show") ?? state.data.sides[0];
  const filtering = choice.facets.length + choice.bars.size;
  document.querySelector("#filters .badge").textContent = filtering ? count(filtering) : "";
  refill(document.getElementById("chips"), chips(choice));
  document.getElementById("count").textContent = tally();
  const every = document.getElementById("every");
  every.disabled = !state.shown.length;
  every.textContent = `Select ${state.shown.length === state.data.items.length ? "all" : "these"} ${count(state.shown.length)}`;
  refill(
    document.getElementById("choices"),
    h("h2", { cls: "unseen" }, "Filters"),
    FACETS.map((one) => facet(one, choice)),
    histograms().map((figure) => histogram(figure, choice)),
  );
  const empty = document.getElementById("empty");
  empty.hidden = state.shown.length > 0;
  const clear = () => ask(unfiltered(state.route.query));
  const more = state.data.items.length > 0;
  refill(empty, nothing(), more && h("button", { type: "button", cls: "plain", onclick: clear }, "Clear the filters"));
}

function showGallery() {
  gallery.choice = choose(state.route.query);
  showChoice();
  const { order, sides } = gallery.choice;
  const look = JSON.stringify([order.key, sides, state.route.query.get("show")]);
  lay(look === gallery.look);
  gallery.look = look;
  showDock();
}

views.set("gallery", {
  show(main) {
    gallery.grid = h("ul", { cls: "grid", role: "list", "aria-label": state.data.moving ? "Clips" : "Characters" });
    main.append(
      h("h1", {}, "Gallery"),
      toolbar(),
      h(
        "div",
        { cls: "browse" },
        h("aside", { id: "choices", cls: "choices", "aria-label": "Filters" }),
        h(
          "div",
          { cls: "found" },
          h(
            "div",
            { cls: "tally" },
            h("p", { id: "count" }),
            h("ul", { id: "chips", cls: "chips", role: "list", "aria-label": "What is filtered by" }),
            h("button", {
              type: "button",
              cls: "plain",
              id: "every",
              onclick: () =>
                select(
                  state.shown.map((item) => item.id),
                  true,
                ),
            }),
          ),
          gallery.grid,
          h("p", { id: "empty", cls: "empty", hidden: true }),
        ),
      ),
      h("section", { id: "dock", cls: "dock", "aria-label": "Selection", hidden: true }),
    );
    showGallery();
  },
  update() {
    const before = document.getElementById("count").textContent;
    const top = gallery.grid.getBoundingClientRect().top;
    showGallery();
    if (top < 0) document.querySelector(".browse").scrollIntoView({ block: "start" });
    place();
    if (before !== document.getElementById("count").textContent) say(tally());
  },
  renew() {
    gallery.choice = choose(state.route.query);
    showChoice();
    for (const [id, card] of gallery.cards) {
      if (card.item === JSON.stringify(state.byId.get(id))) continue;
      card.remove();
      gallery.cards.delete(id);
    }
    lay(true);
    showDock();
  },
  hide() {
    gallery.cards.clear();
    gallery.look = null;
    gallery.grid = null;
  },
  /** From a character's page back to its card. */
  back(before) {
    if (before.name !== "item") return false;
    scrollTo(0, places.get(state.route.hash) ?? 0);
    place();
    const card = gallery.cards.get(before.arg);
    if (card) card.querySelector("a").focus({ preventScroll: true });
    else document.getElementById("main").focus({ preventScroll: true });
    return true;
  },
});

let placing = false;
addEventListener(
  "scroll",
  () => {
    if (placing || !gallery.grid) return;
    placing = true;
    requestAnimationFrame(() => {
      placing = false;
      place();
    });
  },
  { passive: true },
);
addEventListener("resize", () => gallery.grid && lay(true));
addEventListener("beforeprint", () => gallery.grid && place(true));
addEventListener("afterprint", () => gallery.grid && place());
document.addEventListener("starred", () => {
  if (!gallery.grid) return;
  const filtered = state.route.query.getAll("flag").length;
  gallery.choice = choose(state.route.query);
  showChoice();
  if (filtered) lay();
});
document.addEventListener("keydown", (event) => {
  if (!gallery.grid) return;
  const typing = event.target.closest("input[type=search], select, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    document.getElementById("search").focus();
  } else if (event.key === "Escape") clearOnEscape(event);
});
