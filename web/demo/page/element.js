// Elements of the page. Texts go in as texts: nothing here reads markup.

// The element of an id, which index.html has.
export const byID = (id) => document.getElementById(id);

// Makes an element. Of the properties, on... are listeners, those that the element has
// are set, and the others are attributes.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Makes a small button that says what it does.
export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", className: "quiet small", onclick, ...properties }, text);
}

// Fills a list of names and values.
export function fill(list, entries) {
  list.replaceChildren(...entries.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}
