"use strict";
{
  const the = (id) => document.getElementById(id);
  const { steps, curves } = JSON.parse(the("data").textContent);
  const frames = [...document.querySelectorAll("#frames img")], last = frames.length - 1;
  let now = last, timer = null, readings = "";
  const told = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

  // The curve over the slider's own places, so that both move together.
  const W = 800, H = 84, PAD = 8;
  function place(step) {
    if (step <= steps[0]) return 0;
    for (let i = 1; i < steps.length; i++) if (step <= steps[i]) return i - 1 + (step - steps[i - 1]) / (steps[i] - steps[i - 1]);
    return last;
  }
  const x = (at) => (last ? 8 + at / last * (W - 16) : W / 2);
  function draw() {
    const chosen = curves[the("curve").value];
    readings = "";
    if (!chosen) return;
    const [at, values] = chosen, low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const y = (v) => H - PAD - (v - low) / span * (H - 2 * PAD);
    const path = at.map((s, i) => `${x(place(s)).toFixed(1)} ${y(values[i]).toFixed(1)}`).join("L");
    let near = 0;
    at.forEach((s, i) => { if (Math.abs(s - steps[now]) < Math.abs(at[near] - steps[now])) near = i; });
    const here = `${x(now).toFixed(1)}`;
    the("line").innerHTML = `<path class="s" d="M${path}"/><path class="hair" d="M${here} 0V${H}"/><path class="now" d="M${x(place(at[near])).toFixed(1)} ${y(values[near]).toFixed(1)}h0"/>`;
    the("line").setAttribute("aria-label", `${the("curve").selectedOptions[0].text} by step: ${told(values[near])} at ${at[near]}`);
    readings = `  ${the("curve").selectedOptions[0].text} ${told(values[near])}`;
  }
  function show(at) {
    frames[now].hidden = true;
    now = Math.max(0, Math.min(last, at));
    frames[now].hidden = false;
    the("at").value = now;
    draw();
    the("step").textContent = `step ${steps[now]}`;
    the("step").title = readings.trim();
    the("reading")?.remove();
    if (readings) the("step").insertAdjacentHTML("afterend", '<span id="reading"></span>');
    if (readings) the("reading").textContent = readings;
  }
  function play(on) {
    clearInterval(timer);
    timer = null;
    the("play").textContent = on ? "Pause" : "Play";
    the("play").setAttribute("aria-pressed", String(on));
    if (!on) return;
    if (now === last) show(0);
    timer = setInterval(() => (now === last ? play(false) : show(now + 1)), 1000 / Number(the("speed").value));
  }
  the("play").addEventListener("click", () => play(timer === null));
  the("at").addEventListener("input", (e) => { play(false); show(Number(e.target.value)); });
  the("speed").addEventListener("change", () => { if (timer !== null) play(true); });
  the("curve").addEventListener("change", () => show(now));
  the("whole").addEventListener("change", (e) => the("frames").classList.toggle("fit", e.target.checked));
  for (const button of document.querySelectorAll("[data-by]")) button.addEventListener("click", () => { play(false); show(now + Number(button.dataset.by)); });
  the("line").addEventListener("pointerdown", (e) => {
    const box = the("line").getBoundingClientRect();
    play(false);
    show(Math.round(((e.clientX - box.left) / box.width * W - 8) / (W - 16) * last));
  });
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("select")) return;
    const keys = { " ": () => play(timer === null), ArrowLeft: () => show(now - 1), ArrowRight: () => show(now + 1), Home: () => show(0), End: () => show(last) };
    if (!keys[e.key] || (e.key === " " && e.target.closest("button, input"))) return;
    e.preventDefault();
    if (e.key !== " ") play(false);
    keys[e.key]();
  });
  the("frames").classList.add("fit");
  show(last);
}
