/** Reads an OpenAPI 3 document: references resolved, endpoints gathered in groups. No DOM here. */

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

/**
 * @typedef {object} Endpoint
 * @property {string} id usable as an element id
 * @property {string} method
 * @property {string} path
 * @property {any} operation
 * @property {any[]} parameters the path's and the operation's own, references resolved
 * @property {boolean} guarded whether a token is needed
 */

export class ApiDocument {
  #root;

  /** @param {any} root the parsed JSON */
  constructor(root) {
    this.#root = root;
  }

  get info() {
    return this.#root.info ?? {};
  }

  /**
   * Follows `$ref` to where it points inside the document. A broken or circular one gives the reference itself.
   * @param {any} node
   * @returns {any}
   */
  resolve(node) {
    let found = node;
    for (let hops = 0; found?.$ref?.startsWith?.("#/") && hops < 8; hops += 1) {
      const keys = found.$ref.slice(2).split("/");
      found = keys.reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], this.#root);
    }
    return found ?? node;
  }

  /**
   * The endpoints by their first tag, in the document's order of tags and then of appearance.
   * @returns {{name: string, words: string, endpoints: Endpoint[]}[]}
   */
  groups() {
    const groups = new Map((this.#root.tags ?? []).map((tag) => [tag.name, { name: tag.name, words: tag.description ?? "", endpoints: [] }]));
    for (const endpoint of this.#endpoints()) {
      const name = endpoint.operation.tags?.[0] ?? "other";
      if (!groups.has(name)) groups.set(name, { name, words: "", endpoints: [] });
      groups.get(name).endpoints.push(endpoint);
    }
    return [...groups.values()].filter((group) => group.endpoints.length);
  }

  *#endpoints() {
    for (const [path, item] of Object.entries(this.#root.paths ?? {})) {
      for (const method of METHODS) {
        const operation = item[method];
        if (!operation) continue;
        const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((parameter) => this.resolve(parameter));
        const security = operation.security ?? this.#root.security ?? [];
        const guarded = security.length > 0 && !security.some((way) => Object.keys(way).length === 0);
        yield { id: `${method}${path}`.replace(/[^a-z0-9]+/gi, "-").replace(/-$/, ""), method, path, operation, parameters, guarded };
      }
    }
  }
}
