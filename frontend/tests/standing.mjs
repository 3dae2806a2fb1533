/**
 * A browser and a server that stand in as far as the app's stores ask: `node TESTS.mjs PAGE.mjs`, where PAGE.mjs is `page.ts`,
 * bundled. Each test has a page of its own.
 */

import { pathToFileURL } from "node:url";

export class Input {
  constructor(type) {
    this.type = type;
  }
}
export class Nothing {}
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

export const later = setTimeout;
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
/** `answer`: (method, path, body) => what the server says, or a promise of it; `calls`: what it was asked. */
export const server = { answer: () => null, calls: [] };

globalThis.fetch = async (path, { method = "GET", body, signal } = {}) => {
  const told = typeof body === "string" ? JSON.parse(body) : body;
  server.calls.push([method, path, told]);
  const givenUp = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const [status, said] = (await Promise.race([server.answer(method, path, told), givenUp])) ?? [404, { detail: "nothing" }];
  return new Response(status === 204 ? null : said instanceof ArrayBuffer ? said : JSON.stringify(said), { status });
};

/** A page of its own, with a clip in view. */
export async function opened(more = {}, said = {}) {
  server.calls = [];
  server.answer = () => null;
  const page = await import(`${bundle}?${++count}`);
  const clip = {
    id: "7", state: "opening", name: "clip.mp4", layers: false, frames: 24, objects: 1, parts: [1], revision: 1, digest: "as opened",
    document: { schema: 1, vhmae: "project", job: {}, guide: page.emptyGuide(), versions: [], view: {}, ...said },
    ...more,
  };
  server.answer = (method, path) => (method === "GET" && path === `api/projects/${clip.id}` ? [200, clip] : null);
  await page.project.reopen(clip.id);
  server.calls = [];
  return page;
}

export const saves = (method, path) => (method === "PUT" && path.endsWith("/document") ? [200, { revision: 2, restarted: false }] : null);
export const told = (page) => page.notices.value.map((one) => one.text);
export const changed = (page) => page.project.edit("edit.strength", { job: { strength: 0.5 } });
export const soon = () => new Promise((resolve) => later(resolve, 20));

/** An answer of maps: one object, a grid of one cell; `brightness` stands first of its numbers. */
export function mapsOfFrame(frame, brightness, isFinal) {
  const view = new DataView(new ArrayBuffer(24 + 16 + 4 * (2 + 30 + 12)));
  [0x50414d56, 2, 1, 1, 1, 0, frame, 0, Number(isFinal), 0, 1].forEach((value, i) => view.setUint32(4 * i, value, true));
  view.setFloat32(44, 1, true);
  view.setFloat32(48, brightness, true);
  return view.buffer;
}
