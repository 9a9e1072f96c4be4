// Finds what a person would call broken in how a page is laid out, and returns it in
// sentences: nothing where all is well.
(() => {
  const problems = new Set();
  const slack = 1.5; // CSS pixels that rounding may make

  /** Names an element in a sentence. */
  const named = (e) => {
    const id = e.id ? `#${e.id}` : e.classList.length > 0 ? `.${[...e.classList].join(".")}` : "";
    const text = (e.getAttribute("aria-label") ?? e.textContent ?? "").replace(/\s+/g, " ").trim().slice(0, 40);
    return `${e.localName}${id}${text ? ` "${text}"` : ""}`;
  };

  const styles = new Map();
  const styleOf = (e) => styles.get(e) ?? styles.set(e, getComputedStyle(e)).get(e);

  // While a dialog is open, the rest is out of reach.
  const dialog = document.querySelector("dialog:modal");
  const inPlay = (e) => (!dialog || dialog.contains(e)) && !e.closest("[inert]");

  /** Whether an element is for screen readers only: a box of a pixel, cut to nothing. */
  const forReaders = (e) => {
    for (let a = e; a; a = a.parentElement) {
      if (styleOf(a).position === "absolute" && styleOf(a).overflow === "hidden" && a.clientWidth <= 1) return true;
    }
    return false;
  };
  const shown = (e) => inPlay(e) && e.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true }) && !forReaders(e);

  const elements = [...document.body.querySelectorAll("*")].filter((e) => !e.closest("svg") && shown(e));

  /** The elements around one that can cut it: what is fixed is cut by the window only. */
  const around = function* (e) {
    for (let a = e; a && a !== document.body; a = a.parentElement) {
      if (styleOf(a).position === "fixed" || a === dialog) return;
      if (a.parentElement) yield a.parentElement;
    }
  };
  const scrolls = (value) => value === "auto" || value === "scroll";
  const cuts = (value) => value === "hidden" || value === "clip";

  /** What is seen of a box of an element: null where that is nothing. */
  const seen = (e, box) => {
    let { left, top, right, bottom } = box;
    const cut = (by, x, y) => {
      if (x) [left, right] = [Math.max(left, by.left), Math.min(right, by.right)];
      if (y) [top, bottom] = [Math.max(top, by.top), Math.min(bottom, by.bottom)];
    };
    for (const a of around(e)) {
      if (a !== document.body) cut(a.getBoundingClientRect(), styleOf(a).overflowX !== "visible", styleOf(a).overflowY !== "visible");
    }
    cut({ left: 0, top: 0, right: innerWidth, bottom: innerHeight }, true, true);
    return right - left > slack && bottom - top > slack ? { left, top, right, bottom } : null;
  };

  // Nothing can be scrolled sideways, but code and what is written in.
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) problems.add(`the page is ${root.scrollWidth} pixels wide in a window of ${innerWidth}`);
  for (const e of elements) {
    if (e.matches("pre, pre *, code, input, textarea, select")) continue;
    if (scrolls(styleOf(e).overflowX) && e.scrollWidth > e.clientWidth + slack) problems.add(`${named(e)} has to be scrolled sideways: ${e.scrollWidth} pixels in ${e.clientWidth}`);
  }

  /** Says where a box of an element is cut off and cannot be scrolled to. */
  const whole = (e, box, what) => {
    let x = true, y = true; // whether nothing scrolls it that way
    for (const a of [e, ...around(e)]) {
      if (a === document.body) break;
      const style = styleOf(a), by = a.getBoundingClientRect();
      if (x && cuts(style.overflowX) && style.textOverflow !== "ellipsis" && (box.left < by.left - slack || box.right > by.right + slack)) return problems.add(`${what} is cut off at its side by ${named(a)}`);
      if (y && cuts(style.overflowY) && (box.top < by.top - slack || box.bottom > by.bottom + slack)) return problems.add(`${what} is cut off by ${named(a)}`);
      if (cuts(style.overflowX) && style.textOverflow === "ellipsis") x = false;
      if (scrolls(style.overflowX)) x = false;
      if (scrolls(style.overflowY)) y = false;
    }
    if (x && (box.left < -slack || box.right > innerWidth + slack)) problems.add(`${what} is cut off at the side of the window`);
    if (y && getComputedStyle(document.body).overflowY === "hidden" && (box.top < -slack || box.bottom > innerHeight + slack)) problems.add(`${what} is cut off at the window's end`);
  };

  const controls = elements.filter((e) => e.matches("a[href], button, input, select, textarea, summary, [role=button], [role=tab], [role=radio]"));
  for (const e of controls) whole(e, e.getBoundingClientRect(), named(e));

  // Texts, as lines.
  const texts = elements.filter((e) => [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== "") && !e.matches("option, script, style"));
  for (const e of texts) {
    for (const n of e.childNodes) {
      if (n.nodeType !== Node.TEXT_NODE || n.data.trim() === "") continue;
      const range = document.createRange();
      range.selectNodeContents(n);
      for (const line of range.getClientRects()) whole(e, line, `the text of ${named(e)}`);
    }
  }

  // No control lies on another, but what can be scrolled from under it.
  const scroller = (e) => [...around(e)].find((a) => a !== document.body && scrolls(styleOf(a).overflowY) && a.scrollHeight > a.clientHeight + slack);
  const boxes = controls.map((e) => ({ e, box: seen(e, e.getBoundingClientRect()), scroller: scroller(e) })).filter(({ box }) => box);
  boxes.forEach((a, i) => {
    for (const b of boxes.slice(i + 1)) {
      const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (x > slack && y > slack && a.scroller === b.scroller && !a.e.contains(b.e) && !b.e.contains(a.e)) problems.add(`${named(a.e)} and ${named(b.e)} overlap by ${x.toFixed(0)} × ${y.toFixed(0)} pixels`);
    }
  });

  // Controls are large enough to be hit: WCAG 2.2, 2.5.8.
  for (const { e } of boxes) {
    if (styleOf(e).display === "inline") continue; // within a text
    const target = e.matches("input[type=checkbox], input[type=radio]") ? e.closest("label") ?? e : e;
    const { width, height } = target.getBoundingClientRect();
    const least = e.matches("input[type=range]") ? 12 : 24; // a slider's thumb is what the browser makes it
    if (width < 24 - slack || height < least - slack) problems.add(`${named(e)} is ${width.toFixed(0)} × ${height.toFixed(0)} pixels, under 24`);
  }

  // Texts stand out from what is behind them: WCAG 2.2, 1.4.3.
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const rgba = (text) => {
    if (!colours.has(text)) {
      pixel.clearRect(0, 0, 1, 1);
      pixel.fillStyle = text;
      pixel.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
      colours.set(text, { r, g, b, a: a / 255 });
    }
    return colours.get(text);
  };
  const over = (top, under) => {
    const mix = (x, y) => x * top.a + y * (1 - top.a);
    return { r: mix(top.r, under.r), g: mix(top.g, under.g), b: mix(top.b, under.b), a: 1 };
  };
  const behind = (e) => {
    const layers = [];
    for (let a = e; a; a = a.parentElement) {
      if (styleOf(a).backgroundImage !== "none") return null; // a picture is no colour
      layers.push(rgba(styleOf(a).backgroundColor));
      if (layers.at(-1).a === 1) break;
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    return layers.reduceRight((under, top) => over(top, under), canvas);
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const faded = (e) => {
    let opacity = 1;
    for (let a = e; a; a = a.parentElement) opacity *= Number(styleOf(a).opacity);
    return opacity;
  };
  const stands = (e, colour, what) => {
    const ground = behind(e);
    if (!ground || e.closest(":disabled")) return;
    const ink = rgba(colour);
    const [x, y] = [luminance(over({ ...ink, a: ink.a * faded(e) }, ground)), luminance(ground)].sort((p, q) => q - p);
    const ratio = (x + 0.05) / (y + 0.05);
    const size = parseFloat(styleOf(e).fontSize), large = size >= 24 || (size >= 18.66 && Number(styleOf(e).fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5) - 0.05) problems.add(`${what} has a contrast of ${ratio.toFixed(2)}, under ${large ? 3 : 4.5}`);
  };
  for (const e of texts) if (seen(e, e.getBoundingClientRect())) stands(e, styleOf(e).color, `the text of ${named(e)}`);
  for (const { e } of boxes) {
    if (e.matches("input, textarea, select")) stands(e, styleOf(e).color, `what is written in ${named(e)}`);
    if (e.matches("input, textarea") && e.placeholder && !e.value) stands(e, getComputedStyle(e, "::placeholder").color, `the hint in ${named(e)}`);
  }
  return [...problems].slice(0, 40);
})()
