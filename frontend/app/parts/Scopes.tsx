/** Waveform, parade and vectorscope of foreground against background. */

import { signal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { scopes, type Pixels, type Renderer } from "../../src/index";
import { speed, type Shown } from "../store/playhead";
import { currentObject, parts } from "../store/project";
import { complain, theme } from "../store/session";
import { mode, showScopes } from "../store/view";
import { t } from "../text";

/** What was measured last: pixels as they are looked at, and who is foreground. */
interface Measured {
  picture: Pixels;
  matte: Uint8Array | null;
}
const measured = signal<Measured | null>(null);

/** How long a picture rests before it is measured. The page then waits for all that the GPU has been
 * told by now: while a dial turns or a frame is sought, that is the next picture. */
const RESTS_MS = 400;
/** How seldom that is done while it plays: the browser may have to wait for the GPU. */
const PLAYING_MS = 1500;
const MOST_PIXELS = 100_000;
let timer = 0;
let last = 0;
let isMeasuring = false;

/** A frame was drawn: have it measured soon, but not for every one that plays. */
export function publish(renderer: Renderer, now: Shown): void {
  const which = mode.value === "before" ? "before" : "after";
  if (!showScopes.value) return;
  window.clearTimeout(timer);
  const due = speed.value ? Math.max(0, last + PLAYING_MS - performance.now()) : RESTS_MS;
  timer = window.setTimeout(() => void measure(renderer, now, which).catch(complain), due);
}

async function measure(renderer: Renderer, now: Shown, which: "before" | "after"): Promise<void> {
  if (isMeasuring) return publish(renderer, now);
  isMeasuring = true;
  last = performance.now();
  try {
    const hasMatte = now.mattes[currentObject.value - 1] !== undefined;
    const picture = await renderer.sample(which, MOST_PIXELS);
    measured.value = { picture, matte: hasMatte ? foregroundOf(picture) : null };
  } finally {
    isMeasuring = false;
  }
}

/** One byte a pixel: where the background moves alone, its matte is the other one. */
function foregroundOf({ data }: Pixels): Uint8Array {
  const isBackground = parts.value[0] === 0;
  const matte = new Uint8Array(data.length / 4);
  for (let i = 0; i < matte.length; i++) {
    const cover = data[4 * i + 3]!;
    matte[i] = isBackground ? 255 - cover : cover;
  }
  return matte;
}

const INKS = {
  dark: { ground: [15, 15, 15], text: "#b8b8b8", line: "#3d3d3d" },
  light: { ground: [250, 250, 250], text: "#4a4a4a", line: "#cfcfcf" },
} as const;
const INSIDE = { dark: [255, 255, 255], light: [20, 20, 20] } as const;
const OUTSIDE = { dark: [120, 175, 245], light: [40, 90, 170] } as const;
const PLANES = {
  dark: [[255, 130, 120], [130, 230, 140], [140, 170, 255]],
  light: [[190, 30, 20], [10, 120, 30], [30, 70, 200]],
} as const;

export function Scopes() {
  return (
    <section class="scopes" aria-label={t("scopes")}>
      <p class="legend">
        <span><i class="solid" /> {t("scopes.foreground")}</span>
        <span><i class="dotted" /> {t("scopes.background")}</span>
      </p>
      {scopes.SCOPE_KINDS.map((kind) => (
        <figure key={kind}>
          <figcaption>{t(`scope.${kind}`)}</figcaption>
          <Scope kind={kind} />
        </figure>
      ))}
    </section>
  );
}

function Scope({ kind }: { kind: scopes.ScopeKind }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const now = measured.value;
    const light = theme.value;
    if (now && canvas.current) paint(canvas.current, kind, now.picture, now.matte, light);
  });
  return <canvas ref={canvas} class={kind} role="img" aria-label={t(`scope.${kind}.alt`)} />;
}

const COLUMNS = { waveform: 264, parade: 88, vectorscope: 256 } as const;

function paint(
  canvas: HTMLCanvasElement,
  kind: scopes.ScopeKind,
  picture: Pixels,
  matte: Uint8Array | null,
  light: "dark" | "light",
): void {
  const counts = scopes.count(kind, picture, matte, COLUMNS[kind]);
  canvas.width = counts.width * counts.planes;
  canvas.height = counts.height;
  const context = canvas.getContext("2d")!;
  for (let plane = 0; plane < counts.planes; plane++) {
    const inside = kind === "parade" ? PLANES[light][plane]! : INSIDE[light];
    const ink = { inside, outside: OUTSIDE[light], ground: INKS[light].ground };
    const { data, width, height } = scopes.draw(counts, plane, ink);
    context.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), plane * width, 0);
  }
  context.strokeStyle = INKS[light].line;
  context.fillStyle = INKS[light].text;
  context.font = "600 11px system-ui, sans-serif";
  if (kind === "vectorscope") graticule(context);
  else levels(context, canvas.width);
  if (kind !== "parade") return;
  ["R", "G", "B"].forEach((name, plane) => context.fillText(name, plane * counts.width + 5, 14));
}

/** Lines at quarters of the scale. */
function levels(context: CanvasRenderingContext2D, width: number): void {
  for (const level of [0, 64, 128, 192, 255]) {
    const y = 255 - level + 0.5;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
  }
}

const CORNERS = { R: [1, 0, 0], Y: [1, 1, 0], G: [0, 1, 0], C: [0, 1, 1], B: [0, 0, 1], M: [1, 0, 1] } as const;

/** The colors of 75 % bars, the line of skin, and the axes. */
function graticule(context: CanvasRenderingContext2D): void {
  const side = scopes.VECTOR_SIDE;
  const place = (u: number, v: number): [number, number] => [(u + 0.5) * side, (0.5 - v) * side];
  context.beginPath();
  context.moveTo(side / 2, 0);
  context.lineTo(side / 2, side);
  context.moveTo(0, side / 2);
  context.lineTo(side, side / 2);
  context.moveTo(side / 2, side / 2);
  context.lineTo(...place(-0.5 * Math.cos(rad(57)), 0.5 * Math.sin(rad(57)))); // 123 degrees: skin
  context.stroke();
  for (const [name, color] of Object.entries(CORNERS)) {
    const [r, g, b] = color.map((value) => 0.75 * value) as [number, number, number];
    const [x, y] = place(...scopes.chromaOf(r, g, b));
    context.strokeRect(x - 4, y - 4, 8, 8);
    context.fillText(name, x - 3, y > side / 2 ? y + 15 : y - 7);
  }
}

const rad = (degrees: number): number => (degrees * Math.PI) / 180;
