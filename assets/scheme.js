// The theme before the first paint: what the person chose, else what the system prefers.
(function () {
  var kept = null;
  try { kept = localStorage.getItem("mantine-color-scheme-value"); } catch (e) { kept = null; }
  var dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
