/**
 * Builds the pages: `node build.mjs [OUT]` writes the app into OUT (src/vhmae/app/static);
 * `node build.mjs --browser [OUT]` the page without a server (build/browser), which needs what
 * `browser/package.json` names; `node build.mjs --bundle ENTRY OUT` one module of its own, for tests.
 *
 * The same sources give the same bytes everywhere: the built files of the app are committed.
 */

import { cp, copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  target: "es2022",
};

async function buildApp(out) {
  await rm(out, { recursive: true, force: true });
  const assets = join(out, "assets");
  await mkdir(assets, { recursive: true });
  /** Where a built file lies; its digest lets no browser take an older one for it. */
  const addressOf = async (name) => {
    const digest = createHash("sha256").update(await readFile(join(assets, name))).digest("hex");
    return `assets/${name}?${digest.slice(0, 12)}`;
  };
  const whole = { ...common, minify: true, outdir: assets, splitting: false };
  await esbuild.build({ ...whole, entryPoints: { events: "app/worker/events.ts" }, format: "iife" });
  const define = { EVENTS_WORKER: JSON.stringify(await addressOf("events.js")) };
  await esbuild.build({ ...whole, entryPoints: { app: "app/main.tsx" }, define });
  let page = await readFile(join(here, "app", "index.html"), "utf8");
  for (const name of ["app.js", "app.css"]) {
    page = page.replace(`assets/${name}`, await addressOf(name));
  }
  await writeFile(join(out, "index.html"), page);
  await copyFile(join(here, "app", "icon.svg"), join(assets, "icon.svg"));
}

const root = join(here, "..");
const packaged = join(root, "src", "vhmae", "assets");
const modules = join(root, "browser", "node_modules");
const runtime = join(modules, "onnxruntime-web", "dist");

/** Files of the network, by the name that `browser/src/network/files.ts` has for them; those of `.gz` are packed. */
const NETWORK = {
  // That of the architecture of the free weights, as tools/record_graphs.py lists it; others refuse them.
  "graph.onnx": join(packaged, "graphs", JSON.parse(await readFile(join(here, "graphs.json"), "utf8")).free),
  "free.safetensors.gz": join(packaged, "free.safetensors"),
  "free.prior.json": join(packaged, "free.prior.json"),
  "ort-wasm-simd-threaded.wasm.gz": join(runtime, "ort-wasm-simd-threaded.wasm"),
  "ort-wasm-simd-threaded.mjs": join(runtime, "ort-wasm-simd-threaded.mjs"),
};

/** Pictures of the example, of the package's demo. */
const EXAMPLE = {
  "rocket.jpg": "photographs/rocket.jpg",
  "astronaut.png": "photographs/astronaut.png",
  "matte.png": "astronaut.png",
  "camera.json": "camera.json",
};

async function buildBrowser(out) {
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, "network"), { recursive: true });
  await esbuild.build({
    ...common,
    absWorkingDir: join(root, "browser"),
    conditions: ["onnxruntime-web-use-extern-wasm"], // its loader is a file of its own, for threads
    entryPoints: { page: "src/main.tsx", network: "src/network/worker.ts" },
    minify: true,
    nodePaths: [join(here, "node_modules")],
    outdir: out,
  });
  for (const [name, from] of Object.entries(NETWORK)) {
    const bytes = await readFile(from);
    await writeFile(join(out, "network", name), name.endsWith(".gz") ? await promisify(gzip)(bytes) : bytes);
  }
  await mkdir(join(out, "example"));
  for (const [name, from] of Object.entries(EXAMPLE)) await copyFile(join(packaged, "demo", from), join(out, "example", name));
  await copyFile(join(root, "browser", "index.html"), join(out, "index.html"));
  await copyFile(join(here, "app", "icon.svg"), join(out, "icon.svg"));
  await cp(join(root, "LICENSE"), join(out, "LICENSE.txt"));
  await cp(join(root, "NOTICE"), join(out, "NOTICE.txt"));
  for (const name of OF_WEIGHTS) await copyFile(join(packaged, name), join(out, "network", name));
  await writeFile(join(out, "LICENSES.txt"), await licences());
}

/** What the weights were made of, by whom and under which terms: it goes where they go. */
const OF_WEIGHTS = ["MODEL_CARD.free.md", "free.pictures.csv"];

/** Licences of packages that name theirs and do not hold it. */
const UNTOLD = {
  "onnxruntime-web": async () => {
    const terms = await readFile(join(root, "LICENSES", "MIT.txt"), "utf8");
    return terms.replace(/^Copyright.*$/m, "Copyright (c) Microsoft Corporation");
  },
};

/** What stands in the page beside our own code, with its terms. */
async function licences() {
  const parts = { preact: here, "@preact/signals": here, mediabunny: join(root, "browser"), "onnxruntime-web": join(root, "browser") };
  const texts = ["This page holds the following. Its own code and weights: Apache-2.0, LICENSE.txt."];
  for (const [name, folder] of Object.entries(parts)) {
    const place = join(folder, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(place, "package.json"), "utf8"));
    const file = (await readdir(place)).find((one) => /^licen[cs]e/i.test(one));
    if (!file && !(name in UNTOLD)) throw new Error(`${name}: holds no licence; say in build.mjs what it is`);
    const terms = file ? await readFile(join(place, file), "utf8") : await UNTOLD[name]();
    texts.push(`${name} ${version} (${license}), https://www.npmjs.com/package/${name}\n\n${terms.trim()}`);
  }
  const camera = await readFile(join(root, "LICENSES", "MIT.txt"), "utf8");
  texts.push(
    `example/camera.json: a map of WB_color_augmenter (MIT), https://github.com/mahmoudnafifi/WB_color_augmenter\n\n` +
      camera.trim(),
    "network/: weights fitted to the pictures of network/free.pictures.csv, which names author (or the page that names him), licence and source of each;\n" +
      "the pictures of example/: NOTICE.txt",
  );
  return `${texts.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--bundle") {
  const [entry, out] = rest;
  const nodePaths = [join(here, "node_modules"), modules];
  await esbuild.build({ ...common, nodePaths, entryPoints: [entry], outfile: out, globalName: "page", format: out.endsWith(".mjs") ? "esm" : "iife" });
} else if (first === "--browser") {
  await buildBrowser(rest[0] ?? join(root, "build", "browser"));
} else {
  await buildApp(first ?? join(here, "..", "src", "vhmae", "app", "static"));
}
