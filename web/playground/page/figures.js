// Figures of the answers that are under way, or came last: what the server counted, and
// until it has, what has arrived here.

import { draw } from "./chart.js";
import { isOpen } from "./conversation.js";
import { byID, element } from "./element.js";
import { noAdapter } from "./models.js";

/** How many tokens there have to be for a speed: those of a short answer come all at once. */
const fewest = 5;

/** Milliseconds between questions how much the server has to do. */
const askEvery = 2000;

/** @typedef {import("./conversation.js").Answer} Answer */

/**
 * @typedef {object} Track what has arrived of an answer
 * @property {Answer} answer
 * @property {number} asked by performance.now()
 * @property {{at: number, count: number}[]} arrivals how many tokens there were then
 */

/** The panel of figures. */
export class Figures {
  /** @type {HTMLDetailsElement} */ #panel = byID("figures");
  #digest = byID("digest");
  #table = byID("figure-table");
  #chart = /** @type {SVGElement} */ (/** @type {unknown} */ (byID("chart")));
  #title = byID("chart-title");
  /** @type {Map<string, Track>} */ #tracks = new Map();
  #due = false;
  /** @type {{running?: number, waiting?: number}} */ #load = {};

  /** @param {import("./socket.js").Socket} socket */
  constructor(socket) {
    const ask = async () => {
      if (!this.#panel.open || document.hidden || socket.state !== "connected") return;
      this.#load = await socket.call("health", {}).catch(() => ({}));
      this.#show();
    };
    setInterval(ask, askEvery);
    this.#panel.addEventListener("toggle", ask);
    this.#show();
  }

  /** Begins with the answers that are asked for now. @param {Answer[]} answers */
  begin(answers) {
    const now = performance.now();
    this.#tracks = new Map(answers.map((answer) => [answer.id, { answer, asked: now, arrivals: [] }]));
    this.#show();
  }

  /** Notes tokens that have arrived. @param {Answer} answer @param {number} tokens */
  arrived(answer, tokens) {
    const track = this.#tracks.get(answer.id);
    if (track && tokens > 0) {
      track.arrivals.push({ at: performance.now(), count: (track.arrivals.at(-1)?.count ?? 0) + tokens });
    }
    this.#show();
  }

  /** Notes that an answer has changed otherwise: it ended, or comes again. @param {Answer} answer */
  changed(answer) {
    const track = this.#tracks.get(answer.id);
    if (track && answer.status === "broken") track.arrivals = [];
    this.#show();
  }

  #show() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#render();
    });
  }

  #render() {
    const tracks = [...this.#tracks.values()];
    const columns = tracks.map(figuresOf);
    if (columns.length > 0) {
      this.#digest.textContent = columns.map((f, i) => {
        const known = [f["First token"] && `first token ${f["First token"]}`, f.Speed].filter(Boolean);
        return known.join(", ") || (isOpen(tracks[i].answer) ? "waiting" : "no figures");
      }).join(" beside ");
    }
    const row = (/** @type {string} */ name, /** @type {string[]} */ values, /** @type {object} */ span = {}) =>
      element("tr", {}, element("th", { scope: "row" }, name), ...values.map((v) => element("td", span, v || "–")));
    const names = ["First token", "Speed", "Read", "Read before", "Written", "Drafts accepted", "Queue"];
    const rows = names.map((name) => row(name, columns.length > 0 ? columns.map((f) => f[name]) : [""]));
    if (tracks.length > 1) rows.unshift(row("", tracks.map(({ answer: { params } }) => (params.adapter === noAdapter ? "no adapter" : params.adapter))));
    const { running, waiting } = this.#load;
    if (running !== undefined) rows.push(row("Server now", [`${running} running, ${waiting} waiting`], { colSpan: Math.max(1, columns.length) }));
    this.#table.replaceChildren(element("tbody", {}, ...rows));
    if (!this.#panel.open) return;
    const series = tracks.map((t, i) => ({ name: `answer ${i + 1}`, points: [{ x: 0, y: 0 }, ...t.arrivals.map(({ at, count }) => ({ x: at - t.asked, y: count }))] }));
    draw(this.#chart, series, (x) => (x < 1000 ? `${x.toFixed(0)} ms` : `${(x / 1000).toFixed(1)} s`));
    this.#title.textContent = ["Tokens over the time since they were asked for", ...columns.map((f) => f.Speed).filter(Boolean)].join(", ");
  }
}

/**
 * The figures of an answer, in words.
 *
 * @param {Track} track
 * @returns {Record<string, string>}
 */
function figuresOf({ answer, asked, arrivals }) {
  const { usage, timings } = answer;
  if (usage && timings && !isOpen(answer)) return settled(usage, timings);
  const [first, last] = [arrivals[0], arrivals.at(-1)];
  if (!first || !last) return {};
  const speed = last.count < fewest || last === first ? 0 : ((last.count - first.count) / (last.at - first.at)) * 1000;
  return {
    "First token": milliseconds(first.at - asked),
    Speed: speed > 0 ? `${rounded(speed)} tokens/s` : "",
    Written: `${last.count} tokens`,
  };
}

/**
 * The figures that the server has counted.
 *
 * @param {NonNullable<Answer["usage"]>} usage
 * @param {NonNullable<Answer["timings"]>} timings
 * @returns {Record<string, string>}
 */
export function settled(usage, timings) {
  return {
    "First token": timings.ttft_ms > 0 ? milliseconds(timings.ttft_ms) : "",
    Speed: usage.completion_tokens >= fewest && timings.decode_tokens_per_second > 0 ? `${rounded(timings.decode_tokens_per_second)} tokens/s` : "",
    Read: `${usage.prompt_tokens} tokens`,
    "Read before": `${usage.cached_tokens} of them`,
    Written: `${usage.completion_tokens} tokens`,
    "Drafts accepted": timings.draft_proposed > 0 ? `${timings.draft_accepted} of ${timings.draft_proposed}` : "",
    Queue: milliseconds(timings.queue_ms),
  };
}

/** @param {number} ms */
function milliseconds(ms) {
  return ms < 1000 ? `${rounded(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} value */
function rounded(value) {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
