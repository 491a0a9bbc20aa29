/** The token endpoints, as they are on the wire. No token is attached here: these are the calls that make them. */
import { Problem } from "../http/problem.js";

/**
 * @param {string} path
 * @param {Record<string, string>} json
 * @returns {Promise<any>}
 * @throws {Problem}
 */
async function post(path, json) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(json),
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    throw Problem.network(error);
  }
  if (!response.ok) throw await Problem.fromResponse(response);
  return response.json();
}

/** @returns {Promise<{access: string, refresh: string}>} */
export const obtain = (/** @type {string} */ username, /** @type {string} */ password) => post("/api/token/", { username, password });

/** @returns {Promise<{access: string, refresh?: string}>} */
export const renew = (/** @type {string} */ refresh) => post("/api/token/refresh/", { refresh });

export const blacklist = (/** @type {string} */ refresh) => post("/api/token/blacklist/", { refresh });

export const register = (/** @type {string} */ username, /** @type {string} */ password) => post("/api/register/", { username, password });
