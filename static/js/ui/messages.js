/** Short messages at the foot of the page, and errors with the facts that an operator asks for. */
import { byId, icon, make } from "./dom.js";
import { Problem } from "../http/problem.js";

const NOTICE_MS = 5_000;
const SHOWN_MAX = 4;

/** @param {string} text */
export function notice(text) {
  const message = show(make("div", {}, text), "message");
  setTimeout(() => message.remove(), NOTICE_MS);
}

/**
 * Errors stay until closed: a request id that vanishes after five seconds can't be copied.
 * @param {unknown} error
 */
export function fault(error) {
  const problem = Problem.of(error);
  show(make("div", { role: "alert" }, ...faultWords(problem)), "message bad", "fault");
}

/**
 * Fills an error box beside the thing that failed.
 * @param {HTMLElement} box
 * @param {unknown} error `null` empties and hides it
 */
export function faultIn(box, error) {
  box.hidden = error === null;
  box.replaceChildren(...(error === null ? [] : faultWords(Problem.of(error))));
}

/** @param {Problem} problem */
function faultWords(problem) {
  const facts = problem.facts();
  return [problem.message, facts ? make("span", { class: "facts" }, facts) : ""];
}

function show(body, className, testid = "notice") {
  const region = byId("messages");
  const message = make("div", { class: className, testid }, body);
  message.append(
    make("button", { class: "button bare square", type: "button", "aria-label": "Dismiss", on: { click: () => message.remove() } }, icon("close")),
  );
  region.append(message);
  while (region.children.length > SHOWN_MAX) region.firstElementChild.remove();
  return message;
}
