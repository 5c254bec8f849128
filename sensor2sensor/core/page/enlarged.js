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
