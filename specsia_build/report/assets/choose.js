// Which items are shown and in what order: functions of the document and of the address' query.

const FACETS = [
  { key: "split", name: "Split", of: (item) => [item.split] },
  {
    key: "backend",
    name: "Made by",
    of: (item) => valuedSides().filter((side) => item.sides[side] && !item.sides[side].problem),
  },
  { key: "source", name: "Source", of: (item) => [item.credit ?? "not stated"] },
  { key: "license", name: "Licence", of: (item) => [item.license ?? "not stated"] },
  { key: "action", name: "Action", of: (item) => (item.action === null ? [] : [item.action]) },
  { key: "flag", name: "Flag", of: flagsOf },
];
const STARRED = "starred by you";
const WARNED = "has warnings";
const UNREADABLE = "pictures cannot be read";

function flagsOf(item) {
  const found = [...item.flags];
  if (item.warnings.length) found.push(WARNED);
  if (Object.values(item.sides).some((side) => side.problem)) found.push(UNREADABLE);
  if (state.flagged.has(item.id)) found.push(STARRED);
  return found;
}

/** A function of the document, and of one key, that is computed once as long as the document is the same. */
function ofDocument(compute) {
  let [data, found] = [null, new Map()];
  return (key = null) => {
    if (data !== state.data) [data, found] = [state.data, new Map()];
    if (!found.has(key)) found.set(key, compute(key));
    return found.get(key);
  };
}

/** Sides that have values of a measure, or of any, in order. */
const valuedSides = ofDocument((measure) => {
  const has = (side) => (measure === null ? Object.keys(side?.values ?? {}).length : side?.values?.[measure]);
  return state.data.sides.filter((name) => state.data.items.some((item) => has(item.sides[name])));
});

function known(values) {
  return (values ?? []).filter((value) => value !== null && value !== undefined);
}

const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);

/** The worse of some values by what is good of a measure. */
function worst(values, measure) {
  if (!values.length) return null;
  return measure.better === "low" ? Math.max(...values) : Math.min(...values);
}

function sideMean(item, measure, side) {
  return mean(known(item.sides[side]?.values?.[measure]));
}

/** What items can be sorted by: each a key, a name, its value of an item, and which end comes first unasked. */
function orders() {
  const found = [{ key: "name", name: "Name", of: (item) => item.id, first: "low" }];
  for (const measure of state.data.measures) {
    const first = measure.better === "low" ? "high" : "low";
    const over = (item, sides, take) => {
      const values = sides
        .map((side) => take(known(item.sides[side]?.values?.[measure.key])))
        .filter((v) => v !== null);
      return values;
    };
    found.push(
      {
        key: measure.key,
        name: measure.name,
        digits: measure.digits,
        first,
        of: (item, sides) => mean(over(item, sides, mean)),
      },
      {
        key: `worst-${measure.key}`,
        name: `Worst ${state.data.moving ? "frame" : "view"}, ${measure.name}`,
        digits: measure.digits,
        first,
        of: (item, sides) =>
          worst(
            over(item, sides, (values) => worst(values, measure)),
            measure,
          ),
      },
    );
  }
  found.push({ key: "warnings", name: "Warnings", digits: 0, first: "high", of: (item) => item.warnings.length });
  for (const number of state.data.numbers) {
    found.push({
      ...number,
      name: capital(number.name),
      first: "high",
      of: (item) => item.numbers[number.key] ?? null,
    });
  }
  return found;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What the query asks for. */
function choiceOf(query) {
  const every = orders();
  const order = every.find((one) => one.key === (query.get("sort") ?? "name")) ?? every[0];
  const end = query.get("first");
  const facets = FACETS.map((facet) => [facet, new Set(query.getAll(facet.key))]).filter(([, wanted]) => wanted.size);
  const asked = query.getAll("backend").filter((side) => state.data.sides.includes(side));
  return {
    words: (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean),
    facets,
    bars: barsOf(query),
    order,
    first: end === "low" || end === "high" ? end : order.first,
    sides: asked.length ? asked : valuedSides(),
  };
}

/** Bars of histograms that are pressed: `low,high,key` or `low,high,key,side` each, by histogram. */
function barsOf(query) {
  const found = new Map();
  for (const text of query.getAll("bar")) {
    const [low, high, key, ...side] = text.split(",");
    const name = [key, ...side].join(",");
    if (!found.has(name)) found.set(name, []);
    found.get(name).push({ text, low: Number(low), high: Number(high), key, side: side.join(",") || null });
  }
  return found;
}

const barText = (low, high, key, side) => [low, high, key, ...(side === null ? [] : [side])].join(",");

/** What a histogram counts: a number of an item, or the mean of a measure by one side. */
function figureOf(item, key, side) {
  return side === null ? (item.numbers[key] ?? null) : sideMean(item, key, side);
}

const within = (value, bar) => value !== null && value >= bar.low && value < bar.high;

const texts = new WeakMap();
/** Where words are looked for. */
function textOf(item) {
  if (!texts.has(item)) {
    const parts = [item.id, item.character, item.action, item.license, item.credit, item.split, ...item.warnings];
    texts.set(item, parts.filter(Boolean).join("\n").toLowerCase());
  }
  return texts.get(item);
}

/** Names of the criteria that an item does not meet. */
function failed(item, choice) {
  const text = textOf(item);
  const found = choice.words.every((word) => text.includes(word)) ? [] : ["q"];
  for (const [facet, wanted] of choice.facets)
    if (!facet.of(item).some((value) => wanted.has(value))) found.push(facet.key);
  for (const [name, bars] of choice.bars)
    if (!bars.some((bar) => within(figureOf(item, bar.key, bar.side), bar))) found.push(name);
  return found;
}

/** Whether an item is chosen by all criteria, or by all but one. */
function chosen(item, choice, but = null) {
  const names = choice.failed.get(item);
  return names.length === 0 || (names.length === 1 && names[0] === but);
}

const collator = new Intl.Collator("en", { numeric: true });

/** The chosen items in order; those without a value come last, equal ones by name. */
function sorted(items, choice) {
  const { order, first, sides } = choice;
  const values = new Map(items.map((item) => [item, order.of(item, sides)]));
  const sign = first === "low" ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? collator.compare(x, y) : x - y);
  };
  return [...items].sort((a, b) => compare(a, b) || collator.compare(a.id, b.id));
}

function choose(query) {
  state.query = query;
  const choice = choiceOf(query);
  choice.failed = new Map(state.data.items.map((item) => [item, failed(item, choice)]));
  state.shown = sorted(
    state.data.items.filter((item) => chosen(item, choice)),
    choice,
  );
  return choice;
}

const MOST_FIGURES = 12;
/** The measures that are summed up: all where they are few, else the main one, which comes first. */
const summedUp = ofDocument(() => {
  const { measures } = state.data;
  const figures = measures.reduce((sum, { key }) => sum + valuedSides(key).length, 0);
  return figures > MOST_FIGURES ? measures.slice(0, 1) : measures;
});

/** The histograms that there is something to count for: measures by side, each number that differs. */
const histograms = ofDocument(() => {
  const found = [];
  for (const measure of summedUp()) {
    for (const side of valuedSides(measure.key)) found.push({ ...measure, side, title: `${measure.name}, ${side}` });
  }
  for (const number of state.data.numbers)
    found.push({ ...number, side: null, title: number.unit ? `${number.name} (${number.unit})` : number.name });
  return found
    .map((one) => ({ ...one, id: [one.key, ...(one.side === null ? [] : [one.side])].join(",") }))
    .map((one) => ({ ...one, values: state.data.items.map((item) => figureOf(item, one.key, one.side)) }))
    .map((one) => ({ ...one, bins: binsOf(one.values.filter((value) => value !== null)) }))
    .filter((one) => one.bins.length > 1);
});

const STEPS = [1, 2, 2.5, 5, 10];
/** Edges of at most about twenty bins of one round width around some values. */
function binsOf(values) {
  if (!values.length) return [];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  // Edges have ten digits: what differs by less than a few units of the last one has none between.
  if (high - low <= 1e-7 * Math.max(Math.abs(low), Math.abs(high))) return [];
  const whole = values.every(Number.isInteger);
  const rough = Math.max((high - low) / 18, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = STEPS.map((s) => s * power).find((s) => s >= rough * 0.999 && (!whole || Number.isInteger(s)));
  const round = (k) => Number((k * step).toPrecision(10));
  const near = Math.floor(low / step + 1e-9);
  // A mean may lie a bit of a float below the edge that it is at.
  const from = round(near) > low ? near - 1 : near;
  const found = [];
  for (let k = from; round(k) <= high; k += 1) found.push({ low: round(k), high: round(k + 1) });
  return found;
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

const CHOICES = ["q", ...FACETS.map((facet) => facet.key), "bar"];
/** The query without anything that leaves items out. */
function unfiltered(query) {
  const next = new URLSearchParams(query);
  for (const key of CHOICES) next.delete(key);
  return next;
}
