// The overview: what it is, how much of it there is, how its figures are spread.

const FEW = 12;
const OPEN = 2;

/** A number with its name. */
const figureTile = (name, value, note = null) =>
  h("div", { cls: "tile" }, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));

function tiles() {
  const { items, failures, moving } = state.data;
  const found = [figureTile(moving ? "clips" : "characters", count(items.length))];
  if (moving) found.push(figureTile("characters", count(new Set(items.map((item) => item.character)).size)));
  const pictures = items.reduce((sum, item) => sum + item.frames, 0);
  found.push(figureTile(moving ? "frames" : "views", count(pictures)));
  for (const measure of summedUp()) {
    for (const side of valuedSides(measure.key)) {
      const value = mean(items.map((item) => sideMean(item, measure.key, side)).filter((v) => v !== null));
      found.push(figureTile(`mean ${measure.name}`, fixed(value, measure.digits), side));
    }
  }
  const warned = items.filter((item) => item.warnings.length).length;
  if (warned)
    found.push(
      figureTile(
        "with warnings",
        h("a", { href: addressOf("gallery", new URLSearchParams({ flag: WARNED })) }, count(warned)),
      ),
    );
  if (failures.length) found.push(figureTile("failed", h("a", { href: "#failures" }, count(failures.length))));
  return h("dl", { cls: "tiles" }, found);
}

/** What a complete one would have besides, and the command that goes on. */
function lacking() {
  const { missing, go_on: goOn } = state.data;
  if (!missing.length) return null;
  const sentences = missing.map((sentence) => h("li", { dir: "auto" }, readable(sentence)));
  return h("div", { cls: "note" }, h("ul", {}, sentences), goOn ? copyable(goOn) : null);
}

/** All that depends on the choice: a look at what is chosen, and the histograms. */
function showSpread() {
  const choice = choose(state.route.query);
  const all = addressOf("gallery", state.route.query);
  const few = Math.min(FEW, state.shown.length);
  // Spread over all of them, so that neighbours alike do not stand for the rest.
  const chosenFew = Array.from({ length: few }, (_, k) => state.shown[Math.floor((k * state.shown.length) / few)]);
  refill(
    document.getElementById("spread"),
    h(
      "div",
      { cls: "tally" },
      h("p", { id: "count" }, tally()),
      h("ul", { cls: "chips", role: "list", "aria-label": "What is filtered by" }, chips(choice)),
      h(
        "a",
        { cls: "more", href: all },
        `Look through ${state.shown.length === state.data.items.length ? "all" : "these"} in the gallery →`,
      ),
    ),
    () =>
      h(
        "ul",
        { cls: "few", role: "list" },
        chosenFew.map((item) => fewCard(item, choice)),
      ),
    chosenFew.length ? null : h("p", { cls: "empty" }, nothing()),
    h("h2", {}, "How it is spread"),
    h("p", { cls: "hint" }, "Press a bar or a value to see only those; Escape clears the bars."),
    h(
      "div",
      { cls: "facets" },
      FACETS.map((one) => facet(one, choice, 5)),
    ),
    h(
      "div",
      { cls: "histograms" },
      histograms().map((figure) => histogram(figure, choice)),
    ),
  );
}

const overview = new Map();

/** A card of the few, the same as before where nothing about it changed. */
function fewCard(item, choice) {
  const text = JSON.stringify([item, state.flagged.has(item.id)]);
  const before = overview.get(item.id);
  const card = before?.text === text ? before.card : cardOf(item, { ...choice, sides: [], order: orders()[0] }, null);
  overview.set(item.id, { text, card });
  return card;
}

views.set("overview", {
  show(main) {
    main.append(h("div", { id: "facts" }), h("div", { id: "spread" }), h("div", { id: "sections" }));
    this.renew();
  },
  hide() {
    overview.clear();
  },
  renew() {
    const { title, lead, sections } = state.data;
    refill(
      document.getElementById("facts"),
      h("h1", { dir: "auto", title: readable(title.slice(0, 300)) }, readable(title)),
      h("p", { cls: "lead", dir: "auto" }, readable(lead)),
      tiles(),
      lacking(),
    );
    refill(
      document.getElementById("sections"),
      sections.map((one, k) => {
        const body = h("div", { cls: "made" });
        // Written by the program that made the page, which escapes what comes from data.
        body.innerHTML = one.html;
        const before = document.getElementById(`section-${one.anchor}`);
        return h(
          "details",
          { id: `section-${one.anchor}`, open: before ? before.open : k < OPEN },
          h("summary", {}, h("h2", {}, one.title)),
          body,
        );
      }),
    );
    showSpread();
  },
  update() {
    showSpread();
    say(tally());
  },
});

addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("main details")) one.open = true;
});
document.addEventListener("keydown", (event) => {
  if (state.route?.name === "overview") clearOnEscape(event);
});
