// Links that change the view of a page: no jump to the top, the focus stays; small menus close; a note can be sent away.
(function () {
  const go = (href) => {
    const url = new URL(href, location.href);
    if (url.href === location.href) return;
    history.pushState({}, "", url);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  };
  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target.closest("a[data-stay]");
    if (link && plain) { event.preventDefault(); go(link.href); }
    document.querySelectorAll(".ll-pick[open]").forEach((menu) => { if (link || !menu.contains(event.target)) menu.open = false; });
  });
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
