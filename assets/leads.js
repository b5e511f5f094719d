// A lead list in the browser: how cells are drawn, how a lead opens in the drawer, how one walks the list, and what the
// phone asks for. The server sends texts only; React shows them as they are.
(function () {
  const GRID = "leads-grid";
  const h = (...given) => window.React.createElement(...given);
  const put = (id, props) => window.dash_clientside.set_props(id, props);
  const still = () => window.dash_clientside.no_update;
  const node = (id) => document.getElementById(id);
  const api = () => { try { return window.dash_ag_grid.getApi(GRID); } catch (e) { return null; } };

  const cells = window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
  const empty = () => h("span", { className: "ll-skel" });
  cells.LeadName = (p) => !p.data ? empty() : h("span", { className: "ll-leadname" }, h("span", null, p.data.name), h("span", { className: "ll-leadplace" }, p.data.place));
  cells.LeadScore = (p) => !p.data ? empty() : h("span", { className: "ll-score", title: p.data.exact }, h("span", null, p.data.score),
    p.data.share === null ? h("span") : h("span", { className: "ll-score-bar" }, h("i", { style: { width: Math.max(0, Math.min(100, 100 * p.data.share)) + "%" } })), h("strong", null, p.data.band));
  cells.LeadWhy = (p) => {
    if (!p.data) return empty();
    if (typeof p.data.why === "string") return h("span", { className: "ll-soft" }, p.data.why);
    const shown = p.data.why.slice(0, 2), third = p.data.why.slice(2).map((r) => "\n" + (r.up ? "▲ " : "▼ ") + r.said).join("");
    return h("span", { className: "ll-why" }, shown.map((r, at) => h("span", { key: at, title: r.said + (at === shown.length - 1 ? third : "") },
      h("span", { className: r.up ? "is-raise" : "is-lower", "aria-label": r.up ? "raises:" : "lowers:" }, r.up ? "▲" : "▼"), " " + r.text)));
  };
  cells.LeadContact = (p) => {
    const said = p.data ? p.value : "";
    if (!said) return h("span");
    const digits = said.replace(/\D/g, "");
    const href = said.includes("@") && !said.includes(" ") ? "mailto:" + encodeURIComponent(said).replace("%40", "@")
      : digits.length >= 7 && /^[\d+\-() ./]+$/.test(said) ? "tel:" + (said.startsWith("+") ? "+" : "") + digits : "";
    return href ? h("a", { href, className: "ll-reachlink", title: said, tabIndex: -1, onClick: (e) => e.stopPropagation() }, said) : h("span", null, said);
  };

  const tools = window.dashAgGridFunctions = window.dashAgGridFunctions || {};
  tools.leadValue = (params) => params.data ? params.data.values[params.column.getColId()] : "";
  tools.leadKey = (params) => { if (params.event && params.event.key === "Enter" && params.data) open(params.rowIndex); };
  tools.leadReady = (params) => { seen(params.api); };
  tools.leadSeen = (params) => seen(params.api);

  function seen(grid) {
    const place = node("leads-seen");
    if (!place || !grid) return;
    const total = grid.getDisplayedRowCount(), range = grid.getVerticalPixelRange(), one = 44;
    if (!total || !grid.isLastRowIndexKnown()) { place.textContent = ""; return; }
    const first = Math.floor(range.top / one) + 1, last = Math.min(total, Math.max(first, Math.floor(range.bottom / one)));
    place.textContent = first.toLocaleString("en") + "–" + last.toLocaleString("en") + " of ";
  }

  let at = -1, waits = 0;
  const drawer = () => node("leads-drawer");
  const isOpen = () => Boolean(drawer() && drawer().classList.contains("is-open"));
  function open(index) {
    const grid = api(), row = grid && grid.getDisplayedRowAtIndex(index);
    if (!row) return;
    if (!row.data) {
      grid.ensureIndexVisible(index);
      if (waits++ < 40) setTimeout(() => open(index), 50);
      return;
    }
    waits = 0;
    at = index;
    grid.ensureIndexVisible(index);
    row.setSelected(true, true);
    put("leads-chosen", { data: { key: row.data.key, at: index } });
  }
  function walk(step) {
    const grid = api();
    if (!grid || at + step < 0 || at + step >= grid.getDisplayedRowCount()) return;
    waits = 0;
    open(at + step);
  }
  function close() {
    put("leads-chosen", { data: null });
    const grid = api();
    if (!grid) return;
    grid.deselectAll();
    if (at >= 0 && grid.getDisplayedRowAtIndex(at)) grid.setFocusedCell(at, "rank");
  }

  document.addEventListener("keydown", (event) => {
    if (!isOpen() || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "Escape") close();
    else if (event.key === "j" || event.key === "J") walk(1);
    else if (event.key === "k" || event.key === "K") walk(-1);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const copy = event.target.closest(".ll-copy"), step = event.target.closest("[data-walk]");
    if (copy) {
      const done = () => { copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500); };
      navigator.clipboard.writeText(copy.dataset.copy).then(done, () => { copy.textContent = "Press Ctrl C"; });
    }
    if (step) walk(Number(step.dataset.walk));
    if (event.target.closest("[data-close]")) close();
    document.querySelectorAll("details.ll-picker[open]").forEach((d) => { if (!d.contains(event.target)) d.removeAttribute("open"); });
  });

  const narrow = () => window.matchMedia("(max-width: 640px)").matches;
  window.dash_clientside = Object.assign({}, window.dash_clientside, { leads: {
    // A band, the search box or "Reset" changes what is asked; the grid's own sorting and filters stay with the grid.
    ask: function (search, bands, reset, ids, asked) {
      const cause = window.dash_clientside.callback_context.triggered.map((t) => t.prop_id)[0] || "";
      if (!cause || !asked) return [still(), still(), still()];
      const next = Object.assign({}, asked);
      if (cause.startsWith("leads-reset")) {
        Object.assign(next, { bands: [], q: "" });
        const grid = api();
        if (grid) { grid.setFilterModel(null); grid.applyColumnState({ defaultState: { sort: null } }); }
      } else if (cause.startsWith("leads-search")) {
        if ((search || "") === asked.q) return [still(), still(), still()];
        next.q = search || "";
      } else {
        const band = JSON.parse(cause.slice(0, cause.lastIndexOf("."))).band;
        next.bands = asked.bands.includes(band) ? asked.bands.filter((b) => b !== band) : asked.bands.concat([band]);
      }
      return [next, ids.map((id) => next.bands.includes(id.band) ? "ll-chip is-current" : "ll-chip"), next.q === (search || "") ? still() : next.q];
    },
    reload: function (asked) { const grid = api(); if (grid && asked) grid.purgeInfiniteCache(); return still(); },
    clicked: function (click) { if (click && click.colId !== undefined) open(click.rowIndex); return still(); },
    drawer: function (chosen) {
      if (chosen && chosen.key) setTimeout(() => { const d = drawer(); if (d && !d.contains(document.activeElement)) d.focus({ preventScroll: true }); }, 30);
      return chosen && chosen.key ? "ll-drawer is-open" : "ll-drawer";
    },
    cards: function (asked, more) { return asked && narrow() ? Object.assign({}, asked, { count: 20 * (1 + (more || 0)) }) : still(); },
  } });
})();
