// A card: an item's picture that turns, its name, and what is known of it in a glance.

/** The side that cards show: the one that is asked for, else the first that has a picture. */
function cardSide(item, shown) {
  return [shown, ...state.data.sides].map((name) => item.sides[name]).find((side) => side && mainStrip(side)) ?? null;
}

const mainStrip = (side) => side.strips.gt ?? side.strips.color ?? Object.values(side.strips)[0];

/**
 * A picture that turns as the pointer moves over it, is dragged, or by the arrow keys; a clip plays.
 *
 * At rest it is the side's cover, a small picture of its first frame; the whole strip comes once it is to move.
 */
function turning(item, side, link) {
  const view = h("span", { cls: "turning" }, side.cover ? stripView(side.cover, 1) : stripView(mainStrip(side), item.frames));
  let strip = side.cover ? null : view.firstChild;
  let [frame, playing, from, dragged] = [0, 0, null, false];
  const show = (next) => {
    frame = ((next % item.frames) + item.frames) % item.frames;
    if (!strip) {
      strip = stripView(mainStrip(side), item.frames);
      view.append(strip);
    }
    strip.show(frame);
  };
  const stop = () => {
    clearInterval(playing);
    playing = 0;
  };
  const play = () => {
    if (!item.fps || playing || calm.matches) return;
    playing = setInterval(() => (view.isConnected ? show(frame + 1) : stop()), 1000 / item.fps);
  };
  const rest = () => {
    stop();
    if (frame) show(0);
  };
  view.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, frame };
    dragged = false;
  });
  view.addEventListener("pointermove", (event) => {
    const box = view.getBoundingClientRect();
    if (from && event.buttons) {
      const moved = Math.round(((event.clientX - from.x) / box.width) * item.frames);
      if (moved !== 0) dragged = true;
      if (dragged) stop();
      show(from.frame + moved);
    } else if (event.pointerType === "mouse") {
      if (item.fps) play();
      else show(Math.floor(((event.clientX - box.left) / box.width) * item.frames));
    }
  });
  for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, () => (from = null));
  view.addEventListener("pointerleave", () => {
    from = null;
    rest();
  });
  link.addEventListener("click", (event) => {
    if (dragged) event.preventDefault();
    dragged = false;
  });
  link.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    stop();
    show(frame + step);
    const yaw = item.yaws?.[frame];
    say(yaw === undefined ? `Frame ${frame + 1} of ${item.frames}` : `View ${frame}, ${Math.round(yaw)}°`);
  });
  link.addEventListener("focus", () => link.matches(":focus-visible") && play());
  link.addEventListener("blur", rest);
  return view;
}

/** Nothing, or what is less than that, and the greatest mean of a measure: the ends of its bars. */
const spanOf = ofDocument((key) => {
  const measure = state.data.measures.find((one) => one.key === key);
  const sides = valuedSides(key);
  const values = state.data.items
    .flatMap((item) => sides.map((side) => sideMean(item, key, side)))
    .filter((v) => v !== null);
  return [
    values.reduce((a, b) => Math.min(a, b), 0),
    values.reduce((a, b) => Math.max(a, b), measure.better === "high" ? 1 : 0),
  ];
});

/** A line for each side: its mean of the measure that is looked at. */
function scores(item, choice) {
  const measure =
    state.data.measures.find((one) => choice.order.key.replace(/^worst-/, "") === one.key) ?? state.data.measures[0];
  if (!measure) return null;
  const sides = choice.sides.filter((side) => valuedSides(measure.key).includes(side));
  if (!sides.length) return null;
  const [low, high] = spanOf(measure.key);
  const lines = sides.map((side) => {
    const values = known(item.sides[side]?.values?.[measure.key]);
    const value = choice.order.key === `worst-${measure.key}` ? worst(values, measure) : mean(values);
    const share = value === null || high === low ? 0 : (value - low) / (high - low);
    return h(
      "div",
      { cls: "score" },
      named(side, "dt"),
      h(
        "dd",
        {},
        h("span", { cls: "track", style: { "--share": share }, "aria-hidden": "true" }),
        h("span", { cls: "number" }, fixed(value, measure.digits)),
      ),
    );
  });
  return h("dl", { cls: "scores", "aria-label": measure.name }, lines);
}

/** The number that the order is by, where no other line shows it. */
function orderedBy(item, choice) {
  const { order, sides } = choice;
  if (
    order.key === "name" ||
    order.key === "warnings" ||
    state.data.measures.some((m) => [m.key, `worst-${m.key}`].includes(order.key))
  )
    return null;
  return h(
    "span",
    { cls: "by" },
    `${order.name.toLowerCase()} ${fixed(order.of(item, sides), order.digits)}${order.unit ? ` ${order.unit}` : ""}`,
  );
}

function starButton(item) {
  const button = h(
    "button",
    {
      type: "button",
      cls: "star",
      "aria-pressed": String(state.flagged.has(item.id)),
      "aria-label": `Star ${item.id.slice(0, 100)}`,
      title: "Star",
    },
    icon("star"),
  );
  button.addEventListener("click", () => {
    const on = !state.flagged.has(item.id);
    if (on) state.flagged.add(item.id);
    else state.flagged.delete(item.id);
    button.setAttribute("aria-pressed", String(on));
    kept.set(`flags:${location.pathname}`, [...state.flagged]);
    say(on ? "Starred." : "Star removed.");
    document.dispatchEvent(new CustomEvent("starred"));
  });
  return button;
}

/**
 * A card of an item; `pick(event)` is called where its box is ticked.
 */
function cardOf(item, choice, shown, pick = null) {
  const side = cardSide(item, shown);
  const link = h("a", { cls: "open", href: itemAddress(item.id), draggable: "false", data: { id: item.id } });
  link.append(
    side === null ? h("span", { cls: "strip none" }, "no picture") : turning(item, side, link),
    named(item.id),
  );
  const tick =
    pick &&
    h(
      "label",
      { cls: "tick" },
      h("input", { type: "checkbox", "aria-label": `Select ${item.id.slice(0, 100)}`, onclick: pick }),
    );
  const warned = item.warnings.length
    ? h(
        "span",
        { cls: "warned", title: item.warnings.join("\n").slice(0, 2000) },
        icon("warning"),
        count(item.warnings.length),
        h("span", { cls: "unseen" }, " warnings"),
      )
    : null;
  return h(
    "li",
    { cls: "card" },
    link,
    tick,
    starButton(item),
    h("p", { cls: "facts" }, named(item.split, "span", "name split"), warned, orderedBy(item, choice)),
    scores(item, choice),
  );
}
