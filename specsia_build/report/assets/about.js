// What is known of an item: where it comes from, how it was drawn and brought into place, what to look at closer.

/** Names of facts that sides and items have, in words; others are named as they are. */
const FACTS = { scale: "scale", pitch: "pitch, °", yaw: "yaw, °", x: "shift x", y: "shift y", z: "shift z", frontal_before: "frontal IoU before" };

const told = (value) => (typeof value === "number" ? short(Number(value.toFixed(4)) + 0) : String(value));

function rowsOf(pairs) {
  return h("dl", { cls: "known" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value))));
}

function numbersOf(item) {
  return state.data.numbers
    .filter(({ key }) => item.numbers[key] !== undefined && item.numbers[key] !== null)
    .map(({ key, name, unit, digits }) => [name, `${fixed(item.numbers[key], digits)}${unit ? ` ${unit}` : ""}`]);
}

/** How each side was brought into place, and what else is known of it: a row a fact, a column a side. */
function sideFacts(item) {
  const names = sideNames(item).filter((name) => Object.keys(item.sides[name].facts ?? {}).length);
  const keys = [...new Set(names.flatMap((name) => Object.keys(item.sides[name].facts)))];
  if (!keys.length) return null;
  return h(
    "div",
    { cls: "scroll", tabindex: "0", role: "group", "aria-label": "Sides" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "side"), names.map((name) => h("th", { scope: "col", cls: "number" }, named(name))))),
      h(
        "tbody",
        {},
        keys.map((key) =>
          h("tr", {}, h("th", { scope: "row" }, FACTS[key] ?? key), names.map((name) => h("td", { cls: "number", dir: "auto" }, item.sides[name].facts[key] === undefined ? "–" : told(item.sides[name].facts[key])))),
        ),
      ),
    ),
  );
}

function framesOf(item) {
  const shown = item.every > 1 ? `${count(item.frames)} of ${count(item.of)}` : count(item.frames);
  return item.fps ? `${shown}, ${short(item.fps)} a second` : shown;
}

/** What to ask for more. */
function commands(item) {
  const { kind, root } = state.data;
  const [where, id] = [shellWord(root), shellWord(item.id)];
  // A name that begins as an option does is none after `--`.
  const one = (command, options) => `specsia ${command} ${item.id.startsWith("-") ? `${options} ${where} -- ${id}` : `${where} ${id} ${options}`}`;
  const found = {
    source: [`specsia characters ${where} --parts=${id}`],
  }[kind] ?? [one("turntable", "--out turntable.webp"), one("sheet", look.measure === null ? "--out sheet.png" : "--values --out sheet.png")];
  return found.length ? h("div", { cls: "commands" }, found.map((command) => copyable(command))) : null;
}

/** The flags that nothing else on the page says. */
const saidOf = (item) => flagsOf(item).filter((flag) => ![WARNED, UNREADABLE, STARRED].includes(flag));

function about(item) {
  const warnings = item.warnings.length
    ? h("div", { cls: "warnings" }, h("h3", {}, icon("warning"), plural(item.warnings.length, "warning")), h("ul", {}, item.warnings.map((text) => h("li", { dir: "auto" }, text))))
    : null;
  return h(
    "section",
    { cls: "about" },
    h("h2", {}, "About"),
    warnings,
    h(
      "div",
      { cls: "columns" },
      rowsOf([
        ["character", item.character === item.id ? null : item.character],
        ["action", item.action],
        ["split", item.split],
        ["licence", item.license ?? "not stated"],
        ["credit", item.credit ?? "not stated"],
        ["flags", saidOf(item).join(", ")],
      ]),
      rowsOf([[item.fps ? "frames" : "views", framesOf(item)], ...numbersOf(item)]),
      sideFacts(item),
    ),
    commands(item),
  );
}
