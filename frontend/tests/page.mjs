/**
 * The app's stores and keys without a browser: `node page.mjs PAGE.mjs`, where PAGE.mjs is `page.ts`, bundled. A browser
 * and a server stand in as far as they are asked; each test has a page of its own.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

class Input {
  constructor(type) {
    this.type = type;
  }
}
class Nothing {}
/** The stream that a page listens to. */
class Source {
  heard = {};
  addEventListener(name, hear) {
    this.heard[name] = hear;
  }
  tell(name, data) {
    this.heard[name]({ data: JSON.stringify(data) });
  }
}

const later = setTimeout;
Object.assign(globalThis, {
  setTimeout: (...call) => later(...call).unref(), // notices would be waited for until they go
  window: globalThis,
  addEventListener() {},
  innerWidth: 1280,
  document: { documentElement: { dataset: {} } },
  location: { hash: "", search: "", pathname: "/" },
  history: { replaceState() {} },
  localStorage: { getItem: () => null, setItem() {} },
  matchMedia: () => ({ matches: false }),
  requestAnimationFrame: (call) => setTimeout(call),
  HTMLElement: Nothing,
  HTMLInputElement: Input,
  HTMLButtonElement: class {},
  HTMLSelectElement: class {},
  HTMLTextAreaElement: class {},
  EventSource: class extends Source {
    constructor() {
      super();
      globalThis.stream = this;
    }
  },
});

const bundle = pathToFileURL(process.argv[2]).href;
let count = 0;
let answer; // (method, path, body) => what the server says, or a promise of it
let calls;

globalThis.fetch = async (path, { method = "GET", body, signal } = {}) => {
  const told = typeof body === "string" ? JSON.parse(body) : body;
  calls.push([method, path, told]);
  const givenUp = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const [status, said] = (await Promise.race([answer(method, path, told), givenUp])) ?? [404, { detail: "nothing" }];
  return new Response(status === 204 ? null : said instanceof ArrayBuffer ? said : JSON.stringify(said), { status });
};

/** A page of its own, with a clip in view. */
async function opened(more = {}, said = {}) {
  calls = [];
  answer = () => null;
  const page = await import(`${bundle}?${++count}`);
  const clip = {
    id: "7", state: "opening", name: "clip.mp4", layers: false, frames: 24, objects: 1, parts: [1], revision: 1,
    document: { schema: 1, vhmae: "project", job: {}, guide: page.emptyGuide(), versions: [], view: {}, ...said },
    ...more,
  };
  answer = (method, path) => (method === "GET" && path === "api/projects/7" ? [200, clip] : null);
  await page.project.reopen("7");
  calls = [];
  return page;
}

const saves = (method, path) => (method === "PUT" && path.endsWith("/document") ? [200, { revision: 2, restarted: false }] : null);
const told = (page) => page.notices.value.map((one) => one.text);
const changed = (page) => page.project.edit("edit.strength", { job: { strength: 0.5 } });
const soon = () => new Promise((resolve) => later(resolve, 20));

test("what was not brought is not told to the server", async () => {
  const page = await opened();
  answer = (method, path) => (path === "api/projects" ? [503, { detail: "full" }] : null);
  const asked = async () => {
    calls = [];
    await page.bringing.startBrought();
    return calls.find(([method, path]) => method === "POST" && path === "api/projects")[2];
  };
  page.bringing.bring({ path: "a.mp4", name: "a.mp4" });
  assert.deepEqual(await asked(), { composite: "a.mp4" });
  page.bringing.bring({ path: "a_mask.mp4", name: "a_mask.mp4" });
  assert.deepEqual(await asked(), { composite: "a.mp4", masks: ["a_mask.mp4"] });
  page.bringing.setWay("layers");
  page.bringing.bring({ path: "back.mp4", name: "back.mp4" });
  page.bringing.bring({ path: "front.mov", name: "front.mov" });
  assert.deepEqual(await asked(), { background: "back.mp4", foreground: "front.mov" });
});

test("what was sent is given back once it is wanted no more", async () => {
  const page = await opened();
  const dropped = () => calls.filter(([method]) => method === "DELETE").map(([, path]) => path);
  answer = (method, path) => (method === "DELETE" ? [204] : null);
  const { bring, takeOut, setWay, start } = page.bringing;
  bring({ path: "upload:1", name: "a.mp4" });
  takeOut("composite", "upload:1");
  assert.deepEqual(dropped(), ["api/uploads/1"]);
  bring({ path: "upload:2", name: "b.mp4" });
  page.bringing.aimAt("composite");
  bring({ path: "upload:3", name: "c.mp4" }); // in its place
  bring({ path: "here_mask.mp4", name: "here_mask.mp4" });
  takeOut("mask", "here_mask.mp4"); // a file of the folder stays
  assert.deepEqual(dropped(), ["api/uploads/1", "api/uploads/2"]);
  setWay("layers");
  bring({ path: "upload:4", name: "d.mp4" });
  answer = (method, path) =>
    method === "DELETE" ? [204] : path.startsWith("api/projects") ? [200, { ...page.project.project.value, id: "8" }] : null;
  await start({ composite: "upload:3" }); // it is used, the other one is not
  assert.deepEqual(dropped(), ["api/uploads/1", "api/uploads/2", "api/uploads/4"]);
});

test("a clip whose last change is not saved stays in view and is not rendered without it", async () => {
  const page = await opened();
  const { project } = page;
  answer = (method) => (method === "PUT" ? [507, { detail: "disk full" }] : [200, {}]);
  changed(page);
  assert.equal(await project.close(), false);
  assert.equal(project.document_.value.job.strength, 0.5);
  assert.equal(project.project.value.id, "7");
  assert.ok(told(page).includes(page.t("close.unsaved")));
  await page.bringing.start({ composite: "other.mp4" });
  await assert.rejects(page.renderSaved("7", { kind: "video" }));
  assert.equal(project.project.value.id, "7");
  assert.ok(!calls.some(([method]) => method === "POST"));
  answer = saves;
  assert.equal(await project.close(), true);
  assert.equal(project.project.value, null);
});

test("what could not be saved is saved when the server is back", async () => {
  const page = await opened();
  page.listen();
  stream.onopen();
  answer = () => [500, { detail: "gone" }];
  changed(page);
  await page.project.save();
  assert.equal(page.project.saving.value, "failed");
  answer = saves;
  stream.onopen();
  await soon();
  assert.equal(page.project.saving.value, "saved");
});

test("a save that is never answered is tried again, and is not taken for another tab's", async (context) => {
  const limits = [];
  context.mock.method(AbortSignal, "timeout", (ms) => {
    const control = new AbortController();
    limits.push({ ms, pass: () => control.abort(new DOMException("too long", "TimeoutError")) });
    return control.signal;
  });
  const page = await opened();
  const { project } = page;
  answer = () => new Promise(() => {});
  changed(page);
  const saved = project.save();
  await soon();
  const sent = project.document_.value;
  const came = calls.at(-1)[2].mark;
  project.edit("edit.strength", { job: { strength: 0.4 } });
  assert.equal(project.saving.value, "saving");
  assert.ok(limits[0].ms <= 60_000);
  limits[0].pass();
  await saved;
  assert.equal(project.saving.value, "failed");
  assert.ok(told(page).includes(page.t("page.unreachable")));
  page.notices.value = [];
  const tried = project.save();
  await soon();
  limits[1].pass();
  await tried;
  assert.deepEqual(told(page), []); // it was told, and is tried again every few seconds
  const revisions = [];
  answer = (method, path, body) => {
    if (method !== "PUT") return null;
    revisions.push(body.revision);
    // It had come there, where what is usual is left out.
    const values = { revision: 2, document: { ...sent, job: {} }, mark: came };
    return body.revision === 1 ? [409, { detail: "", key: "server.revision", values }] : [200, { revision: 3, restarted: false }];
  };
  await project.save();
  assert.deepEqual(revisions, [1, 2]);
  assert.equal(project.saving.value, "saved");
  assert.equal(project.document_.value.job.strength, 0.4);
  assert.ok(!told(page).includes(page.t("tabs.taken")));
});

test("another refusal is not another tab's word", async () => {
  const page = await opened();
  answer = (method) => (method === "PUT" ? [409, { detail: "wait", key: "server.offset", values: {} }] : null);
  changed(page);
  await page.project.save();
  assert.equal(page.project.saving.value, "failed");
  assert.equal(page.project.document_.value.job.strength, 0.5);
});

/** An answer of maps: one object, a grid of one cell; `brightness` stands first of its numbers. */
function mapsOfFrame(frame, brightness, isFinal) {
  const view = new DataView(new ArrayBuffer(24 + 16 + 4 * (2 + 30 + 12)));
  [0x50414d56, 2, 1, 1, 1, 0, frame, 0, Number(isFinal), 0, 1].forEach((value, i) => view.setUint32(4 * i, value, true));
  view.setFloat32(44, 1, true);
  view.setFloat32(48, brightness, true);
  return view.buffer;
}

test("maps that became better are asked for, and those before stand until they come", async () => {
  const page = await opened();
  const maps = page.mapsOf("7");
  let said = [200, mapsOfFrame(3, 0.25, false)];
  answer = (method, path) => (path.includes("/maps?first=3&") ? said : null);
  await maps.need(3);
  maps.markStale(0, 23);
  const brightness = () => maps.at(3)?.objects[0].overall[0];
  assert.equal(brightness(), 0.25);
  said = [503, { detail: "gone" }];
  await assert.rejects(maps.need(3));
  assert.equal(brightness(), 0.25);
  said = [200, mapsOfFrame(3, 0.5, true)];
  await maps.need(3);
  assert.equal(brightness(), 0.5);
  maps.markStale(0, 23); // final
  calls = [];
  await maps.need(3);
  assert.deepEqual(calls, []);
});

test("another clip begins at its first frame, and shows nothing of the one before", async () => {
  const page = await opened();
  const { project, playhead, takes, view } = page;
  const look = () => {
    playhead.frame.value = 20;
    playhead.shown.value = { frame: 20, exact: false, mattes: [], maps: { frame: 20, shot: 0, isFinal: true, objects: [null] } };
    playhead.isScrubbing.value = true;
    takes.takes.value = { frame: 20, object: 1, round: 1, takes: [] };
    takes.thumbnails.value = [{}];
    view.armed.value = { is: "neutral" };
    view.chosenPoint.value = 3;
    view.zoom.value = 2;
    view.overlay.value = "export";
  };
  look();
  const clip = project.project.value;
  assert.equal(await project.close(), true);
  answer = (method) => (method === "GET" ? [200, { ...clip, id: "8", frames: 6 }] : null);
  await project.reopen("8");
  assert.deepEqual([playhead.frame.value, playhead.shown.value, playhead.isScrubbing.value], [0, null, false]);
  assert.deepEqual([takes.takes.value, takes.thumbnails.value], [null, []]);
  assert.deepEqual([view.armed.value, view.chosenPoint.value, view.zoom.value, view.overlay.value], [null, null, null, null]);
  playhead.frame.value = 5;
  project.project.value = { ...project.project.value, state: "ready", frames: 3 }; // read anew, it is shorter
  assert.equal(playhead.frame.value, 2);
});

test("an answer that was asked for before a save takes nothing back", async () => {
  const page = await opened({ state: "reading" });
  const { project } = page;
  page.listen();
  const before = structuredClone({ ...project.project.value, state: "ready" });
  let release;
  const late = new Promise((resolve) => (release = resolve));
  let asked = 0;
  answer = (method, path) => {
    if (method === "PUT") return [200, { revision: 2, restarted: false }];
    if (path !== "api/projects/7") return null;
    return ++asked === 1
      ? late.then(() => [200, before])
      : [200, { ...before, revision: 2, document: { ...before.document, job: { strength: 0.5 } } }];
  };
  stream.tell("project", { id: "7", state: "ready", progress: { maps: 1 }, error: null });
  changed(page);
  await project.save();
  release();
  await soon();
  assert.equal(project.document_.value.job.strength, 0.5);
  assert.equal(project.undoLabel.value, "edit.strength");
  assert.equal(asked, 2); // so that nothing else of it is missed
  assert.equal(project.project.value.state, "ready");
});

test("of two answers the later question's stands", async () => {
  const page = await opened({ state: "reading" });
  const { project } = page;
  const clip = project.project.value;
  let release;
  const late = new Promise((resolve) => (release = resolve));
  let asked = 0;
  answer = () => (++asked === 1 ? late.then(() => [200, clip]) : [200, { ...clip, state: "ready" }]);
  const [first, second] = [project.refresh(), project.refresh()];
  await second;
  release();
  await first;
  assert.equal(project.project.value.state, "ready");
});

test("what was told while nobody heard is asked for", async () => {
  const page = await opened();
  const { project } = page;
  const clip = project.project.value;
  page.listen();
  const maps = page.mapsOf("7");
  const guides = () => calls.filter(([, path]) => path.endsWith("/guide")).length;
  let brightness = 0.25;
  answer = (method, path) => {
    if (path === "api/projects/7") return [200, { ...clip, state: "ready" }];
    return path.includes("/maps?first=0&") ? [200, mapsOfFrame(0, brightness, brightness === 0.5)] : [200, []];
  };
  stream.onopen(); // the clip was opened before the stream was
  await soon();
  assert.equal(project.project.value.state, "ready");
  await maps.need(0);
  for (const again of [() => stream.onopen(), () => stream.tell("lost", {})]) {
    [calls, brightness] = [[], 0.5];
    maps.clear();
    again();
    await new Promise((resolve) => later(resolve, 150));
    assert.ok(calls.some(([, path]) => path === "api/renders"));
    assert.equal(maps.at(0).objects[0].overall[0], 0.5);
    assert.ok(guides() > 0);
  }
  await project.close();
  calls = [];
  stream.onopen();
  await soon();
  assert.ok(calls.some(([method, path]) => method === "GET" && path === "api/projects"));
});

test("a question of who moved before is given up", async () => {
  const page = await opened();
  const { project } = page;
  const asked = [];
  answer = (method, path, body) => {
    if (!path.endsWith("/guide")) return saves(method, path);
    asked.push(body.move);
    return body.move === "both" ? [409, { detail: "", key: "server.not-yet", values: {} }] : [404, {}];
  };
  project.edit("edit.move", { job: { move: "both" } });
  project.project.value = { ...project.project.value, state: "ready" };
  await new Promise((resolve) => later(resolve, 150));
  assert.equal(asked.at(-1), "both");
  project.undo();
  await new Promise((resolve) => later(resolve, 150));
  assert.equal(asked.at(-1), "foreground");
});

test("a version without a name takes the first number that is free", async () => {
  const page = await opened();
  const { project } = page;
  project.saveVersion(project.unnamed.value);
  project.saveVersion(project.unnamed.value);
  project.dropVersion("Version 1");
  project.saveVersion(project.unnamed.value);
  const names = () => project.document_.value.versions.map((one) => one.name);
  assert.deepEqual(names(), ["Version 2", "Version 1"]);
  assert.equal(project.unnamed.value, "Version 3");
});

test("an object that is gone is not the one that is spoken of", async () => {
  const page = await opened({ objects: 3, parts: [1, 2, 3] });
  const { project } = page;
  project.currentObject.value = 3;
  project.project.value = { ...project.project.value, objects: null, parts: null }; // being opened anew
  assert.equal(project.currentObject.value, 3);
  project.project.value = { ...project.project.value, objects: 2, parts: [1, 2] };
  assert.equal(project.currentObject.value, 1);
});

test("a version's time may be damaged", async () => {
  const { moment, language } = await opened();
  for (const damaged of [undefined, null, 12, "yesterday", ""]) assert.equal(moment(damaged), "");
  language.value = "de";
  assert.match(moment("2026-02-03T10:00:00Z"), /03\.02\.26/);
});

test("a matte is used when it is done, and none that failed keeps others from being made", async () => {
  const page = await opened();
  const { mattes, project } = page;
  let number = 0;
  answer = (method, path) => (path.endsWith("/renders") ? [202, { id: `m${++number}`, state: "waiting", from_project: [] }] : null);
  for (const state of ["failed", "cancelled", "stopped"]) {
    await mattes.make("chroma");
    assert.equal(mattes.canMake.value, false);
    page.hearOf({ id: `m${number}`, state, from_project: [], output: "m.mkv" });
    assert.equal(mattes.canMake.value, true);
  }
  await mattes.make("chroma");
  page.hearOf({ id: `m${number}`, state: "running", from_project: [] });
  assert.equal(mattes.making.value.state, "running");
  const clip = project.project.value;
  project.project.value = { ...clip, id: "8" }; // another one is looked at
  page.hearOf({ id: `m${number}`, state: "done", from_project: ["clip.matte.mkv"], output: "clip.matte.mkv" });
  assert.equal(project.document_.value.job.masks, undefined);
  project.project.value = clip;
  assert.deepEqual(project.document_.value.job.masks, ["clip.matte.mkv"]);
  assert.equal(project.undoLabel.value, "edit.matte");
  assert.ok(told(page).includes(page.t("matting.used")));
});

const pressed = (page, key, target = new Nothing(), more = {}) => {
  let isPrevented = false;
  page.heard({ key, target, getModifierState: () => false, preventDefault: () => (isPrevented = true), ...more });
  return isPrevented;
};

test("boxes keep what they do with a key by themselves", async () => {
  const page = await opened();
  const [box, radio] = [new Input("checkbox"), new Input("radio")];
  for (const one of [box, radio]) assert.equal(pressed(page, " ", one), false);
  for (const key of ["ArrowUp", "ArrowLeft"]) assert.equal(pressed(page, key, radio), false);
  assert.equal(page.playhead.speed.value, 0);
  assert.equal(pressed(page, "k", box), true);
  assert.equal(pressed(page, "ArrowRight", box), true);
  assert.equal(page.playhead.frame.value, 1);
});

test("brackets are heard wherever a keyboard has them", async () => {
  const page = await opened();
  const points = [{ frame: 5, at: [1, 1], is: "keep" }];
  const go = (how) => {
    page.playhead.frame.value = 0;
    return pressed(page, "]", new Nothing(), how) && page.playhead.frame.value;
  };
  page.project.edit("edit.point", { guide: { points } });
  assert.equal(go({}), 5);
  assert.equal(go({ altKey: true }), 5); // Option+6 of a German Mac
  assert.equal(go({ altKey: true, ctrlKey: true, getModifierState: (name) => name === "AltGraph" }), 5);
  assert.equal(go({ ctrlKey: true }), false);
  assert.equal(go({ metaKey: true }), false);
});

test("a number is none where nothing is typed", async () => {
  const { typedNumber } = await opened();
  for (const nothing of ["", "  ", "-", "much"]) assert.equal(typedNumber(nothing), null);
  assert.deepEqual(["1,5", " −2 ", "+0.25", "0"].map(typedNumber), [1.5, -2, 0.25, 0]);
});

test("text is marked to be copied where the page has no clipboard", async () => {
  const { copyText } = await opened();
  const [text, marked] = [{ textContent: "vhmae" }, []];
  globalThis.getSelection = () => ({ selectAllChildren: (one) => marked.push(one) });
  for (const can of [true, false]) {
    globalThis.document.execCommand = (what) => what === "copy" && can;
    assert.equal(await copyText(text), can);
  }
  assert.deepEqual(marked, [text, text]);
  const written = [];
  const clipboard = { writeText: async (one) => void written.push(one) };
  Object.defineProperty(globalThis, "navigator", { value: { clipboard }, configurable: true });
  assert.equal(await copyText(text), true);
  assert.deepEqual([written, marked.length], [["vhmae"], 2]);
});

test("a page that did not hear of a clip being opened anew fetches it anew", async () => {
  for (const tellIt of [
    () => stream.tell("lost", {}),
    () => stream.tell("project", { id: "7", state: "reading", openings: 2, progress: { proxy: 0, maps: 0 }, error: null }),
  ]) {
    const page = await opened({ state: "ready", openings: 1 });
    page.listen();
    const clip = page.project.project.value;
    let openings = 1;
    answer = (method, path) => (path === "api/projects/7" ? [200, { ...clip, openings }] : [200, []]);
    const before = page.project.restarts.value;
    openings = 2;
    tellIt();
    await soon();
    assert.equal(page.project.restarts.value, before + 1);
    assert.equal(page.project.project.value.openings, 2);
  }
});

test("a version outlives a save that another tab was faster with", async () => {
  const page = await opened({ state: "ready" });
  const theirs = { ...page.project.document_.value, job: { strength: 0.3 } };
  const sent = [];
  answer = (method, _, body) => {
    if (method !== "PUT") return [200, []];
    sent.push(body);
    if (body.revision > 1) return [200, { revision: 3, restarted: false }];
    return [409, { detail: "", key: "server.revision", values: { revision: 2, document: theirs, mark: null } }];
  };
  page.project.saveVersion("mine");
  await page.project.save();
  assert.deepEqual(sent.at(-1).document.versions.map((one) => one.name), ["mine"]);
  assert.deepEqual(sent.at(-1).document.job, { strength: 0.3 });
});
