/** The text of the open note: written as Markdown in one view, read as the server renders it in the other. */
import { byId, make } from "../ui/dom.js";
import { faultIn } from "../ui/messages.js";
import { markTab, startTabs } from "../ui/tabs.js";
import { safeFragment } from "../html/sanitise.js";
import { previewHtml } from "./service.js";

export class Body {
  #text = byId("text");
  #reading = byId("reading");
  #tabs = { read: byId("tab-read"), write: byId("tab-write") };
  #saved = { text: "", html: "" };
  /** @type {AbortController|null} */
  #rendering = null;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#text.addEventListener("input", changed);
    startTabs(Object.values(this.#tabs), (tab) => {
      this.#view(tab === this.#tabs.read ? "read" : "write");
      if (tab === this.#tabs.write && !this.#text.readOnly) this.#text.focus();
    });
  }

  get value() {
    return this.#text.value;
  }

  /**
   * @param {{text: string, html: string}} saved the server's version
   * @param {boolean} readOnly
   */
  show(saved, readOnly) {
    this.#text.value = saved.text;
    this.#text.readOnly = readOnly;
    this.saved(saved);
  }

  /** The server has this text now; the writing on screen stays. */
  saved({ text, html }) {
    this.#saved = { text, html };
    if (!this.#reading.hidden) this.#render();
  }

  /** @param {"read"|"write"} view */
  open(view) {
    this.#view(view);
  }

  #view(view) {
    markTab(Object.values(this.#tabs), this.#tabs[view]);
    this.#reading.hidden = view !== "read";
    this.#text.hidden = view !== "write";
    if (view === "read") this.#render();
  }

  /** Unsaved text is rendered by the server too: one Markdown dialect, not two. */
  async #render() {
    this.#rendering?.abort();
    if (this.value === this.#saved.text) {
      this.#put(this.#saved.html);
      return;
    }
    const rendering = new AbortController();
    this.#rendering = rendering;
    try {
      const html = await previewHtml(this.value, rendering.signal);
      if (!rendering.signal.aborted) this.#put(html);
    } catch (error) {
      if (rendering.signal.aborted) return;
      const box = make("div", { class: "fault", role: "alert" });
      faultIn(box, error);
      this.#reading.replaceChildren(box);
    }
  }

  #put(html) {
    const fragment = safeFragment(html);
    this.#reading.replaceChildren(fragment.childNodes.length ? fragment : make("p", { class: "hint" }, "This note has no text yet."));
  }
}
