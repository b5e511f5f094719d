// What the browser does by itself: theme, Plotly's template from the tokens, the address, an expired session.
(function () {
  const root = document.documentElement;
  const token = (name) => getComputedStyle(root).getPropertyValue("--ll-" + name).trim();
  const scheme = () => root.getAttribute("data-mantine-color-scheme") || "light";

  function template() {
    const axis = { gridcolor: token("line"), zerolinecolor: token("line"), linecolor: token("rest"), tickfont: { color: token("soft"), size: 12 }, automargin: true };
    return { layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      font: { family: token("sans"), size: 13, color: token("ink") }, colorway: [token("accent"), token("raise"), token("lower"), token("rest")],
      xaxis: Object.assign({}, axis, { showgrid: false }), yaxis: axis, margin: { l: 8, r: 8, t: 8, b: 8 },
      hoverlabel: { bgcolor: token("sheet"), bordercolor: token("line"), font: { color: token("ink"), family: token("sans") } } } };
  }
  function resolve(value) {
    if (typeof value === "string") return value.startsWith("var(--ll-") ? token(value.slice(9, -1)) : value;
    if (Array.isArray(value)) return value.length && typeof value[0] !== "number" ? value.map(resolve) : value;
    if (value && value.constructor === Object) { const out = {}; for (const k in value) out[k] = resolve(value[k]); return out; }
    return value;
  }
  const drawn = new WeakMap();
  function wrap(P) {
    for (const name of ["react", "newPlot"]) {
      const original = P[name];
      P[name] = function (gd, data, layout, config) {
        if (data && !Array.isArray(data) && data.data) { config = data.config || config; layout = data.layout; data = data.data; }
        const node = typeof gd === "string" ? document.getElementById(gd) : gd;
        if (node) drawn.set(node, { data, layout, config });
        const own = Object.assign({}, resolve(layout || {}), { template: template() });
        return original.call(this, gd, resolve(data), own, Object.assign({}, config, { showSendToCloud: false, displayModeBar: false, displaylogo: false }));
      };
    }
    return P;
  }
  let real = window.Plotly;
  if (real) wrap(real);
  else Object.defineProperty(window, "Plotly", { configurable: true, get: () => real, set: (v) => { real = wrap(v); } });

  function redraw() {
    document.querySelectorAll(".js-plotly-plot").forEach((gd) => { const kept = drawn.get(gd); if (kept && real) real.react(gd, kept.data, kept.layout, kept.config); });
  }
  function applyScheme(next) {
    root.setAttribute("data-mantine-color-scheme", next);
    document.body.dataset.agThemeMode = next;
    try { localStorage.setItem("mantine-color-scheme-value", next); } catch (e) { return redraw(); }
    redraw();
  }
  // The entry whose address is the longest beginning of where we are.
  function mark(path) {
    const links = Array.from(document.querySelectorAll(".ll-nav a"));
    const leads = (at) => at === path || (path || "").startsWith(at + "/");
    const best = links.map((a) => a.getAttribute("href")).filter(leads).sort((a, b) => b.length - a.length)[0];
    links.forEach((a) => { if (a.getAttribute("href") === best) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current"); });
  }
  // After a step inside the app the heading has the focus, as after a new document, and open menus are closed.
  let before = null, arriving = null;
  function arrive() {
    const content = document.getElementById("_pages_content"), main = document.getElementById("content");
    if (arriving) arriving.disconnect();
    if (!content) return;
    arriving = new MutationObserver(() => {
      const head = content.querySelector("h1") || main;
      if (!head) return;
      arriving.disconnect();
      if (head !== main) head.setAttribute("tabindex", "-1");
      head.focus({ preventScroll: true });
    });
    arriving.observe(content, { childList: true, subtree: true });
    setTimeout(() => arriving && arriving.disconnect(), 10000);
  }
  function current(path) {
    mark(path);
    if (before !== null && before !== path) {
      document.querySelectorAll(".ll-tools details[open]").forEach((d) => d.removeAttribute("open"));
      arrive();
    }
    before = path;
    return window.dash_clientside.no_update;
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside, { ll: {
    toggle: (clicks) => { if (clicks) applyScheme(scheme() === "dark" ? "light" : "dark"); return window.dash_clientside.no_update; },
    address: (href) => { if (href) history.replaceState(history.state, "", href); return window.dash_clientside.no_update; },
    // An answer is hidden as soon as the text that it speaks of is another one.
    only_fresh: (_answer, _text) => window.dash_clientside.callback_context.triggered.every((t) => !t.prop_id.endsWith("-answer.children")),
    print: (clicks) => { if (clicks) window.print(); return window.dash_clientside.no_update; },
    current,
  } });
  // Paper is white: what is printed from the dark theme is drawn in the light one.
  let onScreen = null;
  window.addEventListener("beforeprint", () => { if (scheme() === "dark") { onScreen = "dark"; root.setAttribute("data-mantine-color-scheme", "light"); redraw(); } });
  window.addEventListener("afterprint", () => { if (onScreen) { root.setAttribute("data-mantine-color-scheme", onScreen); onScreen = null; redraw(); } });
  const notice = (said) => {
    const part = (type, props) => ({ namespace: "dash_html_components", type, props });
    const told = part("Div", { className: "ll-notice is-watch", role: "status", children: part("Strong", { children: said }) });
    const cross = part("Button", { className: "ll-dismiss", "aria-label": "Put this message away", children: "×" });
    if (said) window.dash_clientside.set_props("ll-toasts", { children: part("Div", { className: "ll-toast", children: [told, cross] }) });
  };
  const fetched = window.fetch;
  window.fetch = async function (input, init) {
    const answer = await fetched.call(this, input, init);
    if (answer.status === 401 && String((input && input.url) || input).includes("_dash-")) location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
    if (answer.status === 429) answer.clone().json().then((said) => notice(said.error), () => {});
    return answer;
  };
  document.addEventListener("DOMContentLoaded", () => { document.body.dataset.agThemeMode = scheme(); });
  document.addEventListener("submit", (event) => {
    const kept = document.cookie.split("; ").find((c) => /^(__Host-|_)csrf_token=/.test(c));
    if (!event.target.classList.contains("ll-leave") || !kept) return;
    const field = event.target.querySelector("input[name=csrf_token]") || event.target.appendChild(document.createElement("input"));
    Object.assign(field, { type: "hidden", name: "csrf_token", value: decodeURIComponent(kept.slice(kept.indexOf("=") + 1)) });
  }, true);
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector(".ll-tools details[open]");
    if (open) { open.removeAttribute("open"); open.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll(".ll-tools details[open]").forEach((d) => { if (!d.contains(event.target)) d.removeAttribute("open"); });
  });
})();
