/** What is said is saved, whatever servers and other tabs do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, later, mapsOfFrame, opened, saves, server, soon, told } from "./standing.mjs";

test("a clip whose last change is not saved stays in view and is not rendered without it", async () => {
  const page = await opened();
  const { project } = page;
  server.answer = (method) => (method === "PUT" ? [507, { detail: "disk full" }] : [200, {}]);
  changed(page);
  assert.equal(await project.close(), false);
  assert.equal(project.document_.value.job.strength, 0.5);
  assert.equal(project.project.value.id, "7");
  assert.ok(told(page).includes(page.t("close.unsaved")));
  await page.bringing.start({ composite: "other.mp4" });
  await assert.rejects(page.renderSaved("7", { kind: "video" }));
  assert.equal(project.project.value.id, "7");
  assert.ok(!server.calls.some(([method]) => method === "POST"));
  server.answer = saves;
  assert.equal(await project.close(), true);
  assert.equal(project.project.value, null);
});

test("what could not be saved is saved when the server is back", async () => {
  const page = await opened();
  page.listen();
  stream.onopen();
  server.answer = () => [500, { detail: "gone" }];
  changed(page);
  await page.project.save();
  assert.equal(page.project.saving.value, "failed");
  server.answer = saves;
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
  server.answer = () => new Promise(() => {});
  changed(page);
  const saved = project.save();
  await soon();
  const sent = project.document_.value;
  const came = server.calls.at(-1)[2].mark;
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
  server.answer = (method, path, body) => {
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
  server.answer = (method) => (method === "PUT" ? [409, { detail: "wait", key: "server.offset", values: {} }] : null);
  changed(page);
  await page.project.save();
  assert.equal(page.project.saving.value, "failed");
  assert.equal(page.project.document_.value.job.strength, 0.5);
});

test("an answer that was asked for before a save takes nothing back", async () => {
  const page = await opened({ state: "reading" });
  const { project } = page;
  page.listen();
  const before = structuredClone({ ...project.project.value, state: "ready" });
  let release;
  const late = new Promise((resolve) => (release = resolve));
  let asked = 0;
  server.answer = (method, path) => {
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
  server.answer = () => (++asked === 1 ? late.then(() => [200, clip]) : [200, { ...clip, state: "ready" }]);
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
  const guides = () => server.calls.filter(([, path]) => path.endsWith("/guide")).length;
  let brightness = 0.25;
  server.answer = (method, path) => {
    if (path === "api/projects/7") return [200, { ...clip, state: "ready" }];
    return path.includes("/maps?first=0&") ? [200, mapsOfFrame(0, brightness, brightness === 0.5)] : [200, []];
  };
  stream.onopen(); // the clip was opened before the stream was
  await soon();
  assert.equal(project.project.value.state, "ready");
  await maps.need(0);
  for (const again of [() => stream.onopen(), () => stream.tell("lost", {})]) {
    [server.calls, brightness] = [[], 0.5];
    maps.clear();
    again();
    await new Promise((resolve) => later(resolve, 150));
    assert.ok(server.calls.some(([, path]) => path === "api/renders"));
    assert.equal(maps.at(0).objects[0].overall[0], 0.5);
    assert.ok(guides() > 0);
  }
  await project.close();
  server.calls = [];
  stream.onopen();
  await soon();
  assert.ok(server.calls.some(([method, path]) => method === "GET" && path === "api/projects"));
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

test("a version's time may be damaged", async () => {
  const { moment, language } = await opened();
  for (const damaged of [undefined, null, 12, "yesterday", ""]) assert.equal(moment(damaged), "");
  language.value = "de";
  assert.match(moment("2026-02-03T10:00:00Z"), /03\.02\.26/);
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
    server.answer = (method, path) => (path === "api/projects/7" ? [200, { ...clip, openings }] : [200, []]);
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
  server.answer = (method, _, body) => {
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

/** A server that was begun anew, and knows nothing of the clip before it is opened again. */
function begunAnew(stood, more = {}) {
  const [asked, sent] = [[], []];
  let isOpen = false;
  server.answer = (method, path, body) => {
    if (path.startsWith("api/projects/7")) return [204]; // pages of earlier tests may have something to save yet
    if (path === "api/session") return [200, { csrf: "another", signed_in: true, language: "en" }];
    if (method === "POST" && path === "api/projects") {
      asked.push(body);
      if (body.project && more.isUnsaved) return [404, { detail: "", key: "server.no-file", values: {} }];
      isOpen = true;
    }
    if (path.startsWith("api/projects") && !isOpen) return [404, { detail: "", key: "server.no-project", values: {} }];
    if (method === "PUT") {
      sent.push(body);
      return [200, { revision: 2, digest: "as saved", restarted: false }];
    }
    const found = { ...stood, openings: 1, revision: 1, digest: "as opened", ...more.found };
    return [200, path === "api/projects" || path === "api/projects/8" ? found : []];
  };
  return { asked, sent };
}

/** The page's last change is not saved, since the server was begun anew meanwhile. */
async function unsaved(page, refusal = [403, { detail: "", key: "server.csrf", values: {} }]) {
  page.listen();
  stream.onopen();
  server.answer = () => refusal;
  changed(page);
  await page.project.save();
  assert.equal(page.project.saving.value, "failed");
}

for (const isUnsaved of [false, true]) {
  test(`a change outlives a server that is begun anew, its clip ${isUnsaved ? "never" : "once"} saved`, async () => {
    const job = { composite: "clip.mp4", masks: ["../mask.mp4"] };
    const page = await opened({ id: "8", state: "ready", openings: 3, revision: 5, place: "shots/clip.vhmae.json" }, { job });
    const stood = page.project.project.value;
    await unsaved(page);
    const { asked, sent } = begunAnew(stood, { isUnsaved });
    stream.onopen();
    await soon();
    const made = { composite: "shots/clip.mp4", masks: ["shots/../mask.mp4"] };
    assert.deepEqual(asked, [{ project: "shots/clip.vhmae.json" }, ...(isUnsaved ? [made] : [])]);
    assert.deepEqual(sent.map(({ revision, document }) => [revision, document.job.strength]), [[1, 0.5]]);
    assert.equal(page.project.saving.value, "saved");
    assert.ok(page.project.restarts.value > 0); // what was fetched of it is of another opening
    assert.ok(!told(page).includes(page.t("tabs.taken")));
  });
}

test("what a file has become meanwhile is not overwritten", async () => {
  const page = await opened({ id: "8", state: "ready", place: "clip.vhmae.json" });
  const stood = page.project.project.value;
  await unsaved(page);
  const { sent } = begunAnew(stood, { found: { document: { ...stood.document, job: { strength: 0.3 } }, digest: "theirs" } });
  stream.onopen();
  await soon();
  assert.deepEqual(sent, []);
  assert.equal(page.project.document_.value.job.strength, 0.3);
  assert.ok(told(page).includes(page.t("tabs.taken")));
  page.project.undo(); // one's own stands a step back
  assert.equal(page.project.document_.value.job.strength, 0.5);
});

test("who has to sign in again keeps what is said", async () => {
  const page = await opened({ id: "8", state: "ready", place: "clip.vhmae.json" });
  const stood = page.project.project.value;
  await unsaved(page, [401, { detail: "", key: "server.sign-in", values: {} }]);
  server.answer = (_, path) => (path === "api/session" ? [200, { csrf: "another", signed_in: false, language: "en" }] : null);
  stream.onopen();
  await soon();
  assert.equal(page.session.value.signed_in, false);
  assert.equal(page.project.document_.value.job.strength, 0.5);
  const { sent } = begunAnew(stood);
  page.session.value = { ...page.session.value, signed_in: true };
  await page.catchUp();
  assert.equal(sent.length, 1);
  assert.equal(page.project.saving.value, "saved");
});
