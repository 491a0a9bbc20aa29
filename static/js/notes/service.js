/** The notebook's endpoints, one function each. Shapes and errors: /docs.html. */
import { requestJson, request } from "../http/client.js";
import { upload } from "../http/upload.js";

/**
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} name
 * @property {number} size in bytes
 * @property {string} content_type
 * @property {string} created_at
 */

/**
 * @typedef {object} Note
 * @property {string} id
 * @property {string} title
 * @property {string} text
 * @property {string} html
 * @property {string[]} tags
 * @property {boolean} pinned
 * @property {string} owner
 * @property {"owner"|"editor"|"viewer"} access
 * @property {{username: string, role: "viewer"|"editor"}[]} shares
 * @property {Attachment[]} attachments
 * @property {string} created_at
 * @property {string} updated_at
 * @property {number} version
 * @property {string} [excerpt] only in lists
 * @property {number} [attachment_count] only in lists
 */

/** @typedef {{note: Note, etag: string}} Stored a note and the tag that a change must name */

const notePath = (id) => `/api/notes/${encodeURIComponent(id)}/`;
const stored = ({ body, etag }) => ({ note: body, etag });

/**
 * @param {{q?: string, tag?: string, cursor?: string, limit?: number}} filter
 * @param {AbortSignal} [signal]
 * @returns {Promise<{items: Note[], next: string|null}>}
 */
export async function listNotes(filter, signal) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(filter)) if (value) query.set(key, String(value));
  return (await requestJson(`/api/notes/?${query}`, { signal })).body;
}

/** @returns {Promise<Stored>} */
export const readNote = async (id) => stored(await requestJson(notePath(id)));

/** @returns {Promise<Stored>} */
export const createNote = async (fields) => stored(await requestJson("/api/notes/", { method: "POST", json: fields }));

/** @returns {Promise<Stored>} a Problem of status 412 when the note is no longer the one that `etag` names */
export const changeNote = async (id, etag, fields) =>
  stored(await requestJson(notePath(id), { method: "PATCH", json: fields, headers: { "if-match": etag } }));

export const deleteNote = (id) => requestJson(notePath(id), { method: "DELETE" });

/** @returns {Promise<string>} the HTML of a text that isn't saved yet */
export const previewHtml = async (text, signal) => (await requestJson("/api/markdown/", { method: "POST", json: { text }, signal })).body.html;

const sharePath = (id, username) => `${notePath(id)}shares/${encodeURIComponent(username)}/`;
export const shareNote = (id, username, role) => requestJson(sharePath(id, username), { method: "PUT", json: { role } });
export const unshareNote = (id, username) => requestJson(sharePath(id, username), { method: "DELETE" });

/** @returns {Promise<Attachment>} */
export const attach = (id, file, progress, signal) =>
  upload(`${notePath(id)}attachments/?name=${encodeURIComponent(file.name)}`, file, progress, signal);

const attachmentPath = (id) => `/api/attachments/${encodeURIComponent(id)}/`;
export const detach = (id) => requestJson(attachmentPath(id), { method: "DELETE" });

/** @returns {Promise<Blob>} */
export const fetchAttachment = async (id) => (await request(attachmentPath(id), { headers: { accept: "*/*" } })).blob();
