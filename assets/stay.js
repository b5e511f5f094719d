// Links that change the view of a page: no jump to the top, the focus stays; small menus close; a note can be sent away;
// a chart's values become a table when somebody opens it.
(function () {
  // A page is drawn anew after a click: what was in focus is found again by its words in the same part of the page.
  const part = (node) => { const near = node.closest("nav, section, table, .ll-cards, .ll-kp-title"); return near ? near.tagName + near.className + (near.getAttribute("aria-label") || "") : ""; };
  const name = (node) => node.getAttribute("aria-label") || (node.classList.contains("ll-card-link") ? node.firstElementChild : node).textContent.trim();
  function refocus(link) {
    const sought = [part(link), name(link)].join("|");
    const search = new MutationObserver(() => {
      if (link.isConnected) return;
      const found = [...document.querySelectorAll("a[data-stay]")].find((a) => [part(a), name(a)].join("|") === sought);
      if (!found) return;
      search.disconnect();
      if (document.activeElement === document.body) found.focus({ preventScroll: true });
    });
    search.observe(document.body, { subtree: true, childList: true });
    setTimeout(() => search.disconnect(), 10000);
  }
  const go = (href, link) => {
    const url = new URL(href, location.href);
    if (url.href === location.href) return;
    if (link) refocus(link);
    history.pushState({}, "", url);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  };
  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target.closest("a[data-stay]");
    if (link && plain) { event.preventDefault(); go(link.href, link); }
    document.querySelectorAll(".ll-pick[open]").forEach((menu) => { if (link || !menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("toggle", (event) => {
    const holder = event.target.open && event.target.querySelector(":scope > [data-values]");
    if (!holder || holder.firstChild) return;
    const table = document.createElement("table"), [names, ...rows] = JSON.parse(holder.dataset.values);
    table.className = "ll-table";
    const line = (parent, tag, texts) => { const row = parent.insertRow(); texts.forEach((text) => { const cell = document.createElement(tag); cell.textContent = text; row.append(cell); }); };
    line(table.createTHead(), "th", names);
    rows.forEach((texts) => line(table.tBodies[0] || table.createTBody(), "td", texts));
    holder.className = "ll-table-wrap";
    Object.assign(holder, { tabIndex: 0, role: "region", ariaLabel: "Values" });
    holder.append(table);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll(".ll-pick[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    document.querySelectorAll(".ll-card:hover, .ll-card:focus-within").forEach((card) => {
      card.classList.add("is-quiet");
      const again = () => card.classList.remove("is-quiet");
      card.addEventListener("mouseleave", again, { once: true });
      card.addEventListener("focusout", again, { once: true });
    });
  });
  window.dash_clientside = Object.assign({}, window.dash_clientside, { kpis: {
    days: (first, last) => {
      const url = new URL(location.href);
      if (first && last && url.searchParams.get("period") === "custom") {
        url.searchParams.set("from", first);
        url.searchParams.set("to", last);
        go(url);
      }
      return window.dash_clientside.no_update;
    },
  } });
})();
