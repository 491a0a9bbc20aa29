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
  return /** @type {any} */ (await answer(byId("conflict")));
}

/** Title and tags are lines like any other here, so that a change in them shows too. */
function wholeText({ title, tags, text }) {
  return [`# ${title}`, tags.map((tag) => `#${tag}`).join(" "), text].join("\n");
}

function fill(pre, lines) {
  pre.replaceChildren(...lines.map(({ line, shared }) => make("span", {}, shared ? line : make("mark", {}, line || " "))));
}
