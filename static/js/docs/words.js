/** Descriptions come from Rust doc comments: of their Markdown only code spans matter here, the rest reads as text. */
import { make } from "../ui/dom.js";

/**
 * @param {string} text
 * @returns {(Node|string)[]}
 */
export function words(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? make("code", {}, part) : part.replace(/\[([^\]]+)\](\([^)]*\))?/g, "$1")));
}
