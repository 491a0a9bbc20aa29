/** Times and sizes as people read them. */

const DAY_MS = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/**
 * As short as the distance allows: the time today, the day this year, else the date.
 * @param {string} iso
 * @param {number} [now] milliseconds since the epoch
 */
export function shortTime(iso, now = Date.now()) {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return clock.format(then);
  return now - then.getTime() < 300 * DAY_MS ? day.format(then) : date.format(then);
}

/** @param {string} iso */
export function fullTime(iso) {
  const then = new Date(iso);
  return Number.isNaN(then.getTime()) ? "" : full.format(then);
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit += 1;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
