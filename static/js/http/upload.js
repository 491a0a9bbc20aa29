/** Uploads with progress. XMLHttpRequest, because fetch tells nothing about bytes on their way up. */
import { Problem } from "./problem.js";
import { session } from "../session/session.js";

/**
 * Sends a file as the raw body of a POST.
 * @param {string} path
 * @param {File} file
 * @param {(sent: number, total: number) => void} progress in bytes
 * @param {AbortSignal} signal
 * @returns {Promise<any>} the answer's JSON
 */
export async function upload(path, file, progress, signal) {
  // Renewed before, not after a 401: repeating an upload of megabytes is no quiet retry.
  const token = await session.accessToken();
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.setRequestHeader("authorization", `Bearer ${token}`);
    call.setRequestHeader("content-type", file.type || "application/octet-stream");
    call.upload.addEventListener("progress", (event) => progress(event.loaded, event.lengthComputable ? event.total : file.size));
    call.addEventListener("load", () => {
      if (call.status >= 200 && call.status < 300) resolve(JSON.parse(call.responseText));
      else reject(Problem.fromBody(call.status, call.getResponseHeader("x-request-id"), call.responseText));
    });
    call.addEventListener("error", () => reject(Problem.network(null)));
    call.addEventListener("abort", () => reject(new Problem("The upload was stopped.", { code: "aborted" })));
    signal.addEventListener("abort", () => call.abort(), { once: true });
    call.send(file);
  });
}
