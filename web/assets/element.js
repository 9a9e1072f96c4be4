// Elements of the page. Texts go in as texts: nothing here reads markup.

/**
 * The element of an id, which index.html has.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byID(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * Makes an element. Of the properties, `on…` are listeners, those that the element has
 * are set, and the others are attributes; undefined ones are left out.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|null|undefined)} children
 * @returns {any} the element
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined));
  return made;
}

/**
 * Makes a button that says what it does.
 *
 * @param {string} text
 * @param {(event: Event) => void} onclick
 * @param {Record<string, any>} [properties]
 * @returns {HTMLButtonElement}
 */
export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", className: "quiet small", onclick, ...properties }, text);
}

/**
 * Fills a description list with names and values.
 *
 * @param {HTMLElement} list
 * @param {[string, string][]} entries
 */
export function describe(list, entries) {
  list.replaceChildren(...entries.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}
