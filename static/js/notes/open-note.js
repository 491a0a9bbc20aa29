/**
 * The open note and what the reader has made of it. No DOM here: three versions are compared, and that is all.
 *
 * `base` is the server's version that the writing started from, the fields on screen are ours, and a fresh one may
 * arrive at any time. The rule for a fresh one: it replaces what nobody has touched, and waits beside what somebody has.
 */
import * as service from "./service.js";
import { Problem } from "../http/problem.js";

/** @typedef {{title: string, text: string, tags: string[]}} Fields what a writer types */

const EMPTY = { title: "", text: "", tags: [], pinned: false, shares: [], attachments: [], access: "owner", owner: "", html: "" };

/**
 * @param {Fields} a
 * @param {Fields} b
 */
export const sameFields = (a, b) => a.title === b.title && lines(a.text) === lines(b.text) && a.tags.join("\n") === b.tags.join("\n");

/** A text field turns every line ending into LF; a text written by another client may hold CRLF and is still the same. */
const lines = (text) => text.replace(/\r\n?/g, "\n");

export class OpenNote {
  /** @type {any} the server's version; of a new note, the empty one */
  base = EMPTY;
  #etag = "";
  /** @type {service.Stored|null} a newer version that would overwrite unsaved writing */
  waiting = null;
  /** Saves, pins and reads of this note run one after the other: each needs the entity tag of the one before. */
  #queue = Promise.resolve();

  /** @param {service.Stored} [stored] nothing makes a new, unsaved note */
  constructor(stored) {
    if (stored) this.#adopt(stored);
  }

  get id() {
    return this.base.id ?? "";
  }

  get isNew() {
    return !this.base.id;
  }

  get mayWrite() {
    return this.base.access !== "viewer";
  }

  get isOwner() {
    return this.base.access === "owner";
  }

  /** @param {Fields} fields */
  isDirty(fields) {
    return !sameFields(fields, this.base);
  }

  /**
   * Saves the fields. Gives "saved", or "conflict" when a newer version waits in `waiting`.
   * @param {Fields} fields
   * @param {{pinned?: boolean}} [extra]
   */
  save(fields, extra = {}) {
    return this.#inTurn(async () => {
      if (this.isNew) {
        this.#adopt(await service.createNote({ ...fields, ...extra }));
        return "saved";
      }
      return this.#change({ ...fields, ...extra }, fields);
    });
  }

  /**
   * Pins without saving the writing: a click on the pin must not publish half a sentence.
   * @param {boolean} pinned
   */
  pin(pinned) {
    return this.#inTurn(() => this.#change({ pinned }, null));
  }

  /**
   * Reads the note again and reconciles. Gives "same", "replaced" or "conflict".
   * @param {() => Fields} ours the fields on screen when the answer is here
   */
  refresh(ours) {
    return this.#inTurn(async () => {
      const fresh = await service.readNote(this.id);
      return this.#reconcile(fresh, ours());
    });
  }

  /**
   * The waiting version becomes the base. With the reader's fields still on screen the next save then overwrites it
   * knowingly ("keep mine"); with the base's fields put on screen it is "take theirs".
   */
  settle() {
    if (this.waiting) this.#adopt(this.waiting);
  }

  async #change(change, ours) {
    try {
      this.#adopt(await service.changeNote(this.id, this.#etag, change));
      return "saved";
    } catch (error) {
      if (Problem.of(error).status !== 412) throw error;
    }
    // Somebody was faster. If they only pinned it or attached a file, the writing doesn't collide: try once more.
    const fresh = await service.readNote(this.id);
    if (ours && !sameFields(fresh.note, this.base) && !sameFields(fresh.note, ours)) {
      this.waiting = fresh;
      return "conflict";
    }
    this.#adopt(await service.changeNote(this.id, fresh.etag, change));
    return "saved";
  }

  #reconcile(fresh, ours) {
    if (fresh.note.version === this.base.version && fresh.etag === this.#etag) {
      this.base = fresh.note;
      return "same";
    }
    if (this.isDirty(ours) && !sameFields(fresh.note, this.base) && !sameFields(fresh.note, ours)) {
      this.waiting = fresh;
      return "conflict";
    }
    const touched = !sameFields(fresh.note, this.base);
    this.#adopt(fresh);
    return touched ? "replaced" : "same";
  }

  #adopt({ note, etag }) {
    this.base = note;
    this.#etag = etag;
    this.waiting = null;
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inTurn(work) {
    const turn = this.#queue.then(work);
    this.#queue = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }
}
