// The theme a person chooses on their own page, and messages that are put away.
(function () {
  const KEY = "mantine-color-scheme-value";
  const root = document.documentElement;
  const kept = () => { try { return localStorage.getItem(KEY); } catch (e) { return null; } };
  function apply(choice) {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const scheme = choice === "light" || choice === "dark" ? choice : system;
    try { if (choice === "auto") localStorage.removeItem(KEY); else localStorage.setItem(KEY, choice); } catch (e) { root.dataset.themeKept = "no"; }
    root.setAttribute("data-mantine-color-scheme", scheme);
    document.body.dataset.agThemeMode = scheme;
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside, { account: {
    theme: (choice) => { if (choice) apply(choice); return window.dash_clientside.no_update; },
    themeNow: () => kept() || "auto",
  } });
  document.addEventListener("click", (event) => {
    const cross = event.target.closest && event.target.closest(".ll-dismiss");
    if (cross) cross.parentElement.hidden = true;
  });
})();
