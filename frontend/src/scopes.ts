/**
 * Waveform, parade and vectorscope of foreground against background.
 *
 * Counts are gathered from the pixels of a picture that is small enough (some 100 000 of them), and
 * drawn so that the foreground is solid and the background an outline of dots: told apart by form,
 * not by color alone.
 */

import { LUMA } from "./colors";
import type { Pixels } from "./transform";

export type ScopeKind = "waveform" | "parade" | "vectorscope";
export const SCOPE_KINDS: readonly ScopeKind[] = ["waveform", "parade", "vectorscope"];

/** Counts of a scope: (planes, height, width), of pixels inside and outside the matte. */
export interface Counts {
  width: number;
  height: number;
  planes: number;
  inside: Uint32Array;
  outside: Uint32Array;
}

const LEVELS = 256;
/** Scale of the Rec. 709 color differences: B-Y and R-Y over these lie in -1/2 to 1/2. */
const BLUE_SPAN = 2 * (1 - LUMA[2]);
const RED_SPAN = 2 * (1 - LUMA[0]);
export const VECTOR_SIDE = 256;

/** Rec. 709 color differences of one color, each -1/2 to 1/2. */
export function chromaOf(r: number, g: number, b: number): [number, number] {
  const luma = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b;
  return [(b - luma) / BLUE_SPAN, (r - luma) / RED_SPAN];
}

/** The column or row of a vectorscope, of a channel and luma in levels; rows count from above. */
function placeOf(luma: number, channel: number, span: number, sign: 1 | -1): number {
  const part = (sign * (channel - luma)) / (255 * span);
  return Math.min(Math.floor((part + 0.5) * VECTOR_SIDE), VECTOR_SIDE - 1);
}

/**
 * Count the pixels of a picture.
 *
 * @param matte one byte a pixel; 128 and more is inside.
 * @param columns columns of a waveform.
 */
export function count(
  kind: ScopeKind,
  picture: Pixels,
  matte: Uint8Array | Uint8ClampedArray | null,
  columns = 256,
): Counts {
  const planes = kind === "parade" ? 3 : 1;
  const width = kind === "vectorscope" ? VECTOR_SIDE : columns;
  const made: Counts = {
    width,
    height: kind === "vectorscope" ? VECTOR_SIDE : LEVELS,
    planes,
    inside: new Uint32Array(planes * width * LEVELS),
    outside: new Uint32Array(planes * width * LEVELS),
  };
  const { data } = picture;
  const size = width * LEVELS;
  for (let y = 0, pixel = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++, pixel++) {
      const at = 4 * pixel;
      const r = data[at]!;
      const g = data[at + 1]!;
      const b = data[at + 2]!;
      const into = matte && matte[pixel]! < 128 ? made.outside : made.inside;
      const column = Math.floor((x * width) / picture.width);
      if (kind === "vectorscope") {
        const luma = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b;
        into[placeOf(luma, b, BLUE_SPAN, 1) + VECTOR_SIDE * placeOf(luma, r, RED_SPAN, -1)]!++;
      } else if (kind === "parade") {
        into[(255 - r) * width + column]!++;
        into[size + (255 - g) * width + column]!++;
        into[2 * size + (255 - b) * width + column]!++;
      } else {
        const level = Math.round(LUMA[0] * r + LUMA[1] * g + LUMA[2] * b);
        into[(255 - level) * width + column]!++;
      }
    }
  }
  return made;
}

/** Colors that a scope is drawn in, (r, g, b) of 255 each. */
export interface Ink {
  inside: readonly [number, number, number];
  outside: readonly [number, number, number];
  ground: readonly [number, number, number];
}

/**
 * Draw a plane of counts: opaque pixels, four bytes each.
 *
 * The background is thinned to every second dot of a checkerboard, the foreground lies over it.
 */
export function draw(counts: Counts, plane: number, ink: Ink): Pixels & { data: Uint8ClampedArray } {
  const { width, height } = counts;
  const data = new Uint8ClampedArray(4 * width * height);
  const size = width * height;
  const inside = counts.inside.subarray(plane * size, (plane + 1) * size);
  const outside = counts.outside.subarray(plane * size, (plane + 1) * size);
  const [strongIn, strongOut] = [strength(inside), strength(outside)];
  for (let i = 0; i < size; i++) {
    const dotted = ((i % width) + Math.floor(i / width)) % 2 === 0;
    const back = dotted && outside[i] ? 0.9 * strongOut(outside[i]!) : 0;
    const front = inside[i] ? strongIn(inside[i]!) : 0;
    for (let c = 0; c < 3; c++) {
      const under = ink.ground[c]! + (ink.outside[c]! - ink.ground[c]!) * back;
      data[4 * i + c] = under + (ink.inside[c]! - under) * front;
    }
    data[4 * i + 3] = 255;
  }
  return { data, width, height };
}

/** Brightness of a count, 0 to 1: what occurs at all is seen, what occurs often saturates. */
function strength(counts: Uint32Array): (count: number) => number {
  let total = 0;
  let filled = 0;
  for (const count of counts) {
    total += count;
    filled += Number(count > 0);
  }
  const usual = filled ? total / filled : 1;
  return (count) => (count ? Math.min(1, 0.4 + 0.35 * Math.log2(1 + count / usual)) : 0);
}
