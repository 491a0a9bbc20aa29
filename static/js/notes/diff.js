/** Which lines two texts share: enough to show a reader where two versions part. */

/** Above this many line pairs the table costs more than it tells; then only equal ends are recognised. */
const PAIRS_MAX = 1_000_000;

/**
 * @typedef {{line: string, shared: boolean}} Line
 */

/**
 * @param {string} left
 * @param {string} right
 * @returns {{left: Line[], right: Line[]}}
 */
export function compareLines(left, right) {
  const [a, b] = [left.split("\n"), right.split("\n")];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const middle = common(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const mark = (lines, shared) => lines.map((line, at) => ({ line, shared: at < start || at >= lines.length - end || shared.has(at - start) }));
  return { left: mark(a, middle.left), right: mark(b, middle.right) };
}

/** The longest common subsequence, as the indices on each side. */
function common(a, b) {
  const found = { left: new Set(), right: new Set() };
  if (a.length * b.length > PAIRS_MAX) return found;
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] =
        a[i] === b[j] ? length[(i + 1) * width + j + 1] + 1 : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      found.left.add(i++);
      found.right.add(j++);
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return found;
}
