/** The administrator's page: every user, and the switch that shuts one out. */
import { byId, make } from "../ui/dom.js";
import { fault, notice } from "../ui/messages.js";
import { fullTime } from "../ui/words.js";
import { requestJson } from "../http/client.js";

export class Users {
  /** @type {string|null} */
  #next = null;
  #rows = byId("user-rows");
  #more = byId("more-users");

  constructor() {
    this.#more.addEventListener("click", () => this.#read());
  }

  async show() {
    this.#rows.replaceChildren();
    this.#next = null;
    await this.#read();
  }

  async #read() {
    const query = new URLSearchParams({ limit: "50" });
    if (this.#next) query.set("cursor", this.#next);
    try {
      const { body } = await requestJson(`/api/admin/users/?${query}`);
      this.#rows.append(...body.items.map((user) => this.#row(user)));
      this.#next = body.next;
      this.#more.hidden = !body.next;
    } catch (error) {
      fault(error);
    }
  }

  #row(user) {
    const row = make(
      "tr",
      { "data-active": String(user.active), "data-username": user.username, testid: "user-row" },
      make("td", {}, user.username),
      make("td", { "data-label": "Role" }, user.role),
      make("td", { "data-label": "Created" }, fullTime(user.created_at)),
      make("td", { "data-label": "Last sign-in" }, user.last_login ? fullTime(user.last_login) : "never"),
      make(
        "td",
        {},
        make("button", { class: user.active ? "button danger" : "button", type: "button", testid: "user-switch", on: { click: () => this.#switch(user, row) } }, user.active ? "Disable" : "Enable"),
      ),
    );
    return row;
  }

  async #switch(user, row) {
    const verb = user.active ? "disable" : "enable";
    try {
      const { body } = await requestJson(`/api/admin/users/${encodeURIComponent(user.id)}/${verb}/`, { method: "POST" });
      const fresh = this.#row(body);
      row.replaceWith(fresh);
      fresh.querySelector("button").focus();
      notice(`${body.username} is ${body.active ? "enabled" : "disabled"}.`);
    } catch (error) {
      fault(error);
    }
  }
}
