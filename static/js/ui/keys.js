/** The keyboard: Ctrl or Cmd+S saves, / goes to the search. Escape in a dialog is the browser's own. */
import { byId } from "./dom.js";

/** @param {{save: () => unknown}} editor */
export function startKeys(editor) {
  document.addEventListener("keydown", (event) => {
    if (byId("notebook").hidden || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
      // Always ours: the browser's "save page" is never what a writer means here.
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) editor.save();
    } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) {
      event.preventDefault();
      // On a phone-sized screen the list may be out of sight.
      if (byId("search").offsetParent === null) location.hash = "#/";
      byId("search").focus();
    } else if (event.key === "Escape" && event.target === byId("search") && byId("search").value) {
      byId("search").value = "";
      byId("search").dispatchEvent(new Event("input"));
    }
  });
}

function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}
