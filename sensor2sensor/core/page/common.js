"use strict";
const all = (what, of = document) => Array.from(of.querySelectorAll(what));
const the = (id) => document.getElementById(id);

// What stands at the side comes in over a narrow screen.
const side = the("side"), opener = the("open"), veil = the("veil");
function drawer(out) {
  side.classList.toggle("out", out);
  veil.hidden = !out;
  opener.setAttribute("aria-expanded", String(out));
  if (out) all("#side a, #side input")[0].focus(); else opener.focus({ preventScroll: true });
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
const value = (row, place) => row.cells[place].dataset.v ?? (row.cells[place].firstChild?.textContent ?? "").trim();
function sort(head, place) {
  const body = head.closest("table").tBodies[0], rows = [...body.rows];
  rows.forEach((row, i) => { row.dataset.was ??= i; });
  const was = head.getAttribute("aria-sort");
  const numeric = head.classList.contains("n") || "most" in head.dataset;
  const first = numeric && (/↑/.test(head.textContent) || "most" in head.dataset) ? "descending" : "ascending";
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
