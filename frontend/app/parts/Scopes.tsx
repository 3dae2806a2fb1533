/** Waveform, parade and vectorscope of foreground against background. */

import { signal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { scopes, type Pixels, type Renderer } from "../../src/index";
import { bytesOf } from "../store/pictures";
import { speed, type Shown } from "../store/playhead";
import { currentObject, parts } from "../store/project";
import { theme } from "../store/session";
import { mode, showScopes } from "../store/view";
import { t } from "../text";

/** What was measured last: pixels before and after, and who is foreground. */
interface Measured {
  before: Pixels;
  after: Pixels;
  matte: Uint8Array | null;
}
const measured = signal<Measured | null>(null);

const STANDING_MS = 40;
const PLAYING_MS = 250;
const MOST_PIXELS = 120_000;
let timer = 0;
let last = 0;

/** A frame was drawn: have it measured soon, but not for every one that plays. */
export function publish(renderer: Renderer, now: Shown): void {
  if (!showScopes.value) return;
  const wait = speed.value ? PLAYING_MS : STANDING_MS;
  const since = performance.now() - last;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    last = performance.now();
    const matte = now.mattes[currentObject.value - 1];
    measured.value = {
      before: thinned(renderer.read("before"), 4),
      after: thinned(renderer.read("after"), 4),
      matte: matte ? foregroundOf(matte) : null,
    };
  }, Math.max(0, wait - since));
}

/** One byte a pixel: where the background moves alone, its matte is the other one. */
function foregroundOf(matte: ImageBitmap): Uint8Array {
  const { width, height } = matte;
  const { data } = thinned({ data: bytesOf(matte), width, height }, 1);
  const isBackground = parts.value[0] === 0;
  return Uint8Array.from(data, (value) => (isBackground ? 255 - value : value));
}

/** Every so manieth pixel of a row and every so manieth row: enough to see. */
function thinned(picture: Pixels, channels: number): Pixels {
  const step = Math.max(1, Math.round(Math.sqrt((picture.width * picture.height) / MOST_PIXELS)));
  if (step === 1) return picture;
  const width = Math.floor(picture.width / step);
  const height = Math.floor(picture.height / step);
  const data = new Uint8Array(channels * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = channels * (y * step * picture.width + x * step);
      const to = channels * (y * width + x);
      for (let c = 0; c < channels; c++) data[to + c] = picture.data[from + c]!;
    }
  return { data, width, height };
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
    const isBefore = mode.value === "before";
    if (!now || !canvas.current) return;
    const picture = isBefore ? now.before : now.after;
    paint(canvas.current, kind, picture, now.matte, light);
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
