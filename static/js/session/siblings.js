/**
 * Tabs that share one session (a duplicated tab copies the refresh token).
 *
 * Refresh tokens rotate, and a second use of an old one later than the server's grace window revokes the whole
 * family. So one tab renews at a time, under a lock, and tells the others what it got.
 */

const LOCK = "portcullis-renew";

/**
 * @typedef {{kind: "renewed", old: string, access: string, refresh: string} | {kind: "ended", sid: string}} Word
 */

export class Siblings {
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("portcullis-session") : null;

  /** @param {(word: Word) => void} heard */
  constructor(heard) {
    this.#channel?.addEventListener("message", (event) => heard(event.data));
  }

  /** @param {Word} word */
  tell(word) {
    this.#channel?.postMessage(word);
  }

  /**
   * Runs `work` while no other tab renews. Where locks are missing the server's grace window still makes two
   * renewals at once give the same successor.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  alone(work) {
    return navigator.locks ? navigator.locks.request(LOCK, work) : work();
  }
}
