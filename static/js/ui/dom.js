/** Small helpers around the DOM. Nothing here takes HTML text: nodes are made, never parsed. */

/**
 * The element with this id; a missing one is a mistake in the page and shows at once.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Makes an element. `on` holds listeners, `testid` becomes data-testid, `class` and other keys are attributes;
 * `true` sets an empty attribute, `false` and `null` set none.
 * @param {string} tag
 * @param {Record<string, any>} [settings]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(settings)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key === "testid" ? "data-testid" : key, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child || child === ""));
  return element;
}

/**
 * An icon of /img/icons.svg, hidden from assistive technology: the words beside it speak.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/img/icons.svg#${name}`);
  svg.append(use);
  return svg;
}
