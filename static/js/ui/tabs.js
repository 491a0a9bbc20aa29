/** A row of tabs as the ARIA practices describe it: one stop for Tab, arrows move inside. */

/**
 * @param {HTMLElement[]} tabs
 * @param {(tab: HTMLElement) => void} chosen
 */
export function startTabs(tabs, chosen) {
  for (const tab of tabs) {
    tab.addEventListener("click", () => chosen(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      chosen(next);
    });
  }
}

/**
 * @param {HTMLElement[]} tabs
 * @param {HTMLElement} current
 */
export function markTab(tabs, current) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === current));
    tab.tabIndex = tab === current ? 0 : -1;
  }
}
