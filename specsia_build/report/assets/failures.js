// What could not be made: folded by kind, each with what would mend it.

/** A reason without what differs from one to the next. */
const kindOf = (one) =>
  [
    one.stage,
    one.backend,
    one.command,
    one.reason
      .replace(/(["'“`]).*?["'”`]/g, "…")
      .replace(/\d+(\.\d+)?/g, "#")
      .slice(0, 300),
  ].join("\n");

function foldedFailures() {
  const kinds = new Map();
  for (const one of state.data.failures) kinds.set(kindOf(one), [...(kinds.get(kindOf(one)) ?? []), one]);
  return [...kinds.values()].sort((a, b) => b.length - a.length);
}

function lostOne(one, alone) {
  return h(
    "li",
    { cls: "lost" },
    one.strip
      ? h("div", { cls: "picture" }, stripView(one.strip, one.frames, 0, `What there is of ${one.key.slice(0, 100)}`))
      : null,
    h(
      "div",
      {},
      named(one.key, "b"),
      alone ? null : h("p", { dir: "auto", cls: "reason" }, readable(one.reason)),
      one.details ? h("p", { cls: "hint" }, "more in ", h("code", {}, one.details)) : null,
    ),
  );
}

const MANY = 12;

views.set("failures", {
  show(main) {
    this.told = JSON.stringify(state.data.failures);
    this.fill(main);
  },
  renew() {
    if (this.told !== JSON.stringify(state.data.failures)) this.show(document.getElementById("main"));
  },
  fill(main) {
    const folded = foldedFailures();
    const total = state.data.failures.length;
    refill(
      main,
      h("h1", {}, "Failures"),
      h(
        "p",
        { cls: "lead" },
        total ? `${plural(total, "failure")} of ${plural(folded.length, "kind")}.` : "Nothing failed.",
      ),
      folded.map((group) => {
        const [first] = group;
        const alike = group.every((one) => one.reason === first.reason);
        const where = [first.stage, first.backend].filter(Boolean).join(", ");
        const list = (some) =>
          h(
            "ul",
            { cls: "losts", role: "list" },
            some.map((one) => lostOne(one, alike)),
          );
        return h(
          "section",
          { cls: "failure" },
          h("p", { cls: "where" }, named(where), h("span", { cls: "number" }, `× ${count(group.length)}`)),
          h("h2", { dir: "auto" }, readable(first.reason)),
          list(group.slice(0, MANY)),
          group.length > MANY
            ? h("details", {}, h("summary", {}, `${count(group.length - MANY)} more`), list(group.slice(MANY)))
            : null,
          first.command ? copyable(first.command) : null,
        );
      }),
    );
  },
});
