// The what-if's controls: box and slider move together, the edits go into the address, and the model is asked at most
// ten times a second, one question at a time: the last move wins, and an answer is never overtaken by an older one.
(function () {
  const WAIT = 100, LOST = 5000, BLANK = "~";
  const part = (name, feature) => ({ part: "what-if-" + name, feature });
  const dom = (name, feature) => document.getElementById(JSON.stringify({ feature, part: "what-if-" + name }));
  const held = { drawn: null, texts: {}, past: [], kept: "" };
  let asked = 0, waiting = false, timer = 0, lastAt = 0, lost = 0;

  const row = () => document.getElementById("what-if-row");
  const controls = () => Array.from(row().querySelectorAll(".ll-wi-control"));
  const stored = (control) => control.dataset.stored;

  function hold() {
    const here = row();
    if (!here) return false;
    if (held.drawn !== here.dataset.drawn) {
      held.drawn = here.dataset.drawn;
      held.texts = {};
      controls().forEach((c) => { held.texts[c.dataset.feature] = c.dataset.text; });
      held.past = [];
      held.kept = JSON.stringify(held.texts);
      waiting = false;
    }
    return true;
  }
  function edits() {
    const found = {};
    controls().forEach((c) => { const said = held.texts[c.dataset.feature]; if (said !== stored(c)) found[c.dataset.feature] = said; });
    return found;
  }
  function address() {
    const url = new URL(location.href), found = edits();
    Array.from(url.searchParams.keys()).filter((k) => k.startsWith("x_")).forEach((k) => url.searchParams.delete(k));
    Object.keys(found).sort().forEach((k) => url.searchParams.set("x_" + k, found[k]));
    history.replaceState(history.state, "", url);
  }
  function ask() {
    const free = !waiting || Date.now() - lost > LOST, rest = WAIT - (Date.now() - lastAt);
    clearTimeout(timer);
    if (!free || rest > 0) { timer = setTimeout(ask, Math.max(rest, free ? 0 : 20)); return; }
    if (!hold()) return;
    const here = row();
    waiting = true; lost = lastAt = Date.now(); asked += 1;
    const open = Array.from(here.querySelectorAll("details[data-part][open]")).map((d) => d.dataset.part);
    window.dash_clientside.set_props("what-if-ask", { data: { asked, list: here.dataset.list, key: here.dataset.key, edits: edits(), open } });
  }
  function buttons() {
    const undo = document.getElementById("what-if-undo"), reset = document.getElementById("what-if-reset");
    if (undo) undo.disabled = !held.past.length;
    if (reset) reset.disabled = !Object.keys(edits()).length;
  }
  function commit() {
    const now = JSON.stringify(held.texts);
    if (now !== held.kept) { held.past.push(held.kept); held.kept = now; }
    address();
    buttons();
  }
  function show(feature, said, skip) {
    const box = dom("box", feature), slider = dom("slider", feature), number = parseFloat(said);
    if (box && box.tagName === "SELECT") box.value = said;
    else if (box && skip !== "box") window.dash_clientside.set_props(part("box", feature), { value: said === BLANK ? "" : said });
    if (slider && skip !== "slider" && !isNaN(number)) window.dash_clientside.set_props(part("slider", feature), { value: Math.min(+slider.max, Math.max(+slider.min, number)) });
  }
  function restore(texts) {
    Object.keys(texts).forEach((f) => { if (texts[f] !== held.texts[f]) { held.texts[f] = texts[f]; show(f, texts[f]); } });
    held.kept = JSON.stringify(held.texts);
    address(); buttons(); ask();
  }
  function rounded(control, value) {
    const step = parseFloat(control.dataset.step), slider = dom("slider", control.dataset.feature), today = parseFloat(stored(control));
    if (!isNaN(today) && Math.abs(value - today) < (slider.max - slider.min) / 250) return stored(control);
    if (!step) return String(value);
    const on = Math.min(+slider.max, Math.max(+slider.min, Math.round(value / step) * step));
    return String(parseFloat(on.toPrecision(10)));
  }
  function heard(target) {
    const control = target.closest && target.closest(".ll-wi-control");
    if (!control || !hold()) return;
    const feature = control.dataset.feature, slides = target.type === "range";
    const said = slides ? rounded(control, parseFloat(target.value)) : target.value.trim() || BLANK;
    if (said === held.texts[feature]) return;
    held.texts[feature] = said;
    show(feature, said, slides ? "slider" : "box");
    ask();
  }
  document.addEventListener("input", (event) => heard(event.target), true);
  document.addEventListener("change", (event) => {
    if (!event.target.closest || !event.target.closest(".ll-wi-control") || !hold()) return;
    heard(event.target);
    commit();
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button || !row() || !hold()) return;
    if (button.classList.contains("ll-wi-reset")) {
      const control = button.closest(".ll-wi-control"), feature = control.dataset.feature;
      held.texts[feature] = stored(control);
      show(feature, stored(control));
      commit(); ask();
    } else if (button.id === "what-if-reset") {
      controls().forEach((c) => { held.texts[c.dataset.feature] = stored(c); show(c.dataset.feature, stored(c)); });
      commit(); ask();
    } else if (button.id === "what-if-undo" && held.past.length) {
      restore(JSON.parse(held.past.pop()));
    } else if (button.id === "what-if-copy") {
      address();
      const done = () => { button.textContent = "Link copied"; setTimeout(() => { button.textContent = "Copy link"; }, 2000); };
      if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, () => window.prompt("The link", location.href));
      else window.prompt("The link", location.href);
    }
  });
  // A folded part is asked for when it is opened.
  document.addEventListener("toggle", (event) => {
    const folded = event.target;
    if (folded.open && folded.dataset && folded.dataset.part && row() && row().contains(folded) && !folded.querySelector("table, .ll-wi-pair")) ask();
  }, true);
  // Boxes are described by the sentence under them, and numbers get the phone's number keys.
  function describe() {
    if (!row()) return;
    controls().forEach((c) => {
      const box = dom("box", c.dataset.feature);
      if (!box) return;
      box.setAttribute("aria-describedby", JSON.stringify({ feature: c.dataset.feature, part: "what-if-message" }));
      box.setAttribute("aria-invalid", c.classList.contains("is-refused") ? "true" : "false");
      if (box.tagName === "INPUT") box.setAttribute("inputmode", "decimal");
    });
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside, { whatIf: {
    answered: (data) => {
      if (data && data.asked === asked) waiting = false;
      if (!data) hold();
      requestAnimationFrame(describe);
      return window.dash_clientside.no_update;
    },
  } });
})();
