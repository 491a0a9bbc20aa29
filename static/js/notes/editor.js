/** The open note on screen: the fields, their saving, and what happens when the note changes elsewhere. */
import { byId, make } from "../ui/dom.js";
import { ask } from "../ui/confirm.js";
import { fault, notice } from "../ui/messages.js";
import { fullTime, shortTime } from "../ui/words.js";
import { Problem } from "../http/problem.js";
import { session } from "../session/session.js";
import { Banner } from "./banner.js";
import { Body } from "./body.js";
import { chooseVersion } from "./conflict.js";
import { Files } from "./files.js";
import { OpenNote } from "./open-note.js";
import { deleteNote, readNote } from "./service.js";
import { Sharing } from "./sharing.js";
import { TagsField } from "./tags-field.js";

export class Editor {
  /** @type {OpenNote|null} */
  #open = null;
  #saving = false;
  /** Who made the version that waits, as the stream told. */
  #lastBy = "";
  #title = byId("title");
  #tags = new TagsField(() => this.#typed());
  #body = new Body(() => this.#typed());
  #banner = new Banner();
  #files = new Files(() => this.#again());
  #sharing = new Sharing(
    () => this.#again(),
    () => this.#gone("You left the note."),
  );
  #go;

  /** @param {(hash: string, replace?: boolean) => void} go moves to another place of the page */
  constructor(go) {
    this.#go = go;
    this.#title.addEventListener("input", () => this.#typed());
    byId("save").addEventListener("click", () => this.save());
    byId("pin").addEventListener("click", () => this.#pin());
    byId("delete").addEventListener("click", () => this.#delete());
    addEventListener("beforeunload", (event) => {
      if (this.isDirty) event.preventDefault();
    });
  }

  get id() {
    return this.#open?.id ?? "";
  }

  get isDirty() {
    return this.#open !== null && this.#open.isDirty(this.#fields());
  }

  openNew() {
    this.#show(new OpenNote());
    this.#body.open("write");
    this.#title.focus();
  }

  /** @param {string} id */
  async open(id) {
    const stored = await readNote(id);
    this.#show(new OpenNote(stored));
    this.#body.open("read");
  }

  close() {
    this.#open = null;
    this.#sharing.close();
    this.#banner.hide();
    byId("note").hidden = true;
  }

  /** Before leaving: saved, thrown away, or stay. Gives false to stay. */
  async mayLeave() {
    if (!this.isDirty) return true;
    const choice = await ask(
      "Unsaved changes",
      `“${this.#title.value || "Untitled"}” has changes that are not saved.`,
      [
        { value: "discard", label: "Discard", kind: "danger" },
        { value: "save", label: "Save", kind: "primary" },
      ],
      "Stay",
    );
    if (choice === "save") return this.save();
    return choice === "discard";
  }

  /** Gives true when the server has all that is on screen. */
  async save() {
    const open = this.#open;
    if (!open?.mayWrite || this.#saving) return false;
    this.#tags.flush();
    const fields = this.#fields();
    if (!open.isNew && !open.isDirty(fields)) return true;
    // The stream has already told of a newer version: the server would refuse, so ask the reader first.
    if (open.waiting) return this.#resolve();
    this.#wrong(null);
    this.#setSaving(true);
    try {
      const wasNew = open.isNew;
      const outcome = await open.save(fields, wasNew ? { pinned: this.#pinned } : {});
      if (open !== this.#open) return true;
      if (outcome === "conflict") {
        this.#setSaving(false);
        return await this.#resolve();
      }
      this.#adoptKeepingTyping(fields);
      if (wasNew) this.#go(`#/notes/${open.id}`, true);
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    } finally {
      this.#setSaving(false);
    }
  }

  /** @param {import("../live/feed.js").NoteEvent} event */
  async heard(event) {
    if (!this.#open || event.note_id !== this.#open.id) return;
    if (event.kind === "deleted") {
      if (event.by !== session.username) this.#lost(`${event.by} deleted this note.`);
      return;
    }
    if (event.kind === "unshared" && !this.#open.isOwner) {
      this.#lost("This note is no longer shared with you.");
      return;
    }
    // Our own changes too: they may come from another tab, and files or shares change without a new version.
    const other = event.by === session.username ? "" : event.by;
    if (other) this.#lastBy = other;
    await this.#again(other);
  }

  /** Reads the open note again: after a gap in the stream, or after a change of its shares or files. */
  async again() {
    if (this.#open && !this.#open.isNew) await this.#again();
  }

  async #again(by = "") {
    const open = this.#open;
    if (!open || open.isNew) return;
    try {
      const outcome = await open.refresh(() => this.#fields());
      if (open !== this.#open) return;
      if (outcome === "conflict") this.#announceConflict();
      else if (outcome === "replaced") this.#replaced(by);
      else this.#renderAround();
    } catch (error) {
      const { status } = Problem.of(error);
      if (status === 404 || status === 403) this.#lost("This note is no longer shared with you.");
      else fault(error);
    }
  }

  #replaced(by) {
    this.#show(this.#open);
    if (by) notice(`Updated by ${by}.`);
  }

  /** The note is gone for us; writing that isn't saved stays on screen and can become a note of its own. */
  #lost(text) {
    if (!this.isDirty) {
      this.#gone(text);
      return;
    }
    this.#banner.show(`${text} What you wrote is still here.`, "Save as a new note", () => {
      const fields = this.#fields();
      this.#open = new OpenNote();
      this.#banner.hide();
      this.#renderAround();
      this.#fill({ ...fields, html: "" }, false);
      this.save();
    });
  }

  #gone(text) {
    this.close();
    notice(text);
    this.#go("#/", true);
  }

  #announceConflict() {
    const by = this.#lastBy || "Someone";
    this.#banner.show(`${by} saved version ${this.#open.waiting.note.version} of this note. Your writing is untouched.`, "Compare", () => this.#resolve());
    this.#renderState();
  }

  /** Shows both versions; gives true when everything is settled and saved. */
  async #resolve() {
    const open = this.#open;
    if (!open?.waiting) return true;
    const choice = await chooseVersion(this.#fields(), open.waiting.note, this.#lastBy);
    if (open !== this.#open) return false;
    if (!choice) {
      this.#announceConflict();
      return false;
    }
    open.settle();
    this.#banner.hide();
    if (choice === "mine") return this.save();
    this.#show(open);
    return true;
  }

  #show(open) {
    this.#open = open;
    this.#lastBy = "";
    this.#banner.hide();
    this.#wrong(null);
    byId("note").hidden = false;
    this.#pinned = open.base.pinned;
    this.#fill(open.base, !open.mayWrite);
    this.#renderAround();
  }

  #fill(fields, readOnly) {
    this.#title.value = fields.title;
    this.#title.readOnly = readOnly;
    this.#tags.show(fields.tags, readOnly);
    this.#body.show(fields, readOnly);
    this.#renderState();
  }

  /** After a save: typing may have gone on meanwhile, and it wins over what was sent. */
  #adoptKeepingTyping(sent) {
    const now = this.#fields();
    const base = this.#open.base;
    if (now.title === sent.title) this.#title.value = base.title;
    if (now.tags.join() === sent.tags.join()) this.#tags.show(base.tags, false);
    if (now.text === sent.text && base.text !== sent.text) this.#body.show(base, false);
    else this.#body.saved(base);
    this.#banner.hide();
    this.#renderAround();
  }

  #renderAround() {
    const open = this.#open;
    this.#sharing.show(open);
    this.#files.show(open);
    this.#pinned = open.isNew ? this.#pinned : open.base.pinned;
    byId("pin").setAttribute("aria-pressed", String(this.#pinned));
    byId("pin").hidden = !open.mayWrite;
    byId("delete").hidden = open.isNew || !open.isOwner;
    byId("save").hidden = !open.mayWrite;
    byId("margin").hidden = open.isNew;
    byId("facts").replaceChildren(...factsOf(open.base));
    this.#renderState();
  }

  #renderState() {
    const open = this.#open;
    if (!open) return;
    const dirty = this.isDirty;
    const state = byId("note-state");
    let words = "";
    if (!open.mayWrite) words = "You may read this note";
    else if (this.#saving) words = "Saving…";
    else if (dirty) words = "Not saved";
    else if (!open.isNew) words = `Saved ${shortTime(open.base.updated_at)}`;
    if (state.textContent !== words) state.textContent = words;
    state.dataset.dirty = String(dirty);
    byId("save").disabled = this.#saving || (!dirty && !open.isNew);
  }

  #typed() {
    this.#renderState();
  }

  #setSaving(saving) {
    this.#saving = saving;
    this.#renderState();
  }

  #pinned = false;

  async #pin() {
    const open = this.#open;
    this.#pinned = !this.#pinned;
    byId("pin").setAttribute("aria-pressed", String(this.#pinned));
    if (open.isNew) return;
    try {
      await open.pin(this.#pinned);
    } catch (error) {
      fault(error);
    }
    if (open === this.#open) this.#renderAround();
  }

  async #delete() {
    const open = this.#open;
    const sure = await ask("Delete this note?", `“${open.base.title || "Untitled"}” and its files will be gone for everyone.`, [{ value: "yes", label: "Delete", kind: "danger" }]);
    if (!sure) return;
    try {
      await deleteNote(open.id);
      if (open === this.#open) this.#gone("Note deleted.");
    } catch (error) {
      fault(error);
    }
  }

  #failed(error) {
    const problem = Problem.of(error);
    if (problem.status === 404 || problem.status === 410) this.#lost("This note is gone.");
    else if (Object.keys(problem.fields).length) this.#wrong(problem);
    else fault(problem);
  }

  #wrong(problem) {
    const line = byId("note-wrong");
    line.hidden = problem === null;
    line.textContent = problem ? Object.entries(problem.fields).map(([field, words]) => `${field}: ${[words].flat().join(" ")}`).join(" ") : "";
  }

  #fields() {
    return { title: this.#title.value.trim(), text: this.#body.value, tags: this.#tags.value };
  }
}

function factsOf(note) {
  const facts = [
    ["Owner", note.owner],
    ["Changed", fullTime(note.updated_at)],
    ["Created", fullTime(note.created_at)],
    ["Version", note.version],
  ];
  return facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value ?? ""))]);
}
