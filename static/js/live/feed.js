/** The stream of changes: read with fetch, because it needs the token; opened again whenever it breaks. */
import { request } from "../http/client.js";
import { SseParser } from "./sse.js";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** The server's heartbeat comes every 15 s; three missing ones mean that the line is dead, whatever TCP thinks. */
const SILENCE_MAX_MS = 45_000;

/** A stream that ended sooner than this counts as a failure, so that a server that closes at once isn't hammered. */
const SHORT_MS = 2_000;

/**
 * @typedef {object} NoteEvent
 * @property {"created"|"updated"|"deleted"|"shared"|"unshared"} kind
 * @property {string} note_id
 * @property {number} version
 * @property {string} by
 */

/** Events: "note" (detail: NoteEvent), "resync" (read everything again), "state" (detail: "open" | "waiting" | "closed"). */
export class Feed extends EventTarget {
  /** @type {AbortController|null} */
  #running = null;
  #lastId = "";
  /** Wakes the pause between two attempts. */
  #wake = () => {};

  constructor() {
    super();
    addEventListener("online", () => this.#wake());
  }

  start() {
    this.stop();
    this.#running = new AbortController();
    this.#lastId = "";
    this.#run(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#wake();
  }

  async #run(stopped) {
    let failures = 0;
    while (!stopped.aborted) {
      const began = Date.now();
      try {
        await this.#read(stopped, () => {
          failures = 0;
          // Without an id to resume from, what happened since the page last read anything is unknown.
          if (!this.#lastId) this.dispatchEvent(new Event("resync"));
        });
        // The server ends each stream with the token's life. That is no trouble worth a word, unless it comes at once.
        if (Date.now() - began < SHORT_MS) failures += 1;
      } catch {
        failures += 1;
      }
      if (stopped.aborted) break;
      if (failures) this.#state("waiting");
      await this.#pause(failures);
    }
    this.#state("closed");
  }

  async #read(stopped, opened) {
    const silent = new AbortController();
    let watchdog = setTimeout(() => silent.abort(), SILENCE_MAX_MS);
    try {
      const headers = { accept: "text/event-stream" };
      if (this.#lastId) headers["last-event-id"] = this.#lastId;
      const response = await request("/api/events/", { headers, signal: AbortSignal.any([stopped, silent.signal]) });
      this.#state("open");
      opened();
      const parser = new SseParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => silent.abort(), SILENCE_MAX_MS);
        for (const event of parser.feed(value)) this.#deliver(event);
        this.#lastId = parser.lastId || this.#lastId;
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** @param {import("./sse.js").StreamEvent} event */
  #deliver({ event, data }) {
    if (event === "note") this.dispatchEvent(new CustomEvent("note", { detail: JSON.parse(data) }));
    else if (event === "resync") this.dispatchEvent(new Event("resync"));
  }

  #state(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  /** Doubling with full jitter, so that all tabs of the world don't come back in the same second. */
  #pause(failures) {
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 10));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, BACKOFF_FIRST_MS / 2 + Math.random() * ceiling);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}
