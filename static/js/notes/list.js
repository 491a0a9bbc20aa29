/** The list of notes: search, one tag, pages by cursor, and rows that keep their place when the world changes. */
import { byId, icon, make } from "../ui/dom.js";
import { fillRows } from "../ui/rows.js";
import { fullTime, shortTime } from "../ui/words.js";
import { fault } from "../ui/messages.js";
import { session } from "../session/session.js";
import { listNotes } from "./service.js";
import { TagFilter } from "./tag-filter.js";

const PAGE = 20;
/** The most that one request may ask for (the API's own limit). */
const PAGE_MAX = 100;
const TYPING_PAUSE_MS = 200;
/** Events come in bursts: one list is read for all that arrive within this time. */
const BURST_MS = 150;

export class NoteList {
  /** @type {import("./service.js").Note[]} */
  #items = [];
  /** @type {string|null} */
  #next = null;
  #open = "";
  /** @type {AbortController|null} */
  #reading = null;
  #timer = 0;
  #tags = new TagFilter(() => this.reload());
  #search = byId("search");
  #list = byId("note-list");
  #end = byId("list-end");

  constructor() {
    this.#search.addEventListener("input", () => this.#soon(TYPING_PAUSE_MS, () => this.reload()));
    this.#search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.reload();
    });
    this.#list.addEventListener("keydown", (event) => this.#arrows(event));
    // "Load more" is a button for everyone; scrolling near it presses it.
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#more(), {
      root: byId("notes"),
      rootMargin: "300px",
    }).observe(this.#end);
  }

  clear() {
    this.#reading?.abort();
    clearTimeout(this.#timer);
    this.#items = [];
    this.#next = null;
    this.#search.value = "";
    this.#tags.clear();
    fillRows(this.#list, [], () => make("li"));
    this.#end.replaceChildren();
  }

  /** Reads from the top again, as many as are shown now. */
  async reload() {
    clearTimeout(this.#timer);
    const limit = Math.min(PAGE_MAX, Math.max(PAGE, this.#items.length));
    await this.#read({ limit }, (page) => page.items);
    this.#tags.learn(this.#items);
  }

  /**
   * A change somewhere: reads again soon and lets the changed row glow if it was someone else's doing.
   * @param {import("../live/feed.js").NoteEvent} event
   */
  heard(event) {
    this.#soon(BURST_MS, async () => {
      await this.reload();
      if (event.by !== session.username) this.#row(event.note_id)?.classList.add("fresh");
    });
  }

  /** @param {string} id */
  markOpen(id) {
    this.#open = id;
    for (const row of this.#list.querySelectorAll(".note-row")) row.setAttribute("aria-current", String(row.dataset.id === id));
  }

  async #more() {
    if (!this.#next || this.#reading) return;
    await this.#read({ limit: PAGE, cursor: this.#next }, (page) => {
      // A note that moved up since the last page must not stand in the list twice.
      const known = new Set(this.#items.map((note) => note.id));
      return [...this.#items, ...page.items.filter((note) => !known.has(note.id))];
    });
  }

  async #read(wish, merge) {
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    byId("notes").setAttribute("aria-busy", "true");
    try {
      const page = await listNotes({ q: this.#search.value.trim(), tag: this.#tags.chosen, ...wish }, reading.signal);
      if (reading.signal.aborted) return;
      this.#items = merge(page);
      this.#next = page.next;
      this.#render();
    } catch (error) {
      if (!reading.signal.aborted) fault(error);
    } finally {
      if (this.#reading === reading) {
        this.#reading = null;
        byId("notes").setAttribute("aria-busy", "false");
      }
    }
  }

  #soon(ms, work) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, ms);
  }

  #row(id) {
    return this.#list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  #render() {
    const focused = document.activeElement?.closest?.(".note-row")?.dataset.id;
    fillRows(this.#list, this.#items, (note) => make("li", {}, rowOf(note, note.id === this.#open)), ({ text, ...seen }) => JSON.stringify(seen));
    if (focused && !this.#list.contains(document.activeElement)) this.#row(focused)?.focus();
    this.markOpen(this.#open);
    this.#end.replaceChildren(...this.#ending());
  }

  #ending() {
    if (this.#next) return [make("button", { class: "button", type: "button", testid: "load-more", on: { click: () => this.#more() } }, "Load more")];
    if (this.#items.length) return [];
    const searching = this.#search.value.trim() || this.#tags.chosen;
    return [make("p", { testid: "list-empty" }, searching ? "No note matches." : "No notes yet. The first one is a click on New away.")];
  }

  #arrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const rows = [...this.#list.querySelectorAll(".note-row")];
    const next = rows[rows.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

/** @param {import("./service.js").Note} note */
function rowOf(note, open) {
  const foot = make("div", { class: "foot" });
  if (note.owner !== session.username) foot.append(make("span", {}, `from ${note.owner}`));
  if (note.attachment_count) foot.append(make("span", {}, icon("clip"), ` ${note.attachment_count}`, make("span", { class: "unseen" }, " files")));
  if (note.tags.length) foot.append(make("span", {}, note.tags.map((tag) => `#${tag}`).join(" ")));
  return make(
    "a",
    { class: "note-row", href: `#/notes/${note.id}`, "data-id": note.id, "aria-current": String(open), testid: "note-row" },
    make(
      "div",
      { class: "head" },
      make("span", { class: "title" }, note.title || "Untitled"),
      note.pinned && icon("pin"),
      note.pinned && make("span", { class: "unseen" }, "pinned"),
      make("time", { datetime: note.updated_at, title: fullTime(note.updated_at) }, shortTime(note.updated_at)),
    ),
    note.excerpt && make("div", { class: "excerpt" }, note.excerpt),
    foot,
  );
}
