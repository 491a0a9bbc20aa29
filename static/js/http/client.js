/** Requests to the API: the token goes on, a 401 is repaired once, every failure is a Problem. */
import { Problem } from "./problem.js";
import { session } from "../session/session.js";

/**
 * @typedef {object} Call
 * @property {string} [method]
 * @property {unknown} [json] sent as the body
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Sends a request with the session's token and gives the answer if it is a success.
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Response>}
 * @throws {Problem|DOMException} a DOMException only when `signal` fires
 */
export async function request(path, call = {}) {
  const token = await session.accessToken();
  let response = await send(path, call, token);
  if (response.status === 401) {
    // The token may have been revoked or the clock be wrong: one renewal, one retry, never a loop.
    response = await send(path, call, await session.accessToken({ insteadOf: token }));
  }
  if (!response.ok) throw await Problem.fromResponse(response);
  return response;
}

/**
 * The answer's JSON and its entity tag.
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<{body: any, etag: string|null}>}
 */
export async function requestJson(path, call) {
  const response = await request(path, call);
  const body = response.status === 204 ? null : await response.json();
  return { body, etag: response.headers.get("etag") };
}

/** @param {string} token */
async function send(path, { method = "GET", json, headers = {}, signal }, token) {
  const all = { accept: "application/json", ...headers, authorization: `Bearer ${token}` };
  if (json !== undefined) all["content-type"] = "application/json";
  try {
    return await fetch(path, { method, headers: all, body: json === undefined ? undefined : JSON.stringify(json), signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw Problem.network(error);
  }
}
