// What is selected, and the commands that act on it.

const EXCLUSIONS = "exclude.txt";

const isDataset = () => state.data.kind === "dataset";

/** Ids that a list names: of characters, or, of a dataset's clips, those of its rows. */
const idOf = (item) => (isDataset() ? item.id : item.character);
const idsOf = (items) => [...new Set(items.map(idOf))];

/** Python that loads a dataset without some of it. */
function leavingOut() {
  const { root, sides } = state.data;
  const makers = sides.slice(1);
  const loaded = [root, ...(makers.length > 1 ? makers.slice(0, 1) : [])].map((word) => JSON.stringify(word)).join(", ");
  return [
    "from datasets import load_dataset",
    `names = set(open("${EXCLUSIONS}", encoding="utf-8").read().split("\\n"))`,
    `pairs = load_dataset(${loaded})`,
    'pairs = pairs.filter(lambda uid: uid.rpartition("_")[0] not in names, input_columns="uid")',
  ].join("\n");
}

/** Command that goes on with the build, without some characters. */
function excludingCommand() {
  const { go_on: goOn, kind, moving, root } = state.data;
  if (isDataset()) return leavingOut();
  const command = `specsia ${moving ? "clips" : "build"}`;
  const run = goOn ?? (kind === "run" ? `${command} --out ${shellWord(root)}` : `${command} SOURCE --out DIR`);
  return `${run} --exclude ${EXCLUSIONS}`;
}

/** What can be done with a selection: each a name, a word on it, a text to take away and its file's name, a command. */
function actions(selected) {
  const excluded = idsOf(selected);
  const keeping = new Set(excluded);
  const others = idsOf(state.data.items.filter((item) => !keeping.has(idOf(item))));
  const doing = isDataset() ? "load" : "build";
  const lines = (ids) => ids.map((id) => `${id}\n`).join("");
  const manifest = [...new Map(selected.map((item) => [item.character, item])).values()].map((item) =>
    JSON.stringify({
      id: item.character,
      path: "PATH",
      ...(item.split ? { split: item.split } : {}),
      ...(item.license ? { license: item.license } : {}),
      ...(item.credit ? { source: item.credit } : {}),
      drop: [],
    }),
  );
  return [
    {
      name: "Leave them out",
      note: `Save the list, then ${doing} without them. Splits stay as they are.`,
      file: EXCLUSIONS,
      text: lines(excluded),
      command: excludingCommand(),
    },
    {
      name: "Only these",
      note: `The list names all the others: ${doing} without those.`,
      file: EXCLUSIONS,
      text: lines(others),
      command: excludingCommand(),
    },
    {
      name: "Manifest lines",
      note: "Lines for a manifest: fill in each path, and under `drop` the parts to leave out, which `specsia characters SOURCE --parts ID` names.",
      file: "characters.jsonl",
      text: manifest.map((line) => `${line}\n`).join(""),
      command: null,
    },
    {
      name: "List of ids",
      note: "One a line.",
      file: "ids.txt",
      text: lines(selected.map((item) => item.id)),
      command: null,
    },
  ];
}

function download(name, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(`${name} is saved.`);
}

const dock = { action: 0, open: false };

function showDock() {
  const node = document.getElementById("dock");
  const selected = state.data.items.filter((item) => state.selected.has(item.id));
  node.hidden = !selected.length;
  document.body.classList.toggle("docked", selected.length > 0);
  if (!selected.length) return node.replaceChildren();
  const starred = state.data.items.filter((item) => state.flagged.has(item.id)).map((item) => item.id);
  const every = actions(selected);
  const choose = (k) => {
    dock.open = !(dock.open && dock.action === k);
    dock.action = k;
    showDock();
  };
  const tabs = every.map((one, k) =>
    h(
      "button",
      {
        type: "button",
        cls: "tab",
        "aria-expanded": String(dock.open && dock.action === k),
        data: { focus: `dock ${k}` },
        onclick: () => choose(k),
      },
      one.name,
    ),
  );
  const one = every[dock.action];
  refill(
    node,
    h(
      "div",
      { cls: "line" },
      h("p", {}, h("b", {}, `${count(selected.length)} selected`)),
      h("div", { cls: "tabs", role: "group", "aria-label": "What to do with them" }, tabs),
      starred.length
        ? h(
            "button",
            { type: "button", cls: "plain", data: { focus: "dock starred" }, onclick: () => select(starred, true) },
            `add ${count(starred.length)} starred`,
          )
        : null,
      h(
        "button",
        {
          type: "button",
          cls: "plain",
          data: { focus: "dock clear" },
          onclick: () => select([...state.selected], false),
        },
        "clear",
      ),
    ),
    dock.open
      ? h(
          "div",
          { cls: "action" },
          h("p", {}, one.note),
          h(
            "div",
            { cls: "file" },
            h(
              "p",
              {},
              h("code", {}, one.file),
              h(
                "button",
                {
                  type: "button",
                  cls: "plain",
                  data: { focus: "dock save" },
                  onclick: () => download(one.file, one.text),
                },
                icon("save"),
                "Save the file",
              ),
            ),
            copyable(one.text, `Copy the text of ${one.file}`),
          ),
          one.command === null ? null : h("div", { cls: "command" }, copyable(one.command)),
        )
      : null,
  );
}
