{
  const data = JSON.parse(the("data").textContent), { runs, panels } = data;
  const items = all("#side li"), plots = all(".plot"), tip = the("tip");
  const of = (kind) => all(`${kind}[data-run]`);
  const cards = of(".card"), lines = of("tr");

  // What a reader has chosen outlives the reloading of the page, in this tab.
  const place = `runs ${location.pathname}`;
  const fresh = the("tools").dataset.every;
  const kept = (() => { try { return JSON.parse(sessionStorage.getItem(place)) ?? {}; } catch { return {}; } })();
  const state = { find: "", states: [], ticks: {}, smooth: 0, log: false, crop: true, size: "s", fresh: Number(fresh), ...kept };
  const keep = () => { try { sessionStorage.setItem(place, JSON.stringify({ ...state, at: scrollY })); } catch { /* a browser that keeps nothing */ } };
  const ticked = (i) => state.ticks[runs[i].name] ?? runs[i].ticked;
  const found = (i) => state.find.toLowerCase().split(/\s+/).every((word) => runs[i].words.includes(word))
    && (!state.states.length || state.states.includes(runs[i].state));
  const drawnRun = (i) => ticked(i) && found(i);

  // Drawing: as drawn.py does, with smoothing, logarithms and what lies under the pointer.
  const W = 360, H = 190, TOP = 24, FOOT = 30, RIGHT = 12, LETTER = 5.8;
  const n = (value) => value.toFixed(1).replace(/\.0$/, "");
  const esc = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const told = (value) => {
    const size = Math.abs(value);
    if (size >= 1e7) return value.toExponential(1).replace(".0e", "e").replace("e+", "e").replace("-", "−");
    if (size >= 1e4) return `${Number((value / 1000).toPrecision(4))}k`.replace("-", "−");
    return (size && size < 1e-3 ? value.toExponential(1).replace(".0e", "e") : String(Number(value.toPrecision(6)))).replace("-", "−");
  };
  function ticks(low, high) {
    const raw = (high - low) / 4;
    if (!(raw > 0) || !isFinite(raw)) return [low];
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const made = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) made.push(i * step);
    return made;
  }
  function decades(low, high) {
    const made = [], wide = high - low > 1.2;
    for (let e = Math.floor(low); e <= Math.ceil(high); e++)
      for (const m of wide ? [1] : [1, 2, 5]) { const l = e + Math.log10(m); if (l >= low && l <= high) made.push(l); }
    if (made.length < 2) return ticks(low, high);
    const every = Math.ceil(made.length / 6);
    return made.filter((_, i) => i % every === 0);
  }
  // A range without the few values that would press all others into a line; those lie on its edge.
  function cropped(values, low, high) {
    const sorted = values.toSorted((a, b) => a - b), at = (q) => sorted[Math.round(q * (sorted.length - 1))];
    const [first, last] = [at(0.1), at(0.9)], room = 2.5 * (last - first) || Infinity;
    return [Math.max(low, first - room), Math.min(high, last + room)];
  }
  // The mean of all before, each of less weight than the next, as TensorBoard has it.
  function smoothed(values, weight) {
    let sum = 0, count = 0;
    return values.map((v) => { sum = sum * weight + (1 - weight) * v; count = count * weight + (1 - weight); return sum / count; });
  }
  function draw(plot) {
    const panel = panels[plot.dataset.panel], wide = state.size === "l" ? 2.6 : 1, w = W * wide;
    const curves = [...panel.train.map((c) => [...c, "train"]), ...panel.looks.map((c) => [...c, "look"])]
      .filter(([run]) => drawnRun(run));
    plot.hidden = !curves.length;
    if (!curves.length) return;
    const log = state.log && curves.every(([, , values]) => values.every((v) => v > 0));
    const f = log ? Math.log10 : (v) => v, back = log ? (v) => 10 ** v : (v) => v;
    // Of curves that are smoothed the raw ones do not set the range, where that is much wider.
    const made = curves.map(([run, steps, values, kind]) => {
      const raw = values.map(f), weight = kind === "train" ? state.smooth : 0;
      return { run, steps, values, kind, raw, soft: weight ? smoothed(raw, weight) : raw };
    });
    let low = Infinity, high = -Infinity;
    for (const c of made) for (const v of state.smooth ? c.soft : c.raw) { low = Math.min(low, v); high = Math.max(high, v); }
    if (state.crop) [low, high] = cropped(made.flatMap((c) => (state.smooth ? c.soft : c.raw)), low, high);
    // What is constant but for rounding has no range.
    const flat = high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high));
    const air = flat ? Math.abs(high) * 0.1 || 1 : 0.05 * (high - low);
    low -= air; high += air;
    const marks = log ? decades(low, high) : ticks(low, high), names = marks.map((v) => told(back(v)));
    const left = Math.max(26, 8 + LETTER * Math.max(...names.map((t) => t.length)));
    const last = Math.max(...made.map((c) => c.steps.at(-1))) || 1;
    const x = (s) => left + s / last * (w - RIGHT - left);
    const y = (v) => Math.min(Math.max(H - (v - low) / (high - low) * (H - TOP - 6), TOP + 2), H);
    const parts = [`<text class="t" x="0" y="13">${esc(panel.title)}${state.log && !log ? " (not logarithmic: values of 0 or less)" : ""}</text>`];
    marks.forEach((v, i) => parts.push(`<path class="grid" d="M${n(left)} ${n(y(v))}H${n(w - RIGHT)}"/><text class="l" font-size="10" x="${n(left - 4)}" y="${n(y(v) + 3)}">${names[i]}</text>`));
    for (const s of ticks(0, last)) parts.push(`<text class="x" x="${n(x(s))}" y="${n(H + 13)}">${told(s)}</text>`);
    const path = (c, values) => (c.steps.length === 1 ? `M${n(x(c.steps[0]))} ${n(y(values[0]))}h0` : "M" + c.steps.map((s, i) => `${n(x(s))} ${n(y(values[i]))}`).join("L"));
    const both = !panel.metric && made.some((c) => c.kind === "look");
    const lit = plot.dataset.lit;
    const mood = (c) => (lit === undefined ? "" : Number(lit) === c.run ? " up" : " low");
    for (const c of made) {
      const key = runs[c.run].key, one = c.steps.length === 1 ? " one" : "";
      if (c.kind === "train" && state.smooth) parts.push(`<path class="s raw ${key}${mood(c)}" d="${path(c, c.raw)}"/>`);
      parts.push(`<path class="s ${key}${one}${c.kind === "train" && both ? " thin" : ""}${mood(c)}" d="${path(c, c.soft)}"/>`);
      if (c.kind === "look" && c.steps.length > 1 && c.steps.length <= 60)
        parts.push(`<path class="dots ${key}${mood(c)}" d="${c.steps.map((s, i) => `M${n(x(s))} ${n(y(c.raw[i]))}h0`).join("")}"/>`);
    }
    if (panel.better && panel.metric) for (const c of made) {
      const extreme = Math[panel.better === "higher" ? "max" : "min"](...c.values), i = c.values.indexOf(extreme);
      if (c.steps.length > 1) parts.push(`<circle class="best ${runs[c.run].key.split(" ")[0]}${mood(c)}" cx="${n(x(c.steps[i]))}" cy="${n(y(c.raw[i]))}" r="3.4"><title>best of ${esc(runs[c.run].name)}: ${told(extreme)} at ${c.steps[i]}</title></circle>`);
    }
    parts.push(`<text class="u" x="${n(w - RIGHT)}" y="${n(H + 26)}">step</text>`);
    const svg = plot.querySelector("svg");
    svg.setAttribute("viewBox", `0 0 ${n(w)} ${H + FOOT}`);
    svg.setAttribute("aria-label", `${panel.title} by step: ${made.length} curves`);
    svg.innerHTML = parts.join("");
    plot.shape = { made, x, y, left, last, w };
  }

  // Under the pointer: every run at that step, the nearest line strong.
  function point(plot, event) {
    const svg = plot.querySelector("svg"), box = svg.getBoundingClientRect(), { made, x, y, left, last, w } = plot.shape;
    const px = (event.clientX - box.left) / box.width * w, py = (event.clientY - box.top) / box.height * (H + FOOT);
    const step = Math.min(Math.max((px - left) / (w - RIGHT - left) * last, 0), last);
    const near = made.map((c) => {
      let i = 0;
      for (let k = 1; k < c.steps.length; k++) if (Math.abs(c.steps[k] - step) < Math.abs(c.steps[i] - step)) i = k;
      return { c, i, far: Math.abs(y(c.soft[i]) - py) };
    });
    const first = near.reduce((a, b) => (b.far < a.far ? b : a));
    const lit = made.length > 1 ? String(first.c.run) : undefined;
    if (plot.dataset.lit !== lit) {
      if (lit === undefined) delete plot.dataset.lit; else plot.dataset.lit = lit;
      draw(plot);
      items.forEach((item) => item.classList.toggle("up", item.dataset.run === lit));
    }
    svg.querySelector(".hair")?.remove();
    const at = first.c.steps[first.i];
    svg.insertAdjacentHTML("beforeend", `<path class="hair" d="M${n(x(at))} ${TOP}V${H}"/>`);
    const sign = panels[plot.dataset.panel].better === "higher" ? -1 : 1;
    const rows = near.sort((a, b) => sign * (a.c.values[a.i] - b.c.values[b.i])), most = 12;
    const place = Math.max(0, Math.min(rows.indexOf(first) - 5, rows.length - most));
    const shown = rows.slice(place, place + most);
    tip.innerHTML = `<p>step ${at}${state.smooth && shown.some(({ c }) => c.kind === "train") ? ", not smoothed" : ""}</p>` + shown.map((row) => {
      const { c, i } = row, { name } = runs[c.run];
      const own = c.steps[i] === at ? "" : ` <small>at ${c.steps[i]}</small>`;
      return `<div class="${row === first ? "up" : ""}"><svg viewBox="0 0 22 8"><path class="s ${runs[c.run].key}${c.kind === "train" ? " thin" : ""}" d="M1 4H21"/></svg><span><bdi>${esc(name)}</bdi></span><b>${told(Number(c.values[i].toPrecision(5)))}${own}</b></div>`;
    }).join("") + (rows.length > most ? `<p>${most} of ${rows.length}</p>` : "");
    tip.hidden = false;
    const t = tip.getBoundingClientRect();
    const tx = event.clientX + 18 + t.width > innerWidth ? event.clientX - 18 - t.width : event.clientX + 18;
    tip.style.left = `${Math.max(8, tx)}px`;
    tip.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - t.height - 8))}px`;
  }
  function leave(plot) {
    tip.hidden = true;
    plot.querySelector(".hair")?.remove();
    items.forEach((item) => item.classList.remove("up"));
    if (plot.dataset.lit !== undefined) { delete plot.dataset.lit; draw(plot); }
  }
  for (const plot of plots) {
    plot.addEventListener("pointermove", (e) => point(plot, e));
    plot.addEventListener("pointerdown", (e) => point(plot, e));
    plot.addEventListener("pointerleave", () => leave(plot));
  }
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // What is shown.
  function refresh() {
    document.body.classList.remove("s", "m", "l");
    document.body.classList.add(state.size);
    items.forEach((item, i) => { item.hidden = !found(i); item.querySelector("input").checked = ticked(i); });
    for (const part of [...cards, ...lines]) part.hidden = !found(part.dataset.run);
    all("[data-state]").forEach((b) => b.setAttribute("aria-pressed", String(state.states.includes(b.dataset.state))));
    const left = runs.filter((_, i) => found(i)).length;
    the("picked").textContent = `${runs.filter((_, i) => drawnRun(i)).length} of ${left} drawn`;
    the("smoothed").textContent = state.smooth ? state.smooth.toFixed(2) : "off";
    plots.forEach(draw);
    for (const id of ["validation", "losses", "watched"]) {
      const own = all(".plot", the(id));
      if (own.length) the(id).hidden = own.every((plot) => plot.hidden);
    }
    the("sheets").hidden = cards.length > 0 && cards.every((card) => card.hidden);
    keep();
  }
  const change = (changes) => { Object.assign(state, changes); refresh(); };
  the("find").value = state.find; the("smooth").value = state.smooth; the("log").checked = state.log; the("crop").checked = state.crop; the("size").value = state.size;
  if (![...the("fresh").options].some((o) => Number(o.value) === state.fresh)) the("fresh").add(new Option(`every ${state.fresh} s`, state.fresh));
  the("fresh").value = state.fresh;
  the("find").addEventListener("input", (e) => change({ find: e.target.value.trim() }));
  the("smooth").addEventListener("input", (e) => change({ smooth: Number(e.target.value) }));
  the("log").addEventListener("change", (e) => change({ log: e.target.checked }));
  the("crop").addEventListener("change", (e) => change({ crop: e.target.checked }));
  the("size").addEventListener("change", (e) => change({ size: e.target.value }));
  the("fresh").addEventListener("change", (e) => { change({ fresh: Number(e.target.value) }); again(); });
  for (const button of all("[data-state]")) button.addEventListener("click", () => {
    const own = button.dataset.state;
    change({ states: state.states.includes(own) ? state.states.filter((s) => s !== own) : [...state.states, own] });
  });
  items.forEach((item, i) => item.querySelector("input").addEventListener("change", (e) =>
    change({ ticks: { ...state.ticks, [runs[i].name]: e.target.checked } })));
  for (const button of all("[data-tick]")) button.addEventListener("click", () => {
    const kind = button.dataset.tick, ticks = kind === "first" ? {} : { ...state.ticks };
    if (kind !== "first") runs.forEach((run, i) => { if (found(i)) ticks[run.name] = kind === "all"; });
    change({ ticks });
  });

  // Sheets by their sliders; one that was deleted since says so.
  for (const card of cards) {
    const image = card.querySelector("img"), slider = card.querySelector("input"), { name, sheets } = runs[card.dataset.run];
    slider?.addEventListener("input", () => {
      const [step, link] = sheets[slider.value];
      image.src = link; image.alt = `${name}, step ${step}`;
      card.querySelector("output").textContent = `step ${step}`;
    });
    image.addEventListener("error", () => {
      const line = document.createElement("p");
      line.className = "gone"; line.textContent = "this sheet is not there any more";
      card.querySelector(".zoom").replaceWith(line);
    });
  }

  // Reloading, where nothing is enlarged and somebody looks.
  let timer;
  function again() {
    clearInterval(timer);
    if (state.fresh) timer = setInterval(() => {
      if (document.hidden || the("light").open) return;
      keep();
      location.reload();
    }, 1000 * state.fresh);
  }
  addEventListener("pagehide", keep);
  const ago = () => {
    const s = Math.max(0, Math.round(Date.now() / 1000 - data.written));
    const [unit, length] = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].find(([, l]) => s >= 2 * l) ?? ["s", 1];
    the("ago").textContent = ` (${Math.floor(s / length)} ${unit} ago)`;
  };
  ago();
  setInterval(ago, 5000);
  refresh();
  if (kept.at) scrollTo(0, kept.at);
  again();
}
