/**
 * Who is signed in. The access token lives in memory only; the refresh token in sessionStorage, so that a reload of
 * this tab goes on and a closed tab is signed out.
 */
import { Problem } from "../http/problem.js";
import { Siblings } from "./siblings.js";
import { claimsOf, lifetimeMs } from "./token.js";
import * as service from "./token-service.js";

const STORED = "refresh";
/** Renewed this long before it expires: longer than a slow request needs, short against five minutes. */
const RENEW_AHEAD_MS = 30_000;
/** A token that lives shorter than that is renewed at half its life. */
const RENEW_SHARE_MIN = 0.5;
const RETRY_MS = 5_000;

/** Events: "started" when someone is signed in, "ended" (detail: the reason or "") when no longer. */
class Session extends EventTarget {
  #access = "";
  #refresh = "";
  #claims = {};
  #renewAt = 0;
  #timer = 0;
  /** @type {Promise<void>|null} */
  #renewing = null;
  #siblings = new Siblings((word) => this.#heard(word));

  constructor() {
    super();
    // A sleeping laptop stops timers; the token may be stale when the tab is looked at again.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#refresh && Date.now() > this.#renewAt) this.#renewQuietly();
    });
  }

  get username() {
    return this.#claims.username ?? "";
  }

  get isAdmin() {
    return Array.isArray(this.#claims.roles) && this.#claims.roles.includes("admin");
  }

  get active() {
    return this.#refresh !== "";
  }

  async signIn(username, password) {
    this.#adopt(await service.obtain(username, password));
    this.dispatchEvent(new Event("started"));
  }

  /** Goes on with the session this tab had before a reload. Gives false when there is none. */
  async resume() {
    this.#refresh = read();
    if (!this.#refresh) return false;
    await this.#renew();
    if (!this.active) return false;
    this.dispatchEvent(new Event("started"));
    return true;
  }

  async signOut() {
    const [refresh, sid] = [this.#refresh, this.#claims.sid];
    this.#siblings.tell({ kind: "ended", sid });
    this.#end("");
    // The page is signed out whatever the server says; a token that is no longer valid needs no blacklist.
    await service.blacklist(refresh).catch(() => {});
  }

  /** The server has ended the session already. */
  over() {
    this.#siblings.tell({ kind: "ended", sid: this.#claims.sid });
    this.#end("");
  }

  /**
   * A token good for a request. With `insteadOf`, one that isn't the refused one.
   * @param {{insteadOf?: string}} [wish]
   * @returns {Promise<string>}
   * @throws {Problem} when the session is over or the server can't be reached
   */
  async accessToken({ insteadOf } = {}) {
    const stale = !this.#access || Date.now() > this.#renewAt || this.#access === insteadOf;
    if (stale && this.#refresh) await this.#renew();
    if (!this.#access) throw new Problem("Your session has ended. Sign in again.", { status: 401, code: "session_ended" });
    return this.#access;
  }

  /** However many ask, one renewal runs, here and across tabs. */
  #renew() {
    this.#renewing ??= this.#renewNow().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renewNow() {
    const before = this.#refresh;
    await this.#siblings.alone(async () => {
      // While this tab waited for the lock another one may have renewed and told us, or signed out.
      if (this.#refresh !== before || !this.#refresh) return;
      try {
        const tokens = await service.renew(before);
        if (this.#refresh !== before) return;
        this.#adopt(tokens);
        this.#siblings.tell({ kind: "renewed", old: before, access: this.#access, refresh: this.#refresh });
      } catch (error) {
        if (Problem.of(error).status !== 401) throw error;
        this.#end("Your session has ended. Sign in again.");
      }
    });
  }

  #renewQuietly() {
    this.#renew().catch(() => {
      // No answer is no verdict: keep the session and try again.
      this.#timer = setTimeout(() => this.#renewQuietly(), RETRY_MS);
    });
  }

  #adopt({ access, refresh }) {
    this.#access = access;
    this.#refresh = refresh ?? this.#refresh;
    this.#claims = claimsOf(access);
    const lifetime = lifetimeMs(this.#claims);
    const wait = Math.max(lifetime - RENEW_AHEAD_MS, lifetime * RENEW_SHARE_MIN);
    this.#renewAt = Date.now() + wait;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#renewQuietly(), wait);
    write(this.#refresh);
  }

  #end(reason) {
    clearTimeout(this.#timer);
    const was = this.active;
    this.#access = "";
    this.#refresh = "";
    this.#claims = {};
    write("");
    if (was) this.dispatchEvent(new CustomEvent("ended", { detail: reason }));
  }

  /** @param {import("./siblings.js").Word} word */
  #heard(word) {
    if (word.kind === "renewed" && word.old === this.#refresh) this.#adopt(word);
    if (word.kind === "ended" && this.active && word.sid === this.#claims.sid) this.#end("Signed out in another tab.");
  }
}

function read() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

function write(refresh) {
  try {
    if (refresh) sessionStorage.setItem(STORED, refresh);
    else sessionStorage.removeItem(STORED);
  } catch {
    // Without storage the session lasts until the next reload.
  }
}

export const session = new Session();
