/** What is seen of a frame: small pictures and masks. `vhmae.engine.sight`. */

import type { Pixels } from "../../../frontend/src/index";
import { shrink } from "./shrink";

/** A frame with a smaller share of background says nothing of the scene's look. */
const MINIMUM_BACKGROUND = 0.002;
const LOOKED_AT = 256;

/** A frame with its matte, one byte a pixel. */
export interface Frame {
  picture: Pixels;
  matte: Uint8Array;
}

/** A small picture, (height, width, 3) in [0, 1]. */
export function thumbnailOf(picture: Pixels, height: number, width: number): Float32Array {
  const small = shrink({ ...picture, channels: 4 }, height, width);
  const out = new Float32Array(3 * height * width);
  for (let i = 0; i < height * width; i++)
    for (let c = 0; c < 3; c++) out[3 * i + c] = small.data[4 * i + c]! / 255;
  return out;
}

/** The mask that the network sees, one byte a pixel: half-covered pixels count; a subject thinner than that, wherever it is. */
export function smallMask({ picture, matte }: Frame, size: number): Uint8Array {
  const small = shrink({ data: matte, width: picture.width, height: picture.height, channels: 1 }, size, size).data;
  const mask = Uint8Array.from(small, (value) => Number(value >= 128));
  return mask.includes(1) ? mask : Uint8Array.from(small, (value) => Number(value > 0));
}

export const showsForeground = ({ matte }: Frame): boolean => matte.some((value) => value > 0);

/** Whether a frame shows enough background to be read. */
export function showsBackground({ picture, matte }: Frame): boolean {
  const { width, height } = picture;
  // A coarse look finds it where there is plenty; a thin strip may lie between its rows.
  for (const step of new Set([Math.max(2, Math.floor(Math.min(width, height) / LOOKED_AT)), 2])) {
    let [seen, free] = [0, 0];
    for (let y = 0; y < height; y += step)
      for (let x = 0; x < width; x += step, seen++) free += Number(matte[y * width + x]! < 127.5);
    if (free >= MINIMUM_BACKGROUND * seen) return true;
  }
  return false;
}
