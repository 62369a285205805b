// Turning by itself, by the clock; the bar with which one turns; other clips of a character, in step.

const player = { handle: 0, last: 0, at: 0 };
const isPlaying = () => player.handle !== 0;
const SPEEDS = [0.25, 0.5, 1, 1.5, 2];

/** Frames a second: as a clip has them, or once round in four seconds. */
const rateOf = (item) => item.fps ?? item.frames / 4;

function tick(now) {
  player.at += ((now - player.last) / 1000) * rateOf(look.item) * look.speed;
  player.last = now;
  if (player.at >= look.item.frames && !look.loop) {
    turn(look.item.frames - 1);
    return stopPlay();
  }
  player.at %= look.item.frames;
  player.handle = requestAnimationFrame(tick);
  if (Math.floor(player.at) !== look.frame) turn(Math.floor(player.at));
}

function togglePlay() {
  if (isPlaying() || look.item.frames < 2) return stopPlay();
  player.at = !look.loop && look.frame === look.item.frames - 1 ? 0 : look.frame;
  player.last = performance.now();
  player.handle = requestAnimationFrame(tick);
  showLook();
}

function stopPlay() {
  if (!isPlaying()) return;
  cancelAnimationFrame(player.handle);
  player.handle = 0;
  if (look.item) setLook({});
}

/** The bar with one slider for all pictures. */
function turner(item) {
  const last = item.frames - 1;
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, "aria-label": item.fps ? "Frame" : "View" });
  const said = h("output", { cls: "number where" });
  const play = press("", { cls: "tool play", onclick: togglePlay });
  const stepping = (by, words, drawing) => press(words, { cls: "tool", onclick: () => step(by) }, icon(drawing));
  slider.addEventListener("input", () => {
    stopPlay();
    turn(Number(slider.value));
  });
  const ticks = item.frames > 40 ? null : h("span", { cls: "ticks", "aria-hidden": "true" }, Array.from({ length: item.frames }, () => h("i")));
  const speed = h(
    "select",
    { "aria-label": "Speed", onchange: () => setLook({ speed: Number(speed.value) }) },
    SPEEDS.map((value) => h("option", { value }, `${value}×`)),
  );
  const loop = press("Over and over", { cls: "tool", onclick: () => setLook({ loop: !look.loop }) }, icon("loop"));
  let drawn = null;
  onLook(() => {
    slider.value = look.frame;
    slider.setAttribute("aria-valuetext", `${frameName(item, look.frame)}, ${frameWords(item, look.frame)}`);
    said.textContent = frameName(item, look.frame);
    said.title = frameWords(item, look.frame);
    speed.value = look.speed;
    loop.setAttribute("aria-pressed", String(look.loop));
    if (drawn === isPlaying()) return;
    drawn = isPlaying();
    const words = drawn ? "Stop (Space)" : item.fps ? "Play (Space)" : "Turn by itself (Space)";
    play.replaceChildren(icon(drawn ? "pause" : "play"));
    play.setAttribute("aria-label", words);
    play.title = words;
  });
  return h(
    "div",
    { cls: "turner", role: "group", "aria-label": item.fps ? "Play" : "Turn" },
    play,
    stepping(-1, "One back (,)", "left"),
    h("span", { cls: "slide" }, ticks, slider),
    stepping(1, "One on (.)", "right"),
    said,
    item.fps ? [speed, loop] : null,
  );
}

const MOST_SIBLINGS = 24;

/** Other clips of the same character, at the same moment. */
function siblings(item) {
  const others = item.fps ? state.data.items.filter((one) => one.character === item.character && one.fps && one !== item) : [];
  if (!others.length) return null;
  const cards = others.slice(0, MOST_SIBLINGS).map((other) => {
    const side = cardSide(other, null);
    const view = side && stripView(mainStrip(side), other.frames);
    if (view) {
      onLook(() => {
        const seconds = (isPlaying() ? player.at : look.frame) / item.fps;
        const frame = Math.floor(seconds * other.fps + 1e-6);
        view.show(look.loop ? frame % other.frames : Math.min(frame, other.frames - 1));
      });
    }
    return h(
      "li",
      {},
      h("a", { href: itemAddress(other.id) }, view ?? h("span", { cls: "strip lost" }, "no picture"), named(other.id)),
    );
  });
  const more = others.length - cards.length;
  return h(
    "section",
    { cls: "siblings" },
    h("h2", {}, "Clips of this character"),
    h("ul", { role: "list" }, cards),
    more > 0 ? h("p", { cls: "soft" }, `and ${count(more)} more in the gallery`) : null,
  );
}
