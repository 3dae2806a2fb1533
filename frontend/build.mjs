/**
 * Builds the pages: `node build.mjs [OUT]` writes the app into OUT (src/vhmae/app/static);
 * `node build.mjs --bundle ENTRY OUT` one module of its own, for tests.
 *
 * The same sources give the same bytes everywhere: the built files are committed.
 */

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
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
  await esbuild.build({
    ...common,
    entryPoints: { app: "app/main.tsx" },
    minify: true,
    outdir: assets,
    splitting: false,
  });
  let page = await readFile(join(here, "app", "index.html"), "utf8");
  for (const name of ["app.js", "app.css"]) {
    const digest = createHash("sha256").update(await readFile(join(assets, name))).digest("hex");
    page = page.replace(`assets/${name}`, `assets/${name}?${digest.slice(0, 12)}`);
  }
  await writeFile(join(out, "index.html"), page);
  await copyFile(join(here, "app", "icon.svg"), join(assets, "icon.svg"));
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--bundle") {
  const [entry, out] = rest;
  await esbuild.build({ ...common, entryPoints: [entry], outfile: out, globalName: "page", format: out.endsWith(".mjs") ? "esm" : "iife" });
} else {
  await buildApp(first ?? join(here, "..", "src", "vhmae", "app", "static"));
}
