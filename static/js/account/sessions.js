/** Where the user is signed in: every session, and the switches that end one or all. */
import { byId, make } from "../ui/dom.js";
import { ask } from "../ui/confirm.js";
import { fault, notice } from "../ui/messages.js";
import { fullTime } from "../ui/words.js";
import { requestJson } from "../http/client.js";
import { session } from "../session/session.js";

export class Sessions {
  #rows = byId("session-rows");

  #feed;

  /** @param {import("../live/feed.js").Feed} feed */
  constructor(feed) {
    this.#feed = feed;
    byId("everywhere").addEventListener("click", () => this.#endAll());
  }

  async show() {
    this.#rows.replaceChildren();
    try {
      const { body } = await requestJson("/api/sessions/");
      this.#rows.replaceChildren(...body.items.map((item) => this.#row(item)));
    } catch (error) {
      fault(error);
    }
  }

  #row(item) {
    const row = make(
      "tr",
      { "data-current": String(item.current), testid: "session-row" },
      make("td", {}, item.user_agent || "An unnamed client"),
      make("td", { "data-label": "Address" }, item.address || "unknown"),
      make("td", { "data-label": "Signed in" }, fullTime(item.created_at)),
      make("td", { "data-label": "Last used" }, fullTime(item.last_used_at)),
      make("td", {}, item.current ? "This one" : make("button", { class: "button danger", type: "button", testid: "session-end", on: { click: () => this.#end(item, row) } }, "End")),
    );
    return row;
  }

  async #end(item, row) {
    try {
      await requestJson(`/api/sessions/${encodeURIComponent(item.id)}/`, { method: "DELETE" });
      row.remove();
      notice("The session has ended.");
    } catch (error) {
      fault(error);
    }
  }

  async #endAll() {
    const choice = await ask("Sign out everywhere?", "Every session ends, this one too.", [{ value: "everywhere", label: "Sign out everywhere", kind: "danger" }]);
    if (choice !== "everywhere") return;
    // The server ends the stream before it answers; the stream would come back with a token that no longer counts.
    this.#feed.stop();
    try {
      await requestJson("/api/logout/all/", { method: "POST" });
      session.over();
    } catch (error) {
      this.#feed.start();
      fault(error);
    }
  }
}
