/** The form at the gate: sign in, or create an account and be signed in. */
import { byId } from "../ui/dom.js";
import { faultIn } from "../ui/messages.js";
import { markTab, startTabs } from "../ui/tabs.js";
import { Problem } from "../http/problem.js";
import { session } from "../session/session.js";
import { register } from "../session/token-service.js";

const PASSWORD_MIN = 8;
const FIELDS = ["username", "password"];

/** Makes the form work; `session` tells the rest of the page when someone is in. */
export function startEntry() {
  const tabs = [byId("tab-sign-in"), byId("tab-register")];
  let registering = false;

  startTabs(tabs, (tab) => {
    registering = tab === tabs[1];
    markTab(tabs, tab);
    byId("entry").setAttribute("aria-labelledby", tab.id);
    byId("enter").textContent = registering ? "Create account" : "Sign in";
    byId("password").autocomplete = registering ? "new-password" : "current-password";
    byId("password-hint").hidden = !registering;
    clearFaults();
  });

  byId("entry").addEventListener("submit", async (event) => {
    event.preventDefault();
    clearFaults();
    const username = byId("username").value.trim();
    const password = byId("password").value;
    if (!complete(username, password, registering)) return;
    const button = byId("enter");
    button.disabled = true;
    try {
      if (registering) await register(username, password);
      await session.signIn(username, password);
      byId("entry").reset();
    } catch (error) {
      showFault(Problem.of(error));
    } finally {
      button.disabled = false;
    }
  });
}

/**
 * Says at the gate why nobody is in any more.
 * @param {unknown} error `null` says nothing
 */
export function sayAtGate(error) {
  faultIn(byId("entry-fault"), error);
}

function complete(username, password, registering) {
  if (!username) return fieldFault("username", "Enter a username.");
  if (!password) return fieldFault("password", "Enter a password.");
  if (registering && password.length < PASSWORD_MIN) return fieldFault("password", `The password needs at least ${PASSWORD_MIN} characters.`);
  return true;
}

function showFault(problem) {
  const known = FIELDS.filter((field) => problem.fields[field]);
  for (const field of known.reverse()) fieldFault(field, [problem.fields[field]].flat().join(" "));
  if (!known.length) sayAtGate(problem);
}

function fieldFault(field, words) {
  const line = byId(`${field}-wrong`);
  line.textContent = words;
  line.hidden = false;
  byId(field).setAttribute("aria-invalid", "true");
  byId(field).focus();
  return false;
}

function clearFaults() {
  sayAtGate(null);
  for (const field of FIELDS) {
    byId(`${field}-wrong`).hidden = true;
    byId(field).removeAttribute("aria-invalid");
  }
}
