/** The files of the open note: upload with progress, download with the token, remove. */
import { byId, icon, make } from "../ui/dom.js";
import { fillRows } from "../ui/rows.js";
import { ask } from "../ui/confirm.js";
import { fault, notice } from "../ui/messages.js";
import { size } from "../ui/words.js";
import { attach, detach, fetchAttachment } from "./service.js";

/** Long enough for the browser to open the blob that the click points to. */
const BLOB_KEPT_MS = 60_000;

export class Files {
  #noteId = "";
  #changed;
  #pane = byId("main-pane");

  /** @param {() => void} changed called after the server has taken or removed a file */
  constructor(changed) {
    this.#changed = changed;
    const input = byId("file");
    input.addEventListener("change", () => {
      this.#uploadAll([...input.files]);
      input.value = "";
    });
    this.#acceptDrops();
  }

  /** @param {import("./open-note.js").OpenNote} open */
  show(open) {
    this.#noteId = open.mayWrite ? open.id : "";
    byId("attach").hidden = !this.#noteId;
    byId("files-section").hidden = open.isNew;
    const rows = open.base.attachments.map((file) => ({ file, mayWrite: open.mayWrite }));
    fillRows(byId("files"), rows, ({ file, mayWrite }) => this.#row(file, mayWrite));
    byId("files-none").hidden = rows.length > 0;
  }

  #row(file, mayWrite) {
    return make(
      "li",
      { testid: "file-row", "data-name": file.name },
      make(
        "span",
        { class: "name" },
        make("button", { class: "open", type: "button", testid: "download", "aria-label": `Download ${file.name}`, on: { click: () => download(file) } }, file.name),
        make("span", { class: "facts" }, size(file.size)),
      ),
      mayWrite &&
        make(
          "button",
          { class: "button bare square", type: "button", testid: "remove-file", "aria-label": `Remove ${file.name}`, on: { click: () => this.#remove(file) } },
          icon("bin"),
        ),
    );
  }

  async #remove(file) {
    const sure = await ask("Remove this file?", `“${file.name}” will be gone for everyone who sees the note.`, [{ value: "yes", label: "Remove", kind: "danger" }]);
    if (!sure) return;
    try {
      await detach(file.id);
      this.#changed();
    } catch (error) {
      fault(error);
    }
  }

  #uploadAll(files) {
    for (const file of files) if (this.#noteId) this.#upload(this.#noteId, file);
  }

  async #upload(noteId, file) {
    const stop = new AbortController();
    const bar = make("progress", { max: "1", value: "0", "aria-label": `Uploading ${file.name}` });
    const row = make(
      "div",
      { testid: "upload" },
      make("span", {}, `${file.name} `, make("button", { class: "button bare", type: "button", on: { click: () => stop.abort() } }, "Stop")),
      bar,
    );
    byId("uploads").append(row);
    try {
      await attach(noteId, file, (sent, total) => (bar.value = total ? sent / total : 0), stop.signal);
      notice(`“${file.name}” is attached.`);
      this.#changed();
    } catch (error) {
      if (!stop.signal.aborted) fault(error);
    } finally {
      row.remove();
    }
  }

  #acceptDrops() {
    this.#pane.addEventListener("dragover", (event) => {
      if (!this.#noteId || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      this.#pane.classList.add("dropping");
    });
    this.#pane.addEventListener("dragleave", () => this.#pane.classList.remove("dropping"));
    this.#pane.addEventListener("drop", (event) => {
      this.#pane.classList.remove("dropping");
      if (!this.#noteId || !event.dataTransfer.files.length) return;
      event.preventDefault();
      this.#uploadAll([...event.dataTransfer.files]);
    });
  }
}

/** A plain link can't carry the token, so the bytes come by fetch and leave as a blob. */
async function download(file) {
  try {
    const url = URL.createObjectURL(await fetchAttachment(file.id));
    make("a", { href: url, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), BLOB_KEPT_MS);
  } catch (error) {
    fault(error);
  }
}
