// While a build goes on: what it has made is asked for again and again, and shown as it comes.

const LEAST_PAUSE = 1000;
const live = { bar: h("section", { id: "live", "aria-label": "How far the build has come" }), trouble: "" };
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
  if (!left || live.trouble || now > left.until) return "";
  const minutes = Math.max(0, left.seconds - Math.max(0, now - changed)) / 60;
  return `about ${minutes < 1 ? "a minute" : minutes < 90 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`} left`;
}

/** The bar; what it says is not read out as it changes, which would never end. */
function showProgress() {
  const { stages, trouble, changed } = state.data.progress;
  const said = live.trouble || trouble && `It cannot be read at the moment: ${trouble}`;
  live.bar.replaceChildren(h("ul", { role: "list" }, stages.map(stageBar)), said ? h("p", { cls: "trouble", dir: "auto" }, said) : h("p", {}, [changed === null ? "Nothing is made yet." : `Last change ${ago(changed)} ago`, timeLeft(state.data.progress)].filter(Boolean).join(" · ")));
}

/** Show what has changed since; gives a sentence on what is in the way, empty where nothing is. */
async function renewed() {
  let answer, text;
  try {
    answer = await fetch(`document?since=${state.data.version}`, { cache: "no-store" });
    text = await answer.text();
  } catch {
    return "Nobody serves this page any more: start `specsia report --watch` again.";
  }
  if (!answer.ok) return `What serves this page answers ${answer.status}: look where \`specsia report --watch\` runs.`;
  try {
    if (answer.status === 200) update(JSON.parse(text));
  } catch (error) {
    // So that it is sent again.
    state.data.version = "";
    return `What has changed cannot be shown (${error.message}): load the page again.`;
  }
  return "";
}

async function askAgain() {
  const began = performance.now();
  live.trouble = await renewed();
  showProgress();
  // What is long to show is asked for less often.
  setTimeout(askAgain, Math.max(LEAST_PAUSE, 5 * (performance.now() - began)));
}

showProgress();
setTimeout(askAgain, LEAST_PAUSE);
