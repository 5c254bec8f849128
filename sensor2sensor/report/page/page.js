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
