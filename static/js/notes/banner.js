/** One line above the sheet that says what happened to the open note elsewhere, with one thing to do about it. */
import { byId } from "../ui/dom.js";

export class Banner {
  #box = byId("banner");
  #action = () => {};

  constructor() {
    byId("banner-action").addEventListener("click", () => this.#action());
  }

  /**
   * @param {string} text
   * @param {string} label of the button
   * @param {() => void} action
   */
  show(text, label, action) {
    byId("banner-text").textContent = text;
    byId("banner-action").textContent = label;
    this.#action = action;
    this.#box.hidden = false;
  }

  hide() {
    this.#box.hidden = true;
  }
}
