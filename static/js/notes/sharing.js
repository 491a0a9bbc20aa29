/** Who else sees the open note: the list in the margin and the owner's dialog. */
import { byId, icon, make } from "../ui/dom.js";
import { fillRows } from "../ui/rows.js";
import { ask } from "../ui/confirm.js";
import { fault, faultIn, notice } from "../ui/messages.js";
import { session } from "../session/session.js";
import { shareNote, unshareNote } from "./service.js";

export class Sharing {
  /** @type {import("./open-note.js").OpenNote|null} */
  #open = null;
  #changed;
  #left;
  #dialog = byId("share-dialog");

  /**
   * @param {() => Promise<void>} changed called after a change of the shares
   * @param {() => void} left called when the reader has left the note
   */
  constructor(changed, left) {
    this.#changed = changed;
    this.#left = left;
    byId("share").addEventListener("click", () => this.#start());
    byId("share-close").addEventListener("click", () => this.#dialog.close());
    byId("leave").addEventListener("click", () => this.#leave());
    byId("share-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add();
    });
  }

  /** @param {import("./open-note.js").OpenNote} open */
  show(open) {
    this.#open = open;
    byId("share").hidden = open.isNew || !open.isOwner;
    byId("people-section").hidden = open.isNew;
    byId("leave").hidden = open.isOwner;
    // The API tells the list of shares to the owner only; others know of the owner and themselves.
    const others = open.isOwner ? open.base.shares : [{ username: session.username, role: open.base.access }];
    const people = [{ username: open.base.owner, role: "owner" }, ...others];
    fillRows(byId("people"), people.map((one) => ({ ...one, you: one.username === session.username })), person);
    fillRows(byId("share-list"), open.base.shares, (share) => this.#row(share));
    byId("share-nobody").hidden = open.base.shares.length > 0;
  }

  close() {
    this.#dialog.close();
  }

  #start() {
    faultIn(byId("share-fault"), null);
    byId("share-form").reset();
    this.#dialog.showModal();
    byId("share-user").focus();
  }

  #add() {
    const field = byId("share-user");
    const username = field.value.trim();
    if (!username) return;
    this.#try(async (open) => {
      await shareNote(open.id, username, byId("share-role").value);
      notice(`Shared with ${username}.`);
      field.value = "";
      field.focus();
    });
  }

  #row({ username, role }) {
    const select = make(
      "select",
      { class: "input", "aria-label": `Role of ${username}`, on: { change: () => this.#try((open) => shareNote(open.id, username, select.value)) } },
      ...["viewer", "editor"].map((value) => make("option", { value, selected: value === role }, value === "viewer" ? "Viewer" : "Editor")),
    );
    return make(
      "li",
      { testid: "share-entry", "data-username": username },
      make("span", { class: "name" }, username),
      make("span", {}, select),
      make(
        "button",
        { class: "button bare square", type: "button", testid: "share-remove", "aria-label": `Stop sharing with ${username}`, on: { click: () => this.#try((open) => unshareNote(open.id, username)) } },
        icon("close"),
      ),
    );
  }

  async #leave() {
    const sure = await ask("Leave this note?", "You won't see it any more, unless its owner shares it with you again.", [{ value: "yes", label: "Leave", kind: "danger" }]);
    if (!sure || !this.#open) return;
    try {
      await unshareNote(this.#open.id, session.username);
      this.#left();
    } catch (error) {
      fault(error);
    }
  }

  async #try(work) {
    if (!this.#open) return;
    try {
      await work(this.#open);
      faultIn(byId("share-fault"), null);
      await this.#changed();
    } catch (error) {
      faultIn(byId("share-fault"), error);
    }
  }
}

function person({ username, role, you }) {
  return make("li", {}, make("span", { class: "name" }, `${username}${you ? " (you)" : ""}`), make("span", { class: "hint" }, role));
}
