// Two pictures against each other: a wipe, their difference as heat, two outlines. No pixel is read: filters do it.

// From the same to wholly different, evenly brighter to the eye, and told apart without red and green.
const HEAT = ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4"];
const OUTLINES = { left: "#0072b2", right: "#d55e00" };

const svgOf = (tag, props = {}, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

function svgFilters() {
  const channel = (at) => HEAT.map((colour) => (parseInt(colour.slice(at, at + 2), 16) / 255).toFixed(3)).join(" ");
  // The mean of the channels, twice: half the range is as hot as it gets.
  const mean3 = Array(3).fill("0.667 0.667 0.667 0 0").join(" ");
  const heat = svgOf(
    "filter",
    { id: "heat", "color-interpolation-filters": "sRGB", x: 0, y: 0, width: 1, height: 1 },
    svgOf("feColorMatrix", { type: "matrix", values: `${mean3} 0 0 0 0 1` }),
    svgOf("feComponentTransfer", {}, ...["R", "G", "B"].map((name, k) => svgOf(`feFunc${name}`, { type: "table", tableValues: channel(1 + 2 * k) }))),
  );
  const outline = (name, radius) =>
    svgOf(
      "filter",
      { id: `outline-${name}`, "color-interpolation-filters": "sRGB", x: 0, y: 0, width: 1, height: 1 },
      svgOf("feColorMatrix", { type: "matrix", values: "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0" }),
      svgOf("feComponentTransfer", { result: "whole" }, svgOf("feFuncA", { type: "linear", slope: 6, intercept: -2.5 })),
      svgOf("feMorphology", { operator: "erode", radius, result: "inside" }),
      svgOf("feComposite", { in: "whole", in2: "inside", operator: "out", result: "line" }),
      svgOf("feFlood", { "flood-color": OUTLINES[name] }),
      svgOf("feComposite", { in2: "line", operator: "in" }),
    );
  return svgOf("svg", { width: 0, height: 0, "aria-hidden": "true", class: "unseen" }, heat, outline("left", 3), outline("right", 1.5));
}

const pictureOf = (item, key) => stripsOf(item).find((one) => pictureKey(one) === key) ?? null;
const pictureName = ({ side, key }) => (layerOf(key).name === side ? side : `${layerOf(key).name} · ${side}`);

/** The strip of a side's silhouette. */
const silhouetteOf = (item, side) => item.sides[side].strips.gt_mask ?? item.sides[side].strips.mask ?? null;

function wiped(left, right) {
  const pictures = { left: turnedIn(left), right: turnedIn(right) };
  const node = h(
    "div",
    { cls: "duel wiped" },
    h("div", { cls: "part left" }, pictures.left),
    h("div", { cls: "part right" }, pictures.right),
    h("span", { cls: "name left", dir: "auto" }, pictureName(left)),
    h("span", { cls: "name right", dir: "auto" }, pictureName(right)),
    h("span", { cls: "handle", "aria-hidden": "true" }),
  );
  const slider = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Wipe", oninput: () => setLook({ wipe: Number(slider.value) }) });
  const move = (event) => {
    const box = node.getBoundingClientRect();
    setLook({ wipe: clamp(Math.round(((event.clientX - box.left) / box.width) * 100), 0, 100) });
  };
  const { pinched } = enlarged(node);
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    move(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId) && !pinched()) move(event);
  });
  const show = () => {
    node.style.setProperty("--wipe", `${look.wipe}%`);
    slider.value = look.wipe;
    slider.setAttribute("aria-valuetext", `${Math.round(look.wipe)}% ${pictureName(left)}`);
  };
  return { node: h("div", { cls: "frame" }, node, slider), show: [show, () => pictures.left.show(look.frame), () => pictures.right.show(look.frame)] };
}

const turnedIn = (picture) => stripView(picture.strip, look.item.frames, look.frame, pictureName(picture));

function heated(left, right) {
  const [a, b] = [turnedIn(left), turnedIn(right)];
  const heat = h("div", { cls: "heat" }, h("div", { cls: "part" }, a), h("div", { cls: "part over" }, b));
  const node = h("div", { cls: "duel", role: "img", "aria-label": `Difference of ${pictureName(left)} and ${pictureName(right)}` }, heat);
  enlarged(node);
  const legend = h(
    "p",
    { cls: "legend" },
    "the same",
    h("span", { cls: "ramp", "aria-hidden": "true", style: { background: `linear-gradient(to right, ${HEAT.join(", ")})` } }),
    "half the range or more",
  );
  return { node: h("div", { cls: "frame" }, node, legend), show: [() => a.show(look.frame), () => b.show(look.frame)] };
}

function outlined(item, left, right) {
  const lines = Object.entries({ left, right }).map(([place, { side }]) => ({ place, side, strip: silhouetteOf(item, side) }));
  const lost = lines.find(({ strip }) => !strip);
  if (lost) return { node: h("p", { cls: "problem", dir: "auto" }, `${lost.side} has no silhouette to outline.`), show: [] };
  const under = turnedIn(left);
  const drawn = lines.map((line) => ({ ...line, view: stripView(line.strip, item.frames, look.frame) }));
  const node = h(
    "div",
    { cls: "duel outlined", role: "img", "aria-label": `Outlines of ${lines.map(({ side }) => side).join(" and ")}` },
    h("div", { cls: "part under" }, under),
    drawn.map(({ place, view }) => h("div", { cls: `part ${place}` }, view)),
  );
  enlarged(node);
  const legend = h(
    "p",
    { cls: "legend" },
    lines.map(({ place, side }) => h("span", {}, h("i", { cls: `line ${place}`, style: { background: OUTLINES[place] } }), named(side), place === "left" ? " (broad)" : " (fine)")),
  );
  return { node: h("div", { cls: "frame" }, node, legend), show: [under, ...drawn.map(({ view }) => view)].map((view) => () => view.show(look.frame)) };
}

/** The section that sets two pictures against each other; nothing where there is but one. */
function contrast(item) {
  const pictures = stripsOf(item);
  if (pictures.length < 2) return null;
  const chooser = (place) => {
    const select = h(
      "select",
      { "aria-label": `${place === "left" ? "Left" : "Right"} picture`, onchange: () => setLook({ [place]: select.value }) },
      pictures.map((one) => h("option", { value: pictureKey(one) }, pictureName(one).slice(0, 80))),
    );
    onLook(() => (select.value = look[place]));
    return select;
  };
  const drawable = sideNames(item).some((side) => silhouetteOf(item, side));
  const modes = COMPARISONS.filter((mode) => mode !== "outlines" || drawable).map((mode) => {
    const button = h("button", { type: "button", cls: "toggle", onclick: () => setLook({ compare: mode }) }, mode[0].toUpperCase() + mode.slice(1));
    onLook(() => button.setAttribute("aria-pressed", String(look.compare === mode)));
    return button;
  });
  const place = h("div", { cls: "shown" });
  let [made, shows] = ["", []];
  onLook(() => {
    const wanted = [look.compare, look.left, look.right].join("\n");
    if (made !== wanted) {
      made = wanted;
      const [left, right] = [pictureOf(item, look.left), pictureOf(item, look.right)];
      const found = { wipe: () => wiped(left, right), difference: () => heated(left, right), outlines: () => outlined(item, left, right) }[look.compare]();
      place.replaceChildren(found.node);
      shows = found.show;
    }
    for (const show of shows) show();
  });
  return h(
    "section",
    { cls: "contrast" },
    h("div", { cls: "title" }, h("h2", {}, "Compare"), h("div", { cls: "toggles", role: "group", "aria-label": "How" }, modes)),
    h(
      "div",
      { cls: "choosing" },
      chooser("left"),
      press("Swap them", { cls: "tool", onclick: () => setLook({ left: look.right, right: look.left }) }, icon("swap")),
      chooser("right"),
    ),
    place,
  );
}
