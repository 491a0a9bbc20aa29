/** The places of the notebook by their hash: the list, one note, a new note, the users, the sessions. Back and links just work. */
import { byId } from "./ui/dom.js";
import { fault } from "./ui/messages.js";
import { session } from "./session/session.js";

const NAME = "Portcullis Notebook";
const TITLES = { admin: "Users", sessions: "Your sessions" };

export class Places {
  #editor;
  #list;
  #users;
  #sessions;
  /** The hash of what is on screen: the way back when the reader decides to stay. */
  #here = "";

  /**
   * @param {import("./notes/editor.js").Editor} editor
   * @param {import("./notes/list.js").NoteList} list
   * @param {import("./admin/users.js").Users} users
   * @param {import("./account/sessions.js").Sessions} sessions
   */
  constructor(editor, list, users, sessions) {
    this.#editor = editor;
    this.#list = list;
    this.#users = users;
    this.#sessions = sessions;
    addEventListener("hashchange", () => this.#moved());
  }

  /**
   * @param {string} hash
   * @param {boolean} [replace] without a step in the history
   */
  go(hash, replace = false) {
    if (replace) {
      history.replaceState(null, "", hash);
      this.#moved();
    } else {
      location.hash = hash;
    }
  }

  /** Shows the place that the address names, after signing in. */
  arrive() {
    this.#here = "";
    return this.#moved();
  }

  async #moved() {
    if (!session.active || location.hash === this.#here) return;
    const hash = location.hash;
    const note = /^#\/notes\/([\w-]+)$/.exec(hash);
    // A new note that has just been saved is already on screen; only its address is new.
    if (note && note[1] === this.#editor.id) {
      this.#settle(hash, "note");
      return;
    }
    if (!(await this.#editor.mayLeave())) {
      history.replaceState(null, "", this.#here || "#/");
      return;
    }
    if (location.hash !== hash) return;
    this.#editor.close();
    if (note) await this.#openNote(hash, note[1]);
    else if (hash === "#/new") {
      this.#settle(hash, "note");
      this.#editor.openNew();
    } else if (hash === "#/admin" && session.isAdmin) {
      this.#settle(hash, "admin");
      await this.#users.show();
    } else if (hash === "#/sessions") {
      this.#settle(hash, "sessions");
      await this.#sessions.show();
    } else {
      this.#settle(hash, "list");
    }
  }

  async #openNote(hash, id) {
    // The old place stays on screen until the note is here: no flash of an empty sheet.
    try {
      await this.#editor.open(id);
      if (location.hash === hash) this.#settle(hash, "note");
    } catch (error) {
      fault(error);
      this.go("#/", true);
    }
  }

  #settle(hash, show) {
    this.#here = hash;
    byId("notebook").dataset.show = show;
    byId("empty").hidden = show !== "list";
    byId("note").hidden = show !== "note";
    byId("admin").hidden = show !== "admin";
    byId("sessions").hidden = show !== "sessions";
    byId("main-pane").scrollTop = 0;
    this.#list.markOpen(this.#editor.id);
    const title = show === "note" ? byId("title").value || "New note" : (TITLES[show] ?? "");
    document.title = title ? `${title} · ${NAME}` : NAME;
  }
}
