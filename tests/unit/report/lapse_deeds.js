// What a reader of a time-lapse does.
const $ = (what) => document.querySelector(what);
const until = async (holds) => { for (let i = 0; i < 500 && !holds(); i++) await new Promise((r) => setTimeout(r, 20)); };
const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const now = () => [$("#step").textContent, document.querySelectorAll("#frames img:not([hidden])").length];
addEventListener("load", async () => {
  const observed = { begun: now(), reading: $("#reading")?.textContent };
  key("Home"); observed.home = now();
  key("ArrowRight"); observed.right = now();
  $("#at").value = 0; $("#at").dispatchEvent(new Event("input"));
  $("#speed").value = "12";
  key(" "); observed.playing = $("#play").textContent;
  await until(() => $("#play").textContent === "Play");
  observed.ended = now();
  await until(() => [...document.images].every((i) => i.complete));
  observed.widths = [...document.images].map((i) => i.naturalWidth);
  observed.wide = document.documentElement.scrollWidth > innerWidth;
  observed.errors = window.seen; observed.safe = typeof window.hacked;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(observed)], { type: "application/json" }));
  link.download = "observed.json";
  link.click();
});
