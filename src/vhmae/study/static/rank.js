// One clip after the other: shows it, takes a ranking by taps, drags or keys, hands it in.
import { get, here, post } from "../web/calls.js";
import { Together } from "./together.js";

const element = (id) => document.getElementById(id);
const names = ["stage", "slots", "submit", "pause", "clear", "problem", "said", "again", "progress"];
const [stage, slots, submit, pause, clear, problem, said, again, progress] = names.map(element);
const letter = (place) => String.fromCharCode(65 + place);
const ordinal = (rank) => `${rank}${{ 1: "st", 2: "nd", 3: "rd" }[rank % 100 > 10 && rank % 100 < 20 ? 0 : rank % 10] ?? "th"}`;

let ballot = null;
let player = null;
let ranking = []; // place on the page, by rank - 1; null where the rank is free
let ready = false; // the videos play
let dragged = false; // a drag has just ended
let history = []; // ranks in the order in which they were given, for Backspace

function create(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function card(token, name, place) {
  const video = create("video", { muted: "", playsinline: "", preload: "auto", tabindex: "-1", "aria-label": name });
  video.muted = true; // the attribute alone does not let it start by itself
  video.dataset.source = here(`/media/${token}.mp4`);
  if (place === null) return create("figure", { class: "card input" }, video, create("figcaption", {}, "As it was pasted"));
  const grip = create("button", { type: "button", class: "grip", "aria-label": `${name}: give it the next free rank, or drag it` }, letter(place));
  grip.addEventListener("click", () => { if (!dragged) toNextRank(place); });
  grip.addEventListener("pointerdown", (event) => drag(event, grip, place));
  const ranks = create("div", { class: "ranks", role: "group", "aria-label": `Rank of ${name}` });
  for (let rank = 1; rank <= ballot.choices.length; rank += 1) {
    const button = create("button", { type: "button", "data-rank": rank, "aria-pressed": "false", "aria-label": `${name} is ${ordinal(rank)}` }, rank);
    button.addEventListener("click", () => give(rank, place));
    ranks.append(button);
  }
  return create("figure", { class: "card", "data-place": place }, video, create("figcaption", {}, grip, ranks));
}

function give(rank, place) {
  const before = ranking.indexOf(place);
  if (before >= 0) take(before + 1);
  if (ranking[rank - 1] !== null) take(rank);
  ranking[rank - 1] = place;
  history.push(rank);
  show();
}

function take(rank) {
  ranking[rank - 1] = null;
  history = history.filter((one) => one !== rank);
}

function toNextRank(place) {
  const free = ranking.indexOf(null);
  if (free >= 0 && !ranking.includes(place)) give(free + 1, place);
}

function show() {
  ranking.forEach((place, index) => { slots.children[index].querySelector("b").textContent = place === null ? "" : letter(place); });
  for (const button of stage.querySelectorAll("[data-rank]")) {
    const place = Number(button.closest("[data-place]").dataset.place);
    button.setAttribute("aria-pressed", String(ranking[button.dataset.rank - 1] === place));
  }
  const given = ranking.flatMap((place, index) => (place === null ? [] : [`${ordinal(index + 1)}: ${letter(place)}`]));
  said.textContent = given.length ? given.join(", ") : "Nothing is ranked yet";
  submit.disabled = !ready || ranking.includes(null);
}

function drag(down, grip, place) {
  if (down.button !== 0) return;
  const ghost = create("div", { class: "ghost" }, letter(place));
  let moved = false;
  grip.setPointerCapture(down.pointerId);
  const under = (event) => document.elementsFromPoint(event.clientX, event.clientY).find((one) => one.parentElement === slots);
  const mark = (target) => { for (const slot of slots.children) slot.classList.toggle("target", slot === target); };
  const move = (event) => {
    if (!moved && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 6) return;
    if (!moved) { moved = true; document.body.append(ghost); grip.classList.add("dragged"); }
    ghost.style.left = `${event.clientX}px`;
    ghost.style.top = `${event.clientY}px`;
    mark(under(event));
  };
  const end = (event) => {
    grip.removeEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) grip.removeEventListener(kind, end);
    ghost.remove();
    grip.classList.remove("dragged");
    mark(null);
    if (!moved) return;
    dragged = true; // the click that browsers send after a drag is none
    setTimeout(() => { dragged = false; }, 0);
    const target = event.type === "pointerup" ? under(event) : undefined;
    if (target) give([...slots.children].indexOf(target) + 1, place);
  };
  grip.addEventListener("pointermove", move);
  for (const kind of ["pointerup", "pointercancel"]) grip.addEventListener(kind, end);
}

async function next() {
  const answer = await get("/api/ballot");
  if (answer.status === 401) return location.assign(here("/"));
  element("ranking").hidden = false;
  again.hidden = answer.ok;
  problem.textContent = answer.detail;
  if (!answer.ok) return;
  player?.stop();
  element("ranking").hidden = answer.done;
  element("thanks").hidden = !answer.done;
  if (answer.done) { progress.textContent = "Finished"; return; }
  ballot = answer;
  ranking = ballot.choices.map(() => null);
  history = [];
  ready = false;
  progress.textContent = `Clip ${ballot.position + 1} of ${ballot.total}`;
  const columns = Math.min(3, Math.ceil((ballot.choices.length + 1) / 2));
  stage.style.setProperty("--columns", columns);
  stage.style.setProperty("--rows", Math.ceil((ballot.choices.length + 1) / columns)); // so that all fit into the window
  stage.replaceChildren(card(ballot.input, "As it was pasted", null), ...ballot.choices.map((token, place) => card(token, `Attempt ${letter(place)}`, place)));
  slots.replaceChildren(...ballot.choices.map((_, index) => create("li", {}, create("span", {}, ordinal(index + 1)), create("b"))));
  show();
  const mine = new Together([...stage.querySelectorAll("video")], ballot.fps, ballot.frames);
  player = mine;
  stage.player = mine;
  delete stage.dataset.ready;
  pause.textContent = "Pause";
  pause.disabled = true;
  if (ballot.position) progress.focus(); // the buttons of the clip before are gone
  try {
    await mine.load();
    if (await mine.play()) await begin();
    pause.textContent = mine.paused ? "Play" : "Pause";
    pause.disabled = false;
  } catch (error) {
    broken(error);
  }
}

function broken(error) {
  problem.textContent = `The clip cannot be shown: ${error.message}.`;
  again.hidden = false;
}

/** The clip plays: it may be ranked from now on. */
async function begin() {
  const noted = await post("/api/playing", { ballot: ballot.id });
  if (!noted.ok) throw new Error(noted.detail);
  ready = true;
  stage.dataset.ready = ballot.id;
  show();
}

async function handIn() {
  if (submit.disabled) return;
  submit.disabled = true;
  const answer = await post("/api/rankings", { ballot: ballot.id, ranking: ranking.map((place) => ballot.choices[place]) });
  // 409: it was handed in before, in another window perhaps; the next clip is what is wanted.
  problem.textContent = answer.ok || answer.status === 409 ? "" : answer.detail;
  if (answer.ok || answer.status === 409) await next();
  else show();
}

async function togglePause() {
  if (pause.disabled) return;
  if (!player.paused) player.pause();
  else if ((await player.play()) && !ready) await begin().catch(broken);
  pause.textContent = player.paused ? "Play" : "Pause";
}

again.addEventListener("click", next);
element("other").addEventListener("click", async () => { if ((await post("/api/leave", {})).ok) location.assign(here("/")); });
submit.addEventListener("click", handIn);
pause.addEventListener("click", togglePause);
clear.addEventListener("click", () => { ranking.fill(null); history = []; show(); });
document.addEventListener("keydown", (event) => {
  if (!ballot || element("ranking").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const place = event.key.length === 1 ? event.key.toUpperCase().charCodeAt(0) - 65 : -1;
  const onButton = event.target.closest("button, a, summary"); // these have a meaning of their own for these keys
  if (place >= 0 && place < ballot.choices.length) toNextRank(place);
  else if (event.key === "Backspace" && history.length) { take(history.at(-1)); show(); event.preventDefault(); }
  else if (event.key === " " && !onButton) { togglePause(); event.preventDefault(); }
  else if (event.key === "Enter" && !onButton) handIn();
});
next();
