/** The page as a whole: gate or notebook, the places inside it, the keyboard, and the wires between the parts. */
import { Sessions } from "./account/sessions.js";
import { Users } from "./admin/users.js";
import { showArrival } from "./gate/arrival.js";
import { sayAtGate, startEntry } from "./gate/entry.js";
import { Feed } from "./live/feed.js";
import { Editor } from "./notes/editor.js";
import { NoteList } from "./notes/list.js";
import { session } from "./session/session.js";
import { byId } from "./ui/dom.js";
import { startKeys } from "./ui/keys.js";
import { fault } from "./ui/messages.js";
import { startTheme } from "./ui/theme.js";
import { Places } from "./places.js";

const LIVE_WORDS = { open: "live", waiting: "reconnecting", closed: "offline" };
/** As long as the grille needs to rise (css/gate.css). */
const GATE_OPENS_MS = 520;

const feed = new Feed();
const list = new NoteList();
const editor = new Editor((hash, replace) => places.go(hash, replace));
const places = new Places(editor, list, new Users(), new Sessions(feed));

session.addEventListener("started", () => {
  sayAtGate(null);
  byId("who").textContent = session.username;
  byId("to-admin").hidden = !session.isAdmin;
  enter();
  list.reload();
  feed.start();
  places.arrive();
});

session.addEventListener("ended", (event) => {
  feed.stop();
  editor.close();
  list.clear();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  byId("messages").replaceChildren();
  leave();
  if (event.detail) sayAtGate(event.detail);
});

feed.addEventListener("note", (event) => {
  list.heard(event.detail);
  editor.heard(event.detail);
});
feed.addEventListener("resync", () => {
  list.reload();
  editor.again();
});
feed.addEventListener("state", (event) => {
  byId("live").dataset.state = event.detail;
  byId("live").textContent = LIVE_WORDS[event.detail];
});

byId("sign-out").addEventListener("click", async () => {
  if (await editor.mayLeave()) session.signOut();
});

/** The gate rises only for someone who came through it; a resumed session finds it open. */
function enter() {
  const gate = byId("gate");
  byId("notebook").hidden = false;
  if (gate.hidden || "resuming" in document.documentElement.dataset || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    gate.hidden = true;
    delete document.documentElement.dataset.resuming;
    return;
  }
  gate.classList.add("opening");
  gate.inert = true;
  setTimeout(() => {
    if (session.active) gate.hidden = true;
    gate.classList.remove("opening");
    gate.inert = false;
  }, GATE_OPENS_MS);
}

function leave() {
  delete document.documentElement.dataset.resuming;
  byId("notebook").hidden = true;
  byId("gate").hidden = false;
  byId("username").focus();
}

startTheme();
startEntry();
startKeys(editor);
showArrival();
try {
  if (!(await session.resume())) delete document.documentElement.dataset.resuming;
} catch (error) {
  // The server can't be reached: the session is kept, and a reload tries it again.
  delete document.documentElement.dataset.resuming;
  fault(error);
}
