// A classic script on purpose: it blocks the first paint, so that neither the wrong theme nor the wrong page flashes up.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    if (sessionStorage.getItem("refresh")) root.dataset.resuming = "";
  } catch {
    // Storage may be forbidden; the system's theme and the gate are right then.
  }
})();
