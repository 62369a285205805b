// While a build goes on: what it has made is asked for again and again, and shown as it comes.

const LEAST_PAUSE = 1000;
const live = { bar: h("section", { id: "live", "aria-label": "How far the build has come" }), lost: false };
document.querySelector("header.top").after(live.bar);

function stageBar({ name, done, of, failed }) {
  const words = `${count(done)}${of === null ? "" : ` of ${count(of)}`}${failed ? `, ${count(failed)} quarantined` : ""}`;
  return h("li", {}, named(name), h("progress", { max: Math.max(1, of ?? done), value: done, "aria-label": name.slice(0, 100) }), h("span", { cls: "number" }, words));
}

function ago(changed) {
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - changed));
  return seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** How long the build takes yet, as far as it is known and still holds. */
function timeLeft({ left, changed }) {
  const now = Date.now() / 1000;
  if (!left || live.lost || now > left.until) return "";
  const minutes = Math.max(0, left.seconds - Math.max(0, now - changed)) / 60;
  return `about ${minutes < 1 ? "a minute" : minutes < 90 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`} left`;
}

/** The bar; what it says is not read out as it changes, which would never end. */
function showProgress() {
  const { stages, trouble, changed } = state.data.progress;
  const said = live.lost ? "Nobody serves this page any more: start `specsia report --watch` again." : trouble && `It cannot be read at the moment: ${trouble}`;
  live.bar.replaceChildren(h("ul", { role: "list" }, stages.map(stageBar)), said ? h("p", { cls: "trouble", dir: "auto" }, said) : h("p", {}, [changed === null ? "Nothing is made yet." : `Last change ${ago(changed)} ago`, timeLeft(state.data.progress)].filter(Boolean).join(" · ")));
}

async function askAgain() {
  const began = performance.now();
  try {
    const answer = await fetch(`document?since=${state.data.version}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    if (answer.status === 200) {
      update(await answer.json());
    }
    live.lost = false;
  } catch {
    live.lost = true;
  }
  showProgress();
  // What is long to show is asked for less often.
  setTimeout(askAgain, Math.max(LEAST_PAUSE, 5 * (performance.now() - began)));
}

showProgress();
setTimeout(askAgain, LEAST_PAUSE);
