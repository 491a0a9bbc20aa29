/** The theme: the system's, until the reader chooses; the choice is remembered. */
import { icon } from "./dom.js";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemDark.matches;
}

function label() {
  const other = isDark() ? "light" : "dark";
  for (const button of document.querySelectorAll(".theme-toggle")) {
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.setAttribute("title", `Use the ${other} theme`);
  }
}

/** Makes every `.theme-toggle` of the page work. */
export function startTheme() {
  label();
  systemDark.addEventListener("change", label);
  for (const button of document.querySelectorAll(".theme-toggle")) {
    button.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      document.documentElement.dataset.theme = theme;
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // Not remembered where storage is forbidden; the page still changes.
      }
      label();
    });
  }
}
