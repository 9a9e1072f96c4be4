// A small line chart in SVG.

const namespace = "http://www.w3.org/2000/svg";
const width = 320;
const height = 84;
const left = 34;
const bottom = 16;
const top = 8;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {{x: number, y: number}[]} points by rising x
 */

/**
 * Draws lines over a common pair of axes that begin at 0. Every line has a class of its
 * own (`line-0`, `line-1`), and so its colour.
 *
 * @param {SVGElement} svg is emptied but for its title
 * @param {Series[]} all
 * @param {(x: number) => string} unit writes an x
 */
export function draw(svg, all, unit) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const points = all.flatMap((s) => s.points);
  const xMost = Math.max(1e-9, ...points.map((p) => p.x));
  const yMost = nice(Math.max(1, ...points.map((p) => p.y)));
  const x = (/** @type {number} */ v) => left + (v / xMost) * (width - left - 2);
  const y = (/** @type {number} */ v) => height - bottom - (v / yMost) * (height - bottom - top);
  const parts = [0, yMost / 2, yMost].flatMap((v) => [
    shape("line", { class: "grid", x1: left, x2: width, y1: y(v), y2: y(v) }),
    label(left - 5, y(v) + 3.5, "end", String(v)),
  ]);
  if (points.length > 0) parts.push(label(left, height - 3, "start", "0"), label(width, height - 3, "end", unit(xMost)));
  all.forEach((series, i) => {
    const path = series.points.map((p) => `${x(p.x).toFixed(1)},${y(p.y).toFixed(1)}`).join(" ");
    parts.push(shape("polyline", { class: `line line-${i}`, points: path }));
    const last = series.points.at(-1);
    if (last) parts.push(shape("circle", { class: `dot line-${i}`, cx: x(last.x), cy: y(last.y), r: 2.5 }));
  });
  svg.replaceChildren(...svg.querySelectorAll("title"), ...parts);
}

/** @param {string} name @param {Record<string, string|number>} attributes */
function shape(name, attributes) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {number} x @param {number} y @param {string} anchor @param {string} text */
function label(x, y, anchor, text) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** @param {number} value @returns {number} a round number that is not below it */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((f) => f * power >= value) ?? 10) * power;
}
