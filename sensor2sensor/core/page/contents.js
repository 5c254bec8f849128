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

// On paper nothing opens by a click.
let closed = [];
addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((d) => { d.open = true; }); });
addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
// A link into something folded opens it.
addEventListener("hashchange", () => {
  for (let d = the(location.hash.slice(1))?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
});
mark();
