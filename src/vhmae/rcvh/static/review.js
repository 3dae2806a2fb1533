// Shows one composite after the other; K keeps, R rejects, U takes the last decision back.
import { get, here, post } from "../web/calls.js";

const ids = ["state", "low", "high", "export", "problem", "shown", "video", "name", "facts", "back", "reject", "keep", "undo", "forward", "nothing", "progress"];
const page = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
let items = [];
let current = null; // an item
let said = []; // what was decided: [item, what stood there before]

const wanted = (item) => {
  const share = 100 * item.foreground_ratio;
  const mine = { open: item.mine === null, all: true, keep: item.mine === true, reject: item.mine === false }[page.state.value];
  return mine && share >= Number(page.low.value) && share <= Number(page.high.value);
};

function show(item) {
  current = item;
  const decided = items.filter((one) => one.mine !== null).length;
  page.progress.textContent = `${decided} of ${items.length} decided`;
  page.shown.hidden = item === null;
  page.nothing.hidden = item !== null;
  page.undo.disabled = said.length === 0;
  if (item === null) { page.video.removeAttribute("src"); return; }
  if (page.video.dataset.name !== item.name) {
    page.video.dataset.name = item.name;
    page.video.src = here(`/media/${item.name}.mp4`);
    page.video.play().catch(() => {});
  }
  page.name.textContent = item.name;
  const mine = item.mine === null ? "not decided" : item.mine ? "kept by you" : "rejected by you";
  page.facts.textContent = `foreground ${Math.round(100 * item.foreground_ratio)} %, ${mine}; in all ${item.keeps} keep, ${item.rejects} reject`;
  const next = items.slice(items.indexOf(item) + 1).find(wanted);
  if (next) fetch(here(`/media/${next.name}.mp4`)).catch(() => {}); // it will be there when it is wanted
}

function move(step) {
  let place = items.indexOf(current);
  do place += step; while (items[place] && !wanted(items[place]));
  if (items[place]) show(items[place]);
  else if (step > 0) show(items.find(wanted) ?? null);
}

async function decide(item, mine, remember = true) {
  const decision = mine === null ? null : mine ? "keep" : "reject";
  const answer = await post("/api/decisions", { name: item.name, decision });
  page.problem.textContent = answer.detail;
  if (!answer.ok) return false;
  if (remember) said.push([item, item.mine]);
  if (item.mine !== null) item[item.mine ? "keeps" : "rejects"] -= 1;
  if (mine !== null) item[mine ? "keeps" : "rejects"] += 1;
  item.mine = mine;
  return true;
}

let busy = false; // one decision at a time: a second press must not fall on what was not seen
async function alone(work) {
  if (busy) return;
  busy = true;
  try { await work(); } finally { busy = false; }
}

const say = (mine) => alone(async () => {
  if (current !== null && await decide(current, mine)) move(1);
});

const undo = () => alone(async () => {
  const last = said.at(-1);
  if (!last || !await decide(last[0], last[1], false)) return;
  said.pop();
  show(last[0]);
});

page.keep.addEventListener("click", () => say(true));
page.reject.addEventListener("click", () => say(false));
page.undo.addEventListener("click", undo);
page.back.addEventListener("click", () => move(-1));
page.forward.addEventListener("click", () => move(1));
for (const filter of [page.state, page.low, page.high]) {
  filter.addEventListener("change", () => { filter.blur(); show(items.find(wanted) ?? null); });
}
page.export.addEventListener("click", async () => {
  const answer = await post("/api/export", {});
  page.problem.textContent = answer.detail;
  if (answer.ok) page.facts.textContent = `written: ${answer.keep} kept, ${answer.reject} rejected, ${answer.undecided} undecided`;
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.repeat && !event.key.startsWith("Arrow")) return; // a key that is held decides once
  const action = { k: () => say(true), r: () => say(false), u: undo, ArrowLeft: () => move(-1), ArrowRight: () => move(1) }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action) { event.preventDefault(); action(); }
});
const answer = await get("/api/composites");
page.problem.textContent = answer.detail;
items = Object.values(answer).filter((one) => one && typeof one === "object");
show(items.find(wanted) ?? null);
