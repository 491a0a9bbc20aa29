/** The tags of the open note as chips, with a field that adds one at Enter or comma. */
import { byId, icon, make } from "../ui/dom.js";

export class TagsField {
  /** @type {string[]} */
  #tags = [];
  #readOnly = false;
  #box = byId("tags");
  #input = byId("tag-input");
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === ",") {
        event.preventDefault();
        this.#take();
      } else if (event.key === "Backspace" && !this.#input.value && this.#tags.length) {
        this.#remove(this.#tags[this.#tags.length - 1]);
      }
    });
    // Leaving the field counts as "done": a tag typed before pressing Save must not get lost.
    this.#input.addEventListener("blur", () => this.#take());
  }

  get value() {
    return [...this.#tags];
  }

  /**
   * @param {string[]} tags
   * @param {boolean} readOnly
   */
  show(tags, readOnly) {
    this.#tags = [...tags];
    this.#readOnly = readOnly;
    this.#input.hidden = readOnly;
    this.#input.value = "";
    this.#render();
  }

  /** Takes what is typed but not yet a chip, as Ctrl+S finds it. */
  flush() {
    this.#take();
  }

  #take() {
    const tag = this.#input.value.replace(/^[#\s]+|[\s,]+$/g, "").replace(/\s+/g, " ").toLowerCase();
    this.#input.value = "";
    if (!tag || this.#tags.includes(tag)) return;
    this.#tags.push(tag);
    this.#render();
    this.#changed();
  }

  #remove(tag) {
    this.#tags = this.#tags.filter((other) => other !== tag);
    this.#render();
    this.#input.focus();
    this.#changed();
  }

  #render() {
    for (const chip of this.#box.querySelectorAll(".chip")) chip.remove();
    this.#input.before(
      ...this.#tags.map((tag) =>
        make(
          "span",
          { class: "chip", testid: "tag" },
          `#${tag}`,
          !this.#readOnly && make("button", { type: "button", "aria-label": `Remove tag ${tag}`, on: { click: () => this.#remove(tag) } }, icon("close")),
        ),
      ),
    );
  }
}
