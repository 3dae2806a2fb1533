/** The app's stores and keys without a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Input, Nothing, later, mapsOfFrame, opened, saves, server, told } from "./standing.mjs";

test("what was not brought is not told to the server", async () => {
  const page = await opened();
  server.answer = (method, path) => (path === "api/projects" ? [503, { detail: "full" }] : null);
  const asked = async () => {
    server.calls = [];
    await page.bringing.startBrought();
    return server.calls.find(([method, path]) => method === "POST" && path === "api/projects")[2];
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
  const dropped = () => server.calls.filter(([method]) => method === "DELETE").map(([, path]) => path);
  server.answer = (method, path) => (method === "DELETE" ? [204] : null);
  const { bring, takeOut, setWay, start } = page.bringing;
  const clip = page.project.project.value;
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
  server.answer = (method, path) =>
    method === "DELETE" ? [204] : path.startsWith("api/projects") ? [200, { ...clip, id: "8" }] : null;
  await start({ composite: "upload:3" }); // it is used, the other one is not
  assert.deepEqual(dropped(), ["api/uploads/1", "api/uploads/2", "api/uploads/4"]);
});

test("maps that became better are asked for, and those before stand until they come", async () => {
  const page = await opened();
  const maps = page.mapsOf("7");
  let said = [200, mapsOfFrame(3, 0.25, false)];
  server.answer = (method, path) => (path.includes("/maps?first=3&") ? said : null);
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
  server.calls = [];
  await maps.need(3);
  assert.deepEqual(server.calls, []);
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
  server.answer = (method) => (method === "GET" ? [200, { ...clip, id: "8", frames: 6 }] : null);
  await project.reopen("8");
  assert.deepEqual([playhead.frame.value, playhead.shown.value, playhead.isScrubbing.value], [0, null, false]);
  assert.deepEqual([takes.takes.value, takes.thumbnails.value], [null, []]);
  assert.deepEqual([view.armed.value, view.chosenPoint.value, view.zoom.value, view.overlay.value], [null, null, null, null]);
  playhead.frame.value = 5;
  project.project.value = { ...project.project.value, state: "ready", frames: 3 }; // read anew, it is shorter
  assert.equal(playhead.frame.value, 2);
});

test("a question of who moved before is given up", async () => {
  const page = await opened();
  const { project } = page;
  const asked = [];
  server.answer = (method, path, body) => {
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

test("an object that is gone is not the one that is spoken of", async () => {
  const page = await opened({ objects: 3, parts: [1, 2, 3] });
  const { project } = page;
  project.currentObject.value = 3;
  project.project.value = { ...project.project.value, objects: null, parts: null }; // being opened anew
  assert.equal(project.currentObject.value, 3);
  project.project.value = { ...project.project.value, objects: 2, parts: [1, 2] };
  assert.equal(project.currentObject.value, 1);
});

test("a matte is used when it is done, and none that failed keeps others from being made", async () => {
  const page = await opened();
  const { mattes, project } = page;
  let number = 0;
  server.answer = (method, path) => (path.endsWith("/renders") ? [202, { id: `m${++number}`, state: "waiting", from_project: [] }] : null);
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
