// What a visitor does, one deed after the other; colours are read off the canvas.
// The truth is green where there is no town, the prediction red.
const $ = (id) => document.getElementById(id);
const stage = $("stage"), canvas = document.querySelector("canvas"), divider = $("divider");
const drawn = () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
const box = () => stage.getBoundingClientRect();
const pixel = (x, y) => {
  const ratio = canvas.width / box().width, pen = canvas.getContext("2d");
  return Array.from(pen.getImageData(x * ratio, y * ratio, 1, 1).data.slice(0, 3));
};
const colour = (x, y) => {
  const [r, g] = pixel(x, y);
  return r > g + 40 ? "red" : g > r + 40 ? "green" : "grey";
};
const row = () => [0.35, 0.65].map((x) => colour(box().width * x, box().height * 0.8));
const point = (on, kind, x, y, id) => on.dispatchEvent(new PointerEvent("pointer" + kind,
  { pointerId: id, clientX: box().left + x, clientY: box().top + y, bubbles: true, button: 0 }));
const drag = (on, from, to) => {
  point(on, "down", from, 90, 1); point(stage, "move", to, 90, 1); point(stage, "up", to, 90, 1);
  return drawn();
};
const press = (on, key) => {
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return drawn();
};
const click = (box, n) => { $(box).children[n].click(); return drawn(); };
const split = () => Number(divider.getAttribute("aria-valuenow"));
const scale = () => $("readout").textContent.match(/([\d.]+) %/)[1] / 100;
const change = (id, kind) => { $(id).dispatchEvent(new Event(kind)); return drawn().then(drawn); };
const at = (column, row) => [
  box().width / 2 + (column - 64.5) * scale(), box().height / 2 + (row - 48) * scale()];
const deeds = {
  async start() {
    return { row: row(), labels: [$("left").textContent, $("right").textContent], split: split() };
  },
  async drag() {
    const w = box().width;
    await drag(divider, w / 2, w * 0.2);
    const left = [row(), split()];
    point(stage, "move", w * 0.9, 90, 1); await drawn();  // nothing is held any more
    left.push(split());
    await drag(divider, w * 0.2, w * 0.8);
    return [left, [row(), split()]];
  },
  async keys() {
    const seen = [];
    for (const key of [" ", " ", "]", "["]) { await press(stage, key); seen.push(split()); }
    for (const key of ["Home", "ArrowRight", "End"]) {
      await press(divider, key); seen.push(split());
    }
    return seen;
  },
  async pairs() {
    await click("pairs", 1);
    const seen = [row(), $("left").textContent, $("right").textContent];
    await click("pairs", 2);
    return [...seen, row()];
  },
  async band() {
    $("looks").selectedIndex = 2; await change("looks", "change");
    return [row(), $("stretch").textContent.includes("B03")];
  },
  async zoom() {
    const start = scale(), seen = [], bar = $("bar").textContent;
    stage.dispatchEvent(new WheelEvent("wheel",
      { deltaY: -400, clientX: box().left + 50, clientY: box().top + 50, cancelable: true }));
    await drawn(); seen.push(scale() / start);
    await press(stage, "0"); seen.push(scale() / start);
    await press(stage, "+"); seen.push(scale() / start);
    await press(stage, "0");
    point(stage, "down", 100, 100, 1); point(stage, "down", 200, 100, 2);
    point(stage, "move", 400, 100, 2);
    point(stage, "up", 400, 100, 2); point(stage, "up", 100, 100, 1);
    await drawn(); seen.push(scale() / start);
    return [seen, bar, $("bar").textContent];
  },
  async detail() {
    await click("pairs", 1); await press(divider, "Home"); await click("places", 1);
    const middle = () => pixel(box().width / 2 + 3, box().height / 2 + 3)[1];
    const seen = [middle()];
    await drag(stage, 300, 300 + scale()); seen.push(middle());
    return [seen, scale()];
  },
  async nothing() { return pixel(...at(8, 8)); },
  async light() {
    await press(divider, "Home"); await click("pairs", 1);
    const seen = [at(12, 78), at(8, 8)], before = seen.map((place) => pixel(...place));
    $("light").value = 0.3; await change("light", "input");
    return [before, seen.map((place) => pixel(...place))];
  },
  async safe() { return [typeof window.pwned, document.querySelector("h1 small").textContent]; },
  async size() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return { inner: window.innerWidth, content: document.documentElement.scrollWidth, dark,
      stage: box().width, page: getComputedStyle(document.body).backgroundColor,
      store: $("store").checkVisibility() };
  },
};
async function all() {
  const results = {};
  for (const [name, act] of Object.entries(deeds)) {
    await press(stage, "0"); await press(divider, "Home");
    for (let n = 0; n < 5; n += 1) {
      divider.dispatchEvent(new KeyboardEvent("keydown",
        { key: "ArrowRight", shiftKey: true, bubbles: true }));
    }
    $("looks").selectedIndex = 0; await change("looks", "change"); await click("pairs", 0);
    try { results[name] = await act(); } catch (error) { results[name] = String(error); }
  }
  results.errors = window.seen;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(results)]));
  link.download = "observed.json";
  link.click();
}
const ready = setInterval(() => {
  if (!document.documentElement.dataset.ready) return;
  clearInterval(ready); all();
}, 20);
