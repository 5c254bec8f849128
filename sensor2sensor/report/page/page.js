// Contents: the section that is read is marked; on a narrow screen they come in from the side.
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

// On paper nothing opens by a click.
let closed = [];
addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((d) => { d.open = true; }); });
addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
// A link into something folded opens it.
addEventListener("hashchange", () => {
  for (let d = the(location.hash.slice(1))?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
});
mark();
