// What a reader does, one deed after the other.
const $ = (what, of = document) => of.querySelector(what);
const every = (what, of = document) => Array.from(of.querySelectorAll(what));
const later = (ms) => new Promise((r) => setTimeout(r, ms));
// A browser that is starved draws no frame; what is asked here needs no drawing.
const drawn = () => Promise.race([later(400), new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))]);
const until = async (holds) => { for (let i = 0; i < 1500 && !holds(); i++) await later(20); };
const press = (on, key) => {
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return drawn();
};
const labels = (table) => every("tbody th", table).map((th) => th.textContent.trim());
const shift = () => getComputedStyle($("#large")).transform.match(/[-\d.e]+/g).map(Number);
const point = (kind, x, y, id) => $("#stage").dispatchEvent(new PointerEvent("pointer" + kind,
  { pointerId: id, clientX: x, clientY: y, bubbles: true, button: 0 }));
const deeds = {
  async links() {
    const dead = every("#side a").filter((a) => !document.getElementById(a.hash.slice(1)));
    const ids = every("[id]").map((e) => e.id);
    const levels = every("h1, h2, h3, h4").map((h) => Number(h.tagName[1]));
    return {
      count: every("#side a").length, dead: dead.length, twice: ids.length - new Set(ids).size,
      jumps: levels.filter((level, i) => i && level > levels[i - 1] + 1).length, first: levels[0],
      unnamed: every("svg[role=img]:not([aria-label]), img:not([alt])").length,
    };
  },
  async size() {
    const root = document.documentElement;
    // What scrolls inside itself may be wider; nothing else may.
    const wide = every("main *").filter((e) => !e.closest(".scroll, svg, .skip")
      && e.getBoundingClientRect().right > root.clientWidth + 1);
    return {
      inner: innerWidth, content: root.scrollWidth, wide: wide.map((e) => e.className || e.tagName),
      page: getComputedStyle(document.body).backgroundColor, side: getComputedStyle($("#side")).visibility,
    };
  },
  async marked() {
    const seen = [];
    for (const id of ["g1-scores", "made"]) {
      document.documentElement.style.scrollBehavior = "auto";
      document.getElementById(id).scrollIntoView();
      await drawn(); await drawn();
      seen.push($("#side [aria-current]")?.hash);
    }
    return seen;
  },
  async drawer() {
    const state = () => [getComputedStyle($("#side")).visibility, $("#open").getAttribute("aria-expanded")];
    $("#side").style.transition = "none";
    $("#open").click(); await drawn();
    const out = state();
    await press(document, "Escape");
    const back = state();
    $("#open").click(); every("#side a")[2].click(); await drawn();
    return [out, back, state()];
  },
  async sorting() {
    const table = $("#g1-scores table.sort"), head = every("thead th", table).find((th) => th.textContent.includes("SSIM"));
    const seen = [labels(table)];
    for (let i = 0; i < 3; i++) {
      $("button", head).click();
      seen.push([head.getAttribute("aria-sort"), labels(table)]);
    }
    return { seen, right: getComputedStyle($("td.n", table)).textAlign, best: $("td.best", table).textContent };
  },
  async ticking() {
    const boxes = every("#g1 input[data-tile]"), tile = boxes[0].dataset.tile;
    const same = boxes.filter((box) => box.dataset.tile === tile);
    const hidden = $("#ticked").hidden;
    boxes[0].click();
    const others = boxes.filter((box) => box.dataset.tile !== tile);
    others[0].click(); others[1].click(); others[1].click();
    const text = listed("g1", ticked.get("g1"));
    const told = $("#ticked b").textContent, together = same.every((box) => box.checked);
    every("#ticked button").find((b) => b.textContent === "Clear").click();
    return { hidden, told, together, twice: same.length, tile, other: others[0].dataset.tile, text,
      cleared: $("#ticked").hidden && !boxes.some((box) => box.checked) };
  },
  async light() {
    const opener = $("#g1 button.zoom");
    opener.click();
    await until(() => $("#large").style.transform);
    const open = $("#light").open, said = $("#said").textContent, fitted = shift();
    $("#stage").dispatchEvent(new WheelEvent("wheel", { deltaY: -100, clientX: 50, clientY: 50, cancelable: true }));
    const wheel = shift()[0] / fitted[0];
    await press($("#light"), "0");
    await press($("#light"), "+");
    const key = shift()[0] / fitted[0], before = shift();
    await press($("#light"), "ArrowRight");
    const panned = shift()[4] - before[4];
    point("down", 60, 60, 1); point("move", 90, 75, 1); point("up", 90, 75, 1);
    const dragged = [shift()[4] - before[4] - panned, shift()[5] - before[5]];
    const k = shift()[0];
    point("down", 60, 60, 1); point("down", 100, 60, 2); point("move", 160, 60, 2);
    const pinch = shift()[0] / k;
    point("up", 160, 60, 2); point("up", 60, 60, 1);
    await press($("#light"), "PageDown");
    const second = every("button.zoom img").filter((i) => i.offsetParent)[1].alt;
    await until(() => $("#said").textContent === second);
    const next = $("#said").textContent;
    every("#light button").find((b) => b.textContent === "Close").click();
    return { open, said, wheel, key, panned, dragged, pinch, next, closed: !$("#light").open };
  },
};
addEventListener("load", async () => {
  const observed = {};
  for (const [name, deed] of Object.entries(deeds)) {
    try { observed[name] = await deed(); } catch (error) { seen.push(`${name}: ${error.stack}`); }
  }
  observed.errors = window.seen;
  observed.safe = typeof window.hacked;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(observed)], { type: "application/json" }));
  link.download = "observed.json";
  link.click();
});
