/** Every error of the API as one kind of value, whichever of the three shapes it came in. */

export class Problem extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, code?: string, source?: string, requestId?: string, fields?: Record<string, string[]>, cause?: unknown}} [facts]
   */
  constructor(message, { status = 0, code = "", source = "", requestId = "", fields = {}, cause } = {}) {
    super(message, { cause });
    this.name = "Problem";
    /** The HTTP status, 0 when no answer came. */
    this.status = status;
    /** The stable code to look up. */
    this.code = code;
    /** Which server worded it: "edge" or "app". */
    this.source = source;
    /** The id that joins this answer with both logs. */
    this.requestId = requestId;
    /** What is wrong with each field of a form. */
    this.fields = fields;
  }

  /** The line under the message: what to quote to an operator. */
  facts() {
    return [this.code, this.source && `said by ${this.source}`, this.requestId && `request ${this.requestId}`].filter(Boolean).join(" · ");
  }

  /** @param {unknown} error */
  static of(error) {
    if (error instanceof Problem) return error;
    // A plain sentence is the page's own and has no code; anything thrown that isn't a Problem is a mistake of ours.
    if (typeof error === "string") return new Problem(error);
    return new Problem(error instanceof Error ? error.message : String(error), { code: "page_error", cause: error });
  }

  /** @param {unknown} cause */
  static network(cause) {
    return new Problem("The server can't be reached. Check the connection and try again.", { code: "network", cause });
  }

  /**
   * Reads a problem+json body, or the token endpoints' `{"detail", "code"}` and `{"field": ["..."]}` shapes.
   * @param {number} status
   * @param {string|null} requestIdHeader
   * @param {string} text
   */
  static fromBody(status, requestIdHeader, text) {
    let body = {};
    try {
      body = JSON.parse(text) ?? {};
    } catch {
      // A gateway in between may answer with HTML; the status is all we know then.
    }
    const requestId = body.request_id ?? requestIdHeader ?? "";
    if (typeof body.title === "string") {
      const fields = body.errors ?? {};
      return new Problem(body.detail ?? body.title, { status, code: body.code, source: body.source, requestId, fields });
    }
    if (typeof body.detail === "string") return new Problem(body.detail, { status, code: body.code, requestId });
    const fields = Object.fromEntries(Object.entries(body).filter(([, value]) => Array.isArray(value)));
    const message = Object.keys(fields).length ? "Some fields need another look." : `The server answered ${status}.`;
    return new Problem(message, { status, code: `http_${status}`, requestId, fields });
  }

  /** @param {Response} response */
  static async fromResponse(response) {
    return Problem.fromBody(response.status, response.headers.get("x-request-id"), await response.text());
  }
}
