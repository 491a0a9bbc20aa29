/** One line of facts about how this very page came: the front server's work, measured by the visitor's own browser. */
import { byId } from "../ui/dom.js";
import { size } from "../ui/words.js";

const PROTOCOLS = { "http/1.1": "HTTP/1.1", h2: "HTTP/2", h3: "HTTP/3" };

export function showArrival() {
  const [page] = performance.getEntriesByType("navigation");
  if (!(page instanceof PerformanceNavigationTiming) || !page.responseEnd) return;
  const files = performance.getEntriesByType("resource").filter((entry) => !entry.name.includes("/api/"));
  const bytes = files.reduce((sum, entry) => sum + entry.encodedBodySize, page.encodedBodySize);
  const protocol = PROTOCOLS[page.nextHopProtocol] ?? page.nextHopProtocol;
  const wait = Math.max(1, Math.round(page.responseStart - page.requestStart));
  byId("arrival").textContent =
    `This page: ${location.protocol === "https:" ? "TLS, " : ""}${protocol}, first byte after ${wait} ms, ${files.length + 1} files, ${size(bytes)}.`;
}
