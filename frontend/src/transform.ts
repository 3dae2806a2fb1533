/**
 * The change of colors of one frame, as `vhmae.engine.rendering` makes it: a quadratic map of the
 * whole foreground, and a grid of affine ones that are bilinear between the cells' centers.
 */

import { AFFINE, LUMA, TERMS, addedTo, clip, type Color } from "./colors";

export type Kept = "hue" | "luma" | "saturation";

/** Color maps of one object in one frame, at full strength and without any guide. */
export interface Maps {
  /** (30,): residual map of the whole foreground. */
  overall: Float64Array;
  /** (N, N, 3, 4): residual maps per cell. */
  local: Float32Array;
  /** Rows and columns of cells. */
  rows: number;
  columns: number;
}

/** A change that is to be rendered: maps with the guide's change in them, and how far to go. */
export interface Change extends Maps {
  strength: number;
  keep: readonly Kept[];
}

/** The maps with what a guide adds to them. */
export function guided(
  maps: Maps,
  change: ArrayLike<number> | null,
  strength: number,
  keep: readonly Kept[],
): Change {
  const overall = change ? maps.overall.map((value, i) => value + change[i]!) : maps.overall;
  return { ...maps, overall, strength, keep };
}

/** The cell before a pixel and how far it is to the next; beyond the outermost centers is held. */
export function cellAt(pixel: number, cells: number, total: number): [number, number] {
  const place = clip(((pixel + 0.5) * cells) / total - 0.5, 0, cells - 1);
  const lower = Math.floor(place);
  return [lower, place - lower];
}

/** Python's `round`: halves go to the even neighbor. */
const roundEven = (value: number): number => {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
};

/** The map of a frame at one pixel, overall and local together: (30,). `vhmae.engine.pointing`. */
export function mapAt(maps: Maps, x: number, y: number, width: number, height: number): Float64Array {
  const column = clip(roundEven(x), 0, width - 1);
  const row = clip(roundEven(y), 0, height - 1);
  const [left, across] = cellAt(column, maps.columns, width);
  const [top, down] = cellAt(row, maps.rows, height);
  const found = Float64Array.from(maps.overall);
  const cell = (j: number, i: number, k: number): number =>
    maps.local[
      (Math.min(j, maps.rows - 1) * maps.columns + Math.min(i, maps.columns - 1)) * 3 * AFFINE + k
    ]!;
  for (let channel = 0; channel < 3; channel++) {
    for (let term = 0; term < AFFINE; term++) {
      const k = channel * AFFINE + term;
      const above = cell(top, left, k) * (1 - across) + cell(top, left + 1, k) * across;
      const below = cell(top + 1, left, k) * (1 - across) + cell(top + 1, left + 1, k) * across;
      found[channel * TERMS + term]! += above * (1 - down) + below * down;
    }
  }
  return found;
}

/** A picture's pixels, four bytes each, as a canvas gives them. */
export interface Pixels {
  data: Uint8ClampedArray | Uint8Array;
  width: number;
  height: number;
}

/** A place is the mean of a disk of this radius in a frame of so many lines. */
const DISK_RADIUS = 3;
const DISK_LINES = 288;

/**
 * The least that a pixel of a matte must have to count as its object's: half, or half of the most that it is
 * anywhere, since glass and smoke are soft all over.
 *
 * @param matte one byte a pixel.
 */
export function leastOf(matte: Uint8Array | Uint8ClampedArray): number {
  let most = 0;
  for (const value of matte) most = Math.max(most, value);
  return most >= 128 ? 128 : Math.max(1, most / 2);
}

/**
 * The mean color of a small disk: null where no pixel counts.
 *
 * @param matte one byte a pixel of the picture; those of its object count. Null takes them all.
 * @param solid false: the others count.
 */
export function diskMean(
  picture: Pixels,
  x: number,
  y: number,
  matte: Uint8Array | Uint8ClampedArray | null = null,
  solid = true,
): Color | null {
  const { data, width, height } = picture;
  const radius = Math.max(1, (DISK_RADIUS * height) / DISK_LINES);
  const least = matte ? leastOf(matte) : 0;
  const sum = [0, 0, 0];
  let count = 0;
  const first = Math.max(0, roundEven(y - radius));
  const last = Math.min(height - 1, roundEven(y + radius));
  for (let row = first; row <= last; row++) {
    const begin = Math.max(0, roundEven(x - radius));
    const end = Math.min(width - 1, roundEven(x + radius));
    for (let column = begin; column <= end; column++) {
      const at = row * width + column;
      if ((column - x) ** 2 + (row - y) ** 2 > radius ** 2) continue;
      if (matte && matte[at]! >= least !== solid) continue;
      for (let c = 0; c < 3; c++) sum[c]! += data[4 * at + c]!;
      count++;
    }
  }
  return count ? (sum.map((value) => value / count / 255) as unknown as Color) : null;
}

/**
 * The mean color of a small disk, of what lies on the same side of a matte as its place: a wall right beside
 * somebody has none of his color.
 */
export function meanBeside(picture: Pixels, x: number, y: number, matte: Uint8Array | Uint8ClampedArray): Color | null {
  const column = clip(x, 0, picture.width - 1); // the last pixel's far half lies in the frame
  const row = clip(y, 0, picture.height - 1);
  const there = matte[roundEven(row) * picture.width + roundEven(column)]!;
  return diskMean(picture, column, row, matte, there >= leastOf(matte));
}

/** Hue, luma or saturation of a new color made those of the old one; not clipped. */
export function keeping(before: Color, moved: Color, keep: readonly Kept[]): Color {
  if (keep.length === 0) return moved;
  const dot = (color: Color): number => LUMA[0] * color[0] + LUMA[1] * color[1] + LUMA[2] * color[2];
  const [luma, newLuma] = [dot(before), dot(moved)];
  const chroma = before.map((value) => value - luma);
  let newChroma = moved.map((value) => value - newLuma);
  const [length, newLength] = [Math.hypot(...chroma), Math.hypot(...newChroma)];
  if (keep.includes("hue") && keep.includes("saturation")) newChroma = chroma;
  else if (keep.includes("hue")) {
    newChroma = chroma.map((value) => (value * newLength) / Math.max(length, 1e-4));
  } else if (keep.includes("saturation")) {
    newChroma = newChroma.map((value) => (value * length) / Math.max(newLength, 1e-4));
  }
  const base = keep.includes("luma") ? luma : newLuma;
  return newChroma.map((value) => base + value) as unknown as Color;
}

/** What one pixel becomes under a change, inside a matte of 1; clipped. The shader's reference. */
export function changed(
  color: Color,
  change: Change,
  x: number,
  y: number,
  width: number,
  height: number,
): Color {
  const more = addedTo(color, mapAt(change, x, y, width, height));
  let moved = color.map((value, i) => value + change.strength * more[i]!) as unknown as Color;
  if (change.keep.length > 0) {
    moved = keeping(color, moved.map((value) => clip(value)) as unknown as Color, change.keep);
  }
  return moved.map((value) => clip(value)) as unknown as Color;
}
