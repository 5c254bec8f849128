"use strict";
const all = (what, of = document) => Array.from(of.querySelectorAll(what));
const the = (id) => document.getElementById(id);

// Contents: the section that is read is marked; on a narrow screen they come in from the side.
const side = the("side"), opener = the("open"), veil = the("veil");
const links = new Map(all("#side ol a").map((a) => [a.hash.slice(1), a]));
const places = [...links.keys()].map(the);
let marked;
function mark() {
  const line = innerHeight * 0.3;
  let now = null;
  for (const place of places) {
    const top = place.getBoundingClientRect();
    if (top.height && top.top <= line) now = place;
  }
  // At the end of the page the last section counts, however short it is.
  if (scrollY > 40 && innerHeight + scrollY >= document.documentElement.scrollHeight - 4) now = places.at(-1);
  if (now === marked) return;
  marked = now;
  all("#side .in").forEach((item) => item.classList.remove("in"));
  all("#side [aria-current]").forEach((a) => a.removeAttribute("aria-current"));
  const link = now && links.get(now.id);
  if (!link) return;
  link.setAttribute("aria-current", "true");
  for (let item = link.closest("li"); item; item = item.parentElement.closest("li")) item.classList.add("in");
  const box = link.getBoundingClientRect();
  if (box.top < 60 || box.bottom > innerHeight - 40) side.scrollTop += box.top - innerHeight / 2;
}
let asked = false;
addEventListener("scroll", () => {
  if (!asked) requestAnimationFrame(() => { asked = false; mark(); });
  asked = true;
}, { passive: true });
addEventListener("resize", mark);
function drawer(out) {
  side.classList.toggle("out", out);
  veil.hidden = !out;
  opener.setAttribute("aria-expanded", String(out));
  if (out) all("#side a")[0].focus(); else opener.focus({ preventScroll: true });
}
opener.addEventListener("click", () => drawer(!side.classList.contains("out")));
veil.addEventListener("click", () => drawer(false));
side.addEventListener("click", (e) => { if (e.target.closest("a") && side.classList.contains("out")) drawer(false); });
addEventListener("keydown", (e) => { if (e.key === "Escape" && side.classList.contains("out")) drawer(false); });

// Tables sort by their heads: the better end first, then the other, then as they were.
const number = (text) => {
  const found = text.replace(/−/g, "-").match(/^\s*[+±]?(-?[\d.]+(?:e[+-]?\d+)?)/i);
  return found ? Number(found[1]) : NaN;
};
const value = (row, place) => (row.cells[place].firstChild?.textContent ?? "").trim();
function sort(head, place) {
  const body = head.closest("table").tBodies[0], rows = [...body.rows];
  rows.forEach((row, i) => { row.dataset.was ??= i; });
  const was = head.getAttribute("aria-sort");
  const numeric = head.classList.contains("n");
  const first = numeric && /↑/.test(head.textContent) ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const now = was === null ? first : was === first ? other : null;
  all("th", head.parentElement).forEach((th) => th.removeAttribute("aria-sort"));
  if (now) head.setAttribute("aria-sort", now);
  const way = now === "descending" ? -1 : 1;
  const order = (a, b) => {
    if (!now) return a.dataset.was - b.dataset.was;
    const [x, y] = [value(a, place), value(b, place)];
    if (!numeric) return way * x.localeCompare(y, "en", { numeric: true });
    const [m, n] = [number(x), number(y)];
    // No value is last both ways: it is neither the least nor the most.
    return isNaN(m) || isNaN(n) ? isNaN(m) - isNaN(n) : way * (m - n);
  };
  body.append(...rows.sort((a, b) => order(a, b) || a.dataset.was - b.dataset.was));
}
for (const table of all("table.sort")) {
  if (table.tBodies[0].rows.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, place));
  });
}

// Ticked tiles: a list for each data set, as the file that exclude_tiles names.
const ticked = new Map(), panel = the("ticked");
function told() {
  panel.replaceChildren();
  panel.hidden = true;
  for (const [place, names] of ticked) {
    if (!names.size) continue;
    panel.hidden = false;
    const line = document.createElement("p"), what = document.createElement("b");
    what.textContent = `${names.size} ${names.size === 1 ? "tile" : "tiles"} of ${title(place)}`;
    line.append(what, button("Download exclude_tiles", () => save(place, names), "main"), button("Clear", () => clear(place)));
    panel.append(line);
  }
}
const title = (place) => the(`${place}-h`).textContent;
function button(text, deed, kind = "") {
  const made = document.createElement("button");
  made.type = "button"; made.textContent = text; made.className = kind;
  made.addEventListener("click", deed);
  return made;
}
const listed = (place, names) =>
  [`# Tiles ticked in the report of ${title(place)}`, ...[...names].sort(), ""].join("\n");
function save(place, names) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([listed(place, names)], { type: "text/plain" }));
  link.download = `exclude_tiles_${title(place).replace(/[^\w.-]+/g, "_")}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
const boxes = () => all("input[data-tile]");
function clear(place) {
  boxes().forEach((box) => { if (box.dataset.set === place) box.checked = false; });
  ticked.delete(place);
  told();
}
document.addEventListener("change", (e) => {
  const { tile, set } = e.target.dataset;
  if (tile === undefined) return;
  const names = ticked.get(set) ?? new Set();
  ticked.set(set, names);
  if (e.target.checked) names.add(tile); else names.delete(tile);
  // One tile may be shown for several runs: its boxes go together.
  boxes().forEach((box) => { if (box.dataset.tile === tile && box.dataset.set === set) box.checked = e.target.checked; });
  told();
});

// A picture enlarged: wheel, fingers and keys zoom about a point, drags and arrows move.
const light = the("light"), stage = the("stage"), large = the("large");
let shown = -1, at = { x: 0, y: 0, k: 1 }, fitted = 1;
const pictures = () => all("button.zoom").filter((b) => b.offsetParent);
function place() {
  large.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.k})`;
  large.classList.toggle("pixels", at.k >= 2);
  the("scale").textContent = `${Math.round(100 * at.k)} %`;
}
function fit() {
  const [w, h] = [large.naturalWidth, large.naturalHeight], [W, H] = [stage.clientWidth, stage.clientHeight];
  fitted = Math.min(W / w, H / h, 8);
  at = { k: fitted, x: (W - w * fitted) / 2, y: (H - h * fitted) / 2 };
  place();
}
function zoom(by, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const k = Math.min(Math.max(at.k * by, fitted / 2), 32);
  at = { k, x: x - (x - at.x) * k / at.k, y: y - (y - at.y) * k / at.k };
  place();
}
function move(dx, dy) { at = { ...at, x: at.x + dx, y: at.y + dy }; place(); }
async function show(number) {
  const every = pictures();
  shown = (number + every.length) % every.length;
  const image = every[shown].querySelector("img");
  large.src = image.src; large.alt = image.alt;
  the("said").textContent = image.alt;
  await large.decode();
  fit();
}
document.addEventListener("click", (e) => {
  const pressed = e.target.closest("button.zoom");
  if (!pressed) return;
  light.showModal();
  show(pictures().indexOf(pressed));
});
const moves = {
  before: () => show(shown - 1), after: () => show(shown + 1), in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit, close: () => light.close(),
};
light.addEventListener("click", (e) => moves[e.target.dataset?.do]?.());
light.addEventListener("keydown", (e) => {
  const step = 80, keys = {
    "+": moves.in, "=": moves.in, "-": moves.out, 0: fit, PageUp: moves.before, PageDown: moves.after,
    ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
  };
  if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  keys[e.key]();
});
const inside = (e) => { const b = stage.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };
stage.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(-Math.max(-60, Math.min(60, e.deltaY)) * 0.004), ...inside(e)); }, { passive: false });
const fingers = new Map();
stage.addEventListener("pointerdown", (e) => {
  fingers.set(e.pointerId, inside(e));
  stage.classList.add("held");
  try { stage.setPointerCapture(e.pointerId); } catch { /* a pointer that is already gone */ }
});
stage.addEventListener("pointermove", (e) => {
  if (!fingers.has(e.pointerId)) return;
  const old = fingers.get(e.pointerId), now = inside(e);
  fingers.set(e.pointerId, now);
  if (fingers.size === 1) return move(now[0] - old[0], now[1] - old[1]);
  const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
  const far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
  zoom(far(now) / far(old), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
});
for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, (e) => {
  fingers.delete(e.pointerId);
  stage.classList.toggle("held", fingers.size > 0);
});
stage.addEventListener("dblclick", (e) => (at.k > fitted * 1.01 ? fit() : zoom(3, ...inside(e))));
addEventListener("resize", () => { if (light.open) fit(); });

// On paper nothing opens by a click.
let closed = [];
addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((d) => { d.open = true; }); });
addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
// A link into something folded opens it.
addEventListener("hashchange", () => {
  for (let d = the(location.hash.slice(1))?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
});
mark();
