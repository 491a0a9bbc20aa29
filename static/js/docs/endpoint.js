/** One endpoint as a fold: method and path outside, parameters, body and answers inside. */
import { make } from "../ui/dom.js";
import { fieldList, line, typeName } from "./schema.js";
import { words } from "./words.js";

/**
 * @param {import("./document.js").ApiDocument} api
 * @param {import("./document.js").Endpoint} endpoint
 */
export function endpointFold(api, { id, method, path, operation, parameters, guarded }) {
  const fold = make(
    "details",
    { class: "endpoint", id, testid: "endpoint" },
    make(
      "summary",
      {},
      make("span", { class: "method", "data-method": method }, method.toUpperCase()),
      make("span", { class: "path" }, path),
      make("span", { class: "guard" }, guarded ? "token" : ""),
      make("span", { class: "brief" }, operation.summary ?? ""),
    ),
  );
  // Built when first opened: a document of a hundred endpoints paints at once.
  fold.addEventListener("toggle", () => fold.append(inside(api, operation, parameters)), { once: true });
  return fold;
}

function inside(api, operation, parameters) {
  return make(
    "div",
    { class: "inside" },
    operation.description && make("p", { class: "words" }, ...words(operation.description)),
    parameters.length && section("Parameters", make("ul", { class: "rows" }, ...parameters.map(parameterRow))),
    operation.requestBody && section("Body", bodyOf(api, api.resolve(operation.requestBody))),
    section("Answers", make("ul", { class: "rows" }, ...Object.entries(operation.responses ?? {}).map(([status, answer]) => answerRow(api, status, api.resolve(answer))))),
  );
}

const section = (title, content) => make("section", {}, make("h3", {}, title), content);

const parameterRow = (parameter) => make("li", {}, ...line(parameter.name, `${typeName(parameter.schema)} in ${parameter.in}`, parameter.required, parameter));

function answerRow(api, status, answer) {
  return make(
    "li",
    {},
    make("span", { class: "status", "data-class": status[0] }, status),
    " ",
    make("span", { class: "words" }, ...words(answer.description ?? "")),
    ...Object.keys(answer.headers ?? {}).map((name) => make("span", { class: "words" }, ` · ${name}`)),
    answer.content && bodyOf(api, answer),
  );
}

function bodyOf(api, { content = {}, description }) {
  return make(
    "div",
    {},
    ...Object.entries(content).map(([type, { schema }]) =>
      make("div", {}, make("span", { class: "type mono" }, `${type} `), make("span", { class: "words mono" }, schema ? typeName(schema) : ""), schema && fieldList(api, schema)),
    ),
    !Object.keys(content).length && description,
  );
}
