/** One question at a time, in a dialog that Escape closes. */
import { byId, make } from "./dom.js";

/**
 * @typedef {object} Choice
 * @property {string} value what the promise gives
 * @property {string} label
 * @property {"primary"|"danger"|""} [kind]
 */

/**
 * Asks and waits. Escape and the first choice both mean "no": the promise gives "".
 * @param {string} title
 * @param {string} text
 * @param {Choice[]} choices
 * @param {string} [no] the label of the way out
 * @returns {Promise<string>}
 */
export function ask(title, text, choices, no = "Cancel") {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-actions").replaceChildren(
    make("button", { class: "button", value: "", testid: "confirm-no" }, no),
    ...choices.map(({ value, label, kind = "" }) => make("button", { class: `button ${kind}`, value, testid: `confirm-${value}` }, label)),
  );
  return answer(dialog);
}

/**
 * Opens a dialog whose form has `method=dialog` and gives the pressed button's value.
 * @param {any} dialog
 * @returns {Promise<string>}
 */
export function answer(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
