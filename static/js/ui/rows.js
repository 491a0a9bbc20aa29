/**
 * Lists that are filled again and again: what hasn't changed stays the same element, so that focus, hover and a click
 * on its way are not lost when news arrives.
 */

const shown = new WeakMap();

/**
 * Makes the children of `parent` show `items`.
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => HTMLElement} build
 * @param {(item: T) => string} [facts] everything of the item that `build` shows
 */
export function fillRows(parent, items, build, facts = JSON.stringify) {
  const before = shown.get(parent) ?? new Map();
  const label = parent.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const after = new Map();
  for (const item of items) {
    const key = facts(item);
    after.set(key, before.get(key) ?? build(item));
  }
  shown.set(parent, after);
  const rows = [...after.values()];
  if (rows.length === parent.children.length && rows.every((row, at) => row === parent.children[at])) return;
  parent.replaceChildren(...rows);
  // A row that was built anew takes the focus over from the control of the same name.
  if (label) parent.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
}
