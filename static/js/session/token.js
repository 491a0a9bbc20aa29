/** Reads a token's claims. The page never trusts them: the edge verifies, this only schedules and labels. */

/**
 * @param {string} token a compact JWS
 * @returns {Record<string, any>} empty when it can't be read
 */
export function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/**
 * How long the token lives, by its own two times: the reader's clock may be wrong, the difference is not.
 * @param {Record<string, any>} claims
 * @returns {number} milliseconds
 */
export function lifetimeMs(claims) {
  const seconds = Number(claims.exp) - Number(claims.iat);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 60_000;
}
