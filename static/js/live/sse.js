/** Server-sent events parsed from text, as the HTML standard (section 9.2.6) says. EventSource can't send a token. */

/**
 * @typedef {object} StreamEvent
 * @property {string} event
 * @property {string} data
 */

export class SseParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  #id = "";
  #lastId = "";

  /** The id to resume from, "" when none was given. A server may send one without an event, so that nothing is missed. */
  get lastId() {
    return this.#lastId;
  }

  /**
   * Feeds a piece of the stream; a line or an event may be split anywhere.
   * @param {string} piece
   * @returns {StreamEvent[]} the events that this piece completed
   */
  feed(piece) {
    const events = [];
    // A lone CR at the end may be half of a CRLF: it waits for the next piece.
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#dispatch(events);
      else this.#field(line);
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return; // A comment: the server's heartbeat.
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch(events) {
    this.#lastId = this.#id;
    if (this.#data.length) events.push({ event: this.#event || "message", data: this.#data.join("\n") });
    this.#event = "";
    this.#data = [];
  }
}
