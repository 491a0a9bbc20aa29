/** The API's page: fetches the document that the application makes from its own code, and shows it. */
import { byId, make } from "../ui/dom.js";
import { faultIn } from "../ui/messages.js";
import { startTheme } from "../ui/theme.js";
import { Problem } from "../http/problem.js";
import { ApiDocument } from "./document.js";
import { endpointFold } from "./endpoint.js";
import { words } from "./words.js";

async function fetchDocument() {
  let response;
  try {
    response = await fetch("/api/openapi.json", { headers: { accept: "application/json" } });
  } catch (error) {
    throw Problem.network(error);
  }
  if (!response.ok) throw await Problem.fromResponse(response);
  return new ApiDocument(await response.json());
}

/** @param {ApiDocument} api */
function show(api) {
  byId("docs-title").textContent = api.info.title ?? "API";
  byId("docs-version").textContent = api.info.version ? `version ${api.info.version}` : "";
  const paragraphs = (api.info.description ?? "").split(/\n{2,}/).filter(Boolean);
  byId("docs-lead").replaceChildren(...paragraphs.map((text) => make("p", { class: "words" }, ...words(text))));
  const groups = api.groups();
  byId("groups").replaceChildren(...groups.map((group) => groupSection(api, group)));
  byId("contents").replaceChildren(...groups.map(groupContents));
}

const groupSection = (api, { name, words: about, endpoints }) =>
  make("section", { class: "group" }, make("h2", {}, name), about && make("p", { class: "words" }, ...words(about)), ...endpoints.map((endpoint) => endpointFold(api, endpoint)));

const groupContents = ({ name, endpoints }) =>
  make(
    "section",
    {},
    make("h2", {}, name),
    make(
      "ul",
      {},
      ...endpoints.map(({ id, method, path }) =>
        make("li", { "data-for": id }, make("a", { href: `#${id}` }, make("span", { class: "method", "data-method": method }, method.toUpperCase()), path)),
      ),
    ),
  );

/** A link to an endpoint opens it: a closed fold at the end of a jump looks like a broken link. */
function openTarget() {
  const fold = document.getElementById(location.hash.slice(1));
  if (fold instanceof HTMLDetailsElement) {
    fold.open = true;
    fold.scrollIntoView();
  }
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const fold of document.querySelectorAll(".endpoint")) {
    const hidden = !fold.querySelector("summary").textContent.toLowerCase().includes(wanted);
    fold.hidden = hidden;
    document.querySelector(`[data-for="${fold.id}"]`).hidden = hidden;
  }
  for (const part of document.querySelectorAll(".group, #contents section")) {
    part.hidden = !part.querySelector(".endpoint:not([hidden]), li:not([hidden])");
  }
}

startTheme();
byId("filter").addEventListener("input", filter);
addEventListener("hashchange", openTarget);
try {
  show(await fetchDocument());
  openTarget();
} catch (error) {
  faultIn(byId("docs-fault"), error);
} finally {
  byId("groups").setAttribute("aria-busy", "false");
}
