// Strips, and cards: Z beside Y*, turning together, with name and scores.

/**
 * An element that shows one frame of a strip, which is one picture with all frames of a layer in rows of equal squares.
 *
 * Its `show(frame)` turns to another. `label` is for those who cannot see it; without one the picture is decoration.
 */
function stripView(strip, frames, frame = 0, label = "", lazy = false) {
  // Decoded with the frame that it is in: else pictures that belong together would appear one after the other.
  const image = h("img", { alt: label, decoding: lazy ? "async" : "sync", loading: lazy ? "lazy" : false, draggable: "false" });
  const view = h("span", { cls: "strip" }, image);
  const columns = Math.min(state.data.columns, frames);
  let shown = frame;
  view.show = (next) => {
    shown = next;
    view.style.setProperty("--column", shown % columns);
    view.style.setProperty("--row", Math.floor(shown / columns));
  };
  image.addEventListener("load", () => {
    const tile = image.naturalWidth / columns;
    view.style.setProperty("--columns", columns);
    view.style.setProperty("--trim", tile / Math.max(1, tile - 1));
    view.show(shown);
    view.classList.add("ready");
  });
  image.addEventListener("error", () => {
    view.classList.add("lost");
    view.replaceChildren("This picture cannot be loaded: the folder beside the page that holds it is missing or incomplete.");
  });
  image.src = strip;
  return view;
}

const isTarget = (side) => "gt" in side.strips || "gt_mask" in side.strips;
const mainStrip = (side) => side.strips.gt ?? side.strips.color ?? Object.values(side.strips)[0];

/** The sides that a card shows: the target, and the asked or else the first maker. */
function cardSides(item, asked) {
  const names = state.data.sides.filter((name) => item.sides[name] && mainStrip(item.sides[name]));
  const target = names.find((name) => isTarget(item.sides[name]));
  const makers = names.filter((name) => name !== target);
  const maker = makers.includes(asked) ? asked : makers[0];
  return [target, maker].filter((name) => name !== undefined);
}

/** One side of a card: its small cover at rest, its whole strip once it moves. */
function turningSide(item, name) {
  const side = item.sides[name];
  const view = h("span", { cls: "turning" }, side.cover ? stripView(side.cover, 1, 0, "", true) : stripView(mainStrip(side), item.frames, 0, "", true));
  let strip = side.cover ? null : view.firstChild;
  view.show = (frame) => {
    if (!strip && frame !== item.rest) view.append((strip = stripView(mainStrip(side), item.frames)));
    strip?.show(frame);
  };
  return view;
}

/** Pictures that turn as the pointer moves over them, are dragged, or by the arrow keys; a clip plays. */
function turning(item, names, link) {
  const views = names.map((name) => turningSide(item, name));
  const node = h("span", { cls: "pictures" }, views);
  let [frame, playing, from, dragged] = [item.rest, 0, null, false];
  const show = (next) => {
    frame = ((next % item.frames) + item.frames) % item.frames;
    for (const view of views) view.show(frame);
  };
  const stop = () => {
    clearInterval(playing);
    playing = 0;
  };
  const play = () => {
    if (item.fps && !playing && !calm.matches) playing = setInterval(() => (node.isConnected ? show(frame + 1) : stop()), 1000 / item.fps);
  };
  const rest = () => {
    stop();
    if (frame !== item.rest) show(item.rest);
  };
  node.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, frame };
    dragged = false;
  });
  node.addEventListener("pointermove", (event) => {
    const box = node.getBoundingClientRect();
    const share = (x) => (x / box.width) * item.frames;
    if (from && event.buttons) {
      const moved = Math.round(share(event.clientX - from.x));
      dragged ||= moved !== 0;
      if (dragged) stop();
      show(from.frame + moved);
    } else if (event.pointerType === "mouse") {
      if (item.fps) play();
      else show(Math.floor(share(event.clientX - box.left)));
    }
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) node.addEventListener(name, () => (from = null));
  node.addEventListener("pointerleave", rest);
  link.addEventListener("click", (event) => {
    if (dragged) event.preventDefault();
    dragged = false;
  });
  link.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    stop();
    show(frame + by);
    say(`${frameName(item, frame)}, ${frameWords(item, frame)}`);
  });
  link.addEventListener("focus", () => link.matches(":focus-visible") && play());
  link.addEventListener("blur", rest);
  return node;
}

/** Ends of the bars of a measure: 0 or less, and its greatest mean or 1. */
const spanOf = once((key) => {
  const measure = state.data.measures.find((one) => one.key === key);
  const values = state.data.items.flatMap((item) => valuedSides(key).map((side) => sideMean(item, key, side))).filter((v) => v !== null);
  return [values.reduce((a, b) => Math.min(a, b), 0), values.reduce((a, b) => Math.max(a, b), measure.better === "high" ? 1 : 0)];
});

/** A line for each side: its mean (or worst value) of the measure that is sorted by. */
function scores(item, choice) {
  const measure = state.data.measures.find((one) => choice.order.key.replace(/^worst-/, "") === one.key) ?? state.data.measures[0];
  const sides = measure ? choice.sides.filter((side) => valuedSides(measure.key).includes(side)) : [];
  if (!sides.length) return null;
  const [low, high] = spanOf(measure.key);
  const lines = sides.map((side) => {
    const values = known(item.sides[side]?.values?.[measure.key]);
    const value = choice.order.key === `worst-${measure.key}` ? worst(values, measure) : mean(values);
    const share = value === null || high === low ? 0 : (value - low) / (high - low);
    const track = h("span", { cls: "track", style: { "--share": share }, "aria-hidden": "true" });
    return h("div", { cls: "score" }, named(side, "dt"), h("dd", {}, track, h("span", { cls: "number" }, fixed(value, measure.digits))));
  });
  return h("dl", { cls: "scores", "aria-label": measure.name }, lines);
}

/** The number that the order is by, where no other line shows it. */
function orderedBy(item, { order, sides }) {
  const shown = ["name", "warnings", ...state.data.measures.flatMap(({ key }) => [key, `worst-${key}`])];
  if (shown.includes(order.key)) return null;
  return h("span", { cls: "by" }, `${order.name.toLowerCase()} ${fixed(order.of(item, sides), order.digits)}${order.unit ? ` ${order.unit}` : ""}`);
}

/** A card of an item; `pick(event)` is called where its box is ticked. */
function cardOf(item, choice, shown, pick = null) {
  const names = cardSides(item, shown);
  const link = h("a", { cls: "open", href: itemAddress(item.id), draggable: "false", data: { id: item.id } });
  link.append(names.length ? turning(item, names, link) : h("span", { cls: "strip none" }, "no picture"), named(item.id));
  const tick = pick && h("label", { cls: "tick" }, h("input", { type: "checkbox", "aria-label": `Select ${item.id.slice(0, 100)}`, onclick: pick }));
  const warned = item.warnings.length
    ? h("span", { cls: "warned", title: item.warnings.join("\n").slice(0, 2000) }, icon("warning"), count(item.warnings.length), h("span", { cls: "unseen" }, " warnings"))
    : null;
  const facts = h("p", { cls: "facts" }, named(item.split, "span", "name split"), warned, orderedBy(item, choice));
  return h("li", { cls: `card${names.length > 1 ? " wide" : ""}`, data: { id: item.id } }, link, tick, facts, scores(item, choice));
}
