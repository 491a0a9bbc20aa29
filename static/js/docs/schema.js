/** A JSON schema as a readable list: name, type, whether it must be there, what it means. */
import { make } from "../ui/dom.js";
import { words } from "./words.js";

/** Deeper objects show their name only; each schema stays on one screen. */
const DEPTH_MAX = 3;

/**
 * The type in one line: "string (uuid)", "Note[]", "integer or null".
 * @param {any} schema
 * @returns {string}
 */
export function typeName(schema) {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return [...new Set(either.map(typeName))].join(" or ");
  if (schema.allOf) return schema.allOf.map(typeName).join(" and ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  const types = [schema.type ?? "any"].flat();
  return types.map((type) => (type === "array" ? `${typeName(schema.items)}[]` : withFormat(type, schema.format))).join(" or ");
}

const withFormat = (type, format) => (format && type !== "null" ? `${type} (${format})` : type);

/**
 * The fields of an object (or of what an array holds), nested ones below.
 * @param {import("./document.js").ApiDocument} api
 * @param {any} schema
 * @returns {HTMLElement|null} null when there is nothing to unfold
 */
export function fieldList(api, schema, depth = 0) {
  const { properties, required } = shapeOf(api, schema);
  const names = Object.keys(properties);
  if (!names.length || depth >= DEPTH_MAX) return null;
  return make(
    "ul",
    { class: "rows" },
    ...names.map((name) =>
      make("li", {}, ...line(name, typeName(properties[name]), required.has(name), properties[name]), fieldList(api, properties[name], depth + 1)),
    ),
  );
}

/**
 * One row: name, type, "required", meaning.
 * @returns {Node[]}
 */
export function line(name, type, required, described) {
  const limits = limitsOf(described.schema ?? described);
  return [
    make("span", { class: "name" }, name),
    " ",
    make("span", { class: "type" }, type),
    " ",
    required ? make("span", { class: "must" }, "required") : "",
    limits ? make("span", { class: "words" }, ` ${limits}`) : "",
    described.description ? make("div", { class: "words" }, ...words(described.description)) : "",
  ].filter((part) => part !== "");
}

/** The properties, through references, arrays, `allOf` and the non-null branch of a nullable. */
function shapeOf(api, schema, depth = 0) {
  const shape = { properties: {}, required: new Set() };
  const found = api.resolve(schema);
  if (!found || depth > 6) return shape;
  const add = (part) => {
    const inner = shapeOf(api, part, depth + 1);
    Object.assign(shape.properties, inner.properties);
    for (const name of inner.required) shape.required.add(name);
  };
  if (found.items) add(found.items);
  for (const part of found.allOf ?? []) add(part);
  for (const part of found.oneOf ?? found.anyOf ?? []) if (part.type !== "null") add(part);
  Object.assign(shape.properties, found.properties ?? {});
  for (const name of found.required ?? []) shape.required.add(name);
  return shape;
}

function limitsOf(schema) {
  if (!schema) return "";
  const limits = [];
  if ("minimum" in schema) limits.push(`at least ${schema.minimum}`);
  if ("maximum" in schema) limits.push(`at most ${schema.maximum}`);
  if ("minLength" in schema) limits.push(`${schema.minLength} characters or more`);
  if ("maxLength" in schema) limits.push(`up to ${schema.maxLength} characters`);
  if ("maxItems" in schema) limits.push(`up to ${schema.maxItems} items`);
  if ("default" in schema) limits.push(`default ${JSON.stringify(schema.default)}`);
  return limits.join(", ");
}
