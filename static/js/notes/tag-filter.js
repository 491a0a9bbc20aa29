/** The row of tags above the list. The API has no list of tags: the row grows with the notes that were seen. */
import { byId, make } from "../ui/dom.js";

const SHOWN_MAX = 24;

export class TagFilter {
  /** The tag that the list is narrowed to, "" for all. */
  chosen = "";
  /** @type {Set<string>} */
  #known = new Set();
  #row = byId("tag-row");
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  clear() {
    this.chosen = "";
    this.#known.clear();
    this.#render();
  }

  /** @param {{tags: string[]}[]} notes */
  learn(notes) {
    const before = this.#known.size;
    for (const note of notes) for (const tag of note.tags) this.#known.add(tag);
    if (this.#known.size !== before) this.#render();
  }

  #render() {
    const tags = [...this.#known].sort((a, b) => a.localeCompare(b)).slice(0, SHOWN_MAX);
    this.#row.hidden = tags.length === 0;
    this.#row.replaceChildren(
      ...tags.map((tag) =>
        make("button", { class: "chip", type: "button", "aria-pressed": String(tag === this.chosen), "data-tag": tag, on: { click: () => this.#toggle(tag) } }, `#${tag}`),
      ),
    );
  }

  #toggle(tag) {
    this.chosen = this.chosen === tag ? "" : tag;
    for (const chip of this.#row.children) chip.setAttribute("aria-pressed", String(chip.dataset.tag === this.chosen));
    this.#changed();
  }
}
