/** Two versions side by side, and the reader decides. */
import { byId, make } from "../ui/dom.js";
import { answer } from "../ui/confirm.js";
import { compareLines } from "./diff.js";

/**
 * @param {import("./open-note.js").Fields} mine
 * @param {import("./service.js").Note} theirs
 * @param {string} by who saved the other version, "" when unknown
 * @returns {Promise<"mine"|"theirs"|"">} "" leaves the decision for later
 */
export async function chooseVersion(mine, theirs, by) {
  const name = by || "Someone";
  byId("conflict-text").textContent =
    `${name} saved version ${theirs.version} while you were writing. Marked lines differ. ` +
    "Keeping yours replaces theirs; taking theirs discards what you wrote since your last save.";
  byId("conflict-their-head").textContent = by ? `${by}’s, saved` : "Theirs, saved";
  const { left, right } = compareLines(wholeText(mine), wholeText(theirs));
  fill(byId("conflict-mine"), left);
  fill(byId("conflict-theirs"), right);
  const answered = answer(byId("conflict"));
  for (const pre of document.querySelectorAll("#conflict .lines")) toFirstMark(pre);
  return /** @type {any} */ (await answered);
}

/** Title and tags are lines like any other here, so that a change in them shows too. */
function wholeText({ title, tags, text }) {
  return [`# ${title}`, tags.map((tag) => `#${tag}`).join(" "), text].join("\n");
}

/** In a long note the difference may be far down; the reader needn't look for it. */
function toFirstMark(pre) {
  const mark = pre.querySelector("mark");
  pre.scrollTop = mark ? Math.max(0, mark.offsetTop - pre.offsetTop - pre.clientHeight / 3) : 0;
}

function fill(pre, lines) {
  pre.replaceChildren(...lines.map(({ line, shared }) => make("span", {}, shared ? line : make("mark", {}, line || " "))));
}
